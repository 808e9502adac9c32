"""Takes events of other systems in: checked, kept to the letter, each once.

How this works. Valid events go into the stream of events (type ``epcis.captured``) in one
transaction, and with them into the log of proofs and the index. Beside the stream stands the text
that was sent and the context of its document; the stream holds a digest of each, so the log
vouches for them too.

An event's name is its ``eventID``, or its hash. The same event again, under whichever way of
writing, is the event that is there. Another event under a name that is taken is refused. The
declaration that an event was wrong repeats the event under its name; it must repeat it truly, and
come from the account that captured the event. Our own events are declared wrong in our records
only. A declaration of an event that is not there yet is kept and waits (``indexing``).

``rollback`` keeps all or nothing; ``proceed`` keeps what is valid and says what is not.
"""

import hashlib
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from nongso.platform import events
from nongso.platform.events import Event
from nongso.platform.traceability.epcis import flows, indexing
from nongso.platform.traceability.epcis.errors import EpcisError
from nongso.platform.traceability.epcis.event_hash import event_hash
from nongso.platform.traceability.epcis.indexing import error_name
from nongso.platform.traceability.epcis.model_values import Refusal
from nongso.platform.traceability.epcis.namespaces import expand
from nongso.platform.traceability.epcis.reading import MOST_SHOWN, Sent, refusals_of
from nongso.platform.traceability.epcis.records import (
    CAPTURED,
    CONTEXT_DIGEST,
    DIGEST,
    Indexed,
    Job,
    Received,
    Term,
    context_digest,
    table,
)
from nongso.platform.traceability.epcis.same_name import same_form
from nongso.platform.traceability.epcis.terms import known_prefixes, milliseconds

ROLLBACK, PROCEED = "rollback", "proceed"
BEHAVIOURS = (ROLLBACK, PROCEED)
_ASKED_AT_ONCE = 400


@dataclass(frozen=True)
class Captor:
    """Who captures for whom, and when."""

    session: Session
    cooperative: str
    actor: str
    now_ms: int


@dataclass(frozen=True)
class Named:
    """A valid event with its name, and the hash of what it says."""

    sent: Sent
    event_id: str
    content: str

    def key(self, sender: str) -> tuple[str, str]:
        """What must be new: the name, and which declaration of an error it is, if it is one."""
        return self.event_id, error_name(self.sent.event, sender)


class Kept(NamedTuple):
    """What is recorded under a name: its content, and whose it is; ``""`` is our own."""

    content: str
    sender: str


@dataclass(frozen=True)
class Checked:
    """What of a capture is valid, and what is not."""

    valid: tuple[Named, ...]
    refusals: tuple[Refusal, ...]
    events: int


def check(sent: Sequence[Sent]) -> Checked:
    """Check events and name them; no database is asked."""
    valid: list[Named] = []
    refusals: list[Refusal] = []
    for one in sent:
        told = refusals_of(one)
        refusals += told
        if told:
            continue
        content = event_hash(one.event, one.context)
        event_id = one.event.get("eventID") or content
        valid.append(Named(one, event_id, content))
    return Checked(tuple(valid), tuple(refusals), len(sent))


@dataclass(frozen=True)
class Outcome:
    """What came of a capture: names that are kept now, how many of them are new, refusals."""

    kept: tuple[str, ...]
    new: int
    refusals: tuple[Refusal, ...]


def keep(captor: Captor, checked: Checked, behaviour: str) -> Outcome:
    """Keep events, inside ``transaction()``."""
    if checked.refusals and behaviour == ROLLBACK:
        return Outcome((), 0, checked.refusals)
    known = _known(captor, checked.valid)
    fresh: dict[tuple[str, str], Named] = {}
    kept: list[str] = []
    refusals = list(checked.refusals)
    for one in checked.valid:
        key = one.key(captor.actor)
        told = _conflict(captor, one, key, known)
        if told is not None:
            refusals.append(told)
            continue
        kept.append(one.event_id)
        if key not in known:
            fresh[key] = one
            known[key] = Kept(one.content, captor.actor)
    if refusals and behaviour == ROLLBACK:
        return Outcome((), 0, tuple(refusals))
    if _ways(captor, fresh.values()) > flows.MOST_EDGES:
        detail = f"more than {flows.MOST_EDGES} ways from thing to thing; send it in parts"
        raise EpcisError("CaptureLimitExceededException", detail)
    _write(captor, list(fresh.values()))
    return Outcome(tuple(kept), len(fresh), tuple(refusals))


