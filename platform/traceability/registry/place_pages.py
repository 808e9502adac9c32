"""The clerk's page of stations in yards and stores, and the sealing when something is made."""

import logging
import time

from flask import Response, redirect, url_for
from flask import request as asked

from nongso.platform.accounts import allow, somebody
from nongso.platform.events import EventConflict
from nongso.platform.forms import Form
from nongso.platform.languages import _, language
from nongso.platform.store import records, transaction
from nongso.platform.telemetry import TelemetryAway, telemetry
from nongso.platform.traceability.desk import blueprint, new_form, page, settings
from nongso.platform.traceability.making.recipe_book import recipes
from nongso.platform.traceability.records import Lot
from nongso.platform.traceability.registry import places
from nongso.platform.traceability.registry.places import STORE, YARD, Standing
from nongso.platform.traceability.seasons import growing

log = logging.getLogger(__name__)

Answer = str | tuple[str, int] | Response


@blueprint.get("/stations")
@allow("clerk")
def stations() -> Answer:
    """Which station stands in which yard or store."""
    return _stations(Form(new_form()))


@blueprint.post("/stations")
@allow("clerk")
def place_station() -> Answer:
    """Say where a station stands, or that none stands there any more."""
    form = Form(asked.form)
    id_ = form.id()
    where = form.choice("where", [key for key, _said in _wheres()])
    node = form["node"] and form.choice("node", list(_nodes()))
    name = form.text("name", 60)
    if form.ok:
        kind, lies = where.split("/")
        asker = somebody()
        try:
            with transaction() as session:
                station = Standing(kind, lies, name, node)
                places.place(
                    session, id_, asker.cooperative or "", asker.id, station, int(time.time())
                )
            return redirect(url_for("records.stations"), 303)  # type: ignore[return-value]
        except EventConflict:
            form.wrong("", _("Trang này đã mở quá lâu. Xin bấm ghi lại lần nữa."))
            form.values["id"] = new_form()["id"]
    return _stations(form)


def _stations(form: Form) -> Answer:
    wheres = _wheres()
    return page(
        "stations.html",
        form,
        wheres=wheres,
        said=dict(wheres),
        nodes=_nodes(),
        standing=places.standing(records(), somebody().cooperative or ""),
    )


def _nodes() -> dict[str, str]:
    return growing.shared_stations(records(), somebody().cooperative or "")


def _wheres() -> list[tuple[str, str]]:
    """Yards by what is made there, stores by what waits there."""
    kinds = recipes().kinds
    made = dict.fromkeys(step.gives for step in recipes().steps.values())
    used = dict.fromkeys(kind for step in recipes().steps.values() for kind in step.takes)
    yards = [
        (f"{YARD}/{key}", _("Sân phơi: %(kind)s", kind=kinds[key].words.said(language())))
        for key in made
        if key in kinds
    ]
    stores = [
        (f"{STORE}/{key}", _("Kho: %(kind)s", kind=kinds[key].words.said(language())))
        for key in {**used, **made}
        if key in kinds
    ]
    return yards + stores


def seal_measured(lot: Lot) -> None:
    """Keep what stations measured while a lot was made. Called after it was recorded.

    Readings that cannot be reached now are not waited for: the lot then has no such record.
    """
    now = int(time.time())
    try:
        found = places.measured(records(), telemetry(), lot, now)
    except TelemetryAway as error:
        log.warning("lot %s: what was measured meanwhile is not sealed: %s", lot.code, error)
        return
    if found:
        with transaction() as session:
            places.seal(session, settings().label_url, lot, found, somebody().id)
