"""The door for gateways: batches in, commands out (contract section 4).

A gateway shows its key as a bearer token and may only speak for itself.
"""

import hashlib
import logging
import math
import re
import time
from contextlib import suppress
from typing import Any

from flask import Blueprint, Flask, Response, current_app, jsonify, request
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from nongso.platform import batches, ingest, rows
from nongso.platform.accounts import GATEWAY, Identity, allow, somebody
from nongso.platform.errors import Problem, problem
from nongso.platform.greenhouse import commands
from nongso.platform.greenhouse.records import Command, Gateway
from nongso.platform.greenhouse.unwritten import Known, UnwrittenStops, unwritten
from nongso.platform.remembered import without_disk
from nongso.platform.storage import StorageError, trouble_of
from nongso.platform.store import hurry, kept_records, records, rest, transaction
from nongso.platform.telemetry import TelemetryAway, TelemetryDamaged, telemetry

log = logging.getLogger(__name__)

blueprint = Blueprint("uplink", __name__)

LONGEST_WAIT_SECONDS = 30
SEEN_EVERY_SECONDS = 30
RETRY_SECONDS = 5
PATIENCE_SECONDS = 1.0  # of a poll with the disk: a stop may come at any moment
MOST_REFUSED_TOLD = 20  # in the log, of one batch
MOST_HEARD = 20  # words about commands that one poll carries
_POLL = re.compile(r"[0-9a-f]{32}")
_HEARD = re.compile(
    r"(?P<id>[0-9a-f-]{36})\.(?P<state>queued|running|refused|done)\.(?P<code>[a-z_]{0,40})"
)


def key_hash(key: str) -> str:
    """Return what a gateway is looked up by."""
    return hashlib.sha256(key.encode()).hexdigest()


def register_gateway(
    session: Session, slug: str, name: str, cooperative: str, key: str
) -> Gateway:
    """Register a gateway, or give a registered one a new key."""
    if len(key) < 32:
        raise ValueError("a gateway's key has at least 32 random characters")
    kept = session.get(Gateway, slug)
    if kept is None:
        kept = Gateway(
            slug=slug,
            name=name,
            cooperative=cooperative,
            registered_at=int(time.time()),
            simulated=False,
        )
        session.add(kept)
    kept.key, kept.key_hash = key, key_hash(key)
    session.flush()
    return kept


def prepare(app: Flask) -> None:
    """Let the policy recognise gateways; keep some threads free of waiting gateways."""
    app.extensions["nongso.gateways"] = _by_key
    app.extensions["nongso.offers"] = commands.Offers()
    app.extensions["nongso.unwritten"] = UnwrittenStops()


def _by_key(key: str) -> Identity | None:
    row = (
        records()
        .execute(
            select(Gateway.slug, Gateway.name, Gateway.cooperative).where(
                Gateway.key_hash == key_hash(key)
            )
        )
        .first()
    )
    if row is None:
        return None
    unwritten().meet(Known(row.slug, row.cooperative, key))
    return Identity(row.slug, row.slug, row.name, GATEWAY, row.cooperative, "key")


def _own(gateway: str) -> str:
    if somebody().id != gateway:
        raise Problem(403, "other_gateway", f"this key is not the key of gateway {gateway}")
    return gateway


