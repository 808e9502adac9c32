"""``nongso import readings``: loads a foreign CSV (gzip too) into telemetry, and counts.

How this works. The map (``nongso.platform.columns``) says what the columns are. Every line read
ends in exactly one of three counts: *stored* (at least one of its cells was new), *already
there* (it has readings, none is new), *refused* (with its reason and line number); cells are
counted apart. Running it twice stores nothing twice, because a reading is identified by series
and time.

A cell that is not a number refuses that cell, not its line. What a metric cannot be is stored
with a mark and never used. Two values for one series and time: the first stays, the other is
kept aside and counted as refused.
"""

import math
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform import columns, migrations
from nongso.platform.columns import Map, MapError
from nongso.platform.foreign_file import Clock, Source
from nongso.platform.greenhouse.records import Greenhouse
from nongso.platform.people import Cooperative
from nongso.platform.settings import Settings
from nongso.platform.store import Records
from nongso.platform.telemetry import Row, Series, Telemetry, open_telemetry
from nongso.wire import marks
from nongso.wire.metrics import is_possible, metric_of

ROWS_A_WRITE = 20_000
MOST_EXAMPLES = 20  # of refused lines and cells that are kept word for word

Progress = Callable[[int, int], None]


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

    def refuse_line(self, line: int, kind: str, detail: str) -> None:
        """Count a refused line."""
        self.refused += 1
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


def import_readings(
    settings: Settings, file: Path, map_file: Path, on_progress: Progress | None = None
) -> Count:
    """Load a file; returns the count. Raises ``MapError``, ``FileError``, ``SchemaError``."""
    wanted = columns.load(map_file)
    records = Records(settings.records_file)
    telemetry = open_telemetry(settings)
    try:
        migrations.check(settings, records)
        with Source(file, wanted) as source:
            with records.transaction() as session:
                _make_greenhouse(session, wanted, map_file)
            return _load(source, wanted, telemetry, on_progress or (lambda done, total: None))
    finally:
        telemetry.close()
        records.close()


def command(settings: Settings, file: Path, map_file: Path) -> int:
    """Load a file and say at the terminal what became of it; return the exit status."""
    began = time.monotonic()
    count = import_readings(settings, file, map_file, _progress_bar())
    seconds = time.monotonic() - began
    print(f"{file}: {count.lines} lines read in {seconds:.1f} s")
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
    return 0 if count.closes() else 1


def _progress_bar() -> Progress:
    last = [-1]
    live = sys.stderr.isatty()

    def report(done: int, total: int) -> None:
        share = 100 * done // max(total, 1)
        if share // (1 if live else 10) == last[0]:
            return
        last[0] = share // (1 if live else 10)
        if live:
            print(
                f"\r{share:3d} %", end="\n" if done >= total else "", file=sys.stderr, flush=True
            )
        else:
            print(f"{share:3d} %", file=sys.stderr, flush=True)

    return report


def _make_greenhouse(session: Session, wanted: Map, map_file: Path) -> None:
    there = session.get(Greenhouse, wanted.greenhouse)
    if there is not None:
        return
    known = list(session.scalars(select(Cooperative.slug)))
    slug = wanted.cooperative or (known[0] if len(known) == 1 else None)
    if slug not in known:
        raise MapError(
            f"{map_file}: greenhouse {wanted.greenhouse!r} is new, so the map must name its "
            f"cooperative; there are: {', '.join(known) or 'none yet'}"
        )
    session.add(
        Greenhouse(
            slug=wanted.greenhouse, name=wanted.name, cooperative=slug, gateway=None, imported=True
        )
    )


def _load(source: Source, wanted: Map, telemetry: Telemetry, on_progress: Progress) -> Count:
    count = Count()
    clock = Clock(wanted)
    at_cell = source.head.index(wanted.time_column)
    cells = [
        (
            source.head.index(column.name),
            column,
            Series(wanted.greenhouse, column.zone, column.node, column.metric),
        )
        for column in wanted.columns
    ]
    waiting: list[list[tuple[int, Row]]] = []
    pending = 0
    for line, row in source.lines():
        count.lines += 1
        if len(row) != len(source.head):
            count.refuse_line(
                line,
                "wrong number of cells",
                f"{len(row)} cells, the head has {len(source.head)}",
            )
            continue
        try:
            at = clock.read(row[at_cell])
        except ValueError as error:
            count.refuse_line(line, "time", str(error))
            continue
        count.repeated_hour += clock.was_repeated
        readings = []
        for place, column, series in cells:
            count.cells += 1
            found = _cell(row[place].strip(), column, wanted, count, line)
            if found is not None:
                readings.append((line, Row(series, at, *found)))
        if readings:
            waiting.append(readings)
            pending += len(readings)
        else:
            count.refuse_line(line, "nothing to load", "no reading in any mapped column")
        if pending >= ROWS_A_WRITE:
            _write(telemetry, waiting, count)
            waiting, pending = [], 0
            on_progress(source.done, source.size)
    _write(telemetry, waiting, count)
    on_progress(source.size, source.size)
    return count


def _cell(
    text: str, column: columns.Column, wanted: Map, count: Count, line: int
) -> tuple[float, int] | None:
    if text in wanted.empty:
        count.cells_empty += 1
        return None
    try:
        value = float(text)
    except ValueError:
        count.refuse_cell(line, "not a number", f"{column.name!r}: {text[:40]!r} is not a number")
        return None
    metric = metric_of(column.metric)
    if metric is None or not math.isfinite(value):
        count.refuse_cell(line, "not a number", f"{column.name!r}: {text[:40]!r} is not finite")
        return None
    value = round(value * column.factor + column.offset, metric.decimals)
    mark = marks.GOOD if is_possible(metric, value) else marks.IMPOSSIBLE
    return value, mark | marks.IMPORTED


def _write(telemetry: Telemetry, waiting: list[list[tuple[int, Row]]], count: Count) -> None:
    """Store what has gathered, and find out what became of each line."""
    rows = [row for readings in waiting for _line, row in readings]
    outcomes = iter(telemetry.write_each(rows))
    for readings in waiting:
        new = False
        for line, row in readings:
            outcome = next(outcomes)
            if outcome == "stored":
                new = True
                if marks.is_good(row.mark):
                    count.cells_stored += 1
                else:
                    count.cells_suspect += 1
            elif outcome == "already":
                count.cells_already += 1
            else:
                count.refuse_cell(
                    line,
                    "another value for the same time",
                    f"{row.series.node} {row.series.name}: {row.value} at {row.at}, but another "
                    "value is stored for that time",
                )
        if new:
            count.stored += 1
        else:
            count.already += 1
