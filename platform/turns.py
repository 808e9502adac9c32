"""Answers one after the other in one thread, and past an answer that takes its time in another.

Threads that all compute share Python's one interpreter: together they finish nothing sooner, and
each of them later (measured with 32 who look at once: the slowest in a hundred waited three times
the mean with three threads, twice with one). But one thread alone would let everybody wait for
the one who asks for something long.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

PATIENCE_SECONDS = 0.02  # with one answer, before the next thread goes on with the others


class _Stint:
    """A thread's time at the queue."""

    def __init__(self) -> None:
        self.has_turn = True
        self.since: float | None = None  # when it began what it is at


class Turns:
    """Does jobs for an event loop, in the order in which they came; ``most`` at once."""

    def __init__(self, most: int, name: str) -> None:
        self._jobs: SimpleQueue[tuple[Callable[[], Any], _Told] | None] = SimpleQueue()
        self._turn = threading.Lock()
        self._stint = _Stint()
        self._watched = False
        self._outstanding = 0
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}_{n}", daemon=True)
            for n in range(most)
        ]
        for thread in self._threads:
            thread.start()

    async def do(self, job: Callable[[], Any]) -> Any:
        """Return what the job returns, or raise what it raises."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._outstanding += 1
        self._jobs.put((job, lambda *said: _tell(loop, future, *said)))
        if not self._watched:
            self._watched = True
            loop.call_later(PATIENCE_SECONDS, self._watch, loop)
        try:
            return await future
        finally:
            self._outstanding -= 1

    def close(self) -> None:
        """Wait for what is being done; what has not begun is left."""
        while not self._jobs.empty():
            self._jobs.get()
        self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give the turn to the next thread where one has been at one job for long."""
        stint = self._stint
        since = stint.since
        if since is not None and stint.has_turn and time.monotonic() - since > PATIENCE_SECONDS:
            stint.has_turn = False
            self._turn.release()
        if self._outstanding:
            loop.call_later(PATIENCE_SECONDS, self._watch, loop)
        else:
            self._watched = False

    def _work(self) -> None:
        while True:
            self._turn.acquire()
            stint = self._stint = _Stint()
            while stint.has_turn:
                taken = self._jobs.get()
                if taken is None:
                    self._jobs.put(None)  # for the next thread
                    if stint.has_turn:
                        self._turn.release()
                    return
                job, tell = taken
                stint.since = time.monotonic()
                try:
                    tell(job(), None)
                except BaseException as error:
                    tell(None, error)
                stint.since = None


_Told = Callable[[Any, BaseException | None], None]


def _tell(
    loop: asyncio.AbstractEventLoop,
    future: "asyncio.Future[Any]",
    result: Any,
    error: BaseException | None,
) -> None:
    def tell() -> None:
        if future.cancelled():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    try:
        loop.call_soon_threadsafe(tell)
    except RuntimeError:
        if not loop.is_closed():
            raise
