"""Hold and release the parts of a running ``nongso up``: the server's side and the asking side.

For training and tests: what happens when the broker, the gateway or the platform is away
for a minute. One JSON line each way on a Unix socket in the data folder.
"""

import contextlib
import json
import selectors
import socket
from pathlib import Path
from typing import Any

from nongso.commands.errors import CommandError
from nongso.commands.processes import Household

ANSWER_SECONDS = 30.0


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
        connection, _ = self._socket.accept()
        with connection, contextlib.suppress(OSError):
            connection.settimeout(2.0)
            line = connection.makefile("r").readline()
            connection.sendall(json.dumps(self._answer(line)).encode() + b"\n")
        return self._changed

    def _answer(self, line: str) -> dict[str, Any]:
        try:
            asked = json.loads(line)
            what, part = asked["do"], asked.get("part")
        except (ValueError, KeyError, TypeError):
            return {"error": "not understood"}
        children = self._household.children
        if what != "status" and part not in children:
            return {"error": f"no part called {part!r}; there are: {', '.join(children)}"}
        if what == "stop":
            self._household.hold(part, asked.get("seconds"))
            self._changed = True
        elif what == "start":
            self._household.release(part)
            self._changed |= self._household.tend()
        elif what != "status":
            return {"error": f"cannot {what!r}"}
        return {
            "parts": {
                name: {"pid": c.pid, "held": c.held_until is not None}
                for name, c in children.items()
            }
        }

    def close(self) -> None:
        self._selector.close()
        self._socket.close()
        self._path.unlink(missing_ok=True)


def ask(data: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Ask the ``nongso up`` that runs on this data folder."""
    path = data.absolute() / "up.sock"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_SECONDS)
        try:
            connection.connect(str(path))
        except OSError as e:
            raise CommandError(
                f"No nongso runs on {data} ({e.strerror}). Start it with: nongso up --data {data}"
            ) from e
        connection.sendall(json.dumps(request).encode() + b"\n")
        answer: dict[str, Any] = json.loads(connection.makefile("r").readline() or "{}")
    if "error" in answer:
        raise CommandError(answer["error"])
    return answer
