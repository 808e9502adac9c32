"""Samples and laboratory tests of a lot.

A sample leaves the stock and does not come back, so that the balance closes. A test that failed
holds back the lot and everything that was made of it; nobody may use, pack, print, sell or send
it. Only a later test of the same thing that passed, with a reason why the first one no longer
counts, lets go again. The result stands on the laboratory's word, never on ours.
"""

import datetime
import hashlib
import uuid
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.traceability.errors import WrongKind
from nongso.platform.traceability.identifiers import lot_id
from nongso.platform.traceability.making.operations import Desk, append, moment
from nongso.platform.traceability.moving import goods as moving
from nongso.platform.traceability.moving import shapes as moving_shapes
from nongso.platform.traceability.moving.errors import AboveLimit, WhyLifted
from nongso.platform.traceability.records import PLANTING, Lot
from nongso.platform.traceability.registry import certificate_files as certificates_files
from nongso.platform.traceability.shaping import Body
from nongso.platform.traceability.testing import book as testing_book
from nongso.platform.traceability.testing import holding, limits
from nongso.platform.traceability.testing.records import FAILED, LabTest, LotHold, Sample
from nongso.platform.traceability.tracing.trace import reach
from nongso.platform.wholefile import write_whole

# The first bytes of what is kept: a scan or a PDF. PNG is of before photos were written anew.
_STARTS = {b"%PDF-": "pdf", b"\xff\xd8\xff": "jpg", b"\x89PNG\r\n\x1a\n": "png"}
TYPES = {"pdf": "application/pdf", "jpg": "image/jpeg", "png": "image/png"}


@dataclass(frozen=True)
class Taking:
    """A sample: packs of a packed lot, grams of another."""

    lot: str
    packs: int
    grams: int
    laboratory: str
    day: datetime.date


@dataclass(frozen=True)
class Result:
    """What a laboratory found. ``lifted_why`` is asked for where an earlier test had failed."""

    lot: str
    laboratory: str
    report_number: str
    what: str
    value: str
    unit: str
    limit: str
    conformant: bool
    day: datetime.date
    file_sha256: str = ""
    file_name: str = ""
    lifted_why: str = ""
    above_why: str = ""  # why it conforms although its number is above the limit

    @property
    def is_above(self) -> bool:
        """Whether what was found is, or may be, more than what is allowed."""
        return limits.is_above(self.value, self.limit)


def sample(desk: Desk, id_: str, wish: Taking) -> Sample:
    """Take a sample. A lot that is held back may be sampled: that is how it is cleared."""
    if moving.recorded(desk, id_, wish) is not None:
        return desk.session.get_one(Sample, id_)
    lot = moving.own_lot(desk, wish.lot)
    if lot.kind == PLANTING:
        raise WrongKind(lot.code, lot.kind)
    moving.check_day(wish.day, lot.at)
    taken = moving.Amount(lot.code, wish.packs, wish.grams)
    moving.check_amount(lot, taken)
    moving.check_in_store(desk, lot, taken)
    at = moment(wish.day, desk.now)
    amount = moving.quantity(desk, taken)
    more = {**moving.common(desk, wish), "nongso:laboratory": wish.laboratory}
    body = moving_shapes.movement(id_, at, "sampling", "in_progress", lots=[amount], more=more)
    append(desk, testing_book.SAMPLED, at, id_, body, [lot.code])
    used = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{id_}/used"))
    body = moving_shapes.movement(
        used,
        at,
        "destroying",
        "destroyed",
        lots=[amount],
        gone=True,
        more={"nongso:sample": id_},
    )
    append(desk, testing_book.SAMPLE_USED, at, used, body, [lot.code])
    return desk.session.get_one(Sample, id_)


def record(desk: Desk, id_: str, wish: Result) -> LabTest:
    """Record a test.

    Raises ``WhyLifted`` where a passed test would clear a failed one unsaid, ``AboveLimit`` where
    a result above the limit would pass unsaid.
    """
    if moving.recorded(desk, id_, wish) is not None:
        return desk.session.get_one(LabTest, id_)
    enter(desk, id_, wish, testing_book.TESTED, moving.common(desk, wish))
    return desk.session.get_one(LabTest, id_)


