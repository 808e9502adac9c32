"""Eight relays with the board's own auto-off, and the log of every edge.

The auto-off is what makes water stop when everything else has died, so it behaves as the real
board does: real seconds on the board's own (monotonic) clock whatever ``speed`` the farm has, a
new pulse replaces the old one, a plain write of on or off ends it. The board has no watchdog
beyond that: a relay that was switched on plainly stays on.

``edges.jsonl`` is the oracle for promises about valves: one line for each change of a coil, in
the order in which they happened, written and flushed before the Modbus answer leaves. ``why`` is
``write``, ``pulse``, ``lapse``, or ``power`` when the board itself was switched off.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

RELAYS = 8
PULSE_UNIT_SECONDS = 0.1
LONGEST_PULSE = 0x7FFF  # the maker names 7FFF as the greatest


class EdgeLog:
    """Appends coil edges to a file. A full disk is said on stderr and stops no relay."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        left_on = self._left_on(file)
        self._out: IO[str] = file.open("a", encoding="utf-8")
        self.lost = 0
        for coil in left_on:  # the board lost its power with these on
            self.write(coil, False, "power")

    @staticmethod
    def _left_on(file: Path) -> list[int]:
        """Coils whose last edge in the file is "on". A torn last line is skipped."""
        last: dict[int, bool] = {}
        try:
            with file.open("r+", encoding="utf-8") as lines:
                line = ""
                for line in lines:
                    try:
                        edge = json.loads(line)
                        last[int(edge["coil"])] = bool(edge["on"])
                    except (ValueError, KeyError, TypeError):
                        continue
                if line and not line.endswith("\n"):
                    lines.write("\n")
        except FileNotFoundError:
            pass
        return sorted(coil for coil, on in last.items() if on)

    def write(self, coil: int, on: bool, why: str) -> None:
        """Append one edge."""
        edge = {
            "mono": round(time.monotonic(), 6),
            "at": round(time.time(), 3),
            "coil": coil,
            "on": on,
            "why": why,
        }
        try:
            self._out.write(json.dumps(edge) + "\n")
            self._out.flush()
        except OSError as error:
            self.lost += 1
            if self.lost == 1:
                print(f"Coil edges cannot be logged: {error}", file=sys.stderr, flush=True)

    def close(self) -> None:
        self._out.close()


class Relays:
    """The eight coils. ``edge(coil, on, why)`` is called for each change, after it happened."""

    def __init__(
        self,
        edge: Callable[[int, bool, str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.coils = [False] * RELAYS
        self._ends: dict[int, float] = {}
        self._edge = edge
        self._clock = clock

    def _set(self, coil: int, on: bool, why: str) -> None:
        if self.coils[coil] != on:
            self.coils[coil] = on
            self._edge(coil, on, why)

    def write(self, coil: int, on: bool) -> None:
        """Switch plainly: no auto-off."""
        self._ends.pop(coil, None)
        self._set(coil, on, "write")

    def pulse(self, coil: int, tenths: int) -> float:
        """Switch on for so many tenths of a second from now; returns the end on the clock."""
        end = self._clock() + tenths * PULSE_UNIT_SECONDS
        self._ends[coil] = end
        self._set(coil, True, "pulse")
        return end

    def lapse(self) -> float | None:
        """Switch off what is over. Returns when to look again, or ``None`` if no pulse runs."""
        now = self._clock()
        for coil, end in list(self._ends.items()):
            if end <= now:
                del self._ends[coil]
                self._set(coil, False, "lapse")
        return min(self._ends.values(), default=None)

    def power_off(self) -> None:
        """The board loses its power: every relay falls."""
        self._ends.clear()
        for coil in range(RELAYS):
            self._set(coil, False, "power")
