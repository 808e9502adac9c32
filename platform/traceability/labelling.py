"""Labels of a lot: counted against its packs, stored before they are printed, printed once.

How this works. ``issue`` checks the number against the packs, draws serials, and commits codes,
range and event in one transaction. ``file_of`` makes the PDF from what was committed, has the
print shop read every code back, and keeps the file. So a stop in between loses nothing: the
next call makes the same file from the same rows; and the same form sent twice finds the issue
that is there. A label on paper therefore always has its row, and no row ever gets two labels.

What becomes of the labels afterwards (stuck on packs, spoiled, returned) is told to
``nongso.platform.traceability.labelling_account``.
"""

import hashlib
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from nongso.labels import layout as layouts
from nongso.labels import sheet as sheets
from nongso.labels.errors import LabelError, StartCellOutside, UnknownLayout
from nongso.labels.operations import print_sheet
from nongso.labels.sheet import Label
from nongso.platform.languages import day_of
from nongso.platform.traceability import holding, legal_facts, lots, shaping, withholding
from nongso.platform.traceability.errors import (
    AlreadyRecorded,
    LabelNotPrintable,
    NotPacked,
    TooManyAtOnce,
    TooManyLabels,
    Withdrawn,
)
from nongso.platform.traceability.identifiers import lot_id, new_serial, printed_address
from nongso.platform.traceability.labelling_records import RollCode
from nongso.platform.traceability.labeltext import numbered
from nongso.platform.traceability.making_errors import Unusable
from nongso.platform.traceability.operations import Desk, append, known_lot
from nongso.platform.traceability.records import LOT, UNIT, LabelCode, LabelIssue, Lot

DEFAULT_LAYOUT = "a4-3x8"
CODES = (LOT, UNIT)
MOST_AT_ONCE = 5000  # labels of one issue; a sheet that takes minutes is printed in parts
_AT_ONCE = 500


@dataclass(frozen=True)
class Wish:
    """So many labels, on that layout, from that cell on.

    ``codes`` says what each code tells: ``LOT``, which pages and programs are given unless they
    ask for more, or ``UNIT``, a serial of each pack's own.
    """

    lot: str
    count: int
    layout: str = DEFAULT_LAYOUT
    start_cell: int = 1
    codes: str = UNIT


def try_out(
    address: str, texts: Mapping[str, str], last: int, layout_name: str, start_cell: int
) -> None:
    """Ask the print shop before anything is issued: would one such label come out?"""
    try:
        layout = layouts.find(layout_name)
        list(layout.places(1, start_cell))
        sheets.make([Label(address, numbered(texts, last))], layout)
    except (UnknownLayout, StartCellOutside) as e:
        field = "start_cell" if isinstance(e, StartCellOutside) else "layout"
        raise LabelNotPrintable(field) from e
    except LabelError as e:
        raise LabelNotPrintable from e


def new_serials(session: Session, count: int) -> list[str]:
    """Draw numbers that no label of ours has, however unlikely that is."""
    drawn: set[str] = set()
    while len(drawn) < count:
        drawn |= {new_serial() for _ in range(count - len(drawn))}
        for some in portions(sorted(drawn)):
            for of in (LabelCode.serial, RollCode.serial):
                drawn -= set(session.scalars(select(of).where(of.in_(some))))
    return list(drawn)


def portions(items: Sequence[str]) -> list[Sequence[str]]:
    """Cut a list into parts that one question to the database can name."""
    return [items[at : at + _AT_ONCE] for at in range(0, len(items), _AT_ONCE)]


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


def issue(desk: Desk, id_: str, wish: Wish, texts: Mapping[str, str]) -> LabelIssue:
    """Issue labels: codes and range are stored when the caller's transaction ends.

    ``texts`` is what stands beside the code, block by block. Raises ``TooManyLabels``,
    ``NotPacked``, ``HeldBack``, ``LegallyMissing``, ``LabelNotPrintable``, ``AlreadyRecorded``.
    """
    lot = known_lot(desk, wish.lot)
    there = desk.session.get(LabelIssue, id_)
    if there is not None:
        asked = (there.lot, there.count, there.layout, there.start_cell, there.codes)
        if asked != (wish.lot, wish.count, wish.layout, wish.start_cell, wish.codes):
            raise AlreadyRecorded
        return there
    check_wanted(lot, wish.count, shaping.day_of(desk.now))
    withholding.refuse_held_back(desk.session, lot.code, day_of(lot.at), "pack")
    legal_facts.refuse_printing(desk.session, lot)
    gtin = lot.product.gtin if lot.product is not None else None
    first = next_number(desk.session, lot)
    sample = new_serial() if wish.codes == UNIT else None
    address = printed_address(desk.base, lot.code, sample, gtin)
    try_out(address, texts, first + wish.count - 1, wish.layout, wish.start_cell)
    made = LabelIssue(
        id=id_,
        lot=lot.code,
        cooperative=desk.cooperative,
        at=desk.now,
        actor=desk.actor,
        layout=wish.layout,
        start_cell=wish.start_cell,
        first=first,
        count=wish.count,
        base=desk.base,
        gtin=gtin,
        texts=dict(texts),
        codes=wish.codes,
    )
    keep(desk, lot, made, new_serials(desk.session, wish.count))
    return made


def next_number(session: Session, lot: Lot) -> int:
    """The number in the lot that its next label gets."""
    last = session.scalar(select(func.max(LabelCode.running)).where(LabelCode.lot == lot.code))
    return (last or 0) + 1


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
    """The printed addresses of an issue, in the order of the sheet."""
    if made.codes == LOT:
        return [printed_address(made.base, made.lot, None, made.gtin)] * made.count
    return [
        printed_address(made.base, made.lot, serial, made.gtin)
        for serial in codes_of(session, made.id)
    ]


def file_of(session: Session, made: LabelIssue, files: Path) -> Path:
    """The checked PDF of a committed issue; made at the first call, the same file afterwards.

    Call it outside of a transaction: printing takes longer than writers should wait. Raises
    ``LabelError`` when the sheet does not read back; then there is no file.
    """
    labels = [
        Label(address, numbered(made.texts, number))
        for number, address in enumerate(addresses_of(session, made), made.first)
    ]
    return sheet_file(files, made.id, labels, made.layout, made.start_cell, f"Tem lô {made.lot}")


def sheet_file(
    files: Path, name: str, labels: Sequence[Label], layout: str, start_cell: int, title: str
) -> Path:
    """The checked PDF of that name, made unless it is there."""
    file = files / "labels" / f"{name}.pdf"
    if file.exists():
        return file
    sheet = print_sheet(labels, layouts.find(layout), start_cell, title)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.{uuid.uuid4().hex}.part")
    try:
        with part.open("wb") as out:
            out.write(sheet.pdf)
            out.flush()
            os.fsync(out.fileno())  # a name without its bytes would be served for ever
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return file
