"""What the events of making change, beside those that ``lots`` knows: plugged in there.

Split, merged and bought lots are the same thing in other portions, so they carry ``regrouped``:
who counts households or batches leaves them out.
"""

from collections.abc import Mapping

from nongso.platform.events import Event
from nongso.platform.traceability import lots, shaping
from nongso.platform.traceability.book import Book
from nongso.platform.traceability.identifiers import lot_of
from nongso.platform.traceability.moving.records import PackAccount
from nongso.platform.traceability.records import PACKS, Flow, Lot
from nongso.platform.traceability.shaping import Body

SPLIT = "lot.split"
MERGED = "lot.merged"
TAKEN_OVER = "lot.taken_over"  # what was milled for a household is bought, or kept as the fee
LOSS = "lot.lost"
HANDED_BACK = "lot.handed_back"  # to its owner
HANDED_OVER = "lot.handed_over"  # to somebody who does not own it, and from there
UNDONE = "lot.undone"  # a loss or a handing back that was recorded wrongly
DECLARED = "lot.declared_wrong"  # the first half of a correction: what it corrects
CORRECTED = "lot.corrected"  # the second half: how it was
REGROUPING = (SPLIT, MERGED, TAKEN_OVER)


def amount_in(lot: Lot, quantity: Body) -> int:
    """Grams, or packs of a packed lot."""
    if lot.kind == PACKS:
        return int(quantity["quantity"])
    return shaping.grams_of(quantity) or 0


def _regrouped(book: Book, event: Event) -> None:
    body = event.body
    lot = lots.born(event, body["nongso:kind"], body["outputQuantityList"][0])
    lot.regrouped = True
    book.add(lot)
    lots.take(book, event, lot)


def _left(book: Book, event: Event, why: str, sign: int = 1) -> None:
    lot = book.lot(lots.lot_in(event.body))
    lots.take_off(lot, sign * amount_in(lot, event.body["quantityList"][0]), why)


def _lost(book: Book, event: Event) -> None:
    _left(book, event, lots.LOST)


def _handed_back(book: Book, event: Event) -> None:
    _left(book, event, lots.AWAY)


def _handed_over(book: Book, event: Event) -> None:
    book.lot(lots.lot_in(event.body)).holder = event.body["nongso:holder"]


def _undone(book: Book, event: Event) -> None:
    _left(book, event, event.body["nongso:undone"], sign=-1)


def _nothing(_book: Book, _event: Event) -> None:
    """Say nothing of its own: what follows it does."""


def _corrected(book: Book, event: Event) -> None:
    """Take what the corrected event says for what was recorded first."""
    body = event.body
    lot = book.lot(lots.made_by(body))
    amount = amount_in(lot, lots.quantity_made(body))
    if lot.kind == PACKS:
        account = book.find(PackAccount, lot.code)
        if account is not None:  # what was counted wrongly is loose in the store, or never was
            account.packs += amount - lot.packs
            account.loose += amount - lot.packs
        lot.packs = amount
        lot.best_before = body.get("ilmd", {}).get("nongso:bestBeforeDate", lot.best_before)
    else:
        lot.made_grams = amount
    lot.at = event.at
    lot.corrected_at = body["nongso:correctedAt"]
    lot.moisture_permille = body.get("ilmd", {}).get(
        "nongso:moisturePermille", body.get("nongso:moisturePermille")
    )
    for taken in body.get("inputQuantityList", ()):
        source, grams = book.lot(lot_of(taken["epcClass"])), shaping.grams_of(taken) or 0
        flow = book.find(Flow, lot.born_number, source.code, lot.code)
        if flow is None:
            continue
        change = grams - (flow.grams or 0)
        flow.grams = grams
        source.used_grams += change
        lot.in_grams = (lot.in_grams or 0) + change


APPLIES: Mapping[str, lots.Apply] = {
    SPLIT: _regrouped,
    MERGED: _regrouped,
    TAKEN_OVER: _regrouped,
    LOSS: _lost,
    HANDED_BACK: _handed_back,
    HANDED_OVER: _handed_over,
    UNDONE: _undone,
    DECLARED: _nothing,
    CORRECTED: _corrected,
}
