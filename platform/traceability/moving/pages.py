"""The clerk's pages for cartons and for goods that leave, come back, are sold or destroyed."""

import uuid
from collections.abc import Callable
from typing import Any

from flask import Response, abort, redirect, request, url_for
from sqlalchemy import select

from nongso.platform.accounts import allow, scoped
from nongso.platform.forms import Form, kg_typed
from nongso.platform.store import records
from nongso.platform.traceability.desk import (
    READERS,
    asked,
    blueprint,
    new_form,
    own_lot,
    settings,
    today,
)
from nongso.platform.traceability.moving import book as moving_book
from nongso.platform.traceability.moving import desk as moving_desk
from nongso.platform.traceability.moving import goods as moving
from nongso.platform.traceability.moving import shapes as moving_shapes
from nongso.platform.traceability.moving.desk import There, done, page
from nongso.platform.traceability.moving.goods import Amount
from nongso.platform.traceability.moving.records import (
    Carton,
    CartonLot,
    Dispatch,
    DispatchLine,
    Holder,
)
from nongso.platform.traceability.records import PACKS, Lot

Answer = str | tuple[str, int] | Response


def _go(endpoint: str, **more: Any) -> Response:
    return redirect(url_for(f"records.{endpoint}", **more), 303)  # type: ignore[return-value]


@blueprint.get("/goods")
@allow(*READERS)
def goods() -> Answer:
    """Where the packs are, what was sent lately, what can be done."""
    session = records()
    wanted = scoped(select(Lot), Lot.cooperative).where(
        Lot.kind == PACKS, Lot.withdrawn_at.is_(None)
    )
    lots = session.scalars(wanted.order_by(Lot.at.desc()).limit(50)).all()
    known = moving_desk.accounts(lot.code for lot in lots)
    sent = session.scalars(
        scoped(select(Dispatch), Dispatch.cooperative).order_by(Dispatch.at.desc()).limit(20)
    ).all()
    return page(
        "goods.html",
        lots=[(lot, known.get(lot.code) or moving_book.fresh_account(lot)) for lot in lots],
        sent=sent,
        names=_names(sent),
    )


def _names(sent: Any) -> dict[str, str]:
    keys = {one.holder for one in sent}
    found = records().scalars(select(Holder).where(Holder.id.in_(keys)))
    return {one.id: one.name for one in found}


@blueprint.get("/cartons")
@allow(*READERS)
def cartons() -> Answer:
    """The cartons in the store."""
    return page("cartons.html", cartons=moving_desk.cartons(None))


@blueprint.get("/cartons/new")
@allow("clerk")
def carton_new() -> Answer:
    """Show the form for packing cartons."""
    return _carton_form(Form(new_form(count="1")), request.args.get("lot", "").upper())


@blueprint.post("/cartons/new")
@allow("clerk")
def pack_cartons() -> Answer:
    """Pack cartons of the same contents."""
    form = Form(request.form)
    there = moving_desk.in_store(bulk=False)
    wish = moving.Cartoning(
        moving_desk.wished(form, there),
        form.count("count", 1, moving.MOST_CARTONS),
        form.day("day", today()),
    )
    made = done(form, moving.pack_cartons, wish)
    if made is None:
        return _carton_form(form, request.args.get("lot", "").upper())
    return _go("cartons") if len(made) > 1 else _go("carton", key=made[0].code)


def _carton_form(form: Form, only: str) -> Answer:
    return page("carton_new.html", form, there=moving_desk.in_store(bulk=False, only=only))


def _own_carton(key: str) -> Carton:
    wanted = scoped(select(Carton), Carton.cooperative).where(Carton.code == key.upper())
    found = records().scalar(wanted)
    if found is None:
        abort(404)
    return found


@blueprint.get("/cartons/<key>")
@allow(*READERS)
def carton(key: str) -> Answer:
    """A carton: what is in it, where it is."""
    return _carton(_own_carton(key), Form(new_form()))


def _carton(found: Carton, form: Form) -> Answer:
    session = records()
    holder = session.get(Holder, found.holder) if found.holder else None
    inside = session.scalars(select(Lot).where(Lot.code.in_(list(found.contents))))
    return page(
        "carton.html",
        form,
        carton=found,
        lots={lot.code: lot for lot in inside},
        holder=holder,
        address=moving_shapes.carton_id(settings().label_url, found.code),
    )


@blueprint.post("/cartons/<key>/open")
@allow("clerk")
def open_carton(key: str) -> Answer:
    """Open a carton; its packs are loose again."""
    found, form = _own_carton(key), Form(request.form)
    wish = moving.Opening(found.code, form.day("day", today()))
    if done(form, moving.open_carton, wish) is None:
        return _carton(found, form)
    return _go("carton", key=found.code)


@blueprint.get("/dispatches/new")
@allow("clerk")
def dispatch_new() -> Answer:
    """Show the form for sending goods."""
    return _dispatch_form(Form(new_form(**asked("holder"))))


@blueprint.post("/dispatches/new")
@allow("clerk")
def ship() -> Answer:
    """Send goods to a holder."""
    form = Form(request.form)
    wish = moving.Shipment(
        form.choice("holder", {one.id for one in moving_desk.holders()}),
        moving_desk.wished_cartons(form, moving_desk.free_cartons()),
        moving_desk.wished(form, moving_desk.in_store()),
        form.day("day", today()),
        form.text("document", 60, needed=False),
    )
    made = done(form, moving.ship, wish)
    return _dispatch_form(form) if made is None else _go("dispatch", key=made.id, recorded=1)


def _dispatch_form(form: Form) -> Answer:
    only = request.args.get("lot", "").upper()
    return page(
        "dispatch_new.html",
        form,
        choices=[(one.id, one.name) for one in moving_desk.holders()],
        cartons=moving_desk.free_cartons(only),
        there=moving_desk.in_store(only=only),
    )