def enter(desk: Desk, id_: str, wish: Result, type_: str, more: Body) -> None:
    """Check a result and append its event, with what it holds back or lets go. Raises as above."""
    if wish.conformant and wish.is_above and not wish.above_why:
        raise AboveLimit(wish.value, wish.limit)
    lot = moving.own_lot(desk, wish.lot)
    moving.check_day(wish.day, lot.at)
    at = moment(wish.day, desk.now)
    body = moving_shapes.movement(
        id_,
        at,
        "inspecting",
        "conformant" if wish.conformant else "non_conformant",
        lots=[{"epcClass": lot_id(desk.base, lot.code)}],
        papers=[("testres", moving_shapes.document_id(desk.base, wish.report_number or id_))],
        more={**more, **_said(wish)},
    )
    if wish.conformant:
        body |= _lifting(desk, lot, wish)
        held = [code for _cause, code in body.get("nongso:lifts", ())]
    else:
        held = [one.code for one in reach(desk.session, [lot.code], "forward").standing]
        body["nongso:holds"] = held
    append(desk, type_, at, id_, body, list(dict.fromkeys([lot.code, *held])))


def _said(wish: Result) -> Body:
    found: Body = {
        "nongso:stated": "laboratory",
        "nongso:laboratory": wish.laboratory,
        "nongso:reportNumber": wish.report_number,
        "nongso:what": wish.what,
        "nongso:value": wish.value,
        "nongso:unit": wish.unit,
        "nongso:limit": wish.limit,
    }
    if wish.above_why:
        found["nongso:aboveWhy"] = wish.above_why
    if wish.file_sha256:
        found["nongso:report"] = {"sha256": wish.file_sha256, "name": wish.file_name}
    return found


def failed_before(session: Session, lot: str, what: str = "") -> list[LabTest]:
    """Tests of a lot that failed and still hold it back; of one thing where it is named."""
    wanted = (
        select(LabTest)
        .join(LotHold, LotHold.cause == LabTest.id)
        .where(LabTest.lot == lot, LotHold.lot == lot, LotHold.until.is_(None))
        .order_by(LabTest.at, LabTest.id)
    )
    found = session.scalars(wanted)
    return [one for one in found if not what or _same(one.what, what)]


def _same(one: str, other: str) -> bool:
    return " ".join(one.casefold().split()) == " ".join(other.casefold().split())


def _lifting(desk: Desk, lot: Lot, wish: Result) -> Body:
    """What a passed test lets go: every hold of the failed tests of the same thing."""
    causes = [one.id for one in failed_before(desk.session, lot.code, wish.what)]
    if not causes:
        return {}
    if not wish.lifted_why:
        raise WhyLifted
    lifts = list(
        desk.session.scalars(
            select(LotHold).where(LotHold.cause.in_(causes), LotHold.until.is_(None))
        )
    )
    codes = sorted({one.lot for one in lifts})
    others = {
        one.lot
        for one in holding.open_holds(desk.session, codes, FAILED)
        if one.cause not in causes
    }
    return {
        "nongso:lifts": sorted([one.cause, one.lot] for one in lifts),
        "nongso:freed": [code for code in codes if code not in others],
        "nongso:why": wish.lifted_why,
    }


def keep_report(folder: Path, data: bytes) -> str:
    """Keep a laboratory's file under its digest and return that. Raises ``BadPaper``.

    It is what a scanned certificate may be: a photo of it keeps neither place nor phone.
    """
    data, _type = certificates_files.clean(data)
    sha256 = hashlib.sha256(data).hexdigest()
    file = report_file(folder, sha256)
    if not file.exists():
        write_whole(file, data)
    return sha256


def report_file(folder: Path, sha256: str) -> Path:
    """Where a report lies."""
    return folder / "reports" / sha256[:2] / sha256


def media_type(data: bytes) -> str:
    """What a kept report is."""
    return next(TYPES[kind] for start, kind in _STARTS.items() if data.startswith(start))
