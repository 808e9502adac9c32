"""From a soil probe to the farmer's page, and from a phone to a valve, on real processes.

The relay board's own edge log and the gateway's ledger are the oracles, not what a room says
of itself.
"""

import itertools
import os
import shutil
import signal
import subprocess
import time
import uuid
from typing import Any

import apsw
import paho.mqtt.publish
import pytest

from running import System, until

pytestmark = pytest.mark.walk

LEASE_SECONDS = 4.0
REST_SECONDS = 6.0  # of pump and valves, which the settings give 5 s and 3 s
ZONE, COIL = "tan-binh-1-k1", 0
OTHER_ZONE, OTHER_COIL = "hung-binh-1-k1", 2
NEEDED = ("air_temperature", "air_humidity", "light", "soil_moisture")


def greenhouses(system: System) -> dict[str, Any]:
    status, answer = system.ask("/api/v1/greenhouses")
    assert status == 200
    return {g["slug"]: g for g in answer["greenhouses"]}


def water(system: System, zone: str, seconds: int, wish: str | None = None) -> tuple[int, Any]:
    body = {"seconds": seconds, "id": wish or str(uuid.uuid4())}
    return system.ask(f"/api/v1/zones/{zone}/water", body)


def let_rest(system: System) -> None:
    """Wait until pump and valves may open again: whoever presses earlier is told to wait."""
    edges = [edge["at"] for coil in range(8) for edge in system.edges(coil)]
    since = max(edges, default=0.0)
    until("pump and valves to have rested", lambda: time.time() - since > REST_SECONDS)


def run_of(system: System, zone: str, wish: str) -> dict[str, Any]:
    _, answer = system.ask(f"/api/v1/zones/{zone}/runs")
    return next((r for r in answer["runs"] if r["id"] == wish), {})


def open_spells(system: System, coil: int, since: float) -> list[float]:
    """Seconds of each spell that the relay was on, by its own clock, since a time."""
    spells, on_at = [], None
    for edge in system.edges(coil):
        if edge["on"]:
            on_at = edge
        elif on_at is not None and on_at["at"] >= since:
            spells.append(edge["mono"] - on_at["mono"])
            on_at = None
    return spells


def ledger(system: System) -> dict[tuple[str, int], list[int]]:
    """Message numbers on the gateway's disk for each node and boot."""
    found: dict[tuple[str, int], list[int]] = {}
    store = apsw.Connection(
        str(system.folder / "gateway" / "store.sqlite"), flags=apsw.SQLITE_OPEN_READONLY
    )
    with store:
        for node, boot, seq in store.execute("SELECT node, boot, seq FROM messages ORDER BY seq"):
            found.setdefault((node, boot), []).append(seq)
    store.close()
    return found


def platform_times(system: System, since: float) -> dict[str, list[int]]:
    """Times of the temperatures that the platform holds of each greenhouse, since a time."""
    times = {}
    for slug in ("tan-binh-1", "hung-binh-1"):
        status, answer = system.ask(
            f"/api/v1/series?greenhouse={slug}&metric=air_temperature"
            f"&since={int(since)}&until={int(time.time()) + 60}"
        )
        assert status == 200
        times[slug] = sorted(p[0] for p in answer["points"])
    return times


def assert_no_reading_is_missing(system: System, since: float) -> None:
    """Two nodes a greenhouse measure every 10 s: no wider gap, nothing out of its time."""
    for slug, times in platform_times(system, since).items():
        assert times, slug
        gaps = [b - a for a, b in itertools.pairwise(times)]
        assert max(gaps) <= 12, (slug, times)
        assert len(times) >= 2 * (times[-1] - times[0]) / 10 - 2, slug


def assert_the_ledger_has_no_hole(system: System) -> None:
    for (node, boot), numbers in ledger(system).items():
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), (node, boot)


def test_both_greenhouses_show_values_less_than_a_minute_old(system: System) -> None:
    houses = greenhouses(system)
    for slug in ("tan-binh-1", "hung-binh-1"):
        for metric in NEEDED:
            latest = houses[slug]["latest"][metric]
            assert time.time() - latest["at"] < 60
            assert latest["quality"] == "good"


