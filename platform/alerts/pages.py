"""The pages of alerts: what stands, "Đã biết" in one tap, history, my ways, limits.

Every page works without script. ``alerts.js`` only adds what a browser alone can do: share a
state to the village's Zalo group, and let a phone take messages.
"""

import logging
import time
import uuid

from flask import (
    Blueprint,
    Flask,
    abort,
    current_app,
    redirect,
    render_template,
    request,
    url_for,
)
from markupsafe import Markup
from sqlalchemy import func, select
from werkzeug.wrappers import Response as AnyResponse

from nongso.platform import typed_numbers
from nongso.platform.accounts import Link, allow, owns, scoped, somebody
from nongso.platform.alerts import operations, rules, sentences
from nongso.platform.alerts.outbox import standing_of
from nongso.platform.alerts.plans import plan_of
from nongso.platform.alerts.records import Alert, AlertPlan, Notice, Way
from nongso.platform.alerts.settings import AlertSettings, AlertSettingsError, load
from nongso.platform.alerts.ways import TargetError, Ways
from nongso.platform.greenhouse.records import Gateway, Greenhouse
from nongso.platform.languages import _, language, later
from nongso.platform.settings import Settings
from nongso.platform.store import records, transaction

log = logging.getLogger(__name__)

blueprint = Blueprint("alerts", __name__)

READERS = ("farmer", "clerk", "helper", "officer", "admin")
HEARERS = ("farmer", "clerk", "helper", "admin")
PLANNERS = ("farmer", "clerk", "admin")
NAVIGATION = (Link("alerts.home", later("Cảnh báo"), READERS),)
PAGE = 30
MOST_WAYS = 8
TRIALS_AN_HOUR = 5  # some ways cost money
CSS_LEVEL = {"alarm": "urgent", "warning": "attention", "info": "good"}


def prepare(app: Flask) -> None:
    """Read ``alerts.json`` and give the templates their words.

    With settings that cannot be used the platform starts without those ways and says so: water
    and warnings on the page do not wait for a key of Zalo.
    """
    settings: Settings = app.extensions["nongso.settings"]
    secure = settings.url.startswith("https://")
    contact = settings.url if secure else "mailto:nongso@localhost.localdomain"
    trouble = ""
    try:
        found = load(settings.folder)
    except AlertSettingsError as error:
        found, trouble = AlertSettings(), str(error)
        log.error("no messages by Zalo, SMS and mail: %s", error)
    app.extensions["nongso.ways"] = Ways(settings.folder, found, contact, trouble)
    app.jinja_env.globals.update(
        alert_sentence=operations.sentence,
        alert_was=operations.what_it_was,
        alert_level_word=sentences.level_word,
        alert_over_word=sentences.over_word,
        alert_css=CSS_LEVEL.__getitem__,
        alerts_line=_line,
        alert_heard_by=_heard_by,
    )


def _heard_by(alert: Alert) -> str:
    name = operations.name_of(records(), alert.acknowledged_person, alert.acknowledged_helper)
    return name or _("Một người")


def _ways() -> Ways:
    found: Ways = current_app.extensions["nongso.ways"]
    return found


@blueprint.get("/alerts")
@allow(*READERS)
def home() -> str:
    """What stands, worst first, and what is over."""
    now = int(time.time())
    before = request.args.get("before", "")
    if before and not (before.isdecimal() and len(before) < 12):
        abort(404)
    past = operations.past_alerts(records(), PAGE + 1, int(before) if before else None)
    standing = [] if before else operations.open_alerts(records())
    return render_template(
        "alerts/home.html",
        now=now,
        standing=standing,
        past=past[:PAGE],
        older=past[PAGE - 1].raised_at if len(past) > PAGE else None,
        before=before,
        may_hear=somebody().may(*HEARERS, scope="stop"),
        may_own=somebody().has("own"),
        shared={alert.id: _shared(alert, now) for alert in standing},
    )


@blueprint.get("/alerts/<uuid:number>")
@allow(*READERS)
def one(number: uuid.UUID) -> str:
    """One alert and everything that happened to it."""
    found = operations.alert_of(records(), str(number)) or abort(404)
    now = int(time.time())
    return render_template(
        "alerts/one.html",
        alert=found,
        now=now,
        events=[(event.at, words) for event in operations.events_of(records(), found.id)
                if (words := _event_words(event.what, event.body))],
        counts=standing_of(records(), [found]).get(found.id, (0, 0)),
        may_hear=somebody().may(*HEARERS, scope="stop"),
        shared={found.id: _shared(found, now)},
    )  # fmt: skip


