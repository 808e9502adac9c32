"""A farmer's consent that a helper of the community digital team acts in her name.

The farmer offers it on her own phone and is shown a code to be typed on the helper's, or types
her PIN there. It holds for the stated hours and deeds and ends at once when either wishes. A
helper can always look and always stop water; opening water only if the farmer said so.
"""

import secrets
import string
import uuid
from collections.abc import Sequence

from sqlalchemy import ForeignKey, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from nongso.platform.people import LogIn, Person, hashed
from nongso.platform.store import Base

HOURS = (1, 2, 4, 8)
DEEDS = ("records", "water")  # beyond looking; scopes of nongso.platform.accounts
CODE_SECONDS = 900


class Consent(Base):
    """One consent. ``helper_id`` is empty until a helper has taken it up."""

    __tablename__ = "consent"

    id: Mapped[str] = mapped_column(primary_key=True)
    farmer_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    helper_id: Mapped[str | None] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    code_hash: Mapped[str | None] = mapped_column(unique=True)
    code_until: Mapped[int]
    hours: Mapped[int]
    scopes: Mapped[str]
    offered_at: Mapped[int]
    began_at: Mapped[int | None]
    ends_at: Mapped[int | None]
    ended_at: Mapped[int | None]

    def holds(self, now: int) -> bool:
        """Say whether the helper may act now."""
        return self.ended_at is None and self.ends_at is not None and now < self.ends_at


def offer(
    session: Session, farmer: Person, hours: int, scopes: Sequence[str], now: int
) -> tuple[Consent, str]:
    """Write a consent down and return it with the code for the helper, this once.

    An earlier code that nobody has used is void. Raises ``ValueError`` for other hours or deeds.
    """
    if hours not in HOURS or set(scopes) - set(DEEDS):
        raise ValueError("no such hours or deeds")
    session.execute(
        delete(Consent).where(Consent.farmer_id == farmer.id, Consent.helper_id.is_(None))
    )
    code = f"{secrets.randbelow(10**8):08d}"
    made = Consent(
        id=str(uuid.uuid4()),
        farmer_id=farmer.id,
        code_hash=_code_hash(code),
        code_until=now + CODE_SECONDS,
        hours=hours,
        scopes=" ".join(s for s in DEEDS if s in scopes),
        offered_at=now,
    )
    session.add(made)
    session.flush()
    return made, code


def by_code(session: Session, code: str, cooperative: str | None, now: int) -> Consent | None:
    """Return the open consent of a farmer of this cooperative that has this code."""
    digits = "".join(c for c in code if c in string.digits)
    return session.scalar(
        select(Consent)
        .join(Person, Person.id == Consent.farmer_id)
        .where(
            Consent.code_hash == _code_hash(digits),
            Consent.helper_id.is_(None),
            Consent.code_until > now,
            Person.cooperative == cooperative,
            Person.role == "farmer",
            Person.active,
        )
    )


def take_up(session: Session, consent: Consent, helper: Person, log_in: LogIn, now: int) -> None:
    """Let the helper begin, on this log-in only; the code is used up."""
    consent.helper_id, consent.code_hash = helper.id, None
    consent.began_at, consent.ends_at = now, now + consent.hours * 3600
    log_in.helping = consent.id
    session.flush()


def end(session: Session, consent: Consent, now: int) -> None:
    """End a consent; the helper is only a helper again at the next touch."""
    consent.ended_at, consent.code_hash = now, None
    for log_in in session.scalars(select(LogIn).where(LogIn.helping == consent.id)):
        log_in.helping = ""
    session.flush()


def end_all(session: Session, person_id: str, now: int) -> None:
    """End every consent given by or for a person, also those that nobody has taken up."""
    theirs = (Consent.farmer_id == person_id) | (Consent.helper_id == person_id)
    for one in session.scalars(select(Consent).where(theirs, Consent.ended_at.is_(None))).all():
        end(session, one, now)


def of_farmer(session: Session, farmer_id: str, now: int) -> Sequence[Consent]:
    """Return the consents that hold now."""
    return session.scalars(
        select(Consent).where(
            Consent.farmer_id == farmer_id, Consent.ended_at.is_(None), Consent.ends_at > now
        )
    ).all()


def _code_hash(code: str) -> str:
    return hashed("consent:" + code)
