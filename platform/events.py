"""The append-only stream below both halves of the platform: what happened, in the order recorded.

An event is never changed and never deleted; SQL triggers refuse both (see the first migration).
A correction is a new event. ``number`` is the place in the stream, ``id`` makes appending twice
harmless: the same event again is the same row, another event under the same id is an error.

Every event enters the log that strangers can check (``nongso.platform.traceability.proof``) and
the index by which EPCIS is asked (``nongso.platform.traceability.epcis``) in the transaction that
appends it. Who writes rows here in another way calls ``enter``.
"""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache
from importlib import import_module
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from nongso.platform.people import Cooperative
from nongso.platform.store import Base, at_end


class Event(Base):
    """One thing that happened. ``at`` is when it happened, ``recorded_at`` when we heard of it."""

    __tablename__ = "event"
    __table_args__ = (
        Index("ix_event_cooperative_type_number", "cooperative", "type", "number"),
        {"sqlite_autoincrement": True},  # a number is never given twice
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    type: Mapped[str]
    at: Mapped[int] = mapped_column(index=True)
    recorded_at: Mapped[int]
    actor: Mapped[str]
    cooperative: Mapped[str | None] = mapped_column(ForeignKey(Cooperative.slug))
    body: Mapped[dict[str, Any]] = mapped_column(JSON)


class EventSubject(Base):
    """What an event is about: ``greenhouse:tan-binh-1``, ``lot:K7M4``. An event may have many."""

    __tablename__ = "event_subject"

    subject: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(ForeignKey("event.number"), primary_key=True)


class EventConflict(Exception):
    """An event with this id but other contents is already in the stream."""


def append(
    session: Session,
    *,
    id: str,  # noqa: A002
    type: str,  # noqa: A002
    at: int,
    actor: str,
    cooperative: str | None,
    body: dict[str, Any],
    subjects: Iterable[str] = (),
    told_at: bool = True,
) -> Event:
    """Append an event, inside the caller's ``transaction()``, and return it with its number.

    ``actor`` is a person's id or ``gateway:<slug>``. Appending the same event again returns the
    one that is there. Raises ``EventConflict`` when the id is taken by another event. ``told_at``
    is false where ``at`` is the server's own clock: sent again, the event keeps its first time.
    """
    there = session.scalar(select(Event).where(Event.id == id))
    if there is not None:
        same = (there.type, there.actor, there.cooperative, there.body)
        if same != (type, actor, cooperative, body) or (told_at and there.at != at):
            raise EventConflict(f"event {id} is already recorded with other contents")
        return there
    event = Event(
        id=id,
        type=type,
        at=at,
        recorded_at=int(time.time()),
        actor=actor,
        cooperative=cooperative,
        body=body,
    )
    session.add(event)
    session.flush()
    session.add_all(EventSubject(subject=s, number=event.number) for s in sorted(set(subjects)))
    session.flush()
    enter(session)
    return event


def enter(session: Session) -> None:
    """Let what was appended enter log and index in this transaction; ``append`` does that."""
    for deed in _followers():
        at_end(session, deed)


@cache
def _followers() -> tuple[Callable[[Session], object], ...]:
    """Who reads the stream as it grows, by name: the ground imports no room."""
    rooms = (
        ("nongso.platform.traceability.proof.keeping", "append_new"),
        ("nongso.platform.traceability.epcis.indexing", "index_new"),
    )
    return tuple(getattr(import_module(module), name) for module, name in rooms)


def read(
    session: Session,
    *,
    subject: str | None = None,
    type: str | Collection[str] | None = None,  # noqa: A002
    cooperative: str | None = None,
    after: int = 0,
    limit: int = 1000,
) -> Sequence[Event]:
    """Return events in stream order, of one type or of several, behind number ``after``."""
    wanted = select(Event).where(Event.number > after).order_by(Event.number).limit(limit)
    if subject is not None:
        wanted = wanted.join(EventSubject, EventSubject.number == Event.number).where(
            EventSubject.subject == subject
        )
    if type is not None:
        types = [type] if isinstance(type, str) else type
        wanted = wanted.where(Event.type.in_(types))
    if cooperative is not None:
        wanted = wanted.where(Event.cooperative == cooperative)
    return session.scalars(wanted).all()


def subjects_of(session: Session, number: int) -> list[str]:
    """Return what an event is about."""
    return list(
        session.scalars(
            select(EventSubject.subject)
            .where(EventSubject.number == number)
            .order_by(EventSubject.subject)
        )
    )
