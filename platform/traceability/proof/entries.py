"""What an event becomes in the log: what everybody may know, and seals for everything else.

Values in, bytes out. What is public is listed here, field by field; whatever is not listed is
private, also a field that somebody invents next year. Of a private field the log holds
SHA-256 over canonical JSON of ``[salt, path, value]``: nobody can guess the value from it, and
with salt and value in hand anybody can check it. Names, contacts and the id of whoever recorded
something are never public; nor is the household that a lot came from.

Events of other systems are public in their frame only. What has no canonical form is sealed as the
text that Python writes. An entry must fit into 65,535 bytes: of a longer event the log holds
the digest of the public part, and a proof brings that part along.

An entry says by which version of the list it was made, and is made again by the same one. So the
lists below are never changed once they have been released: a field that shall become public
gets a new version beside them.
"""

import hashlib
import json
import re
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nongso.platform.traceability.proof import canonical
from nongso.platform.traceability.proof.canonical import NotCanonical
from nongso.platform.traceability.proof.tiles import LONGEST_ENTRY

VERSION = 1
SALT_BYTES = 16
MOST_SEALS = 40  # of one event; more are sealed together
FOREIGN = "epcis."  # types of events that other systems recorded begin so

_FRAME = {
    "type", "eventID", "eventTime", "eventTimeZoneOffset", "recordTime", "action", "bizStep",
    "disposition",
}  # fmt: skip
_OURS = _FRAME | {
    "persistentDisposition", "epcList", "parentID", "childEPCs", "inputEPCList", "outputEPCList",
    "transformationID", "nongso:kind", "nongso:name", "nongso:stated", "nongso:demonstration",
    "nongso:labels", "nongso:first", "nongso:last", "nongso:serialsSha256", "nongso:grownFrom",
    "nongso:growingRecord", "nongso:recipe", "nongso:process", "nongso:moisturePermille",
    "nongso:corrects",
} | {  # of work in the field (``field_events``): what was done with what, never by whom
    "nongso:day", "nongso:inputName", "nongso:activeIngredient", "nongso:dose", "nongso:amount",
    "nongso:amountUnit", "nongso:preHarvestIntervalDays", "nongso:withheldUntil", "nongso:litres",
    "nongso:waterings", "nongso:unmeteredWaterings", "nongso:simulated", "nongso:placeRecord",
}  # fmt: skip
_QUANTITIES = {
    "quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList",
}  # fmt: skip
_QUANTITY = {"epcClass", "quantity", "uom"}
_INSIDE = {
    "ilmd": {
        "nongso:variety",
        "nongso:harvestDate",
        "nongso:packingDate",
        "nongso:bestBeforeDate",
        "nongso:packGrams",
    },
    "errorDeclaration": {"declarationTime", "reason", "correctiveEventIDs"},
}
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9:._-]{0,60}")
_WHOLE = "/body"
ACTOR = "/actor"  # who recorded it: the only field whose salt is ever deleted
_Sealed = tuple[dict[str, str], dict[str, str]]  # the seals of fields and their salts, by path
_VERSION = re.compile(rb'"v":([0-9]{1,6})\}$')  # the last name in canonical order


@dataclass(frozen=True)
class Fact:
    """An event as the stream has it."""

    number: int
    id: str
    type: str
    at: int
    recorded_at: int
    actor: str
    cooperative: str | None
    body: Any


@dataclass
class Made:
    """An entry with the salts of its seals; ``beside`` is the public part that did not fit."""

    entry: bytes
    salts: dict[str, str] = field(default_factory=dict)
    beside: dict[str, Any] | None = None


def is_epcis(body: Any) -> bool:
    """Say whether a body has the shape of an EPCIS event."""
    return isinstance(body, dict) and isinstance(body.get("eventTime"), str) and "type" in body


