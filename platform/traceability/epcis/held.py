"""EPCIS held against the stream: the texts that others sent, and the index by which we are asked.

A text must be the one whose digest the stream has. The index is read once more, from a copy of
the stream in a file that is thrown away, and compared row by row; the context of a captured
document, which no event has, is held that way too, because the hash of the event rests on it.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Table, create_engine, event, insert, select
from sqlalchemy.orm import Session

from nongso.platform.events import Event, EventSubject
from nongso.platform.traceability.amiss import EVIDENCE, Amiss
from nongso.platform.traceability.epcis import indexing
from nongso.platform.traceability.epcis.records import (
    CAPTURED,
    DIGEST,
    Flow,
    Indexed,
    LotName,
    PublicName,
    Reached,
    Received,
    Term,
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
    yield from _received(session)
    yield from _index(session)


def _received(session: Session) -> Iterator[Amiss]:
    name = Received.__tablename__
    wanted = (
        select(Event.number, Event.body, Received.text)
        .outerjoin(Received, Received.number == Event.number)
        .where(Event.type == CAPTURED)
        .order_by(Event.number)
        .limit(_AT_ONCE)
    )
    after = 0
    while found := session.execute(wanted.where(Event.number > after)).all():
        after = found[-1].number
        for number, body, text in found:
            if text is None:
                what = f"the text of event {number}, which another system sent, is gone"
                yield Amiss(name, str(number), what, EVIDENCE)
            elif DIGEST in body and hashlib.sha256(text.encode()).hexdigest() != body[DIGEST]:
                what = "text is not what was sent: the log has another digest of it"
                yield Amiss(name, str(number), what, EVIDENCE)
    captured = select(Event.number).where(Event.type == CAPTURED)
    more = select(Received.number).where(Received.number.not_in(captured))
    for number in session.scalars(more.order_by(Received.number)):
        yield Amiss(name, str(number), "no captured event belongs to this text", EVIDENCE)


def _index(session: Session) -> Iterator[Amiss]:
    until = indexing.reached(session)
    with _paper() as paper:
        ends = _copied(session, paper, until)
        told = select(table(Reached))
        if list(session.execute(told)) != list(paper.execute(told)):
            what = f"number is {until}, and the stream has no such event"
            yield Amiss(Reached.__tablename__, "1", what, ANEW)
        for begin, end in zip([0, *ends[:-1]], [*ends[:-1], None], strict=True):
            for one in map(table, _BY_EVENT):
                where = one.c.number > begin
                if end is not None:
                    where &= one.c.number <= end
                yield from _compared(session, paper, one, where)
        for one in map(table, _NAMES):
            yield from _compared(session, paper, one)


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
    session: Session, paper: Session, one: Table, where: ColumnElement[bool] | None = None
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
        yield Amiss(one.name, key, what, ANEW)
