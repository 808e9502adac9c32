"""What people do with alerts: see them, say that they have heard, choose their ways and limits.

Verbs of the domain, for pages and API alike; who may do it is asked before, in the views.
"""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.accounts import done_for, owns, scoped
from nongso.platform.alerts import sentences
from nongso.platform.alerts.deciding import acknowledge as decided_acknowledge
from nongso.platform.alerts.records import (
    Alert,
    AlertEvent,
    AlertStanding,
    note,
    standing_from,
    standing_to,
)
from nongso.platform.alerts.rules import LEVELS
from nongso.platform.people import Person
from nongso.platform.store import records

MOST_OPEN = 200


def open_alerts(session: Session) -> list[Alert]:
    """Return the alerts that stand and that the asker may see, worst and newest first."""
    found = list(
        session.scalars(
            scoped(select(Alert), Alert.cooperative)
            .where(Alert.cleared_at.is_(None))
            .order_by(Alert.raised_at.desc())
            .limit(MOST_OPEN)
        )
    )
    found.sort(key=lambda one: (one.acknowledged_at is not None, LEVELS.index(one.level)))
    return found


def past_alerts(session: Session, limit: int, before: int | None = None) -> list[Alert]:
    """Return alerts that are over, newest first."""
    wanted = scoped(select(Alert), Alert.cooperative).where(Alert.cleared_at.is_not(None))
    if before is not None:
        wanted = wanted.where(Alert.raised_at < before)
    return list(session.scalars(wanted.order_by(Alert.raised_at.desc()).limit(limit)))


def alert_of(session: Session, number: str) -> Alert | None:
    """Return an alert that the asker may see."""
    found = session.get(Alert, number)
    return found if found is not None and owns(found.cooperative) else None


def events_of(session: Session, number: str) -> list[AlertEvent]:
    """Return what happened to an alert, in order."""
    return list(
        session.scalars(
            select(AlertEvent).where(AlertEvent.alert == number).order_by(AlertEvent.number)
        )
    )


def acknowledge(session: Session, number: str, person: str, now: int, helper: str = "") -> bool:
    """Somebody has heard: repeats stop. In the caller's transaction; twice is once.

    ``person`` and ``helper`` are ids: whose press it is, and who pressed for that person.
    Returns ``False`` when the alert is over or was heard before.
    """
    alert = session.get(Alert, number, with_for_update=True, populate_existing=True)
    if alert is None or alert.cleared_at is not None or alert.acknowledged_at is not None:
        return False
    alert.acknowledged_at = now
    alert.acknowledged_person, alert.acknowledged_helper = person, helper or None
    kept = session.scalar(select(AlertStanding).where(AlertStanding.alert == number))
    if kept is not None:
        kept.standing = standing_to(decided_acknowledge(standing_from(kept.standing), now))
    note(session, number, now, "acknowledged", by=person, helper=helper or None)
    return True


def sentence(alert: Alert, now: int) -> str:
    """Say an alert: what is wrong, or that it is over."""
    if alert.cleared_at is not None:
        return sentences.over(alert.code, alert.values, alert.raised_at, alert.cleared_at, now)
    return sentences.standing(alert.code, alert.values, now)


def what_it_was(alert: Alert, now: int) -> str:
    """Say again what was wrong, of an alert that is over."""
    values = {name: value for name, value in alert.values.items() if name != "eases"}
    return sentences.standing(alert.code, values, now)


def name_of(session: Session, person: object, helper: object = None) -> str:
    """Return the name behind an id; who has left has none any more. Empty for nobody's."""
    found = session.get(Person, person) if isinstance(person, str) else None
    name = found.name if found is not None else ""
    helped = session.get(Person, helper) if isinstance(helper, str) else None
    return done_for(helped.name, name) if helped is not None else name


def described(alert: Alert, now: int) -> dict[str, Any]:
    """Describe an alert for programs."""
    return {
        "id": alert.id,
        "code": alert.code,
        "level": alert.level,
        "greenhouse": alert.greenhouse,
        "gateway": alert.gateway,
        "state": "open" if alert.cleared_at is None else "cleared",
        "raised_at": alert.raised_at,
        "cleared_at": alert.cleared_at,
        "acknowledged_at": alert.acknowledged_at,
        "acknowledged_by": name_of(records(), alert.acknowledged_person, alert.acknowledged_helper)
        or None,
        "escalated_at": alert.escalated_at,
        "sentence": sentence(alert, now),
    }
