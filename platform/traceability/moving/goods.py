"""Moving goods: into cartons, out to holders, back again, sold, destroyed.

Each is one transaction of the caller, as in ``operations``: check, append the event, and the
tables follow (``moving_book``). ``id`` comes from the form; the same form again is the same deed,
another form under its id is refused. Writers wait for each other, so that what was checked still
holds when it is written.
"""

import datetime
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from nongso.platform.events import Event
from nongso.platform.traceability import shaping
from nongso.platform.traceability.digital_link import check_digit
from nongso.platform.traceability.errors import (
    AlreadyRecorded,
    LotUnknown,
    NotEnough,
    Withdrawn,
    WrongKind,
)
from nongso.platform.traceability.identifiers import lot_id, new_serial
from nongso.platform.traceability.making.errors import NotOurs, Unusable
from nongso.platform.traceability.making.operations import Desk, append, change, digest, moment
from nongso.platform.traceability.moving import book as moving_book
from nongso.platform.traceability.moving import shapes as moving_shapes
from nongso.platform.traceability.moving.errors import (
    CartonNotThere,
    CartonUnknown,
    DispatchClosed,
    Expired,
    HolderUnknown,
    MoreArrived,
    MovedOn,
    NotEnoughPacks,
    NotEnoughThere,
    NothingMoved,
    TooEarly,
)
from nongso.platform.traceability.moving.records import (
    PACKED,
    SENT,
    Carton,
    CartonNumbers,
    Dispatch,
    DispatchLine,
    Holder,
    Holding,
    PackAccount,
)
from nongso.platform.traceability.recall.records import Recall, RecallLot
from nongso.platform.traceability.records import PACKS, PLANTING, Lot
from nongso.platform.traceability.seasons import withholding
from nongso.platform.traceability.shaping import Body
from nongso.platform.traceability.testing import holding

MOST_CARTONS = 200  # packed by one form
EXTENSION = "0"  # the first digit of every SSCC of ours


@dataclass(frozen=True)
class Amount:
    """So much of a lot: packs where it is packed, grams where it is not."""

    lot: str
    packs: int = 0
    grams: int = 0


@dataclass(frozen=True)
class Cartoning:
    """Packs go into ``count`` cartons of the same contents."""

    contents: tuple[Amount, ...]
    count: int
    day: datetime.date


@dataclass(frozen=True)
class Opening:
    """A carton in the store is opened; its packs are loose again."""

    carton: str
    day: datetime.date


@dataclass(frozen=True)
class Shipment:
    """Goods leave for a holder. ``document`` is the number of the delivery note, if any."""

    holder: str
    cartons: tuple[str, ...]
    amounts: tuple[Amount, ...]
    day: datetime.date
    document: str = ""


@dataclass(frozen=True)
class Arrival:
    """A holder says what arrived of a dispatch, counted or weighed again."""

    dispatch: str
    amounts: tuple[Amount, ...]
    day: datetime.date


@dataclass(frozen=True)
class Voiding:
    """A dispatch did not happen as it was written."""

    dispatch: str
    why: str


@dataclass(frozen=True)
class Return:
    """Goods come back from a holder."""

    holder: str
    cartons: tuple[str, ...]
    amounts: tuple[Amount, ...]
    day: datetime.date
    why: str = ""


@dataclass(frozen=True)
class Sale:
    """Goods were sold to those who eat them: from the store, or by a holder that says so."""

    amounts: tuple[Amount, ...]
    day: datetime.date
    holder: str = ""


@dataclass(frozen=True)
class Destruction:
    """Goods were destroyed, in the store or at a holder's; ``document`` names the witnesses'."""

    amounts: tuple[Amount, ...]
    day: datetime.date
    document: str
    why: str
    holder: str = ""


Wish = Cartoning | Opening | Shipment | Arrival | Voiding | Return | Sale | Destruction


