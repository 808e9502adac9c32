"""The whole log checked against the whole stream, for the operator: ``nongso trace check``.

Slow (it reads everything) and thorough: each event makes its entry again, each entry its leaf,
the leaves all tiles, the tiles every signed root. What was forgotten must be what the log says
was forgotten. And the tables that pages show (stock, packs, best before, labels, which events are
about which lot, the index of EPCIS) must be what the events make of them.

Whatever somebody put into a table is told and not stumbled over: what cannot be read ends its own
part of the check only.
"""

import json
import sqlite3
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from nongso.platform import soundness
from nongso.platform.events import Event
from nongso.platform.storage import StorageError, Trouble
from nongso.platform.traceability import lots
from nongso.platform.traceability.amiss import EVIDENCE, Amiss
from nongso.platform.traceability.epcis import held as epcis_held
from nongso.platform.traceability.labelling import held as labels_held
from nongso.platform.traceability.proof import (
    keeping,
    merkle,
    reading,
    signed,
    subjects,
    tiles,
)
from nongso.platform.traceability.proof.checkpoints import Checkpoint
from nongso.platform.traceability.proof.merkle import HASH_BYTES
from nongso.platform.traceability.proof.records import (
    ERASURE,
    EVENT,
    LogEntry,
    LogErasure,
)
from nongso.platform.traceability.registry import vouching as registry_vouching

MOST_TOLD = 50  # of one table; the rest is counted
# What follows from an event that was changed itself is not set as that event says now.
_EVENTS_FIRST = "Events or entries were changed: put those named above right first"
_WAIT = "The signer enters them: see that nongso platform run, or nongso trace signer, runs"


def check(session: Session, last: Checkpoint | None = None) -> Iterator[Amiss]:
    """Say what does not belong together; nothing when all is well.

    ``last`` is what the signer remembers to have signed last, where it can be asked.
    """
    told: dict[str, int] = {}
    for one in _all(session, last):
        if one.advice != EVIDENCE and told.keys() & {"event", "log_entry"}:
            one = replace(one, advice=_EVENTS_FIRST)
        told[one.table] = told.get(one.table, 0) + 1
        if told[one.table] <= MOST_TOLD:
            yield one
    for table, count in told.items():
        if count > MOST_TOLD:
            yield Amiss(
                table, "…", f"{count - MOST_TOLD} more like these", "Begin with those above"
            )


def _all(session: Session, last: Checkpoint | None) -> Iterator[Amiss]:
    size = keeping.size_of(session)
    parts: list[tuple[str, Callable[[], Iterator[Amiss]]]] = [
        ("log_entry", lambda: _left_out(session)),
        ("log_tile", lambda: _tree(session, size)),
        ("log_checkpoint", lambda: signed.differences(session, size, last)),
        ("log_erasure", lambda: _erasures(session)),
        ("lot", lambda: map(_of_stock, lots.differences(session))),
        ("event_subject", lambda: subjects.differences(session)),
        ("label_code", lambda: labels_held.differences(session)),
        ("epcis_event", lambda: epcis_held.differences(session)),
        ("certificate", lambda: registry_vouching.differences(session)),
    ]
    yield from _other_kinds(session)
    for table, part in parts:
        yield from _read_through(table, part)


def _read_through(table: str, part: Callable[[], Iterator[Amiss]]) -> Iterator[Amiss]:
    """Tell what a part finds; what it cannot read ends this part, not the check."""
    try:
        yield from part()
    except Exception as error:  # anything can have been put there
        if isinstance(error, StorageError) and error.trouble != Trouble.DAMAGED:
            raise
        said = " ".join(str(error).split())[:200]
        what = f"it could not be read to its end ({type(error).__name__}: {said})"
        yield Amiss(table, "…", what, f"First mend what is told of other tables. {EVIDENCE}")


def _other_kinds(session: Session) -> Iterator[Amiss]:
    """Values that are not of their column's kind: only SQLite would take them."""
    connection = session.connection().connection.driver_connection
    if not isinstance(connection, sqlite3.Connection):
        return
    for table, row in soundness.rows_of_other_kinds(connection, MOST_TOLD):
        yield Amiss(table, row, "it holds a value of another kind than its column", EVIDENCE)


def _of_stock(line: str) -> Amiss:
    """A line of ``lots.differences``: table, key, and what is wrong."""
    called, _, what = line.partition(": ")
    table, _, row = called.partition(" ")
    return Amiss(table, row, what)


