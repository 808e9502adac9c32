"""Reading the log: hashes for proofs, checkpoints with their cosignatures, events made again.

Everything a proof needs is fixed once it is written: a tile only gets longer. So a proof for a
checkpoint can be read piece by piece while others append.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from nongso.platform.events import Event
from nongso.platform.traceability.proof import entries, merkle, notes, tiles
from nongso.platform.traceability.proof.checkpoints import Checkpoint
from nongso.platform.traceability.proof.entries import Fact, Made
from nongso.platform.traceability.proof.notes import Key
from nongso.platform.traceability.proof.records import (
    LogCheckpoint,
    LogCosignature,
    LogEntry,
    LogErasure,
    LogKey,
    LogSalt,
    LogTile,
    LogWitness,
)

_AT_ONCE = 500  # SQLite's limit on parameters, with room


def nodes(session: Session, places: Iterable[int] = (), *sizes: int) -> merkle.Nodes:
    """Return the hashes of the log, read tile by tile.

    For proofs of these places in logs of these sizes all tiles are fetched in one question.
    """
    kept = _fetched(session, set(places), sizes) if sizes else {}

    def read(level: int, number: int) -> bytes:
        found = kept.get((level, number))
        return tile(session, level, number) if found is None else found

    return tiles.nodes_of(read)


def _fetched(
    session: Session, places: set[int], sizes: Sequence[int]
) -> dict[tuple[int, int], bytes]:
    """Fetch the tiles on the way from places to the roots, and along the right edges."""
    if len(places) > _AT_ONCE:
        return {}
    rows: list[ColumnElement[bool]] = []
    level, below = 0, places
    while level == 0 or max(sizes) >> (8 * level):
        below = {one // tiles.WIDTH for one in below}
        edge = {(size >> (8 * level)) // tiles.WIDTH for size in sizes}
        rows.append(and_(LogTile.level == level, LogTile.number.in_(sorted(below | edge))))
        level += 1
    found = session.execute(
        select(LogTile.level, LogTile.number, LogTile.hashes).where(or_(*rows))
    )
    return {(level, number): hashes for level, number, hashes in found}


def tile(session: Session, level: int, number: int) -> bytes:
    """Return the hashes of a tile; empty where there is none."""
    wanted = select(LogTile.hashes).where(LogTile.level == level, LogTile.number == number)
    return session.scalar(wanted) or b""


def entries_between(session: Session, begin: int, end: int) -> list[bytes]:
    """Return the entries from a place up to, not including, another."""
    wanted = select(LogEntry.entry).where(LogEntry.number >= begin, LogEntry.number < end)
    return list(session.scalars(wanted.order_by(LogEntry.number)))


class Entered(NamedTuple):
    """An event with its place in the log (``None``: not there), and its entry made again."""

    place: int | None
    made: Made


AS_FACT = (  # an event's columns in the order of ``Fact``
    Event.number,
    Event.id,
    Event.type,
    Event.at,
    Event.recorded_at,
    Event.actor,
    Event.cooperative,
    Event.body,
)


def again(session: Session, events: Sequence[int]) -> dict[int, Entered]:
    """Make the entries of these events again from what the database says now."""
    found: dict[int, Entered] = {}
    for at in range(0, len(events), _AT_ONCE):
        some = events[at : at + _AT_ONCE]
        erased = _erased(session, some)
        wanted = (
            select(*AS_FACT, LogEntry.number, LogEntry.entry, LogSalt.salts)
            .outerjoin(LogEntry, LogEntry.event_number == Event.number)
            .outerjoin(LogSalt, LogSalt.event_number == Event.number)
            .where(Event.number.in_(some))
        )
        for *columns, place, entry, salts in session.execute(wanted):
            fact = Fact(*columns)
            version = entries.version_of(entry or b"")
            made = entries.again(fact, salts or {}, erased.get(fact.number, {}), version)
            found[fact.number] = Entered(place, made)
    return found


def _erased(session: Session, events: Sequence[int]) -> dict[int, dict[str, str]]:
    """Return the seals of fields whose salts were deleted, as the log holds them.

    Only who recorded an event is ever forgotten: a row that says so of anything else would hide a
    change, and is not believed.
    """
    wanted = select(LogErasure.event_number, LogErasure.path, LogEntry.entry)
    rows = session.execute(
        wanted.join(LogEntry, LogEntry.event_number == LogErasure.event_number).where(
            LogErasure.event_number.in_(events), LogErasure.path == entries.ACTOR
        )
    )
    found: dict[int, dict[str, str]] = {}
    for event, path, entry in rows:
        found.setdefault(event, {})[path] = entries.seals_of(entry).get(path, "")
    return found


def newest(session: Session) -> LogCheckpoint | None:
    """Return the newest signed checkpoint."""
    wanted = select(LogCheckpoint).order_by(LogCheckpoint.size.desc()).limit(1)
    return session.scalar(wanted)


def covering(session: Session, place: int) -> LogCheckpoint | None:
    """Return the first signed checkpoint that has the entry at this place."""
    wanted = select(LogCheckpoint).where(LogCheckpoint.size > place)
    return session.scalar(wanted.order_by(LogCheckpoint.size).limit(1))


def note_of(session: Session, checkpoint: LogCheckpoint) -> str:
    """Return a checkpoint as it is served: the log's signatures, then all cosignatures."""
    return with_lines(checkpoint, cosignatures(session, checkpoint.size))


def with_lines(checkpoint: LogCheckpoint, cosigned: Sequence[LogCosignature]) -> str:
    """Put a checkpoint and its cosignatures together."""
    lines: dict[str, None] = {}
    for one in cosigned:
        lines |= {one.first_line: None, one.line: None}
    return checkpoint.note + "".join(lines)


def cosignatures(session: Session, size: int) -> Sequence[LogCosignature]:
    """Return who has cosigned the log of this size, the first one first."""
    wanted = select(LogCosignature).where(LogCosignature.size == size)
    return session.scalars(wanted.order_by(LogCosignature.first_at, LogCosignature.vkey)).all()


def parsed(checkpoint: LogCheckpoint) -> Checkpoint:
    """Read what a kept checkpoint says; its signatures are not judged."""
    return Checkpoint.parse(notes.parse(checkpoint.note).text)


def keys(session: Session, sort: str) -> list[Key]:
    """Return the log's keys of a sort, the newest first."""
    wanted = select(LogKey.vkey).where(LogKey.sort == sort)
    rows = session.scalars(wanted.order_by(LogKey.added_at.desc(), LogKey.since.desc()))
    return [Key.parse(one) for one in rows]


def witnesses(session: Session) -> dict[Key, str]:
    """Return who else may cosign, with their names for people."""
    return {Key.parse(one.vkey): one.name for one in session.scalars(select(LogWitness))}
