"""Pieces of pages that are asked for again and again, made once.

The key of a piece holds everything that it shows depends on, the versions of the databases and
the second among them, so that a kept piece is never stale: it is simply not found any more. What
every page shows (that the disk is full) belongs to every key by itself.
Whoever asks for a piece that is being made waits for it instead of making it too.
"""

from collections.abc import Callable, Hashable
from threading import Lock

MOST_KEPT = 400  # of some 10 kB


class Fragments:
    """Some finished pieces of HTML by key; the oldest make room."""

    def __init__(
        self, shown_everywhere: Callable[[], Hashable] = lambda: None, most: int | None = None
    ) -> None:
        self._shown_everywhere = shown_everywhere
        self._most = most
        self._kept: dict[Hashable, str] = {}
        self._making: dict[Hashable, Lock] = {}
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], str]) -> str:
        """Return the piece, making it if it is not there."""
        key = (self._shown_everywhere(), key)
        found = self._kept.get(key)
        if found is not None:
            return found
        with self._lock:
            making = self._making.setdefault(key, Lock())
        with making:
            found = self._kept.get(key)
            if found is None:
                try:
                    found = make()
                except BaseException:
                    with self._lock:
                        self._making.pop(key, None)
                    raise
                self._keep(key, found)
        return found

    def __len__(self) -> int:
        return len(self._kept)

    def _keep(self, key: Hashable, found: str) -> None:
        with self._lock:
            if len(self._kept) >= (MOST_KEPT if self._most is None else self._most):
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = found
            self._making.pop(key, None)
