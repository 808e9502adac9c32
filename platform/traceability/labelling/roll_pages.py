"""The clerk's pages for rolls: print them without a lot, bind them in the packing room.

The page for binding lives on the phone too: what is bound without network waits there and is
sent later, under the number that the phone gave it.
"""

import logging

from flask import Response, abort, redirect, request, url_for
from sqlalchemy import select

from nongso.labels.errors import LabelError
from nongso.platform.accounts import allow, scoped, somebody
from nongso.platform.forms import Form
from nongso.platform.languages import _
from nongso.platform.store import records
from nongso.platform.traceability import sentences
from nongso.platform.traceability.desk import (
    READERS,
    blueprint,
    new_form,
    page,
    products,
    settings,
)
from nongso.platform.traceability.errors import Refused
from nongso.platform.traceability.identifiers import as_typed, opens_only_here
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.labelling import rolls as labelling_rolls
from nongso.platform.traceability.labelling.desk import (
    mark_choices,
    offered,
    picture_of,
    read_mark,
    read_sheet,
)
from nongso.platform.traceability.labelling.layouts import DEFAULT_LAYOUT
from nongso.platform.traceability.labelling.pages import pdf_answer
from nongso.platform.traceability.labelling.records import LabelRoll
from nongso.platform.traceability.labelling.rolls import Binding, RollWish
from nongso.platform.traceability.labelling.text import texts_of_roll
from nongso.platform.traceability.moving.desk import done
from nongso.platform.traceability.records import PACKS, Lot, Product

log = logging.getLogger(__name__)

Answer = str | tuple[str, int] | Response
MOST_SHOWN = 50


@blueprint.get("/rolls")
@allow(*READERS)
def rolls() -> Answer:
    """The rolls, how much of each is used, and the form for a new one."""
    proposed = {"layout": DEFAULT_LAYOUT, "start_cell": "1", "count": "240"}
    return _rolls(Form(new_form(**proposed)))


def _rolls(form: Form) -> Answer:
    wanted = scoped(select(LabelRoll), LabelRoll.cooperative).order_by(LabelRoll.at.desc())
    found = records().scalars(wanted.limit(MOST_SHOWN)).all()
    return page(
        "rolls.html",
        form,
        rolls=found,
        used=labelling_rolls.used_of(records(), [one.id for one in found]),
        names={one.id: one.name for one in products()},
        products=[(one.id, one.name) for one in products()],
        layouts=[(one.key, one) for one in offered()],
        marks=mark_choices(),
        only_here=opens_only_here(settings().label_url),
        address=settings().label_url,
    )


@blueprint.post("/rolls")
@allow("clerk")
def make_roll() -> Answer:
    """Print labels without a lot."""
    form = Form(request.form)
    product = form.choice("product", {one.id for one in products()})
    count = form.count("count", 1, labelling.MOST_AT_ONCE)
    wish = RollWish(product, count, *read_sheet(form), read_mark(form))
    of = records().get(Product, product) if product else None
    texts = texts_of_roll(of) if of else {}
    picture = picture_of(somebody().cooperative, of)
    made = done(form, labelling_rolls.make_roll, wish, texts, picture)
    if made is None:
        return _rolls(form)
    return redirect(url_for("records.roll", key=made.id), 303)  # type: ignore[return-value]


def own_roll(key: str) -> LabelRoll:
    """A roll that the asker may see, else 404."""
    wanted = scoped(select(LabelRoll), LabelRoll.cooperative).where(LabelRoll.id == key)
    found = records().scalar(wanted)
    if found is None:
        abort(404)
    return found


@blueprint.get("/rolls/<key>")
@allow(*READERS)
def roll(key: str) -> Answer:
    """What was printed without a lot, and the file."""
    made, trouble = own_roll(key), ""
    try:
        labelling_rolls.file_of_roll(records(), made, settings().files_folder)
    except Refused as e:
        trouble = sentences.refusal(e)
    except LabelError as e:
        log.error("the file of roll %s is not released: %s", made.id, e)
        trouble = _(
            "Máy chưa đọc lại được đủ mã trên tờ in, nên chưa cho tải về. "
            "Xin tải lại trang này. Nếu vẫn thế, xin báo người phụ trách máy."
        )
    used = labelling_rolls.used_of(records(), [made.id])[made.id]
    return page("roll.html", made=made, trouble=trouble, used=used)


@blueprint.get("/rolls/<key>.pdf")
@allow(*READERS)
def roll_file(key: str) -> Answer:
    """The file itself."""
    made = own_roll(key)
    try:
        file = labelling_rolls.file_of_roll(records(), made, settings().files_folder)
    except (LabelError, Refused):
        return redirect(url_for("records.roll", key=made.id), 303)  # type: ignore[return-value]
    return pdf_answer(file.read_bytes(), f"tem-in-san-{made.id[:8]}.pdf")


@blueprint.get("/rolls/bind")
@allow("clerk")
def binding() -> Answer:
    """The form of the packing room: lot, first and last label."""
    return _binding(Form(new_form(lot=as_typed(request.args.get("lot", "")[:20]))))


@blueprint.post("/rolls/bind")
@allow("clerk")
def bind() -> Answer:
    """Bind a stretch of a roll to a lot."""
    form = Form(request.form)
    lot = as_typed(form.text("lot", 40).rsplit("/", 1)[-1])
    wish = Binding(lot, form.text("first", 200), form.text("last", 200))
    made = done(form, labelling_rolls.bind, wish)
    if made is None:
        return _binding(form)
    there = url_for("records.labels", code=made.lot, recorded="applied")
    return redirect(there, 303)  # type: ignore[return-value]


def _binding(form: Form) -> Answer:
    wanted = scoped(select(Lot), Lot.cooperative).where(
        Lot.kind == PACKS,
        Lot.withdrawn_at.is_(None),
        Lot.recalled_at.is_(None),
        Lot.labels - Lot.spoiled < Lot.packs,
    )
    found = records().scalars(wanted.order_by(Lot.at.desc()).limit(MOST_SHOWN)).all()
    return page("roll_bind.html", form, lots=found)
