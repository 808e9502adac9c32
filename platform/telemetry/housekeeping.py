"""Keeps the SQLite store in order beside its work: seals closed days, checks blocks, gives room.

How this works. A thread looks every few minutes for readings of days that are over, and seals
them series by series and day by day, each in a transaction of its own; between two it rests
longer than it worked, so that gateways and pages are hardly kept waiting. A file from before
sealed days becomes small in the same way, in the background, over hours. It may be ended, or
killed, at any moment: what is left is found again at the next look. Several servers that share a
file share the work.

A day stays rows until six hours after its end, for most of what is late has come by then, and a
row takes as long to read as ten sealed readings. Every checksum is compared once a day, so that a
failing disk is known before somebody asks for that day.
"""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from nongso.platform.telemetry.interface import DAY, TelemetryAway, local_day
from nongso.platform.telemetry.sealed import LAST
from nongso.platform.telemetry.sqlite import SqliteTelemetry

_Done = TypeVar("_Done")

log = logging.getLogger(__name__)

LOOK_SECONDS = 300.0
OPEN_SECONDS = 6 * 3600.0  # after its end a day is not sealed yet
REST = 3.0
LEAST_REST_SECONDS = 0.01
BLOCKS_A_CHECK = 200
PAGES_A_STEP = 256
KEPT_PAGES = 2048  # free pages that stay for the readings of the next days


class Housekeeper:
    """The thread. ``start`` once, ``stop`` before the store is closed.

    ``rest`` is how many times as long as it worked it rests; 0 where nobody else is kept waiting.
    """

    def __init__(
        self,
        store: SqliteTelemetry,
        clock: Callable[[], float] = time.time,
        rest: float = REST,
    ) -> None:
        self._store = store
        self._clock = clock
        self._rest = rest
        self._ended = threading.Event()
        self._checked_on = -1
        self._is_away = False
        self._thread = threading.Thread(target=self._run, name="sealing readings", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the step that is going on."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self.look()
                self._is_away = False
            except TelemetryAway as error:  # a full disk, a busy file: the next look tries again
                if not self._is_away:
                    log.warning("readings are not sealed now: %s", error)
                self._is_away = True
            self._ended.wait(LOOK_SECONDS)

    def look(self) -> int:
        """Do what is to be done now; return how many days of a series were sealed."""
        now = int(self._clock())
        count = self._seal(local_day(int(now - OPEN_SECONDS)))
        if count:
            log.info("%d days of a series sealed", count)
        if self._checked_on != now // DAY:
            self._check()
            self._checked_on = now // DAY
        while self._step(partial(self._store.give_back, PAGES_A_STEP, KEPT_PAGES)):
            pass
        return count

    def _seal(self, until: int) -> int:
        """Seal all readings before ``until``. A day that cannot be sealed is passed over."""
        count = 0
        for series in self._store.series():
            since = 0
            while not self._ended.is_set():
                at = self._store.oldest_row(series, since, min(until, LAST))
                if at is None:
                    break
                day = local_day(at)
                count += bool(self._step(partial(self._store.seal, series, day)))
                since = day + DAY
        return count

    def _check(self) -> None:
        after: int | None = 0
        while after is not None and not self._ended.is_set():
            after = self._step(partial(self._store.check_blocks, after, BLOCKS_A_CHECK))

    def _step(self, do: Callable[[], _Done]) -> _Done:
        """Do a step and rest; the longer it took, the longer."""
        began = time.monotonic()
        done = do()
        if self._rest:
            worked = time.monotonic() - began
            self._ended.wait(max(LEAST_REST_SECONDS, self._rest * worked))
        return done
