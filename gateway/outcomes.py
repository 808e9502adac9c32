"""What became of orders about stations: kept for a while, and told to the platforms."""

import threading
import time
from typing import Any, Protocol

MOST_KNOWN = 100


class Records(Protocol):
    """What is needed of the gateway's store."""

    def record(self, kind: str, body: dict[str, Any]) -> None: ...

    def state(self, key: str) -> str | None: ...

    def set_state(self, key: str, value: str) -> None: ...

    def seen_command(self, command_id: str) -> bool: ...


class Outcomes:
    """The newest outcome of each order. May be told by any thread."""

    def __init__(self, store: Records) -> None:
        self._store = store
        self._known: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def before(self, command_id: str) -> dict[str, Any] | None:
        """The outcome of an order that was here already; ``None`` of a new one.

        One that was here before the gateway started anew was interrupted.
        """
        known = self._known.get(command_id)
        if known is None and self._store.seen_command(command_id):
            known = self.tell(command_id, "refused", "interrupted", {})
        return known

    def tell(
        self, command_id: str, state: str, code: str, values: dict[str, Any]
    ) -> dict[str, Any]:
        """Record an outcome, and return it."""
        outcome = {
            "id": command_id,
            "state": state,
            "code": code,
            "values": values,
            "at": int(time.time()),
        }
        with self._lock:
            self._known[command_id] = outcome
            while len(self._known) > MOST_KNOWN:
                del self._known[next(iter(self._known))]
        self._store.record("command", outcome)
        return outcome
