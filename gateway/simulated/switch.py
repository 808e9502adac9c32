"""Runs the MicroPython interpreter in this process, with SIGTERM and Ctrl-C as the board's switch.

``python -m nongso.gateway.simulated.switch [-X heapsize=…] main.py``. MicroPython knows no SIGTERM
and never returns to CPython while it runs. Ctrl-C it knows, but raises wherever it happens to be:
with its heap locked (in the middle of a collection) that ends in a MemoryError. So both signals
are kept from the process and arrive as bytes to be read, which MicroPython can wait for
(``board/power.py``).
"""

import ctypes
import os
import signal
import sys

SIGNALS = (signal.SIGTERM, signal.SIGINT)


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


def main() -> None:
    """Run the interpreter with this process's arguments; does not return."""
    from micropython_unix import run_main  # type: ignore[import-untyped]

    handle = _readable_signals() if sys.platform == "linux" else _piped_signals()
    os.environ["NONGSO_SWITCH"] = str(handle)
    sys.exit(run_main(["micropython", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
