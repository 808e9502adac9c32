"""Lines of the growing diary and waterings of the gateway, as events of the lot that grows.

One record seen two ways. A grower writes a line, the gateway waters; here each becomes an EPCIS
ObjectEvent about the planting that stands in that greenhouse on that day, appended to the same
stream, so that it stands in the lot's history, its proof and its story. Nothing is typed twice.

``bring_up`` makes the events that are missing, and only those: their numbers follow from the line
and the planting, so that it may be called at any time and as often as one likes. A corrected
line gets an error declaration for what stood there and a new event for what stands there now.

Left out, because events are public: who did it, what it cost, how long it took, whereto something
was moved, notes, pictures, and the lines that are nothing but such (notes, problems). Plantings
and harvests have their own events, made where lots are made.
"""

import datetime
import itertools
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from nongso.platform import events
from nongso.platform.diary import entries as diary
from nongso.platform.diary import watering
from nongso.platform.diary.entries import Entry, Line
from nongso.platform.diary.watering import Watered
from nongso.platform.events import Event, EventSubject
from nongso.platform.greenhouse import journal
from nongso.platform.languages import day_of
from nongso.platform.traceability import shaping
from nongso.platform.traceability.identifiers import lot_id
from nongso.platform.traceability.records import CROP, Flow, Lot
from nongso.platform.traceability.registry.plots import BOOK, begun_on, weighed
from nongso.platform.traceability.seasons import field_lots
from nongso.platform.traceability.shaping import Body

# What a line is called among business steps. The standard has none for work in the field, so
# these are our own URIs, as it asks of private steps.
STEPS = {
    "fertilised": "urn:nongso:bizStep:fertilising",
    "sprayed": "urn:nongso:bizStep:spraying",
    "watered": "urn:nongso:bizStep:irrigating",
    "pruned": "urn:nongso:bizStep:crop-care",
    "weighed": "urn:nongso:bizStep:weighing",
    "moved": "urn:nongso:bizStep:moving",
}
WATERED = "field.watered"
CORRECTED = "field.corrected"
TYPES = (*(f"field.{kind}" for kind in STEPS), CORRECTED)
GATEWAY = "gateway"  # the actor of what nobody wrote


@dataclass(frozen=True)
class _Standing:
    """A planting and the last day on which it surely stood: that of its last harvest so far."""

    lot: Lot
    planted: datetime.date
    gathered: datetime.date | None


def bring_up(session: Session, base: str, book: str, now: int) -> int:
    """Append what the diary and the gateway know more of; return how many events are new.

    Inside the caller's ``transaction()``. ``book`` is a greenhouse, or ``plot:<id>``. Watering is
    taken day by day, once the day is over.
    """
    plot = book.removeprefix(BOOK)
    if plot != book:
        return _of_plot(session, base, plot, now)
    greenhouse = book
    plantings = _plantings(session, greenhouse)
    if not plantings:
        return 0
    writer = _Writer(session, base, now, [one.lot.code for one in plantings])
    for line in reversed(diary.lines(session, greenhouse)):
        for one in plantings:
            writer.line(line, one.lot, _stands(plantings, one, line.entry))
    yesterday = day_of(now) - datetime.timedelta(days=1)
    first = min(one.planted for one in plantings)
    simulated = journal.is_simulated(session, plantings[0].lot.cooperative)
    for watered in watering.by_day(session, greenhouse, first, yesterday):
        for one in plantings:
            if _stood(plantings, one, watered.day):
                writer.watered(watered, one.lot, simulated)
    return writer.written


def _of_plot(session: Session, base: str, plot: str, now: int) -> int:
    """A plot's lines belong to what was lifted from it, from the planting to that day.

    Nobody books a planting on the hill, so the weigh-in itself is the lot they are told of.
    """
    there = [(lot, day_of(at)) for lot, at in weighed(session, plot)]
    if not there:
        return 0
    writer = _Writer(session, base, now, [lot.code for lot, _lifted in there])
    lines = diary.lines(session, BOOK + plot)
    for line in reversed(lines):
        day = datetime.date.fromisoformat(line.entry.day)
        for lot, lifted in there:
            writer.line(line, lot, begun_on(lines, lifted) <= day <= lifted)
    return writer.written


