"""How often healthy sensors are doubted over simulated years, and how soon broken ones are.

The farm's model with its weather, two houses, four zones, each watered in its own way by the
gateway's own rules: by the moisture band, by the clock, by the plants, and now and then by a
person. Healthy years first: each doubt is a false one, and the longest stillness and the highest
rise without water say how far the limits are away. Then a soil probe freezes or drifts at a moment
of the seed's choosing, and hours are counted until it is doubted. The model's soil knows no
stones, roots or temperature of the probe: real farms will be worse.

    .venv/bin/python bench/doubts.py --years 10 --faults 200
"""

import argparse
import random
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from nongso.gateway.irrigation import trust
from nongso.gateway.irrigation import zone as zones
from nongso.gateway.irrigation.facts import (
    Balance,
    Band,
    Known,
    Limits,
    Ran,
    Reason,
    Schedule,
    Slot,
    Zone,
)
from nongso.gateway.simulated.model import DRIFT_PERCENT_PER_HOUR, FarmModel
from nongso.gateway.simulated.settings import COILS, FarmSettings, House, Node
from nongso.gateway.simulated.settings import Zone as Area
from nongso.wire import marks
from nongso.wire.payload import Reading

BEGIN = 1_767_200_400  # 1 January 2026, midnight at the farm
TICK, WATERING_STEP = 600, 20
DAY, YEAR = 86400, 365 * 86400
AREA_M2 = 240.0
FLUTTER = {"soil_moisture": 0.1, "air_temperature": 0.05, "air_humidity": 0.3, "light": 3.0}
WAYS = ("band", "schedule", "balance", "manual")
EVERY_DAY = tuple(range(7))


def zone_of(way: str) -> Zone:
    """A zone that is watered in this way."""
    return Zone(
        way,
        Limits(3600, 4 * 3600),
        mode=way,
        band=Band(40.0, 52.0, 120, 1800),
        schedule=Schedule((Slot(EVERY_DAY, "06:00", 240),)),
        balance=Balance("dau-tay", "2026-01-01", "nhieu-mun", 80.0),
        area_m2=AREA_M2,
    )


@dataclass
class Seen:
    """What was seen of one sensor."""

    doubts: list[tuple[float, Reason]] = field(default_factory=list)
    longest_still: float = 0.0  # hours, of moist soil
    highest_rise: float = 0.0


