"""What the log signed, and with which keys, held against the log itself.

A key is introduced by an entry, so the keys follow from the entries: a table that was emptied or
has a key more is found, and what was signed is judged by the keys that the log says. Every
checkpoint must be a beginning of the tree that is there, with the time that the log's clock
put beside it. Of a checkpoint that was deleted its cosignatures tell, of the newest one the
signer's own memory (``log/last``) where it can be read.
"""

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.traceability.amiss import EVIDENCE, Amiss
from nongso.platform.traceability.proof import checkpoints, merkle, notes, reading
from nongso.platform.traceability.proof.checkpoints import Checkpoint
from nongso.platform.traceability.proof.merkle import ProofError
from nongso.platform.traceability.proof.notes import Key, NoteError, Signature
from nongso.platform.traceability.proof.records import (
    KEY,
    LogCheckpoint,
    LogCosignature,
    LogEntry,
    LogKey,
)
from nongso.platform.traceability.proof.signing import CLOCK_KEY, LOG_KEY

_COLUMNS = ("sort", "since", "added_at", "replaced_at")


def differences(session: Session, size: int, last: Checkpoint | None) -> Iterator[Amiss]:
    """Say what of the keys, checkpoints and cosignatures is not right; ``last`` as remembered."""
    introduced = _introduced(session)
    yield from _keys(session, introduced)
    keys = [Key.parse(vkey) for vkey, columns in introduced.items() if columns["sort"] == LOG_KEY]
    there = set()
    nodes = reading.nodes(session)
    for one in session.scalars(select(LogCheckpoint).order_by(LogCheckpoint.size)):
        there.add(one.size)
        what = _checkpoint(nodes, one, keys, size)
        if what:
            yield Amiss("log_checkpoint", str(one.size), what, EVIDENCE)
        yield from _times(session, one)
    sizes = select(LogCosignature.size).distinct().order_by(LogCosignature.size)
    for gone in set(session.scalars(sizes)) - there:
        what = "it was cosigned, and is gone"
        yield Amiss("log_checkpoint", str(gone), what, EVIDENCE)
    if last is not None and last.size and last.size not in there:
        what = "the signer remembers that it was signed, and it is gone"
        yield Amiss("log_checkpoint", str(last.size), what, EVIDENCE)


def _introduced(session: Session) -> dict[str, dict[str, Any]]:
    """The keys as the entries of the log introduce them, the oldest first."""
    found: dict[str, dict[str, Any]] = {}
    wanted = select(LogEntry.number, LogEntry.entry).where(LogEntry.kind == KEY)
    for number, entry in session.execute(wanted.order_by(LogEntry.number)):
        told = json.loads(entry)
        for columns in found.values():
            columns["replaced_at"] = columns["replaced_at"] or told["at"]
        for sort, vkey in ((LOG_KEY, told["new"]), (CLOCK_KEY, told["clock"])):
            values = (sort, number, told["at"], None)
            found[vkey] = dict(zip(_COLUMNS, values, strict=True))
    return found


def _keys(session: Session, introduced: dict[str, dict[str, Any]]) -> Iterator[Amiss]:
    kept = {one.vkey: one for one in session.scalars(select(LogKey))}
    for vkey in introduced.keys() - kept.keys():
        what = f"entry {introduced[vkey]['since']} introduces this key, and the table has it not"
        yield Amiss("log_key", vkey, what, EVIDENCE)
    for vkey in kept.keys() - introduced.keys():
        yield Amiss("log_key", vkey, "no entry of the log introduces this key", EVIDENCE)
    for vkey in introduced.keys() & kept.keys():
        for column in _COLUMNS:
            is_, should = getattr(kept[vkey], column), introduced[vkey][column]
            if is_ != should:
                what = f"{column} is {is_!r}, the log says {should!r}"
                yield Amiss("log_key", vkey, what, EVIDENCE)


def _checkpoint(nodes: merkle.Nodes, one: LogCheckpoint, keys: list[Key], size: int) -> str:
    try:
        found = checkpoints.open_note(one.note, keys, []).checkpoint
    except NoteError as error:
        return str(error)
    if found.size != one.size or one.size > size:
        return f"it was signed for {found.size} entries, and the log has {size}"
    try:
        return "" if merkle.root(nodes, one.size) == found.root else _OTHER
    except (ProofError, TypeError):
        return f"{_OTHER}, or their hashes cannot be read"


_OTHER = "the first entries are not those that were signed"


def _times(session: Session, one: LogCheckpoint) -> Iterator[Amiss]:
    """The cosignatures of a checkpoint, and the time of its signing by the log's clock."""
    try:
        text = notes.parse(one.note).text
    except NoteError:
        return  # told already
    clocks = set(session.scalars(select(LogKey.vkey).where(LogKey.sort == CLOCK_KEY)))
    first_at = []
    wanted = select(LogCosignature).where(LogCosignature.size == one.size)
    for seen in session.scalars(wanted.order_by(LogCosignature.vkey)):
        row = f"{seen.size}/{seen.vkey}"
        for line, at in sorted({(seen.first_line, seen.first_at), (seen.line, seen.at)}):
            try:
                said = Signature.parse(line).check(Key.parse(seen.vkey), text)
            except NoteError as error:
                yield Amiss("log_cosignature", row, str(error), EVIDENCE)
                continue
            if said != at:
                what = f"its time is {at}, and {said} was signed"
                yield Amiss("log_cosignature", row, what, EVIDENCE)
        if seen.vkey in clocks:
            first_at.append(seen.first_at)
    if not first_at and clocks:
        what = "the log's clock has not signed when it was signed"
        yield Amiss("log_checkpoint", str(one.size), what, EVIDENCE)
    elif first_at and one.signed_at not in first_at:
        what = f"signed_at is {one.signed_at}, the log's clock has signed {min(first_at)}"
        yield Amiss("log_checkpoint", str(one.size), what, EVIDENCE)
