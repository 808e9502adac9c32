"""The stores of readings side by side: SQLite, InfluxDB, VictoriaMetrics, in one run.

Every store gets the same readings of the same stations and the same questions. Engines are the
programs in ``.venv/engines``; one that is not there is left out. The stations are made up, with
what real logs have: days and nights, clouds, slow and fast noise, the resolution of each sensor,
clocks that slip a second now and then, missing readings, gaps of hours, readings that failed.
``rows`` is the SQLite store as it was before days were sealed, with a month of a few stations.

Times are milliseconds of the fastest of some rounds (the others measure what else the machine
does), with their ratio to sealed SQLite; of sealed SQLite the median is told too. ``processor`` is
what this process itself worked: for SQLite that is all, on a busy machine too, and what the goals
are held against. Engines and ``rows`` are filled past our own code where that only takes time;
``stored a second`` is always through it. Ends with what was to be reached, and 1 if something was
not.

    python bench/telemetry.py [--series 12] [--days 60] [--step 60] [--rounds 15]
    python bench/telemetry.py --series 80 --days 365 --folder DIR   # 42 million readings
    python bench/telemetry.py --folder DIR --again [--rounds 50]

With ``--folder`` what was filled stays, day by day: a run that is ended goes on where it was. Once
it has asked, a folder is used up, for the last questions write; but ``--again`` asks its sealed
store as often as one likes, in seconds, and writes nothing.
"""

import argparse
import http.client
import json
import math
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "platform"))

HOUR, DAY = 3600, 86400
EAST = 7 * HOUR
MARK, FAILED = 16, 19
TABLE = 1 << 16
ROWS_SERIES, ROWS_DAYS = 4, 31
SETTLED_SECONDS = 12.0
# InfluxDB packs its files after hours without writing; here after seconds.
SOONER = {
    "INFLUXDB_DATA_CACHE_SNAPSHOT_WRITE_COLD_DURATION": "2s",
    "INFLUXDB_DATA_COMPACT_FULL_WRITE_COLD_DURATION": "5s",
}


class Kind(NamedTuple):
    """A sensor: its resolution, middle, swing of a day, slow noise, fast noise."""

    name: str
    decimals: int
    middle: float
    swing: float
    slow: float
    fast: float


KINDS = (
    Kind("air_temperature", 2, 24, 7, 0.8, 0.03),
    Kind("air_humidity", 1, 76, -14, 3, 0.15),
    Kind("soil_moisture", 1, 34, -2, 0.6, 0.1),
    Kind("soil_temperature", 2, 23, 2, 0.2, 0.01),
    Kind("light", 0, 0, 45000, 4000, 300),
    Kind("co2", 0, 480, -90, 20, 4),
    Kind("battery", 2, 3.9, 0.1, 0.02, 0.005),
    Kind("soil_ec", 3, 1.2, 0.05, 0.05, 0.004),
)


class Progress:
    """How far each store is filled, in a file, so that a long run may be ended."""

    def __init__(self, file: Path, of: dict[str, int] | None) -> None:
        """``of`` is what the run is of; ``None`` to look at one that has ended."""
        self._file = file
        self.found: dict[str, Any] = {"of": of}
        if file.exists() or of is None:
            self.found = json.loads(file.read_text())
            if of is None:
                return
            if {**self.found["of"], "until": 0} != {**of, "until": 0}:
                raise SystemExit(f"{file} is of another run: {self.found['of']}")
            if self.found.get("asked"):
                raise SystemExit(f"{file.parent} was measured already; take another folder")

    @property
    def until(self) -> int:
        """The midnight at which the readings end; that of the first start."""
        return int(self.found["of"]["until"])

    def of(self, store: str) -> dict[str, float]:
        """What is known of a store, to be changed and kept."""
        known: dict[str, float] = self.found.setdefault(store, {})
        return known

    def keep(self) -> None:
        """Write it down."""
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(self.found))
        new.replace(self._file)


class Day(NamedTuple):
    """A day of a station."""

    at: list[int]
    value: list[float | None]
    mark: list[int]


