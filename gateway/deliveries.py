"""How far each destination of the uplink has named the rows of the outbox. Values only, no SQL.

Rows are numbered in the order in which they were committed. For each destination and each class
of rows (protected, telemetry) it is enough to remember the highest number that was named, and the
few below it that were sent with it and not named. So a destination that was away for weeks costs
two numbers, not a mark on each row, and a destination that is new starts with everything that
still lies there.

The store keeps each destination's cursors in its small state, in the transaction that takes the
rows out. An entry that cannot be read counts as nothing named: rows are then sent again, which
changes nothing at the platform.
"""

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

CLASSES = ("protected", "telemetry")


class Cursor(NamedTuple):
    """One destination, one class: named is everything up to ``upto`` that is not ``left``."""

    upto: int = 0
    left: frozenset[int] = frozenset()

    def waits(self, number: int) -> bool:
        """Say whether a row has not been named yet."""
        return number > self.upto or number in self.left

    def after(self, named: Iterable[int], between: Iterable[int]) -> "Cursor":
        """Move on: ``named`` by an answer; ``between`` are all rows from here to the last one."""
        gone = frozenset(named)
        if not gone:
            return self
        upto = max(self.upto, *gone)
        return Cursor(upto, (self.left | frozenset(between)) - gone)


Cursors = Mapping[str, Cursor]  # by class
NOTHING_NAMED: Cursors = dict.fromkeys(CLASSES, Cursor())


def as_text(cursors: Cursors) -> str:
    """Write a destination's cursors for the small state."""
    return json.dumps({name: [c.upto, sorted(c.left)] for name, c in cursors.items()})


def from_text(text: str | None) -> Cursors:
    """Read them; anything else than cursors is as if nothing had been named."""
    try:
        found = json.loads(text or "{}")
        return {
            name: Cursor(int(found[name][0]), frozenset(map(int, found[name][1])))
            for name in CLASSES
        }
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return NOTHING_NAMED
