"""Of what a diary is kept: a greenhouse, or a plot of land on the hill.

The diary itself knows greenhouses. What else has a diary is told by whoever knows it: ``FINDERS``
among the application's extensions holds, by the name of the blueprint, a function of the key that
stands in the address.
"""

from collections.abc import Callable
from dataclasses import dataclass

from nongso.platform.greenhouse.records import Greenhouse

FINDERS = "nongso.diary.books"
PLOTS = "plot_diary"  # the blueprint of plots; what stands in the address is the plot's id


@dataclass(frozen=True)
class Book:
    """One diary. ``slug`` stands in its address, ``key`` is what the events go by.

    ``home`` is the page to which one goes back, ``home_name`` what it is called; ``papers`` are
    addresses of the season's record to print, and as a workbook.
    """

    key: str
    slug: str
    name: str
    cooperative: str
    area_m2: float | None
    home: str = ""
    home_name: str = ""
    papers: tuple[str, ...] = ()


Finder = Callable[[str], Book | None]


def of_greenhouse(house: Greenhouse, home: str = "") -> Book:
    """The diary of a greenhouse."""
    return Book(
        house.slug, house.slug, house.name, house.cooperative, house.area_m2, home, house.name
    )
