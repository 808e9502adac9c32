"""The tables of the gateway's store and the checksums of their rows. Opens no file.

``messages`` is the ledger, one row for each (node, boot, seq) ever accepted. ``outbox`` holds
what the platform has not named yet. ``set_aside`` holds what the platform refused or what was
found damaged, ``refused`` what the gateway refused, as it came. ``latest`` is written before rows
leave the outbox, so that the newest value of each series survives a restart. ``state`` is kept
twice, in pages that lie apart: it holds what people have set.

Every row carries a checksum (``sum``, CRC-32) over all its cells: SQLite's own check at the start
finds broken structure, but not a flipped bit within a value. Texts are read as bytes
(``CAST … AS BLOB``), because a flipped bit can make them no text at all.
"""

import functools
import zlib
from typing import Any, NamedTuple

import apsw

APPLICATION_ID = 0x6E6F6E67  # "nong"
SCHEMA_VERSION = 2
PAGE_BYTES = 4096
LARGEST_ID = 1 << 53  # of a row: JSON numbers hold no larger ones exactly
OWN_STATE = ("store_id", "latest_upto", "tried_at")
SENT_STATE = "sent:"  # and a destination's id: how far it has named the rows

SCHEMA = """
CREATE TABLE messages (
    node INTEGER, boot INTEGER, seq INTEGER, digest INTEGER NOT NULL, base INTEGER,
    at INTEGER NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY (node, boot, seq)
) WITHOUT ROWID;
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, protected INTEGER NOT NULL, kind TEXT NOT NULL,
    body BLOB NOT NULL, sum INTEGER NOT NULL
);
CREATE INDEX outbox_protected ON outbox (id) WHERE protected;
CREATE TABLE set_aside (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, protected INTEGER NOT NULL, kind TEXT NOT NULL,
    code TEXT NOT NULL, detail TEXT NOT NULL, body BLOB NOT NULL, sum INTEGER NOT NULL
);
CREATE TABLE refused (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, topic TEXT NOT NULL, node TEXT,
    boot INTEGER, seq INTEGER, code TEXT NOT NULL, detail TEXT NOT NULL, raw BLOB NOT NULL,
    sum INTEGER NOT NULL, UNIQUE (node, boot, seq, code)
);
CREATE TABLE commands (
    id TEXT PRIMARY KEY, at INTEGER NOT NULL, sum INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE state (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, sum INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE latest (
    node TEXT, name TEXT, at INTEGER NOT NULL, value REAL, mark INTEGER NOT NULL,
    sum INTEGER NOT NULL, PRIMARY KEY (node, name)
) WITHOUT ROWID;
CREATE TABLE state_again (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, sum INTEGER NOT NULL
) WITHOUT ROWID;
"""


def is_own(key: str) -> bool:
    """Say whether an entry of the small state belongs to the file, not to the rooms."""
    return key in OWN_STATE or key.startswith(SENT_STATE)


Cells = tuple[Any, ...]
_OUTBOX_TYPES = (int, int, str, bytes)


