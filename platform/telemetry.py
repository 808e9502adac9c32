"""Readings: one SQLite file behind one small interface.

How this works. A *series* is what one sensor of one node measures at one place: greenhouse,
zone, node, series name. A reading is identified by its series and time, so that writing it again
changes nothing; another value under the same series and time is a conflict, kept aside and
counted, and the first one stays. The table has no row numbers: its key (series, time) is how it
is always read. A node that is moved begins new series; its older readings stay where they were
measured.

Summaries and charts use good readings only. They are computed by query; there are no roll-ups
yet. Values are ``None`` where the sensor gave no number.
"""

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, cast

from flask import Flask, current_app

from nongso.platform.store import BUSY_SECONDS, Watch, make_private, prepare_connection
from nongso.wire import marks

_VERSION = 1

_SCHEMA = """
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    greenhouse TEXT NOT NULL,
    zone TEXT NOT NULL,
    node TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (node, name, greenhouse, zone)
);
CREATE INDEX series_greenhouse ON series (greenhouse, name);
CREATE TABLE reading (
    series INTEGER NOT NULL REFERENCES series (id),
    at INTEGER NOT NULL,
    value REAL,
    mark INTEGER NOT NULL,
    PRIMARY KEY (series, at)
) WITHOUT ROWID;
CREATE TABLE conflict (
    series INTEGER NOT NULL REFERENCES series (id),
    at INTEGER NOT NULL,
    value REAL,
    mark INTEGER NOT NULL,
    received_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX conflict_once ON conflict (series, at, ifnull(value, 'none'));
CREATE TABLE tally (what TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO tally VALUES ('stored', 0), ('conflicting', 0), ('suspect', 0);
"""


class Series(NamedTuple):
    """What is measured where. ``greenhouse`` and ``zone`` are empty where there is none."""

    greenhouse: str
    zone: str
    node: str
    name: str


class Row(NamedTuple):
    """A reading to be stored."""

    series: Series
    at: int
    value: float | None
    mark: int


class Written(NamedTuple):
    """What became of the rows; the four add up to all of them. ``stored`` ones are good."""

    stored: int
    suspect: int
    already: int
    conflicting: int


class Point(NamedTuple):
    """A reading, or the mean of the good readings of a step."""

    at: int
    value: float | None
    mark: int


class Summary(NamedTuple):
    """Good readings of an hour or a day; the three values are ``None`` when there was none."""

    since: int
    low: float | None
    mean: float | None
    high: float | None
    good: int
    suspect: int


class TelemetryError(Exception):
    """The telemetry file cannot be used; the text says why."""


