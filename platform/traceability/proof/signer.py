"""``nongso trace signer``: the process that alone reads the log's key.

``nongso platform run`` starts it beside itself (``beside``) and again when it falls. It reads and
writes the database, opens no port and listens to nobody, so whoever breaks into the pages
has no key. More custody: run it as another user or on another machine, with
``nongso platform run --no-signer``.
"""

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.exc import SQLAlchemyError

from nongso.platform import migrations
from nongso.platform import settings as settings_of
from nongso.platform.settings import Settings, SettingsError
from nongso.platform.storage import StorageError
from nongso.platform.traceability.proof.custody import Custody
from nongso.platform.traceability.proof.keeping import LogDamaged
from nongso.platform.traceability.proof.signing import Signer

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0
_PR_SET_PDEATHSIG = 1
_ENDS = (signal.SIGTERM, signal.SIGINT)


def origin_of(settings: Settings) -> str:
    """Return the name of a new log: the address that labels carry, without its scheme."""
    parts = urlsplit(settings.label_url)
    return f"{parts.netloc}{parts.path.rstrip('/')}/log"


def run(settings_file: Path) -> int:
    """Sign until SIGTERM or SIGINT; return the exit status."""
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    end = _End()
    try:
        settings = settings_of.load(settings_file)
        with migrations.current(settings) as records:
            custody = Custody(settings.folder)
            try:
                if _taken(custody, end):
                    _sign_on(Signer(records, custody, origin_of(settings)), end)
            finally:
                custody.let_go()
    except (SettingsError, migrations.SchemaError) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"The signer cannot use its folder: {error}", file=sys.stderr)
        return 1
    return 0


class _End:
    """SIGTERM or SIGINT, taken where it is waited for.

    A handler that sets an ``Event`` can interrupt the very wait whose lock it needs; then the
    process never ends (seen: signers that outlived their server).
    """

    def __init__(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)

    def wait(self, seconds: float) -> bool:
        """Whether it came within these seconds."""
        return signal.sigtimedwait(_ENDS, seconds) is not None


def _taken(custody: Custody, end: _End) -> bool:
    if custody.take():
        return True
    log.info("another signer works on %s; waiting for its end", custody.folder)
    while not end.wait(LOOK_SECONDS):
        if custody.take():
            return True
    return False


def _sign_on(signer: Signer, end: _End) -> None:
    trouble = ""
    while True:
        try:
            signer.look(int(time.time()))
            trouble = ""
        except (StorageError, SQLAlchemyError, LogDamaged, OSError) as error:
            if str(error) != trouble:
                trouble = str(error)
                log.error("nothing could be signed: %s", error)
        if end.wait(LOOK_SECONDS if not trouble else FIRST_PAUSE_SECONDS * 5):
            return


class Beside:
    """A signer beside a server: started, started again when it falls, ended with the server."""

    def __init__(self, settings_file: Path) -> None:
        self._argv = [sys.executable, "-m", "nongso.commands", "trace", "signer"]
        self._argv += ["--settings", str(settings_file)]
        self._end = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._tend, name="signer", daemon=True)
        self._thread.start()

    def _tend(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._end.is_set():
            began = time.monotonic()
            try:
                # The kernel ends it when this thread does, which lives as long as the server.
                self._child = subprocess.Popen(
                    self._argv,
                    stdin=subprocess.DEVNULL,
                    preexec_fn=partial(_die_with_parent, os.getpid()),
                )
            except OSError as error:
                log.error("the signer cannot be started: %s", error)
            else:
                status = self._child.wait()
                if not self._end.is_set():
                    log.error("the signer ended with status %d; it is started again", status)
            if time.monotonic() - began > LONGEST_PAUSE_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            self._end.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def stop(self) -> None:
        """End it."""
        self._end.set()
        if self._child is not None:
            self._child.terminate()
        self._thread.join(10)


_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent(parent: int) -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it was killed before the kernel was asked
        os._exit(1)
