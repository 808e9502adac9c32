"""The farmer's pages: is my greenhouse all right, and water it.

Every page works without script; ``live.js`` only asks again for what carries ``data-live``. A
button is a form: it is answered by a redirect to the page, which says what has happened.
"""

import datetime
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from flask import (
    Blueprint,
    Flask,
    abort,
    current_app,
    get_template_attribute,
    redirect,
    render_template,
    request,
    url_for,
)
from markupsafe import Markup
from sqlalchemy import select
from werkzeug.wrappers import Response

from nongso.platform import pins, typed_numbers
from nongso.platform.accounts import Link, allow, owns, scoped, somebody, who
from nongso.platform.greenhouse import commands, operations, sentences, wet_test_sentences
from nongso.platform.greenhouse.commands import Wish, WishError
from nongso.platform.greenhouse.condition import (
    LEVELS,
    Condition,
    doubted_zones,
    judge,
    level_word,
    why_no_water,
)
from nongso.platform.greenhouse.curves import charts
from nongso.platform.greenhouse.fragments import Fragments
from nongso.platform.greenhouse.now import HouseNow, gather
from nongso.platform.greenhouse.period import (
    PLANTINGS,
    SEASON,
    Period,
    of_length,
    season,
    waterings,
)
from nongso.platform.greenhouse.records import (
    BY_HAND,
    RECKONED,
    Command,
    Greenhouse,
    Zone,
    greenhouse_of_zone,
)
from nongso.platform.languages import (
    _,
    day_of,
    language,
    later,
)
from nongso.platform.remembered import without_disk
from nongso.platform.storage import StorageError
from nongso.platform.store import can_read, disk_trouble, hurry, kept_records, records
from nongso.platform.telemetry import telemetry
from nongso.platform.typed_numbers import LONGEST, TwoWays, Unreadable
from nongso.platform.voices.pages import hearing

blueprint = Blueprint("greenhouse", __name__)

READERS = ("farmer", "clerk", "helper", "officer", "admin")
WATERERS = ("farmer", "clerk", "admin")
STOPPERS = ("farmer", "clerk", "helper", "admin")
NAVIGATION = (Link("greenhouse.home", later("Nhà màng"), READERS),)
MINUTES = (5, 10, 20)
HAND_MINUTES = (30, 60, 120)
FIRST_YEAR, LAST_YEAR = 1990, 2200  # of the days that can be looked at
CARDS_HERE = "<!-- cards -->"
WISH_HERE = "<!-- wish -->"  # a kept page gets a new wish number each time it goes out


def prepare(app: Flask) -> None:
    """Give the pages their fragment cache and their words."""
    app.extensions["nongso.fragments"] = Fragments(disk_trouble)
    app.jinja_env.filters["names"] = sentences.names_whole
    app.jinja_env.globals.update(
        level_word=level_word,
        metric_word=sentences.metric_word,
        mode_word=sentences.mode_word,
        within=sentences.within,
        limit=sentences.limit,
        stop_here=_stop_here,
    )


def _stop_here() -> Markup:
    """Return the button that stops everything, and what became of the last press of it.

    For pages that say that nothing can be shown: it asks neither for readings nor, if they
    cannot be read, for records.
    """
    asker = who()
    if asker is None or not asker.may(*STOPPERS, scope="stop"):
        return Markup()
    try:
        said = _said(None, int(time.time()))
    except StorageError:
        said = None
    button: Callable[..., str] = get_template_attribute("greenhouse/parts.html", "stop_everything")
    return Markup(button(said, commands.new_id()))


@blueprint.get("/greenhouses")
@allow(*READERS)
def home() -> str:
    """One card a greenhouse, worst first."""
    asker = somebody()
    fragments: Fragments = current_app.extensions["nongso.fragments"]
    now = int(time.time())
    # Ages are written in whole minutes, so a card is right for the second it was made in.
    key = (
        "home",
        None if asker.sees_all else asker.cooperative,
        language(),
        now,
        kept_records().lately(),
        telemetry().lately(),
        asker.may(*WATERERS, scope="water"),
        hearing(),
    )
    cards = fragments.get(key, lambda: _cards(now))
    said, is_empty = _said(None, now), "<article" not in cards  # then there is nothing to stop
    if said is not None:
        return _frame(said, is_empty).replace(CARDS_HERE, cards)
    # What stands around the cards is the same as long as the log-in lasts.
    around = ("frame", asker.via, asker.log_in, asker.user, asker.role, language(), is_empty)
    frame = fragments.get(around, lambda: _frame(None, is_empty))
    return frame.replace(CARDS_HERE, cards).replace(WISH_HERE, commands.new_id())


def _frame(said: tuple[str, str] | None, is_empty: bool) -> str:
    return render_template(
        "greenhouse/home.html",
        cards=CARDS_HERE,
        said=said,
        wish_id=WISH_HERE if said is None else commands.new_id(),
        may_stop=somebody().may(*STOPPERS, scope="stop") and not is_empty,
    )


