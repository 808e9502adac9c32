"""A file of readings that is damaged: noticed, set aside under a dated name, never overwritten.

How this works. At start SQLite's quick check reads the whole file (up to ``CHECK_SECONDS``; a
larger one is used unchecked, and that is said). A damaged file is renamed together with its
journals, so that a specialist finds it as it was. What can still be read of it is carried over
into the new file (``readable``), in the background, because readings that were acknowledged to a
gateway are nowhere else: first what SQLite still finds, rows and sealed blocks, then what lies in
pages that it cannot reach any more (``carving``). Most rows come twice; writing a reading again
changes nothing. A sealed block whose checksum is wrong is named in the log and left behind.

What this does not handle: a flipped bit inside the value of a row. SQLite keeps no checksums, so
nobody can tell; only what the metric makes impossible is left behind.
"""

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from nongso.platform.telemetry import blocks, carving, sealed
from nongso.platform.telemetry.blocks import BlockDamaged
from nongso.platform.telemetry.interface import EAST_SECONDS, Row, Series, TelemetryError
from nongso.wire import marks
from nongso.wire.metrics import is_possible, metric_of

log = logging.getLogger(__name__)

CHECK_SECONDS = 30.0
MOST_IN_AN_HOUR = 5
OTHER_FILES = ("-journal", "-wal", "-shm")
_TABLES = {"series", "reading", "conflict", "tally"}
_HIGHEST_VERSION = 999  # more is no version of ours but a damaged header
NOT_OURS = "a value of a type that is never written"
_WORDS = (
    NOT_OURS,
    "Could not decode to UTF-8",
    "no such table",
    "no such column",
    "unsupported file",
)
_CHUNK = 1000
_LAST = 1 << 40


# What flies while SQLite reads: of a spoilt name its own complaint is no text.
COMPLAINTS = (sqlite3.DatabaseError, UnicodeDecodeError)


def is_damage(error: Exception) -> bool:
    """Say whether SQLite complains of the file's contents, not of the disk or of other writers."""
    if isinstance(error, UnicodeDecodeError):
        return True
    if any(words in str(error) for words in _WORDS):
        return True
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def found_in(file: Path) -> str:
    """Return what is wrong with a file of readings; empty if it is sound or not there.

    Raises ``TelemetryError`` when it cannot be opened at all (rights, disk).
    """
    try:
        if not file.exists():
            return ""
        if file.stat().st_size == 0 and not any(_beside(file)):
            return "the file is empty"
        with contextlib.closing(
            sqlite3.connect(file, timeout=10, check_same_thread=False)
        ) as connection:
            return _checked(connection, file)
    except COMPLAINTS as error:
        if is_damage(error):
            return str(error)
        raise TelemetryError(f"{file}: {error}") from error
    except OSError as error:
        raise TelemetryError(f"{file}: {error.strerror}") from error


