"""API v1 for people and their programs: greenhouses, readings, watering.

JSON in and out, errors as problem+json with a sentence in the reader's language. What belongs
to another cooperative is not there (404).
"""

import time
import uuid
from typing import Any

import msgspec
from flask import Blueprint, Response, jsonify, request
from sqlalchemy import select

from nongso.platform import query
from nongso.platform.accounts import allow, owns, scoped
from nongso.platform.errors import Problem, unreadable
from nongso.platform.greenhouse import commands, operations, readings, sentences
from nongso.platform.greenhouse.commands import Wish, WishError
from nongso.platform.greenhouse.now import HouseNow, Value, gather
from nongso.platform.greenhouse.records import (
    END_UNKNOWN,
    Command,
    Greenhouse,
    Run,
    Zone,
    greenhouse_of_zone,
)
from nongso.platform.greenhouse.shapes import (
    HouseAnswer,
    HousesAnswer,
    RunsAnswer,
    SeriesAnswer,
    StopAnswer,
    ValueAnswer,
    WaterAnswer,
)
from nongso.platform.languages import _
from nongso.platform.openapi import WholeNumber, operation, whole
from nongso.platform.remembered import without_disk
from nongso.platform.store import can_read, hurry, records
from nongso.platform.telemetry import telemetry
from nongso.wire import marks

blueprint = Blueprint("greenhouse_api", __name__)

MOST_RUNS = 1000
_STOP_STATES = ("refused", "expired", "sent", "queued", "running", "done")  # the worst first

READERS = ("farmer", "clerk", "helper", "officer", "admin")
WATERERS = ("farmer", "clerk", "admin")
STOPPERS = ("farmer", "clerk", "helper", "admin")


class Water(msgspec.Struct, forbid_unknown_fields=True):
    """A wish for water. ``expires`` is a Unix time; five minutes from now if left out."""

    seconds: WholeNumber
    id: uuid.UUID
    expires: float | None = None


class Stop(msgspec.Struct, forbid_unknown_fields=True):
    """Stop one zone, or everything if no zone is named."""

    zone: str | None = None
    id: uuid.UUID | None = None


@blueprint.get("/api/v1/greenhouses")
@allow(*READERS, scope="read")
@operation(answers={200: "greenhouses with zones and latest values"}, answer=HousesAnswer)
def greenhouses() -> Response:
    """List the greenhouses with their zones and newest values."""
    houses = records().scalars(
        scoped(select(Greenhouse), Greenhouse.cooperative).order_by(Greenhouse.name)
    )
    found = gather(records(), telemetry(), list(houses), int(time.time()))
    return jsonify(greenhouses=[_house(house) for house in found])


def _house(now: HouseNow) -> HouseAnswer:
    house = now.greenhouse
    latest = {value.name: value for value in now.shared} | now.best
    return {
        "slug": house.slug,
        "name": house.name,
        "farm": house.farm,
        "area_m2": house.area_m2,
        "simulated": now.is_simulated,
        "zones": [
            {
                "id": z.zone.id,
                "name": z.zone.name,
                "mode": z.zone.mode,
                "state": "running" if z.running else z.zone.state,
                "coil": z.zone.coil,
                "max_run_seconds": z.zone.max_run_seconds,
            }
            for z in now.zones
        ],
        "latest": {name: _value(value) for name, value in sorted(latest.items())},
    }


def _value(value: Value) -> ValueAnswer:
    return {
        "value": value.value,
        "unit": value.metric.unit,
        "at": value.at,
        "quality": marks.quality(value.mark),
        "origin": marks.origin(value.mark),
        "node": value.node,
        "zone": value.zone or None,
    }


@blueprint.get("/api/v1/series")
@allow(*READERS, scope="read")
@operation(
    answers={
        200: "series: one entry a sensor (node, eui64, zone, name, origin, points), and points: "
        "those of all of them in time order; each point is [unix seconds, value, quality]",
        404: "no such greenhouse, zone or node",
    },
    answer=SeriesAnswer,
    query=readings.QUERY,
)
def series() -> Response:
    """Return readings of one metric of a greenhouse; a step without readings has no point."""
    return jsonify(readings.answer(int(time.time())))


@blueprint.post("/api/v1/zones/<zone_id>/water")
@allow(*WATERERS, scope="water")
@operation(
    body=Water,
    answer=WaterAnswer,
    answers={
        202: "running, queued or done; sent, with code unanswered, when the gateway has not "
        "answered within 5 s",
        400: "the wish cannot be read",
        404: "no such zone",
        409: "refused, with the reason's code and a sentence",
    },
)
def water(zone_id: str) -> tuple[Response, int]:
    """Water a zone for some seconds; the same id twice is one watering."""
    zone, house = _zone(zone_id)
    wished = _body(Water)
    now = int(time.time())
    expires = now + commands.DEFAULT_EXPIRY_SECONDS if wished.expires is None else wished.expires
    if not now < expires <= now + commands.LONGEST_EXPIRY_SECONDS:
        raise Problem(
            409,
            "bad_expiry",
            _("expires phải là thời điểm Unix sắp tới, muộn nhất là một giờ nữa."),
        )
    wish = Wish("water", zone=zone.id, seconds=int(wished.seconds))
    try:
        command = operations.give(zone, house, wish, str(wished.id), int(expires))
    except WishError as error:
        raise _refused(error.code, error.values, {zone.id: zone.name}) from error
    return _answer(command, zone, now)


