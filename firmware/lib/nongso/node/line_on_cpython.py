"""What ``line`` says, for CPython: asyncio reads and writes, and between is a buffer each way."""

import asyncio
import ssl


class Line(asyncio.Protocol):
    """A connection that stands."""

    def __init__(self) -> None:
        self._came = bytearray()
        self._end: str | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._came += data

    def connection_lost(self, exc: Exception | None) -> None:
        self._end = repr(exc) if exc else "its end"

    def read(self, buffer: bytearray) -> int:
        """Read what has come, at most a buffer full; 0 if nothing has. Raises ``EOFError``."""
        count = min(len(buffer), len(self._came))
        if not count and self._end is not None:
            raise EOFError(self._end)
        buffer[:count] = self._came[:count]
        del self._came[:count]
        return count

    def write(self, buffer: bytearray, at: int, end: int) -> int:
        """Write all of a part of a buffer, or nothing. Raises ``OSError``."""
        if self._end is not None or self._transport is None:
            raise OSError(self._end)
        if self._transport.get_write_buffer_size():
            return 0
        self._transport.write(bytes(buffer[at:end]))
        return end - at

    def close(self) -> None:
        """Close it."""
        if self._transport is not None:
            self._transport.close()


async def open_line(host: str, port: int, tls: ssl.SSLContext | None, name: str) -> Line:
    """Connect. Raises ``OSError``."""
    _, made = await asyncio.get_running_loop().create_connection(
        Line, host, port, ssl=tls, server_hostname=name if tls is not None else None
    )
    return made
