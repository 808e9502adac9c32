"""The clerk's pages for places that visitors may come to, and the label that leads there."""

import time
from typing import Any

from flask import Response, abort, redirect, request, url_for
from sqlalchemy import select

from nongso.labels import layout as layouts
from nongso.labels.operations import print_sheet
from nongso.labels.sheet import Label
from nongso.platform.accounts import allow, scoped, somebody
from nongso.platform.forms import Form
from nongso.platform.languages import _
from nongso.platform.store import records, transaction
from nongso.platform.traceability.desk import READERS, blueprint, new_form, page, settings
from nongso.platform.traceability.identifiers import new_lot_code, printed_address_of_place
from nongso.platform.traceability.labelling.pages import pdf_answer
from nongso.platform.traceability.registry.forms import read_point
from nongso.platform.traceability.registry.photos import photo_folder, read_photo
from nongso.platform.traceability.shopfront.records import KINDS, OpenPlace
from nongso.platform.traceability.shopfront.words import kind_of_place

Answer = str | tuple[str, int] | Response
LAYOUT = "a4-2x7-shelf"
_TEXTS = ("kind", "name", "story", "hours", "contact", "village", "commune", "province")


def address_of(place: OpenPlace) -> str:
    """The address of its page."""
    return f"{settings().label_url.rstrip('/')}/v/{place.code}"


@blueprint.get("/open-places")
@allow(*READERS)
def open_places() -> Answer:
    """List the places."""
    wanted = scoped(select(OpenPlace), OpenPlace.cooperative)
    found = records().scalars(wanted.order_by(OpenPlace.closed, OpenPlace.name)).all()
    return page("open_places.html", places=found, kind_of_place=kind_of_place)


@blueprint.get("/open-places/new")
@blueprint.get("/open-places/<key>")
@allow("clerk")
def open_place(key: str = "") -> Answer:
    """Show the form of a place."""
    there = _own(key) if key else None
    if there is None:
        return _place(Form(new_form()), None)
    fields = {name: getattr(there, name) for name in _TEXTS}
    fields["point"] = "" if there.point is None else "{}, {}".format(*there.point)
    return _place(Form({**fields, "closed": "1" if there.closed else ""}), there)


@blueprint.post("/open-places/new")
@blueprint.post("/open-places/<key>")
@allow("clerk")
def keep_open_place(key: str = "") -> Answer:
    """Keep a place, new or changed. Its address stays, also when it is closed."""
    there, form = _own(key) if key else None, Form(request.form)
    id_ = key or form.id()
    values = _read(form)
    photo = read_photo(form, photo_folder()) if form.ok else ""
    if photo:
        values["photo"] = photo
    if not form.ok:
        return _place(form, there)
    with transaction() as session:
        kept = session.get(OpenPlace, id_)
        if kept is None:
            kept = OpenPlace(id=id_, cooperative=somebody().cooperative, photo="")
            kept.code = new_lot_code()
            session.add(kept)
        if kept.cooperative != somebody().cooperative:
            abort(404)
        for name, value in values.items():
            setattr(kept, name, value)
        kept.changed_at = int(time.time())
    return redirect(url_for("records.open_places"), 303)  # type: ignore[return-value]


def _read(form: Form) -> dict[str, Any]:
    point = read_point(form["point"]) if form["point"].strip() else None
    if point is None and form["point"].strip():
        form.wrong("point", _("Không đọc được vị trí này. Ví dụ: 22.3791, 103.5902"))
    latitude, longitude = point or (None, None)
    return {
        "kind": form.choice("kind", KINDS),
        "name": form.text("name", 80),
        "story": form.text("story", 1500, needed=False),
        "hours": form.text("hours", 120, needed=False),
        "contact": form.text("contact", 80, needed=False),
        "village": form.text("village", needed=False),
        "commune": form.text("commune"),
        "province": form.text("province"),
        "latitude": latitude,
        "longitude": longitude,
        "closed": form["closed"] == "1",
    }


@blueprint.get("/open-places/<key>/label")
@allow("clerk", scope="labels")
def open_place_label(key: str) -> Answer:
    """A shelf label with the code that leads to the place's page, as PDF."""
    place, form = _own(key), Form(request.args)
    cells = layouts.find(LAYOUT).cells
    cell = form.count("cell", 1, cells) if form["cell"] else 1
    count = form.count("count", 1, cells) if form["count"] else 1
    if not form.ok or cell + count - 1 > cells:
        abort(404)
    texts = {
        "name": place.name,
        "price": _("Quét để biết thêm"),
        "text": "\n".join(filter(None, (place.commune, place.province))),
    }
    label = Label(printed_address_of_place(settings().label_url, place.code), texts)
    made = print_sheet([label] * count, layouts.find(LAYOUT), cell, place.name)
    return pdf_answer(made.pdf, f"tem-{place.code}.pdf")


def _own(key: str) -> OpenPlace:
    wanted = scoped(select(OpenPlace), OpenPlace.cooperative).where(OpenPlace.id == key)
    found = records().scalar(wanted)
    if found is None:
        abort(404)
    return found


def _place(form: Form, there: OpenPlace | None) -> Answer:
    return page(
        "open_place.html",
        form,
        there=there,
        kinds=[(kind, kind_of_place(kind)) for kind in KINDS],
        address=None if there is None else address_of(there),
    )
