"""How cartons, dispatches and the places of packs follow from events.

Plugged into ``lots.PLUGGED``. Each rule reads its event and the book, nothing else, so that the
tables can be made again from the stream. An event names a carton by its identifier and loose
goods by their lot; what a carton holds is what went into it, because nothing changes it but
opening.

A lot's ``away`` is what somebody else has or has bought. How it is spread stands in the account
(``PackAccount``) and in the holdings.
"""

from collections.abc import Iterator

from nongso.platform.events import Event
from nongso.platform.traceability import lots, shaping
from nongso.platform.traceability.book import Book
from nongso.platform.traceability.identifiers import lot_of
from nongso.platform.traceability.moving.records import (
    OPENED,
    PACKED,
    RECEIVED,
    SENT,
    VOID,
    Carton,
    CartonLot,
    Dispatch,
    DispatchLine,
    Holding,
    PackAccount,
)
from nongso.platform.traceability.recall.records import RecallHolder
from nongso.platform.traceability.records import Lot
from nongso.platform.traceability.shaping import Body

CARTONED = "carton.packed"
UNPACKED = "carton.opened"
SHIPPED = "goods.shipped"
ARRIVED = "goods.arrived"
RETURNED = "goods.returned"
VOIDED = "goods.shipping_voided"
SOLD = "goods.sold"
GONE = "goods.destroyed"
SET_RIGHT = "lot.account_set_right"  # the operator's word, see ``recounting``
PLACES = ("packs", "loose", "cartoned", "shipped", "sold", "sampled", "destroyed", "lost")


def last_part(identifier: str) -> str:
    """What an identifier of ours ends with: the code of a carton, the id of a party."""
    return identifier.rsplit("/", 1)[-1]


def fresh_account(lot: Lot) -> PackAccount:
    """The account of a lot of which nothing was moved yet."""
    return PackAccount(
        lot=lot.code,
        packs=lot.packs,
        loose=lot.packs,
        cartoned=0,
        shipped=0,
        sold=0,
        sampled=0,
        destroyed=0,
        lost=0,
    )


def account(book: Book, lot: Lot) -> PackAccount:
    """The account of a packed lot, opened with all packs loose in the store."""
    found = book.find(PackAccount, lot.code)
    if found is None:
        found = fresh_account(lot)
        book.add(found)
    return found


def holding(book: Book, lot: str, holder: str) -> Holding:
    """What a holder has of a lot."""
    found = book.find(Holding, lot, holder)
    if found is None:
        found = Holding(lot=lot, holder=holder, packs=0, grams=0)
        book.add(found)
    return found


def quantities(body: Body, name: str = "quantityList") -> Iterator[tuple[str, int, int]]:
    """Lot, packs and grams of each quantity; one of the two numbers is 0."""
    for one in body.get(name, ()):
        grams = shaping.grams_of(one)
        packs = int(one.get("quantity", 0)) if grams is None else 0
        yield lot_of(one["epcClass"]), packs, grams or 0


def _cartons(book: Book, body: Body) -> list[Carton]:
    found = (book.find(Carton, last_part(epc)) for epc in body.get("epcList", ()))
    return [carton for carton in found if carton is not None]


def _all(book: Book, body: Body) -> dict[str, tuple[int, int]]:
    """Packs and grams of each lot that an event moves, cartons counted in."""
    found: dict[str, tuple[int, int]] = {}
    parts = list(quantities(body))
    for carton in _cartons(book, body):
        parts += [(lot, packs, 0) for lot, packs in carton.contents.items()]
    for lot, packs, grams in parts:
        before = found.get(lot, (0, 0))
        found[lot] = (before[0] + packs, before[1] + grams)
    return found


def _cartoned(book: Book, event: Event) -> None:
    body = event.body
    contents = {lot: packs for lot, packs, _grams in quantities(body, "childQuantityList")}
    carton = Carton(
        code=last_part(body["parentID"]),
        cooperative=event.cooperative,
        at=event.at,
        state=PACKED,
        holder=None,
        dispatch=None,
        contents=contents,
    )
    book.add(carton)
    for lot, packs in contents.items():
        book.add(CartonLot(lot=lot, carton=carton.code, packs=packs))
        found = account(book, book.lot(lot))
        shift(found, "loose", "cartoned", packs)


def _unpacked(book: Book, event: Event) -> None:
    carton = book.find(Carton, last_part(event.body["parentID"]))
    assert carton is not None, "events are in order"
    carton.state = OPENED
    if carton.holder is not None:
        return  # opened at the holder's: its packs are there as before
    for lot, packs in carton.contents.items():
        found = account(book, book.lot(lot))
        shift(found, "cartoned", "loose", packs)


def _shipped(book: Book, event: Event) -> None:
    body = event.body
    holder = body["nongso:holder"]
    book.add(
        Dispatch(
            id=body["nongso:dispatch"],
            cooperative=event.cooperative,
            holder=holder,
            at=event.at,
            state=SENT,
            document=body.get("nongso:document", ""),
            received_at=None,
            void_why=None,
        )
    )
    _move_out(book, body, holder)
    for lot, (packs, grams) in _all(book, body).items():
        book.add(
            DispatchLine(
                dispatch=body["nongso:dispatch"],
                lot=lot,
                packs=packs,
                grams=grams,
                received_packs=None,
                received_grams=None,
            )
        )


