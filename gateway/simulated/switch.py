"""Runs the MicroPython interpreter in this process, with SIGTERM and Ctrl-C as the board's switch.

``python -m nongso.gateway.simulated.switch [-X heapsize=…] main.py``. MicroPython knows no SIGTERM
and never returns to CPython while it runs. Ctrl-C it knows, but raises wherever it happens to be:
with its heap locked (in the middle of a collection) that ends in a MemoryError. So both signals
are kept from the process and arrive as bytes to be read, which MicroPython can wait for
(``board/power.py``).

Beside it a second process is the board's watchdog: once started (``board/machine.py``) it kills
the first when it is not fed in time, as the chip would reset a program that hangs.
"""

import ctypes
import os
import select
import signal
import sys
from pathlib import Path

SIGNALS = (signal.SIGTERM, signal.SIGINT)
BITTEN = "watchdog-bit"  # tells the next start of the board why it starts (board/machine.py)


def _readable_signals() -> int:
    """Return a handle from which the signals can be read (signalfd(2) of Linux)."""
    libc = ctypes.CDLL(None, use_errno=True)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    mask = (ctypes.c_uint64 * 16)(sum(1 << (number - 1) for number in SIGNALS))
    handle: int = libc.signalfd(-1, ctypes.byref(mask), 0)
    if handle < 0:
        raise OSError(ctypes.get_errno(), "signalfd")
    return handle


def _piped_signals() -> int:
    """The same for other systems; Ctrl-C stays MicroPython's there."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    return reading


def _watchdog() -> int:
    """Begin the watchdog; return the handle on which it is started and fed."""
    reading, writing = os.pipe()
    board = os.getpid()
    if os.fork():
        os.close(reading)
        os.set_inheritable(writing, True)
        return writing
    try:
        os.close(writing)
        _watch(reading, board)
    finally:
        os._exit(0)


def _watch(reading: int, board: int) -> None:
    """Return when the board has ended; kill it when its last word is older than it promised.

    The dog's clock can go faster, so that a test need not wait for a board that hangs.
    """
    seconds: float | None = None
    speed = float(os.environ.get("NONGSO_WATCHDOG_SPEED", "1"))
    while select.select([reading], [], [], seconds)[0]:
        words = os.read(reading, 4096).split()
        if not words:
            return
        seconds = int(words[-1]) / 1000 / speed
    Path(BITTEN).touch()
    os.kill(board, signal.SIGKILL)


def main() -> None:
    """Run the interpreter with this process's arguments; does not return."""
    from micropython_unix import run_main  # type: ignore[import-untyped]

    handle = _readable_signals() if sys.platform == "linux" else _piped_signals()
    os.environ["NONGSO_SWITCH"] = str(handle)
    os.environ["NONGSO_WATCHDOG"] = str(_watchdog())
    sys.exit(run_main(["micropython", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
