"""Reads the stream of events into the index: columns, terms, flows.

How this works. Like the log of proofs, the index goes on behind what it has read, in the very
transaction that appends to the stream (``nongso.platform.events.enter``): our own events and
captured ones take the same way, and one that entered otherwise comes with the next. Nothing
depends on the order in which events arrive. ``remake`` throws the index away and makes it again.

What was declared wrong flows no more, whether the declaration came before the event or after.
Only its own sender can declare it: the same account captured both, and the declaration repeats
the event unchanged; our own events only our own records declare wrong. A declaration of anybody
else changes nothing.

An event of our own that cannot be read as EPCIS is left out and logged: the index must never
keep a clerk from recording.
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.orm import Session

from nongso.platform.events import Event, EventSubject
from nongso.platform.store import Records
from nongso.platform.traceability.epcis import flows, lot_names
from nongso.platform.traceability.epcis.event_hash import event_hash
from nongso.platform.traceability.epcis.flows import Edge, Side
from nongso.platform.traceability.epcis.lot_names import Clue
from nongso.platform.traceability.epcis.model import check_event
from nongso.platform.traceability.epcis.namespaces import Prefixes, expand
from nongso.platform.traceability.epcis.records import (
    CAPTURED,
    EPC_NAMES,
    OWN_NAMES,
    PUBLIC_COLUMNS,
    Flow,
    Indexed,
    LotName,
    PublicName,
    Reached,
    Received,
    Term,
    table,
)
from nongso.platform.traceability.epcis.same_name import same_form
from nongso.platform.traceability.epcis.terms import (
    THINGS,
    head_of,
    known_prefixes,
    rows_of,
    things_of,
)
from nongso.platform.traceability.epcis.terms import Row as TermRow
from nongso.platform.traceability.records import PACKS, Lot
from nongso.platform.traceability.shaping import CONTEXT

log = logging.getLogger(__name__)

AT_ONCE = 500
_ROW = 1  # of Reached
_STREAM = (
    Event.number,
    Event.type,
    Event.recorded_at,
    Event.actor,
    Event.cooperative,
    Event.body,
)
_ASKED_AT_ONCE = 400
_WRITTEN_AT_ONCE = 10_000
_HASHES = "nongso.epcis.hashes"


def reached(session: Session) -> int:
    """Return the number of the last event that the index has read."""
    return session.scalar(select(Reached.number).where(Reached.id == _ROW)) or 0


def is_behind(session: Session) -> bool:
    """Say whether the stream has events that the index has not read."""
    newest = session.scalar(select(func.max(Event.number))) or 0
    return newest > reached(session)


def tell_hashes(session: Session, hashes: Mapping[int, str]) -> None:
    """Hand over the hashes of events that are to be read, by number: they are dear to work out."""
    session.info.setdefault(_HASHES, {}).update(hashes)


def index_new(session: Session, most: int | None = None) -> int:
    """Read what the stream has got, inside ``transaction()``; returns how many events."""
    after = reached(session)
    wanted = select(*_STREAM).where(Event.number > after).order_by(Event.number).limit(most)
    found = session.execute(wanted).all()
    hashes: dict[int, str] = session.info.pop(_HASHES, {})
    if not found:
        return 0
    _enter(session, found, hashes)
    lot_names.look_again(session, found)
    if after:
        session.execute(
            update(Reached)
            .where(Reached.id == _ROW)
            .values(number=found[-1].number)
            .execution_options(synchronize_session=False)
        )
    else:
        session.execute(insert(Reached), [{"id": _ROW, "number": found[-1].number}])
    return len(found)


def catch_up(records: Records) -> int:
    """Read what is behind, portion by portion, so that others can write in between."""
    done = 0
    while True:
        with records.session() as session:
            if not is_behind(session):
                return done
        with records.transaction() as session:
            done += index_new(session, AT_ONCE)


def remake(session: Session) -> int:
    """Throw the index away and make it again from the stream, inside ``transaction()``."""
    for rows in (Flow, Term, PublicName, LotName, Indexed, Reached):
        session.execute(delete(rows))
    return index_new(session)


def error_name(event: Mapping[str, Any], sender: str) -> str:
    """Tell declarations that an event was wrong apart; empty for the event itself.

    The same words of another sender are another declaration: what comes of it is another matter.
    """
    declared = event.get("errorDeclaration")
    if declared is None:
        return ""
    told = sender + repr(sorted((name, repr(value)) for name, value in declared.items()))
    return hashlib.sha256(told.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class _New:
    """An event that enters the index."""

    number: int
    cooperative: str
    is_foreign: bool
    event: Mapping[str, Any]
    prefixes: Prefixes
    head: dict[str, Any]
    terms: list[TermRow]


def _enter(session: Session, found: Sequence[Row[Any]], hashes: Mapping[int, str]) -> None:
    contexts = _contexts(session, [row.number for row in found if row.type == CAPTURED])
    read = (
        _read(row, contexts.get(row.number, CONTEXT), hashes.get(row.number, "")) for row in found
    )
    new = [one for one in read if one is not None]
    if not new:
        return
    there = _under_these_names(session, new)
    _set_names_apart(there, new)
    public = _public(session, [one.number for one in new if not one.is_foreign])
    wrong = _declared_wrong(session, there, new)
    for one in new:
        one.head.update(is_public=one.number in public, stands=one.number not in wrong)
    session.execute(insert(table(Indexed)), [one.head for one in new])
    terms = [
        {"number": one.number, "place": place, "field": field, "value": value, "amount": amount}
        for one in new
        for place, (field, value, amount) in enumerate(one.terms)
    ]
    if terms:
        session.execute(insert(table(Term)), terms)
    _name_publicly(session, [one for one in new if one.number in public])
    lot_names.enter(session, (named for one in new for named in _lots_named(one)))
    _write(session, _edges(session, new, wrong), {one.number: one for one in new})


def _lots_named(one: _New) -> Iterator[tuple[str, Clue]]:
    """What the names in an event may mean; our own address in our own event, whatever the host."""
    for text in things_of(one.event, one.prefixes):
        for clue in lot_names.clues(text):
            yield same_form(text), clue if one.is_foreign else clue._replace(host="")


def _public(session: Session, numbers: Sequence[int]) -> set[int]:
    """Which of these events of our own are about a packed lot; that never changes."""
    found: set[int] = set()
    for at in range(0, len(numbers), _ASKED_AT_ONCE):
        of = EventSubject.number.in_(numbers[at : at + _ASKED_AT_ONCE])
        told = select(EventSubject.number, EventSubject.subject)
        lots: dict[str, list[int]] = {}
        for number, subject in session.execute(told.where(of, EventSubject.subject.like("lot:%"))):
            lots.setdefault(subject.removeprefix("lot:"), []).append(number)
        codes = list(lots)
        for begin in range(0, len(codes), _ASKED_AT_ONCE):
            part = Lot.code.in_(codes[begin : begin + _ASKED_AT_ONCE])
            for code in session.scalars(select(Lot.code).where(Lot.kind == PACKS, part)):
                found.update(lots[code])
    return found


def _name_publicly(session: Session, new: Sequence[_New]) -> None:
    """Add what new public events have to the lists of strangers, where it is not there yet."""
    names: dict[str, set[str]] = {}
    for one in new:
        for column in PUBLIC_COLUMNS:
            names.setdefault(column, set()).add(one.head[column])
        things = names.setdefault(EPC_NAMES, set())
        things.update(value for field, value, _amount in one.terms if field in THINGS)
    for thing, said in names.items():
        values = sorted(said - {None})
        for at in range(0, len(values), _ASKED_AT_ONCE):
            part = values[at : at + _ASKED_AT_ONCE]
            known = select(PublicName.value).where(
                PublicName.thing == thing, PublicName.value.in_(part)
            )
            missing = sorted(set(part) - set(session.scalars(known)))
            if missing:
                rows = [{"thing": thing, "value": value} for value in missing]
                session.execute(insert(table(PublicName)), rows)


def _read(row: Row[Any], context: Any, known_hash: str) -> _New | None:
    event = event_of(row.type, row.body)
    if event is None or row.cooperative is None:
        return None
    prefixes = known_prefixes(event, context)
    sender = row.actor if row.type == CAPTURED else ""
    try:
        content = known_hash or event_hash(event, context)
        head = {
            "number": row.number,
            "cooperative": row.cooperative,
            "event_id": event.get("eventID") or content,
            "error_name": error_name(event, sender),
            "content": content,
            "is_foreign": row.type == CAPTURED,
            "sender": sender,
            "recorded_ms": row.recorded_at * 1000,
            **vars(head_of(event, prefixes)),
        }
        terms = rows_of(event, prefixes)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        if row.type == CAPTURED:
            raise
        log.warning("event %s is no EPCIS event, it cannot be asked for: %r", row.number, error)
        return None
    foreign = row.type == CAPTURED
    return _New(row.number, row.cooperative, foreign, event, prefixes, head, terms)


def _under_these_names(session: Session, new: Sequence[_New]) -> list[Row[Any]]:
    """Return what the index has already under the names of new events."""
    ids = list({one.head["event_id"] for one in new})
    wanted = select(
        Indexed.number,
        Indexed.cooperative,
        Indexed.event_id,
        Indexed.error_name,
        Indexed.error_ms,
        Indexed.content,
        Indexed.sender,
        Indexed.is_foreign,
    )
    found: list[Row[Any]] = []
    for at in range(0, len(ids), _ASKED_AT_ONCE):
        part = ids[at : at + _ASKED_AT_ONCE]
        found.extend(session.execute(wanted.where(Indexed.event_id.in_(part))))
    return found


def _set_names_apart(there: Sequence[Row[Any]], new: Sequence[_New]) -> None:
    """See to it that an own event under a name that is taken does not stop the transaction.

    Capture refuses such an event before it gets here; our own cannot be refused any more.
    """
    own = {one.head["event_id"] for one in new if not one.is_foreign}
    taken = {
        (row.cooperative, row.event_id, row.error_name) for row in there if row.event_id in own
    }
    for one in new:
        name = (one.cooperative, one.head["event_id"], one.head["error_name"])
        if name in taken:
            one.head["error_name"] += f"#{one.number}"
        taken.add(name)


@dataclass(frozen=True)
class _Claim:
    """What a declaration and the event that it is about must have in common."""

    cooperative: str
    event_id: str
    sender: str
    content: str  # of our own events empty: no one else can write them


def _claim(row: Any) -> _Claim:
    content = row.content if row.is_foreign else ""
    return _Claim(row.cooperative, row.event_id, row.sender, content)


def _declared_wrong(session: Session, there: Sequence[Row[Any]], new: Sequence[_New]) -> set[int]:
    """Find events that are declared wrong, and their declarations; end the flows of older ones."""
    known = [(row.number, _claim(row), row.error_ms is not None) for row in there]
    for one in new:
        head = SimpleNamespace(**one.head)
        known.append((one.number, _claim(head), head.error_ms is not None))
    declared = {claim for _number, claim, declares in known if declares}
    wrong = {number for number, claim, _declares in known if claim in declared}
    older = list(wrong - {one.number for one in new})
    for at in range(0, len(older), _ASKED_AT_ONCE):
        numbers = older[at : at + _ASKED_AT_ONCE]
        ended = Flow.number.in_(numbers) | Flow.source_number.in_(numbers)
        quietly = {"synchronize_session": False}
        session.execute(delete(Flow).where(ended).execution_options(**quietly))
        session.execute(
            update(Indexed)
            .where(Indexed.number.in_(numbers))
            .values(stands=False)
            .execution_options(**quietly)
        )
    return wrong


def _edges(session: Session, new: Sequence[_New], wrong: set[int]) -> Iterator[Edge]:
    joined: dict[tuple[str, str], set[int]] = {}
    for one in new:
        if one.number in wrong:
            continue
        yield from flows.packed(one.number, one.event, one.prefixes)
        if one.event["type"] != "TransformationEvent":
            continue
        yield from flows.made(*_sides(one.number, one.event, one.prefixes))
        if "transformationID" in one.event:
            name = same_form(expand(one.event["transformationID"], one.prefixes))
            joined.setdefault((one.cooperative, name), set()).add(one.number)
    for (cooperative, name), numbers in joined.items():
        yield from _joined(session, cooperative, name, numbers)


def _sides(number: int, event: Mapping[str, Any], prefixes: Prefixes) -> tuple[Side, Side]:
    return (
        Side(number, flows.inputs_of(event, prefixes)),
        Side(number, flows.outputs_of(event, prefixes)),
    )


def _contexts(session: Session, numbers: Sequence[int]) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for at in range(0, len(numbers), _ASKED_AT_ONCE):
        wanted = select(Received.number, Received.context)
        part = numbers[at : at + _ASKED_AT_ONCE]
        for row in session.execute(wanted.where(Received.number.in_(part))):
            found[row.number] = row.context
    return found


def as_sent(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event of the stream without the digests that stand beside a captured one."""
    return {name: value for name, value in body.items() if name not in OWN_NAMES}


