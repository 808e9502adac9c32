"""Which days the curves of a greenhouse show: a day, a week, a month, or a season.

A season goes from a planting in the diary to the day before the next one, or to today. Nobody
need have written a planting: then it is the year up to the chosen day, and says so. Longer than
a year is no picture that a phone can show; its last year is shown.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from nongso.platform.greenhouse.records import END_UNKNOWN, Run, runs_of
from nongso.platform.languages import ZONE
from nongso.platform.telemetry import DAY, HOUR

LENGTHS = {"1": 1, "7": 7, "30": 30}
SEASON = "season"
PLANTINGS = "nongso.greenhouse.plantings"  # function of a greenhouse, set by who keeps a diary
LONGEST_DAYS = 365
LOCAL_SECONDS = 7 * HOUR  # of the farm's midnight after that of UTC


@dataclass(frozen=True)
class Period:
    """The days from ``first`` to ``last``, both shown. ``choice`` is the button's word.

    ``before`` and ``after`` are the days that the arrows lead to; ``None`` leads nowhere.
    """

    choice: str
    first: datetime.date
    last: datetime.date
    before: datetime.date | None
    after: datetime.date | None
    is_planted: bool = True
    is_cut: bool = False

    @property
    def days(self) -> int:
        """How many days are shown."""
        return (self.last - self.first).days + 1

    @property
    def since(self) -> int:
        """First second that is shown."""
        return day_begins(self.first)

    @property
    def until(self) -> int:
        """First second that is shown no more."""
        return day_begins(self.last) + DAY

    @property
    def step(self) -> int:
        """How long a time one point of a curve stands for."""
        return 600 if self.days == 1 else 3 * HOUR if self.days <= 7 else DAY


def day_begins(day: datetime.date) -> int:
    """Return the Unix time of local midnight."""
    return int(datetime.datetime.combine(day, datetime.time(), ZONE).timestamp())


def of_length(choice: str, last: datetime.date, today: datetime.date) -> Period:
    """Return a day, a week or a month up to a day; anything else is one day."""
    choice = choice if choice in LENGTHS else "1"
    one = datetime.timedelta(days=1)
    return Period(
        choice=choice,
        first=last - one * (LENGTHS[choice] - 1),
        last=last,
        before=last - one,
        after=last + one if last < today else None,
    )


def season(plantings: Sequence[datetime.date], day: datetime.date, today: datetime.date) -> Period:
    """Return the season that a day belongs to. ``plantings`` are days, oldest first."""
    one = datetime.timedelta(days=1)
    earlier = [planted for planted in plantings if planted <= day]
    later = [planted for planted in plantings if planted > day]
    if earlier:
        begun = earlier[-1]
        last = later[0] - one if later else max(begun, today)
    else:
        begun, last = day - one * (LONGEST_DAYS - 1), day
    first = max(begun, last - one * (LONGEST_DAYS - 1))
    return Period(
        choice=SEASON,
        first=first,
        last=last,
        before=first - one,
        after=_last_of_next(later, today) if later else None,
        is_planted=bool(earlier),
        is_cut=first > begun,
    )


def _last_of_next(later: Sequence[datetime.date], today: datetime.date) -> datetime.date:
    return later[1] - datetime.timedelta(days=1) if len(later) > 1 else max(later[0], today)


def waterings(
    session: Session, zones: Sequence[str], period: Period, now: int
) -> list[tuple[int, int]]:
    """Return when water ran in these zones: from and to, or whole days where days are drawn."""
    if period.step < DAY:
        return [
            (run.started_at, run.ended_at or min(now, run.started_at + run.ordered_seconds))
            for run in runs_of(session, list(zones), period.since, period.until)
            if run.state != "refused"
        ]
    day = (Run.started_at + LOCAL_SECONDS) // DAY
    found = session.scalars(
        select(day)
        .where(Run.zone.in_(zones), Run.state != "refused")
        .where(or_(Run.seconds > 0, Run.ended_at.is_(None), Run.code == END_UNKNOWN))
        .where(Run.started_at >= period.since, Run.started_at < period.until)
        .distinct()
    )
    begins = [number * DAY - LOCAL_SECONDS for number in sorted(found)]
    return [(at, at + DAY) for at in begins]