def recorded(desk: Desk, id_: str, wish: Any) -> Event | None:
    """The event that this very form made before. Raises ``AlreadyRecorded`` for another form."""
    event = desk.session.scalar(select(Event).where(Event.id == id_))
    if event is None:
        return None
    if event.cooperative != desk.cooperative or event.body.get("nongso:form") != digest(wish):
        raise AlreadyRecorded
    return event


def common(desk: Desk, wish: Any) -> Body:
    """What every event of a form carries."""
    found: Body = {"nongso:form": digest(wish)}
    if desk.demonstration:
        found["nongso:demonstration"] = True
    return found


def own_lot(desk: Desk, code: str) -> Lot:
    """A lot of the desk's cooperative that stands. Raises ``LotUnknown`` and ``Withdrawn``."""
    lot = desk.session.get(Lot, code)
    if lot is None or lot.cooperative != desk.cooperative:
        raise LotUnknown(code)
    if lot.withdrawn_at is not None:
        raise Withdrawn(code)
    return lot


def _holder(desk: Desk, key: str) -> Holder:
    found = desk.session.get(Holder, key)
    if found is None or found.cooperative != desk.cooperative:
        raise HolderUnknown
    return found


def check_day(day: datetime.date, at: int) -> None:
    """Raise for a day before the one of that moment."""
    first = datetime.date.fromisoformat(shaping.day_of(at))
    if day < first:
        raise TooEarly(first)


def _may_leave(desk: Desk, lot: Lot, day: datetime.date) -> None:
    """Raise what forbids that a lot leaves, or is made ready to leave.

    What a household brought for milling is handed back, never sold; packs of a household's own
    product may be sold for it.
    """
    holding.check(lot)
    withholding.refuse_held_back(desk.session, lot.code, day, "pack")  # the diary may have learnt
    if lot.kind != PACKS and lot.owner != desk.cooperative:
        raise NotOurs(lot.code, lot.owner)
    if lot.holder != desk.cooperative:
        raise Unusable(lot.code, "held_elsewhere")
    check_day(day, lot.at)
    if lot.best_before and lot.best_before < day.isoformat():
        raise Expired(lot.code, datetime.date.fromisoformat(lot.best_before))


def account_of(desk: Desk, lot: Lot) -> PackAccount:
    """Where the packs of a lot are, without writing anything."""
    found = desk.session.get(PackAccount, lot.code)
    return found or moving_book.fresh_account(lot)


def _amounts(desk: Desk, amounts: Iterable[Amount]) -> list[tuple[Lot, Amount]]:
    """Lots with what is moved of them; each stands once, each with something."""
    found = [(own_lot(desk, one.lot), one) for one in amounts]
    if len({lot.code for lot, _one in found}) != len(found):
        raise NothingMoved
    for lot, one in found:
        if lot.kind == PLANTING:
            raise WrongKind(lot.code, lot.kind)
        check_amount(lot, one)
    return found


def check_amount(lot: Lot, one: Amount) -> None:
    """Raise unless it is something, counted as the lot is: packs, or grams where it has none."""
    rightly, wrongly = (one.packs, one.grams) if lot.kind == PACKS else (one.grams, one.packs)
    if rightly <= 0 or wrongly:
        raise NothingMoved


def quantity(desk: Desk, one: Amount) -> Body:
    """A quantity of an event."""
    identifier = lot_id(desk.base, one.lot)
    return (
        shaping.pieces(identifier, one.packs)
        if one.packs
        else shaping.kilograms(identifier, one.grams)
    )


def check_in_store(desk: Desk, lot: Lot, one: Amount) -> None:
    """Raise unless so much is loose in the store."""
    if lot.kind == PACKS:
        there = account_of(desk, lot).loose
        if one.packs > there:
            raise NotEnoughPacks(lot.code, there, one.packs)
    elif one.grams > (lot.left_grams or 0):
        raise NotEnough(lot.code, lot.left_grams or 0, one.grams)


