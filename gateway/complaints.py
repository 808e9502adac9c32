"""One log line for each cause: the first at once, then a count now and then."""

import logging
import time
from collections.abc import Callable

MOST_CAUSES = 500


class Complaints:
    """Says the first complaint of a cause, and at most one more in ``every_seconds``."""

    def __init__(
        self,
        log: logging.Logger,
        every_seconds: float = 60.0,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._every = every_seconds
        self._steady = steady
        self._causes: dict[str, tuple[float, int]] = {}

    def say(self, cause: str, text: str) -> bool:
        """Complain; ``False`` when it was only counted."""
        now = self._steady()
        said_at, unsaid = self._causes.get(cause, (None, 0))
        if said_at is not None and now - said_at < self._every:
            self._causes[cause] = (said_at, unsaid + 1)
            return False
        if said_at is None and len(self._causes) >= MOST_CAUSES:
            self._causes.clear()
        self._causes[cause] = (now, 0)
        more = f" ({unsaid} more like it before)" if unsaid else ""
        self._log.warning("%s%s", text, more)
        return True
