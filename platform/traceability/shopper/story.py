"""A packed lot's story, as values: what a page tells and on whose word each thing stands.

Read from the events behind the lot, oldest first. Nothing here is written as text; the
pages, the linkset and the offline proof say the same thing in their own ways. ``way`` makes the
steps; this module gathers what they are made of.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.events import Event, EventSubject
from nongso.platform.languages import day_of
from nongso.platform.traceability import lots
from nongso.platform.traceability.identifiers import lot_of
from nongso.platform.traceability.making.recipe_book import recipes
from nongso.platform.traceability.records import CROP, PACKS, PLANTING, Lot, Product
from nongso.platform.traceability.registry import certificates, places
from nongso.platform.traceability.registry.history import Party, producer_on
from nongso.platform.traceability.registry.plots import plot_at
from nongso.platform.traceability.registry.records import Certificate
from nongso.platform.traceability.seasons import field_events
from nongso.platform.traceability.seasons.withholding import Binding, withholding
from nongso.platform.traceability.shopper import way
from nongso.platform.traceability.shopper.parts import parts_of
from nongso.platform.traceability.shopper.way import Step
from nongso.platform.traceability.tracing.trace import trace


@dataclass(frozen=True)
class Grown:
    """One harvest from a greenhouse with what the sensors measured until then.

    ``record`` is what was sealed into the harvest's event, ``None`` when nothing was measured.
    A later harvest's record has the water of the earlier ones too: ``is_last`` of its planting.
    """

    lot: str
    planting: str
    is_last: bool
    crop: str
    greenhouse: str
    planted: datetime.date
    harvested: datetime.date
    record: dict[str, Any] | None


@dataclass(frozen=True)
class Lain:
    """What the station of a drying yard or a store measured while a lot lay there."""

    kind: str
    place: str
    record: dict[str, Any]


@dataclass(frozen=True)
class Gathered:
    """What households gathered on their own land: of one kind, where, when, of how many."""

    kind: str
    households: int
    communes: tuple[str, ...]  # "xã Bình Lư, tỉnh Lai Châu"
    since: datetime.date
    until: datetime.date


@dataclass(frozen=True)
class Reason:
    """Why something was corrected that day."""

    day: datetime.date
    why: str


@dataclass(frozen=True)
class Story:
    """All that is told of a packed lot.

    ``corrected`` counts what was declared wrong and recorded anew on its way. ``too_early`` are
    sprayings whose interval was not over at the harvest, as the diary says it today.
    """

    lot: Lot
    product: Product
    producer: Party  # as it was on the day of packing
    packed_on: datetime.date
    best_before: datetime.date
    steps: tuple[Step, ...]
    grown: tuple[Grown, ...]
    lain: tuple[Lain, ...]
    gathered: tuple[Gathered, ...]
    growers: tuple[str, ...]  # ids of those whose harvests went in
    certificates: tuple[Certificate, ...]
    corrected: int
    reasons: tuple[Reason, ...]
    too_early: tuple[Binding, ...]
    recorded_at: int  # when the newest of its events was recorded
    behind: tuple[str, ...]  # the codes of all lots that went into it, and its own


def _events_of(session: Session, codes: Sequence[str]) -> list[Event]:
    """The events about these lots, in stream order; those of the field not among them."""
    found: dict[int, Event] = {}
    for at in range(0, len(codes), 500):
        subjects = [f"lot:{code}" for code in codes[at : at + 500]]
        wanted = (
            select(Event)
            .join(EventSubject, EventSubject.number == Event.number)
            .where(EventSubject.subject.in_(subjects), Event.type.like("lot.%"))
        )
        found |= {event.number: event for event in session.scalars(wanted)}
    return [found[number] for number in sorted(found)]


def tell(session: Session, lot: Lot) -> Story | None:
    """The story of a lot; ``None`` for a lot that was never packed, which is nobody's to read."""
    if lot.kind != PACKS or lot.product is None or lot.best_before is None:
        return None
    tree = trace(session, lot, "back")
    behind = [found.lot for found in tree.lots]
    codes = [one.code for one in behind]
    events = _events_of(session, codes)
    plantings = {one.code: one for one in behind if one.kind == PLANTING}
    fields = [one.code for one in behind if plot_at(one.place_id) and not one.regrouped]
    recorded = field_events.about(session, [*plantings, *fields])
    field = field_events.standing(recorded)
    gathered = [
        event for event in events if event.type == lots.HARVESTED and lots.made_by(event.body)
    ]
    last = max((day_of(e.at) for e in gathered if e.body.get("nongso:grownFrom")), default=None)
    born = {event.number: event for event in events}
    grown = tuple(_grown(behind, plantings, born))
    standing = _until(field, last)
    parts = parts_of(lot, behind, tree.flows)
    return Story(
        lot=lot,
        product=lot.product,
        producer=producer_on(session, lot.product.producer, day_of(lot.at)),
        packed_on=day_of(lot.at),
        best_before=datetime.date.fromisoformat(lot.best_before),
        steps=tuple(_sealed(way.steps(behind, events, standing, parts), grown, standing)),
        grown=grown,
        lain=tuple(
            Lain(one["nongso:kind"], one[places.RECORD]["name"], one[places.RECORD])
            for one in places.of_lots(session, codes)
        ),
        gathered=tuple(_gathered(behind, events)),
        growers=_growers(behind, gathered),
        certificates=tuple(certificates.claims_of_lot(session, lot, day_of(lot.at))),
        reasons=_reasons(events),
        corrected=_corrected(events) + field_events.corrections(recorded),
        too_early=tuple(withholding(session, lot.code, day_of(lot.at), tree))
        if plantings or fields
        else (),
        recorded_at=max(event.recorded_at for event in (*events, *field)),
        behind=tuple(codes),
    )


