"""How much of each lot behind a packed one went into it: by what is recorded to have flowed.

Of what was taken out of a lot a part may have gone elsewhere at the next step, in the same
proportion as the goods of that step did: 300 kg of starch went into a batch of noodles of which
half was packed here, so 150 kg of the starch are in these packs. Values in, values out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from nongso.platform.traceability.records import Lot


class Flowed(Protocol):
    """So much of one lot went into another."""

    @property
    def source(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def grams(self) -> int | None: ...


@dataclass(frozen=True)
class Part:
    """Grams of a lot that went into the one that is told of; ``is_whole``: all of it did."""

    grams: int
    is_whole: bool


def parts_of(lot: Lot, behind: Sequence[Lot], flows: Iterable[Flowed]) -> Mapping[str, Part]:
    """The part of each lot behind ``lot``; a lot of which it cannot be said is left out."""
    into: dict[str, list[Flowed]] = {}
    for flow in flows:
        into.setdefault(flow.source, []).append(flow)
    shares: dict[str, Fraction | None] = {lot.code: Fraction(1)}
    found: dict[str, Part] = {}
    # What was made of a lot came to be after it: so its targets have their shares already.
    for one in sorted(behind, key=lambda one: one.born_number, reverse=True):
        if one.code == lot.code:
            continue
        grams = _taken(into.get(one.code, ()), shares)
        if grams is None or not one.made_grams:
            shares[one.code] = None
            continue
        share = shares[one.code] = min(grams / one.made_grams, Fraction(1))
        found[one.code] = Part(round(share * one.made_grams), share == 1)
    return found


def _taken(flows: Iterable[Flowed], shares: Mapping[str, Fraction | None]) -> Fraction | None:
    total = Fraction(0)
    for flow in flows:
        if flow.target not in shares:
            continue  # it went elsewhere
        share = shares[flow.target]
        if share is None or flow.grams is None:
            return None
        total += flow.grams * share
    return total
