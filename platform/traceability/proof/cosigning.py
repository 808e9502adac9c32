"""Cosignatures of witnesses: whose are taken, and keeping those that are right."""

import time

from sqlalchemy.orm import Session

from nongso.platform.traceability.proof import notes, reading
from nongso.platform.traceability.proof.notes import COSIGNER, Key, NoteError, Signature
from nongso.platform.traceability.proof.records import LogCheckpoint, LogWitness
from nongso.platform.traceability.proof.signing import keep_cosignature

LONGEST_LINE = 1000
AHEAD_SECONDS = 600  # a witness's clock may go before ours


def trust(session: Session, vkey: str, name: str, now: int) -> Key:
    """Take cosignatures of this witness from now on. Raises ``NoteError``."""
    key = Key.parse(vkey)
    if key.sort != COSIGNER:
        raise NoteError("this is the key of a log, not of a witness")
    session.merge(LogWitness(vkey=str(key), name=name, added_at=now))
    session.flush()
    return key


def distrust(session: Session, vkey: str) -> bool:
    """Take no more cosignatures of this witness; those that are there stay, but are not shown."""
    there = session.get(LogWitness, vkey)
    if there is None:
        return False
    session.delete(there)
    session.flush()
    return True


def take(session: Session, size: int, line: str, now: int | None = None) -> Key:
    """Keep a cosignature of our checkpoint of that size. Raises ``NoteError``.

    The signature itself says who sent it; nobody needs to log in for it.
    """
    now = int(time.time()) if now is None else now
    signature = Signature.parse(line)
    key = next((one for one in reading.witnesses(session) if signature.is_of(one)), None)
    if key is None:
        raise NoteError(f"{signature.name} is no witness of this log")
    checkpoint = session.get(LogCheckpoint, size)
    if checkpoint is None:
        raise NoteError(f"no checkpoint of {size} entries was signed")
    at = signature.check(key, notes.parse(checkpoint.note).text)
    if at is None or at > now + AHEAD_SECONDS:
        raise NoteError("the time of the cosignature has not come yet")
    keep_cosignature(session, size, str(key), signature.line, at)
    return key
