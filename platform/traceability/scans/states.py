"""What the books say about the labels of a group of scans, asked for in few questions.

The diary is not asked: that a lot was sprayed is often told when its packs are sold already, and
whoever bought one is no counterfeiter. Of a lot that is held back the label itself is judged.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.traceability import identifiers as ids
from nongso.platform.traceability.labelling import state as labelling_state
from nongso.platform.traceability.records import PACKS, LabelCode, LabelIssue, Lot
from nongso.platform.traceability.scans import signs


class Pack(NamedTuple):
    """A label as it was scanned, the lot of its address, and what the books say about it."""

    lot: Lot
    state: str  # of ``labelling_state``, or ``signs.DESTROYED``


def packs(
    session: Session, asked: Collection[tuple[str, str]], now: int
) -> Mapping[tuple[str, str], Pack]:
    """What the books say about (lot, serial), for those whose lot is ours.

    What does not have the shape of our serials is a slip of a finger and left out; so is what
    names no lot of ours: nobody would know whom to tell.
    """
    wanted = {lot for lot, _serial in asked}
    lots = {one.code: one for one in session.scalars(select(Lot).where(Lot.code.in_(wanted)))}
    serials = {serial for _lot, serial in asked}
    labels = {
        one.serial: one
        for one in session.scalars(select(LabelCode).where(LabelCode.serial.in_(serials)))
    }
    of = {label.issue_id for label in labels.values()}
    # Kept while the labels are looked at, so that the session asks for each of them only once.
    issues = session.scalars(select(LabelIssue).where(LabelIssue.id.in_(of))).all()
    found = {}
    for code, serial in asked:
        lot, label = lots.get(code), labels.get(serial)
        if lot is None or lot.kind != PACKS:
            continue
        if label is not None and label.lot == code:
            state = labelling_state.standing(session, serial, now, to_its_beds=False).state
            gone = lot.destroyed >= lot.packs
            found[code, serial] = Pack(lot, signs.DESTROYED if gone else state)
        elif ids.is_shaped(serial, ids.SERIAL_LETTERS):
            found[code, serial] = Pack(lot, labelling_state.UNKNOWN)
    del issues
    return found
