"""The clerk's pages for plots: what land each household works."""

import datetime
import uuid
from typing import Any

from flask import Response, abort, redirect, request, url_for
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from nongso.platform.accounts import allow, scoped, somebody
from nongso.platform.forms import Form
from nongso.platform.languages import _
from nongso.platform.store import records, transaction
from nongso.platform.traceability.desk import READERS, blueprint, page, producers, today
from nongso.platform.traceability.registry.fields import plot_fields
from nongso.platform.traceability.registry.forms import read_plot
from nongso.platform.traceability.registry.plots import SAID_UNITS, UNITS, Plot
from nongso.platform.traceability.registry.words import unit_of_area

Answer = str | tuple[str, int] | Response
_UNITS_BY_WORD = {said: unit for unit, said in SAID_UNITS.items()}


@blueprint.get("/plots")
@allow(*READERS)
def plots() -> Answer:
    """All plots, by household."""
    found = records().scalars(scoped(select(Plot), Plot.cooperative).order_by(Plot.since)).all()
    by_code = sorted(found, key=lambda one: (one.producer.code, one.code))
    return page("plots.html", plots=by_code)


@blueprint.get("/plots/new")
@blueprint.get("/plots/<key>")
@allow("clerk")
def plot(key: str = "") -> Answer:
    """Show the form of a plot; a new one begins with the crop of the last one."""
    if key:
        found = _own(key)
        amount, _space, unit = found.area.rpartition(" ")
        area = {"amount": amount, "unit": _UNITS_BY_WORD.get(unit, "m2")}
        return _plot(Form(plot_fields(found) | area), key)
    proposed = {
        "id": str(uuid.uuid4()),
        "since": datetime.date(today().year, 1, 1).isoformat(),
        "code": _next_code(),
        "producer_id": request.args.get("producer", ""),
    }
    last = records().scalar(
        select(Plot)
        .where(Plot.cooperative == somebody().cooperative)
        .order_by(Plot.code.desc())
        .limit(1)
    )
    if last is not None:
        proposed |= {"crop": last.crop}
    return _plot(Form(proposed), "")


@blueprint.post("/plots/new")
@blueprint.post("/plots/<key>")
@allow("clerk")
def keep_plot(key: str = "") -> Answer:
    """Keep a plot, new or changed."""
    if key:
        _own(key)
    form = Form(request.form)
    id_ = key or form.id()
    values = read_plot(form, {one.id for one in producers()})
    if form.ok:
        try:
            _keep(id_, values)
        except IntegrityError:
            form.wrong("code", _("Mã này đã có người dùng. Xin chọn mã khác."))
        else:
            return redirect(url_for("records.plots"), 303)  # type: ignore[return-value]
    return _plot(form, key)


def _keep(id_: str, values: dict[str, Any]) -> None:
    own = somebody().cooperative
    with transaction() as session:
        kept = session.get(Plot, id_)
        if kept is None:
            kept = Plot(id=id_, cooperative=own)
            session.add(kept)
        if kept.cooperative != own:
            abort(404)
        for name, value in values.items():
            setattr(kept, name, value)


def _next_code() -> str:
    own = records().scalars(select(Plot.code).where(Plot.cooperative == somebody().cooperative))
    used = set(own)
    return next(code for n in range(1, len(used) + 2) if (code := f"T{n:03d}") not in used)


def _own(key: str) -> Plot:
    found = records().get(Plot, key)
    if found is None or found.cooperative != somebody().cooperative:
        abort(404)
    return found


def _plot(form: Form, key: str) -> Answer:
    return page(
        "plot.html",
        form,
        key=key,
        producers=[(one.id, f"{one.code} {one.name}") for one in producers()],
        units=[(unit, unit_of_area(unit)) for unit in UNITS],
    )
