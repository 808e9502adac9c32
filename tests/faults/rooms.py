"""Gateway and platform as processes: killed a thousand times, with a wall clock to turn.

A server process that has everything imported makes each of them by forking, so that a start costs
little more than the start of the program itself. The wall clock that they see is the real one and
a number of seconds out of a file; the steady clock is left alone.
"""

import importlib
import mmap
import multiprocessing
import os
import struct
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

PROGRAMS = {"gateway": "nongso.gateway.run", "platform": "nongso.platform.run"}
# Between two tries; ten times shorter than on a farm, so that a thousand outages take minutes.
SHORT_WAITS = (
    ("nongso.gateway.inbox", "LONGEST_WAIT_SECONDS", 1.0),
    ("nongso.gateway.uplink", "LONGEST_WAIT_SECONDS", 3.0),
    ("nongso.gateway.floods", "LEFT_OUT_SECONDS", 3.0),
)
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["rooms", *PROGRAMS.values()])


class Clock:
    """Seconds by which the wall clock of the rooms is wrong."""

    def __init__(self, file: Path) -> None:
        self.file = file
        file.write_bytes(struct.pack("d", 0.0))
        self.offset = 0.0

    def turn(self, offset: float) -> None:
        self.offset = offset
        with open(self.file, "r+b") as file:
            file.write(struct.pack("d", offset))

    def now(self) -> float:
        return time.time() + self.offset


def _run(room: str, settings_file: str, log: str, clock_file: str) -> None:
    """Be a room; in its process."""
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    with open(clock_file, "rb") as file:
        offset = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
    real = time.time
    time.time = lambda: real() + struct.unpack("d", offset[:8])[0]
    for module, name, seconds in SHORT_WAITS:
        setattr(sys.modules[module], name, seconds)
    run = importlib.import_module(PROGRAMS[room]).run
    sys.exit(run(Path(settings_file), **({"signer": False} if room == "platform" else {})))


class Room:
    """One program; ``start``, ``kill`` and ``start`` again."""

    def __init__(self, name: str, settings_file: Path, clock: Clock, folder: Path) -> None:
        self.log = folder / f"{name}.log"
        self._arguments = (name, str(settings_file), str(self.log), str(clock.file))
        self._process: BaseProcess | None = None

    def start(self) -> None:
        self._process = _context.Process(target=_run, args=self._arguments, daemon=True)
        self._process.start()

    def is_running(self) -> bool:
        return self._process is not None and self._process.is_alive()

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.join(20)
            assert not self._process.is_alive()
            self._process.close()
            self._process = None

    def resident_bytes(self) -> int:
        """What the process holds in memory; 0 while it does not run."""
        if self._process is None or self._process.pid is None:
            return 0
        try:
            pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")
