"""What a node needs and what it withstands: memory, flash, bytes on the way, cuts and outages.

Real MicroPython, a real Mosquitto, the firmware as it comes onto boards (compiled). Memory of the
heap is in the kilobytes of a 32-bit board: here a word, and so the heap, is twice as long.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path += [str(Path(__file__).parents[1])]
from tests.firmware.conftest import (
    FARM,
    NODE,
    OLD_BOOT,
    TRUTH,
    Broker,
    Gateway,
    NodeProcess,
    fill_ring,
    in_ring,
    until,
)
from tests.firmware.test_memory import compiled, publish

from nongso.gateway.simulated import boards
from nongso.gateway.simulated.chips import ChipBus
from nongso.node import record
from nongso.node.messages import Messages
from nongso.node.ring import Item, Ring
from nongso.node.window import MOST
from nongso.wire import writing

ROOT = Path(__file__).parents[1]
SEVEN = (
    *("air_temperature", "air_humidity", "light", "soil_moisture", "soil_moisture.2"),
    *("co2", "battery"),
)
VALUES = [2450, 712, 61000, 444, 512, 815, 372]

FAST = """
import nongso.node.uplink as uplink

uplink._FIRST_PAUSE_MS = 20
uplink._LONGEST_PAUSE_MS = 100
with open({main!r}) as file:
    exec(file.read())
"""


class Scissors:
    """Between node and broker: cuts each connection after a random number of bytes."""

    def __init__(self, port: int, seed: int) -> None:
        self._to = port
        self._chance = random.Random(seed)
        self.cuts = 0
        self.most = 0
        self.port = 0
        self._ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()
        self._ready.wait(5)

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await server.serve_forever()

    async def _connected(self, *node: Any) -> None:
        broker = await asyncio.open_connection("127.0.0.1", self._to)
        left = [self._chance.randint(50, 3000)]
        cuts_off = self.cuts < self.most

        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while piece := await reader.read(64 if cuts_off else 4096):
                    writer.write(piece)
                    await writer.drain()
                    left[0] -= len(piece)
                    if cuts_off and left[0] < 0:
                        return

        ways = [
            asyncio.ensure_future(carry(node[0], broker[1])),
            asyncio.ensure_future(carry(broker[0], node[1])),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        self.cuts += cuts_off
        for way in ways:
            way.cancel()
        for writer in (node[1], broker[1]):
            writer.transport.abort()


@contextlib.contextmanager
def farm(folder: Path) -> Iterator[tuple[Broker, Gateway, dict[str, Any]]]:
    """A broker, a stand-in gateway and a node's configuration."""
    folder.mkdir()
    broker = Broker(folder)
    broker.start()
    chips = ChipBus("127.0.0.1", 0, lambda _: TRUTH)
    chips.start()
    gateway = Gateway(broker.port)
    host, port = chips.address
    config = {
        "farm": FARM,
        "node": NODE,
        "eui64": "02a1b2c3d4e5f601",
        "broker": {"host": "127.0.0.1", "port": broker.port},
        "interval_seconds": 1,
        "resend_seconds": 1,
        "sensors": [
            {"chip": "sht4x"},
            {"chip": "bh1750"},
            {"chip": "soil", "pin": 34, "dry": 2900, "wet": 1200},
        ],
        "board": {"simulated": f"{host}:{port}"},
    }
    try:
        yield broker, gateway, config
    finally:
        gateway.close()
        broker.kill()
        chips.stop()


def heap(folder: Path, paths: list[Path]) -> None:
    """The smallest heap in which a whole node measures and drains a backlog of 100 samples."""
    for size in range(60, 100, 2):
        with farm(folder / f"heap{size}") as (_, gateway, config):
            node = NodeProcess(folder / f"heap{size}" / "node", config, True)
            fill_ring(node, 100)
            node.start(heap=f"{size}wK", paths=paths)
            with contextlib.suppress(AssertionError):
                until(
                    lambda gateway=gateway: (  # type: ignore[misc]
                        len(gateway.numbers(OLD_BOOT)) == 100
                        and len({boot for boot, _, _ in list(gateway.heard)}) > 1
                    ),
                    "all",
                    8,
                )
                node.end()
                if "memory" not in node.words():
                    print(f"smallest heap of a whole node: {size} KB")
                    return
            node.kill()


