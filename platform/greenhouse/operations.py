"""What people do with their greenhouses: water, stop, choose a mode, look back.

For the pages and for the API alike. Checks of who may come before (``@allow``, ``owns``).
"""

import logging
import time
import uuid
from typing import Any

from flask import request
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from nongso.platform.accounts import scoped, somebody
from nongso.platform.audit import near
from nongso.platform.greenhouse import commands, resting, sentences
from nongso.platform.greenhouse.commands import Wish, WishError
from nongso.platform.greenhouse.condition import by_hand_sentence, running_sentence
from nongso.platform.greenhouse.now import HouseNow, ZoneNow, may_have_probe
from nongso.platform.greenhouse.records import (
    AUTOMATIC,
    BY_HAND,
    END_UNKNOWN,
    WET_TEST,
    WET_TEST_SEEN,
    Command,
    Gateway,
    Greenhouse,
    Run,
    Zone,
    runs_of,
    was_stopped,
)
from nongso.platform.greenhouse.unwritten import unwritten
from nongso.platform.languages import _, duration, moment
from nongso.platform.storage import StorageError
from nongso.platform.store import can_read, hurry, records, transaction
from nongso.platform.telemetry import telemetry

log = logging.getLogger(__name__)

FAILED_TESTS = ("test_failed", "failed_not_closed")
PATIENCE_SECONDS = 1.0  # that a stop has with the disk and with other writers


def give(zone: Zone, house: Greenhouse, wish: Wish, id: str, expires: int) -> Command:  # noqa: A002
    """Write a wish for a zone down and wait for the gateway's word. Raises ``WishError``."""
    now = int(time.time())
    with transaction() as session:
        written = unwritten().write_down(session, now)  # an earlier stop is numbered before this
        gateway = session.get_one(Gateway, zone.gateway)
        is_new = session.get(Command, id) is None
        if is_new and wish.do in ("water", WET_TEST):
            commands.check_water(zone, house, gateway, wish.seconds or 0, now)
        if is_new and wish.do == "mode" and zone.state == "locked" and not wish.unlocks:
            # For the gateway each new mode takes the lock off: only the button that says so may.
            raise WishError("unlock_first")
        stays = (wish.mode, wish.band) == (zone.mode, zone.band)  # it is unlocked, or goes on
        if is_new and wish.do == "mode" and wish.mode == "band" and not stays:
            _check_probe(session, zone)
        if wish.do in (BY_HAND, WET_TEST_SEEN):
            commands.check_there(house, gateway, now)
        commands.record(
            session,
            somebody(),
            gateway,
            wish,
            id=id,
            expires_at=expires,
            now=now,
        )
    unwritten().forget(written)
    commands.bell().ring()
    return commands.wait_for_answer(records(), [id], commands.ANSWER_SECONDS)[0]


def _check_probe(session: Session, zone: Zone) -> None:
    """Refuse watering by what no station measures: never, or always blindly."""
    if not may_have_probe(session, telemetry(), zone):
        raise WishError("no_soil_probe")


def stop_everything(id: uuid.UUID | None = None) -> list[Command]:  # noqa: A002
    """Stop all water that the asker may stop; even if nothing can be read or written."""
    hurry(PATIENCE_SECONDS)
    try:
        wanted = scoped(select(Gateway.slug), Gateway.cooperative)
        gateways = list(records().scalars(wanted))
    except StorageError as error:
        log.error("stopping by what is remembered: %s", error)
        asker = somebody()
        gateways = unwritten().gateways(None if asker.sees_all else asker.cooperative)
    return stop_all(gateways, None, id)


def stop_all(
    gateways: list[str],
    zone: str | None,
    id: uuid.UUID | None = None,  # noqa: A002
    seconds: float | None = None,
) -> list[Command]:
    """Give every one of these gateways the order to stop, and wait for their word.

    Earlier wishes for water that no gateway has answered are taken back, so that none of them
    runs after the stop. A stop that cannot be written down is handed to the gateways all the same.
    """
    now = int(time.time())
    seconds = commands.ANSWER_SECONDS if seconds is None else seconds
    base = id or uuid.uuid4()
    # One zone and everything are two orders, also under one number: a stop is never refused.
    ids = {slug: str(uuid.uuid5(base, f"{slug}/{zone or ''}")) for slug in gateways}
    try:
        _write_stops(ids, zone, now)
    except (StorageError, SQLAlchemyError) as error:  # whatever it is, the water stops
        log.error("a stop is handed over without being written: %s", error)
        return _stop_unwritten(ids, zone, now, seconds)
    commands.bell().ring()
    return commands.wait_for_answer(
        records(), list(ids.values()), seconds, commands.bell().stops, unwritten().as_told
    )


