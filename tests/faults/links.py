"""Lines between programs that can be cut: a door on loopback that carries bytes to another one.

``open`` carries; ``cut`` ends all connections, amid whatever goes over them, and takes no new
ones; ``silent`` keeps connections and carries nothing, as a line whose far end has vanished;
``deaf`` carries what is sent and no answers.
"""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

WAYS = ("cut", "silent", "deaf")


class Links:
    """The thread that carries for all lines."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="links", daemon=True)
        self._thread.start()

    def do(self, deed: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(deed, self.loop).result(20)

    def end(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


class Link:
    """One line to a port on this machine."""

    def __init__(self, links: Links, to_port: int) -> None:
        self._links = links
        self._to_port = to_port
        self._way = "open"
        self._changed = asyncio.Event()
        self._carrying: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server = links.do(self._open())
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def turn(self, way: str) -> None:
        """Go over to another way of carrying."""
        self._links.do(self._turn(way))

    def end(self) -> None:
        self._links.do(self._end())

    async def _open(self) -> asyncio.Server:
        return await asyncio.start_server(self._connected, "127.0.0.1", 0)

    async def _turn(self, way: str) -> None:
        self._way = way
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        if way == "cut":
            for writer in self._writers:
                writer.transport.abort()

    async def _end(self) -> None:
        self._server.close()
        for task in list(self._carrying):
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carrying.add(task)
        self._writers.add(writer)
        far = None
        try:
            if self._way == "cut":
                return
            far_reader, far = await asyncio.open_connection("127.0.0.1", self._to_port)
            self._writers.add(far)
            there = asyncio.ensure_future(self._carry(reader, far, is_answer=False))
            back = asyncio.ensure_future(self._carry(far_reader, writer, is_answer=True))
            await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
            there.cancel()
            back.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._carrying.discard(task)
            for one in (writer, far):
                if one is not None:
                    self._writers.discard(one)
                    one.transport.abort()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        while piece := await reader.read(1 << 16):
            while self._way == "silent" or (self._way == "deaf" and is_answer):
                await self._changed.wait()
            writer.write(piece)
            await writer.drain()