class Season:
    """Makes readings; the same ones for everybody who asks."""

    def __init__(self, series: int, days: int, step: int, until: int) -> None:
        from nongso.platform.telemetry import Series

        self.kinds = [KINDS[n % len(KINDS)] for n in range(series)]
        self.names = [
            Series("bench-1", f"k{n // 8}", f"{n // 8 + 1:016x}", kind.name)
            for n, kind in enumerate(self.kinds)
        ]
        self.step, self.until = step, until
        self.since = until - days * DAY
        dice = random.Random(1)
        self._fast = [dice.gauss(0, 1) for _ in range(TABLE)]
        self._slow, level = [], 0.0
        for _ in range(TABLE):  # forgets half of itself in about an hour
            level += dice.gauss(0, 0.15) - level * 0.0115
            self._slow.append(level)
        steps = DAY // step
        self._sun = [
            max(0.0, math.sin((n / steps - 0.25) * 2 * math.pi)) for n in range(steps + 1)
        ]
        self._wave = [math.sin((n / steps - 0.35) * 2 * math.pi) for n in range(steps + 1)]

    def day(self, number: int, begin: int) -> Day:
        """Return the readings of a station from a midnight on."""
        kind = self.kinds[number]
        dice = random.Random(number * 1_000_003 + begin // DAY)
        steps = DAY // self.step
        fast, slow = dice.randrange(TABLE - steps), dice.randrange(TABLE - steps)
        scale = 10**kind.decimals
        weather = dice.uniform(0.3, 1.0)
        if kind.name == "light":
            swing, rest = kind.swing * weather, kind.slow * weather
            found = [
                int(sun * (swing + rest * s + kind.fast * f))
                for sun, s, f in zip(
                    self._sun, self._slow[slow : slow + steps], self._fast[fast:], strict=False
                )
            ]
            values: list[float | None] = [float(max(0, one)) for one in found]
        else:
            middle = (kind.middle + dice.gauss(0, kind.slow)) * scale
            swing, rest, noise = (
                part * scale for part in (kind.swing * weather, kind.slow, kind.fast)
            )
            values = [
                round(middle + swing * w + rest * s + noise * f) / scale
                for w, s, f in zip(
                    self._wave, self._slow[slow : slow + steps], self._fast[fast:], strict=False
                )
            ]
        phase = number * 7 % self.step
        at = list(range(begin + phase, begin + phase + steps * self.step, self.step))
        slip = dice.randrange(steps)
        at[slip:] = [one + 1 for one in at[slip:]] if phase + 1 < self.step else at[slip:]
        mark = [MARK] * steps
        if dice.random() < 0.1:
            failed = dice.randrange(steps)
            values[failed], mark[failed] = None, FAILED
        for _ in range(dice.choice((0, 0, 1, 2))):
            lost = dice.randrange(steps - 2)
            del at[lost], values[lost], mark[lost]
            steps -= 1
        if dice.random() < 0.03:
            lost, until = sorted((dice.randrange(steps // 2), dice.randrange(steps)))
            del at[lost:until], values[lost:until], mark[lost:until]
        return Day(at, values, mark)

    def days(self) -> Iterator[int]:
        """Yield the midnights."""
        yield from range(self.since, self.until, DAY)


def timed(ask: Callable[[], Any], rounds: int) -> tuple[float, float, float]:
    """Return least and median milliseconds of a question, and least of our processor."""
    took, worked = [], []
    for _ in range(rounds):
        began, at_work = time.perf_counter(), time.thread_time()
        ask()
        worked.append((time.thread_time() - at_work) * 1000)
        took.append((time.perf_counter() - began) * 1000)
    return min(took), statistics.median(took), min(worked)


def size(folder: Path) -> int:
    """Return how much room the files take on the disk."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # it was packed into another one meanwhile
            total += path.stat().st_blocks * 512 if path.is_file() else 0
    return total


def settle(folder: Path) -> None:
    """Wait until an engine has done what it does with its files by night, at most a minute."""
    last, since = -1, time.monotonic()
    begin = since
    while time.monotonic() - since < SETTLED_SECONDS and time.monotonic() - begin < 60:
        now = size(folder)
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(0.5)


def rows_of(season: Season, number: int, begin: int) -> list[Any]:
    from nongso.platform.telemetry import Row

    name = season.names[number]
    return [Row(name, *one) for one in zip(*season.day(number, begin), strict=True)]


def stored_a_second(store: Any, season: Season, begin: int) -> float:
    """Write some days of some stations through the store, 2,000 a batch; return rows a second."""
    rows = [
        row
        for number in range(min(6, len(season.names)))
        for day in range(begin, begin + 3 * DAY, DAY)
        for row in rows_of(season, number, day)
    ]
    rows.sort(key=lambda row: row.at)
    began = time.perf_counter()
    for first in range(0, len(rows), 2000):
        batch = rows[first : first + 2000]
        written = store.write(batch)
        if written.stored + written.suspect + written.already != len(batch):
            raise SystemExit(f"{written} of {len(batch)}")
    return len(rows) / (time.perf_counter() - began)


def fill_sqlite(
    store: Any, season: Season, known: dict[str, float], keep: Callable[[], None], *, seals: bool
) -> dict[str, float]:
    """Bring everything in as rows and seal day by day, as in daily life.

    The last day stays rows, as in any evening. The rows go in with plain SQL; the days are added
    up from them. A day that was broken off is brought once more, which changes nothing.
    """
    from nongso.platform.telemetry import rollups

    ids = {}
    with store._writing() as connection:
        for name in season.names:
            ids[name] = store._id(connection, name)
    known.setdefault("readings", 0)
    known.setdefault("sealing", 0.0)
    for begin in season.days():
        if begin < known.get("next", 0):
            continue
        began = time.perf_counter()
        is_open = not seals or begin >= season.until - DAY
        if is_open and seals:
            known["sealed a second"] = known["readings"] / known["sealing"]
            known["bytes a sealed reading"] = room(store) / known["readings"]
        with store._writing() as connection:
            for number, name in enumerate(season.names):
                day = season.day(number, begin)
                rows = [(ids[name], *one) for one in zip(*day, strict=True)]
                connection.executemany("INSERT OR IGNORE INTO reading VALUES (?, ?, ?, ?)", rows)
                known["readings"] += len(rows)
                if is_open:
                    rollups.add(connection, rows)
            if not is_open:
                connection.execute(
                    f"INSERT OR IGNORE INTO day SELECT series, {begin}, {rollups._READING} "
                    "FROM reading WHERE at >= ? AND at < ? GROUP BY series",
                    (begin, begin + DAY),
                )
        if not is_open:
            sealing = time.perf_counter()
            for name in season.names:
                store.seal(ids[name], begin)
            known["sealing"] += time.perf_counter() - sealing
        known["next"] = begin + DAY
        known["seconds"] = known.get("seconds", 0.0) + time.perf_counter() - began
        keep()
    shown = ("readings", "sealed a second", "bytes a sealed reading")
    found = {what: known[what] for what in shown if what in known}
    return {**found, "bytes a reading": room(store) / known["readings"]}


def room(store: Any) -> int:
    """Return the size of the file, without the pages that wait for the next readings."""
    while store.give_back(1000, 0):
        pass
    store._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return int(store.file.stat().st_size)


def fill_engines(
    running: dict[str, Any], season: Season, known: dict[str, float], keep: Callable[[], None]
) -> None:
    """Write the same readings to the engines, as our lines, by their oldest door."""
    from nongso.platform.telemetry import lines

    doors = {
        kind: http.client.HTTPConnection("127.0.0.1", engine.port, timeout=300)
        for kind, engine in running.items()
    }
    heads = [f"{lines.READING}{lines.head_of(name)}" for name in season.names]
    tags = {mark: lines._tags_of(mark) for mark in (MARK, FAILED)}
    pending: list[str] = []
    began = time.perf_counter()
    for begin in season.days():
        if begin < known.get("next", 0):
            continue
        for number, head in enumerate(heads):
            good, failed = f"{head}{tags[MARK]} value=", f"{head}{tags[FAILED]} none=1 "
            pending += [
                f"{good}{value!r} {at}" if value is not None else f"{failed}{at}"
                for at, value in zip(*season.day(number, begin)[:2], strict=True)
            ]
        if len(pending) >= 50_000 or begin + DAY >= season.until:
            body = "\n".join(pending).encode()
            for kind, door in doors.items():
                door.request("POST", "/write?db=nongso&precision=s", body)
                answer = door.getresponse()
                said = answer.read()
                if answer.status != 204:
                    raise SystemExit(f"{kind}: {answer.status} {said[:200]!r}")
            pending = []
            known["next"] = begin + DAY
            known["seconds"] = known.get("seconds", 0.0) + time.perf_counter() - began
            began = time.perf_counter()
            keep()
    for door in doors.values():
        door.close()


def questions(store: Any, season: Season) -> dict[str, Callable[[], Any]]:
    """Return what is asked of each store; the stores' own station numbers differ."""
    numbers = list(store.series(greenhouse="bench-1"))
    by_name = {one: number for number, one in store.series(greenhouse="bench-1").items()}
    one = [by_name[season.names[0]]]
    until = season.until
    month = until - 30 * DAY
    return {
        "newest of all": lambda: store.latest(numbers),
        "a day raw": lambda: store.points(one, until - 4 * DAY, until - 3 * DAY),
        "30 days raw, by column": lambda: store.columns(one, month, until),
        "30 days raw": lambda: store.points(one, month, until),
        "30 days in 500 points": lambda: store.steps(one, month, until, 30 * DAY // 500),
        "30 days by hour": lambda: store.summaries(one, month, until, HOUR),
        "a year by day": lambda: store.summaries(one, until - 365 * DAY, until, DAY),
    }


def answers(store: Any, season: Season) -> list[Any]:
    """Return what all stores must answer alike."""
    by_name = {one: number for number, one in store.series(greenhouse="bench-1").items()}
    numbers = [by_name[name] for name in season.names]
    found: list[Any] = []
    for number in numbers[:: max(1, len(numbers) // 8)]:
        points = store.points([number], season.until - 9 * DAY, season.until)
        found.append([(p.at, p.value, p.mark) for p in points])
        days = store.summaries([number], season.since, season.until, DAY)
        found.append([(day.since, day.low, day.high, day.good, day.suspect) for day in days])
    latest = store.latest(numbers)
    found.append([(latest[n].at, latest[n].value) for n in numbers])
    return found


def measure(args: argparse.Namespace, folder: Path, running: dict[str, Any]) -> dict[str, Any]:
    from nongso.platform.settings import Settings
    from nongso.platform.telemetry import open_telemetry
    from nongso.platform.telemetry.interface import local_day

    of = {"series": args.series, "days": args.days, "step": args.step}
    progress = Progress(folder / "progress.json", of | {"until": local_day(int(time.time()))})
    season = Season(args.series, args.days, args.step, progress.until)
    few = Season(min(args.series, ROWS_SERIES), min(args.days, ROWS_DAYS), args.step, season.until)
    found: dict[str, dict[str, float]] = {}
    stores: dict[str, Any] = {}
    try:
        for kind, stations in (("sqlite", season), ("rows", few)):
            (folder / kind).mkdir(exist_ok=True)
            stores[kind] = store = open_telemetry(Settings(folder / kind, secret="x" * 40))
            known = progress.of(kind)
            seals = kind == "sqlite"
            found[kind] = fill_sqlite(store, stations, known, progress.keep, seals=seals)
            print(
                f"{kind}: {known['readings']:.0f} readings in {known['seconds']:.0f} s", flush=True
            )
        if running:
            for kind, engine in running.items():
                settings = Settings(folder, secret="x" * 40, telemetry=engine.setting)
                stores[kind] = open_telemetry(settings)  # makes the database
                found[kind] = {"readings": found["sqlite"]["readings"]}
            known = progress.of("engines")
            fill_engines(running, season, known, progress.keep)
            print(f"engines: {known['seconds']:.0f} s", flush=True)
            for kind, engine in running.items():
                stores[kind].close()
                engine.end()
                engine.start()  # what was still in memory is on disk, as after a night
                settle(engine.folder)
                settings = Settings(folder, secret="x" * 40, telemetry=engine.setting)
                stores[kind] = open_telemetry(settings)
                found[kind]["bytes a reading"] = size(engine.folder) / found[kind]["readings"]
        expected = answers(stores["sqlite"], season)
        for kind in running:
            if answers(stores[kind], season) != expected:
                raise SystemExit(f"{kind} does not answer as sealed SQLite does")
        asked = {
            kind: questions(store, few if kind == "rows" else season)
            for kind, store in stores.items()
        }
        for what in asked["sqlite"]:  # in turn, so that a busy moment hits all
            for kind in stores:
                if kind != "rows" or "year" not in what:
                    found[kind][what], middle, worked = timed(asked[kind][what], args.rounds)
                    if kind == "sqlite":
                        found[kind][f"{what}, median"] = middle
                    if kind not in running:
                        found[kind][f"{what}, processor"] = worked
        store = stores["sqlite"]
        late = [
            row._replace(at=row.at + 1 if row.at % DAY < DAY // 2 else row.at)
            for row in rows_of(season, 0, season.until - 20 * DAY)
        ][:100]
        progress.found["asked"] = True
        progress.keep()
        began = time.perf_counter()
        store.write(late)
        found["sqlite"]["100 late ones into a sealed day"] = (time.perf_counter() - began) * 1000
        for kind, store in stores.items():
            found[kind]["stored a second"] = stored_a_second(store, season, season.until)
    finally:
        for store in stores.values():
            store.close()
    return found


def ask_again(folder: Path, rounds: int) -> dict[str, float]:
    """Ask the sealed store of a folder that was filled; nothing is written."""
    from nongso.platform.settings import Settings
    from nongso.platform.telemetry import open_telemetry

    progress = Progress(folder / "progress.json", None)
    of = progress.found["of"]
    season = Season(of["series"], of["days"], of["step"], of["until"])
    store = open_telemetry(Settings(folder / "sqlite", secret="x" * 40))
    found = {"bytes a sealed reading": progress.of("sqlite")["bytes a sealed reading"]}
    try:
        for what, ask in questions(store, season).items():
            began = time.perf_counter()
            ask()
            found[f"{what}, first"] = (time.perf_counter() - began) * 1000
            found[what], found[f"{what}, median"], found[f"{what}, processor"] = timed(ask, rounds)
    finally:
        store.close()
    return found


def table(found: dict[str, dict[str, float]]) -> None:
    """Print what was measured, with ratios to sealed SQLite."""
    kinds = list(found)
    print(f"{'':34}" + "".join(f"{kind:>20}" for kind in kinds))
    for what in {what: None for of in found.values() for what in of}:
        base = found["sqlite"].get(what)
        cells = []
        for kind in kinds:
            value = found[kind].get(what)
            if value is None:
                cells.append("-")
            elif what == "readings":
                cells.append(f"{value:.0f}")
            else:
                number = f"{value:.0f}" if value > 1000 else f"{value:.2f}"
                cells.append(number + (f" {value / base:6.2f}x" if base else ""))
        print(f"{what:34}" + "".join(f"{cell:>20}" for cell in cells))


GOALS = (
    ("bytes a sealed reading", 1.5),
    ("30 days raw, by column", 5.0),
    ("30 days in 500 points", 4.0),
    ("a year by day", 20.0),
    ("newest of all", 5.0),
)


def main() -> int:
    """Run the bench; print a table, what was reached, and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--series", type=int, default=12, help="sensors (default: 12)")
    parser.add_argument("--days", type=int, default=60, help="days (default: 60)")
    parser.add_argument("--step", type=int, default=60, help="seconds a reading (default: 60)")
    parser.add_argument("--rounds", type=int, default=15, help="times each is asked")
    parser.add_argument("--folder", type=Path, help="keep what is filled here, and go on there")
    parser.add_argument("--again", action="store_true", help="ask a filled folder, write nothing")
    args = parser.parse_args()
    if args.again:
        if args.folder is None or not (args.folder / "progress.json").exists():
            parser.error("--again needs the --folder of a run that has filled it")
        return told({"sqlite": ask_again(args.folder, args.rounds)})
    if args.days < ROWS_DAYS:
        parser.error(f"--days must be {ROWS_DAYS} or more")
    from telemetry_engines import ENGINES, Influx, Victoria

    os.environ.update(SOONER)
    running: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as short:
        name = args.folder or short
        Path(name).mkdir(parents=True, exist_ok=True)
        try:
            for kind, engine in (("influxdb", Influx), ("victoriametrics", Victoria)):
                if (ENGINES / engine.program).exists():
                    running[kind] = engine(Path(name) / kind)
                else:
                    print(f"{kind}: not unpacked; left out", file=sys.stderr)
            found = measure(args, Path(name), running)
        finally:
            for engine in running.values():
                engine.close()
    return told(found)


def told(found: dict[str, dict[str, float]]) -> int:
    """Print what was measured and what was to be reached; 1 if something was not."""
    table(found)
    missed = 0
    ours = found["sqlite"]
    for what, most in GOALS:
        value = ours.get(f"{what}, processor", ours[what])
        is_reached = value <= most
        missed += not is_reached
        print(f"{what}: {value:.2f} (at most {most})" + " MISSED" * (not is_reached))
    rounded = {kind: {k: round(x, 3) for k, x in v.items()} for kind, v in found.items()}
    print(json.dumps({"bench": "telemetry", "missed": missed} | rounded))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