def _write_stops(ids: dict[str, str], zone: str | None, now: int) -> None:
    with transaction(PATIENCE_SECONDS) as session:
        written = unwritten().write_down(session, now)
        for slug, own_id in ids.items():
            if session.get(Command, own_id) is None:  # the same stop again takes nothing back
                commands.drop_unanswered(session, slug, zone, now)
            commands.record(
                session,
                somebody(),
                session.get_one(Gateway, slug),
                Wish("stop", zone=zone),
                id=own_id,
                expires_at=now + commands.DEFAULT_EXPIRY_SECONDS,
                now=now,
            )
    unwritten().forget(written)


def _stop_unwritten(
    ids: dict[str, str], zone: str | None, now: int, seconds: float
) -> list[Command]:
    asker = somebody()
    made = []
    for slug, own_id in ids.items():
        known = unwritten().known(slug)
        stop = Command(
            id=own_id,
            gateway=slug,
            number=_last_number(slug, now),
            cooperative=known.cooperative if known is not None else asker.cooperative,
            do="stop",
            zone=zone,
            by=asker.name,
            person_id=asker.id,
            created_at=now,
            expires_at=now + commands.DEFAULT_EXPIRY_SECONDS,
            state="sent",
            values={},
        )
        made.append(unwritten().keep(stop, asker, near(request.remote_addr or "")))
    bell = commands.bell()
    bell.ring()

    def answered() -> bool | None:
        return True if all(stop.state != "sent" for stop in made) else None

    bell.wait_for(answered, seconds, bell.stops)
    return made


def _last_number(gateway: str, now: int) -> int:
    """Return a number above all that the gateway was given, as far as they can be read."""
    try:
        last = records().scalar(select(func.max(Command.number)).where(Command.gateway == gateway))
    except StorageError:
        return now * 1000 + 999  # above all wishes of this second
    return max((last or 0) + 1, now * 1000)


def find(id: str) -> Command | None:  # noqa: A002
    """Return a wish, written or not."""
    found = unwritten().find(id)
    if found is None:
        written = records().get(Command, id)
        found = None if written is None else unwritten().as_told(written)
    return found


def history(zone: Zone, since: int, now: int) -> list[dict[str, Any]]:
    """Return runs, and wishes that came to nothing, newest first."""
    names = {zone.id: zone.name}
    made = [_run(run, names, now) for run in runs_of(records(), [zone.id], since)]
    ran = {run["id"] for run in made}
    wishes = records().scalars(
        select(Command)
        .where(Command.zone == zone.id, Command.do.in_(("water", WET_TEST)))
        .where(Command.created_at >= since)
        .order_by(Command.number.desc())
        .limit(1000)
    )
    made += [_wish(wish, names, now) for wish in wishes if wish.id not in ran]
    return sorted(made, key=lambda run: run["at"], reverse=True)


def _run(run: Run, names: dict[str, str], now: int) -> dict[str, Any]:
    refused = run.state == "refused"
    is_lost = not refused and run.is_end_unknown(now)
    code = END_UNKNOWN if is_lost else run.code
    return {
        "id": run.id,
        "at": run.started_at,
        "state": "done" if is_lost else run.state,
        "zone": run.zone,
        "cause": run.cause,
        "by": run.by,
        "code": code,
        "values": {} if is_lost else run.values,
        "detail": sentences.refusal(run.code, run.values, names)
        if refused
        else sentences.end(code, _measured(run), names)
        if is_lost or run.ended_at is not None
        else "",
        "why": ""
        if refused
        else sentences.start(run.start_code, run.start_values, names, run.cause, run.by),
        "ordered_seconds": run.ordered_seconds,
        "started_at": None if refused else run.started_at,
        "ended_at": None if is_lost else run.ended_at,
        "seconds": None if is_lost else run.seconds,
        "litres": run.litres,
    }


def _measured(run: Run) -> dict[str, Any]:
    return {"seconds": run.seconds, "litres": run.litres, **run.values}


def _wish(wish: Command, names: dict[str, str], now: int) -> dict[str, Any]:
    state = commands.expire(wish, now)
    return {
        "id": wish.id,
        "at": wish.created_at,
        "state": state,
        "zone": wish.zone,
        "cause": "wished",
        "by": wish.by,
        "code": "expired" if state == "expired" else wish.code,
        "values": wish.values,
        "detail": expired_sentence()
        if state == "expired"
        else sentences.refusal(wish.code, wish.values, names)
        if state == "refused"
        else _("Đã gửi lệnh, chưa có trả lời."),
        "why": "",
        "ordered_seconds": wish.seconds,
        "started_at": None,
        "ended_at": None,
        "seconds": 0,
        "litres": 0.0,
    }


