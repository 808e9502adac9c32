"""When people last stopped the water, so that nothing they wished before opens a valve after it.

A platform numbers its commands in the order in which people gave them. A wish whose number is
below that of the last stop from the same platform was meant before it, however late it arrives.

Two platforms (the cooperative's, and the farm's own box) number by two clocks, and that of a box
without Internet may be wrong by days: their numbers are never compared with each other. Between
platforms this machine's steady clock decides. A stop was surely pressed before it arrived here. A
wish was surely made after ``Given.not_before``, which the uplink counts from the moment it asked,
by how long the platform held the poll and how old the wish was: lengths of time, for which no
clock need be right. Only a wish that was surely made after the stop arrived is carried out. In
doubt it is refused: whoever presses water within a second or two after somebody else's stop has
to press again. (What is left: a platform whose clock is put back while a wish waits there tells
too small an age; at most by as much as it was put back, and for the minutes that a wish is good.)

All of it is kept in the store's small durable state, and in memory while the disk takes nothing.
The steady clock begins anew with each boot: a stop of an earlier boot came before all of this one.

A platform of an older version sends no numbers. Then only the time tells: what arrives within
``UNNUMBERED_SECONDS`` after a stop may have been under way with it, and is taken for older. By
the steady clock, and forgotten by a restart, which closes everything itself.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nongso.gateway.waterbook import StateStore

UNNUMBERED_SECONDS = 3.0
HIGHEST_NUMBER = 1 << 53
_KEY = "water.stops"
_EVERYTHING = ""
_UNKNOWN = ""  # the platform of stops that an older version remembered


@dataclass(frozen=True)
class Given:
    """Which platform brought a command, and a moment before which it was surely not given.

    ``not_before`` counts on the steady clock; nobody knows it for a command of one's own.
    """

    platform: str = "main"
    not_before: float = float("-inf")


ONE = Given()  # where there is one platform only


class Stops:
    """The last stop of each zone, and of everything, from each platform."""

    def __init__(self, store: StateStore, steady: Callable[[], float], boot: str = "") -> None:
        self._store, self._steady, self._boot = store, steady, boot
        self._numbers: dict[str, dict[str, int]] = {}  # by platform and zone
        self._arrived: dict[str, dict[str, tuple[float, str]]] = {}  # steady clock, of which boot
        self._at: dict[str, float] = {}  # by zone, in the life of this process
        self._load(json.loads(store.state(_KEY) or "{}"))

    def note(self, zone: str | None, number: int | None, given: Given = ONE) -> None:
        """Remember that somebody stopped a zone, or everything; just now it arrived."""
        key = zone or _EVERYTHING
        now = self._at[key] = self._steady()
        numbers = self._numbers.setdefault(given.platform, {})
        if number is not None:
            numbers[key] = max(number, numbers.get(key, 0))
        self._arrived.setdefault(given.platform, {})[key] = (now, self._boot)
        kept: dict[str, Any] = {"numbers": self._numbers, "arrived": self._arrived}
        self._store.set_state(_KEY, json.dumps(kept))

    def came_after(self, zone: str, number: int | None, given: Given = ONE) -> bool:
        """Whether the zone was, or may have been, stopped after this wish was made."""
        keys = (_EVERYTHING, zone)
        for platform, arrived in self._arrived.items():
            if platform == given.platform:
                continue
            latest = [self._since_boot(arrived[key]) for key in keys if key in arrived]
            if latest and given.not_before <= max(latest):
                return True
        if number is not None:
            numbers = self._numbers.get(given.platform, {})
            return number < max(numbers.get(key, 0) for key in keys)
        since = max(self._at.get(key, float("-inf")) for key in keys)
        return self._steady() - since < UNNUMBERED_SECONDS

    def _since_boot(self, arrived: tuple[float, str]) -> float:
        """When a stop arrived at the latest, on the clock of this boot, which began at 0."""
        at, boot = arrived
        return at if boot == self._boot else 0.0

    def _load(self, found: dict[str, Any]) -> None:
        """Read what is remembered; an older version knew one platform, and no times."""
        if all(isinstance(number, int) for number in found.values()):
            now = self._steady()  # they came before this process began
            if found:
                self._numbers = {ONE.platform: found}
                self._arrived = {_UNKNOWN: dict.fromkeys(found, (now, self._boot))}
            return
        self._numbers = found["numbers"]
        self._arrived = {
            platform: {key: (at, boot) for key, (at, boot) in arrived.items()}
            for platform, arrived in found["arrived"].items()
        }


def number_of(command: dict[str, object]) -> int | None:
    """Return a command's number, ``None`` if it has none. Raises ``ValueError`` for nonsense."""
    number = command.get("number")
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < HIGHEST_NUMBER:
        raise ValueError("number must be a whole number above 0")
    return number
