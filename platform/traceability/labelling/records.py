"""The tables of labels beside those in ``records``: accounts, rolls printed without a lot,
scratch codes, layouts and logo of a cooperative's own, and who may print a collective mark.

The account follows from the stream (``labelling_book``). The database itself refuses one that
does not add up: issued = applied + spoiled + returned + left, and none of them below zero.

A label of a roll is in ``roll_code`` from the day it was printed, and in ``label_code`` too once
it was bound to a lot.
"""

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from nongso.platform.store import Base
from nongso.platform.traceability.records import Printed, Producer


class LabelAccount(Base):
    """Where all the labels of a lot are. ``applied`` are on packs, and scan as such."""

    __tablename__ = "label_account"
    __table_args__ = (
        CheckConstraint(
            "issued >= 0 AND applied >= 0 AND spoiled >= 0 AND returned >= 0",
            name="never_negative",
        ),
        CheckConstraint("applied + spoiled + returned <= issued", name="adds_up"),
    )

    lot: Mapped[str] = mapped_column(ForeignKey("lot.code"), primary_key=True)
    issued: Mapped[int]
    applied: Mapped[int]
    spoiled: Mapped[int]
    returned: Mapped[int]

    @property
    def left(self) -> int:
        """Labels on paper of which nobody has said yet what became of them."""
        return self.issued - self.applied - self.spoiled - self.returned


class LabelLayout(Base):
    """A layout of a cooperative's own: the text of its file, under the name that a clerk gave it.

    What was printed keeps the layout as it was then (``records.Printed``).
    """

    __tablename__ = "label_layout"
    __table_args__ = (UniqueConstraint("cooperative", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"))
    name: Mapped[str]
    file: Mapped[str]
    at: Mapped[int]
    actor: Mapped[str]


class CooperativeLogo(Base):
    """The picture that a cooperative's labels carry, as ``labels.logos.clean`` left it.

    What was printed keeps its picture as it was then (``records.Printed``).
    """

    __tablename__ = "cooperative_logo"

    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"), primary_key=True)
    picture: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[int]
    actor: Mapped[str]


class LabelRoll(Printed, Base):
    """Labels printed together without a lot."""

    __tablename__ = "label_roll"

    id: Mapped[str] = mapped_column(primary_key=True)
    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"), index=True)
    product_id: Mapped[str] = mapped_column(ForeignKey("product.id"))
    at: Mapped[int]
    actor: Mapped[str]
    count: Mapped[int]


class RollCode(Base):
    """One label of a roll, and its place on it."""

    __tablename__ = "roll_code"
    __table_args__ = (UniqueConstraint("roll", "place"),)

    serial: Mapped[str] = mapped_column(primary_key=True)
    roll: Mapped[str] = mapped_column(ForeignKey("label_roll.id"))
    place: Mapped[int]


class ScratchCode(Base):
    """The scratch code of a label, as a keyed hash, and since when it is known to somebody.

    There is one from the moment on at which the sheet was given out. ``key`` says with which key
    it was made (``scratch``).
    """

    __tablename__ = "scratch_code"

    serial: Mapped[str] = mapped_column(ForeignKey("label_code.serial"), primary_key=True)
    digest: Mapped[str]
    key: Mapped[str]
    drawn_at: Mapped[int]
    first_at: Mapped[int | None]
    last_at: Mapped[int | None]
    times: Mapped[int] = mapped_column(default=0)


class CollectiveMark(Base):
    """A mark that several producers share: whose it is, and its number in the register."""

    __tablename__ = "collective_mark"
    __table_args__ = (UniqueConstraint("cooperative", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"))
    name: Mapped[str]
    number: Mapped[str]
    owner: Mapped[str]
    at: Mapped[int]
    actor: Mapped[str]


class MarkRight(Base):
    """A producer's right to a collective mark: by which paper, from which day to which.

    Both days are counted in. A right is never deleted: it gets its last day.
    """

    __tablename__ = "mark_right"
    __table_args__ = (
        CheckConstraint("until IS NULL OR until >= since", name="since_before_until"),
        Index("ix_mark_right_mark", "mark", "producer_id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    mark: Mapped[str] = mapped_column(ForeignKey("collective_mark.id"))
    producer_id: Mapped[str] = mapped_column(ForeignKey("producer.id"))
    producer: Mapped[Producer] = relationship(lazy="joined")
    paper: Mapped[str]
    since: Mapped[str]
    until: Mapped[str | None]
    at: Mapped[int]
    actor: Mapped[str]
    ended_at: Mapped[int | None]
    ended_by: Mapped[str | None]

    def holds(self, day: str) -> bool:
        """Say whether it holds on that day."""
        return self.since <= day and (self.until is None or day <= self.until)
