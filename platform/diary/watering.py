"""What the gateway watered, day by day: the part of the diary that nobody has to write.

Read from the runs that gateways report, so that it is there as soon as they are. Litres are what
a meter counted; runs without one are counted and named, never guessed.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.greenhouse.records import END_UNKNOWN, Run, Zone, runs_of
from nongso.platform.languages import ZONE, day_of

MOST_RUNS = 100_000


@dataclass(frozen=True)
class Watered:
    """The waterings of one day. ``litres`` is what was metered, ``None`` where nothing was."""

    day: datetime.date
    times: int
    seconds: int
    litres: float | None
    unmetered: int
    last_at: int


def midnight(day: datetime.date) -> int:
    """The moment at which a day of the farm begins."""
    return int(datetime.datetime.combine(day, datetime.time(), ZONE).timestamp())


def by_day(
    session: Session, greenhouse: str, first: datetime.date, last: datetime.date
) -> list[Watered]:
    """Return the days from first to last on which water was given, in order."""
    zones = list(session.scalars(select(Zone.id).where(Zone.greenhouse == greenhouse)))
    until = midnight(last + datetime.timedelta(days=1))
    days: dict[datetime.date, list[Run]] = {}
    for run in runs_of(session, zones, midnight(first), until, MOST_RUNS):
        begun = day_of(run.started_at)
        if first <= begun and (run.seconds > 0 or run.code == END_UNKNOWN):
            days.setdefault(begun, []).append(run)
    return [_summed(day, days[day]) for day in sorted(days)]


def _summed(day: datetime.date, runs: Sequence[Run]) -> Watered:
    metered = [run.litres for run in runs if run.litres is not None]
    return Watered(
        day=day,
        times=len(runs),
        seconds=round(sum(run.seconds for run in runs)),
        litres=round(sum(metered), 1) if metered else None,
        unmetered=len(runs) - len(metered),
        last_at=max(run.ended_at or run.started_at for run in runs),
    )
