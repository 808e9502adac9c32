"""What is kept of alerts: standings, alerts with their events, messages, ways, people's wishes.

``AlertEvent`` is append-only (SQL triggers refuse change and deletion): raised, said, sent or
not, acknowledged, escalated, cleared. ``Notice`` is the outbox: a message is written in the same
transaction as the decision that it be sent, before anybody tries to send it.
"""

import json
import uuid
from dataclasses import asdict
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index
from sqlalchemy.orm import Mapped, Session, mapped_column

from nongso.platform.alerts.deciding import Part, Standing, Told
from nongso.platform.people import Cooperative
from nongso.platform.store import Base


class AlertStanding(Base):
    """What ``deciding`` remembers of a cause, while it is not simply quiet."""

    __tablename__ = "alert_standing"

    cause: Mapped[str] = mapped_column(primary_key=True)
    standing: Mapped[str]  # JSON of a ``Standing``
    alert: Mapped[str | None] = mapped_column(index=True)


class Alert(Base):
    """One alert from its raising to its end.

    ``values`` are the newest numbers of its sentence. Who has heard is named by ids: the person,
    and the helper who acted for that person.
    """

    __tablename__ = "alert"
    __table_args__ = (
        Index("ix_alert_cooperative_cleared_at", "cooperative", "cleared_at"),
        Index("ix_alert_raised_at", "raised_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    cause: Mapped[str]
    code: Mapped[str]
    level: Mapped[str]
    cooperative: Mapped[str] = mapped_column(ForeignKey(Cooperative.slug))
    greenhouse: Mapped[str | None] = mapped_column(index=True)
    gateway: Mapped[str | None]
    values: Mapped[dict[str, Any]] = mapped_column(JSON)
    raised_at: Mapped[int]
    cleared_at: Mapped[int | None]
    acknowledged_at: Mapped[int | None]
    acknowledged_person: Mapped[str | None]
    acknowledged_helper: Mapped[str | None]
    escalated_at: Mapped[int | None]


class AlertEvent(Base):
    """One thing that happened to an alert; never changed, and people in it are ids."""

    __tablename__ = "alert_event"
    __table_args__ = (
        Index("ix_alert_event_alert_number", "alert", "number"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    alert: Mapped[str] = mapped_column(ForeignKey("alert.id"))
    at: Mapped[int]
    what: Mapped[str]
    body: Mapped[dict[str, Any]] = mapped_column(JSON)


class Notice(Base):
    """A message to one person over one way. ``id`` is the same however often it is made."""

    __tablename__ = "alert_notice"
    __table_args__ = (
        Index("ix_alert_notice_state_next_at", "state", "next_at"),
        Index("ix_alert_notice_alert", "alert"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    alert: Mapped[str | None] = mapped_column(ForeignKey("alert.id"))  # None: a trial message
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    way: Mapped[str] = mapped_column(ForeignKey("alert_way.id", ondelete="CASCADE"))
    what: Mapped[str]
    level: Mapped[str]
    title: Mapped[str]
    text: Mapped[str]
    state: Mapped[str]  # waiting, sent, given_up, overtaken
    tries: Mapped[int]
    next_at: Mapped[int]
    made_at: Mapped[int]
    sent_at: Mapped[int | None]
    detail: Mapped[str | None]
    link: Mapped[str | None]  # the page that it leads to, where it is about no alert


class Way(Base):
    """A way to reach a person: ``kind`` is ``push``, ``mail``, ``sms``, ``zalo`` or ``apprise``.

    ``target`` is what that kind needs: an address, a telephone number, a subscription as JSON.
    ``language`` is that of its messages.
    """

    __tablename__ = "alert_way"

    id: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    target: Mapped[str]
    name: Mapped[str]
    language: Mapped[str]
    least_level: Mapped[str]  # ``warning`` or ``alarm``
    created_at: Mapped[int]
    worked_at: Mapped[int | None]
    trouble: Mapped[str | None]


class AlertPlan(Base):
    """What people have chosen for a greenhouse: crop, quiet hours, changes of rules.

    ``changes`` maps a rule's code to what was changed. A gateway has a plan, too, for what all
    its greenhouses share; ``place`` is ``greenhouse:<slug>`` or ``gateway:<slug>``.
    """

    __tablename__ = "alert_plan"

    place: Mapped[str] = mapped_column(primary_key=True)
    crop: Mapped[str]
    quiet_from: Mapped[int | None]  # minutes of the day; both None: never quiet
    quiet_until: Mapped[int | None]
    changes: Mapped[dict[str, dict[str, Any]]] = mapped_column(JSON)


class Lease(Base):
    """Who may do a piece of work that must be done once, and until when."""

    __tablename__ = "alert_lease"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    until: Mapped[int]


_FAMILY = uuid.UUID("b0d5e2a6-6a4b-5d53-9a0e-3c1f1c7d8e90")


def alert_id(cause: str, raised_at: int) -> str:
    """Return the id of an alert; the same cause raised at the same moment is the same alert."""
    return str(uuid.uuid5(_FAMILY, f"{cause}|{raised_at}"))


def notice_id(alert: str, what: str, at: int, way: str) -> str:
    """Return the id of a message: deciding the same twice makes one message."""
    return str(uuid.uuid5(_FAMILY, f"{alert}|{what}|{at}|{way}"))


def standing_to(standing: Standing) -> str:
    """Write a standing down."""
    return json.dumps(asdict(standing))


def standing_from(text: str) -> Standing:
    """Read a standing."""
    found = json.loads(text)
    first, second = Told(**found.pop("first")), Told(**found.pop("second"))
    parts = tuple(Part(**part) for part in found.pop("parts", ()))
    return Standing(**found, first=first, second=second, parts=parts)


def note(session: Session, alert: str, at: int, what: str, **body: Any) -> None:
    """Append an event of an alert, inside the caller's transaction."""
    session.add(AlertEvent(alert=alert, at=at, what=what, body=body))


def lease(session: Session, name: str, holder: str, now: int, seconds: int) -> bool:
    """Take a lease, or make it last longer; say whether it is ours. In a transaction."""
    kept = session.get(Lease, name, with_for_update=True)
    if kept is None:
        session.add(Lease(name=name, holder=holder, until=now + seconds))
        session.flush()
        return True
    if kept.holder != holder and kept.until > now and kept.until - now <= seconds:
        return False  # (one that ends later than any could was made by a clock that ran ahead)
    kept.holder, kept.until = holder, now + seconds
    session.flush()
    return True
