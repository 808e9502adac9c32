"""API v1: alerts, and "I have heard"."""

import time
import uuid

from flask import Blueprint, Response, jsonify, request

from nongso.platform.accounts import allow, somebody
from nongso.platform.alerts import operations
from nongso.platform.alerts.pages import HEARERS, READERS
from nongso.platform.errors import Problem
from nongso.platform.languages import _
from nongso.platform.openapi import operation
from nongso.platform.store import records, transaction

blueprint = Blueprint("alerts_api", __name__)

MOST = 200


@blueprint.get("/api/v1/alerts")
@allow(*READERS, scope="read")
@operation(
    answers={
        200: "alerts with code, level, sentence and times; those that stand, worst first, or "
        "those that are over, newest first, and next (a value for before) if there are more",
        400: "bad query",
    },
    query={
        "state": "open (the default) or cleared",
        "limit": f"of those that are over, at most {MOST}; 50 if left out",
        "before": "only alerts that were raised before this Unix time",
    },
)
def alerts() -> Response:
    """List alerts."""
    now, state = int(time.time()), request.args.get("state", "open")
    if state == "open":
        found = operations.open_alerts(records())
        return jsonify(alerts=[operations.described(alert, now) for alert in found], next=None)
    if state != "cleared":
        raise Problem(400, "bad_query", _("state phải là open hoặc cleared."))
    limit, before = _whole("limit", 50) or 50, _whole("before", None)
    limit = max(1, min(limit, MOST))
    past = operations.past_alerts(records(), limit + 1, before)
    following = past[limit - 1].raised_at if len(past) > limit else None
    return jsonify(
        alerts=[operations.described(alert, now) for alert in past[:limit]], next=following
    )


@blueprint.post("/api/v1/alerts/<uuid:number>/acknowledge")
@allow(*HEARERS, scope="stop")
@operation(
    answers={
        200: "the alert; pressing twice is pressing once",
        404: "no such alert",
        409: "it is over already",
    }
)
def acknowledge(number: uuid.UUID) -> Response:
    """Say that somebody has heard: repeats stop until it is over."""
    found = operations.alert_of(records(), str(number))
    if found is None:
        raise Problem(404, "alert_unknown", _("Không có cảnh báo này."))
    now = int(time.time())
    if found.cleared_at is not None:
        raise Problem(409, "alert_over", _("Cảnh báo này đã hết."))
    with transaction() as session:
        operations.acknowledge(session, found.id, somebody().name, now)
    session.refresh(found)
    return jsonify(operations.described(found, now))


def _whole(name: str, otherwise: int | None) -> int | None:
    text = request.args.get(name)
    if text is None:
        return otherwise
    if not (text.isascii() and text.isdecimal() and len(text) <= 12):
        raise Problem(400, "bad_query", _("%(name)s phải là số nguyên.", name=name))
    return int(text)