def publishing(folder: Path, paths: list[Path], count: int) -> None:
    with farm(folder / "publishing") as (broker, _, _config):
        for_publishes, for_readings, growth = publish(folder, paths, broker.port, count)
    print(f"memory taken for 1,000 publishes in steady state: {for_publishes} bytes (64-bit)")
    print(f"for each reading, from its packing to its forgetting: {for_readings / 1000:.0f} bytes")
    print(f"heap growth over {count} publishes: {growth} bytes")


def sizes() -> None:
    heading = record.pack_heading((1 << 30) - 1, False, SEVEN)
    items = [
        Item(heading, record.pack(100000 + k, 1790000000 + 300 * k, True, 0, list(VALUES)), (0, k))
        for k in range(100)
    ]

    def size(count: int) -> int:
        out = writing.Writer(bytearray(writing.MAX_BYTES))
        first = 1790000000
        Messages("02a1b2c3d4e5f601").write(out, items[:count], first, first, b"clock")
        return out.at

    print(f"message of seven values alone: {size(1)} bytes")
    for count in (2, 5, 10, MOST):
        print(f"  {count} together: {size(count)} bytes, {size(count) / count:.0f} each")
    most = MOST
    with contextlib.suppress(writing.PayloadError):
        while size(most + 1):
            most += 1
    print(f"  at most {most} would find room in 4 KiB: {size(most) / most:.0f} bytes each")


def recovery(folder: Path, times: int) -> None:
    """From the broker's answer on its port to the first sample at the gateway."""
    found = []
    with farm(folder / "recovery") as (broker, gateway, config):
        node = NodeProcess(folder / "recovery" / "node", config, True)
        node.start()
        try:
            for _ in range(times):
                heard = len(gateway.heard)
                until(lambda heard=heard: len(gateway.heard) > heard, "a sample", 30)  # type: ignore[misc]
                broker.kill()
                time.sleep(12)  # long enough for the longest pauses
                heard = len(gateway.heard)
                broker.start()
                began = time.monotonic()
                until(lambda heard=heard: len(gateway.heard) > heard, "a sample", 30)  # type: ignore[misc]
                found.append(time.monotonic() - began)
        finally:
            node.kill()
    print(f"sample after the broker is back: {max(found):.1f} s at most, of {times} outages")


def cuts(folder: Path, most: int, seed: int) -> None:
    """A backlog through a line that is cut again and again."""
    with farm(folder / "cuts") as (broker, gateway, config):
        scissors = Scissors(broker.port, seed)
        config["broker"]["port"] = scissors.port
        node = NodeProcess(folder / "cuts" / "node", config, True)
        samples = most * 6
        fill_ring(node, samples)
        fast = folder / "fast"
        fast.mkdir()
        (fast / "main.py").write_text(FAST.format(main=str(boards.firmware_folder() / "main.py")))
        scissors.most = most
        board, *others = boards.module_paths()
        node.start(paths=[board, fast, *others])
        try:
            until(lambda: scissors.cuts >= most, "the cuts", 1800)
            until(lambda: len(gateway.numbers(OLD_BOOT)) == samples, "the backlog", 600)
            until(lambda: len(in_ring(node)) < 3, "the ring to be empty", 60)
        finally:
            node.kill()
        bytes_of: dict[tuple[int, int], set[bytes]] = {}
        for boot, seq, sample in list(gateway.heard):
            bytes_of.setdefault((boot, seq), set()).add(sample)
        lost = 0
        for boot in {boot for boot, _ in bytes_of}:
            numbers = gateway.numbers(boot)
            lost += max(numbers) - len(numbers)
        twice = sum(len(found) > 1 for found in bytes_of.values())
        print(
            f"{scissors.cuts} cuts, seed {seed}: {len(bytes_of)} samples, arrived "
            f"{len(gateway.heard)} times in {gateway.messages} messages; {lost} lost, "
            f"{twice} that the gateway would keep twice"
        )