def _tree(session: Session, size: int) -> Iterator[Amiss]:
    """Entries against events, tiles against entries, tiles against the tiles below."""
    behind = session.scalar(
        select(func.count()).select_from(Event).where(Event.number > keeping.last_event(session))
    )
    if behind:
        yield Amiss("log_entry", "…", f"{behind} events have no entry yet", _WAIT)
    level: list[bytes] = []
    for begin in range(0, size, tiles.WIDTH):
        leaves = yield from _bundle(session, begin, min(size, begin + tiles.WIDTH))
        if reading.tile(session, 0, begin // tiles.WIDTH) != b"".join(leaves):
            yield _tile(0, begin // tiles.WIDTH, "its entries")
        if len(leaves) == tiles.WIDTH:
            level.append(tiles.subtree(b"".join(leaves)))
    height = 1
    while level:
        above = []
        for begin in range(0, len(level), tiles.WIDTH):
            hashes = b"".join(level[begin : begin + tiles.WIDTH])
            if reading.tile(session, height, begin // tiles.WIDTH) != hashes:
                yield _tile(height, begin // tiles.WIDTH, "the tiles below it")
            if len(hashes) == tiles.WIDTH * HASH_BYTES:
                above.append(tiles.subtree(hashes))
        level, height = above, height + 1


def _tile(level: int, number: int, of: str) -> Amiss:
    return Amiss("log_tile", f"{level}/{number}", f"it is not made of {of}", EVIDENCE)


def _left_out(session: Session) -> Iterator[Amiss]:
    """Events among those that entered to which no entry belongs, and entries out of order."""
    entered = select(LogEntry.event_number).where(LogEntry.event_number.is_not(None))
    wanted = select(Event.number).where(
        Event.number <= keeping.last_event(session), Event.number.not_in(entered)
    )
    for number in session.scalars(wanted.order_by(Event.number)):
        yield Amiss("event", str(number), f"event {number} has no entry", EVIDENCE)
    before = 0
    in_order = select(LogEntry.number, LogEntry.event_number).order_by(LogEntry.number)
    for place, event in session.execute(in_order):
        if event is not None and event < before:
            what = f"event {event} stands behind event {before}"
            yield Amiss("log_entry", str(place), what, EVIDENCE)
        before = event or before


def _erasures(session: Session) -> Iterator[Amiss]:
    """What is said to be forgotten without an entry of the log that says so."""
    said: set[tuple[int, str, int]] = set()
    wanted = select(LogEntry.number, LogEntry.entry).where(LogEntry.kind == ERASURE)
    for number, entry in session.execute(wanted):
        says = json.loads(entry)
        paths, places = says.get("paths", ()), says.get("entries", ())
        said |= {(place, path, number) for place in places for path in paths}
    rows = session.execute(
        select(LogErasure.event_number, LogEntry.number, LogErasure.path, LogErasure.entry_number)
        .outerjoin(LogEntry, LogEntry.event_number == LogErasure.event_number)
        .order_by(LogErasure.event_number, LogErasure.path)
    )
    for event, place, path, number in rows:
        if (place, path, number) not in said:
            what = f"no entry says that {path} of event {event} was forgotten"
            yield Amiss("log_erasure", f"{event}{path}", what, EVIDENCE)


def _bundle(session: Session, begin: int, end: int) -> Generator[Amiss, None, list[bytes]]:
    """Check the entries of one bundle against their events; returns their leaves.

    No leaves where they cannot be read: the tile above then differs too.
    """
    leaves: list[bytes] = []
    try:
        for one in _entries(session, begin, end):
            if isinstance(one, Amiss):
                yield one
            else:
                leaves.append(one)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        what = f"they cannot be read ({type(error).__name__}: {error})"
        yield Amiss("log_entry", f"{begin} to {end - 1}", what, EVIDENCE)
        leaves = []
    session.expunge_all()
    return leaves


def _entries(session: Session, begin: int, end: int) -> Iterator[Amiss | bytes]:
    wanted = select(LogEntry).where(LogEntry.number >= begin, LogEntry.number < end)
    found = session.scalars(wanted.order_by(LogEntry.number)).all()
    if [one.number for one in found] != list(range(begin, end)):
        yield Amiss("log_entry", f"{begin} to {end - 1}", "some of them are missing", EVIDENCE)
    numbers = [one.event_number for one in found if one.event_number is not None]
    again = reading.again(session, numbers)
    for one in found:
        row = str(one.number)
        if _kind(one.entry) != one.kind or (one.kind == EVENT) != (one.event_number is not None):
            yield Amiss("log_entry", row, "it is not of the kind that it is said to be", EVIDENCE)
        if one.event_number is None:
            continue
        made = again.get(one.event_number)
        if made is None:
            yield Amiss("event", str(one.event_number), f"it is gone (entry {row})", EVIDENCE)
        elif made.made.entry != one.entry:
            what = f"event {one.event_number} was changed after its entry, or its entry {row} was"
            yield Amiss("event", str(one.event_number), what, EVIDENCE)
    yield from (merkle.leaf_hash(one.entry) for one in found)


def _kind(entry: bytes) -> str:
    try:
        return str(json.loads(entry)["kind"])
    except (ValueError, KeyError, TypeError):
        return ""
