"""The siren or lamp on a spare relay: it needs no network, only the supervisor. Decides only.

It sounds for each urgent alarm that is new, until a person unlocks a zone or presses the red
button, and ten minutes at most: neighbours stop listening to what never ends.
"""

from nongso.gateway.valves.alarms import Alarms

URGENT = ("valve_not_closed", "main_not_closed", "pump_not_stopped", "leak", "high_flow")
LONGEST_SECONDS = 600.0


class Siren:
    """Which alarms it has sounded for."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}  # alarm: how long it sounds for it

    def tick(self, alarms: Alarms, now: float) -> None:
        """Look which alarms stand."""
        standing = {a.id for a in alarms.standing() if a.code in URGENT and not a.over}
        self._until = {alarm: self._until.get(alarm, now + LONGEST_SECONDS) for alarm in standing}

    def silence(self, alarms: Alarms) -> None:
        """A person is here: what stands now is known."""
        for alarm in alarms.standing():
            if alarm.code in URGENT:
                self._until[alarm.id] = float("-inf")

    def sounds(self, now: float) -> bool:
        """Whether it is to be on."""
        return any(until > now for until in self._until.values())