def kills(folder: Path, times: int, seed: int) -> None:
    """The node's process is killed at any moment, again and again, and the broker goes and comes.

    What it measured is counted by the running numbers at the gateway: of each boot all up to the
    last that arrived must be there, but for the tail that no flash had.
    """
    chance = random.Random(seed)
    with farm(folder / "kills") as (broker, gateway, config):
        config["samples_in_memory"] = 10
        node = NodeProcess(folder / "kills" / "node", config, True)
        gateway.acknowledges_message = lambda: chance.random() < 0.8
        is_up = True
        measured: dict[int, int] = {}
        for _ in range(times):
            node.log.unlink(missing_ok=True)
            node.start()
            until(lambda: node.log.exists() and "starts, boot" in node.words(), "a start", 30)
            time.sleep(chance.uniform(0.0, 4.0))
            if is_up and chance.random() < 0.2:
                broker.kill()
                is_up = False
            elif not is_up and chance.random() < 0.5:
                broker.start()
                is_up = True
            node.kill()
            boot = int(re.findall(r"starts, boot (\d+)", node.words())[-1])
            measured[boot] = max([seq for b, seq in in_ring(node) if b == boot], default=0)
        if not is_up:
            broker.start()
        gateway.acknowledges_message = lambda: True
        node.start()
        until(lambda: len(in_ring(node)) < 3, "the ring to be empty", 120)
        node.end()
        lost = most = 0
        for boot in measured:
            numbers = gateway.numbers(boot)
            missing = set(range(1, max(numbers, default=0) + 1)) - numbers
            lost += len(missing)
            most = max(most, len(missing))
            assert measured[boot] <= max(numbers, default=0), "what the flash had is lost"
        truth = {"air_temperature": 24.5, "light": 61000, "air_humidity": 71.2}
        false = sum(
            record["n"] in truth and "v" in record and abs(record["v"] - truth[record["n"]]) > 0.1
            for _, _, sample in list(gateway.heard)
            for record in json.loads(sample)
        )
        print(
            f"{times} kills, seed {seed}: {len(set(gateway.heard))} samples; {lost} lost within "
            f"what arrived, at most {most} of one start; {false} false values"
        )


def flash(folder: Path, days: int) -> None:
    env = {"MICROPYPATH": ":".join([*map(str, boards.module_paths()), ".frozen"])}
    program = str(ROOT / "tests/firmware/power_cuts.py")
    done = subprocess.run(
        [*boards.micropython_command(), "-X", "heapsize=8M", program, "wear", str(days)],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    found = re.match(r"([.\d]+) offline, ([.\d]+) online", done.stdout.strip())
    assert found, done.stdout + done.stderr
    print(
        f"blocks erased for each sample: {found[1]} in an outage of {days} days, {found[2]} else"
    )
    heading = record.pack_heading((1 << 30) - 1, False, SEVEN)
    ring = Ring(str(folder / "ring"), 262144, batch=10)
    for number in range(40 * 288):
        values: list[int | str] = [2450 + number % 900, *VALUES[1:]]
        ring.append(heading, record.pack(number, 1790000000 + 300 * number, True, 0, values))
    kept = 40 * 288 - ring.lost
    print(f"a ring of 256 KB holds {kept} samples of seven values: {kept / 288:.1f} days at 5 min")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--publishes", type=int, default=10000)
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--outages", type=int, default=5)
    parts = ("sizes", "flash", "heap", "publishing", "recovery", "cuts", "kills")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    given = parser.parse_args()
    if not boards.has_micropython():
        print("MicroPython has no package for this Python")
        return 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "sizes" in given.only:
            sizes()
        if "flash" in given.only:
            flash(folder, 6)
        paths = compiled(folder / "compiled")
        if "heap" in given.only:
            heap(folder, paths)
        if "publishing" in given.only:
            publishing(folder, paths, given.publishes)
        if "recovery" in given.only:
            recovery(folder, given.outages)
        if "cuts" in given.only:
            cuts(folder, given.cuts, given.seed)
        if "kills" in given.only:
            kills(folder, given.kills, given.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
