"""The clerk's pages for plots: what land each household works."""

import datetime
import math
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
from nongso.platform.traceability.plots import (
    MOST_AREA_M2,
    SAID_UNITS,
    UNITS,
    Area,
    BadArea,
    Plot,
    read_area,
)
from nongso.platform.traceability.registry_words import unit_of_area

Answer = str | tuple[str, int] | Response
FIRST_DAY = datetime.date(1950, 1, 1)
# Viet Nam with its islands; a point outside of it has its numbers the wrong way round.
SOUTH, NORTH, WEST, EAST = 6.0, 24.0, 102.0, 118.0
_VALUES = ("producer_id", "code", "name", "crop", "growing_area_code", "since", "until")


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
    """Show the form of a plot; a new one begins with the crop and unit of the last one."""
    if key:
        found = _own(key)
        values = {name: str(getattr(found, name) or "") for name in _VALUES}
        amount, _space, unit = found.area.rpartition(" ")
        point = "" if found.latitude is None else f"{found.latitude}, {found.longitude}"
        values |= {
            "amount": amount,
            "unit": {said: name for name, said in SAID_UNITS.items()}.get(unit, "m2"),
            "point": point,
            "public_point": "1" if found.public_point else "",
        }
        return _plot(Form(values), key)
    proposed = {
        "id": str(uuid.uuid4()),
        "since": datetime.date(today().year, 1, 1).isoformat(),
        "unit": "sao",
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
        unit = {said: name for name, said in SAID_UNITS.items()}.get(last.area.split()[-1], "sao")
        proposed |= {"crop": last.crop, "unit": unit}
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
    area = _area(form)
    latitude, longitude = _point(form)
    since = form.day("since", earliest=FIRST_DAY)
    until = form.day("until", earliest=FIRST_DAY) if form["until"].strip() else None
    if until is not None and until < since:
        form.wrong("until", _("Ngày cuối phải sau ngày đầu."))
    values = {
        "producer_id": form.choice("producer_id", {one.id for one in producers()}),
        "code": form.text("code", 20).upper(),
        "name": form.text("name", 60, needed=False),
        "crop": form.text("crop", 60),
        "area": area.said,
        "area_m2": area.m2,
        "latitude": latitude,
        "longitude": longitude,
        "public_point": form["public_point"] == "1",
        "growing_area_code": form.text("growing_area_code", 60, needed=False),
        "since": since.isoformat(),
        "until": None if until is None else until.isoformat(),
    }
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


def _area(form: Form) -> Area:
    unit = form.choice("unit", UNITS)
    try:
        return read_area(form["amount"], unit or "m2")
    except BadArea as error:
        form.wrong("amount", area_refusal(error))
        return Area("", 1)


def area_refusal(error: BadArea) -> str:
    """Say why an area is not taken."""
    return {
        "number": _("Không đọc được diện tích này. Xin ghi số, ví dụ 2,5."),
        "unit": _("Xin ghi đơn vị: m², ha, sào, mẫu hoặc thước."),
        "two_ways": _("Số này đọc được hai cách. Xin gõ lại, ví dụ 1250 hoặc 1,25."),
        "size": _("Diện tích này không thể có. Xin xem lại số và đơn vị."),
    }[error.why]


def read_point(text: str) -> tuple[float, float] | None:
    """Read a point as map programs copy it: ``22.3791, 103.5902``. ``None`` if it is none here."""
    parts = text.replace(";", ",").split(",")
    if len(text) > 60 or len(parts) != 2:
        return None
    try:
        latitude, longitude = (float(part) for part in parts)
    except ValueError:
        return None
    if not (math.isfinite(latitude) and math.isfinite(longitude)):
        return None
    if not (SOUTH <= latitude <= NORTH and WEST <= longitude <= EAST):
        return None
    return round(latitude, 6), round(longitude, 6)


def _point(form: Form) -> tuple[float | None, float | None]:
    if not form["point"].strip():
        return None, None
    found = read_point(form["point"])
    if found is None:
        form.wrong(
            "point", _("Không đọc được điểm này. Xin chép từ bản đồ, ví dụ 22.3791, 103.5902.")
        )
        return None, None
    return found


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
        most=MOST_AREA_M2,
    )
