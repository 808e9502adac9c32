"""Every statement that is run on the gateway's SQLite file.

Tables and checksums are in ``nongso.gateway.storeschema``, opening and replacing the file in
``nongso.gateway.storeopening``; threads, waiting and retrying in ``nongso.gateway.store``.
"""

import logging
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from nongso.gateway.deliveries import CLASSES, NOTHING_NAMED, Cursor, Cursors, as_text, from_text
from nongso.gateway.errors import StoreUnwritable
from nongso.gateway.storeopening import named, open_store, store_id
from nongso.gateway.storeschema import SENT_STATE, TABLES, is_own, outbox_sum, row_sum

log = logging.getLogger(__name__)

MOST_REFUSED = 1000  # raw messages kept
MOST_RAW_BYTES = 4096  # kept of each
MOST_TOPIC = 200  # characters kept
MOST_GLIMPSED = 256 << 20
ROWS_A_STATEMENT = 500  # its text is then short enough for apsw to keep it prepared
ONE = ("main",)  # the destination where there is only one
_OF_CLASS = {"protected": "protected", "telemetry": "NOT protected"}


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


def _class(protected: bool) -> str:
    return "protected" if protected else "telemetry"


def _placeholders(row: str, rows: int) -> str:
    return ",".join([row] * rows)


