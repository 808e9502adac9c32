"""What a rule wants, now that it has looked."""

from dataclasses import dataclass

from nongso.gateway.irrigation.facts import Reason, Zone


@dataclass(frozen=True)
class Decision:
    """The reason, and for a start how many seconds. ``zone`` is the zone after it."""

    zone: Zone
    reason: Reason
    run_seconds: int | None = None
