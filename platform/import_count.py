"""What became of everything that an import read, and how it is told at the terminal.

The sums must close: every line is stored, already there or refused, and every cell of a line that
has the right shape is stored, suspect, already there, empty or refused. Whoever made the map is
told where in it to look when nothing could be used.
"""

import os
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from nongso.platform import columns

MOST_EXAMPLES = 20  # of refused lines and cells that are kept word for word


@dataclass
class Count:
    """What became of everything that was read. ``refusals`` are (line, reason)."""

    lines: int = 0
    stored: int = 0
    already: int = 0
    refused: int = 0
    cells: int = 0
    cells_stored: int = 0
    cells_suspect: int = 0
    cells_already: int = 0
    cells_empty: int = 0
    cells_refused: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    refusals: list[tuple[int, str]] = field(default_factory=list)
    repeated_hour: int = 0
    broke_off: str = ""  # why the file could not be read to its end

    @property
    def is_done(self) -> bool:
        """Say whether the whole file was read and something of it is in telemetry."""
        return self.closes() and not self.broke_off and self.stored + self.already > 0

    def refuse_line(self, line: int, kind: str, detail: str, lines: int = 1) -> None:
        """Count a refused line, or several that are broken together."""
        self.refused += lines
        self._note(line, kind, detail)

    def refuse_cell(self, line: int, kind: str, detail: str) -> None:
        """Count a refused cell."""
        self.cells_refused += 1
        self._note(line, kind, detail)

    def _note(self, line: int, kind: str, detail: str) -> None:
        self.reasons[kind] += 1
        if len(self.refusals) < MOST_EXAMPLES:
            self.refusals.append((line, detail))

    def closes(self) -> bool:
        """Say whether the sums are right, as they must be."""
        cells = self.cells_stored + self.cells_suspect + self.cells_already
        return (
            self.stored + self.already + self.refused == self.lines
            and cells + self.cells_empty + self.cells_refused == self.cells
        )


def say(count: Count, file: Path, map_file: Path, seconds: float) -> None:
    """Print the count; what went wrong goes to standard error."""
    name = os.fsencode(file).decode(errors="replace")
    print(f"{name}: {count.lines} lines read in {seconds:.1f} s")
    print(
        f"  lines: {count.stored} stored + {count.already} already there + "
        f"{count.refused} refused = {count.lines}"
    )
    print(
        f"  cells: {count.cells_stored} stored, {count.cells_suspect} stored and marked as "
        f"suspect, {count.cells_already} already there, {count.cells_empty} empty, "
        f"{count.cells_refused} refused; {count.cells} in all"
    )
    if count.repeated_hour:
        print(f"  {count.repeated_hour} lines lie in an hour that the clock passed twice")
    for reason, often in count.reasons.most_common():
        print(f"  refused: {reason}: {often}")
    for line, detail in count.refusals:
        print(f"    line {line}: {detail}")
    left = sum(count.reasons.values()) - len(count.refusals)
    if left > 0:
        print(f"    and {left} more")
    for sentence in troubles(count, map_file):
        print(f"nongso: {sentence}", file=sys.stderr)


# What to look at in the map when this is why nothing could be used.
_ENTRIES = {
    "time": "time.format",
    "not a number": "decimal",
    "nothing to load": "columns",
    "wrong number of cells": "delimiter",
    "not CSV": "delimiter",
    "line too long": "delimiter",
    "not in the encoding": "encoding",
}


def troubles(count: Count, map_file: Path) -> list[str]:
    """Say why the file is not loaded, or not wholly, and where to look."""
    found = []
    if count.broke_off:
        found.append(f"{count.broke_off}. What stood before it is loaded.")
    if not count.closes():
        found.append("the count does not close: this is a fault of nongso; please report it")
    if count.lines == 0 and not count.broke_off:
        found.append("nothing was loaded: the file has a head and no line below it")
    elif count.stored + count.already == 0 and count.refusals:
        first = "; ".join(f"line {line}: {detail}" for line, detail in count.refusals[:3])
        # One reason leads to another: a line without a number has nothing to load either.
        kinds = [kind for kind, _ in count.reasons.most_common()]
        kind = next((one for one in kinds if one != "nothing to load"), kinds[0])
        entry = _ENTRIES.get(kind, "")
        found.append(
            f"nothing was loaded: all {count.lines} lines were refused. First: {first}. "
            f"Look at {entry or 'the columns'} in the map ({columns.line_of(map_file, entry)})."
        )
    return found
