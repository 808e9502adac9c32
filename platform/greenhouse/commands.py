"""The wishes of people for their gateways: water a zone, stop, change a mode.

A wish is written down with its author, its number and the moment it expires, and is offered to
the gateway on its long poll until its outcome arrived or it expired. It is signed when it is
handed out, bound to that one poll. The same id is one wish, however often it is sent; the number
tells the gateway whether a stop came after it.
"""

import hmac
import json
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Any

from flask import current_app
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from nongso.platform import audit
from nongso.platform.accounts import Identity
from nongso.platform.greenhouse.bell import Bell
from nongso.platform.greenhouse.records import (
    AUTOMATIC,
    WET_TEST,
    Command,
    Gateway,
    Greenhouse,
    Zone,
)

DEFAULT_EXPIRY_SECONDS = 300
LONGEST_EXPIRY_SECONDS = 3600
ANSWER_SECONDS = 5.0  # how long a phone waits for the gateway's word
SHORTEST_RUN_SECONDS = 1
OFFER_AGAIN_SECONDS = 3.0  # an unanswered command is not handed out twice in a row

WHAT = ("do", "zone", "seconds", "mode", "station", "test")  # what one id stands for
MODES = ("off", "manual", "band", "schedule", "balance", "advice")
OPEN_STATES = ("sent", "queued", "running")
FINAL_STATES = ("done", "refused", "expired")
_RANK = {"sent": 0, "queued": 1, "running": 2, "expired": 3, "refused": 4, "done": 5}