def of_lots(session: Session, codes: Sequence[str]) -> list[Event]:
    """Return the events of the field about these lots that stand, in the order of the stream.

    What was declared an error is left out.
    """
    return standing(about(session, codes))


def standing(found: Sequence[Event]) -> list[Event]:
    """Return those of them that stand."""
    wrong = {event.body["eventID"] for event in found if event.type == CORRECTED}
    return [e for e in found if e.type != CORRECTED and e.body["eventID"] not in wrong]


def corrections(found: Sequence[Event]) -> int:
    """Return how many lines were corrected or taken back after they stood."""
    return sum(event.type == CORRECTED and event.actor != GATEWAY for event in found)


def about(session: Session, codes: Sequence[str]) -> list[Event]:
    """Return all events of the field about these lots, in the order of the stream."""
    found: dict[int, Event] = {}
    for at in range(0, len(codes), 500):
        subjects = [f"lot:{code}" for code in codes[at : at + 500]]
        wanted = (
            select(Event)
            .join(EventSubject, EventSubject.number == Event.number)
            .where(EventSubject.subject.in_(subjects), Event.type.in_(TYPES))
        )
        found |= {event.number: event for event in session.scalars(wanted)}
    return [found[number] for number in sorted(found)]


def _plantings(session: Session, greenhouse: str) -> list[_Standing]:
    """The plantings of a greenhouse whose record stands, oldest first."""
    found = field_lots.plantings(session, greenhouse)
    wanted = (
        select(Flow.source, func.max(Lot.at))
        .join(Lot, Lot.code == Flow.target)
        .where(Flow.source.in_([one.code for one in found]))
        .where(Lot.kind == CROP, Lot.withdrawn_at.is_(None))
        .group_by(Flow.source)
    )
    last = {source: day_of(at) for source, at in session.execute(wanted)}
    return [_Standing(lot, day_of(lot.at), last.get(lot.code)) for lot in found]


def _stood(plantings: Sequence[_Standing], one: _Standing, day: datetime.date) -> bool:
    """Say whether a planting stood there that day.

    The newest one did; an older one did if it was still harvested on that day or later.
    """
    if day < one.planted:
        return False
    newer = any(one.planted < other.planted <= day for other in plantings)
    return not newer or (one.gathered is not None and day <= one.gathered)


def _stands(plantings: Sequence[_Standing], one: _Standing, entry: Entry) -> bool:
    return _stood(plantings, one, datetime.date.fromisoformat(entry.day))


