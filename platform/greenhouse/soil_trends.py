"""Where salt, acidity and nutrients of a zone's soil go to: up, down, or nowhere. Values only.

The mean of the last days is held against that of days two weeks ago. What a probe calls N, P and K
is worked out of the soil's EC, so that its level says little and only its way says something; how
strongly it has to move before it is told stands in the table below, above what moisture and
temperature of the soil alone make of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

DAYS = 14
ENDS_DAYS = 3  # at each end
FEWEST_DAYS = 2  # of them must have readings
MOVES_SHARE = 0.2  # of the earlier mean
MOVES_PH = 0.3

UP, DOWN, STEADY = "up", "down", "steady"


@dataclass(frozen=True)
class Trend:
    """How one quantity has moved: its means then and now, and the word for it."""

    metric: str
    before: float
    now: float
    way: str


def trend(metric: str, daily: Mapping[int, float], today: int) -> Trend | None:
    """Judge daily means by their day number; ``None`` where too many days are missing."""
    before = _mean([daily.get(today - DAYS + n) for n in range(ENDS_DAYS)])
    now = _mean([daily.get(today - n) for n in range(ENDS_DAYS)])
    if before is None or now is None:
        return None
    moves = MOVES_PH if metric == "soil_ph" else MOVES_SHARE * abs(before)
    way = STEADY if abs(now - before) < max(moves, 1e-9) else UP if now > before else DOWN
    return Trend(metric, before, now, way)


def _mean(found: Sequence[float | None]) -> float | None:
    known = [value for value in found if value is not None]
    return sum(known) / len(known) if len(known) >= FEWEST_DAYS else None