class StoreFile:
    """One open store, for one writing thread. Every method may raise the two ``Store…`` errors.

    ``replaced`` tells of the file that was found damaged, foreign or too old when this one was
    opened, else it is ``None``. ``suspect``: see ``open_store``. A row leaves the outbox when
    all ``destinations`` have named it; with one it leaves at once and no cursor is written.
    """

    def __init__(
        self, path: Path, suspect: str | None = None, destinations: Sequence[str] = ONE
    ) -> None:
        self.path = path
        self.rows_by_class = {"telemetry": 0, "protected": 0, "set_aside": 0}
        self._change: dict[str, int] = {}
        self._destinations = tuple(destinations)
        # How many rows each destination has not named: (destination, class).
        self._waiting: Counter[tuple[str, str]] = Counter()
        self._waiting_change: Counter[tuple[str, str]] = Counter()
        self._is_swept = False
        self._reading: apsw.Connection | None = None
        self._db, self.replaced = open_store(path, suspect)
        with named(path):
            self.store_id = store_id(self._db)
            own = _sound_state(self._db, of_file=True)
            known = {
                key.removeprefix(SENT_STATE): from_text(text)
                for key, text in own.items()
                if key.startswith(SENT_STATE)
            }
            # Each replaced as a whole at the commit, so that any thread may look.
            self._cursors: dict[str, Cursors] = {
                name: known.get(name, NOTHING_NAMED) for name in self._destinations
            }
            self._new_cursors = dict(self._cursors)
            # The last number given in the outbox: committed, and in the open transaction. Never
            # below a cursor, also in a new file into which only the small state was taken over.
            self._last_id = self._new_id = max(
                self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").get or 0,
                self._db.execute("SELECT max(id) FROM outbox").get or 0,
                *(cursor.upto for cursors in known.values() for cursor in cursors.values()),
            )
            self._count()

    @property
    def is_read_only(self) -> bool:
        """Say whether SQLite could open the file for reading only."""
        return bool(self._db.readonly("main"))

    def close(self) -> None:
        """Close the file; the log is folded into it, or stays beside it if the disk fails."""
        for connection in (self._reading, self._db):
            try:
                if connection is not None:
                    connection.close()
            except apsw.Error as error:
                log.warning("%s was closed with its log beside it: %s", self.path, error)

    def begin(self) -> None:
        """Open the transaction that everything waiting goes into."""
        self._change = dict.fromkeys(self.rows_by_class, 0)
        self._waiting_change = Counter()
        self._new_cursors = dict(self._cursors)
        with named(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            self._new_id = self._last_id
        if not self._is_swept:
            self._sweep()

    def commit(self) -> None:
        """End it; on the disk when this returns."""
        with named(self.path):
            self._db.execute("COMMIT")
        self._last_id = self._new_id
        self._is_swept = True
        self._cursors = self._new_cursors
        self._waiting.update(self._waiting_change)
        for name, change in self._change.items():
            self.rows_by_class[name] += change

    def _sweep(self) -> None:
        """Delete what only a destination that is no longer listed had still to name."""
        for name, where in _OF_CLASS.items():
            cursors = [self._cursors[d][name] for d in self._destinations]
            floor = min(cursor.upto for cursor in cursors)
            left = sorted(frozenset().union(*(cursor.left for cursor in cursors)))
            if floor:
                with named(self.path):
                    self._db.execute(
                        f"DELETE FROM outbox WHERE {where} AND id <= ?"
                        f" AND id NOT IN ({_placeholders('?', len(left))})",
                        [floor, *left],
                    )
                    self._change[name] -= self._db.changes()

    def waiting(self, destination: str) -> dict[str, int]:
        """Count the rows that a destination has not named, by class."""
        if len(self._destinations) == 1:
            return {name: self.rows_by_class[name] for name in CLASSES}
        return {name: self._waiting[destination, name] for name in CLASSES}

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
        for destination, cursors in self._cursors.items():
            for name, where in _OF_CLASS.items():
                upto, left = cursors[name]
                self._waiting[destination, name] = (
                    self._db.execute(
                        f"SELECT count(*) FROM outbox WHERE {where} AND (id > ?"
                        f" OR id IN ({_placeholders('?', len(left))}))",
                        [upto, *left],
                    ).get
                    if upto
                    else self.rows_by_class[name]
                )

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
            for start in range(0, len(keys), ROWS_A_STATEMENT):
                part = keys[start : start + ROWS_A_STATEMENT]
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
            for start in range(0, len(ledger), ROWS_A_STATEMENT):
                rows = ledger[start : start + ROWS_A_STATEMENT]
                self._db.execute(
                    "INSERT OR REPLACE INTO messages VALUES "
                    + _placeholders("(?,?,?,?,?,?,?)", len(rows)),
                    [cell for row in rows for cell in (*row, row_sum(*row))],
                )
                texts = bodies[start : start + ROWS_A_STATEMENT]
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
        self._more_wait("telemetry", len(ledger))

    def _more_wait(self, name: str, rows: int) -> None:
        self._change[name] += rows
        self._waiting_change.update({(d, name): rows for d in self._destinations})

    def put(self, kind: str, body: bytes, protected: bool) -> None:
        """Add one row to the outbox."""
        self._new_id += 1
        number, check = self._new_id, outbox_sum(self._new_id, protected, kind, body)
        with named(self.path):
            self._db.execute(
                "INSERT INTO outbox (id, protected, kind, body, sum) VALUES (?, ?, ?, ?, ?)",
                (number, int(protected), kind, body, check),
            )
        self._more_wait(_class(protected), 1)

    def strike_out(
        self, ids: Sequence[int], protected: bool, destination: str | None = None
    ) -> None:
        """A destination has named rows of a class; delete those that all have named."""
        for start in range(0, len(ids), 256):
            part = ids[start : start + 256]
            if len(self._destinations) > 1:
                part = self._name(part, _class(protected), destination or self._destinations[0])
            with named(self.path):
                self._db.execute(
                    f"DELETE FROM outbox WHERE id IN ({_placeholders('?', len(part))})", part
                )
                self._change[_class(protected)] -= self._db.changes()

    def _name(self, ids: Sequence[int], name: str, destination: str) -> list[int]:
        """Move a destination's cursor over rows; return those that nobody waits for any more."""
        before = self._new_cursors[destination][name]
        there = self._numbers(f"id IN ({_placeholders('?', len(ids))})", ids)
        between = self._numbers(
            f"{_OF_CLASS[name]} AND id > ? AND id <= ?", (before.upto, max(ids))
        )
        after = before.after(ids, between)
        self._waiting_change[destination, name] -= sum(map(before.waits, there))
        cursors = self._new_cursors[destination] = {
            **self._new_cursors[destination],
            name: after,
        }
        self.set_state(SENT_STATE + destination, as_text(cursors))
        everyone = [cursors[name] for cursors in self._new_cursors.values()]
        return [n for n in ids if not any(cursor.waits(n) for cursor in everyone)]

    def _numbers(self, where: str, cells: Sequence[int]) -> list[int]:
        """Return the numbers of rows of the outbox."""
        with named(self.path):
            found = self._db.execute(f"SELECT id FROM outbox WHERE {where}", cells)
            return [int(number or 0) for (number,) in found]

    def _fewer_wait(self, name: str, ids: Sequence[int]) -> Counter[str]:
        """Rows leave although somebody waits for them: count for whom."""
        lost: Counter[str] = Counter()
        for destination, cursors in self._new_cursors.items():
            lost[destination] = sum(map(cursors[name].waits, ids))
            self._waiting_change[destination, name] -= lost[destination]
        return lost

    def put_aside(
        self,
        refusals: Iterable[tuple[int, str, str]],
        protected: bool,
        destination: str | None = None,
    ) -> None:
        """Keep rows that a destination refused; for it they are out of the outbox.

        Each is (id, code, detail).
        """
        refused = list(refusals)
        where = f" ({destination})" if len(self._destinations) > 1 and destination else ""
        for number, code, detail in refused:
            self._keep_aside(number, code, detail + where)
        self.strike_out([number for number, *_ in refused], protected, destination)

    def put_damaged_aside(self, damages: Iterable[tuple[int, str, str]], protected: bool) -> None:
        """Take rows that have changed on the disk out of the outbox; bodies stay as they are."""
        ids = [number for number, *why in damages if self._keep_aside(number, *why)]
        self._fewer_wait(_class(protected), ids)
        with named(self.path):
            for number in ids:
                self._db.execute("DELETE FROM outbox WHERE id = ?", (number,))
                self._change[_class(protected)] -= self._db.changes()

    def _keep_aside(self, number: int, code: str, detail: str) -> bool:
        """Copy a row to those set aside; a second refusal is added to the first one's words."""
        with named(self.path):
            found = self._db.execute(f"{TABLES['outbox'].select()} WHERE id = ?", (number,)).get
            if found is None:
                return False
            earlier = self._db.execute(
                "SELECT CAST(code AS BLOB), CAST(detail AS BLOB) FROM set_aside WHERE id = ?",
                (number,),
            ).get
            if earlier is not None and len(self._destinations) > 1:
                code, detail = _text(earlier[0]), f"{_text(earlier[1])}; {code}: {detail}"
            _, is_protected, kind, body, _ = found
            now = int(time.time())
            row = (
                *(number, now, int(bool(is_protected)), _text(kind)),
                *(code, detail, body or b""),
            )
            self._db.execute(
                "INSERT OR REPLACE INTO set_aside VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, row_sum(*row)),
            )
        self._change["set_aside"] += earlier is None
        return True

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
            upto = _sound_state(self._db, of_file=True).get("latest_upto", "0")
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

    def drop_telemetry(self, rows: int) -> tuple[int, Counter[str]]:
        """Drop the oldest telemetry, set-aside first.

        Returns how many rows went, and how many of them each destination never got; under no
        name where there is one destination only, or where all had refused them.
        """
        with named(self.path):
            self._db.execute(
                "DELETE FROM set_aside WHERE id IN (SELECT id FROM set_aside"
                " WHERE kind IN ('readings', 'refused', 'node') ORDER BY id LIMIT ?)",
                (rows,),
            )
            aside = self._db.changes()
            ids = self._numbers("NOT protected ORDER BY id LIMIT ?", [rows - aside])
            for start in range(0, len(ids), 256):
                part = ids[start : start + 256]
                self._db.execute(
                    f"DELETE FROM outbox WHERE id IN ({_placeholders('?', len(part))})", part
                )
        self._change["set_aside"] -= aside
        self._change["telemetry"] -= len(ids)
        lost = +self._fewer_wait("telemetry", ids)
        gone = aside + len(ids)
        return gone, lost if len(self._destinations) > 1 and lost else Counter({"": gone})

    # reading, from any one thread at a time

    def _reader(self) -> apsw.Connection:
        if self._reading is None:
            self._reading = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READONLY)
            self._reading.set_busy_timeout(2000)
        return self._reading

    def rows(
        self, protected: bool, most_rows: int, most_bytes: int, destination: str | None = None
    ) -> list[Row]:
        """Return the oldest rows of a class that a destination has not named.

        At most so many and, after the first, so long.
        """
        found: list[Row] = []
        size = 0
        upto, left = self._cursor(_class(protected), destination)
        where = f"{TABLES['outbox'].select()} WHERE {_OF_CLASS[_class(protected)]}"
        with named(self.path):
            for condition, cells in (
                (f"id IN ({_placeholders('?', len(left))})", sorted(left)),
                ("id > ?", [upto]),
            ):
                if not cells or len(found) >= most_rows:
                    continue
                for row in self._reader().execute(
                    f"{where} AND {condition} ORDER BY id LIMIT ?",
                    [*cells, most_rows - len(found)],
                ):
                    is_sound = TABLES["outbox"].readable(row) is not None
                    number, _, kind, body, _ = row
                    size += len(body) + 24 if is_sound else 0
                    if found and size > most_bytes:
                        return found
                    found.append(Row(number, _text(kind), body or b"", is_sound))
        return found

    def has_protected(self, kind: str, destination: str | None = None) -> bool:
        """Say whether there is a protected row of a kind that a destination has not named."""
        upto, left = self._cursor("protected", destination)
        with named(self.path):
            return bool(
                self._reader()
                .execute(
                    "SELECT EXISTS (SELECT 1 FROM outbox WHERE protected AND kind = ?"
                    f" AND (id > ? OR id IN ({_placeholders('?', len(left))})))",
                    [kind, upto, *left],
                )
                .get
            )

    def _cursor(self, name: str, destination: str | None) -> Cursor:
        """How far a destination is; where there is one, every row that is there waits for it."""
        if len(self._destinations) == 1:
            return Cursor()
        return self._cursors[destination or self._destinations[0]][name]

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


def _sound_state(db: apsw.Connection, of_file: bool = False) -> dict[str, str]:
    """Return the sound entries of both copies; ``of_file``: those that belong to the file."""
    found: dict[str, str] = {}
    for table in (TABLES["state_again"], TABLES["state"]):
        for key, value, _ in filter(None, map(table.readable, db.execute(table.select()))):
            if is_own(key) == of_file:
                found[key] = value
    return found
