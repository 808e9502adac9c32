"""The door for one new board: opened by a claim code, closed after one use or ten minutes.

Nothing listens while nobody expects a board. Whoever knows the code gets, sealed with it, what
the node must know; a handful of wrong proofs closes the door before the time.
"""

import json
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from nongso.gateway.errors import GatewayError
from nongso.wire import claim

OPEN_SECONDS = 600.0
MOST_WRONG = 5
CLOSING_SECONDS = 6.0  # that a door needs at most from its end to a free port
_LONGEST_REQUEST = 1024
_LISTEN_SECONDS = 5.0


class Door:
    """Waits for one board. ``let_in`` gets its EUI-64 and returns its ``config.json``."""

    def __init__(
        self,
        host: str,
        port: int,
        let_in: Callable[[str], dict[str, Any]],
        steady: Callable[[], float] = time.monotonic,
        board: str | None = None,
    ) -> None:
        """Listen, for one ``board`` if it is named. Raises ``OSError`` if the port is taken."""
        letters = [secrets.choice(claim.ALPHABET) for _ in range(claim.CODE_LENGTH)]
        self.code = "".join(letters)
        self._key = claim.key_of(self.code)
        self._let_in, self._steady, self._board = let_in, steady, board
        self._until = steady() + OPEN_SECONDS
        self._lock = threading.Lock()
        self._wrong = 0
        self.admitted: str | None = None
        self.trouble = ""
        self.other_board: str | None = None  # it knew the code, which was another board's
        self._is_withdrawn = False
        door = self

        class Board(BaseHTTPRequestHandler):
            """One asking."""

            timeout = _LISTEN_SECONDS

            def do_POST(self) -> None:
                length = self.headers.get("Content-Length", "")
                good = self.path == "/claim" and length.isascii() and length.isdigit()
                if not good or int(length) > _LONGEST_REQUEST:
                    self.send_error(404)
                    return
                status, answer = door.answer(self.rfile.read(int(length)))
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing: the command tells what happened."""

        self._server = ThreadingHTTPServer((host, port), Board)
        self._server.daemon_threads = True

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def is_open(self) -> bool:
        """Say whether a board may still come."""
        in_time = self._steady() < self._until and self._wrong < MOST_WRONG
        is_used = self.admitted is not None or bool(self.trouble)
        return in_time and not is_used and not self._is_withdrawn

    @property
    def was_guessed_at(self) -> bool:
        """Say whether wrong proofs have closed it."""
        return self._wrong >= MOST_WRONG

    @property
    def was_withdrawn(self) -> bool:
        """Say whether it was closed before its time."""
        return self._is_withdrawn

    def withdraw(self) -> None:
        """Close it; nobody is let in any more."""
        with self._lock:
            self._is_withdrawn = True

    def wait(self, look: Callable[[], None] = lambda: None) -> None:
        """Serve until a board was let in or the door is closed."""
        thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        thread.start()
        try:
            while self.is_open:
                time.sleep(0.05)
                look()
            time.sleep(0.2)  # the answer is on its way
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join(5)

    def answer(self, raw: bytes) -> tuple[int, bytes]:
        """Answer one asking: an HTTP status and a body."""
        with self._lock:
            if not self.is_open:
                return 410, b""
            try:
                asked = json.loads(raw)
                eui64, nonce, proof = (str(asked[k]) for k in ("eui64", "nonce", "proof"))
                good = len(eui64) == 16 and not set(eui64) - set("0123456789abcdef")
            except (ValueError, KeyError, TypeError, RecursionError):
                return 400, b""
            if not good or not 16 <= len(nonce) <= 64:
                return 400, b""
            if not nonce.isalnum() or not nonce.isascii():
                return 400, b""
            if not claim.is_proved(self._key, eui64, nonce, proof):
                self._wrong += 1
                return 403, b""
            if self._board not in (None, eui64):
                self.trouble = f"the board {eui64} came; the code is for {self._board}"
                self.other_board = eui64
                return 409, b""
            try:
                config = self._let_in(eui64)
            except (GatewayError, OSError) as error:
                self.trouble = str(error)
                return 409, b""
            self.admitted = eui64
            return 200, claim.seal(self._key, nonce, json.dumps(config).encode()).encode()
