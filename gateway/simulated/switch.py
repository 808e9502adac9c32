"""Runs the MicroPython interpreter in this process, with SIGTERM as the board's switch.

``python -m nongso.gateway.simulated.switch [-X heapsize=…] main.py``. MicroPython knows no
signals and never returns to CPython while it runs; but CPython's handler writes one byte into a
pipe by itself, and MicroPython can wait for that (``board/power.py``).
"""

import os
import signal
import sys


def main() -> None:
    """Run the interpreter with this process's arguments; does not return."""
    from micropython_unix import run_main  # type: ignore[import-untyped]

    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    os.environ["NONGSO_SWITCH"] = str(reading)
    sys.exit(run_main(["micropython", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
