"""Finds events in the index: a question in, a page of events out.

The order of a page never depends on when an event arrived: by the time asked for, then by the
event's name. The next page begins behind the last event of this one, so that events which
come in between move nothing.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, tuple_
from sqlalchemy.orm import Session

from nongso.platform.events import Event
from nongso.platform.traceability.epcis.errors import EpcisError, bad_query
from nongso.platform.traceability.epcis.model_values import can_be_written
from nongso.platform.traceability.epcis.question import (
    Among,
    Amount,
    Attributed,
    Column,
    Condition,
    Exists,
    Question,
    Range,
)
from nongso.platform.traceability.epcis.records import Indexed, PublicName, Received, Term

# Who may see what: everything, a cooperative's events, or what ``public`` selects.
Scope = ColumnElement[bool] | None
# Which places or parties have an attribute, as a condition on their names.
Named = Callable[[Attributed], Condition]
HASH_BEGINS = "ni:///sha-256;"
_ASKED_AT_ONCE = 400
_FEW = 200  # events are looked at one by one; more are walked in the order of the page
_HIGHEST = "\uffff"
_MOST_GIVEN = 1 << 53  # events on the pages before, where the question sets no limit


@dataclass(frozen=True)
class Found:
    """An event that was found: its row of the index, what the stream has, and the text as sent."""

    head: Indexed
    body: dict[str, Any]
    text: str | None
    context: Any


@dataclass(frozen=True)
class Page:
    """Some events, and where the next ones begin (empty at the end)."""

    events: tuple[Found, ...]
    token: str


def find(session: Session, question: Question, scope: Scope, known: Named | None = None) -> Page:
    """Find a page of events. ``known`` names what has an attribute. Raises ``EpcisError``."""
    wanted = _where(session, select(Indexed.number), question, scope, known)
    if question.most is not None:
        count = session.scalar(
            select(func.count()).select_from(wanted.limit(question.most + 1).subquery())
        )
        if count is not None and count > question.most:
            detail = f"more than {question.most} events"
            raise EpcisError("QueryTooLargeException", detail)
    column = getattr(Indexed, question.by)
    keys = (column, Indexed.event_id, Indexed.error_name)
    order = [key.desc() if question.descending else key.asc() for key in keys]
    wanted = wanted.order_by(*order, Indexed.number)
    given = 0
    if question.token:
        given, last = _read_token(question)
        behind = (
            tuple_(*keys) < tuple_(*last)
            if question.descending
            else (tuple_(*keys) > tuple_(*last))
        )
        wanted = wanted.where(behind)
    limit = question.per_page
    if question.first is not None:
        limit = min(limit, question.first - given)
    numbers = session.scalars(wanted.limit(limit + 1)).all()
    found = fetch(session, numbers[:limit])
    more = len(numbers) > limit and (question.first is None or given + limit < question.first)
    token = _token(question, given + limit, found[-1].head) if more and found else ""
    return Page(tuple(found), token)


def fetch(session: Session, numbers: Sequence[int]) -> list[Found]:
    """Return the events of these numbers, in this order."""
    wanted = (
        select(Indexed, Event.body, Received.text, Received.context)
        .join(Event, Event.number == Indexed.number)
        .outerjoin(Received, Received.number == Indexed.number)
    )
    rows: dict[int, Found] = {}
    for at in range(0, len(numbers), _ASKED_AT_ONCE):
        part = wanted.where(Indexed.number.in_(numbers[at : at + _ASKED_AT_ONCE]))
        rows |= {
            row[0].number: Found(row[0], row[1], row[2], row[3]) for row in session.execute(part)
        }
    return [rows[number] for number in numbers if number in rows]


def named(session: Session, event_id: str, scope: Scope) -> list[Found]:
    """Return the event of this name, and behind it the declarations that it was wrong.

    What holds stands last: the event, unless its own sender has declared it wrong; then the
    newest such declaration. What we recorded goes before what another cooperative captured under
    its name. An event with another name is found by its hash too: who was told the event works
    it out.
    """
    wanted = select(Indexed.number).where(_called((event_id,)))
    if scope is not None:
        wanted = wanted.where(scope)
    found = fetch(session, session.scalars(wanted).all())
    senders = {one.head.sender for one in found if one.head.error_ms is None}

    def weight(one: Found) -> tuple[bool, bool, bool, int, int]:
        head = one.head
        ours, by_sender = not head.is_foreign, head.sender in senders
        return ours, head.stands, by_sender, head.error_ms or 0, head.number

    return sorted(found, key=weight)


def values_of(session: Session, column: str, scope: Scope, after: str, limit: int) -> list[str]:
    """Return the values that a column has, in order."""
    of = getattr(Indexed, column)
    wanted = select(of).where(of.is_not(None), of > after)
    if scope is not None:
        wanted = wanted.where(scope)
    return list(session.scalars(wanted.distinct().order_by(of).limit(limit)))


def names_of(
    session: Session, fields: Sequence[str], scope: Scope, after: str, limit: int
) -> list[str]:
    """Return the values that fields of the index have, in order.

    Each field by itself, so that the database walks its index and stops when it has enough.
    """
    found: set[str] = set()
    for field in fields:
        wanted = select(Term.value).where(Term.field == field, Term.value > after)
        if scope is not None:
            wanted = wanted.join(Indexed, Indexed.number == Term.number).where(scope)
        found.update(session.scalars(wanted.distinct().order_by(Term.value).limit(limit)))
    return sorted(found)[:limit]


def public_names(session: Session, thing: str, after: str, limit: int) -> list[str]:
    """Return what strangers may be told there is, in order."""
    wanted = select(PublicName.value).where(PublicName.thing == thing, PublicName.value > after)
    return list(session.scalars(wanted.order_by(PublicName.value).limit(limit)))


def is_public_name(session: Session, thing: str, value: str) -> bool:
    """Say whether strangers may be told that there is such a thing."""
    return session.get(PublicName, (thing, value)) is not None


def _where(
    session: Session,
    wanted: Select[Any],
    question: Question,
    scope: Scope,
    known: Named | None,
) -> Select[Any]:
    if scope is not None:
        wanted = wanted.where(scope)
    plain = (
        known(one) if known is not None and isinstance(one, Attributed) else one
        for one in question.conditions
    )
    return wanted.where(*(_numbers_of(session, one) for one in plain))


def _numbers_of(session: Session, one: Condition) -> ColumnElement[bool]:
    """The condition; where few events answer it, their numbers.

    A database goes by what it counted last. While a table grows it takes what is rare for
    common and walks all events in the order of the page, looking for the few.
    """
    condition = _condition(one)
    if not isinstance(one, Among):
        return condition
    wanted = select(Term.number).where(_is_among(one)).limit(_FEW + 1)
    found = session.scalars(wanted).all()  # an event may stand in it several times
    return Indexed.number.in_(sorted(set(found))) if len(found) <= _FEW else condition


def _condition(one: Condition) -> ColumnElement[bool]:
    if isinstance(one, Column):
        if one.name == "event_id":
            return _called(one.values)
        column = getattr(Indexed, one.name)
        return _one_of(column, one.values, one.prefixes)
    if isinstance(one, Range):
        column = getattr(Indexed, one.name)
        compared: ColumnElement[bool] = (
            column >= one.than if one.how == "GE" else column < one.than
        )
        return compared
    assert not isinstance(one, Attributed), "nobody said what has the attribute"
    inside = select(Term.number)
    if isinstance(one, Among):
        inside = inside.where(_is_among(one))
    elif isinstance(one, Exists):
        inside = inside.where(Term.field == one.field)
    else:
        inside = inside.where(Term.field == one.field, _compared(one))
        if one.unit is not None:
            inside = inside.where(Term.value == one.unit)
    return Indexed.number.in_(inside)


def _is_among(one: Among) -> ColumnElement[bool]:
    return and_(Term.field.in_(one.fields), _one_of(Term.value, one.values, one.prefixes))


def _called(names: Sequence[str]) -> ColumnElement[bool]:
    hashes = [name for name in names if name.startswith(HASH_BEGINS)]
    called = Indexed.event_id.in_(names)
    return or_(called, Indexed.content.in_(hashes)) if hashes else called


def _one_of(column: Any, values: Sequence[str], beginnings: Sequence[str]) -> ColumnElement[bool]:
    exact: ColumnElement[bool] = column.in_(values)
    # A beginning as a range: an index answers it in both databases, LIKE only sometimes.
    ranges = [and_(column >= one, column < one + _HIGHEST) for one in beginnings]
    return or_(exact, *ranges) if ranges else exact


def _compared(one: Amount) -> ColumnElement[bool]:
    if one.how == "EQ":
        return Term.amount.in_(one.than)
    than = one.than[0]
    made: dict[str, ColumnElement[bool]] = {
        "GT": Term.amount > than,
        "GE": Term.amount >= than,
        "LT": Term.amount < than,
        "LE": Term.amount <= than,
    }
    return made[one.how]


def _fingerprint(question: Question) -> str:
    """Tell questions apart, so that a token is not used for another one."""
    told = repr((question.conditions, question.by, question.descending, question.first))
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:16]


def _token(question: Question, given: int, last: Indexed) -> str:
    told = [
        _fingerprint(question),
        given,
        getattr(last, question.by),
        last.event_id,
        last.error_name,
    ]
    text = json.dumps(told, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_token(question: Question) -> tuple[int, tuple[int, str, str]]:
    try:
        padded = question.token + "=" * (-len(question.token) % 4)
        told = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        fingerprint, given, at, event_id, error = told
        if (
            fingerprint != _fingerprint(question)
            or type(given) is not int
            or not 0 < given < (question.first or _MOST_GIVEN)
            or type(at) is not int
            or not -(1 << 62) < at < 1 << 62
            or not isinstance(event_id, str)
            or not isinstance(error, str)
            or not can_be_written(event_id)
            or not can_be_written(error)
        ):
            raise ValueError
    except (ValueError, binascii.Error, TypeError, RecursionError) as error_:
        raise bad_query("nextPageToken is not of this question", parameter="nextPageToken") from (
            error_
        )
    return given, (at, event_id, error)
