"""The fault rig by hand: ``tests/faults/run.py --tier ci``, or one seed again as a failure says.

Each campaign is played seed after seed until it has as many faults as the tier wishes. What was
done stands in the state folder, a line a seed, so that a long run may be ended at any moment and
goes on where it was; ``--report`` writes what the state holds as a text.
"""

import argparse
import faulthandler
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

import conftest  # noqa: F401  (lays the other rooms' parts on the path)
import gateway_store
import mutilated
import platform_store
import pytest
import yard

MOST_SECONDS_A_SEED = 900
MOST_FAILURES = 20
MEMORY = Path("/dev/shm")


class Campaign(NamedTuple):
    """What is played, which of its counts is the number of faults, and how many each tier has."""

    play: Callable[[int, Path], Counter[str]]
    unit: str
    ci: int
    long: int
    about: str


CAMPAIGNS = {
    "gateway-cuts": Campaign(
        gateway_store.power_cuts, "cuts", 200, 10_000, "power cuts of the gateway's store"
    ),
    "gateway-refusals": Campaign(
        gateway_store.refusals, "refused calls", 1, 600, "its disk full or broken at each call"
    ),
    "platform-cuts": Campaign(
        platform_store.power_cuts, "cuts", 200, 10_000, "power cuts of the platform's databases"
    ),
    "platform-refusals": Campaign(
        platform_store.refusals, "refused calls", 50, 300, "their disk full or broken at each call"
    ),
    "gateway-mutilated": Campaign(
        mutilated.of_the_gateway, "mutilated files", 40, 1000, "its file with changed bytes"
    ),
    "platform-mutilated": Campaign(
        mutilated.of_the_platform, "mutilated files", 40, 1000, "its readings with changed bytes"
    ),
    "kills": Campaign(
        yard.kills, "kills of the gateway", 15, 1000, "kill -9 of gateway, broker, platform, node"
    ),
    "partitions": Campaign(
        yard.partitions, "partitions", 25, 1000, "lines cut, silent or deaf for 50 ms to 90 days"
    ),
    "nemesis": Campaign(
        yard.nemesis, "faults", 40, 2000, "all of it, with clocks, full disks and floods"
    ),
}


def play(campaign: str, seed: int) -> tuple[Counter[str], str | None]:
    """Play one seed; returns its counts, and the failure if there was one."""
    where = MEMORY if os.access(MEMORY, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix=f"faults-{campaign}-", dir=where))
    faulthandler.dump_traceback_later(MOST_SECONDS_A_SEED, exit=True)
    try:
        return CAMPAIGNS[campaign].play(seed, folder), None
    except (Exception, pytest.fail.Exception):
        return Counter(), traceback.format_exc()
    finally:
        faulthandler.cancel_dump_traceback_later()
        shutil.rmtree(folder, ignore_errors=True)


class State:
    """What has been played so far, a line a seed; in memory only without a folder."""

    def __init__(self, folder: Path | None) -> None:
        self.lines: list[dict[str, Any]] = []
        self._file = folder / "played.jsonl" if folder else None
        if folder and self._file:
            folder.mkdir(parents=True, exist_ok=True)
            if self._file.exists():
                self.lines = [json.loads(line) for line in self._file.read_text().splitlines()]

    def add(self, line: dict[str, Any]) -> None:
        self.lines.append(line)
        if self._file:
            with open(self._file, "a") as file:
                file.write(json.dumps(line) + "\n")

    def of(self, campaign: str) -> list[dict[str, Any]]:
        """Return what became of each seed when it was played last."""
        return list(
            {line["seed"]: line for line in self.lines if line["campaign"] == campaign}.values()
        )

    def failed(self, campaign: str) -> list[int]:
        return [line["seed"] for line in self.of(campaign) if line["failure"]]

    def count(self, campaign: str) -> Counter[str]:
        total: Counter[str] = Counter()
        for line in self.of(campaign):
            total.update(line["count"])
        return total

    def next_seed(self, campaign: str) -> int:
        return max((line["seed"] for line in self.of(campaign)), default=0) + 1


def replay(campaign: str, seed: int) -> str:
    return f".venv/bin/python tests/faults/run.py --only {campaign} --seed {seed}"


def play_all(tier: str, names: list[str], state: State, end: float) -> None:
    """Play what failed before; then each campaign in turn, a seed each, until all have enough."""
    for name in names:
        for seed in state.failed(name):
            play_one(name, seed, state)
    waiting = list(names)
    while waiting:
        for name in list(waiting):
            is_enough = state.count(name)[CAMPAIGNS[name].unit] >= getattr(CAMPAIGNS[name], tier)
            if is_enough or len(state.failed(name)) >= MOST_FAILURES:
                waiting.remove(name)
                continue
            if time.monotonic() > end:
                return
            try:
                play_one(name, state.next_seed(name), state)
            except pytest.skip.Exception as why:
                print(f"{name} is left out: {why}", flush=True)
                waiting.remove(name)


def play_one(name: str, seed: int, state: State) -> None:
    """Play a seed, write down what came of it, and say it."""
    began = time.monotonic()
    count, failure = play(name, seed)
    seconds = round(time.monotonic() - began, 1)
    line = {"campaign": name, "seed": seed, "count": count, "seconds": seconds}
    state.add(line | {"at": int(time.time()), "version": version(), "failure": failure})
    if failure:
        print(f"{failure}\nAgain: {replay(name, seed)}", flush=True)
    else:
        print(f"{name} {seed}: {dict(count)}, {seconds} s", flush=True)


@cache
def version() -> str:
    """Return the commit that is played."""
    said = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
        cwd=Path(__file__).parent,
    )
    return said.stdout.strip()


def report(tier: str, names: list[str], state: State) -> str:
    """Say what was played and what came of it."""
    out = []
    for name in names:
        campaign, count = CAMPAIGNS[name], state.count(name)
        if not state.of(name):
            continue
        failed = state.failed(name)
        minutes = sum(line["seconds"] for line in state.of(name)) / 60
        out += [
            f"{name}: {campaign.about}",
            f"  {count[campaign.unit]} of {getattr(campaign, tier)} {campaign.unit}, "
            f"{len(state.of(name))} seeds, {minutes:.1f} min, "
            + (f"FAILED: seeds {failed}" if failed else "0 lost, 0 twice, 0 corrupt"),
            *(f"  {what}: {many}" for what, many in sorted(count.items())),
        ]
    return "\n".join(out) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tier", choices=("ci", "long"), default="ci")
    parser.add_argument("--only", action="append", choices=CAMPAIGNS, help="these campaigns only")
    parser.add_argument("--seed", type=int, help="play this seed, once")
    parser.add_argument("--state", type=Path, help="folder that remembers what was played")
    parser.add_argument("--seconds", type=float, default=1e9, help="end after so many")
    parser.add_argument("--report", action="store_true", help="only say what the state holds")
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)
    # What runs under a seed is ended, and its small disk unmounted, when this is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    names = asked.only or list(CAMPAIGNS)
    state = State(asked.state)
    if asked.seed is not None:
        for name in names:
            play_one(name, asked.seed, state)
    elif not asked.report:
        play_all(asked.tier, names, state, time.monotonic() + asked.seconds)
    if asked.seed is None:
        print(report(asked.tier, names, state), end="")
    return int(any(state.failed(name) for name in names))


if __name__ == "__main__":
    sys.exit(main())
