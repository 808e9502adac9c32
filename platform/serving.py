"""How a request reaches the application, and its answer the one who asked.

Uvicorn speaks HTTP in one thread. A request is taken whole before the application hears of it, and
an answer leaves the application whole before it goes out: whoever sends or fetches slowly
keeps a connection open, no thread. Threads come from two pools. Those who only look are answered
one after the other: several at once would fight for Python's one interpreter, and everybody would
wait longer. Only past an answer that takes its time (a long trace, a database on the network) the
next one starts. Whoever writes, or waits for something to happen (``wait=`` in the address), gets
one of the other threads, which mostly sleep. A finished page that everybody gets alike is given
out of memory before any thread is asked (``kept_pages``); what a view wants done after its answer
(``afterwards``) is done by one of the other threads when the answer is on its way.

What never reaches the application (a broken request, headers or a body too large, a client too
slow) is answered here, with the same security headers as every page. Not here: TLS, which a proxy
before us ends, and HTTP/2.
"""

import asyncio
import io
import logging
import socket
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import IO, Any
from urllib.parse import unquote_to_bytes

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from nongso.platform import afterwards, kept_pages
from nongso.platform.kept_pages import KeptPages, Key
from nongso.platform.listening import BACKLOG, FORWARDED
from nongso.platform.turns import Turns

log = logging.getLogger(__name__)

HEADER_SECONDS = 20.0  # from the first byte of a request to the end of its headers
REQUEST_SECONDS = 900.0  # to the end of its body: a batch over a very thin line
IDLE_SECONDS = 60  # between two requests over one connection
END_SECONDS = 5  # for what is being answered when the server is told to end
MOST_HEADER_BYTES = 256 * 1024
MOST_CONNECTIONS = 1000
MOST_BODY_IN_MEMORY = 512 * 1024
MOST_ANSWER_IN_MEMORY = 8 * 1024 * 1024  # a larger one needs room on the disk
PIECE = 256 * 1024  # of a large answer, sent when the one before is on its way
LOOKING_THREADS = 8
WITHOUT_BODY = (204, 304)  # RFC 9110, 8.6: no length, or that of what was not sent


class Server:
    """Serves an application over sockets that are open; ``run`` blocks, ``end`` ends it.

    ``headers`` go with the answers that the server makes by itself. ``threads`` work for those
    who write or wait. ``proxy`` is the address of the proxy that is believed about who asks; else
    all guesses at passwords would be its own. ``pages`` are those that are the same for everybody.
    """

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        sockets: list[socket.socket],
        headers: Mapping[str, str],
        *,
        threads: int,
        most_body: int,
        proxy: str = "",
        pages: KeptPages | None = None,
    ) -> None:
        self._sockets = sockets
        own = [(name.lower(), value) for name, value in headers.items()]
        self._bridge = _Bridge(application, own, threads, most_body, proxy, pages)
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # it would log each refusal
        config = uvicorn.Config(
            self._bridge,
            loop="uvloop",
            http=type("Connection", (_Connection,), {"own_headers": tuple(own)}),
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=END_SECONDS,
            backlog=BACKLOG,
        )
        self._server = _Uvicorn(config)

    def run(self) -> None:
        """Serve until ``end`` is called."""
        try:
            self._server.run(self._sockets)
        finally:
            self._bridge.close()

    def end(self) -> None:
        """Let ``run`` return soon; may be called from a signal handler or another thread."""
        self._server.should_exit = True


