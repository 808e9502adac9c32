"""Takes imported readings of one greenhouse out of the SQLite file, for good.

A program of its own does this, beside a platform that may be running: in portions, so that
gateways are never kept waiting, with hours, days and the tally in the same transaction. Broken
off, it goes on where it was when it is called again.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from nongso.platform.store import prepare_connection
from nongso.platform.telemetry import blocks, rollups, sealed
from nongso.platform.telemetry.blocks import BlockDamaged
from nongso.platform.telemetry.interface import Columns, TelemetryError
from nongso.platform.telemetry.sqlite import VERSION
from nongso.wire import marks

READINGS_A_TURN = 20_000
BLOCKS_A_TURN = 14  # of readings a minute about as many
_GOOD = "(mark & 15) = 0"


class NotImported(TelemetryError):
    """Some of these readings were measured here; nothing was taken out."""


class Forgotten(NamedTuple):
    """What was, or would be, taken out."""

    series: int
    readings: int
    conflicts: int


def count(file: Path, greenhouse: str) -> Forgotten:
    """Count what ``forget`` would take out. Raises ``NotImported``, ``TelemetryError``."""
    with _Opened(file) as connection:
        series = _series(connection, greenhouse)
        _check(connection, greenhouse, series)
        return Forgotten(
            len(series),
            _sum(connection, "SELECT count(*) FROM reading WHERE series = ?", series)
            + sum(len(found.at) for found in _sealed(connection, series)),
            _sum(connection, "SELECT count(*) FROM conflict WHERE series = ?", series),
        )


def forget(file: Path, greenhouse: str) -> Forgotten:
    """Take them out; return how many went. Raises ``NotImported``, ``TelemetryError``."""
    readings = conflicts = 0
    with _Opened(file) as connection:
        all_series = _series(connection, greenhouse)
        _check(connection, greenhouse, all_series)
        for series in all_series:
            while True:
                with _Turn(connection):
                    gone, conflicting, is_last = _take_portion(connection, series)
                readings += gone
                conflicts += conflicting
                if is_last:
                    break
    return Forgotten(len(all_series), readings, conflicts)


class _Opened:
    """The file, without making one that is not there; SQLite's errors get our name."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._connection = sqlite3.connect(
                f"{self._file.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None
            )
            prepare_connection(self._connection)
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.DatabaseError as error:
            self.close()
            raise TelemetryError(f"{self._file}: {error}") from error
        if version != VERSION:
            self.close()
            raise TelemetryError(
                f"{self._file} has schema {version}, this nongso knows {VERSION}. Start the "
                "platform once with this version; then try again."
            )
        return self._connection

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.close()
        if isinstance(error, sqlite3.DatabaseError):
            raise TelemetryError(f"{self._file}: {error}") from error

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class _Turn:
    """One transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._connection.execute("COMMIT" if error is None else "ROLLBACK")


def _series(connection: sqlite3.Connection, greenhouse: str) -> list[int]:
    rows = connection.execute("SELECT id FROM series WHERE greenhouse = ?", (greenhouse,))
    return [number for (number,) in rows]


def _sum(connection: sqlite3.Connection, sql: str, series: list[int]) -> int:
    return sum(int(connection.execute(sql, (number,)).fetchone()[0]) for number in series)


def _check(connection: sqlite3.Connection, greenhouse: str, series: list[int]) -> None:
    measured = _sum(
        connection,
        f"SELECT count(*) FROM reading WHERE series = ? AND NOT mark & {marks.IMPORTED}",
        series,
    )
    measured += sum(
        not mark & marks.IMPORTED for found in _sealed(connection, series) for mark in found.mark
    )
    if measured:
        raise NotImported(
            f"{measured} readings of greenhouse {greenhouse} were measured here, not imported. "
            "Nothing was removed."
        )


def _take_portion(connection: sqlite3.Connection, series: int) -> tuple[int, int, bool]:
    """Take out sealed days, then the oldest rows of a series; with the last ones, the series.

    Returns how many readings and conflicts went, and whether nothing is left.
    """
    found = connection.execute(
        "SELECT place, block FROM sealed WHERE place >= ? AND place < ? ORDER BY place LIMIT ?",
        (*sealed.places(series, 0, sealed.LAST), BLOCKS_A_TURN),
    ).fetchall()
    good = others = conflicts = 0
    if found:
        for columns in _unsealed(found):
            count = sum(map(marks.is_good, columns.mark))
            good, others = good + count, others + len(columns.mark) - count
        connection.executemany("DELETE FROM sealed WHERE place = ?", [row[:1] for row in found])
        until = sealed.end_of_day(found[-1][0]) - 1
        tables: Sequence[str] = tuple(rollups.TABLES.values())
    else:
        (until,) = connection.execute(
            "SELECT max(at) FROM (SELECT at FROM reading WHERE series = ? ORDER BY at LIMIT ?)",
            (series, READINGS_A_TURN),
        ).fetchone()
        (good, others) = connection.execute(
            f"SELECT count(*) FILTER (WHERE {_GOOD}), count(*) FILTER (WHERE NOT {_GOOD}) "
            "FROM reading WHERE series = ? AND at <= ?",
            (series, until),
        ).fetchone()
        tables = ("reading", *rollups.TABLES.values())
    for table in tables:
        connection.execute(f"DELETE FROM {table} WHERE series = ? AND at <= ?", (series, until))
    is_last = not found and good + others < READINGS_A_TURN
    if is_last:
        conflicts = connection.execute("DELETE FROM conflict WHERE series = ?", (series,)).rowcount
        for table in rollups.TABLES.values():  # of a day whose block could not be read
            connection.execute(f"DELETE FROM {table} WHERE series = ?", (series,))
        connection.execute("DELETE FROM series WHERE id = ?", (series,))
    for what, number in (("stored", good), ("suspect", others), ("conflicting", conflicts)):
        connection.execute(
            "UPDATE tally SET count = max(0, count - ?) WHERE what = ?", (number, what)
        )
    return good + others, conflicts, is_last


def _sealed(connection: sqlite3.Connection, all_series: list[int]) -> Iterator[Columns]:
    """Yield the sealed days of these series."""
    for series in all_series:
        yield from _unsealed(
            connection.execute(sealed.BETWEEN, sealed.places(series, 0, sealed.LAST))
        )


def _unsealed(found: Iterable[tuple[int, bytes]]) -> Iterator[Columns]:
    """Yield what blocks hold; a damaged one holds nothing that could be counted."""
    for place, block in found:
        with suppress(BlockDamaged):
            yield blocks.unseal(place, block)
