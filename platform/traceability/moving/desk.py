"""What the pages of moving goods share: what is there to be moved, and reading it from a form."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import abort
from sqlalchemy import select

from nongso.platform.accounts import scoped
from nongso.platform.forms import Form
from nongso.platform.languages import _
from nongso.platform.store import records, transaction
from nongso.platform.traceability import sentences
from nongso.platform.traceability.desk import desk, refuse, today
from nongso.platform.traceability.desk import page as work_page
from nongso.platform.traceability.errors import LotUnknown, Refused
from nongso.platform.traceability.moving import book as moving_book
from nongso.platform.traceability.moving.errors import CartonNotThere
from nongso.platform.traceability.moving.goods import Amount
from nongso.platform.traceability.moving.records import (
    PACKED,
    Carton,
    CartonLot,
    Holder,
    Holding,
    PackAccount,
)
from nongso.platform.traceability.records import PACKS, PLANTING, Lot
from nongso.platform.traceability.testing.records import FAILED

MOST_SHOWN = 100
MOST_PACKS = 100_000

_Made = TypeVar("_Made")


@dataclass(frozen=True)
class There:
    """A lot with what of it is at one place: packs, or grams where it is not packed."""

    lot: Lot
    packs: int
    grams: int


def page(template: str, form: Form | None = None, **more: Any) -> str | tuple[str, int]:
    """Render a page of this room."""
    return work_page(template, form, holder_kinds=holder_kinds(), **more)


def done(form: Form, deed: Callable[..., _Made], *wish: Any) -> _Made | None:
    """Do it if the form has no error; ``None`` sends it back with what is wrong."""
    id_ = form.id()
    if not form.ok:
        return None
    try:
        with transaction() as session:
            return deed(desk(session), id_, *wish)
    except Refused as e:
        refuse(form, e)
        return None


def holder_kinds() -> dict[str, str]:
    """What sorts of holders there are, in words."""
    return {
        "buyer": _("người mua buôn"),
        "shop": _("cửa hàng"),
        "cooperative": _("hợp tác xã khác"),
    }


def accounts(codes: Iterable[str]) -> dict[str, PackAccount]:
    """Accounts of these lots that have one."""
    wanted = select(PackAccount).where(PackAccount.lot.in_(list(codes)))
    return {one.lot: one for one in records().scalars(wanted)}


def account_of(lot: Lot) -> PackAccount:
    """Where the packs of a lot are."""
    return records().get(PackAccount, lot.code) or moving_book.fresh_account(lot)


def in_store(bulk: bool = True, held: bool = False, only: str = "") -> list[There]:
    """What is loose in the store, oldest first. ``held`` shows what is held back or expired too.

    Goods that nobody may send or sell are not offered.
    """
    wanted = scoped(select(Lot), Lot.cooperative).where(
        Lot.withdrawn_at.is_(None),
        Lot.kind != PLANTING,
        (Lot.kind == PACKS) | (Lot.owner == Lot.cooperative),
        Lot.holder == Lot.cooperative,
    )
    if only:
        wanted = wanted.where(Lot.code == only)
    if not bulk:
        wanted = wanted.where(Lot.kind == PACKS)
    if not held:
        wanted = wanted.where(Lot.recalled_at.is_(None), Lot.tested != FAILED)
        fresh = Lot.best_before.is_(None) | (Lot.best_before >= today().isoformat())
        wanted = wanted.where(fresh)
    wanted = wanted.where(
        ((Lot.kind == PACKS) & (Lot.packs_gone < Lot.packs))
        | ((Lot.kind != PACKS) & (Lot.used_grams < Lot.made_grams))
    )
    found = records().scalars(wanted.order_by(Lot.at, Lot.born_number).limit(MOST_SHOWN)).all()
    known = accounts(lot.code for lot in found if lot.kind == PACKS)
    there = []
    for lot in found:
        if lot.kind != PACKS:
            there.append(There(lot, 0, lot.left_grams or 0))
        elif loose := (known[lot.code].loose if lot.code in known else lot.packs_left):
            there.append(There(lot, loose, 0))
    return there


def with_holder(holder: str) -> list[There]:
    """What a holder has, oldest first."""
    rows = records().execute(
        select(Lot, Holding.packs, Holding.grams)
        .join(Holding, Holding.lot == Lot.code)
        .where(Holding.holder == holder, (Holding.packs > 0) | (Holding.grams > 0))
        .order_by(Lot.at, Lot.born_number)
    )
    return [There(lot, packs, grams) for lot, packs, grams in rows]


def cartons(holder: str | None, only: str = "") -> Sequence[Carton]:
    """Packed cartons in the store, or with a holder, oldest first."""
    wanted = scoped(select(Carton), Carton.cooperative).where(Carton.state == PACKED)
    wanted = wanted.where(Carton.holder.is_(None) if holder is None else Carton.holder == holder)
    if only:
        wanted = wanted.join(CartonLot, CartonLot.carton == Carton.code)
        wanted = wanted.where(CartonLot.lot == only)
    return records().scalars(wanted.order_by(Carton.at, Carton.code).limit(MOST_SHOWN)).all()


def free_cartons(only: str = "") -> list[Carton]:
    """Cartons in the store whose lots may all be sent."""
    found = cartons(None, only)
    codes = {lot for one in found for lot in one.contents}
    held = records().scalars(
        select(Lot.code).where(
            Lot.code.in_(codes),
            Lot.recalled_at.is_not(None)
            | (Lot.tested == FAILED)
            | (Lot.best_before < today().isoformat()),
        )
    )
    stopped = set(held)
    return [one for one in found if not stopped & set(one.contents)]


def holders() -> Sequence[Holder]:
    """Holders of the asker's cooperative, by name."""
    wanted = scoped(select(Holder), Holder.cooperative).order_by(Holder.name)
    return records().scalars(wanted).all()


def own_holder(key: str) -> Holder:
    """A holder that the asker may see, else 404."""
    found = records().scalar(scoped(select(Holder), Holder.cooperative).where(Holder.id == key))
    if found is None:
        abort(404)
    return found


def holders_of(code: str) -> list[tuple[Holder, Holding]]:
    """Who has some of a lot, those with the most first."""
    rows = records().execute(
        select(Holder, Holding)
        .join(Holding, Holding.holder == Holder.id)
        .where(Holding.lot == code, (Holding.packs > 0) | (Holding.grams > 0))
        .order_by(Holding.packs.desc(), Holding.grams.desc(), Holder.name)
    )
    return [(holder, held) for holder, held in rows]


def wished(form: Form, there: Iterable[There]) -> tuple[Amount, ...]:
    """What a form moves of what was offered; an empty field moves nothing."""
    offered = {f"n-{one.lot.code}": one.lot for one in there}
    for name in form.values:
        if name.startswith("n-") and name not in offered and form[name].strip():
            form.wrong("lines", sentences.refusal(LotUnknown(name[2:22])))
    found = []
    for name, lot in offered.items():
        if not form[name].strip():
            continue
        if lot.kind == PACKS:
            found.append(Amount(lot.code, packs=form.count(name, 1, MOST_PACKS)))
        else:
            found.append(Amount(lot.code, grams=form.grams(name) or 0))
    return tuple(found)


def wished_cartons(form: Form, there: Iterable[Carton]) -> tuple[str, ...]:
    """The cartons that were ticked."""
    offered = {f"c-{one.code}": one.code for one in there}
    for name in form.values:
        if name.startswith("c-") and name not in offered:
            form.wrong("cartons", sentences.refusal(CartonNotThere(name[2:42])))
    return tuple(code for name, code in offered.items() if form[name])
