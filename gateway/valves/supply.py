"""Is there water in the tank, and is the power fit for the pump? Decides only.

Both are judged on several looks, so that a ripple in the tank or the dip when a motor starts stops
nothing, and are good again only with a margin, or after a while, so that nothing flaps. What is
not known is no reason to stop: a level sensor that is silent starts nothing (the gateway's gate),
and a pump that gets no power brings no water, which the flow tells. Where the meter is fed by the
mains that it measures, the farm may say that its silence is an outage.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

TANK_LOOKS = 2
TANK_BACK_PERCENT = 5.0  # so much above the lowest it counts as filled again
BAD_SECONDS = 3.0  # a motor's start is over by then
SILENT_SECONDS = 5.0


@dataclass(frozen=True)
class Limits:
    """What the pump may run on; phases apart in percent of their mean."""

    low_volts: float
    high_volts: float
    most_apart_percent: float
    back_seconds: float
    silence_is_outage: bool = False


@dataclass(frozen=True)
class Lack:
    """Why nothing may run: a word of ``nongso.wire.reasons``, and its values."""

    code: str
    values: dict[str, Any]


class TankWatch:
    """Follows the level of the tank that the pump draws from."""

    def __init__(self, lowest_percent: float) -> None:
        self._lowest = lowest_percent
        self._looks_below = 0
        self.lack: Lack | None = None

    def look(self, percent: float) -> Lack | None:
        """Judge a level; the lack, as long as it lasts."""
        self._looks_below = self._looks_below + 1 if percent < self._lowest else 0
        if self._looks_below >= TANK_LOOKS:
            told = {"tank_percent": round(percent, 1), "lowest_percent": self._lowest}
            self.lack = Lack("tank_ran_low", told)
        elif percent >= self._lowest + TANK_BACK_PERCENT:
            self.lack = None
        return self.lack


class MainsWatch:
    """Follows the phases of the mains."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._bad_since: float | None = None
        self._good_since: float | None = None
        self.lack: Lack | None = None

    def look(self, volts: Sequence[float], now: float, silent_seconds: float = 0.0) -> Lack | None:
        """Judge the phases, as far as they are known; the lack, as long as it lasts."""
        found = self._judge(volts, silent_seconds)
        if found is None:
            self._bad_since = None
            if volts and self._good_since is None:
                self._good_since = now
            is_back = self._good_since is not None and (
                now - self._good_since >= self._limits.back_seconds
            )
            self.lack = None if is_back else self.lack
            return self.lack
        self._good_since = None
        if self._bad_since is None:
            self._bad_since = now
        if self.lack is not None or now - self._bad_since >= BAD_SECONDS:
            self.lack = found
        return self.lack

    def _judge(self, volts: Sequence[float], silent_seconds: float) -> Lack | None:
        limits = self._limits
        if limits.silence_is_outage and silent_seconds >= SILENT_SECONDS:
            return Lack("mains_gone", {})
        if not volts:
            return None
        worst = max(volts, key=lambda v: max(limits.low_volts - v, v - limits.high_volts))
        if not limits.low_volts <= worst <= limits.high_volts:
            told = {"low_volts": limits.low_volts, "high_volts": limits.high_volts}
            return Lack("mains_bad", {"volts": round(worst, 1)} | told)
        mean = sum(volts) / len(volts)
        apart = max(abs(v - mean) for v in volts) / mean * 100.0
        if apart > limits.most_apart_percent:
            told = {"most_apart_percent": limits.most_apart_percent}
            return Lack("mains_uneven", {"apart_percent": round(apart, 1)} | told)
        return None
