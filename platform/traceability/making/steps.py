"""The clerk's forms for the steps: plant, harvest, weigh in, make a batch, pack."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from flask import Response, abort, redirect, request, url_for
from sqlalchemy import select

from nongso.platform.accounts import allow, scoped, somebody
from nongso.platform.forms import Form, kg_typed
from nongso.platform.greenhouse.records import Greenhouse
from nongso.platform.languages import _, number
from nongso.platform.store import records
from nongso.platform.telemetry import telemetry
from nongso.platform.traceability import sentences
from nongso.platform.traceability.desk import (
    asked,
    blueprint,
    new_form,
    own_lot,
    page,
    producers,
    products,
    settings,
    stock,
    today,
)
from nongso.platform.traceability.errors import LotUnknown
from nongso.platform.traceability.making import operations as ops
from nongso.platform.traceability.making import reckoning
from nongso.platform.traceability.making import yields as rules_yield
from nongso.platform.traceability.making.net import Net
from nongso.platform.traceability.making.pages import moisture_typed
from nongso.platform.traceability.making.recipe_book import Kind, Step, recipes
from nongso.platform.traceability.moving.desk import MOST_PACKS, done
from nongso.platform.traceability.records import (
    MOST_PACK_GRAMS,
    MOST_PACK_ML,
    PLANTING,
    ROOTS,
    Lot,
    Product,
    packed_from,
)
from nongso.platform.traceability.registry.place_pages import seal_measured
from nongso.platform.traceability.registry.plots import Plot
from nongso.platform.traceability.seasons import growing
from nongso.platform.traceability.shopper import telling_making

Answer = str | tuple[str, int] | Response


def _record(form: Form, deed: Callable[..., Lot], wish: Any, *more: Any) -> Response | None:
    """Do it if the form has no error; ``None`` sends the form back with what is wrong."""
    lot = done(form, deed, wish, *more)
    if lot is None:
        return None
    seal_measured(lot)
    return redirect(url_for("records.lot", code=lot.code, recorded=1), 303)  # type: ignore[return-value]


@blueprint.get("/planting")
@allow("clerk")
def planting() -> Answer:
    """Show the form of a planting."""
    return _planting(Form(new_form(**asked("greenhouse", "producer", "crop", "day"))))


@blueprint.post("/planting")
@allow("clerk")
def plant() -> Answer:
    """Record a planting."""
    form = Form(request.form)
    houses = {house.slug: house.name for house in _greenhouses()}
    slug = form.choice("greenhouse", houses)
    producer = form.choice("producer", {one.id for one in producers()})
    crop, day = form.text("crop", 60), form.day("day", today())
    wish = ops.Planting(slug, houses.get(slug, ""), producer, crop, day)
    return _record(form, ops.plant, wish) or _planting(form)


def _greenhouses() -> Sequence[Greenhouse]:
    return growing.greenhouses(records(), somebody().cooperative or "")


def _planting(form: Form) -> Answer:
    houses = [(house.slug, house.name) for house in _greenhouses()]
    growers = [(one.id, one.name) for one in producers()]
    return page("planting.html", form, greenhouses=houses, producers=growers)


@blueprint.get("/harvest")
@allow("clerk")
def harvest() -> Answer:
    """Show the form of a harvest."""
    return _harvest(Form(new_form(**asked("planting", "output", "day"))))


@blueprint.post("/harvest")
@allow("clerk")
def gather() -> Answer:
    """Record a harvest; what the sensors measured since the planting is sealed into it."""
    form = Form(request.form)
    planting = form.choice("planting", {lot.code for lot in _plantings()})
    grams, day = form.grams("output"), form.day("day", today())
    wish = ops.Harvest(planting, grams or 0, day)
    grown = None
    if form.ok:
        own = settings().folder / "procedures"
        grown = growing.measured(records(), telemetry(), wish, int(time.time()), own)
    return _record(form, ops.harvest, wish, grown) or _harvest(form)


def _plantings() -> Sequence[Lot]:
    wanted = scoped(select(Lot), Lot.cooperative).where(
        Lot.kind == PLANTING, Lot.withdrawn_at.is_(None)
    )
    return records().scalars(wanted.order_by(Lot.at.desc()).limit(50)).all()


def _harvest(form: Form) -> Answer:
    return page("harvest.html", form, plantings=_plantings())


@blueprint.get("/intake")
@allow("clerk")
def intake() -> Answer:
    """Show the form of a weigh-in. Whose it will be is asked: the last one was somebody else's."""
    kind = _raw(request.args.get("kind", ROOTS))
    proposed = {"lifted": today().isoformat()}
    last = _last_brought(kind) if kind.named else None
    if last is not None:
        proposed["name"] = last.name
    proposed |= asked("producer", "lifted", "purpose", "name", "plot")
    return _intake(kind, Form(new_form(**proposed)))


