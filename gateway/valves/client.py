"""The gateway's side of the supervisor's socket.

The connection is the lease: as long as it stands and ``renew`` is called, runs go on; when this
process dies or hangs, the supervisor closes everything. Any thread may call; calls take turns.
"""

import json
import socket
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nongso.gateway.errors import GatewayError
from nongso.gateway.valves import socketfile

Answer = dict[str, Any]


class SupervisorGone(GatewayError):
    """The valve supervisor does not answer; nothing can be opened, and what was open closes."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(
            f"The valve supervisor does not answer at {path} ({detail}). Start it with: nongso"
            " gateway valves. Valves that were open close by themselves within the lease."
        )


class SupervisorRefused(GatewayError):
    """The supervisor did not take the request: another gateway holds it, or it was malformed."""


class Valves:
    """Requests to the supervisor. Connects when first asked, and again after a loss."""

    def __init__(self, path: Path, timeout_seconds: float = 2.0) -> None:
        self._path = path
        self._timeout = timeout_seconds
        self._end: socket.socket | None = None
        self._lock = threading.Lock()

    def open(
        self,
        zone: str,
        seconds: float,
        id: str,  # noqa: A002
        flow: float | None = None,
        test: bool = False,
    ) -> Answer:
        """Open a zone for ``seconds``: answers ``running``, or ``refused`` with code, values.

        ``flow`` is what is usual there, in l/min; in a wet test (``test``) nobody knows it.
        """
        asked: Answer = {"do": "open", "zone": zone, "seconds": seconds, "id": id}
        asked |= {"test": True} if test else {}
        return self._ask(asked if flow is None else asked | {"flow": flow})

    def hand(self, zone: str, seconds: float, id: str) -> Answer:  # noqa: A002
        """A person waters a zone for ``seconds``: any flow is right; answers like ``open``."""
        return self._ask({"do": "hand", "zone": zone, "seconds": seconds, "id": id})

    def stop(self, zone: str | None = None) -> Answer:
        """Close one zone, or everything: answers ``closed``, ``closing``, or ``refused``."""
        return self._ask({"do": "stop"} if zone is None else {"do": "stop", "zone": zone})

    def renew(self, heard: Iterable[str] = ()) -> Answer:
        """Hold the lease; tell which ended runs and alarms are on disk. Answers what runs."""
        return self._ask({"do": "renew", "heard": list(heard)})

    def read(self) -> Answer:
        """What meter, tank and coils said within the last seconds."""
        return self._ask({"do": "read"})

    def unlock(self, zone: str) -> Answer:
        """Take the lock off a zone, after a person has looked: answers ``unlocked``, and if it
        is not, ``code`` and ``values``."""
        return self._ask({"do": "unlock", "zone": zone})

    def hurry(self, timeout_seconds: float) -> None:
        """From the next request on, wait no longer than this: the caller is about to end."""
        self._timeout = min(self._timeout, timeout_seconds)

    def close(self) -> None:
        """Give the lease back: everything closes."""
        with self._lock:
            self._hang_up()

    def _hang_up(self) -> None:
        if self._end is not None:
            self._end.close()
            self._end = None

    def _ask(self, request: Answer) -> Answer:
        line = json.dumps(request, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            try:
                if self._end is None:
                    self._end = socketfile.connect(self._path, self._timeout)
                self._end.settimeout(self._timeout)
                self._end.sendall(line)
                answer = self._line(self._end)
            except (OSError, ValueError) as error:
                # A late answer must not be taken for the next one: begin with a new connection.
                self._hang_up()
                raise SupervisorGone(self._path, str(error) or type(error).__name__) from error
        if "error" in answer:
            raise SupervisorRefused(f"{answer['error']}: {answer.get('detail', '')}")
        return answer

    @staticmethod
    def _line(end: socket.socket) -> Answer:
        heard = b""
        while not heard.endswith(b"\n"):
            more = end.recv(65536)
            if not more:
                raise ConnectionResetError("it closed the connection")
            heard += more
        answer: Answer = json.loads(heard)
        return answer
