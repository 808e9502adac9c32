"""Quarters of the year, as the communes report them."""

import datetime
import re
from dataclasses import dataclass

from nongso.platform.languages import ZONE

REPORT_DAY = 20  # reports are due before the 20th of the quarter's last month


@dataclass(frozen=True, order=True)
class Quarter:
    """A quarter; ``number`` is 1 to 4."""

    year: int
    number: int

    @property
    def first(self) -> datetime.date:
        """Its first day."""
        return datetime.date(self.year, 3 * self.number - 2, 1)

    @property
    def since(self) -> int:
        """Its first moment at the farm, Unix seconds."""
        return _midnight(self.first)

    @property
    def until(self) -> int:
        """The moment after its last one."""
        return _midnight(self.next.first)

    @property
    def report_day(self) -> datetime.date:
        """The day before which the report of this quarter is due."""
        return datetime.date(self.year, 3 * self.number, REPORT_DAY)

    @property
    def next(self) -> "Quarter":
        """The quarter after it."""
        return Quarter(self.year + self.number // 4, self.number % 4 + 1)

    @property
    def before(self) -> "Quarter":
        """The quarter before it."""
        return Quarter(self.year - (self.number == 1), (self.number - 2) % 4 + 1)

    @property
    def code(self) -> str:
        """As it stands in addresses and files: 2026-Q4."""
        return f"{self.year}-Q{self.number}"


def quarter_of(day: datetime.date) -> Quarter:
    """Return the quarter of a day."""
    return Quarter(day.year, (day.month + 2) // 3)


def read(code: str) -> Quarter | None:
    """Read 2026-Q4; ``None`` for anything else."""
    found = re.fullmatch(r"(20[0-9]{2})-Q([1-4])", code)
    return None if found is None else Quarter(int(found[1]), int(found[2]))


def back_from(last: Quarter, count: int) -> list[Quarter]:
    """Return so many quarters that end with this one, oldest first."""
    found = [last]
    while len(found) < count:
        found.append(found[-1].before)
    return found[::-1]


def _midnight(day: datetime.date) -> int:
    return int(datetime.datetime.combine(day, datetime.time(), ZONE).timestamp())
