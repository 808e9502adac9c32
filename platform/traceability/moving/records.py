"""The tables of what leaves the store: cartons, dispatches, and where the packs of a lot are.

Two sorts, as in ``records``. Holders and the numbers of cartons are what the clerk keeps. The
rest follows from the stream of events (``moving_book``) and can be made again from it.

Packs of a lot are always in exactly one place: the database itself refuses an account that does
not add up to what was packed, or in which anything is below zero.
"""

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from nongso.platform.store import Base

HOLDER_KINDS = ("buyer", "shop", "cooperative")
PACKED, OPENED = "packed", "opened"  # what a carton is
SENT, RECEIVED, VOID = "sent", "received", "void"  # what a dispatch is


class Holder(Base):
    """Who gets goods: a buyer, a shop, another cooperative. Its name never enters an event."""

    __tablename__ = "holder"
    __table_args__ = (UniqueConstraint("cooperative", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"), index=True)
    kind: Mapped[str]
    name: Mapped[str]
    address: Mapped[str]
    contact: Mapped[str]  # whom to call in a recall; may be empty, which a recall then says
    changed_at: Mapped[int]


class HolderChange(Base):
    """What a holder was called, and where it was, until a day: old papers keep their sense."""

    __tablename__ = "holder_change"

    holder: Mapped[str] = mapped_column(ForeignKey("holder.id"), primary_key=True)
    until: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    address: Mapped[str]
    contact: Mapped[str]


class CartonNumbers(Base):
    """The cooperative's GS1 company prefix, which GS1 gave, and the next number under it."""

    __tablename__ = "carton_numbers"

    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"), primary_key=True)
    prefix: Mapped[str]
    next: Mapped[int]


class Carton(Base):
    """A carton: 18 digits (SSCC) where the cooperative has a prefix, a code of ours otherwise.

    ``holder`` is ``None`` while it stands in our own store.
    """

    __tablename__ = "carton"
    __table_args__ = (Index("ix_carton_cooperative_state", "cooperative", "state"),)

    code: Mapped[str] = mapped_column(primary_key=True)
    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"))
    at: Mapped[int]
    state: Mapped[str]
    holder: Mapped[str | None] = mapped_column(ForeignKey("holder.id"), index=True)
    dispatch: Mapped[str | None] = mapped_column(index=True)
    contents: Mapped[dict[str, int]] = mapped_column(JSON)  # packs of each lot; never changes


class CartonLot(Base):
    """Which cartons a lot's packs went into, for finding them."""

    __tablename__ = "carton_lot"

    lot: Mapped[str] = mapped_column(ForeignKey("lot.code"), primary_key=True)
    carton: Mapped[str] = mapped_column(ForeignKey("carton.code"), primary_key=True)
    packs: Mapped[int]


class PackAccount(Base):
    """Where all the packs of a lot are. A lot without one has all of them loose in the store."""

    __tablename__ = "pack_account"
    __table_args__ = (
        CheckConstraint(
            "loose >= 0 AND cartoned >= 0 AND shipped >= 0 AND sold >= 0 AND sampled >= 0 "
            "AND destroyed >= 0 AND lost >= 0",
            name="never_negative",
        ),
        CheckConstraint(
            "loose + cartoned + shipped + sold + sampled + destroyed + lost = packs",
            name="adds_up",
        ),
    )

    lot: Mapped[str] = mapped_column(ForeignKey("lot.code"), primary_key=True)
    packs: Mapped[int]
    loose: Mapped[int]
    cartoned: Mapped[int] = mapped_column(default=0)
    shipped: Mapped[int] = mapped_column(default=0)
    sold: Mapped[int] = mapped_column(default=0)
    sampled: Mapped[int] = mapped_column(default=0)
    destroyed: Mapped[int] = mapped_column(default=0)
    lost: Mapped[int] = mapped_column(default=0)

    @property
    def in_store(self) -> int:
        """Packs in our own store, loose and in cartons."""
        return self.loose + self.cartoned


class Holding(Base):
    """What of a lot is with a holder, on its way there included."""

    __tablename__ = "lot_holding"
    __table_args__ = (CheckConstraint("packs >= 0 AND grams >= 0", name="never_negative"),)

    lot: Mapped[str] = mapped_column(ForeignKey("lot.code"), primary_key=True)
    holder: Mapped[str] = mapped_column(ForeignKey("holder.id"), primary_key=True, index=True)
    packs: Mapped[int] = mapped_column(default=0)
    grams: Mapped[int] = mapped_column(default=0)  # of goods that are not packed


class Dispatch(Base):
    """Goods sent to a holder together. ``id`` is the number of the form."""

    __tablename__ = "dispatch"
    __table_args__ = (Index("ix_dispatch_cooperative_at", "cooperative", "at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"))
    holder: Mapped[str] = mapped_column(ForeignKey("holder.id"), index=True)
    at: Mapped[int]
    state: Mapped[str]
    document: Mapped[str]  # number of the delivery note; may be empty
    received_at: Mapped[int | None]
    void_why: Mapped[str | None]


class DispatchLine(Base):
    """What of a lot was sent, cartons counted in; and what arrived, once somebody has said it."""

    __tablename__ = "dispatch_line"

    dispatch: Mapped[str] = mapped_column(ForeignKey("dispatch.id"), primary_key=True)
    lot: Mapped[str] = mapped_column(ForeignKey("lot.code"), primary_key=True, index=True)
    packs: Mapped[int]
    grams: Mapped[int]
    received_packs: Mapped[int | None]
    received_grams: Mapped[int | None]
