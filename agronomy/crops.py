"""Crops and soils that a farmer can choose, from the tables beside this file.

The tables are part of the room like a constant; each names its sources. A crop gives the
coefficient that turns the reference into its own water (FAO-56, chapter 6, equation 66), and how
deep its roots reach.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import accumulate
from typing import Any

from nongso.agronomy.soil import Soil

DEEPEST_ROOT_M = 0.3
"""Drip keeps roots in the upper soil, whatever they could reach outdoors. A store taken too small
waters less at a time and more often: the careful side."""
YOUNG_ROOT_M = 0.15


@dataclass(frozen=True)
class Crop:
    """A crop: names, days of its four stages, coefficients (initial, middle, end)."""

    vi: str
    en: str
    days: tuple[int, int, int, int]
    kc: tuple[float, float, float]
    root_m: float
    easy_share: float
    lowest_ph: float | None = None  # None where no table has it
    salt_ds_m: float | None = None  # of the saturation extract; None where no table has it
    diseases: tuple[str, ...] = ()  # rules of ``nongso.agronomy.disease`` that were made for it

    def coefficient(self, day: int) -> float:
        """Kc on a day after planting; after the last stage it stays as at its end."""
        begin, middle, end = self.kc
        growing, grown, late, over = accumulate(self.days)
        if day < growing:
            return begin
        if day < grown:
            return begin + (middle - begin) * (day - growing) / (grown - growing)
        if day < late:
            return middle
        return middle + (end - middle) * min(1.0, (day - late) / max(1, over - late))

    def root_on(self, day: int) -> float:
        """Depth of the roots in m: they grow until the middle stage begins."""
        deepest = min(self.root_m, DEEPEST_ROOT_M)
        young = min(YOUNG_ROOT_M, deepest)
        grown = self.days[0] + self.days[1]
        return young + (deepest - young) * (min(1.0, max(0, day) / grown) if grown else 1.0)


@dataclass(frozen=True)
class SoilKind:
    """A soil as a farmer would call it."""

    vi: str
    en: str
    soil: Soil


@dataclass(frozen=True)
class Enough:
    """So many mg/kg of a nutrient are enough; above ``high``, where there is one, too much."""

    low: float
    high: float | None


@lru_cache(maxsize=1)
def crops() -> Mapping[str, Crop]:
    """All crops by their word."""
    return {
        word: Crop(
            vi=one["vi"],
            en=one["en"],
            days=tuple(one["days"]),
            kc=tuple(one["kc"]),
            root_m=one["root_m"],
            easy_share=one["easy_share"],
            lowest_ph=one.get("lowest_ph"),
            salt_ds_m=one.get("salt_ds_m"),
            diseases=tuple(one.get("diseases", ())),
        )
        for word, one in _table("crops.toml").items()
    }


@lru_cache(maxsize=1)
def soils() -> Mapping[str, SoilKind]:
    """All kinds of soil by their word."""
    return {
        word: SoilKind(one["vi"], one["en"], Soil(one["field_capacity"], one["wilting_point"]))
        for word, one in _table("soils.toml").items()
    }


@lru_cache(maxsize=1)
def _acidity() -> tuple[float, float]:
    found = _table("acidity.toml")
    return found["low"], found["high"]


def acidity(crop: Crop | None) -> tuple[float, float]:
    """The lowest and the highest pH of the soil that a crop bears; of most where none is known."""
    low, high = _acidity()
    return (crop and crop.lowest_ph) or low, high


@lru_cache(maxsize=1)
def nutrients() -> Mapping[str, Enough]:
    """Of which nutrient, by its metric, how much is enough for vegetables."""
    return {
        metric: Enough(one["low"], one.get("high"))
        for metric, one in _table("nutrients.toml").items()
    }


def _table(name: str) -> dict[str, Any]:
    return tomllib.loads((resources.files("nongso.agronomy") / "tables" / name).read_text("utf-8"))
