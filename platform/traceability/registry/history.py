"""What a producer or a place was called, and where it was, on a day that has passed.

The tables keep what is true today; each change that was no correction leaves the former state
behind with the first day on which it no longer held. So an old lot's page shows the name and the
commune of its own day, though the household has moved since or the commune was merged. How to
reach somebody is always today's.
"""

import datetime
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.traceability.moving.records import Holder, HolderChange
from nongso.platform.traceability.records import Place, Producer
from nongso.platform.traceability.registry.records import Past

PRODUCER, PLACE = "producer", "place"
DATED = ("kind", "name", "village", "commune", "province")
HOLDER_SAID = ("name", "address", "contact")


@dataclass(frozen=True)
class Party:
    """A producer as it was on a day; ``contact`` is today's."""

    id: str
    code: str
    kind: str
    name: str
    village: str
    commune: str
    province: str
    contact: str


def remember(
    session: Session, kept: Producer | Place, until: datetime.date, actor: str, now: int
) -> None:
    """Note the present state as one that held until that day, before it is overwritten.

    Two changes with the same day are one: the state before both stays.
    """
    what = PRODUCER if isinstance(kept, Producer) else PLACE
    key = (what, kept.id, until.isoformat())
    if session.get(Past, key) is not None:
        return
    values = {name: getattr(kept, name) for name in DATED}
    session.add(
        Past(
            what=what,
            key=kept.id,
            until=until.isoformat(),
            changed_at=now,
            changed_by=actor,
            **values,
        )
    )


def remember_holder(session: Session, kept: Holder, now: int) -> None:
    """Note what a holder is called and where it is until now, before that is overwritten."""
    if session.get(HolderChange, (kept.id, now)) is None:
        said = {name: getattr(kept, name) for name in HOLDER_SAID}
        session.add(HolderChange(holder=kept.id, until=now, **said))
    kept.changed_at = now


def past_of(session: Session, what: str, key: str) -> list[Past]:
    """The former states, the newest first."""
    wanted = select(Past).where(Past.what == what, Past.key == key).order_by(Past.until.desc())
    return list(session.scalars(wanted))


def producer_on(session: Session, producer: Producer, day: datetime.date) -> Party:
    """The producer as it was on that day."""
    found = _on(session, PRODUCER, producer.id, day)
    state = producer if found is None else found
    return Party(
        id=producer.id,
        code=producer.code,
        contact=producer.contact,
        kind=state.kind,
        name=state.name,
        village=state.village,
        commune=state.commune,
        province=state.province,
    )


def place_on(session: Session, place: Place, day: datetime.date) -> tuple[str, str, str, str]:
    """Name, village, commune and province of a place on that day."""
    found = _on(session, PLACE, place.id, day)
    state = place if found is None else found
    return state.name, state.village, state.commune, state.province


def _on(session: Session, what: str, key: str, day: datetime.date) -> Past | None:
    """The state that held on that day; ``None`` where today's did already."""
    return session.scalar(
        select(Past)
        .where(Past.what == what, Past.key == key, Past.until > day.isoformat())
        .order_by(Past.until)
        .limit(1)
    )
