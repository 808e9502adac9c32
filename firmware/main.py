"""Runs the node: chooses the version of its program (``slots``) and hands over to it.

On a board MicroPython starts this file by itself. On a PC: ``micropython .../firmware/main.py``
with MICROPYPATH naming the simulated board, ``firmware`` and ``firmware/lib``; CPython
likewise with PYTHONPATH. Ends with status 1 and one sentence if the configuration is unusable.

This file and ``slots.py`` stay on the board as they are when a new version comes over the air, so
whatever a version does wrong must end here.
"""

import sys
import time

from slots import CRASHED, begin

_FAILED = 4  # exit status of a simulated board after an error of its own


def main():
    """Run until switched off."""
    slots = begin()
    try:
        import run

        starts_anew = run.main(slots)
    except BaseException as e:
        if isinstance(e, SystemExit) and not slots.is_trial:
            raise  # the configuration is unusable; it has been said
        print("the node ends by an error of its own: %r" % e)
        if hasattr(sys, "print_exception"):
            sys.print_exception(e)
        else:
            sys.excepthook(type(e), e, e.__traceback__)
        slots.failed(CRASHED)
        restart_after_failure()
    if starts_anew:
        import machine

        machine.reset()


def restart_after_failure():
    """Start anew: a real board resets itself, a simulated one ends and is started again."""
    if sys.platform in ("esp32", "rp2"):
        import machine

        time.sleep(5)  # so that somebody at the serial line can read why
        machine.reset()
    sys.exit(_FAILED)


main()
