"""What can come out of a step, and what usually does. Values in, verdict out.

Physics. Dry matter is neither made nor does it grow: what a batch holds of it cannot exceed what
went in. Where somebody measured the moisture, that counts; elsewhere the side that is more
generous to the clerk does: what went in was as dry as its kind can be, what came out as wet.
A step on the basis ``weighed`` (honey, oil, sorting) has no water to give or take: weight itself
cannot grow.

The band. A recipe begins with what books say, or with nothing. From ``ENOUGH`` batches of one's
own these decide alone: the middle half of them, widened by one and a half times its width
(Tukey's fence), at least by ``LEAST_MARGIN`` of the median so that an even hand is not asked for
every spoonful. The newest ``MOST_PAST`` count, so that the band follows a new mill. Batches
that were out of the band and explained count too: they happened.

Yields are compared as percent of what went in, both sides brought to the standard moisture
of their kind where it was measured: 139 kg of wet starch are not 139 kg of dry starch.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from nongso.platform.traceability.making.recipe_book import DRY, Band, Moisture
from nongso.platform.traceability.making.rules import ASK, FINE, REFUSE, Verdict

ENOUGH = 8
MOST_PAST = 40
LEAST_MARGIN = 0.05
_WHISKER = 1.5


@dataclass(frozen=True)
class Weighed:
    """So much of a kind: its weight, its moisture if measured, and what its kind can hold."""

    grams: int
    moisture_permille: int | None
    kind: Moisture | None

    @property
    def most_dry_grams(self) -> float:
        """The most dry matter that can be in it."""
        if self.moisture_permille is not None:
            return self.grams * (1000 - self.moisture_permille) / 1000
        least = self.kind.least_permille if self.kind is not None else 0
        return self.grams * (1000 - least) / 1000

    @property
    def least_dry_grams(self) -> float:
        """The least dry matter that can be in it."""
        if self.moisture_permille is not None:
            return self.most_dry_grams
        most = self.kind.most_permille if self.kind is not None else 0
        return self.grams * (1000 - most) / 1000

    @property
    def standard_grams(self) -> float:
        """Its weight at the standard moisture of its kind, where that is known and measured."""
        if self.kind is None or self.kind.standard_permille is None:
            return self.grams
        if self.moisture_permille is None:
            return self.grams
        return self.grams * (1000 - self.moisture_permille) / (1000 - self.kind.standard_permille)


def physics(basis: str, taken: Sequence[Weighed], made: Weighed) -> Verdict:
    """Refuse what cannot be: more out than in, on the basis of the step."""
    in_grams = sum(one.grams for one in taken)
    if made.grams <= 0 or (basis != DRY and made.grams > in_grams):
        return Verdict(REFUSE, "more_out_than_in", {"in": in_grams, "out": made.grams})
    if basis != DRY:
        return FINE
    has, gives = sum(one.most_dry_grams for one in taken), made.least_dry_grams
    if gives > has:
        values = {"in": in_grams, "out": made.grams, "in_dry": has, "out_dry": gives}
        return Verdict(REFUSE, "more_dry_out_than_in", values)
    return FINE


def percent(taken: Sequence[Weighed], made: Weighed) -> float:
    """What came out of what went in, both at standard moisture where it is known."""
    total = sum(one.standard_grams for one in taken)
    return made.standard_grams / total * 100 if total else 0.0


@dataclass(frozen=True)
class Usual:
    """What usually comes out; ``batches`` of one's own it was learnt from, 0: from the recipe."""

    low_percent: float
    high_percent: float
    batches: int


def usual(recipe: Band | None, past: Sequence[float]) -> Usual | None:
    """The band that holds now; ``past`` is the newest first. ``None``: nobody knows yet."""
    seen = sorted(past[:MOST_PAST])
    if len(seen) < ENOUGH:
        if recipe is None:
            return None
        return Usual(recipe.low_percent, recipe.high_percent, 0)
    first, median, third = statistics.quantiles(seen, n=4, method="inclusive")
    least = median * LEAST_MARGIN
    low = min(first - _WHISKER * (third - first), median - least)
    high = max(third + _WHISKER * (third - first), median + least)
    return Usual(max(low, 0.0), high, len(seen))


def judge(got_percent: float, band: Usual | None) -> Verdict:
    """Ask for a reason where a batch is out of the band."""
    if band is None or band.low_percent <= got_percent <= band.high_percent:
        return FINE
    values = {"got": got_percent, "low": band.low_percent, "high": band.high_percent}
    return Verdict(ASK, "unusual_yield", values)
