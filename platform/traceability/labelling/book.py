"""How the account of a lot's labels follows from events. Plugged into ``lots.PLUGGED``.

Each rule reads its event and the book, nothing else. Labels issued before they had to be
confirmed as stuck on packs say nothing of ``nongso:awaits``: they count as stuck at once, and what
was reported spoiled of them as taken off again.
"""

from nongso.platform.events import Event
from nongso.platform.traceability import lots
from nongso.platform.traceability.book import Book
from nongso.platform.traceability.labelling.records import LabelAccount

APPLIED = "labels.applied"
RETURNED = "labels.returned"


def _account(book: Book, event: Event) -> tuple[LabelAccount, int]:
    """The account of the lot that an event speaks of, and how many labels it moves."""
    code = lots.lot_in(event.body)
    found = book.find(LabelAccount, code)
    if found is None:
        found = LabelAccount(lot=code, issued=0, applied=0, spoiled=0, returned=0)
        book.add(found)
    return found, event.body["nongso:labels"]


def _issued(book: Book, event: Event) -> None:
    account, count = _account(book, event)
    book.lot(account.lot).labels += count
    account.issued += count
    if not event.body.get("nongso:awaits", False):
        account.applied += count


def _applied(book: Book, event: Event) -> None:
    account, count = _account(book, event)
    account.applied += count


def _spoiled(book: Book, event: Event) -> None:
    account, count = _account(book, event)
    book.lot(account.lot).spoiled += count
    account.applied -= event.body.get("nongso:ofApplied", count)
    account.spoiled += count


def _returned(book: Book, event: Event) -> None:
    account, count = _account(book, event)
    book.lot(account.lot).spoiled += count
    account.returned += count


APPLIES = {
    lots.LABELLED: _issued,
    APPLIED: _applied,
    lots.SPOILED: _spoiled,
    RETURNED: _returned,
}
TABLES = (LabelAccount,)
