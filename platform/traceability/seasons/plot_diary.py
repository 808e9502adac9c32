"""The diaries of hill plots: which there are, what the books know of a plot, where they are read.

A plot's diary has the pages of a greenhouse's (``nongso.platform.diary``). What was weighed in
from a plot names it (``plots.place_of``), so that the diary shows each weigh-in, a spraying
holds back what was lifted too early, and the season's record is read from both.
"""

import time

from flask import Blueprint, Flask, Response, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.accounts import allow, scoped
from nongso.platform.diary import books
from nongso.platform.diary.books import Book
from nongso.platform.diary.together import Lots, Weighed
from nongso.platform.languages import day_of
from nongso.platform.store import records
from nongso.platform.traceability.desk import page
from nongso.platform.traceability.registry.plots import BOOK, Plot, title, weighed

blueprint = Blueprint("plot_books", __name__, url_prefix="/plots")

READERS = ("farmer", "clerk", "helper", "officer", "admin")


@blueprint.get("")
@allow(*READERS)
def plots() -> str | Response | tuple[str, int]:
    """The plots that are worked today, to choose whose diary is written."""
    today = day_of(time.time())
    found = records().scalars(scoped(select(Plot), Plot.cooperative)).all()
    worked = [one for one in found if one.is_worked(today)]
    return page("plot_diaries.html", plots=sorted(worked, key=lambda one: one.code))


def _book(key: str) -> Book | None:
    plot = records().get(Plot, key)
    if plot is None:
        return None
    return Book(
        key=BOOK + plot.id,
        slug=plot.id,
        name=title(plot),
        cooperative=plot.cooperative,
        area_m2=plot.area_m2,
        home=url_for("plot_books.plots"),
        home_name=plot.producer.name,
        papers=tuple(
            url_for(f"season.plot_{ending}", key=plot.id) for ending in ("paper", "workbook")
        ),
    )


def lots_of(session: Session, plot: str) -> Lots:
    """What the books say of a plot."""
    return Lots(
        weighed=tuple(
            Weighed(lot.code, "", day_of(at), (lot.made_grams or 0) / 1000)
            for lot, at in weighed(session, plot)
        )
    )


def prepare(app: Flask) -> None:
    """Give plots the pages of a diary."""
    app.extensions.setdefault(books.FINDERS, {})[books.PLOTS] = _book