def _with_holder(desk: Desk, holder: Holder, code: str, packs: int, grams: int) -> None:
    """Raise unless the holder has so much."""
    there = desk.session.get(Holding, (code, holder.id))
    if packs > (there.packs if there else 0):
        raise NotEnoughPacks(code, there.packs if there else 0, packs, holder.name)
    if grams > (there.grams if there else 0):
        raise NotEnoughThere(code, there.grams if there else 0, grams, holder.name)


def _cartons(desk: Desk, codes: Iterable[str], holder: str | None) -> list[Carton]:
    """Cartons that are packed and with that holder, or in the store."""
    found = []
    for code in dict.fromkeys(codes):
        carton = desk.session.get(Carton, code)
        if carton is None or carton.cooperative != desk.cooperative:
            raise CartonUnknown(code)
        if carton.state != PACKED or carton.holder != holder:
            raise CartonNotThere(code)
        found.append(carton)
    return found


def _total(
    cartons: Iterable[Carton], amounts: Iterable[tuple[Lot, Amount]]
) -> dict[str, tuple[int, int]]:
    """Packs and grams of each lot, cartons counted in."""
    found = {lot.code: (one.packs, one.grams) for lot, one in amounts}
    for carton in cartons:
        for code, packs in carton.contents.items():
            before = found.get(code, (0, 0))
            found[code] = (before[0] + packs, before[1])
    return found


def _ids(desk: Desk, cartons: Iterable[Carton]) -> list[str]:
    return [moving_shapes.carton_id(desk.base, one.code) for one in cartons]


def _from_to(desk: Desk, giver: str, taker: str) -> Body:
    return change(desk, giver, taker, "owning_party", "possessing_party")


def sscc(prefix: str, number: int) -> str:
    """Write a serial shipping container code. Raises ``ValueError`` when numbers have run out."""
    room = 16 - len(prefix)
    digits = f"{number:0{room}d}"
    if len(digits) > room:
        raise ValueError(f"no numbers left under {prefix}")
    body = EXTENSION + prefix + digits
    return body + str(check_digit(body))


def _new_carton_code(desk: Desk) -> str:
    """The next SSCC where the cooperative has a prefix of GS1's, a code of ours otherwise."""
    numbers = desk.session.get(CartonNumbers, desk.cooperative)
    while True:
        if numbers is not None and numbers.prefix:
            code = sscc(numbers.prefix, numbers.next)
            numbers.next += 1
        else:
            code = new_serial()
        if desk.session.get(Carton, code) is None:
            return code


def pack_cartons(desk: Desk, id_: str, wish: Cartoning) -> list[Carton]:
    """Put packs into cartons of the same contents; each carton is an event of its own."""
    if recorded(desk, id_, wish) is not None:
        return [_carton_of(desk, _nth(id_, nth)) for nth in range(wish.count)]
    amounts = _amounts(desk, wish.contents)
    if not amounts or not 1 <= wish.count <= MOST_CARTONS:
        raise NothingMoved
    for lot, one in amounts:
        if lot.kind != PACKS:
            raise WrongKind(lot.code, lot.kind)
        _may_leave(desk, lot, wish.day)
        check_in_store(desk, lot, Amount(lot.code, one.packs * wish.count))
    return [_pack_one(desk, _nth(id_, nth), wish, amounts) for nth in range(wish.count)]


