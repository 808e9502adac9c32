"""Processes of an earlier ``nongso up`` that was killed: they end by themselves within seconds.

The kernel tells them to when their parent dies. Until they have, they hold the store, the
valves' socket and the ports; a new start waits for that instead of running against them.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from nongso.commands.jsonfile import Unreadable, read_object

PATIENCE_SECONDS = 10.0
_LOOK_SECONDS = 0.1


def wait_for(folder: Path, say: Callable[[str], None]) -> None:
    """Wait until no process of an earlier start works in this folder; the deaf ones are killed."""
    left = [pid for pid in _named(folder / "demo.json") if _works_in(pid, folder)]
    if not left:
        return
    say(f"Waiting for {len(left)} processes of a nongso that was killed to end…")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while left and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
        left = [pid for pid in left if _works_in(pid, folder)]
    for pid in left:
        say(f"WARNING: process {pid} does not end; it is killed.")
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    while left and time.monotonic() < deadline + PATIENCE_SECONDS:
        time.sleep(_LOOK_SECONDS)
        left = [pid for pid in left if _works_in(pid, folder)]


def _named(demo: Path) -> list[int]:
    try:
        processes = read_object(demo).get("processes")
    except (FileNotFoundError, Unreadable):
        return []
    found = processes.values() if isinstance(processes, dict) else ()
    return [pid for pid in found if type(pid) is int and pid > 1]


def _works_in(pid: int, folder: Path) -> bool:
    """Say whether a process lives and is one of this folder's, not a stranger with its number."""
    about = Path("/proc") / str(pid)
    try:
        words = (about / "cmdline").read_bytes().split(b"\0")  # empty once it has ended
        if not words[0]:
            return False
        at = os.fsencode(folder) + b"/"
        if any(word.startswith(at) for word in words):
            return True
        return (os.fsencode(os.readlink(about / "cwd")) + b"/").startswith(at)
    except OSError:
        return False
