"""What the records say about quantities: past yields, what a household brought, balances.

Reading only. The rules (``nongso.platform.traceability.making.yields`` and its neighbours) get
their values from here.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from nongso.platform.languages import ZONE
from nongso.platform.traceability.making import area as rules_area
from nongso.platform.traceability.making import yields as rules_yield
from nongso.platform.traceability.making.area import Season
from nongso.platform.traceability.making.recipe_book import Step, recipes
from nongso.platform.traceability.making.yields import Usual, Weighed
from nongso.platform.traceability.records import PACKS, Flow, Lot
from nongso.platform.traceability.registry.plots import area_of

_AT_ONCE = 500


def weighed(lot: Lot, grams: int) -> Weighed:
    """So much of a lot, with what is known of its moisture."""
    kind = recipes().kinds.get(lot.kind)
    return Weighed(grams, lot.moisture_permille, kind.moisture if kind is not None else None)


def made(step: Step, grams: int, moisture_permille: int | None) -> Weighed:
    """So much that came out of a step."""
    return Weighed(grams, moisture_permille, recipes().kinds[step.gives].moisture)


@dataclass(frozen=True)
class Run:
    """One batch that was made: what went in, what came out, and how much that is of it."""

    lot: Lot
    in_grams: int
    out_grams: int
    percent: float


def runs(session: Session, batches: Sequence[Lot]) -> list[Run]:
    """Reckon the yields of batches, in their order."""
    codes = [lot.code for lot in batches]
    taken: dict[str, list[Weighed]] = {}
    for at in range(0, len(codes), _AT_ONCE):
        wanted = (
            select(Flow, Lot)
            .join(Lot, Lot.code == Flow.source)
            .where(Flow.target.in_(codes[at : at + _AT_ONCE]))
        )
        for flow, source in session.execute(wanted).unique():
            taken.setdefault(flow.target, []).append(weighed(source, flow.grams or 0))
    found = []
    for lot in batches:
        came = made(recipes().steps[lot.recipe or ""], lot.made_grams or 0, lot.moisture_permille)
        percent = rules_yield.percent(taken.get(lot.code, []), came)
        found.append(Run(lot, lot.in_grams or 0, lot.made_grams or 0, percent))
    return found


def usual_of(
    session: Session, cooperative: str, step: Step, before: int | None = None
) -> Usual | None:
    """What usually comes out of a step here; of what was recorded ``before`` that number."""
    return rules_yield.usual(step.band, past_of(session, cooperative, step, before))


def past_of(
    session: Session, cooperative: str, step: Step, before: int | None = None
) -> list[float]:
    """What came out of this step here, in percent, the newest batch first."""
    wanted = select(Lot).where(
        Lot.cooperative == cooperative, Lot.recipe == step.key, Lot.withdrawn_at.is_(None)
    )
    if before is not None:
        wanted = wanted.where(Lot.born_number < before)
    newest = wanted.order_by(Lot.born_number.desc()).limit(rules_yield.MOST_PAST)
    return [run.percent for run in runs(session, session.scalars(newest).unique().all())]


def moments(season: Season) -> tuple[int, int]:
    """The first second of a season, and the first one behind it."""
    begin = datetime.datetime.combine(season.since, datetime.time(), ZONE)
    end = datetime.datetime.combine(season.until, datetime.time(), ZONE)
    return int(begin.timestamp()), int((end + datetime.timedelta(days=1)).timestamp())


def brought_grams(session: Session, producer_id: str, kind: str, season: Season) -> int:
    """What a household brought of its own in a season, bought or for milling."""
    since, until = moments(season)
    return (
        session.scalar(
            select(func.coalesce(func.sum(Lot.made_grams), 0)).where(
                Lot.producer_id == producer_id,
                Lot.kind == kind,
                Lot.regrouped.is_(False),
                Lot.bought.is_(False),
                Lot.withdrawn_at.is_(None),
                Lot.at >= since,
                Lot.at < until,
            )
        )
        or 0
    )


@dataclass(frozen=True)
class Land:
    """A household's land in a season: what it can give, and what came from it so far."""

    area_m2: int | None
    usual_grams: int | None
    most_grams: int | None
    brought_grams: int
    season: Season


def land_of(session: Session, producer_id: str, kind: str, day: datetime.date) -> Land | None:
    """What can come in from a household's land; ``None`` for what no land bounds."""
    comes_in = recipes().kinds[kind].comes_in
    if comes_in is None or not comes_in.crop:
        return None
    season = rules_area.season_of(day, comes_in.season_begins)
    area = area_of(session, producer_id, comes_in.crop, day)
    bounds = rules_area.bounds_grams(area, comes_in) if area is not None else None
    usual, most = bounds if bounds is not None else (None, None)
    return Land(area, usual, most, brought_grams(session, producer_id, kind, season), season)


@dataclass(frozen=True)
class Balance:
    """Where everything of a lot is: ``made`` is the sum of the rest. Grams, or packs."""

    made: int
    passed_on: int  # became other lots
    lost: int
    sampled: int
    away: int
    destroyed: int
    left: int


def balance_of(lot: Lot) -> Balance | None:
    """The balance of a lot; ``None`` where nothing was weighed."""
    whole, gone = (
        (lot.packs, lot.packs_gone) if lot.kind == PACKS else (lot.made_grams, lot.used_grams)
    )
    if whole is None:
        return None
    other = lot.lost + lot.sampled + lot.away + lot.destroyed
    return Balance(
        whole, gone - other, lot.lost, lot.sampled, lot.away, lot.destroyed, whole - gone
    )
