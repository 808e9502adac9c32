"""The way between a phone and the server, which can break in the middle of what is being sent.

A TCP door before the server that lets everything through, until it is told to cut: then a form
that is sent (POST) ends in a closed connection, either before the server has seen it or after
the server has taken it and before the answer comes back. Everything else passes, as on a road
where single packets are lost; the browser believes that it has a network.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Literal

Cut = Literal["", "before", "after"]
CHUNK = 65536


class Road:
    """Listens on a port of its own; ``url`` is what the phone opens."""

    def __init__(self, server_port: int) -> None:
        self._server = ("127.0.0.1", server_port)
        self._cut: Cut = ""
        self.lost = 0
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._listen)]
        self._threads[0].start()

    @contextlib.contextmanager
    def cut(self, when: Cut) -> Iterator[None]:
        """Cut every form that is sent, until the end of the block; at least one must be."""
        self._cut, before = when, self.lost
        try:
            yield
        finally:
            self._cut = ""
        assert self.lost > before, "no form was sent, so nothing was cut"

    def close(self) -> None:
        """End all ways."""
        for one in (self._door, *list(self._open)):
            _shut(one)
        for thread in self._threads:
            thread.join(10)

    def _listen(self) -> None:
        while True:
            try:
                phone, _address = self._door.accept()
                server = socket.create_connection(self._server)
            except OSError:
                return
            self._open |= {phone, server}
            way = _Way(self, phone, server)
            for there in (way.to_server, way.to_phone):
                thread = threading.Thread(target=there)
                self._threads.append(thread)
                thread.start()


class _Way:
    """One connection, in both directions."""

    def __init__(self, road: Road, phone: socket.socket, server: socket.socket) -> None:
        self._road, self._phone, self._server = road, phone, server
        self._answer_is_lost = False

    def to_server(self) -> None:
        while chunk := _read(self._phone):
            if chunk.startswith(b"POST ") and self._road._cut:
                self._answer_is_lost = self._road._cut == "after"
                if not self._answer_is_lost:
                    self._road.lost += 1
                    break
            if not _send(self._server, chunk):
                break
        self._end()

    def to_phone(self) -> None:
        while chunk := _read(self._server):
            if self._answer_is_lost:
                self._road.lost += 1
                break
            if not _send(self._phone, chunk):
                break
        self._end()

    def _end(self) -> None:
        _shut(self._phone)
        _shut(self._server)


def _read(there: socket.socket) -> bytes:
    try:
        return there.recv(CHUNK)
    except OSError:
        return b""


def _send(there: socket.socket, chunk: bytes) -> bool:
    try:
        there.sendall(chunk)
    except OSError:
        return False
    return True


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
