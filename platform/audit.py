"""The audit: who did what to accounts, water and data, when, and by which way.

Rows are only ever appended; triggers in the database refuse everything else. A row names people
by their ids, never by names, numbers or what they typed, so that the name of a person who has
left is gone from it while the deed stays. Of addresses the network is kept, not the machine.
What is written about a thing that happened is written in the same transaction as the thing.
"""

import ipaddress
import time
from collections.abc import Sequence
from typing import Any

from flask import has_request_context, request
from sqlalchemy import JSON, Index, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from nongso.platform.store import Base

# Everything that is written down. The pages have a sentence for each.
DEEDS = (
    "log_in",
    "log_in_failed",
    "log_in_held",
    "second_failed",
    "log_out",
    "log_in_ended",
    "password_changed",
    "pin_set",
    "pin_removed",
    "pin_failed",
    "second_set",
    "second_removed",
    "recovery_used",
    "recovery_renewed",
    "person_added",
    "person_disabled",
    "person_enabled",
    "role_changed",
    "code_made",
    "code_failed",
    "enrolled",
    "help_offered",
    "help_begun",
    "help_failed",
    "help_ended",
    "help_act",
    "token_made",
    "token_ended",
    "water",
    "hand",
    "stop",
    "mode",
    "wet_test",
    "wet_test_seen",
    "enrol",
    "calibrate",
    "remove",
    "scratch_sheet",
    "exported",
    "deleted",
)


class Deed(Base):
    """One line of the audit. ``subject`` is whom or what it was done to."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_cooperative_number", "cooperative", "number"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[int]
    what: Mapped[str]
    person: Mapped[str | None] = mapped_column(index=True)
    helper: Mapped[str | None]
    cooperative: Mapped[str | None]
    subject: Mapped[str | None] = mapped_column(index=True)
    via: Mapped[str]  # cookie, token, key, command
    network: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(JSON)


def note(
    session: Session,
    what: str,
    *,
    person: str | None,
    cooperative: str | None,
    subject: str | None = None,
    via: str = "cookie",
    helper: str | None = None,
    **details: Any,
) -> None:
    """Append a line, inside the caller's ``transaction()``."""
    if what not in DEEDS:
        raise ValueError(f"no sentence for {what!r}")
    session.add(
        Deed(
            at=int(time.time()),
            what=what,
            person=person,
            helper=helper or None,
            cooperative=cooperative,
            subject=subject,
            via=via if has_request_context() else "command",
            network=near(request.remote_addr or "") if has_request_context() else "",
            details=details,
        )
    )


def near(address: str) -> str:
    """Return the network of an address: /24 of IPv4, /48 of IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 48), strict=False))


def read(
    session: Session,
    *,
    cooperative: str | None = None,
    everything: bool = False,
    what: Sequence[str] = (),
    person: str | None = None,
    since: int = 0,
    until: int | None = None,
    before: int | None = None,
    limit: int = 100,
) -> Sequence[Deed]:
    """Return lines, newest first; of one cooperative unless ``everything`` is asked for."""
    wanted = select(Deed).order_by(Deed.number.desc()).limit(limit)
    if not everything or cooperative is not None:
        wanted = wanted.where(Deed.cooperative == cooperative)
    if what:
        wanted = wanted.where(Deed.what.in_(what))
    if person is not None:
        wanted = wanted.where(
            (Deed.person == person) | (Deed.helper == person) | (Deed.subject == person)
        )
    if since:
        wanted = wanted.where(Deed.at >= since)
    if until is not None:
        wanted = wanted.where(Deed.at < until)
    if before is not None:
        wanted = wanted.where(Deed.number < before)
    return session.scalars(wanted).all()
