"""Labels of a lot: counted against its packs, stored before they are printed, printed once.

How this works. ``issue`` checks the number against the packs, draws serials, and commits codes,
range and event in one transaction; ``file_of`` makes the PDF of what was committed
(``labelling_sheets``). The same form sent twice finds the issue that is there. A label on paper
therefore always has its row, and no row ever gets two labels.

What becomes of the labels afterwards (stuck on packs, spoiled, returned) is told to
``nongso.platform.traceability.labelling.account``.
"""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from nongso.platform import restored
from nongso.platform.events import EventSubject
from nongso.platform.languages import day_of
from nongso.platform.store import portions
from nongso.platform.traceability import lots, shaping
from nongso.platform.traceability.errors import (
    NotPacked,
    TooManyAtOnce,
    TooManyLabels,
    Withdrawn,
)
from nongso.platform.traceability.identifiers import lot_id, new_serial, printed_address
from nongso.platform.traceability.labelling import marks as labelling_marks
from nongso.platform.traceability.labelling import sheets as labelling_sheets
from nongso.platform.traceability.labelling import vouching
from nongso.platform.traceability.labelling.layouts import DEFAULT_LAYOUT
from nongso.platform.traceability.labelling.records import CollectiveMark, RollCode
from nongso.platform.traceability.legal import facts as legal_facts
from nongso.platform.traceability.making.errors import Unusable
from nongso.platform.traceability.making.operations import Desk, append, known_lot
from nongso.platform.traceability.records import LOT, SCRATCH, UNIT, LabelCode, LabelIssue, Lot
from nongso.platform.traceability.seasons import withholding
from nongso.platform.traceability.testing import holding

CODES = (LOT, UNIT, SCRATCH)
MOST_AT_ONCE = 5000  # labels of one issue; a sheet that takes minutes is printed in parts


@dataclass(frozen=True)
class Wish:
    """So many labels, on that layout, from that cell on.

    ``codes`` says what each code tells: ``LOT``, which pages and programs are given unless they
    ask for more, ``UNIT``, a serial of each pack's own, or ``SCRATCH``, the same with a scratch
    code (``scratch``).
    """

    lot: str
    count: int
    layout: str = DEFAULT_LAYOUT
    start_cell: int = 1
    codes: str = UNIT
    mark: str = ""  # a collective mark, by its id


def new_serials(session: Session, count: int) -> list[str]:
    """Draw numbers that no label of ours has, however unlikely that is."""
    drawn: set[str] = set()
    while len(drawn) < count:
        drawn |= {new_serial() for _ in range(count - len(drawn))}
        for some in portions(sorted(drawn)):
            for of in (LabelCode.serial, RollCode.serial):
                drawn -= set(session.scalars(select(of).where(of.in_(some))))
    return list(drawn)


def check_wanted(lot: Lot, count: int, today: str) -> None:
    """Raise unless so many labels may be issued for the lot."""
    if lot.withdrawn_at is not None:
        raise Withdrawn(lot.code)
    holding.check(lot)
    if lot.best_before is not None and lot.best_before < today:
        raise Unusable(lot.code, "expired")
    if lot.packs == 0:
        raise NotPacked(lot.code)
    if count > MOST_AT_ONCE and count <= lot.labels_left:
        raise TooManyAtOnce(MOST_AT_ONCE)
    if not 1 <= count <= lot.labels_left:
        raise TooManyLabels(lot.packs, lot.labels - lot.spoiled, lot.labels_left, count)


def issue(
    desk: Desk, id_: str, wish: Wish, texts: Mapping[str, str], photo: bytes | None = None
) -> LabelIssue:
    """Issue labels: codes and range are stored when the caller's transaction ends.

    ``texts`` is what stands beside the code, block by block; ``photo`` the product's picture, for
    layouts with a place for it. Raises ``TooManyLabels``, ``NotPacked``, ``HeldBack``,
    ``LegallyMissing``, ``NotEntitled``, ``LabelNotPrintable``, ``NoScratchPlace``,
    ``AlreadyRecorded``.
    """
    lot = known_lot(desk, wish.lot)
    there = labelling_sheets.there(
        desk.session,
        LabelIssue,
        id_,
        lot=wish.lot,
        count=wish.count,
        layout=wish.layout,
        start_cell=wish.start_cell,
        codes=wish.codes,
        mark=wish.mark or None,
    )
    if there is not None:
        return there
    check_wanted(lot, wish.count, shaping.day_of(desk.now))
    withholding.refuse_held_back(desk.session, lot.code, day_of(lot.at), "pack")
    legal_facts.refuse_printing(desk.session, lot)
    mark = mark_of(desk, lot, wish.mark)
    gtin = lot.product.gtin if lot.product is not None else None
    first = next_number(desk.session, lot)
    sample = None if wish.codes == LOT else new_serial()
    address = printed_address(desk.base, lot.code, sample, gtin)
    last = first + wish.count - 1
    made = LabelIssue(
        id=id_,
        lot=lot.code,
        cooperative=desk.cooperative,
        at=desk.now,
        actor=desk.actor,
        first=first,
        count=wish.count,
        codes=wish.codes,
        **labelling_sheets.tried(
            desk,
            wish.layout,
            wish.start_cell,
            address,
            texts,
            gtin,
            last,
            photo,
            mark,
            wish.codes == SCRATCH,
        ),
    )
    keep(desk, lot, made, new_serials(desk.session, wish.count))
    return made


