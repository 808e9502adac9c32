"""From a request to the records: scans wait in memory and are written in groups by a thread.

How this works. ``note`` puts a scan into a dictionary and returns; a page never waits for it. The
thread takes what has gathered every ``WRITE_EVERY_SECONDS`` and writes it in transactions of
``MOST_AT_ONCE``. What waits when the process is killed is lost, some seconds'
worth; what there is no room for, or cannot be written, is counted (``Recorder.lost``).

An address is in memory only until its group is written (``keeping``).
"""

import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from flask import Flask, current_app
from sqlalchemy import bindparam, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from nongso.platform.settings import Settings
from nongso.platform.storage import StorageError
from nongso.platform.store import Records, records
from nongso.platform.traceability import identifiers as ids
from nongso.platform.traceability.scans import keeping, networks
from nongso.platform.traceability.scans.records import ScanSerial

log = logging.getLogger(__name__)

WRITE_EVERY_SECONDS = 3.0
MOST_WAITING = 20_000  # scans in memory: about 10 MB
MOST_AT_ONCE = 200  # in a transaction, so that nobody waits long for its lock
LONGEST = 40  # letters of a number: whatever is longer is none of ours
LONGEST_AGENT = 400

_EXTENSION = "nongso.scans"


class Seen(NamedTuple):
    """Since when and how often a pack's label was scanned."""

    first_at: int
    times: int


# Made once, and of columns: every scan of a pack asks this.
_columns = inspect(ScanSerial).local_table.c
_SEEN = select(_columns.first_at, _columns.times).where(_columns.serial == bindparam("serial"))


class Recorder:
    """The scans of one process. ``note`` may be called by any thread, the rest by one."""

    def __init__(self, kept: Records, file: Path, kept_days: int) -> None:
        self._records = kept
        self._file = file
        self._file_version: tuple[int, int] | None = None
        self._kept_days = kept_days
        self._lock = threading.Lock()
        self._waiting: dict[keeping.Waiting, int] = {}
        self.networks = networks.Networks()
        self.networks_trouble = ""
        self.lost = 0

    def note(self, lot: str, serial: str, address: str, agent: str, at: int) -> None:
        """Take note of a scan. Takes a microsecond, writes nothing, never raises."""
        scan = keeping.Waiting(lot[:LONGEST], serial[:LONGEST], address, agent[:LONGEST_AGENT])
        with self._lock:
            if len(self._waiting) < MOST_WAITING:
                self._waiting.setdefault(scan, at)
            elif scan not in self._waiting:
                self.lost += 1

    @property
    def waiting(self) -> int:
        """How many scans are in memory only."""
        return len(self._waiting)

    def write(self, now: int) -> int:
        """Write what waits; returns how many scans that were. Raises ``StorageError``.

        Once a day, whether or not anybody scans, it also forgets and learns.
        """
        keeping.begin_day(self._records, now, self._kept_days)
        with self._lock:
            group, self._waiting = self._waiting, {}
        if group:
            self._read_networks()
        left = sorted(group.items(), key=lambda item: item[1])
        try:
            while left:
                with self._records.transaction() as session:
                    self._records.aside(session)  # pages that everybody gets alike stay good
                    keeping.write(session, dict(left[:MOST_AT_ONCE]), self.networks.province, now)
                del left[:MOST_AT_ONCE]
        except BaseException:
            self._put_back(dict(left))
            raise
        return len(group)

    def _put_back(self, group: Mapping[keeping.Waiting, int]) -> None:
        with self._lock:
            room = max(MOST_WAITING - len(self._waiting), 0)
            back = dict(list(group.items())[:room])
            self.lost += len(group) - len(back)
            self._waiting = back | self._waiting

    def _read_networks(self) -> None:
        """Read the table of networks again where the file has changed."""
        try:
            there = self._file.stat()
            version = (there.st_mtime_ns, there.st_size)
        except OSError:
            version = (0, 0)
        if version == self._file_version:
            return
        self._file_version = version
        try:
            self.networks = networks.load(self._file)
            self.networks_trouble = ""
        except (networks.NetworksError, OSError) as error:
            self.networks_trouble = str(error)
            log.error("%s; the table stays as it was (%s networks)", error, self.networks.count)


def prepare(app: Flask) -> None:
    """Give the application its recorder; nothing is written until ``start``."""
    settings: Settings = app.extensions["nongso.settings"]
    file = settings.folder / networks.NAME
    app.extensions[_EXTENSION] = Recorder(
        app.extensions["nongso.records"], file, settings.scan_days
    )


def recorder() -> Recorder:
    """The recorder of this application."""
    return cast(Recorder, current_app.extensions[_EXTENSION])


def note(serial: str, address: str, user_agent: str, at: float, lot: str) -> None:
    """Take note that a pack's page was asked for; never makes anybody wait."""
    recorder().note(ids.as_typed(lot), ids.as_typed(serial), address, user_agent, int(at))


def seen(serial: str) -> Seen | None:
    """Since when and how often a label was scanned before; ``None`` for the first time."""
    found = records().execute(_SEEN, {"serial": ids.as_typed(serial)}).first()
    return None if found is None else Seen(*found)


class Running:
    """The thread that writes."""

    def __init__(self, made: Recorder) -> None:
        self._recorder = made
        self._end = threading.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="scans", daemon=True)

    def start(self) -> None:
        """Begin; nothing starts on import."""
        self._thread.start()

    def stop(self) -> None:
        """End; what waits is written first."""
        self._end.set()
        self._thread.join(timeout=15)

    def _run(self) -> None:
        while not self._end.wait(WRITE_EVERY_SECONDS):
            self._write()
        self._write()

    def _write(self) -> None:
        try:
            self._recorder.write(int(time.time()))
        except (StorageError, SQLAlchemyError) as error:
            if not self._failing:
                log.error("scans cannot be written and wait: %s", error)
            self._failing = True
            return
        if self._failing:
            log.info("scans are written again; %s were lost", self._recorder.lost)
        self._failing = False


def start(app: Any) -> Running:
    """Start the thread that writes scans."""
    running = Running(app.extensions[_EXTENSION])
    running.start()
    return running
