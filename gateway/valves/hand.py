"""Watering by hand: a person has the hose, or has turned a valve's own lever. Decides only.

It opens nothing. As long as it lasts, any flow is right: nothing is cut and nothing is a leak, and
what the meter counts is the zone's water. It ends at its time, or when the person says so.
"""

from dataclasses import dataclass, field
from typing import Any

LONGEST_SECONDS = 4 * 3600.0


@dataclass
class Hand:
    """One zone that a person waters. Times are seconds of the boot clock."""

    id: str
    zone: str
    ordered_seconds: float
    started_at: float
    litres: float | None = None  # unknown until a meter has counted
    ended_at: float | None = None
    code: str = ""  # how it ended, a word of nongso.wire.reasons.ENDED
    values: dict[str, Any] = field(default_factory=dict)  # what belongs to the code
    by_switch: bool = False  # the hand-auto switch at the cabinet, not a word from a phone
    flow_l_per_min: float | None = None  # never learnt from: nobody knows what was open
    pump_after_seconds: float | None = None  # no pump belongs to it

    def end(self, now: float) -> float:
        """When it is to be over."""
        return self.started_at + self.ordered_seconds

    def left(self, now: float) -> float:
        """Seconds to go."""
        return max(0.0, self.end(now) - now) if self.ended_at is None else 0.0

    def ran(self, now: float) -> float:
        """Seconds so far."""
        return (now if self.ended_at is None else self.ended_at) - self.started_at
