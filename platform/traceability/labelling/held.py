"""Labels held against the events: each label, each issue, each roll, each scratch code.

An issue's event has its numbers, the digest of its serials and that of what is printed, later
events say which numbers were stuck on, spoiled or returned and when. So every row follows, but
for two things: events of the first versions have no digest, or do not name the numbers; and how
often a scratch code was checked is a count that no event has, of which only what cannot be is
told.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform import events
from nongso.platform.events import Event
from nongso.platform.traceability import lots
from nongso.platform.traceability.amiss import EVIDENCE, Amiss
from nongso.platform.traceability.identifiers import lot_of
from nongso.platform.traceability.labelling import rolls, scratch, vouching
from nongso.platform.traceability.labelling.book import APPLIED, RETURNED
from nongso.platform.traceability.labelling.issuing import event_id_of, range_of
from nongso.platform.traceability.labelling.records import LabelRoll, RollCode, ScratchCode
from nongso.platform.traceability.records import SCRATCH, LabelCode, LabelIssue

_COLUMNS = {APPLIED: "applied_at", lots.SPOILED: "spoiled_at", RETURNED: "returned_at"}
_TYPES = (lots.LABELLED, rolls.ROLLED, scratch.GIVEN, *_COLUMNS)
_DIGEST = "nongso:serialsSha256"
# A label that no event issued would pass for a genuine one.
_WITHDRAW = "Find out who has such labels, and report their numbers spoiled"


@dataclass
class _Lot:
    """What the events say of a lot's labels: by number the issue, and since when what."""

    issues: dict[int, str] = field(default_factory=dict)
    since: dict[str, dict[int, int]] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)  # columns of which some events say no numbers


def differences(session: Session) -> Iterator[Amiss]:
    """Say where labels are not what the events say."""
    issues = {
        event_id_of(one.id, lots.LABELLED): one for one in session.scalars(select(LabelIssue))
    }
    told: dict[str, _Lot] = {}
    issued, rolled, given = set(), set(), {}
    for event in _events(session):
        if event.type == rolls.ROLLED:
            rolled.add(lot_of(event.body["quantityList"][0]["epcClass"]))
            yield from _roll(session, event)
        elif event.type == scratch.GIVEN:
            given[event.body["nongso:issue"]] = event
        elif event.type == lots.LABELLED:
            issued.add(event.id)
            made = issues.get(event.id)
            code = lots.lot_in(event.body)
            yield from _issue(session, event, made)
            _note_issue(told.setdefault(code, _Lot()), event, made)
        else:
            _note_deed(told.setdefault(lots.lot_in(event.body), _Lot()), event)
    for id_, made in issues.items():
        if id_ not in issued:
            what = f"no event issued these labels of lot {made.lot}"
            yield Amiss("label_issue", made.id, what, _WITHDRAW)
    for roll in session.scalars(select(LabelRoll.id).where(LabelRoll.id.not_in(rolled))):
        yield Amiss("label_roll", roll, "no event printed this roll", _WITHDRAW)
    yield from _codes(session, told)
    yield from _scratched(session, list(issues.values()), given)


def _events(session: Session) -> Iterator[Event]:
    after = 0
    while found := events.read(session, type=_TYPES, after=after):
        yield from found
        after = found[-1].number


def _issue(session: Session, event: Event, made: LabelIssue | None) -> Iterator[Amiss]:
    body, code = event.body, lots.lot_in(event.body)
    if made is None:
        yield Amiss("label_issue", f"of event {event.number}", "in the stream, not in the table")
    else:
        scratched = body.get("nongso:scratch", False)
        first = body.get("nongso:first", made.first)
        yield from _unlike(event, made, lot=code, first=first)
        if (made.codes == SCRATCH) != scratched:
            what = "codes is {!r}, the stream says that it has {} scratch codes"
            yield Amiss("label_issue", made.id, what.format(made.codes, "" if scratched else "no"))
    if _DIGEST in body:
        first, last = body["nongso:first"], body["nongso:last"]
        serials = session.scalars(
            select(LabelCode.serial)
            .where(LabelCode.lot == code, LabelCode.running.between(first, last))
            .order_by(LabelCode.running)
        )
        if range_of(first, list(serials))[_DIGEST] != body[_DIGEST]:
            what = "these labels are not those that were issued"
            yield Amiss("label_code", f"{first} to {last} of lot {code}", what, EVIDENCE)


def _roll(session: Session, event: Event) -> Iterator[Amiss]:
    body, roll = event.body, lot_of(event.body["quantityList"][0]["epcClass"])
    kept = session.get(LabelRoll, roll)
    if kept is None:
        yield Amiss("label_roll", roll, "in the stream, not in the table")
    else:
        yield from _unlike(event, kept)
    wanted = select(RollCode.serial).where(RollCode.roll == roll).order_by(RollCode.place)
    serials = list(session.scalars(wanted))
    if range_of(1, serials)[_DIGEST] != body[_DIGEST]:
        what = "these labels are not those that were printed"
        yield Amiss("roll_code", f"of roll {roll}", what, EVIDENCE)


