"""Readings in one SQLite file: the store that needs no other program.

How this works. The table of readings has no row numbers: its key (series, time) is how it is
always read. Hours and days are kept in the same transaction (``rollups``). Days that are over
lie in compressed blocks (``sealed``), which the platform makes in small steps
(``housekeeping``); how both are read as one stands in ``history``. A conflict is kept aside with
its value. One connection writes, each thread reads with its own.

A file that is found damaged at start is set aside and a new one begins (``damage``); its readable
rest is carried over by ``carry_over``. Damage that shows while running shuts the store until
the next start: nothing is written into a damaged file, and gateways keep their rows.
"""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from nongso.platform.store import BUSY_SECONDS, Watch, make_private, prepare_connection
from nongso.platform.telemetry import blocks, damage, rollups, sealed
from nongso.platform.telemetry.blocks import BlockDamaged
from nongso.platform.telemetry.history import BLOCK, History
from nongso.platform.telemetry.interface import (
    DAY,
    EAST_SECONDS,
    Health,
    Row,
    Series,
    TelemetryAway,
    TelemetryDamaged,
    TelemetryError,
    Written,
    local_day,
)
from nongso.wire import marks

log = logging.getLogger(__name__)

VERSION = 3
_NUMBERS: frozenset[type] = frozenset({int, float, type(None)})
_NAMES: frozenset[type] = frozenset({int, str, type(None)})
_INCREMENTAL = 2  # of PRAGMA auto_vacuum
CARRY_PAUSE_SECONDS = 0.05  # between chunks, so that gateways are not kept waiting

_TABLES = (
    """CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    greenhouse TEXT NOT NULL,
    zone TEXT NOT NULL,
    node TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (node, name, greenhouse, zone)
) STRICT""",
    "CREATE INDEX series_greenhouse ON series (greenhouse, name)",
    """CREATE TABLE reading (
    series INTEGER NOT NULL REFERENCES series (id),
    at INTEGER NOT NULL,
    value REAL,
    mark INTEGER NOT NULL,
    PRIMARY KEY (series, at)
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE conflict (
    series INTEGER NOT NULL REFERENCES series (id),
    at INTEGER NOT NULL,
    value REAL,
    mark INTEGER NOT NULL,
    received_at INTEGER NOT NULL
) STRICT""",
    "CREATE UNIQUE INDEX conflict_once ON conflict (series, at, ifnull(value, 'none'))",
    "CREATE TABLE tally (what TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID",
)
_SECOND = (
    # which damaged files were carried over, with how many readings, and when that ended
    "CREATE TABLE carried (file TEXT PRIMARY KEY, readings INTEGER NOT NULL, ended_at INTEGER)"
    " STRICT, WITHOUT ROWID",
    *rollups.SCHEMA,
)
_THIRD = sealed.SCHEMA
_BEGIN = "INSERT INTO tally VALUES ('stored', 0), ('conflicting', 0), ('suspect', 0)"


def _begin(file: Path) -> None:
    """Make a new file, whole at once: one that was cut off half-way would be called damaged.

    Of several processes that begin at the same moment the first one's file is taken.
    """
    begun = file.with_name(f"{file.name}.begun-{os.getpid()}")
    try:
        _remove(begun)  # of a process that had this number and was cut off
        make_private(begun)
        with closing(sqlite3.connect(begun, isolation_level=None)) as connection:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before all else
            prepare_connection(connection)
            connection.execute("BEGIN IMMEDIATE")
            for statement in (*_TABLES, *_SECOND, *_THIRD, _BEGIN):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("COMMIT")
        with suppress(FileExistsError):
            os.link(begun, file)
        damage.sync_folder(file.parent)
    except (sqlite3.DatabaseError, OSError) as error:
        raise TelemetryError(f"{file}: {error}") from error
    finally:
        _remove(begun)


def _remove(begun: Path) -> None:
    for end in ("", *damage.OTHER_FILES):
        Path(f"{begun}{end}").unlink(missing_ok=True)


