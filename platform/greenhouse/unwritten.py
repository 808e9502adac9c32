"""Stops that the disk could not take: kept in memory, handed to gateways, written down later.

A stop must work although the disk is full, read-only, locked or cannot be read at all. It is then
offered to the gateway from here; the gateway's word about it is heard before its batch is stored
(which may fail for the same reason); and it is written into the records with the next batch
that can be stored. What the process forgets when it ends is only the writing down: the water
has been stopped by the gateway, and the gateway's own rows tell of it.

A stop that was written before the disk failed has the same trouble at its other end: the gateway
has closed its valves, and its word about it cannot be stored. So its words are remembered too.

Gateways are known from their own polls, with key and cooperative, so that nothing has to be read.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from flask import current_app
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from nongso.platform import audit
from nongso.platform.accounts import Identity
from nongso.platform.greenhouse import commands
from nongso.platform.greenhouse.records import Command, Gateway

KEPT_SECONDS = 86400  # how long a stop waits for a disk that takes it
MOST_WORDS = 500
STORING_SECONDS = 1.0  # that a word is given to be stored, with what belongs to it


@dataclass(frozen=True)
class Known:
    """A gateway as it showed itself last."""

    slug: str
    cooperative: str
    key: str


@dataclass
class _Stop:
    command: Command  # belongs to no session
    asker: Identity
    network: str


@dataclass(frozen=True)
class _Word:
    gateway: str
    state: str
    code: str | None
    at: int
    heard_at: float  # of the steady clock


class UnwrittenStops:
    """One for the whole server process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._words: dict[str, _Word] = {}
        self._gateways: dict[str, Known] = {}
        self._stops: dict[str, _Stop] = {}

    def meet(self, gateway: Known) -> None:
        """Remember a gateway that has just shown its key."""
        with self._lock:
            self._gateways[gateway.slug] = gateway

    def known(self, slug: str) -> Known | None:
        """Return what is remembered of a gateway."""
        return self._gateways.get(slug)

    def gateways(self, cooperative: str | None) -> list[str]:
        """Return the gateways of a cooperative, or all that were ever met."""
        with self._lock:
            return [
                known.slug
                for known in self._gateways.values()
                if cooperative is None or known.cooperative == cooperative
            ]

    def keep(self, command: Command, asker: Identity, network: str) -> Command:
        """Keep a stop until it is written; the same id is the same stop."""
        with self._lock:
            return self._stops.setdefault(command.id, _Stop(command, asker, network)).command

    def find(self, id: str) -> Command | None:  # noqa: A002
        """Return a stop that is not written yet."""
        found = self._stops.get(id)
        return found.command if found is not None else None

    def offers(self, gateway: str, now: int) -> list[Command]:
        """Return what a gateway has not answered yet, oldest first."""
        if not self._stops:
            return []
        with self._lock:
            found = [stop.command for stop in self._stops.values()]
        mine = [c for c in found if c.gateway == gateway and commands.expire(c, now) == "sent"]
        return sorted(mine, key=lambda command: command.number)

    def hear(self, gateway: str, id: str, state: str, code: str | None, at: int) -> None:  # noqa: A002
        """Take the gateway's word about a stop, written or not."""
        with self._lock:
            self._words.setdefault(id, _Word(gateway, state, code, at, time.monotonic()))
            while len(self._words) > MOST_WORDS:
                del self._words[next(iter(self._words))]
        command = self.find(id)
        if command is not None and command.gateway == gateway:
            commands.take_outcome(command, state, code, {}, at)

    def as_told(self, command: Command) -> Command:
        """Return a written stop as its gateway has told of it, if nobody could store that.

        A copy then, of no session, so that nothing of it is ever written.
        """
        word = self._words.get(command.id)
        if command.do != "stop" or command.state != "sent" or word is None:
            return command
        if word.gateway != command.gateway or time.monotonic() < word.heard_at + STORING_SECONDS:
            return command
        told = Command(**{c.name: getattr(command, c.name) for c in Command.__table__.columns})
        commands.take_outcome(told, word.state, word.code, {}, word.at)
        return told

    def write_down(self, session: Session, now: int) -> list[str]:
        """Write what can be written, in the caller's transaction; return the ids.

        After the commit the caller says ``forget``. The outcome stays out: the gateway's row
        about it comes again until it is stored, and changes what belongs to it.
        """
        if not self._stops:
            return []
        with self._lock:
            waiting = sorted(self._stops.values(), key=lambda stop: stop.command.number)
        done = []
        for stop in waiting:
            kept = stop.command
            gateway = session.get(Gateway, kept.gateway)
            if gateway is not None and session.get(Command, kept.id) is None:
                commands.drop_unanswered(session, kept.gateway, kept.zone, now)
                session.add(_row(kept, gateway, self._free_number(session, kept)))
                session.add(_deed(stop, gateway))
                session.flush()
            done.append(kept.id)
        return done

    def forget(self, ids: Sequence[str]) -> None:
        """These are written down, or too old to be."""
        now = time.time()
        with self._lock:
            for id in ids:  # noqa: A001
                self._stops.pop(id, None)
            for id, stop in list(self._stops.items()):  # noqa: A001
                if now - stop.command.created_at > KEPT_SECONDS:
                    del self._stops[id]

    @staticmethod
    def _free_number(session: Session, kept: Command) -> int:
        last = session.scalar(
            select(func.max(Command.number)).where(Command.gateway == kept.gateway)
        )
        return max((last or 0) + 1, kept.number)


def _row(kept: Command, gateway: Gateway, number: int) -> Command:
    return Command(
        id=kept.id,
        gateway=gateway.slug,
        number=number,
        cooperative=gateway.cooperative,
        do="stop",
        zone=kept.zone,
        by=kept.by,
        person_id=kept.person_id,
        created_at=kept.created_at,
        expires_at=kept.expires_at,
        state="sent",
        values={},
    )


def _deed(stop: _Stop, gateway: Gateway) -> audit.Deed:
    details: dict[str, Any] = {"written_later": True}
    return audit.Deed(
        at=stop.command.created_at,
        what="stop",
        person=stop.asker.id,
        helper=stop.asker.helper or None,
        cooperative=gateway.cooperative,
        subject=stop.command.zone or gateway.slug,
        via=stop.asker.via,
        network=stop.network,
        details=details,
    )


def unwritten() -> UnwrittenStops:
    """Return the server's unwritten stops."""
    found: UnwrittenStops = current_app.extensions["nongso.unwritten"]
    return found