def _checked(connection: sqlite3.Connection, file: Path) -> str:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if not 0 <= version <= _HIGHEST_VERSION:
        return f"the header names version {version}"
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if (version or names) and not names >= _TABLES:
        return "tables are missing"
    if names and not version:
        return "the header names no version"
    alarm = threading.Timer(CHECK_SECONDS, connection.interrupt)
    alarm.daemon = True
    alarm.start()
    try:
        (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            raise
        log.warning(
            "%s is too large to be checked in %d s; used unchecked", file, int(CHECK_SECONDS)
        )
        return ""
    finally:
        alarm.cancel()
    return "" if said == "ok" else " ".join(str(said).split())


def _beside(file: Path) -> Iterator[Path]:
    for end in OTHER_FILES:
        other = Path(f"{file}{end}")
        if other.exists() and other.stat().st_size:
            yield other


def set_aside(file: Path, why: str) -> Path:
    """Rename a damaged file and its journals to a dated name that is still free."""
    lately = time.time() - 3600
    if sum(p.stat().st_ctime > lately for p in all_set_aside(file)) >= MOST_IN_AN_HOUR:
        raise TelemetryError(
            f"{MOST_IN_AN_HOUR} files of readings were damaged within an hour in {file.parent}: "
            "the disk fails; replace it"
        )
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside, number = file.with_name(f"{file.name}.damaged-{stamp}"), 1
    while any(Path(f"{aside}{end}").exists() for end in ("", *OTHER_FILES)):
        number += 1
        aside = file.with_name(f"{file.name}.damaged-{stamp}-{number}")
    try:
        for end in ("", *OTHER_FILES):
            if Path(f"{file}{end}").exists():
                os.rename(f"{file}{end}", f"{aside}{end}")
        sync_folder(file.parent)
    except OSError as error:
        raise TelemetryError(
            f"{file} is damaged ({why}) and cannot be set aside: {error.strerror}"
        ) from error
    log.error("%s is damaged (%s). It was set aside as %s; a new one begins.", file, why, aside)
    return aside


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def all_set_aside(file: Path) -> list[Path]:
    """Return the damaged files that lie beside a file of readings."""
    found = file.parent.glob(f"{file.name}.damaged-*")
    return sorted(p for p in found if not p.name.endswith(OTHER_FILES))


def readable(aside: Path) -> Iterator[list[Row]]:
    """Yield what can still be read of a damaged file, without changing it; rows may repeat."""
    found: dict[int, Series] = {}
    is_whole = False
    with contextlib.suppress(*COMPLAINTS):
        uri = f"{aside.resolve().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=1)) as old:
            found, is_whole = _readable_series(old)
            for number, series in found.items():
                yield from _readable_rows(old, number, series)
                yield from _readable_blocks(old, number, series)
    if not is_whole:
        found = {**_carved_series(aside), **found}
    for carved in carving.readings_in(aside) if found else ():
        rows = [
            Row(found[row.series], row.at, row.value, row.mark)
            for row in carved
            if row.series in found
            and 0 <= row.at < _LAST
            and _is_plausible(found[row.series], row.value, row.mark)
        ]
        if rows:
            yield rows


def _carved_series(aside: Path) -> dict[int, Series]:
    return {
        number: series
        for number, series in carving.series_in(aside).items()
        if metric_of(series.name) is not None and series.node and "".join(series).isprintable()
    }


def _readable_series(old: sqlite3.Connection) -> tuple[dict[int, Series], bool]:
    """Read the series from the table and from the index that holds them a second time.

    Says also whether both could be read and agree.
    """
    found: list[dict[int, Series]] = [{}, {}]
    errors = 0
    for series, source in zip(
        found, ("series", "series INDEXED BY sqlite_autoindex_series_1"), strict=True
    ):
        try:
            for number, *rest in old.execute(
                f"SELECT id, greenhouse, zone, node, name FROM {source}"
            ):
                if isinstance(number, int) and all(isinstance(part, str) for part in rest):
                    one = Series(*rest)
                    if metric_of(one.name) is not None:
                        series.setdefault(number, one)
        except COMPLAINTS:
            errors += 1
    return {**found[1], **found[0]}, not errors and found[0] == found[1]


def _readable_rows(old: sqlite3.Connection, number: int, series: Series) -> Iterator[list[Row]]:
    """Read a series in order of time; after a damaged page, look further on for the next good."""
    since, stride = 0, 60
    while since < _LAST:
        rows: list[Row] = []
        reached = since
        try:
            count = 0
            for at, value, mark in old.execute(
                "SELECT at, value, mark FROM reading WHERE series = ? AND at >= ? "
                "ORDER BY at LIMIT ?",
                (number, since, _CHUNK),
            ):
                count += 1
                if isinstance(at, int) and reached <= at < _LAST:
                    reached = at + 1
                    if _is_plausible(series, value, mark):
                        rows.append(Row(series, at, value, mark))
            is_end = count < _CHUNK
        except COMPLAINTS:
            is_end = False
        if rows:
            yield rows
        if is_end:
            return
        if reached > since:
            since, stride = reached, 60
        else:
            since, stride = since + stride, stride * 2


def _readable_blocks(old: sqlite3.Connection, number: int, series: Series) -> Iterator[list[Row]]:
    """Read the sealed days of a series as far as SQLite finds them."""
    found = old.execute(sealed.BETWEEN, sealed.places(number, 0, _LAST))
    while True:
        try:
            row = found.fetchone()
        except COMPLAINTS:  # also where the file is older than sealed days
            return
        if row is None:
            return
        if not isinstance(row[1], bytes):
            continue
        try:
            columns = blocks.unseal(*row)
        except BlockDamaged as error:
            day = time.strftime("%Y-%m-%d", time.gmtime(sealed.begin_of(row[0]) + EAST_SECONDS))
            log.error("the sealed readings of %s on %s are lost: %s", "/".join(series), day, error)
        else:
            yield [
                Row(series, at, value, mark)
                for at, value, mark in zip(*columns, strict=True)
                if _is_plausible(series, value, mark)
            ]


def _is_plausible(series: Series, value: object, mark: object) -> bool:
    if not isinstance(mark, int) or not 0 <= mark < 64 or mark & 15 >= len(marks.QUALITIES):
        return False
    if value is None:
        return not marks.is_good(mark)
    metric = metric_of(series.name)
    if not isinstance(value, float) or metric is None:
        return False
    return not marks.is_good(mark) or is_possible(metric, value)
