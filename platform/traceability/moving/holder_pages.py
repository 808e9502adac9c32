"""The clerk's pages for those who get goods, and for the numbers of cartons."""

import time
import uuid
from typing import Any

from flask import Response, redirect, request, url_for
from sqlalchemy.exc import IntegrityError

from nongso.platform.accounts import allow, somebody
from nongso.platform.forms import Form
from nongso.platform.languages import _
from nongso.platform.store import records, transaction
from nongso.platform.traceability import sentences
from nongso.platform.traceability.desk import READERS, blueprint
from nongso.platform.traceability.moving import desk as moving_desk
from nongso.platform.traceability.moving.desk import page
from nongso.platform.traceability.moving.errors import BadPrefix
from nongso.platform.traceability.moving.records import (
    HOLDER_KINDS,
    CartonNumbers,
    Holder,
)
from nongso.platform.traceability.registry import fields as registry_fields
from nongso.platform.traceability.registry import history as registry_history
from nongso.platform.traceability.registry.forms import read_holder

Answer = str | tuple[str, int] | Response


@blueprint.get("/holders")
@allow(*READERS)
def holders() -> Answer:
    """List those who get goods."""
    numbers = records().get(CartonNumbers, somebody().cooperative or "")
    return page("holders.html", holders=moving_desk.holders(), numbers=numbers)


@blueprint.get("/holders/new")
@blueprint.get("/holders/<uuid:holder>")
@allow("clerk")
def holder(holder: uuid.UUID | None = None) -> Answer:
    """Show the form of a holder."""
    if holder is None:
        return _holder(Form({"id": str(uuid.uuid4()), "kind": "shop"}), None)
    found = moving_desk.own_holder(str(holder))
    return _holder(Form({"id": found.id, **registry_fields.holder_fields(found)}), found)


@blueprint.post("/holders/new")
@blueprint.post("/holders/<uuid:holder>")
@allow("clerk")
def keep_holder(holder: uuid.UUID | None = None) -> Answer:
    """Keep a holder, new or changed; what it was called before stays known."""
    found = moving_desk.own_holder(str(holder)) if holder is not None else None
    form = Form(request.form)
    values = read_holder(form)
    key = found.id if found is not None else form.id()
    if form.ok:
        try:
            _keep(key, values)
        except IntegrityError:
            form.wrong("name", _("Đã có nơi nhận mang tên này."))
        else:
            return redirect(url_for("records.holders"), 303)  # type: ignore[return-value]
    return _holder(form, found)


def _keep(key: str, values: dict[str, Any]) -> None:
    now, home = int(time.time()), somebody().cooperative or ""
    with transaction() as session:
        kept = session.get(Holder, key)
        if kept is None:
            session.add(Holder(id=key, cooperative=home, changed_at=now, **values))
            session.flush()
            return
        if any(getattr(kept, name) != values[name] for name in registry_history.HOLDER_SAID):
            registry_history.remember_holder(session, kept, now)
        for name, value in values.items():
            setattr(kept, name, value)


def _holder(form: Form, found: Holder | None) -> Answer:
    kinds = [(kind, moving_desk.holder_kinds()[kind]) for kind in HOLDER_KINDS]
    return page("holder.html", form, holder=found, kinds=kinds)


@blueprint.get("/cartons/numbers")
@allow("clerk")
def carton_numbers() -> Answer:
    """Show the form for the company prefix that GS1 gave."""
    numbers = records().get(CartonNumbers, somebody().cooperative or "")
    return page("carton_numbers.html", Form({"prefix": numbers.prefix if numbers else ""}))


@blueprint.post("/cartons/numbers")
@allow("clerk")
def keep_carton_numbers() -> Answer:
    """Keep the prefix, or none; cartons that have a number keep it."""
    form = Form(request.form)
    prefix = form.text("prefix", 20, needed=False).replace(" ", "").replace("-", "")
    home = somebody().cooperative or ""
    # Numbers beginning with 2 are for use inside one shop and say nothing outside of it.
    fits = prefix.isascii() and prefix.isdigit() and 6 <= len(prefix) <= 12 and prefix[0] != "2"
    if prefix and not fits:
        form.wrong("prefix", sentences.refusal(BadPrefix()))
    if not form.ok:
        return page("carton_numbers.html", form)
    with transaction() as session:
        kept = session.get(CartonNumbers, home)
        if kept is None:
            session.add(CartonNumbers(cooperative=home, prefix=prefix, next=1))
        elif kept.prefix != prefix:
            kept.prefix, kept.next = prefix, 1
    return redirect(url_for("records.holders"), 303)  # type: ignore[return-value]
