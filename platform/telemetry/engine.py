"""What InfluxDB and VictoriaMetrics have in common as stores of readings.

How this works. Neither engine refuses a second value for the same series and time: one
overwrites, the other keeps both. So each batch is compared with what is there already before it is
written, by one process at a time; only then the first value stays and a repeated batch changes
nothing. ``write`` returns when the engine has answered that it has everything; any trouble before
that is ``TelemetryAway``, the gateway hears 503 and keeps its rows. One batch is written at a
time, and who waits longer than ``WAIT_SECONDS`` for its turn hears the same.

Hours and days are added up by the engine when they are asked for, except the last unfinished
step, which is added up here from readings. What an engine cannot do at once (VictoriaMetrics shows
and stores what it has confirmed only seconds later) is bridged by ``recent``: the rows of the last
seconds, in memory.
"""

import logging
import math
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from nongso.platform.telemetry import lines
from nongso.platform.telemetry.address import Address
from nongso.platform.telemetry.asking import Asker
from nongso.platform.telemetry.directory import Directory
from nongso.platform.telemetry.interface import (
    DAY,
    HOUR,
    Columns,
    Health,
    Point,
    Row,
    Series,
    Summary,
    TelemetryAway,
    TelemetryError,
    Written,
    is_usable,
)
from nongso.platform.telemetry.writer import Writer
from nongso.wire import marks

log = logging.getLogger(__name__)

WAIT_SECONDS = 5.0
REFRESH_SECONDS = 60.0  # for series that another process has begun
SETTLED_SECONDS = 60  # a step that ended so long ago may be added up by the engine
PING_SECONDS = 5.0
MOST_RECENT = 300_000
MOST_RANGES = 16
LOOK_BACK = (2 * DAY, 40 * DAY, 20_000 * DAY)  # for the newest reading: most are young

Kept = dict[int, dict[int, tuple[float | None, int]]]  # id: {at: (value, mark)}


class Stream(NamedTuple):
    """Readings that share all tags; ``values`` are meant only if ``has_values``."""

    tags: Mapping[str, str]
    has_values: bool
    times: Sequence[int]
    values: Sequence[float]


class Sum(NamedTuple):
    """One step of some series with one origin, as the engine has added it up."""

    at: int
    origin: int
    low: float | None
    total: float
    high: float | None
    good: int
    suspect: int


