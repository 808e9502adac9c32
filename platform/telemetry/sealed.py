"""Closed days in the SQLite store: one table of blocks beside the table of readings.

How this works. A reading lies either in ``reading`` or in a block of ``sealed``, never in both:
a row leaves in the transaction in which its block arrives, so no kill and no power cut can lose
or double it. The key of a block is its series and the time of its first reading in one number, so
the blocks of a series lie side by side in the order of time. A block belongs to one day of the
farm; a day too large for one block has several, so that each lies whole on one page of the
file, where ``carving`` finds it without SQLite.

The table ``hour`` adds up the rows alone (what is in a block says its hours itself), the table
``day`` everything. What comes late for a sealed day is a row and in ``hour`` like any other, until
``seal_day`` is called for that day again. A damaged block stays where it is, and its day
is not sealed again.
"""

import sqlite3
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import partial
from operator import itemgetter
from typing import cast

from nongso.platform.telemetry import blocks, rollups
from nongso.platform.telemetry.blocks import Differences, Times
from nongso.platform.telemetry.interface import DAY, Columns, local_day
from nongso.platform.telemetry.rollups import Part
from nongso.wire import marks

SCHEMA = (
    "CREATE TABLE sealed (place INTEGER PRIMARY KEY, block BLOB NOT NULL) STRICT",
    # before which time there may be blocks; what is written after it needs no look at them
    "CREATE TABLE sealing (until INTEGER NOT NULL) STRICT",
    "INSERT INTO sealing VALUES (0)",
)
TIME_BITS = 40
LAST = 1 << TIME_BITS  # times from here on are never sealed
# What fits on one page of 4 KiB beside its headers (fileformat2, 1.6: usable size less 35).
MOST_BYTES = 4000
MOST_READINGS = 20_000  # halved without a try

_Block = tuple[int, bytes]

BETWEEN = "SELECT place, block FROM sealed WHERE place >= ? AND place < ? ORDER BY place"


def place_of(series: int, at: int) -> int:
    """Return the key of a block that begins at this time, or the nearest one that could be."""
    return (series << TIME_BITS) + min(max(at, 0), LAST)


def series_of(place: int) -> int:
    """Return whose readings lie under a key."""
    return place >> TIME_BITS


def begin_of(place: int) -> int:
    """Return the time of the first reading under a key."""
    return place & (LAST - 1)


def end_of_day(place: int) -> int:
    """Return when the day of a block ends; all its readings are older."""
    return local_day(begin_of(place)) + DAY


def places(series: int, since: int, until: int) -> tuple[int, int]:
    """Return the first key of blocks that may have readings in [since, until), and an end."""
    return place_of(series, local_day(since)), place_of(series, until)


def between(connection: sqlite3.Connection, series: int, since: int, until: int) -> list[_Block]:
    """Return the blocks that may have readings in [since, until), with their keys."""
    found: list[_Block] = connection.execute(BETWEEN, places(series, since, until)).fetchall()
    return found


def until(connection: sqlite3.Connection) -> int:
    """Return a time from which on nothing is sealed."""
    (found,) = connection.execute("SELECT until FROM sealing").fetchone()
    return int(found)


def row_value(connection: sqlite3.Connection, series: int, at: int) -> float | None:
    """Return the value of a reading that is there and not sealed."""
    (value,) = connection.execute(
        "SELECT value FROM reading WHERE series = ? AND at = ?", (series, at)
    ).fetchone()
    found: float | None = value
    return found


def seal_day(connection: sqlite3.Connection, series: int, day: int) -> int:
    """Move the rows of one series and day into blocks, in the caller's transaction.

    Returns how many readings the day holds. Raises ``BlockDamaged`` when there is a block already
    that cannot be read.
    """
    begin, end = max(day, 0), day + DAY
    rows = connection.execute(
        "SELECT at, value, mark FROM reading WHERE series = ? AND at >= ? AND at < ?",
        (series, begin, end),
    ).fetchall()
    old = between(connection, series, begin, end)
    found = {row[0]: row for row in rows}
    for place, block in old:  # what was there first stays
        found |= {row[0]: row for row in zip(*blocks.unseal(place, block), strict=True)}
    new = list(_blocks(series, sorted(found.values(), key=itemgetter(0))))
    connection.executemany("DELETE FROM sealed WHERE place = ?", [(place,) for place, _ in old])
    connection.executemany("INSERT INTO sealed VALUES (?, ?)", new)
    for table in ("reading", "hour"):
        connection.execute(
            f"DELETE FROM {table} WHERE series = ? AND at >= ? AND at < ?", (series, begin, end)
        )
    connection.execute("UPDATE sealing SET until = max(until, ?)", (end,))
    return len(found)


