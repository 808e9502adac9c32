"""Between the diary and the cooperative's books: what one knows and the other need not type.

The diary is told which plantings and harvests of a greenhouse stand in the books. The clerk is
told which harvests of the diary no scale has seen, and which plantings are not in the books.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.diary import entries as diary
from nongso.platform.diary import together
from nongso.platform.diary.together import Lots, Planted, Weighed
from nongso.platform.greenhouse import journal
from nongso.platform.greenhouse.records import Greenhouse
from nongso.platform.languages import day_of
from nongso.platform.traceability.records import CROP, PLANTING, Flow, Lot, Place

RECENT_DAYS = 14  # older harvests of the diary are no longer proposed for weighing


@dataclass(frozen=True)
class ToWeigh:
    """A harvest that the diary has and no scale has seen."""

    planting: Lot
    day: datetime.date
    grams: int


@dataclass(frozen=True)
class ToPlant:
    """A planting that the diary has and the books have not."""

    house: Greenhouse
    crop: str
    day: datetime.date


def lots_of(session: Session, greenhouse: str) -> Lots:
    """What the books say of a greenhouse."""
    return _lots(session, plantings(session, greenhouse))


def _lots(session: Session, standing: Sequence[Lot]) -> Lots:
    found = session.execute(
        select(Lot, Flow.source)
        .join(Flow, Flow.target == Lot.code)
        .where(Flow.source.in_([one.code for one in standing]))
        .where(Lot.kind == CROP, Lot.withdrawn_at.is_(None), Lot.regrouped.is_(False))
        .order_by(Lot.at, Lot.born_number)
    ).all()
    return Lots(
        planted=tuple(Planted(one.code, one.name, day_of(one.at)) for one in standing),
        weighed=tuple(
            Weighed(lot.code, source, day_of(lot.at), (lot.made_grams or 0) / 1000)
            for lot, source in found
        ),
    )


def to_weigh(session: Session, cooperative: str, today: datetime.date) -> list[ToWeigh]:
    """Harvests that the diaries of a cooperative have and no scale has seen, newest first."""
    found = []
    for house in journal.greenhouses(session, cooperative):
        booked = plantings(session, house.slug)
        standing = diary.standing(diary.lines(session, house.slug))
        for one in together.unweighed(standing, _lots(session, booked)):
            day = datetime.date.fromisoformat(one.day)
            there = [lot for lot in booked if day_of(lot.at) <= day]
            if there and (today - day).days <= RECENT_DAYS and one.kilograms:
                found.append(ToWeigh(there[-1], day, round(one.kilograms * 1000)))
    return sorted(found, key=lambda one: one.day, reverse=True)


def to_plant(session: Session, cooperative: str) -> list[ToPlant]:
    """The last plantings that the diaries have and the books have not."""
    found = []
    for house in journal.greenhouses(session, cooperative):
        standing = diary.standing(diary.lines(session, house.slug))
        last = together.unbooked(standing, lots_of(session, house.slug))
        if last is not None:
            found.append(ToPlant(house, last.crop, datetime.date.fromisoformat(last.day)))
    return found


def plantings(session: Session, greenhouse: str) -> list[Lot]:
    """The plantings of a greenhouse whose record stands, oldest first."""
    return list(
        session.scalars(
            select(Lot)
            .join(Place, Place.id == Lot.place_id)
            .where(Place.greenhouse == greenhouse, Lot.kind == PLANTING)
            .where(Lot.withdrawn_at.is_(None))
            .order_by(Lot.at, Lot.born_number)
        )
    )
