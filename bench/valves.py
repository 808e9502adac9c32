"""How surely water stops: on real processes, and against a simulated farm with every fault.

``closing``: farms with thirty zones, a supervisor and a gateway each, all real processes. All are
opened, then the gateway or the supervisor is killed, or the cable cut; the relay board's own
log of edges tells when each zone closed. Printed: the worst of all zone trials, in seconds after
the blow, beside the promise (one lease and a second).

``faults``: the supervisor's rules on the model of pipes, valves and meters that the simulated farm
has, with flows that vary as real ones do. Each fault is switched on at a random moment; printed is
how many were found within 30 s and the longest. Then so many years without any fault: false stops.

``clock``: a farm with two zones as real processes, whose wall clock (preloaded ``wrong_clock.c``)
jumps by hours or up to twenty years, forth and back, while zones run. Printed: how far the worst
run's length, by the relay board's log, is from the one that was ordered.

    .venv/bin/python bench/valves.py closing --zones 10000
    .venv/bin/python bench/valves.py clock --jumps 100
    .venv/bin/python bench/valves.py faults --cases 1000 --years 10
"""

import argparse
import itertools
import json
import logging
import os
import random
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "valves"))

import farm_house
from farm_house import House, wait_for
from model_board import PUMP, Rig

from nongso.gateway.valves.client import Valves
from nongso.gateway.valves.flow import Usual
from nongso.gateway.valves.plan import Care
from nongso.gateway.valves.water import WaterWatch

FOUND_SECONDS = 30.0
RELAYS = 32  # of one board: pump, main valve, and thirty zones that one blow tries
BLOWS = ("gateway killed", "supervisor killed", "cable cut", "both killed")

CLIENT = """
import sys, time
from pathlib import Path
from nongso.gateway.valves.client import Valves
valves = Valves(Path(sys.argv[1]))
for zone in sys.argv[3:]:
    print(valves.open(zone, 600.0, sys.argv[2] + zone)["state"], flush=True)
while True:
    valves.renew()
    time.sleep(0.2)
"""

HOLDER = """
import sys, time
from pathlib import Path
from nongso.gateway.valves.client import Valves
valves, own = Valves(Path(sys.argv[1])), set()
for run in sys.argv[2:]:
    zone, seconds, name = run.split(",")
    own.add(name)
    print(valves.open(zone, float(seconds), name)["state"], flush=True)
heard = ()
while True:
    answer = valves.renew(heard)
    heard = [run["id"] for run in answer["ended"]]
    for run in answer["ended"]:
        if run["id"] in own:  # and none that a holder before this one has not acknowledged
            own.remove(run["id"])
            print(run["code"], time.time(), flush=True)
    time.sleep(0.2)
"""


# --- closing: real processes ------------------------------------------------------------------


class Edges:
    """The relay board's log, read on from where it was left."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("rb")
        self._rest = b""
        self.on: dict[int, bool] = {}
        self.off_at: dict[int, float] = {}

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def look(self) -> set[int]:
        """Read what is new; the coils that are on."""
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        for line in lines:
            edge = json.loads(line)
            self.on[edge["coil"]] = edge["on"]
            if not edge["on"]:
                self.off_at[edge["coil"]] = edge["mono"]
        return {coil for coil, on in self.on.items() if on}


class Trials:
    """What all farms together have found."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.seconds: dict[str, list[float]] = {blow: [] for blow in BLOWS}
        self.failures: list[str] = []
        self.refused = 0
        self._lock = threading.Lock()

    @property
    def done(self) -> int:
        return sum(len(found) for found in self.seconds.values())

    def add(self, blow: str, found: list[float]) -> None:
        with self._lock:
            self.seconds[blow] += found