class SqliteTelemetry(History):
    """The store of readings in one file. One writes at a time, all may read."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._trouble = ""
        why = damage.found_in(file)
        if why:
            damage.set_aside(file, why)
        if not file.exists():
            _begin(file)
        make_private(file)
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._write_lock = threading.Lock()
        self._ids: dict[Series, int] = {}
        self._closing = threading.Event()
        self._carrier: threading.Thread | None = None
        self._unreadable: set[int] = set()
        try:
            self._writer = self._connect()
            self._writer.execute("PRAGMA cache_size = -8192")  # readers keep SQLite's 2 MB each
            self._prepare()
            self._watch = Watch(file)
            self._inode = file.stat().st_ino
        except (*damage.COMPLAINTS, OSError) as error:
            self._close_all()
            raise TelemetryError(f"{file}: {error}") from error
        except BaseException:
            self._close_all()
            raise

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.file, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS
        )
        self._all.append(connection)
        prepare_connection(connection)
        return connection

    def _prepare(self) -> None:
        (version,) = self._writer.execute("PRAGMA user_version").fetchone()
        if version == VERSION:  # nothing to write: a full disk shall not keep it from opening
            return
        self._writer.execute("BEGIN IMMEDIATE")
        (version,) = self._writer.execute("PRAGMA user_version").fetchone()
        if 0 < version < VERSION:
            self._upgrade(version)
        else:
            raise TelemetryError(
                f"{self.file} was written by another version of nongso (schema {version}, "
                f"this one knows {VERSION}). Install that version again."
            )
        self._writer.execute(f"PRAGMA user_version = {VERSION}")
        self._writer.execute("COMMIT")

    def _upgrade(self, version: int) -> None:
        """Bring a file of an earlier version up to ours, in the caller's transaction."""
        if version < 2:
            log.info("%s: making roll-ups of all readings, once; may take minutes", self.file)
            for statement in _SECOND:
                self._writer.execute(statement)
            rollups.fill(self._writer)
        for statement in _THIRD:
            self._writer.execute(statement)

    def close(self) -> None:
        """Close every connection."""
        self._closing.set()
        if self._carrier is not None:
            self._carrier.join()
        self._watch.close()
        self._close_all()

    def _close_all(self) -> None:
        for connection in self._all:
            connection.close()

    def version(self) -> tuple[int, int]:
        """Return what changes whenever anybody has written."""
        with self._named():
            return self._watch.version()

    def lately(self) -> tuple[int, int]:
        """Return the version as ``Watch.lately`` sees it, for what is asked very often."""
        with self._named():
            return self._watch.lately()

    def health(self) -> Health:
        """Say how the store is; never raises."""
        carried = ""
        with suppress(TelemetryAway):
            found = self._ask("SELECT file, readings, ended_at FROM carried", (), _NAMES)
            carried = "; ".join(
                f"{count} readings of {name} carried over" + ("" if ended else ", going on")
                for name, count, ended in found
            )
        return Health(
            kind="sqlite",
            trouble=self._trouble,
            set_aside=tuple(path.name for path in damage.all_set_aside(self.file)),
            carried=carried,
            notes=self._notes(),
        )

    def _notes(self) -> tuple[str, ...]:
        if not self._unreadable:
            return ()
        count = len(self._unreadable)
        return (f"{count} blocks of sealed readings are damaged; the log names their days",)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Give SQLite's errors our names; shut the store when the file is damaged."""
        if self._trouble:
            raise TelemetryDamaged(self._trouble)
        try:
            yield
        except sqlite3.ProgrammingError:
            raise  # a mistake of ours
        except damage.COMPLAINTS as error:
            raise self._shut(error) from error

    def _shut(self, error: Exception) -> TelemetryAway:
        if not damage.is_damage(error):
            return TelemetryAway(f"{self.file.name} cannot be used now: {error}")
        if not self._trouble:
            self._trouble = (
                f"{self.file.name} is damaged ({error}). Readings are neither shown nor taken; "
                "gateways keep theirs. Start the platform again: it sets the file aside."
            )
            log.error("%s", self._trouble)
        return TelemetryDamaged(self._trouble)

    def _ask(
        self, sql: str, values: Sequence[Any] = (), types: frozenset[type] = _NUMBERS
    ) -> list[Any]:
        """Ask, and look at the types: SQLite gives a damaged number as text or bytes."""
        with self._named():
            rows = self._reader.execute(sql, values).fetchall()
            if not types.issuperset(map(type, chain.from_iterable(rows))):
                raise sqlite3.DatabaseError(damage.NOT_OURS)
            return rows

    @contextmanager
    def _moment(self) -> Iterator[None]:
        """Within this, all that this thread asks is of one moment."""
        with self._named():
            self._reader.execute("BEGIN")
        try:
            yield
        finally:
            with suppress(*damage.COMPLAINTS):  # it has only read
                self._reader.execute("COMMIT")

    def _damaged(self, place: int, error: BlockDamaged) -> None:
        """Name a damaged block, once; its day is not served."""
        if place in self._unreadable:
            return
        self._unreadable.add(place)
        found = self._ask(
            "SELECT node, name FROM series WHERE id = ?", (sealed.series_of(place),), _NAMES
        )
        node, name = found[0] if found else ("a station", "an unknown series")
        day = time.strftime("%Y-%m-%d", time.gmtime(sealed.begin_of(place) + EAST_SECONDS))
        log.error(
            "%s: the sealed readings of %s of station %s on %s are damaged (%s). They are not "
            "shown; that day's sum, lowest and highest still are.",
            *(self.file.name, name, node, day, error),
        )

    @property
    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
        return connection

    @contextmanager
    def _writing(self, *, aside: bool = False) -> Iterator[sqlite3.Connection]:
        """Write in one transaction; ``aside`` is nothing that any page would tell otherwise."""
        with self._write_lock, self._named():
            self._check_place()
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._check_place()
                self._writer.execute("COMMIT")
                self._watch.wrote(aside=aside)
            except BaseException:
                self._ids.clear()
                with suppress(*damage.COMPLAINTS):  # what was wrong before says more
                    self._writer.execute("ROLLBACK")
                raise

    def _check_place(self) -> None:
        """Refuse to write into a file that another process has set aside or replaced."""
        try:
            inode = self.file.stat().st_ino
        except OSError:
            inode = -1
        if inode != self._inode:
            self._trouble = (
                f"{self.file.name} was moved or replaced while the platform ran; "
                "start the platform again"
            )
            log.error("%s", self._trouble)
            raise TelemetryDamaged(self._trouble)

    def write(self, rows: Sequence[Row]) -> Written:
        """Store readings in one transaction; returns after the commit."""
        if not rows:
            return Written(0, 0, 0, 0)
        with self._writing() as connection:
            moved = self._moved(connection, {row.series for row in rows})
            found = [(self._id(connection, row.series), row) for row in rows]
            new = [
                (number, row.at, row.value, row.mark)
                for number, row in found
                if row.series not in moved or not self._is_elsewhere(connection, number, row)
            ]
            new.sort(key=lambda row: not marks.is_good(row[3]))  # good ones first
            outcomes = self._put(connection, new)
        stored = sum(
            outcome == "stored" and marks.is_good(row[3])
            for row, outcome in zip(new, outcomes, strict=True)
        )
        conflicting = outcomes.count("conflicting")
        suspect = outcomes.count("stored") - stored
        return Written(stored, suspect, len(rows) - stored - suspect - conflicting, conflicting)

    def write_each(self, rows: Sequence[Row]) -> list[str]:
        """Store readings in one transaction and tell of each what became of it."""
        with self._writing() as connection:
            return self._put(
                connection,
                [(self._id(connection, row.series), row.at, row.value, row.mark) for row in rows],
            )

    def _put(
        self, connection: sqlite3.Connection, rows: list[tuple[int, int, float | None, int]]
    ) -> list[str]:
        """Insert rows, add the new ones to roll-ups and tally, and say what became of each."""
        put = connection.execute
        there, unreadable = self._sealed_among(connection, rows)
        outcomes = [
            self._known(connection, row, there[row[:2]])
            if row[:2] in there
            else "stored"
            if put("INSERT OR IGNORE INTO reading VALUES (?, ?, ?, ?)", row).rowcount
            else self._known(connection, row, sealed.row_value(connection, *row[:2]))
            for row in rows
        ]
        new = [row for row, outcome in zip(rows, outcomes, strict=True) if outcome == "stored"]
        rollups.add(connection, new, unreadable)
        good = sum(marks.is_good(row[3]) for row in new)
        for what, count in (("stored", good), ("suspect", len(new) - good)):
            if count:
                put("UPDATE tally SET count = count + ? WHERE what = ?", (count, what))
        return outcomes

    def _sealed_among(
        self, connection: sqlite3.Connection, rows: Iterable[tuple[int, int, float | None, int]]
    ) -> tuple[dict[tuple[int, int], float | None], set[tuple[int, int]]]:
        """Return the readings of sealed days of these rows, and the days that are damaged."""
        until = sealed.until(connection)
        days = {(row[0], local_day(row[1])) for row in rows if row[1] < until}
        there: dict[tuple[int, int], float | None] = {}
        unreadable = set()
        for series, day in days:
            for place, block in sealed.between(connection, series, day, day + DAY):
                try:
                    found = blocks.unseal(place, block)
                except BlockDamaged as error:
                    self._damaged(place, error)
                    unreadable.add((series, day))
                else:
                    there |= zip(zip(repeat(series), found.at), found.value, strict=True)
        return there, unreadable

    @staticmethod
    def _known(
        connection: sqlite3.Connection,
        row: tuple[int, int, float | None, int],
        kept: float | None,
    ) -> str:
        """Compare with the value that is there; keep another one aside."""
        series, at, value, mark = row
        if kept == value:
            return "already"
        connection.execute(
            "INSERT OR IGNORE INTO conflict VALUES (?, ?, ?, ?, ?)",
            (series, at, value, mark, int(time.time())),
        )
        connection.execute("UPDATE tally SET count = count + changes() WHERE what = 'conflicting'")
        return "conflicting"

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
        count = (
            "SELECT count(*) FROM series WHERE node = ? AND name = ? "
            "AND (greenhouse != ? OR zone != ?)"
        )
        return {
            series
            for series in all_series
            if connection.execute(
                count, (series.node, series.name, series.greenhouse, series.zone)
            ).fetchone()[0]
        }

    def _is_elsewhere(self, connection: sqlite3.Connection, number: int, row: Row) -> bool:
        """Say whether the same reading was stored before the node was moved."""
        others = connection.execute(
            "SELECT id FROM series WHERE node = ? AND name = ? AND id != ?",
            (row.series.node, row.series.name, number),
        ).fetchall()
        for (other,) in others:
            if connection.execute(
                "SELECT 1 FROM reading WHERE series = ? AND at = ? AND value IS ?",
                (other, row.at, row.value),
            ).fetchone():
                return True
            there, _ = self._sealed_among(connection, [(other, row.at, None, 0)])
            if (other, row.at) in there and there[other, row.at] == row.value:
                return True
        return False

    def place(self, node: str, greenhouse: str, zone: str) -> None:
        """Give readings that came before their node was known their greenhouse and zone."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE OR IGNORE series SET greenhouse = ?, zone = ? "
                "WHERE node = ? AND greenhouse = ''",
                (greenhouse, zone, node),
            )
            self._ids.clear()

    def carry_over(self) -> None:
        """Take over, in the background, what can be read of damaged files beside this one."""
        found = self._ask("SELECT file FROM carried WHERE ended_at NOT NULL", (), _NAMES)
        ended = {row[0] for row in found}
        waiting = [p for p in damage.all_set_aside(self.file) if p.name not in ended]
        if waiting and self._carrier is None:
            self._carrier = threading.Thread(
                target=self._carry, args=(waiting,), name="carrying readings over", daemon=True
            )
            self._carrier.start()

    def _carry(self, files: list[Path]) -> None:
        for file in files:
            count = 0
            try:
                for rows in damage.readable(file):
                    written = self.write(rows)
                    count += written.stored + written.suspect
                    self._note_carried(file, count, None)
                    if self._closing.wait(CARRY_PAUSE_SECONDS):
                        return  # goes on after the next start
                self._note_carried(file, count, int(time.time()))
            except (TelemetryAway, OSError) as error:
                log.error("readings of %s not carried over: %s", file, error)
                return
            log.warning("%d readings of %s could be carried over", count, file)

    def oldest_row(self, series: int, since: int, until: int) -> int | None:
        """Return the time of the oldest reading in [since, until) that is not sealed."""
        rows = self._ask(
            "SELECT at FROM reading WHERE series = ? AND at >= ? AND at < ? ORDER BY at LIMIT 1",
            (series, since, until),
        )
        return int(rows[0][0]) if rows else None

    def seal(self, series: int, day: int) -> int:
        """Seal one series and day; return how many readings it holds, 0 if that cannot be."""
        try:
            with self._writing(aside=True) as connection:
                return sealed.seal_day(connection, series, day)
        except BlockDamaged:
            for _ in self._sealed(series, day, day + DAY):
                pass  # which one it is, is noted there
            return 0
        except ValueError as error:
            log.error("series %d, day %d: %s; they stay as they are", series, day, error)
            return 0

    def check_blocks(self, after: int, count: int) -> int | None:
        """Compare the checksums of some blocks; return where to go on, ``None`` at the end."""
        found = self._ask(
            "SELECT place, block FROM sealed WHERE place > ? ORDER BY place LIMIT ?",
            (after, count),
            BLOCK,
        )
        for place, block in found:
            try:
                blocks.check(place, block)
            except BlockDamaged as error:
                self._damaged(place, error)
        return int(found[-1][0]) if found else None

    def give_back(self, pages: int, keep: int) -> bool:
        """Give free pages beyond ``keep`` back to the disk; say whether there are more.

        Does nothing in files of before sealed days: SQLite cannot make them shrink in steps.
        """
        with self._write_lock, self._named():
            self._check_place()
            (free,) = self._writer.execute("PRAGMA freelist_count").fetchone()
            (vacuum,) = self._writer.execute("PRAGMA auto_vacuum").fetchone()
            if free <= keep or vacuum != _INCREMENTAL:
                return False
            # ``execute`` ends after the first page: the module takes its answer for none
            self._writer.executescript(f"PRAGMA incremental_vacuum({min(pages, free - keep)})")
            return bool(free - keep > pages)

    def _note_carried(self, file: Path, count: int, ended_at: int | None) -> None:
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO carried VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET "
                "readings = max(readings, excluded.readings), ended_at = excluded.ended_at",
                (file.name, count, ended_at),
            )

    def series(
        self, *, greenhouse: str | None = None, node: str | None = None
    ) -> dict[int, Series]:
        """Return the series of a greenhouse, or of a node, by number."""
        wanted, values = ["1 = 1"], []
        for column, value in (("greenhouse", greenhouse), ("node", node)):
            if value is not None:
                wanted.append(f"{column} = ?")
                values.append(value)
        rows = self._ask(
            "SELECT id, greenhouse, zone, node, name FROM series WHERE "
            + " AND ".join(wanted)
            + " ORDER BY node, name, id",
            values,
            _NAMES,
        )
        return {number: Series(*rest) for number, *rest in rows}

    def tally(self) -> dict[str, int]:
        """Return how many readings were ever stored, suspect, and in conflict."""
        return dict(self._ask("SELECT what, count FROM tally", (), _NAMES))
