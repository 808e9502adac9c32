"""The server's own end of the wire: where it listens, and what waitress answers by itself.

Waitress answers what never reaches the application (a broken request line, headers or a body that
are too large, a client that takes too long) from its own code. Those answers carry the same
security headers as every page, and the reasons why a port cannot be opened are told apart.
"""

import errno
import socket
import time
from collections.abc import Mapping
from typing import Any

import waitress  # type: ignore[import-untyped]  # has no annotations
from waitress.channel import HTTPChannel  # type: ignore[import-untyped]
from waitress.parser import HTTPRequestParser  # type: ignore[import-untyped]
from waitress.server import TcpWSGIServer  # type: ignore[import-untyped]
from waitress.task import ErrorTask  # type: ignore[import-untyped]
from waitress.utilities import BadRequest, Error  # type: ignore[import-untyped]

HEADER_SECONDS = 20.0  # from the first byte of a request to the end of its headers
REQUEST_SECONDS = 900.0  # to the end of its body: a batch over a very thin line
BACKLOG = 1024

_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class ListenError(Exception):
    """The server cannot listen there; the text says why and what to change."""


# --- listening ---------------------------------------------------------------------------------


def listen(host: str, port: int) -> list[socket.socket]:
    """Open the port at every address that the host stands for. Raises ``ListenError``.

    ``::`` means all addresses, those of IPv4 too, each over a socket of its own: so an address of
    IPv4 looks the same to everybody who compares it.
    """
    opened: list[socket.socket] = []
    try:
        for family, address in _addresses(host, port):
            chosen = opened[0].getsockname()[1] if opened and port == 0 else port
            try:
                opened.append(_open(family, address, chosen))
            except OSError as error:
                if error.errno not in _NOT_HERE or not opened:
                    raise _refusal(host, port, error) from error
    except BaseException:
        for one in opened:
            one.close()
        raise
    return opened


def _addresses(host: str, port: int) -> list[tuple[int, tuple[Any, ...]]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError, OverflowError) as error:
        raise ListenError(
            f"Cannot listen on {host!r}: there is no such host name or address ({error}). "
            "Correct host in platform.json: 127.0.0.1 for this machine only, 0.0.0.0 or :: for "
            "its whole network."
        ) from error
    addresses = list(dict.fromkeys((int(family), tuple(at)) for family, _, _, _, at in found))
    if host == "::":
        addresses.append((int(socket.AF_INET), ("0.0.0.0", port)))
    return addresses


def _open(family: int, address: tuple[Any, ...], port: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((address[0], port, *address[2:]))  # the rest is the scope of IPv6
        opened.listen(BACKLOG)
        opened.setblocking(False)
    except BaseException:
        opened.close()
        raise
    return opened


def _refusal(host: str, port: int, error: OSError) -> ListenError:
    where = f"Cannot listen on {host} port {port}: {error.strerror or error}."
    if error.errno == errno.EADDRINUSE:
        advice = "Another program uses this port: end it, or choose another port in platform.json."
    elif error.errno in _NOT_HERE:
        advice = "This machine has no such address: correct host in platform.json."
    elif error.errno in (errno.EACCES, errno.EPERM):
        advice = "This user may not open it: choose a port from 1024 in platform.json."
    else:
        advice = "Correct host and port in platform.json."
    return ListenError(f"{where} {advice}")


# --- waitress ----------------------------------------------------------------------------------


def create_server(
    application: Any, sockets: list[socket.socket], headers: Mapping[str, str], **settings: Any
) -> Any:
    """Make the waitress server; what it answers by itself carries ``headers`` too."""
    dispatchers: dict[int, Any] = {}
    server = waitress.create_server(application, map=dispatchers, sockets=sockets, **settings)
    channel = type("Channel", (_Channel,), {"own_headers": tuple(headers.items())})
    for one in dispatchers.values():
        if isinstance(one, TcpWSGIServer):
            one.channel_class = channel
    return server


class _TooSlow(Error):  # type: ignore[misc]
    code = 408
    reason = "Request Timeout"


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    """Waitress' parser; numbers and addresses that Python refuses are a bad request too."""

    def received(self, data: bytes) -> int:
        try:
            return int(super().received(data))
        except ValueError:  # a length of five thousand digits, a half-open [ in the address
            self.headers.clear()
            self.parse_header(b"GET / HTTP/1.0\r\n")
            self.error = BadRequest("Request cannot be read")
            self.completed = True
            return len(data)


class _OwnAnswer(ErrorTask):  # type: ignore[misc]
    def execute(self) -> None:
        self.response_headers.extend(self.channel.own_headers)
        super().execute()


class _Channel(HTTPChannel):  # type: ignore[misc]
    """A client's connection. Who dribbles a request is told so and hung up on."""

    error_task_class = _OwnAnswer
    parser_class = _Parser
    own_headers: tuple[tuple[str, str], ...] = ()
    request: Any = None
    _began = 0.0

    def received(self, data: bytes) -> bool:
        if self.request is None:
            self._began = time.monotonic()
        return bool(super().received(data))

    def readable(self) -> bool:
        request = self.request
        if request is not None and time.monotonic() - self._began > (
            REQUEST_SECONDS if request.headers_finished else HEADER_SECONDS
        ):
            self._give_up()
        return bool(super().readable())

    def _give_up(self) -> None:
        with self.requests_lock:
            request, self.request = self.request, None
            if request is None or self.requests:
                return
            if not request.headers_finished:
                request.parse_header(b"GET / HTTP/1.0\r\n")
            request.error = _TooSlow("The request took too long to arrive")
            request.completed = True
            self.requests.append(request)
            self.server.add_task(self)
