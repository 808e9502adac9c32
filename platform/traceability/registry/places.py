"""Drying yards and stores with a station: what it measured while goods lay there.

The clerk says which station stands where, and what lies there: noodles while they dry in the
yard, starch while it waits in the store. When something is made, what was measured meanwhile is
summed up and appended as an event of the new lot. It is sealed then: readings that come later
change nothing.

In a yard goods lie while they are made, so its time goes from the day of the newest that went in
to the day of making. In a store they lie until they are used: from the day they came to be until
that day. Whole days, because nobody writes down the hour.
"""

import datetime
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform import events
from nongso.platform.diary.watering import midnight
from nongso.platform.events import Event, EventSubject
from nongso.platform.languages import day_of
from nongso.platform.telemetry import Telemetry
from nongso.platform.traceability import shaping
from nongso.platform.traceability.identifiers import lot_id
from nongso.platform.traceability.records import Flow, Lot
from nongso.platform.traceability.seasons import growing
from nongso.platform.traceability.shaping import Body

YARD, STORE = "yard", "store"
KINDS = (YARD, STORE)
PLACED = "place.station"
MEASURED = "field.measured"
STEP = "urn:nongso:bizStep:measuring"
RECORD = "nongso:placeRecord"
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Standing:
    """A station in a yard or store. ``lies`` is the kind of lot that lies there."""

    kind: str
    lies: str
    name: str
    node: str


def place(
    session: Session, id_: str, cooperative: str, actor: str, station: Standing, now: int
) -> None:
    """Say where a station stands; an empty ``node`` says that none stands there any more.

    Raises ``EventConflict``. Inside the caller's ``transaction()``.
    """
    events.append(
        session,
        id=id_,
        type=PLACED,
        at=now,
        actor=actor,
        cooperative=cooperative,
        body={
            "kind": station.kind,
            "lies": station.lies,
            "name": station.name,
            "node": station.node,
        },
        told_at=False,
    )


def standing(session: Session, cooperative: str) -> list[Standing]:
    """What stands in the cooperative's yards and stores now, one for each kind of goods."""
    found: dict[tuple[str, str], Standing] = {}
    wanted = (
        select(Event.body)
        .where(Event.type == PLACED, Event.cooperative == cooperative)
        .order_by(Event.number)
    )
    for body in session.scalars(wanted):
        found[(body["kind"], body["lies"])] = Standing(**body)
    return [one for one in found.values() if one.node]


@dataclass(frozen=True)
class Found:
    """What one station measured of one lot."""

    event: str
    kind: str
    record: Body


def measured(session: Session, telemetry: Telemetry, lot: Lot, now: int) -> list[Found]:
    """Sum up what stations measured while a lot was made; empty where none stood.

    Asked before the transaction that keeps it, so that no other writer waits.
    """
    inputs = _inputs(session, lot)
    if not inputs or lot.regrouped:
        return []
    made = day_of(lot.at)
    until = min(now, midnight(made + _DAY))
    found = []
    for station in standing(session, lot.cooperative):
        if station.kind == YARD and station.lies == lot.kind:
            since = midnight(max(day_of(one.at) for one in inputs))
        elif station.kind == STORE and any(one.kind == station.lies for one in inputs):
            since = midnight(min(day_of(one.at) for one in inputs if one.kind == station.lies))
        else:
            continue
        record = growing.measured_at(telemetry, station.node, since, until)
        if record is not None:
            body = {**record, "name": station.name, "place": station.kind}
            id_ = uuid.uuid5(
                uuid.NAMESPACE_URL, f"nongso/{lot.code}/{station.kind}/{station.lies}"
            )
            found.append(Found(str(id_), station.lies, body))
    return found


def seal(session: Session, base: str, lot: Lot, found: Sequence[Found], actor: str) -> None:
    """Keep what was measured as events of the lot; what is kept already stays as it was."""
    for one in found:
        if session.scalar(select(Event.id).where(Event.id == one.event)) is not None:
            continue
        time = datetime.datetime.fromtimestamp(lot.at, shaping.ZONE)
        body: Body = {
            "type": "ObjectEvent",
            "eventID": f"urn:uuid:{one.event}",
            "eventTime": time.isoformat(timespec="seconds"),
            "eventTimeZoneOffset": shaping.OFFSET,
            "action": "OBSERVE",
            "bizStep": STEP,
            "disposition": "active",
            "quantityList": [{"epcClass": lot_id(base, lot.code)}],
            "nongso:stated": "measured",
            "nongso:kind": one.kind,
            RECORD: one.record,
        }
        if lot.demonstration:
            body["nongso:demonstration"] = True
        events.append(
            session,
            id=one.event,
            type=MEASURED,
            at=lot.at,
            actor=actor,
            cooperative=lot.cooperative,
            body=body,
            subjects=[f"lot:{lot.code}"],
        )


def of_lots(session: Session, codes: Sequence[str]) -> list[Body]:
    """What was sealed of these lots, in the order of the stream."""
    subjects = [f"lot:{code}" for code in codes[:5000]]
    wanted = (
        select(Event.body)
        .join(EventSubject, EventSubject.number == Event.number)
        .where(EventSubject.subject.in_(subjects), Event.type == MEASURED)
        .order_by(Event.number)
    )
    return list(session.scalars(wanted))


def _inputs(session: Session, lot: Lot) -> list[Lot]:
    wanted = select(Lot).join(Flow, Flow.source == Lot.code).where(Flow.target == lot.code)
    return list(session.scalars(wanted))
