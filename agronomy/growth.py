"""Growing degree days: warmth that a plant or a pest has had, in degree days.

Three customs are in use and differ on cool and on hot days; a threshold from a book holds for the
one it was found with. Base and top are in the degrees of the temperatures.
"""

from math import asin, cos, inf, pi


def average(coldest: float, warmest: float, base: float) -> float:
    """Mean of the day above the base, never below 0."""
    return max(0.0, (coldest + warmest) / 2.0 - base)


def modified(coldest: float, warmest: float, base: float, top: float = inf) -> float:
    """The same, with both temperatures brought into [base, top] first."""
    low, high = (min(max(t, base), top) for t in (coldest, warmest))
    return (low + high) / 2.0 - base


def single_sine(coldest: float, warmest: float, base: float, top: float = inf) -> float:
    """Area between a sine through lowest and highest temperature and the base; above ``top``
    nothing is added (horizontal cut-off)."""
    return _area_above(coldest, warmest, base) - _area_above(coldest, warmest, top)


def _area_above(coldest: float, warmest: float, threshold: float) -> float:
    mean, half = (coldest + warmest) / 2.0, (warmest - coldest) / 2.0
    if threshold >= warmest:
        return 0.0
    if threshold <= coldest:
        return mean - threshold
    rises = asin((threshold - mean) / half)
    return ((mean - threshold) * (pi / 2.0 - rises) + half * cos(rises)) / pi
