"""The one window from traceability into the greenhouse's journal: reading only.

A record of growing is asked for once, at harvest, and sealed into the harvest's event; the
consumer page reads the event, never the journal, so that later readings change nothing.
"""

import datetime
from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from nongso.platform.greenhouse import journal
from nongso.platform.greenhouse.records import Greenhouse
from nongso.platform.languages import ZONE, day_of
from nongso.platform.telemetry import Telemetry
from nongso.platform.traceability.operations import Harvest
from nongso.platform.traceability.records import Lot


def greenhouses(session: Session, cooperative: str) -> Sequence[Greenhouse]:
    """The cooperative's greenhouses, by name."""
    return journal.greenhouses(session, cooperative)


def is_simulated(session: Session, cooperative: str) -> bool:
    """Say whether a computer plays the cooperative's greenhouses: what it records is practice."""
    return journal.is_simulated(session, cooperative)


def _begin(day: datetime.date) -> int:
    return int(datetime.datetime.combine(day, datetime.time(), ZONE).timestamp())


def measured(
    session: Session, telemetry: Telemetry, wish: Harvest, now: int
) -> dict[str, Any] | None:
    """What the sensors measured from the planting to this harvest; ``None`` if nothing.

    Whole days of the farm: nobody writes down the hour, so the day of planting counts from its
    first hour and the day of harvest to its last, or until now.
    Asked before the harvest's transaction, so that no other writer waits for the summing up.
    """
    planting = session.get(Lot, wish.planting)
    if planting is None or planting.place is None or planting.place.greenhouse is None:
        return None
    since = _begin(day_of(planting.at))
    until = min(now, _begin(wish.day + datetime.timedelta(days=1)))
    found = journal.growing_record(session, telemetry, planting.place.greenhouse, since, until)
    return None if found is None else dict(found)
