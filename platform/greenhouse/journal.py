"""What a greenhouse lived through from one day to another: the growing record.

The one page of the greenhouse half that traceability may read. Only good readings count; a day
without (hardly) any is named as missing and never filled in.
"""

import datetime
from collections.abc import Sequence
from typing import TypedDict

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.greenhouse.records import (
    END_UNKNOWN,
    Gateway,
    Greenhouse,
    Zone,
    runs_of,
)
from nongso.platform.languages import ZONE, day_of
from nongso.platform.telemetry import Series, Summary, Telemetry
from nongso.wire import marks

METRICS = ("air_temperature", "air_humidity", "soil_moisture", "light")
HOUR = 3600
DAY = 86400
LEAST_HOURS = 6  # a day of which fewer hours were measured counts as missing


class Span(TypedDict):
    """Lowest, mean and highest good value of a time."""

    low: float
    mean: float
    high: float


class GrowingRecord(TypedDict):
    """A growing record; plain values, so that it can be sealed into an event. Unix seconds.

    ``days`` are the farm's calendar days that the time touches, ``missing_days`` those of them
    without readings (ISO dates), ``missing_hours`` the hours without any, those days included.
    ``litres`` sums up the waterings that a meter has counted and is ``None`` if none was;
    ``unmetered`` is how many of the waterings were not counted.
    """

    greenhouse: str
    name: str
    since: int
    until: int
    days: int
    missing_days: list[str]
    missing_hours: int
    simulated: bool
    imported: bool
    metrics: dict[str, Span]
    readings: int
    suspect: int
    litres: float | None
    waterings: int
    unmetered: int


def greenhouses(session: Session, cooperative: str) -> Sequence[Greenhouse]:
    """Return the greenhouses of a cooperative, by name."""
    return session.scalars(
        select(Greenhouse).where(Greenhouse.cooperative == cooperative).order_by(Greenhouse.name)
    ).all()


def is_simulated(session: Session, cooperative: str) -> bool:
    """Say whether a gateway of the cooperative is played by a computer."""
    wanted = select(Gateway.slug).where(Gateway.cooperative == cooperative, Gateway.simulated)
    return session.scalars(wanted.limit(1)).first() is not None


def growing_record(
    session: Session, telemetry: Telemetry, greenhouse: str, since: int, until: int
) -> GrowingRecord | None:
    """Sum up [since, until) in a greenhouse; ``None`` if it is unknown or measured nothing."""
    house = session.get(Greenhouse, greenhouse)
    if house is None or until <= since:
        return None
    series = {
        number: one
        for number, one in telemetry.series(greenhouse=greenhouse).items()
        if one.name.partition(".")[0] in METRICS
    }
    first = _hour(since)
    hours = {
        metric: telemetry.summaries(_of(series, metric), first, until, HOUR) for metric in METRICS
    }
    measured = sorted({h.since for found in hours.values() for h in found if h.good})
    if not measured:
        return None
    days = _days(since, until)
    per_day = dict.fromkeys(days, 0)
    for hour in measured:
        per_day[day_of(hour)] = per_day.get(day_of(hour), 0) + 1
    zones = list(session.scalars(select(Zone.id).where(Zone.greenhouse == greenhouse)))
    runs = [
        run
        for run in runs_of(session, zones, since, until, 100_000)
        if run.seconds > 0 or run.code == END_UNKNOWN
    ]
    counted = [run.litres for run in runs if run.litres is not None]
    origins = telemetry.origins(list(series), since, until)
    return GrowingRecord(
        greenhouse=greenhouse,
        name=house.name,
        since=since,
        until=until,
        days=len(days),
        missing_days=[day.isoformat() for day in days if per_day[day] < _least(day, since, until)],
        missing_hours=max(0, -(-(until - first) // HOUR) - len(measured)),
        simulated=bool(origins & {marks.SIMULATED}),
        imported=bool(origins & {marks.IMPORTED}),
        metrics={metric: span for metric in METRICS if (span := _span(hours[metric]))},
        readings=sum(h.good for found in hours.values() for h in found),
        suspect=sum(h.suspect for found in hours.values() for h in found),
        litres=round(sum(counted), 1) if counted or not runs else None,
        waterings=len(runs),
        unmetered=len(runs) - len(counted),
    )


def _of(series: dict[int, Series], metric: str) -> list[int]:
    return [n for n, one in series.items() if one.name.partition(".")[0] == metric]


def _span(hours: list[Summary]) -> Span | None:
    """Sum hours up; each counts the same, however often its sensors were asked."""
    lows = [h.low for h in hours if h.low is not None]
    means = [h.mean for h in hours if h.mean is not None]
    highs = [h.high for h in hours if h.high is not None]
    if not means:
        return None
    return Span(low=min(lows), mean=round(sum(means) / len(means), 2), high=max(highs))


def _hour(at: int) -> int:
    return at - at % HOUR  # the zone of the farm is whole hours from UTC


def _days(since: int, until: int) -> list[datetime.date]:
    first, last = day_of(since), day_of(until - 1)
    return [first + datetime.timedelta(days=n) for n in range((last - first).days + 1)]


def _least(day: datetime.date, since: int, until: int) -> int:
    """How many hours must have been measured; fewer on a day that is only touched."""
    begins = int(datetime.datetime.combine(day, datetime.time(), ZONE).timestamp())
    inside = (min(until, begins + DAY) - max(since, begins)) / HOUR
    return 1 if inside < LEAST_HOURS else LEAST_HOURS
