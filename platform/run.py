"""``nongso platform run``: the server process, under waitress.

Waitress gives every request a thread, and a gateway's long poll holds one for up to half a
minute; so there is a thread for each registered gateway on top of those that answer people.
"""

import logging
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from sqlalchemy import func, select

from nongso.platform import selfcheck, serving
from nongso.platform import settings as settings_of
from nongso.platform.alerts import watch as alerts
from nongso.platform.app import create_app, own_headers
from nongso.platform.greenhouse.bell import Bell
from nongso.platform.greenhouse.records import Gateway
from nongso.platform.migrations import SchemaError
from nongso.platform.settings import Settings, SettingsError
from nongso.platform.store import Records
from nongso.platform.telemetry import TelemetryError

log = logging.getLogger(__name__)

GATEWAYS_TO_COME = 4  # threads for gateways that are registered while the server runs
MOST_IN_MEMORY = 8 * 1024 * 1024  # of an answer; a larger one needs room on the disk
MOST_BODY = 9 * 1024 * 1024  # a little over what the application itself refuses with a page


def run(settings_file: Path, host: str | None = None) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status. ``host`` overrides the settings."""
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a line for each waiting request
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
        sockets = serving.listen(settings.host, settings.port)
    except serving.ListenError as error:
        print(error, file=sys.stderr)
        return 1
    server = serving.create_server(
        app,
        sockets,
        own_headers(settings),
        threads=threads,
        connection_limit=1000,
        channel_timeout=60,
        max_request_body_size=MOST_BODY,
        outbuf_overflow=MOST_IN_MEMORY,
        ident=None,
        clear_untrusted_proxy_headers=True,
        **_behind_proxy(settings.proxy),
    )
    _end_on_signals(app.extensions["nongso.bell"])
    watching = alerts.start(app)
    log.info("serving %s with %d threads", settings.url, threads)
    try:
        server.run()
    except (KeyboardInterrupt, SystemExit):
        pass
    finally:
        server.close()
        watching.stop()
        app.extensions["nongso.records"].close()
        app.extensions["nongso.telemetry"].close()
    log.info("ended")
    return 0


def _behind_proxy(proxy: str) -> dict[str, Any]:
    """Believe the proxy about who asks; else all guesses at passwords would be its own."""
    if not proxy:
        return {}
    headers = {"x-forwarded-for", "x-forwarded-proto"}
    return {
        "trusted_proxy": proxy,
        "trusted_proxy_count": 1,
        "trusted_proxy_headers": headers,
    }


def threads_for(settings: Settings, records: Records) -> int:
    """Return how many threads the server needs."""
    with records.session() as session:
        gateways = session.scalar(select(func.count()).select_from(Gateway)) or 0
    return max(settings.threads, 4) + gateways + GATEWAYS_TO_COME


def _end_on_signals(bell: Bell) -> None:
    def end(_number: int, _frame: FrameType | None) -> None:
        bell.close()  # whoever waits is answered now, so that the end takes no half minute
        raise SystemExit(0)

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
