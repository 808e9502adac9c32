"""A board on a cable: what is asked of it and written to it. The door to ``mpremote``.

How this works. ``mpremote`` stops what runs on the board and gives a prompt for machines; here
short programs are sent to it. A watchdog that was started cannot be stopped again on any board,
so it is fed with each piece that is written. Nothing is decided here; ``node_deploy`` does that.
"""

import base64
import contextlib
import io
import json
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

from nongso.commands.errors import CommandError

PIECE_BYTES = 768  # 1024 letters of base64: few questions, little memory
ANSWER_SECONDS = 6
WORK_SECONDS = 10  # for one short program
READ_SECONDS = 3.0

_BEGIN = """
import json, os, sys, hashlib, binascii, machine
_dog = machine.WDT(timeout=8000)
def _tell(x):
    print("\\x02" + json.dumps(x) + "\\x03")
def _sha(path):
    h = hashlib.sha256()
    try:
        with open(path, "rb") as f:
            while True:
                b = f.read(512)
                if not b:
                    return "".join("%02x" % c for c in h.digest())
                h.update(b)
    except OSError:
        return ""
def _read(path):
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return None
def _dirs(path):
    parts = path.split("/")[:-1]
    for i in range(len(parts)):
        try:
            os.mkdir("/".join(parts[:i + 1]))
        except OSError:
            pass
def _w(b):
    _f.write(binascii.a2b_base64(b))
    _dog.feed()
def _copy(a, b):
    _dirs(b)
    with open(a, "rb") as f, open(b, "wb") as g:
        while True:
            p = f.read(512)
            if not p:
                break
            g.write(p)
    _dog.feed()
def _number():
    try:
        import network
        n = network.WLAN(network.STA_IF).config("mac")
    except Exception:
        n = machine.unique_id()
    return "".join("%02x" % c for c in n)
"""

NO_ANSWER = (
    "no answer on {port}: is it the board's port? Hold BOOT, plug in again, let go after a "
    "second, and try once more; if it stays so, put MicroPython on the board anew"
)
NO_PORT = "there is no port {port} ({why}). Plug the board in; nongso node list shows the ports"
IN_USE = "{port} is in use: close the other program that has it open (a terminal, an editor)"
NO_RIGHT = "{port} may not be opened by this user: add it to the group dialout and log in again"


class Board:
    """A board that has stopped its program and listens. Made by ``stopped``."""

    def __init__(self, transport: Any, port: str) -> None:
        self._transport = transport
        self.port = port
        self.run(_BEGIN)

    def run(self, program: str) -> str:
        """Run a program and return what it prints. Raises ``CommandError``."""
        from mpremote.transport import TransportError  # type: ignore[import-untyped]

        found: bytes
        wrong: bytes
        try:
            found, wrong = self._transport.exec_raw(program, timeout=WORK_SECONDS)
        except (TransportError, OSError, ValueError, struct.error) as error:
            raise CommandError(
                f"The board on {self.port} stopped answering ({error}). What ran on it before "
                "runs again after a reset: plug it in again, and deploy once more."
            ) from None
        if wrong:
            last = (wrong.decode(errors="replace").strip().splitlines() or ["no word"])[-1]
            if "ENOSPC" in last or "[Errno 28]" in last:
                raise CommandError(f"The board on {self.port} has no space left.")
            raise CommandError(f"The board on {self.port} failed: {last}")
        return found.decode(errors="replace")

    def ask(self, expression: str) -> Any:
        """Evaluate on the board; the answer comes as JSON."""
        found = self.run(f"_tell({expression})")
        return json.loads(found[found.index("\x02") + 1 : found.rindex("\x03")])

    def hashes(self, paths: list[str]) -> dict[str, str]:
        """SHA-256 of files; empty for one that is not there."""
        found = {}
        for start in range(0, len(paths), 10):
            some = paths[start : start + 10]
            found.update(self.ask(f"{{p: _sha(p) for p in {some!r}}}"))
            self.run("_dog.feed()")
        return found

    def read(self, path: str) -> str | None:
        """Read a text file; ``None`` if it is not there."""
        found: str | None = self.ask(f"_read({path!r})")
        return found

    def write(self, path: str, content: bytes) -> None:
        """Write a file where nothing reads it yet."""
        self.run(f"_dirs({path!r})\n_f = open({path!r}, 'wb')")
        for start in range(0, len(content), PIECE_BYTES):
            piece = base64.b64encode(content[start : start + PIECE_BYTES])
            self.run(f"_w({piece!r})")
        self.run("_f.close()")

    def replace(self, path: str, content: bytes) -> None:
        """Write a file in one step: after a power cut it is the old or the new one."""
        self.write(path + ".new", content)
        self.run(f"os.rename({path + '.new'!r}, {path!r})")

    def copy(self, source: str, path: str) -> None:
        """Copy a file on the board."""
        self.run(f"_copy({source!r}, {path!r})")

    def restart(self) -> None:
        """Start the board anew; it does not listen any more."""
        with contextlib.suppress(OSError, ValueError):
            self._transport.exec_raw_no_follow("machine.reset()")

    def lines(self, seconds: float) -> Iterator[str]:
        """What the board says after ``restart``, line by line, for so long."""
        deadline = time.monotonic() + seconds
        held = b""
        while time.monotonic() < deadline:
            try:
                port = self._transport.serial
                waiting = port.in_waiting
                if not waiting:
                    time.sleep(0.05)
                    continue
                held += port.read(waiting)
            except OSError:  # a board with its own USB goes and comes back with the reset
                with contextlib.suppress(OSError):
                    self._transport.serial.close()
                time.sleep(0.3)
                with contextlib.suppress(OSError):
                    self._transport.serial.open()
                continue
            *whole, held = held.split(b"\n")
            for line in whole:
                yield line.decode(errors="replace").strip("\r\x04>\x02 ")