class Farm:
    """Four zones, watered in four ways; ``fault`` is what the soil probes tell instead."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        houses = tuple(
            House(f"h{n}", "tan-binh", 500.0, tuple(Area(w, 2 * n + k, AREA_M2) for k, w in
            enumerate(WAYS[2 * n : 2 * n + 2])))
            for n in range(2)
        )  # fmt: skip
        self.nodes = {
            way: Node(way, f"{seed * 8 + n:016x}", f"h{n // 2}", way, 0, 1)
            for n, way in enumerate(WAYS)
        }
        here = Path()
        settings = FarmSettings(
            *(seed, 1.0, 22.33, 103.66, "", 0, "", 0, here, here, houses),
            *(tuple(self.nodes.values()), 7, 6, None, 20_000.0, 20.0, 0),
        )
        self.model = FarmModel(settings, BEGIN - DAY)
        self.model.advance(DAY)
        self.zones = {way: zone_of(way) for way in WAYS}
        self.ran: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
        self.litres = dict.fromkeys(WAYS, 0.0)
        self.traces: dict[tuple[str, str], trust.Trace] = {}
        self.seen: dict[tuple[str, str], Seen] = {}
        self.faults: dict[str, tuple[str, float, float]] = {}  # way: kind, since, value then
        self.empty_until = 0.0

    def measure(self, way: str) -> dict[str, float]:
        """What the station of a zone tells."""
        truth = self.model.truth(self.nodes[way])
        told = {name: truth[name] + self.chance.gauss(0.0, by) for name, by in FLUTTER.items()}
        kind, since, then = self.faults.get(way, ("", 0.0, 0.0))
        if kind == "frozen":
            told["soil_moisture"] = then + self.chance.gauss(0.0, FLUTTER["soil_moisture"])
        elif kind == "drifting":
            drifted = (self.model.at - since) / 3600.0 * DRIFT_PERCENT_PER_HOUR
            told["soil_moisture"] = min(100.0, told["soil_moisture"] + drifted)
        return {name: round(max(0.0, value), 1) for name, value in told.items()}

    def turn(self) -> None:
        """Ten minutes."""
        at = self.model.at
        for way, zone in list(self.zones.items()):
            told = self.measure(way)
            share = zone.balance.wetted_share if zone.balance else 0.4
            low = zone.band.low if zone.band else trust.MOIST_PERCENT
            around = trust.Around(self.litres[way], zone.area_m2 * share, False, low)
            doubts = {}
            for metric, value in told.items():
                doubt = self.judge(way, metric, at, value, around)
                if doubt is not None:
                    doubts[metric] = doubt
            self.water(way, self.known(way, told, doubts))
        self.model.advance(TICK - self.model.at % TICK)

    def judge(
        self, way: str, metric: str, at: float, value: float, around: trust.Around
    ) -> Reason | None:
        key = (way, metric)
        seen = self.seen.setdefault(key, Seen())
        before = self.traces.get(key) or trust.begun(metric, at, value, around, None)
        self.traces[key] = trace = trust.seen(before, at, value, around)
        if trace.doubt is not None and before.doubt is None:
            seen.doubts.append((at, trace.doubt))
        if metric != "soil_moisture" or trace.smooth >= around.moist_percent:
            seen.longest_still = max(seen.longest_still, (at - trace.moved_at) / 3600.0)
        seen.highest_rise = max(seen.highest_rise, trace.smooth - trace.driest)
        return trace.doubt

    def known(self, way: str, told: dict[str, float], doubts: dict[str, Reason]) -> Known:
        at = int(self.model.at)

        def reading(name: str) -> tuple[Reading, ...]:
            return () if name in doubts else (Reading(name, at, told[name], marks.SIMULATED),)

        self.ran[way] = [(end, s) for end, s in self.ran[way] if at - end < 2 * DAY]
        return Known(
            at,
            moisture=reading("soil_moisture"),
            tank=Reading("tank_level", at, self.model.water.tank_percent, marks.SIMULATED),
            ran=tuple(Ran(at - end, s) for end, s in self.ran[way]),
            celsius=reading("air_temperature"),
            humidity=reading("air_humidity"),
            light=reading("light"),
            delivered_litres=self.litres[way],
            doubts=doubts,
        )

    def water(self, way: str, known: Known) -> None:
        """What the rules, or a person, do."""
        seconds: int | None = None
        if way == "manual":  # a person, some afternoons; between seasons nobody for weeks
            if self.chance.random() < 1.0 / (YEAR / TICK):
                self.empty_until = known.now + 30 * DAY
            if known.now > self.empty_until and self.chance.random() < 0.5 * TICK / DAY:
                seconds = self.chance.choice((60, 300, 900))
        else:
            decision = zones.look(self.zones[way], known)
            self.zones[way] = decision.zone
            seconds = decision.run_seconds
        if seconds is None:
            return
        coils = [False] * COILS
        coils[WAYS.index(way)] = coils[6] = coils[7] = True
        before = self.model.bed(way).irrigated
        for done in range(0, seconds, WATERING_STEP):
            self.model.advance(min(WATERING_STEP, seconds - done), coils)
        self.model.advance(WATERING_STEP)
        self.ran[way].append((self.model.at, seconds))
        self.litres[way] += self.model.bed(way).irrigated - before

    def until(self, seconds: float) -> None:
        ends = self.model.at + seconds
        while self.model.at < ends:
            self.turn()

    def breaks(self, way: str, kind: str) -> None:
        self.faults[way] = (kind, self.model.at, self.measure(way)["soil_moisture"])


def healthy(years: int, seed: int) -> None:
    """Healthy years: how often a sensor is doubted."""
    found: dict[str, list[Seen]] = {}
    for n in range(years):
        farm = Farm(seed + n)
        farm.until(YEAR)
        for (way, metric), seen in farm.seen.items():
            name = f"soil_moisture, {way}" if metric == "soil_moisture" else metric
            found.setdefault(name, []).append(seen)
    print(f"Healthy, {years} years of the farm, seeds {seed} to {seed + years - 1}:")
    print("sensor                    sensor-years  doubted   longest still  highest rise")
    for name, ones in found.items():
        count = sum(len(one.doubts) for one in ones)
        still, rise = max(o.longest_still for o in ones), max(o.highest_rise for o in ones)
        of_soil = f"{rise:9.1f} %" if name.startswith("soil") else ""
        print(f"{name:25} {len(ones):12} {count:8} {still:13.1f} h {of_soil}")
        for one in ones:
            for at, doubt in one.doubts[:3]:
                print(f"    day {(at - BEGIN) / DAY:.1f}: {doubt.code} {doubt.values}")


def broken(faults: int, seed: int) -> None:
    """Broken probes: how soon they are doubted, and what the band did meanwhile."""
    hours: dict[tuple[str, str], list[float]] = {}
    missed: dict[tuple[str, str], int] = {}
    for n in range(faults):
        chance = random.Random(seed + n)
        kind, way = ("frozen", "drifting")[n % 2], WAYS[n // 2 % 4]
        farm = Farm(seed + n)
        farm.model.at += chance.randrange(365) * DAY
        farm.until(2 * DAY + chance.randrange(DAY))
        began = farm.model.at
        farm.breaks(way, kind)
        seen = farm.seen[way, "soil_moisture"]
        old = len(seen.doubts)
        while len(seen.doubts) == old and farm.model.at - began < 10 * DAY:
            farm.turn()
        if len(seen.doubts) == old:
            missed[kind, way] = missed.get((kind, way), 0) + 1
        else:
            hours.setdefault((kind, way), []).append((seen.doubts[-1][0] - began) / 3600.0)
    print(
        f"Broken, {faults} soil probes, seeds {seed} to {seed + faults - 1}; hours until doubted:"
    )
    for kind, way in sorted(hours.keys() | missed.keys()):
        ones = sorted(hours.get((kind, way), [0.0]))
        print(
            f"{kind:9} {way:9} {len(ones):4} found, middle {statistics.median(ones):5.1f},"
            f" latest {ones[-1]:5.1f}, not within ten days {missed.get((kind, way), 0)}"
        )


def main() -> int:
    """Count."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--years", type=int, default=10)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    began = time.monotonic()
    healthy(asked.years, asked.seed)
    broken(asked.faults, asked.seed)
    print(f"{time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
