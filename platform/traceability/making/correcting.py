"""Correcting a quantity or a day of a step that was recorded wrongly, by two new events.

Nothing is edited. The first event declares the old one to be wrong, with a reason, and names the
second (EPCIS: ``errorDeclaration`` with ``correctiveEventIDs``); the second says how it was. Both
stay readable for everybody, and the pages show that there was a correction, when and why.

A correction is refused where what was recorded later contradicts it: more was taken from the
lot than it would have, a later step would stand before it, labels or packs are out. What physics
forbids stays forbidden. What went in can be corrected too, but not from which lots: that is
another batch, so the old one is withdrawn.
"""

import datetime
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.events import Event
from nongso.platform.traceability import lots, shaping
from nongso.platform.traceability.errors import (
    BeforeItsSource,
    BestBeforeTooEarly,
    BestBeforeTooLate,
    MoreOutThanIn,
    NothingTaken,
    WrongKind,
)
from nongso.platform.traceability.identifiers import lot_id, lot_of
from nongso.platform.traceability.making import book as making_book
from nongso.platform.traceability.making import reckoning
from nongso.platform.traceability.making.errors import Contradicted, MoreDryOutThanIn
from nongso.platform.traceability.making.operations import (
    Desk,
    Take,
    append,
    check_best_before,
    check_land,
    check_left,
    check_moisture,
    day_of,
    digest,
    moment,
    possible,
    recorded,
    standing_lot,
)
from nongso.platform.traceability.making.recipe_book import recipes
from nongso.platform.traceability.moving import book as moving_book
from nongso.platform.traceability.moving.records import PackAccount
from nongso.platform.traceability.records import PACKS, PLANTING, Flow, Lot
from nongso.platform.traceability.seasons import withholding
from nongso.platform.traceability.shaping import Body

MAKING = (
    lots.PLANTED,
    lots.HARVESTED,
    lots.RECEIVED,
    lots.TRANSFORMED,
    lots.PACKED,
    *making_book.REGROUPING,
)
_SILENT = (
    making_book.DECLARED,
    making_book.CORRECTED,
    lots.WITHDRAWN,
    making_book.UNDONE,
    moving_book.SET_RIGHT,
)


@dataclass(frozen=True)
class Correction:
    """How it was: grams (packs of a packed lot), the day, the moisture, and what went in.

    An empty ``takes`` leaves what went in as it is recorded. ``of`` is the event that whoever
    corrects was shown; empty where nobody says.
    """

    lot: str
    amount: int
    day: datetime.date
    why: str
    moisture_permille: int | None = None
    takes: tuple[Take, ...] = ()
    of: str = ""


def made_by(session: Session, code: str) -> list[Event]:
    """The events that say how a lot came about, as they stand today: corrected ones replaced."""
    found = [
        event
        for event in lots.about(session, code, (*MAKING, making_book.CORRECTED))
        if lots.made_by(event.body) == code
    ]
    replaced = {event.body.get("nongso:corrects") for event in found}
    return [event for event in found if event.body["eventID"] not in replaced]


def takes_of(event: Event) -> tuple[Take, ...]:
    """What went into a step."""
    return tuple(
        Take(lot_of(one["epcClass"]), shaping.grams_of(one) or 0)
        for one in event.body.get("inputQuantityList", ())
    )


def correct(desk: Desk, id_: str, wish: Correction) -> Lot:
    """Correct the step that made a lot. Raises ``Contradicted``, and what the step raises."""
    if (there := recorded(desk, id_, wish)) is not None:
        return there
    lot = standing_lot(desk, wish.lot)
    if lot.kind == PLANTING:
        raise WrongKind(lot.code, lot.kind)
    wrong = made_by(desk.session, lot.code)[-1]
    if wish.of not in ("", wrong.id):
        raise Contradicted(lot.code, "changed")
    takes = wish.takes or takes_of(wrong)
    _check_day(desk, lot, wrong, wish.day)
    _check_amount(desk, lot, wrong, wish, takes)
    at = wrong.at if wish.day == day_of(lot) else moment(wish.day, desk.now)
    right = _corrected(desk, id_, wrong, lot, wish, takes, at)
    if _same(wrong.body, right):
        raise Contradicted(lot.code, "same")
    declared = shaping.error(wrong.body, desk.now, wish.why)
    declared["errorDeclaration"]["correctiveEventIDs"] = [right["eventID"]]
    codes = [lot.code, *(take.lot for take in takes)]
    first_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{id_}/declared"))
    append(desk, making_book.DECLARED, desk.now, first_id, declared, codes)
    append(desk, making_book.CORRECTED, at, id_, right, codes)
    return lot


