"""What the registry says, as the log vouches for it: papers, makers, goods, rights to a mark.

These tables hold what is true today and are written over. So each change leaves an event with a
digest of the row as it then was; the log seals it, and says nothing of the row itself. Whoever
changes a row past the program is found by ``nongso trace check``, and a paper that was changed
so is no claim any more. An event names the fields of its digest: columns that come later do not
matter to it. Rows that have not been written since there are such events are not vouched for.
"""

import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from nongso.platform import events
from nongso.platform.events import Event, EventSubject
from nongso.platform.traceability.amiss import EVIDENCE, Amiss
from nongso.platform.traceability.labelling.records import CollectiveMark, MarkRight
from nongso.platform.traceability.records import Producer, Product
from nongso.platform.traceability.registry.records import Certificate, Past

NOTED = "registry.noted"
Row = Certificate | Producer | Product | CollectiveMark | MarkRight
WHAT: dict[str, type[Row]] = {  # how events call the rows of a table
    "certificate": Certificate,
    "producer": Producer,
    "product": Product,
    "mark": CollectiveMark,
    "mark_right": MarkRight,
}
_SUBJECTS, _PAST = "subjects", "past"  # what stands in tables beside the row's own
_PAST_FIELDS = ("until", "kind", "name", "village", "commune", "province")
_GONE = ""
_AT_ONCE = 400


def note(session: Session, row: Row, actor: str, now: int) -> None:
    """Note how a row is now, in the transaction that wrote it; nothing where nothing changed."""
    session.flush()
    fields = _fields(row)
    told = {"nongso:fields": fields, "nongso:sha256": _digest(session, row, fields)}
    _append(session, row, told, actor, now)


def note_gone(session: Session, row: Row, actor: str, now: int) -> None:
    """Note that a row is taken out of the registry."""
    _append(session, row, {"nongso:fields": [], "nongso:sha256": _GONE}, actor, now)


def _append(session: Session, row: Row, told: dict[str, Any], actor: str, now: int) -> None:
    before = _newest(session, [subject_of(row)]).get(subject_of(row))
    if before is not None and before.body.items() >= told.items():
        return
    if isinstance(row, MarkRight):
        cooperative = session.get_one(CollectiveMark, row.mark).cooperative
    else:
        cooperative = row.cooperative
    what, key = subject_of(row).split(":", 1)
    events.append(
        session,
        id=str(uuid.uuid4()),
        type=NOTED,
        at=now,
        actor=actor,
        cooperative=cooperative,
        body={"nongso:what": what, "nongso:key": key, **told},
        subjects=[subject_of(row)],
    )


def subject_of(row: Row) -> str:
    """What the events about a row are found by: ``certificate:<id>``."""
    return next(f"{what}:{row.id}" for what, table in WHAT.items() if isinstance(row, table))


def as_noted(session: Session, rows: Sequence[Certificate]) -> list[Certificate]:
    """The papers that are as they were recorded, and those of before there were digests."""
    newest = _newest(session, [subject_of(one) for one in rows])
    return [one for one in rows if not _changed(session, one, newest.get(subject_of(one)))]


def differences(session: Session) -> Iterator[Amiss]:
    """Say which rows are not what was recorded."""
    newest: dict[str, Event] = {}
    after = 0
    while found := events.read(session, type=NOTED, after=after):
        newest |= {f"{e.body['nongso:what']}:{e.body['nongso:key']}": e for e in found}
        after = found[-1].number
    for what, table in WHAT.items():
        there = cast(Sequence[Row], session.scalars(select(table)).all())
        rows = {subject_of(row): row for row in there}
        for subject, row in rows.items():
            event = newest.pop(subject, None)
            if _changed(session, row, event):
                assert event is not None
                gone = event.body["nongso:sha256"] == _GONE
                said = "took it out" if gone else "has another digest"
                told = f"it is not what was recorded: event {event.number} {said}"
                yield Amiss(table.__tablename__, row.id, told, EVIDENCE)
        for subject in [one for one in newest if one.startswith(f"{what}:")]:
            event = newest.pop(subject)
            if event.body["nongso:sha256"] != _GONE:
                told = f"it is gone, and event {event.number} is the last about it"
                yield Amiss(table.__tablename__, event.body["nongso:key"], told, EVIDENCE)


def without(session: Session) -> int:
    """How many rows have not been written since there are digests of them."""
    noted = select(Event.number).where(Event.type == NOTED)
    told = select(EventSubject.subject).where(EventSubject.number.in_(noted))
    known = set(session.scalars(told))
    found = 0
    for what, table in WHAT.items():
        found += sum(f"{what}:{id_}" not in known for id_ in session.scalars(select(table.id)))
    return found


def _changed(session: Session, row: Row, event: Event | None) -> bool:
    if event is None:
        return False
    fields = event.body["nongso:fields"]
    return bool(event.body["nongso:sha256"] != _digest(session, row, fields))


def _newest(session: Session, subjects: Iterable[str]) -> dict[str, Event]:
    """The last event that noted each of these."""
    wanted, found = list(dict.fromkeys(subjects)), {}
    for at in range(0, len(wanted), _AT_ONCE):
        last = (
            select(EventSubject.subject, func.max(Event.number))
            .join(Event, Event.number == EventSubject.number)
            .where(EventSubject.subject.in_(wanted[at : at + _AT_ONCE]), Event.type == NOTED)
            .group_by(EventSubject.subject)
        )
        for subject, number in session.execute(last):
            found[subject] = session.get_one(Event, number)
    return found


def _fields(row: Row) -> list[str]:
    found = [one.name for one in type(row).__table__.columns]
    if isinstance(row, Certificate):
        found.append(_SUBJECTS)
    elif isinstance(row, Producer):
        found.append(_PAST)
    return sorted(found)


def _digest(session: Session, row: Row, fields: Iterable[str]) -> str:
    told: dict[str, Any] = {}
    for name in fields:
        if name == _SUBJECTS and isinstance(row, Certificate):
            told[name] = sorted(row.is_for)
        elif name == _PAST:
            wanted = select(Past).where(Past.what == "producer", Past.key == row.id)
            former = session.scalars(wanted.order_by(Past.until))
            told[name] = [[getattr(one, n) for n in _PAST_FIELDS] for one in former]
        else:
            told[name] = getattr(row, name, None)
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
