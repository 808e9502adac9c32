"""The whole log checked against the whole stream, for the operator: ``nongso trace check``.

Slow (it reads everything) and thorough: each event makes its entry again, each entry its leaf,
the leaves all tiles, the tiles every signed root. What was forgotten must be what the log says
was forgotten. And the tables that pages show (stock, packs, best before, labels, which events are
about which lot) must be what the events make of them.
"""

import json
from collections.abc import Generator, Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from nongso.platform.events import Event
from nongso.platform.traceability import lots
from nongso.platform.traceability.proof import (
    checkpoints,
    keeping,
    merkle,
    reading,
    tiles,
    told,
)
from nongso.platform.traceability.proof.merkle import HASH_BYTES
from nongso.platform.traceability.proof.notes import NoteError
from nongso.platform.traceability.proof.records import (
    ERASURE,
    EVENT,
    LogCheckpoint,
    LogEntry,
    LogErasure,
)
from nongso.platform.traceability.proof.signing import LOG_KEY


def check(session: Session) -> Iterator[str]:
    """Say what does not belong together; nothing when all is well."""
    size = keeping.size_of(session)
    behind = session.scalar(
        select(func.count()).select_from(Event).where(Event.number > keeping.last_event(session))
    )
    if behind:
        yield f"{behind} events have no entry yet."
    yield from _left_out(session)
    level: list[bytes] = []
    for begin in range(0, size, tiles.WIDTH):
        leaves = yield from _bundle(session, begin, min(size, begin + tiles.WIDTH))
        if reading.tile(session, 0, begin // tiles.WIDTH) != b"".join(leaves):
            yield f"Tile 0/{begin // tiles.WIDTH} is not made of its entries."
        if len(leaves) == tiles.WIDTH:
            level.append(tiles.subtree(b"".join(leaves)))
    height = 1
    while level:
        above = []
        for begin in range(0, len(level), tiles.WIDTH):
            hashes = b"".join(level[begin : begin + tiles.WIDTH])
            if reading.tile(session, height, begin // tiles.WIDTH) != hashes:
                yield f"Tile {height}/{begin // tiles.WIDTH} is not made of the tiles below it."
            if len(hashes) == tiles.WIDTH * HASH_BYTES:
                above.append(tiles.subtree(hashes))
        level, height = above, height + 1
    yield from _roots(session, size)
    yield from _erasures(session)
    yield from lots.differences(session)
    yield from told.differences(session)


def _left_out(session: Session) -> Iterator[str]:
    """Events among those that entered to which no entry belongs, and entries out of order."""
    entered = select(LogEntry.event_number).where(LogEntry.event_number.is_not(None))
    wanted = select(Event.number).where(
        Event.number <= keeping.last_event(session), Event.number.not_in(entered)
    )
    for number in session.scalars(wanted.order_by(Event.number)):
        yield f"Event {number} has no entry."
    before = 0
    in_order = select(LogEntry.number, LogEntry.event_number).order_by(LogEntry.number)
    for place, event in session.execute(in_order):
        if event is not None and event < before:
            yield f"Entry {place}: event {event} stands behind event {before}."
        before = event or before


def _erasures(session: Session) -> Iterator[str]:
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
            yield f"Event {event}: no entry says that {path} was forgotten."


def _bundle(session: Session, begin: int, end: int) -> Generator[str, None, list[bytes]]:
    """Check the entries of one bundle against their events; returns their leaves."""
    wanted = select(LogEntry).where(LogEntry.number >= begin, LogEntry.number < end)
    found = session.scalars(wanted.order_by(LogEntry.number)).all()
    if [one.number for one in found] != list(range(begin, end)):
        yield f"Entries are missing between {begin} and {end}."
    numbers = [one.event_number for one in found if one.event_number is not None]
    again = reading.again(session, numbers)
    for one in found:
        if _kind(one.entry) != one.kind or (one.kind == EVENT) != (one.event_number is not None):
            yield f"Entry {one.number} is not of the kind that it is said to be."
        if one.event_number is None:
            continue
        made = again.get(one.event_number)
        if made is None:
            yield f"Entry {one.number}: its event {one.event_number} is gone."
        elif made.made.entry != one.entry:
            yield f"Entry {one.number}: event {one.event_number} was changed after its entry."
    session.expunge_all()
    return [merkle.leaf_hash(one.entry) for one in found]


def _kind(entry: bytes) -> str:
    try:
        return str(json.loads(entry)["kind"])
    except (ValueError, KeyError, TypeError):
        return ""


def _roots(session: Session, size: int) -> Iterator[str]:
    nodes, keys = reading.nodes(session), reading.keys(session, LOG_KEY)
    for one in session.scalars(select(LogCheckpoint).order_by(LogCheckpoint.size)):
        try:
            found = checkpoints.open_note(one.note, keys, []).checkpoint
        except NoteError as error:
            yield f"The checkpoint of {one.size} entries: {error}."
            continue
        if found.size != one.size or one.size > size:
            yield f"The checkpoint of {one.size} entries does not belong here."
        elif merkle.root(nodes, one.size) != found.root:
            yield f"The first {one.size} entries are not those that were signed."
