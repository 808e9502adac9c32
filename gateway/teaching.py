"""Which soil probes are being taught dry and wet: no zone waters by what these say.

A probe in the hand says that the soil is dry, and with one point taught alone its numbers mean
nothing. So from the first press on nobody goes by it until both points are taken and the probe has
stood in the soil for a while. A press that the station never answered is over after that while.
"""

import json
import threading
from collections.abc import Callable
from typing import Any, Protocol

from nongso.gateway.irrigation.facts import Reason

SETTLING_SECONDS = 600


class State(Protocol):
    """What is needed of the gateway's store."""

    def state(self, key: str) -> str | None: ...

    def set_state(self, key: str, value: str) -> None: ...


class Teaching:
    """Remembers over a restart. May be asked and told by any thread."""

    def __init__(self, store: State, clock: Callable[[], float]) -> None:
        self._store, self._clock = store, clock
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, Any]] = {}

    def pressed(self, eui64: str, series: str) -> None:
        """Somebody holds this probe now."""
        self._note(eui64, series)

    def taken(self, eui64: str, series: str, point: str) -> None:
        """The station has taken a point; after both, a next press begins anew."""
        self._note(eui64, series, point)

    def of(self, eui64: str, series: str) -> Reason | None:
        """Why nobody goes by this probe now, or ``None``."""
        with self._lock:
            found = self._of(f"teaching:{eui64}:{series}")
        is_settling = 0 < found["until"] - self._clock() <= SETTLING_SECONDS
        if len(found["points"]) == 1 or is_settling:
            return Reason("probe_taught", {"node": eui64})
        return None

    def _note(self, eui64: str, series: str, *taken: str) -> None:
        key = f"teaching:{eui64}:{series}"
        with self._lock:
            points = set(self._of(key)["points"])
            points = (set() if len(points) > 1 else points) | set(taken)
            until = int(self._clock()) + SETTLING_SECONDS
            self._known[key] = found = {"points": sorted(points), "until": until}
            self._store.set_state(key, json.dumps(found))

    def _of(self, key: str) -> dict[str, Any]:
        if key not in self._known:
            kept = self._store.state(key)
            self._known[key] = json.loads(kept) if kept else {"points": [], "until": 0}
        return self._known[key]
