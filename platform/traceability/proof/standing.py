"""Does a lot's record still match the log? Asked before a page dares say "chưa bị sửa từ ngày …".

Every event behind the lot is made into its entry again, hashed, and followed up to the root of a
signed checkpoint, whose signature is checked too. So a changed event is noticed, and a changed
entry, hash or checkpoint as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from nongso.platform.traceability.proof import checkpoints, merkle, reading
from nongso.platform.traceability.proof.lotfile import events_behind
from nongso.platform.traceability.proof.merkle import ProofError
from nongso.platform.traceability.proof.notes import NoteError
from nongso.platform.traceability.proof.signing import LOG_KEY
from nongso.platform.traceability.records import Lot

UNCHANGED, CHANGED, WAITING = "unchanged", "changed", "waiting"


@dataclass(frozen=True)
class Standing:
    """``unchanged`` since a moment, ``changed`` (these events), or ``waiting`` to be signed."""

    state: str
    since: int | None = None
    changed: tuple[int, ...] = field(default=())
    records: int = 0


def of_lot(session: Session, lot: Lot, behind: Sequence[str] = ()) -> Standing:
    """Return how the record of a lot stands now; ``behind`` as in ``events_behind``."""
    return of_events(session, events_behind(session, lot, behind))


def of_events(session: Session, numbers: Sequence[int]) -> Standing:
    """Return how these events stand now."""
    found = reading.again(session, numbers)
    places = {number: one.place for number, one in found.items() if one.place is not None}
    gone = [number for number in numbers if number not in found]
    last = max(places.values(), default=-1)
    first = reading.covering(session, last) if len(places) == len(numbers) else None
    nodes = reading.nodes(session, places.values(), first.size if first else last + 1)
    changed = gone + [
        number
        for number, place in places.items()
        if not _is_same(nodes, place, found[number].made.entry)
    ]
    if changed:
        return Standing(CHANGED, changed=tuple(changed), records=len(numbers))
    if first is None or not numbers:
        return Standing(WAITING, records=len(numbers))
    try:
        keys = reading.keys(session, LOG_KEY)
        root = checkpoints.open_note(first.note, keys, []).checkpoint.root
        for place in places.values():
            proof = merkle.inclusion(nodes, place, first.size)
            merkle.verify_inclusion(nodes(0, place), place, first.size, proof, root)
    except (NoteError, ProofError):
        return Standing(CHANGED, changed=tuple(numbers), records=len(numbers))
    return Standing(UNCHANGED, since=first.signed_at, records=len(numbers))


def _is_same(nodes: merkle.Nodes, place: int, entry: bytes) -> bool:
    try:
        return nodes(0, place) == merkle.leaf_hash(entry)
    except ProofError:
        return False
