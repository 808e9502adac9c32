"""``nongso import readings``: loads a foreign CSV (gzip too) into telemetry, and counts.

How this works. The map (``nongso.platform.columns``) says what the columns are. Every line read
ends in exactly one of three counts: *stored* (at least one of its cells was new), *already
there* (some of its cells are, none is new), *refused* (with its reason and line number); cells
are counted apart. Running it twice stores nothing twice, because a reading is identified by
series and time; two at once share the work.

A cell that is not a number refuses that cell, not its line. What a metric cannot be is stored
with a mark and never used. Two values for one series and time: the first stays, the other is
kept aside and counted as refused. A file that cannot be read to its end is loaded up to there,
and said. A map under which no line can be used makes nothing, not even the greenhouse.
"""

import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform import columns, migrations
from nongso.platform.columns import Map, MapError
from nongso.platform.foreign_file import Broken, Clock, FileError, Source, read_cell
from nongso.platform.greenhouse.records import Greenhouse, Zone
from nongso.platform.import_count import Count, say
from nongso.platform.people import Cooperative
from nongso.platform.settings import Settings
from nongso.platform.store import Records
from nongso.platform.telemetry import Row, Series, Telemetry, open_telemetry
from nongso.wire import marks
from nongso.wire.metrics import is_possible, metric_of

ROWS_A_WRITE = 20_000
LARGEST = 1e12  # a value beyond is no reading of anything, not even a wrong one
Progress = Callable[[int, int], None]


def import_readings(
    settings: Settings, file: Path, map_file: Path, on_progress: Progress | None = None
) -> Count:
    """Load a file; returns the count. Raises ``MapError``, ``FileError``, ``SchemaError``.

    ``FileError`` is for a file of which nothing can be read.
    """
    wanted = columns.load(map_file)
    records = Records.of(settings)
    telemetry = open_telemetry(settings)
    try:
        migrations.check(settings, records)
        with Source(file, wanted) as source:
            with records.session() as session:
                cooperative = _check_place(session, wanted, map_file)

            def make_place() -> None:
                with records.transaction() as session:
                    _make_greenhouse(session, wanted, cooperative)

            load = _Load(wanted, source, telemetry, make_place)
            return load.run(on_progress or (lambda done, total: None))
    finally:
        telemetry.close()
        records.close()


def command(settings: Settings, file: Path, map_file: Path) -> int:
    """Load a file and say at the terminal what became of it; return the exit status."""
    began = time.monotonic()
    count = import_readings(settings, file, map_file, _progress_bar())
    seconds = time.monotonic() - began
    say(count, file, map_file, seconds)
    return 0 if count.is_done else 1


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


def _check_place(session: Session, wanted: Map, map_file: Path) -> str:
    """Check greenhouse, cooperative and zones; return whose it is, or will be."""
    known = list(session.scalars(select(Cooperative.slug).order_by(Cooperative.slug)))
    if wanted.cooperative is not None and wanted.cooperative not in known:
        raise MapError(
            f"{map_file}: there is no cooperative {wanted.cooperative[:60]!r}; there are: "
            f"{', '.join(known) or 'none yet'}"
        )
    there = session.get(Greenhouse, wanted.greenhouse)
    if there is None:
        slug = wanted.cooperative or (known[0] if len(known) == 1 else None)
        if slug is None:
            raise MapError(
                f"{map_file}: greenhouse {wanted.greenhouse!r} is new, so the map must name its "
                f"cooperative; there are: {', '.join(known) or 'none yet'}"
            )
    elif wanted.cooperative not in (None, there.cooperative):
        raise MapError(
            f"{map_file}: greenhouse {wanted.greenhouse!r} belongs to cooperative "
            f"{there.cooperative!r}, not to {wanted.cooperative!r}"
        )
    else:
        slug = there.cooperative
    zones = list(session.scalars(select(Zone.id).where(Zone.greenhouse == wanted.greenhouse)))
    for column in wanted.columns:
        if column.zone and column.zone not in zones:
            near = f"nearest: {columns.nearest(column.zone, zones)}" if zones else "it has none"
            raise MapError(
                f"{map_file}: column {column.name[:80]!r}: greenhouse {wanted.greenhouse!r} has "
                f"no zone {column.zone[:60]!r}; {near}"
            )
    return slug


def _make_greenhouse(session: Session, wanted: Map, cooperative: str) -> None:
    if session.get(Greenhouse, wanted.greenhouse) is None:
        session.add(
            Greenhouse(
                slug=wanted.greenhouse,
                name=wanted.name,
                cooperative=cooperative,
                gateway=None,
                imported=True,
            )
        )