def _move_out(book: Book, body: Body, holder: str) -> None:
    for carton in _cartons(book, body):
        carton.holder, carton.dispatch = holder, body.get("nongso:dispatch")
        for code, packs in carton.contents.items():
            found = account(book, book.lot(code))
            shift(found, "cartoned", "loose", packs)  # and out again below, like all others
    for code, (packs, grams) in _all(book, body).items():
        lot = book.lot(code)
        if packs:
            found = account(book, lot)
            shift(found, "loose", "shipped", packs)
        there = holding(book, code, holder)
        there.packs += packs
        there.grams += grams
        lots.take_off(lot, packs or grams, lots.AWAY)


def _move_back(book: Book, body: Body, holder: str) -> None:
    for code, (packs, grams) in _all(book, body).items():
        lot = book.lot(code)
        if packs:
            found = account(book, lot)
            shift(found, "shipped", "loose", packs)
        there = holding(book, code, holder)
        there.packs -= packs
        there.grams -= grams
        lots.take_off(lot, -(packs or grams), lots.AWAY)
    for carton in _cartons(book, body):
        carton.holder, carton.dispatch = None, None
        for code, packs in carton.contents.items():
            found = account(book, book.lot(code))
            shift(found, "loose", "cartoned", packs)


def _arrived(book: Book, event: Event) -> None:
    """What is missing on arrival is lost: it is neither here nor there."""
    body = event.body
    sent = book.find(Dispatch, body["nongso:dispatch"])
    assert sent is not None, "events are in order"
    sent.state, sent.received_at = RECEIVED, event.at
    for code, packs, grams in quantities(body, "nongso:arrived"):
        line = book.find(DispatchLine, sent.id, code)
        assert line is not None, "only what was sent arrives"
        line.received_packs, line.received_grams = packs, grams
        missing_packs, missing_grams = line.packs - packs, line.grams - grams
        there = holding(book, code, sent.holder)
        there.packs -= missing_packs
        there.grams -= missing_grams
        lot = book.lot(code)
        if missing_packs:
            found = account(book, lot)
            shift(found, "shipped", "lost", missing_packs)
        lots.take_off(lot, -(missing_packs or missing_grams), lots.AWAY)
        lots.take_off(lot, missing_packs or missing_grams, lots.LOST)


def _voided(book: Book, event: Event) -> None:
    sent = book.find(Dispatch, event.body["nongso:dispatch"])
    assert sent is not None, "events are in order"
    sent.state, sent.void_why = VOID, event.body["nongso:why"]
    for recall in event.body.get("nongso:recalls", ()):  # the holder never had them
        for code, (packs, grams) in _all(book, event.body).items():
            line = book.find(RecallHolder, recall, code, sent.holder)
            if line is not None:
                line.packs = max(line.packs - packs, line.returned_packs + line.destroyed_packs)
                line.grams = max(line.grams - grams, line.returned_grams + line.destroyed_grams)
    _move_back(book, event.body, sent.holder)


def _returned(book: Book, event: Event) -> None:
    holder = event.body["nongso:holder"]
    _count_recall(book, event.body, holder, returned=True)
    _move_back(book, event.body, holder)


def _count_recall(book: Book, body: Body, holder: str, returned: bool) -> None:
    """Count what came back or was destroyed towards the recalls that the event names."""
    for recall in body.get("nongso:recalls", ()):
        for code, (packs, grams) in _all(book, body).items():
            line = book.find(RecallHolder, recall, code, holder)
            if line is None:
                continue
            if returned:
                line.returned_packs += packs
                line.returned_grams += grams
            else:
                line.destroyed_packs += packs
                line.destroyed_grams += grams


def _take(book: Book, body: Body, place: str, why: str) -> None:
    """Take goods out of the store, or from a holder, and book them at ``place`` of the account."""
    holder = body.get("nongso:holder")
    for code, packs, grams in quantities(body):
        lot = book.lot(code)
        if holder:
            there = holding(book, code, holder)
            there.packs -= packs
            there.grams -= grams
        if packs:
            found = account(book, lot)
            shift(found, "shipped" if holder else "loose", place, packs)
        if holder:
            lots.take_off(lot, -(packs or grams), lots.AWAY)
        lots.take_off(lot, packs or grams, why)


def shift(found: PackAccount, giver: str, taker: str, packs: int) -> None:
    """Move packs from one place of an account to another."""
    setattr(found, giver, getattr(found, giver) - packs)
    setattr(found, taker, getattr(found, taker) + packs)


def _sold(book: Book, event: Event) -> None:
    _take(book, event.body, "sold", lots.AWAY)


def _gone(book: Book, event: Event) -> None:
    holder = event.body.get("nongso:holder")
    if holder:
        _count_recall(book, event.body, holder, returned=False)
    _take(book, event.body, "destroyed", lots.DESTROYED)


def _set_right(book: Book, event: Event) -> None:
    """Where the packs are by the stream: nothing new to it, news to a table that was wrong."""
    found = account(book, book.lot(lots.lot_in(event.body)))
    for place in PLACES:
        setattr(found, place, event.body["nongso:account"][place])


APPLIES = {
    CARTONED: _cartoned,
    UNPACKED: _unpacked,
    SHIPPED: _shipped,
    ARRIVED: _arrived,
    VOIDED: _voided,
    RETURNED: _returned,
    SOLD: _sold,
    GONE: _gone,
    SET_RIGHT: _set_right,
}
TABLES = (Carton, CartonLot, PackAccount, Holding, Dispatch, DispatchLine)
