"""The tables of traceability.

Two sorts. What the clerk keeps as it is today: producers, products, places. And what follows
from the stream of events: lots, what flowed from lot to lot, labels. The second sort can be
thrown away and made again from the stream (``nongso.platform.traceability.lots.remake``);
only the serials and the texts of printed labels stand here alone, because random numbers and
paper cannot be derived.

Quantities are whole grams and whole packs, so that sums close.
"""

import datetime
import unicodedata

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from nongso.platform.store import Base
from nongso.platform.traceability.making.net import Net
from nongso.platform.traceability.making.recipe_book import recipes

# Kinds of lots that no recipe declares, and those of the recipe that came first.
PLANTING, CROP, PACKS = "planting", "crop", "packs"
ROOTS, STARCH, NOODLES = "roots", "starch", "noodles"
VEGETABLES = "vegetables"
PRODUCER_KINDS = ("cooperative", "group", "household")
MOST_PACK_GRAMS = 50_000
LOT, UNIT = "lot", "unit"  # what a label's code says: which lot, or which pack
SCRATCH = "scratch"  # which pack, and it has a scratch code too
MOST_PACK_ML = 30_000
# Lighter than any oil, heavier than any honey: what is outside of it was not weighed so.
LIGHTEST_LITRE_GRAMS, HEAVIEST_LITRE_GRAMS = 600, 1600
LONGEST_SHELF_DAYS = 3650


def lot_kinds() -> tuple[str, ...]:
    """Every kind of lot."""
    return (PLANTING, CROP, *recipes().kinds, PACKS)


def product_kinds() -> tuple[str, ...]:
    """Every sort of goods: what grows in the greenhouse, and what a recipe says can be packed."""
    return (VEGETABLES, *(kind.key for kind in recipes().packable))


def packed_from(product_kind: str) -> str:
    """The kind of lot that goods of this sort are packed of."""
    return CROP if product_kind == VEGETABLES else product_kind


