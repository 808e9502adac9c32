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
from nongso.platform.traceability.trace import trace

_AT_ONCE = 500


class NotYet(Exception):
    """The lot's newest records are not signed yet; ``behind`` says how many."""

    def __init__(self, behind: int) -> None:
        super().__init__(f"{behind} records are not signed yet")
        self.behind = behind


def events_behind(session: Session, lot: Lot) -> list[int]:
    """Return the events by which a lot came to be what it is, in the order of the stream."""
    codes = [found.lot.code for found in trace(session, lot, "back").lots]
    found: dict[int, tuple[str, Any]] = {}
    own: set[int] = set()
    for at in range(0, len(codes), _AT_ONCE):
        subjects = [f"lot:{code}" for code in codes[at : at + _AT_ONCE]]
        rows = session.execute(
            select(Event.number, Event.type, Event.body, EventSubject.subject)
            .join(EventSubject, EventSubject.number == Event.number)
            .where(EventSubject.subject.in_(subjects))
        )
        for number, type_, body, subject in rows:
            found[number] = (type_, body)
            if subject == f"lot:{lot.code}":
                own.add(number)
    known = set(codes)
    return sorted(
        number
        for number, (type_, body) in found.items()
        if number in own or _is_on_the_way(type_, body, known)
    )


def _is_on_the_way(type_: str, body: Any, known: set[str]) -> bool:
    if type_.startswith("labels."):
        return False  # labels of an earlier lot
    outputs = body.get("outputQuantityList") if isinstance(body, dict) else None
    if not isinstance(outputs, list) or not outputs:
        return True
    return any(code_of(one.get("epcClass")) in known for one in outputs if isinstance(one, dict))


def make(session: Session, lot: Lot, address: str) -> dict[str, Any]:
    """Make the file. Raises ``NotYet``."""
    numbers = events_behind(session, lot)
    places = reading.places_of(session, numbers)
    newest = reading.newest(session)
    size = newest.size if newest is not None else 0
    behind = sum(places.get(number, size) >= size for number in numbers)
    if newest is None or behind:
        raise NotYet(behind)
    nodes = reading.nodes(session)
    again = reading.again(session, numbers)
    told = []
    for number in sorted(numbers, key=places.__getitem__):
        place, made = places[number], again[number]
        one = _proven(nodes, place, size, made.entry)
        if made.beside is not None:
            one["beside"] = canonical.dumps(made.beside).decode()
        told.append(one)
    last = max(places.values())
    return {
        "format": FORMAT,
        "lot": lot.code,
        "address": address,
        "witnesses": [
            {"name": name, "key": str(key)} for key, name in reading.witnesses(session).items()
        ],
        "checkpoint": reading.note_of(session, newest),
        "earlier": [
            {
                "checkpoint": reading.note_of(session, one),
                "consistency": _texts(merkle.consistency(nodes, one.size, size)),
            }
            for one in _earlier(session, last, size)
        ],
        **keys_file(session, newest),
        "records": told,
    }


def keys_file(session: Session, newest: LogCheckpoint) -> dict[str, Any]:
    """Return the log's keys as a proof file has them, for whoever follows the log."""
    nodes = reading.nodes(session)
    return {
        "key": str(_signer_of(session, newest)),
        "clock": str(_clock_of(session, newest)),
        "keys": [
            _proven(nodes, place, newest.size, entry)
            for place, entry in _keys(session)
            if place < newest.size
        ],
    }


def _texts(hashes: Sequence[bytes]) -> list[str]:
    return list(map(notes.encode, hashes))


def _proven(nodes: merkle.Nodes, place: int, size: int, entry: bytes) -> dict[str, Any]:
    proof = merkle.inclusion(nodes, place, size)
    return {"index": place, "entry": entry.decode(), "proof": _texts(proof)}


def _signer_of(session: Session, newest: LogCheckpoint) -> notes.Key:
    """The key that signed the newest checkpoint; of two, the newer."""
    note = notes.parse(newest.note)
    keys = reading.keys(session, LOG_KEY)
    return next(key for key in keys if any(one.is_of(key) for one in note.signatures))


def _clock_of(session: Session, newest: LogCheckpoint) -> notes.Key:
    signed = {one.vkey for one in reading.cosignatures(session, newest.size)}
    clocks = reading.keys(session, CLOCK_KEY)
    return next((key for key in clocks if str(key) in signed), clocks[0])


def _earlier(session: Session, last: int, size: int) -> list[LogCheckpoint]:
    """The first checkpoint that has all of it, and the newest that a witness has signed."""
    found = {}
    first = reading.covering(session, last)
    if first is not None:
        found[first.size] = first
    names = [str(key) for key in reading.witnesses(session)]
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


def _keys(session: Session) -> list[tuple[int, bytes]]:
    places = session.scalars(select(LogKey.since).where(LogKey.sort == LOG_KEY)).all()
    wanted = select(LogEntry.number, LogEntry.entry).where(LogEntry.number.in_(places))
    return [(place, entry) for place, entry in session.execute(wanted.order_by(LogEntry.number))]


def text_of(made: dict[str, Any]) -> str:
    """Write a file for people who look inside: one record a line."""
    head = {name: value for name, value in made.items() if name not in ("records", "keys")}
    lines = [f'"{name}":{json.dumps(value, ensure_ascii=False)}' for name, value in head.items()]
    for name in ("keys", "records"):
        rows = ",\n".join(json.dumps(one, ensure_ascii=False) for one in made[name])
        lines.append(f'"{name}":[\n{rows}\n]')
    return "{\n" + ",\n".join(lines) + "\n}\n"