def _answer(command: Command, zone: Zone, now: int) -> tuple[Response, int]:
    state = commands.expire(command, now)
    if state in ("refused", "expired"):
        if state == "expired":
            raise Problem(
                409, "expired", operations.expired_sentence(), id=command.id, state=state
            )
        raise _refused(
            command.code, command.values, {zone.id: zone.name}, id=command.id, state=state
        )
    code, detail = command.code, operations.answer_sentence(command, None, now)[1]
    if state == "sent":
        code = "unanswered"
    elif state == "running":
        run = records().get(Run, command.id)
        if run is not None and run.is_end_unknown(now):
            state, code = "done", END_UNKNOWN
        elif run is None or run.ended_at is None:
            detail = operations.begun_sentence(zone.name, command.seconds or 0)
    body: WaterAnswer = {
        "id": command.id,
        "zone": zone.id,
        "state": state,
        "seconds": command.seconds,
        "expires": command.expires_at,
        "code": code,
        "values": command.values,
        "detail": detail,
    }
    return jsonify(body), 202


def _refused(
    code: str | None, values: dict[str, Any], names: dict[str, str], **more: Any
) -> Problem:
    detail = sentences.refusal(code, values, names, time.time())
    return Problem(409, code or "refused", detail, values=values, **more)


@blueprint.get("/api/v1/zones/<zone_id>/runs")
@allow(*READERS, scope="read")
@operation(
    answers={200: "runs and refusals, newest first", 404: "no such zone"},
    answer=RunsAnswer,
    query={
        "since": whole("Unix seconds, 30 days ago if left out"),
        "until": whole("Unix seconds: only what began before"),
        "limit": whole("how many, 200 if left out", 1, MOST_RUNS),
    },
)
def runs(zone_id: str) -> Response:
    """List what ran, when, why, how long and how much; and what was refused and why."""
    zone, _house_of_it = _zone(zone_id)
    now = int(time.time())
    limit = query.whole("limit", 200, 1, MOST_RUNS)
    since = query.whole("since", now - 30 * 86400)
    until = query.whole("until", now + 3600)
    found = [run for run in operations.history(zone, since, now) if run["at"] < until]
    following = found[limit - 1]["at"] if len(found) > limit else None
    return jsonify(runs=found[:limit], next=following)


@blueprint.post("/api/v1/stop")
@allow(*STOPPERS, scope="stop")
@without_disk
@operation(
    body=Stop,
    body_needed=False,
    answer=StopAnswer,
    answers={
        202: "done; or sent, with code unanswered, where a gateway has not answered within 5 s",
        404: "no such zone",
        409: "a gateway could not close its valves or never answered: code, sentence, commands",
    },
)
def stop() -> tuple[Response, int]:
    """Close every valve, or those of one zone."""
    wished = _body(Stop, Stop())
    hurry(operations.PATIENCE_SECONDS)
    if wished.zone is not None and can_read():  # else everything: better than nothing
        zone, _house_of_it = _zone(wished.zone)
        done = operations.stop_all([zone.gateway], zone.id, wished.id)
    else:
        done = operations.stop_everything(wished.id)
    return _stopped(done, int(time.time()))


def _stopped(done: list[Command], now: int) -> tuple[Response, int]:
    """Say what became of a stop at all gateways; the worst of them speaks for all."""
    answers = []
    for command in done:
        state = commands.expire(command, now)
        code = {"sent": "unanswered", "expired": "expired"}.get(state, command.code)
        answers.append(
            {
                "id": command.id,
                "gateway": command.gateway,
                "state": state,
                "code": code,
                "values": command.values,
                "detail": operations.stop_sentence(command, state)[1],
            }
        )
    if not answers:
        nothing = _("Chưa có tủ điều khiển nào, nên không có gì để dừng.")
        return jsonify(state="done", code=None, detail=nothing, commands=[]), 202
    worst = min(answers, key=lambda a: _STOP_STATES.index(a["state"]))
    if worst["state"] in ("refused", "expired"):
        raise Problem(
            409,
            str(worst["code"] or "refused"),
            str(worst["detail"]),
            state=worst["state"],
            commands=answers,
        )
    return jsonify(**{k: worst[k] for k in ("state", "code", "detail")}, commands=answers), 202


def _zone(zone_id: str) -> tuple[Zone, Greenhouse]:
    found = greenhouse_of_zone(records(), zone_id)
    if found is None or not owns(found[1].cooperative):
        raise Problem(404, "zone_unknown", _("Không có khu tưới này."))
    return found


def _body(kind: type[Any], otherwise: Any = None) -> Any:
    raw = request.get_data()
    if not raw and otherwise is not None:
        return otherwise
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise unreadable(error) from error
