"""The mass balance of a season: what came in, what it became, where the rest is. Reading only.

A season's lots are those that came about in it. Lots that are only other portions (split,
merged, bought over) are not counted a second time; what was withdrawn is not counted at all. For
each kind everything closes: made = passed on + lost + sampled + away + destroyed + left.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, aliased

from nongso.platform.traceability.making import area as rules_area
from nongso.platform.traceability.making import reckoning
from nongso.platform.traceability.making import yields as rules_yield
from nongso.platform.traceability.making.area import Season
from nongso.platform.traceability.making.recipe_book import Chain, Kind, Step
from nongso.platform.traceability.making.reckoning import Balance, Land
from nongso.platform.traceability.making.yields import Usual
from nongso.platform.traceability.records import Flow, Lot, Producer

Own = tuple[ColumnElement[bool], ...]  # which lots are counted


@dataclass(frozen=True)
class KindBalance:
    """All lots of one kind in the season; ``bought`` and ``milled`` are parts of what was made."""

    kind: Kind
    balance: Balance
    bought: int
    milled: int


@dataclass(frozen=True)
class StepSum:
    """All batches of one step in the season."""

    step: Step
    batches: int
    in_grams: int
    out_grams: int
    percent: float
    usual: Usual | None
    past: Sequence[float]  # what ``usual`` was learnt from
    unusual: int  # batches out of the band as it is today


@dataclass(frozen=True)
class HouseholdLand:
    """A household, its land, and what it brought."""

    producer: Producer
    land: Land


def begins(chain: Chain) -> int:
    """The month in which the chain's season begins."""
    months = [kind.comes_in.season_begins for kind in chain.kinds if kind.comes_in is not None]
    return months[0] if months else 1


def season_of(chain: Chain, day: datetime.date) -> Season:
    """The chain's season that a day falls into."""
    return rules_area.season_of(day, begins(chain))


def season(chain: Chain, year: int) -> Season:
    """The chain's season that begins in that year."""
    return rules_area.season_from(year, begins(chain))


def kinds(session: Session, cooperative: str, chain: Chain, of: Season) -> list[KindBalance]:
    """The balance of each kind of the chain; kinds of which there was nothing are left out."""
    found = []
    for kind in chain.kinds:
        own = (*_standing(cooperative, of), Lot.kind == kind.key)
        made, bought, milled, lost, sampled, away, destroyed, rest = _sums(
            session, own, cooperative
        )
        if not made:
            continue
        passed = _passed_on(session, own)
        balance = Balance(made, passed, lost, sampled, away, destroyed, rest)
        found.append(KindBalance(kind, balance, bought, milled))
    return found


def _standing(cooperative: str, of: Season) -> Own:
    since, until = reckoning.moments(of)
    return (
        Lot.cooperative == cooperative,
        Lot.withdrawn_at.is_(None),
        Lot.at >= since,
        Lot.at < until,
    )


def _sums(session: Session, own: Own, cooperative: str) -> list[int]:
    """Made, bought in and milled of it; lost, sampled, away and destroyed; what is left."""
    first = Lot.regrouped.is_(False)  # other portions of a lot are made only once
    made = func.sum(Lot.made_grams)
    sums: tuple[ColumnElement[Any], ...] = (
        made.filter(first),
        made.filter(first, Lot.bought.is_(True)),
        made.filter(first, Lot.owner != cooperative),
        *(func.sum(gone) for gone in (Lot.lost, Lot.sampled, Lot.away, Lot.destroyed)),
        func.sum(Lot.made_grams - Lot.used_grams),
    )
    return [int(amount or 0) for amount in session.execute(select(*sums).where(*own)).one()]


def _passed_on(session: Session, own: Own) -> int:
    """What became something else; what only changed portions is still there."""
    target = aliased(Lot)
    wanted = (
        select(func.coalesce(func.sum(Flow.grams), 0))
        .join(target, target.code == Flow.target)
        .where(
            Flow.source.in_(select(Lot.code).where(*own)),
            target.withdrawn_at.is_(None),
            target.regrouped.is_(False),
        )
    )
    return int(session.scalar(wanted) or 0)


def steps(session: Session, cooperative: str, chain: Chain, of: Season) -> list[StepSum]:
    """What the batches of each step gave."""
    found = []
    for step in chain.steps:
        batches = session.scalars(
            select(Lot)
            .where(*_standing(cooperative, of), Lot.recipe == step.key)
            .order_by(Lot.born_number)
        ).unique()
        runs = reckoning.runs(session, batches.all())
        if not runs:
            continue
        past = reckoning.past_of(session, cooperative, step)
        usual = rules_yield.usual(step.band, past)
        taken = sum(run.in_grams for run in runs)
        percent = sum(run.percent * run.in_grams for run in runs) / taken if taken else 0.0
        unusual = sum(1 for run in runs if not rules_yield.judge(run.percent, usual).ok)
        out = sum(run.out_grams for run in runs)
        found.append(StepSum(step, len(runs), taken, out, percent, usual, past, unusual))
    return found


def lands(
    session: Session, producers: Sequence[Producer], chain: Chain, of: Season
) -> list[HouseholdLand]:
    """Households whose land bounds what they bring, or who brought something."""
    found = []
    for kind in chain.kinds:
        if kind.comes_in is None or not kind.comes_in.crop:
            continue
        for producer in producers:
            land = reckoning.land_of(session, producer.id, kind.key, of.until)
            if land is not None and (land.area_m2 is not None or land.brought_grams):
                found.append(HouseholdLand(producer, land))
    return found
