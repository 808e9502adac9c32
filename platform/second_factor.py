"""The second factor of clerks and administrators: six digits that change every half minute.

The only door to ``pyotp`` (RFC 6238). A code is taken half a minute early or late, because
phones' clocks are wrong, and never twice. Ten recovery codes, each for one use, are kept as
hashes for the day on which the phone is lost. The secret itself must be read to check a code: it
lies sealed in the records (``nongso.platform.seals``), bound to its person.
"""

import secrets
import string

import pyotp
from sqlalchemy import ForeignKey, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from nongso.platform import people
from nongso.platform.people import LogIn, Person, hashed
from nongso.platform.seals import SealError, Seals, key_of
from nongso.platform.store import Base, Records

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


def secret_of(session: Session, person: Person) -> str | None:
    """Return a person's secret, if there is one. Raises ``SealError``."""
    if person.totp_sealed is None:
        return None
    return _seals(session).open(person.totp_sealed, person.id)


def propose(session: Session, log_in: LogIn) -> None:
    """Make a secret that is not in use yet. Raises ``SealError`` where nothing can be sealed."""
    log_in.candidate = _sealed(session, new_secret(), log_in.token_hash)


def proposed(session: Session, log_in: LogIn) -> str:
    """Return what was proposed to this log-in; empty if nothing was. Raises ``SealError``."""
    if not log_in.candidate:
        return ""
    return _seals(session).open(log_in.candidate, log_in.token_hash)


def _sealed(session: Session, secret: str, whose: str) -> str:
    seals = _seals(session)
    if not seals.is_made:
        in_use = session.scalar(select(Person.id).where(Person.totp_sealed.is_not(None)).limit(1))
        if in_use is not None:  # a new key would hide that the old one is gone
            raise SealError(f"{seals.file} is missing; put its copy back")
        seals.make()
    return seals.seal(secret, whose)


def _seals(session: Session) -> Seals:
    records: Records = session.info["records"]
    return records.seals


def trouble(records: Records) -> str:
    """Say what is wrong with the key of what is sealed; empty where all of it can be opened."""
    with records.session() as session:
        sealed = session.scalars(select(Person.totp_sealed).where(Person.totp_sealed.is_not(None)))
        used = {key_of(one) for one in sealed if one}
    if not used:
        return ""
    try:
        lost = used - set(records.seals.names())
    except SealError as error:
        return str(error)
    return f"{records.seals.file} does not hold the key {min(lost)}" if lost else ""


def reseal(records: Records) -> tuple[int, int]:
    """Seal everything with a new key; return how many secrets, and how many old keys went.

    The key that was used until now stays in the file until the next time, for a server that has
    just read it. Raises ``SealError``, and then nothing has changed.
    """
    seals = records.seals
    with records.transaction() as session:
        before = seals.names()[0]
        found = session.scalars(select(Person).where(Person.totp_sealed.is_not(None))).all()
        plain = [(person, secret_of(session, person) or "") for person in found]
        newest = seals.renew()
        for person, secret in plain:
            person.totp_sealed = seals.seal(secret, person.id)
        for log_in in session.scalars(select(LogIn).where(LogIn.candidate != "")):
            log_in.candidate = seals.seal(proposed(session, log_in), log_in.token_hash)
        session.flush()
    return len(plain), seals.keep_only({newest, before})


def forget_lost(records: Records) -> list[str]:
    """Take away every second factor that no key opens; return whose it was.

    For the day on which the key is lost for good: each of them sets one up anew at the next
    log-in, which the password alone then leads to. A damaged file is set aside.
    """
    seals = records.seals
    with records.transaction() as session:
        try:
            seals.names()
        except SealError:
            seals.begin_anew()
        lost = []
        for person in session.scalars(select(Person).where(Person.totp_sealed.is_not(None))):
            try:
                secret_of(session, person)
            except SealError:
                remove(session, person)
                people.end_log_ins(session, person.id)
                lost.append(person.user)
        session.execute(delete(LogIn).where(LogIn.candidate != ""))
    return lost


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
    """Use a code up, inside the caller's ``transaction()``; ``False`` when it does not fit.

    Raises ``SealError`` while the key that opens its secret is not there.
    """
    secret = secret_of(session, person)
    if secret is None:
        return False
    step = step_of(secret, typed, now)
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
    """Give a person the second factor; return the recovery codes, this once.

    Raises ``SealError`` where nothing can be sealed.
    """
    person.totp_sealed, person.totp_step = _sealed(session, secret, person.id), step
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
    person.totp_sealed = None
    session.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person.id))
    session.flush()


def recovery_left(session: Session, person_id: str) -> int:
    """Return how many recovery codes are left."""
    counted = select(func.count()).where(RecoveryCode.person_id == person_id)
    return session.scalar(counted) or 0


def _recovery_hash(person: Person, plain: str) -> str:
    return hashed(f"recovery:{person.id}:{plain}")
