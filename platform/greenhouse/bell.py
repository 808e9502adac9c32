"""Wakes the requests that wait: a gateway for commands, a phone for the gateway's answer.

The bell only shortens the waiting; whoever was woken looks into the records. A second server
process rings no bell here, so nobody sleeps longer than ``LONGEST_SLEEP``.

Each one that waits holds a thread of the server, so there are only so many places to wait in.
Whoever finds none free has looked once and goes on: a phone is told "sent", a gateway asks
again. Stops have places of their own, so that a crowd of wishes for water takes them from nobody.
"""

import time
from collections.abc import Callable, Sequence
from threading import BoundedSemaphore, Condition
from typing import TypeVar

LONGEST_SLEEP = 0.5

_Found = TypeVar("_Found")


class Bell:
    """One for the whole server process, with ``threads`` that answer people."""

    def __init__(self, threads: int) -> None:
        self._condition = Condition()
        self._closed = False
        self.gateways = (BoundedSemaphore(max(1, threads - 4)),)
        self.wishes = (BoundedSemaphore(max(1, threads // 4)),)
        self.stops = (BoundedSemaphore(max(1, threads // 4)), *self.wishes)

    def ring(self) -> None:
        """Wake everybody."""
        with self._condition:
            self._condition.notify_all()

    def close(self) -> None:
        """Let nobody wait any more: the server ends."""
        self._closed = True
        self.ring()

    def wait_for(
        self,
        look: Callable[[], _Found | None],
        seconds: float,
        places: Sequence[BoundedSemaphore],
    ) -> _Found | None:
        """Look again and again until something is found or the time is over.

        Looks only once where none of the places is free.
        """
        found = look()
        if found is not None or seconds <= 0:
            return found
        place = next((p for p in places if p.acquire(blocking=False)), None)
        if place is None:
            return None
        try:
            return self._wait(look, time.monotonic() + seconds)
        finally:
            place.release()

    def _wait(self, look: Callable[[], _Found | None], deadline: float) -> _Found | None:
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or self._closed:
                return None
            with self._condition:
                self._condition.wait(min(left, LONGEST_SLEEP))
            found = look()
            if found is not None:
                return found