def mark_of(desk: Desk, lot: Lot, mark: str | None) -> CollectiveMark | None:
    """The collective mark that labels of a lot shall carry. Raises ``NotEntitled``."""
    if not mark:
        return None
    producer = lot.product.producer if lot.product is not None else lot.producer
    packed = shaping.day_of(lot.at)
    return labelling_marks.refuse_unentitled(
        desk.session, desk.cooperative, mark, producer, packed
    )


def next_number(session: Session, lot: Lot) -> int:
    """The number in the lot that its next label gets.

    Labels printed between a backup and its coming back are on paper and in no record: the first
    number after it lies behind all that the lot's packs can have been given.
    """
    last = session.scalar(select(func.max(LabelCode.running)).where(LabelCode.lot == lot.code))
    if not _may_have_unknown_labels(session, lot):
        return (last or 0) + 1
    return (max(last or 0, 2 * lot.packs) // 1000 + 1) * 1000 + 1


def _may_have_unknown_labels(session: Session, lot: Lot) -> bool:
    """Whether records were put back from a backup since the lot's last labels were issued."""
    back = restored.last(session, lot.cooperative)
    if back is None:
        return False
    begun = session.scalar(
        select(func.min(EventSubject.number)).where(EventSubject.subject == f"lot:{lot.code}")
    )
    issued_at = session.scalar(select(func.max(LabelIssue.at)).where(LabelIssue.lot == lot.code))
    return (begun or 0) < back.number and (issued_at or 0) <= back.recorded_at


def keep(
    desk: Desk, lot: Lot, made: LabelIssue, serials: Sequence[str], on_packs: bool = False
) -> None:
    """Store an issue with its codes, and append the event that counts them."""
    desk.session.add(made)
    desk.session.flush()
    applied_at = desk.now if on_packs else None
    desk.session.add_all(
        LabelCode(
            serial=serial,
            lot=lot.code,
            running=running,
            issue_id=made.id,
            applied_at=applied_at,
        )
        for running, serial in enumerate(serials, made.first)
    )
    more = {**range_of(made.first, serials), "nongso:awaits": not on_packs}
    more[vouching.PRINTED] = vouching.digest(made)
    if made.codes == SCRATCH:
        more["nongso:scratch"] = True  # of the codes themselves nothing enters the stream
    note(desk, lot, shaping.LABELLING, lots.LABELLED, made.id, made.count, more)


def range_of(first: int, serials: Sequence[str]) -> shaping.Body:
    """What the stream keeps of a range: its ends and a digest of its serials, in order."""
    return {
        "nongso:first": first,
        "nongso:last": first + len(serials) - 1,
        "nongso:serialsSha256": hashlib.sha256("\n".join(serials).encode()).hexdigest(),
    }


def event_id_of(id_: str, type_: str) -> str:
    """The id of a form's event, so that the form's own and each of its events' are unique."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{id_}/{type_}"))


def note(
    desk: Desk, lot: Lot, step: str, type_: str, id_: str, count: int, more: shaping.Body
) -> None:
    """Append what happened to so many labels of a lot."""
    event_id = event_id_of(id_, type_)
    body = shaping.labelling(
        event_id, desk.now, step, lot_id(desk.base, lot.code), {"nongso:labels": count, **more}
    )
    append(desk, type_, desk.now, event_id, body, [lot.code])


def codes_of(session: Session, issue_id: str) -> list[str]:
    """The serials of an issue, in the order of the sheet."""
    return list(
        session.scalars(
            select(LabelCode.serial)
            .where(LabelCode.issue_id == issue_id)
            .order_by(LabelCode.running)
        )
    )


def addresses_of(session: Session, made: LabelIssue) -> list[str]:
    """The printed addresses of an issue, in the order of the sheet. Raises ``NotAsIssued``."""
    vouching.refuse_changed(session, made, event_id_of(made.id, lots.LABELLED))
    if made.codes == LOT:
        return [printed_address(made.base, made.lot, None, made.gtin)] * made.count
    return [
        printed_address(made.base, made.lot, serial, made.gtin)
        for serial in codes_of(session, made.id)
    ]


def file_of(session: Session, made: LabelIssue, files: Path) -> Path:
    """The checked PDF of a committed issue, as ``labelling_sheets.file_of``."""
    return labelling_sheets.file_of(
        made,
        lambda: addresses_of(session, made),
        made.first,
        f"Tem lô {made.lot}",
        files,
    )
