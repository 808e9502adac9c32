"""The SQLite file of the gateway: how it is opened and set aside, and every statement run on it.

The only module that imports ``apsw``, which carries its own SQLite: Debian 12's 3.40.1 has the
WAL-reset bug (two connections writing and checkpointing at once can damage the file; present
3.7.0 to 3.51.2, https://sqlite.org/wal.html#walresetbug). Threads, waiting and retrying are not
handled here; see ``nongso.gateway.store``.

Tables. ``messages`` is the ledger, one row for each (node, boot, seq) ever accepted.
``outbox`` holds what the platform has not named yet. ``set_aside`` holds what the platform
refused, ``refused`` what the gateway refused, as it came. ``latest`` is written before rows
leave the outbox, so that the newest value of each series survives a restart.

What is decided on or sent carries a checksum (``sum``, CRC-32): SQLite's own check at the start
finds broken structure, but not a flipped bit within a value.
"""

import os
import secrets
import shutil
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from nongso.gateway.errors import StoreDamaged, StoreError, StoreUnwritable

APPLICATION_ID = 0x6E6F6E67  # "nong"
SCHEMA_VERSION = 1
OLDEST_SQLITE = (3, 51, 3)
OWN_STATE = ("store_id", "latest_upto", "tried_at")
MOST_REFUSED = 1000  # raw messages kept
MOST_DAMAGED = 5
MOST_GLIMPSED = 256 << 20
MOST_RAW_BYTES = 4096  # kept of each

_SCHEMA = """
CREATE TABLE messages (
    node INTEGER, boot INTEGER, seq INTEGER, digest INTEGER NOT NULL, base INTEGER,
    at INTEGER NOT NULL, PRIMARY KEY (node, boot, seq)
) WITHOUT ROWID;
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, protected INTEGER NOT NULL, kind TEXT NOT NULL,
    body BLOB NOT NULL, sum INTEGER NOT NULL
);
CREATE INDEX outbox_protected ON outbox (id) WHERE protected;
CREATE TABLE set_aside (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, code TEXT NOT NULL,
    detail TEXT NOT NULL, body BLOB NOT NULL
);
CREATE TABLE refused (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, topic TEXT NOT NULL, node TEXT,
    boot INTEGER, seq INTEGER, code TEXT NOT NULL, detail TEXT NOT NULL, raw BLOB NOT NULL,
    UNIQUE (node, boot, seq, code)
);
CREATE TABLE commands (id TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE state (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, sum INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE latest (
    node TEXT, name TEXT, at INTEGER NOT NULL, value REAL, mark INTEGER NOT NULL,
    sum INTEGER NOT NULL, PRIMARY KEY (node, name)
) WITHOUT ROWID;
"""

_TABLES = {"messages", "outbox", "set_aside", "refused", "commands", "state", "latest"}


class Ledgered(NamedTuple):
    """What the ledger remembers of a message. ``base`` is ``None`` while times were relative."""

    digest: int
    base: int | None


class Row(NamedTuple):
    """A row on its way to the platform; ``body`` is a JSON object without the ``id``.

    A row that is not sound has changed on the disk since it was written.
    """

    id: int
    kind: str
    body: bytes
    is_sound: bool = True


def _sum(*parts: object) -> int:
    """Return the checksum of what is decided on or sent."""
    return zlib.crc32(parts[0] if isinstance(parts[0], bytes) else repr(parts).encode())


def _is_sound(body: object, check: object) -> bool:
    return isinstance(body, bytes) and zlib.crc32(body) == check


def _as_stored(
    row: tuple[str, str, int, float | None, int],
) -> tuple[str, str, int, float | None, int]:
    """Give a newest reading the types that SQLite gives back."""
    node, name, at, value, mark = row
    return node, name, at, None if value is None else float(value), mark


def sqlite_version() -> str:
    """Return the version of SQLite in use."""
    return str(apsw.sqlite_lib_version())


def check_sqlite() -> None:
    """Refuse a SQLite with the WAL-reset bug."""
    version = sqlite_version()
    if tuple(int(part) for part in version.split(".")) < OLDEST_SQLITE:
        raise StoreError(
            f"SQLite {version} can damage the store; 3.51.3 or newer is needed: "
            "pip install --upgrade apsw"
        )


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Give SQLite's errors our names: what the disk refuses, and what is damaged."""
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise StoreDamaged(f"{path.name}: {error}") from error
    except apsw.FullError as error:
        raise StoreUnwritable(
            f"no space left for {path}: delete files or move the folder to a larger disk"
        ) from error
    except (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError) as error:
        raise StoreUnwritable(
            f"{path} cannot be written ({error}): check owner and rights of {path.parent}, and "
            "whether the disk was mounted read-only after an error (dmesg)"
        ) from error
    except (apsw.IOError, apsw.BusyError, apsw.LockedError, apsw.ProtocolError) as error:
        raise StoreUnwritable(
            f"the disk under {path} gives errors ({error}): check space (df) and the disk (dmesg)"
        ) from error
    except OSError as error:
        raise StoreUnwritable(f"{path} cannot be written: {error}") from error


