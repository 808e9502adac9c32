"""What a household's land can give in a season. Values in, verdict out.

The land times a plausible yield bounds what can come in from a household in one season (vùng
nguyên liệu). Above the usual yield it is asked why, above anything that is claimed it is asked
from whom it was bought; what was bought is called bought. Where no plot is written down,
nothing can be compared, and nothing is asked: the page says so.

A season is a year that begins in the month that the recipe says: dong lifted in November and in
January is one season.
"""

import datetime
from dataclasses import dataclass

from nongso.platform.traceability.making.recipe_book import ComesIn
from nongso.platform.traceability.making.rules import ASK, FINE, Verdict

M2_PER_HA = 10_000


@dataclass(frozen=True)
class Season:
    """A year of farming; ``until`` is its last day."""

    since: datetime.date
    until: datetime.date

    @property
    def year(self) -> int:
        """The year in which it began."""
        return self.since.year


def season_of(day: datetime.date, begins: int) -> Season:
    """The season that a day falls into, for one that begins in that month."""
    year = day.year if day.month >= begins else day.year - 1
    return season_from(year, begins)


def season_from(year: int, begins: int) -> Season:
    """The season that begins in that year."""
    since = datetime.date(year, begins, 1)
    following = datetime.date(year + 1, begins, 1)
    return Season(since, following - datetime.timedelta(days=1))


def bounds_grams(area_m2: int, kind: ComesIn) -> tuple[int, int] | None:
    """What that land usually gives in a season at most, and at the very most; in grams."""
    if kind.usual_kg_per_ha is None or kind.most_kg_per_ha is None:
        return None
    return (
        area_m2 * kind.usual_kg_per_ha * 1000 // M2_PER_HA,
        area_m2 * kind.most_kg_per_ha * 1000 // M2_PER_HA,
    )


def judge(
    area_m2: int | None, kind: ComesIn, before_grams: int, grams: int, explained: bool
) -> Verdict:
    """Ask about what a household's land does not usually give.

    ``before_grams`` is what it brought this season; ``explained`` says that the clerk gave a
    reason, which answers the first question and not the second.
    """
    bounds = bounds_grams(area_m2, kind) if area_m2 is not None else None
    if area_m2 is None or bounds is None:
        return FINE
    usually, most = bounds
    values = {"area": area_m2, "before": before_grams, "now": grams}
    if before_grams + grams > most:
        return Verdict(ASK, "beyond_land", {**values, "most": most})
    if before_grams + grams > usually and not explained:
        return Verdict(ASK, "above_usual", {**values, "most": usually})
    return FINE
