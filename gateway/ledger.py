"""What happens to a burst of messages inside the store's transaction.

New messages go to the ledger and the outbox, known ones are only counted, and two contents
under one number are a conflict: evidence is kept and an alarm raised. Nothing in memory changes
here: what must only hold once the transaction is on the disk is handed back in ``Accepted``.
"""

import json
import time
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

from nongso.gateway.storefile import MOST_TOPIC, Ledgered, StoreFile
from nongso.wire.payload import Reading


class Message(NamedTuple):
    """An accepted message of a node. ``key`` is the ledger's (node, boot, seq).

    ``digest`` covers names, values and time distances, ``base`` the absolute time of the first
    reading (``None`` while the node has no clock): so a message that is sent again after the
    clock was set is still the same message. ``body`` is the outbox row.
    """

    key: tuple[int, int, int]
    eui64: str
    digest: int
    base: int | None
    body: bytes
    readings: Sequence[Reading]
    topic: str
    raw: bytes


class Refusal(NamedTuple):
    """A message that cannot be accepted, kept as it came. ``told``: the platform hears of it."""

    topic: str
    code: str
    detail: str
    raw: bytes
    node: str | None = None
    boot: int | None = None
    seq: int | None = None
    told: bool = True


class Accepted(NamedTuple):
    """What became of a burst: the messages new in the store, the others, and rows added."""

    new: Sequence[Message] = ()
    duplicates: int = 0
    conflicts: Sequence[Message] = ()
    rows: int = 0


def same(message: Message, known: Ledgered) -> bool:
    """Say whether a message is the one that the ledger knows under its number."""
    if message.digest != known.digest:
        return False
    return message.base is None or known.base is None or message.base == known.base


def as_json(found: Any) -> bytes:
    """Write the body of an outbox row."""
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def new_alarm(code: str, values: dict[str, Any]) -> dict[str, Any]:
    """Make an alarm as it travels to the platform."""
    return {
        "id": str(uuid.uuid4()),
        "code": code,
        "values": values,
        "zone": None,
        "raised_at": int(time.time()),
        "cleared_at": None,
    }


def put_alarm(file: StoreFile, code: str, values: dict[str, Any]) -> None:
    """Put a new alarm into the outbox, in the open transaction."""
    alarm = new_alarm(code, values)
    file.put("alarm", as_json({"kind": "alarm", "alarm": alarm}), True)


def accept(
    file: StoreFile,
    messages: Sequence[Message],
    refusals: Sequence[Refusal],
    alarmed: Sequence[tuple[int, int]] = (),
) -> Accepted:
    """Take a burst into the store. No conflict alarm for the (node, boot) in ``alarmed``."""
    now = int(time.time())
    known = file.known([message.key for message in messages])
    new: dict[tuple[int, int, int], Message] = {}
    conflicts: list[Message] = []
    duplicates = 0
    for message in messages:
        before = known.get(message.key)
        if before is None and message.key in new:
            first = new[message.key]
            before = Ledgered(first.digest, first.base)
        if before is None:
            new[message.key] = message
        elif same(message, before):
            duplicates += 1
        else:
            conflicts.append(message)
    fresh = list(new.values())
    if fresh:
        file.add_messages(
            [(*m.key, m.digest, m.base, now) for m in fresh], [m.body for m in fresh]
        )
    rows = len(fresh) + _keep_conflicts(file, conflicts, set(alarmed), now)
    for refusal in refusals:
        rows += _keep_refusal(file, refusal, now)
    return Accepted(fresh, duplicates, conflicts, rows)


def _keep_conflicts(
    file: StoreFile, conflicts: Sequence[Message], alarmed: set[tuple[int, int]], now: int
) -> int:
    alarms = 0
    for message in conflicts:
        _, boot, seq = message.key
        why = ("conflict", "the number is taken by a message with other contents")
        file.refuse(now, message.topic, (message.eui64, boot, seq), why, message.raw)
        if message.key[:2] not in alarmed:
            alarmed.add(message.key[:2])
            values = {"node": message.eui64, "boot": boot, "seq": seq}
            put_alarm(file, "message_conflict", values)
            alarms += 1
    return alarms


def _keep_refusal(file: StoreFile, refusal: Refusal, now: int) -> int:
    detail = refusal.detail[:500]
    who = (refusal.node, refusal.boot, refusal.seq)
    file.refuse(now, refusal.topic, who, (refusal.code, detail), refusal.raw)
    if not refusal.told:
        return 0
    told = {
        "topic": refusal.topic[:MOST_TOPIC],
        "code": refusal.code,
        "detail": detail,
        "node": refusal.node,
        "at": now,
    }
    file.put("refused", as_json({"kind": "refused", "refused": told}), False)
    return 1
