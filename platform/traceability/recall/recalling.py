"""Recalls: begun in one step, followed up, ended.

One confirmation appends one event over all the lots that are hit (EPCIS: ``holding``,
``recalled``, with ``persistentDisposition``), and from that moment nobody uses, packs, prints,
sells or sends any of them, and the page behind every label says so first. What was shown before
is checked again: when more is hit by now, nothing is written and it is shown anew.

What then comes back or is destroyed is recorded as always (``moving``) and counted for the recall
by itself. The end says how it was dealt with; only goods that were put right may be sold again.
"""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.traceability.identifiers import lot_id
from nongso.platform.traceability.making.operations import Desk, append
from nongso.platform.traceability.moving import goods as moving
from nongso.platform.traceability.moving import shapes as moving_shapes
from nongso.platform.traceability.moving.errors import (
    HitChanged,
    NothingHit,
    RecallEnded,
    RecallUnknown,
    StillInStore,
)
from nongso.platform.traceability.moving.records import Holder, Holding
from nongso.platform.traceability.recall import reach as recall_reach
from nongso.platform.traceability.recall.reach import Hit, Origin
from nongso.platform.traceability.recall.records import (
    CORRECT,
    DESTROY,
    Recall,
    RecallCall,
    RecallHolder,
    RecallLot,
)
from nongso.platform.traceability.testing import book as testing_book
from nongso.platform.traceability.testing import holding
from nongso.platform.traceability.testing.records import RECALLED

# What the goods are afterwards, in the words of the Core Business Vocabulary.
_DISPOSITIONS = {CORRECT: "conformant", DESTROY: "destroyed"}


@dataclass(frozen=True)
class Call:
    """A recall that is to begin. ``sign`` is that of what was shown; empty where nobody looked."""

    origin: Origin
    why: str
    advice: str
    outcome: str
    sign: str = ""


@dataclass(frozen=True)
class Ending:
    """How a recall ended."""

    recall: str
    outcome: str
    why: str


@dataclass(frozen=True)
class Progress:
    """What has come of the goods that a holder had. ``lots`` are their codes."""

    holder: Holder
    lots: tuple[str, ...]
    packs: int
    grams: int
    returned_packs: int
    returned_grams: int
    destroyed_packs: int
    destroyed_grams: int
    packs_there: int
    grams_there: int
    called_at: int | None
    said: str

    @property
    def is_done(self) -> bool:
        """Whether nothing is there any more."""
        return not self.packs_there and not self.grams_there


def begin(desk: Desk, id_: str, wish: Call) -> Recall:
    """Begin a recall. Raises ``HitChanged`` when something else is hit than was shown."""
    if moving.recorded(desk, id_, wish) is not None:
        return desk.session.get_one(Recall, id_)
    found = recall_reach.hit(desk.session, desk.cooperative, wish.origin, desk.base)
    if wish.sign and wish.sign != found.sign:
        raise HitChanged
    fresh = _not_hit_yet(desk.session, found)
    if not fresh:
        raise NothingHit
    body = moving_shapes.movement(
        id_,
        desk.now,
        "holding",
        "recalled",
        lots=[{"epcClass": lot_id(desk.base, one.code)} for one in found.lots],
        more={
            "persistentDisposition": {"set": ["recalled"]},
            **moving.common(desk, wish),
            "nongso:origin": wish.origin.kind,
            "nongso:originKey": wish.origin.key,
            "nongso:why": wish.why,
            "nongso:advice": wish.advice,
            "nongso:outcome": wish.outcome,
            "nongso:lots": [
                [one.code, one.in_store, one.out, one.gone, one.grams] for one in found.lots
            ],
            "nongso:holders": [
                [one.lot, one.holder, one.packs, one.grams] for one in found.holders
            ],
        },
    )
    codes = [one.code for one in found.lots]
    append(desk, testing_book.RECALL_BEGUN, desk.now, id_, body, codes)
    return desk.session.get_one(Recall, id_)


def _not_hit_yet(session: Session, found: Hit) -> list[str]:
    """Lots that no open recall has yet; a second recall of the very same would say nothing."""
    codes = [one.code for one in found.lots]
    known = {one.lot for one in holding.open_holds(session, codes, RECALLED)}
    return [code for code in codes if code not in known]


def own(desk: Desk, key: str) -> Recall:
    """A recall of the desk's cooperative."""
    found = desk.session.get(Recall, key)
    if found is None or found.cooperative != desk.cooperative:
        raise RecallUnknown
    return found


