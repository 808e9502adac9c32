"""What a greenhouse lived through from one day to another: the growing record.

The one page of the greenhouse half that traceability may read. Only good readings count; a day
without (hardly) any is named as missing and never filled in. A place that is no greenhouse (a
drying yard, a store) is told by the station that stands there.
"""

import datetime
from collections.abc import Mapping, Sequence
from typing import TypedDict

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.greenhouse.records import (
    END_UNKNOWN,
    Gateway,
    Greenhouse,
    Node,
    Run,
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
MOST_DRAWN_DAYS = 400

Bands = Mapping[str, tuple[float, float]]  # of each metric: what the crop likes, both ends in


class Span(TypedDict):
    """Lowest, mean and highest good value of a time."""

    low: float
    mean: float
    high: float


class InBand(TypedDict):
    """How many of the measured hours of a metric had their mean between low and high."""

    low: float
    high: float
    hours_in: int
    hours: int


class Measured(TypedDict):
    """What the stations of a place measured; plain values, to be sealed into an event.

    ``days`` are the farm's calendar days that the time touches, ``missing_days`` those of them
    without readings (ISO dates), ``missing_hours`` the hours without any, those days included.
    ``suspect_hours`` are hours in which a value was impossible and was not used. ``daily`` has
    lowest and highest of each day for one metric, ``None`` for a day without readings; empty
    where there are too many days. ``counted`` is how many readings there were in the whole hours.
    """

    since: int
    until: int
    days: int
    missing_days: list[str]
    missing_hours: int
    simulated: bool
    imported: bool
    metrics: dict[str, Span]
    bands: dict[str, InBand]
    hours: int
    all_hours: int
    suspect_hours: int
    readings: int
    suspect: int
    counted: int
    daily_metric: str
    daily: list[list[float] | None]


class GrowingRecord(Measured):
    """A growing record: what was measured in a greenhouse, and what was watered there.

    ``litres`` sums up the waterings that a meter has counted and is ``None`` if none was;
    ``unmetered`` is how many of the waterings were not counted.
    """

    greenhouse: str
    name: str
    litres: float | None
    waterings: int
    unmetered: int


def greenhouses(session: Session, cooperative: str) -> Sequence[Greenhouse]:
    """Return the greenhouses of a cooperative, by name."""
    return session.scalars(
        select(Greenhouse).where(Greenhouse.cooperative == cooperative).order_by(Greenhouse.name)
    ).all()


def shared_stations(session: Session, cooperative: str) -> Sequence[Node]:
    """Return the stations of a cooperative's cabinets that stand in no greenhouse, by name."""
    return session.scalars(
        select(Node)
        .join(Gateway, Gateway.slug == Node.gateway)
        .where(Gateway.cooperative == cooperative, Node.greenhouse.is_(None))
        .order_by(Node.slug)
    ).all()


def is_simulated(session: Session, cooperative: str) -> bool:
    """Say whether a gateway of the cooperative is played by a computer."""
    wanted = select(Gateway.slug).where(Gateway.cooperative == cooperative, Gateway.simulated)
    return session.scalars(wanted.limit(1)).first() is not None


def growing_record(
    session: Session,
    telemetry: Telemetry,
    greenhouse: str,
    since: int,
    until: int,
    bands: Bands | None = None,
) -> GrowingRecord | None:
    """Sum up [since, until) in a greenhouse; ``None`` if it is unknown or measured nothing."""
    house = session.get(Greenhouse, greenhouse)
    if house is None or until <= since:
        return None
    found = _measured(telemetry, telemetry.series(greenhouse=greenhouse), since, until, bands)
    if found is None:
        return None
    runs = _runs(session, greenhouse, since, until)
    counted = [run.litres for run in runs if run.litres is not None]
    return GrowingRecord(
        **found,
        greenhouse=greenhouse,
        name=house.name,
        litres=round(sum(counted), 1) if counted or not runs else None,
        waterings=len(runs),
        unmetered=len(runs) - len(counted),
    )


def station_record(
    telemetry: Telemetry, node: str, since: int, until: int, bands: Bands | None = None
) -> Measured | None:
    """Sum up what one station measured where it stands for no greenhouse: a yard, a store."""
    series = {n: one for n, one in telemetry.series(node=node).items() if not one.greenhouse}
    return _measured(telemetry, series, since, until, bands) if until > since else None


def known_now(
    session: Session, telemetry: Telemetry, greenhouse: str, since: int, until: int
) -> tuple[int, int]:
    """Return how many readings and waterings of a time are known by now.

    Compared with ``counted`` and ``waterings`` of a record they tell what came in later.
    """
    series = _measuring(telemetry.series(greenhouse=greenhouse))
    hours = telemetry.summaries(list(series), _hour(since), _hour(until), HOUR) if series else []
    return sum(h.good + h.suspect for h in hours), len(_runs(session, greenhouse, since, until))


def _runs(session: Session, greenhouse: str, since: int, until: int) -> list[Run]:
    zones = list(session.scalars(select(Zone.id).where(Zone.greenhouse == greenhouse)))
    return [
        run
        for run in runs_of(session, zones, since, until, 100_000)
        if run.seconds > 0 or run.code == END_UNKNOWN
    ]


def _measuring(series: Mapping[int, Series]) -> dict[int, Series]:
    return {n: one for n, one in series.items() if one.name.partition(".")[0] in METRICS}


def _measured(
    telemetry: Telemetry,
    all_series: Mapping[int, Series],
    since: int,
    until: int,
    bands: Bands | None,
) -> Measured | None:
    series = _measuring(all_series)
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
    origins = telemetry.origins(list(series), since, until)
    everything = [h for found in hours.values() for h in found]
    all_hours = -(-(until - first) // HOUR)
    drawn = next(metric for metric in METRICS if any(h.good for h in hours[metric]))
    return Measured(
        since=since,
        until=until,
        days=len(days),
        missing_days=[day.isoformat() for day in days if per_day[day] < _least(day, since, until)],
        missing_hours=max(0, all_hours - len(measured)),
        simulated=bool(origins & {marks.SIMULATED}),
        imported=bool(origins & {marks.IMPORTED}),
        metrics={metric: span for metric in METRICS if (span := _span(hours[metric]))},
        bands={
            metric: _in_band(hours[metric], low, high)
            for metric, (low, high) in (bands or {}).items()
            if any(h.good for h in hours.get(metric, ()))
        },
        hours=len(measured),
        all_hours=all_hours,
        suspect_hours=len({h.since for h in everything if h.suspect}),
        readings=sum(h.good for h in everything),
        suspect=sum(h.suspect for h in everything),
        counted=sum(h.good + h.suspect for h in everything if h.since < _hour(until)),
        daily_metric=drawn,
        daily=_daily(hours[drawn], days),
    )


def _in_band(hours: list[Summary], low: float, high: float) -> InBand:
    means = [h.mean for h in hours if h.mean is not None]
    inside = sum(low <= mean <= high for mean in means)
    return InBand(low=low, high=high, hours_in=inside, hours=len(means))


def _daily(hours: list[Summary], days: list[datetime.date]) -> list[list[float] | None]:
    """Lowest and highest of each day, to a tenth."""
    if len(days) > MOST_DRAWN_DAYS:
        return []
    ends: dict[datetime.date, list[float]] = {}
    for h in hours:
        if h.low is not None and h.high is not None:
            low, high = round(h.low, 1), round(h.high, 1)
            known = ends.setdefault(day_of(h.since), [low, high])
            known[:] = [min(known[0], low), max(known[1], high)]
    return [ends.get(day) for day in days]


def _of(series: Mapping[int, Series], metric: str) -> list[int]:
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
