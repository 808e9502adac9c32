"""``state.json``: how the simulated farm goes on after a restart, written whole or not at all.

``{"model": <state of the model>, "history": {"start", "end", "sent_at"}}``. Not synced to the
disk: after a power cut a simulated farm may be some seconds younger.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nongso.gateway.simulated.aside import set_aside


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _decoded(text: str) -> dict[str, Any]:
    """Read the file's text. Raises ``ValueError`` for anything that we would not have written."""
    try:
        found = json.loads(text, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("an object is expected")
    if not isinstance(found.get("model", {}), dict):
        raise ValueError("model is not an object")
    history = found.get("history")
    if history is not None:
        if not isinstance(history, dict):
            raise ValueError("history is not an object")
        start, end, sent_at = (history.get(key) for key in ("start", "end", "sent_at"))
        if type(start) is not int or type(end) is not int or not 0 <= end - start <= 366 * 86400:
            raise ValueError("history has no start and end")
        if sent_at is not None and type(sent_at) is not int:
            raise ValueError("history.sent_at is not a time")
    return found


class StateFile:
    """One farm's state file. One that cannot be used is set aside and said, never deleted."""

    def __init__(self, file: Path, say: Callable[[str], None] = _say) -> None:
        self.file = file
        self._failed = False
        self._say = say
        self.content: dict[str, Any] = {}
        try:
            self.content = _decoded(file.read_text("utf-8"))
        except FileNotFoundError:
            pass
        except ValueError as error:
            self.set_aside(f"is damaged ({error})")
        except OSError as error:
            self.set_aside(f"cannot be read ({error.strerror})")

    def set_aside(self, why: str) -> None:
        """Keep the file under another name; the farm begins anew."""
        self.content = {}
        try:
            kept = f"it is kept as {set_aside(self.file).name}"
        except OSError as error:
            kept = f"it cannot be set aside ({error.strerror})"
        self._say(f"{self.file} {why}; {kept}, and the simulated farm begins anew.")

    def put(self, **parts: Any) -> None:
        """Replace parts of the state and write it. Raises ``OSError``."""
        self.content |= parts
        self.file.parent.mkdir(parents=True, exist_ok=True)
        new = self.file.with_name(self.file.name + ".new")
        new.write_text(json.dumps(self.content), "utf-8")
        os.replace(new, self.file)

    def try_put(self, **parts: Any) -> None:
        """Like ``put``, but a disk that refuses is said once and does not stop the farm."""
        try:
            self.put(**parts)
            self._failed = False
        except OSError as error:
            if not self._failed:
                self._say(f"{self.file} cannot be written: {error}")
            self._failed = True
