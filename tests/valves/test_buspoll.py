"""Meter and tank become readings of the bus's own node."""

import json
from pathlib import Path
from typing import Any

import pytest
from two_zones import settings_in

from nongso.gateway.buspoll import POLL_SECONDS, BusPoll
from nongso.gateway.settings import load
from nongso.gateway.valves.client import SupervisorGone
from nongso.wire import marks
from nongso.wire.payload import Reading

NOW = 1_790_000_000


class Read:
    """What the supervisor would answer."""

    def __init__(self, **found: Any) -> None:
        self.found = {"flow": 4.2, "total": 120.5, "tank": 85.0, "coils": [], "errors": {}} | found

    def read(self) -> dict[str, Any]:
        if self.found.get("gone"):
            raise SupervisorGone(Path("valves.sock"), "gone")
        return self.found


def poll(folder: Path, read: Read, now: float = NOW) -> list[Reading]:
    taken: list[Reading] = []
    BusPoll(settings_in(folder), read, taken.extend, lambda: now).poll()
    return taken


def test_meter_and_tank_are_readings_marked_simulated(tmp_path: Path) -> None:
    assert poll(tmp_path, Read()) == [
        Reading("water_total", NOW, 120.5, marks.SIMULATED),
        Reading("water_flow", NOW, 4.2, marks.SIMULATED),
        Reading("tank_level", NOW, 85.0, marks.SIMULATED),
    ]


@pytest.mark.parametrize(
    ("found", "now", "word"),
    [
        ({"tank": None}, NOW, "failed"),
        ({"tank": 130.0}, NOW, "impossible"),
        ({"tank": -5.0}, NOW, "impossible"),
        ({}, 12.0, "untimed"),
    ],
)
def test_what_is_not_good_says_so(
    tmp_path: Path, found: dict[str, Any], now: float, word: str
) -> None:
    tank = poll(tmp_path, Read(**found), now)[2]
    assert marks.quality(tank.mark) == word


def test_a_supervisor_that_is_gone_gives_no_reading(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    taken: list[Reading] = []
    read = Read(gone=True)
    bus = BusPoll(settings_in(tmp_path), read, taken.extend, lambda: NOW)
    for _ in range(5):
        bus.poll()
    assert taken == []
    assert len(caplog.records) == 1, "the first failure is logged, not each"
    read.found["gone"] = False
    bus.poll()
    assert len(taken) == 3


def test_a_run_has_a_reading_at_both_ends(tmp_path: Path) -> None:
    taken: list[Reading] = []
    bus = BusPoll(settings_in(tmp_path), Read(), taken.extend, lambda: NOW, lambda: 0.0)
    bus.tick()
    bus.tick(frozenset({"a"}))
    bus.tick(frozenset({"a"}))
    bus.tick()
    assert [r.name for r in taken].count("water_total") == 3


@pytest.mark.parametrize(
    ("missing", "names"),
    [
        ({"meter": None}, ["tank_level"]),
        ({"tank": None}, ["water_total", "water_flow"]),
        ({"meter": None, "tank": None}, []),
    ],
)
def test_what_is_not_installed_gives_no_reading(
    tmp_path: Path, missing: dict[str, Any], names: list[str]
) -> None:
    settings_in(tmp_path)
    file = tmp_path / "gateway.json"
    found = json.loads(file.read_text())
    found["bus"] |= missing
    file.write_text(json.dumps(found))
    taken: list[Reading] = []
    BusPoll(load(file), Read(), taken.extend, lambda: NOW).poll()
    assert [r.name for r in taken] == names


def test_it_polls_when_it_is_time(tmp_path: Path) -> None:
    now = [0.0]
    taken: list[Reading] = []
    bus = BusPoll(settings_in(tmp_path), Read(), taken.extend, lambda: NOW, lambda: now[0])
    for _ in range(31):
        bus.tick()
        now[0] += 1.0
    assert len(taken) == 3 * 4
    assert POLL_SECONDS == 10.0