class Telemetry:
    """The store of readings. Safe for many threads: one writes at a time, all may read."""

    def __init__(self, file: Path) -> None:
        self.file = file
        make_private(file)
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._write_lock = threading.Lock()
        self._writer = self._connect()
        self._writer.execute("PRAGMA cache_size = -8192")  # the readers keep SQLite's 2 MB each
        self._prepare()
        self._ids: dict[Series, int] = {}
        self._watch = Watch(file)

    def _connect(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                self.file, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS
            )
            prepare_connection(connection)
        except sqlite3.DatabaseError as error:
            raise TelemetryError(f"{self.file}: {error}") from error
        self._all.append(connection)
        return connection

    def _prepare(self) -> None:
        (version,) = self._writer.execute("PRAGMA user_version").fetchone()
        if version == 0:
            self._writer.execute("BEGIN IMMEDIATE")
            (version,) = self._writer.execute("PRAGMA user_version").fetchone()
            if version == 0:  # nobody else made it while we waited
                for statement in _SCHEMA.split(";\n"):
                    self._writer.execute(statement)
                self._writer.execute(f"PRAGMA user_version = {_VERSION}")
                version = _VERSION
            self._writer.execute("COMMIT")
        if version != _VERSION:
            raise TelemetryError(
                f"{self.file} was written by another version of nongso (schema {version}, "
                f"this one knows {_VERSION}). Install that version again."
            )

    def close(self) -> None:
        """Close every connection."""
        self._watch.close()
        for connection in self._all:
            connection.close()

    def version(self) -> tuple[int, int]:
        """Return what changes whenever anybody has written."""
        return self._watch.version()

    def lately(self) -> tuple[int, int]:
        """Return the version as ``Watch.lately`` sees it, for what is asked very often."""
        return self._watch.lately()

    @property
    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
        return connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._write_lock:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
                self._watch.wrote()
            except BaseException:
                self._writer.execute("ROLLBACK")
                self._ids.clear()
                raise

    # --- writing ---------------------------------------------------------------------------

    def write(self, rows: Sequence[Row]) -> Written:
        """Store readings in one transaction; returns after the commit."""
        if not rows:
            return Written(0, 0, 0, 0)
        with self._writing() as connection:
            found = [(self._id(connection, row.series), row) for row in rows]
            moved = self._moved(connection, {row.series for row in rows})
            new = [
                (number, row.at, row.value, row.mark)
                for number, row in found
                if row.series not in moved or not self._is_elsewhere(connection, number, row)
            ]
            stored = _insert(connection, [row for row in new if marks.is_good(row[3])])
            suspect = _insert(connection, [row for row in new if not marks.is_good(row[3])])
            known = len(rows) - stored - suspect
            conflicting = self._keep_conflicts(connection, new) if known else 0
            self._tally(connection, stored, suspect)
        return Written(stored, suspect, known - conflicting, conflicting)

    def write_each(self, rows: Sequence[Row]) -> list[str]:
        """Store readings in one transaction and tell of each what became of it.

        ``stored``, ``already`` or ``conflicting``, in the order of the rows. Slower than
        ``write``; for files, where people ask which line it was.
        """
        outcomes = []
        stored = suspect = 0
        with self._writing() as connection:
            for row in rows:
                number = self._id(connection, row.series)
                done = connection.execute(
                    "INSERT OR IGNORE INTO reading VALUES (?, ?, ?, ?)",
                    (number, row.at, row.value, row.mark),
                ).rowcount
                if done:
                    outcomes.append("stored")
                    stored += marks.is_good(row.mark)
                    suspect += not marks.is_good(row.mark)
                elif self._keep_conflicts(connection, [(number, row.at, row.value, row.mark)]):
                    outcomes.append("conflicting")
                else:
                    outcomes.append("already")
            self._tally(connection, stored, suspect)
        return outcomes

    @staticmethod
    def _tally(connection: sqlite3.Connection, stored: int, suspect: int) -> None:
        for what, count in (("stored", stored), ("suspect", suspect)):
            connection.execute("UPDATE tally SET count = count + ? WHERE what = ?", (count, what))

    def _id(self, connection: sqlite3.Connection, series: Series) -> int:
        number = self._ids.get(series)
        if number is None:
            connection.execute(
                "INSERT OR IGNORE INTO series (greenhouse, zone, node, name) VALUES (?, ?, ?, ?)",
                series,
            )
            (number,) = connection.execute(
                "SELECT id FROM series "
                "WHERE greenhouse = ? AND zone = ? AND node = ? AND name = ?",
                series,
            ).fetchone()
            self._ids[series] = number
        return int(number)

    @staticmethod
    def _moved(connection: sqlite3.Connection, all_series: set[Series]) -> set[Series]:
        """Return the series whose node measured the same elsewhere before."""
        count = "SELECT count(*) FROM series WHERE node = ? AND name = ?"
        return {
            series
            for series in all_series
            if connection.execute(count, (series.node, series.name)).fetchone()[0] > 1
        }

    @staticmethod
    def _is_elsewhere(connection: sqlite3.Connection, number: int, row: Row) -> bool:
        """Say whether the same reading was stored before the node was moved."""
        found = connection.execute(
            "SELECT 1 FROM series JOIN reading ON reading.series = series.id AND at = ? "
            "WHERE node = ? AND name = ? AND series.id != ? AND value IS ?",
            (row.at, row.series.node, row.series.name, number, row.value),
        ).fetchone()
        return found is not None

    @staticmethod
    def _keep_conflicts(
        connection: sqlite3.Connection, rows: list[tuple[int, int, float | None, int]]
    ) -> int:
        now = int(time.time())
        conflicting = 0
        for series, at, value, mark in rows:
            (kept,) = connection.execute(
                "SELECT value FROM reading WHERE series = ? AND at = ?", (series, at)
            ).fetchone()
            if kept == value:
                continue
            conflicting += 1
            connection.execute(
                "INSERT OR IGNORE INTO conflict VALUES (?, ?, ?, ?, ?)",
                (series, at, value, mark, now),
            )
            connection.execute(
                "UPDATE tally SET count = count + changes() WHERE what = 'conflicting'"
            )
        return conflicting

    def place(self, node: str, greenhouse: str, zone: str) -> None:
        """Give readings that came before their node was known their greenhouse and zone."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE OR IGNORE series SET greenhouse = ?, zone = ? "
                "WHERE node = ? AND greenhouse = ''",
                (greenhouse, zone, node),
            )
            self._ids.clear()

    # --- reading ---------------------------------------------------------------------------

    def series(
        self, *, greenhouse: str | None = None, node: str | None = None
    ) -> dict[int, Series]:
        """Return the series of a greenhouse, or of a node, by number."""
        wanted, values = ["1 = 1"], []
        for column, value in (("greenhouse", greenhouse), ("node", node)):
            if value is not None:
                wanted.append(f"{column} = ?")
                values.append(value)
        rows = self._reader.execute(
            "SELECT id, greenhouse, zone, node, name FROM series WHERE "
            + " AND ".join(wanted)
            + " ORDER BY node, name, id",
            values,
        )
        return {number: Series(*rest) for number, *rest in rows}

    def latest(self, series: Iterable[int]) -> dict[int, Point]:
        """Return the newest reading of each series whose time can be trusted."""
        found = {}
        for number in series:
            row = self._reader.execute(
                "SELECT at, value, mark FROM reading WHERE series = ? AND (mark & 15) != ? "
                "ORDER BY at DESC LIMIT 1",
                (number, marks.UNTIMED),
            ).fetchone()
            if row is not None:
                found[number] = Point(*row)
        return found

    def latest_good(self, series: int, since: int) -> Point | None:
        """Return the newest good reading of a series since a time."""
        row = self._reader.execute(
            "SELECT at, value, mark FROM reading WHERE series = ? AND at >= ? "
            "AND (mark & 15) = 0 ORDER BY at DESC LIMIT 1",
            (series, since),
        ).fetchone()
        return Point(*row) if row is not None else None

    def points(
        self, series: Sequence[int], since: int, until: int, *, limit: int = 1_000_000
    ) -> list[Point]:
        """Return all readings of the series in [since, until), in time order, suspects too."""
        rows = self._reader.execute(
            f"SELECT at, value, mark FROM reading WHERE series IN ({_marks(series)}) "
            "AND at >= ? AND at < ? ORDER BY at, series LIMIT ?",
            (*series, since, until, limit),
        )
        return [Point(*row) for row in rows]

    def steps(self, series: Sequence[int], since: int, until: int, step: int) -> list[Point]:
        """Return the mean of the good readings of each step; a step without one is not there."""
        rows = self._reader.execute(
            "SELECT (at - ?) / ? AS n, avg(value), max(mark) FROM reading "
            f"WHERE series IN ({_marks(series)}) AND at >= ? AND at < ? AND (mark & 15) = 0 "
            "GROUP BY n ORDER BY n",
            (since, step, *series, since, until),
        )
        return [Point(since + n * step, value, mark) for n, value, mark in rows]

    def summaries(self, series: Sequence[int], since: int, until: int, step: int) -> list[Summary]:
        """Return low, mean, high, count and suspects of each step that has any reading.

        Steps begin at ``since``: give it local midnight and 86,400 for days (no daylight saving
        in Viet Nam).
        """
        good = "(mark & 15) = 0"
        rows = self._reader.execute(
            f"SELECT (at - ?) / ? AS n, min(value) FILTER (WHERE {good}), "
            f"avg(value) FILTER (WHERE {good}), max(value) FILTER (WHERE {good}), "
            f"count(*) FILTER (WHERE {good}), count(*) FILTER (WHERE NOT {good}) "
            f"FROM reading WHERE series IN ({_marks(series)}) AND at >= ? AND at < ? "
            "GROUP BY n ORDER BY n",
            (since, step, *series, since, until),
        )
        return [Summary(since + n * step, *rest) for n, *rest in rows]

    def suspects(
        self, series: Sequence[int], since: int, until: int, limit: int = 50
    ) -> list[tuple[int, Point]]:
        """Return the readings that nothing decides on, newest first, with their series."""
        rows = self._reader.execute(
            f"SELECT series, at, value, mark FROM reading WHERE series IN ({_marks(series)}) "
            "AND at >= ? AND at < ? AND (mark & 15) != 0 ORDER BY at DESC LIMIT ?",
            (*series, since, until, limit),
        )
        return [(number, Point(*rest)) for number, *rest in rows]

    def origins(self, series: Sequence[int], since: int, until: int) -> set[int]:
        """Return the origin parts of the marks that occur (see ``nongso.wire.marks``)."""
        rows = self._reader.execute(
            f"SELECT DISTINCT mark & 48 FROM reading WHERE series IN ({_marks(series)}) "
            "AND at >= ? AND at < ?",
            (*series, since, until),
        )
        return {row[0] for row in rows}

    def span(self, series: Sequence[int]) -> tuple[int, int] | None:
        """Return first and last time of these series."""
        found = [
            self._reader.execute(
                "SELECT min(at), max(at) FROM reading WHERE series = ?", (number,)
            ).fetchone()
            for number in series
        ]
        times = [row for row in found if row[0] is not None]
        return (min(t[0] for t in times), max(t[1] for t in times)) if times else None

    def tally(self) -> dict[str, int]:
        """Return how many readings were ever stored, suspect, and in conflict."""
        return dict(self._reader.execute("SELECT what, count FROM tally").fetchall())


def install(app: Flask, file: Path) -> Telemetry:
    """Give the Flask application its readings."""
    kept = app.extensions["nongso.telemetry"] = Telemetry(file)
    return kept


def telemetry() -> Telemetry:
    """Return the application's readings."""
    return cast(Telemetry, current_app.extensions["nongso.telemetry"])


def _insert(connection: sqlite3.Connection, rows: list[tuple[int, int, float | None, int]]) -> int:
    before = connection.total_changes
    connection.executemany("INSERT OR IGNORE INTO reading VALUES (?, ?, ?, ?)", rows)
    return connection.total_changes - before


def _marks(series: Sequence[int]) -> str:
    return ",".join("?" * len(series)) or "NULL"