def _cards(now: int) -> str:
    houses = records().scalars(
        scoped(select(Greenhouse), Greenhouse.cooperative).order_by(Greenhouse.name)
    )
    found = [(house, judge(house)) for house in gather(records(), telemetry(), list(houses), now)]
    found.sort(key=_worst_first)
    today = {house.greenhouse.slug: _today(house, now) for house, _condition in found}
    return render_template(
        "greenhouse/cards.html",
        houses=found,
        today=today,
        dry={
            house.greenhouse.slug
            for house, _condition in found
            if house.zones and len(why_no_water(house)) == len(house.zones)
        },
        now=now,
        may_water=somebody().may(*WATERERS, scope="water"),
        simulated=any(house.is_simulated for house, _condition in found),
    )


def _today(house: HouseNow, now: int) -> Markup:
    """Return today's curve of the soil, the one that says whether to water.

    Drawn once a minute (it shows means of ten minutes), and at once when water starts or stops.
    """
    zones = [z.zone for z in house.zones]
    if house.gateway is None or not zones:
        return Markup()
    slug, day = house.greenhouse.slug, day_of(now)
    period = of_length("1", day, day)
    ran = waterings(records(), [z.id for z in zones], period, now)

    def draw() -> str:
        curve = get_template_attribute("greenhouse/parts.html", "curve")
        drawn = charts(telemetry(), slug, zones, ran, period, now, "soil_moisture", house.names)
        return "".join(curve(chart, _("Hôm nay")) for chart in drawn)

    fragments: Fragments = current_app.extensions["nongso.fragments"]
    key = ("today", slug, language(), now // 60, tuple(ran))
    return Markup(fragments.get(key, draw))


def _worst_first(pair: tuple[HouseNow, Condition]) -> tuple[bool, int, str]:
    house, condition = pair
    past_only = house.gateway is None
    return past_only, LEVELS.index(condition.level), house.greenhouse.name


@blueprint.get("/greenhouses/<slug>")
@allow(*READERS)
def house(slug: str) -> str:
    """A greenhouse: now, its zones, its curves, what ran and why.

    Made once a second for the same eyes; whoever may not see it finds no kept page either.
    """
    if "said" in request.args:
        return _made_page(asked_greenhouse(slug))
    asker = somebody()
    key = (
        "house",
        slug,
        request.args.get("day"),
        request.args.get("days"),
        (asker.via, asker.log_in, asker.user, asker.role),  # the form token, the buttons
        language(),
        int(time.time()),
        kept_records().lately(),
        telemetry().lately(),
        hearing(),
    )
    fragments: Fragments = current_app.extensions["nongso.fragments"]
    made = fragments.get(key, lambda: _made_page(asked_greenhouse(slug), wish_id=WISH_HERE))
    return made.replace(WISH_HERE, commands.new_id())


@dataclass(frozen=True)
class Trouble:
    """Why a press came to nothing, told at its zone; ``typed`` stays in the field of minutes."""

    sentence: str
    zone: str
    typed: str | None = None


def _made_page(greenhouse: Greenhouse, trouble: Trouble | None = None, wish_id: str = "") -> str:
    now = int(time.time())
    (found,) = gather(records(), telemetry(), [greenhouse], now)
    period = _period(found, now)
    zones = [z.zone for z in found.zones]
    ran = waterings(records(), [z.id for z in zones], period, now)
    past = [run for zone in zones for run in operations.history(zone, now - 7 * 86400, now)]
    past.sort(key=lambda run: run["at"], reverse=True)
    series = telemetry().series(greenhouse=greenhouse.slug)
    said = _said(found, now)
    return render_template(
        "greenhouse/house.html",
        house=found,
        condition=judge(found),
        doubted=doubted_zones(found),
        now=now,
        period=period,
        today=day_of(now),
        charts=charts(telemetry(), greenhouse.slug, zones, ran, period, now, names=found.names),
        past=past[:12],
        suspects=[
            (series[number], point)
            for number, point in telemetry().suspects(list(series), period.since, period.until, 12)
        ],
        said=said,
        trouble=trouble,
        may_water=somebody().may(*WATERERS, scope="water") and found.gateway is not None,
        may_stop=somebody().may(*STOPPERS, scope="stop") and found.gateway is not None,
        wish_id=wish_id or commands.new_id(),
        minutes=MINUTES,
        hand_minutes=HAND_MINUTES,
        modes=commands.MODES,
        wet_tests={z.zone.id: wet_test_sentences.zone_sentence(z.zone, now) for z in found.zones},
        reckoned=RECKONED,
        why_not=why_no_water(found),
        unanswered={z.zone.id: wet_test_sentences.unanswered(z.zone, now) for z in found.zones},
        zone_sentences={z.zone.id: operations.zone_sentence(z, found) for z in found.zones},
    )


def asked_greenhouse(slug: str) -> Greenhouse:
    """The greenhouse of an address, if the asker may see it."""
    found = records().get(Greenhouse, slug)
    if found is None or not owns(found.cooperative):
        abort(404)
    return found


def _day(house: HouseNow, now: int) -> datetime.date:
    """Return the wished day; today, or the last measured one where only past readings are."""
    wish = request.args.get("day", "")
    if wish:
        try:
            day = datetime.date.fromisoformat(wish)
        except ValueError:
            abort(404)
        # The days around it are computed too, and nobody measured or will measure out there.
        return day if FIRST_YEAR <= day.year <= LAST_YEAR else abort(404)
    if house.gateway is None and house.newest_at is not None:
        return day_of(house.newest_at)
    return day_of(now)


def _period(house: HouseNow, now: int) -> Period:
    """Return the wished days of the curves: a day where nothing else is wished that is offered."""
    day, choice = _day(house, now), request.args.get("days", "")
    if choice == SEASON:
        plantings = current_app.extensions.get(PLANTINGS, lambda _slug: ())
        return season(plantings(house.greenhouse.slug), day, day_of(now))
    return of_length(choice, day, day_of(now))


def _said(house: HouseNow | None, now: int) -> tuple[str, str] | None:
    """Return level and sentence of the wish that was just pressed; of several, the worst."""
    wishes = request.args.getlist("said")[:20]
    found = [operations.find(wish) for wish in wishes]
    said = [
        operations.answer_sentence(command, house, now)
        for command in found
        if command is not None and owns(command.cooperative)
    ]
    return min(said, key=lambda pair: LEVELS.index(pair[0])) if said else None


@blueprint.post("/greenhouses/<slug>/water")
@allow(*WATERERS, scope="water")
def water(slug: str) -> Response | tuple[str, int]:
    """Take the press of a water button."""
    greenhouse = asked_greenhouse(slug)
    zone = _zone(greenhouse)
    text = request.form.get("minutes", "")
    text = request.form.get("other", "") if text == "other" else text
    sentence, seconds = "", 0
    try:
        seconds = round(typed_numbers.read(text) * 60)
    except TwoWays:
        sentence = _(
            "Chưa rõ %(text)s là bao nhiêu phút. Xin nhập lại, ví dụ 10 hoặc 2,5.",
            text=text.strip(),
        )
    except Unreadable:
        sentence = _("Xin nhập số phút, ví dụ 10 hoặc 2,5.")
    else:
        if seconds < commands.SHORTEST_RUN_SECONDS:
            sentence = _("Xin nhập số phút lớn hơn 0.")
    if sentence:
        return _made_page(greenhouse, Trouble(sentence, zone.id, text[:LONGEST])), 400
    if refused := pins.trouble():
        return _made_page(greenhouse, Trouble(refused, zone.id)), 403
    # Each button is its own wish: the same one twice is one watering, another one is another.
    wish_id = pressed_id(f"{zone.id}:{seconds}")
    expires = int(time.time()) + commands.DEFAULT_EXPIRY_SECONDS
    wish = Wish("water", zone=zone.id, seconds=seconds)
    try:
        operations.give(zone, greenhouse, wish, wish_id, expires)
    except WishError as error:
        names = {zone.id: zone.name}
        reason = sentences.refusal(error.code, error.values, names, time.time())
        typed = text[:LONGEST] if request.form.get("minutes") == "other" else None
        return _made_page(greenhouse, Trouble(reason, zone.id, typed)), 409
    return _back(slug, wish_id)


@blueprint.post("/greenhouses/<slug>/hand")
@allow(*WATERERS, scope="water")
def hand(slug: str) -> Response | tuple[str, int]:
    """Take the word of a person who waters a zone by hand for a while."""
    greenhouse = asked_greenhouse(slug)
    zone = _zone(greenhouse)
    minutes = request.form.get("minutes", "")
    if minutes not in map(str, HAND_MINUTES):
        abort(400)
    if refused := pins.trouble():
        return _made_page(greenhouse, Trouble(refused, zone.id)), 403
    wish_id = pressed_id(f"hand:{zone.id}:{minutes}")
    expires = int(time.time()) + commands.DEFAULT_EXPIRY_SECONDS
    wish = Wish(BY_HAND, zone=zone.id, seconds=int(minutes) * 60)
    try:
        operations.give(zone, greenhouse, wish, wish_id, expires)
    except WishError as error:
        reason = sentences.refusal(error.code, error.values, {}, time.time())
        return _made_page(greenhouse, Trouble(reason, zone.id)), 409
    return _back(slug, wish_id)


@blueprint.post("/greenhouses/stop")
@allow(*STOPPERS, scope="stop")
@without_disk
def stop_everything() -> Response | str:
    """Take the press of "Dừng tất cả" where all greenhouses stand."""
    done = _stop_everything()
    if not can_read():
        return _stopped_blindly(done)
    return redirect(url_for("greenhouse.home", said=[c.id for c in done]), 303)


def _stop_everything() -> list[Command]:
    return operations.stop_everything(uuid.UUID(pressed_id("stop:")))


def _stopped_blindly(done: list[Command]) -> str:
    """Say at once what became of a stop, because no page can be read now."""
    words = [operations.stop_sentence(c, commands.expire(c, int(time.time()))) for c in done]
    nobody = (
        "urgent",
        _("Chưa dừng được: máy chủ đang gặp sự cố. Xin ra đóng van bằng tay."),
    )
    level, sentence = min(words or [nobody], key=lambda pair: LEVELS.index(pair[0]))
    return render_template(
        "error.html",
        title=_("Dừng tất cả"),
        advice=sentence,
        level=level,
        status=200,
    )


@blueprint.post("/greenhouses/<slug>/stop")
@allow(*STOPPERS, scope="stop")
@without_disk
def stop(slug: str) -> Response | str:
    """Take the press of "Dừng tưới" (one zone) or "Dừng tất cả" (everything).

    Where nobody can read which zone it is, everything stops: too much is better than nothing.
    """
    hurry(operations.PATIENCE_SECONDS)
    try:
        greenhouse = asked_greenhouse(slug)
        zone = _zone(greenhouse) if request.form.get("zone") else None
    except StorageError:
        return _stopped_blindly(_stop_everything())
    if zone is not None:
        base = uuid.UUID(pressed_id("stop:" + zone.id))
        done = operations.stop_all([zone.gateway], zone.id, base)
    else:
        done = _stop_everything()
    return _back(slug, *(command.id for command in done))


@blueprint.post("/greenhouses/<slug>/mode")
@allow(*WATERERS, scope="water")
def mode(slug: str) -> Response | tuple[str, int]:
    """Take a new watering mode of a zone."""
    greenhouse = asked_greenhouse(slug)
    zone = _zone(greenhouse)
    wished = request.form.get("mode", "")
    if wished not in commands.MODES:
        abort(400)
    if wished != "off" and (refused := pins.trouble()):
        return _made_page(greenhouse, Trouble(refused, zone.id)), 403
    wish_id = pressed_id(f"{zone.id}:{wished}")
    expires = int(time.time()) + commands.DEFAULT_EXPIRY_SECONDS
    wish = Wish(
        *("mode", zone.id, None, wished, zone.band, zone.schedule, zone.balance),
        unlocks="unlock" in request.form,
    )
    try:
        operations.give(zone, greenhouse, wish, wish_id, expires)
    except WishError as error:
        reason = sentences.refusal(error.code, error.values, {}, time.time())
        return _made_page(greenhouse, Trouble(reason, zone.id)), 409
    return _back(slug, wish_id)


@blueprint.post("/greenhouses/<slug>/resume")
@allow(*WATERERS, scope="water")
def resume(slug: str) -> Response | tuple[str, int]:
    """Let every zone of this greenhouse that rests after a stop water itself again."""
    greenhouse = asked_greenhouse(slug)
    own = select(Zone).where(Zone.greenhouse == slug, Zone.gone.is_(False)).order_by(Zone.coil)
    waiting = [zone for zone in records().scalars(own) if zone.is_resting]
    if waiting and (refused := pins.trouble()):
        return _made_page(greenhouse, Trouble(refused, "")), 403
    given = []
    for zone in waiting:
        wish_id = pressed_id(f"{zone.id}:{zone.mode}")
        expires = int(time.time()) + commands.DEFAULT_EXPIRY_SECONDS
        wish = Wish("mode", zone.id, None, zone.mode, zone.band, zone.schedule, zone.balance)
        try:
            given.append(operations.give(zone, greenhouse, wish, wish_id, expires).id)
        except WishError as error:
            reason = sentences.refusal(error.code, error.values, {}, time.time())
            return _made_page(greenhouse, Trouble(reason, zone.id)), 409
    return _back(slug, *given)


def _back(slug: str, *wishes: str) -> Response:
    return redirect(url_for("greenhouse.house", slug=slug, said=wishes) + "#said", 303)


def _zone(greenhouse: Greenhouse) -> Zone:
    found = greenhouse_of_zone(records(), request.form.get("zone", ""))
    if found is None or found[1].slug != greenhouse.slug:
        abort(404)
    return found[0]


def pressed_id(button: str) -> str:
    """The number of a wish: of the page that it was pressed on, and of the button."""
    try:
        page = uuid.UUID(request.form.get("wish", ""))
    except ValueError:
        abort(400)
    return str(uuid.uuid5(page, button))
