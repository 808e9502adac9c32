"""A lot's proof file, made: the records behind the lot as the database has them now.

Each record is made again from its event, never copied from the log: if the event was changed
meanwhile, the file does not verify, which is its purpose. Events about an earlier lot that went
into other goods than this lot are left out.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.events import Event, EventSubject
from nongso.platform.traceability.proof import canonical, merkle, notes, reading
from nongso.platform.traceability.proof.lotproof import FORMAT, code_of
from nongso.platform.traceability.proof.records import (
    LogCheckpoint,
    LogCosignature,
    LogEntry,
    LogKey,
)
from nongso.platform.traceability.proof.signing import CLOCK_KEY, LOG_KEY
from nongso.platform.traceability.records import Lot
from nongso.platform.traceability.tracing.trace import reach

_AT_ONCE = 500


class NotYet(Exception):
    """The lot's newest records are not signed yet; ``behind`` says how many."""

    def __init__(self, behind: int) -> None:
        super().__init__(f"{behind} records are not signed yet")
        self.behind = behind


def events_behind(session: Session, lot: Lot, behind: Sequence[str] = ()) -> list[int]:
    """Return the events by which a lot came to be what it is, in the order of the stream.

    Who has walked back from it already gives the lots ``behind`` it, its own code among them.
    """
    codes = behind or [node.code for node in reach(session, [lot.code], "back").nodes]
    known = set(codes)
    about = select(EventSubject.number)
    found = set(session.scalars(about.where(EventSubject.subject == f"lot:{lot.code}")))
    for at in range(0, len(codes), _AT_ONCE):
        subjects = [f"lot:{code}" for code in codes[at : at + _AT_ONCE]]
        rows = session.execute(
            select(Event.number, Event.type, Event.body).where(
                Event.number.in_(about.where(EventSubject.subject.in_(subjects)))
            )
        )
        found.update(number for number, type_, body in rows if _is_on_the_way(type_, body, known))
    return sorted(found)


def _is_on_the_way(type_: str, body: Any, known: set[str]) -> bool:
    if type_.startswith("labels."):
        return False  # labels of an earlier lot
    outputs = body.get("outputQuantityList") if isinstance(body, dict) else None
    if not isinstance(outputs, list) or not outputs:
        return True
    return any(code_of(one.get("epcClass")) in known for one in outputs if isinstance(one, dict))


def make(session: Session, lot: Lot, address: str) -> dict[str, Any]:
    """Make the file. Raises ``NotYet``."""
    return of_events(session, lot.code, events_behind(session, lot), address)


def of_events(session: Session, lot: str, numbers: Sequence[int], address: str) -> dict[str, Any]:
    """Make the file of these events. Raises ``NotYet``."""
    found = reading.again(session, numbers)
    newest = reading.newest(session)
    size = newest.size if newest is not None else 0
    places = {number: one.place for number, one in found.items() if one.place is not None}
    behind = sum(places.get(number, size) >= size for number in numbers)
    if newest is None or behind:
        raise NotYet(behind)
    last = max(places.values())
    witnesses = reading.witnesses(session)
    before = _earlier(session, [str(key) for key in witnesses], last, size)
    keys = _Keys(session, newest)
    sizes = [size, *(one.size for one in before)]
    nodes = reading.nodes(session, [*places.values(), *keys.places], *sizes)
    told = []
    for number in sorted(numbers, key=places.__getitem__):
        made = found[number].made
        one = _proven(nodes, places[number], size, made.entry)
        if made.beside is not None:
            one["beside"] = canonical.dumps(made.beside).decode()
        told.append(one)
    return {
        "format": FORMAT,
        "lot": lot,
        "address": address,
        "witnesses": [{"name": name, "key": str(key)} for key, name in witnesses.items()],
        "checkpoint": keys.note,
        "earlier": [
            {
                "checkpoint": reading.note_of(session, one),
                "consistency": _texts(merkle.consistency(nodes, one.size, size)),
            }
            for one in before
        ],
        **keys.told(nodes),
        "records": told,
    }


class _Keys:
    """The log's keys below a checkpoint, and the checkpoint with all its signatures."""

    def __init__(self, session: Session, newest: LogCheckpoint) -> None:
        self._size = newest.size
        known = session.execute(
            select(LogKey.vkey, LogKey.sort, LogKey.since).order_by(
                LogKey.added_at.desc(), LogKey.since.desc()
            )
        ).all()
        cosigned = reading.cosignatures(session, newest.size)
        signed = notes.parse(newest.note).signatures
        logs = [notes.Key.parse(vkey) for vkey, sort, _since in known if sort == LOG_KEY]
        clocks = [vkey for vkey, sort, _since in known if sort == CLOCK_KEY]
        seen = {one.vkey for one in cosigned}
        # Where the keys are replaced both have signed: the newer one speaks.
        self._key = next(key for key in logs if any(one.is_of(key) for one in signed))
        self._clock = next((vkey for vkey in clocks if vkey in seen), clocks[0])
        self.note = reading.with_lines(newest, cosigned)
        self.places = sorted({since for *_, since in known if since < newest.size})
        wanted = select(LogEntry.entry).where(LogEntry.number.in_(self.places))
        self._entries = session.scalars(wanted.order_by(LogEntry.number)).all()

    def told(self, nodes: merkle.Nodes) -> dict[str, Any]:
        """What a file says of the keys, each with the entry that introduces it."""
        entries = zip(self.places, self._entries, strict=True)
        return {
            "key": str(self._key),
            "clock": self._clock,
            "keys": [_proven(nodes, place, self._size, entry) for place, entry in entries],
        }


def keys_file(session: Session, newest: LogCheckpoint) -> dict[str, Any]:
    """Return the log's keys as a proof file has them, for whoever follows the log."""
    return _Keys(session, newest).told(reading.nodes(session))


def _texts(hashes: Sequence[bytes]) -> list[str]:
    return list(map(notes.encode, hashes))


def _proven(nodes: merkle.Nodes, place: int, size: int, entry: bytes) -> dict[str, Any]:
    proof = merkle.inclusion(nodes, place, size)
    return {"index": place, "entry": entry.decode(), "proof": _texts(proof)}


def _earlier(session: Session, names: list[str], last: int, size: int) -> list[LogCheckpoint]:
    """The first checkpoint that has all of it, and the first and newest that witnesses signed."""
    found = {}
    first = reading.covering(session, last)
    if first is not None:
        found[first.size] = first
    if not names:
        return [one for one in found.values() if one.size < size]
    wanted = (
        select(LogCosignature.size)
        .where(LogCosignature.vkey.in_(names), LogCosignature.size > last)
        .order_by(LogCosignature.size)
    )
    for seen in {session.scalar(wanted.limit(1)), session.scalar(_last(wanted))} - {None}:
        one = session.get(LogCheckpoint, seen)
        if one is not None:
            found[one.size] = one
    return [found[at] for at in sorted(found) if at < size]


def _last(wanted: Any) -> Any:
    return wanted.order_by(None).order_by(LogCosignature.size.desc()).limit(1)


def text_of(made: dict[str, Any]) -> str:
    """Write a file for people who look inside: one record a line."""
    head = {name: value for name, value in made.items() if name not in ("records", "keys")}
    lines = [f'"{name}":{json.dumps(value, ensure_ascii=False)}' for name, value in head.items()]
    for name in ("keys", "records"):
        rows = ",\n".join(json.dumps(one, ensure_ascii=False) for one in made[name])
        lines.append(f'"{name}":[\n{rows}\n]')
    return "{\n" + ",\n".join(lines) + "\n}\n"
