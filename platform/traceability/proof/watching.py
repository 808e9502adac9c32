"""Is the log well: does every event have its entry, is it signed, does the signer live?

Said in ``/healthz`` for the IT person (English) and on the clerk's first page (Vietnamese).
"""

import time
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from nongso.platform.events import Event
from nongso.platform.traceability.proof import keeping, reading
from nongso.platform.traceability.proof.records import LogSigner

SILENT_SECONDS = 300
ADVICE = "It is started by nongso platform run, or alone: nongso trace signer --settings …"


class State(NamedTuple):
    """How the log stands; ``trouble`` is empty when all is well."""

    entries: int
    signed: int
    waiting_events: int
    signer_seen_at: int | None
    trouble: str


def look(session: Session, now: int | None = None) -> State:
    """Look at the log; a few rows are read."""
    now = int(time.time()) if now is None else now
    size = keeping.size_of(session)
    newest = reading.newest(session)
    signed = newest.size if newest is not None else 0
    behind = keeping.last_event(session)
    waiting = (
        session.scalar(select(func.count()).select_from(Event).where(Event.number > behind)) or 0
    )
    signer = session.get(LogSigner, 1)
    seen = signer.seen_at if signer is not None else None
    return State(size, signed, waiting, seen, _trouble(size, signed, waiting, signer, now))


def _trouble(size: int, signed: int, waiting: int, signer: LogSigner | None, now: int) -> str:
    if signer is not None and signer.trouble:
        return signer.trouble
    if waiting:
        return f"{waiting} events have no entry in the log yet. The signer enters them."
    if signer is None:
        return f"No signer has run yet, nothing is signed. {ADVICE}" if size else ""
    if now - signer.seen_at > SILENT_SECONDS:
        minutes = (now - signer.seen_at) // 60
        return f"The signer has been silent for {minutes} minutes. {ADVICE}"
    if signed == 0 and size:
        return "Nothing of the log is signed yet."
    return ""
