"""The one window from traceability into the greenhouse's journal: reading only.

A record of growing is asked for once, at harvest, and sealed into the harvest's event; the
consumer page reads the event, so that later readings change nothing. What arrives later (a
gateway was without network) is only counted, and the page says that it is there.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from nongso.platform.diary import procedures
from nongso.platform.diary.watering import midnight
from nongso.platform.greenhouse import journal
from nongso.platform.greenhouse.records import Greenhouse
from nongso.platform.languages import day_of
from nongso.platform.telemetry import Telemetry
from nongso.platform.traceability.making.operations import Harvest
from nongso.platform.traceability.records import Lot


def greenhouses(session: Session, cooperative: str) -> Sequence[Greenhouse]:
    """The cooperative's greenhouses, by name."""
    return journal.greenhouses(session, cooperative)


def shared_stations(session: Session, cooperative: str) -> dict[str, str]:
    """Stations that stand in no greenhouse: their names by EUI-64."""
    return {one.eui64: one.slug for one in journal.shared_stations(session, cooperative)}


def is_simulated(session: Session, cooperative: str) -> bool:
    """Say whether a computer plays the cooperative's greenhouses: what it records is practice."""
    return journal.is_simulated(session, cooperative)


def measured(
    session: Session, telemetry: Telemetry, wish: Harvest, now: int, own: Path = procedures.OURS
) -> dict[str, Any] | None:
    """What the sensors measured from the planting to this harvest; ``None`` if nothing.

    Whole days of the farm: nobody writes down the hour, so the day of planting counts from its
    first hour and the day of harvest to its last, or until now. ``own`` is the folder of the
    cooperative's own procedures, which say what the crop likes.
    Asked before the harvest's transaction, so that no other writer waits for the summing up.
    """
    planting = session.get(Lot, wish.planting)
    if planting is None or planting.place is None or planting.place.greenhouse is None:
        return None
    since = midnight(day_of(planting.at))
    until = min(now, midnight(wish.day + datetime.timedelta(days=1)))
    procedure = procedures.for_crop(procedures.load(own), planting.name)
    bands = procedure.bands if procedure is not None else {}
    house = planting.place.greenhouse
    found = journal.growing_record(session, telemetry, house, since, until, bands)
    return None if found is None else dict(found)


def measured_at(
    telemetry: Telemetry, node: str, since: int, until: int, bands: journal.Bands | None = None
) -> dict[str, Any] | None:
    """What the station of a drying yard or a store measured while a lot lay there."""
    found = journal.station_record(telemetry, node, since, until, bands)
    return None if found is None else dict(found)


@dataclass(frozen=True)
class Late:
    """What came in after a record was sealed."""

    readings: int
    waterings: int


def late(session: Session, telemetry: Telemetry, record: dict[str, Any]) -> Late | None:
    """Say what is known by now of the time of a sealed record beyond it; ``None`` if nothing.

    ``None`` too for a record that was sealed before readings were counted for this.
    """
    if "counted" not in record or "greenhouse" not in record:
        return None
    house, since, until = record["greenhouse"], record["since"], record["until"]
    readings, waterings = journal.known_now(session, telemetry, house, since, until)
    found = Late(max(0, readings - record["counted"]), max(0, waterings - record["waterings"]))
    return found if found.readings or found.waterings else None
