"""Who was here lately: for the few requests that must work although nothing can be read.

A view marked ``@without_disk`` (stopping the water, a gateway's poll) is let in by what the
database said last about the same secret, while it cannot be asked. Whoever was turned away or
logged out since is not remembered; no other view is ever answered from memory.
"""

import time
from collections.abc import Callable
from threading import Lock
from typing import Any, Generic, TypeVar

from flask import current_app, request

from nongso.platform.storage import StorageError

REMEMBERED_SECONDS = 12 * 3600
_MOST_KEPT = 10_000

_View = TypeVar("_View", bound=Callable[..., Any])
_Who = TypeVar("_Who")


def without_disk(view: _View) -> _View:
    """Let this view work for people and gateways who were known lately."""
    view.without_disk = True  # type: ignore[attr-defined]
    return view


class Remembered(Generic[_Who]):
    """Identities by the hash of the secret that showed them. One for the server process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[str, tuple[float, _Who]] = {}

    def find(self, secret_hash: str, ask: Callable[[], _Who | None]) -> _Who | None:
        """Ask the database who it is, or remember where that is allowed."""
        try:
            found = ask()
        except StorageError:
            kept = self._kept.get(secret_hash)
            is_fresh = kept is not None and time.monotonic() < kept[0]
            if kept is None or not is_fresh or not _is_without_disk():
                raise
            return kept[1]
        with self._lock:
            if found is None:
                self._kept.pop(secret_hash, None)
            else:
                if len(self._kept) >= _MOST_KEPT:
                    self._kept.clear()
                self._kept[secret_hash] = (time.monotonic() + REMEMBERED_SECONDS, found)
        return found

    def shown(self, secret_hash: str) -> _Who | None:
        """Return who it probably is, for the head of a page that only says what is wrong."""
        kept = self._kept.get(secret_hash)
        return kept[1] if kept is not None and time.monotonic() < kept[0] else None


def _is_without_disk() -> bool:
    view = current_app.view_functions.get(request.endpoint or "")
    return bool(getattr(view, "without_disk", False))