@blueprint.post("/api/v1/gateways/<gateway>/batch")
@allow(GATEWAY)
@without_disk
def batch(gateway: str) -> Response:
    """Store a batch of a gateway's rows; the answer names those that are on disk."""
    _own(gateway)
    if (request.content_length or 0) > batches.MOST_PACKED:
        raise Problem(413, "too_large", f"a batch has at most {batches.MOST_PACKED} bytes packed")
    try:
        brought = batches.read(request.get_data())
    except batches.BatchError as error:
        raise Problem(error.status, error.code, str(error)) from error
    if brought.gateway != gateway:
        raise Problem(400, "other_gateway", f"the batch is of gateway {brought.gateway!r}")
    _hear(gateway, brought)
    try:
        taken = ingest.store(brought, kept_records(), telemetry(), int(time.time()))
    except Exception as error:
        trouble = trouble_of(error)
        if trouble is None and not isinstance(error, TelemetryAway):
            raise
        if not isinstance(error, TelemetryDamaged):  # that was said once, when it was found
            log.error("batch of %s not stored: %s", gateway, error)
        code = trouble.value if trouble is not None else "readings_away"
        answer = problem(503, code, "the database cannot be written now; nothing was stored")
        answer.headers["Retry-After"] = str(RETRY_SECONDS)
        return answer
    for refused in taken.refused[:MOST_REFUSED_TOLD]:
        log.warning(
            "row %s of %s refused: %s: %s",
            *(refused["id"], gateway, refused["code"], refused["detail"]),
        )
    if len(taken.refused) > MOST_REFUSED_TOLD:
        log.warning("and %d more of %s", len(taken.refused) - MOST_REFUSED_TOLD, gateway)
    commands.bell().ring()
    return jsonify(stored=taken.stored, refused=taken.refused)


def _hear(gateway: str, brought: batches.Batch) -> None:
    """Listen for words about stops that wait in memory, before the disk is asked for anything."""
    for _number, row in brought.rows:
        if isinstance(row, rows.OutcomeRow):
            word = row.command
            unwritten().hear(gateway, word.id, word.state, word.code, word.at)
    commands.bell().ring()


@blueprint.get("/api/v1/gateways/<gateway>/commands")
@allow(GATEWAY)
@without_disk
def offer(gateway: str) -> Response:
    """Hand out what this gateway shall do; waits until there is something or the time is over."""
    _own(gateway)
    began = time.monotonic()
    poll = request.args.get("poll", "")
    if not _POLL.fullmatch(poll):
        raise Problem(400, "no_poll", "poll must be 32 hex digits, new each time")
    seconds = _wait_seconds(request.args.get("wait", "0"))
    _hear_of_stops(gateway)
    _note_seen(gateway)
    hurry(PATIENCE_SECONDS)
    offers: commands.Offers = current_app.extensions["nongso.offers"]
    session = records()

    def look() -> list[Command] | None:
        now = int(time.time())
        stops = offers.due(unwritten().offers(gateway, now))
        if stops:  # without asking a disk that may be the reason why they are here
            return stops
        try:
            session.expire_all()
            found = offers.due(commands.waiting_for(session, gateway, now))
            if not found:
                rest()
            return found or None
        except StorageError:  # noted where it was raised; a stop may still come
            return None

    bell = commands.bell()
    due = bell.wait_for(look, seconds, bell.gateways) or []
    offers.note(due)
    known = unwritten().known(gateway)
    now = int(time.time())
    held = round(time.monotonic() - began, 3)
    made: list[dict[str, Any]] = [
        commands.signed(command, known.key, poll, now, held)
        for command in due
        if known is not None and command.expires_at > now
    ]
    return jsonify(commands=made)


def _hear_of_stops(gateway: str) -> None:
    """Listen to what became of the last orders: their rows may be waiting for our disk."""
    heard = [_HEARD.fullmatch(word) for word in request.args.getlist("heard")[:MOST_HEARD]]
    for word in heard:
        if word is not None:
            now = int(time.time())
            unwritten().hear(gateway, word["id"], word["state"], word["code"] or None, now)
    if heard:
        commands.bell().ring()


def _wait_seconds(text: str) -> float:
    """Read how long a gateway will wait; longer than we let it wait is cut, not refused."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:  # also what is not a number at all
        raise Problem(400, "no_wait", "wait must be a number of seconds, 0 or more")
    return min(seconds, LONGEST_WAIT_SECONDS)


def _note_seen(gateway: str) -> None:
    now = int(time.time())
    with suppress(StorageError):  # a gateway is heard although that cannot be written down
        seen = records().scalar(select(Gateway.seen_at).where(Gateway.slug == gateway))
        if seen is None or now - seen >= SEEN_EVERY_SECONDS:
            with transaction(PATIENCE_SECONDS) as session:
                session.execute(update(Gateway).where(Gateway.slug == gateway).values(seen_at=now))
