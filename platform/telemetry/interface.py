"""What every store of readings is: its words, what it must be able to do, how it fails.

How this works. A *series* is what one sensor of one node measures at one place: greenhouse,
zone, node, series name. A reading is identified by its series and time, so that writing it again
changes nothing; another value under the same series and time is a conflict, which is counted,
and the first one stays. A node that is moved begins new series; its older readings stay where
they were measured. Summaries and curves use good readings only.

A series has a number as long as the store is open; nobody keeps it longer than a request.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from nongso.wire import marks

HOUR, DAY = 3600, 86400
EAST_SECONDS = 7 * 3600  # local midnight of Asia/Ho_Chi_Minh; no daylight saving in Viet Nam


class Series(NamedTuple):
    """What is measured where. ``greenhouse`` and ``zone`` are empty where there is none."""

    greenhouse: str
    zone: str
    node: str
    name: str


class Row(NamedTuple):
    """A reading to be stored."""

    series: Series
    at: int
    value: float | None
    mark: int


class Written(NamedTuple):
    """What became of the rows; the four add up to all of them. ``stored`` ones are good."""

    stored: int
    suspect: int
    already: int
    conflicting: int


class Point(NamedTuple):
    """A reading, or the mean of the good readings of a step."""

    at: int
    value: float | None
    mark: int


class Columns(NamedTuple):
    """Readings by column, in the order of time."""

    at: Sequence[int]
    value: Sequence[float | None]
    mark: Sequence[int]


class Summary(NamedTuple):
    """Good readings of an hour or a day; the three values are ``None`` when there was none."""

    since: int
    low: float | None
    mean: float | None
    high: float | None
    good: int
    suspect: int


class Health(NamedTuple):
    """How the store is. ``trouble`` is empty while all is well.

    ``set_aside`` are damaged files that lie beside the store until somebody takes them away;
    ``carried`` says how many of their readings were taken over, and whether that still goes on.
    """

    kind: str
    trouble: str = ""
    set_aside: tuple[str, ...] = ()
    carried: str = ""
    notes: tuple[str, ...] = ()


class TelemetryError(Exception):
    """The store of readings cannot be used; the text says why."""


class TelemetryAway(TelemetryError):
    """The store cannot be reached or written now. Nothing was acknowledged; try again later."""


class TelemetryDamaged(TelemetryAway):
    """The store was found damaged while running. It stays shut until the next start."""


class Telemetry(Protocol):
    """A store of readings. Safe for many threads.

    All methods but ``health`` and ``close`` may raise ``TelemetryAway``.
    """

    def write(self, rows: Sequence[Row]) -> Written:
        """Store readings; returns when they are stored for good."""

    def write_each(self, rows: Sequence[Row]) -> list[str]:
        """Store readings and tell of each what became of it, in their order.

        ``stored``, ``already`` or ``conflicting``. For files, where people ask which line it was.
        """

    def place(self, node: str, greenhouse: str, zone: str) -> None:
        """Give readings that came before their node was known their greenhouse and zone."""

    def series(
        self, *, greenhouse: str | None = None, node: str | None = None
    ) -> dict[int, Series]:
        """Return the series of a greenhouse, or of a node, by number."""

    def latest(self, series: Iterable[int]) -> dict[int, Point]:
        """Return the newest reading of each series whose time can be trusted."""

    def latest_good(self, series: int, since: int) -> Point | None:
        """Return the newest good reading of a series since a time."""

    def points(
        self, series: Sequence[int], since: int, until: int, *, limit: int = 1_000_000
    ) -> list[Point]:
        """Return all readings of the series in [since, until), in time order, suspects too."""

    def columns(
        self, series: Sequence[int], since: int, until: int, *, limit: int = 1_000_000
    ) -> Columns:
        """Return the same as ``points`` by column: for months, it takes a third of the time."""

    def steps(self, series: Sequence[int], since: int, until: int, step: int) -> list[Point]:
        """Return the mean of the good readings of each step; a step without one is not there."""

    def summaries(self, series: Sequence[int], since: int, until: int, step: int) -> list[Summary]:
        """Return low, mean, high, count and suspects of each step that has any reading.

        Steps begin at ``since``. Whole hours, and days from local midnight, come from roll-ups:
        a year of them opens as fast as a day.
        """

    def suspects(
        self, series: Sequence[int], since: int, until: int, limit: int = 50
    ) -> list[tuple[int, Point]]:
        """Return the readings that nothing decides on, newest first, with their series."""

    def origins(self, series: Sequence[int], since: int, until: int) -> set[int]:
        """Return the origin parts of the marks that occur (see ``nongso.wire.marks``)."""

    def span(self, series: Sequence[int]) -> tuple[int, int] | None:
        """Return first and last time of these series."""

    def tally(self) -> dict[str, int]:
        """Return how many readings are ``stored``, ``suspect`` and ``conflicting``."""

    def version(self) -> tuple[int, int]:
        """Return what changes whenever anybody has written."""

    def lately(self) -> tuple[int, int]:
        """Return the version, maybe a moment old, for what is asked very often."""

    def health(self) -> Health:
        """Say how the store is; never raises."""

    def close(self) -> None:
        """Close every connection."""


def is_usable(mark: int, value: float | None) -> bool:
    """Say whether curves and summaries may use a reading."""
    return value is not None and marks.is_good(mark)


def local_day(at: int) -> int:
    """Return the Unix time of the local midnight before ``at``."""
    return at - (at + EAST_SECONDS) % DAY


def rolled_step(since: int, step: int) -> int | None:
    """Return which roll-up makes these steps: ``HOUR``, ``DAY``, or ``None`` for none."""
    if step % DAY == 0 and local_day(since) == since:
        return DAY
    if step % HOUR == 0 and since % HOUR == 0:
        return HOUR
    return None
