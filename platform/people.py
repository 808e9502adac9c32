"""Who exists: cooperatives, people, their log-ins and their API tokens.

Passwords are kept as argon2id, log-in and API tokens as SHA-256 (they are 256 random bits, so a
fast hash is enough). Who may do what is decided in ``nongso.platform.accounts``.
"""

import hashlib
import secrets
import time
import uuid
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import ForeignKey, Index, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from nongso.platform.store import Base

ROLES = ("farmer", "clerk", "officer", "helper", "admin")

SESSION_SECONDS = 30 * 86400  # a farmer logs in once a month at most
STAFF_SESSION_SECONDS = 12 * 3600  # clerks, officers and admins: one working day
SHORTEST_PASSWORD = 8

# 19 MiB and two passes: OWASP's second profile; 15 ms on a small board instead of 90 ms.
_hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
# Two at a time, so that a storm of guesses cannot take all memory and every thread.
_hashing = BoundedSemaphore(2)
_NOBODY = _hasher.hash(secrets.token_urlsafe())


class Cooperative(Base):
    """A cooperative or group (HTX, tổ hợp tác): the tenant to whom records belong."""

    __tablename__ = "cooperative"

    slug: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class Person(Base):
    """Somebody who may log in. ``cooperative`` is ``None`` for officers and administrators."""

    __tablename__ = "person"

    id: Mapped[str] = mapped_column(primary_key=True)
    user: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[str]
    cooperative: Mapped[str | None] = mapped_column(ForeignKey("cooperative.slug"), index=True)
    password_hash: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[int]


class LogIn(Base):
    """One log-in on one device; deleting the row ends it at once."""

    __tablename__ = "log_in"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    person: Mapped[Person] = relationship(lazy="joined")
    created_at: Mapped[int]
    expires_at: Mapped[int]
    device: Mapped[str]


class ApiToken(Base):
    """A bearer token of a person for programs; it may what the person may."""

    __tablename__ = "api_token"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    person: Mapped[Person] = relationship(lazy="joined")
    name: Mapped[str]
    created_at: Mapped[int]


class Guess(Base):
    """A failed log-in, kept a quarter of an hour to slow guessing down."""

    __tablename__ = "log_in_guess"
    __table_args__ = (Index("ix_log_in_guess_user_at", "user", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user: Mapped[str]
    address: Mapped[str] = mapped_column(index=True)
    at: Mapped[int]


class KnownAddress(Base):
    """An address from which a person has logged in: guesses elsewhere cannot lock it out."""

    __tablename__ = "log_in_address"

    person_id: Mapped[str] = mapped_column(
        ForeignKey("person.id", ondelete="CASCADE"), primary_key=True
    )
    address: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[int]


def hashed(token: str) -> str:
    """Return what is kept of a random token."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_password() -> str:
    """Return a random password that can be read out: 12 letters and digits, no look-alikes."""
    return "".join(secrets.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(12))


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password. Raises ``ValueError`` when it is too short."""
    if len(password) < SHORTEST_PASSWORD:
        raise ValueError(f"a password has at least {SHORTEST_PASSWORD} characters")
    with _hashing:
        return _hasher.hash(password)


def password_fits(person: Person | None, password: str) -> bool:
    """Check a password; takes as long for nobody as for somebody."""
    kept = person.password_hash if person is not None else _NOBODY
    try:
        with _hashing:
            _hasher.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False
    return person is not None and person.active


def add_person(
    session: Session, user: str, name: str, role: str, cooperative: str | None, password: str
) -> Person:
    """Add a person. Raises ``ValueError`` for an unknown role or a bad name."""
    if role not in ROLES:
        raise ValueError(f"no role called {role!r}; there are {', '.join(ROLES)}")
    if not user or user != user.strip().lower() or len(user) > 60:
        raise ValueError("a log-in name has 1 to 60 lower-case characters without spaces around")
    if cooperative is None and role not in ("officer", "admin"):
        raise ValueError(f"a {role} belongs to a cooperative")
    person = Person(
        id=str(uuid.uuid4()),
        user=user,
        name=name,
        role=role,
        cooperative=None if role in ("officer", "admin") else cooperative,
        password_hash=hash_password(password),
        active=True,
        created_at=int(time.time()),
    )
    session.add(person)
    session.flush()
    return person


def open_log_in(session: Session, person: Person, device: str, now: int) -> tuple[str, int]:
    """Log a person in; return the secret for the cookie and how many seconds it lives."""
    session.execute(delete(LogIn).where(LogIn.expires_at < now))
    lives = SESSION_SECONDS if person.role in ("farmer", "helper") else STAFF_SESSION_SECONDS
    secret = secrets.token_urlsafe(32)
    session.add(
        LogIn(
            token_hash=hashed(secret),
            person_id=person.id,
            created_at=now,
            expires_at=now + lives,
            device=device[:200],
        )
    )
    return secret, lives


def end_log_in(session: Session, token_hash: str) -> None:
    """End a log-in; its cookie is worthless from now on."""
    session.execute(delete(LogIn).where(LogIn.token_hash == token_hash))


def new_api_token(session: Session, person: Person, name: str) -> str:
    """Make an API token in place of an older one of the same name, and return it this once."""
    session.execute(delete(ApiToken).where(ApiToken.person_id == person.id, ApiToken.name == name))
    token = "nst_" + secrets.token_urlsafe(32)
    session.add(
        ApiToken(
            token_hash=hashed(token), person_id=person.id, name=name, created_at=int(time.time())
        )
    )
    return token


def find_person(session: Session, user: str) -> Person | None:
    """Return the person with this log-in name."""
    return session.scalar(select(Person).where(Person.user == user.strip().lower()))
