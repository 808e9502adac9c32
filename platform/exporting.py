"""``nongso export readings``: writes a greenhouse's readings as a CSV, whatever store has them.

One line a reading, suspects too, with its quality and origin as words: series by series, each in
the order of time. Times are those of the farm with their offset, values as they are stored, so
that nothing is rounded. Asked for in pieces of some days, so that a year takes no more memory
than a week; sealed days are read like all others. Conflicting values are not readings and are
not in it.
"""

import csv
import datetime
import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from itertools import repeat
from pathlib import Path
from typing import TextIO

from nongso.platform.csvtable import harmless
from nongso.platform.settings import Settings
from nongso.platform.telemetry import (
    DAY,
    Columns,
    Series,
    Telemetry,
    TelemetryError,
    local_day,
    open_telemetry,
)
from nongso.wire import marks
from nongso.wire.metrics import metric_of

HEAD = ("time", "greenhouse", "zone", "node", "series", "value", "unit", "quality", "origin")
DAYS_A_PIECE = 10
MOST_A_PIECE = 10_000_000  # a reading a second of ten days is a tenth of it
FARM = datetime.timezone(datetime.timedelta(hours=7))


def write(
    store: Telemetry, greenhouse: str, since: int, until: int, metric: str | None, to: TextIO
) -> int:
    """Write the readings in [since, until) of a greenhouse; return how many there were."""
    table = csv.writer(to)
    table.writerow(HEAD)
    count = 0
    for number, series in sorted(store.series(greenhouse=greenhouse).items()):
        if metric in (None, series.name, series.name.partition(".")[0]):
            for found in _pieces(store, number, since, until):
                table.writerows(_lines(series, found))
                count += len(found.at)
    return count


def _pieces(store: Telemetry, number: int, since: int, until: int) -> Iterator[Columns]:
    span = store.span([number])
    if span is None:
        return
    begin, end = max(since, span[0]), min(until, span[1] + 1)
    while begin < end:
        after = min(local_day(begin) + DAYS_A_PIECE * DAY, end)
        found = store.columns([number], begin, after, limit=MOST_A_PIECE)
        begin = after
        if found.at:
            yield found
        else:  # perhaps of years, where a clock was wrong
            later = store.columns([number], begin, end, limit=1).at
            begin = later[0] if later else end


def _lines(series: Series, found: Columns) -> Iterator[tuple[str | float | None, ...]]:
    metric = metric_of(series.name)
    place = [harmless(word) for word in series]
    return zip(
        map(_time, found.at),
        *map(repeat, place),
        found.value,
        repeat(metric.unit if metric is not None else ""),
        map(marks.quality, found.mark),
        map(marks.origin, found.mark),
        strict=False,  # the same words for every line
    )


def _time(at: int) -> str:
    """Return the farm's time; one that no calendar has (a wrong clock) as Unix seconds."""
    with suppress(ValueError, OverflowError):
        return datetime.datetime.fromtimestamp(at, FARM).isoformat()
    return str(at)


def command(
    settings: Settings,
    greenhouse: str,
    since: int,
    until: int,
    metric: str | None,
    file: Path | None,
) -> int:
    """Write them to a file, or to the standard output; return the exit status."""
    try:
        store = open_telemetry(settings)
    except TelemetryError as error:
        print(error, file=sys.stderr)
        return 1
    part = None if file is None else file.with_name(f"{file.name}.part")
    try:
        if not store.series(greenhouse=greenhouse):
            known = sorted({one.greenhouse for one in store.series().values()} - {""})
            print(
                f"There are no readings of greenhouse {greenhouse}; known: {', '.join(known)}",
                file=sys.stderr,
            )
            return 1
        opened = (
            nullcontext(sys.stdout)
            if part is None
            else part.open("w", encoding="utf-8", newline="")
        )
        with opened as to:
            count = write(store, greenhouse, since, until, metric, to)
        if part is not None and file is not None:
            os.replace(part, file)
        print(f"{count} readings written", file=sys.stderr)
        return 0
    except (TelemetryError, OSError) as error:
        print(f"Not all could be written: {error}", file=sys.stderr)
        return 1
    finally:
        store.close()
