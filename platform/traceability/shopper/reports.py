"""What shoppers report about goods (phản ánh), and the clock for the answer. No Flask here.

A report reaches the clerks of the cooperative whose lot it is, and the commune's officers with
it. One about a code that was never issued reaches the officers alone: it is nobody's goods, and
may be a forged label. Nothing of it enters the stream of events or the public log. Who reported
is known only by what was written into the form; the address from which it came is kept as a
hash that is another one every day, for counting alone. What was written to be called back, and
that hash, are gone ``KEPT_SECONDS`` after the answer.
"""

import hashlib
import hmac
import uuid
from dataclasses import dataclass

from sqlalchemy import ForeignKey, Index, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from nongso.platform.alerts.records import Notice, Way
from nongso.platform.guesses import network
from nongso.platform.people import Person
from nongso.platform.store import Base
from nongso.platform.traceability import identifiers as ids
from nongso.platform.traceability.records import PACKS, LabelCode, Lot

DAY, HOUR = 86400, 3600
ILLNESS = "illness"
KINDS = ("spoiled", ILLNESS, "label", "record", "other")
ANSWER_SECONDS = 3 * DAY
ILLNESS_ANSWER_SECONDS = DAY
KEPT_SECONDS = 90 * DAY
# From one address in an hour and a day (a village may share one), about one cooperative, in all.
MOST_AN_HOUR, MOST_A_DAY, MOST_ABOUT_ONE, MOST_IN_ALL = 5, 20, 100, 500


