"""What does not belong together: which table, which row, what is wrong there, and what to do.

Rooms that hold their tables against the stream of events yield these; ``nongso trace check``
prints them.
"""

from dataclasses import dataclass

# What nobody may change, and what follows from it.
EVIDENCE = (
    "It was changed past the program: keep this database as it is, and put the row back from a "
    "backup of before"
)
FOLLOWS = "The events count: put the row back from a backup of before, or set it as they say"


@dataclass(frozen=True)
class Amiss:
    """One thing that is wrong. ``row`` is its key, parts joined by slashes."""

    table: str
    row: str
    what: str
    advice: str = FOLLOWS

    def __str__(self) -> str:
        return f"{self.table} {self.row}: {self.what}. {self.advice}."