def _ways(captor: Captor, fresh: Iterable[Named]) -> int:
    """How many rows the trace gets of these events, with what is there of the same processes.

    None of them may be left out, or a recall would end there.
    """
    ways = 0
    joined: dict[str, list[int]] = {}
    for one in fresh:
        event = one.sent.event
        prefixes = known_prefixes(event, one.sent.context)
        ways += sum(1 for _edge in flows.packed(0, event, prefixes))
        ins, outs = len(flows.inputs_of(event, prefixes)), len(flows.outputs_of(event, prefixes))
        if "transformationID" in event:
            name = same_form(expand(event["transformationID"], prefixes))
            sums = joined.setdefault(name, [0, 0])
            sums[0], sums[1] = sums[0] + ins, sums[1] + outs
        else:
            ways += ins * outs
    for name, (ins, outs) in joined.items():
        there = select(Term.number).join(Indexed, Indexed.number == Term.number)
        there = there.where(Indexed.cooperative == captor.cooperative)
        there = there.where(Term.field == "transformationID", Term.value == name)
        counted = select(Term.field, func.count()).where(Term.number.in_(there))
        rows = captor.session.execute(counted.group_by(Term.field)).all()
        known: dict[str, int] = {row[0]: row[1] for row in rows}
        before_in = known.get("inEPC", 0) + known.get("inClass", 0)
        before_out = known.get("outEPC", 0) + known.get("outClass", 0)
        ways += (ins + before_in) * (outs + before_out) - before_in * before_out
    return ways


def _conflict(
    captor: Captor, one: Named, key: tuple[str, str], known: Mapping[tuple[str, str], Kept]
) -> Refusal | None:
    """Say whether the name belongs to another event, or the event to somebody else."""
    place = f"{one.sent.place}.eventID".lstrip(".")
    there = known.get(key)
    if there is not None and there.content != one.content:
        return Refusal(place, f"{one.event_id} is the name of an event that says something else")
    original = known.get((one.event_id, "")) if key[1] else None
    if original is None or original == (one.content, captor.actor):
        return None
    if not original.sender:
        reason = "is an event of our own records; only they can declare it wrong"
    elif original.sender != captor.actor:
        reason = "was captured by another account; only that one can declare it wrong"
    else:
        reason = "a declaration of an error repeats the event that it is about, unchanged"
    return Refusal(place, reason)


def _known(captor: Captor, valid: Sequence[Named]) -> dict[tuple[str, str], Kept]:
    """What is recorded under these names already, by name and declaration."""
    ids = list(dict.fromkeys(one.event_id for one in valid))
    columns = (Indexed.event_id, Indexed.error_name, Indexed.content, Indexed.sender)
    found: dict[tuple[str, str], Kept] = {}
    for at in range(0, len(ids), _ASKED_AT_ONCE):
        wanted = select(*columns).where(
            Indexed.cooperative == captor.cooperative,
            Indexed.event_id.in_(ids[at : at + _ASKED_AT_ONCE]),
        )
        for row in captor.session.execute(wanted):
            found[row.event_id, row.error_name] = Kept(row.content, row.sender)
    return found


def _write(captor: Captor, fresh: Sequence[Named]) -> None:
    if not fresh:
        return
    rows = [
        {
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, _stream_id(captor, one))),
            "type": CAPTURED,
            "at": milliseconds(one.sent.event["eventTime"]) // 1000,
            "recorded_at": captor.now_ms // 1000,
            "actor": captor.actor,
            "cooperative": captor.cooperative,
            "body": {
                **one.sent.event,
                DIGEST: hashlib.sha256(one.sent.text.encode()).hexdigest(),
                CONTEXT_DIGEST: context_digest(one.sent.context),
            },
        }
        for one in fresh
    ]
    captor.session.execute(insert(table(Event)), rows)
    numbers = _numbers(captor.session, [str(row["id"]) for row in rows])
    captor.session.execute(
        insert(table(Received)),
        [
            {"number": numbers[str(row["id"])], "text": one.sent.text, "context": one.sent.context}
            for row, one in zip(rows, fresh, strict=True)
        ],
    )
    hashes = {numbers[str(row["id"])]: one.content for row, one in zip(rows, fresh, strict=True)}
    indexing.tell_hashes(captor.session, hashes)
    events.enter(captor.session)


def _numbers(session: Session, ids: Sequence[str]) -> dict[str, int]:
    """Return the places in the stream that these rows got."""
    found: dict[str, int] = {}
    for at in range(0, len(ids), _ASKED_AT_ONCE):
        wanted = select(Event.id, Event.number).where(Event.id.in_(ids[at : at + _ASKED_AT_ONCE]))
        for row in session.execute(wanted):
            found[row.id] = row.number
    return found


def _stream_id(captor: Captor, one: Named) -> str:
    return ":".join(("epcis", captor.cooperative, *one.key(captor.actor)))


def job(captor: Captor, behaviour: str, checked: Checked, outcome: Outcome) -> Job:
    """Write down how a capture went, inside ``transaction()``."""
    made = Job(
        id=str(uuid.uuid4()),
        cooperative=captor.cooperative,
        actor=captor.actor,
        created_ms=captor.now_ms,
        finished_ms=max(captor.now_ms, int(time.time() * 1000)),
        behaviour=behaviour,
        success=not outcome.refusals,
        events=checked.events,
        captured=len(outcome.kept),
        errors=problems(outcome.refusals),
    )
    captor.session.add(made)
    captor.session.flush()
    return made


def problems(refusals: Iterable[Refusal]) -> list[dict[str, Any]]:
    """Write refusals as a job tells them."""
    return [
        {
            "type": "epcisException:ValidationException",
            "title": "ValidationException",
            "status": 400,
            "detail": str(one),
            "field": one.field,
        }
        for one in list(refusals)[:MOST_SHOWN]
    ]
