"""Every statement that is run on the gateway's SQLite file.

Tables and checksums are in ``nongso.gateway.storeschema``, opening and replacing the file in
``nongso.gateway.storeopening``; threads, waiting and retrying in ``nongso.gateway.store``.
"""

import shutil
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from nongso.gateway.errors import StoreUnwritable
from nongso.gateway.storeopening import named, open_store, store_id
from nongso.gateway.storeschema import OWN_STATE, TABLES, outbox_sum, row_sum

MOST_REFUSED = 1000  # raw messages kept
MOST_RAW_BYTES = 4096  # kept of each
MOST_TOPIC = 200  # characters kept
MOST_GLIMPSED = 256 << 20
DAMAGED = "damaged_row"


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


def _as_stored(
    row: tuple[str, str, int, float | None, int],
) -> tuple[str, str, int, float | None, int]:
    """Give a newest reading the types that SQLite gives back."""
    node, name, at, value, mark = row
    return node, name, at, None if value is None else float(value), mark


def _placeholders(row: str, rows: int) -> str:
    return ",".join([row] * rows)


class StoreFile:
    """One open store, for one writing thread. Every method may raise the two ``Store…`` errors.

    ``replaced`` tells of the file that was found damaged, foreign or too old when this one was
    opened, else it is ``None``. ``suspect``: see ``open_store``.
    """

    def __init__(self, path: Path, suspect: str | None = None) -> None:
        self.path = path
        self.rows_by_class = {"telemetry": 0, "protected": 0, "set_aside": 0}
        self._change: dict[str, int] = {}
        self._reading: apsw.Connection | None = None
        self._db, self.replaced = open_store(path, suspect)
        with named(path):
            self.store_id = store_id(self._db)
            # The last number given in the outbox: committed, and in the open transaction.
            self._last_id = self._new_id = max(
                self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").get or 0,
                self._db.execute("SELECT max(id) FROM outbox").get or 0,
            )
            self._count()

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
        with named(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            self._new_id = self._last_id

    def commit(self) -> None:
        """End it; on the disk when this returns."""
        with named(self.path):
            self._db.execute("COMMIT")
        self._last_id = self._new_id
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
            with named(self.path):
                self._db.execute("ROLLBACK")

    # ledger and outbox

    def known(self, keys: Sequence[tuple[int, int, int]]) -> dict[tuple[int, int, int], Ledgered]:
        """Return what the ledger has of these (node, boot, seq); a changed row is unknown."""
        found = {}
        with named(self.path):
            for start in range(0, len(keys), 256):
                part = keys[start : start + 256]
                for *cells, check in self._db.execute(
                    "SELECT m.node, m.boot, m.seq, m.digest, m.base, m.at, m.sum"
                    f" FROM (VALUES {_placeholders('(?,?,?)', len(part))}) AS k"
                    " JOIN messages AS m ON m.node = k.column1 AND m.boot = k.column2"
                    " AND m.seq = k.column3",
                    [number for key in part for number in key],
                ):
                    if row_sum(*cells) == check:
                        node, boot, seq, digest, base, _ = cells
                        found[(node, boot, seq)] = Ledgered(digest, base)
        return found

    def add_messages(
        self, ledger: Sequence[tuple[int, int, int, int, int | None, int]], bodies: Sequence[bytes]
    ) -> None:
        """Add new messages to the ledger and their readings to the outbox, in order.

        Many rows a statement: SQLite then works without Python's lock, beside the thread that
        reads the network (measured: 3 times the messages a second of a row a statement).
        """
        with named(self.path):
            for start in range(0, len(ledger), 128):
                rows = ledger[start : start + 128]
                self._db.execute(
                    "INSERT OR REPLACE INTO messages VALUES "
                    + _placeholders("(?,?,?,?,?,?,?)", len(rows)),
                    [cell for row in rows for cell in (*row, row_sum(*row))],
                )
                texts = bodies[start : start + 128]
                first = self._new_id + 1
                self._new_id += len(texts)
                self._db.execute(
                    "INSERT INTO outbox (id, protected, kind, body, sum) VALUES "
                    + _placeholders("(?,0,'readings',?,?)", len(texts)),
                    [
                        cell
                        for number, text in enumerate(texts, first)
                        for cell in (number, text, outbox_sum(number, 0, "readings", text))
                    ],
                )
        self._change["telemetry"] += len(ledger)

    def put(self, kind: str, body: bytes, protected: bool) -> None:
        """Add one row to the outbox."""
        self._new_id += 1
        number, check = self._new_id, outbox_sum(self._new_id, protected, kind, body)
        with named(self.path):
            self._db.execute(
                "INSERT INTO outbox (id, protected, kind, body, sum) VALUES (?, ?, ?, ?, ?)",
                (number, int(protected), kind, body, check),
            )
        self._change["protected" if protected else "telemetry"] += 1

    def strike_out(self, ids: Sequence[int], protected: bool) -> None:
        """Delete the rows of a class that the platform named."""
        gone = 0
        with named(self.path):
            for start in range(0, len(ids), 256):
                part = ids[start : start + 256]
                self._db.execute(
                    f"DELETE FROM outbox WHERE id IN ({_placeholders('?', len(part))})", part
                )
                gone += self._db.changes()
        self._change["protected" if protected else "telemetry"] -= gone

    def put_aside(self, refusals: Iterable[tuple[int, str, str]], protected: bool) -> int:
        """Move rows that the platform refused or that are damaged out of the outbox.

        Each is (id, code, detail). The body of a damaged row is kept as it is now.
        """
        moved = 0
        now = int(time.time())
        with named(self.path):
            for number, code, detail in refusals:
                found = self._db.execute(
                    f"{TABLES['outbox'].select()} WHERE id = ?", (number,)
                ).get
                if found is None:
                    continue
                _, is_protected, kind, body, _ = found
                row = (
                    number,
                    now,
                    int(bool(is_protected)),
                    _text(kind),
                    code,
                    detail,
                    body or b"",
                )
                self._db.execute(
                    "INSERT OR REPLACE INTO set_aside VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (*row, row_sum(*row)),
                )
                self._db.execute("DELETE FROM outbox WHERE id = ?", (number,))
                moved += self._db.changes()
        self._change["protected" if protected else "telemetry"] -= moved
        self._change["set_aside"] += moved
        return moved

    def refuse(
        self, at: int, topic: str, who: Sequence[Any], why: Sequence[str], raw: bytes
    ) -> int:
        """Keep a refused message as it came; ``who`` is node, boot, seq, ``why`` code, detail.

        Returns how many old ones made room. The same message refused again is kept once.
        """
        with named(self.path):
            number = (self._db.execute("SELECT max(id) FROM refused").get or 0) + 1
            row = (number, at, topic[:MOST_TOPIC], *who, *why, raw[:MOST_RAW_BYTES])
            self._db.execute(
                f"INSERT OR IGNORE INTO refused VALUES ({_placeholders('?', len(row) + 1)})",
                (*row, row_sum(*row)),
            )
            self._db.execute(
                "DELETE FROM refused WHERE id <= (SELECT max(id) FROM refused) - ?",
                (MOST_REFUSED,),
            )
            return self._db.changes()

    # small durable things

    def add_command(self, command: str, at: int) -> bool:
        """Remember a command id. ``True`` if it was there."""
        with named(self.path):
            self._db.execute(
                "INSERT OR IGNORE INTO commands VALUES (?, ?, ?)",
                (command, at, row_sum(command, at)),
            )
            return self._db.changes() == 0

    def forget_commands(self, before: int) -> None:
        """Forget command ids that no platform offers any more."""
        with named(self.path):
            self._db.execute("DELETE FROM commands WHERE at < ?", (before,))

    def commands(self) -> set[str]:
        """Return all remembered command ids."""
        with named(self.path):
            found = map(TABLES["commands"].readable, self._db.execute(TABLES["commands"].select()))
            return {row[0] for row in found if row is not None}

    def all_state(self) -> dict[str, str]:
        """Return the small state, without the entries that belong to the file itself."""
        with named(self.path):
            return _sound_state(self._db)

    def set_state(self, key: str, value: str) -> None:
        """Set one entry of the small state, in both copies."""
        row = (key, value, row_sum(key, value))
        with named(self.path):
            self._db.execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", row)
            self._db.execute("INSERT OR REPLACE INTO state_again VALUES (?, ?, ?)", row)

    def save_latest(self, rows: Iterable[tuple[str, str, int, float | None, int]]) -> None:
        """Write the newest readings as they were before this transaction."""
        with named(self.path):
            self._db.executemany(
                "INSERT OR REPLACE INTO latest VALUES (?, ?, ?, ?, ?, ?)",
                [(*row, row_sum(*row)) for row in map(_as_stored, rows)],
            )
        self.set_state("latest_upto", str(self._last_id))

    def latest(self) -> tuple[list[tuple[str, str, int, float | None, int]], list[bytes]]:
        """Return the saved newest readings, and the bodies of readings accepted since."""
        with named(self.path):
            saved = map(TABLES["latest"].readable, self._db.execute(TABLES["latest"].select()))
            upto = _sound_state(self._db, is_own=True).get("latest_upto", "0")
            since = self._db.execute(
                f"{TABLES['outbox'].select()} WHERE kind = 'readings' AND id > ?", (int(upto),)
            )
            rows = map(TABLES["outbox"].readable, since)
            return (
                [
                    (node, name, at, value, mark)
                    for node, name, at, value, mark, _ in filter(None, saved)
                ],
                [row[3] for row in rows if row is not None],
            )

    # size

    def used_bytes(self) -> int:
        """Return how much of the file is in use."""
        with named(self.path):
            pages: int = self._db.pragma("page_count") - self._db.pragma("freelist_count")
            return pages * int(self._db.pragma("page_size"))

    def forget_messages(self, before: int) -> int:
        """Take messages received before a time out of the ledger; return how many."""
        with named(self.path):
            self._db.execute("DELETE FROM messages WHERE at < ?", (before,))
            return self._db.changes()

    def drop_telemetry(self, rows: int) -> int:
        """Drop the oldest telemetry, set-aside first; return how many rows went."""
        with named(self.path):
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
        with named(self.path):
            where = "protected" if protected else "NOT protected"
            for row in self._reader().execute(
                f"{TABLES['outbox'].select()} WHERE {where} ORDER BY id LIMIT ?", (most_rows,)
            ):
                is_sound = TABLES["outbox"].readable(row) is not None
                number, _, kind, body, _ = row
                size += len(body) + 24 if is_sound else 0
                if found and size > most_bytes:
                    break
                found.append(Row(number, _text(kind), body or b"", is_sound))
        return found

    def has_protected(self, kind: str) -> bool:
        """Say whether a protected row of a kind is in the outbox."""
        with named(self.path):
            return bool(
                self._reader()
                .execute(
                    "SELECT EXISTS (SELECT 1 FROM outbox WHERE protected AND kind = ?)", (kind,)
                )
                .get
            )

    def raw_refused(self) -> int:
        """Count the refused messages that are kept."""
        with named(self.path):
            return int(self._reader().execute("SELECT count(*) FROM refused").get)

    def set_aside_rows(self) -> list[tuple[int, str, str, str]]:
        """Return (id, kind, code, detail) of the rows that were set aside."""
        with named(self.path):
            found = self._reader().execute(f"{TABLES['set_aside'].select()} ORDER BY id")
            return [(row[0], *map(_text, row[3:6])) for row in found]

    def refused_rows(self) -> list[tuple[str, str | None, str, str, bytes]]:
        """Return (topic, node, code, detail, raw) of the messages refused here."""
        with named(self.path):
            found = self._reader().execute(f"{TABLES['refused'].select()} ORDER BY id")
            return [
                (_text(topic), node and _text(node), _text(code), _text(detail), raw)
                for _, _, topic, node, _, _, code, detail, raw, _ in found
            ]


def _text(found: bytes | None) -> str:
    """Return a text cell, whatever it has become."""
    return (found or b"").decode("utf-8", "replace")


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


def _sound_state(db: apsw.Connection, is_own: bool = False) -> dict[str, str]:
    """Return the sound entries of both copies; ``is_own``: those that belong to the file."""
    found: dict[str, str] = {}
    for table in (TABLES["state_again"], TABLES["state"]):
        for key, value, _ in filter(None, map(table.readable, db.execute(table.select()))):
            if (key in OWN_STATE) == is_own:
                found[key] = value
    return found
