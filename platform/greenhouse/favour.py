"""How the weather inside was for plants and their diseases: from hours of measuring, as advice.

Pure. The published rules stand in ``nongso.agronomy.disease``; here they get the hours of a
greenhouse. An hour that was not measured is no humid hour; how many are missing is told, because
with them a risk may be higher than it looks. Nobody acts on this but a person.
"""

import datetime
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from nongso.agronomy import disease, growth
from nongso.agronomy.disease import Hour, Mildew
from nongso.platform.languages import day_of

DAYS = 7
WHOLE_DAY_HOURS = 20  # a day with fewer measured hours counts as not measured
BASE_C = 10.0
_UNKNOWN = Hour(0.0, 0.0)


@dataclass(frozen=True)
class Disease:
    """A disease and the weather's favour. ``level`` is ``good`` or ``attention``."""

    code: str
    level: str
    value: int
    limit: int


@dataclass(frozen=True)
class Favour:
    """What the last days were like; ``missing`` of them were hardly measured."""

    diseases: tuple[Disease, ...]
    days: int
    missing: int


def diseases(
    hours: Mapping[int, Hour], since: int, wanted: Collection[str], days: int = DAYS
) -> Favour:
    """Look at whole days from the local midnight ``since``; ``hours`` by the time they began.

    ``wanted`` are the rules that were made for what grows there.
    """
    times = range(since, since + days * 86400, 3600)
    known = [hours.get(at, _UNKNOWN) for at in times]
    each = [known[n : n + 24] for n in range(0, len(known), 24)]
    measured = [sum(at in hours for at in times[n : n + 24]) for n in range(0, len(known), 24)]
    blight = sum(disease.wallin(mean, count) for mean, count in disease.humid_spells(known))
    early = sum(map(_tomcast, each))
    mildew = Mildew()
    for day, count in zip(each, measured, strict=True):
        warm = [hour.celsius for hour in day if hour is not _UNKNOWN]
        mildew = disease.mildew(mildew, warm) if count >= WHOLE_DAY_HOURS else mildew
    is_blight = disease.blitecast(0, blight) >= 0
    found = (
        Disease("late_blight", _level(is_blight), blight, disease.WALLIN_SPRAY),
        Disease("early_blight", _level(early >= EARLY), early, disease.TOMCAST_SPRAY),
        Disease("mildew", _level(mildew.index >= MILDEW), mildew.index, MILDEW),
    )
    return Favour(
        tuple(one for one in found if one.code in wanted),
        days,
        sum(count < WHOLE_DAY_HOURS for count in measured),
    )


EARLY = 10  # half of the severity after which Tomcast sprays, within these days
MILDEW = 60  # from here on Gubler and Thomas call the pressure high


def _tomcast(day: Iterable[Hour]) -> int:
    wet = [h.celsius for h in day if h.humidity_percent >= disease.HUMID_PERCENT]
    return disease.tomcast(sum(wet) / len(wet), len(wet)) if wet else 0


def _level(is_favourable: bool) -> str:
    return "attention" if is_favourable else "good"


def warmth(days: Mapping[datetime.date, tuple[float, float]]) -> float:
    """Degree days above ``BASE_C`` of days with their coldest and warmest temperature."""
    return sum(growth.average(low, high, BASE_C) for low, high in days.values())


def ends(
    temperatures: Iterable[tuple[int, float, float]],
) -> dict[datetime.date, tuple[float, float]]:
    """Coldest and warmest of each day, from hours: when, lowest, highest."""
    found: dict[datetime.date, tuple[float, float]] = {}
    for at, low, high in temperatures:
        day = day_of(at)
        known = found.get(day, (low, high))
        found[day] = (min(known[0], low), max(known[1], high))
    return found
