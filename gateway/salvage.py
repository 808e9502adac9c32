"""Takes over into a new store what a damaged (or older) one still gives, row by row.

How this works. Each table is read from its beginning to the first page that cannot be read, then
from its end; rows that lie in between are taken from the pages themselves
(``nongso.gateway.carving``). So a bad page costs only the rows on it. What was read is believed
only if its checksum fits. Rows keep their numbers. Where the first page is bad, which holds the
description of all tables, a copy of the file gets the first page of a new store: the tables of one
version always begin at the same pages.

The damaged file is opened for reading only and stays as it is. What cannot be read is counted and
named; of pages that hold nothing readable only the range of their rows is known.
"""

import os
import shutil
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path

import apsw

from nongso.gateway.carving import carve
from nongso.gateway.storelog import lost_commits, mended
from nongso.gateway.storeschema import (
    LARGEST_ID,
    OLD_TABLES,
    OWN_STATE,
    PAGE_BYTES,
    TABLES,
    Cells,
    Table,
    first_page,
    schema_of,
    written_schema,
)

CHUNK = 1000
MOST_NAMES = 50
MOST_REMEMBERED = 1 << 25  # rows
RESERVE_BYTES = 4 << 20  # left free on the disk
MENDING = ".mending"  # ending of the copy that gets a new first page
_UNREADABLE = (apsw.Error, MemoryError, OverflowError, UnicodeDecodeError)
CHANGING = ("state", "state_again", "latest")  # of these a page may hold an older version


@dataclass
class Salvage:
    """What was taken over, and what was seen and could not be read."""

    taken: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)
    names: list[str] = field(default_factory=list)
    is_disordered: bool = False  # SQLite finds more than changed rows
    stayed: int = 0  # rows for which the disk has no room

    def miss(self, table: str, name: str, count: int = 1) -> None:
        """Note rows that cannot be read; ``name`` says which."""
        self.unreadable[table] += count
        if len(self.names) < MOST_NAMES:
            self.names.append(f"{table} {name}")

    def __str__(self) -> str:
        taken = ", ".join(f"{count} of {table}" for table, count in self.taken.items() if count)
        text = f"taken over: {taken or 'nothing'}"
        if self.unreadable:
            names = ", ".join(self.names[:10]) + (", …" if len(self.names) > 10 else "")
            text += f"; could not be read: {self.unreadable.total()} ({names})"
        if self.is_disordered:
            text += "; rows may be missing that nothing tells of, for the file's order is damaged"
        if self.stayed:
            text += f"; {self.stayed} stayed there because the disk is full"
        return text


def take_over(old: Path, new: apsw.Connection) -> Salvage:
    """Copy what can be read from ``old`` into a new store; its own state is left out."""
    found = Salvage()
    with _opened(old) as (db, tables):
        if db is None:
            found.miss("store", "as a whole")
            return found
        found.is_disordered = not _is_in_order(db) or _is_log_damaged(old, db)
        _take_state(old, db, tables, new, found)
        for table in tables.values():  # the needed ones first
            if table.name in ("state", "state_again"):
                continue
            rows = _Reader(old, db, table, found).rows()
            _copy(rows, TABLES[table.name], new, found)
    return found


def _take_state(
    old: Path, db: apsw.Connection, tables: dict[str, Table], new: apsw.Connection, found: Salvage
) -> None:
    """Of the two copies of each entry one is enough."""
    merged: dict[str, Cells] = {}
    most = 0
    missed = Salvage()
    for name in ("state", "state_again"):
        if name in tables:
            bad = Salvage(is_disordered=found.is_disordered)
            sound = {row[0]: row for row in _Reader(old, db, tables[name], bad).rows()}
            merged = {**sound, **merged}
            most = max(most, len(sound) + bad.unreadable.total())
            missed.names += bad.names
    own = [key for key in OWN_STATE if key != "latest_upto"]
    rows = [row for key, row in merged.items() if key not in own]
    for name in ("state", "state_again"):
        with new:
            new.executemany(TABLES[name].insert(), rows)
    found.taken["state"] = len(rows)
    if most > len(merged):
        names = {name.partition(" ")[2] for name in missed.names} - merged.keys()
        found.miss("state", " and ".join(sorted(names)), most - len(merged))


