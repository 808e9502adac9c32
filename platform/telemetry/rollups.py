"""Hours and days of the SQLite store: kept up to date in the transaction of each reading.

How this works. Two tables, ``hour`` and ``day``, have one row for each series and step that has
any reading: lowest, sum, highest and count of the good readings, count of suspects, and which
origins occur. Each reading that is really new is added to its hour and its day, whenever it
comes; one that was there already is not, so the roll-ups cannot drift from the readings. A day
begins at local midnight. Hours go when their day is sealed (``sealed``): they would take as much
room as the readings themselves, and a block gives them back in a blink.

Sums are added in order of arrival, so a mean may differ from one of the readings themselves in
its last binary digits.
"""

import sqlite3
from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple

from nongso.platform.telemetry.interface import DAY, EAST_SECONDS, HOUR, is_usable
from nongso.wire import marks

TABLES = {HOUR: "hour", DAY: "day"}
_ORIGINS = marks.SIMULATED | marks.IMPORTED

SCHEMA = tuple(
    f"""CREATE TABLE {table} (
    series INTEGER NOT NULL REFERENCES series (id),
    at INTEGER NOT NULL,
    low REAL,
    total REAL NOT NULL,
    high REAL,
    good INTEGER NOT NULL,
    suspect INTEGER NOT NULL,
    origins INTEGER NOT NULL,
    PRIMARY KEY (series, at)
) STRICT, WITHOUT ROWID"""
    for table in TABLES.values()
)

GOOD = "((mark & 15) = 0 AND value IS NOT NULL)"


def _any_of(bits: str) -> str:
    """Return SQL for the bits that occur in any row of a group."""
    return " | ".join(f"max({bits} & {bit})" for bit in (1, 2, 4, 8))


# One bit for each origin, so that rows can be added up with |.
ORIGIN_BITS = "(1 << ((mark & 48) >> 4))"
_READING = (
    f"min(value) FILTER (WHERE {GOOD}), coalesce(sum(value) FILTER (WHERE {GOOD}), 0.0), "
    f"max(value) FILTER (WHERE {GOOD}), count(*) FILTER (WHERE {GOOD}), "
    f"count(*) FILTER (WHERE NOT {GOOD}), " + _any_of(ORIGIN_BITS)
)


class Part(NamedTuple):
    """One step of some series, as it is added up."""

    at: int
    low: float | None
    total: float
    high: float | None
    good: int
    suspect: int
    origins: int


def begin_of(at: int, step: int) -> int:
    """Return when the hour or the local day of a time begins."""
    return at - at % HOUR if step == HOUR else at - (at + EAST_SECONDS) % DAY


def origin_bit(mark: int) -> int:
    """Return the bit that stands for the origin of a mark."""
    return 1 << ((mark & _ORIGINS) >> 4)


def add(
    connection: sqlite3.Connection,
    new: Iterable[tuple[int, int, float | None, int]],
    whole: Container[tuple[int, int]] = (),
) -> None:
    """Add new readings (series, at, value, mark) to their hours and days.

    ``whole`` are days that are not to change: what comes now may be in them already.
    """
    hours: dict[tuple[int, int], list[Part]] = {}
    for series, at, value, mark in new:
        origins = origin_bit(mark)
        if value is not None and is_usable(mark, value):
            part = Part(at, value, value, value, 1, 0, origins)
        else:
            part = Part(at, None, 0.0, None, 0, 1, origins)
        hours.setdefault((series, at - at % HOUR), []).append(part)
    days: dict[tuple[int, int], list[Part]] = {}
    summed = {}
    for (series, at), parts in hours.items():
        summed[series, at] = hour = together(at, parts)
        days.setdefault((series, begin_of(at, DAY)), []).append(hour)
    _put(connection, "hour", summed)
    _put(
        connection,
        "day",
        {key: together(key[1], parts) for key, parts in days.items() if key not in whole},
    )


def together(at: int, parts: Sequence[Part]) -> Part:
    """Add parts up."""
    if len(parts) == 1:
        return parts[0] if parts[0].at == at else parts[0]._replace(at=at)
    origins = 0
    for part in parts:
        origins |= part.origins
    return Part(
        at,
        min((p.low for p in parts if p.low is not None), default=None),
        sum(p.total for p in parts),
        max((p.high for p in parts if p.high is not None), default=None),
        sum(p.good for p in parts),
        sum(p.suspect for p in parts),
        origins,
    )


def _put(connection: sqlite3.Connection, table: str, found: dict[tuple[int, int], Part]) -> None:
    connection.executemany(
        f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "low = min(coalesce(low, excluded.low), coalesce(excluded.low, low)), "
        "total = total + excluded.total, "
        "high = max(coalesce(high, excluded.high), coalesce(excluded.high, high)), "
        "good = good + excluded.good, suspect = suspect + excluded.suspect, "
        "origins = origins | excluded.origins",
        [(series, *part._replace(at=at)) for (series, at), part in sorted(found.items())],
    )


def fill(connection: sqlite3.Connection) -> None:
    """Make all roll-ups anew from the readings."""
    for step, table in TABLES.items():
        east = EAST_SECONDS if step == DAY else 0
        connection.execute(f"DELETE FROM {table}")
        connection.execute(
            f"INSERT INTO {table} "
            f"SELECT series, (at + {east}) / {step} * {step} - {east} AS step, {_READING} "
            "FROM reading GROUP BY series, step"
        )


_MEAN = (
    f"NULL, coalesce(sum(value) FILTER (WHERE {GOOD}), 0.0), NULL, "
    f"count(*) FILTER (WHERE {GOOD}), count(*) FILTER (WHERE NOT {GOOD}), "
    "1 << ((max(mark & 48)) >> 4)"
)


def from_readings(series: str, *, extremes: bool) -> str:
    """Return SQL for parts from the readings.

    To be filled in: since, since, step, step, the series, since, until. Without ``extremes``
    there is no lowest and highest, and of the origins the highest only: half of the time.
    """
    return (
        f"SELECT ? + (at - ?) / ? * ? AS step, {_READING if extremes else _MEAN} "
        f"FROM reading WHERE series IN ({series}) AND at >= ? AND at < ? GROUP BY step"
    )


def from_rollups(table: str, series: str) -> str:
    """Return SQL for parts from a roll-up, with the same places to fill as ``from_readings``."""
    return (
        "SELECT ? + (at - ?) / ? * ? AS step, min(low), sum(total), max(high), sum(good), "
        f"sum(suspect), {_any_of('origins')} "
        f"FROM {table} WHERE series IN ({series}) AND at >= ? AND at < ? GROUP BY step"
    )


def origins_of(bits: int) -> set[int]:
    """Return the origin parts of marks that the bits stand for."""
    return {
        origin
        for origin in (0, marks.SIMULATED, marks.IMPORTED, marks.SIMULATED | marks.IMPORTED)
        if bits >> (origin >> 4) & 1
    }


def highest_origin(bits: int) -> int:
    """Return the highest of the origin parts that the bits stand for."""
    return bits.bit_length() - 1 << 4
