"""The tables of the log.

``log_entry`` and ``log_checkpoint`` only grow; the database refuses anything else. ``log_tile``
holds the hashes as tiles, so that a proof reads some of them and never all entries. A salt stands
apart from the event that it belongs to and can be deleted: then what it hid can be guessed by
nobody, and every proof stays whole.
"""

from sqlalchemy import JSON, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from nongso.platform.store import Base

EVENT, ERASURE, KEY = "event", "erasure", "key"


class LogEntry(Base):
    """One entry; ``number`` is its place from 0 on. ``event_number``: the event that it seals."""

    __tablename__ = "log_entry"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    event_number: Mapped[int | None] = mapped_column(unique=True)
    entry: Mapped[bytes] = mapped_column(LargeBinary)


class LogTile(Base):
    """Up to 256 hashes of a level, one behind the other. The last of a level still grows."""

    __tablename__ = "log_tile"

    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hashes: Mapped[bytes] = mapped_column(LargeBinary)


class LogSalt(Base):
    """The salts of an event's private fields, by path."""

    __tablename__ = "log_salt"

    event_number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    salts: Mapped[dict[str, str]] = mapped_column(JSON)


class LogErasure(Base):
    """A field whose salt was deleted, and the entry of the log that says so."""

    __tablename__ = "log_erasure"

    event_number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    path: Mapped[str] = mapped_column(primary_key=True)
    entry_number: Mapped[int]


class LogCheckpoint(Base):
    """A signed checkpoint: its text and the log's own signatures, as a note."""

    __tablename__ = "log_checkpoint"

    size: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    signed_at: Mapped[int]
    note: Mapped[str]


class LogCosignature(Base):
    """Signatures of a witness, or of the log's own clock, below a checkpoint.

    The first one says since when the log was so, the newest that it still is; they may be one.
    """

    __tablename__ = "log_cosignature"

    size: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    vkey: Mapped[str] = mapped_column(primary_key=True)
    first_at: Mapped[int]
    first_line: Mapped[str]
    at: Mapped[int]
    line: Mapped[str]


class LogKey(Base):
    """A key of the log: ``log`` signs checkpoints, ``clock`` says when. ``since`` is a size."""

    __tablename__ = "log_key"

    vkey: Mapped[str] = mapped_column(primary_key=True)
    sort: Mapped[str]
    since: Mapped[int]
    added_at: Mapped[int]
    replaced_at: Mapped[int | None]


class LogWitness(Base):
    """Somebody else whose cosignatures are taken and shown."""

    __tablename__ = "log_witness"

    vkey: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]  # for people: "Hợp tác xã Hiệp Lực"
    added_at: Mapped[int]


class LogSigner(Base):
    """The one row in which the signer says that it lives, or what keeps it from signing."""

    __tablename__ = "log_signer"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seen_at: Mapped[int]
    trouble: Mapped[str]
