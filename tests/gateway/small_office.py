"""Something that answers HTTP as the platform does (contract section 4), and can misbehave.

It keeps rows as the platform must: by (store, id), and readings by (node, boot, seq). It stands
in at the HTTP boundary only; the walks use the real platform.
"""

import contextlib
import gzip
import hashlib
import hmac
import json
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from control_box import KEY

Row = dict[str, Any]


class Office:
    """A platform of one gateway. Change its attributes to make it misbehave."""

    def __init__(self, key: str = KEY) -> None:
        self.key = key
        self.rows: dict[tuple[str, int], Row] = {}
        self.batches: list[list[int]] = []
        self.polls: list[str] = []
        self.heard: list[str] = []
        self.arrived: list[tuple[float, Row]] = []
        self.name: Callable[[list[Row]], list[Row]] = lambda rows: rows
        self.refuse: Callable[[Row], str | None] = lambda row: None
        self.status = 200
        self.headers: dict[str, str] = {}
        self.lose_answers = 0  # so many batches are kept and not answered
        self.raw_answer: bytes | None = None
        self.offers: list[Callable[[str], Row]] = []
        self.most_rows = 10_000
        self.hold_telemetry = threading.Event()
        self.hold_telemetry.set()
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        self.open()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        """Begin to answer, on the same port as before."""
        self._server = _Server(("127.0.0.1", self.port), _handler(self))
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def encrypt(self, certificate: Path, key: Path) -> None:
        """Speak https from now on."""
        assert self._server is not None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.context = context

    def close(self) -> None:
        """Stop answering; connections are cut."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            server.cut()

    def of_kind(self, kind: str) -> list[Row]:
        return [row for row in list(self.rows.values()) if row["kind"] == kind]

    def messages(self) -> set[tuple[str, int, int]]:
        return {(row["node"], row["boot"], row["seq"]) for row in self.of_kind("readings")}

    def offer(self, command: Row, **forged: Any) -> None:
        """Answer the next poll with a signed command; ``forged`` changes it after signing."""
        self.offers.append(lambda poll: sign({"poll": poll, **command}, **forged))

    def _batch(self, body: bytes) -> Row | None:
        batch = json.loads(gzip.decompress(body))
        rows: list[Row] = batch["rows"]
        if any(row["kind"] == "readings" for row in rows):
            self.hold_telemetry.wait(10)
        if len(rows) > self.most_rows:
            return None
        refused = [
            {"id": row["id"], "code": code, "detail": "no"}
            for row in rows
            if (code := self.refuse(row)) is not None
        ]
        bad = {entry["id"] for entry in refused}
        named = self.name([row for row in rows if row["id"] not in bad])
        with self._lock:
            self.batches.append([row["id"] for row in rows])
            for row in named:
                self.rows[(batch["store"], row["id"])] = row
                self.arrived.append((time.monotonic(), row))
        return {"stored": [row["id"] for row in named], "refused": refused}

    def _poll(self, poll: str) -> list[Row]:
        self.polls.append(poll)
        deadline = time.monotonic() + 2.0
        while not self.offers and time.monotonic() < deadline and self._server is not None:
            time.sleep(0.005)
        with self._lock:
            offers, self.offers = self.offers, []
        return [offer(poll) for offer in offers]


def sign(command: Row, key: str = KEY, body: str | None = None, poll: str | None = None) -> Row:
    """Sign a command as the platform does."""
    if poll is not None:
        command = {**command, "poll": poll}
    text = json.dumps(command)
    found = hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
    return {"body": body if body is not None else text, "signature": found}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, *args: Any) -> None:
        self.connections: list[Any] = []
        self.context: ssl.SSLContext | None = None
        super().__init__(*args)

    def get_request(self) -> tuple[Any, Any]:
        request, address = super().get_request()
        if self.context is not None:  # the handshake is done in the connection's own thread
            request = self.context.wrap_socket(
                request, server_side=True, do_handshake_on_connect=False
            )
        return request, address

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.append(request)
        super().process_request(request, client_address)

    def cut(self) -> None:
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(2)
            connection.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a cut connection


def _handler(office: Office) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not self._is_known():
                return
            answer = office._batch(body)
            if answer is None:
                self._answer(413, {})
            elif office.lose_answers:
                office.lose_answers -= 1
                self.close_connection = True
                self.connection.shutdown(2)
            else:
                self._answer(200, answer)

        def do_GET(self) -> None:
            if self._is_known():
                asked = parse_qs(urlsplit(self.path).query)
                poll = asked["poll"][0]
                office.heard += asked.get("heard", [])
                self._answer(200, {"commands": office._poll(poll)})

        def _is_known(self) -> bool:
            if self.headers["Authorization"] != f"Bearer {office.key}":
                self._answer(401, {})
                return False
            if office.status != 200:
                self._answer(office.status, {})
                return False
            return True

        def _answer(self, status: int, found: Any) -> None:
            body = office.raw_answer or json.dumps(found).encode()
            self.send_response(status)
            for name, value in office.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    return Handler
