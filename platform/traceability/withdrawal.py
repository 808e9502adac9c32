"""Withdrawing a record that was wrong: declared and appended, never deleted.

Only the last step of a lot: while something that was made of it stands, that is withdrawn
first. What went in is in stock again. Labels that are out cannot be called back, but they
belong to the lot, so that their page says at once that they are not valid, and why.

Of a step that was corrected, what is withdrawn is the correction: it says what went in.
"""

import uuid

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.events import Event
from nongso.platform.traceability import lots, shaping
from nongso.platform.traceability.errors import (
    AlreadyRecorded,
    UsedAlready,
    Withdrawn,
)
from nongso.platform.traceability.identifiers import lot_of
from nongso.platform.traceability.making.correcting import made_by
from nongso.platform.traceability.making.errors import Contradicted
from nongso.platform.traceability.making.operations import Desk, append, known_lot
from nongso.platform.traceability.moving.errors import StillOut
from nongso.platform.traceability.records import Flow, Lot
from nongso.platform.traceability.testing import holding


def withdraw(desk: Desk, id_: str, code: str, why: str) -> Lot:
    """Withdraw a lot. Raises ``UsedAlready`` and ``Withdrawn``; the same form again is one."""
    lot = known_lot(desk, code)
    there = desk.session.scalar(select(Event).where(Event.id == id_))
    if there is not None:
        if there.type != lots.WITHDRAWN or (lots.made_by(there.body), lot.withdrawn_why) != (
            code,
            why,
        ):
            raise AlreadyRecorded
        return lot
    if lot.withdrawn_at is not None:
        raise Withdrawn(code)
    made = made_of(desk.session, code)
    if made:
        raise UsedAlready(code, made)
    if lot.away or lot.sampled or lot.destroyed or lot.packs_gone:
        raise Contradicted(code, "left")
    if holding.is_busy(desk.session, code):
        raise StillOut(code)
    *before, last = made_by(desk.session, code)
    for event in before:
        # A weigh-in is two events; the form's own number stands for the last one.
        _declare(desk, str(uuid.uuid5(uuid.NAMESPACE_URL, f"{id_}/{event.id}")), event, why)
    _declare(desk, id_, last, why)
    return lot


def made_of(session: Session, code: str) -> list[str]:
    """Lots that were made of this one and still stand."""
    standing = (
        select(Lot.code)
        .join(Flow, Flow.target == Lot.code)
        .where(Flow.source == code, Lot.withdrawn_at.is_(None))
        .order_by(Lot.born_number)
    )
    return list(session.scalars(standing))


def _declare(desk: Desk, id_: str, wrong: Event, why: str) -> None:
    codes = [lots.made_by(wrong.body)]
    codes += [lot_of(one["epcClass"]) for one in wrong.body.get("inputQuantityList", ())]
    append(desk, lots.WITHDRAWN, desk.now, id_, shaping.error(wrong.body, desk.now, why), codes)
