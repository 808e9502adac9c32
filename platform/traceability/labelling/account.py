"""What becomes of labels: stuck on packs, spoiled, or given back unused.

So that every label on paper is accounted for: issued = stuck on + spoiled + returned + left.
A label counts as on a pack, and its page says so, only once somebody in the packing room has
confirmed it; so a sheet that is stolen before shows a warning to whoever scans it. Spoiled and
returned labels are dead, and as many may be printed again.

Labels are named as people read them off: by number in the lot (17, or 20-24), by serial, or by
the address that a scanner gives.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.events import Event
from nongso.platform.store import portions
from nongso.platform.traceability import lots, shaping
from nongso.platform.traceability.errors import AlreadyRecorded, SerialUnknown, Withdrawn
from nongso.platform.traceability.identifiers import as_typed
from nongso.platform.traceability.labelling.book import APPLIED, RETURNED
from nongso.platform.traceability.labelling.errors import LabelsTwice, NothingInHand, NotInHand
from nongso.platform.traceability.labelling.issuing import event_id_of, note
from nongso.platform.traceability.labelling.records import LabelAccount
from nongso.platform.traceability.making.operations import Desk, digest, known_lot
from nongso.platform.traceability.records import LOT, LabelCode, LabelIssue, Lot

MOST_NAMES = 1000  # typed at once; 1-5000 is one name
_SPAN = re.compile(r"([0-9]{1,7})(?:[-–]([0-9]{1,7}))?")


@dataclass(frozen=True)
class Told:
    """What a form said of labels of a lot. No names at all: every label that is in hand."""

    lot: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class _Deed:
    """What happens to labels: its event, its column, and of which labels it can be said."""

    event: str
    step: str
    column: str
    fits: Callable[[LabelCode], bool]
    refusal: type[SerialUnknown] | type[NotInHand]


def _is_in_hand(code: LabelCode) -> bool:
    return code.in_hand


def _is_usable(code: LabelCode) -> bool:
    return code.is_usable


APPLY = _Deed(APPLIED, shaping.LABELS_APPLIED, "applied_at", _is_in_hand, NotInHand)
SPOIL = _Deed(lots.SPOILED, shaping.LABELS_SPOILED, "spoiled_at", _is_usable, SerialUnknown)
GIVE_BACK = _Deed(RETURNED, shaping.LABELS_RETURNED, "returned_at", _is_in_hand, NotInHand)


def apply(desk: Desk, id_: str, told: Told) -> int:
    """Confirm labels as stuck on packs; returns how many. No names: all that are in hand.

    Raises ``NotInHand`` naming each that is not, ``NothingInHand``, ``Withdrawn``.
    """
    if known_lot(desk, told.lot).withdrawn_at is not None:
        raise Withdrawn(told.lot)
    return _tell(desk, id_, told, APPLY)


def spoil(desk: Desk, id_: str, told: Told) -> int:
    """Report labels unusable, on a pack or not; returns how many. Raises ``SerialUnknown``."""
    if not told.names:
        raise SerialUnknown([])
    return _tell(desk, id_, told, SPOIL)


def give_back(desk: Desk, id_: str, told: Told) -> int:
    """Take back labels that nobody used; returns how many. Raises ``NotInHand``."""
    if not told.names:
        raise NotInHand([])
    return _tell(desk, id_, told, GIVE_BACK)


def _tell(desk: Desk, id_: str, told: Told, deed: _Deed) -> int:
    lot = known_lot(desk, told.lot)
    there = desk.session.scalar(select(Event).where(Event.id == event_id_of(id_, deed.event)))
    if there is not None:
        if there.body.get("nongso:form") != digest(told):
            raise AlreadyRecorded
        return int(there.body["nongso:labels"])
    found = named(desk.session, lot, told.names) if told.names else _in_hand(desk.session, lot)
    bad = [name for name, code in found.items() if code is None or not deed.fits(code)]
    if bad:
        raise deed.refusal(sorted(bad))
    codes = {code.serial: code for code in found.values() if code is not None}
    if not codes:
        raise NothingInHand(lot.code)
    if len(codes) < len(found):
        raise LabelsTwice
    more: shaping.Body = {
        "nongso:numbers": spans_of(code.running for code in codes.values()),
        "nongso:form": digest(told),
    }
    if deed is SPOIL:
        more["nongso:ofApplied"] = sum(code.applied_at is not None for code in codes.values())
    for code in codes.values():
        setattr(code, deed.column, desk.now)
    note(desk, lot, deed.step, deed.event, id_, len(codes), more)
    return len(codes)


def _in_hand(session: Session, lot: Lot) -> dict[str, LabelCode | None]:
    codes = session.scalars(
        select(LabelCode).where(
            LabelCode.lot == lot.code,
            LabelCode.applied_at.is_(None),
            LabelCode.spoiled_at.is_(None),
            LabelCode.returned_at.is_(None),
        )
    )
    return {code.serial: code for code in codes}


def split_names(text: str) -> tuple[str, ...]:
    """The names in what was typed or scanned, one after the other: lines, commas, spaces."""
    joined = re.sub(r"(?<=[0-9])\s*[-–]\s*(?=[0-9])", "-", text)
    return tuple(one.rsplit("/", 1)[-1] for one in re.split(r"[\s,;]+", joined) if one)


def named(session: Session, lot: Lot, names: Sequence[str]) -> dict[str, LabelCode | None]:
    """The labels of a lot that names speak of, by serial or number; ``None`` where there is none.

    A span that is far too long counts as one name of nothing.
    """
    by_number: dict[int, str] = {}
    by_serial: dict[str, str] = {}
    found: dict[str, LabelCode | None] = {}
    for name in names:
        span = _SPAN.fullmatch(name.strip())
        if span is None:
            by_serial[as_typed(name)] = as_typed(name)
            continue
        first, last = int(span[1]), int(span[2] or span[1])
        if not first <= last <= lot.labels or first < 1:
            found[name] = None
            continue
        by_number |= {running: str(running) for running in range(first, last + 1)}
    if by_number:
        wanted = select(LabelCode).where(
            LabelCode.lot == lot.code,
            LabelCode.running.between(min(by_number), max(by_number)),
        )
        there = {code.running: code for code in session.scalars(wanted)}
        found |= {name: there.get(running) for running, name in by_number.items()}
    for some in portions(sorted(by_serial)):
        wanted = (  # a serial of a label that carries only the lot's code stands on no paper
            select(LabelCode)
            .join(LabelIssue, LabelIssue.id == LabelCode.issue_id)
            .where(LabelCode.lot == lot.code, LabelCode.serial.in_(some), LabelIssue.codes != LOT)
        )
        known = {code.serial: code for code in session.scalars(wanted)}
        found |= {serial: known.get(serial) for serial in some}
    return found


def spans_of(numbers: Iterable[int]) -> str:
    """Numbers as people write them: 1-24,30."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(f"{a}-{b}" if a != b else str(a) for a, b in spans)


def account_of(session: Session, lot: Lot) -> LabelAccount:
    """Where all labels of a lot are; of a lot without labels an empty account."""
    found = session.get(LabelAccount, lot.code)
    return found or LabelAccount(lot=lot.code, issued=0, applied=0, spoiled=0, returned=0)


def numbers_in_hand(session: Session, lot: Lot) -> str:
    """The numbers of labels of which nobody has told yet what became of them: 25-27."""
    return spans_of(code.running for code in _in_hand(session, lot).values() if code is not None)