@blueprint.post("/alerts/<uuid:number>/acknowledge")
@allow(*HEARERS, scope="stop")
def acknowledge(number: uuid.UUID) -> AnyResponse:
    """Take the press of "Đã biết"."""
    found = operations.alert_of(records(), str(number)) or abort(404)
    with transaction() as session:
        asker = somebody()
        operations.acknowledge(session, found.id, asker.id, int(time.time()), asker.helper)
    return redirect(url_for("alerts.home"), 303)


def _shared(alert: Alert, now: int) -> str:
    """Return the text for the village's group: where, what, and where to read on."""
    settings: Settings = current_app.extensions["nongso.settings"]
    address = settings.url + url_for("alerts.one", number=uuid.UUID(alert.id))
    place = sentences.title(alert.values, "said")
    return f"{place}\n{operations.sentence(alert, now)}\n{address}"


def _event_words(what: str, body: dict[str, object]) -> str:
    """Say one thing that happened to an alert; empty for what only programs need."""
    told = body.get("people")
    names = [operations.name_of(records(), one) for one in told] if isinstance(told, list) else []
    people = ", ".join(name for name in names if name)
    heard = operations.name_of(records(), body.get("by"), body.get("helper"))
    kind = str(body.get("kind", ""))
    words = {
        "raised": _("Bắt đầu báo."),
        "returned": _("Lại xảy ra."),
        "joined": _("Thêm nguyên nhân mới, xin xem lại."),
        "said": _("Báo cho: %(people)s.", people=people),
        "repeated": _("Nhắc lại cho: %(people)s.", people=people),
        "escalated": _("Báo thêm cho: %(people)s.", people=people),
        "all_clear": _("Báo đã ổn cho: %(people)s.", people=people),
        "acknowledged": _("%(name)s đã bấm Đã biết.", name=heard or _("Một người")),
        "cleared": _("Đã hết."),
        "sent": _("Đã gửi qua %(kind)s.", kind=kind_word(kind)),
        "not_sent": _("Chưa gửi được qua %(kind)s, sẽ gửi lại.", kind=kind_word(kind)),
        "given_up": _("Không gửi được qua %(kind)s.", kind=kind_word(kind)),
    }
    if what in ("said", "repeated", "escalated", "all_clear") and not body.get("ways"):
        return _("Chỉ hiện trên trang, vì chưa có ai nhận tin.")
    return words.get(what, "")


def kind_word(kind: str) -> str:
    """Return the name of a kind of way."""
    words = {
        "push": _("thông báo trên điện thoại"),
        "zalo": _("Zalo"),
        "sms": _("tin nhắn SMS"),
        "mail": _("thư điện tử"),
        "apprise": _("dịch vụ khác"),
    }
    return words.get(kind, kind)


def _line() -> Markup:
    """For the page of all greenhouses: how many alerts nobody has heard, and how many stand."""
    is_heard = Alert.acknowledged_at.is_not(None)
    counted = (
        scoped(select(Alert.level, is_heard, func.count()), Alert.cooperative)
        .where(Alert.cleared_at.is_(None), Alert.level != "info")
        .group_by(Alert.level, is_heard)
    )
    unheard: dict[str, int] = {}
    heard = 0
    for level, known, count in records().execute(counted):
        if known:
            heard += count
        else:
            unheard[level] = count
    return Markup(
        render_template(
            "alerts/line.html",
            urgent=unheard.pop("alarm", 0),
            others=sum(unheard.values()),
            heard=heard,
        )
    )


# --- my ways ----------------------------------------------------------------------------------


@blueprint.get("/alerts/ways")
@allow(*READERS, scope="own")
def ways() -> str:
    """How I want to be told."""
    return _ways_page()


def _ways_page(trouble: str = "", kind: str = "", text: str = "") -> str:
    mine = _mine()
    trials = {
        way: (state, at)
        for way, state, at in records().execute(
            select(Notice.way, Notice.state, Notice.made_at)
            .where(Notice.what == "trial", Notice.way.in_([way.id for way in mine]))
            .order_by(Notice.made_at)
        )
    }
    return render_template(
        "alerts/ways.html",
        mine=mine,
        trials=trials,
        kinds=[k for k in _ways().kinds(somebody().role == "admin") if k != "push"],
        kind_word=kind_word,
        now=int(time.time()),
        push_key=_ways().push_key(),
        must_renew={way.id for way in mine if _ways().must_renew(way.kind, way.created_at)},
        settings_trouble=_ways().trouble,
        is_admin=somebody().role == "admin",
        trouble=trouble,
        wished=(kind, text),
        full=len(mine) >= MOST_WAYS,
    )


def _mine() -> list[Way]:
    return list(
        records().scalars(
            select(Way).where(Way.person_id == somebody().id).order_by(Way.created_at, Way.id)
        )
    )