def expired_sentence() -> str:
    """Say that the gateway never answered."""
    return _(
        "Tủ điều khiển không trả lời nên lệnh đã hết hạn, nước không chảy. "
        "Nếu vẫn cần tưới, xin bấm lại."
    )


def answer_sentence(command: Command, house: HouseNow | None, now: int) -> tuple[str, str]:
    """Say, with its level, what became of a wish that was just made, in a house or in all."""
    zones = house.zones if house is not None else []
    names = house.names if house is not None else {}
    zone = next((z for z in zones if z.zone.id == command.zone), None)
    state = commands.expire(command, now)
    if command.do == "stop":
        return stop_sentence(command, state)
    if state == "expired":
        return "attention", expired_sentence()
    if state == "sent" and command.do in ("water", WET_TEST):
        return "attention", _(
            "Đã gửi lệnh, tủ điều khiển chưa trả lời. Từ giờ đến %(at)s nước vẫn có thể tự chảy, "
            "sau đó lệnh hết hạn. Không cần tưới nữa thì bấm Dừng tất cả.",
            at=moment(command.expires_at, now),
        )
    if state == "sent":
        return "attention", _(
            "Đã gửi lệnh, tủ điều khiển chưa trả lời. Lệnh này tự hết hạn lúc %(at)s.",
            at=moment(command.expires_at, now),
        )
    if state == "refused":
        return "attention", sentences.refusal(command.code, command.values, names, now)
    if command.do == "mode":
        return "good", sentences.outcome(command.code, command.values, names, now)
    if state == "queued":
        waits = sentences.waiting(command.code, command.values, names, now)
        return "good", waits or _("Đã nhận lệnh. Khu này sẽ tưới khi đến lượt.")
    if zone is not None and zone.running is not None and zone.running.id == command.id:
        return "good", running_sentence(zone, now)
    run = records().get(Run, command.id)
    if run is not None and run.ended_at is None and was_stopped(records(), run):
        return "good", sentences.end("stopped", {}, names)
    if run is not None and run.is_end_unknown(now):
        return "attention", sentences.end(END_UNKNOWN, {}, names)
    if state == "running" and command.do == BY_HAND and (run is None or run.ended_at is None):
        ends = moment(command.created_at + (command.seconds or 0), now)
        return "good", by_hand_sentence(
            sentences.within(zone.zone.name if zone else command.zone or ""), ends
        )
    if state == "running" and (run is None or run.ended_at is None):
        return "good", begun_sentence(zone.zone.name if zone else "", command.seconds or 0)
    if run is not None and run.ended_at is not None:
        return sentences.end_level(run.code), sentences.end(run.code, _measured(run), names)
    if command.do in ("water", BY_HAND, WET_TEST):  # its run is not told yet, its outcome is
        measured = {"litres": None} | command.values
        return sentences.end_level(command.code), sentences.end(command.code, measured, names)
    level = "attention" if command.code in FAILED_TESTS else "good"
    return level, sentences.outcome(command.code, command.values, names, now)


def begun_sentence(zone_name: str, seconds: int) -> str:
    """Say that water has begun to run in a zone."""
    return _(
        "Đang tưới %(zone)s. Nước sẽ tự tắt sau %(time)s.",
        zone=sentences.within(zone_name),
        time=duration(seconds),
    )


