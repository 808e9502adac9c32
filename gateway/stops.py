"""When people last stopped the water, so that nothing they wished before opens a valve after it.

The platform numbers its commands in the order in which people gave them. A wish whose number is
below that of the zone's last stop was meant before it, however late it arrives. The numbers are
kept in the store's small durable state, and in memory while the disk takes nothing.

A platform of an older version sends no numbers. Then only the time tells: what arrives within
``UNNUMBERED_SECONDS`` after a stop may have been under way with it, and is taken for older. By
the steady clock, and forgotten by a restart, which closes everything itself.
"""

import json
from collections.abc import Callable

from nongso.gateway.waterbook import StateStore

UNNUMBERED_SECONDS = 3.0
HIGHEST_NUMBER = 1 << 53
_KEY = "water.stops"
_EVERYTHING = ""


class Stops:
    """The last stop of each zone, and of everything."""

    def __init__(self, store: StateStore, steady: Callable[[], float]) -> None:
        self._store, self._steady = store, steady
        self._numbers: dict[str, int] = json.loads(store.state(_KEY) or "{}")
        self._at: dict[str, float] = {}

    def note(self, zone: str | None, number: int | None) -> None:
        """Remember that somebody stopped a zone, or everything."""
        key = zone or _EVERYTHING
        self._at[key] = self._steady()
        if number is None or number <= self._numbers.get(key, 0):
            return
        self._numbers[key] = number
        self._store.set_state(_KEY, json.dumps(self._numbers))

    def came_after(self, zone: str, number: int | None) -> bool:
        """Whether the zone was stopped after a wish with this number was made."""
        if number is not None:
            last = max(self._numbers.get(_EVERYTHING, 0), self._numbers.get(zone, 0))
            return number < last
        since = max(self._at.get(key, float("-inf")) for key in (_EVERYTHING, zone))
        return self._steady() - since < UNNUMBERED_SECONDS


def number_of(command: dict[str, object]) -> int | None:
    """Return a command's number, ``None`` if it has none. Raises ``ValueError`` for nonsense."""
    number = command.get("number")
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < HIGHEST_NUMBER:
        raise ValueError("number must be a whole number above 0")
    return number