def one_farm(number: int, folder: Path, trials: Trials) -> None:
    """Open and strike until there are enough trials."""
    chance = random.Random(number)
    folder.mkdir()
    house = House(folder, RELAYS)
    zones = list(farm_house.ZONES.values())
    edges = None
    try:
        house.start_farm()
        supervisor = house.start_supervisor()
        edges = Edges(folder / "edges.jsonl")
        for turn in itertools.count(number):
            if trials.done >= trials.wanted:
                return
            gateway = house.start(CLIENT, str(house.socket), f"{turn} ", *farm_house.ZONES)
            assert gateway.stdout is not None
            words = [gateway.stdout.readline().strip() for _ in zones]
            if words != ["running"] * len(zones):  # a machine that is too busy opens nothing
                trials.refused += 1
                gateway.kill()
                gateway.communicate()
                wait_for(partial(is_ready, house), "the bus again", 30.0)
                continue
            time.sleep(chance.uniform(0.0, 1.0))
            if not set(zones) <= edges.look():
                raise AssertionError("a zone that was opened is not open")
            blow = BLOWS[turn % len(BLOWS)]
            house.cable.is_cut = blow == "cable cut"
            struck = time.monotonic()
            if blow in ("gateway killed", "both killed"):
                gateway.kill()
            if blow in ("supervisor killed", "both killed"):
                supervisor.kill()
            wait_for(lambda: not edges.look(), "everything to close", 30.0)
            trials.add(blow, [edges.off_at[coil] - struck for coil in zones])
            gateway.kill()
            gateway.communicate()
            house.cable.is_cut = False
            if supervisor.poll() is not None:
                supervisor.communicate()
                supervisor = house.start_supervisor()
            wait_for(partial(is_ready, house), "the bus again", 30.0)
    except (AssertionError, OSError, ValueError, subprocess.SubprocessError) as error:
        trials.failures.append(f"farm {number}: {error!r}")
    finally:
        house.end()
        if edges is not None:
            edges.close()


def is_ready(house: House) -> bool:
    """Whether the supervisor has closed everything and trusts its bus again."""
    valves = Valves(house.socket)
    try:
        return bool(valves.renew()["bus"] == "ok" and not any(valves.read()["coils"]))
    finally:
        valves.close()


