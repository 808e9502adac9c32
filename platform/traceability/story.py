"""A packed lot's story, as values: what a page tells and on whose word each thing stands.

Read from the events behind the lot, oldest first. Nothing here is written as text; the
pages, the linkset and later the offline proof say the same thing in their own ways.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.events import Event, EventSubject
from nongso.platform.traceability import lots
from nongso.platform.traceability.epcis import shaping
from nongso.platform.traceability.identifiers import lot_of
from nongso.platform.traceability.records import (
    CROP,
    NOODLES,
    PACKS,
    PLANTING,
    ROOTS,
    STARCH,
    Lot,
    Producer,
    Product,
)
from nongso.platform.traceability.trace import trace

STATED, WEIGHED, MEASURED = "stated", "weighed", "measured"


@dataclass(frozen=True)
class Step:
    """One step of the way: what (a word of this module), from when to when, on whose word.

    ``grams`` is what was weighed then, of which this lot may have got a part only; ``None``
    where nobody weighed.
    """

    what: str  # planted, lifted, weighed_in, harvested, starch, noodles, packed
    since: datetime.date
    until: datetime.date
    stated: str
    grams: int | None
    lots: int
    households: int = 0


@dataclass(frozen=True)
class Grown:
    """One harvest from a greenhouse with what the sensors measured until then.

    ``record`` is what was sealed into the harvest's event, ``None`` when nothing was measured.
    """

    crop: str
    greenhouse: str
    planted: datetime.date
    harvested: datetime.date
    record: dict[str, Any] | None


@dataclass(frozen=True)
class Story:
    """All that is told of a packed lot."""

    lot: Lot
    product: Product
    producer: Producer
    packed_on: datetime.date
    best_before: datetime.date
    steps: tuple[Step, ...]
    grown: tuple[Grown, ...]
    households: int  # that gave roots
    communes: tuple[str, ...]  # where the roots grew: "xã Bình Lư, tỉnh Lai Châu"
    lifted: tuple[datetime.date, datetime.date] | None
    recorded_at: int  # when the newest of its events was recorded


def _day(at: int) -> datetime.date:
    return datetime.date.fromisoformat(shaping.day_of(at))


def _span(events: Sequence[Event]) -> tuple[datetime.date, datetime.date]:
    days = [_day(event.at) for event in events]
    return min(days), max(days)


def _events_of(session: Session, codes: Sequence[str]) -> list[Event]:
    """The events that brought about, received or changed these lots, in stream order."""
    found: dict[int, Event] = {}
    for at in range(0, len(codes), 500):
        subjects = [f"lot:{code}" for code in codes[at : at + 500]]
        wanted = (
            select(Event)
            .join(EventSubject, EventSubject.number == Event.number)
            .where(EventSubject.subject.in_(subjects), Event.type.in_(lots.TYPES))
        )
        found |= {event.number: event for event in session.scalars(wanted)}
    return [found[number] for number in sorted(found)]


def tell(session: Session, lot: Lot) -> Story | None:
    """The story of a lot; ``None`` for a lot that was never packed, which is nobody's to read."""
    if lot.kind != PACKS or lot.product is None or lot.best_before is None:
        return None
    tree = trace(session, lot, "back")
    behind: dict[str, list[Lot]] = {}
    for found in tree.lots:
        behind.setdefault(found.lot.kind, []).append(found.lot)
    events = _events_of(session, [found.lot.code for found in tree.lots])
    born = {event.number: event for event in events}
    made = {kind: [born[one.born_number] for one in found] for kind, found in behind.items()}
    codes = {one.code for one in behind.get(ROOTS, [])}
    received = [
        event
        for event in events
        if event.type == lots.RECEIVED
        and lot_of(event.body["quantityList"][0]["epcClass"]) in codes
    ]
    steps = _steps(behind, made, received)
    roots = behind.get(ROOTS, [])
    places = dict.fromkeys(
        f"{one.place.commune}, {one.place.province}" for one in roots if one.place is not None
    )
    return Story(
        lot=lot,
        product=lot.product,
        producer=lot.product.producer,
        packed_on=_day(lot.at),
        best_before=datetime.date.fromisoformat(lot.best_before),
        steps=tuple(steps),
        grown=tuple(_grown(behind, born)),
        households=len({one.producer_id for one in roots}),
        communes=tuple(places),
        lifted=_span(made[ROOTS]) if roots else None,
        recorded_at=max(event.recorded_at for event in events),
    )


def _steps(
    behind: dict[str, list[Lot]], made: dict[str, list[Event]], received: list[Event]
) -> list[Step]:
    """The way of the lot in the order in which such things happen."""

    def step(
        kind: str, what: str, stated: str, of: Sequence[Event], weighed: bool = True
    ) -> list[Step]:
        found = behind.get(kind, [])
        if not found or not of:
            return []
        grams = sum(one.made_grams or 0 for one in found) if weighed else None
        households = len({one.producer_id for one in found}) if kind == ROOTS else 0
        return [Step(what, *_span(of), stated, grams, len(found), households)]

    return [
        *step(PLANTING, "planted", STATED, made.get(PLANTING, []), weighed=False),
        *step(CROP, "harvested", WEIGHED, made.get(CROP, [])),
        *step(ROOTS, "lifted", STATED, made.get(ROOTS, []), weighed=False),
        *step(ROOTS, "weighed_in", WEIGHED, received),
        *step(STARCH, "starch", WEIGHED, made.get(STARCH, [])),
        *step(NOODLES, "noodles", WEIGHED, made.get(NOODLES, [])),
        *step(PACKS, "packed", STATED, made.get(PACKS, []), weighed=False),
    ]


def _grown(behind: dict[str, list[Lot]], born: dict[int, Event]) -> list[Grown]:
    """Harvests that came from a planting in a greenhouse, and from nothing else."""
    plantings = {one.code: one for one in behind.get(PLANTING, [])}
    found = []
    for crop in behind.get(CROP, []):
        event = born[crop.born_number]
        planting = plantings.get(lot_of(event.body.get("nongso:grownFrom", "")))
        if planting is None or planting.place is None:
            continue
        found.append(
            Grown(
                crop=crop.name,
                greenhouse=planting.place.name,
                planted=_day(planting.at),
                harvested=_day(crop.at),
                record=event.body.get("nongso:growingRecord"),
            )
        )
    return found
