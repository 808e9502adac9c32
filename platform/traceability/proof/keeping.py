"""Keeping the log: everything that the stream of events got enters it before the commit.

How this works. Whoever appends an event asks for ``append_new`` at the end of the transaction
(``nongso.platform.events``). It takes all events behind the last one that the log has, in the
order of the stream, so an event that somebody put there in another way enters with the next
one. One writes at a time in both databases, and the place of an entry is its primary key: two
workers cannot make two logs.

Hashes are kept as tiles; an append touches the last tile of each level that changes.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from nongso.platform.events import Event
from nongso.platform.store import Records
from nongso.platform.traceability.proof import canonical, entries, reading, tiles
from nongso.platform.traceability.proof.entries import Fact
from nongso.platform.traceability.proof.merkle import HASH_BYTES, leaf_hash
from nongso.platform.traceability.proof.records import EVENT, LogEntry, LogSalt, LogTile

AT_ONCE = 500  # events of one transaction when many are behind


class LogDamaged(Exception):
    """The tiles and the entries of the log do not belong together."""


def size_of(session: Session) -> int:
    """Return how many entries the log has."""
    last = session.scalar(select(func.max(LogEntry.number)))
    return 0 if last is None else last + 1


def last_event(session: Session) -> int:
    """Return the number of the newest event that has its entry."""
    return session.scalar(select(func.max(LogEntry.event_number))) or 0


def append_new(session: Session, most: int | None = None) -> int:
    """Append what the stream has got, inside ``transaction()``; returns how many events."""
    wanted = select(*reading.AS_FACT).where(Event.number > last_event(session))
    found = session.execute(wanted.order_by(Event.number).limit(most)).all()
    if not found:
        return 0
    first = size_of(session)
    made = [entries.make(Fact(*row)) for row in found]
    session.execute(
        insert(LogEntry),
        [
            {"number": number, "kind": EVENT, "event_number": row.number, "entry": one.entry}
            for number, (row, one) in enumerate(zip(found, made, strict=True), first)
        ],
    )
    session.execute(
        insert(LogSalt),
        [
            {"event_number": row.number, "salts": one.salts}
            for row, one in zip(found, made, strict=True)
        ],
    )
    grow(session, first, [leaf_hash(one.entry) for one in made])
    return len(found)


def append_statement(session: Session, kind: str, told: dict[str, Any]) -> int:
    """Append an entry that is about the log itself; returns its place."""
    append_new(session)
    number = size_of(session)
    entry = canonical.dumps({"v": entries.VERSION, "kind": kind, **told})
    session.execute(
        insert(LogEntry),
        [{"number": number, "kind": kind, "event_number": None, "entry": entry}],
    )
    grow(session, number, [leaf_hash(entry)])
    return number


def catch_up(records: Records) -> int:
    """Append what is behind, portion by portion, so that others can write in between."""
    done = 0
    while True:
        with records.session() as session:
            newest = session.scalar(select(func.max(Event.number))) or 0
            if newest <= last_event(session):
                return done
        with records.transaction() as session:
            done += append_new(session, AT_ONCE)


def grow(session: Session, first: int, leaves: Sequence[bytes]) -> None:
    """Write the hashes of new leaves, and what they complete on the levels above."""
    level, new = 0, list(leaves)
    while new:
        tile, held = divmod(first, tiles.WIDTH)
        hashes = b"".join(new)
        if held:
            there = reading.tile(session, level, tile)
            if len(there) != held * HASH_BYTES:
                raise LogDamaged(f"tile {level}/{tile} of the log should have {held} hashes")
            hashes = there + hashes
        step = tiles.WIDTH * HASH_BYTES
        pieces = [hashes[at : at + step] for at in range(0, len(hashes), step)]
        rows = [
            {"level": level, "number": tile + n, "hashes": piece} for n, piece in enumerate(pieces)
        ]
        if held:
            session.execute(
                update(LogTile)
                .where(LogTile.level == level, LogTile.number == tile)
                .values(hashes=rows[0]["hashes"])
                .execution_options(synchronize_session=False)
            )
        fresh = rows[1:] if held else rows
        if fresh:
            session.execute(insert(LogTile), fresh)
        new = [tiles.subtree(piece) for piece in pieces if len(piece) == step]
        level, first = level + 1, tile