def _raw(key: str) -> Kind:
    kind = recipes().kinds.get(key)
    if kind is None or kind.comes_in is None:
        abort(404)
    return kind


def _last_brought(kind: Kind) -> Lot | None:
    wanted = scoped(select(Lot), Lot.cooperative).where(
        Lot.kind == kind.key, Lot.regrouped.is_(False), Lot.withdrawn_at.is_(None)
    )
    return records().scalars(wanted.order_by(Lot.born_number.desc()).limit(1)).first()


@blueprint.post("/intake")
@allow("clerk")
def take_in() -> Answer:
    """Record what a household brought, weighed."""
    form, kind = Form(request.form), _raw(request.args.get("kind", ROOTS))
    producer = form.choice("producer", {one.id for one in producers()})
    grams, day = form.grams("output"), form.day("day", today())
    lifted = form.day("lifted", today())
    if form.ok and lifted > day:
        form.wrong("lifted", _("Ngày thu hoạch không thể sau ngày cân."))
    wish = ops.Intake(
        producer,
        grams or 0,
        lifted,
        day,
        kind=kind.key,
        purpose=form.choice("purpose", ops.PURPOSES) if _is_milled(kind) else ops.BOUGHT,
        bought_from=form.text("bought_from", 200, needed=False),
        reason=form.text("reason", 200, needed=False),
        moisture_permille=moisture_typed(form),
        name=form.text("name", 60, needed=kind.named),
        plot=form.choice("plot", {one.id for one in _plots(kind)}) if form["plot"] else "",
    )
    return _record(form, ops.take_in, wish) or _intake(kind, form)


def _plots(kind: Kind) -> list[Plot]:
    """The plots that may have given it, by household."""
    crop = kind.comes_in.crop if kind.comes_in is not None else ""
    found = records().scalars(scoped(select(Plot), Plot.cooperative)).all()
    own = [one for one in found if not crop or one.grows(crop)]
    return sorted(own, key=lambda one: (one.producer.code, one.code))


def _is_milled(kind: Kind) -> bool:
    """Say whether anything is made of it for a fee."""
    return any(step.for_a_fee for step in recipes().steps_of(kind.key))


def _intake(kind: Kind, form: Form) -> Answer:
    return page(
        "intake.html",
        form,
        kind=kind,
        producers=producers("household", "group"),
        plots=_plots(kind),
        is_milled=_is_milled(kind),
        asks_moisture=kind.moisture is not None and kind.moisture.asked,
        words=telling_making.words,
    )


@blueprint.get("/batch/<step>")
@allow("clerk")
def batch(step: str) -> Answer:
    """Show the form of a mẻ; what is here of one owner is proposed."""
    found = _step(step)
    lots = stock(*found.takes)
    code = request.args.get("lot", "")
    first = next((lot for lot in lots if lot.code == code), None)
    owner = first.owner if first is not None else somebody().cooperative
    proposed = {
        f"take-{lot.code}": kg_typed(lot.left_grams or 0)
        for lot in lots
        if (lot == first if code else lot.owner == owner and lot.holder == lot.cooperative)
    }
    return _batch(found, lots, Form(new_form(**proposed)))


def _step(key: str) -> Step:
    if key not in recipes().steps:
        abort(404)
    return recipes().steps[key]


@blueprint.post("/batch/<step>")
@allow("clerk")
def make_batch(step: str) -> Answer:
    """Record a mẻ."""
    form, found = Form(request.form), _step(step)
    lots = stock(*found.takes)
    takes = _takes(form, lots)
    if not takes and form.ok:
        form.wrong("inputs", _("Chưa chọn lấy từ đâu. Xin ghi số ki-lô-gam lấy vào."))
    out_grams, day = form.grams("output"), form.day("day", today())
    wet, reason = moisture_typed(form), form.text("reason", 200, needed=False)
    wish = ops.Batch(found.key, takes, out_grams or 0, day, wet, reason)
    return _record(form, ops.make_batch, wish) or _batch(found, lots, form)


def _batch(step: Step, lots: Sequence[Lot], form: Form) -> Answer:
    gives = recipes().kinds[step.gives]
    past = reckoning.past_of(records(), somebody().cooperative or "", step)
    return page(
        "batch.html",
        form,
        step=step,
        stock=lots,
        takes=[recipes().kinds[kind] for kind in step.takes],
        before=[
            one for kind in step.takes for one in recipes().steps.values() if one.gives == kind
        ],
        asks_moisture=gives.moisture is not None and gives.moisture.asked,
        usually=telling_making.usually(rules_yield.usual(step.band, past), past),
        names={one.id: one.code for one in producers()},
        words=telling_making.words,
    )


