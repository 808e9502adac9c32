"""The guided wet test ("thử nước") of a zone, on the phone of somebody who stands at its valve.

The gateway opens the valve, measures and decides; here is where to stand, what it has measured,
and what was to be seen. The page shows the zone's test as the gateway told it last, so two phones
show the same, and whichever answers first has answered.
"""

import time
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from nongso.platform import pins
from nongso.platform.accounts import allow, owns, somebody
from nongso.platform.greenhouse import commands, operations, sentences
from nongso.platform.greenhouse.commands import Wish, WishError
from nongso.platform.greenhouse.pages import STOPPERS, WATERERS, asked_greenhouse, pressed_id
from nongso.platform.greenhouse.records import (
    WET_TEST,
    WET_TEST_SEEN,
    Command,
    Greenhouse,
    Zone,
    greenhouse_of_zone,
)
from nongso.platform.greenhouse.wet_test_sentences import (
    armed_sentence,
    flow_sentence,
    measured,
    usual_sentence,
    was_halted,
    why_sentence,
)
from nongso.platform.languages import _, duration, moment
from nongso.platform.store import records
from nongso.wire.reasons import SAW, SAW_WELL

blueprint = Blueprint("wet_test", __name__)

SECONDS = 60  # long enough for a steady flow, too short to flood a bed
Test = dict[str, Any]


@blueprint.get("/greenhouses/<slug>/wet-test")
@allow(*WATERERS, scope="water")
def page(slug: str) -> str:
    """Show the step that this zone's test has come to."""
    return _page(*_asked(slug))


@blueprint.post("/greenhouses/<slug>/wet-test")
@allow(*WATERERS, scope="water")
def begin(slug: str) -> Response | tuple[str, int]:
    """Open the zone for a moment: the test begins."""
    greenhouse, zone = _asked(slug)
    wish = Wish(WET_TEST, zone.id, min(SECONDS, zone.max_run_seconds))
    return _give(greenhouse, zone, wish, f"{WET_TEST}:{zone.id}", asks_pin=True)


@blueprint.post("/greenhouses/<slug>/wet-test/seen")
@allow(*WATERERS, scope="water")
def seen(slug: str) -> Response | tuple[str, int]:
    """Take what the person at the valve has seen."""
    greenhouse, zone = _asked(slug)
    saw, run = request.form.get("saw", ""), request.form.get("test", "")
    if saw not in SAW or not 1 <= len(run) <= 100:
        abort(400)
    wish = Wish(WET_TEST_SEEN, zone.id, test={"run": run, "saw": saw})
    return _give(greenhouse, zone, wish, f"{run}:{saw}", asks_pin=saw in SAW_WELL)


def _give(
    greenhouse: Greenhouse, zone: Zone, wish: Wish, button: str, asks_pin: bool
) -> Response | tuple[str, int]:
    if asks_pin and (refused := pins.trouble()):
        return _page(greenhouse, zone, refused), 403
    wish_id = pressed_id(button)
    expires = int(time.time()) + commands.DEFAULT_EXPIRY_SECONDS
    try:
        operations.give(zone, greenhouse, wish, wish_id, expires)
    except WishError as error:
        reason = sentences.refusal(error.code, error.values, {}, time.time())
        return _page(greenhouse, zone, reason), 409
    address = url_for(".page", slug=greenhouse.slug, zone=zone.id, said=wish_id)
    return redirect(address + "#said", 303)


def _asked(slug: str) -> tuple[Greenhouse, Zone]:
    greenhouse = asked_greenhouse(slug)
    found = greenhouse_of_zone(records(), request.values.get("zone", ""))
    if found is None or found[1].slug != greenhouse.slug or found[0].wet_test is None:
        abort(404)
    return greenhouse, found[0]


def _page(greenhouse: Greenhouse, zone: Zone, trouble: str = "") -> str:
    now = int(time.time())
    names = {zone.id: zone.name}
    wet = zone.wet_test or {}
    last = wet.get("last")
    state = last["state"] if last is not None else ""
    return render_template(
        "greenhouse/wet_test.html",
        greenhouse=greenhouse,
        zone=zone,
        last=last,
        state=state,
        said=trouble or _said(zone, names, now),
        armed=armed_sentence(zone, now),
        why=why_sentence(zone, now) if state in ("failed", "broken_off") else "",
        was_halted=was_halted(last),
        usual=usual_sentence,
        strange_flow=flow_sentence(last),
        measured=measured(last, bool(wet["has_meter"])) if last and state == "asked" else [],
        begun=_begun(zone, last, now) if last and state == "open" else "",
        seconds=duration(min(SECONDS, zone.max_run_seconds)),
        may_stop=somebody().may(*STOPPERS, scope="stop"),
        wish_id=commands.new_id(),
        now=now,
    )


def _said(zone: Zone, names: dict[str, str], now: int) -> str:
    """Why the last press came to nothing, or that nobody knows yet; else the test itself says."""
    found = records().get(Command, request.args.get("said", ""))
    if found is None or not owns(found.cooperative) or found.zone != zone.id:
        return ""
    state = commands.expire(found, now)
    if state == "refused":
        names |= {str(found.values.get("zone")): _zone_name(found.values.get("zone"))}
        return sentences.refusal(found.code, found.values, names, now)
    if found.code == "failed_not_closed":
        return sentences.outcome(found.code, found.values, names, now)
    if state in ("sent", "expired"):
        return operations.answer_sentence(found, None, now)[1]
    return ""


def _zone_name(zone_id: object) -> str:
    """The name of another zone, which may stand in another greenhouse of the same cooperative."""
    found = greenhouse_of_zone(records(), str(zone_id))
    if found is None or not owns(found[1].cooperative):
        return str(zone_id)
    return f"{found[0].name} ({found[1].name})"


def _begun(zone: Zone, test: Test, now: int) -> str:
    ends = moment(test["at"] + min(SECONDS, zone.max_run_seconds), now)
    return _("Van đang mở. Nước sẽ tự tắt lúc %(ends)s.", ends=ends)