class WishError(Exception):
    """The wish cannot be taken. ``code`` is a reason code or one of our own."""

    def __init__(self, code: str, values: dict[str, Any] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.values = values or {}


@dataclass(frozen=True)
class Wish:
    """What a person asks for. ``zone`` is ``None`` for stopping everything of a gateway.

    ``station`` says what is to be done to which station, where it is about one; ``test`` what
    somebody has seen of which wet test. ``unlocks``: a mode is set by the button that takes a
    lock off, by somebody who has looked at the zone.
    """

    do: str
    zone: str | None = None
    seconds: int | None = None
    mode: str | None = None
    band: dict[str, Any] | None = None
    schedule: dict[str, Any] | None = None
    balance: dict[str, Any] | None = None
    station: dict[str, Any] | None = None
    test: dict[str, Any] | None = None
    unlocks: bool = False


def bell() -> Bell:
    """Return the server's bell."""
    found: Bell = current_app.extensions["nongso.bell"]
    return found


def record(
    session: Session,
    asker: Identity,
    gateway: Gateway,
    wish: Wish,
    *,
    id: str,  # noqa: A002
    expires_at: int,
    now: int,
) -> Command:
    """Write the wish down, once. Raises ``WishError('id_used')`` for another wish's id."""
    there = session.get(Command, id)
    if there is not None:
        same = (there.gateway, *(getattr(there, name) for name in WHAT))
        if same != (gateway.slug, *(getattr(wish, name) for name in WHAT)):
            raise WishError("id_used")
        return there
    command = Command(
        id=id,
        gateway=gateway.slug,
        number=_next_number(session, gateway.slug, now),
        cooperative=gateway.cooperative,
        do=wish.do,
        zone=wish.zone,
        seconds=wish.seconds,
        mode=wish.mode,
        band=wish.band,
        schedule=wish.schedule,
        balance=wish.balance,
        station=wish.station,
        test=wish.test,
        by=asker.name,
        person_id=asker.id,
        created_at=now,
        expires_at=expires_at,
        state="sent",
        values={},
    )
    session.add(command)
    session.flush()
    audit.note(
        session,
        wish.do,
        person=asker.id,
        helper=asker.helper,
        cooperative=gateway.cooperative,
        subject=(wish.station or {}).get("node") or wish.zone or gateway.slug,
        via=asker.via,
        **({"seconds": wish.seconds} if wish.seconds is not None else {}),
        **({"mode": wish.mode} if wish.mode is not None else {}),
        **({"saw": wish.test["saw"]} if wish.test is not None else {}),
    )
    return command


def _next_number(session: Session, gateway: str, now: int) -> int:
    """Return a number above all that the gateway was ever given.

    It follows the clock as long as that goes forward, so that it also grows when older records
    are put back from a backup: the gateway remembers the number of its last stop. Asked inside
    the transaction that writes the wish, so that two wishes never get the same.
    """
    last = session.scalar(select(func.max(Command.number)).where(Command.gateway == gateway))
    return max((last or 0) + 1, now * 1000)


def check_water(
    zone: Zone, greenhouse: Greenhouse, gateway: Gateway, seconds: int, now: int
) -> None:
    """Refuse what the gateway would surely refuse, without asking it.

    A gateway that is away gets no wishes for water: it would start when nobody expects it.
    """
    check_there(greenhouse, gateway, now)
    if not SHORTEST_RUN_SECONDS <= seconds <= zone.max_run_seconds:
        raise WishError(
            "seconds_out_of_range", {"seconds": seconds, "max_seconds": zone.max_run_seconds}
        )


def check_there(greenhouse: Greenhouse, gateway: Gateway, now: int) -> None:
    """Refuse what only a gateway can do that can be heard now. Raises ``WishError``."""
    if greenhouse.gateway is None:
        raise WishError("zone_unknown")
    if gateway.is_away(now):
        raise WishError("gateway_away", {"since": gateway.seen_at or gateway.registered_at})


def drop_unanswered(session: Session, gateway: str, zone: str | None, now: int) -> None:
    """Take back, because somebody stops, the earlier wishes that could still bring water."""
    brings_water = Command.do.in_(("water", WET_TEST)) | (
        (Command.do == "mode") & Command.mode.in_(AUTOMATIC)
    )
    wished = Command.zone.is_not(None) if zone is None else Command.zone == zone
    session.execute(
        update(Command)
        .where(Command.gateway == gateway, Command.state == "sent", brings_water, wished)
        .values(state="refused", code="stopped_meanwhile", outcome_at=now)
    )


def new_id() -> str:
    """Return an id for a form that is about to be shown: two presses are one wish."""
    return str(uuid.uuid4())


def wait_for_answer(
    session: Session,
    ids: Sequence[str],
    seconds: float,
    places: Sequence[BoundedSemaphore] = (),
    as_told: Callable[[Command], Command] = lambda command: command,
) -> list[Command]:
    """Wait until the gateway has answered all of these, or the time is over.

    Where too many wait already, the wishes are returned as they are. ``as_told`` knows what was
    said of a wish and is not written in it yet.
    """

    def now() -> list[Command]:
        session.expire_all()
        return [as_told(session.get_one(Command, i)) for i in ids]

    def answered() -> list[Command] | None:
        found = now()
        return found if all(command.state != "sent" for command in found) else None

    return bell().wait_for(answered, seconds, places or bell().wishes) or now()


def expire(command: Command, now: int) -> str:
    """Return the state as of now: an unanswered wish past its time has expired."""
    return "expired" if command.state == "sent" and now >= command.expires_at else command.state


def take_outcome(
    command: Command, state: str, code: str | None, values: dict[str, Any], at: int
) -> bool:
    """Let a later state win; say whether it did."""
    if _RANK[state] < _RANK[command.state] or command.state in ("refused", "done"):
        return False
    command.state, command.code, command.values, command.outcome_at = state, code, values, at
    return True


def with_names(session: Session, wet_test: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return what a gateway tells of a zone's wet tests, with the names as they stand here now.

    A gateway tells the same again and again; who has left is named no more. What was wished on
    another platform keeps the names that the gateway tells.
    """
    if wet_test is None:
        return None
    found = dict(wet_test)
    for which in ("passed", "last"):
        if not found.get(which):
            continue
        test = found[which] = dict(found[which])
        for id_name, name in (("id", "by"), ("seen_id", "seen_by")):
            wish = session.get(Command, test.get(id_name) or "")
            test[name] = test.get(name) if wish is None else wish.by
    return found


def waiting_for(session: Session, gateway: str, now: int) -> list[Command]:
    """Return what a gateway has not answered yet and may still do, in the order of the wishes."""
    return list(
        session.scalars(
            select(Command)
            .where(Command.gateway == gateway, Command.state == "sent", Command.expires_at > now)
            .order_by(Command.number)
        )
    )


def signed(command: Command, key: str, poll: str, now: int, held_seconds: float) -> dict[str, str]:
    """Write a command as the gateway expects it, bound to its poll, with our signature.

    ``held_seconds`` is how long the poll has been waiting here: with the age it tells the gateway
    when the wish was made, by its own clock.
    """
    body: dict[str, Any] = {
        "id": command.id,
        "number": command.number,
        "gateway": command.gateway,
        "poll": poll,
        "ttl": command.expires_at - now,
        "age": max(0, now - command.created_at),
        "held": held_seconds,
        "do": command.do,
        "by": command.by,
    }
    for name in ("zone", "seconds", "mode", "band", "schedule", "balance", "station", "test"):
        if getattr(command, name) is not None:
            body[name] = getattr(command, name)
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return {
        "body": text,
        "signature": hmac.new(key.encode(), text.encode(), "sha256").hexdigest(),
    }


class Offers:
    """Remembers what was handed out just now, so that a fast poller is not given it again."""

    def __init__(self) -> None:
        self._offered: dict[str, float] = {}

    def due(self, commands: list[Command]) -> list[Command]:
        """Return the commands whose last offer is a while ago."""
        now = time.monotonic()
        self._offered = {
            key: at for key, at in self._offered.items() if now - at < OFFER_AGAIN_SECONDS
        }
        return [command for command in commands if command.id not in self._offered]

    def note(self, commands: list[Command]) -> None:
        """Remember that these were handed out."""
        now = time.monotonic()
        self._offered.update({command.id: now for command in commands})
