"""How often one may guess a password, PIN or code, kept in the database.

How this works. Every try is written down before it is checked, in one transaction, so that a
hundred tries at the same moment are counted as a hundred. A try that was right is struck out.
Whether another one is allowed depends on the failures of a day:

* In a browser where this person has logged in before (``KnownDevice``) only that browser's own
  failures count. Nobody else can lock it out.
* At an address from which this person has logged in before (``KnownAddress``), in another
  browser, only the failures there count.
* Anywhere else all failures of strangers at this account count together, wherever they come
  from: ten, then a wait that doubles from a minute to four hours. 500 addresses get no more
  guesses than one.
* A whole village may share one address (carrier-grade NAT). So an address counts only against
  people who have never logged in from it, and it is a short wait, never a lock-out; and whoever
  holds a printed code does not wait for it: a code bears five wrong tries, wherever they come
  from, and what is wrong is answered like a wait.

While one has to wait nothing is checked and nothing is written: guessing costs us next to
nothing, and does not lengthen the wait. A printed code (``nongso.platform.entry_codes``) lets in
an owner who has lost the browser in the middle of an attack.
"""

import hashlib
import ipaddress
from dataclasses import dataclass

from sqlalchemy import Index, Select, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from nongso.platform.people import KnownAddress, KnownDevice, Person
from nongso.platform.store import Base

DAY = 86400
FREE_GUESSES = 10
FIRST_WAIT_SECONDS = 60
STRANGERS_WAIT_SECONDS = 4 * 3600
INSIDE_WAIT_SECONDS = 3600  # in a known browser, or logged in already
ADDRESS_FREE_GUESSES = 40
ADDRESS_SECONDS = 3600
ADDRESS_WAIT_SECONDS = 60


class Guess(Base):
    """A try that was wrong, or is being checked. ``whose`` is a person's id or a hashed name."""

    __tablename__ = "guess"
    __table_args__ = (
        Index("ix_guess_whose_at", "whose", "at"),
        Index("ix_guess_address_at", "address", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    whose: Mapped[str]
    device: Mapped[str]  # hash of a known device, "@" and a known address, or empty
    address: Mapped[str]
    at: Mapped[int] = mapped_column(index=True)


@dataclass(frozen=True)
class Try:
    """What ``begin`` said: go on with ``id``, or wait.

    ``for_others``: the wait is for what others did at the same address, not at this account.
    """

    id: int = 0
    wait_seconds: int = 0
    for_others: bool = False


def network(address: str) -> str:
    """Return what counts as one address: of IPv6 the /64 that one line is given."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:60]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False).network_address) + "/64"
    return str(found)


def wait_after(failures: int, free: int, longest: int) -> int:
    """Return how many seconds must lie between the last failure and the next try."""
    if failures < free:
        return 0
    return min(FIRST_WAIT_SECONDS << min(failures - free, 20), longest)


def begin(
    session: Session,
    kind: str,
    person: Person | None,
    *,
    name: str = "",
    device: str = "",
    address: str = "",
    now: int,
) -> Try:
    """Write a try down, inside the caller's ``transaction()``, or say how long to wait.

    ``device`` is the hash of the browser's device cookie. Names that nobody has are counted like
    those of people, so that waiting does not tell who exists.
    """
    address = network(address)
    whose = person.id if person is not None else _nobody(name)
    known = ""
    if person is not None:
        if session.get_bind().dialect.name != "sqlite":  # which lets one write at a time anyway
            session.execute(select(Person.id).where(Person.id == person.id).with_for_update())
        if device and session.get(KnownDevice, (person.id, device)) is not None:
            known = device
        elif address and session.get(KnownAddress, (person.id, address)) is not None:
            known = "@" + address
    theirs = select(func.count(), func.max(Guess.at)).where(
        Guess.kind == kind, Guess.whose == whose, Guess.device == known, Guess.at > now - DAY
    )
    inside = known or kind == "pin"  # a PIN is only asked of somebody who is logged in
    longest = INSIDE_WAIT_SECONDS if inside else STRANGERS_WAIT_SECONDS
    wait, for_others = _wait(session, theirs, FREE_GUESSES, longest, now), False
    if address and not known and wait == 0:
        from_there = select(func.count(), func.max(Guess.at)).where(
            Guess.address == address, Guess.device == "", Guess.at > now - ADDRESS_SECONDS
        )
        wait = _wait(session, from_there, ADDRESS_FREE_GUESSES, ADDRESS_WAIT_SECONDS, now)
        for_others = wait > 0
    if wait > 0:
        return Try(wait_seconds=wait, for_others=for_others)
    session.execute(delete(Guess).where(Guess.at < now - DAY))
    guess = Guess(kind=kind, whose=whose, device=known, address=address, at=now)
    session.add(guess)
    session.flush()
    return Try(id=guess.id)


def was_right(session: Session, tried: Try) -> None:
    """Strike out a try that was right, and the failures in the same known browser before it."""
    guess = session.get(Guess, tried.id)
    if guess is None:
        return
    if guess.device and not guess.device.startswith("@"):
        session.execute(
            delete(Guess).where(
                Guess.kind == guess.kind,
                Guess.whose == guess.whose,
                Guess.device == guess.device,
            )
        )
    else:
        session.delete(guess)


def _wait(
    session: Session,
    counted: Select[int, int],
    free: int,
    longest: int,
    now: int,
) -> int:
    failures, last = session.execute(counted).one()
    return max(0, wait_after(failures, free, longest) - (now - (last or 0)))


def _nobody(name: str) -> str:
    return "?" + hashlib.sha256(name.strip().lower().encode()).hexdigest()[:32]
