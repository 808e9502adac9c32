"""API v1: alerts, and "I have heard"."""

import time
import uuid
from typing import TypedDict

from flask import Blueprint, Response, jsonify, request

from nongso.platform import query
from nongso.platform.accounts import allow, somebody
from nongso.platform.alerts import operations
from nongso.platform.alerts.pages import HEARERS, READERS
from nongso.platform.errors import Problem
from nongso.platform.languages import _
from nongso.platform.openapi import one_of, operation, whole
from nongso.platform.store import records, transaction

blueprint = Blueprint("alerts_api", __name__)

MOST = 200
END_OF_TIME = 10**12 - 1


class AlertAnswer(TypedDict):
    """An alert: what, where, since when, and the sentence that people read."""

    id: str
    code: str
    level: str
    greenhouse: str | None
    gateway: str | None
    state: str
    raised_at: int
    cleared_at: int | None
    acknowledged_at: int | None
    acknowledged_by: str | None
    escalated_at: int | None
    sentence: str


class AlertsAnswer(TypedDict):
    """Alerts; ``next`` is a value for ``before`` if there are more, else null."""

    alerts: list[AlertAnswer]
    next: int | None


@blueprint.get("/api/v1/alerts")
@allow(*READERS, scope="read")
@operation(
    answers={
        200: "alerts with code, level, sentence and times; those that stand, worst first, or "
        "those that are over, newest first, and next (a value for before) if there are more",
    },
    answer=AlertsAnswer,
    query={
        "state": one_of("which alerts; open if left out", "open", "cleared"),
        "limit": whole("of those that are over; 50 if left out", 1, MOST),
        "before": whole("only alerts that were raised before this Unix time", 0, END_OF_TIME),
    },
)
def alerts() -> Response:
    """List alerts."""
    now, state = int(time.time()), request.args.get("state", "open")
    limit = query.whole("limit", 50, 1, MOST)
    before = query.whole("before", END_OF_TIME, 0, END_OF_TIME)
    if state == "open":
        found = operations.open_alerts(records())
        return jsonify(alerts=[operations.described(alert, now) for alert in found], next=None)
    if state != "cleared":
        raise Problem(400, "bad_query", _("state phải là open hoặc cleared."))
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
    },
    answer=AlertAnswer,
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
        operations.acknowledge(session, found.id, somebody().id, now, somebody().helper)
    session.refresh(found)
    return jsonify(operations.described(found, now))
