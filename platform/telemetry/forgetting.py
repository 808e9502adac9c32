"""Takes imported readings of one greenhouse out of the SQLite file, for good.

A program of its own does this, beside a platform that may be running: in portions, so that
gateways are never kept waiting, with hours, days and the tally in the same transaction. Broken
off, it goes on where it was when it is called again.
"""

import sqlite3
from pathlib import Path
from typing import NamedTuple

from nongso.platform.store import prepare_connection
from nongso.platform.telemetry import rollups
from nongso.platform.telemetry.interface import TelemetryError
from nongso.wire import marks

READINGS_A_TURN = 20_000
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
            _sum(connection, "SELECT count(*) FROM reading WHERE series = ?", series),
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
                    gone, conflicting = _take_portion(connection, series)
                readings += gone
                conflicts += conflicting
                if gone < READINGS_A_TURN:
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
        except sqlite3.DatabaseError as error:
            self.close()
            raise TelemetryError(f"{self._file}: {error}") from error
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
    if measured:
        raise NotImported(
            f"{measured} readings of greenhouse {greenhouse} were measured here, not imported. "
            "Nothing was removed."
        )


def _take_portion(connection: sqlite3.Connection, series: int) -> tuple[int, int]:
    """Take out the oldest readings of a series; with the last ones, the series itself."""
    (until,) = connection.execute(
        "SELECT max(at) FROM (SELECT at FROM reading WHERE series = ? ORDER BY at LIMIT ?)",
        (series, READINGS_A_TURN),
    ).fetchone()
    mine = "series = ? AND at <= ?"
    (good, others) = connection.execute(
        f"SELECT count(*) FILTER (WHERE {_GOOD}), count(*) FILTER (WHERE NOT {_GOOD}) "
        f"FROM reading WHERE {mine}",
        (series, until),
    ).fetchone()
    for table in ("reading", *rollups.TABLES.values()):
        connection.execute(f"DELETE FROM {table} WHERE {mine}", (series, until))
    conflicts = 0
    if good + others < READINGS_A_TURN:  # none is left
        conflicts = connection.execute("DELETE FROM conflict WHERE series = ?", (series,)).rowcount
        connection.execute("DELETE FROM series WHERE id = ?", (series,))
    for what, number in (("stored", good), ("suspect", others), ("conflicting", conflicts)):
        connection.execute(
            "UPDATE tally SET count = max(0, count - ?) WHERE what = ?", (number, what)
        )
    return good + others, conflicts
