"""A lot's proof file, judged: no network, no database, nothing but the file and kept keys.

The file is JSON (docs/proof.md). What is judged, in this order: the newest checkpoint is signed by
the log's key, which is the kept one or was confirmed by it; every record hashes to the entry at
its place below that checkpoint; earlier checkpoints and those that witnesses signed are
beginnings of the same log; the way of the lot has no gap. Then what follows is said by
``verdicts``, and also what does not follow.
"""

import datetime
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from nongso.platform.traceability.proof import checkpoints, ed25519, merkle, notes
from nongso.platform.traceability.proof.checkpoints import Checkpoint, Opened
from nongso.platform.traceability.proof.merkle import ProofError
from nongso.platform.traceability.proof.notes import COSIGNER, LOG, Key, NoteError

FORMAT = "nongso-lot-proof/1"
LARGEST_FILE = 64 << 20
PLANTED = "lot.planted"
BRINGS_ABOUT = (  # the types of records from which a lot is; verify.js has the same
    *(PLANTED, "lot.harvested", "lot.received", "lot.transformed", "lot.packed"),
    *("lot.split", "lot.merged", "lot.taken_over"),
)
_ZONE = datetime.timezone(datetime.timedelta(hours=7))


class Refused(Exception):
    """The file proves nothing. ``code`` and ``values`` become a sentence in ``verdicts``."""

    def __init__(self, code: str, **values: Any) -> None:
        super().__init__(code, values)
        self.code = code
        self.values = values


@dataclass(frozen=True)
class Record:
    """One proven record, as far as it is public."""

    index: int
    type: str
    at: int
    recorded: int
    body: dict[str, Any]
    sealed: int

    @property
    def day(self) -> str:
        """The farm's day on which it happened: 21/11/2026."""
        return f"{datetime.datetime.fromtimestamp(self.at, _ZONE):%d/%m/%Y}"


@dataclass(frozen=True)
class Witness:
    """Somebody else who saw the log so, and when; ``kept`` says that their key was brought."""

    name: str
    at: int
    size: int
    kept: bool


@dataclass
class Verdict:
    """What a file proves."""

    lot: str
    origin: str
    size: int
    key: Key
    key_was_kept: bool
    records: list[Record]
    since: int | None = None  # the earliest signed time at which all of it was there
    newest: int | None = None  # the last signed time of the newest checkpoint
    witnesses: list[Witness] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    recalled: list[str] = field(default_factory=list)
    compared: bool = False  # with a kept checkpoint

    @property
    def sealed(self) -> int:
        """How many private fields are behind seals."""
        return sum(one.sealed for one in self.records)


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refused("unreadable", why="a name stands twice in it")
    return found


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_no_twins)
    except (ValueError, RecursionError) as error:
        raise Refused("unreadable", why=str(error)[:200]) from error


def _part(found: dict[str, Any], name: str, kind: type[Any]) -> Any:
    value = found.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise Refused("unreadable", why=f"{name} is missing or is not what it should be")
    return value


def _hashes(texts: list[Any]) -> list[bytes]:
    if not all(isinstance(one, str) for one in texts):
        raise Refused("unreadable", why="a proof holds something that is no hash")
    return [notes.decode(one) for one in texts]


def judge(
    data: bytes,
    kept: Sequence[Key] = (),
    kept_checkpoint: str | None = None,
) -> Verdict:
    """Judge a file. Raises ``Refused``.

    ``kept`` are keys that the reader got in another way: the log's (then no other is believed)
    and witnesses'. ``kept_checkpoint`` is a note, or its three lines as they stand on the board.
    """
    if len(data) > LARGEST_FILE:
        raise Refused("unreadable", why="it is too large")
    found = _json(data)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise Refused("not_a_proof", format=FORMAT)
    try:
        return _judged(found, kept, kept_checkpoint)
    except NoteError as error:
        raise Refused("signature", why=str(error)) from error
    except ProofError as error:
        raise Refused("proof", why=str(error)) from error


