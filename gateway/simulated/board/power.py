"""The switch of a simulated board: the process is asked to end.

MicroPython has no signals, so ``nongso.gateway.simulated.switch`` starts it with a pipe into
which SIGTERM writes a byte, and names the pipe in NONGSO_SWITCH. Without it (plain
``micropython main.py``) SIGTERM ends the board as pulling its plug does.
"""

import asyncio
import os
import sys


async def switched_off() -> None:
    """Return when the board is switched off."""
    if sys.implementation.name == "micropython":
        pipe = os.getenv("NONGSO_SWITCH")
        if pipe:
            with open("/dev/fd/" + pipe, "rb") as switch:
                await asyncio.StreamReader(switch).read(1)  # type: ignore[arg-type]
        else:
            while True:
                await asyncio.sleep(3600)
    else:
        import signal

        off = asyncio.Event()
        for word in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(word, off.set)
        await off.wait()
