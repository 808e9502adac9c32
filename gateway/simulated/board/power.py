"""The switch of a simulated board: the process is asked to end.

MicroPython has no signals, so ``nongso.gateway.simulated.switch`` starts it with a handle from
which SIGTERM and Ctrl-C can be read, and names it in NONGSO_SWITCH. Without it (plain
``micropython main.py``) SIGTERM ends the board as pulling its plug does.
"""

import asyncio
import os
import sys

_SIGNAL_BYTES = 128  # a signal as Linux tells it; less must not be asked for


async def switched_off() -> None:
    """Return when the board is switched off."""
    if sys.implementation.name == "micropython":
        handle = os.getenv("NONGSO_SWITCH")
        if handle:
            with open(int(handle), "rb") as switch:
                await asyncio.StreamReader(switch).read(_SIGNAL_BYTES)  # type: ignore[arg-type]
        else:
            while True:
                await asyncio.sleep(3600)
    else:
        import signal

        off = asyncio.Event()
        for word in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(word, off.set)
        await off.wait()