def _judged(found: dict[str, Any], kept: Sequence[Key], kept_checkpoint: str | None) -> Verdict:
    lot = _part(found, "lot", str)
    key = Key.parse(_part(found, "key", str))
    if key.sort != LOG:
        raise Refused("signature", why="the key is not a log's key")
    named = [Key.parse(_part(one, "key", str)) for one in _objects(found, "witnesses")]
    witnesses = {one for one in (*named, *kept) if one.sort == COSIGNER}
    clock = Key.parse(_part(found, "clock", str))
    note = _part(found, "checkpoint", str)
    opened = checkpoints.open_note(note, [key], [clock, *witnesses])
    newest = opened.checkpoint
    if newest.size == 0:
        raise Refused("empty")
    chain, clocks = _chain(found, key, newest)
    if clock not in clocks:
        raise Refused("signature", why="the log has not introduced the key that says the time")
    ours = {str(one) for one in kept if one.sort == LOG}
    if ours and not ours & chain:
        raise Refused("other_key", key=str(key))
    records = _records(found, newest)
    verdict = Verdict(lot, newest.origin, newest.size, key, bool(ours), records)
    last = max(one.index for one in records)
    seen = [opened, *_earlier(found, newest, [*clocks, *witnesses])]
    for one in seen:
        times = [at for clock in clocks for at in _times(one.note, clock)]
        if one.checkpoint.size > last and times:
            verdict.since = min([*times, verdict.since or times[0]])
        if one is opened and times:
            verdict.newest = max(times)
        verdict.witnesses += [
            Witness(who.name, min(_times(one.note, who)), one.checkpoint.size, who in kept)
            for who in witnesses
            if who in one.signers and who not in clocks
        ]
    for who in verdict.witnesses:
        if who.size > last and (verdict.since is None or who.at < verdict.since):
            verdict.since = who.at
    if kept_checkpoint is not None:
        _compare(kept_checkpoint, [one.checkpoint for one in seen])
        verdict.compared = True
    _check_way(lot, records)
    verdict.withdrawn = _named(records, "lot.withdrawn")
    ended = _named(records, "lot.recall_ended")
    verdict.recalled = [code for code in _named(records, "lot.recalled") if code not in ended]
    return verdict


def _objects(found: dict[str, Any], name: str) -> list[dict[str, Any]]:
    parts: list[Any] = _part(found, name, list)
    if not all(isinstance(one, dict) for one in parts):
        raise Refused("unreadable", why=f"{name} holds something else than objects")
    return parts


def _times(note: notes.Note, key: Key) -> list[int]:
    """Every time at which a cosigner signed this text; the signatures were judged before."""
    return [
        at
        for one in note.signatures
        if one.is_of(key) and (at := one.check(key, note.text)) is not None
    ]


def _entry(one: dict[str, Any], newest: Checkpoint) -> tuple[int, dict[str, Any]]:
    """Judge one entry against the newest checkpoint; returns its place and what it says."""
    index, text = _part(one, "index", int), _part(one, "entry", str)
    proof = _hashes(_part(one, "proof", list))
    try:
        leaf = merkle.leaf_hash(text.encode())
    except UnicodeError as error:
        raise Refused("unreadable", why="an entry is no text") from error
    told = _json(text)
    if not isinstance(told, dict):
        raise Refused("unreadable", why="an entry is not what it should be")
    try:
        merkle.verify_inclusion(leaf, index, newest.size, proof, newest.root)
    except ProofError as error:
        about = told.get("type") if isinstance(told.get("type"), str) else told.get("kind")
        raise Refused("changed", index=index, type=str(about), why=str(error)) from error
    return index, told


def _chain(found: dict[str, Any], key: Key, newest: Checkpoint) -> tuple[set[str], list[Key]]:
    """Return the key and those before it, as far as each has confirmed the next; their clocks."""
    chain, clocks = {str(key)}, []
    told = [_entry(one, newest) for one in _objects(found, "keys")]
    for _index, one in sorted(told, key=lambda place: -place[0]):
        if one.get("kind") != "key":
            raise Refused("unreadable", why="an entry about keys is none")
        if _part(one, "new", str) in chain:
            clocks.append(Key.parse(_part(one, "clock", str)))
            if _is_confirmed(one):
                chain.add(_part(one, "old", str))
    return chain, clocks


def confirmed_by(found: dict[str, Any], key: Key, newest: Checkpoint) -> set[str]:
    """Return the key and those before it that confirmed the next one, from a log's own list.

    Raises ``Refused``, ``NoteError`` and ``ProofError``.
    """
    return _chain(found, key, newest)[0]


def _is_confirmed(told: dict[str, Any]) -> bool:
    """Say whether the old key has signed the new one."""
    if not isinstance(told.get("signature"), str):
        return False
    old = Key.parse(_part(told, "old", str))
    names = ("at", "clock", "new", "old")  # in canonical order; their values need no escapes
    statement = json.dumps(
        {n: told[n] for n in names if n in told}, separators=(",", ":"), ensure_ascii=False
    )
    return ed25519.is_signed(old.public, notes.decode(told["signature"]), statement.encode())


