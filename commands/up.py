"""``nongso up``: the whole system on one machine, from the simulated soil to the shopper's page.

Here is its life from the first word to the last: brings everything up (``nongso.commands.start``),
tends the processes until it is told to stop, and ends them in order. Ctrl-C, SIGTERM and a closed
terminal (SIGHUP) all mean the same, at any moment and however often. The farm is simulated, and
it says so.
"""

import contextlib
import os
import signal
import sys
from types import FrameType
from typing import Any, Self

from nongso.commands import leftovers
from nongso.commands.control import ControlSocket
from nongso.commands.house import House
from nongso.commands.ports import free_ports
from nongso.commands.processes import Household
from nongso.commands.start import Start, Stopped, Wishes
from nongso.gateway.simulated.relay import read_edges

TURN_SECONDS = 0.2


def say(text: str) -> None:
    """Print a line; a terminal that is gone stops nobody's water."""
    try:
        print(text, flush=True)
    except OSError:
        _speak_to_nobody()


def _speak_to_nobody() -> None:
    """Let further words go nowhere, so that none fails at the interpreter's end either."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def run(wishes: Wishes) -> int:
    """Bring everything up, tend it, and end it. Returns the exit status."""
    with _Asked() as asked, House(wishes.data, say) as house:
        leftovers.wait_for(house.folder, say)
        ports = free_ports(wishes.port, wishes.host)
        household = Household(say)
        control = None
        start = None
        try:
            start = Start(house, ports, wishes, household, say, lambda: asked.to_stop)
            start.look_over()
            control = ControlSocket(house.path("up.sock"), household)
            start.bring_up(control)
            while not asked.to_stop:
                changed = control.wait(TURN_SECONDS)
                if household.tend() or changed:
                    start.write_demo()
                start.retry()
        except Stopped:
            pass
        finally:
            if household.children:
                say("Ending: closing all valves, then every process…")
            household.end()
            if control is not None:
                control.close()
            if start is not None:
                start.write_demo()
        say(f"Ended. {_valves(house)}; the data stay in {house.folder}")
    return 0


def _valves(house: House) -> str:
    """Say how the relay board's own log leaves the valves."""
    try:
        left_on, _ = read_edges(house.path("farm", "edges.jsonl"))
    except OSError:
        left_on = []
    if not left_on:
        return "All valves are closed"
    coils = ", ".join(map(str, left_on))
    return f"The relay board has lost its power with coils {coils} on, which closes their valves"


class _Asked:
    """Whether Ctrl-C, SIGTERM or the end of the terminal has come."""

    def __init__(self) -> None:
        self.to_stop = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            before = signal.getsignal(number)
            if number == signal.SIGHUP and before == signal.SIG_IGN:
                continue  # started with nohup: the terminal's end is not meant
            self._before[number] = before
            signal.signal(number, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.to_stop = True