def _placeholders(row: str, rows: int) -> str:
    return ",".join([row] * rows)


class StoreFile:
    """One open store, for one writing thread. Every method may raise the two ``Store…`` errors.

    ``set_aside_as`` names the file that was found damaged or foreign when this one was opened,
    else it is ``None``; ``salvaged`` counts the rows taken over from it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.set_aside_as: str | None = None
        self.salvaged = 0
        self.rows_by_class = {"telemetry": 0, "protected": 0, "set_aside": 0}
        self._change: dict[str, int] = {}
        self._last_id = 0  # of the outbox, before the open transaction
        self._reading: apsw.Connection | None = None
        with _named(path):
            try:
                self._db = self._open()
            except (StoreDamaged, apsw.CorruptError, apsw.NotADBError):
                aside = _set_aside(path)
                self.set_aside_as = aside.name
                self._db = self._open()
                self.salvaged = self._salvage(aside)
            self._count()

    def _open(self) -> apsw.Connection:
        if not self.path.exists() and Path(f"{self.path}-wal").exists():
            _set_aside(self.path)  # a log without its file must never meet a new file
        db = apsw.Connection(str(self.path))
        try:
            db.set_busy_timeout(2000)
            db.pragma("trusted_schema", False)
            db.pragma("cell_size_check", True)
            found = db.pragma("application_id")
            tables = {row[0] for row in db.execute("SELECT name FROM sqlite_schema")}
            if found != APPLICATION_ID and (found or tables):
                raise StoreDamaged(f"{self.path.name} is not a store of this gateway")
            if tables and db.pragma("user_version") > SCHEMA_VERSION:
                raise StoreDamaged(f"{self.path.name} was written by a newer nongso")
            if tables and not tables >= _TABLES:
                raise StoreDamaged(f"{self.path.name} lacks {', '.join(_TABLES - tables)}")
            verdict = db.execute("PRAGMA quick_check(1)").get
            if verdict != "ok":
                raise StoreDamaged(f"{self.path.name}: {verdict}")
            db.pragma("journal_mode", "wal")
            db.pragma("synchronous", "full")
            db.pragma("cache_size", -8000)
            db.pragma("journal_size_limit", 16 << 20)
            if not tables:
                with db:
                    db.execute(_SCHEMA)
                    db.pragma("application_id", APPLICATION_ID)
                    db.pragma("user_version", SCHEMA_VERSION)
                    made = secrets.token_hex(8)
                    db.execute(
                        "INSERT INTO state VALUES ('store_id', ?, ?)",
                        (made, _sum("store_id", made)),
                    )
                os.chmod(self.path, 0o600)
                _sync_folder(self.path.parent)
            self.store_id = _store_id(db, self.path)
            return db
        except BaseException:
            db.close()
            raise

    def _salvage(self, aside: Path) -> int:
        """Take over what a damaged store still gives: outbox, small state, commands.

        The old file is opened for reading only and stays as it is. Reading stops at the first
        bad page and is tried from the other end too.
        """
        rows: dict[int, tuple[int, str, bytes, int]] = {}
        state: list[Any] = []
        commands: list[Any] = []
        try:
            old = apsw.Connection(str(aside), flags=apsw.SQLITE_OPEN_READONLY)
        except apsw.Error:
            return 0
        try:
            if old.pragma("application_id") != APPLICATION_ID:
                return 0
            for order in ("ASC", "DESC"):
                try:
                    for number, protected, kind, body, check in old.execute(
                        f"SELECT id, protected, kind, body, sum FROM outbox ORDER BY id {order}"
                    ):
                        if number in rows:
                            break
                        if _is_sound(body, check):
                            rows[number] = (protected, kind, body, check)
                except apsw.Error:
                    continue
            for table, found in (("state", state), ("commands", commands)):
                try:
                    found.extend(old.execute(f"SELECT * FROM {table}"))
                except apsw.Error:
                    continue
        except apsw.Error:
            pass
        finally:
            old.close()
        with self._db:
            self._db.executemany(
                "INSERT INTO outbox (protected, kind, body, sum) VALUES (?, ?, ?, ?)",
                [rows[number] for number in sorted(rows)],
            )
            self._db.executemany(
                "INSERT OR IGNORE INTO state VALUES (?, ?, ?)",
                [row for row in state if row[0] not in OWN_STATE and _sum(*row[:2]) == row[2]],
            )
            self._db.executemany("INSERT OR IGNORE INTO commands VALUES (?, ?)", commands)
        return len(rows)

    @property
    def is_read_only(self) -> bool:
        """Say whether SQLite could open the file for reading only."""
        return bool(self._db.readonly("main"))

    def close(self) -> None:
        """Close the file; the log is folded into it."""
        if self._reading is not None:
            self._reading.close()
        self._db.close()

    def begin(self) -> None:
        """Open the transaction that everything waiting goes into."""
        self._change = dict.fromkeys(self.rows_by_class, 0)
        with _named(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            last = "SELECT seq FROM sqlite_sequence WHERE name = 'outbox'"
            self._last_id = self._db.execute(last).get or 0

    def commit(self) -> None:
        """End it; on the disk when this returns."""
        with _named(self.path):
            self._db.execute("COMMIT")
        for name, change in self._change.items():
            self.rows_by_class[name] += change

    def _count(self) -> None:
        """Count once at the start; afterwards each transaction keeps the sums."""
        protected = self._db.execute("SELECT count(*) FROM outbox WHERE protected").get
        outbox = self._db.execute("SELECT count(*) FROM outbox").get
        aside = self._db.execute("SELECT count(*) FROM set_aside").get
        self.rows_by_class = {
            "telemetry": outbox - protected,
            "protected": protected,
            "set_aside": aside,
        }

    def rollback(self) -> None:
        """Undo it, if it is still open."""
        if self._db.in_transaction:
            with _named(self.path):
                self._db.execute("ROLLBACK")

    # ledger and outbox

    def known(self, keys: Sequence[tuple[int, int, int]]) -> dict[tuple[int, int, int], Ledgered]:
        """Return what the ledger has of these (node, boot, seq)."""
        found = {}
        with _named(self.path):
            for start in range(0, len(keys), 256):
                part = keys[start : start + 256]
                for node, boot, seq, digest, base in self._db.execute(
                    "SELECT m.node, m.boot, m.seq, m.digest, m.base"
                    f" FROM (VALUES {_placeholders('(?,?,?)', len(part))}) AS k"
                    " JOIN messages AS m ON m.node = k.column1 AND m.boot = k.column2"
                    " AND m.seq = k.column3",
                    [number for key in part for number in key],
                ):
                    found[(node, boot, seq)] = Ledgered(digest, base)
        return found

    def add_messages(
        self, ledger: Sequence[tuple[int, int, int, int, int | None, int]], bodies: Sequence[bytes]
    ) -> None:
        """Add new messages to the ledger and their readings to the outbox, in order.

        Many rows a statement: SQLite then works without Python's lock, beside the thread that
        reads the network (measured: 3 times the messages a second of a row a statement).
        """
        with _named(self.path):
            for start in range(0, len(ledger), 128):
                rows = ledger[start : start + 128]
                self._db.execute(
                    "INSERT OR REPLACE INTO messages VALUES "
                    + _placeholders("(?,?,?,?,?,?)", len(rows)),
                    [cell for row in rows for cell in row],
                )
                texts = bodies[start : start + 128]
                self._db.execute(
                    "INSERT INTO outbox (protected, kind, body, sum) VALUES "
                    + _placeholders("(0,'readings',?,?)", len(texts)),
                    [cell for text in texts for cell in (text, zlib.crc32(text))],
                )
        self._change["telemetry"] += len(ledger)

    def put(self, kind: str, body: bytes, protected: bool) -> None:
        """Add one row to the outbox."""
        with _named(self.path):
            self._db.execute(
                "INSERT INTO outbox (protected, kind, body, sum) VALUES (?, ?, ?, ?)",
                (int(protected), kind, body, _sum(body)),
            )
        self._change["protected" if protected else "telemetry"] += 1

    def strike_out(self, ids: Sequence[int], protected: bool) -> None:
        """Delete the rows of a class that the platform named."""
        gone = 0
        with _named(self.path):
            for start in range(0, len(ids), 256):
                part = ids[start : start + 256]
                self._db.execute(
                    f"DELETE FROM outbox WHERE id IN ({_placeholders('?', len(part))})", part
                )
                gone += self._db.changes()
        self._change["protected" if protected else "telemetry"] -= gone

    def put_aside(self, refusals: Iterable[tuple[int, str, str]], protected: bool) -> int:
        """Move rows that the platform refused, (id, code, detail), out of the outbox."""
        moved = 0
        now = int(time.time())
        with _named(self.path):
            for number, code, detail in refusals:
                self._db.execute(
                    "INSERT OR REPLACE INTO set_aside"
                    " SELECT id, ?, kind, ?, ?, body FROM outbox WHERE id = ?",
                    (now, code, detail, number),
                )
                moved += self._db.changes()
                self._db.execute("DELETE FROM outbox WHERE id = ?", (number,))
        self._change["protected" if protected else "telemetry"] -= moved
        self._change["set_aside"] += moved
        return moved

    def refuse(
        self, at: int, topic: str, who: Sequence[Any], why: Sequence[str], raw: bytes
    ) -> int:
        """Keep a refused message as it came; ``who`` is node, boot, seq, ``why`` code, detail.

        Returns how many old ones made room. The same message refused again is kept once.
        """
        with _named(self.path):
            self._db.execute(
                "INSERT OR IGNORE INTO refused (at, topic, node, boot, seq, code, detail, raw)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (at, topic, *who, *why, raw[:MOST_RAW_BYTES]),
            )
            self._db.execute(
                "DELETE FROM refused WHERE id <= (SELECT max(id) FROM refused) - ?",
                (MOST_REFUSED,),
            )
            return self._db.changes()

    # small durable things

    def add_command(self, command: str, at: int) -> bool:
        """Remember a command id. ``True`` if it was there."""
        with _named(self.path):
            self._db.execute("INSERT OR IGNORE INTO commands VALUES (?, ?)", (command, at))
            return self._db.changes() == 0

    def forget_commands(self, before: int) -> None:
        """Forget command ids that no platform offers any more."""
        with _named(self.path):
            self._db.execute("DELETE FROM commands WHERE at < ?", (before,))

    def commands(self) -> set[str]:
        """Return all remembered command ids."""
        with _named(self.path):
            return {row[0] for row in self._db.execute("SELECT id FROM commands")}

    def all_state(self) -> dict[str, str]:
        """Return the small state, without the entries that belong to the file itself."""
        with _named(self.path):
            return _sound_state(self._db)

    def set_state(self, key: str, value: str) -> None:
        """Set one entry of the small state."""
        with _named(self.path):
            self._db.execute(
                "INSERT OR REPLACE INTO state VALUES (?, ?, ?)", (key, value, _sum(key, value))
            )

    def save_latest(self, rows: Iterable[tuple[str, str, int, float | None, int]]) -> None:
        """Write the newest readings as they were before this transaction."""
        with _named(self.path):
            self._db.executemany(
                "INSERT OR REPLACE INTO latest VALUES (?, ?, ?, ?, ?, ?)",
                [(*row, _sum(*row)) for row in map(_as_stored, rows)],
            )
        self.set_state("latest_upto", str(self._last_id))

    def latest(self) -> tuple[list[tuple[str, str, int, float | None, int]], list[bytes]]:
        """Return the saved newest readings, and the bodies of readings accepted since."""
        with _named(self.path):
            saved = self._db.execute("SELECT node, name, at, value, mark, sum FROM latest")
            sound = [row[:5] for row in saved if _sum(*row[:5]) == row[5]]
            since = self._db.execute(
                "SELECT body, sum FROM outbox WHERE kind = 'readings' AND id > coalesce("
                "(SELECT CAST(value AS INTEGER) FROM state WHERE key = 'latest_upto'), 0)"
            )
            return sound, [body for body, check in since if _is_sound(body, check)]

    # size

    def used_bytes(self) -> int:
        """Return how much of the file is in use."""
        with _named(self.path):
            pages: int = self._db.pragma("page_count") - self._db.pragma("freelist_count")
            return pages * int(self._db.pragma("page_size"))

    def forget_messages(self, before: int) -> int:
        """Take messages received before a time out of the ledger; return how many."""
        with _named(self.path):
            self._db.execute("DELETE FROM messages WHERE at < ?", (before,))
            return self._db.changes()

    def drop_telemetry(self, rows: int) -> int:
        """Drop the oldest telemetry, set-aside first; return how many rows went."""
        with _named(self.path):
            self._db.execute(
                "DELETE FROM set_aside WHERE id IN (SELECT id FROM set_aside"
                " WHERE kind IN ('readings', 'refused', 'node') ORDER BY id LIMIT ?)",
                (rows,),
            )
            aside = self._db.changes()
            sent = 0
            if aside < rows:
                self._db.execute(
                    "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox"
                    " WHERE NOT protected ORDER BY id LIMIT ?)",
                    (rows - aside,),
                )
                sent = self._db.changes()
        self._change["set_aside"] -= aside
        self._change["telemetry"] -= sent
        return aside + sent

    # reading, from any one thread at a time

    def _reader(self) -> apsw.Connection:
        if self._reading is None:
            self._reading = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READONLY)
            self._reading.set_busy_timeout(2000)
        return self._reading

    def rows(self, protected: bool, most_rows: int, most_bytes: int) -> list[Row]:
        """Return the oldest rows of a class, at most so many and, after the first, so long."""
        found: list[Row] = []
        size = 0
        with _named(self.path):
            where = "protected" if protected else "NOT protected"
            for row in self._reader().execute(
                f"SELECT id, kind, body, sum FROM outbox WHERE {where} ORDER BY id LIMIT ?",
                (most_rows,),
            ):
                number, kind, body, check = row
                is_sound = _is_sound(body, check)
                size += len(body) + 24 if is_sound else 0
                if found and size > most_bytes:
                    break
                found.append(Row(number, str(kind), body, is_sound))
        return found

    def has_protected(self, kind: str) -> bool:
        """Say whether a protected row of a kind is in the outbox."""
        with _named(self.path):
            return bool(
                self._reader()
                .execute(
                    "SELECT EXISTS (SELECT 1 FROM outbox WHERE protected AND kind = ?)", (kind,)
                )
                .get
            )

    def raw_refused(self) -> int:
        """Count the refused messages that are kept."""
        with _named(self.path):
            return int(self._reader().execute("SELECT count(*) FROM refused").get)

    def set_aside_rows(self) -> list[tuple[int, str, str, str]]:
        """Return (id, kind, code, detail) of the rows that the platform refused."""
        with _named(self.path):
            return list(
                self._reader().execute("SELECT id, kind, code, detail FROM set_aside ORDER BY id")
            )

    def refused_rows(self) -> list[tuple[str, str | None, str, str, bytes]]:
        """Return (topic, node, code, detail, raw) of the messages refused here."""
        with _named(self.path):
            return list(
                self._reader().execute(
                    "SELECT topic, node, code, detail, raw FROM refused ORDER BY id"
                )
            )


def glimpse(path: Path) -> dict[str, str]:
    """Read the small state of a store whose folder cannot be written.

    SQLite opens such a file only when its ``-shm`` is there, so a copy of it and its log is
    opened elsewhere. Raises ``StoreUnwritable`` when that cannot be done either.
    """
    try:
        if not path.exists():
            return {}
        if path.stat().st_size > MOST_GLIMPSED:
            raise StoreUnwritable(f"{path} is too large to be copied for reading")
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "store.sqlite"
            for end in ("", "-wal"):
                if Path(f"{path}{end}").exists():
                    shutil.copyfile(f"{path}{end}", f"{copy}{end}")
            db = apsw.Connection(str(copy))
            try:
                return _sound_state(db)
            finally:
                db.close()
    except (apsw.Error, OSError) as error:
        raise StoreUnwritable(f"{path} cannot be read either: {error}") from error


def _store_id(db: apsw.Connection, path: Path) -> str:
    found = db.execute("SELECT value, sum FROM state WHERE key = 'store_id'").get
    if found is None or _sum("store_id", found[0]) != found[1]:
        raise StoreDamaged(f"{path.name} has no store id")
    return str(found[0])


def _sound_state(db: apsw.Connection) -> dict[str, str]:
    found = db.execute("SELECT key, value, sum FROM state")
    return {k: v for k, v, check in found if k not in OWN_STATE and _sum(k, v) == check}


def _sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _set_aside(path: Path) -> Path:
    """Rename the file and its logs to a dated name that is still free.

    Not more than ``MOST_DAMAGED`` times within an hour: then it is the disk that fails.
    """
    lately = time.time() - 3600
    others = path.parent.glob(f"{path.name}.damaged-*Z*")
    found = {p.name.removesuffix("-wal").removesuffix("-shm") for p in others}
    if sum((path.parent / name).stat().st_ctime > lately for name in found) >= MOST_DAMAGED:
        raise StoreUnwritable(
            f"{MOST_DAMAGED} stores were damaged within an hour in {path.parent}: the disk fails; "
            "replace it"
        )
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    number = 1
    while any(Path(f"{aside}{end}").exists() for end in ("", "-wal", "-shm")):
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    for end in ("", "-wal", "-shm"):
        if Path(f"{path}{end}").exists():
            os.rename(f"{path}{end}", f"{aside}{end}")
    _sync_folder(path.parent)
    return aside