@blueprint.post("/alerts/ways")
@allow(*READERS, scope="own")
def add_way() -> AnyResponse | tuple[str, int]:
    """Add a way, or take a phone's subscription (which comes by script)."""
    kind = request.form.get("kind", "")
    text = request.form.get("target", "")
    if kind not in _ways().kinds(somebody().role == "admin"):
        abort(400)
    try:
        target, name = _ways().target(kind, text)
    except TargetError:
        return _ways_page(_trouble_with(kind), kind, text), 400
    level = request.form.get("level", "warning")
    if level not in ("warning", "alarm"):
        abort(400)
    with transaction() as session:
        mine = session.scalars(select(Way).where(Way.person_id == somebody().id)).all()
        known = next((way for way in mine if (way.kind, way.target) == (kind, target)), None)
        if known is not None:
            known.least_level, known.language = level, language()
        elif len(mine) >= MOST_WAYS:
            return _ways_page(
                _("Đã đủ %(most)s cách nhận tin. Xin bỏ bớt một cách.", most=MOST_WAYS)
            ), 409
        else:
            session.add(
                Way(
                    id=str(uuid.uuid4()),
                    person_id=somebody().id,
                    kind=kind,
                    target=target,
                    name=name or request.user_agent.string[:60],
                    language=language(),
                    least_level=level,
                    created_at=int(time.time()),
                )
            )
    return redirect(url_for("alerts.ways"), 303)


def _trouble_with(kind: str) -> str:
    words = {
        "mail": _("Địa chỉ thư chưa đúng. Ví dụ: ten@example.vn"),
        "sms": _("Số điện thoại chưa đúng. Xin nhập 10 số, ví dụ 0912 345 678."),
        "zalo": _("Số điện thoại chưa đúng. Xin nhập 10 số, ví dụ 0912 345 678."),
        "push": _("Điện thoại này chưa nhận được thông báo. Xin thử bằng trình duyệt khác."),
        "apprise": _("Địa chỉ dịch vụ chưa đúng, hoặc dịch vụ này không được dùng ở đây."),
    }
    return words[kind]


def _own_way() -> Way:
    found = records().get(Way, request.form.get("way", ""))
    if found is None or found.person_id != somebody().id:
        abort(404)
    return found


@blueprint.post("/alerts/ways/remove")
@allow(*READERS, scope="own")
def remove_way() -> AnyResponse:
    """Take a way away."""
    way = _own_way()
    with transaction() as session:
        session.delete(session.get_one(Way, way.id))
    return redirect(url_for("alerts.ways"), 303)


@blueprint.post("/alerts/ways/try")
@allow(*READERS, scope="own")
def try_way() -> AnyResponse | tuple[str, int]:
    """Take the press of "Gửi thử"."""
    way, now = _own_way(), int(time.time())
    with transaction() as session:
        lately = session.scalar(
            select(func.count())
            .select_from(Notice)
            .where(
                Notice.person_id == somebody().id,
                Notice.what == "trial",
                Notice.made_at > now - rules.HOUR,
            )
        )
        if (lately or 0) >= TRIALS_AN_HOUR:
            return _ways_page(
                _(
                    "Đã gửi thử %(most)s lần trong một giờ. Xin chờ rồi thử lại.",
                    most=TRIALS_AN_HOUR,
                )
            ), 429
        session.add(
            Notice(
                id=str(uuid.uuid4()),
                alert=None,
                person_id=somebody().id,
                way=way.id,
                what="trial",
                level="warning",
                title=_("Nông số: tin thử"),
                text=_("Đây là tin gửi thử. Khi nhà màng có việc, tin sẽ đến theo cách này."),
                state="waiting",
                tries=0,
                next_at=now,
                made_at=now,
            )
        )
    return redirect(url_for("alerts.ways"), 303)


# --- limits -----------------------------------------------------------------------------------

SHOWN = (
    *("cold", "frost", "heat", "scorch", "soil_dry", "soil_wet", "co2_low", "co2_high"),
    *("battery_low", "node_silent"),
)
SHARED = ("wind", "gale", "tank_low", "tank_empty", "gateway_silent")


@blueprint.get("/alerts/limits")
@allow(*READERS)
def limits() -> str:
    """Choose the greenhouse or cabinet whose limits are shown."""
    houses, boxes = _places()
    return render_template("alerts/places.html", houses=houses, boxes=boxes)


def _places() -> tuple[list[Greenhouse], list[Gateway]]:
    houses = records().scalars(
        scoped(select(Greenhouse), Greenhouse.cooperative)
        .where(Greenhouse.gateway.is_not(None))
        .order_by(Greenhouse.name)
    )
    boxes = records().scalars(scoped(select(Gateway), Gateway.cooperative).order_by(Gateway.name))
    return list(houses), list(boxes)


@blueprint.get("/alerts/limits/<kind>/<slug>")
@allow(*READERS)
def limits_of(kind: str, slug: str) -> str:
    """The limits that hold at a place."""
    return _limits_page(kind, slug)


