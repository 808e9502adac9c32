"""How long one look at all farms takes, while nothing is wrong and while much is.

A thousand greenhouses (two zones, two stations with five series each) on a hundred gateways. The
look is compared, in the same run, with the least that any look must do: reading the newest value
of every series from telemetry. Ratios count, not absolutes; the goal in seconds is stated too,
because a look has to be done well within the ten seconds between two of them.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from nongso.platform import migrations
from nongso.platform.alerts.findings import newest
from nongso.platform.alerts.watch import Watch
from nongso.platform.app import create_app
from nongso.platform.greenhouse.records import Gateway, Greenhouse, Node, Zone
from nongso.platform.people import Cooperative
from nongso.platform.settings import Settings
from nongso.platform.telemetry import Row, Series

GATEWAYS = 100
METRICS = ("air_temperature", "air_humidity", "soil_moisture", "light", "battery")
GOOD = {"air_temperature": 20.0, "battery": 4.0}
MOST_SECONDS = 1.0
MOST_RATIO = 3.0


def fill(settings: Settings, app: object, houses: int, now: int, cold: float) -> None:
    """Write the farms and one reading of every series."""
    records, telemetry = app.extensions["nongso.records"], app.extensions["nongso.telemetry"]  # type: ignore[attr-defined]
    rows = []
    with records.transaction() as session:
        session.add(Cooperative(slug="c", name="HTX"))
        session.flush()
        for g in range(GATEWAYS):
            session.add(
                Gateway(
                    slug=f"g-{g}", name=f"Tủ {g}", cooperative="c", key="k" * 40,
                    key_hash=f"{g:064}", simulated=True, registered_at=now, seen_at=now,
                )
            )  # fmt: skip
        session.flush()
        for h in range(houses):
            gateway = f"g-{h % GATEWAYS}"
            session.add(
                Greenhouse(slug=f"h-{h}", name=f"Nhà màng {h}", cooperative="c", gateway=gateway)
            )
            session.flush()
            for z in range(2):
                zone, eui64 = f"h-{h}-k{z}", f"{h * 2 + z:016x}"
                session.add(
                    Zone(
                        id=zone, name=f"Khu {z}", greenhouse=f"h-{h}", gateway=gateway, coil=z,
                        mode="manual", band={"low": 40.0, "high": 55.0}, max_run_seconds=600,
                        max_day_seconds=7200,
                    )
                )  # fmt: skip
                session.add(
                    Node(
                        eui64=eui64, slug=f"n-{h}-{z}", gateway=gateway, greenhouse=f"h-{h}",
                        zone=zone, state="online", state_at=now,
                    )
                )  # fmt: skip
                for metric in METRICS:
                    value = GOOD.get(metric, 60.0)
                    if metric == "air_temperature" and h < houses * cold:
                        value = 1.0
                    rows.append(Row(Series(f"h-{h}", zone, eui64, metric), now - 60, value, 16))
    telemetry.write(rows)


def measure(what: str, do: object, times: int) -> float:
    """Return the median of some runs."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        do()  # type: ignore[operator]
        found.append(time.perf_counter() - began)
    print(f"{what:<52} {median(found) * 1000:9.1f} ms")
    return median(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--houses", type=int, default=1000)
    parser.add_argument("--times", type=int, default=7)
    wished = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(folder=Path(folder), secret="0123456789abcdef" * 4)
        migrations.upgrade(settings)
        app = create_app(settings)
        now = int(time.time())
        fill(settings, app, wished.houses, now, cold=0.1)
        watch = Watch(app)
        least = measure(
            "newest value of every series", lambda: newest(watch.telemetry), wished.times
        )
        first = measure("first look: a tenth of the houses has frost", lambda: watch.tick(now), 1)
        raised = measure("the look that raises the alerts", lambda: watch.tick(now + 120), 1)
        steady = measure(
            f"a look at {wished.houses} greenhouses afterwards",
            lambda: watch.tick(now + 121),
            wished.times,
        )
        app.extensions["nongso.records"].close()
        app.extensions["nongso.telemetry"].close()
    ratio = steady / least
    print(f"ratio of a look to reading the newest values: {ratio:.2f} (at most {MOST_RATIO})")
    worst = max(first, raised, steady)
    print(f"slowest look: {worst:.2f} s (at most {MOST_SECONDS:.0f} s)")
    return 0 if ratio <= MOST_RATIO and worst <= MOST_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
