"""The demonstration's diaries: a season in each greenhouse, and how it was before.

Everything goes through the same functions as a grower's own lines. Days are counted from the
first laying down; laying down twice changes nothing. Nobody is invented: the lines are written
by the trial's own account of a grower.
"""

import datetime
import time
import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.diary import entries, season
from nongso.platform.diary.entries import Entry
from nongso.platform.events import Event
from nongso.platform.greenhouse.records import Greenhouse, Zone
from nongso.platform.languages import day_of
from nongso.platform.people import Person
from nongso.platform.settings import Settings
from nongso.platform.store import Records

BookLine = tuple[int, str, dict[str, Any]]

MARK = "Số liệu dùng thử"

# Days ago, kind, and what the line says: leafy greens of four weeks, tomatoes of six.
GREENS: Sequence[BookLine] = (
    (28, "planted", {"crop": "Rau cải", "minutes": 240, "cost": 650_000}),
    (19, "pruned", {"minutes": 90, "task": "rau-an-la/thin"}),
    (18, "fertilised", {"product": "Phân trùn quế", "amount": 20.0, "unit": "kg", "minutes": 45}),
    (15, "note", {"note": "Không thấy sâu.", "task": "rau-an-la/look"}),
    (8, "fertilised", {"product": "Phân trùn quế", "amount": 15.0, "unit": "kg", "minutes": 40}),
    (2, "note", {"note": "Rau đều, lá xanh.", "task": "rau-an-la/look"}),
)
TOMATOES: Sequence[BookLine] = (
    (42, "planted", {"crop": "Cà chua", "minutes": 300, "cost": 1_900_000}),
    (26, "pruned", {"minutes": 120, "task": "ca-chua/stake"}),
    (20, "fertilised", {"product": "Phân NPK", "amount": 6.0, "unit": "kg", "cost": 150_000}),
    (16, "pruned", {"minutes": 60, "task": "ca-chua/side-shoots"}),
    (
        12,
        "sprayed",
        {
            "product": "Chế phẩm nấm xanh",
            "ingredient": "Metarhizium",
            "amount": 200.0,
            "unit": "g",
            "interval_days": 3,
            "minutes": 30,
        },
    ),
    (9, "pruned", {"minutes": 60, "task": "ca-chua/side-shoots"}),
    (1, "watered", {"amount": 120.0, "unit": "l", "minutes": 20}),
)
BOOKS = {"tan-binh-1": GREENS, "hung-binh-1": TOMATOES}
BEFORE = season.Before(
    litres_week=5200.0, minutes_week=840, cost_season=3_500_000, yield_kg_m2=2.1, note=MARK
)


def lay_down(settings: Settings, grower: str, now: int | None = None) -> int:
    """Write the diaries of a trial grower (log-in name); return how many lines are new."""
    at = int(time.time()) if now is None else now
    records = Records.of(settings)
    try:
        with records.transaction() as session:
            person = session.scalar(select(Person).where(Person.user == grower))
            if person is None:
                return 0
            return sum(_book(session, slug, lines, person, at) for slug, lines in BOOKS.items())
    finally:
        records.close()


def _book(session: Session, slug: str, lines: Sequence[BookLine], person: Person, at: int) -> int:
    house = session.get(Greenhouse, slug)
    if house is None or house.cooperative != person.cooperative:
        return 0
    if session.scalar(select(Event.id).where(Event.id == _fixed(slug, "before"))) is not None:
        return 0
    season.state_before(
        session, _fixed(slug, "before"), slug, house.cooperative, person.id, BEFORE, at
    )
    today = day_of(at)
    told = session.scalars(select(Zone).where(Zone.greenhouse == slug).order_by(Zone.id))
    planted = next((zone.balance["planted"] for zone in told if zone.balance), None)
    for days, kind, more in lines:
        day = (today - datetime.timedelta(days=days)).isoformat()
        if kind == "planted" and planted is not None:
            day = planted  # what the zone reckons its water by
        id_ = _fixed(slug, f"{days}-{kind}")
        entries.write(
            session, id_, slug, house.cooperative, person.id, Entry(kind, day, **more), at
        )
    return len(lines)


def _fixed(slug: str, name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"nongso/demo/diary/{slug}/{name}"))
