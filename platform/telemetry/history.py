"""What the SQLite store answers: rows and sealed blocks as one, in one moment of the file.

How this works. Each question is asked within one read transaction, because a day that is sealed
between two of its queries would be seen twice or not at all. Hours and steps are added up from
three sources that never overlap: whole days, hours and rows of what is not sealed, and blocks.
A block that is damaged is told to ``_damaged`` and left out; the others are served.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import chain
from operator import itemgetter
from typing import Any

from nongso.platform.telemetry import blocks, rollups, sealed
from nongso.platform.telemetry.blocks import BlockDamaged, Times
from nongso.platform.telemetry.interface import (
    DAY,
    HOUR,
    Columns,
    Point,
    Summary,
    is_usable,
    local_day,
)
from nongso.platform.telemetry.rollups import GOOD, Part
from nongso.wire import marks

BLOCK: frozenset[type] = frozenset({int, bytes})
_NEWEST = (
    "SELECT place, block FROM sealed WHERE place >= ? AND place < ? ORDER BY place DESC LIMIT 1"
)
_ROWS = (
    "SELECT at, value, mark FROM reading WHERE series = ? AND at >= ? AND at < ? "
    "ORDER BY at LIMIT ?"
)


class History(ABC):
    """Answers questions about the past; how the file is opened and asked is the store's."""

    @abstractmethod
    def _ask(
        self, sql: str, values: Sequence[Any] = (), types: frozenset[type] = ...
    ) -> list[Any]:
        """Ask and look at the types of the answer. Raises ``TelemetryAway``."""

    @abstractmethod
    def _moment(self) -> AbstractContextManager[None]:
        """Within this, all that this thread asks is of one moment."""

    @abstractmethod
    def _damaged(self, place: int, error: BlockDamaged) -> None:
        """Take note of a block that cannot be served."""

    def latest(self, series: Iterable[int]) -> dict[int, Point]:
        """Return the newest reading of each series whose time can be trusted."""
        found = {}
        with self._moment():
            for number in series:
                rows = self._ask(
                    "SELECT at, value, mark FROM reading WHERE series = ? AND (mark & 15) != ? "
                    "ORDER BY at DESC LIMIT 1",
                    (number, marks.UNTIMED),
                )
                newest = self._newest(number, 0, rows, lambda mark, _: mark & 15 != marks.UNTIMED)
                if newest is not None:
                    found[number] = newest
        return found

    def latest_good(self, series: int, since: int) -> Point | None:
        """Return the newest good reading of a series since a time."""
        with self._moment():
            rows = self._ask(
                "SELECT at, value, mark FROM reading WHERE series = ? AND at >= ? "
                f"AND {GOOD} ORDER BY at DESC LIMIT 1",
                (series, since),
            )
            return self._newest(series, since, rows, is_usable)

    def _newest(
        self,
        number: int,
        since: int,
        rows: Sequence[tuple[int, float | None, int]],
        is_wanted: Callable[[int, float | None], bool],
    ) -> Point | None:
        """Return the newest wanted reading in a block, unless the one in ``rows`` is newer."""
        row = Point(*rows[0]) if rows else None
        since = since if row is None else max(since, row.at + 1)
        first, end = sealed.places(number, since, sealed.LAST)
        while found := self._ask(_NEWEST, (first, end), BLOCK):
            end = found[0][0]
            for columns in self._opened(found, since, sealed.LAST):
                for point in zip(*map(reversed, columns), strict=True):
                    if is_wanted(point[2], point[1]):
                        return Point(*point)
        return row

    def columns(
        self, series: Sequence[int], since: int, until: int, *, limit: int = 1_000_000
    ) -> Columns:
        """Return all readings of the series in [since, until), in time order, suspects too."""
        with self._moment():
            each = [self._columns(n, since, until, limit) for n in sorted(set(series))]
        if len(each) == 1:
            return each[0]
        rows = sorted(chain.from_iterable(zip(*one, strict=True) for one in each), key=_AT)
        return _by_column(rows[:limit])

    def _columns(self, number: int, since: int, until: int, limit: int) -> Columns:
        stretches: list[Sequence[int]] = []
        value: list[float | None] = []
        mark: list[int] = []
        for found in self._sealed(number, since, until):
            stretches += found.at.stretches if isinstance(found.at, Times) else [found.at]
            value.extend(found.value)
            mark.extend(found.mark)
            if len(value) >= limit:
                break
        rows = self._ask(_ROWS, (number, since, until, limit))
        at: Sequence[int] = Times(stretches)
        if at and rows and rows[0][0] < at[-1]:  # some came late
            rows = sorted(chain(zip(at, value, mark, strict=True), rows), key=_AT)
            stretches, value, mark = [], [], []
        stretches.append([row[0] for row in rows])
        value.extend([row[1] for row in rows])
        mark.extend([row[2] for row in rows])
        at = Times(stretches)
        if len(value) <= limit:
            return Columns(at, value, mark)
        return Columns(at[:limit], value[:limit], mark[:limit])

    def points(
        self, series: Sequence[int], since: int, until: int, *, limit: int = 1_000_000
    ) -> list[Point]:
        """Return all readings of the series in [since, until), in time order, suspects too."""
        found = self.columns(series, since, until, limit=limit)
        return list(map(_POINT, zip(*found, strict=True)))

    def steps(self, series: Sequence[int], since: int, until: int, step: int) -> list[Point]:
        """Return the mean of the good readings of each step; a step without one is not there."""
        return [
            _POINT((at, total / good, rollups.highest_origin(origins)))
            for at, _, total, _, good, _, origins in self._parts(
                series, since, until, step, extremes=False
            )
            if good
        ]

    def summaries(self, series: Sequence[int], since: int, until: int, step: int) -> list[Summary]:
        """Return low, mean, high, count and suspects of each step that has any reading."""
        return [
            Summary(
                part.at,
                part.low,
                part.total / part.good if part.good else None,
                part.high,
                part.good,
                part.suspect,
            )
            for part in self._parts(series, since, until, step)
        ]

    def _parts(
        self, series: Sequence[int], since: int, until: int, step: int, *, extremes: bool = True
    ) -> list[Part]:
        """Add up steps from days or hours where they fit, and the rest from readings.

        Without ``extremes`` lowest and highest mean nothing, and of the origins only the highest
        is sure to be there.
        """
        by_step: dict[int, Part] = {}
        places = _places(series)
        begin = since
        with self._moment():
            for size in (DAY, HOUR):
                if step % size or rollups.begin_of(since, size) != since:
                    continue
                end = rollups.begin_of(until, size)
                if end > begin:
                    sql = rollups.from_rollups(rollups.TABLES[size], places)
                    self._gather(by_step, sql, (since, since, step, step, *series, begin, end))
                    if size == HOUR:
                        parts = self._sealed_parts(series, since, step, begin, end, extremes)
                        _sort_in(by_step, parts)
                    begin = end
            if begin < until:
                sql = rollups.from_readings(places, extremes=extremes)
                self._gather(by_step, sql, (since, since, step, step, *series, begin, until))
                _sort_in(by_step, self._sealed_parts(series, since, step, begin, until, extremes))
        return [by_step[at] for at in sorted(by_step)]

    def _gather(self, by_step: dict[int, Part], sql: str, values: Sequence[int]) -> None:
        _sort_in(by_step, map(sealed.PART, self._ask(sql, values)))

    def _sealed_parts(
        self,
        series: Iterable[int],
        since: int,
        step: int,
        begin: int,
        end: int,
        extremes: bool,
    ) -> Iterator[Part]:
        for number in set(series):
            for place, block in self._ask(
                sealed.BETWEEN, sealed.places(number, begin, end), BLOCK
            ):
                try:
                    found, scale = blocks.scaled(place, block)
                except BlockDamaged as error:
                    self._damaged(place, error)
                    continue
                some = sealed.cut(found, begin, end)
                is_plain = blocks.is_plain(block)
                yield from sealed.parts(
                    some, scale, since, step, is_plain=is_plain, extremes=extremes
                )

    def suspects(
        self, series: Sequence[int], since: int, until: int, limit: int = 50
    ) -> list[tuple[int, Point]]:
        """Return the readings that nothing decides on, newest first, with their series.

        Hours and days say where there are any, so that a year is not searched reading by reading.
        """
        with self._moment():
            found = self._ask(
                "SELECT reading.series, reading.at, value, mark FROM hour CROSS JOIN reading "
                "ON reading.series = hour.series "
                f"AND reading.at >= hour.at AND reading.at < hour.at + {HOUR} "
                f"WHERE hour.series IN ({_places(series)}) AND hour.suspect > 0 "
                "AND hour.at > ? AND hour.at < ? AND +reading.at >= ? AND +reading.at < ? "
                f"AND NOT {GOOD} ORDER BY reading.at DESC, reading.series LIMIT ?",
                (*series, since - HOUR, until, since, until, limit),
            )
            days = self._ask(
                f"SELECT series, at FROM day WHERE series IN ({_places(series)}) "
                "AND suspect > 0 AND at > ? AND at < ? ORDER BY at DESC",
                (*series, since - DAY, until),
            )
            reached = sealed.LAST
            enough = 0
            for number, day in days:
                if day < reached:
                    if enough >= limit:
                        break
                    reached = day
                for columns in self._sealed(number, max(day, since), min(day + DAY, until)):
                    bad = [
                        (number, *row)
                        for row in zip(*columns, strict=True)
                        if not is_usable(row[2], row[1])
                    ]
                    found += bad
                    enough += len(bad)
        found.sort(key=lambda row: (-row[1], row[0]))
        return [(number, Point(*rest)) for number, *rest in found[:limit]]

    def origins(self, series: Sequence[int], since: int, until: int) -> set[int]:
        """Return the origin parts of the marks that occur (see ``nongso.wire.marks``)."""
        first = local_day(since + DAY - 1)
        last = max(first, local_day(until))
        bits = 0
        with self._moment():
            for (found,) in self._ask(
                f"SELECT DISTINCT origins FROM day WHERE series IN ({_places(series)}) "
                "AND at >= ? AND at < ?",
                (*series, first, last),
            ):
                bits |= found
            for begin, end in ((since, min(first, until)), (last, until)):
                if begin < end:
                    bits |= self._origins_of_edge(series, begin, end)
        return rollups.origins_of(bits)

    def _origins_of_edge(self, series: Sequence[int], since: int, until: int) -> int:
        """Return the origins of a piece of a day."""
        bits = 0
        for (found,) in self._ask(
            f"SELECT DISTINCT {rollups.ORIGIN_BITS} FROM reading "
            f"WHERE series IN ({_places(series)}) AND at >= ? AND at < ?",
            (*series, since, until),
        ):
            bits |= found
        for number in series:
            for columns in self._sealed(number, since, until):
                for mark in set(columns.mark):
                    bits |= rollups.origin_bit(mark)
        return bits

    def span(self, series: Sequence[int]) -> tuple[int, int] | None:
        """Return first and last time of these series."""
        found: list[int] = []
        with self._moment():
            for number in series:
                rows = self._ask(
                    "SELECT min(at), max(at) FROM reading WHERE series = ?", (number,)
                )
                found += [at for at in rows[0] if at is not None]
                first, end = sealed.places(number, 0, sealed.LAST)
                for (place,) in self._ask(
                    "SELECT place FROM sealed WHERE place >= ? AND place < ? "
                    "ORDER BY place LIMIT 1",
                    (first, end),
                ):
                    found.append(sealed.begin_of(place))
                newest = self._newest(number, 0, (), lambda _, __: True)
                found += [newest.at] if newest is not None else []
        return (min(found), max(found)) if found else None

    def _sealed(self, number: int, since: int, until: int) -> Iterator[Columns]:
        """Yield what the blocks of a series hold in [since, until), in the order of time."""
        found = self._ask(sealed.BETWEEN, sealed.places(number, since, until), BLOCK)
        yield from self._opened(found, since, until)

    def _opened(
        self, found: Iterable[tuple[int, bytes]], since: int, until: int
    ) -> Iterator[Columns]:
        for place, block in found:
            try:
                columns = sealed.cut(blocks.unseal(place, block), since, until)
            except BlockDamaged as error:
                self._damaged(place, error)
            else:
                if columns.at:
                    yield columns


def _sort_in(by_step: dict[int, Part], parts: Iterable[Part]) -> None:
    for part in parts:
        at = part[0]
        known = by_step.get(at)
        by_step[at] = part if known is None else rollups.together(at, (known, part))


_AT = itemgetter(0)
_POINT = partial(tuple.__new__, Point)  # half the time of Point(...), which matters for a month


def _by_column(rows: Sequence[tuple[int, float | None, int]]) -> Columns:
    if not rows:
        return Columns((), (), ())
    return Columns(*zip(*rows, strict=True))


def _places(series: Sequence[int]) -> str:
    return ",".join("?" * len(series)) or "NULL"
