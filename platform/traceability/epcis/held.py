"""EPCIS held against the stream: the texts that others sent, and the index by which we are asked.

A text must be the one whose digest the stream has, and the context of its document too. The index
is read once more, from a copy of the stream in a file that is thrown away, and compared row by
row. Events that were captured before contexts had digests are held against their index only:
where that differs, either may have been changed, and nobody is told to read the index anew, which
would make the changed context the truth.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Table, create_engine, event, func, insert, select
from sqlalchemy.orm import Session

from nongso.platform.events import Event, EventSubject
from nongso.platform.traceability.amiss import EVIDENCE, Amiss
from nongso.platform.traceability.epcis import indexing
from nongso.platform.traceability.epcis.records import (
    CAPTURED,
    CONTEXT_DIGEST,
    DIGEST,
    Flow,
    Indexed,
    LotName,
    PublicName,
    Reached,
    Received,
    Term,
    context_digest,
    table,
)
from nongso.platform.traceability.records import LabelCode, Lot, Producer, Product

ANEW = "Let the index be read anew from the events: nongso trace reindex --settings platform.json"
_STREAM = (Event, EventSubject, Received)
_BOOKS = (Producer, Product, Lot, LabelCode)  # what names may mean is asked of them
_BY_EVENT = (Indexed, Term, Flow)
_NAMES = (PublicName, LotName)
_AT_ONCE = 500


def differences(session: Session) -> Iterator[Amiss]:
    """Say where EPCIS is not what the events say."""
    is_doubtful = False
    for one in _received(session):
        is_doubtful = True
        yield one
    yield from _index(session, is_doubtful)


def without(session: Session) -> int:
    """How many captured events are of a time when the stream had no digest of their context."""
    wanted = select(func.count()).where(
        Event.type == CAPTURED, Event.body[CONTEXT_DIGEST].as_string().is_(None)
    )
    return session.scalar(wanted) or 0


def _received(session: Session) -> Iterator[Amiss]:
    name = Received.__tablename__
    wanted = (
        select(Event.number, Event.body, Received.text, Received.context)
        .outerjoin(Received, Received.number == Event.number)
        .where(Event.type == CAPTURED)
        .order_by(Event.number)
        .limit(_AT_ONCE)
    )
    after = 0
    while found := session.execute(wanted.where(Event.number > after)).all():
        after = found[-1].number
        for number, body, text, context in found:
            if text is None:
                what = f"the text of event {number}, which another system sent, is gone"
                yield Amiss(name, str(number), what, EVIDENCE)
            elif DIGEST in body and hashlib.sha256(text.encode()).hexdigest() != body[DIGEST]:
                what = "text is not what was sent: the log has another digest of it"
                yield Amiss(name, str(number), what, EVIDENCE)
            elif CONTEXT_DIGEST in body and context_digest(context) != body[CONTEXT_DIGEST]:
                what = "context is not what was sent: the log has another digest of it"
                yield Amiss(name, str(number), what, EVIDENCE)
    captured = select(Event.number).where(Event.type == CAPTURED)
    more = select(Received.number).where(Received.number.not_in(captured))
    for number in session.scalars(more.order_by(Received.number)):
        yield Amiss(name, str(number), "no captured event belongs to this text", EVIDENCE)


def _index(session: Session, is_doubtful: bool) -> Iterator[Amiss]:
    until = indexing.reached(session)
    with _paper() as paper:
        ends = _copied(session, paper, until)
        for found in _unvouched(session, paper):
            is_doubtful = True
            yield found
        advice = EVIDENCE if is_doubtful else ANEW
        told = select(table(Reached))
        if list(session.execute(told)) != list(paper.execute(told)):
            what = f"number is {until}, and the stream has no such event"
            yield Amiss(Reached.__tablename__, "1", what, advice)
        for begin, end in zip([0, *ends[:-1]], [*ends[:-1], None], strict=True):
            for one in map(table, _BY_EVENT):
                where = one.c.number > begin
                if end is not None:
                    where &= one.c.number <= end
                yield from _compared(session, paper, one, advice, where)
        for one in map(table, _NAMES):
            yield from _compared(session, paper, one, advice)


def _unvouched(session: Session, paper: Session) -> Iterator[Amiss]:
    """Captured events without a digest of their context, whose index is not what it makes."""
    wanted = (
        select(Event.number)
        .where(Event.type == CAPTURED, Event.body[CONTEXT_DIGEST].as_string().is_(None))
        .order_by(Event.number)
        .limit(_AT_ONCE)
    )
    what = (
        "the log does not vouch for its context, and the index has another event hash or other "
        "terms than it makes: one of them was changed"
    )
    after = 0
    while numbers := list(paper.scalars(wanted.where(Event.number > after))):
        after = numbers[-1]
        differ: set[int] = set()
        for asked in (
            select(Indexed.number, Indexed.event_id, Indexed.content),
            select(Term.number, Term.place, Term.field, Term.value),
        ):
            of = asked.where(asked.selected_columns[0].in_(numbers))
            kept, made = ({tuple(row) for row in each.execute(of)} for each in (session, paper))
            differ |= {row[0] for row in kept ^ made}
        for number in sorted(differ):
            yield Amiss(Received.__tablename__, str(number), what, EVIDENCE)


@contextmanager
def _paper() -> Iterator[Session]:
    """A database that nobody needs: in a file, because 100,000 events are large."""
    with tempfile.TemporaryDirectory(prefix="nongso-index-") as folder:
        engine = create_engine(f"sqlite:///{Path(folder) / 'index.sqlite'}")

        @event.listens_for(engine, "connect")
        def careless(connection: Any, _record: Any) -> None:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA journal_mode = OFF")

        kinds = (*_STREAM, *_BOOKS, *_BY_EVENT, *_NAMES, Reached)
        Event.metadata.create_all(engine, tables=[table(kind) for kind in kinds])
        with Session(engine) as session:
            yield session
        engine.dispose()


def _copied(session: Session, paper: Session, until: int) -> list[int]:
    """Read the index on paper, portion by portion; returns the last number of each."""
    for book in map(table, _BOOKS):
        _copy(session, paper, book)
    ends = [0]
    while True:
        stream = table(Event)
        wanted = select(stream.c.number).where(
            stream.c.number > ends[-1], stream.c.number <= until
        )
        numbers = list(session.scalars(wanted.order_by(stream.c.number).limit(_AT_ONCE)))
        if not numbers:
            return ends[1:] or ends
        for one in map(table, _STREAM):
            _copy(session, paper, one, one.c.number.between(numbers[0], numbers[-1]))
        indexing.index_new(paper)
        ends.append(numbers[-1])


def _copy(
    session: Session, paper: Session, one: Table, where: ColumnElement[bool] | None = None
) -> None:
    wanted = select(one) if where is None else select(one).where(where)
    rows = [dict(row) for row in session.execute(wanted).mappings()]
    if rows:
        paper.execute(insert(one), rows)


def _compared(
    session: Session,
    paper: Session,
    one: Table,
    advice: str,
    where: ColumnElement[bool] | None = None,
) -> Iterator[Amiss]:
    wanted = select(one) if where is None else select(one).where(where)
    kept = {tuple(row) for row in session.execute(wanted)}
    made = {tuple(row) for row in paper.execute(wanted)}
    if kept == made:
        return
    names = [column.name for column in one.columns]
    keys = [names.index(column.name) for column in one.primary_key]

    def by_key(rows: set[tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
        return {"/".join(str(row[at]) for at in keys): row for row in rows}

    is_, should = by_key(kept - made), by_key(made - kept)
    for key in sorted(is_ | should):
        if key not in should:
            what = "in the index, but not in the events"
        elif key not in is_:
            what = "in the events, but not in the index"
        else:
            at = next(n for n, value in enumerate(is_[key]) if value != should[key][n])
            what = f"{names[at]} is {is_[key][at]!r}, the event says {should[key][at]!r}"
        yield Amiss(one.name, key, what, advice)
