"""Is the server well? ``/healthz`` for people and supervisors, ``/metrics`` for Prometheus."""

import sqlite3
import time

from flask import Blueprint, Response, jsonify
from sqlalchemy import text

from nongso.platform import migrations, store
from nongso.platform.accounts import public

blueprint = Blueprint("health", __name__)

_started = time.monotonic()


@blueprint.get("/healthz")
@public
def healthz() -> Response:
    """Answer 200 when the databases can be read."""
    store.records().execute(text("SELECT 1"))
    return jsonify(
        status="ok",
        schema=sorted(migrations.heads()),
        sqlite=sqlite3.sqlite_version,
        journal=store.journal_mode(),
        seconds=int(time.monotonic() - _started),
    )
