"""That the records were put back from a backup: noted in the stream, for all to see.

What happened between the backup and the loss is in no record. The event says since when the
records are these; who gives numbers that stand on paper asks ``last`` and goes on behind whatever
may have been given meanwhile.
"""

import time
import uuid
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform import events, migrations, records_address
from nongso.platform.events import Event
from nongso.platform.people import Cooperative
from nongso.platform.settings import Settings

RESTORED = "records.restored"


def note(settings: Settings, made_at: int) -> None:
    """Bring a backup's records to this version, and note in them that they were put back.

    Raises ``SchemaError``.
    """
    in_file = replace(settings, records=records_address.DEFAULT)
    migrations.upgrade(in_file)
    now = int(time.time())
    with migrations.current(in_file) as records, records.transaction() as session:
        for slug in session.scalars(select(Cooperative.slug)).all():
            events.append(
                session,
                id=str(uuid.uuid4()),
                type=RESTORED,
                at=now,
                actor="operator",
                cooperative=slug,
                body={"backup_made_at": made_at},
                subjects=[f"cooperative:{slug}"],
            )


def last(session: Session, cooperative: str) -> Event | None:
    """Return when a cooperative's records were put back last, if they ever were."""
    wanted = select(Event).where(Event.cooperative == cooperative, Event.type == RESTORED)
    return session.scalar(wanted.order_by(Event.number.desc()).limit(1))