@contextlib.contextmanager
def stopped(port: str) -> Iterator[Board]:
    """Stop what runs on the board at a port and listen to it. Raises ``CommandError``."""
    from mpremote.transport import TransportError
    from mpremote.transport_serial import SerialTransport  # type: ignore[import-untyped]

    try:
        transport = SerialTransport(port, baudrate=115200, timeout=READ_SECONDS)
    except (TransportError, OSError, ValueError) as error:
        raise CommandError(_why_closed(port, error)) from None
    try:
        for last in (False, False, True):  # a board that was just plugged in hears nothing yet
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    transport.enter_raw_repl(timeout_overall=ANSWER_SECONDS)
                break
            except (TransportError, OSError):
                if last:
                    raise CommandError(NO_ANSWER.format(port=port)) from None
        yield Board(transport, port)
    finally:
        with contextlib.suppress(OSError):
            transport.close()


def _why_closed(port: str, error: Exception) -> str:
    import errno
    import os

    if not os.path.exists(port):
        return NO_PORT.format(port=port, why="nothing is plugged in there")
    try:
        os.close(os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError as found:
        if found.errno in (errno.EACCES, errno.EPERM):
            return NO_RIGHT.format(port=port)
        return NO_PORT.format(port=port, why=found.strerror)
    return IN_USE.format(port=port)


def ports(say: Callable[[str], None]) -> list[str]:
    """List the ports at which a board may be, with what the system knows of each."""
    import serial.tools.list_ports  # type: ignore[import-untyped]

    found = [p for p in sorted(serial.tools.list_ports.comports()) if p.vid is not None]
    for port in found:
        about = " ".join(filter(None, (port.manufacturer, port.product, port.serial_number)))
        say(f"{port.device:20} {about}".rstrip())
    return [port.device for port in found]


def describe(board: Board) -> str:
    """Say who a board is: what it is called, and which version of the program it has."""
    what = board.ask("sys.implementation[2]")
    text = board.read("config.json")
    try:
        config = json.loads(text or "{}")
        state = json.loads(board.read("slots.json") or "{}")
        version = json.loads(board.read(f"{state.get('active')}/version.json") or "{}")
        who = f"{config['node']} of {config['farm']} ({config['eui64']})"
        return f"{what}: {who}, version {version.get('version', 'none')}"
    except (ValueError, KeyError, AttributeError, TypeError):
        return f"{what}: not set up yet; nongso node deploy does it"