def _place(kind: str, slug: str) -> Greenhouse | Gateway:
    found: Greenhouse | Gateway | None = None
    if kind == "greenhouse":
        found = records().get(Greenhouse, slug)
    elif kind == "gateway":
        found = records().get(Gateway, slug)
    if found is None or not owns(found.cooperative):
        abort(404)
    return found


def _limits_page(kind: str, slug: str, trouble: str = "", at: str = "") -> str:
    place = _place(kind, slug)
    plan = plan_of(records().get(AlertPlan, f"{kind}:{slug}"))
    shown = SHOWN if kind == "greenhouse" else SHARED
    return render_template(
        "alerts/limits.html",
        kind=kind,
        slug=slug,
        place=place,
        plan=plan,
        rules=[plan.rules[code] for code in shown],
        defaults=rules.defaults(plan.crop),
        crops=rules.CROPS,
        crop_word=sentences.crop_word,
        rule_word=sentences.rule_word,
        unit=sentences.unit,
        may_plan=somebody().may(*PLANNERS, scope="records"),
        trouble=trouble,
        trouble_at=at,
    )


def _kept_plan(kind: str, slug: str) -> AlertPlan:
    """Return the plan of a place, inside the transaction; make it from the defaults."""
    session = records()
    kept = session.get(AlertPlan, f"{kind}:{slug}", populate_existing=True)
    if kept is None:
        begin, end = rules.NIGHT
        kept = AlertPlan(
            place=f"{kind}:{slug}", crop="general", quiet_from=begin, quiet_until=end, changes={}
        )
        session.add(kept)
    return kept


@blueprint.post("/alerts/limits/<kind>/<slug>")
@allow(*PLANNERS, scope="records")
def set_plan(kind: str, slug: str) -> AnyResponse | tuple[str, int]:
    """Take crop and quiet hours."""
    _place(kind, slug)
    crop = request.form.get("crop", "general")
    hours = [_minutes(request.form.get(name, "")) for name in ("quiet_from", "quiet_until")]
    if crop not in rules.CROPS:
        abort(400)
    if "quiet" in request.form and None in hours:
        return _limits_page(kind, slug, _("Xin nhập giờ như 21:00."), "plan"), 400
    with transaction():
        kept = _kept_plan(kind, slug)
        kept.crop = crop
        quiet = hours if "quiet" in request.form else [None, None]
        kept.quiet_from, kept.quiet_until = quiet
    return redirect(url_for("alerts.limits_of", kind=kind, slug=slug), 303)


@blueprint.post("/alerts/limits/<kind>/<slug>/<code>")
@allow(*PLANNERS, scope="records")
def set_rule(kind: str, slug: str, code: str) -> AnyResponse | tuple[str, int]:
    """Take the limits of one rule, or put them back."""
    _place(kind, slug)
    if code not in (SHOWN if kind == "greenhouse" else SHARED):
        abort(404)
    back = redirect(url_for("alerts.limits_of", kind=kind, slug=slug) + "#" + code, 303)
    if "reset" in request.form:
        with transaction():
            kept = _kept_plan(kind, slug)
            kept.changes = {name: c for name, c in kept.changes.items() if name != code}
        return back
    change: dict[str, object] = {
        "enabled": "enabled" in request.form,
        "urgent": "urgent" in request.form,
    }
    try:
        for name in ("on", "off"):
            if name in request.form:
                change[name] = _limit(request.form[name])
        change["hold_seconds"] = round(
            float(typed_numbers.read(request.form.get("hold", ""))) * 60
        )
        with transaction():
            kept = _kept_plan(kind, slug)
            made = rules.changed(rules.defaults(kept.crop)[code], change)
            default = rules.defaults(kept.crop)[code]
            own = {n: v for n, v in change.items() if getattr(made, n) != getattr(default, n)}
            kept.changes = {**{n: c for n, c in kept.changes.items() if n != code}, code: own}
    except ValueError:
        words = _("Số chưa đúng. Mức báo và mức hết báo phải cách nhau và đúng chiều.")
        return _limits_page(kind, slug, words, code), 400
    return back


def _limit(text: str) -> float:
    """Read a limit; it may be below zero."""
    text = text.strip().replace("\u2212", "-")
    size = float(typed_numbers.read(text.removeprefix("-")))
    return -size if text.startswith("-") else size


def _minutes(text: str) -> int | None:
    """Read a time of day as minutes."""
    hour, colon, minute = text.strip().partition(":")
    if not (colon and hour.isdecimal() and minute.isdecimal() and len(text) <= 5):
        return None
    total = int(hour) * 60 + int(minute)
    return total if int(hour) < 24 and int(minute) < 60 else None
