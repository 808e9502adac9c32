"""A farm with its own box: two platforms, one gateway, each a process of its own that may die.

What happens on one is seen on the other; each is killed in turn while readings go on; a stop on
one holds against a wish on the other. The farm behind it is the simulated one, with real valves'
supervisor and Modbus.
"""

import json
import os
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode does not do it

from water_way import K1, K2, House, free_port, now, wait_for

from nongso.gateway import destinations
from nongso.gateway.settings import load
from nongso.platform import installation, migrations, people
from nongso.platform import settings as settings_of
from nongso.platform.store import Records

pytestmark = pytest.mark.walk

COOPERATIVE = "binh-lu"
ROOMS = {
    "main": "nongso.platform.run",
    "farm": "nongso.platform.run",
    "gateway": "nongso.gateway.run",
    "valves": "nongso.gateway.valves.supervisor",
}


class TwoPlatforms:
    """The cooperative's platform, the farm's box, and everything behind them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.house = House(folder)
        self.ports = {"main": free_port(), "farm": free_port()}
        self.tokens: dict[str, str] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._write_gateway()
        self._files = {name: self._set_up(name) for name in self.ports}
        self._files |= dict.fromkeys(("gateway", "valves"), self.house.gateway_file)
        self.house.start_farm()
        for room in ROOMS:
            self.start(room)
        for name in self.ports:
            wait_for(lambda name=name: self.zones(name), f"{name} to know the zones", 60)

    def _write_gateway(self) -> None:
        file = self.house.gateway_file
        settings = json.loads(file.read_text())
        settings["status_port"] = free_port()
        settings["broker"]["port"] = 1
        settings["platform"] = {"url": f"http://127.0.0.1:{self.ports['main']}", "key": "k" * 43}
        for zone in settings["greenhouses"][0]["zones"]:
            zone["max_day_seconds"] = 86400
        file.write_text(json.dumps(settings))
        url = f"http://127.0.0.1:{self.ports['farm']}"
        destinations.add(file, platform_id="farm", name="Máy ở nông trại", url=url)

    def _set_up(self, name: str) -> Path:
        """As an installer does: settings, database, cooperative, gateway, people."""
        file = self.folder / name / "platform.json"
        url = f"http://127.0.0.1:{self.ports[name]}"
        settings = installation.write_settings(file, url, None, None, local=True)
        written = json.loads(file.read_text()) | {"host": "127.0.0.1", "local": name == "farm"}
        file.write_text(json.dumps(written))
        settings = settings_of.load(file)
        migrations.upgrade(settings)
        installation.add_cooperative(settings, COOPERATIVE, "HTX Bình Lư")
        known = {platform.id: platform for platform in load(self.house.gateway_file).destinations}
        installation.add_gateway(settings, "binh-lu", COOPERATIVE, known[name].key)
        records = Records.of(settings)
        with records.transaction() as session:
            person = people.add_person(
                session, "farmer", "Người trồng", "farmer", COOPERATIVE, "bai-hoc-dau-tien"
            )
            self.tokens[name] = people.new_api_token(session, person, "test")
        records.close()
        return file

    def start(self, room: str) -> None:
        program = (
            f"import sys; from pathlib import Path; from {ROOMS[room]} import run; "
            "sys.exit(run(Path(sys.argv[1])))"
        )
        with open(self.folder / f"{room}.log", "ab") as out:
            self._processes[room] = subprocess.Popen(
                [sys.executable, "-c", program, str(self._files[room])],
                stdout=out,
                stderr=out,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    def kill(self, room: str) -> None:
        self._processes[room].kill()
        self._processes[room].wait(10)

    def end(self) -> None:
        for process in self._processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self._processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        self.house.end()

    def memory_mib(self, room: str) -> float:
        status = Path(f"/proc/{self._processes[room].pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def ask(self, name: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports[name]}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.tokens[name]}",
                "Content-Type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.loads(error.read() or b"{}")

    def zones(self, name: str) -> dict[str, Any]:
        try:
            houses = self.ask(name, "/api/v1/greenhouses")["greenhouses"]
        except (OSError, KeyError):
            return {}
        return {zone["id"]: zone for house in houses for zone in house["zones"]}

    def water(self, name: str, zone: str, seconds: int) -> Any:
        body = {"id": str(uuid.uuid4()), "seconds": seconds}
        return self.ask(name, f"/api/v1/zones/{zone}/water", body)

    def runs(self, name: str, zone: str) -> list[dict[str, Any]]:
        try:
            found: list[dict[str, Any]] = self.ask(name, f"/api/v1/zones/{zone}/runs")["runs"]
        except OSError:
            return []
        return found

    def health(self) -> dict[str, Any]:
        port = json.loads(self.house.gateway_file.read_text())["status_port"]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
                raw = answer.read()
        except urllib.error.HTTPError as error:  # there is no broker in this walk
            raw = error.read()
        except OSError:
            return {}
        found: dict[str, Any] = json.loads(raw)
        return found

    def has_caught_up(self) -> bool:
        known = self.health().get("platform", {}).get("destinations", {})
        return len(known) == 2 and all(sum(d["waiting"].values()) < 20 for d in known.values())

    def readings(self, name: str) -> set[tuple[Any, ...]]:
        """Everything that the platform has measured, with its time, straight from its file."""
        db = sqlite3.connect(f"file:{self.folder / name / 'telemetry.sqlite'}?mode=ro", uri=True)
        try:
            return set(
                db.execute(
                    "SELECT s.node, s.name, r.at, r.value FROM reading r JOIN series s"
                    " ON s.id = r.series"
                )
            )
        finally:
            db.close()


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[TwoPlatforms]:
    made = TwoPlatforms(tmp_path)
    yield made
    made.end()


def ended(farm: TwoPlatforms, name: str, run: str, zone: str = K1) -> Callable[[], bool]:
    return lambda: any(r["id"] == run and r["ended_at"] for r in farm.runs(name, zone))


def same(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """What ran; what was refused stands with the platform that was asked."""
    ran = [r for r in rows if r["started_at"]]
    return sorted((r["id"], r["started_at"], r["ended_at"], r["code"], r["by"]) for r in ran)


def test_a_farm_with_its_own_box(farm: TwoPlatforms) -> None:
    # The Internet is down: water and stop from the box; afterwards the cooperative sees it.
    farm.kill("main")
    began = now()
    wish = farm.water("farm", K1, 3)
    wait_for(ended(farm, "farm", wish["id"]), "the box to show the run", 40)
    long_one = farm.water("farm", K2, 600)
    wait_for(lambda: farm.zones("farm")[K2]["state"] == "running", "water on zone 2", 30)
    farm.ask("farm", "/api/v1/stop", {"id": str(uuid.uuid4())})
    wait_for(ended(farm, "farm", long_one["id"], K2), "the box to show the stop", 30)
    time_away = farm.zones("farm")
    farm.start("main")
    wait_for(ended(farm, "main", wish["id"]), "the cooperative to see the run", 60)
    wait_for(ended(farm, "main", long_one["id"], K2), "and the stopped one", 60)
    for zone in (K1, K2):
        assert same(farm.runs("main", zone)) == same(farm.runs("farm", zone))
    (first,) = farm.runs("main", K1)
    assert began <= first["started_at"] <= first["ended_at"], "its own time, not that of arrival"
    assert first["by"] == "Người trồng"
    wait_for(lambda: farm.zones("main")[K2]["state"] == time_away[K2]["state"], "zones agree", 30)

    # The box is away for a while: the cooperative goes on, the box catches up.
    farm.kill("farm")
    second = farm.water("main", K1, 3)
    wait_for(ended(farm, "main", second["id"]), "the cooperative to show the run", 40)
    farm.kill("gateway")
    farm.start("gateway")  # how far each is, is on its disk
    farm.start("farm")
    wait_for(ended(farm, "farm", second["id"]), "the box to see it", 60)

    # A stop on one, wishes on the other: open, closed at once, and open again when pressed anew.
    third = farm.water("main", K1, 600)
    wait_for(lambda: farm.zones("farm")[K1]["state"] == "running", "the box to see water run", 30)
    stopped = farm.ask("farm", "/api/v1/stop", {"id": str(uuid.uuid4())})
    assert stopped["state"] in ("done", "sent")
    wait_for(ended(farm, "main", third["id"]), "the cooperative to see the stop", 30)
    stopped_at = time.monotonic()
    deadline = stopped_at + 30
    fourth = farm.water("main", K1, 3)
    while fourth.get("code") == "stopped_meanwhile" and time.monotonic() < deadline:
        fourth = farm.water("main", K1, 3)  # within two seconds of the other's stop
    print(f"water again {time.monotonic() - stopped_at:.1f} s after the other's stop was seen")
    wait_for(ended(farm, "farm", fourth["id"]), "a new wish waters", 40)

    # Everything arrived at both, with its own times, once.
    wait_for(farm.has_caught_up, "both to have caught up", 60)
    for zone in (K1, K2):
        assert same(farm.runs("main", zone)) == same(farm.runs("farm", zone))
        ids = [r["id"] for r in farm.runs("main", zone)]
        assert len(set(ids)) == len(ids)
    newest = int(time.time()) - 5
    old = {
        name: {row for row in farm.readings(name) if row[2] < newest} for name in ("main", "farm")
    }
    assert old["main"]
    assert old["main"] == old["farm"]
    destinations_ = farm.health()["platform"]["destinations"]
    assert [d["rows_refused"] for d in destinations_.values()] == [0, 0]
    page = urllib.request.urlopen(f"http://127.0.0.1:{farm.ports['farm']}/login", timeout=10)
    assert "Đang xem tại nông trại" in page.read().decode()
    print(f"memory of the farm's platform: {farm.memory_mib('farm'):.0f} MiB")
