"""The second factor of clerks and administrators: six digits that change every half minute.

The only door to ``pyotp`` (RFC 6238). A code is taken half a minute early or late, because
phones' clocks are wrong, and never twice. Ten recovery codes, each for one use, are kept as
hashes for the day on which the phone is lost.
"""

import secrets
import string

import pyotp
from sqlalchemy import ForeignKey, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from nongso.platform.people import Person, hashed
from nongso.platform.store import Base

STEP_SECONDS = 30
RECOVERY_CODES = 10
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


class RecoveryCode(Base):
    """A recovery code that has not been used."""

    __tablename__ = "recovery_code"

    code_hash: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)


def new_secret() -> str:
    """Return a new secret of 160 bits for an authenticator application."""
    return pyotp.random_base32()


def address(secret: str, user: str) -> str:
    """Return the ``otpauth:`` address that authenticator applications scan."""
    return pyotp.TOTP(secret).provisioning_uri(name=user, issuer_name="Nong so")


def code(secret: str, now: int) -> str:
    """Return the code of this half minute (for tests, scripts and the trial system)."""
    return pyotp.TOTP(secret).at(now)


def step_of(secret: str, typed: str, now: int) -> int | None:
    """Return the half minute whose code was typed, or ``None``."""
    digits = "".join(c for c in typed if c in string.digits)
    totp = pyotp.TOTP(secret)
    this = now // STEP_SECONDS
    for step in (this, this - 1, this + 1):
        if secrets.compare_digest(totp.at(step * STEP_SECONDS), digits):
            return step
    return None


def take(session: Session, person: Person, typed: str, now: int) -> bool:
    """Use a code up, inside the caller's ``transaction()``; ``False`` when it does not fit."""
    if person.totp_secret is None:
        return False
    step = step_of(person.totp_secret, typed, now)
    if step is None:
        return False
    # The comparison is made by the database, so that of two at once only one gets in.
    done = session.execute(
        update(Person)
        .where(Person.id == person.id, Person.totp_step < step)
        .values(totp_step=step)
    )
    return bool(done.rowcount)  # type: ignore[attr-defined]


def take_recovery(session: Session, person: Person, typed: str) -> bool:
    """Use a recovery code up; ``False`` when there is none like it."""
    plain = "".join(c for c in typed.lower() if c in _LETTERS)
    done = session.execute(
        delete(RecoveryCode).where(
            RecoveryCode.person_id == person.id,
            RecoveryCode.code_hash == _recovery_hash(person, plain),
        )
    )
    return bool(done.rowcount)  # type: ignore[attr-defined]


def set_up(session: Session, person: Person, secret: str, step: int) -> list[str]:
    """Give a person the second factor; return the recovery codes, this once."""
    person.totp_secret, person.totp_step = secret, step
    return new_recovery_codes(session, person)


def new_recovery_codes(session: Session, person: Person) -> list[str]:
    """Make recovery codes in place of the older ones."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person.id))
    made = ["".join(secrets.choice(_LETTERS) for _ in range(12)) for _ in range(RECOVERY_CODES)]
    session.add_all(
        RecoveryCode(code_hash=_recovery_hash(person, one), person_id=person.id) for one in made
    )
    session.flush()
    return ["-".join((one[:4], one[4:8], one[8:])) for one in made]


def remove(session: Session, person: Person) -> None:
    """Take the second factor away; where it is required it is set up at the next log-in."""
    person.totp_secret = None
    session.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person.id))
    session.flush()


def recovery_left(session: Session, person_id: str) -> int:
    """Return how many recovery codes are left."""
    counted = select(func.count()).where(RecoveryCode.person_id == person_id)
    return session.scalar(counted) or 0


def _recovery_hash(person: Person, plain: str) -> str:
    return hashed(f"recovery:{person.id}:{plain}")
