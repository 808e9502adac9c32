"""The clerk's pages for producers and products."""

import uuid
from typing import Any, TypeVar

from flask import Response, abort, redirect, request, url_for
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from nongso.platform.accounts import allow, somebody
from nongso.platform.forms import Form
from nongso.platform.languages import _
from nongso.platform.store import records, transaction
from nongso.platform.traceability import sentences
from nongso.platform.traceability.desk import READERS, asked, blueprint, page, products, refuse
from nongso.platform.traceability.desk import producers as all_producers
from nongso.platform.traceability.errors import BadGtin
from nongso.platform.traceability.identifiers import gtin14
from nongso.platform.traceability.records import (
    LONGEST_SHELF_DAYS,
    MOST_PACK_GRAMS,
    PRODUCER_KINDS,
    Producer,
    Product,
    product_kinds,
)

Answer = str | tuple[str, int] | Response


@blueprint.get("/producers")
@allow(*READERS)
def producers() -> Answer:
    """List the producers."""
    return page(
        "producers.html", producers=all_producers(), kind_of_producer=sentences.kind_of_producer
    )


@blueprint.get("/producers/new")
@blueprint.get("/producers/<key>")
@allow("clerk")
def producer(key: str = "") -> Answer:
    """Show the form of a producer; a new one begins where the last one lives."""
    found = _own_producer(key) if key else None
    if found is not None:
        return _producer(Form({name: getattr(found, name) for name in _PRODUCER}), key)
    last = records().scalar(
        select(Producer)
        .where(Producer.cooperative == somebody().cooperative)
        .order_by(Producer.code.desc())
        .limit(1)
    )
    proposed = {"id": str(uuid.uuid4()), "kind": "household"}
    if last is not None:
        proposed |= {"commune": last.commune, "province": last.province, "village": last.village}
    return _producer(Form(proposed), "")


@blueprint.post("/producers/new")
@blueprint.post("/producers/<key>")
@allow("clerk")
def keep_producer(key: str = "") -> Answer:
    """Keep a producer, new or changed."""
    if key:
        _own_producer(key)
    form = Form(request.form)
    values = {
        "kind": form.choice("kind", PRODUCER_KINDS),
        "code": form.text("code", 20).upper(),
        "name": form.text("name"),
        "village": form.text("village", needed=False),
        "commune": form.text("commune"),
        "province": form.text("province"),
        "contact": form.text("contact", needed=False),
    }
    if form.ok:
        try:
            _keep(Producer, key or form.id(), values)
        except IntegrityError:
            form.wrong("code", _("Mã này đã có người dùng. Xin chọn mã khác."))
        else:
            return redirect(url_for("records.producers"), 303)  # type: ignore[return-value]
    return _producer(form, key)


_Kind = TypeVar("_Kind", Producer, Product)


def _keep(kind: type[_Kind], key: str, values: dict[str, Any]) -> None:
    """Write a record of the asker's own cooperative, new or changed; 404 for another one's."""
    own = somebody().cooperative
    with transaction() as session:
        found = session.get(kind, key)
        kept = kind(id=key, cooperative=own) if found is None else found
        if kept.cooperative != own:
            abort(404)
        for name, value in values.items():
            setattr(kept, name, value)
        session.add(kept)


_PRODUCER = ("kind", "code", "name", "village", "commune", "province", "contact")


def _own_producer(key: str) -> Producer:
    found = records().get(Producer, key)
    if found is None or found.cooperative != somebody().cooperative:
        abort(404)
    return found


def _producer(form: Form, key: str) -> Answer:
    kinds = [(kind, sentences.kind_of_producer(kind)) for kind in PRODUCER_KINDS]
    return page("producer.html", form, key=key, kinds=kinds)


@blueprint.get("/products")
@allow(*READERS)
def product_list() -> Answer:
    """List the products."""
    return page(
        "product_list.html", products=products(), kind_of_product=sentences.kind_of_product
    )


_PRODUCT = (
    "kind",
    "crop",
    "producer_id",
    "name",
    "brand",
    "pack_grams",
    "shelf_life_days",
    "storage",
)


@blueprint.get("/products/new")
@blueprint.get("/products/<key>")
@allow("clerk")
def product(key: str = "") -> Answer:
    """Show the form of a product."""
    if key:
        found = _own_product(key)
        values = {name: str(getattr(found, name)) for name in _PRODUCT}
        return _product(Form({**values, "gtin": found.gtin or ""}), key)
    proposed = {"id": str(uuid.uuid4()), "pack_grams": "500", "shelf_life_days": "365"}
    return _product(Form({**proposed, **asked("kind", "crop")}), "")


@blueprint.post("/products/new")
@blueprint.post("/products/<key>")
@allow("clerk")
def keep_product(key: str = "") -> Answer:
    """Keep a product, new or changed. Labels that were printed keep what they say."""
    if key:
        _own_product(key)
    form = Form(request.form)
    values = {
        "kind": form.choice("kind", product_kinds()),
        "producer_id": form.choice("producer_id", {one.id for one in all_producers()}),
        "name": form.text("name", 60),
        "brand": form.text("brand", 60, needed=False),
        "pack_grams": form.count("pack_grams", 1, MOST_PACK_GRAMS),
        "shelf_life_days": form.count("shelf_life_days", 1, LONGEST_SHELF_DAYS),
        "storage": form.text("storage", 200, needed=False),
        "crop": form.text("crop", 60, needed=form["kind"] == "vegetables"),
        "gtin": _gtin(form),
    }
    if form.ok:
        try:
            _keep(Product, key or form.id(), values)
        except IntegrityError:
            form.wrong("name", _("Đã có sản phẩm mang tên này. Xin chọn tên khác."))
        else:
            return redirect(url_for("records.product_list"), 303)  # type: ignore[return-value]
    return _product(form, key)


def _gtin(form: Form) -> str | None:
    """The GTIN that GS1 gave, or none: it is never made up."""
    if not form["gtin"].strip():
        return None
    try:
        return gtin14(form["gtin"])
    except BadGtin as e:
        refuse(form, e)
        return None


def _own_product(key: str) -> Product:
    found = records().get(Product, key)
    if found is None or found.cooperative != somebody().cooperative:
        abort(404)
    return found


def _product(form: Form, key: str) -> Answer:
    kinds = [(kind, sentences.kind_of_product(kind)) for kind in product_kinds()]
    makers = [(one.id, one.name) for one in all_producers()]
    return page("product.html", form, key=key, kinds=kinds, producers=makers)
