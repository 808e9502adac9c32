"""What pages find by tables that no total shows: labels, and which events are about which lot.

The events say both: an issue of labels has the digest of its serials, and an event names its
lots. A serial put there by hand would pass for a genuine label, and an event whose row of
subjects is gone would be missing from its lot's page.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from nongso.platform import events
from nongso.platform.events import EventSubject
from nongso.platform.traceability import lots
from nongso.platform.traceability.identifiers import lot_of
from nongso.platform.traceability.records import LabelCode, Lot
from nongso.platform.traceability.testing import book as testing_book

_QUANTITIES = ("quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList")
_AT_ONCE = 500


def differences(session: Session) -> Iterator[str]:
    """Say where labels and subjects are not what the events say."""
    issued: dict[str, int] = {}
    after = 0
    while found := events.read(session, after=after, limit=_AT_ONCE):
        after = found[-1].number
        known = _subjects(session, found)
        for event in found:
            if event.type in lots.applies():
                yield from _about(event, known.get(event.number, set()))
            if event.type == lots.LABELLED:
                yield from _labels(session, event)
                code = lots.lot_in(event.body)
                issued[code] = issued.get(code, 0) + event.body["nongso:labels"]
    counted = select(LabelCode.lot, func.count()).group_by(LabelCode.lot).order_by(LabelCode.lot)
    for code, count in session.execute(counted):
        if count != issued.get(code, 0):
            yield f"lot {code}: {count} labels, the stream has {issued.get(code, 0)}"


def _subjects(session: Session, found: Iterable[events.Event]) -> dict[int, set[str]]:
    """The lots that these events are said to be about."""
    numbers = [event.number for event in found]
    rows = session.execute(
        select(EventSubject.number, Lot.code)
        .join(Lot, EventSubject.subject == "lot:" + Lot.code)
        .where(EventSubject.number.in_(numbers))
    )
    known: dict[int, set[str]] = {}
    for number, code in rows:
        known.setdefault(number, set()).add(code)
    return known


def _about(event: events.Event, known: set[str]) -> Iterator[str]:
    named = set(_named(event.body))
    for code in sorted(named - known):
        yield f"event {event.number} is about lot {code}, and is not found there"
    if event.type == testing_book.TESTED:
        for code in sorted(known - named):
            yield f"event {event.number} is not about lot {code}, and is found there"


def _named(body: dict[str, Any]) -> Iterator[str]:
    """The lots that an event names itself; a carton's contents stand elsewhere."""
    for name in _QUANTITIES:
        yield from (lot_of(one["epcClass"]) for one in body.get(name, ()))
    yield from body.get("nongso:holds", ())
    yield from (code for _cause, code in body.get("nongso:lifts", ()))


def _labels(session: Session, event: events.Event) -> Iterator[str]:
    body, code = event.body, lots.lot_in(event.body)
    if "nongso:serialsSha256" not in body:
        return
    first, last = body["nongso:first"], body["nongso:last"]
    serials = session.scalars(
        select(LabelCode.serial)
        .where(LabelCode.lot == code, LabelCode.running.between(first, last))
        .order_by(LabelCode.running)
    )
    if hashlib.sha256("\n".join(serials).encode()).hexdigest() != body["nongso:serialsSha256"]:
        yield f"lot {code}: labels {first} to {last} are not those that were issued"