class _Load:
    """One file on its way into telemetry."""

    def __init__(
        self,
        wanted: Map,
        source: Source,
        telemetry: Telemetry,
        make_place: Callable[[], None],
    ) -> None:
        self.count = Count()
        self._wanted, self._source, self._telemetry = wanted, source, telemetry
        self._make_place: Callable[[], None] | None = make_place
        self._clock = Clock(wanted)
        self._time_cell = source.head.index(wanted.time_column)
        self._cells = [
            (
                source.head.index(column.name),
                column,
                Series(wanted.greenhouse, column.zone, column.node, column.metric),
            )
            for column in wanted.columns
        ]
        self._waiting: list[list[tuple[int, Row]]] = []

    def run(self, on_progress: Progress) -> Count:
        """Read to the end, or as far as it can be read."""
        pending = 0
        try:
            for line, row in self._source.lines():
                pending += self._take(line, row)
                if pending >= ROWS_A_WRITE:
                    self._write()
                    pending = 0
                    on_progress(self._source.done, self._source.size)
        except FileError as error:
            self.count.broke_off = str(error)
        self._write()
        on_progress(self._source.size, self._source.size)
        return self.count

    def _take(self, line: int, row: list[str] | Broken) -> int:
        """Take a line; return how many readings of it wait to be written."""
        count = self.count
        if isinstance(row, Broken):
            count.lines += row.lines
            count.refuse_line(line, row.kind, row.why, row.lines)
            return 0
        count.lines += 1
        if len(row) != len(self._source.head):
            has = f"{len(row)} cells, the head has {len(self._source.head)}"
            count.refuse_line(line, "wrong number of cells", has)
            return 0
        try:
            at = self._clock.read(row[self._time_cell])
        except ValueError as error:
            count.refuse_line(line, "time", str(error))
            return 0
        count.repeated_hour += self._clock.was_repeated
        readings = []
        for place, column, series in self._cells:
            count.cells += 1
            found = self._cell(row[place].strip(), column, line)
            if found is not None:
                readings.append((line, Row(series, at, *found)))
        if readings:
            self._waiting.append(readings)
        else:
            count.refuse_line(line, "nothing to load", "no reading in any mapped column")
        return len(readings)

    def _cell(self, text: str, column: columns.Column, line: int) -> tuple[float, int] | None:
        if text in self._wanted.empty:
            self.count.cells_empty += 1
            return None
        metric = metric_of(column.metric)
        try:
            value = read_cell(text, self._wanted.decimal) * column.factor + column.offset
        except ValueError:
            value = math.nan
        if metric is None or not abs(value) <= LARGEST:
            self.count.refuse_cell(line, "not a number", self._no_number(text, column))
            return None
        value = round(value, metric.decimals) + 0.0  # no minus zero
        mark = marks.GOOD if is_possible(metric, value) else marks.IMPOSSIBLE
        return value, mark | marks.IMPORTED

    def _no_number(self, text: str, column: columns.Column) -> str:
        said = f"{column.name[:80]!r}: {text[:40]!r} is not a number"
        if self._wanted.decimal == "." and _with_comma(text):
            said += '; where a comma stands before the decimals, the map says decimal = ","'
        return said

    def _write(self) -> None:
        """Store what has gathered, and find out what became of each line."""
        if not self._waiting:
            return
        if self._make_place is not None:
            self._make_place()
            self._make_place = None
        waiting, self._waiting = self._waiting, []
        rows = [row for readings in waiting for _line, row in readings]
        outcomes = iter(self._telemetry.write_each(rows))
        for readings in waiting:
            self._settle([(line, row, next(outcomes)) for line, row in readings])

    def _settle(self, readings: list[tuple[int, Row, str]]) -> None:
        """Count a line by what became of its readings."""
        count = self.count
        line = readings[0][0]
        for _, row, outcome in readings:
            if outcome == "stored" and marks.is_good(row.mark):
                count.cells_stored += 1
            elif outcome == "stored":
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
        outcomes = {outcome for _, _, outcome in readings}
        if "stored" in outcomes:
            count.stored += 1
        elif "already" in outcomes:
            count.already += 1
        else:
            count.refuse_line(line, "nothing to load", "every reading has another value already")


def _with_comma(text: str) -> bool:
    try:
        read_cell(text, ",")
    except ValueError:
        return False
    return "," in text