def test_thirty_past_days_lie_behind_today(system: System) -> None:
    now = time.time()
    first = now - 29.5 * 86400
    for slug, times in platform_times(system, first - 86400).items():
        assert times[0] < first, slug
        days = {t // 86400 for t in times}
        assert len(days) >= 29, slug


def test_water_runs_for_the_time_asked_and_mbpoll_sees_it(system: System) -> None:
    demo = system.demo["modbus"]
    wish, began = str(uuid.uuid4()), time.time()
    status, answer = water(system, ZONE, 8, wish)
    assert (status, answer["state"]) == (202, "running")
    if shutil.which("mbpoll"):
        seen = subprocess.run(
            [
                *("mbpoll", "-m", "tcp", "-a", str(demo["unit"]), "-p", str(demo["port"])),
                *("-t", "0", "-r", str(COIL + 1), "-c", "1", "-1", demo["host"]),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        assert f"[{COIL + 1}]: \t1" in seen.stdout
    until("the valve to close", lambda: not system.is_open(COIL), 15)
    (spell,) = open_spells(system, COIL, began)
    assert abs(spell - 8) <= 1
    until("the run's record", lambda: run_of(system, ZONE, wish).get("state") == "done")
    run = run_of(system, ZONE, wish)
    assert abs(run["seconds"] - 8) <= 1
    assert run["litres"] > 0


def test_one_wish_waters_once(system: System) -> None:
    let_rest(system)
    wish, began = str(uuid.uuid4()), time.time()
    first = water(system, ZONE, 2, wish)
    second = water(system, ZONE, 2, wish)
    assert first[0] == second[0] == 202
    until("the run's record", lambda: run_of(system, ZONE, wish).get("state") == "done")
    third = water(system, ZONE, 2, wish)
    assert third[0] in (200, 202)
    assert len(open_spells(system, COIL, began)) == 1


def test_stop_closes_everything(system: System) -> None:
    let_rest(system)
    assert water(system, ZONE, 60)[0] == 202
    until("the valve to open", lambda: system.is_open(COIL))
    assert system.ask("/api/v1/stop", {})[0] == 202
    until("the valve to close", lambda: not system.is_open(COIL), 5)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/v1/zones/roof/water", {"seconds": 20, "id": str(uuid.uuid4())}, 404),
        (f"/api/v1/zones/{ZONE}/water", {"seconds": 0, "id": str(uuid.uuid4())}, 400),
        (f"/api/v1/zones/{ZONE}/water", {"seconds": "ten", "id": str(uuid.uuid4())}, 400),
        (f"/api/v1/zones/{ZONE}/water", {"seconds": 20, "id": "again"}, 400),
        (f"/api/v1/zones/{ZONE}/water", {"seconds": 10**6, "id": str(uuid.uuid4())}, 409),
    ],
)
def test_a_wish_that_cannot_be_is_refused_with_a_sentence(
    system: System, path: str, body: object, status: int
) -> None:
    got, answer = system.ask(path, body)
    assert got == status
    assert answer["detail"]
    assert not system.is_open(COIL)


def test_water_stops_when_the_gateway_is_killed_and_nothing_is_lost(system: System) -> None:
    let_rest(system)
    began = time.time()
    assert water(system, OTHER_ZONE, 120)[0] == 202
    until("the valve to open", lambda: system.is_open(OTHER_COIL))
    gateway = system.demo["processes"]["gateway"]
    killed = time.monotonic()
    os.kill(gateway, signal.SIGKILL)
    until("the valve to close", lambda: not system.is_open(OTHER_COIL), LEASE_SECONDS + 3)
    assert system.edges(OTHER_COIL)[-1]["mono"] - killed <= LEASE_SECONDS + 1
    until("the gateway to run again", lambda: system.gateway_status().get("broker_connected"))
    until("its process number", lambda: system.demo["processes"]["gateway"] != gateway)
    came_back = time.time()
    until(
        "readings after the kill",
        lambda: all(t and t[-1] > came_back for t in platform_times(system, began).values()),
    )
    assert len(open_spells(system, OTHER_COIL, began)) == 1
    assert_no_reading_is_missing(system, began)
    assert_the_ledger_has_no_hole(system)


@pytest.mark.parametrize("part", ["broker", "platform"])
def test_readings_of_an_outage_arrive_with_their_own_times(system: System, part: str) -> None:
    began = time.time()
    with system.held(part):
        until("half a minute of outage", lambda: time.time() - began > 30)
    back = time.time()

    def caught_up() -> bool:
        try:
            return all(t and t[-1] > back for t in platform_times(system, began - 60).values())
        except (OSError, AssertionError):
            return False

    until("the readings after the outage", caught_up, 60)
    until("the backlog", lambda: sum(system.gateway_status()["outbox"].values()) == 0)
    assert_no_reading_is_missing(system, began)
    assert_the_ledger_has_no_hole(system)


def test_nonsense_on_the_broker_stops_nothing_and_is_counted(system: System) -> None:
    mqtt = system.demo["mqtt"]
    before = sum(system.gateway_status()["refused"].values())
    known = "nongso/1/tan-binh/tb-01/up"
    for topic, payload in [
        ("nongso/1/tan-binh/stranger/up", b"[]"),
        ("nongso/1/tan-binh/TB 01/up", b"[]"),
        (known, b"{broken"),
        (known, b'[{"bn":"urn:dev:mac:0000000000000000:","n":"boot","v":NaN}]'),
        (known, b"\xff\xfe"),
        (known, b"[" * 4000),
        (known, b"x" * 1_000_000),
    ]:
        paho.mqtt.publish.single(
            topic,
            payload,
            qos=0,
            hostname=mqtt["host"],
            port=mqtt["port"],
            auth={"username": mqtt["user"], "password": mqtt["password"]},
        )
    until(
        "the refusals to be counted",
        lambda: sum(system.gateway_status()["refused"].values()) >= before + 5,
    )
    later = time.time()
    until(
        "readings after the nonsense",
        lambda: all(t and t[-1] > later for t in platform_times(system, later - 60).values()),
    )
