"""Wakes the requests that wait: a gateway for commands, a phone for the gateway's answer.

The bell only shortens the waiting; whoever was woken looks into the records. A second server
process rings no bell here, so nobody sleeps longer than ``LONGEST_SLEEP``.
"""

import time
from collections.abc import Callable
from threading import Condition
from typing import TypeVar

LONGEST_SLEEP = 0.5

_Found = TypeVar("_Found")


class Bell:
    """One for the whole server process."""

    def __init__(self) -> None:
        self._condition = Condition()
        self._closed = False

    def ring(self) -> None:
        """Wake everybody."""
        with self._condition:
            self._condition.notify_all()

    def close(self) -> None:
        """Let nobody wait any more: the server ends."""
        self._closed = True
        self.ring()

    def wait_for(self, look: Callable[[], _Found | None], seconds: float) -> _Found | None:
        """Look again and again until something is found or the time is over."""
        deadline = time.monotonic() + seconds
        while True:
            found = look()
            left = deadline - time.monotonic()
            if found is not None or left <= 0 or self._closed:
                return found
            with self._condition:
                self._condition.wait(min(left, LONGEST_SLEEP))
