"""Since when the gateway remembers what it has done, so that a lost disk waters nothing twice.

A command id on the disk keeps a wish from running twice. When the store file is lost or was
damaged and begun anew, so are the ids; a wish that ran and whose outcome never left would be
offered again. So a wish that is older than the memory is not carried out. The platform tells a
wish's age in seconds, by its own clock; the memory's age counts on the boot clock, and after a
reboot on the wall clock, at least since this process began. So neither clock need be right.

A platform of an older version tells no age; its wishes are taken as they come.
"""

import json
import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from nongso.gateway.waterbook import Moment, StateStore

_KEY = "water.remembering"
ROUNDING_SECONDS = 1.0  # the platform tells whole seconds


class Remembering:
    """How far back this gateway's memory of commands reaches."""

    def __init__(
        self, store: StateStore, store_id: str | None, moment: Callable[[], Moment]
    ) -> None:
        self._moment, self._began = moment, moment()
        self._since = self._began
        known = json.loads(store.state(_KEY) or "{}")
        if store_id is not None and known.get("store") == store_id:
            self._since = Moment(**known["since"])
        else:
            found = {"store": store_id, "since": asdict(self._began)}
            store.set_state(_KEY, json.dumps(found))

    def reaches(self, age_seconds: float | None) -> bool:
        """Whether a wish of this age would be remembered, had it been carried out."""
        if age_seconds is None:
            return True
        now = self._moment()
        back = max(self._since.seconds_until(now), self._began.seconds_until(now))
        return age_seconds + ROUNDING_SECONDS <= round(back, 1)


def age_of(command: dict[str, Any]) -> float | None:
    """Return a command's age in seconds, ``None`` if untold. Raises ``ValueError``."""
    age = command.get("age")
    if age is None:
        return None
    if isinstance(age, bool) or not isinstance(age, int | float) or not 0 <= age < math.inf:
        raise ValueError("age must be a number of seconds")
    return float(min(age, 1e9))
