"""Printed codes by which people without e-mail enrol, or come in again after forgetting.

A code is made by a clerk or an administrator, printed or shown as QR with six digits beside it,
is good for some hours and works once. The QR carries 256 random bits; the six digits need the
log-in name beside them and die after a few wrong tries (the QR does not, so that guessing
digits cannot keep anybody out).
"""

import secrets
import uuid

from sqlalchemy import ForeignKey, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from nongso.platform.people import Person, hash_secret, hashed, secret_fits
from nongso.platform.store import Base

HOURS = (24, 72, 168)
MOST_WRONG_DIGITS = 5


class EntryCode(Base):
    """A code that has not been used. ``wrong`` counts wrong digits."""

    __tablename__ = "entry_code"

    id: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    secret_hash: Mapped[str] = mapped_column(unique=True)
    digits_hash: Mapped[str]
    made_at: Mapped[int]
    expires_at: Mapped[int]
    wrong: Mapped[int] = mapped_column(default=0, server_default="0")


def make(session: Session, person: Person, hours: int, now: int) -> tuple[str, str]:
    """Make a code in place of an older one; return the QR's secret and the digits, this once."""
    if hours not in HOURS:
        raise ValueError("no such number of hours")
    void(session, person.id)
    secret, digits = secrets.token_urlsafe(32), f"{secrets.randbelow(10**6):06d}"
    session.add(
        EntryCode(
            id=str(uuid.uuid4()),
            person_id=person.id,
            secret_hash=hashed(secret),
            digits_hash=hash_secret(digits),
            made_at=now,
            expires_at=now + hours * 3600,
            wrong=0,
        )
    )
    session.flush()
    return secret, digits


def by_secret(session: Session, secret: str, now: int) -> EntryCode | None:
    """Return the code that a QR stands for, if it is still good."""
    return session.scalar(
        select(EntryCode).where(
            EntryCode.secret_hash == hashed(secret), EntryCode.expires_at > now
        )
    )


def by_digits(session: Session, person: Person | None, digits: str, now: int) -> EntryCode | None:
    """Return the person's code if the six digits are right; count them if they are not."""
    found = None
    if person is not None:
        found = session.scalar(
            select(EntryCode).where(
                EntryCode.person_id == person.id,
                EntryCode.expires_at > now,
                EntryCode.wrong < MOST_WRONG_DIGITS,
            )
        )
    fits = secret_fits(found.digits_hash if found is not None else None, digits)
    if found is not None and not fits:
        found.wrong += 1
        session.flush()
    return found if fits else None


def void(session: Session, person_id: str) -> None:
    """Take a person's unused code away."""
    session.execute(delete(EntryCode).where(EntryCode.person_id == person_id))


def use(session: Session, code: EntryCode) -> None:
    """Use a code up."""
    session.delete(code)
    session.flush()
