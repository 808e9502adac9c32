"""Labels of a lot: counted against its packs, stored before they are printed, printed once.

How this works. ``issue`` checks the number against the packs, draws serials, and commits codes,
range and event in one transaction. ``file_of`` makes the PDF from what was committed, has the
print shop read every code back, and keeps the file. So a stop in between loses nothing: the
next call makes the same file from the same rows; and the same form sent twice finds the issue
that is there. A label on paper therefore always has its row, and no row ever gets two labels.

A label that came out badly is reported by its number; then one more may be printed.
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
from nongso.platform import events
from nongso.platform.traceability import holding, legal_facts, lots, shaping
from nongso.platform.traceability.errors import (
    AlreadyRecorded,
    LabelNotPrintable,
    NotPacked,
    SerialUnknown,
    TooManyAtOnce,
    TooManyLabels,
    Withdrawn,
)
from nongso.platform.traceability.identifiers import lot_id, new_serial, printed_address
from nongso.platform.traceability.making_errors import Unusable
from nongso.platform.traceability.operations import Desk, append, known_lot
from nongso.platform.traceability.records import LabelCode, LabelIssue, Lot

DEFAULT_LAYOUT = "a4-3x8"
MOST_AT_ONCE = 5000  # labels of one issue; a sheet that takes minutes is printed in parts


@dataclass(frozen=True)
class Wish:
    """So many labels, on that layout, from that cell on."""

    lot: str
    count: int
    layout: str = DEFAULT_LAYOUT
    start_cell: int = 1


def _try_out(address: str, texts: Mapping[str, str], wish: Wish) -> None:
    """Ask the print shop before anything is issued: would one such label come out?"""
    try:
        layout = layouts.find(wish.layout)
        list(layout.places(1, wish.start_cell))
        sheets.make([Label(address, texts)], layout)
    except (UnknownLayout, StartCellOutside) as e:
        field = "start_cell" if isinstance(e, StartCellOutside) else "layout"
        raise LabelNotPrintable(field) from e
    except LabelError as e:
        raise LabelNotPrintable from e


def _new_serials(session: Session, count: int) -> list[str]:
    """Draw numbers that no label of ours has, however unlikely that is."""
    drawn: set[str] = set()
    while len(drawn) < count:
        drawn |= {new_serial() for _ in range(count - len(drawn))}
        for some in _portions(sorted(drawn), 500):
            known = session.scalars(select(LabelCode.serial).where(LabelCode.serial.in_(some)))
            drawn -= set(known)
    return list(drawn)


def _portions(items: Sequence[str], size: int) -> list[Sequence[str]]:
    return [items[at : at + size] for at in range(0, len(items), size)]


def issue(desk: Desk, id_: str, wish: Wish, texts: Mapping[str, str]) -> LabelIssue:
    """Issue labels: codes and range are stored when the caller's transaction ends.

    ``texts`` is what stands beside the code, block by block. Raises ``TooManyLabels``,
    ``NotPacked``, ``LegallyMissing``, ``LabelNotPrintable``, ``AlreadyRecorded``.
    """
    lot = known_lot(desk, wish.lot)
    there = desk.session.get(LabelIssue, id_)
    if there is not None:
        asked = (there.lot, there.count, there.layout, there.start_cell)
        if asked != (wish.lot, wish.count, wish.layout, wish.start_cell):
            raise AlreadyRecorded
        return there
    if lot.withdrawn_at is not None:
        raise Withdrawn(lot.code)
    holding.check(lot)
    if lot.best_before is not None and lot.best_before < shaping.day_of(desk.now):
        raise Unusable(lot.code, "expired")
    if lot.packs == 0:
        raise NotPacked(lot.code)
    if wish.count > MOST_AT_ONCE and wish.count <= lot.labels_left:
        raise TooManyAtOnce(MOST_AT_ONCE)
    if not 1 <= wish.count <= lot.labels_left:
        raise TooManyLabels(lot.packs, lot.labels - lot.spoiled, lot.labels_left, wish.count)
    legal_facts.refuse_printing(desk.session, lot)
    gtin = lot.product.gtin if lot.product is not None else None
    _try_out(printed_address(desk.base, lot.code, new_serial(), gtin), texts, wish)
    last = desk.session.scalar(
        select(func.max(LabelCode.running)).where(LabelCode.lot == lot.code)
    )
    first = (last or 0) + 1
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
    )
    desk.session.add(made)
    desk.session.flush()
    serials = _new_serials(desk.session, wish.count)
    desk.session.add_all(
        LabelCode(serial=serial, lot=lot.code, running=running, issue_id=id_, spoiled_at=None)
        for running, serial in enumerate(serials, first)
    )
    _append(desk, lot, shaping.LABELLING, lots.LABELLED, id_, wish.count, _range(made, serials))
    return made


def _range(made: LabelIssue, serials: Sequence[str]) -> shaping.Body:
    """What the stream keeps of a range: its ends and a digest of its serials, in order."""
    return {
        "nongso:first": made.first,
        "nongso:last": made.last,
        "nongso:serialsSha256": hashlib.sha256("\n".join(serials).encode()).hexdigest(),
    }


def _append(
    desk: Desk, lot: Lot, step: str, type_: str, id_: str, count: int, more: shaping.Body
) -> None:
    # The issue's id is the form's; the event's own is derived, so that both are unique.
    event_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{id_}/{type_}"))
    body = shaping.labelling(
        event_id, desk.now, step, lot_id(desk.base, lot.code), {"nongso:labels": count, **more}
    )
    append(desk, type_, desk.now, event_id, body, [lot.code])


def spoil(desk: Desk, id_: str, lot_code: str, serials: Sequence[str]) -> int:
    """Report labels unusable; returns how many. Raises ``SerialUnknown`` naming each bad one."""
    lot = known_lot(desk, lot_code)
    wanted = sorted(set(serials))
    event_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{id_}/{lots.SPOILED}"))
    there = desk.session.scalar(select(events.Event).where(events.Event.id == event_id))
    if there is not None:
        if there.body.get("nongso:serials") != wanted:
            raise AlreadyRecorded
        return len(wanted)
    found = {
        code.serial: code
        for some in _portions(wanted, 500)
        for code in desk.session.scalars(
            select(LabelCode).where(
                LabelCode.lot == lot.code,
                LabelCode.serial.in_(some),
                LabelCode.spoiled_at.is_(None),
            )
        )
    }
    bad = [serial for serial in wanted if serial not in found]
    if bad or not wanted:
        raise SerialUnknown(bad)
    for code in found.values():
        code.spoiled_at = desk.now
    more = {"nongso:serials": wanted}
    _append(desk, lot, shaping.LABELS_SPOILED, lots.SPOILED, id_, len(wanted), more)
    return len(wanted)


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
    return [
        printed_address(made.base, made.lot, serial, made.gtin)
        for serial in codes_of(session, made.id)
    ]


def file_of(session: Session, made: LabelIssue, files: Path) -> Path:
    """The checked PDF of a committed issue; made at the first call, the same file afterwards.

    Call it outside of a transaction: printing takes longer than writers should wait. Raises
    ``LabelError`` when the sheet does not read back; then there is no file.
    """
    file = files / "labels" / f"{made.id}.pdf"
    if file.exists():
        return file
    labels = [Label(address, made.texts) for address in addresses_of(session, made)]
    sheet = print_sheet(labels, layouts.find(made.layout), made.start_cell, f"Tem lô {made.lot}")
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
