"""The mass balance of a season: what came in, what it became, where the rest is. Reading only.

A season's lots are those that came about in it. Lots that are only other portions (split,
merged, bought over) are not counted a second time; what was withdrawn is not counted at all. For
each kind everything closes: made = passed on + lost + sampled + away + destroyed + left.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from nongso.platform.traceability import reckoning, rules_area
from nongso.platform.traceability.recipe_book import Chain, Kind, Step
from nongso.platform.traceability.reckoning import Balance, Land
from nongso.platform.traceability.records import Flow, Lot, Producer
from nongso.platform.traceability.rules_area import Season
from nongso.platform.traceability.rules_yield import Usual


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
        own = _standing(cooperative, of).where(Lot.kind == kind.key)
        made, bought, milled = _sums(session, own.where(Lot.regrouped.is_(False)), cooperative)
        if not made:
            continue
        columns = (Lot.lost, Lot.sampled, Lot.away, Lot.destroyed)
        sums = [func.coalesce(func.sum(column), 0) for column in columns]
        left = func.coalesce(func.sum(Lot.made_grams - Lot.used_grams), 0)
        row = session.execute(own.with_only_columns(*sums, left)).one()
        lost, sampled, away, destroyed, rest = (int(amount) for amount in row)
        passed = _passed_on(session, own)
        balance = Balance(made, passed, lost, sampled, away, destroyed, rest)
        found.append(KindBalance(kind, balance, bought, milled))
    return found


def _standing(cooperative: str, of: Season) -> "Select[Any]":
    since, until = reckoning.moments(of)
    return select(Lot.code).where(
        Lot.cooperative == cooperative,
        Lot.withdrawn_at.is_(None),
        Lot.at >= since,
        Lot.at < until,
    )


def _sums(session: Session, own: "Select[Any]", cooperative: str) -> tuple[int, int, int]:
    def total(of: "Select[Any]") -> int:
        whole = func.coalesce(func.sum(Lot.made_grams), 0)
        return int(session.scalar(of.with_only_columns(whole)) or 0)

    return (
        total(own),
        total(own.where(Lot.bought.is_(True))),
        total(own.where(Lot.owner != cooperative)),
    )


def _passed_on(session: Session, own: "Select[Any]") -> int:
    """What became something else; what only changed portions is still there."""
    target = aliased(Lot)
    wanted = (
        select(func.coalesce(func.sum(Flow.grams), 0))
        .join(target, target.code == Flow.target)
        .where(
            Flow.source.in_(own),
            target.withdrawn_at.is_(None),
            target.regrouped.is_(False),
        )
    )
    return int(session.scalar(wanted) or 0)


def steps(session: Session, cooperative: str, chain: Chain, of: Season) -> list[StepSum]:
    """What the batches of each step gave."""
    since, until = reckoning.moments(of)
    found = []
    for step in chain.steps:
        batches = session.scalars(
            select(Lot)
            .where(
                Lot.cooperative == cooperative,
                Lot.recipe == step.key,
                Lot.withdrawn_at.is_(None),
                Lot.at >= since,
                Lot.at < until,
            )
            .order_by(Lot.born_number)
        ).unique()
        runs = reckoning.runs(session, batches.all())
        if not runs:
            continue
        usual = reckoning.usual_of(session, cooperative, step)
        taken = sum(run.in_grams for run in runs)
        percent = sum(run.percent * run.in_grams for run in runs) / taken if taken else 0.0
        unusual = sum(1 for run in runs if _is_unusual(run.percent, usual))
        out = sum(run.out_grams for run in runs)
        found.append(StepSum(step, len(runs), taken, out, percent, usual, unusual))
    return found


def _is_unusual(percent: float, usual: Usual | None) -> bool:
    return usual is not None and not usual.low_percent <= percent <= usual.high_percent


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