def lots_of(session: Session, key: str) -> list[RecallLot]:
    """The lots of a recall."""
    wanted = select(RecallLot).where(RecallLot.recall == key).order_by(RecallLot.lot)
    return list(session.scalars(wanted))


def end(desk: Desk, id_: str, wish: Ending) -> Recall:
    """End a recall. Goods that were put right are free again; others stay held back."""
    if moving.recorded(desk, id_, wish) is not None:
        return desk.session.get_one(Recall, wish.recall)
    recall = own(desk, wish.recall)
    if recall.ended_at is not None:
        raise RecallEnded
    codes = [one.lot for one in lots_of(desk.session, recall.id)]
    if wish.outcome == DESTROY:
        now = recall_reach.of_lots(desk.session, codes)
        packs, grams = now.in_store, sum(one.grams for one in now.lots)
        if packs or grams:
            raise StillInStore(packs, grams)
    let_go = codes if wish.outcome == CORRECT else []
    others = {
        one.lot
        for one in holding.open_holds(desk.session, let_go, RECALLED)
        if one.cause != recall.id
    }
    at = max(desk.now, recall.at)
    body = moving_shapes.movement(
        id_,
        at,
        "inspecting",
        _DISPOSITIONS.get(wish.outcome, "non_sellable_other"),
        lots=[{"epcClass": lot_id(desk.base, code)} for code in codes],
        more={
            "persistentDisposition": {"unset": ["recalled"]},
            **moving.common(desk, wish),
            "nongso:recall": recall.id,
            "nongso:outcome": wish.outcome,
            "nongso:why": wish.why,
            "nongso:letGo": let_go,
            "nongso:freed": [code for code in let_go if code not in others],
        },
    )
    append(desk, testing_book.RECALL_ENDED, at, id_, body, codes)
    return recall


def note_call(desk: Desk, key: str, holder: str, said: str) -> None:
    """Note that a holder was called. It is no event: names and words of people stay out."""
    recall = own(desk, key)
    there = desk.session.get(RecallCall, (recall.id, holder, desk.now))
    if there is None:
        desk.session.add(
            RecallCall(recall=recall.id, holder=holder, at=desk.now, actor=desk.actor, said=said)
        )
    else:
        there.said = said
    desk.session.flush()


def progress(session: Session, key: str) -> list[Progress]:
    """What has come of what each holder had, those who still have the most first."""
    lines: dict[str, list[RecallHolder]] = {}
    had = (RecallHolder.packs > 0) | (RecallHolder.grams > 0)  # what was voided nobody had
    for line in session.scalars(select(RecallHolder).where(RecallHolder.recall == key, had)):
        lines.setdefault(line.holder, []).append(line)
    calls: dict[str, RecallCall] = {}
    wanted = select(RecallCall).where(RecallCall.recall == key).order_by(RecallCall.at)
    for call in session.scalars(wanted):
        calls[call.holder] = call
    there: dict[str, list[Holding]] = {}
    held = (RecallHolder.holder == Holding.holder) & (RecallHolder.lot == Holding.lot)
    now = select(Holding).join(RecallHolder, held).where(RecallHolder.recall == key)
    for one in session.scalars(now):
        there.setdefault(one.holder, []).append(one)
    found = []
    for holder in session.scalars(select(Holder).where(Holder.id.in_(list(lines)))):
        some, still = lines[holder.id], there.get(holder.id, [])
        last = calls.get(holder.id)
        found.append(
            Progress(
                holder=holder,
                lots=tuple(sorted(line.lot for line in some)),
                packs=sum(line.packs for line in some),
                grams=sum(line.grams for line in some),
                returned_packs=sum(line.returned_packs for line in some),
                returned_grams=sum(line.returned_grams for line in some),
                destroyed_packs=sum(line.destroyed_packs for line in some),
                destroyed_grams=sum(line.destroyed_grams for line in some),
                packs_there=sum(one.packs for one in still),
                grams_there=sum(one.grams for one in still),
                called_at=last.at if last else None,
                said=last.said if last else "",
            )
        )
    return sorted(found, key=lambda one: (-one.packs_there, -one.grams_there, one.holder.name))


def of_lot(session: Session, code: str) -> Recall | None:
    """The recall that a lot's page must show: an open one before an ended one, newest first."""
    wanted = (
        select(Recall)
        .join(RecallLot, RecallLot.recall == Recall.id)
        .where(RecallLot.lot == code)
        .order_by(Recall.ended_at.is_not(None), Recall.at.desc())
        .limit(1)
    )
    return session.scalar(wanted)
