"""The tables of EPCIS: what others sent, word for word, and the index by which events are found.

``epcis_received`` only grows; the database refuses anything else. The index (``epcis_event``,
``epcis_term``, ``epcis_flow``, ``epcis_lot_name``) follows from the stream of events and can be
made again from it (``indexing.remake``). Jobs of capture and named queries stand here alone.

Times are milliseconds since 1970, because EPCIS has them.
"""

import hashlib
import json
from typing import Any, cast

from sqlalchemy import JSON, ForeignKey, Index, Table, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from nongso.platform.store import Base

CAPTURED = "epcis.captured"  # type in the stream of an event that another system sent
DIGEST = "nongso:receivedSha256"  # in the stream beside a captured event: of its text as sent
CONTEXT_DIGEST = "nongso:contextSha256"  # and of the context of its document, since it is there
OWN_NAMES = (DIGEST, CONTEXT_DIGEST)

EPC_NAMES = "epcs"  # things and classes of things, among the public names
PUBLIC_COLUMNS = ("kind", "biz_step", "disposition")


def context_digest(context: Any) -> str:
    """The digest of a document's context, the same in whichever order its names are kept."""
    return hashlib.sha256(json.dumps(context, sort_keys=True).encode()).hexdigest()


def table(of: type[Base]) -> Table:
    """Return the bare table: many rows go in five times as fast as through the mapper."""
    return cast(Table, of.__table__)


class Received(Base):
    """An event as somebody sent it: its text to the letter, and the context of its document."""

    __tablename__ = "epcis_received"

    number: Mapped[int] = mapped_column(
        ForeignKey("event.number"), primary_key=True, autoincrement=False
    )
    text: Mapped[str]
    context: Mapped[Any] = mapped_column(JSON)


class Indexed(Base):
    """An EPCIS event: one of our own or a captured one (``is_foreign``).

    ``event_id`` is the event's name, for an own event too. ``content`` is the event hash: what it
    says, whatever it is called. ``error_name`` is empty, or tells apart the declarations that
    the event was wrong; such a declaration is the same event again, under the same name.
    ``sender`` is the account that captured it, empty for our own. ``stands`` is false for what its
    own sender has declared wrong, and for the declarations.
    ``is_public`` is an event of our own about a packed lot: strangers may be told of it.
    """

    __tablename__ = "epcis_event"
    __table_args__ = (
        UniqueConstraint("cooperative", "event_id", "error_name"),
        Index("ix_epcis_event_at", "cooperative", "at_ms", "event_id"),
        Index("ix_epcis_event_recorded", "cooperative", "recorded_ms", "event_id"),
        Index("ix_epcis_event_event_id", "event_id"),
        Index("ix_epcis_event_content", "content"),
        Index("ix_epcis_event_public_at", "is_public", "at_ms", "event_id"),
        Index("ix_epcis_event_public_recorded", "is_public", "recorded_ms", "event_id"),
        Index("ix_epcis_event_biz_step", "biz_step", "at_ms"),
        Index("ix_epcis_event_public_step", "is_public", "biz_step", "at_ms", "event_id"),
        Index("ix_epcis_event_read_point", "read_point"),
        Index("ix_epcis_event_biz_location", "biz_location"),
    )

    number: Mapped[int] = mapped_column(
        ForeignKey("event.number"), primary_key=True, autoincrement=False
    )
    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"))
    event_id: Mapped[str]
    error_name: Mapped[str]
    content: Mapped[str]
    is_foreign: Mapped[bool]
    is_public: Mapped[bool]
    sender: Mapped[str]
    stands: Mapped[bool]
    kind: Mapped[str]
    at_ms: Mapped[int]
    recorded_ms: Mapped[int]
    action: Mapped[str | None]
    biz_step: Mapped[str | None]
    disposition: Mapped[str | None]
    read_point: Mapped[str | None]
    biz_location: Mapped[str | None]
    error_ms: Mapped[int | None]


class Term(Base):
    """A value of an event by which it can be found; ``amount`` where it is a number or a time."""

    __tablename__ = "epcis_term"
    __table_args__ = (
        Index("ix_epcis_term_value", "field", "value", "number"),
        Index("ix_epcis_term_amount", "field", "amount"),
    )

    number: Mapped[int] = mapped_column(ForeignKey("epcis_event.number"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)  # which of the event's values
    field: Mapped[str]
    value: Mapped[str]
    amount: Mapped[float | None]


class PublicName(Base):
    """What stands in public events: the lists of strangers, each value once, however often.

    ``thing`` is a column of the index (``kind``, ``biz_step``, ``disposition``) or ``EPC_NAMES``.
    """

    __tablename__ = "epcis_public_name"

    thing: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)


class Flow(Base):
    """What went from one thing into another: made of it (``made``), or put into it (``packed``).

    ``number`` is the event that names the target. ``source`` and ``target`` are identifiers in
    the form by which they are compared (``same_name.same_form``). ``quantity`` is how much of
    the source, ``None`` where the events do not say it or it went into several things.
    """

    __tablename__ = "epcis_flow"
    __table_args__ = (
        Index("ix_epcis_flow_source", "source"),
        Index("ix_epcis_flow_target", "target"),
        Index("ix_epcis_flow_source_number", "source_number"),
    )

    number: Mapped[int] = mapped_column(ForeignKey("epcis_event.number"), primary_key=True)
    source_number: Mapped[int] = mapped_column(ForeignKey("epcis_event.number"), primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    target: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    quantity: Mapped[float | None]
    uom: Mapped[str | None]
    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"))
    is_foreign: Mapped[bool]


class LotName(Base):
    """What a name in events may be: a lot of ours (``kind`` ``lot``) or a pack of it (``pack``).

    ``key`` is the lot's code or the pack's serial, ``gtin`` or ``host`` under what the name says
    so (``lot_names.Clue``); ``lot`` is which lot it is, ``None`` while the books know of none.
    """

    __tablename__ = "epcis_lot_name"
    __table_args__ = (
        Index("ix_epcis_lot_name_lot", "lot"),
        Index("ix_epcis_lot_name_key", "kind", "key"),
        Index("ix_epcis_lot_name_gtin", "gtin"),
    )

    name: Mapped[str] = mapped_column(primary_key=True)  # as in Term and Flow
    kind: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    gtin: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str] = mapped_column(primary_key=True)
    lot: Mapped[str | None]


class Reached(Base):
    """How far of the stream the index has read. One row."""

    __tablename__ = "epcis_reached"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int]


class Job(Base):
    """A job of capture: it is over when it can be asked for."""

    __tablename__ = "epcis_job"
    __table_args__ = (Index("ix_epcis_job_created", "cooperative", "created_ms"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"))
    actor: Mapped[str]
    created_ms: Mapped[int]
    finished_ms: Mapped[int]
    behaviour: Mapped[str]  # rollback, proceed
    success: Mapped[bool]
    events: Mapped[int]
    captured: Mapped[int]
    errors: Mapped[list[Any]] = mapped_column(JSON)


class NamedQuery(Base):
    """A query that somebody gave a name."""

    __tablename__ = "epcis_query"

    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    created_ms: Mapped[int]
    actor: Mapped[str]
    query: Mapped[dict[str, Any]] = mapped_column(JSON)