def stop_sentence(command: Command, state: str) -> tuple[str, str]:
    """Say, with its level, what became of an order to stop."""
    if state != "done":
        return "urgent", _not_stopped(command, state)
    if can_read() and _flows_by_hand(command):
        return "attention", _(
            "Đã dừng. Các van do máy mở đã tắt. Chỗ đang tưới bằng tay thì nước vẫn chảy; "
            "xin ra khóa vòi, hoặc gạt công tắc ở tủ điều khiển về tự động."
        )
    # The relays were read back as off; whether a valve has closed nobody has measured.
    said = (
        _("Đã dừng. Bơm và các van đã tắt. Thấy nước còn chảy thì xin ra khóa van bằng tay.")
        if command.zone is None
        else _("Đã dừng. Van của khu này đã tắt. Thấy nước còn chảy thì xin ra khóa van bằng tay.")
    )
    if not can_read():
        return "good", said
    automatic = select(Zone.id).where(
        Zone.gateway == command.gateway, Zone.gone.is_(False), Zone.mode.in_(AUTOMATIC)
    )
    if command.zone is not None:
        automatic = automatic.where(Zone.id == command.zone)
    rests = records().scalar(automatic.limit(1)) is not None
    stopped = houses_stopped(command)
    if len(stopped) > 1:
        said = _(
            "Đã dừng ở %(houses)s. Bơm và các van đã tắt. "
            "Thấy nước còn chảy thì xin ra khóa van bằng tay.",
            houses=", ".join(stopped),
        )
    if not rests:
        return "good", said
    if len(stopped) > 1:
        return "good", said + " " + _(
            "Khu tự tưới ở các nhà màng này đang tạm nghỉ; muốn bật lại, vào từng nhà màng bấm "
            "Cho nhà màng này tự tưới lại."
        )
    return "good", said + " " + _(
        "Khu tự tưới đang tạm nghỉ; muốn tưới tiếp, xin bấm Cho tự tưới lại ở khu đó."
    )


def _not_stopped(stop: Command, state: str) -> str:
    """Say that water may still run; where it is not the only cabinet, in which greenhouses."""
    others = select(Gateway.slug).where(
        Gateway.cooperative == stop.cooperative, Gateway.slug != stop.gateway
    )
    is_one_of_many = can_read() and records().scalar(others.limit(1)) is not None
    houses = ", ".join(houses_stopped(stop)) if is_one_of_many else ""
    if houses:
        return _(
            "Chưa dừng được ở %(houses)s: tủ điều khiển không trả lời, hoặc không điều khiển được "
            "van. Xin ra đóng van bằng tay.",
            houses=houses,
        )
    if state == "sent":
        return _("Chưa dừng được: tủ điều khiển chưa trả lời. Xin ra đóng van bằng tay.")
    if state == "expired":
        return _("Không dừng được: tủ điều khiển không trả lời. Xin ra xem, đóng van bằng tay.")
    return _("Chưa dừng được: tủ điều khiển không điều khiển được van. Xin ra đóng van bằng tay.")


def houses_stopped(stop: Command) -> list[str]:
    """The names of the greenhouses whose water this stop has stopped; none of a zone's stop."""
    if stop.zone is not None:
        return []
    wanted = select(Greenhouse.name).where(Greenhouse.gateway == stop.gateway)
    return list(records().scalars(wanted.order_by(Greenhouse.name)))


def _flows_by_hand(stop: Command) -> bool:
    """Whether a person waters where this stop cannot reach.

    A stop of everything takes no hose out of a hand; a switch at the cabinet is ended by none.
    """
    hands = select(Run.id).where(
        Run.gateway == stop.gateway,
        Run.cause == BY_HAND,
        Run.ended_at.is_(None),
        Run.started_at + Run.ordered_seconds >= stop.created_at,
    )
    if stop.zone is not None:
        hands = hands.where(Run.zone == stop.zone, Run.by.is_(None))
    return records().scalar(hands.limit(1)) is not None


def zone_sentence(zone: ZoneNow, house: HouseNow) -> str:
    """Say the one thing about a zone that matters most now."""
    if zone.running is not None:
        return running_sentence(zone, house.at)
    if zone.zone.state == "queued":
        waits = sentences.waiting(zone.zone.code, zone.zone.values, house.names, house.at)
        return waits or _("Khu này sẽ tưới khi đến lượt.")
    if zone.zone.state == "locked":
        return sentences.refusal(zone.zone.code or "zone_locked", zone.zone.values, house.names)
    if not zone.zone.is_armed:
        return ""  # said with its button, by the page
    if zone.zone.mode == "off":
        return _("Khu này đang tắt, không tưới.")
    if zone.zone.mode == "manual" and zone.zone.code != "by_hand_until":
        return _("Khu này chỉ tưới khi có người bấm.")
    if zone.zone.is_resting:
        return resting.zone_sentence(zone.stop, house.at)
    if zone.zone.code is None:
        return _("Đang chờ tủ điều khiển báo khu này sẽ tưới thế nào.")
    return sentences.waiting(zone.zone.code, _by_now(zone.zone, house.at), house.names, house.at)


def _by_now(zone: Zone, now: int) -> dict[str, Any]:
    """The values of a zone's reason, with the time that has passed since the gateway told them."""
    left = zone.values.get("seconds_left")
    if not isinstance(left, (int, float)):
        return zone.values
    return zone.values | {"seconds_left": max(0, left - max(0, now - zone.state_at))}
