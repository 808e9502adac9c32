"""Is the server well? ``/healthz`` for people and supervisors, ``/metrics`` for Prometheus."""

import functools
import importlib.metadata
import ipaddress
import os
import sqlite3
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock

from flask import Blueprint, Flask, Response, current_app, jsonify, request
from sqlalchemy import text
from sqlalchemy.orm import Session

from nongso.platform import migrations, store
from nongso.platform.accounts import public, who
from nongso.platform.errors import Problem
from nongso.platform.listening import FORWARDED
from nongso.platform.storage import StorageError, Trouble, free_bytes, trouble_of
from nongso.platform.telemetry import TelemetryAway, telemetry
from nongso.platform.traceability.proof import watching

blueprint = Blueprint("health", __name__)

SILENT_SECONDS = 300
PROBE_SECONDS = 5.0
PROBE_BYTES = 256 * 1024  # what a batch of readings may need
UNSAFE = (
    "SQLite {version} can damage records that have a write-ahead log: end every program that uses "
    "them and start the server again (nongso doctor)"
)

_started = time.monotonic()


@blueprint.get("/healthz")
@public
def healthz() -> Response:
    """Answer 200 when everything can be read and written; else 503, what is wrong, what to do."""
    probe: Probe = current_app.extensions["nongso.probe"]
    troubles = probe.look(store.kept_records())
    readings = telemetry().health()
    words = {where: trouble.words for where, trouble in troubles.items()}
    status = next((t.value for t in troubles.values()), None)
    if readings.trouble:
        words["readings"] = readings.trouble
        status = status or "readings_away"
    if probe.journal == "wal" and store.journal_mode() != "wal":
        words["sqlite"] = UNSAFE.format(version=sqlite3.sqlite_version)
        status = status or "sqlite_unsafe"
    made = jsonify(
        status=status or "ok",
        troubles=words,
        readings=readings._asdict(),
        schema=sorted(migrations.heads()),
        sqlite=sqlite3.sqlite_version,
        journal=store.journal_mode(),
        log=_log(troubles),
        seconds=int(time.monotonic() - _started),
    )
    made.status_code = 503 if words else 200
    return made


def _log(troubles: dict[str, Trouble]) -> dict[str, object] | None:
    """How the log of everything recorded stands; it is written and signed, or ``trouble`` says."""
    if troubles or current_app.extensions["nongso.settings"].local:
        return None
    with suppress(StorageError):
        return watching.look(store.records())._asdict()
    return None


class Probe:
    """Tries the disk, at most every ``PROBE_SECONDS``: anybody may ask for ``/healthz``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        self._next = 0.0
        self._disk: Trouble | None = None
        self.journal = ""  # of the records, where they are in SQLite's file

    def look(self, kept: store.Records) -> dict[str, Trouble]:
        """Return what is wrong now, by file; ``disk`` is the folder's own."""
        if self._lock.acquire(blocking=False):  # whoever comes meanwhile hears of the last time
            try:
                if time.monotonic() >= self._next:
                    self._next = time.monotonic() + PROBE_SECONDS
                    self._try(kept)
            finally:
                self._lock.release()
        found = kept.watchman.troubles()
        return found | ({} if self._disk is None else {"disk": self._disk})

    def _try(self, kept: store.Records) -> None:
        with suppress(StorageError):  # noted where it was raised
            with kept.session() as session:
                session.execute(text("SELECT count(*) FROM person"))
                if kept.is_file:
                    self.journal = str(session.scalar(text("PRAGMA journal_mode")))
            kept.try_to_write()
        self._disk = self._try_disk()

    def _try_disk(self) -> Trouble | None:
        try:
            with tempfile.TemporaryFile(dir=self._folder) as file:
                file.write(bytes(PROBE_BYTES))
                file.flush()
        except OSError as error:
            return trouble_of(error) or Trouble.BROKEN
        return None


def prepare(app: Flask) -> None:
    """Give the application its probe, and pages the trouble that they tell of."""
    app.extensions["nongso.probe"] = Probe(app.extensions["nongso.settings"].folder)
    app.jinja_env.globals["storage_trouble"] = store.disk_trouble


@blueprint.get("/metrics")
@public
def metrics() -> Response:
    """Count, in Prometheus' text form, for this machine and for who has an officer's token.

    Totals only: no names of farms or people. What cannot be read now is left out.
    """
    if not _may_count():
        raise Problem(
            403, "not_from_here", "Only from this machine, or with an officer's or admin's token."
        )
    probe: Probe = current_app.extensions["nongso.probe"]
    troubles = probe.look(store.kept_records())
    health = telemetry().health()
    rows: dict[str, object] = {
        "healthy": int(not troubles and not health.trouble),
        "readings_away": int(bool(health.trouble)),
        "files_damaged": len(health.set_aside),
        "start_time_seconds": int(time.time() - (time.monotonic() - _started)),
        "resident_bytes": _resident_bytes(),
        "disk_free_bytes": free_bytes(current_app.extensions["nongso.settings"].folder),
        f'build_info{{version="{_version()}",sqlite="{sqlite3.sqlite_version}"}}': 1,
    }
    with suppress(TelemetryAway):
        rows |= {f"readings_{what}_total": count for what, count in telemetry().tally().items()}
    with suppress(StorageError):
        rows |= _counted(store.records(), int(time.time()))
    log = _log(troubles)
    if log is not None:
        rows |= {f"log_{name}": log[name] for name in ("entries", "signed", "waiting_events")}
        rows["log_in_trouble"] = int(bool(log["trouble"]))
    lines = []
    for name, value in rows.items():
        kind = "counter" if name.endswith("_total") else "gauge"
        lines += [f"# TYPE nongso_{name.partition('{')[0]} {kind}", f"nongso_{name} {value}"]
    return Response("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4")


def _counted(session: Session, now: int) -> dict[str, object]:
    """Count what is in the records."""
    seen = [at for (at,) in session.execute(text("SELECT seen_at FROM gateway"))]
    return {
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


def _may_count() -> bool:
    """Whether the asker is this machine itself, not by way of a proxy, or looks after it."""
    try:
        is_here = ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        is_here = False
    if is_here and not request.environ.get(FORWARDED):
        return True
    asker = who()
    return asker is not None and asker.role in ("officer", "admin")


def _resident_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


@functools.cache
def _version() -> str:
    try:
        return importlib.metadata.version("nongso")
    except importlib.metadata.PackageNotFoundError:
        return ""
