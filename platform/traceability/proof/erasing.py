"""A person leaves: the log forgets who recorded what, and every proof stays whole.

The seal of "who" stays in its entry; its salt is deleted, so that nobody can find out any more
whose it was, not even by trying all ids. That salts were deleted is itself an entry, so that
nobody can hide a change behind it. What the stream keeps is the bare id, which means nobody any
more when the person's row is empty (``nongso.platform.members.leaving``).
"""

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from nongso.platform.events import Event
from nongso.platform.traceability.proof import keeping
from nongso.platform.traceability.proof.entries import ACTOR
from nongso.platform.traceability.proof.records import ERASURE, LogEntry, LogErasure, LogSalt

AT_ONCE = 500


def forget(session: Session, person_id: str, now: int) -> int:
    """Delete the salts of who recorded, inside ``transaction()``; returns how many."""
    keeping.append_new(session)
    wanted = (
        select(Event.number, LogEntry.number, LogSalt.salts)
        .join(LogEntry, LogEntry.event_number == Event.number)
        .join(LogSalt, LogSalt.event_number == Event.number)
        .where(Event.actor == person_id)
        .order_by(Event.number)
    )
    found = [row for row in session.execute(wanted).all() if ACTOR in row[2]]
    for at in range(0, len(found), AT_ONCE):
        some = found[at : at + AT_ONCE]
        told = {"at": now, "paths": [ACTOR], "entries": [place for _event, place, _ in some]}
        number = keeping.append_statement(session, ERASURE, told)
        session.execute(
            insert(LogErasure),
            [
                {"event_number": event, "path": ACTOR, "entry_number": number}
                for event, _place, _salts in some
            ],
        )
        session.execute(
            update(LogSalt),
            [
                {
                    "event_number": event,
                    "salts": {path: salt for path, salt in salts.items() if path != ACTOR},
                }
                for event, _place, salts in some
            ],
        )
    return len(found)
