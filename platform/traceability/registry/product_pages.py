"""The clerk's pages for products: what is sold, and what of it the law still misses."""

import time
import uuid
from typing import Any

from flask import Response, abort, redirect, request, url_for
from sqlalchemy.exc import IntegrityError

from nongso.platform import photos
from nongso.platform.accounts import allow, somebody
from nongso.platform.forms import Form
from nongso.platform.languages import _, date
from nongso.platform.store import records, transaction
from nongso.platform.traceability import sentences
from nongso.platform.traceability.desk import (
    READERS,
    asked,
    blueprint,
    page,
    products,
    settings,
    today,
)
from nongso.platform.traceability.desk import producers as all_producers
from nongso.platform.traceability.legal import asked as legal
from nongso.platform.traceability.legal import facts as legal_facts
from nongso.platform.traceability.records import Product, product_kinds
from nongso.platform.traceability.registry import certificates, vouching
from nongso.platform.traceability.registry.fields import product_fields
from nongso.platform.traceability.registry.forms import read_product
from nongso.platform.traceability.registry.photos import photo_folder, read_photo
from nongso.platform.traceability.registry.words import kind_of_certificate
from nongso.platform.traceability.resolver.names import note_gtin

Answer = str | tuple[str, int] | Response


@blueprint.get("/products")
@allow(*READERS)
def product_list() -> Answer:
    """List the products, each with what the law still misses and what may be claimed."""
    session, day = records(), today()
    found = products()
    return page(
        "product_list.html",
        products=found,
        kind_of_product=sentences.kind_of_product,
        checks={one.id: legal_facts.check_product(session, one, day) for one in found},
        claims={one.id: certificates.claims(session, one, day) for one in found},
        kind_of_certificate=kind_of_certificate,
    )


@blueprint.get("/products/new")
@blueprint.get("/products/<key>")
@allow("clerk")
def product(key: str = "") -> Answer:
    """Show the form of a product."""
    if key:
        return _product(Form(product_fields(own_product(key))), key)
    proposed = {
        "id": str(uuid.uuid4()),
        "pack_grams": "500",
        "shelf_life_days": "365",
        "origin": "Việt Nam",
    }
    return _product(Form({**proposed, **asked("kind", "crop")}), "")


@blueprint.post("/products/new")
@blueprint.post("/products/<key>")
@allow("clerk")
def keep_product(key: str = "") -> Answer:
    """Keep a product, new or changed. Labels that were printed keep what they say."""
    if key:
        own_product(key)
    form = Form(request.form)
    id_ = key or form.id()
    values = read_product(form, {one.id for one in all_producers()})
    photo = read_photo(form, photo_folder()) if form.ok else ""
    if photo:
        values["photo"] = photo
    if form.ok:
        try:
            _keep(id_, values)
        except IntegrityError:
            form.wrong("name", _("Đã có sản phẩm mang tên này. Xin chọn tên khác."))
        else:
            return redirect(url_for("records.product_list"), 303)  # type: ignore[return-value]
    return _product(form, key)


def _keep(key: str, values: dict[str, Any]) -> None:
    """Write a product of the asker's own cooperative, new or changed; 404 for another one's."""
    own = somebody().cooperative
    with transaction() as session:
        kept = session.get(Product, key)
        if kept is None:
            kept = Product(id=key, cooperative=own)
            session.add(kept)
        if kept.cooperative != own:
            abort(404)
        for name, value in values.items():
            setattr(kept, name, value)
        vouching.note(session, kept, somebody().id, int(time.time()))
        note_gtin(session, kept, somebody().id, int(time.time()), settings().label_url)


@blueprint.get("/products/<key>/photo")
@allow(*READERS)
def product_photo(key: str) -> Answer:
    """The picture of a product."""
    found = next((one for one in products() if one.id == key), None)
    if found is None or not found.photo:
        abort(404)
    file = photos.path_of(photo_folder(), found.photo)
    if not file.is_file():
        abort(404)
    answer = Response(file.read_bytes(), mimetype="image/jpeg")
    answer.headers["Cache-Control"] = "private, max-age=3600"
    return answer


def own_product(key: str) -> Product:
    """A product of the asker's own cooperative, else 404."""
    found = records().get(Product, key)
    if found is None or found.cooperative != somebody().cooperative:
        abort(404)
    return found


def _product(form: Form, key: str) -> Answer:
    kinds = [(kind, sentences.kind_of_product(kind)) for kind in product_kinds()]
    makers = [(one.id, one.name) for one in all_producers()]
    there = own_product(key) if key else None
    checks = [] if there is None else legal_facts.check_product(records(), there, today())
    return page(
        "product.html",
        form,
        key=key,
        kinds=kinds,
        producers=makers,
        there=there,
        checks=checks,
        papers=[] if there is None else certificates.of_subject(records(), "product", there.id),
        kind_of_certificate=kind_of_certificate,
    )


@blueprint.get("/law")
@allow(*READERS)
def law() -> Answer:
    """The lists of the law that are checked, with their days, sources and doubts."""
    return page(
        "law.html", lists=legal.in_force(today()), to_come=legal.to_come(today()), day=date
    )