def _check_day(desk: Desk, lot: Lot, wrong: Event, day: datetime.date) -> None:
    """Raise where the day does not fit between what came before and what came after."""
    if day == day_of(lot):
        return
    if "nongso:growingRecord" in wrong.body:
        raise Contradicted(lot.code, "measured")
    for take in takes_of(wrong):
        source = desk.session.get_one(Lot, take.lot)
        if day < day_of(source):
            raise BeforeItsSource(source.code, shaping.day_of(source.at), source.kind)
    for event in lots.about(desk.session, lot.code, tuple(lots.applies())):
        if event.number <= lot.born_number and event.type == lots.HARVESTED:
            stated = datetime.date.fromisoformat(shaping.day_of(event.at))
            if day < stated:
                raise Contradicted(lot.code, "earlier", day=stated)
        elif event.type in MAKING and lots.made_by(event.body) != lot.code:
            target = desk.session.get_one(Lot, lots.made_by(event.body))
            if target.withdrawn_at is None:
                _not_after(lot, day, target.at)
        elif event.type not in (*_SILENT, *MAKING):
            _not_after(lot, day, event.at)
    if lot.kind == PACKS:
        for take in takes_of(wrong):
            withholding.refuse_held_back(desk.session, take.lot, day, "pack")
        _best_before(lot, day)


def _best_before(lot: Lot, day: datetime.date) -> str | None:
    """The best-before day of packs that were packed on that day after all: it moves as they do.

    What stands on labels stays as it is. Raises ``Contradicted`` where it cannot.
    """
    if lot.best_before is None or lot.product is None or day == day_of(lot):
        return lot.best_before
    said = datetime.date.fromisoformat(lot.best_before)
    if lot.labels == lot.spoiled:
        said += day - day_of(lot)
    try:
        check_best_before(lot.product, day, said)
    except (BestBeforeTooEarly, BestBeforeTooLate) as error:
        raise Contradicted(lot.code, "printed", day=said) from error
    return said.isoformat()


def _not_after(lot: Lot, day: datetime.date, at: int) -> None:
    later = datetime.date.fromisoformat(shaping.day_of(at))
    if day > later:
        raise Contradicted(lot.code, "later", day=later)


def _check_amount(
    desk: Desk, lot: Lot, wrong: Event, wish: Correction, takes: Sequence[Take]
) -> None:
    """Raise where the amounts contradict what was taken since, or physics."""
    old = {take.lot: take.grams for take in takes_of(wrong)}
    if {take.lot for take in takes} != set(old) or len(takes) != len(old):
        raise NothingTaken("other lots went in: that is another batch")
    sources = []
    for take in takes:
        source = desk.session.get_one(Lot, take.lot)
        check_left(source, take.grams, given_back=old[take.lot])
        sources.append(source)
    in_grams = sum(take.grams for take in takes)
    if lot.kind == PACKS:
        _check_packs(desk, lot, wish.amount, in_grams)
        return
    if wish.amount <= 0:
        raise MoreOutThanIn(in_grams, wish.amount)
    if wish.amount < lot.used_grams:
        raise Contradicted(lot.code, "used", lot.used_grams)
    if lot.regrouped and wish.amount != in_grams:
        raise Contradicted(lot.code, "regrouped")
    kind = recipes().kinds.get(lot.kind)
    if kind is not None:
        check_moisture(kind, wish.moisture_permille)
    moisture = lot.moisture_permille if wish.moisture_permille is None else wish.moisture_permille
    if moisture != lot.moisture_permille:
        _check_uses(desk, lot, moisture)
    if lot.recipe is not None:
        step = recipes().steps[lot.recipe]
        pairs = zip(sources, takes, strict=True)
        went_in = [reckoning.weighed(source, take.grams) for source, take in pairs]
        possible(step, went_in, reckoning.made(step, wish.amount, moisture))
    elif kind is not None and lot.producer_id is not None and not (lot.regrouped or lot.bought):
        old_grams = lot.made_grams or 0
        if wish.amount > old_grams:
            check_land(desk, lot.producer_id, kind, wish.day, wish.amount, True, old_grams)


