"""The connection under the MQTT client: bytes in and bytes out, at once or not at all.

Nothing here waits but ``open_line``. A task of MicroPython that waits for a stream takes memory
each time, and one that is cancelled meanwhile takes the stream's other waiting task with it, which
then waits for ever. So a node looks at its line now and then instead. The same for CPython stands
in ``line_on_cpython``, which no board loads.
"""

import asyncio

from nongso.node.interpreter import IS_MICROPYTHON, TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from typing import Any


class Line:
    """A connection that stands."""

    def __init__(self, socket: "Any") -> None:
        self._socket = socket

    def read(self, buffer: bytearray) -> int:
        """Read what has come, at most a buffer full; 0 if nothing has.

        Raises ``EOFError`` at the end, ``OSError``.
        """
        count = self._socket.readinto(buffer)
        if count == 0:
            raise EOFError("its end")
        return count or 0

    def write(self, buffer: bytearray, at: int, end: int) -> int:
        """Write what it takes of a part of a buffer; returns how much. Raises ``OSError``."""
        return self._socket.write(buffer, at, end - at) or 0

    def close(self) -> None:
        """Close it."""
        self._socket.close()


async def open_line(host: str, port: int, tls: "ssl.SSLContext | None", name: str) -> "Line":
    """Connect. Raises ``OSError``, ``ValueError`` (MicroPython's TLS)."""
    if not IS_MICROPYTHON:
        from nongso.node import line_on_cpython

        return await line_on_cpython.open_line(host, port, tls, name)  # type: ignore[return-value]
    if tls is None:
        stream, _ = await asyncio.open_connection(host, port)
    else:
        stream, _ = await asyncio.open_connection(host, port, ssl=tls, server_hostname=name)
    return Line(stream.s)  # type: ignore[attr-defined]
