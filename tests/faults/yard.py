"""A whole farm with a nemesis: real broker, gateway and platform, and nodes, all under faults.

A seed says what happens. At the end everything is healed, and the platform's store must hold each
reading that any node ever made, once, with the time at which it was measured; and each room must
have got well by itself.
"""

import json
import random
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

import platform_store
import pytest
from control_box import Mosquitto, free_port, settings_file
from field import Node
from links import WAYS, Link, Links
from rooms import Clock, Room
from tight_disk import TightDisk, tight_disk

DAY = 86400
YEAR = 365 * DAY
HEAL_SECONDS = 120.0
MOST_RESIDENT = 200 << 20


class Yard:
    """Everything together. Whoever made ``ends`` ends it, also when it was only half made."""

    def __init__(self, folder: Path, seed: int, ends: ExitStack) -> None:
        self.chance = random.Random(seed)
        self.count: Counter[str] = Counter()
        self.ends = ends
        self.clock = Clock(folder / "clock")
        links = Links()
        self.ends.callback(links.end)
        self.disk = self._disk(folder)
        home = self.disk.folder if self.disk else folder
        self.broker = Mosquitto(_new(folder / "broker"))
        self.broker.start()
        self.ends.callback(self.broker.stop)
        platform_port = free_port()
        self.lines = {
            "node and broker": self._link(links, self.broker.port),
            "gateway and broker": self._link(links, self.broker.port),
            "gateway and platform": self._link(links, platform_port),
        }
        self.readings_file = home / "platform" / "telemetry.sqlite"
        platform_file = _platform(home / "platform", platform_port)
        gateway_file = settings_file(
            _new(home / "gateway"),
            self.lines["gateway and broker"].port,
            "",
            platform={"url": self.lines["gateway and platform"].url, "key": platform_store.KEY},
        )
        self._status = json.loads(gateway_file.read_text())["status_port"]
        self.rooms = {
            "gateway": Room("gateway", gateway_file, self.clock, folder),
            "platform": Room("platform", platform_file, self.clock, folder),
        }
        for room in self.rooms.values():
            room.start()
            self.ends.callback(room.kill)
        began_at = int(time.time()) - 200 * DAY
        self.nodes = [
            Node(slug, self.lines["node and broker"].port, seed + n, began_at)
            for n, slug in enumerate(("tb-01", "tb-02"))
        ]
        for node in self.nodes:
            self.ends.callback(node.end)

    def _disk(self, folder: Path) -> TightDisk | None:
        """A small disk where one may be mounted."""
        try:
            return self.ends.enter_context(tight_disk(folder / "disk", 64))
        except pytest.skip.Exception:
            return None

    def _link(self, links: Links, port: int) -> Link:
        made = Link(links, port)
        self.ends.callback(made.end)
        return made

    # what happens

    def kill(self, room: str) -> None:
        """kill -9, and the start that follows; half of the time just after the gateway's word."""
        if self.chance.random() < 0.5:
            self.nodes[0].heard.clear()
            self.nodes[0].heard.wait(0.5)
            time.sleep(self.chance.uniform(0.0, 0.005))
        if room == "broker":
            self.broker.kill()
            self.broker.start()
        elif room == "node":
            self.chance.choice(self.nodes).kill()
        else:
            self.rooms[room].kill()
            self.rooms[room].start()
        self.count[f"kills of the {room}"] += 1

    def part(self) -> None:
        """Cut a line for a while, most often short; now and then for up to 90 days, in which the
        nodes go on measuring."""
        line = self.lines[self.chance.choice(list(self.lines))]
        line.turn(self.chance.choice(WAYS))
        if self.chance.random() < 0.15:
            days = 90 ** self.chance.random()
            self.clock.turn(self.clock.offset + days * DAY)
            for node in self.nodes:
                node.measure(60, int(days * DAY / 61))
            self.count["of them of days"] += 1
        time.sleep(0.05 * 40 ** self.chance.random())
        line.turn("open")
        self.count["partitions"] += 1

    def jump(self) -> None:
        """The wall clock jumps by up to 20 years."""
        self.clock.turn(self.chance.uniform(-20 * YEAR, 20 * YEAR))
        self.count["jumps of the clock"] += 1

    def fill(self) -> None:
        """The disk of gateway and platform is full for a while."""
        if self.disk is None:
            return
        self.disk.fill()
        time.sleep(self.chance.uniform(0.1, 1.0))
        self.disk.make_room()
        self.count["full disks"] += 1

    def flood(self) -> None:
        """A node runs wild for a moment."""
        self.nodes[1].flood(2000)
        self.count["floods"] += 1

    def pause(self) -> None:
        time.sleep(self.chance.uniform(0.0, 0.4))

    # what must hold

    def gateway(self) -> dict[str, Any]:
        """What the gateway says of itself; empty while it says nothing."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self._status}/healthz", timeout=5
            ) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            unwell: dict[str, Any] = json.load(error)
            return unwell
        except (OSError, ValueError):
            return {}

    def heal(self) -> None:
        for node in self.nodes:
            node.is_measuring = False
        for line in self.lines.values():
            line.turn("open")
        self.clock.turn(0.0)
        for room in self.rooms.values():
            if not room.is_running():
                raise AssertionError(f"ended by itself:\n{room.log.read_text()[-3000:]}")

    def check(self) -> None:
        """Heal, wait until all has arrived, and hold the store against the ledger."""
        self.heal()
        made = set[tuple[str, str, int, float]]().union(*(node.rows() for node in self.nodes))
        self.wait(lambda: not any(node.waiting() for node in self.nodes), "all acknowledged")
        self.wait(lambda: self.gateway().get("outbox", {}).get("telemetry") == 0, "none waits")
        report = self.gateway()["store"]
        self.rooms["platform"].kill()
        found = [row[:4] for row in platform_store.readings_in(self.readings_file)]
        assert len(found) == len(set(found)), "twice"
        assert set(found) == made, f"{len(made - set(found))} lost, {len(set(found) - made)} more"
        with closing(connect(self.readings_file)) as db:
            assert db.execute("SELECT count(*) FROM conflict").fetchall() == [(0,)]
        assert report["damage"] is None, report["damage"]
        assert report["conflicts"] == report["rows_lost"] == report["telemetry_dropped"] == 0
        aside = [path.name for path in self.readings_file.parent.glob("*.damaged*")]
        assert not aside, aside
        self.count["readings"] = len(made)

    def wait(self, is_so: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + HEAL_SECONDS
        while not is_so():
            if time.monotonic() > until:
                said = f"{HEAL_SECONDS} s after healing still not: {what}"
                raise AssertionError(f"{said}\n{self.words()}")
            time.sleep(0.05)

    def words(self) -> str:
        """How things stand, for a failure."""
        logs = [room.log.read_text("utf-8", "replace")[-2500:] for room in self.rooms.values()]
        ring = [(node.slug, node.waiting(), len(node.made)) for node in self.nodes]
        return "\n".join((str(ring), str(self.gateway()), *logs))


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _platform(folder: Path, port: int) -> Path:
    """Lay down a platform that knows the gateway."""
    settings = platform_store.begin(folder)
    file = folder / "platform.json"
    found = {"folder": str(folder), "port": port, "secret": settings.secret}
    file.write_text(json.dumps(found))
    file.chmod(0o600)
    return file


def _play(
    seed: int, folder: Path, many: int, deeds: Sequence[tuple[int, Callable[[Yard], None]]]
) -> Counter[str]:
    """Draw ``many`` deeds by their weights, then check."""
    with ExitStack() as ends:
        yard = Yard(folder, seed, ends)
        yard.wait(lambda: bool(yard.gateway()), "the gateway answers")
        for node in yard.nodes:
            node.is_measuring = True
        for _ in range(many):
            yard.pause()
            (deed,) = yard.chance.choices([d for _, d in deeds], [w for w, _ in deeds])
            deed(yard)
        yard.check()
    return yard.count


_KILLS = [
    (10, lambda yard: yard.kill("gateway")),
    (3, lambda yard: yard.kill("platform")),
    (3, lambda yard: yard.kill("broker")),
    (2, lambda yard: yard.kill("node")),
]


def kills(seed: int, folder: Path, many: int = 36) -> Counter[str]:
    """kill -9 at random moments, most often of the gateway."""
    return _play(seed, folder, many, _KILLS)


def partitions(seed: int, folder: Path, many: int = 25) -> Counter[str]:
    """Lines that are cut, silent or deaf, for 50 ms to 90 days."""
    return _play(seed, folder, many, [(1, Yard.part)])


def nemesis(seed: int, folder: Path, many: int = 40) -> Counter[str]:
    """All of it."""
    deeds = [*_KILLS, (8, Yard.part), (4, Yard.jump), (2, Yard.fill), (1, Yard.flood)]
    count = _play(seed, folder, many, deeds)
    count["faults"] = sum(count.values()) - count["readings"] - count["of them of days"]
    return count
