"""Is the server well? ``/healthz`` for people and supervisors, ``/metrics`` for Prometheus."""

import sqlite3
import time
from contextlib import suppress

from flask import Blueprint, Response, jsonify
from sqlalchemy import text

from nongso.platform import migrations, store
from nongso.platform.accounts import public
from nongso.platform.telemetry import TelemetryAway, telemetry

blueprint = Blueprint("health", __name__)

SILENT_SECONDS = 300

_started = time.monotonic()


@blueprint.get("/healthz")
@public
def healthz() -> Response:
    """Answer 200 when the databases can be read; 503 and why while readings cannot."""
    store.records().execute(text("SELECT 1"))
    readings = telemetry().health()
    made = jsonify(
        status="readings_away" if readings.trouble else "ok",
        readings=readings._asdict(),
        schema=sorted(migrations.heads()),
        sqlite=sqlite3.sqlite_version,
        journal=store.journal_mode(),
        seconds=int(time.monotonic() - _started),
    )
    made.status_code = 503 if readings.trouble else 200
    return made


@blueprint.get("/metrics")
@public
def metrics() -> Response:
    """Count, in Prometheus' text form. Totals only: no names of farms or people."""
    session = store.records()
    now = int(time.time())
    seen = [at for (at,) in session.execute(text("SELECT seen_at FROM gateway"))]
    rows: dict[str, object] = {}
    with suppress(TelemetryAway):
        rows |= {f"readings_{what}_total": count for what, count in telemetry().tally().items()}
    health = telemetry().health()
    rows |= {"readings_away": int(bool(health.trouble)), "files_damaged": len(health.set_aside)}
    rows |= {
        "gateways": len(seen),
        "gateways_silent": sum(at is None or now - at > SILENT_SECONDS for at in seen),
        "greenhouses": session.scalar(text("SELECT count(*) FROM greenhouse")),
        "alarms_standing": session.scalar(
            text("SELECT count(*) FROM alarm WHERE cleared_at IS NULL")
        ),
        "commands_unanswered": session.scalar(
            text("SELECT count(*) FROM command WHERE state = 'sent' AND expires_at > :now"),
            {"now": now},
        ),
        "messages_refused_total": session.scalar(text("SELECT count(*) FROM refused_message")),
        "events_total": session.scalar(text("SELECT coalesce(max(number), 0) FROM event")),
    }
    lines = []
    for name, value in rows.items():
        kind = "counter" if name.endswith("_total") else "gauge"
        lines += [f"# TYPE nongso_{name} {kind}", f"nongso_{name} {value}"]
    return Response("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4")