class EngineTelemetry(ABC):
    """A store of readings in an engine that is reached over HTTP."""

    kind = ""
    ping_path = ""
    recent_seconds = 0.0  # how long what was confirmed may be neither seen nor safe

    def __init__(self, address: Address) -> None:
        self.address = address
        self._asker = Asker(address)
        self._writer = Writer(address)
        self._directory = Directory()
        self._refreshed = -math.inf
        self._write_lock = threading.Lock()
        self._fresh_lock = threading.Lock()
        self._recent: deque[tuple[float, Row]] = deque()
        self._overlay: Kept = {}
        self._tally = {"stored": 0, "suspect": 0, "conflicting": 0}
        self._never_taken = 0
        self._own = 0
        self._unheard = False  # the last write failed
        self._trouble = ""
        self._asked = -math.inf
        self._notes: tuple[str, ...] = ()
        try:
            with self._noted():
                self._refresh()
        except TelemetryAway:
            pass  # noted; the platform starts, and its pages say so
        except TelemetryError:
            self.close()
            raise

    @abstractmethod
    def _prepare(self) -> None:
        """Make the engine ready. Raises ``TelemetryError`` when its settings will not do."""

    @abstractmethod
    def _known(self) -> Iterable[tuple[str, Mapping[str, str]]]:
        """Return measurement and tags of everything that is there."""

    @abstractmethod
    def _streams(
        self, kind: str, ids: Sequence[int], since: int, until: int, *, suspects: bool = False
    ) -> Iterable[Stream]:
        """Return readings in [since, until); only those that are not good if ``suspects``."""

    @abstractmethod
    def _newest(self, ids: Sequence[int], *, only_good: bool) -> Iterable[Stream]:
        """Return the newest reading of each stream, without those of wrong clocks."""

    @abstractmethod
    def _sums(self, ids: Sequence[int], since: int, until: int, step: int) -> Iterable[Sum]:
        """Return whole steps from ``since``, added up by the engine."""

    @abstractmethod
    def _edges(self, ids: Sequence[int]) -> tuple[int, int] | None:
        """Return first and last time."""

    @abstractmethod
    def _can_hold(self, at: int, now: int) -> bool:
        """Say whether the engine takes a reading of this time."""

    def _was_restarted(self, *, now: bool = False) -> bool:
        """Say whether the engine began anew; asks it seldom, unless it must know ``now``."""
        return False

    @abstractmethod
    def _show(self) -> None:
        """Let the engine show what it has confirmed."""

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Note trouble and its end; log the first failure and the recovery, not those between."""
        before = self._asker.answers + self._writer.answers
        try:
            yield
        except TelemetryAway as error:
            if not self._trouble:
                log.error("%s", error)
            self._trouble, self._asked = str(error), time.monotonic()
            raise
        if self._asker.answers + self._writer.answers > before:
            if self._trouble:
                log.warning("%s is there again", self._asker.name)
            self._trouble, self._asked = "", time.monotonic()

    def health(self) -> Health:
        """Say how the store is; never raises."""
        if time.monotonic() - self._asked > PING_SECONDS:
            try:
                with self._noted():
                    self._asker.get(self.ping_path)
            except TelemetryError as error:
                self._trouble = str(error)
        notes = self._notes
        if self._never_taken:
            notes = (*notes, f"{self._never_taken} readings that the engine will never take")
        return Health(kind=self.kind, trouble=self._trouble, notes=notes)

    def version(self) -> tuple[int, int]:
        """Return what changes whenever anybody has written, and every second besides."""
        return self._own, int(time.monotonic())

    def lately(self) -> tuple[int, int]:
        """Return the version; what other processes have written shows after some seconds."""
        return self._own, int(time.monotonic() // 5)

    def tally(self) -> dict[str, int]:
        """Return what became of readings since this process began."""
        return dict(self._tally)

    def close(self) -> None:
        """Close every connection."""
        if self._recent:
            try:
                self._repeat_after_restart(self._was_restarted(now=True))
            except TelemetryError as error:
                log.error("closed without knowing whether the last seconds are safe: %s", error)
        self._writer.close()
        self._asker.close()

    def _refresh(self) -> None:
        """Make the engine ready once; look for new series now and then."""
        if time.monotonic() - self._refreshed < REFRESH_SECONDS:
            return
        with self._fresh_lock:
            if self._refreshed == -math.inf:
                self._prepare()
            if time.monotonic() - self._refreshed >= REFRESH_SECONDS:
                self._directory.take(self._known())
                self._refreshed = time.monotonic()

    def write(self, rows: Sequence[Row]) -> Written:
        """Store readings; returns when the engine has them."""
        if not rows:
            return Written(0, 0, 0, 0)
        ordered = sorted(rows, key=lambda row: not marks.is_good(row.mark))  # good ones first
        outcomes = self._write(ordered, moved=True)
        stored = sum(
            outcome == "stored" and marks.is_good(row.mark)
            for row, outcome in zip(ordered, outcomes, strict=True)
        )
        return Written(
            stored,
            outcomes.count("stored") - stored,
            outcomes.count("already"),
            outcomes.count("conflicting"),
        )

    def write_each(self, rows: Sequence[Row]) -> list[str]:
        """Store readings and tell of each what became of it, in their order."""
        return self._write(rows, moved=False)

    def _write(self, rows: Sequence[Row], *, moved: bool) -> list[str]:
        if not self._write_lock.acquire(timeout=WAIT_SECONDS):
            raise TelemetryAway(f"{self._asker.name} does not keep up with what is brought")
        had_trouble = self._unheard
        self._unheard = True
        try:
            with self._noted():
                self._refresh()
                self._repeat_after_restart(had_trouble)
                outcomes = self._store(rows, moved=moved)
            self._unheard = False
            return outcomes
        finally:
            self._write_lock.release()

    def _store(self, rows: Sequence[Row], *, moved: bool) -> list[str]:
        now = int(time.time())
        rows = [
            row
            if row.value is None or math.isfinite(row.value)
            else row._replace(value=None, mark=row.mark & 48 | marks.FAILED)
            for row in rows
        ]
        kept = self._there_already(rows, now)
        heads: dict[Series, tuple[int, str, list[int], list[int]]] = {}
        made: list[str] = []
        new: list[Row] = []
        outside: set[Series] = set()
        outcomes: list[str] = []
        for row in rows:
            if row.series not in heads:
                number = lines.id_of(row.series)
                own = {number, *self._directory.ids([number])}
                others = [n for n in self._directory.elsewhere(row.series) if n not in own]
                heads[row.series] = number, lines.head_of(row.series), [*own], others
            number, head, same, others = heads[row.series]
            found = next((kept[n][row.at] for n in same if row.at in kept.get(n, ())), None)
            if found is None and moved:  # the same reading, stored before the node was moved
                there = [kept[n][row.at] for n in others if row.at in kept.get(n, ())]
                found = next((one for one in there if one[0] == row.value), None)
            if found is not None:
                if found[0] == row.value:
                    outcomes.append("already")
                    continue
                outcomes.append("conflicting")
                if self._can_hold(row.at, now):
                    made.append(lines.line_of(lines.CONFLICT, head, row))
                continue
            outcomes.append("stored")
            kept.setdefault(number, {})[row.at] = row.value, row.mark
            new.append(row)
            if self._can_hold(row.at, now):
                made.append(lines.line_of(lines.READING, head, row))
            else:
                outside.add(row.series)
                made.append(lines.outside_line(head, row, now))
        if made:
            self._never_taken += self._writer.write(made)
        self._directory.add({row.series for row in new}, outside)
        self._remember(new)
        good = sum(marks.is_good(row.mark) for row in new)
        self._tally["stored"] += good
        self._tally["suspect"] += len(new) - good
        self._tally["conflicting"] += outcomes.count("conflicting")
        self._own += bool(new)
        return outcomes

    def _there_already(self, rows: Sequence[Row], now: int) -> Kept:
        """Return what is stored around the times of these rows, of all series concerned."""
        ids: dict[Series, list[int]] = {}
        for series in {row.series for row in rows}:
            own = self._directory.ids([lines.id_of(series)])
            ids[series] = sorted({*own, *self._directory.elsewhere(series)})
        times = sorted({row.at for row in rows if self._can_hold(row.at, now)})
        wanted = sorted({number for found in ids.values() for number in found})
        kept: Kept = {}
        if not wanted:
            return kept
        for first, last in _ranges(times):
            self._gather(kept, self._streams(lines.READING, wanted, first, last + 1))
        self._gather_outside(kept, wanted)
        self._overlay_on(kept, wanted)
        return kept

    def place(self, node: str, greenhouse: str, zone: str) -> None:
        """Give readings that came before their node was known their greenhouse and zone."""
        with self._noted():
            self._refresh()
            now = int(time.time())
            waiting = [
                (number, series._replace(greenhouse=greenhouse, zone=zone))
                for number, series in self._directory.without_place(node)
            ]
            if not waiting:
                return
            self._writer.write([lines.placed_line(n, series, now) for n, series in waiting])
            for number, series in waiting:
                self._directory.place(number, series)
            self._own += 1

    def _remember(self, rows: Sequence[Row]) -> None:
        if not self.recent_seconds:
            return
        now = time.monotonic()
        for row in rows:
            self._recent.append((now, row))
            of = self._overlay.setdefault(lines.id_of(row.series), {})
            of[row.at] = row.value, row.mark

    def _repeat_after_restart(self, is_suspected: bool) -> None:
        """Bring again what the engine confirmed but may have lost; forget what is safe by now."""
        if not self._recent:
            return
        began = time.monotonic()
        if self._was_restarted() or is_suspected:
            self._show()
            kept, self._recent = self._recent, deque()
            overlay, self._overlay = self._overlay, {}
            log.warning(
                "%s may have begun anew; the last %d readings are compared and brought again",
                self._asker.name,
                len(kept),
            )
            try:
                self._store([row for _at, row in kept], moved=False)
            except TelemetryError:
                self._recent, self._overlay = kept, overlay  # they are still to be brought
                raise
        while self._recent and (
            began - self._recent[0][0] > self.recent_seconds or len(self._recent) > MOST_RECENT
        ):
            if len(self._recent) > MOST_RECENT:
                wait = self.recent_seconds - (time.monotonic() - self._recent[0][0])
                time.sleep(max(0.0, wait))  # back-pressure: bounded by recent_seconds
            _at, row = self._recent.popleft()
            number = lines.id_of(row.series)
            of = self._overlay.get(number, {})
            of.pop(row.at, None)
            if not of:
                self._overlay.pop(number, None)

    def _overlay_on(self, kept: Kept, ids: Iterable[int]) -> None:
        for number in ids:
            of = self._overlay.get(number)
            if of:
                kept.setdefault(number, {}).update(dict(of))

    def series(
        self, *, greenhouse: str | None = None, node: str | None = None
    ) -> dict[int, Series]:
        """Return the series of a greenhouse, or of a node, by number."""
        with self._noted():
            self._refresh()
        return self._directory.series(greenhouse, node)

    @staticmethod
    def _gather(kept: Kept, streams: Iterable[Stream]) -> None:
        for stream in streams:
            of = kept.setdefault(int(stream.tags["id"], 16), {})
            mark = lines.mark_of(stream.tags)
            at = stream.tags.get("at")
            times: Sequence[int] = stream.times if at is None else (int(at),) * len(stream.times)
            if stream.has_values:
                for when, value in zip(times, stream.values, strict=True):
                    of.setdefault(when, (float(value), mark))
            else:
                for when in times:
                    of.setdefault(when, (None, mark))

    def _gather_outside(self, kept: Kept, ids: Sequence[int]) -> None:
        """Add readings with impossible times; they lie at the times when they came."""
        beyond = self._directory.with_outside(ids)
        if beyond:
            self._gather(kept, self._streams(lines.OUTSIDE, beyond, 0, int(time.time()) + HOUR))

    def _rows(self, series: Sequence[int], since: int, until: int) -> list[tuple[int, Point]]:
        """Return readings with the number of their series, by time."""
        found = []
        with self._noted():
            self._refresh()
            ids = self._directory.ids(series)
            kept: Kept = {}
            if ids and since < until:
                self._gather(kept, self._streams(lines.READING, ids, since, until))
                self._gather_outside(kept, ids)
                self._overlay_on(kept, ids)
        for number in series:
            of: dict[int, tuple[float | None, int]] = {}
            for one in self._directory.ids([number]):
                of = {**kept.get(one, {}), **of}
            found += [(number, Point(at, *rest)) for at, rest in of.items() if since <= at < until]
        found.sort(key=lambda item: (item[1].at, item[0]))
        return found

    def points(
        self, series: Sequence[int], since: int, until: int, *, limit: int = 1_000_000
    ) -> list[Point]:
        """Return all readings of the series in [since, until), in time order, suspects too."""
        return [point for _number, point in self._rows(series, since, until)[:limit]]

    def columns(
        self, series: Sequence[int], since: int, until: int, *, limit: int = 1_000_000
    ) -> Columns:
        """Return the same as ``points`` by column."""
        found = self.points(series, since, until, limit=limit)
        return Columns(*zip(*found, strict=True)) if found else Columns((), (), ())

    def latest(self, series: Iterable[int]) -> dict[int, Point]:
        """Return the newest reading of each series whose time can be trusted."""
        return self._last(list(series), only_good=False)

    def latest_good(self, series: int, since: int) -> Point | None:
        """Return the newest good reading of a series since a time."""
        found = self._last([series], only_good=True).get(series)
        return found if found is not None and found.at >= since else None

    def _last(self, series: Sequence[int], *, only_good: bool) -> dict[int, Point]:
        kept: Kept = {}
        with self._noted():
            self._refresh()
            ids = self._directory.ids(series)
            if ids:
                self._gather(kept, self._newest(ids, only_good=only_good))
                self._overlay_on(kept, ids)
                self._gather_outside(kept, ids)
        found: dict[int, Point] = {}
        for number in series:
            for one in self._directory.ids([number]):
                for at, (value, mark) in kept.get(one, {}).items():
                    if mark & 15 == marks.UNTIMED or (only_good and not is_usable(mark, value)):
                        continue
                    if number not in found or at > found[number].at:
                        found[number] = Point(at, value, mark)
        return found

    def steps(self, series: Sequence[int], since: int, until: int, step: int) -> list[Point]:
        """Return the mean of the good readings of each step; a step without one is not there."""
        found: dict[int, tuple[float, int, int]] = {}
        for one in self._parts(series, since, until, step):
            if one.good:
                total, good, mark = found.get(one.at, (0.0, 0, 0))
                found[one.at] = total + one.total, good + one.good, max(mark, one.origin)
        return [Point(at, total / good, mark) for at, (total, good, mark) in sorted(found.items())]

    def summaries(self, series: Sequence[int], since: int, until: int, step: int) -> list[Summary]:
        """Return low, mean, high, count and suspects of each step that has any reading."""
        by_step: dict[int, list[Sum]] = {}
        for one in self._parts(series, since, until, step):
            by_step.setdefault(one.at, []).append(one)
        made = []
        for at, parts in sorted(by_step.items()):
            good = sum(one.good for one in parts)
            made.append(
                Summary(
                    at,
                    min((one.low for one in parts if one.low is not None), default=None),
                    sum(one.total for one in parts) / good if good else None,
                    max((one.high for one in parts if one.high is not None), default=None),
                    good,
                    sum(one.suspect for one in parts),
                )
            )
        return made

    def _parts(self, series: Sequence[int], since: int, until: int, step: int) -> list[Sum]:
        """Let the engine add up whole steps that are over, and add up the rest here."""
        settled = since
        parts: list[Sum] = []
        if step >= HOUR:
            over = min(until, int(time.time()) - SETTLED_SECONDS)
            settled = since + max(0, (over - since) // step) * step
        if settled > since:
            with self._noted():
                self._refresh()
                ids = self._directory.ids(series)
                if ids:
                    parts += self._sums(ids, since, settled, step)
                    parts += self._outside_parts(ids, since, settled, step)
        for _number, point in self._rows(series, settled, until):
            parts.append(_as_sum(point, since + (point.at - since) // step * step))
        return parts

    def _outside_parts(
        self, ids: Sequence[int], since: int, until: int, step: int
    ) -> Iterator[Sum]:
        kept: Kept = {}
        self._gather_outside(kept, ids)
        for of in kept.values():
            for at, rest in of.items():
                if since <= at < until:
                    yield _as_sum(Point(at, *rest), since + (at - since) // step * step)

    def suspects(
        self, series: Sequence[int], since: int, until: int, limit: int = 50
    ) -> list[tuple[int, Point]]:
        """Return the readings that nothing decides on, newest first, with their series."""
        number_of = {one: number for number in series for one in self._directory.ids([number])}
        kept: Kept = {}
        with self._noted():
            self._refresh()
            ids = list(number_of)
            if ids:
                found = self._streams(lines.READING, ids, since, until, suspects=True)
                self._gather(kept, found)
                self._gather_outside(kept, ids)
                self._overlay_on(kept, ids)
        found_rows = {
            (number_of[one], at): Point(at, value, mark)
            for one, of in kept.items()
            for at, (value, mark) in of.items()
            if since <= at < until and not is_usable(mark, value)
        }
        ordered = sorted(found_rows.items(), key=lambda item: (-item[0][1], item[0][0]))
        return [(number, point) for (number, _at), point in ordered[:limit]]

    def origins(self, series: Sequence[int], since: int, until: int) -> set[int]:
        """Return the origin parts of the marks that occur (see ``nongso.wire.marks``)."""
        if until <= since:
            return set()
        return {one.origin for one in self._parts(series, since, until, max(until - since, 1))}

    def span(self, series: Sequence[int]) -> tuple[int, int] | None:
        """Return first and last time of these series."""
        kept: Kept = {}
        with self._noted():
            self._refresh()
            ids = self._directory.ids(series)
            found = self._edges(ids) if ids else None
            self._gather_outside(kept, ids)
            self._overlay_on(kept, ids)
        times = [*(found or ()), *(at for of in kept.values() for at in of)]
        return (min(times), max(times)) if times else None


def _as_sum(point: Point, at: int) -> Sum:
    origin = point.mark & (marks.SIMULATED | marks.IMPORTED)
    if point.value is not None and is_usable(point.mark, point.value):
        return Sum(at, origin, point.value, point.value, point.value, 1, 0)
    return Sum(at, origin, None, 0.0, None, 0, 1)


def _ranges(times: Sequence[int]) -> list[tuple[int, int]]:
    """Return few spans that cover all times, without long empty ones where that can be."""
    gap = HOUR
    while True:
        found: list[tuple[int, int]] = []
        for at in times:
            if found and at - found[-1][1] <= gap:
                found[-1] = found[-1][0], at
            else:
                found.append((at, at))
        if len(found) <= MOST_RANGES:
            return found
        gap *= 4
