"""Accounts of packs that are not what the events make of them, put right by an event.

The first versions left an account as it was when the number of packs of its lot was corrected;
the stream, read by today's rule, says something else. A derived row is never edited, so the
operator lets this append ``lot.account_set_right`` (``nongso trace recount``): it says where the
packs are by the stream, and why it was written. Read again from the stream it changes nothing; in
the table it puts the account right. What is right already gets no event, so that twice is once.

Two things are not put right so. A lot that itself is not what the stream says was changed by hand:
that is a case for the backup. And where more packs are in cartons or away than there are at all,
people have to say first how it really is: open cartons, or correct the number of packs.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.traceability import book as books
from nongso.platform.traceability import lots, shaping
from nongso.platform.traceability.book import Memory
from nongso.platform.traceability.identifiers import lot_id
from nongso.platform.traceability.making.operations import Desk, append
from nongso.platform.traceability.moving import book as moving_book
from nongso.platform.traceability.moving import shapes as moving_shapes
from nongso.platform.traceability.moving.records import PackAccount
from nongso.platform.traceability.records import Lot

ACTOR = "operator"
LOT_DIFFERS, BELOW_ZERO = "lot_differs", "below_zero"


@dataclass(frozen=True)
class Wrong:
    """An account that is not what the stream says. ``refused`` is why no event puts it right."""

    lot: str
    should: dict[str, int]
    refused: str = ""


def is_of_an_account(difference: str) -> bool:
    """Whether a line of ``lots.differences`` speaks of an account of packs."""
    return difference.startswith(f"{PackAccount.__tablename__} ")


def wrong(session: Session) -> list[Wrong]:
    """The accounts that are wrong, by lot. Reads the whole stream."""
    book = lots.remake(session)
    return list(_wrong(session, book))


def _wrong(session: Session, book: Memory) -> Iterator[Wrong]:
    kept = {one.lot: one for one in session.scalars(select(PackAccount))}
    noted: dict[tuple[str], PackAccount] = book.kept.get(PackAccount, {})
    for code in sorted({*kept, *(key[0] for key in noted)}):
        lot = book.lots.get(code)
        if lot is None:
            yield Wrong(code, {}, LOT_DIFFERS)
            continue
        should = _places(noted.get((code,)) or moving_book.fresh_account(lot))
        if code in kept and (code,) in noted and _places(kept[code]) == should:
            continue
        there = session.get(Lot, code)
        if there is None or books.differences(Lot, [there], Memory({Lot: {(code,): lot}})):
            yield Wrong(code, should, LOT_DIFFERS)
        elif min(should.values()) < 0:
            yield Wrong(code, should, BELOW_ZERO)
        else:
            yield Wrong(code, should)


def _places(found: PackAccount) -> dict[str, int]:
    return {name: getattr(found, name) for name in moving_book.PLACES}


def set_right(session: Session, base: str, now: int, why: str) -> list[Wrong]:
    """Put right what can be, inside ``transaction()``; return all that was wrong."""
    found = wrong(session)
    for one in found:
        if one.refused:
            continue
        lot = session.get_one(Lot, one.lot)
        desk = Desk(session, lot.cooperative, ACTOR, base, now, lot.demonstration)
        _append(desk, one, why)
    return found


def _append(desk: Desk, one: Wrong, why: str) -> None:
    id_ = str(uuid.uuid4())
    more: shaping.Body = {"nongso:account": one.should, "nongso:why": why}
    if desk.demonstration:
        more["nongso:demonstration"] = True
    quantity = shaping.pieces(lot_id(desk.base, one.lot), one.should["packs"])
    body = moving_shapes.counting(id_, desk.now, quantity, more)
    append(desk, moving_book.SET_RIGHT, desk.now, id_, body, [one.lot])