class _Writer:
    """Appends what is missing of one greenhouse."""

    def __init__(self, session: Session, base: str, now: int, codes: Sequence[str]) -> None:
        self._session, self._base, self._now = session, base, now
        self.written = 0
        self._known = {event.id: event for event in about(session, codes)}

    def line(self, line: Line, lot: Lot, stands: bool) -> None:
        """A line of the diary, as far as it belongs to that planting."""
        *former, newest = (_id(f"{version}/{lot.code}") for version in line.versions)
        wanted = stands and not line.withdrawn and line.entry.kind in STEPS
        for id_ in former:
            if id_ in self._known:
                self._declare(self._known[id_], newest if wanted else "", line.actor)
        if wanted and newest not in self._known:
            body = _body(newest, line.at, STEPS[line.entry.kind], self._base, lot, "stated")
            type_ = f"field.{line.entry.kind}"
            self._append(newest, type_, line.at, line.actor, lot, body | _said(line.entry))

    def watered(self, watered: Watered, lot: Lot, simulated: bool) -> None:
        """A day's waterings by the gateway; runs that were told of late make a correction."""
        facts: Body = {
            "nongso:day": watered.day.isoformat(),
            "nongso:waterings": watered.times,
            "nongso:unmeteredWaterings": watered.unmetered,
        }
        if watered.litres is not None:
            facts["nongso:litres"] = watered.litres
        if simulated:
            facts["nongso:simulated"] = True
        before = None
        for number in itertools.count():
            id_ = _id(f"watered/{lot.code}/{watered.day}/{number}")
            if id_ not in self._known:
                break
            before = self._known[id_]
        if before is not None:
            if all(before.body.get(name) == said for name, said in facts.items()):
                return
            self._declare(before, id_, GATEWAY)
        body = _body(id_, watered.last_at, STEPS["watered"], self._base, lot, "measured") | facts
        self._append(id_, WATERED, watered.last_at, GATEWAY, lot, body)

    def _declare(self, wrong: Event, corrected_by: str, actor: str) -> None:
        """Say that an event was wrong: the whole event again, so that whoever has it finds it."""
        id_ = _id(f"{wrong.id}/wrong")
        if id_ in self._known:
            return
        at = datetime.datetime.fromtimestamp(self._now, shaping.ZONE)
        declaration: Body = {
            "declarationTime": at.isoformat(timespec="seconds"),
            "reason": "incorrect_data" if corrected_by else "did_not_occur",
        }
        if corrected_by:
            declaration["correctiveEventIDs"] = [f"urn:uuid:{corrected_by}"]
        self._known[id_] = events.append(
            self._session,
            id=id_,
            type=CORRECTED,
            at=self._now,
            actor=actor,
            cooperative=wrong.cooperative,
            body={**wrong.body, "errorDeclaration": declaration},
            subjects=events.subjects_of(self._session, wrong.number),
        )
        self.written += 1

    def _append(self, id_: str, type_: str, at: int, actor: str, lot: Lot, body: Body) -> None:
        self._known[id_] = events.append(
            self._session,
            id=id_,
            type=type_,
            at=at,
            actor=actor,
            cooperative=lot.cooperative,
            body=body,
            subjects=[f"lot:{lot.code}"],
        )
        self.written += 1


def _id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"nongso/field/{name}"))


def _body(id_: str, at: int, step: str, base: str, lot: Lot, stated: str) -> Body:
    """What all of them have: the planting is observed where it grows."""
    place = {"id": f"{base}/id/place/{lot.place_id}"}
    time = datetime.datetime.fromtimestamp(at, shaping.ZONE)
    body: Body = {
        "type": "ObjectEvent",
        "eventID": f"urn:uuid:{id_}",
        "eventTime": time.isoformat(timespec="seconds"),
        "eventTimeZoneOffset": shaping.OFFSET,
        "action": "OBSERVE",
        "bizStep": step,
        "disposition": "active",
        "quantityList": [{"epcClass": lot_id(base, lot.code)}],
        "readPoint": place,
        "bizLocation": place,
        "nongso:stated": stated,
    }
    return {**body, "nongso:demonstration": True} if lot.demonstration else body


def _said(entry: Entry) -> Body:
    """What a line says that is no person's business: input, dose, interval, amount."""
    said: Body = {"nongso:day": entry.day}
    named = {
        "nongso:inputName": entry.product,
        "nongso:activeIngredient": entry.ingredient,
        "nongso:dose": entry.dose,
    }
    said |= {name: text for name, text in named.items() if text}
    if entry.amount is not None:
        said |= {"nongso:amount": entry.amount, "nongso:amountUnit": entry.unit}
    if entry.interval_days is not None:
        until = datetime.date.fromisoformat(entry.day) + datetime.timedelta(entry.interval_days)
        said |= {
            "nongso:preHarvestIntervalDays": entry.interval_days,
            "nongso:withheldUntil": until.isoformat(),
        }
    return said