def split(type_: str, body: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what is public of a body, and what is private, by path."""
    if not isinstance(body, dict):
        return {}, {_WHOLE: body}
    known = set()
    if is_epcis(body):
        known = _FRAME if type_.startswith(FOREIGN) else _OURS
    public: dict[str, Any] = {}
    private: dict[str, Any] = {}
    for name, value in body.items():
        if _is_public(name, value, known):
            public[name] = value
        elif name in _INSIDE and known is _OURS and isinstance(value, dict):
            public[name] = {key: one for key, one in value.items() if key in _INSIDE[name]}
            rest = {key: one for key, one in value.items() if key not in _INSIDE[name]}
            private |= {f"{_WHOLE}/{name}/{key}": one for key, one in rest.items()}
        else:
            private[f"{_WHOLE}/{name}"] = value
    names = [name for path in private for name in path.split("/")[2:]]
    if len(private) > MOST_SEALS or not all(map(_FIELD.fullmatch, names)):
        private = {_WHOLE: _without(body, public)}
    return public, private


def _is_public(name: str, value: Any, known: set[str]) -> bool:
    if name in _QUANTITIES:
        return known is _OURS and _is_plain(value)
    return name in known and (name not in _FRAME or isinstance(value, str))


def _is_plain(quantities: Any) -> bool:
    return isinstance(quantities, list) and all(
        isinstance(one, dict) and set(one) <= _QUANTITY for one in quantities
    )


def _without(body: dict[str, Any], public: dict[str, Any]) -> dict[str, Any]:
    """Return what ``public`` leaves out, one level deep."""
    left = {}
    for name, value in body.items():
        if name not in public:
            left[name] = value
        elif name in _INSIDE:
            rest = {key: one for key, one in value.items() if key not in public[name]}
            left |= {name: rest} if rest else {}
    return left


def seal(salt: str, path: str, value: Any) -> str:
    """Commit to a value without telling it."""
    try:
        told = canonical.dumps([salt, path, value])
    except NotCanonical:
        told = canonical.dumps([salt, f"{path}#text", json.dumps(value, sort_keys=True)])
    return hashlib.sha256(told).hexdigest()


def make(fact: Fact) -> Made:
    """Make the entry of a new event, with new salts."""

    def sealed(private: dict[str, Any]) -> _Sealed:
        drawn = secrets.token_hex(SALT_BYTES * len(private))
        width = 2 * SALT_BYTES
        salts = {path: drawn[n * width : (n + 1) * width] for n, path in enumerate(private)}
        return {path: seal(salts[path], path, private[path]) for path in private}, salts

    return _made(fact, sealed)


def again(
    fact: Fact, salts: Mapping[str, str], erased: Mapping[str, str], version: int = VERSION
) -> Made:
    """Make the entry of an event as it stands now: the same bytes, if nothing was changed.

    ``erased`` are the seals, as the log has them, of fields whose salts were deleted: of those
    nobody can say any more whether they were changed. ``version`` is what the entry says.
    """
    if version != VERSION:  # made by a newer program, or a changed entry
        return Made(b"", dict(salts))

    def sealed(private: dict[str, Any]) -> _Sealed:
        seals = {
            path: erased[path] if path in erased else seal(salts.get(path, ""), path, value)
            for path, value in private.items()
        }
        return seals, dict(salts)

    return _made(fact, sealed)


def _made(fact: Fact, sealed: Callable[[dict[str, Any]], _Sealed]) -> Made:
    """Make the entry; a body whose public part has no canonical form is sealed whole."""
    who: dict[str, Any] = {ACTOR: fact.actor}
    if not _is_uuid(fact.id):
        who["/id"] = fact.id
    public, private = split(fact.type, fact.body)
    try:
        return _written(fact, public, *sealed(private | who))
    except NotCanonical:
        return _written(fact, {}, *sealed({_WHOLE: fact.body} | who))


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _written(
    fact: Fact, public: dict[str, Any], seals: dict[str, str], salts: dict[str, str]
) -> Made:
    told: dict[str, Any] = {
        "v": VERSION,
        "kind": "event",
        "type": fact.type,
        "at": fact.at,
        "recorded": fact.recorded_at,
        "cooperative": fact.cooperative,
        "body": public,
        "sealed": seals,
    }
    if "/id" not in seals:
        told["id"] = fact.id
    entry = canonical.dumps(told)
    if len(entry) <= LONGEST_ENTRY:
        return Made(entry, salts)
    told["body"] = {"sha256": hashlib.sha256(canonical.dumps(public)).hexdigest()}
    return Made(canonical.dumps(told), salts, beside=public)


def version_of(entry: bytes) -> int:
    """Return by which version of the list an entry was made; 0 where it does not say."""
    found = _VERSION.search(entry)
    return int(found[1]) if found else 0


def seals_of(entry: bytes) -> dict[str, str]:
    """Return the seals of an entry, by path."""
    found: dict[str, str] = json.loads(entry).get("sealed", {})
    return found