def _own_dispatch(key: uuid.UUID) -> Dispatch:
    wanted = scoped(select(Dispatch), Dispatch.cooperative).where(Dispatch.id == str(key))
    found = records().scalar(wanted)
    if found is None:
        abort(404)
    return found


@blueprint.get("/dispatches/<uuid:key>")
@allow(*READERS)
def dispatch(key: uuid.UUID) -> Answer:
    """A dispatch: what was sent to whom, what arrived."""
    found = _own_dispatch(key)
    proposed = {f"n-{line.lot}": _typed(line) for line, _lot in _lines(found)}
    return _dispatch(found, Form(new_form(**proposed)))


def _typed(line: DispatchLine) -> str:
    return str(line.packs) if line.packs else kg_typed(line.grams)


def _lines(found: Dispatch) -> list[tuple[DispatchLine, Lot]]:
    rows = records().execute(
        select(DispatchLine, Lot)
        .join(Lot, Lot.code == DispatchLine.lot)
        .where(DispatchLine.dispatch == found.id)
        .order_by(Lot.code)
    )
    return [(line, lot) for line, lot in rows]


def _dispatch(found: Dispatch, form: Form) -> Answer:
    boxes = records().scalars(
        select(Carton).where(Carton.dispatch == found.id).order_by(Carton.code)
    )
    return page(
        "dispatch.html",
        form,
        sent=found,
        holder=records().get_one(Holder, found.holder),
        lines=_lines(found),
        cartons=boxes.all(),
    )


@blueprint.post("/dispatches/<uuid:key>/arrived")
@allow("clerk")
def arrived(key: uuid.UUID) -> Answer:
    """Record what arrived, counted or weighed again."""
    found, form = _own_dispatch(key), Form(request.form)
    amounts = []
    for line, lot in _lines(found):
        name = f"n-{lot.code}"
        if line.packs:
            amounts.append(Amount(lot.code, packs=form.count(name, 0, line.packs)))
        elif form[name].strip() in ("0", "0,0"):
            amounts.append(Amount(lot.code))
        else:
            amounts.append(Amount(lot.code, grams=form.grams(name) or 0))
    wish = moving.Arrival(found.id, tuple(amounts), form.day("day", today()))
    if done(form, moving.confirm, wish) is None:
        return _dispatch(found, form)
    return _go("dispatch", key=found.id)


@blueprint.post("/dispatches/<uuid:key>/void")
@allow("clerk")
def void_dispatch(key: uuid.UUID) -> Answer:
    """Void a dispatch that was written by mistake."""
    found, form = _own_dispatch(key), Form(request.form)
    wish = moving.Voiding(found.id, form.text("why", 200))
    if done(form, moving.void, wish) is None:
        return _dispatch(found, form)
    return _go("dispatch", key=found.id)


@blueprint.get("/goods/<any(returned, sold, destroyed):deed>")
@allow("clerk")
def moved(deed: str) -> Answer:
    """Show the form for goods that came back, were sold or destroyed; ``at`` names the holder."""
    return _moved(Form(new_form()), deed)


@blueprint.post("/goods/<any(returned, sold, destroyed):deed>")
@allow("clerk")
def move(deed: str) -> Answer:
    """Record goods that came back, were sold or destroyed."""
    form = Form(request.form)
    at = form["at"]
    holder = moving_desk.own_holder(at).id if at else ""
    amounts = moving_desk.wished(form, _there(deed, holder))
    day = form.day("day", today())
    wish: moving.Wish
    do: Callable[..., object]
    if deed == "returned":
        boxes = moving_desk.wished_cartons(form, moving_desk.cartons(holder) if holder else ())
        why = form.text("why", 200, needed=False)
        wish, do = moving.Return(holder, boxes, amounts, day, why), moving.bring_back
    elif deed == "sold":
        wish, do = moving.Sale(amounts, day, holder), moving.sell
    else:
        document, why = form.text("document", 60), form.text("why", 200)
        wish = moving.Destruction(amounts, day, document, why, holder)
        do = moving.destroy
    if done(form, do, wish) is None:
        return _moved(form, deed)
    return _go("goods", recorded=1)


def _there(deed: str, holder: str) -> list[There]:
    if holder:
        return moving_desk.with_holder(holder)
    return moving_desk.in_store(held=deed == "destroyed") if deed != "returned" else []


def _moved(form: Form, deed: str) -> Answer:
    at = form["at"] or request.args.get("at", "")
    holder = moving_desk.own_holder(at) if at else None
    key = holder.id if holder is not None else ""
    form.values["at"] = key
    return page(
        "moved.html",
        form,
        deed=deed,
        holder=holder,
        holders=moving_desk.holders(),
        there=_there(deed, key),
        cartons=moving_desk.cartons(key) if holder is not None and deed == "returned" else [],
    )


def where_of(lot: Lot) -> dict[str, Any]:
    """Where the goods of a lot are, for its page."""
    session = records()
    boxes = session.scalars(
        select(Carton)
        .join(CartonLot, CartonLot.carton == Carton.code)
        .where(CartonLot.lot == lot.code, Carton.state == "packed")
        .order_by(Carton.at, Carton.code)
        .limit(50)
    ).all()
    return {
        "account": moving_desk.account_of(lot) if lot.kind == PACKS else None,
        "held": moving_desk.holders_of(lot.code),
        "cartons": boxes,
    }


@blueprint.get("/lots/<code>/where")
@allow(*READERS)
def where(code: str) -> Answer:
    """Where the goods of a lot are now."""
    lot = own_lot(code)
    return page("where.html", lot=lot, **where_of(lot))