class ShopperReport(Base):
    """A report. ``cooperative`` is ``None`` where the code is nobody's."""

    __tablename__ = "shopper_report"
    __table_args__ = (
        Index("ix_shopper_report_cooperative_at", "cooperative", "at"),
        Index("ix_shopper_report_at", "at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)  # the form's
    number: Mapped[str] = mapped_column(unique=True)  # by which the shopper finds the answer
    cooperative: Mapped[str | None] = mapped_column(ForeignKey("cooperative.slug"))
    lot: Mapped[str]  # as it was scanned; not every code is a lot
    serial: Mapped[str]
    at: Mapped[int]
    due_at: Mapped[int]
    kind: Mapped[str]
    text: Mapped[str]
    bought: Mapped[str]
    contact: Mapped[str]
    sender: Mapped[str]
    answered_at: Mapped[int | None]

    def is_late(self, now: int) -> bool:
        """Say whether the answer should have been given."""
        return self.answered_at is None and now > self.due_at


class Word(Base):
    """An answer to a report; a later one stands below it and replaces none."""

    __tablename__ = "shopper_report_word"

    id: Mapped[str] = mapped_column(primary_key=True)  # the form's
    report: Mapped[str] = mapped_column(ForeignKey("shopper_report.id"), index=True)
    place: Mapped[int]
    at: Mapped[int]
    actor: Mapped[str]
    text: Mapped[str]


@dataclass(frozen=True)
class Wish:
    """What a shopper wrote."""

    lot: str
    serial: str
    kind: str
    text: str
    bought: str
    contact: str


class TooMany(Exception):
    """Too much was reported from this address, about this cooperative, or in all."""


def sender_of(secret: str, address: str, now: int) -> str:
    """Return what stands for an address today; tomorrow nobody can tell it is the same."""
    said = f"{now // DAY}/{network(address)}".encode()
    return hmac.new(secret.encode(), b"shopper report/" + said, hashlib.sha256).hexdigest()[:32]


def about(session: Session, lot: str, serial: str) -> Lot | None:
    """Return the packed lot that a report is about, by its own code or a pack's number."""
    found = session.get(Lot, ids.as_typed(lot))
    if found is None:
        label = session.get(LabelCode, ids.as_typed(serial or lot))
        found = session.get(Lot, label.lot) if label is not None else None
    return found if found is not None and found.kind == PACKS else None


def report(session: Session, id_: str, wish: Wish, sender: str, now: int) -> ShopperReport:
    """Write a report down and tell those whom it concerns. Raises ``TooMany``."""
    made = session.get(ShopperReport, id_)
    if made is not None:
        return made
    lot = about(session, wish.lot, wish.serial)
    home = lot.cooperative if lot is not None else None
    _refuse_too_many(session, home, sender, now)
    _forget(session, now)
    patience = ILLNESS_ANSWER_SECONDS if wish.kind == ILLNESS else ANSWER_SECONDS
    made = ShopperReport(
        id=id_,
        number=ids.new_serial(),
        cooperative=home,
        lot=lot.code if lot is not None else ids.as_typed(wish.lot)[:40],
        serial=ids.as_typed(wish.serial)[:40],
        at=now,
        due_at=now + patience,
        kind=wish.kind,
        text=wish.text,
        bought=wish.bought,
        contact=wish.contact,
        sender=sender,
        answered_at=None,
    )
    session.add(made)
    session.flush()
    return made


def _refuse_too_many(session: Session, home: str | None, sender: str, now: int) -> None:
    def since(seconds: int, *which: object) -> int:
        counted = select(func.count()).where(ShopperReport.at > now - seconds, *which)  # type: ignore[arg-type]
        return session.scalar(counted) or 0

    own = ShopperReport.sender == sender
    if (
        since(HOUR, own) >= MOST_AN_HOUR
        or since(DAY, own) >= MOST_A_DAY
        or since(DAY, ShopperReport.cooperative == home) >= MOST_ABOUT_ONE
        or since(DAY) >= MOST_IN_ALL
    ):
        raise TooMany


def _forget(session: Session, now: int) -> None:
    """Let go of who reported, where it was answered long ago."""
    session.execute(
        update(ShopperReport)
        .where(ShopperReport.answered_at < now - KEPT_SECONDS, ShopperReport.sender != "")
        .values(sender="", contact="")
    )


def notify(
    session: Session,
    made: ShopperReport,
    words: dict[str, tuple[str, str]],
    page: str,
    now: int,
) -> None:
    """Put a message into the outbox for clerks and officers, in the language of each way.

    It leads to ``page``, the address of the report without its host.
    """
    urgent = made.kind == ILLNESS
    concerned = (Person.role == "officer") | (
        (Person.role == "clerk") & (Person.cooperative == made.cooperative)
    )
    ways = session.scalars(
        select(Way).join(Person, Person.id == Way.person_id).where(concerned, Person.active)
    )
    for way in ways:
        if way.least_level == "alarm" and not urgent:
            continue
        title, text = words.get(way.language) or words["vi"]
        session.add(
            Notice(
                id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{made.id}/{way.id}")),
                alert=None,
                person_id=way.person_id,
                way=way.id,
                what="report",
                level="alarm" if urgent else "warning",
                title=title,
                text=text,
                state="waiting",
                tries=0,
                next_at=now,
                made_at=now,
                link=page,
            )
        )


def answer(
    session: Session, made: ShopperReport, id_: str, actor: str, text: str, now: int
) -> None:
    """Answer a report; the clock stops at the first answer."""
    if session.get(Word, id_) is not None:
        return
    session.add(
        Word(
            id=id_,
            report=made.id,
            place=len(words_of(session, made)),
            at=now,
            actor=actor,
            text=text,
        )
    )
    made.answered_at = made.answered_at or now


def words_of(session: Session, made: ShopperReport) -> list[Word]:
    """Return what was answered, oldest first."""
    wanted = select(Word).where(Word.report == made.id).order_by(Word.place)
    return list(session.scalars(wanted))


def waiting(session: Session, home: str | None, now: int) -> tuple[int, int]:
    """Return how many reports wait for an answer and how many of them are late.

    ``home`` is a cooperative, or ``None`` for all.
    """
    wanted = select(ShopperReport.due_at).where(ShopperReport.answered_at.is_(None))
    if home is not None:
        wanted = wanted.where(ShopperReport.cooperative == home)
    due = list(session.scalars(wanted))
    return len(due), sum(at < now for at in due)
