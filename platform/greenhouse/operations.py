"""What people do with their greenhouses: water, stop, choose a mode, look back.

For the pages and for the API alike. Checks of who may come before (``@allow``, ``owns``).
"""

import time
import uuid
from typing import Any

from sqlalchemy import select

from nongso.platform.accounts import somebody
from nongso.platform.greenhouse import commands, sentences
from nongso.platform.greenhouse.commands import Wish
from nongso.platform.greenhouse.records import Command, Gateway, Greenhouse, Run, Zone, runs_of
from nongso.platform.languages import _
from nongso.platform.store import records, transaction


def give(zone: Zone, house: Greenhouse, wish: Wish, id: str, expires: int) -> Command:  # noqa: A002
    """Write a wish for a zone down and wait for the gateway's word. Raises ``WishError``."""
    with transaction() as session:
        if session.get(Command, id) is None and wish.do == "water":
            commands.check_water(zone, house, wish.seconds or 0)
        gateway = session.get_one(Gateway, zone.gateway)
        commands.record(
            session,
            somebody(),
            gateway,
            wish,
            id=id,
            expires_at=expires,
            now=int(time.time()),
        )
    commands.bell().ring()
    return commands.wait_for_answer(records(), [id], commands.ANSWER_SECONDS)[0]


def stop_all(
    gateways: list[str],
    zone: str | None,
    id: uuid.UUID | None = None,  # noqa: A002
    seconds: float = commands.ANSWER_SECONDS,
) -> list[Command]:
    """Give every one of these gateways the order to stop, and wait for their word."""
    now = int(time.time())
    base = id or uuid.uuid4()
    ids = {slug: str(uuid.uuid5(base, slug)) for slug in gateways}
    with transaction() as session:
        for slug, own_id in ids.items():
            commands.record(
                session,
                somebody(),
                session.get_one(Gateway, slug),
                Wish("stop", zone=zone),
                id=own_id,
                expires_at=now + commands.DEFAULT_EXPIRY_SECONDS,
                now=now,
            )
    commands.bell().ring()
    return commands.wait_for_answer(records(), list(ids.values()), seconds)


def history(zone: Zone, since: int, now: int) -> list[dict[str, Any]]:
    """Return runs, and wishes that came to nothing, newest first."""
    names = {zone.id: zone.name}
    made = [_run(run, names) for run in runs_of(records(), [zone.id], since)]
    ran = {run["id"] for run in made}
    wishes = records().scalars(
        select(Command)
        .where(Command.zone == zone.id, Command.do == "water", Command.created_at >= since)
        .order_by(Command.created_at.desc())
        .limit(1000)
    )
    made += [_wish(wish, names, now) for wish in wishes if wish.id not in ran]
    return sorted(made, key=lambda run: run["at"], reverse=True)


def _run(run: Run, names: dict[str, str]) -> dict[str, Any]:
    refused = run.state == "refused"
    return {
        "id": run.id,
        "at": run.started_at,
        "state": run.state,
        "cause": run.cause,
        "by": run.by,
        "code": run.code,
        "values": run.values,
        "detail": sentences.refusal(run.code, run.values, names)
        if refused
        else sentences.end(run.code, _measured(run), names)
        if run.ended_at is not None
        else sentences.start(run.code, run.values, names, run.by),
        "ordered_seconds": run.ordered_seconds,
        "started_at": None if refused else run.started_at,
        "ended_at": run.ended_at,
        "seconds": run.seconds,
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
        "cause": "wished",
        "by": wish.by,
        "code": "expired" if state == "expired" else wish.code,
        "values": wish.values,
        "detail": expired_sentence()
        if state == "expired"
        else sentences.refusal(wish.code, wish.values, names)
        if state == "refused"
        else _("Đã gửi lệnh, chưa có trả lời."),
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
