"""Where MicroPython and CPython differ, settled in one place.

Nothing here knows of sensors or messages. Ticks are milliseconds that wrap on boards
(every 12.4 days): compare them only through ``ticks_diff``.
"""

import asyncio
import gc
import os
import sys

IS_MICROPYTHON = sys.implementation.name == "micropython"

# Type checkers take this for true; boards have no typing module.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, BinaryIO

if IS_MICROPYTHON:
    import time

    import micropython  # type: ignore[import-not-found]

    # Collect often, so that a small heap stays in one piece; before the other modules are loaded.
    gc.threshold(4096)  # type: ignore[attr-defined]

    # MicroPython looks for a built-in module in every folder of the path before it looks inside,
    # each time anew: 16 ms for each import on a Pico W. What is in sys.modules is found at once.
    _path = sys.path[:]
    sys.path[:] = [".frozen"]
    for _name in ("binascii", "hashlib", "io", "json", "os", "socket", "struct", "sys", "time"):
        sys.modules[_name] = __import__(_name)
    sys.path[:] = _path

    const = micropython.const  # the compiler puts the number in the place of the name
    ticks_add = time.ticks_add  # type: ignore[attr-defined]
    ticks_diff = time.ticks_diff  # type: ignore[attr-defined]
    ticks_ms = time.ticks_ms  # type: ignore[attr-defined]
    pause_ms = time.sleep_ms  # type: ignore[attr-defined]
    sleep_ms = asyncio.sleep_ms  # type: ignore[attr-defined]
    wait_ms = asyncio.wait_for_ms  # type: ignore[attr-defined]

    def sync(file: "BinaryIO") -> None:
        """Return when what was written lies on the disk or flash."""
        file.flush()  # on boards littlefs commits, on the PC's port this is fsync

else:
    from time import monotonic, sleep

    def const(number: int) -> int:
        """Return the number."""
        return number

    def ticks_ms() -> int:
        """Milliseconds since some moment."""
        return int(monotonic() * 1000)

    def ticks_add(ticks: int, ms: int) -> int:
        """Move a moment by some milliseconds."""
        return ticks + ms

    def ticks_diff(later: int, earlier: int) -> int:
        """Milliseconds from ``earlier`` to ``later``."""
        return later - earlier

    def pause_ms(ms: int) -> None:
        """Stand still for some milliseconds, the other tasks too: for a chip's short waits."""
        sleep(ms / 1000)

    async def sleep_ms(ms: int) -> None:
        """Let the other tasks run for some milliseconds."""
        await asyncio.sleep(ms / 1000)

    async def wait_ms(work: "Coroutine[Any, Any, Any]", ms: int) -> "Any":
        """Await ``work`` but at most some milliseconds; raises ``asyncio.TimeoutError``."""
        async with asyncio.timeout(ms / 1000):  # wait_for can swallow a cancellation
            return await work

    def sync(file: "BinaryIO") -> None:
        """Return when what was written lies on the disk or flash."""
        file.flush()
        os.fsync(file.fileno())


async def wait_event(event: asyncio.Event, ms: int) -> bool:
    """Wait until the event is set, at most some milliseconds; say whether it is."""
    try:
        await wait_ms(event.wait(), ms)
    except asyncio.TimeoutError:
        pass
    return event.is_set()


def forget(name: str) -> None:
    """Let go of a module, on a board; its package holds it too."""
    if IS_MICROPYTHON and sys.modules.pop(name, None) is not None:
        package, _, leaf = name.rpartition(".")
        if package:
            delattr(sys.modules[package], leaf)
        gc.collect()


def random_bits(count: int) -> int:
    """Random whole number of at most 30 bits, from the system's or chip's true source."""
    return int.from_bytes(os.urandom(4), "little") & ((1 << count) - 1)
