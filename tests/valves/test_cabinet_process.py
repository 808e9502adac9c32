"""Button and hand-auto switches of a cabinet, through real processes on a real Modbus line."""

import json
import time

from farm_house import K1, K2, PUMP, House, wait_for

from nongso.gateway.simulated import faults
from nongso.gateway.simulated.faults import Fault
from nongso.gateway.valves.client import Valves

DEADLINE = 3.0  # two seconds of the unit's rest, and one of a busy machine
STOP, HANDS = 0, {K1: 1, K2: 2}


def with_cabinet(house: House, has_button: bool = True) -> Valves:
    """Farm and supervisor with an input unit on the valves' line."""
    farm = json.loads(house.farm_file.read_text())
    farm["switches"] = {"stop_input": STOP, "hands": HANDS}
    house.farm_file.write_text(json.dumps(farm))
    settings = json.loads(house.gateway_file.read_text())
    unit = {"unit": 5, "device": "io-waveshare-rtu-8ch"}
    settings["bus"]["switches"] = unit | ({"stop_input": STOP} if has_button else {})
    for zone in settings["greenhouses"][0]["zones"]:
        zone["hand_input"] = HANDS[zone["id"]]
    house.gateway_file.write_text(json.dumps(settings))
    house.start_farm()
    house.start_supervisor()
    return house.valves()


def do(house: House, *now: Fault) -> None:
    faults.write(house.folder / "faults.json", now)


def test_the_red_button_closes_what_runs_and_nothing_opens_until_it_is_out(house: House) -> None:
    valves = with_cabinet(house)
    assert valves.open(K1, 300, "a")["state"] == "running"
    do(house, Fault("red_button"))
    house.closed_at()
    (alarm,) = valves.renew()["alarms"]
    assert alarm["code"] == "emergency_stop"
    assert valves.open(K2, 60, "b")["code"] == "emergency_stop"
    do(house)
    wait_for(lambda: not valves.renew()["emergency"], "the button to be out")
    assert valves.open(K2, 60, "c")["state"] == "running"


def test_water_of_a_switch_at_the_cabinet_is_the_zones_and_no_leak(house: House) -> None:
    valves = with_cabinet(house)
    wait_for(lambda: valves.read()["total"] is not None, "the meter")
    before = valves.read()["total"]
    do(house, Fault("hand_switch", K1))
    wait_for(lambda: valves.renew()["runs"], "the switch to be seen")
    (run,) = valves.renew()["runs"]
    assert (run["zone"], run["hand"]) == (K1, True)
    wait_for(lambda: valves.read()["total"] > before + 3.0, "water to be counted")
    assert not house.is_on(PUMP), "nobody has opened anything"
    do(house)
    ended = wait_for(lambda: valves.renew()["ended"], "the switch to be back")
    assert (ended[0]["code"], ended[0]["litres"] > 0) == ("done", True)
    assert valves.renew()["alarms"] == []


def test_an_input_unit_without_a_red_button_is_told_with_its_name(house: House) -> None:
    valves = with_cabinet(house, has_button=False)
    do(house, Fault("dead", "switches"))
    wait_for(lambda: "switches" in valves.read()["errors"], "the loss to be noticed")
    assert valves.open(K1, 60, "a")["state"] == "running", "valves do not depend on it"
    do(house)
    wait_for(lambda: "switches" not in valves.read()["errors"], "the unit to answer again")


def hold(valves: Valves, seconds: float) -> None:
    """Keep the lease for so long."""
    until = time.monotonic() + seconds
    wait_for(lambda: valves.renew() and time.monotonic() >= until, "time to pass", seconds + 5)


def test_a_dead_unit_of_the_red_button_closes_and_its_button_is_obeyed_once_back(
    house: House,
) -> None:
    valves = with_cabinet(house)
    assert valves.open(K1, 300, "a")["state"] == "running"
    do(house, Fault("dead", "switches"))
    died_at = time.monotonic()
    wait_for(lambda: valves.renew()["ended"], "the water to be shut off", 20)
    assert house.closed_at() - died_at <= 10 + DEADLINE
    assert valves.renew()["ended"][0]["code"] == "stop_button_silent"
    assert valves.open(K1, 60, "b")["code"] == "stop_button_silent"
    hold(valves, 15)  # its rest would be long by now
    do(house)
    wait_for(lambda: valves.open(K1, 60, "c")["state"] == "running", "the unit", DEADLINE)
    do(house, Fault("red_button"))
    pressed_at = time.monotonic()
    assert house.closed_at() - pressed_at <= DEADLINE
    assert valves.renew()["emergency"]
