"""What a source of water allows: its level, quotas, test and, for a pump on panels, the sun.

============================ ================== ==============================================
in the way                   automatic starts   what people wish
============================ ================== ==============================================
level below the lowest       no                 no
level not known              no                 yes: a person can look into the tank
quota of the day, of the     no                 no
season would be exceeded
water test is too old        told; no, where the farm chose ``needs_test``
outside of the sun's hours   no                 yes
============================ ================== ==============================================

A zone without a source is held by none of these. A run counts on the day on which it ended.
Litres of later days count as today's for a week, so that a clock which is set back, or a board
that starts with a clock of yesterday, opens no second account.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta

from nongso.gateway.irrigation.daytime import second_of_day
from nongso.gateway.irrigation.facts import (
    DAY_SECONDS,
    OLDEST_TANK_SECONDS,
    Drawn,
    Reason,
    Source,
    is_usable,
)
from nongso.wire.slots import check_place, read_time

KINDS = ("stream", "well", "tank", "network")
AHEAD_DAYS = 7
MOST_DAYS = 400  # a season has at most 366
MOST_COUNTED = 64
LONGEST_TEST_DAYS = 3660
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Account:
    """What was taken from a source: litres by the farm's day, and the runs counted last.

    A run is counted once, however often its end is told.
    """

    days: dict[int, float] = field(default_factory=dict)
    counted: tuple[str, ...] = ()

    def credited(self, run_id: str, day: int, litres: float) -> "Account":
        """The account with a run's water."""
        if run_id in self.counted:
            return self
        days = self.days | {day: self.days.get(day, 0.0) + max(0.0, litres)}
        newest = dict(sorted(days.items())[-MOST_DAYS:])
        return Account(newest, (*self.counted, run_id)[-MOST_COUNTED:])

    def litres(self, first: int, today: int) -> float:
        """What was taken since the day ``first``."""
        return sum(taken for day, taken in self.days.items() if first <= day <= today + AHEAD_DAYS)


def day_at(source: Source, at: float) -> int:
    """The farm's day at a Unix time, in days since 1970."""
    return int((at + source.utc_offset_minutes * 60) // DAY_SECONDS)


def season_first_day(source: Source, today: int) -> int:
    """The first day of the season that today is in."""
    now = _EPOCH + timedelta(today)
    begins = (
        date.fromisoformat(f"{year:04}-{begin}")
        for year in (now.year - 1, now.year)
        for begin in source.season_begins
    )
    return max((begin - _EPOCH).days for begin in begins if begin <= now)


def is_test_old(source: Source, today: int) -> bool:
    """Whether the water should be tested again; never where the farm keeps no tests."""
    if source.tested_on is None:
        return False
    tested = (date.fromisoformat(source.tested_on) - _EPOCH).days
    return today > tested + source.test_good_days


def level_refusal(drawn: Drawn, now: float, is_automatic: bool) -> Reason | None:
    """Whether the source stands too low."""
    source = drawn.source
    if source.level_node is None:
        return None
    if drawn.level is None or not is_usable(drawn.level, now, OLDEST_TANK_SECONDS):
        return Reason("source_level_unknown", {"source": source.name}) if is_automatic else None
    if drawn.level.value >= source.lowest_percent:
        return None
    return Reason(
        "source_low",
        {
            "source": source.name,
            "level_percent": drawn.level.value,
            "lowest_percent": source.lowest_percent,
        },
    )


def water_test_refusal(drawn: Drawn, now: float) -> Reason | None:
    """Whether the water must be tested first."""
    source = drawn.source
    if source.needs_test and is_test_old(source, day_at(source, now)):
        return Reason("source_not_tested", {"source": source.name})
    return None


def quota_refusal(drawn: Drawn, seconds: float) -> Reason | None:
    """Whether this run would take more than the day or the season has left."""
    source, wanted = drawn.source, drawn.l_per_min * seconds / 60.0
    for code, used, most in (
        ("source_day_quota", drawn.litres_today, source.litres_per_day),
        ("source_season_quota", drawn.litres_season, source.litres_per_season),
    ):
        if most is not None and used + wanted > most:
            told = {"source": source.name, "litres_used": round(used), "litres_most": most}
            return Reason(code, told)
    return None


def sun_refusal(drawn: Drawn, now: float) -> Reason | None:
    """Whether the panels give too little at this hour; ``at`` is when they give enough again."""
    source, hours = drawn.source, drawn.source.sun_hours
    if hours is None:
        return None
    offset = source.utc_offset_minutes
    today = day_at(source, now)
    second = now + offset * 60 - today * DAY_SECONDS
    begins = second_of_day(hours.begin, today, offset, hours.place)
    if begins <= second < second_of_day(hours.end, today, offset, hours.place):
        return None
    if second >= begins:
        today += 1
        begins = second_of_day(hours.begin, today, offset, hours.place)
    at = int(today * DAY_SECONDS) + begins - offset * 60
    return Reason("outside_sun_hours", {"source": source.name, "at": at})


def standing(drawn: Drawn, now: float) -> Reason | None:
    """Why nothing may be taken of a source by itself now, not even for a minute."""
    return (
        level_refusal(drawn, now, is_automatic=True)
        or water_test_refusal(drawn, now)
        or sun_refusal(drawn, now)
        or quota_refusal(drawn, 60.0)
    )


def check(source: Source) -> None:
    """See that a source can be kept to. Raises ``ValueError`` with a sentence."""
    if source.kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}")
    if not 0 <= source.lowest_percent <= 100:
        raise ValueError("lowest_percent must lie between 0 and 100")
    for name in ("litres_per_day", "litres_per_season"):
        most = getattr(source, name)
        if most is not None and most <= 0:
            raise ValueError(f"{name} must be more than 0")
    if not source.season_begins:
        raise ValueError("season_begins needs a day like 10-01")
    for begin in source.season_begins:
        _check_begin(begin)
    if not -720 <= source.utc_offset_minutes <= 840:
        raise ValueError("utc_offset_minutes must lie between -720 and 840")
    if not 1 <= source.test_good_days <= LONGEST_TEST_DAYS:
        raise ValueError(f"test_good_days must be 1 to {LONGEST_TEST_DAYS}")
    if source.tested_on is not None:
        _read_day(source.tested_on)
    elif source.needs_test:
        raise ValueError("needs_test needs tested_on, the day of the last test")
    if source.sun_hours is not None:
        _check_sun(source)


def _check_begin(begin: str) -> None:
    try:
        date.fromisoformat(f"2001-{begin}")  # a year without 29 February
        good = len(begin) == 5 and begin[2] == "-"  # not: the day of a week, W01-1
    except ValueError:
        good = False
    if not good:
        raise ValueError(f"season_begins are days like 10-01, not {begin!r}")


def _read_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"tested_on is a day like 2026-10-01, not {text!r}") from None


def _check_sun(source: Source) -> None:
    hours = source.sun_hours
    if hours is None:
        return
    if hours.place is not None:
        check_place(hours.place)
    elif any(read_time(text)[0] != "clock" for text in (hours.begin, hours.end)):
        raise ValueError("sun_hours by sunrise or sunset need a place: latitude and longitude")
    for day in range(0, 366, 7):  # the sun's times wander through the year
        begin, end = (
            second_of_day(text, day, source.utc_offset_minutes, hours.place)
            for text in (hours.begin, hours.end)
        )
        if begin >= end:
            raise ValueError("sun_hours must begin before they end, all the year")
