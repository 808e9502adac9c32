"""What a season gave and took, and what it was before the farm measured anything.

The season is the time since the last planting. Water is what the meter counted plus what the
diary says was given by hand; runs whose litres nobody metered are counted and named, not guessed.
The "before" is stated once at set-up (water, work, cost, yield) and kept as an event: without it
no gain can ever be shown, and a later statement does not erase the first one.
"""

import datetime
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform import events
from nongso.platform.diary.entries import BOOK, Entry, naming_book, planting, subject_of
from nongso.platform.diary.watering import Watered
from nongso.platform.events import Event, EventSubject

BEFORE = "before_measuring"
WEEK = 7


@dataclass(frozen=True)
class Before:
    """How it was without the system, as somebody states it. Each may be unknown (``None``).

    Litres and minutes of work in a usual week, đồng and kg per m² in a usual season.
    """

    litres_week: float | None = None
    minutes_week: int | None = None
    cost_season: int | None = None
    yield_kg_m2: float | None = None
    note: str = ""

    def body(self) -> dict[str, Any]:
        """Return what the event holds."""
        return asdict(self)


@dataclass(frozen=True)
class Season:
    """Sums since the planting. ``days`` counts from the planting day to today, both included."""

    crop: str
    planted: datetime.date
    days: int
    harvested_kg: float
    yield_kg_m2: float | None
    minutes: int
    cost: int
    metered_litres: float
    hand_litres: float
    unmetered_runs: int

    @property
    def litres(self) -> float:
        """Water that is known to have been given."""
        return self.metered_litres + self.hand_litres

    @property
    def litres_week(self) -> float:
        """Water of a mean week."""
        return self.litres * WEEK / self.days

    @property
    def minutes_week(self) -> float:
        """Work of a mean week."""
        return self.minutes * WEEK / self.days

    @property
    def litres_per_kg(self) -> float | None:
        """Water for a kilogram harvested."""
        return self.litres / self.harvested_kg if self.harvested_kg else None


def season(
    area_m2: float | None,
    entries: Sequence[Entry],
    watered: Sequence[Watered],
    today: datetime.date,
) -> Season | None:
    """Sum up the season that is going on; ``None`` where nothing is planted.

    ``watered`` is what the gateway watered since the planting.
    """
    planted = planting(entries)
    if planted is None:
        return None
    begun = datetime.date.fromisoformat(planted.day)
    own = [one for one in entries if planted.day <= one.day <= today.isoformat()]
    kg = sum(one.kilograms or 0 for one in own if one.kind == "harvested")
    return Season(
        crop=planted.crop,
        planted=begun,
        days=max(1, (today - begun).days + 1),
        harvested_kg=kg,
        yield_kg_m2=kg / area_m2 if area_m2 and kg else None,
        minutes=sum(one.minutes or 0 for one in own),
        cost=sum(one.cost or 0 for one in own),
        metered_litres=sum(one.litres or 0 for one in watered),
        hand_litres=sum(one.amount or 0 for one in own if one.kind == "watered"),
        unmetered_runs=sum(one.unmetered for one in watered),
    )


def state_before(
    session: Session,
    id_: str,
    book: str,
    cooperative: str,
    actor: str,
    before: Before,
    at: int,
) -> None:
    """Keep how it was before. Raises ``EventConflict``. Inside the caller's transaction."""
    events.append(
        session,
        id=id_,
        type=BEFORE,
        at=at,
        actor=actor,
        cooperative=cooperative,
        body=naming_book(session, id_, book, before.body()),
        subjects=[subject_of(book)],
        told_at=False,
    )


def before_of(session: Session, book: str) -> Before | None:
    """Return what was stated last."""
    wanted = (
        select(Event.body)
        .join(EventSubject, EventSubject.number == Event.number)
        .where(EventSubject.subject == subject_of(book), Event.type == BEFORE)
        .order_by(Event.number.desc())
        .limit(1)
    )
    body = session.scalar(wanted)
    if body is None:
        return None
    return Before(**{name: value for name, value in body.items() if name != BOOK})
