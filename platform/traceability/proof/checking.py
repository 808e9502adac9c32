"""The whole log checked against the whole stream, for the operator: ``nongso trace check``.

Slow (it reads everything) and thorough: each event makes its entry again, each entry its leaf,
the leaves all tiles, the tiles every signed root. And the tables that pages show (stock, packs,
best before) must be what the events make of them.
"""

from collections.abc import Generator, Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from nongso.platform.events import Event
from nongso.platform.traceability import lots
from nongso.platform.traceability.proof import checkpoints, keeping, merkle, reading, tiles
from nongso.platform.traceability.proof.merkle import HASH_BYTES
from nongso.platform.traceability.proof.notes import NoteError
from nongso.platform.traceability.proof.records import EVENT, LogCheckpoint, LogEntry
from nongso.platform.traceability.proof.signing import LOG_KEY


def check(session: Session) -> Iterator[str]:
    """Say what does not belong together; nothing when all is well."""
    size = keeping.size_of(session)
    behind = session.scalar(
        select(func.count()).select_from(Event).where(Event.number > keeping.last_event(session))
    )
    if behind:
        yield f"{behind} events have no entry yet."
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
    yield from lots.differences(session)


def _bundle(session: Session, begin: int, end: int) -> Generator[str, None, list[bytes]]:
    """Check the entries of one bundle against their events; returns their leaves."""
    wanted = select(LogEntry).where(LogEntry.number >= begin, LogEntry.number < end)
    found = session.scalars(wanted.order_by(LogEntry.number)).all()
    if [one.number for one in found] != list(range(begin, end)):
        yield f"Entries are missing between {begin} and {end}."
    numbers = [one.event_number for one in found if one.event_number is not None]
    again = reading.again(session, numbers)
    for one in found:
        if one.kind != EVENT or one.event_number is None:
            continue
        made = again.get(one.event_number)
        if made is None:
            yield f"Entry {one.number}: its event {one.event_number} is gone."
        elif made.made.entry != one.entry:
            yield f"Entry {one.number}: event {one.event_number} was changed after its entry."
    session.expunge_all()
    return [merkle.leaf_hash(one.entry) for one in found]


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
