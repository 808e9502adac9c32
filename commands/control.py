"""Hold and release the parts of a running ``nongso up``: the server's side and the asking side.

For training and tests: what happens when the broker, the gateway or the platform is away
for a minute. One JSON line each way on a Unix socket in the data folder.
"""

import json
import math
import selectors
import socket
import time
from pathlib import Path
from typing import Any

from nongso.commands.errors import CommandError
from nongso.commands.processes import Household

ANSWER_SECONDS = 30.0
LISTEN_SECONDS = 2.0
LONGEST_LINE = 4096
LONGEST_HOLD_SECONDS = 86400.0


class ControlSocket:
    """The door of a running household; ``wait`` serves it."""

    def __init__(self, path: Path, household: Household) -> None:
        self._path = path
        self._household = household
        self._changed = False
        path.unlink(missing_ok=True)  # left by a process that was killed; the lock is ours
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        path.chmod(0o600)
        self._socket.listen(4)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)

    def wait(self, seconds: float) -> bool:
        """Wait so long, answer whoever asks meanwhile; return whether processes changed by it."""
        self._changed = False
        if not self._selector.select(seconds):
            return False
        try:
            connection, _ = self._socket.accept()
            with connection:
                line = _line(connection, LISTEN_SECONDS)
                connection.sendall(json.dumps(self._answer(line)).encode() + b"\n")
        except OSError:
            pass  # whoever asked is gone, or never said what it wants
        return self._changed

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            asked = json.loads(line)
            what, part, seconds = asked["do"], asked.get("part"), asked.get("seconds")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {"error": "not understood"}
        children = self._household.children
        if what not in ("status", "stop", "start"):
            return {"error": f"cannot {what!r:.40}; can status, stop, start"}
        if what == "status":
            pass
        elif not isinstance(part, str) or part not in children:
            return {"error": f"no part called {part!r:.40}; there are: {', '.join(children)}"}
        elif what == "start":
            self._household.release(part)
            self._changed |= self._household.tend()
        elif seconds is not None and not _is_time(seconds):
            return {"error": f"{seconds!r:.40} is not a time: more than 0, at most 86400 s"}
        else:
            self._household.hold(part, seconds)
            self._changed = True
        return {
            "parts": {
                name: {"pid": c.pid, "held": c.held_until is not None, "trouble": c.trouble}
                for name, c in children.items()
            }
        }

    def close(self) -> None:
        self._selector.close()
        self._socket.close()
        self._path.unlink(missing_ok=True)


def _is_time(seconds: object) -> bool:
    return (
        isinstance(seconds, int | float)
        and not isinstance(seconds, bool)
        and math.isfinite(seconds)
        and 0 < seconds <= LONGEST_HOLD_SECONDS
    )


def _line(connection: socket.socket, patience_seconds: float) -> bytes:
    """Read one line. Raises ``OSError`` when it does not come in time or never ends."""
    deadline = time.monotonic() + patience_seconds
    found = b""
    while not found.endswith(b"\n"):
        connection.settimeout(max(deadline - time.monotonic(), 0.01))
        piece = connection.recv(4096)
        if not piece:
            break
        found += piece
        if len(found) > LONGEST_LINE:
            raise OSError("the line is too long")
    return found


def ask(data: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Ask the ``nongso up`` that runs on this data folder. Raises ``CommandError``."""
    path = data.absolute() / "up.sock"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_SECONDS)
        try:
            connection.connect(str(path))
        except OSError as e:
            raise CommandError(
                f"No nongso runs on {data} ({e.strerror or e}). Start it with: "
                f"nongso up --data {data}"
            ) from e
        try:
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as answers:
                answer = json.loads(answers.readline())
            if "error" in answer:
                raise CommandError(str(answer["error"]))
            if not isinstance(answer["parts"], dict):
                raise TypeError
        except TimeoutError as e:
            raise CommandError(
                f"The nongso on {data} has not answered for {ANSWER_SECONDS:.0f} s; it may be "
                "busy starting or ending. Ask again in a minute."
            ) from e
        except (OSError, ValueError, TypeError, KeyError) as e:
            raise CommandError(f"The nongso on {data} is ending; it gave no answer.") from e
    found: dict[str, Any] = answer
    return found
