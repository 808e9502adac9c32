"""The same thing in other portions: split off, merged, bought from whom it was milled for.

Each takes from lots and makes a new one of the same kind and the same weight; nothing is gained
and nothing is lost. A lot never changes its owner: what the cooperative buys of a household's
starch, or keeps as the fee for milling, becomes a lot of its own, and the rest stays the
household's.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from nongso.platform.traceability import shaping
from nongso.platform.traceability.errors import NothingTaken, WrongKind
from nongso.platform.traceability.identifiers import lot_id
from nongso.platform.traceability.making import book as making_book
from nongso.platform.traceability.making.errors import OursAlready
from nongso.platform.traceability.making.operations import (
    BOUGHT,
    Desk,
    Take,
    change,
    common,
    new_code,
    recorded,
    taken,
    transform,
)
from nongso.platform.traceability.records import PACKS, PLANTING, Lot
from nongso.platform.traceability.shaping import Body

FEE = "fee"
TERMS = (BOUGHT, FEE)


@dataclass(frozen=True)
class Split:
    """So much of a lot is put aside as a lot of its own."""

    take: Take
    day: datetime.date


@dataclass(frozen=True)
class Merge:
    """Lots of one kind and one owner are put together."""

    inputs: tuple[Take, ...]
    day: datetime.date


@dataclass(frozen=True)
class TakeOver:
    """The cooperative buys so much of what it holds for a household, or keeps it as the fee."""

    take: Take
    day: datetime.date
    terms: str = BOUGHT


def split(desk: Desk, id_: str, wish: Split) -> Lot:
    """Record that part of a lot is put aside."""
    if (there := recorded(desk, id_, wish)) is not None:
        return there
    sources = _sources(desk, (wish.take,), wish.day)
    return _regroup(desk, making_book.SPLIT, id_, wish, (wish.take,), sources, wish.day)


def merge(desk: Desk, id_: str, wish: Merge) -> Lot:
    """Record that lots are put together. Raises ``WrongKind`` for different things."""
    if (there := recorded(desk, id_, wish)) is not None:
        return there
    if len(wish.inputs) < 2:
        raise NothingTaken("one lot alone is not merged")
    sources = _sources(desk, wish.inputs, wish.day)
    for lot in sources[1:]:
        if (lot.kind, lot.name) != (sources[0].kind, sources[0].name):
            raise WrongKind(lot.code, lot.kind)
    return _regroup(desk, making_book.MERGED, id_, wish, wish.inputs, sources, wish.day)


def take_over(desk: Desk, id_: str, wish: TakeOver) -> Lot:
    """Record that a household's lot, or part of it, is the cooperative's from now on."""
    if (there := recorded(desk, id_, wish)) is not None:
        return there
    if wish.terms not in TERMS:
        raise ValueError(f"terms: {wish.terms}")
    sources = _sources(desk, (wish.take,), wish.day)
    owner = sources[0].owner
    if owner == desk.cooperative:
        raise OursAlready(wish.take.lot)
    more = {
        "nongso:owner": desk.cooperative,
        "nongso:purpose": wish.terms,
        **change(desk, owner, desk.cooperative, "owning_party"),
    }
    return _regroup(desk, making_book.TAKEN_OVER, id_, wish, (wish.take,), sources, wish.day, more)


def _sources(desk: Desk, inputs: Sequence[Take], day: datetime.date) -> list[Lot]:
    sources = taken(desk, inputs, (), day)
    for lot in sources:
        if lot.kind in (PACKS, PLANTING):
            raise WrongKind(lot.code, lot.kind)
    return sources


def _regroup(
    desk: Desk,
    type_: str,
    id_: str,
    wish: Split | Merge | TakeOver,
    inputs: Sequence[Take],
    sources: Sequence[Lot],
    day: datetime.date,
    more: Body | None = None,
) -> Lot:
    first, grams = sources[0], sum(take.grams for take in inputs)
    says: Body = {
        **common(desk, wish, first.name),
        "nongso:kind": first.kind,
        "nongso:owner": first.owner,
        "nongso:holder": first.holder,
    }
    for name, values in (
        ("nongso:producer", {lot.producer_id for lot in sources}),
        ("nongso:place", {lot.place_id for lot in sources}),
    ):
        only = values.pop()
        if not values and only is not None:
            says[name] = only
    ilmd = {}
    moistures = [lot.moisture_permille for lot in sources]
    if all(one is not None for one in moistures):
        sums = sum(t.grams * (m or 0) for t, m in zip(inputs, moistures, strict=True))
        ilmd["nongso:moisturePermille"] = round(sums / grams)
    output = shaping.kilograms(lot_id(desk.base, new_code(desk)), grams)
    return transform(desk, type_, id_, inputs, day, output, ilmd, {**says, **(more or {})})