def _blocks(series: int, rows: Sequence[tuple[int, float | None, int]]) -> Iterator[_Block]:
    """Seal readings in the order of time; halve them until each block fits on a page."""
    if not rows:
        return
    place = place_of(series, rows[0][0])
    if len(rows) <= MOST_READINGS:
        at, value, mark = zip(*rows, strict=True)
        block = blocks.seal(place, Columns(at, value, mark))
        if len(block) <= MOST_BYTES:
            yield place, block
            return
    middle = len(rows) // 2
    yield from _blocks(series, rows[:middle])
    yield from _blocks(series, rows[middle:])


def cut(found: Columns, since: int, until: int) -> Columns:
    """Return the readings in [since, until)."""
    at = found.at
    if since <= at[0] and at[-1] < until:
        return found
    at = list(at)
    begin, end = bisect_left(at, since), bisect_left(at, until)
    return Columns(at[begin:end], found.value[begin:end], found.mark[begin:end])


def parts(
    found: Columns, scale: int, since: int, step: int, *, is_plain: bool, extremes: bool
) -> Iterator[Part]:
    """Add up steps that begin at ``since``, as ``rollups`` does with rows.

    The values are to be divided by ``scale``. ``is_plain``: all are good and have one mark.
    Without ``extremes`` no lowest and highest is looked for, which takes longer than the sum.
    """
    at, value, mark = found
    begin = 0
    steps = _steps(at, since, step)
    origins = rollups.origin_bit(mark[0]) if mark else 0
    if is_plain and not extremes and isinstance(value, Differences):
        sums = value.sums([end for _, end in steps])
        for (first, end), total in zip(steps, sums, strict=True):
            yield PART((first, None, total / scale, None, end - begin, 0, origins))
            begin = end
        return
    low = high = None
    each = list(value)
    for first, end in steps:
        good = cast(list[float], each[begin:end])
        if not is_plain:
            its_marks = mark[begin:end]
            kinds = set(its_marks)
            if None in good or not all(map(marks.is_good, kinds)):
                both = zip(good, its_marks, strict=True)
                good = [one for one, its in both if one is not None and marks.is_good(its)]
            origins = 0
            for its in kinds:
                origins |= rollups.origin_bit(its)
        if extremes:
            low, high = (min(good) / scale, max(good) / scale) if good else (None, None)
        many = len(good)
        yield PART((first, low, sum(good) / scale, high, many, end - begin - many, origins))
        begin = end


def _steps(at: Sequence[int], since: int, step: int) -> list[tuple[int, int]]:
    """Return where each step with readings begins, and how many readings lie before its end.

    In an even stretch that is reckoned, elsewhere it is looked for.
    """
    found: list[tuple[int, int]] = []
    passed = 0
    for stretch in at.stretches if isinstance(at, Times) else [at]:
        here, many = 0, len(stretch)
        while here < many:
            first = stretch[here] - (stretch[here] - since) % step
            if found and found[-1][0] == first:
                found.pop()
            if isinstance(stretch, range) and stretch.step <= step:
                start, even = stretch.start, stretch.step
                last = stretch[-1] - (stretch[-1] - since) % step
                found += [
                    (begin, passed - (start - begin - step) // even)
                    for begin in range(first, last, step)
                ]
                first, here = last, many
            else:
                here = bisect_left(stretch, first + step, here)
            found.append((first, passed + here))
        passed += many
    return found


PART = partial(tuple.__new__, Part)  # half the time of Part(...)
