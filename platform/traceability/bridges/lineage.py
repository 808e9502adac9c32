"""The events behind a lot: what brought it and its sources about, oldest first.

Only the way up to the lot: what became of the same sources elsewhere, and who bought what, is
nobody else's to read.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.events import Event, EventSubject
from nongso.platform.traceability import lots
from nongso.platform.traceability.epcis.indexing import event_of
from nongso.platform.traceability.records import Lot
from nongso.platform.traceability.tracing.trace import trace

_AT_ONCE = 500
CAME_IN = (lots.RECEIVED, lots.HARVESTED)


def sources(session: Session, lot: Lot) -> list[Lot]:
    """The lot and everything that it was made of, nearest first."""
    return [found.lot for found in trace(session, lot, "back").lots]


def lineage(
    session: Session, lot: Lot, behind: Sequence[Lot]
) -> list[tuple[Event, Mapping[str, Any]]]:
    """Every event that brought about the lot or one of its ``sources``, with its EPCIS shape."""
    numbers = {one.born_number for one in behind}
    found: dict[int, Event] = {}
    codes = [one.code for one in behind]
    for at in range(0, len(codes), _AT_ONCE):
        subjects = [f"lot:{code}" for code in codes[at : at + _AT_ONCE]]
        wanted = (
            select(Event)
            .join(EventSubject, EventSubject.number == Event.number)
            .where(
                EventSubject.subject.in_(subjects),
                Event.cooperative == lot.cooperative,
                Event.type.in_(lots.TYPES),
            )
        )
        for event in session.scalars(wanted):
            if event.number in numbers or event.type in CAME_IN:
                found[event.number] = event
    events = [found[number] for number in sorted(found)]
    shaped = [(event, event_of(event.type, event.body)) for event in events]
    return [(event, body) for event, body in shaped if body is not None]
