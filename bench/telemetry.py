"""The stores of readings side by side: SQLite, InfluxDB, VictoriaMetrics, in one run.

Every store gets the same year of readings of a few stations and the same questions, in turn:
inserting, the newest of all, a day and thirty days raw, a year of days from roll-ups, and the
same year added up from readings with plain SQL (what roll-ups save). Engines are the programs in
``.venv/engines``; one that is not there is left out. Milliseconds are medians; ratios are against
SQLite's own, and "year/day" is how much longer a year takes than a day.

    python bench/telemetry.py [--series 6] [--step 300] [--rounds 15]
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "platform"))

DAY = 86400
DAYS = 365
BATCH = 5000


def engines(folder: Path) -> dict[str, Any]:
    """Start what is there; the value is ``None`` for SQLite."""
    from telemetry_engines import ENGINES, Influx, Victoria

    found: dict[str, Any] = {"sqlite": None}
    for name, engine in (("influxdb", Influx), ("victoriametrics", Victoria)):
        if (ENGINES / engine.program).exists():
            found[name] = engine(folder / name)
        else:
            print(f"{name}: {engine.program} is not unpacked; left out", file=sys.stderr)
    return found


def timed(ask: Callable[[], Any], rounds: int) -> float:
    """Return milliseconds of a question, asked again and again."""
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        ask()
        took.append((time.perf_counter() - began) * 1000)
    return median(took)


def measure(store: Any, engine: Any, series: int, step: int, rounds: int) -> dict[str, float]:
    """Fill a store with a year and ask it."""
    from nongso.platform.telemetry import Row, Series
    from nongso.platform.telemetry.interface import local_day

    dice = random.Random(1)
    until = local_day(int(time.time()))
    since = until - DAYS * DAY
    names = [Series("bench-1", "k1", f"{n:016x}", "air_temperature") for n in range(series)]
    count, took, batch = 0, 0.0, []
    for at in range(since, until, step):
        for one in names:
            batch.append(Row(one, at, round(20 + dice.gauss(0, 4), 1), 16))
        if len(batch) >= BATCH or at + step >= until:
            began = time.perf_counter()
            written = store.write(batch)
            took += time.perf_counter() - began
            if written.stored != len(batch):
                raise SystemExit(f"{written} of {len(batch)}")
            count, batch = count + len(batch), []
    if engine is not None:  # as in daily life: no hundred thousand rows of the last seconds
        time.sleep(store.recent_seconds)
        store.write([Row(names[0], until, 20.0, 16)])
        engine.settle()
    numbers = list(store.series(greenhouse="bench-1"))
    one = numbers[:1]
    days = store.summaries(one, since, until, DAY)
    if [day.good for day in days] != [DAY // step] * DAYS:
        raise SystemExit("the days do not add up")
    ask = {
        "newest of all": lambda: store.latest(numbers),
        "a day raw": lambda: store.points(one, until - DAY, until),
        "30 days raw": lambda: store.points(one, until - 30 * DAY, until),
        "30 days by hour": lambda: store.summaries(one, until - 30 * DAY, until, 3600),
        "a day by 10 minutes": lambda: store.steps(one, until - DAY, until, 600),
        "a year by day": lambda: store.summaries(one, since, until, DAY),
    }
    if engine is None:
        plain = (
            "SELECT (at - ?) / ? AS n, min(value), avg(value), max(value), count(*) FROM reading "
            "WHERE series IN (?) AND at >= ? AND at < ? AND (mark & 15) = 0 GROUP BY n"
        )
        values = (since, DAY, one[0], since, until)
        ask["a year by day, no roll-ups"] = lambda: store._ask(plain, values)
    return {"rows/s": count / took} | {name: timed(what, rounds) for name, what in ask.items()}


def main() -> int:
    """Run the bench; print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--series", type=int, default=6, help="stations (default: 6)")
    parser.add_argument("--step", type=int, default=300, help="seconds a reading (default: 300)")
    parser.add_argument("--rounds", type=int, default=15, help="times each is asked")
    args = parser.parse_args()
    from nongso.platform.settings import Settings
    from nongso.platform.telemetry import open_telemetry

    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        running = engines(Path(name))
        try:
            for kind, engine in running.items():
                setting = engine.setting if engine is not None else ""
                store = open_telemetry(Settings(Path(name), secret="x" * 40, telemetry=setting))
                found[kind] = measure(store, engine, args.series, args.step, args.rounds)
                store.close()
        finally:
            for engine in running.values():
                if engine is not None:
                    engine.close()
    kinds = list(found)
    print(f"{'':28}" + "".join(f"{kind:>18}" for kind in kinds))
    for what in found["sqlite"]:
        cells = []
        for kind in kinds:
            value = found[kind].get(what)
            base = found["sqlite"][what]
            unit = "" if what == "rows/s" else " ms"
            cells.append(
                f"{value:10.{0 if not unit else 2}f}{unit} {value / base:4.1f}x" if value else "-"
            )
        print(f"{what:28}" + "".join(f"{cell:>18}" for cell in cells))
    ratios = {k: round(v["a year by day"] / v["a day by 10 minutes"], 2) for k, v in found.items()}
    print("year/day: " + ", ".join(f"{kind} {ratio}" for kind, ratio in ratios.items()))
    saved = found["sqlite"]["a year by day, no roll-ups"] / found["sqlite"]["a year by day"]
    rounded = {kind: {k: round(x, 2) for k, x in v.items()} for kind, v in found.items()}
    print(f"roll-ups: a year by day {saved:.0f} times faster than from readings (target: 10)")
    print(json.dumps({"bench": "telemetry", "year_over_day": ratios, "saved": saved} | rounded))
    return 0 if saved >= 10 else 1


if __name__ == "__main__":
    sys.exit(main())