def _nth(id_: str, nth: int) -> str:
    """The id of a form's nth event; the first one has the form's own."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{id_}/{nth}")) if nth else id_


def _carton_of(desk: Desk, event_id: str) -> Carton:
    body = desk.session.scalars(select(Event.body).where(Event.id == event_id)).one()
    return desk.session.get_one(Carton, moving_book.last_part(body["parentID"]))


def _pack_one(desk: Desk, id_: str, wish: Cartoning, amounts: list[tuple[Lot, Amount]]) -> Carton:
    code, at = _new_carton_code(desk), moment(wish.day, desk.now)
    children = [quantity(desk, one) for _lot, one in amounts]
    parent = moving_shapes.carton_id(desk.base, code)
    body = moving_shapes.aggregation(id_, at, parent, children, True, common(desk, wish))
    append(desk, moving_book.CARTONED, at, id_, body, [lot.code for lot, _one in amounts])
    return desk.session.get_one(Carton, code)


def open_carton(desk: Desk, id_: str, wish: Opening) -> Carton:
    """Open a carton in the store."""
    if recorded(desk, id_, wish) is not None:
        return desk.session.get_one(Carton, wish.carton)
    carton = _cartons(desk, [wish.carton], None)[0]
    check_day(wish.day, carton.at)
    at = moment(wish.day, desk.now)
    children = [quantity(desk, Amount(lot, n)) for lot, n in carton.contents.items()]
    parent = moving_shapes.carton_id(desk.base, carton.code)
    body = moving_shapes.aggregation(id_, at, parent, children, False, common(desk, wish))
    append(desk, moving_book.UNPACKED, at, id_, body, list(carton.contents))
    return carton


def ship(desk: Desk, id_: str, wish: Shipment) -> Dispatch:
    """Send goods to a holder. What is held, expired or not there is refused."""
    if recorded(desk, id_, wish) is not None:
        return desk.session.get_one(Dispatch, id_)
    holder = _holder(desk, wish.holder)
    amounts, cartons = _amounts(desk, wish.amounts), _cartons(desk, wish.cartons, None)
    if not amounts and not cartons:
        raise NothingMoved
    for lot, one in amounts:
        check_in_store(desk, lot, one)
    for carton in cartons:
        check_day(wish.day, carton.at)
    total = _total(cartons, amounts)
    for code in total:
        _may_leave(desk, own_lot(desk, code), wish.day)
    at = moment(wish.day, desk.now)
    papers = [("desadv", moving_shapes.document_id(desk.base, f"dispatch-{id_}"))]
    more = {**common(desk, wish), "nongso:dispatch": id_, "nongso:holder": holder.id}
    if wish.document:
        papers.append(("bol", moving_shapes.document_id(desk.base, wish.document)))
        more["nongso:document"] = wish.document
    body = moving_shapes.movement(
        id_,
        at,
        "shipping",
        "in_transit",
        cartons=_ids(desk, cartons),
        lots=[quantity(desk, one) for _lot, one in amounts],
        between=_from_to(desk, desk.cooperative, holder.id),
        papers=papers,
        more=more,
    )
    append(desk, moving_book.SHIPPED, at, id_, body, list(total))
    return desk.session.get_one(Dispatch, id_)


def _open_dispatch(desk: Desk, key: str) -> Dispatch:
    found = desk.session.get(Dispatch, key)
    if found is None or found.cooperative != desk.cooperative:
        raise DispatchClosed("unknown")
    if found.state != SENT:
        raise DispatchClosed(found.state)
    return found


def lines_of(desk: Desk, key: str) -> list[DispatchLine]:
    """What was sent, lot by lot."""
    wanted = select(DispatchLine).where(DispatchLine.dispatch == key).order_by(DispatchLine.lot)
    return list(desk.session.scalars(wanted))


def confirm(desk: Desk, id_: str, wish: Arrival) -> Dispatch:
    """Record what arrived; the rest was lost on the way. A lot that is not named came whole."""
    if recorded(desk, id_, wish) is not None:
        return desk.session.get_one(Dispatch, wish.dispatch)
    sent = _open_dispatch(desk, wish.dispatch)
    check_day(wish.day, sent.at)
    said = {one.lot: one for one in wish.amounts}
    arrived = []
    for line in lines_of(desk, sent.id):
        one = said.pop(line.lot, Amount(line.lot, line.packs, line.grams))
        if one.packs > line.packs or one.grams > line.grams or min(one.packs, one.grams) < 0:
            raise MoreArrived(line.lot)
        there = desk.session.get(Holding, (line.lot, sent.holder))
        if there is None or there.packs < line.packs - one.packs:
            raise MovedOn(line.lot)
        if there.grams < line.grams - one.grams:
            raise MovedOn(line.lot)
        arrived.append((line, one))
    if said:
        raise LotUnknown(next(iter(said)))
    at = max(moment(wish.day, desk.now), sent.at)
    more = {
        **common(desk, wish),
        "nongso:dispatch": sent.id,
        "nongso:stated": "stated",
        "nongso:arrived": [_exact(desk, line, one) for line, one in arrived],
    }
    things = [_exact(desk, line, one) for line, one in arrived if one.packs or one.grams]
    body = moving_shapes.movement(
        id_,
        at,
        "receiving",
        "in_progress",
        # Nothing at all arrived: the event still needs its subject, of which EPCIS takes a class.
        lots=things or [{"epcClass": lot_id(desk.base, arrived[0][0].lot)}],
        between=_from_to(desk, desk.cooperative, sent.holder),
        papers=[("desadv", moving_shapes.document_id(desk.base, f"dispatch-{sent.id}"))],
        more=more,
    )
    append(desk, moving_book.ARRIVED, at, id_, body, [line.lot for line, _one in arrived])
    return sent


def _exact(desk: Desk, line: DispatchLine, one: Amount) -> Body:
    """What arrived of a line, 0 written out."""
    identifier = lot_id(desk.base, line.lot)
    if line.packs:
        return shaping.pieces(identifier, one.packs)
    return shaping.kilograms(identifier, one.grams)


def void(desk: Desk, id_: str, wish: Voiding) -> Dispatch:
    """Take back a dispatch that was written by mistake, while all of it is still there."""
    if recorded(desk, id_, wish) is not None:
        return desk.session.get_one(Dispatch, wish.dispatch)
    sent = _open_dispatch(desk, wish.dispatch)
    cartons = list(
        desk.session.scalars(
            select(Carton).where(Carton.dispatch == sent.id, Carton.holder == sent.holder)
        )
    )
    inside = _total(cartons, [])
    lines, loose = lines_of(desk, sent.id), []
    for line in lines:
        there = desk.session.get(Holding, (line.lot, sent.holder))
        if there is None or there.packs < line.packs or there.grams < line.grams:
            raise MovedOn(line.lot)
        packs = line.packs - inside.get(line.lot, (0, 0))[0]
        if packs or line.grams:
            loose.append(quantity(desk, Amount(line.lot, packs, line.grams)))
    body = moving_shapes.movement(
        id_,
        desk.now,
        "void_shipping",
        "in_progress",
        cartons=_ids(desk, cartons),
        lots=loose,
        papers=[("desadv", moving_shapes.document_id(desk.base, f"dispatch-{sent.id}"))],
        more={
            **common(desk, wish),
            "nongso:dispatch": sent.id,
            "nongso:why": wish.why,
            "nongso:recalls": open_recalls(desk, [line.lot for line in lines]),
        },
    )
    append(desk, moving_book.VOIDED, desk.now, id_, body, [line.lot for line in lines])
    return sent


def open_recalls(desk: Desk, codes: Iterable[str]) -> list[str]:
    """Recalls that hit these lots and have not ended: what comes back counts for them."""
    wanted = (
        select(Recall.id)
        .join(RecallLot, RecallLot.recall == Recall.id)
        .where(
            Recall.cooperative == desk.cooperative,
            Recall.ended_at.is_(None),
            RecallLot.lot.in_(list(codes)),
        )
        .order_by(Recall.id)
    )
    return sorted(set(desk.session.scalars(wanted)))


def bring_back(desk: Desk, id_: str, wish: Return) -> dict[str, tuple[int, int]]:
    """Record goods that came back; returns packs and grams of each lot."""
    holder = _holder(desk, wish.holder)
    there_before = recorded(desk, id_, wish)
    if there_before is not None:
        return {code: (packs, grams) for code, packs, grams in there_before.body["nongso:total"]}
    amounts = _amounts(desk, wish.amounts)
    cartons = _cartons(desk, wish.cartons, holder.id)
    for carton in cartons:
        check_day(wish.day, desk.session.get_one(Dispatch, carton.dispatch).at)
    total = _total(cartons, amounts)
    if not total:
        raise NothingMoved
    for code, (packs, grams) in total.items():
        check_day(wish.day, own_lot(desk, code).at)
        _with_holder(desk, holder, code, packs, grams)
    at = moment(wish.day, desk.now)
    more = {
        **common(desk, wish),
        "nongso:holder": holder.id,
        "nongso:recalls": open_recalls(desk, total),
        "nongso:total": [[code, *both] for code, both in total.items()],
    }
    if wish.why:
        more["nongso:why"] = wish.why
    body = moving_shapes.movement(
        id_,
        at,
        "receiving",
        "returned",
        cartons=_ids(desk, cartons),
        lots=[quantity(desk, one) for _lot, one in amounts],
        between=_from_to(desk, holder.id, desk.cooperative),
        more=more,
    )
    append(desk, moving_book.RETURNED, at, id_, body, list(total))
    return total


def sell(desk: Desk, id_: str, wish: Sale) -> list[str]:
    """Record goods sold to those who eat them; returns the lots."""
    if recorded(desk, id_, wish) is not None:
        return [one.lot for one in wish.amounts]
    amounts = _amounts(desk, wish.amounts)
    holder = _holder(desk, wish.holder) if wish.holder else None
    if not amounts:
        raise NothingMoved
    for lot, one in amounts:
        if holder is None:
            _may_leave(desk, lot, wish.day)
            check_in_store(desk, lot, one)
        else:  # what a shop has sold it has sold, also when it should not have
            check_day(wish.day, lot.at)
            _with_holder(desk, holder, lot.code, one.packs, one.grams)
    at = moment(wish.day, desk.now)
    more = {**common(desk, wish), "nongso:stated": "stated"}
    if holder is not None:
        more["nongso:holder"] = holder.id
    body = moving_shapes.movement(
        id_,
        at,
        "retail_selling",
        "retail_sold",
        lots=[quantity(desk, one) for _lot, one in amounts],
        gone=True,
        more=more,
    )
    append(desk, moving_book.SOLD, at, id_, body, [lot.code for lot, _one in amounts])
    return [lot.code for lot, _one in amounts]


def destroy(desk: Desk, id_: str, wish: Destruction) -> list[str]:
    """Record destroyed goods, with the paper of those who saw it; returns the lots."""
    if recorded(desk, id_, wish) is not None:
        return [one.lot for one in wish.amounts]
    amounts = _amounts(desk, wish.amounts)
    holder = _holder(desk, wish.holder) if wish.holder else None
    if not amounts:
        raise NothingMoved
    for lot, one in amounts:
        check_day(wish.day, lot.at)
        if holder is None:
            check_in_store(desk, lot, one)
        else:
            _with_holder(desk, holder, lot.code, one.packs, one.grams)
    at = moment(wish.day, desk.now)
    codes = [lot.code for lot, _one in amounts]
    more = {
        **common(desk, wish),
        "nongso:why": wish.why,
        "nongso:document": wish.document,
        "nongso:recalls": open_recalls(desk, codes),
    }
    if holder is not None:
        more["nongso:holder"] = holder.id
    body = moving_shapes.movement(
        id_,
        at,
        "destroying",
        "destroyed",
        lots=[quantity(desk, one) for _lot, one in amounts],
        papers=[("cert", moving_shapes.document_id(desk.base, wish.document))],
        gone=True,
        more=more,
    )
    append(desk, moving_book.GONE, at, id_, body, codes)
    return codes
