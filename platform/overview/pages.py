"""The officer's pages: how the cooperatives are today, and the quarter's report to print."""

import datetime
import time
import uuid

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from sqlalchemy import func, select

from nongso.platform.accounts import Link, allow, somebody
from nongso.platform.events import Event, EventConflict
from nongso.platform.forms import Form
from nongso.platform.greenhouse.condition import LEVELS, judge
from nongso.platform.greenhouse.now import gather
from nongso.platform.greenhouse.records import Greenhouse
from nongso.platform.languages import _, day_of, later
from nongso.platform.overview import indicators, stated
from nongso.platform.overview.quality import quality_of
from nongso.platform.overview.quarters import Quarter, back_from, quarter_of, read
from nongso.platform.people import Cooperative
from nongso.platform.store import records, transaction
from nongso.platform.telemetry import telemetry

blueprint = Blueprint("overview", __name__, url_prefix="/overview")

READERS = ("officer", "admin")
NAVIGATION = (Link("overview.today", later("Tổng quan"), READERS),)
MONTH_SECONDS = 30 * 86400
QUARTERS_SHOWN = 4
FIRST_QUARTER = Quarter(2020, 1)  # nobody has figures from before
MOST = 1e12

Answer = str | Response | tuple[str, int]


@blueprint.get("")
@allow(*READERS)
def today() -> Answer:
    """Every cooperative: its greenhouses by level, its readings, what it recorded."""
    now = int(time.time())
    cooperatives = []
    for cooperative in records().scalars(select(Cooperative).order_by(Cooperative.name)):
        houses = records().scalars(
            select(Greenhouse)
            .where(Greenhouse.cooperative == cooperative.slug)
            .order_by(Greenhouse.slug)
        )
        own = list(houses)
        found = [(one, judge(one)) for one in gather(records(), telemetry(), own, now)]
        found.sort(key=lambda pair: LEVELS.index(pair[1].level))
        last, count = (
            records()
            .execute(
                select(func.max(Event.recorded_at), func.count()).where(
                    Event.cooperative == cooperative.slug, Event.recorded_at > now - MONTH_SECONDS
                )
            )
            .one()
        )
        cooperatives.append(
            {
                "name": cooperative.name,
                "houses": [(one.greenhouse, condition) for one, condition in found],
                "quality": quality_of(records(), telemetry(), own, now - MONTH_SECONDS, now, now),
                "count": count,
                "last": last,
            }
        )
    return render_template(
        "overview/today.html",
        cooperatives=cooperatives,
        now=now,
        quarter=quarter_of(day_of(now)),
    )


@blueprint.get("/report")
@allow(*READERS)
def report() -> Answer:
    """The indicators of a quarter with their trend, made to be printed."""
    now = int(time.time())
    this = quarter_of(day_of(now))
    wanted = read(request.args["quarter"]) if "quarter" in request.args else this
    if wanted is None or wanted > this or wanted < FIRST_QUARTER:
        abort(404)
    quarters = back_from(wanted, QUARTERS_SHOWN)
    lines = [indicators.indicators(records(), telemetry(), one, now) for one in quarters]
    houses = records().scalars(select(Greenhouse).order_by(Greenhouse.slug)).all()
    return render_template(
        "overview/report.html",
        quarter=wanted,
        quarters=quarters,
        lines=[list(of_one) for of_one in zip(*lines, strict=True)],
        quality=quality_of(records(), telemetry(), houses, wanted.since, wanted.until, now),
        words=indicators,
        iso_day=datetime.date.fromisoformat,
        before=wanted.before if wanted > FIRST_QUARTER else None,
        after=wanted.next if wanted < this else None,
        now=now,
        may_state=somebody().may(*READERS),
    )


@blueprint.get("/figures")
@allow(*READERS)
def figures() -> Answer:
    """The figures that people state, and the form for a new one."""
    proposed = {"id": str(uuid.uuid4()), "day": day_of(time.time()).isoformat()}
    return _figures(Form({**proposed, "name": request.args.get("name", "")}))


@blueprint.post("/figures")
@allow(*READERS)
def state() -> Answer:
    """Take a figure."""
    form = Form(request.form)
    id_ = form.id()
    name = form.choice("name", stated.NAMES)
    value = form.count("value", 0, int(MOST))
    day = form.day("day", day_of(time.time()), earliest=FIRST_QUARTER.first)
    source = form.text("source", 200)
    if not form.ok:
        return _figures(form)
    figure = stated.Stated(name, value, day.isoformat(), source)
    try:
        with transaction() as session:
            stated.state(session, id_, somebody().id, figure, int(time.time()))
    except EventConflict:
        form.values["id"] = str(uuid.uuid4())
        form.wrong("", _("Dòng này đã ghi rồi. Nếu đây là dòng khác, xin bấm ghi lần nữa."))
        return _figures(form)
    return redirect(url_for("overview.figures", said=1), 303)  # type: ignore[return-value]


def _figures(form: Form) -> Answer:
    page = render_template(
        "overview/figures.html",
        form=form,
        found=stated.all_stated(records())[::-1],
        choices=[(name, indicators.figure_word(name)) for name in stated.NAMES],
        words=indicators,
        iso_day=datetime.date.fromisoformat,
        said=request.args.get("said"),
    )
    return page if form.ok else (page, 422)
