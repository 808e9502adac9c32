"""A board on a cable that is none: MicroPython behind a terminal, with flash, watchdog and reset.

How this works. ``mpremote`` speaks with a pty; a thread carries bytes between it and the pty of
the interpreter, whose root file system is littlefs in a file (``vboard_start.py``). The
simulated chips write a line to a pipe when the watchdog is fed or the board resets itself; then,
or when it is not fed in time, the interpreter is killed and started again with the reset's cause,
and its file is all that stays, as with a chip.
"""

import contextlib
import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import threading
import time
import tty
from pathlib import Path

from nongso.gateway.simulated import boards

HERE = Path(__file__).parent
RAW, FRIENDLY = b"raw REPL; CTRL-B to exit", b"\r\n>>> "
_LOOK_SECONDS = 0.05


class VirtualBoard:
    """One board with a cable. ``port`` is what mpremote connects to."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.flash = folder / "flash.img"
        if not self.flash.exists():
            self.flash.write_bytes(b"\xff" * (4096 * 512))
        self.speed = 1.0  # of the watchdog's clock
        self._host, slave = pty.openpty()
        tty.setraw(slave)
        tty.setraw(self._host)
        self._slave = slave
        self.port = os.ttyname(slave)
        self.said = bytearray()
        self.starts: list[str] = []  # why each start happened
        self._raw = False
        self._lock = threading.Lock()
        self._stopping = self._is_unplugged = False
        self._spawn("power")
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def words(self) -> str:
        """Everything that it has said."""
        return bytes(self.said).decode(errors="replace")

    def pull_the_plug(self) -> None:
        """Power off and on again."""
        with self._lock:
            self._end()
            self._raw = False
            self._is_unplugged = True
            self._spawn("power")

    def close(self) -> None:
        self._stopping = True
        self._thread.join(5)
        with self._lock:
            self._end()
        os.close(self._host)
        os.close(self._slave)

    # --- the chip ---------------------------------------------------------------

    def _spawn(self, cause: str) -> None:
        master, slave = pty.openpty()
        tty.setraw(slave)
        attributes = termios.tcgetattr(slave)
        attributes[3] |= termios.ISIG  # Ctrl-C reaches the interpreter
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        self._line, writing = os.pipe()
        env = {
            **os.environ,
            "MICROPYPATH": ".frozen",
            "VB_SIMULATED": str(boards.module_paths()[0]),
            "VB_FLASH": str(self.flash),
            "VB_LINE": str(writing),
            "VB_CAUSE": cause,
            "VB_RAW": "1" if self._raw else "0",
        }

        def own_terminal() -> None:
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        run = "import sys; from micropython_unix import run_main; sys.exit(run_main(sys.argv[1:]))"
        self._child = subprocess.Popen(
            [
                *(sys.executable, "-c", run, "micropython"),
                *("-X", f"heapsize={boards.HEAP}", "-i", str(HERE / "vboard_start.py")),
            ],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=env,
            preexec_fn=own_terminal,
            pass_fds=(writing,),
        )
        os.close(slave)
        os.close(writing)
        self._chip = master
        self._bites_at: float | None = None
        self._hears = False
        self.starts.append(cause)

    def _end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._child.kill()
        self._child.wait(10)
        os.close(self._chip)
        os.close(self._line)

    def _again(self, cause: str) -> None:
        self._end()
        if cause != "soft":
            self._raw = False
        else:
            self._answer(b"MPY: soft reboot\r\n")
        self._spawn(cause)

    def _serve(self) -> None:
        while not self._stopping:
            with self._lock:
                self._turn()

    def _turn(self) -> None:
        wanted = [self._host] if self._hears else []
        ready = select.select([*wanted, self._chip, self._line], [], [], _LOOK_SECONDS)[0]
        if self._host in ready:
            content = os.read(self._host, 1024)
            if self._is_unplugged and content.startswith(b"\r\x03"):
                self._is_unplugged = False  # somebody connects anew
            if not self._is_unplugged:
                with contextlib.suppress(OSError):
                    os.write(self._chip, content)
        if self._chip in ready:
            try:
                self._answer(os.read(self._chip, 4096))
            except OSError:
                ready = [self._line] if self._line in ready else []
                time.sleep(0.01)
        if self._line in ready:
            for word in os.read(self._line, 4096).split():
                if word == b"B":
                    self._hears = True
                    if self._raw:
                        os.write(self._chip, b"\x01")
                    continue
                if word == b"R":
                    self._again("hard")
                    return
                self._bites_at = time.monotonic() + int(word) / 1000 / self.speed
        if self._child.poll() is not None:
            self._again("soft")
        elif self._bites_at is not None and time.monotonic() > self._bites_at:
            self._again("watchdog")

    def _answer(self, content: bytes) -> None:
        self.said += content
        if content.endswith(FRIENDLY) or self.said[-60:].endswith(FRIENDLY):
            self._raw = False
        if RAW in self.said[-60:]:
            self._raw = True
        with contextlib.suppress(OSError):
            os.write(self._host, content)


assert signal.SIGKILL  # Linux only