def _records(found: dict[str, Any], newest: Checkpoint) -> list[Record]:
    made: list[Record] = []
    for one in _objects(found, "records"):
        index, told = _entry(one, newest)
        body, sealed = told.get("body"), told.get("sealed")
        if told.get("kind") != "event" or told.get("v") != 1:
            raise Refused("unreadable", why=f"the entry {index} is no record")
        if not isinstance(body, dict) or not isinstance(sealed, dict):
            raise Refused("unreadable", why=f"the entry {index} is not what it should be")
        if "beside" in one:
            body = _beside(body, one["beside"], index)
        if made and index <= made[-1].index:
            raise Refused("unreadable", why="the records are not in order")
        at, recorded = _part(told, "at", int), _part(told, "recorded", int)
        made.append(Record(index, _part(told, "type", str), at, recorded, body, len(sealed)))
    if not made:
        raise Refused("no_records")
    return made


def _beside(body: dict[str, Any], text: Any, index: int) -> dict[str, Any]:
    """The public part of a long event, which stands beside its entry as canonical text."""
    if not isinstance(text, str):
        raise Refused("unreadable", why=f"the part beside the entry {index} is no text")
    if hashlib.sha256(text.encode()).hexdigest() != body.get("sha256"):
        raise Refused("changed", index=index, type="", why="its long part is another one")
    found = _json(text)
    return found if isinstance(found, dict) else {}


def _earlier(found: dict[str, Any], newest: Checkpoint, cosigners: list[Key]) -> list[Opened]:
    """Checkpoints of before, each the beginning of the newest. A replaced key may have signed.

    Only their cosignatures count, so the log's own signature below them is not asked for.
    """
    made = []
    for one in _objects(found, "earlier"):
        note = notes.parse(_part(one, "checkpoint", str))
        checkpoint = Checkpoint.parse(note.text)
        proof = _hashes(_part(one, "consistency", list))
        merkle.verify_consistency(
            checkpoint.size, newest.size, proof, checkpoint.root, newest.root
        )
        if checkpoint.origin != newest.origin:
            raise Refused("signature", why="an earlier checkpoint is of another log")
        below = [one for one in cosigners if any(line.is_of(one) for line in note.signatures)]
        signers = note.check(below) if below else {}
        made.append(Opened(checkpoint, note, signers))
    return made


def _compare(text: str, seen: list[Checkpoint]) -> None:
    """Hold a kept checkpoint against those of the file. Raises ``Refused``."""
    body = text.replace("\r\n", "\n").split("\n\n")[0].strip() + "\n"
    kept = Checkpoint.parse(body)
    for one in seen:
        if (one.origin, one.size) == (kept.origin, kept.size):
            if one.root != kept.root:
                raise Refused("two_histories", size=kept.size)
            return
    if kept.origin != seen[0].origin:
        raise Refused("other_log", kept=kept.origin, origin=seen[0].origin)
    raise Refused("not_comparable", size=kept.size, sizes=sorted({one.size for one in seen}))


def code_of(identifier: Any) -> str:
    """The code of a lot from its identifier."""
    return str(identifier).rstrip("/").rsplit("/", 1)[-1].rsplit(":", 1)[-1]


def _codes(quantities: Any) -> list[str]:
    if not isinstance(quantities, list):
        return []
    return [
        code_of(one["epcClass"])
        for one in quantities
        if isinstance(one, dict) and "epcClass" in one
    ]


def _made(body: dict[str, Any]) -> list[str]:
    return _codes(body.get("outputQuantityList")) or _codes(body.get("quantityList"))


def _named(records: Iterable[Record], type_: str) -> list[str]:
    """The lots that records of a sort are about."""
    return sorted({code for one in records if one.type == type_ for code in _made(one.body)})


def _check_way(lot: str, records: Iterable[Record]) -> None:
    """See that whatever went into something has itself a record that made or weighed it."""
    known: set[str] = set()
    used: dict[str, int] = {}
    for one in records:
        known |= _brought_about(one)
        sources = _codes(one.body.get("inputQuantityList"))
        if "nongso:grownFrom" in one.body:
            sources.append(code_of(one.body["nongso:grownFrom"]))
        for code in sources:
            used.setdefault(code, one.index)
    if lot not in known:
        raise Refused("other_lot", lot=lot)
    for code, index in used.items():
        if code not in known:
            raise Refused("gap", lot=code, index=index)


def _brought_about(one: Record) -> set[str]:
    """The lots that a record plants, makes or weighs; a harvest that was not weighed is none."""
    if one.type not in BRINGS_ABOUT:
        return set()
    made = one.body.get("outputQuantityList") or one.body.get("quantityList")
    if one.type != PLANTED and isinstance(made, list):
        made = [thing for thing in made if isinstance(thing, dict) and "quantity" in thing]
    return set(_codes(made))
