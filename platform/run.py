"""``nongso platform run``: the server process.

A gateway's long poll holds a thread for up to half a minute, so there is a thread for each
registered gateway on top of those that write for people.
"""

import gc
import logging
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import FrameType

from sqlalchemy import func, select

from nongso.platform import listening, selfcheck, serving
from nongso.platform import settings as settings_of
from nongso.platform.alerts import watch as alerts
from nongso.platform.app import create_app, own_headers
from nongso.platform.greenhouse.bell import Bell
from nongso.platform.greenhouse.records import Gateway
from nongso.platform.kept_pages import KeptPages
from nongso.platform.migrations import SchemaError
from nongso.platform.settings import Settings, SettingsError
from nongso.platform.store import Records
from nongso.platform.telemetry import TelemetryError, keep_house
from nongso.platform.traceability import scans
from nongso.platform.traceability.proof.signer import Beside
from nongso.platform.traceability.shopper import page as consumer

log = logging.getLogger(__name__)

GATEWAYS_TO_COME = 4  # threads for gateways that are registered while the server runs
MOST_BODY = 9 * 1024 * 1024  # a little over what the application itself refuses with a page


def run(settings_file: Path, host: str | None = None, *, signer: bool = True) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status. ``host`` overrides the settings.

    ``signer``: start the process beside it that signs the log (a farm's own box has none).
    """
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        settings = settings_of.load(settings_file)
        if host is not None:
            settings = replace(settings, host=host)
        settings.files_folder.mkdir(parents=True, exist_ok=True)
        app = create_app(settings)
        selfcheck.refuse_unsafe(settings_file, app)
        selfcheck.warn_unwise(settings, app.extensions["nongso.records"])
        threads = threads_for(settings, app.extensions["nongso.records"])
    except (SettingsError, SchemaError, TelemetryError) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"The data folder cannot be used: {error}", file=sys.stderr)
        return 1
    try:
        sockets = listening.listen(settings.host, settings.port)
    except listening.ListenError as error:
        print(error, file=sys.stderr)
        return 1
    server = serving.Server(
        app,
        sockets,
        own_headers(settings),
        threads=threads,
        most_body=MOST_BODY,
        proxy=settings.proxy,
        pages=kept_pages_of(app.extensions["nongso.records"]),
    )
    _end_on_signals(server, app.extensions["nongso.bell"])
    watching = alerts.start(app)
    scanning = scans.start(app)
    keeping_house = keep_house(app)
    signing = Beside(settings_file) if signer and not settings.local else None
    if not settings.local:
        consumer.make_ready(app)
    log.info("serving %s with %d threads", settings.url, threads)
    _set_aside()
    try:
        server.run()
    finally:
        watching.stop()
        scanning.stop()
        if keeping_house is not None:
            keeping_house.stop()
        if signing is not None:
            signing.stop()
        app.extensions["nongso.records"].close()
        app.extensions["nongso.telemetry"].close()
    log.info("ended")
    return 0


def threads_for(settings: Settings, records: Records) -> int:
    """Return how many threads the server needs."""
    with records.session() as session:
        gateways = session.scalar(select(func.count()).select_from(Gateway)) or 0
    return max(settings.threads, 4) + gateways + GATEWAYS_TO_COME


def kept_pages_of(records: Records) -> KeptPages:
    """Return the memory for pages that everybody gets alike."""
    return KeptPages(lambda: records.news, records.look)


def _set_aside() -> None:
    """Spare what stays for ever from the search for unused objects.

    That search stops every thread: 130 ms every five seconds under load with the whole program
    in it.
    """
    gc.collect()
    gc.freeze()


def _end_on_signals(server: serving.Server, bell: Bell) -> None:
    def end(_number: int, _frame: FrameType | None) -> None:
        bell.close()  # whoever waits is answered now, so that the end takes no half minute
        server.end()

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
