"""The map of a foreign CSV: what its columns are, in which zone its clock runs, whose it is.

A map is a TOML file::

    greenhouse = "pantar"                 # slug; made if it is new
    name = "Nhà kính Pantar (Hà Lan)"     # its name, if it is new
    cooperative = "binh-lu"               # whose it is, if it is new
    encoding = "utf-8"                    # this and the next two may be left out
    delimiter = ","
    empty = ["", "NaN"]                   # cells that say that there is no value

    [time]
    column = ""                           # name of the column; "" is the one without a name
    format = "%Y-%m-%d %H:%M:%S"          # or "unix"
    zone = "Europe/Amsterdam"             # the clock of the file

    [columns."Sensor kas 4 L (073) - Temperature (°C) - averages"]
    metric = "air_temperature"            # or a series name such as soil_moisture.2
    node = "kas-4-l"                      # which station measured it
    factor = 1                            # value = cell * factor + offset
    offset = 0
    zone = ""                             # id of a khu tưới, where there is one

Columns that the map does not name are left alone.
"""

import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from nongso.wire.metrics import METRICS, metric_of
from nongso.wire.topics import TopicError, check_slug


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
    empty: frozenset[str]
    time_column: str
    time_format: str
    zone: ZoneInfo
    columns: tuple[Column, ...]


def nearest(name: str, known: list[str]) -> str:
    """Say which known names come nearest."""
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.3) or known[:3]
    return ", ".join(repr(c) for c in close)


def load(file: Path) -> Map:
    """Read a map. Raises ``MapError``."""
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise MapError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MapError(f"{file}: is not TOML: {error}") from error
    return _Reader(str(file)).map(found)


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

    def number(self, table: dict[str, Any], name: str, default: float) -> float:
        value = table.get(name, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.fail(f"{name} must be a number, not {value!r}")
        return float(value)

    def only(self, table: dict[str, Any], known: list[str], what: str) -> None:
        for name in table:
            if name not in known:
                raise self.fail(f"{what} has no entry {name!r}; nearest: {nearest(name, known)}")

    def map(self, found: dict[str, Any]) -> Map:
        top = ["greenhouse", "name", "cooperative", "encoding", "delimiter", "empty", "time"]
        self.only(found, [*top, "columns"], "a map")
        slug = self.text(found, "greenhouse")
        try:
            check_slug(slug)
        except TopicError as error:
            raise self.fail(f"greenhouse: {error}") from error
        clock = found.get("time")
        if not isinstance(clock, dict):
            raise self.fail("a table [time] with column, format and zone is needed")
        self.only(clock, ["column", "format", "zone"], "[time]")
        empty = found.get("empty", ["", "NaN", "nan", "NA", "null"])
        if not isinstance(empty, list) or not all(isinstance(e, str) for e in empty):
            raise self.fail("empty must be a list of texts")
        delimiter = self.text(found, "delimiter", ",")
        if len(delimiter) != 1:
            raise self.fail("delimiter must be one character")
        cooperative = found.get("cooperative")
        return Map(
            greenhouse=slug,
            name=self.text(found, "name", slug),
            cooperative=None if cooperative is None else self.text(found, "cooperative"),
            encoding=self.text(found, "encoding", "utf-8-sig"),
            delimiter=delimiter,
            empty=frozenset(e.strip() for e in empty),
            time_column=self.text(clock, "column"),
            time_format=self.text(clock, "format"),
            zone=self.zone(self.text(clock, "zone")),
            columns=self.columns(found.get("columns")),
        )

    def zone(self, name: str) -> ZoneInfo:
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise self.fail(
                f"[time] zone: no time zone called {name!r} (such as Asia/Ho_Chi_Minh)"
            ) from None

    def columns(self, found: object) -> tuple[Column, ...]:
        if not isinstance(found, dict) or not found:
            raise self.fail('no [columns."…"] table; at least one column must be mapped')
        made = []
        for name, table in found.items():
            if not isinstance(table, dict):
                raise self.fail(f"[columns.{name!r}] must be a table with metric and node")
            self.only(table, ["metric", "node", "factor", "offset", "zone"], f"column {name!r}")
            metric = self.text(table, "metric")
            if metric_of(metric) is None:
                raise self.fail(
                    f"column {name!r}: no metric called {metric!r}; "
                    f"nearest: {nearest(metric, list(METRICS))}"
                )
            node = self.text(table, "node")
            try:
                check_slug(node)
            except TopicError as error:
                raise self.fail(f"column {name!r}: node: {error}") from error
            made.append(
                Column(
                    name=name,
                    metric=metric,
                    node=node,
                    factor=self.number(table, "factor", 1),
                    offset=self.number(table, "offset", 0),
                    zone=self.text(table, "zone", ""),
                )
            )
        seen: dict[tuple[str, str], str] = {}
        for column in made:
            twin = seen.setdefault((column.node, column.metric), column.name)
            if twin != column.name:
                raise self.fail(
                    f"columns {twin!r} and {column.name!r} are both {column.metric} of node "
                    f"{column.node}; give one another node or a channel ({column.metric}.2)"
                )
        return tuple(made)
