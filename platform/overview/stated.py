"""Figures that only people know, with their day and their source, kept as events.

How many producing households there are, how many products are sold online: the records cannot
tell. Who states one says since which day it holds and where it comes from; a newer one does not
erase the older one, so that an old report can be made again as it was.
"""

import datetime
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform import events
from nongso.platform.events import Event
from nongso.platform.overview.quarters import Quarter

STATED = "stated_figure"
NAMES = (
    "producers",
    "cooperatives",
    "products",
    "products_online",
    "greenhouses",
    "energy_before",
    "energy_now",
)


@dataclass(frozen=True)
class Stated:
    """A figure, the ISO day since which it holds, and who says so."""

    name: str
    value: float
    day: str
    source: str


def state(session: Session, id_: str, actor: str, figure: Stated, at: int) -> None:
    """Keep a figure. Raises ``EventConflict``. Inside the caller's transaction."""
    events.append(
        session,
        id=id_,
        type=STATED,
        at=at,
        actor=actor,
        cooperative=None,
        body={
            "name": figure.name,
            "value": figure.value,
            "day": figure.day,
            "source": figure.source,
        },
        subjects=["commune"],
        told_at=False,
    )


def all_stated(session: Session) -> list[Stated]:
    """Return all figures in the order in which they were stated."""
    wanted = select(Event.body).where(Event.type == STATED).order_by(Event.number)
    return [Stated(**body) for body in session.scalars(wanted)]


def in_force(found: list[Stated], name: str, quarter: Quarter) -> Stated | None:
    """Return the figure that holds at the end of a quarter; of the same day, the last stated."""
    last = quarter.next.first - datetime.timedelta(days=1)
    own = [one for one in found if one.name == name and one.day <= last.isoformat()]
    return max(enumerate(own), key=lambda pair: (pair[1].day, pair[0]), default=(0, None))[1]
