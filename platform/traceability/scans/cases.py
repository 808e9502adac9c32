"""The list of numbers that may have been copied: adding signs, reading it, noting what came of it.

A number is one line of the list, with all its reasons. What the clerk has noted as explained
stays off the list; what was noted as copied or unclear comes back when it is scanned again
with a sign. Nothing here is about a person: no address, no phone's mark.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, or_, select
from sqlalchemy.orm import Session

from nongso.platform.traceability.labelling.state import UNKNOWN
from nongso.platform.traceability.records import Lot
from nongso.platform.traceability.scans import ranking, signs
from nongso.platform.traceability.scans.records import ScanArea, ScanCase, ScanSign
from nongso.platform.traceability.scans.states import Pack
from nongso.platform.traceability.scans.usual import COPIED, EXPLAINED

MOST_INVENTED = 50  # numbers of one lot that were never issued, each a line of its own
KEPT_DAYS = 365
MOST_RANKED = 2000  # lines that are put in order, the newest


class Cases:
    """Writes signs into the clerk's list, in one transaction.

    What it has looked up it remembers: each question would first write all that waits.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._invented: dict[str, int] = {}
        self._cases: dict[tuple[str, str], ScanCase | None] = {}
        self._signs: dict[tuple[str, str], ScanSign] = {}

    def add(self, pack: Pack, serial: str, at: int, found: Iterable[signs.Sign]) -> None:
        """Add what was found about a pack; nothing where nothing was."""
        for sign in found:
            case = self._case(pack, serial)
            case.last_at = max(case.last_at, at)
            there = self._sign(case, sign.rule, at)
            there.times += 1
            there.first_at, there.last_at = min(there.first_at, at), max(there.last_at, at)
            there.values = sign.values

    def _sign(self, case: ScanCase, rule: str, at: int) -> ScanSign:
        key = (case.id, rule)
        if key not in self._signs:
            with self._session.no_autoflush:
                there = self._session.get(ScanSign, key)
            if there is None:
                there = ScanSign(case_id=case.id, rule=rule, first_at=at, last_at=at, times=0)
                self._session.add(there)
            self._signs[key] = there
        return self._signs[key]

    def _case(self, pack: Pack, serial: str) -> ScanCase:
        lot = pack.lot
        found = self._find(lot.code, serial)
        if found is None and pack.state == UNKNOWN and self._is_full(lot.code):
            serial = ""
            found = self._find(lot.code, serial)
        if found is None:
            found = ScanCase(
                id=str(uuid.uuid4()),
                cooperative=lot.cooperative,
                lot=lot.code,
                serial=serial,
                last_at=0,
            )
            self._session.add(found)
            self._session.flush()
            self._cases[lot.code, serial] = found
            if pack.state == UNKNOWN:
                self._invented[lot.code] += 1
        return found

    def _find(self, lot: str, serial: str) -> ScanCase | None:
        if (lot, serial) not in self._cases:
            wanted = select(ScanCase).where(ScanCase.lot == lot, ScanCase.serial == serial)
            with self._session.no_autoflush:
                self._cases[lot, serial] = self._session.scalar(wanted)
        return self._cases[lot, serial]

    def _is_full(self, lot: str) -> bool:
        if lot not in self._invented:
            wanted = (
                select(func.count())
                .select_from(ScanSign)
                .join(ScanCase, ScanCase.id == ScanSign.case_id)
                .where(ScanCase.lot == lot, ScanSign.rule == signs.NEVER_ISSUED)
            )
            self._invented[lot] = self._session.scalar(wanted) or 0
        return self._invented[lot] >= MOST_INVENTED


def forget(session: Session, now: int) -> None:
    """Delete lines that nobody has scanned for a year. In a transaction."""
    old = select(ScanCase.id).where(ScanCase.last_at < now - KEPT_DAYS * 86400)
    session.execute(delete(ScanSign).where(ScanSign.case_id.in_(old)))
    session.execute(delete(ScanCase).where(ScanCase.last_at < now - KEPT_DAYS * 86400))


@dataclass(frozen=True)
class Line:
    """A line of the list: the number, its lot, and why it is there, the surest reason first."""

    case: ScanCase
    lot: Lot
    reasons: Sequence[ScanSign]


def is_open() -> ColumnElement[bool]:
    """The condition of a case that somebody has to look into."""
    again = (ScanCase.outcome != EXPLAINED) & (ScanCase.last_at > ScanCase.noted_at)
    return or_(ScanCase.outcome.is_(None), again)


def with_reasons(session: Session, found: Iterable[ScanCase]) -> list[Line]:
    """The cases as lines, in their order."""
    cases = list(found)
    lots = {
        one.code: one
        for one in session.scalars(select(Lot).where(Lot.code.in_({case.lot for case in cases})))
    }
    reasons: dict[str, list[ScanSign]] = {case.id: [] for case in cases}
    for sign in session.scalars(select(ScanSign).where(ScanSign.case_id.in_(reasons))):
        reasons[sign.case_id].append(sign)
    for of_case in reasons.values():
        of_case.sort(key=lambda sign: signs.RULES.index(sign.rule))
    return [Line(case, lots[case.lot], reasons[case.id]) for case in cases]


def to_look_into(session: Session, mine: Select[Any]) -> list[Line]:
    """The open ones of these cases, the likeliest copy first, of equals the newest."""
    newest = mine.where(is_open()).order_by(ScanCase.last_at.desc()).limit(MOST_RANKED)
    lines = with_reasons(session, session.scalars(newest))
    learnt = _learnt(session, mine)

    def likely(line: Line) -> float:
        return ranking.chance([(one.rule, one.times) for one in line.reasons], learnt)

    return sorted(lines, key=likely, reverse=True)


def _learnt(session: Session, mine: Select[Any]) -> ranking.Learnt:
    """What came of the lines of each rule that were looked into."""
    known = mine.where(ScanCase.outcome.in_((COPIED, EXPLAINED))).subquery()
    rows = session.execute(
        select(ScanSign.rule, known.c.outcome, func.count())
        .join(known, known.c.id == ScanSign.case_id)
        .group_by(ScanSign.rule, known.c.outcome)
    )
    counts = {(rule, outcome): count for rule, outcome, count in rows}
    return {
        rule: (counts.get((rule, COPIED), 0), counts.get((rule, EXPLAINED), 0))
        for rule in signs.RULES
    }


def note(session: Session, line: Line, outcome: str, text: str, now: int) -> None:
    """Write down what came of looking into a case. In a transaction.

    Explained means that packs of this product do get there: the province is no longer outside.
    """
    case = line.case
    case.outcome, case.note, case.noted_at = outcome, text, now
    product = line.lot.product_id
    if outcome != EXPLAINED or product is None:
        return
    for sign in line.reasons:
        province = sign.values.get("province") if sign.rule == signs.OUTSIDE else None
        if province and session.get(ScanArea, (product, province)) is None:
            session.add(ScanArea(product=product, province=province, at=now))
