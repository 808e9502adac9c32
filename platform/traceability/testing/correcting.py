"""Correcting a laboratory's result that was recorded wrongly, by new events.

Nothing is edited. The first event declares the old one to be wrong, with a reason (EPCIS:
``errorDeclaration``), and names the second, which says what the laboratory did find; where the
result was not this lot's at all there is no second. Both results stay readable.

What is held back follows anew. What the wrong result held is free, unless something else holds
it; what it had let go is held again, with all that has been made of it since. The right result
then holds back or lets go as any result does, also what is packed and sold by now. A recall that
was begun stays until somebody ends it: people have been called.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.events import Event
from nongso.platform.languages import day_of
from nongso.platform.store import portions
from nongso.platform.traceability import shaping
from nongso.platform.traceability.errors import AlreadyRecorded
from nongso.platform.traceability.making.operations import Desk, append, digest
from nongso.platform.traceability.moving import goods as moving
from nongso.platform.traceability.moving.errors import NotCorrected
from nongso.platform.traceability.shaping import Body
from nongso.platform.traceability.testing import book as testing_book
from nongso.platform.traceability.testing import holding, laboratory
from nongso.platform.traceability.testing.laboratory import Result
from nongso.platform.traceability.testing.records import FAILED, PASSED, LabTest, LotHold
from nongso.platform.traceability.tracing.trace import reach


@dataclass(frozen=True)
class Correction:
    """What was wrong and why. ``right`` is what the laboratory found, ``None``: not this lot."""

    test: str
    why: str
    right: Result | None


def said_of(session: Session, test: LabTest) -> Result:
    """What was recorded of a test, as its event says it."""
    event = session.scalars(select(Event).where(Event.id == test.id)).one()
    body = event.body
    return Result(
        lot=test.lot,
        laboratory=test.laboratory,
        report_number=test.report_number,
        what=test.what,
        value=test.value,
        unit=test.unit,
        limit=test.limit,
        conformant=test.conformant,
        day=day_of(test.at),
        file_sha256=test.file_sha256 or "",
        file_name=test.file_name or "",
        lifted_why=body.get("nongso:why", ""),
        above_why=body.get("nongso:aboveWhy", ""),
    )


def correct(desk: Desk, id_: str, wish: Correction) -> LabTest:
    """Correct a test; the same form again is one correction. Raises ``NotCorrected``.

    Raises what ``laboratory.record`` raises for the right result too. Returns the wrong test.
    """
    declared_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{id_}/declared"))
    test = desk.session.get(LabTest, wish.test)
    if test is None or test.cooperative != desk.cooperative:
        raise NotCorrected(wish.test, "unknown")
    if (there := desk.session.scalar(select(Event).where(Event.id == declared_id))) is not None:
        if there.body["errorDeclaration"].get("nongso:form") != digest(wish):
            raise AlreadyRecorded
        return test
    moving.own_lot(desk, test.lot)
    if test.wrong_at is not None:
        raise NotCorrected(test.id, "wrong")
    right = None if wish.right is None else replace(wish.right, lot=test.lot)
    if right == said_of(desk.session, test):
        raise NotCorrected(test.id, "same")
    _declare(desk, declared_id, test, wish, f"urn:uuid:{id_}" if right else "")
    if right is not None:
        more = {**moving.common(desk, wish), "nongso:corrects": f"urn:uuid:{test.id}"}
        laboratory.enter(desk, id_, right, testing_book.TEST_CORRECTED, more)
    return test


def _declare(desk: Desk, id_: str, test: LabTest, wish: Correction, corrective: str) -> None:
    """Append the event that says a test was recorded wrongly, and what follows from that."""
    event = desk.session.scalars(select(Event).where(Event.id == test.id)).one()
    body = shaping.error(event.body, desk.now, wish.why)
    lifts = _held_by(desk.session, test.id)
    again = _hold_again(desk, {cause for cause, _lot in event.body.get("nongso:lifts", ())})
    touched = dict.fromkeys([test.lot, *(lot for _cause, lot in (*lifts, *again))])
    body["errorDeclaration"] |= {
        "reason": "incorrect_data" if corrective else "did_not_occur",
        **({"correctiveEventIDs": [corrective]} if corrective else {}),
        "nongso:form": digest(wish),
        "nongso:lifts": lifts,
        "nongso:holdsAgain": again,
        "nongso:tested": _standing(desk.session, test, touched, {lot for _cause, lot in again}),
    }
    before = (*event.body.get("nongso:holds", ()), *(lot for _, lot in _lifted(event.body)))
    codes = list(dict.fromkeys([*touched, *before]))
    append(desk, testing_book.TEST_WRONG, desk.now, id_, body, codes)


def _lifted(body: Body) -> list[list[str]]:
    found: list[list[str]] = body.get("nongso:lifts", [])
    return found


def _held_by(session: Session, cause: str) -> list[list[str]]:
    wanted = select(LotHold.lot).where(LotHold.cause == cause, LotHold.until.is_(None))
    return [[cause, lot] for lot in session.scalars(wanted.order_by(LotHold.lot))]


def _hold_again(desk: Desk, causes: Iterable[str]) -> list[list[str]]:
    """What failed tests hold anew that this one had let go, if they were not wrong themselves."""
    found = []
    for cause in sorted(causes):
        failed = desk.session.get_one(LabTest, cause)
        if failed.wrong_at is None:
            made = reach(desk.session, [failed.lot], "forward").standing
            found += [[cause, one.code] for one in made]
    return found


def _standing(
    session: Session, wrong: LabTest, codes: Iterable[str], again: set[str]
) -> list[list[str]]:
    """How each lot stands when the wrong test counts no more."""
    lots = list(codes)
    others = {
        one.lot for one in holding.open_holds(session, lots, FAILED) if one.cause != wrong.id
    } | again
    passed = set()
    for some in portions(lots):
        wanted = select(LabTest.lot).where(
            LabTest.lot.in_(some),
            LabTest.conformant,
            LabTest.wrong_at.is_(None),
            LabTest.id != wrong.id,
        )
        passed |= set(session.scalars(wanted))
    return [
        [code, FAILED if code in others else PASSED if code in passed else ""] for code in lots
    ]
