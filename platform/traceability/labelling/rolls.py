"""Rolls: labels printed long before the packing, without a lot, and bound to one as they are used.

How this works. A roll's serials are stored, and its printing is in the log, before its file can
be fetched. In the packing room somebody scans the first and the last label that went onto packs of
a lot; those and all between them become an issue of that lot, counted against its packs like any
other, and are on packs from then on. A label that is torn in between is bound too and reported
spoiled afterwards. Until then a label of a roll belongs to no lot, and its page says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.store import portions
from nongso.platform.traceability import shaping
from nongso.platform.traceability.errors import AlreadyRecorded, PlaceUnknown, TooManyAtOnce
from nongso.platform.traceability.identifiers import (
    as_typed,
    new_serial,
    printed_address_of_roll,
)
from nongso.platform.traceability.labelling import marks as labelling_marks
from nongso.platform.traceability.labelling import sheets as labelling_sheets
from nongso.platform.traceability.labelling import vouching
from nongso.platform.traceability.labelling.errors import (
    NotOfARoll,
    OtherProduct,
    OtherRoll,
    RollUsed,
)
from nongso.platform.traceability.labelling.issuing import (
    MOST_AT_ONCE,
    check_wanted,
    event_id_of,
    keep,
    mark_of,
    new_serials,
    next_number,
    range_of,
)
from nongso.platform.traceability.labelling.layouts import DEFAULT_LAYOUT
from nongso.platform.traceability.labelling.records import LabelRoll, RollCode
from nongso.platform.traceability.legal import facts as legal_facts
from nongso.platform.traceability.making.operations import Desk, append, known_lot
from nongso.platform.traceability.records import UNIT, LabelCode, LabelIssue, Product

ROLLED = vouching.ROLLED


@dataclass(frozen=True)
class RollWish:
    """So many labels of a product, without a lot."""

    product: str
    count: int
    layout: str = DEFAULT_LAYOUT
    start_cell: int = 1
    mark: str = ""  # a collective mark, by its id


@dataclass(frozen=True)
class Binding:
    """The labels from ``first`` to ``last``, as scanned or typed, went onto packs of ``lot``."""

    lot: str
    first: str
    last: str


def make_roll(
    desk: Desk, id_: str, wish: RollWish, texts: Mapping[str, str], photo: bytes | None = None
) -> LabelRoll:
    """Store the serials of a roll; the same form again is the same roll.

    Raises ``PlaceUnknown``, ``TooManyAtOnce``, ``LabelNotPrintable``, ``AlreadyRecorded``.
    """
    there = labelling_sheets.there(
        desk.session,
        LabelRoll,
        id_,
        product_id=wish.product,
        count=wish.count,
        layout=wish.layout,
        start_cell=wish.start_cell,
        mark=wish.mark or None,
    )
    if there is not None:
        return there
    product = desk.session.get(Product, wish.product)
    if product is None or product.cooperative != desk.cooperative:
        raise PlaceUnknown("product", wish.product)
    if not 1 <= wish.count <= MOST_AT_ONCE:
        raise TooManyAtOnce(MOST_AT_ONCE)
    mark = None
    if wish.mark:
        mark = labelling_marks.refuse_unentitled(
            desk.session, desk.cooperative, wish.mark, product.producer, shaping.day_of(desk.now)
        )
    sample = printed_address_of_roll(desk.base, new_serial(), product.gtin)
    made = LabelRoll(
        id=id_,
        cooperative=desk.cooperative,
        product_id=product.id,
        at=desk.now,
        actor=desk.actor,
        count=wish.count,
        **labelling_sheets.tried(
            desk,
            wish.layout,
            wish.start_cell,
            sample,
            texts,
            product.gtin,
            wish.count,
            photo,
            mark,
        ),
    )
    desk.session.add(made)
    desk.session.flush()
    serials = new_serials(desk.session, wish.count)
    desk.session.add_all(
        RollCode(serial=serial, roll=id_, place=place) for place, serial in enumerate(serials, 1)
    )
    event_id = event_id_of(id_, ROLLED)
    roll = vouching.roll_id(desk.base, id_)
    more = {
        "nongso:labels": wish.count,
        **range_of(1, serials),
        vouching.PRINTED: vouching.digest(made),
    }
    body = shaping.labelling(event_id, desk.now, shaping.LABELS_ROLLED, roll, more)
    append(desk, ROLLED, desk.now, event_id, body, [])
    return made


def file_of_roll(session: Session, made: LabelRoll, files: Path) -> Path:
    """The checked PDF of a committed roll, as ``labelling_sheets.file_of``."""
    return labelling_sheets.file_of(
        made, lambda: addresses_of_roll(session, made), 1, "Tem in sẵn", files
    )


def addresses_of_roll(session: Session, made: LabelRoll) -> list[str]:
    """The printed addresses of a roll, in its order. Raises ``NotAsIssued``."""
    vouching.refuse_changed(session, made, event_id_of(made.id, ROLLED))
    wanted = select(RollCode.serial).where(RollCode.roll == made.id).order_by(RollCode.place)
    return [
        printed_address_of_roll(made.base, serial, made.gtin) for serial in session.scalars(wanted)
    ]


def bind(desk: Desk, id_: str, wish: Binding) -> LabelIssue:
    """Bind a stretch of a roll to a lot: an issue whose labels are on packs.

    The same form again is the same issue. Raises ``NotOfARoll``, ``OtherRoll``, ``RollUsed``,
    ``OtherProduct``, and whatever ``labelling.check_wanted`` raises.
    """
    lot = known_lot(desk, wish.lot)
    first, last = (_code(desk, end) for end in (wish.first, wish.last))
    roll = desk.session.get_one(LabelRoll, first.roll)
    if last.roll != roll.id:
        raise OtherRoll
    # A roll may be unwound from either end.
    low, high = min(first.place, last.place), max(first.place, last.place)
    serials = list(
        desk.session.scalars(
            select(RollCode.serial)
            .where(RollCode.roll == roll.id, RollCode.place.between(low, high))
            .order_by(RollCode.place)
        )
    )
    there = desk.session.get(LabelIssue, id_)
    if there is not None:
        ours = select(LabelCode.serial).where(LabelCode.issue_id == id_)
        bound = set(desk.session.scalars(ours))
        if there.lot != lot.code or bound != set(serials):
            raise AlreadyRecorded
        return there
    for some in portions(serials):
        wanted = select(LabelCode).where(LabelCode.serial.in_(some)).order_by(LabelCode.running)
        used = desk.session.scalars(wanted).first()
        if used is not None:
            raise RollUsed(used.serial, used.lot)
    vouching.refuse_changed(desk.session, roll, event_id_of(roll.id, ROLLED))
    if roll.product_id != lot.product_id:
        raise OtherProduct(desk.session.get_one(Product, roll.product_id).name)
    check_wanted(lot, len(serials), shaping.day_of(desk.now))
    legal_facts.refuse_printing(desk.session, lot)
    mark_of(desk, lot, roll.mark)
    made = LabelIssue(
        id=id_,
        lot=lot.code,
        cooperative=desk.cooperative,
        at=desk.now,
        actor=desk.actor,
        first=next_number(desk.session, lot),
        count=len(serials),
        codes=UNIT,
        roll=roll.id,
        **labelling_sheets.columns(roll),
    )
    keep(desk, lot, made, serials, on_packs=True)
    return made


def _code(desk: Desk, typed: str) -> RollCode:
    """The label of a roll of ours that was scanned (its address) or typed (its serial)."""
    serial = as_typed(typed.strip().rstrip("/").rsplit("/", 1)[-1])
    found = desk.session.get(RollCode, serial)
    if found is not None:
        roll = desk.session.get_one(LabelRoll, found.roll)
        if roll.cooperative == desk.cooperative:
            return found
    raise NotOfARoll(serial)


def used_of(session: Session, rolls: list[str]) -> dict[str, int]:
    """How many labels of each of these rolls are bound."""
    found = dict.fromkeys(rolls, 0)
    for issue in session.scalars(select(LabelIssue).where(LabelIssue.roll.in_(rolls))):
        found[str(issue.roll)] += issue.count
    return found