def closing(zones: int, farms: int, lease_seconds: float) -> int:
    """Strike ``farms`` farms at once until so many zone trials are done."""
    farm_house.LEASE = lease_seconds
    coils = [n for n in range(RELAYS) if n not in (farm_house.PUMP, farm_house.MAIN)]
    farm_house.ZONES.update({f"tan-binh-1-k{n + 1}": coil for n, coil in enumerate(coils)})
    trials, began = Trials(zones), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="nongso-valves-") as there:
        threads = [
            threading.Thread(target=one_farm, args=(n, Path(there) / f"farm{n}", trials))
            for n in range(farms)
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            try:
                threads[0].join(30.0)
            except KeyboardInterrupt:
                trials.wanted = 0  # enough: what was measured is told
            print(f"{trials.done} zone trials…", file=sys.stderr, flush=True)
    limit = lease_seconds + 1.0
    late = 0
    for blow, found in trials.seconds.items():
        if found:
            late += sum(seconds > limit for seconds in found)
            print(f"{blow:18} {len(found):6} zones, worst {max(found):.2f} s")
    for failure in trials.failures:
        print(f"FAILED {failure}")
    print(f"{trials.refused} times not all zones opened, so nothing was struck")
    print(f"{(time.monotonic() - began) / 60:.1f} minutes")
    print(f"{trials.done} zone trials, {late} later than lease + 1 s = {limit:g} s")
    return 1 if late or trials.failures or trials.done < zones else 0


# --- clock: the wall clock jumps while zones run ------------------------------------------------

JUMPS_A_ROUND = 4  # within the shortest run
YEAR_SECONDS = 365.25 * 86400
RUN_ERROR_SECONDS = 1.0  # the most that a run may be longer or shorter than ordered


class WallClock:
    """The wall clock of all processes that are started from now on."""

    def __init__(self, folder: Path) -> None:
        self._file, shim = folder / "clock", folder / "wrong_clock.so"
        self._file.write_bytes(bytes(8))
        source = Path(__file__).with_name("wrong_clock.c")
        compiler = ["cc", "-shared", "-fPIC", "-O1", "-o", shim, source]
        subprocess.run(compiler, check=True, timeout=60)
        os.environ |= {"LD_PRELOAD": str(shim), "WRONG_CLOCK": str(self._file)}

    def jump(self, chance: random.Random) -> float:
        """Let it be wrong by hours or years, another time than before; by how many seconds."""
        furthest = chance.choice((6 * 3600.0, 20 * YEAR_SECONDS))
        wrong_by = round(chance.uniform(-furthest, furthest))
        with self._file.open("r+b") as file:
            file.write(struct.pack("=q", wrong_by))
        return wrong_by


def one_round(house: House, clock: WallClock, chance: random.Random, number: int) -> list[float]:
    """Water two zones, with jumps meanwhile; each run's length less the ordered one."""
    ordered = {zone: round(chance.uniform(5.0, 9.0), 1) for zone in farm_house.ZONES}
    before = {coil: len(house.spells(coil)) for coil in farm_house.ZONES.values()}
    runs = [f"{zone},{seconds},{number} {zone}" for zone, seconds in ordered.items()]
    gateway = house.start(HOLDER, str(house.socket), *runs)
    assert gateway.stdout is not None
    words = [gateway.stdout.readline().strip() for _ in runs]
    if words != ["running"] * len(runs):
        raise AssertionError(f"not all zones opened: {words}")
    wrong_by = 0.0
    for _ in range(JUMPS_A_ROUND):
        time.sleep(chance.uniform(0.2, 1.0))
        wrong_by = clock.jump(chance)
    told = [gateway.stdout.readline().split() for _ in runs]
    for code, at in told:
        if code != "done":
            raise AssertionError(f"a run ended as {code}")
        if abs(float(at) - time.time() - wrong_by) > 60.0:
            raise AssertionError("the clock of the gateway's process did not jump")
    gateway.kill()
    gateway.communicate(timeout=10)
    found = []
    for zone, coil in farm_house.ZONES.items():
        *_, seconds = house.spells(coil)
        if len(house.spells(coil)) != before[coil] + 1:
            raise AssertionError(f"{zone} was opened more than once")
        found.append(seconds - ordered[zone])
    return found


def clock(jumps: int, seed: int) -> int:
    """Jump so many times; the worst run's error."""
    chance, errors = random.Random(seed), []
    with tempfile.TemporaryDirectory(prefix="nongso-clock-") as there:
        wall = WallClock(Path(there))
        house = House(Path(there))
        try:
            house.start_farm()
            house.start_supervisor()
            rounds = -(-jumps // JUMPS_A_ROUND)
            for number in range(rounds):
                errors += one_round(house, wall, chance, number)
                wait_for(partial(is_ready, house), "the bus again", 30.0)
        finally:
            house.end()
    worst = max(errors, key=abs)
    print(f"{rounds * JUMPS_A_ROUND} jumps, {len(errors)} runs: worst error {worst:+.2f} s")
    return 0 if abs(worst) <= RUN_ERROR_SECONDS else 1


# --- faults: the rules on a model of the pipes ------------------------------------------------

FAULTS = ("stuck closed", "half closed", "another stuck open", "dry pump", "burst pipe", "leak")


class Pipes(Rig):
    """A board whose flow varies as a real one's does, with a fault that can be switched on."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.usual = chance.uniform(6.0, 80.0)  # l/min
        super().__init__(care=Care(flow_l_per_min={"k1": self.usual}))
        self.loop()
        self.of_today = min(1.15, max(0.8, chance.gauss(1.0, 0.07)))  # pressure, filter
        self.fault = ""
        self.size = 0.0

    def flow(self) -> float:
        """l/min through the open zone."""
        flow = self.usual * self.of_today * self.chance.gauss(1.0, 0.04)
        if self.fault in ("stuck closed", "dry pump"):
            return 0.0
        if self.fault == "half closed":
            return flow * self.size
        if self.fault in ("another stuck open", "burst pipe"):
            return flow * (1.0 + self.size)
        return flow

    def seconds_until_found(self) -> float | None:
        """Let time pass until everything is closed and locked."""
        since = self.clock()
        while self.clock() - since < 60.0:
            self.board.flow_l_per_s = self.flow() / 60.0
            self.ask(do="renew")
            self.turn(0.5, step=0.1)
            if self.plan.locked and not any(self.board.on):
                return self.clock() - since
        return None


def one_case(fault: str, seed: int) -> float | None:
    """Switch a fault on at a random moment; seconds until it was found, ``None`` if not in 60."""
    chance = random.Random(f"{fault} {seed}")
    pipes = Pipes(chance)
    if fault == "leak":
        pipes.turn(chance.uniform(0.0, 40.0), step=0.1)
        pipes.fault, pipes.board.leaks_l_per_s = fault, chance.uniform(2.0, 60.0) / 60.0
        return pipes.seconds_until_found()
    pipes.ask(do="open", zone="k1", seconds=600, id="a")
    before = chance.choice((0.0, chance.uniform(0.0, 120.0)))
    for _ in range(round(before)):
        pipes.board.flow_l_per_s = pipes.flow() / 60.0
        pipes.ask(do="renew")
        pipes.turn(1.0, step=0.1)
    if not pipes.board.on[PUMP]:
        raise AssertionError("the run was stopped before there was a fault")
    pipes.fault = fault
    pipes.size = chance.uniform(0.0, 0.3) if fault == "half closed" else chance.uniform(0.9, 4.0)
    return pipes.seconds_until_found()


def false_stops(years: float, seed: int = 1) -> tuple[int, int]:
    """Runs without any fault: how many there were, and how many were stopped or called a leak."""
    chance = random.Random(seed)
    runs = stops = 0
    watch, total, now = WaterWatch(0.1), 0.0, 0.0
    usual = Usual(("k1",), 40.0, 40.0)
    for day in range(round(365 * years)):
        clogged = 1.0 - 0.12 * (day % 90) / 90.0  # the filter is cleaned four times a year
        for _ in range(2):
            runs += 1
            pressure = min(1.15, max(0.85, chance.gauss(1.0, 0.05)))
            was_wrong, wander = False, 0.0
            for second in range(300):
                wander = 0.95 * wander + chance.gauss(0.0, 0.01)
                opened = min(1.0, second / 4.0)
                total += max(0.0, 40.0 / 60.0 * opened * clogged * pressure * (1.0 + wander))
                now += 1.0
                seen = watch.metered(round(total, 1), now, now - second, 0.0, usual)
                was_wrong |= seen.no_flow or seen.flow.wrong is not None
            for second in range(60):  # pipes empty themselves, then drip
                total += 0.02 * max(0.0, 1.0 - second / 8.0) + 0.001
                now += 1.0
                seen = watch.metered(round(total, 1), now, None, float(second))
                was_wrong |= seen.leak_l_per_min is not None
            stops += was_wrong
    return runs, stops


def faults(cases: int, years: float) -> int:
    """Print how each fault was found, and false stops."""
    logging.disable()  # what is found is printed as figures
    is_good = True
    for fault in FAULTS:
        found = [one_case(fault, seed) for seed in range(cases)]
        seconds = [s for s in found if s is not None]
        late = Counter(s is None or s > FOUND_SECONDS for s in found)[True]
        is_good &= late == 0
        longest = max(seconds, default=float("nan"))
        print(
            f"{fault:20} {cases} cases, {late} not within 30 s, longest {longest:.1f} s",
            flush=True,
        )
    runs, stops = false_stops(years)
    print(f"{years:g} years without fault: {runs} runs, {stops} false stops")
    return 0 if is_good and stops <= years / 10.0 else 1


def main() -> int:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    what = parser.add_subparsers(required=True, dest="what")
    struck = what.add_parser("closing")
    struck.add_argument("--zones", type=int, default=10_000)
    struck.add_argument("--farms", type=int, default=4)
    struck.add_argument("--lease", type=float, default=2.0)
    jumped = what.add_parser("clock")
    jumped.add_argument("--jumps", type=int, default=100)
    jumped.add_argument("--seed", type=int, default=1)
    broken = what.add_parser("faults")
    broken.add_argument("--cases", type=int, default=1000)
    broken.add_argument("--years", type=float, default=10.0)
    args = parser.parse_args()
    if args.what == "closing":
        return closing(args.zones, args.farms, args.lease)
    if args.what == "clock":
        return clock(args.jumps, args.seed)
    return faults(args.cases, args.years)


if __name__ == "__main__":
    sys.exit(main())
