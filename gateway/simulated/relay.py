"""Relays with the board's own auto-off, and the log of every edge.

The auto-off is what makes water stop when everything else has died, so it behaves as the real
board does: real seconds on the board's own (monotonic) clock whatever ``speed`` the farm has, a
new pulse replaces the old one, a plain write of on or off ends it. The board has no watchdog
beyond that: a relay that was switched on plainly stays on.

``edges.jsonl`` is the oracle for promises about valves: one line for each change of a coil, in
the order in which they happened, written and flushed before the Modbus answer leaves. ``why`` is
``write``, ``pulse``, ``lapse``, ``power`` when the board itself was switched off, or ``repaired``.
``welded`` coils are contacts that no longer open: they stay on whatever is written, and read so.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from nongso.gateway.simulated.settings import COILS, MOST_COILS

PULSE_UNIT_SECONDS = 0.1
_LONGEST_LINE = 4096
LONGEST_PULSE = 0x7FFF  # the maker names 7FFF as the greatest


class EdgeLog:
    """Appends coil edges to a file. A disk that refuses is said on stderr and stops no relay."""

    def __init__(self, file: Path) -> None:
        self._out: IO[str] | None = None
        self.lost = 0
        left_on: list[int] = []
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            left_on, unreadable = read_edges(file)
            if unreadable:
                _say(f"{file} has {unreadable} lines that cannot be read; they stay in it.")
            self._out = file.open("a", encoding="utf-8")
            if not _ends_whole(file):
                self._out.write("\n")
        except OSError as error:
            self._fails(error)
        for coil in left_on:  # the board lost its power with these on
            self.write(coil, False, "power")

    def _fails(self, error: OSError) -> None:
        if not self.lost:
            _say(f"Coil edges cannot be logged: {error}")
        self.lost += 1

    def write(self, coil: int, on: bool, why: str) -> None:
        """Append one edge."""
        edge = {
            "mono": round(time.monotonic(), 6),
            "at": round(time.time(), 3),
            "coil": coil,
            "on": on,
            "why": why,
        }
        if self._out is None:
            self.lost += 1
            return
        try:
            self._out.write(json.dumps(edge) + "\n")
            self._out.flush()
        except OSError as error:
            self._fails(error)

    def close(self) -> None:
        if self._out is not None:
            self._out.close()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def read_edges(file: Path) -> tuple[list[int], int]:
    """Return the coils whose last edge in the file is "on", and how many lines are no edges.

    A torn last line is what a power cut leaves and does not count. Raises ``OSError``.
    """
    last: dict[int, bool] = {}
    unreadable = 0
    try:
        with file.open("rb") as lines:
            while line := lines.readline(_LONGEST_LINE):
                try:
                    edge = json.loads(line)
                    coil, on = edge["coil"], edge["on"]
                    if type(coil) is not int or type(on) is not bool or not 0 <= coil < MOST_COILS:
                        raise ValueError("no coil of this board")
                    last[coil] = on
                except (ValueError, KeyError, TypeError, RecursionError):
                    unreadable += line.endswith(b"\n") or len(line) == _LONGEST_LINE
    except FileNotFoundError:
        pass
    return sorted(coil for coil, on in last.items() if on), unreadable


def _ends_whole(file: Path) -> bool:
    with file.open("rb") as there:
        if there.seek(0, 2) == 0:
            return True
        there.seek(-1, 2)
        return there.read(1) == b"\n"


class Relays:
    """The coils. ``edge(coil, on, why)`` is called for each change, after it happened."""

    def __init__(
        self,
        edge: Callable[[int, bool, str], None],
        clock: Callable[[], float] = time.monotonic,
        count: int = COILS,
    ) -> None:
        self.coils = [False] * count
        self.welded: frozenset[int] = frozenset()
        self.dead: frozenset[int] = frozenset()  # the board cannot switch these on
        self._wanted = [False] * count
        self._ends: dict[int, float] = {}
        self._edge = edge
        self._clock = clock

    def _set(self, coil: int, on: bool, why: str) -> None:
        self._wanted[coil] = on
        if self.coils[coil] != on and (on or coil not in self.welded):
            self.coils[coil] = on
            self._edge(coil, on, why)

    def weld(self, coils: frozenset[int]) -> None:
        """From now on these contacts stay on once they are; the others are repaired."""
        repaired, self.welded = self.welded - coils, coils
        for coil in repaired:
            self._set(coil, self._wanted[coil], "repaired")

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
        for coil in range(len(self.coils)):
            self._set(coil, False, "power")
