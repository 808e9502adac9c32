"""What holds a lot back: a failed test, or a recall.

Whoever uses, packs, prints, sells or sends a lot asks here first, inside the same transaction.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.traceability.book import Book
from nongso.platform.traceability.moving.errors import Held
from nongso.platform.traceability.moving.records import PackAccount
from nongso.platform.traceability.records import Lot
from nongso.platform.traceability.testing.records import FAILED, RECALLED, LabTest, LotHold

_AT_ONCE = 500


def kind_of(lot: Lot) -> str:
    """Why a lot is held: ``recalled`` before ``failed``; empty when it is free."""
    if lot.recalled_at is not None:
        return RECALLED
    return FAILED if lot.tested == FAILED else ""


def check(lot: Lot) -> None:
    """Raise ``Held`` unless the lot is free."""
    kind = kind_of(lot)
    if kind:
        raise Held(lot.code, kind)


def check_all(session: Session, codes: Sequence[str]) -> None:
    """Raise ``Held`` for the first of these lots that is not free."""
    for at in range(0, len(codes), _AT_ONCE):
        wanted = select(Lot).where(Lot.code.in_(codes[at : at + _AT_ONCE])).order_by(Lot.code)
        for lot in session.scalars(wanted):
            check(lot)


def hold(book: Book, lot: str, cause: str, kind: str, since: int) -> None:
    """Note in the book that a lot is held from now on."""
    book.add(LotHold(lot=lot, cause=cause, kind=kind, since=since, until=None))


def hold_again(book: Book, lot: str, cause: str, since: int) -> None:
    """Note in the book that a cause holds the lot after all, which had ended or begins now."""
    found = book.find(LotHold, lot, cause)
    if found is None:
        hold(book, lot, cause, FAILED, since)
    else:
        found.until = None


def let_go(book: Book, lot: str, cause: str, until: int) -> None:
    """Note in the book that this cause holds the lot no more; another one may."""
    found = book.find(LotHold, lot, cause)
    if found is not None:
        found.until = until


def open_holds(session: Session, lots: Iterable[str], kind: str = "") -> list[LotHold]:
    """The causes for which these lots are held now."""
    codes = list(lots)
    found: list[LotHold] = []
    for at in range(0, len(codes), _AT_ONCE):
        wanted = select(LotHold).where(
            LotHold.lot.in_(codes[at : at + _AT_ONCE]), LotHold.until.is_(None)
        )
        found += session.scalars(wanted.where(LotHold.kind == kind) if kind else wanted)
    return found


def is_busy(session: Session, code: str) -> bool:
    """Whether a lot is in cartons, was tested, or is in a recall: then its record stays."""
    account = session.get(PackAccount, code)
    if account is not None and account.cartoned:
        return True
    tested = session.scalar(select(LabTest.id).where(LabTest.lot == code).limit(1))
    return tested is not None or bool(open_holds(session, [code]))
