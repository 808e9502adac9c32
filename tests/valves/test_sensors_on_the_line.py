"""Sensors on the valves' own line: read in the pauses, and no valve waits for a dead one."""

import json
from typing import Any

import pytest
from farm_house import K1, House, wait_for

LEVEL, DEAD, SILENT = "02000000000000a1", "02000000000000a2", "02000000000000a3"


def node(slug: str, eui64: str, unit: int, device: str) -> dict[str, Any]:
    return {
        **{"farm": "tan-binh", "slug": slug, "eui64": eui64, "greenhouse": "tan-binh-1"},
        "sensor": {"unit": unit, "device": device, "every_seconds": 1},
    }


@pytest.fixture
def house_with_sensors(house: House) -> House:
    """One sensor that answers, two units that are not there."""
    found = json.loads(house.gateway_file.read_text())
    found["bus"]["tank"] = None
    found["nodes"] = [
        node("be-1", LEVEL, 3, "level-qdy30a"),
        node("kk-1", DEAD, 9, "xy-md02"),
        node("dat-1", SILENT, 10, "soil-7in1-jxbs"),
    ]
    house.gateway_file.write_text(json.dumps(found))
    house.start_farm()
    house.start_supervisor()
    return house


def test_a_sensor_that_nobody_described_keeps_no_valve_from_closing(house: House) -> None:
    found = json.loads(house.gateway_file.read_text())
    found["nodes"] = [node("dat-1", SILENT, 10, "soil-99in1")]
    house.gateway_file.write_text(json.dumps(found))
    house.start_farm()
    house.start_supervisor()
    assert house.valves().read()["sensors"] == {}
    assert house.valves().stop()["state"] == "closed"


def test_a_sensor_on_the_valves_line_is_read_and_a_dead_one_holds_no_valve(
    house_with_sensors: House,
) -> None:
    house = house_with_sensors
    valves = house.valves()

    def sensors() -> dict[str, Any]:
        found: dict[str, Any] = valves.read()["sensors"]
        return found

    found = wait_for(
        lambda: (s := sensors())[LEVEL]["answers"] > 1 and s[DEAD]["error"] and s, "the sensors"
    )
    assert found[LEVEL]["values"]["tank_level"] == pytest.approx(85.0, abs=1.0)
    assert found[LEVEL]["error"] is None
    assert "unit number" in found[DEAD]["error"]
    assert found[SILENT]["answers"] == 0
    assert valves.open(K1, 2, "a")["state"] == "running"
    wait_for(lambda: valves.renew()["ended"], "the end of the run")
    (spell,) = house.spells(0)
    assert spell == pytest.approx(2, abs=0.5)
    assert valves.read()["tank"] is None, "no tank is named in the settings"