def _takes(form: Form, stock: Sequence[Lot]) -> tuple[ops.Take, ...]:
    """What a form takes from which lot; an empty field takes nothing.

    A lot that is not in stock (any more) is refused as a whole, whatever is asked of it.
    """
    offered = {f"take-{lot.code}": lot.code for lot in stock}
    for name in form.values:
        if name.startswith("take-") and name not in offered and form[name].strip():
            form.wrong("inputs", sentences.refusal(LotUnknown(name[5:25])))
    found = []
    for name, code in offered.items():
        grams = form.grams(name, needed=False)
        if grams is not None:
            found.append(ops.Take(code, grams))
    return tuple(found)


@blueprint.get("/packing")
@allow("clerk")
def packing() -> Answer:
    """Show the form of packing: of this ``lot``, or this ``kind`` of products, or anything.

    The product's own pack and shelf life are proposed.
    """
    made = _packed_here()
    wish = request.args.get("product")
    product = next((one for one in made if one.id == wish), made[0] if made else None)
    proposed = _proposed(product, request.args.get("lot", "")) if product is not None else {}
    return _packing(Form(new_form(**proposed)), product)


def _packed_here() -> list[Product]:
    """The products that this page is about: those that fit its lot, or are of its kind."""
    made, kind = list(products()), request.args.get("kind")
    if code := request.args.get("lot"):
        lot = own_lot(code)
        return [one for one in made if one.takes(lot)]
    return [one for one in made if one.kind == kind] if kind else made


def _fitting(product: Product) -> list[Lot]:
    return [lot for lot in stock(packed_from(product.kind)) if product.takes(lot)]


def _proposed(product: Product, code: str) -> dict[str, str]:
    lots = _fitting(product)
    lot = next((one for one in lots if one.code == code), lots[0] if len(lots) == 1 else None)
    proposed = {
        "product": product.id,
        "pack_ml" if product.pack_ml else "pack_grams": str(product.net.size),
    }
    if lot is not None:
        packs = str(product.net.packs_in(lot.left_grams or 0))
        proposed |= {"lot": lot.code, "packs": packs, "for_lot": lot.code, "for_packs": packs}
    return proposed


@blueprint.post("/packing")
@allow("clerk")
def pack() -> Answer:
    """Record packing. What is taken is the packs' weight unless the clerk says more."""
    form = Form(request.form)
    made = {one.id: one for one in products()}
    product = made.get(form.choice("product", made))
    lot, day = form.text("lot", 20), form.day("day", today())
    packs = form.count("packs", 1, MOST_PACKS)
    net = _net(form, product)
    _ask_packs_again(form, product, lot)
    best_before = product.keeps_until(day) if product is not None else day
    if form["best_before"].strip():
        best_before = form.day("best_before")
    taken = form.grams("taken", needed=False) or net.mass(packs)
    takes = (ops.Take(lot, taken),)
    volume = (net.ml, net.grams_per_litre)
    wish = ops.Packing(form["product"], takes, packs, net.grams, day, best_before, *volume)
    return _record(form, ops.pack, wish) or _packing(form, product)


def _ask_packs_again(form: Form, product: Product | None, code: str) -> None:
    """Ask where the number is still the one that was proposed for another lot."""
    before = form["for_lot"]
    if product is None or not before or before == code or form["packs"] != form["for_packs"]:
        return
    lot = next((one for one in _fitting(product) if one.code == code), None)
    if lot is None:
        return
    enough = product.net.packs_in(lot.left_grams or 0)
    said = _(
        "Số gói này là của lô %(before)s. Lô %(lot)s đủ %(packs)s gói: xin xem lại số gói.",
        before=before,
        lot=code,
        packs=number(enough),
    )
    form.wrong("packs", said)
    form.values |= {"for_lot": code, "for_packs": form["packs"]}


def _net(form: Form, product: Product | None) -> Net:
    """What a pack holds, in the unit in which the product is sold."""
    if product is None or product.grams_per_litre is None:
        return Net(form.count("pack_grams", 1, MOST_PACK_GRAMS))
    return Net.volume(form.count("pack_ml", 1, MOST_PACK_ML), product.grams_per_litre)


def _packing(form: Form, product: Product | None) -> Answer:
    code = request.args.get("lot")
    return page(
        "packing.html",
        form,
        products=_packed_here(),
        product=product,
        stock=_fitting(product) if product is not None else [],
        lot=own_lot(code) if code else None,
        kind=request.args.get("kind"),
    )