def _unlike(event: Event, made: LabelIssue | LabelRoll, **more: object) -> Iterator[Amiss]:
    """What of an issue's or a roll's row is not as its event says."""
    said = {"count": event.body["nongso:labels"], "cooperative": event.cooperative}
    for name, should in (said | {"actor": event.actor, "at": event.at} | more).items():
        if (is_ := getattr(made, name)) != should:
            yield Amiss(made.__tablename__, made.id, _is_not(name, is_, should))
    if printed := vouching.changed(event.body, made):
        yield Amiss(made.__tablename__, made.id, printed, EVIDENCE)


def _note_issue(lot: _Lot, event: Event, made: LabelIssue | None) -> None:
    body = event.body
    if made is None or "nongso:first" not in body:
        lot.unknown |= {"issue_id", *_COLUMNS.values()}
        return
    numbers = range(body["nongso:first"], body["nongso:last"] + 1)
    lot.issues |= dict.fromkeys(numbers, made.id)
    if not body.get("nongso:awaits", False):
        lot.since.setdefault("applied_at", {}).update(dict.fromkeys(numbers, event.at))


def _note_deed(lot: _Lot, event: Event) -> None:
    column = _COLUMNS[event.type]
    if "nongso:numbers" not in event.body:
        lot.unknown.add(column)
        return
    since = lot.since.setdefault(column, {})
    for number in _numbers(event.body["nongso:numbers"]):
        since[number] = event.at


def _numbers(spans: str) -> Iterator[int]:
    for span in spans.split(","):
        first, _, last = span.partition("-")
        yield from range(int(first), int(last or first) + 1)


def _codes(session: Session, told: dict[str, _Lot]) -> Iterator[Amiss]:
    """Each label against what was said of its number."""
    there = set(session.scalars(select(LabelCode.lot).distinct()))
    for code in sorted(there | told.keys()):
        lot = told.get(code, _Lot())
        wanted = select(LabelCode).where(LabelCode.lot == code).order_by(LabelCode.running)
        found = session.scalars(wanted).all()
        for one in found:
            yield from _code(one, lot)
        if "issue_id" not in lot.unknown and len(found) < len(lot.issues):
            what = f"{len(found)} labels, the stream has {len(lot.issues)}"
            yield Amiss("label_code", f"of lot {code}", what)
        for one in found:
            session.expunge(one)


def _code(one: LabelCode, lot: _Lot) -> Iterator[Amiss]:
    if "issue_id" not in lot.unknown and one.running not in lot.issues:
        what = f"no event issued label {one.running} of lot {one.lot}"
        yield Amiss("label_code", one.serial, what, _WITHDRAW)
        return
    said: dict[str, str | int | None] = {"issue_id": lot.issues.get(one.running)}
    said |= {name: since.get(one.running) for name, since in lot.since.items()}
    for column in ("issue_id", *_COLUMNS.values()):
        is_, should = getattr(one, column), said.get(column)
        if column not in lot.unknown and is_ != should:
            yield Amiss("label_code", one.serial, _is_not(column, is_, should))


def _scratched(
    session: Session, issues: Iterable[LabelIssue], given: dict[str, Event]
) -> Iterator[Amiss]:
    """Scratch codes of an issue: all or none, as they were drawn, on labels that have one."""
    codes: dict[str, list[ScratchCode]] = {}
    wanted = (
        select(LabelCode.issue_id, ScratchCode)
        .outerjoin(LabelCode, LabelCode.serial == ScratchCode.serial)
        .order_by(LabelCode.issue_id, LabelCode.running)
    )
    for issue, code in session.execute(wanted):
        codes.setdefault(issue or "", []).append(code)
        if not _can_be(code):
            what = "its times cannot be: drawn, then checked first, then last, counted each time"
            yield Amiss("scratch_code", code.serial, what, EVIDENCE)
    for made in issues:
        own = codes.pop(made.id, [])
        event = given.get(made.id)
        if made.codes != SCRATCH and own:
            yield Amiss("scratch_code", own[0].serial, "its label has no scratch code", EVIDENCE)
        elif own and len(own) != made.count:
            what = f"{len(own)} codes, its issue has {made.count} labels"
            yield Amiss("scratch_code", f"of issue {made.id}", what, EVIDENCE)
        elif event is not None and scratch.sealed(own) != event.body["nongso:scratchSha256"]:
            what = f"these codes are not those that were drawn (event {event.number})"
            yield Amiss("scratch_code", f"of issue {made.id}", what, EVIDENCE)
        elif event is not None and any(one.drawn_at != event.at for one in own):
            what = f"drawn_at is not {event.at}, which the stream says"
            yield Amiss("scratch_code", f"of issue {made.id}", what)
    for some in codes.values():
        yield Amiss("scratch_code", some[0].serial, "its label is of no issue", EVIDENCE)


def _can_be(code: ScratchCode) -> bool:
    if code.first_at is None or code.last_at is None:
        return code.first_at is None and code.last_at is None and code.times == 0
    return code.drawn_at <= code.first_at <= code.last_at and code.times >= 1


def _is_not(name: str, is_: object, should: object) -> str:
    return f"{name} is {is_!r}, the stream says {should!r}"
