"""The gateway's word that messages are on its disk: ``{"boot": b, "from": a, "seq": s}``.

Every message a..s of that boot is committed; ``from`` may be left out when it equals ``seq``.
Only this lets a node forget: a broker's PUBACK proves nothing (ADR 2).
"""

import json
from collections import namedtuple

MAX_BYTES = 200

Ack = namedtuple("Ack", ("boot", "first", "last"))


def encode(boot: int, first: int, last: int) -> bytes:
    """Write an acknowledgement of the messages ``first`` to ``last``."""
    if first == last:
        return b'{"boot":%d,"seq":%d}' % (boot, last)
    return b'{"boot":%d,"from":%d,"seq":%d}' % (boot, first, last)


def _number(found: dict[str, object], name: str) -> int:
    value = found.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("%s must be a whole number" % name)
    return value


def decode(message: bytes | str) -> Ack:
    """Read an acknowledgement. Raises ``ValueError`` when it is not one."""
    if len(message) > MAX_BYTES:
        raise ValueError("an acknowledgement has at most %d bytes" % MAX_BYTES)
    found = json.loads(message)
    if not isinstance(found, dict):
        raise ValueError("an acknowledgement is an object")
    last = _number(found, "seq")
    boot = _number(found, "boot")
    first = _number(found, "from") if "from" in found else last
    if first > last:
        raise ValueError("from is after seq")
    return Ack(boot, first, last)