class _Uvicorn(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the program."""
        yield


def _own_answer(status: int, why: str) -> tuple[list[tuple[str, str]], bytes]:
    body = f"{status} {HTTPStatus(status).phrase}: {why}\n".encode()
    plain = [("content-type", "text/plain; charset=utf-8"), ("content-length", str(len(body)))]
    return [*plain, ("connection", "close")], body


_TOO_LARGE = (431, "the headers of the request are too large")
_TOO_LARGE_A_BODY = (413, "the body of the request is too large")
_TOO_SLOW = (408, "the request took too long to arrive")


class _Connection(HttpToolsProtocol):
    """A client's connection. Who dribbles a request is told so and hung up on."""

    own_headers: tuple[tuple[str, str], ...] = ()
    _deadline: asyncio.TimerHandle | None = None
    _in_headers = True
    _header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.close()
            return
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._headers_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_headers:
            if not self._header_bytes:
                self._await_headers()
            self._header_bytes += len(data)
        super().data_received(data)
        if self._in_headers and self._header_bytes > MOST_HEADER_BYTES:
            self._refuse(*_TOO_LARGE)

    def on_headers_complete(self) -> None:
        self._headers_came()
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MOST_HEADER_BYTES:
            self._refuse(*_TOO_LARGE)
            raise ValueError(_TOO_LARGE[1])  # the parser shall go no further
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_headers = True

    def _await_headers(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _headers_came(self) -> None:
        self._in_headers, self._header_bytes = False, 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._refuse(*_TOO_SLOW)

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "the request cannot be read")

    def _refuse(self, status: int, why: str) -> None:
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and not cycle.response_started:
            cycle.disconnected = True  # its body is broken: the application shall not hear of it
            cycle.message_event.set()
        if cycle is None or cycle.response_complete or cycle.disconnected:
            headers, body = _own_answer(status, why)
            lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
            lines += [f"{name}: {value}" for name, value in (*self.own_headers, *headers)]
            self.transport.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        self.transport.close()


@dataclass(frozen=True)
class _Answer:
    """What the application said, whole: in memory, or in a file that ends with it."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes | IO[bytes]
    is_head: bool = False
    same_for_everybody: bool = False
    afterwards: tuple[Callable[[], object], ...] = ()


class _Refused(Exception):
    """The request is answered here: its status and why."""


class _HungUp(Exception):
    """Nobody is there any more to be answered."""


class _Bridge:
    """From uvicorn's events to the application's call and back."""

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        headers: list[tuple[str, str]],
        threads: int,
        most_body: int,
        proxy: str,
        pages: KeptPages | None,
    ) -> None:
        self._application = application
        self._pages = pages
        self._headers = headers
        self._most_body = most_body
        self._proxy = proxy
        self._looking = Turns(LOOKING_THREADS, "looking")
        self._other = ThreadPoolExecutor(threads, "other")

    def close(self) -> None:
        """Wait for the threads that still work."""
        self._looking.close()
        self._other.shutdown(wait=True, cancel_futures=True)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        pages = self._pages
        key = kept_pages.key_of(scope) if pages is not None else None
        if pages is None or key is None:
            await self._make(scope, receive, send)
            return
        page = pages.find(key) or await pages.being_made(key)
        look = pages.look_due()
        if look is not None:
            asyncio.get_running_loop().run_in_executor(self._other, look)
        if page is None:
            await self._make_for_everybody(pages, key, scope, receive, send)
            return
        await send({"type": "http.response.start", "status": page.status, "headers": page.headers})
        await send({"type": "http.response.body", "body": page.body})

    async def _make_for_everybody(
        self, pages: KeptPages, key: Key, scope: Any, receive: Any, send: Any
    ) -> None:
        making, made = pages.begin(key), None
        try:
            answer = await self._make(scope, receive, send)
            if answer is not None and answer.same_for_everybody:
                assert isinstance(answer.body, bytes)
                made = answer.status, _told(answer), answer.body
        finally:
            pages.end(key, making, made)

    async def _make(self, scope: Any, receive: Any, send: Any) -> _Answer | None:
        try:
            answer = await self._answer(scope, receive)
        except _HungUp:
            return None
        except _Refused as refused:
            answer = self._own_answer(*refused.args)
        except Exception:
            log.exception("a request could not be answered")
            answer = self._own_answer(500, "a mistake on the server")
        try:
            await _send(send, answer)
        finally:
            for deed in answer.afterwards:
                self._other.submit(afterwards.do, deed)
        return answer

    def _own_answer(self, status: int, why: str) -> _Answer:
        headers, body = _own_answer(status, why)
        return _Answer(status, self._headers + headers, body)

    async def _answer(self, scope: Any, receive: Any) -> _Answer:
        with self._room_for_body(scope) as body:
            await self._take(body, receive)
            environ = self._environ(scope, body)
            only_looks = (
                scope["method"] in ("GET", "HEAD") and b"wait=" not in scope["query_string"]
            )
            call = partial(self._call, environ)
            if only_looks:
                answer: _Answer = await self._looking.do(call)
                return answer
            return await asyncio.get_running_loop().run_in_executor(self._other, call)

    def _room_for_body(self, scope: Any) -> IO[bytes]:
        declared = int(next((v for n, v in scope["headers"] if n == b"content-length"), b"0"))
        if declared > self._most_body:
            raise _Refused(*_TOO_LARGE_A_BODY)
        return tempfile.TemporaryFile() if declared > MOST_BODY_IN_MEMORY else io.BytesIO()

    async def _take(self, body: IO[bytes], receive: Any) -> None:
        """Take the whole body of a request, however slowly it comes."""
        size, more = 0, True
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                while more:
                    event = await receive()
                    if event["type"] == "http.disconnect":
                        raise _HungUp
                    size += len(event["body"])
                    if size > self._most_body:
                        raise _Refused(*_TOO_LARGE_A_BODY)
                    body.write(event["body"])
                    more = event["more_body"]
        except TimeoutError:
            raise _Refused(*_TOO_SLOW) from None
        body.seek(0)

    def _environ(self, scope: Any, body: IO[bytes]) -> dict[str, Any]:
        """Say what PEP 3333 asks for. Names of headers with an underscore are dropped: they could
        pass for one that the proxy has written."""
        client, server = scope["client"] or ("", 0), scope["server"] or ("", 0)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": scope["method"],
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
            "QUERY_STRING": scope["query_string"].decode("latin-1"),
            # As it was sent: an escaped slash in a lot's number is no end of a segment.
            "REQUEST_URI": b"?".join(
                filter(None, (scope["raw_path"], scope["query_string"]))
            ).decode("latin-1"),
            "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
            "SERVER_NAME": server[0],
            "SERVER_PORT": str(server[1]),
            "REMOTE_ADDR": client[0],
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": body,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
            afterwards.MARK: [],
        }
        for raw_name, raw_value in scope["headers"]:
            if b"_" in raw_name:
                continue
            name = raw_name.decode("latin-1").upper().replace("-", "_")
            value = raw_value.decode("latin-1").strip()
            if name not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                name = f"HTTP_{name}"
            if name in environ:
                value = environ[name] + ("; " if name == "HTTP_COOKIE" else ", ") + value
            environ[name] = value
        if environ.pop("HTTP_TRANSFER_ENCODING", None) is not None:
            environ["CONTENT_LENGTH"] = str(body.seek(0, io.SEEK_END))
            body.seek(0)
        forwarded = environ.pop("HTTP_X_FORWARDED_FOR", "")
        scheme = environ.pop("HTTP_X_FORWARDED_PROTO", "")
        environ[FORWARDED] = bool(forwarded)
        if self._proxy and client[0] == self._proxy:
            environ["REMOTE_ADDR"] = forwarded.rsplit(",", 1)[-1].strip() or client[0]
            if scheme in ("http", "https"):
                environ["wsgi.url_scheme"] = scheme
        return environ

    def _call(self, environ: dict[str, Any]) -> _Answer:
        """Ask the application and take its whole answer. Runs in a thread of a pool."""
        said: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            said[:] = [int(status[:3]), headers]

        pieces = self._application(environ, start)
        try:
            whole = _collect(pieces)
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()
        headers = [(name.lower(), value) for name, value in said[1]]
        return _Answer(
            said[0],
            headers,
            whole,
            environ["REQUEST_METHOD"] == "HEAD",
            isinstance(whole, bytes) and kept_pages.may_keep(environ, said[0], headers),
            tuple(environ[afterwards.MARK]),
        )


def _collect(pieces: Iterable[bytes]) -> bytes | IO[bytes]:
    kept: list[bytes] = []
    size, file = 0, None
    for piece in pieces:
        if file is not None:
            file.write(piece)
            continue
        kept.append(piece)
        size += len(piece)
        if size > MOST_ANSWER_IN_MEMORY:
            file = tempfile.TemporaryFile()  # noqa: SIM115  (goes with the answer)
            file.writelines(kept)
    return b"".join(kept) if file is None else file


def _told(answer: _Answer) -> list[tuple[bytes, bytes]]:
    """The headers of an answer as they go out. The date is written by uvicorn."""
    told = [(name, value) for name, value in answer.headers if name != "date"]
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in told]
    if isinstance(answer.body, bytes):
        is_told = any(name == b"content-length" for name, _ in headers)
        if not is_told and answer.status not in WITHOUT_BODY and not answer.is_head:
            headers.append((b"content-length", str(len(answer.body)).encode()))
    return headers


async def _send(send: Any, answer: _Answer) -> None:
    headers, body = _told(answer), answer.body
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if isinstance(body, bytes):
        await send({"type": "http.response.body", "body": body})
        return
    with body:
        body.seek(0)
        while piece := body.read(PIECE):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