def _copy(rows: Iterator[Cells], table: Table, new: apsw.Connection, found: Salvage) -> None:
    """Write rows in groups; what the disk has no room for is counted and stays where it is."""
    folder = Path(new.filename).parent
    while chunk := list(islice(rows, CHUNK)):
        before = new.total_changes()
        try:
            if found.stayed or shutil.disk_usage(folder).free < RESERVE_BYTES:
                raise apsw.FullError("the new store must be able to work")
            with new:
                new.executemany(table.insert(), chunk)
        except apsw.FullError:
            found.stayed += len(chunk)
        else:
            found.taken[table.name] += new.total_changes() - before


class _Reader:
    """Reads one table of a damaged file."""

    def __init__(self, file: Path, db: apsw.Connection, table: Table, found: Salvage) -> None:
        self._file = file
        self._db = db
        self._table = table
        self._found = found
        self._missed: set[Cells] = set()
        self._read = bytearray()  # which rows were read, from ``_first`` on
        self._first = 0

    def rows(self) -> Iterator[Cells]:
        """Return the sound rows, some perhaps twice; note the others."""
        table = self._table
        is_complete, low = yield from self._walk("ASC", None)
        if is_complete and not self._found.is_disordered:
            return
        high = None
        if not is_complete:
            is_complete, high = yield from self._walk("DESC", low)
        if table.name not in CHANGING and (table.name != "messages" or not is_complete):
            numbers = []
            for row in carve(self._file, table, self._is_known):
                numbers.append(row[0])
                yield row
            if table.name == "outbox" and not is_complete:
                self._note_gaps(low[0] if low else 0, high[0] if high else None, numbers)
                return
        if not is_complete:
            self._found.miss(table.name, f"between {_plain(low)} and {_plain(high)}")

    def _walk(
        self, order: str, stop: Cells | None
    ) -> Generator[Cells, None, tuple[bool, Cells | None]]:
        """Read from one end until ``stop``, the other end, or what cannot be read.

        Returns whether it came through, and the last key that was read.
        """
        last: Cells | None = None
        sorting = ", ".join(f"{column} {order}" for column in self._table.key)
        try:
            for found in self._db.execute(f"{self._table.select()} ORDER BY {sorting}"):
                row = self._table.readable(found)
                if row is None:
                    self._note(found)
                    continue
                key = row[: len(self._table.key)]
                if last is None and order == "ASC" and self._table.is_numbered:
                    self._first = key[0]
                if last is not None and (key >= last if order == "DESC" else key <= last):
                    self._note(found, "in the place of another: ")  # a page lies there twice
                if stop is not None and (key <= stop if order == "DESC" else key >= stop):
                    return True, last
                last = key
                self._know(key)
                yield row
        except _UNREADABLE:
            return False, last
        return True, last

    def _know(self, key: Cells) -> None:
        """Remember that a row was read, in one byte, so that it need not be decoded again."""
        if self._table.is_numbered and 0 <= key[0] - self._first < MOST_REMEMBERED:
            place = key[0] - self._first
            if place >= len(self._read):
                self._read += bytes(place + 1 - len(self._read))
            self._read[place] = 1

    def _is_known(self, key: Cells) -> bool:
        place = key[0] - self._first if self._table.is_numbered else -1
        return 0 <= place < len(self._read) and bool(self._read[place])

    def _note(self, found: Cells, how: str = "") -> None:
        """A row that has changed, or that stands where another one was."""
        key = found[: len(self._table.key)]
        if key not in self._missed:
            self._missed.add(key)
            self._found.miss(self._table.name, how + _plain(key))

    def _note_gaps(self, low: int, high: int | None, found: list[int]) -> None:
        """Name the numbers that did not come to light; not all of them need have been there."""
        last = self._last_number() if high is None else high - 1
        between = sorted({n for n in found if low < n and (high is None or n < high)})
        ends = [*between, *([] if last is None else [last + 1])]
        for before, number in pairwise([low, *ends]):
            if number > before + 1:
                count = number - before - 1
                self._found.miss("outbox", f"{before + 1} to {number - 1}", count)
        if last is None:
            self._found.miss("outbox", f"after {[low, *ends][-1]}")

    def _last_number(self) -> int | None:
        """The last number given in the outbox, if it is known."""
        with suppress(*_UNREADABLE):
            found = self._db.execute(
                "SELECT seq FROM sqlite_sequence WHERE CAST(name AS BLOB) = ?", (b"outbox",)
            ).get
            if isinstance(found, int) and 0 <= found < LARGEST_ID:
                return found
        return None


