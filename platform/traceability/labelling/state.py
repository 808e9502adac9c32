"""What a label is worth: the one answer for whoever scans a serial.

``standing`` reads only; the consumer page turns its word into a sentence. What is said of the lot
comes before what is said of the label: a recalled pack is recalled whatever its label is.
"""

from dataclasses import dataclass

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from nongso.platform.languages import day_of
from nongso.platform.traceability import shaping
from nongso.platform.traceability.identifiers import SERIAL_LETTERS, as_typed, is_shaped
from nongso.platform.traceability.labelling.records import LabelRoll, RollCode
from nongso.platform.traceability.records import LOT, LabelCode, LabelIssue, Lot
from nongso.platform.traceability.seasons.withholding import withholding
from nongso.platform.traceability.testing import holding
from nongso.platform.traceability.testing.records import FAILED as TEST_FAILED

UNKNOWN = "unknown"  # no label with this serial was ever printed
WITHDRAWN = "withdrawn"  # the lot's record was withdrawn: its labels are worth nothing
RECALLED = "recalled"
FAILED = "failed"  # the lot failed a test and is held back
NOT_BOUND = "not_bound"  # of a roll printed without a lot, and not yet given one
HELD_BACK = "held_back"  # gathered before a spraying's interval was over, as the diary says now
SPOILED = "spoiled"  # reported unusable; a pack with it is none of the cooperative's
RETURNED = "returned"  # given back unused; the same
NOT_ACTIVATED = "not_activated"  # printed; nobody has confirmed that it is on a pack
EXPIRED = "expired"  # past the lot's best-before day
ACTIVE = "active"


# Made once: whoever invents serials has this asked each time.
_NOT_BOUND = (
    select(LabelRoll.at, LabelRoll.product_id)
    .join(RollCode, RollCode.roll == LabelRoll.id)
    .where(
        RollCode.serial == bindparam("serial"),
        ~select(LabelCode.serial).where(LabelCode.serial == RollCode.serial).exists(),
    )
)


@dataclass(frozen=True)
class Standing:
    """What is known of a serial. ``since`` is when it came to this, where that is known."""

    state: str
    serial: str
    lot: str | None = None
    since: int | None = None
    product: str | None = None  # of a label that is not bound: what its roll was printed for


def was_gathered_too_early(session: Session, code: str) -> bool:
    """Whether a packed lot is held back by a spraying that the diary told after it was packed."""
    lot = session.get_one(Lot, code)
    return bool(withholding(session, code, day_of(lot.at)))


def standing(session: Session, serial: str, now: int, to_its_beds: bool = True) -> Standing:
    """Say what a serial is worth at ``now``, however it was typed.

    ``to_its_beds``: ask the diary too, which follows a lot back to where it grew. Without it no
    label is ``held_back``, and what is said is about the label itself.
    """
    serial = as_typed(serial)
    code = session.get(LabelCode, serial)
    if code is None and (unbound := not_bound(session, serial)) is not None:
        return unbound
    made = session.get(LabelIssue, code.issue_id) if code is not None else None
    if code is None or made is None or made.codes == LOT:  # such a serial stands on no paper
        return Standing(UNKNOWN, serial)
    lot = session.get_one(Lot, code.lot)
    too_early = to_its_beds and was_gathered_too_early(session, lot.code)
    state, since = _state(lot, code, now, too_early)
    return Standing(state, serial, lot.code, since)


def not_bound(session: Session, serial: str) -> Standing | None:
    """Tell of a label of a roll that has no lot yet; ``None`` for any other serial.

    What does not have the shape of a serial is not looked for.
    """
    serial = as_typed(serial)
    if not is_shaped(serial, SERIAL_LETTERS):
        return None
    found = session.execute(_NOT_BOUND, {"serial": serial}).first()
    return None if found is None else Standing(NOT_BOUND, serial, None, *found)


def _state(lot: Lot, code: LabelCode, now: int, too_early: bool) -> tuple[str, int | None]:
    if lot.withdrawn_at is not None:
        return WITHDRAWN, lot.withdrawn_at
    if lot.recalled_at is not None:
        return RECALLED, lot.recalled_at
    if holding.kind_of(lot) == TEST_FAILED:
        return FAILED, None
    if too_early:
        return HELD_BACK, None
    if code.spoiled_at is not None:
        return SPOILED, code.spoiled_at
    if code.returned_at is not None:
        return RETURNED, code.returned_at
    if code.applied_at is None:
        return NOT_ACTIVATED, None
    if lot.best_before is not None and lot.best_before < shaping.day_of(now):
        return EXPIRED, None
    return ACTIVE, code.applied_at