def _check_uses(desk: Desk, lot: Lot, moisture_permille: int | None) -> None:
    """Raise where more dry matter would have come out of a batch than this lot brought into it."""
    batches = (
        select(Lot)
        .join(Flow, Flow.target == Lot.code)
        .where(Flow.source == lot.code, Lot.withdrawn_at.is_(None), Lot.recipe.is_not(None))
    )
    for batch in desk.session.scalars(batches).all():
        went_in = [
            replace(weighed, moisture_permille=moisture_permille) if source is lot else weighed
            for source, grams in desk.session.execute(
                select(Lot, Flow.grams)
                .join(Flow, Flow.source == Lot.code)
                .where(Flow.target == batch.code)
            )
            for weighed in [reckoning.weighed(source, grams or 0)]
        ]
        step = recipes().steps[batch.recipe or ""]
        try:
            made = reckoning.made(step, batch.made_grams or 0, batch.moisture_permille)
            possible(step, went_in, made)
        except MoreDryOutThanIn:
            raise Contradicted(batch.code, "drier") from None


def _check_packs(desk: Desk, lot: Lot, packs: int, in_grams: int) -> None:
    if packs < lot.labels - lot.spoiled:
        raise Contradicted(lot.code, "labelled", lot.labels - lot.spoiled)
    if packs < lot.packs_gone:
        raise Contradicted(lot.code, "gone", lot.packs_gone)
    account = desk.session.get(PackAccount, lot.code)
    if account is not None and packs < lot.packs_gone + account.cartoned:
        raise Contradicted(lot.code, "boxed", account.cartoned)
    if not 0 < lot.net.mass(packs) <= in_grams:
        raise MoreOutThanIn(in_grams, lot.net.mass(packs))


def _corrected(
    desk: Desk,
    id_: str,
    wrong: Event,
    lot: Lot,
    wish: Correction,
    takes: Sequence[Take],
    at: int,
) -> Body:
    """The event as it should have been."""
    happened = datetime.datetime.fromtimestamp(at, shaping.ZONE)
    body: Body = {
        **wrong.body,
        "eventID": f"urn:uuid:{id_}",
        "eventTime": happened.isoformat(timespec="seconds"),
        "nongso:corrects": wrong.body["eventID"],
        "nongso:correctedAt": desk.now,
        "nongso:why": wish.why,
        "nongso:form": digest(wish),
    }
    identifier = lot_id(desk.base, lot.code)
    quantity = (
        shaping.pieces(identifier, wish.amount)
        if lot.kind == PACKS
        else shaping.kilograms(identifier, wish.amount)
    )
    ilmd = dict(wrong.body.get("ilmd", {}))
    if "inputQuantityList" in body:
        body["inputQuantityList"] = [
            shaping.kilograms(lot_id(desk.base, take.lot), take.grams) for take in takes
        ]
        body["outputQuantityList"] = [quantity]
        if wish.moisture_permille is not None:
            ilmd["nongso:moisturePermille"] = wish.moisture_permille
    else:
        body["quantityList"] = [quantity]
        if wish.moisture_permille is not None:
            body["nongso:moisturePermille"] = wish.moisture_permille
    for name in ("nongso:packingDate", "nongso:harvestDate"):
        if name in ilmd:
            ilmd[name] = wish.day.isoformat()
    if "nongso:bestBeforeDate" in ilmd:
        ilmd["nongso:bestBeforeDate"] = _best_before(lot, wish.day)
    if ilmd:
        body["ilmd"] = ilmd
    return body


def _same(old: Body, new: Body) -> bool:
    names = ("eventTime", "quantityList", "inputQuantityList", "outputQuantityList", "ilmd")
    return all(old.get(name) == new.get(name) for name in names) and old.get(
        "nongso:moisturePermille"
    ) == new.get("nongso:moisturePermille")
