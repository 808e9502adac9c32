"""Is a command from the platform genuine, for this gateway, and fresh? Values in, verdict out.

A command is signed with the gateway's key and answers one poll, whose number the gateway has
just made up; its ``ttl`` counts on the gateway's steady clock from that poll. So neither a
replayed nor a delayed command passes, even when the wall clock is wrong.
"""

import hashlib
import hmac
import json
import math
import re
from typing import Any

LONGEST_TTL_SECONDS = 3600
MOST_BYTES = 8192
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class CommandRefused(Exception):
    """A command that must not be carried out. ``command_id`` is ``None`` if not even readable."""

    def __init__(
        self, code: str, detail: str, command_id: str | None, values: dict[str, Any] | None = None
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.command_id = command_id
        self.values = values or {}


def signature(body: str, key: str) -> str:
    """Return the HMAC-SHA256 of the exact text, in hex."""
    return hmac.new(key.encode(), body.encode(), hashlib.sha256).hexdigest()


def verify(
    offered: Any, *, key: str, gateway: str, poll: str, waited_seconds: float
) -> dict[str, Any]:
    """Return the command of ``{"body": …, "signature": …}``, or raise ``CommandRefused``.

    ``waited_seconds`` is the time since the poll was sent.
    """
    body = offered.get("body") if isinstance(offered, dict) else None
    shown = offered.get("signature") if isinstance(offered, dict) else None
    if not isinstance(body, str) or not isinstance(shown, str):
        raise CommandRefused("forged", "a command needs a body and a signature", None)
    if len(body) > MOST_BYTES:
        raise CommandRefused("forged", f"{len(body)} characters, at most {MOST_BYTES}", None)
    command = _read(body)
    command_id = _id(command)
    if not hmac.compare_digest(signature(body, key).encode(), shown.encode("utf-8", "replace")):
        raise CommandRefused("forged", "the signature is not the platform's", command_id)
    if command_id is None:
        raise CommandRefused("forged", "the command has no id", None)
    if command.get("gateway") != gateway:
        raise CommandRefused("forged", "it is for another gateway", command_id)
    if command.get("poll") != poll:
        raise CommandRefused("forged", "it answers another poll: replayed", command_id)
    ttl = command.get("ttl")
    if isinstance(ttl, bool) or not isinstance(ttl, (int, float)):
        raise CommandRefused("forged", "it does not say how long it is good", command_id)
    if not math.isfinite(ttl):
        raise CommandRefused("forged", "it is good for ever, or for no time", command_id)
    late = waited_seconds - min(ttl, LONGEST_TTL_SECONDS)
    if late > 0:
        detail = f"it came {late:.0f} s after its time"
        raise CommandRefused("expired", detail, command_id, {"late_seconds": int(late) + 1})
    return command


def _read(body: str) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _id(command: dict[str, Any]) -> str | None:
    found = command.get("id")
    return found if isinstance(found, str) and _ID.fullmatch(found) else None
