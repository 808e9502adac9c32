"""Which sprayings hold a crop back, and until when: the pre-harvest interval (cách ly).

The diary says what was sprayed and how many days its label asks for between spraying and harvest.
A planting is held back until those days are over. A harvest that was gathered within them stays
held back: waiting in the store does not make up for days on the plant. So does whatever was made
of it, through any number of steps.

How the days count. They are whole days after the spraying: sprayed on the 14th with ten days,
the 24th is the last day that is held back. Only sprayings from the planting day on count. On the
harvest's own day the order of the records decides: sprayed and then harvested binds, harvested
in the morning and sprayed afterwards does not.

What was lifted from a hill plot is held back by the plot's diary in the same way: sprayings since
the last planting that the diary tells of count.
"""

import datetime
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from nongso.platform.diary import entries as diary
from nongso.platform.diary.entries import Line
from nongso.platform.events import Event
from nongso.platform.languages import day_of
from nongso.platform.traceability.errors import HeldBack
from nongso.platform.traceability.records import PLANTING, Lot
from nongso.platform.traceability.registry.plots import BOOK, begun_on, plot_at
from nongso.platform.traceability.tracing.trace import Tree, trace


@dataclass(frozen=True)
class Binding:
    """A spraying that holds a lot back. ``until`` is the last day of its interval.

    ``planting`` is the planting's lot, or ``plot:<id>``; ``harvested`` is the day on which the lot
    was gathered too early, ``None`` of what still grows.
    """

    planting: str
    product: str
    ingredient: str
    sprayed: datetime.date
    until: datetime.date
    harvested: datetime.date | None = None


def withholding(
    session: Session, code: str, day: datetime.date, tree: Tree | None = None
) -> list[Binding]:
    """Return what holds a lot back on that day, the longest first; empty when nothing does.

    ``code`` is a planting that is to be harvested that day, or anything made of plantings; who has
    walked back from it already gives the ``tree``.
    """
    lot = session.get(Lot, code)
    if lot is None:
        return []
    found: list[Binding] = []
    lines_of = functools.cache(functools.partial(diary.lines, session))  # of each house, once
    if lot.kind == PLANTING:
        found = _of_planting(lines_of, lot, day, None)
    else:
        tree = tree or trace(session, lot, "back")
        behind = {one.lot.code: one.lot for one in tree.lots}
        for flow in tree.flows:
            planting, gathered = behind.get(flow.source), behind.get(flow.target)
            if planting is not None and gathered is not None and planting.kind == PLANTING:
                found += _of_planting(lines_of, planting, day_of(gathered.at), gathered)
        for one in behind.values():
            plot = plot_at(one.place_id)
            if plot is not None and not one.regrouped:
                lifted = day_of(session.get_one(Event, one.born_number).at)
                found += _of_plot(lines_of, plot, lifted, one)
    return sorted(set(found), key=lambda one: (one.until, one.sprayed, one.product), reverse=True)


def of_plot(session: Session, plot: str, lifted: datetime.date) -> list[Binding]:
    """Return what holds back what is lifted from a plot on that day, the longest first."""
    found = _of_plot(functools.partial(diary.lines, session), plot, lifted, None)
    return sorted(found, key=lambda one: (one.until, one.sprayed, one.product), reverse=True)


def refuse_plot(session: Session, plot: str, lifted: datetime.date) -> None:
    """Raise ``HeldBack`` for the first that binds what is lifted from a plot on that day."""
    for one in of_plot(session, plot, lifted):
        raise HeldBack("", "weigh", one.product, one.sprayed, one.until, lifted)


def refuse_held_back(session: Session, code: str, day: datetime.date, deed: str) -> None:
    """Raise ``HeldBack`` for the first that binds. ``deed`` is ``harvest`` or ``pack``."""
    found = held_back(session, code, day, deed)
    if found is not None:
        raise found


def held_back(session: Session, code: str, day: datetime.date, deed: str) -> HeldBack | None:
    """Return the refusal of the first that binds; ``None`` when nothing does."""
    for one in withholding(session, code, day):
        return HeldBack(code, deed, one.product, one.sprayed, one.until, one.harvested)
    return None


def _of_planting(
    lines_of: Callable[[str], list[Line]],
    planting: Lot,
    day: datetime.date,
    gathered: Lot | None,
) -> list[Binding]:
    house = planting.place.greenhouse if planting.place is not None else None
    if house is None:
        return []
    return _binding(lines_of(house), planting.code, day_of(planting.at), day, gathered)


def _of_plot(
    lines_of: Callable[[str], list[Line]], plot: str, lifted: datetime.date, gathered: Lot | None
) -> list[Binding]:
    key = BOOK + plot
    lines = lines_of(key)
    planted = begun_on(lines, lifted)
    return _binding(lines, key, planted, lifted, gathered)


def _binding(
    lines: Sequence[Line],
    grew_in: str,
    planted: datetime.date,
    day: datetime.date,
    gathered: Lot | None,
) -> list[Binding]:
    found = []
    for line in lines:
        entry = line.entry
        if line.withdrawn or entry.kind != "sprayed" or not entry.interval_days:
            continue
        sprayed = datetime.date.fromisoformat(entry.day)
        until = sprayed + datetime.timedelta(days=entry.interval_days)
        if not planted <= sprayed <= day <= until:
            continue
        if gathered is not None and sprayed == day and line.number > gathered.born_number:
            continue
        harvested = day if gathered is not None else None
        found.append(Binding(grew_in, entry.product, entry.ingredient, sprayed, until, harvested))
    return found