def event_of(type_: str, body: Any) -> Mapping[str, Any] | None:
    """Return the EPCIS event in a row of the stream, ``None`` if it is something else.

    A captured one was checked when it came; our own are as well-formed as we made them.
    """
    if not isinstance(body, dict) or "eventTime" not in body:
        return None
    if type_ == CAPTURED:
        return as_sent(body)
    if body.get("type") is not None:
        told = [refusal for refusal in check_event(body) if not refusal.beyond]
        if told:
            log.warning("an event of our own (%s) is no valid EPCIS: %s", type_, told[0])
            return None
        return body
    return None


def _joined(session: Session, cooperative: str, name: str, new: set[int]) -> Iterator[Edge]:
    """Join the events of one transformation: each pair of which at least one is new."""
    wanted = (
        select(*_STREAM)
        .join(Indexed, Indexed.number == Event.number)
        .join(Term, Term.number == Event.number)
        .where(
            Indexed.cooperative == cooperative,
            Term.field == "transformationID",
            Term.value == name,
            Indexed.stands,
        )
        .order_by(Event.number)
    )
    rows = session.execute(wanted).all()
    contexts = _contexts(session, [row.number for row in rows if row.type == CAPTURED])
    sides = [
        _sides(row.number, row.body, known_prefixes(row.body, contexts.get(row.number, CONTEXT)))
        for row in rows
    ]
    for sources, _ in sides:
        for _, targets in sides:
            if sources.number != targets.number and {sources.number, targets.number} & new:
                yield from flows.made(sources, targets)


def _write(session: Session, edges: Iterable[Edge], new: Mapping[int, _New]) -> None:
    rows: list[dict[str, Any]] = []
    for edge in edges:
        owner = new.get(edge.number) or new[edge.source_number]
        rows.append(
            {
                "number": edge.number,
                "source_number": edge.source_number,
                "source": edge.source.name,
                "target": edge.target,
                "kind": edge.kind,
                "quantity": edge.source.quantity,
                "uom": edge.source.uom,
                "cooperative": owner.cooperative,
                "is_foreign": owner.is_foreign,
            }
        )
        if len(rows) == _WRITTEN_AT_ONCE:
            session.execute(insert(table(Flow)), rows)
            rows = []
    if rows:
        session.execute(insert(table(Flow)), rows)