def _sealed(
    steps: Sequence[way.Step], grown: Sequence[Grown], field: Sequence[Event]
) -> list[way.Step]:
    """The watering of each planting once, as it was sealed at its last harvest.

    The gateway's days are taken when they are over, the record to the hour of the harvest: told
    both, a page would have two sums of the same water. A planting without a record is told by
    its days.
    """
    sealed = {one.planting: one.record for one in grown if one.is_last and one.record is not None}
    if not sealed:
        return list(steps)
    told = [way.Water.of_record(record) for record in sealed.values()]
    rest = [event for event in way.by_gateway(field) if lots.lot_in(event.body) not in sealed]
    if rest:
        told.append(way.Water.of_events(rest))
    water = way.Water.together(told)
    return [
        replace(one, times=water.times, litres=water.litres, unmetered=water.unmetered)
        if one.what == "watered"
        else one
        for one in steps
    ]


def _until(field: list[Event], last: datetime.date | None) -> list[Event]:
    """What was done up to the last harvest; later work is for later harvests."""
    return [event for event in field if last is None or day_of(event.at) <= last]


def _reasons(events: Sequence[Event]) -> tuple[Reason, ...]:
    """Why the cooperative's records were corrected, as its clerks wrote for everybody to read."""
    declared = [e for e in events if "nongso:why" in e.body.get("errorDeclaration", {})]
    found = [(day_of(e.at), str(e.body["errorDeclaration"]["nongso:why"])) for e in declared]
    return tuple(Reason(day, why) for day, why in dict.fromkeys(found))


def _corrected(events: Sequence[Event]) -> int:
    return sum("errorDeclaration" in event.body for event in events)


def _grown(
    behind: Sequence[Lot], plantings: dict[str, Lot], born: dict[int, Event]
) -> list[Grown]:
    """Harvests that came from a planting in a greenhouse, and from nothing else."""
    found: list[Grown] = []
    for crop in behind:
        event = born.get(crop.born_number)
        if crop.kind != CROP or event is None:
            continue
        planting = plantings.get(lot_of(event.body.get("nongso:grownFrom", "")))
        if planting is None or planting.place is None:
            continue
        found.append(
            Grown(
                lot=crop.code,
                planting=planting.code,
                is_last=False,
                crop=crop.name,
                greenhouse=planting.place.name,
                planted=day_of(planting.at),
                harvested=day_of(crop.at),
                record=event.body.get("nongso:growingRecord"),
            )
        )
    last = {one.planting: one.lot for one in sorted(found, key=lambda one: one.harvested)}
    return [replace(one, is_last=one.lot == last[one.planting]) for one in found]


def _growers(behind: Sequence[Lot], gathered: Sequence[Event]) -> tuple[str, ...]:
    made = {lots.made_by(event.body) for event in gathered}
    found = {one.producer_id for one in behind if one.code in made and one.producer_id}
    return tuple(sorted(found))


def _gathered(behind: Sequence[Lot], events: Sequence[Event]) -> list[Gathered]:
    """What households gathered, by kind. What was bought in from elsewhere is not among it."""
    days = {lots.made_by(e.body): day_of(e.at) for e in events if e.type == lots.HARVESTED}
    found = []
    for kind in recipes().raw:
        own = [one for one in behind if one.kind == kind.key and one.code in days]
        if not own:
            continue
        places = dict.fromkeys(
            f"{one.place.commune}, {one.place.province}" for one in own if one.place is not None
        )
        spans = [days[one.code] for one in own]
        households = len({one.producer_id for one in own})
        found.append(Gathered(kind.key, households, tuple(places), min(spans), max(spans)))
    return found