class Producer(Base):
    """Who makes: the cooperative itself, a group, a household. Code first, name second."""

    __tablename__ = "producer"
    __table_args__ = (UniqueConstraint("cooperative", "code"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"), index=True)
    code: Mapped[str]
    kind: Mapped[str]
    name: Mapped[str]
    village: Mapped[str]
    commune: Mapped[str]
    province: Mapped[str]
    contact: Mapped[str]  # what the producer wants printed: telephone, Zalo; may be empty


class Product(Base):
    """What is sold. ``gtin`` is empty, or 14 digits that GS1 gave; none is ever made up."""

    __tablename__ = "product"
    __table_args__ = (UniqueConstraint("cooperative", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"), index=True)
    producer_id: Mapped[str] = mapped_column(ForeignKey("producer.id"))
    producer: Mapped[Producer] = relationship(lazy="joined")
    name: Mapped[str]
    brand: Mapped[str]
    kind: Mapped[str]
    pack_grams: Mapped[int]
    pack_ml: Mapped[int | None]  # of liquids; pack_grams is then what it weighs
    grams_per_litre: Mapped[int | None]
    shelf_life_days: Mapped[int]
    crop: Mapped[str] = mapped_column(default="")  # of vegetables: what they are
    storage: Mapped[str]
    gtin: Mapped[str | None] = mapped_column(index=True)
    pack_sizes: Mapped[list[int]] = mapped_column(JSON, default=list)  # others, in net.uom
    prices: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)  # dong a pack, by its size
    photo: Mapped[str] = mapped_column(default="")  # SHA-256, under which platform.photos has it
    standard: Mapped[str] = mapped_column(default="")  # TCVN, TCCS …: what it is made by
    origin: Mapped[str] = mapped_column(default="Việt Nam")
    ingredients: Mapped[str] = mapped_column(default="")
    directions: Mapped[str] = mapped_column(default="")
    warnings: Mapped[str] = mapped_column(default="")
    model: Mapped[str] = mapped_column(default="")
    about: Mapped[str] = mapped_column(default="")  # what a seller tells of it
    about_en: Mapped[str] = mapped_column(default="")  # the same in English
    compulsory: Mapped[bool] = mapped_column(default=False)  # the law asks for its trace

    @property
    def net(self) -> Net:
        """What one pack of it holds."""
        return Net(self.pack_grams, self.pack_ml, self.grams_per_litre)

    @property
    def packs(self) -> list[Net]:
        """Every size in which it is sold, the usual one first."""
        density = self.grams_per_litre
        others = (
            Net(size) if self.pack_ml is None or density is None else Net.volume(size, density)
            for size in self.pack_sizes
        )
        return [self.net, *(one for one in others if one.size != self.net.size)]

    def takes(self, lot: "Lot") -> bool:
        """Say whether it may be packed of that lot: noodles of noodles, melon of melon."""
        if lot.kind != packed_from(self.kind):
            return False
        return lot.kind != CROP or same_crop(self.crop, lot.name)

    def keeps_until(self, packed: datetime.date) -> datetime.date:
        """The last day that may be printed as its best-before, packed on that day."""
        days = min(max(self.shelf_life_days, 1), LONGEST_SHELF_DAYS)
        days = min(days, (datetime.date.max - packed).days)  # any day at all can be typed
        return packed + datetime.timedelta(days=days)


def same_crop(one: str, other: str) -> bool:
    """Say whether two people wrote down the same crop; an empty one is no crop."""
    first, second = (
        " ".join(unicodedata.normalize("NFC", crop).casefold().split()) for crop in (one, other)
    )
    return first == second != ""


class Place(Base):
    """Where something grows or is made: a greenhouse, a household's hill plots, a workshop."""

    __tablename__ = "place"

    id: Mapped[str] = mapped_column(primary_key=True)
    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"), index=True)
    kind: Mapped[str]  # greenhouse, hill
    name: Mapped[str]
    greenhouse: Mapped[str | None] = mapped_column(unique=True)
    producer_id: Mapped[str | None] = mapped_column(ForeignKey("producer.id"))
    village: Mapped[str]
    commune: Mapped[str]
    province: Mapped[str]


class Lot(Base):
    """A lot as its events make it. ``made_grams`` is ``None`` for a planting: nobody weighs it.

    ``born_number`` is the number of the event that brought it about. ``labels`` counts every
    label issued for it, ``spoiled`` those that are no more, spoiled or returned: each may be
    printed once more. Where each label is stands in ``labelling_records.LabelAccount``.
    A withdrawn lot keeps its numbers, but nothing can be taken of it and no label printed.

    ``owner`` says whose it is, ``holder`` where it is: the id of a producer or party, or the
    cooperative's slug. Roots brought for milling are the household's and the cooperative holds
    them. A lot never changes its owner: what is bought becomes a lot of its own.

    ``used_grams`` is all that is not there any more (of a packed lot ``packs_gone``). The part of
    it that did not become another lot is ``lost``, ``sampled``, ``away`` or ``destroyed``: grams,
    or packs where the lot is packed.
    """

    __tablename__ = "lot"
    __table_args__ = (
        CheckConstraint("used_grams >= 0", name="used_not_negative"),
        CheckConstraint("made_grams IS NULL OR used_grams <= made_grams", name="stock"),
        CheckConstraint("labels - spoiled <= packs", name="labels_within_packs"),
        CheckConstraint("packs_gone >= 0 AND packs_gone <= packs", name="packs_gone_within_packs"),
        Index("ix_lot_cooperative_kind", "cooperative", "kind"),
    )

    code: Mapped[str] = mapped_column(primary_key=True)
    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"))
    kind: Mapped[str]
    name: Mapped[str]  # crop, or the product's name when it was packed
    at: Mapped[int]
    born_number: Mapped[int] = mapped_column(ForeignKey("event.number"), index=True)
    product_id: Mapped[str | None] = mapped_column(ForeignKey("product.id"), index=True)
    product: Mapped[Product | None] = relationship(lazy="joined")
    producer_id: Mapped[str | None] = mapped_column(ForeignKey("producer.id"))
    producer: Mapped[Producer | None] = relationship(lazy="joined")
    place_id: Mapped[str | None] = mapped_column(ForeignKey("place.id"))
    place: Mapped[Place | None] = relationship(lazy="joined")
    made_grams: Mapped[int | None]
    used_grams: Mapped[int] = mapped_column(default=0)
    packs: Mapped[int] = mapped_column(default=0)
    pack_grams: Mapped[int | None]
    pack_ml: Mapped[int | None]
    grams_per_litre: Mapped[int | None]
    best_before: Mapped[str | None]  # a day, 2027-11-21
    labels: Mapped[int] = mapped_column(default=0)
    spoiled: Mapped[int] = mapped_column(default=0)
    demonstration: Mapped[bool] = mapped_column(default=False)
    withdrawn_at: Mapped[int | None]
    withdrawn_why: Mapped[str | None]
    owner: Mapped[str]
    holder: Mapped[str]
    bought: Mapped[bool] = mapped_column(default=False)  # holds something bought in from outside
    recipe: Mapped[str | None]  # the step that made it, of ``recipes``
    regrouped: Mapped[bool] = mapped_column(default=False)  # split off, merged or bought, not made
    in_grams: Mapped[int | None]  # what went in; None where nothing did
    moisture_permille: Mapped[int | None]  # None where nobody measured
    lost: Mapped[int] = mapped_column(default=0)
    sampled: Mapped[int] = mapped_column(default=0)
    away: Mapped[int] = mapped_column(default=0)
    destroyed: Mapped[int] = mapped_column(default=0)
    packs_gone: Mapped[int] = mapped_column(default=0)
    corrected_at: Mapped[int | None]
    tested: Mapped[str] = mapped_column(default="")  # empty, passed, failed
    recalled_at: Mapped[int | None]
    recalled_why: Mapped[str | None]

    @property
    def packs_left(self) -> int:
        """Packs that are still there."""
        return 0 if self.withdrawn_at is not None else self.packs - self.packs_gone

    @property
    def net(self) -> Net:
        """What one of its packs holds; nothing where it is not packed."""
        return Net(self.pack_grams or 0, self.pack_ml, self.grams_per_litre)

    @property
    def left_grams(self) -> int | None:
        """What can still be taken from the lot; ``None`` where nothing was weighed."""
        if self.made_grams is None:
            return None
        return 0 if self.withdrawn_at is not None else self.made_grams - self.used_grams

    @property
    def labels_left(self) -> int:
        """Labels that may still be printed: packs without a usable label."""
        if (
            self.withdrawn_at is not None
            or self.recalled_at is not None
            or self.tested == "failed"
        ):
            return 0
        return self.packs - (self.labels - self.spoiled)


class Flow(Base):
    """What went from one lot into another. ``grams`` is ``None`` from planting to harvest."""

    __tablename__ = "lot_flow"

    number: Mapped[int] = mapped_column(ForeignKey("event.number"), primary_key=True)
    source: Mapped[str] = mapped_column(ForeignKey("lot.code"), primary_key=True)
    target: Mapped[str] = mapped_column(ForeignKey("lot.code"), primary_key=True, index=True)
    grams: Mapped[int | None]

    __table_args__ = (Index("ix_lot_flow_source", "source"),)


class Printed:
    """All that a file of labels is made of, kept as it was, so that it can be made again.

    The file itself lies in the files folder as ``labels/<id>.pdf`` once it is checked.
    """

    layout: Mapped[str]
    layout_file: Mapped[str | None]  # of a layout of the cooperative's own
    start_cell: Mapped[int]
    base: Mapped[str]  # label_url as it was
    gtin: Mapped[str | None]
    texts: Mapped[dict[str, str]] = mapped_column(JSON)
    logo: Mapped[bytes | None] = mapped_column(LargeBinary)  # as it is printed: PNG or SVG
    mark: Mapped[str | None]  # a collective mark that stands on them


class LabelIssue(Printed, Base):
    """Labels issued together for a lot."""

    __tablename__ = "label_issue"

    id: Mapped[str] = mapped_column(primary_key=True)
    lot: Mapped[str] = mapped_column(ForeignKey("lot.code"), index=True)
    cooperative: Mapped[str] = mapped_column(ForeignKey("cooperative.slug"))
    at: Mapped[int]
    actor: Mapped[str]
    first: Mapped[int]  # running number in the lot
    count: Mapped[int]
    codes: Mapped[str] = mapped_column(
        default=UNIT
    )  # LOT: all carry the lot's address; or SCRATCH
    roll: Mapped[str | None]  # printed before, without a lot: there is no sheet of this issue

    @property
    def last(self) -> int:
        """Running number of the last label."""
        return self.first + self.count - 1


class LabelCode(Base):
    """One label: its serial, its number in the lot, and what became of it.

    The serial of a label whose issue is of codes ``LOT`` stands on no paper.
    """

    __tablename__ = "label_code"
    __table_args__ = (UniqueConstraint("lot", "running"),)

    serial: Mapped[str] = mapped_column(primary_key=True)
    lot: Mapped[str] = mapped_column(ForeignKey("lot.code"))
    running: Mapped[int]
    issue_id: Mapped[str] = mapped_column(ForeignKey("label_issue.id"), index=True)
    spoiled_at: Mapped[int | None]
    applied_at: Mapped[int | None]  # since when it counts as on a pack
    returned_at: Mapped[int | None]

    @property
    def in_hand(self) -> bool:
        """Say whether nobody has told yet what became of it."""
        return self.applied_at is None and self.is_usable

    @property
    def is_usable(self) -> bool:
        """Say whether it is on a pack, or may still come on one."""
        return self.spoiled_at is None and self.returned_at is None
