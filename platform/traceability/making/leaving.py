"""What leaves a lot without becoming another one: losses, and what goes back to its owner.

And who holds a lot: roots that lie at somebody's mill are still ours. A lot is handed over as a
whole; part of it is split off first.

What was recorded wrongly here is undone by an event of its own with a reason, and the stock is
there again.
"""

import datetime
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.events import Event
from nongso.platform.traceability import lots, shaping
from nongso.platform.traceability.errors import (
    AlreadyRecorded,
    BeforeItsSource,
    LotUnknown,
    NothingTaken,
    WrongKind,
)
from nongso.platform.traceability.identifiers import lot_id
from nongso.platform.traceability.making import book as making_book
from nongso.platform.traceability.making.errors import OursAlready
from nongso.platform.traceability.making.operations import (
    Desk,
    append,
    change,
    check_left,
    common,
    day_of,
    digest,
    moment,
    producer_of,
    recorded,
    standing_lot,
    usable,
)
from nongso.platform.traceability.moving import shapes as moving_shapes
from nongso.platform.traceability.records import PACKS, PLANTING, Lot
from nongso.platform.traceability.shaping import Body

DRIED, SPOILT, SPILT, PESTS, COUNTED = "dried", "spoilt", "spilt", "pests", "counted"
CAUSES = (DRIED, SPOILT, SPILT, PESTS, COUNTED)
LOSING = "urn:nongso:bizStep:loss"
_UNDOABLE = {making_book.LOSS: lots.LOST, making_book.HANDED_BACK: lots.AWAY}


@dataclass(frozen=True)
class Loss:
    """So much of a lot is gone. Packs that are spoilt are destroyed (``moving``)."""

    lot: str
    grams: int
    cause: str
    day: datetime.date
    note: str = ""


@dataclass(frozen=True)
class HandBack:
    """A household fetches so much of what was milled for it."""

    lot: str
    grams: int
    day: datetime.date


@dataclass(frozen=True)
class HandOver:
    """A lot goes to a mill, or comes back from it: ``to`` is a producer, or empty for here."""

    lot: str
    to: str
    day: datetime.date


@dataclass(frozen=True)
class Undoing:
    """A loss or a handing back was recorded wrongly; ``event`` is its id."""

    event: str
    why: str


def _said(desk: Desk, wish: Any, lot: Lot) -> Body:
    """What every event here says: it stands on the scale's word."""
    return {"nongso:stated": "weighed", **common(desk, wish, lot.name)}


def lose(desk: Desk, id_: str, wish: Loss) -> Lot:
    """Record a loss, with its cause."""
    if (there := recorded(desk, id_, wish)) is not None:
        return there
    lot = standing_lot(desk, wish.lot)
    if lot.kind in (PACKS, PLANTING) or wish.cause not in CAUSES:
        raise WrongKind(wish.lot, lot.kind)
    if wish.day < day_of(lot):
        raise BeforeItsSource(lot.code, shaping.day_of(lot.at), lot.kind)
    check_left(lot, wish.grams)
    at = moment(wish.day, desk.now)
    quantity = shaping.kilograms(lot_id(desk.base, lot.code), wish.grams)
    more = {**_said(desk, wish, lot), "nongso:cause": wish.cause}
    if wish.note:
        more["nongso:note"] = wish.note
    body = moving_shapes.movement(
        id_, at, LOSING, "non_sellable_other", lots=[quantity], gone=True, more=more
    )
    append(desk, making_book.LOSS, at, id_, body, [lot.code])
    return lot


def hand_back(desk: Desk, id_: str, wish: HandBack) -> Lot:
    """Record that a household took its own away."""
    if (there := recorded(desk, id_, wish)) is not None:
        return there
    lot = usable(desk, wish.lot, (), wish.day)
    if lot.owner == desk.cooperative:
        raise OursAlready(lot.code)
    check_left(lot, wish.grams)
    at = moment(wish.day, desk.now)
    more = {
        **_said(desk, wish, lot),
        "nongso:purpose": "milling",
        **change(desk, desk.cooperative, lot.owner, "possessing_party"),
    }
    quantity = shaping.kilograms(lot_id(desk.base, lot.code), wish.grams)
    body = moving_shapes.movement(id_, at, "shipping", "in_transit", lots=[quantity], more=more)
    append(desk, making_book.HANDED_BACK, at, id_, body, [lot.code])
    return lot


def hand_over(desk: Desk, id_: str, wish: HandOver) -> Lot:
    """Record that a lot goes to a mill for milling, or that it is here again."""
    if (there := recorded(desk, id_, wish)) is not None:
        return there
    lot = usable(desk, wish.lot, (), wish.day, anywhere=True)
    if lot.kind in (PACKS, PLANTING):
        raise WrongKind(lot.code, lot.kind)
    to = producer_of(desk, wish.to).id if wish.to else desk.cooperative
    if to == lot.holder:
        raise NothingTaken(f"{lot.code} is there already")
    at, is_back = moment(wish.day, desk.now), to == desk.cooperative
    more = {
        **_said(desk, wish, lot),
        "nongso:holder": to,
        "nongso:purpose": "milling",
        **change(desk, lot.holder, to, "possessing_party"),
    }
    quantity = shaping.kilograms(lot_id(desk.base, lot.code), lot.left_grams)
    step, disposition = ("receiving", "in_progress") if is_back else ("shipping", "in_transit")
    body = moving_shapes.movement(id_, at, step, disposition, lots=[quantity], more=more)
    append(desk, making_book.HANDED_OVER, at, id_, body, [lot.code])
    return lot


def undo(desk: Desk, id_: str, wish: Undoing) -> Lot:
    """Declare a loss or a handing back to be wrong; what it took is in stock again."""
    if (there := recorded(desk, id_, wish)) is not None:
        return there
    wrong = desk.session.scalar(select(Event).where(Event.id == wish.event))
    if wrong is None or wrong.cooperative != desk.cooperative or wrong.type not in _UNDOABLE:
        raise LotUnknown("")
    code = lots.lot_in(wrong.body)
    if wish.event in undone(desk.session, code):
        raise AlreadyRecorded
    body = {
        **shaping.error(wrong.body, desk.now, wish.why),
        "nongso:undone": _UNDOABLE[wrong.type],
        "nongso:undoes": wish.event,
        "nongso:form": digest(wish),
    }
    append(desk, making_book.UNDONE, desk.now, id_, body, [code])
    return desk.session.get_one(Lot, code)


def undone(session: Session, code: str) -> set[str]:
    """Events about a lot that were undone."""
    return {
        event.body["nongso:undoes"] for event in lots.about(session, code, (making_book.UNDONE,))
    }
