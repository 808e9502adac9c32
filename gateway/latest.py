"""The newest reading of each series, in memory: what rules and the status page look at.

Filled by the store after each commit and refilled from it at start. A reading whose time
cannot be trusted never takes the place of one whose time can. What a station measured before it
came to its place (``places.py``) is nothing of now.
"""

import threading
import time
from collections.abc import Iterable

from nongso.wire import marks
from nongso.wire.payload import EARLIEST, LATEST_AHEAD, Reading


def _is_timed(reading: Reading, now: float) -> bool:
    known = reading.mark & 15 != marks.UNTIMED
    return bool(known and EARLIEST <= reading.at <= now + LATEST_AHEAD)


def is_newer(reading: Reading, than: Reading | None, now: float) -> bool:
    """Say whether ``reading`` takes the place of ``than`` as the newest of its series."""
    if than is None:
        return True
    if _is_timed(reading, now):
        return bool(reading.at >= than.at) or not _is_timed(than, now)
    return not _is_timed(than, now)


class Latest:
    """Newest reading of each (eui64, series name). Any thread may ask; one thread takes."""

    def __init__(self) -> None:
        self._newest: dict[tuple[str, str], Reading] = {}
        self._since: dict[str, float] = {}  # when stations came to where they stand
        self._lock = threading.Lock()  # else what is just being taken outlives a new beginning

    def take(
        self, eui64: str, readings: Iterable[Reading], now: float | None = None
    ) -> list[tuple[str, str]]:
        """Look at readings of a node, in any order; return the series that have a new newest."""
        if now is None:
            now = time.time()
        newest = self._newest
        changed = []
        with self._lock:
            since = self._since.get(eui64, 0.0)
            if since > now:  # the clock was ahead: it must not shut the station out until then
                since = self._since[eui64] = now
            for reading in readings:
                key = (eui64, reading.name)
                if reading.at < since and _is_timed(reading, now):
                    continue
                if is_newer(reading, newest.get(key), now):
                    newest[key] = reading
                    changed.append(key)
        return changed

    def begin_anew(self, eui64: str, since: float) -> None:
        """Forget what a node measured before it came to its place, at Unix time ``since``.

        Readings from before that are not taken later either.
        """
        with self._lock:
            self._since[eui64] = since
            for key, reading in list(self._newest.items()):
                if key[0] == eui64 and reading.at < since:
                    del self._newest[key]

    def get(self, eui64: str, name: str) -> Reading | None:
        """Return the newest reading of a series, ``None`` if there was never one."""
        return self._newest.get((eui64, name))

    def of_node(self, eui64: str) -> list[Reading]:
        """Return the newest reading of each series of a node."""
        everything = list(self._newest.items())
        return sorted((r for (node, _), r in everything if node == eui64), key=lambda r: r.name)
