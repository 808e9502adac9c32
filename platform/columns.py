"""The map of a foreign CSV: what its columns are, in which zone its clock runs, whose it is.

A map is a TOML file::

    greenhouse = "pantar"                 # slug; made if it is new
    name = "Nhà kính Pantar (Hà Lan)"     # its name, if it is new
    cooperative = "binh-lu"               # whose it is; needed if it is new
    encoding = "utf-8"                    # this and the next three may be left out
    delimiter = ","
    decimal = "."                         # or ",": then 1.234,5 is a number
    empty = ["", "NaN"]                   # cells that say that there is no value

    [time]
    column = ""                           # name of the column; "" is the one without a name
    format = "%Y-%m-%d %H:%M:%S"          # or "unix"
    zone = "Europe/Amsterdam"             # the clock of the file, by its IANA name

    [columns."Sensor kas 4 L (073) - Temperature (°C) - averages"]
    metric = "air_temperature"            # or a series name such as soil_moisture.2
    node = "kas-4-l"                      # which station measured it
    factor = 1                            # value = cell * factor + offset
    offset = 0
    zone = ""                             # id of a khu tưới, where there is one

Columns that the map does not name are left alone. Whether greenhouse, cooperative and zones are
there, and the columns in the file, is checked when both are known (``nongso.platform.importing``).
"""

import codecs
import difflib
import math
import re
import stat
import tomllib
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from nongso.wire.metrics import METRICS, metric_of
from nongso.wire.topics import TopicError, check_slug

LONGEST_MAP = 1_000_000  # bytes
LONGEST_NAME = 120
LONGEST_FORMAT = 100
MOST_FACTOR = 1e9

# Python has codecs under more names (base64, idna, undefined), but no text file is written so.
_OF_TEXT = re.compile(
    r"ascii|utf-8(-sig)?|utf-(16|32)(-[bl]e)?|iso8859-\d+|cp\d{3,4}|koi8-[rtu]|mac-[a-z0-9]+"
    r"|gbk|gb2312|gb18030|big5|euc_(jp|kr)|shift_jis|tis-620|kz1048"
)
_MACHINES_OWN = {"localtime", "posixrules", "Factory"}  # zones that mean something else elsewhere


class MapError(Exception):
    """The map does not fit; the text names the entry and what comes nearest to it."""


@dataclass(frozen=True)
class Column:
    """One column that is loaded."""

    name: str
    metric: str
    node: str
    factor: float
    offset: float
    zone: str


@dataclass(frozen=True)
class Map:
    """A map that has been checked."""

    greenhouse: str
    name: str
    cooperative: str | None
    encoding: str
    delimiter: str
    decimal: str
    empty: frozenset[str]
    time_column: str
    time_format: str
    zone: ZoneInfo
    columns: tuple[Column, ...]


def nearest(name: str, known: list[str]) -> str:
    """Say which known names come nearest."""
    short = [one[:200] for one in known[:2000]]
    close = difflib.get_close_matches(name[:200], short, n=3, cutoff=0.3) or short[:3]
    return ", ".join(repr(c) for c in close)


def load(file: Path) -> Map:
    """Read a map. Raises ``MapError``."""
    return _Reader(str(file)).map(_decoded(file, _text(file)))


def line_of(file: Path, entry: str) -> str:
    """Say where an entry such as ``time.format`` stands in a map: ``map.toml, line 9``.

    Only the file where it is not found: the entry was left out, or is written in another way.
    """
    table, _, name = entry.rpartition(".")
    inside = ""
    for number, line in enumerate(_text(file).splitlines(), 1):
        if line.lstrip().startswith("["):
            inside = line.strip().strip("[]").split(".")[0].strip()
        elif inside == table and re.match(rf"\s*{re.escape(name)}\s*=", line):
            return f"{file}, line {number}"
    return str(file)


