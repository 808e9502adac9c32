"""``nongso import remove``: takes a greenhouse that was only imported out again, and counts.

Only what a file has brought can go: a greenhouse with a gateway, zones, nodes, runs, lots or
anything that a person has recorded about it stays. The greenhouse goes first, so that no page
shows it half, then its readings; broken off in between, the same command goes on.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from nongso.platform import migrations
from nongso.platform.events import EventSubject
from nongso.platform.greenhouse.records import Greenhouse, Node, Run, Zone
from nongso.platform.settings import Settings
from nongso.platform.store import Records
from nongso.platform.telemetry import address, forgetting
from nongso.platform.telemetry.forgetting import Forgotten
from nongso.platform.traceability.records import Lot, Place


class NotRemovable(Exception):
    """A greenhouse stays; the text says why."""


@dataclass(frozen=True)
class Removed:
    """What was removed. ``greenhouse`` is false when only the rest of an earlier removal was."""

    greenhouse: bool
    readings: Forgotten


def look(settings: Settings, slug: str) -> Removed:
    """Say what ``remove`` would remove. Raises ``NotRemovable``, ``TelemetryError``."""
    file = _readings_file(settings)
    with migrations.current(settings) as records, records.session() as session:
        there = _check(session, slug)
        found = forgetting.count(file, slug)
        if not there and not found.series:
            raise _unknown(session, slug)
    return Removed(there, found)


def remove(settings: Settings, slug: str) -> Removed:
    """Remove it. Raises ``NotRemovable``, ``TelemetryError``, ``SchemaError``."""
    look(settings, slug)
    with migrations.current(settings) as records:
        there = _remove_greenhouse(records, slug)
    return Removed(there, forgetting.forget(_readings_file(settings), slug))


def command(settings: Settings, slug: str, is_sure: bool) -> int:
    """Remove it, or say what would go; return the exit status."""
    if not is_sure:
        found = look(settings, slug)
        print(
            f"Greenhouse {slug}: {_words(found)} would be removed for good. "
            "If that is meant, say it again with --yes.",
            file=sys.stderr,
        )
        return 1
    print(f"Greenhouse {slug}: {_words(remove(settings, slug))} removed.")
    return 0


def _words(found: Removed) -> str:
    counted = found.readings
    house = "the greenhouse" if found.greenhouse else "the rest"
    return (
        f"{house}, {counted.series} series, {counted.readings} readings and "
        f"{counted.conflicts} conflicting values"
    )


def _readings_file(settings: Settings) -> Path:
    store = address.read(settings.telemetry)
    if store.kind != address.SQLITE:
        raise NotRemovable(
            f"The readings are kept in {store.kind}, which this command does not reach into. "
            "Remove them there."
        )
    return settings.folder / store.file


def _remove_greenhouse(records: Records, slug: str) -> bool:
    with records.transaction() as session:
        there = _check(session, slug)
        if there:
            session.delete(session.get_one(Greenhouse, slug))
    return there


def _check(session: Session, slug: str) -> bool:
    """Raise ``NotRemovable`` unless it may go; return whether it is there."""
    house = session.get(Greenhouse, slug)
    if house is None:
        return False
    if not house.imported or house.gateway is not None:
        raise NotRemovable(
            f"Greenhouse {slug} was not imported: it is a gateway's. Only greenhouses that were "
            f"made by 'nongso import readings' can be removed; there are: {_imported(session)}."
        )
    zones = select(Zone.id).where(Zone.greenhouse == slug)
    lots = select(Lot.code).join(Place, Lot.place_id == Place.id).where(Place.greenhouse == slug)
    for what, wanted in (
        ("zones", zones),
        ("nodes", select(Node.eui64).where(Node.greenhouse == slug)),
        ("runs", select(Run.id).where(Run.zone.in_(zones))),
        ("lots", lots),
        ("places of lots", select(Place.id).where(Place.greenhouse == slug)),
        (
            "records of people",
            select(EventSubject.number).where(EventSubject.subject == f"greenhouse:{slug}"),
        ),
    ):
        number = session.scalar(select(func.count()).select_from(wanted.subquery()))
        if number:
            raise NotRemovable(f"Greenhouse {slug} has {number} {what}; it stays.")
    return True


def _unknown(session: Session, slug: str) -> NotRemovable:
    return NotRemovable(
        f"There is no greenhouse {slug!r}. Imported ones are: {_imported(session)}."
    )


def _imported(session: Session) -> str:
    found = session.scalars(
        select(Greenhouse.slug)
        .where(Greenhouse.imported, Greenhouse.gateway.is_(None))
        .order_by(Greenhouse.slug)
    )
    return ", ".join(found) or "none"