class Table(NamedTuple):
    """How a table is read whatever has happened to it: texts as bytes, the checksum last."""

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]  # without the checksum
    texts: frozenset[str]
    blobs: frozenset[str]
    is_old: bool = False  # of version 1: commands without checksum, another one in the outbox

    @property
    def is_numbered(self) -> bool:
        """Say whether rows are found by a number; else the table is kept as its key's index."""
        return self.key == ("id",) and "id" not in self.texts

    def select(self) -> str:
        """Return the SELECT of all columns and the checksum, without WHERE."""
        as_bytes = self.texts | self.blobs
        wanted = [f"CAST({c} AS BLOB)" if c in as_bytes else c for c in self.columns]
        check = "NULL" if self.is_old and self.name == "commands" else "sum"
        return f"SELECT {', '.join(wanted)}, {check} FROM {self.name}"

    def insert(self) -> str:
        """Return the INSERT of such a row; what is there already stays."""
        return (
            f"INSERT OR IGNORE INTO {self.name} ({', '.join(self.columns)}, sum)"
            f" VALUES ({', '.join('?' * (len(self.columns) + 1))})"
        )

    def readable(self, found: Cells) -> Cells | None:
        """Return the cells as they were written and their checksum; ``None`` for a changed row."""
        try:
            cells = tuple(
                cell.decode() if column in self.texts and isinstance(cell, bytes) else cell
                for column, cell in zip(self.columns, found[:-1], strict=True)
            )
            check = self.sum(cells)
            return (*cells, check) if self._written(cells, check) == found[-1] else None
        except (UnicodeDecodeError, TypeError, AttributeError):  # another type than was written
            return None

    def sum(self, cells: Cells) -> int:
        """Return the checksum of a row."""
        if self.name != "outbox":
            return row_sum(*cells)
        if not all(type(cell) is kind for cell, kind in zip(cells, _OUTBOX_TYPES, strict=True)):
            raise TypeError("another type than was written")
        return outbox_sum(*cells)

    def _written(self, cells: Cells, check: int) -> int | None:
        if self.is_old and self.name == "commands":
            return None
        return zlib.crc32(cells[-1]) if self.is_old and self.name == "outbox" else check


def outbox_sum(number: int, protected: int, kind: str, body: bytes) -> int:
    """Return the checksum of a row of the outbox."""
    head = f"{number} {int(protected)} {kind} "
    return zlib.crc32(body, zlib.crc32(head.encode()))


def row_sum(*cells: object) -> int:
    """Return the checksum of a row of any other table."""
    return zlib.crc32(repr(cells).encode())


def _table(name: str, key: str, columns: str, texts: str, blobs: str = "") -> Table:
    parts = (tuple(key.split()), tuple(columns.split()), frozenset(texts.split()))
    return Table(name, *parts, frozenset(blobs.split()))


TABLES = {  # the needed ones first
    table.name: table
    for table in (
        _table("state", "key", "key value", "key value"),
        _table("state_again", "key", "key value", "key value"),
        _table("commands", "id", "id at", "id"),
        _table("outbox", "id", "id protected kind body", "kind", "body"),
        _table("latest", "node name", "node name at value mark", "node name"),
        _table(
            "set_aside", "id", "id at protected kind code detail body", "kind code detail", "body"
        ),
        _table(
            "refused",
            "id",
            "id at topic node boot seq code detail raw",
            "topic node code detail",
            "raw",
        ),
        _table("messages", "node boot seq", "node boot seq digest base at", ""),
    )
}
OLD_TABLES = {
    name: TABLES[name]._replace(is_old=True) for name in ("state", "commands", "outbox", "latest")
}


def schema_of(db: apsw.Connection) -> list[Cells]:
    """Return the description of all tables in a file."""
    return list(
        db.execute(
            "SELECT CAST(type AS BLOB), CAST(name AS BLOB), CAST(tbl_name AS BLOB), rootpage,"
            " CAST(sql AS BLOB) FROM sqlite_schema ORDER BY rowid"
        )
    )


@functools.cache
def _example() -> tuple[list[Cells], bytes]:
    """A new store's description of its tables, and its bytes."""
    db = apsw.Connection(":memory:")
    try:
        db.pragma("page_size", PAGE_BYTES)
        db.execute(SCHEMA)
        db.pragma("application_id", APPLICATION_ID)
        db.pragma("user_version", SCHEMA_VERSION)
        return schema_of(db), db.serialize("main")
    finally:
        db.close()


def written_schema() -> list[Cells]:
    """Return the description of all tables as a store of this version has it."""
    return _example()[0]


def first_page(file_bytes: int) -> bytes:
    """Return the first page of a store, made for a file of some length.

    Header fields as in https://sqlite.org/fileformat.html, section 1.3.
    """
    page = bytearray(_example()[1][:PAGE_BYTES])
    page[18:20] = b"\x02\x02"  # there may be a write-ahead log
    page[24:28] = page[92:96]  # the size below is valid
    page[28:32] = (file_bytes // PAGE_BYTES).to_bytes(4, "big")
    page[32:40] = bytes(8)  # no free pages
    return bytes(page)
