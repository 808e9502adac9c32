"""Which events are about what: by these rows an event is found on the page of its lot, its
greenhouse, its product.

An event says itself what it is about, so the rows are worked out again from the stream. Lines of
a diary say it since they carry ``book``; of an older line it is known only that it is about one
greenhouse or plot, and a correction about that of its line.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform import events, restored
from nongso.platform.diary import entries as diary
from nongso.platform.diary import season as diary_season
from nongso.platform.events import Event, EventSubject
from nongso.platform.traceability import lots
from nongso.platform.traceability.amiss import EVIDENCE, Amiss
from nongso.platform.traceability.epcis.records import CAPTURED
from nongso.platform.traceability.identifiers import lot_of
from nongso.platform.traceability.labelling import rolls, scratch
from nongso.platform.traceability.moving import book as moving_book
from nongso.platform.traceability.registry import places, vouching
from nongso.platform.traceability.resolver import names
from nongso.platform.traceability.seasons import field_events

TABLE = EventSubject.__tablename__
_QUANTITIES = (
    "quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList",
    "nongso:arrived",
)  # fmt: skip
_ABOUT_NOTHING = (places.PLACED, rolls.ROLLED, CAPTURED)
_DIARY = (diary.LINE, diary.CORRECTION, diary_season.BEFORE)
_STATED = "stated_figure"  # of the overview, which stands on this room
_BOOKS = ("greenhouse:", "plot:")
_AT_ONCE = 500


def differences(session: Session) -> Iterator[Amiss]:
    """Say where the rows of subjects are not what the events say."""
    known, after = _Known(), 0
    while found := events.read(session, after=after, limit=_AT_ONCE):
        after = found[-1].number
        rows = _rows(session, [event.number for event in found])
        for event in found:
            yield from _of_event(event, rows.get(event.number, set()), known)
        session.expunge_all()
    without = (
        select(EventSubject.subject, EventSubject.number)
        .outerjoin(Event, Event.number == EventSubject.number)
        .where(Event.number.is_(None))
    )
    for subject, number in session.execute(without):
        yield Amiss(TABLE, f"{subject}/{number}", "there is no such event", EVIDENCE)


@dataclass
class _Known:
    """What events before said: what a carton holds, which diary a line is of."""

    cartons: dict[str, list[str]] = field(default_factory=dict)
    lines: dict[str, set[str]] = field(default_factory=dict)


def _rows(session: Session, numbers: Iterable[int]) -> dict[int, set[str]]:
    wanted = select(EventSubject.number, EventSubject.subject)
    found: dict[int, set[str]] = {}
    for number, subject in session.execute(wanted.where(EventSubject.number.in_(list(numbers)))):
        found.setdefault(number, set()).add(subject)
    return found


def _of_event(event: Event, there: set[str], known: _Known) -> Iterator[Amiss]:
    should = _said(event, there, known)
    if should is None:
        return
    for subject in sorted(should - there):
        said = f"event {event.number} is about {_called(subject)}, and is not found there"
        yield Amiss(TABLE, f"{subject}/{event.number}", said)
    for subject in sorted(there - should):
        said = f"event {event.number} is not about {_called(subject)}, and is found there"
        yield Amiss(TABLE, f"{subject}/{event.number}", said)


def _called(subject: str) -> str:
    return subject.replace(":", " ", 1)


def _said(event: Event, there: set[str], known: _Known) -> set[str] | None:
    """What an event says it is about; ``None`` where it does not say it."""
    body = event.body
    if event.type in lots.applies() or event.type in _OF_LOTS:
        return _of_lots(event.type, body, known)
    if event.type in _DIARY:
        return _of_diary(event, there, known)
    if event.type in _ABOUT_NOTHING:
        return set()
    if event.type == names.SAME_AS:
        return {f"product:{body['product']}", f"gtin:{body['gtin']}"}
    if event.type == vouching.NOTED:
        return {f"{body['nongso:what']}:{body['nongso:key']}"}
    if event.type == restored.RESTORED:
        return {f"cooperative:{event.cooperative}"}
    return {"commune"} if event.type == _STATED else None


_OF_LOTS = (places.MEASURED, *field_events.TYPES, scratch.GIVEN)


def _of_lots(type_: str, body: Mapping[str, Any], known: _Known) -> set[str]:
    codes = {lot_of(one["epcClass"]) for name in _QUANTITIES for one in body.get(name, ())}
    codes |= {code for carton in body.get("epcList", ()) for code in known.cartons.get(carton, ())}
    codes |= set(body.get("nongso:holds", ()))
    codes |= {code for _cause, code in body.get("nongso:lifts", ())}
    codes |= {code for code, _stands in body.get("errorDeclaration", {}).get("nongso:tested", ())}
    if type_ == moving_book.CARTONED:
        known.cartons[body["parentID"]] = sorted(codes)
    if type_ == lots.HARVESTED and body.get("nongso:grownFrom"):
        codes.add(lot_of(body["nongso:grownFrom"]))
    found = {f"lot:{code}" for code in codes}
    if "nongso:greenhouse" in body and type_ not in _OF_LOTS:
        found.add(f"greenhouse:{body['nongso:greenhouse']}")
    return found


def _of_diary(event: Event, there: set[str], known: _Known) -> set[str]:
    """The greenhouse or plot of a line: as it says, as its line is, or the one that is there."""
    books = {one for one in there if one.startswith(_BOOKS)}
    before = known.lines.get(event.body.get("line", ""))
    if diary.BOOK in event.body:
        found = {str(event.body[diary.BOOK])}
    elif before is not None:
        found = before
    else:
        found = books if len(books) == 1 else {"greenhouse:?"}
    known.lines[event.id] = found
    return found
