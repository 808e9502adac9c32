"""Who exists: cooperatives, people, their log-ins, devices and API tokens.

Passwords are kept as argon2id, log-in and API tokens as SHA-256 (they are 256 random bits, so a
fast hash is enough). Who may do what is decided in ``nongso.platform.accounts``; how often one
may guess in ``nongso.platform.guesses``.

A person who has left stays as a row without name, log-in name or password, because the audit
speaks of people by their id only.
"""

import hashlib
import itertools
import secrets
import time
import uuid
from collections.abc import Iterable, Sequence
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import ForeignKey, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from nongso.platform.store import Base

ROLES = ("farmer", "clerk", "officer", "helper", "admin")
SECOND_FACTOR_ROLES = ("clerk", "admin")
PIN_ROLES = ("farmer", "helper")  # six digits are enough for them, because guesses are counted
TOKEN_SCOPES = ("read", "water", "records", "labels", "admin")

SESSION_SECONDS = 30 * 86400  # a farmer logs in once a month at most
STAFF_SESSION_SECONDS = 12 * 3600  # clerks, officers and admins: one working day
HALF_WAY_SECONDS = 600  # between the password and the second factor
DEVICES_A_PERSON = 20
SHORTEST_PASSWORD = 8
PIN_DIGITS = 6

# 19 MiB and two passes: OWASP's second profile; 15 ms on a small board instead of 90 ms.
_hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
# Two at a time, so that a storm of guesses cannot take all memory and every thread.
_hashing = BoundedSemaphore(2)
_NOBODY = _hasher.hash(secrets.token_urlsafe())
_EASY_WORDS = ("password", "matkhau", "123456", "qwerty", "abc123", "nongso", "111111", "000000")


class WeakSecret(ValueError):
    """A password or PIN that is too easy to guess. ``code`` says why."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Cooperative(Base):
    """A cooperative or group (HTX, tổ hợp tác): the tenant to whom records belong."""

    __tablename__ = "cooperative"

    slug: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class Person(Base):
    """Somebody who may log in. ``cooperative`` is ``None`` for officers and administrators.

    ``password_hash`` is empty until the person has enrolled. ``pin_hash`` is the PIN that is
    asked before water flows, where the person wants one. ``totp_step`` is the last half minute
    whose code was used, so that no code works twice.
    """

    __tablename__ = "person"

    id: Mapped[str] = mapped_column(primary_key=True)
    user: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[str]
    cooperative: Mapped[str | None] = mapped_column(ForeignKey("cooperative.slug"), index=True)
    password_hash: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[int]
    totp_sealed: Mapped[str | None]  # by ``second_factor``
    totp_step: Mapped[int] = mapped_column(default=0, server_default="0")
    pin_hash: Mapped[str | None]
    left_at: Mapped[int | None]

    @property
    def has_second_factor(self) -> bool:
        """Whether this person has set one up."""
        return self.totp_sealed is not None

    @property
    def needs_second_factor(self) -> bool:
        """Whether a password alone does not let this person in."""
        return self.role in SECOND_FACTOR_ROLES


class LogIn(Base):
    """One log-in on one device; deleting the row ends it at once.

    ``step`` is empty for a whole log-in; ``second`` and ``setup`` wait for the second factor.
    ``candidate`` is a second factor's sealed secret until its first code was right. ``helping``
    is the consent (``nongso.platform.consent``) under which a helper acts for somebody.
    """

    __tablename__ = "log_in"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    person: Mapped[Person] = relationship(lazy="joined")
    created_at: Mapped[int]
    expires_at: Mapped[int]
    device: Mapped[str]
    device_hash: Mapped[str] = mapped_column(default="", server_default="")
    seen_at: Mapped[int] = mapped_column(default=0, server_default="0")
    step: Mapped[str] = mapped_column(default="", server_default="")
    candidate: Mapped[str] = mapped_column(default="", server_default="")
    helping: Mapped[str] = mapped_column(default="", server_default="")

    @property
    def handle(self) -> str:
        """How a page names this log-in; worthless for logging in."""
        return self.token_hash[:16]


class ApiToken(Base):
    """A bearer token of a person for programs; it may what the person may, within its scopes."""

    __tablename__ = "api_token"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    person: Mapped[Person] = relationship(lazy="joined")
    name: Mapped[str]
    created_at: Mapped[int]
    scopes: Mapped[str] = mapped_column(
        default=" ".join(TOKEN_SCOPES), server_default=" ".join(TOKEN_SCOPES)
    )
    expires_at: Mapped[int | None]

    @property
    def handle(self) -> str:
        """How a page names this token; worthless for getting in."""
        return self.token_hash[:16]


class KnownDevice(Base):
    """A browser in which a person has logged in: guesses elsewhere cannot lock it out."""

    __tablename__ = "known_device"

    person_id: Mapped[str] = mapped_column(
        ForeignKey("person.id", ondelete="CASCADE"), primary_key=True
    )
    device_hash: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[int]


class KnownAddress(Base):
    """An address from which a person has logged in: neighbours' failures there do not count."""

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
        raise WeakSecret("short", f"a password has at least {SHORTEST_PASSWORD} characters")
    return hash_secret(password)


def hash_secret(secret: str) -> str:
    """Return the argon2id hash of a password, PIN or short code, whatever its length."""
    with _hashing:
        return _hasher.hash(secret)


def secret_fits(kept: str | None, secret: str) -> bool:
    """Check a secret against its hash; takes as long where there is none."""
    try:
        with _hashing:
            _hasher.verify(kept or _NOBODY, secret)
    except (VerificationError, InvalidHashError):
        return False
    return bool(kept)