def _is_in_order(db: apsw.Connection) -> bool:
    """Say whether SQLite finds every table in order and no page unaccounted for."""
    try:
        return bool(db.execute("PRAGMA integrity_check(1)").get == "ok")
    except _UNREADABLE:
        return False


def _is_log_damaged(old: Path, db: apsw.Connection) -> bool:
    """Say whether SQLite leaves out some of what lies in the file's log."""
    try:
        used_frames = db.execute("PRAGMA wal_checkpoint(NOOP)").get[1]
    except _UNREADABLE:
        used_frames = 0
    return lost_commits(Path(f"{old}-wal"), max(0, used_frames)) > 1


def _plain(key: Cells | None) -> str:
    """Name a key, whatever it has become."""
    if key is None:
        return "one end"
    parts = (p.decode("utf-8", "replace") if isinstance(p, bytes) else str(p) for p in key)
    return "/".join(part[:60] for part in parts)


# --- opening whatever is there -----------------------------------------------------------------


@contextmanager
def _opened(old: Path) -> Iterator[tuple[apsw.Connection | None, dict[str, Table]]]:
    """Open the file for reading, or a copy of it with a new first page; ``None`` if neither."""
    # SQLite deletes the log of an empty file.
    db = _connect(old, apsw.SQLITE_OPEN_READONLY) if old.stat().st_size else None
    try:
        tables = _tables_of(db)
        is_whole = db is not None and _is_in_order(db) and not _is_log_damaged(old, db)
        if db is not None and tables is not None and (is_whole or tables is OLD_TABLES):
            yield db, tables
            return
        with _with_new_first_page(old) as copy:
            if copy is not None or tables is None:
                yield copy, TABLES
            else:  # no room for a copy
                yield db, tables
    finally:
        if db is not None:
            db.close()


def _connect(file: Path, flags: int) -> apsw.Connection | None:
    try:
        db = apsw.Connection(str(file), flags=flags)
    except apsw.Error:
        return None
    try:
        db.pragma("trusted_schema", False)
        db.pragma("writable_schema", True)  # else nothing of a file that was cut off is read
    except apsw.Error:
        db.close()
        return None
    return db


def _tables_of(db: apsw.Connection | None) -> dict[str, Table] | None:
    """Return the tables of a store of ours whose description is whole, else ``None``."""
    try:
        found = schema_of(db) if db is not None else None
        if found == written_schema():
            return TABLES
        if found is not None and db is not None and db.pragma("user_version") == 1:
            return OLD_TABLES
    except _UNREADABLE:
        pass
    return None


@contextmanager
def _with_new_first_page(old: Path) -> Iterator[apsw.Connection | None]:
    """Open a copy whose description of the tables is that of a new store."""
    copy = old.with_name(old.name + MENDING)
    db: apsw.Connection | None = None
    try:
        with suppress(OSError):  # a bad spot on the disk, or no room
            size = old.stat().st_size
            page = first_page(max(size, PAGE_BYTES))
            has_log = Path(f"{old}-wal").exists()
            room = shutil.disk_usage(old.parent).free - RESERVE_BYTES
            if (size > len(page) or has_log) and room > 3 * size:
                shutil.copyfile(old, copy)
                if has_log:
                    Path(f"{copy}-wal").write_bytes(mended(Path(f"{old}-wal").read_bytes()))
                with open(copy, "r+b") as file:
                    file.write(page)
                db = _connect(copy, apsw.SQLITE_OPEN_READWRITE)
        yield db
    finally:
        if db is not None:
            db.close()
        for end in ("", "-wal", "-shm", "-journal"):
            with suppress(FileNotFoundError):
                os.remove(f"{copy}{end}")
