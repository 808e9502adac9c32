"""The one window from traceability into the greenhouse's journal: reading only.

A record of growing is asked for once, at harvest, and sealed into the harvest's event; the
consumer page reads the event, never the journal, so that later readings change nothing.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from nongso.platform.greenhouse import journal
from nongso.platform.greenhouse.records import Greenhouse
from nongso.platform.telemetry import Telemetry
from nongso.platform.traceability.operations import Harvest, moment
from nongso.platform.traceability.records import Lot


def greenhouses(session: Session, cooperative: str) -> Sequence[Greenhouse]:
    """The cooperative's greenhouses, by name."""
    return journal.greenhouses(session, cooperative)


def measured(
    session: Session, telemetry: Telemetry, wish: Harvest, now: int
) -> dict[str, Any] | None:
    """What the sensors measured from the planting to this harvest; ``None`` if nothing.

    Asked before the harvest's transaction, so that no other writer waits for the summing up.
    """
    planting = session.get(Lot, wish.planting)
    if planting is None or planting.place is None or planting.place.greenhouse is None:
        return None
    until = moment(wish.day, now)
    found = journal.growing_record(
        session, telemetry, planting.place.greenhouse, planting.at, until
    )
    return None if found is None else dict(found)