def password_fits(person: Person | None, password: str) -> bool:
    """Check a password; takes as long for nobody as for somebody."""
    fits = secret_fits(person.password_hash if person is not None else None, password)
    return fits and person is not None and person.active


def check_pin(pin: str) -> None:
    """Raise ``WeakSecret`` for a PIN that is not six digits or among the first to be guessed."""
    if len(pin) != PIN_DIGITS or not (pin.isascii() and pin.isdigit()):
        raise WeakSecret("not_six_digits", f"a PIN has {PIN_DIGITS} digits")
    steps = {(int(b) - int(a)) % 10 for a, b in itertools.pairwise(pin)}
    repeats = pin == pin[:2] * 3 or pin == pin[:3] * 2
    if len(steps) == 1 or repeats or len(set(pin)) < 3:
        raise WeakSecret("easy", "this PIN is among the first that are guessed")


def check_secret(role: str, user: str, secret: str) -> None:
    """Raise ``WeakSecret`` unless a person of this role may log in with this secret."""
    if role in PIN_ROLES and secret.isdigit() and len(secret) <= PIN_DIGITS:
        check_pin(secret)
        return
    if len(secret) < SHORTEST_PASSWORD:
        raise WeakSecret("short", f"a password has at least {SHORTEST_PASSWORD} characters")
    plain = secret.lower()
    easy = any(word in plain for word in _EASY_WORDS) and len(plain) < 14
    if easy or (len(user) > 2 and user in plain and len(plain) < len(user) + 6):
        raise WeakSecret("easy", "this password is among the first that are guessed")
    if len(set(plain)) < 4:
        raise WeakSecret("easy", "this password is among the first that are guessed")


def add_person(
    session: Session, user: str, name: str, role: str, cooperative: str | None, password: str
) -> Person:
    """Add a person. Raises ``ValueError`` for an unknown role or a bad name.

    An empty password makes somebody who has to enrol first.
    """
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
        password_hash=hash_password(password) if password else "",
        active=True,
        created_at=int(time.time()),
    )
    session.add(person)
    session.flush()
    return person


def open_log_in(
    session: Session,
    person: Person,
    device: str,
    now: int,
    *,
    device_hash: str = "",
    step: str = "",
) -> tuple[str, int]:
    """Log a person in; return the secret for the cookie and how many seconds it lives.

    With a ``step`` it is only half a log-in, and short: the second factor is still to come.
    """
    session.execute(delete(LogIn).where(LogIn.expires_at < now))
    lives = SESSION_SECONDS if person.role in ("farmer", "helper") else STAFF_SESSION_SECONDS
    lives = HALF_WAY_SECONDS if step else lives
    secret = secrets.token_urlsafe(32)
    session.add(
        LogIn(
            token_hash=hashed(secret),
            person_id=person.id,
            created_at=now,
            expires_at=now + lives,
            device=device[:200],
            device_hash=device_hash,
            seen_at=now,
            step=step,
        )
    )
    return secret, lives


def end_log_in(session: Session, token_hash: str) -> None:
    """End a log-in; its cookie is worthless from now on."""
    session.execute(delete(LogIn).where(LogIn.token_hash == token_hash))


def log_ins_of(session: Session, person_id: str, now: int) -> Sequence[LogIn]:
    """Return where a person is logged in, the newest first."""
    return session.scalars(
        select(LogIn)
        .where(LogIn.person_id == person_id, LogIn.expires_at > now, LogIn.step == "")
        .order_by(LogIn.created_at.desc())
    ).all()


def end_log_ins(session: Session, person_id: str, *, keep: str = "") -> int:
    """End all ways in of a person but one log-in; return how many log-ins ended.

    The API tokens end, too, and the devices are forgotten: whoever takes an account back from
    somebody else, or gets another role, must not leave a way in behind.
    """
    kept = session.get(LogIn, keep) if keep else None
    kept_device = kept.device_hash if kept is not None else ""
    ended = session.execute(
        delete(LogIn).where(LogIn.person_id == person_id, LogIn.token_hash != keep)
    )
    session.execute(
        delete(KnownDevice).where(
            KnownDevice.person_id == person_id, KnownDevice.device_hash != kept_device
        )
    )
    session.execute(delete(ApiToken).where(ApiToken.person_id == person_id))
    return int(ended.rowcount)  # type: ignore[attr-defined]


def know_device(
    session: Session, person_id: str, device_hash: str, address: str, now: int
) -> None:
    """Remember where a person has logged in; the oldest devices make room."""
    session.merge(KnownDevice(person_id=person_id, device_hash=device_hash, at=now))
    session.merge(KnownAddress(person_id=person_id, address=address, at=now))
    session.flush()
    for kind in (KnownDevice, KnownAddress):
        older = session.scalars(
            select(kind)
            .where(kind.person_id == person_id)
            .order_by(kind.at.desc())
            .offset(DEVICES_A_PERSON)
        )
        for row in older:
            session.delete(row)


def new_api_token(
    session: Session,
    person: Person,
    name: str,
    scopes: Iterable[str] = TOKEN_SCOPES,
    expires_at: int | None = None,
) -> str:
    """Make an API token in place of an older one of the same name, and return it this once."""
    session.execute(delete(ApiToken).where(ApiToken.person_id == person.id, ApiToken.name == name))
    token = "nst_" + secrets.token_urlsafe(32)
    session.add(
        ApiToken(
            token_hash=hashed(token),
            person_id=person.id,
            name=name,
            created_at=int(time.time()),
            scopes=" ".join(scope for scope in TOKEN_SCOPES if scope in set(scopes)),
            expires_at=expires_at,
        )
    )
    return token


def find_person(session: Session, user: str) -> Person | None:
    """Return the person with this log-in name."""
    return session.scalar(select(Person).where(Person.user == user.strip().lower()))
