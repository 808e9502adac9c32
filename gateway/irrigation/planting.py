"""What a person says of plants and soil: read, checked, and turned into a store of water."""

import datetime
from dataclasses import fields, replace
from functools import lru_cache
from math import isfinite
from typing import Any

from nongso.agronomy import soil
from nongso.agronomy.crops import Crop, crops, soils
from nongso.agronomy.soil import Soil, Store
from nongso.gateway.irrigation.facts import DAY_SECONDS, Balance

FALLBACKS = ("nothing", "minimum")
MOST_FLOW_L_PER_MIN = 1000.0
FIRST_DAY = datetime.date(1970, 1, 1).toordinal()
USUAL_CROP_MM = 5.0  # the day's water for which the tables give the easy share


def read_balance(found: Any) -> Balance:
    """The settings from their form in JSON. Raises ``ValueError`` with a sentence."""
    names = {field.name: field.type for field in fields(Balance)}
    if not isinstance(found, dict) or not found.keys() <= names.keys():
        raise ValueError(f"a balance has {', '.join(names)}")
    kept: dict[str, Any] = {}
    for name, value in found.items():
        if names[name] is str:
            if not isinstance(value, str):
                raise ValueError(f"{name} must be a text")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise ValueError(f"{name} must be a number")
        kept[name] = float(value) if names[name] is float else value
    try:
        balance = Balance(**kept)
    except TypeError:
        raise ValueError("a balance needs crop, planted, soil and flow_l_per_min") from None
    check(balance)
    return balance


def check(balance: Balance) -> None:
    """See that it can be reckoned with. Raises ``ValueError`` with a sentence."""
    if balance.crop not in crops():
        raise ValueError(f"crop must be one of {', '.join(crops())}")
    if balance.soil not in soils():
        raise ValueError(f"soil must be one of {', '.join(soils())}")
    try:
        datetime.date.fromisoformat(balance.planted)
    except ValueError:
        raise ValueError(
            f"planted must be a date like 2026-10-01, not {balance.planted}"
        ) from None
    if not 0 < balance.flow_l_per_min <= MOST_FLOW_L_PER_MIN:
        raise ValueError(f"flow_l_per_min must lie between 0 and {MOST_FLOW_L_PER_MIN:g}")
    if not 0.1 <= balance.wetted_share <= 1:
        raise ValueError("wetted_share must lie between 0.1 and 1")
    if balance.fallback not in FALLBACKS:
        raise ValueError(f"fallback must be one of {', '.join(FALLBACKS)}")
    if balance.utc_offset_minutes not in range(-720, 841):
        raise ValueError("utc_offset_minutes must be a whole number from -720 to 840")
    if not -100 <= balance.elevation_m <= 4000:
        raise ValueError("elevation_m must lie between -100 and 4000")


def day_of(balance: Balance, at: float) -> int:
    """The farm's day, counted from 1 January 1970."""
    return int((at + balance.utc_offset_minutes * 60) // DAY_SECONDS)


def age_of(balance: Balance, day: int) -> int:
    """Days since planting; a planting that is still to come counts as today's."""
    planted = datetime.date.fromisoformat(balance.planted).toordinal() - FIRST_DAY
    return max(0, day - planted)


def crop_of(balance: Balance) -> Crop:
    """The crop with its coefficients."""
    return crops()[balance.crop]


def soil_of(balance: Balance) -> Soil:
    """What the soil holds."""
    return soils()[balance.soil].soil


@lru_cache(maxsize=256)  # asked each second, and the same for a day
def store_on(balance: Balance, day: int, usual_mm: float | None) -> Store:
    """The water in reach of the roots, in mm over the whole zone.

    ``usual_mm`` is the reference of a usual day; the thirstier the days, the smaller the share
    that costs no effort.
    """
    crop, age = crop_of(balance), age_of(balance, day)
    day_mm = USUAL_CROP_MM if usual_mm is None else usual_mm * crop.coefficient(age)
    easy = soil.easy_share_on(day_mm, crop.easy_share)
    store = soil.store(soil_of(balance), crop.root_on(age), easy)
    return replace(store, total_mm=store.total_mm * balance.wetted_share)