def _text(file: Path) -> str:
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise MapError(f"{file}: is not a file")
        with file.open("rb") as opened:
            found = opened.read(LONGEST_MAP + 1)
    except OSError as error:
        raise MapError(f"{file}: cannot be read: {error.strerror}") from error
    if len(found) > LONGEST_MAP:
        raise MapError(f"{file}: is too long for a map (more than {LONGEST_MAP} bytes)")
    try:
        return found.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MapError(f"{file}: is not TOML: it is not written in UTF-8 ({error})") from error


def _decoded(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise MapError(f"{file}: is not a map: its lists or tables go too deep") from error
    except ValueError as error:  # also a number of more digits than Python reads
        raise MapError(f"{file}: is not TOML: {error}") from error


class _Reader:
    """Checks a decoded map entry by entry."""

    def __init__(self, where: str) -> None:
        self.where = where

    def fail(self, text: str) -> MapError:
        return MapError(f"{self.where}: {text}")

    def text(self, table: dict[str, Any], name: str, default: str | None = None) -> str:
        value = table.get(name, default)
        if not isinstance(value, str):
            raise self.fail(f"{name} is missing or not a text")
        return value

    def number(self, table: dict[str, Any], name: str, default: float, where: str) -> float:
        value = table.get(name, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.fail(f"{where}: {name} must be a number, not {str(value)[:40]!r}")
        if not -MOST_FACTOR <= value <= MOST_FACTOR:  # nor NaN; an integer may have 4,000 digits
            raise self.fail(
                f"{where}: {name} must lie between {-MOST_FACTOR:.0e} and {MOST_FACTOR:.0e}"
            )
        return float(value)

    def only(self, table: dict[str, Any], known: list[str], what: str) -> None:
        for name in table:
            if name not in known:
                raise self.fail(
                    f"{what} has no entry {name[:80]!r}; nearest: {nearest(name, known)}"
                )

    def map(self, found: dict[str, Any]) -> Map:
        top = ["greenhouse", "name", "cooperative", "encoding", "delimiter", "decimal", "empty"]
        self.only(found, [*top, "time", "columns"], "a map")
        slug = self.slug(self.text(found, "greenhouse"), "greenhouse")
        clock = found.get("time")
        if not isinstance(clock, dict):
            raise self.fail("a table [time] with column, format and zone is needed")
        self.only(clock, ["column", "format", "zone"], "[time]")
        empty = found.get("empty", ["", "NaN", "nan", "NA", "null"])
        if not isinstance(empty, list) or not all(isinstance(e, str) for e in empty):
            raise self.fail("empty must be a list of texts")
        cooperative = found.get("cooperative")
        delimiter, decimal = self.delimiter(found), self.text(found, "decimal", ".")
        if decimal not in (".", ","):
            raise self.fail(f'decimal must be "." or ",", not {decimal[:40]!r}')
        if decimal == delimiter:
            raise self.fail("decimal and delimiter cannot be the same sign")
        return Map(
            greenhouse=slug,
            name=self.name(self.text(found, "name", slug)),
            cooperative=None if cooperative is None else self.text(found, "cooperative"),
            encoding=self.encoding(self.text(found, "encoding", "utf-8")),
            delimiter=delimiter,
            decimal=decimal,
            empty=frozenset(e.strip() for e in empty),
            time_column=unicodedata.normalize("NFC", self.text(clock, "column")),
            time_format=self.time_format(self.text(clock, "format")),
            zone=self.zone(self.text(clock, "zone")),
            columns=self.columns(found.get("columns")),
        )

    def slug(self, text: str, where: str) -> str:
        try:
            return check_slug(text)
        except TopicError:
            raise self.fail(
                f"{where}: not a slug: {text[:60]!r} "
                "(1 to 40 lower-case letters a-z, digits, inner hyphens)"
            ) from None

    def name(self, text: str) -> str:
        name = " ".join(unicodedata.normalize("NFC", text[: 4 * LONGEST_NAME]).split())
        if not 1 <= len(name) <= LONGEST_NAME or len(text) > 4 * LONGEST_NAME:
            raise self.fail(f"name must have 1 to {LONGEST_NAME} letters")
        if any(unicodedata.category(letter)[0] == "C" for letter in name):
            raise self.fail("name has a control character in it")
        return name

    def encoding(self, name: str) -> str:
        try:
            known = codecs.lookup(name[:40]).name
        except (LookupError, ValueError):
            known = ""
        if not _OF_TEXT.fullmatch(known):
            raise self.fail(
                f"encoding: no text is written in {name[:40]!r}; usual are utf-8, utf-16, "
                "cp1258 and cp1252 (older Windows), latin-1"
            )
        # A mark at the beginning is no part of the first column's name.
        return "utf-8-sig" if known == "utf-8" else known

    def delimiter(self, found: dict[str, Any]) -> str:
        delimiter = self.text(found, "delimiter", ",")
        is_sign = len(delimiter) == 1 and (
            delimiter in "\t " or unicodedata.category(delimiter)[0] in "PS"
        )
        if not is_sign or delimiter in "\"'.-+":
            raise self.fail(
                "delimiter must be one character between cells, such as a comma, a semicolon or "
                f'"\\t", not {delimiter[:40]!r}'
            )
        return delimiter

    def time_format(self, text: str) -> str:
        if text == "unix":
            return text
        probe, found = datetime(2021, 11, 27, 22, 48, 59, tzinfo=UTC), None
        if len(text) <= LONGEST_FORMAT and "%Z" not in text:
            try:
                found = datetime.strptime(probe.strftime(text), text)  # noqa: DTZ007
            except (ValueError, re.error):
                found = None
        if found is None or found.date() != probe.date():
            raise self.fail(
                f"[time] format: {text[:60]!r} does not say year, month and day so that they can "
                'be read; usual are "%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M" and "unix"'
            )
        return text

    def zone(self, name: str) -> ZoneInfo:
        known = available_timezones() - _MACHINES_OWN
        if name not in known:
            raise self.fail(
                f"[time] zone: no time zone called {name[:60]!r} (such as Asia/Ho_Chi_Minh); "
                f"nearest: {nearest(name, sorted(known))}"
            )
        return ZoneInfo(name)

    def columns(self, found: object) -> tuple[Column, ...]:
        if not isinstance(found, dict) or not found:
            raise self.fail('no [columns."…"] table; at least one column must be mapped')
        made = []
        for name, table in found.items():
            where = f"column {name[:80]!r}"
            if not isinstance(table, dict):
                raise self.fail(f"[columns.{name[:80]!r}] must be a table with metric and node")
            self.only(table, ["metric", "node", "factor", "offset", "zone"], where)
            metric = self.text(table, "metric")
            if metric_of(metric) is None:
                raise self.fail(
                    f"{where}: no metric called {metric[:60]!r}; "
                    f"nearest: {nearest(metric, list(METRICS))}"
                )
            factor = self.number(table, "factor", 1, where)
            if math.isclose(factor, 0, abs_tol=1 / MOST_FACTOR):
                raise self.fail(f"{where}: factor must not be 0: every value would be the same")
            made.append(
                Column(
                    name=unicodedata.normalize("NFC", name),
                    metric=metric,
                    node=self.slug(self.text(table, "node"), f"{where}: node"),
                    factor=factor,
                    offset=self.number(table, "offset", 0, where),
                    zone=self.text(table, "zone", ""),
                )
            )
        seen: dict[tuple[str, str], str] = {}
        for column in made:
            twin = seen.setdefault((column.node, column.metric), column.name)
            if twin != column.name:
                raise self.fail(
                    f"columns {twin[:80]!r} and {column.name[:80]!r} are both {column.metric} of "
                    f"node {column.node}; give one another node or a channel ({column.metric}.2)"
                )
        return tuple(made)
