"""What the records and readings hold in a quarter, counted.

Water and work are compared with the "before" of the same greenhouses only: a greenhouse without
one adds nothing to either side. A mean week is made of the days on which something was measured
(water) or since the diary told of work (work), so that who began late is not flattered.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import distinct, func, select
from sqlalchemy.orm import Session

from nongso.platform.diary import entries as diary
from nongso.platform.diary import season
from nongso.platform.events import Event
from nongso.platform.greenhouse.records import Gateway, Greenhouse, Zone, runs_of
from nongso.platform.languages import day_of
from nongso.platform.overview.quarters import Quarter
from nongso.platform.telemetry import DAY, Telemetry
from nongso.platform.traceability.records import LabelIssue, Lot

DAYS_A_WEEK = 7
FEWEST_DAYS = 7  # less is no mean week
MOST_RUNS = 100_000


@dataclass(frozen=True)
class Compared:
    """A sum over greenhouses now and before, each per week; how many greenhouses are in it."""

    now: float = 0.0
    before: float = 0.0
    houses: int = 0


def producers_tracing(session: Session, quarter: Quarter) -> int:
    """Producers of whom a lot was recorded in the quarter."""
    wanted = select(func.count(distinct(Lot.producer_id))).where(
        Lot.at >= quarter.since,
        Lot.at < quarter.until,
        Lot.demonstration.is_(False),
        Lot.withdrawn_at.is_(None),
    )
    return session.scalar(wanted) or 0


def cooperatives_at_work(session: Session, quarter: Quarter) -> int:
    """Cooperatives that recorded anything in the quarter: a lot, labels, a diary line."""
    wanted = select(func.count(distinct(Event.cooperative))).where(
        Event.recorded_at >= quarter.since,
        Event.recorded_at < quarter.until,
        Event.cooperative.is_not(None),
    )
    return session.scalar(wanted) or 0


def products_labelled(session: Session, quarter: Quarter) -> int:
    """Products for which labels have been issued until the end of the quarter."""
    wanted = (
        select(func.count(distinct(Lot.product_id)))
        .join(LabelIssue, LabelIssue.lot == Lot.code)
        .where(LabelIssue.at < quarter.until, Lot.demonstration.is_(False))
    )
    return session.scalar(wanted) or 0


def greenhouses_measured(session: Session, telemetry: Telemetry, quarter: Quarter) -> int:
    """Real greenhouses with good readings in the quarter; those that a computer plays are none."""
    played = select(Gateway.slug).where(Gateway.simulated)
    houses = session.scalars(
        select(Greenhouse.slug).where(
            Greenhouse.gateway.is_not(None), Greenhouse.gateway.not_in(played)
        )
    )
    return sum(bool(days_measured(telemetry, slug, quarter)) for slug in houses)


def days_measured(telemetry: Telemetry, slug: str, quarter: Quarter) -> int:
    """Days of the quarter with a good reading in a greenhouse."""
    series = list(telemetry.series(greenhouse=slug))
    days = telemetry.summaries(series, quarter.since, quarter.until, DAY) if series else []
    return sum(day.good > 0 for day in days)


def water(
    session: Session, telemetry: Telemetry, quarter: Quarter, houses: Sequence[Greenhouse]
) -> Compared:
    """Litres a week, metered and by hand, beside those of before."""
    found = Compared()
    for house in houses:
        before = season.before_of(session, house.slug)
        days = days_measured(telemetry, house.slug, quarter)
        if before is None or not before.litres_week or days < FEWEST_DAYS:
            continue
        litres = _metered(session, house.slug, quarter) + _by_hand(session, house.slug, quarter)
        found = Compared(
            found.now + litres * DAYS_A_WEEK / days,
            found.before + before.litres_week,
            found.houses + 1,
        )
    return found


def work(session: Session, quarter: Quarter, houses: Sequence[Greenhouse], now: int) -> Compared:
    """Minutes of work a week as the diaries say, beside those of before."""
    found = Compared()
    for house in houses:
        before = season.before_of(session, house.slug)
        own = [one for one in _entries(session, house.slug, quarter) if one.minutes]
        if before is None or not before.minutes_week or not own:
            continue
        first = datetime.date.fromisoformat(min(one.day for one in own))
        last = min(day_of(now), day_of(quarter.until - 1))
        days = (last - first).days + 1
        if days < FEWEST_DAYS:
            continue
        minutes = sum(one.minutes or 0 for one in own)
        found = Compared(
            found.now + minutes * DAYS_A_WEEK / days,
            found.before + before.minutes_week,
            found.houses + 1,
        )
    return found


def _metered(session: Session, slug: str, quarter: Quarter) -> float:
    zones = list(session.scalars(select(Zone.id).where(Zone.greenhouse == slug)))
    runs = runs_of(session, zones, quarter.since, quarter.until, MOST_RUNS)
    return sum(run.litres or 0 for run in runs)


def _by_hand(session: Session, slug: str, quarter: Quarter) -> float:
    own = _entries(session, slug, quarter)
    return sum(one.amount or 0 for one in own if one.kind == "watered")


def _entries(session: Session, slug: str, quarter: Quarter) -> list[diary.Entry]:
    first, end = quarter.first.isoformat(), quarter.next.first.isoformat()
    standing = diary.standing(diary.lines(session, slug))
    return [one for one in standing if first <= one.day < end]
