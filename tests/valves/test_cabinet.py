"""What hangs at the cabinet: the red button, hand-auto switches, a siren; no network needed."""

import json

import pytest
from farm_house import House
from model_board import PUMP, Rig
from watered_farm import Farm

from nongso.gateway.valves.emergency import unlock
from nongso.gateway.valves.plan import Care, Switches

SIREN = 5
STOP, HAND_K1 = 0, 1


@pytest.fixture
def rig() -> Rig:
    made = Rig(
        care=Care(flow_l_per_min={"k1": 12.0}),
        siren=SIREN,
        switches=Switches(stop=STOP, hands={"k1": HAND_K1}),
    )
    made.loop()
    return made


def keep(rig: Rig, seconds: float) -> None:
    for _ in range(round(seconds)):
        rig.ask(do="renew")
        rig.turn(1.0)


def test_the_red_button_closes_everything_until_it_is_pulled_out(rig: Rig) -> None:
    rig.ask(do="open", zone="k2", seconds=100, id="a")
    keep(rig, 5)
    rig.board.inputs[STOP] = False  # pressed, or its wire is broken
    rig.turn(1.2)
    assert not any(rig.board.on)
    answer = rig.ask(do="renew")
    assert answer["emergency"] is True
    assert [a["code"] for a in answer["alarms"]] == ["emergency_stop"]  # type: ignore[union-attr]
    assert rig.ask(do="open", zone="k2", seconds=100, id="b")["code"] == "emergency_stop"
    rig.turn(2)
    assert [r["code"] for r in rig.ask(do="renew")["ended"]] == ["emergency_stop"]  # type: ignore[union-attr]
    rig.board.inputs[STOP] = True
    rig.turn(1)
    assert rig.ask(do="open", zone="k2", seconds=100, id="c")["state"] == "running"


def test_nothing_waters_by_itself_after_the_button_until_a_person_wishes(farm: Farm) -> None:
    farm.order(do="mode", zone="k1", mode="band")
    farm.rig.plan.emergency(True, farm.rig.clock())
    farm.turn(2)
    farm.rig.plan.emergency(False, farm.rig.clock())
    farm.moisture = 20.0
    farm.turn(60)
    assert farm.openings() == 0
    assert farm.watering.states()["k1"]["code"] == "stopped_by_person"
    assert farm.order(do="water", zone="k1", seconds=20)["state"] == "running"


def test_a_zone_that_is_switched_to_hand_is_watered_by_hand(rig: Rig) -> None:
    rig.board.inputs[HAND_K1] = True
    rig.board.leaks_l_per_s = 0.5
    keep(rig, 60)
    answer = rig.ask(do="renew")
    assert [(r["zone"], r["hand"]) for r in answer["runs"]] == [("k1", True)]  # type: ignore[union-attr]
    assert answer["alarms"] == []
    assert rig.ask(do="open", zone="k1", seconds=9, id="a")["code"] == "zone_busy"
    rig.board.inputs[HAND_K1] = False
    rig.board.leaks_l_per_s = 0.0
    keep(rig, 2)
    (ended,) = rig.ask(do="renew")["ended"]  # type: ignore[misc]
    assert ended["code"] == "done"
    assert ended["litres"] == pytest.approx(30.0, abs=1.0)


def test_the_gateway_writes_down_what_was_switched_at_the_cabinet(farm: Farm) -> None:
    farm.rig.plan.hand_switch("k1", True, farm.rig.clock())
    farm.rig.board.leaks_l_per_s = 0.5
    farm.turn(20)
    assert farm.watering.states()["k1"]["state"] == "running"
    farm.rig.plan.hand_switch("k1", False, farm.rig.clock())
    farm.turn(2)
    run = farm.rows("run")[-1]
    assert (run["cause"], run["code"]) == ("hand", "done")
    assert run["litres"] == pytest.approx(10.0, abs=1.5)


def test_the_siren_sounds_for_a_burst_pipe_without_any_gateway(rig: Rig) -> None:
    rig.ask(do="open", zone="k1", seconds=100, id="a")
    keep(rig, 5)
    rig.board.flow_l_per_s *= 3
    keep(rig, 20)
    assert rig.board.on == [coil == SIREN for coil in range(8)]
    rig.desk.gone("gateway")
    rig.turn(20)
    assert rig.board.on[SIREN], "also with nobody to tell"
    assert rig.ask("a person", do="stop") == {"state": "closed", "zones": []}
    assert rig.ask("a person", do="unlock", zone="k1") == {"unlocked": True}
    rig.turn(1)
    assert not any(rig.board.on), "a person is there"


def test_the_siren_ends_by_itself_and_when_the_supervisor_dies(rig: Rig) -> None:
    rig.plan.alarms.raise_("leak", flow=3.0)
    rig.turn(1)
    assert rig.board.on[SIREN]
    rig.is_frozen = True
    rig.turn(6)
    assert not rig.board.on[SIREN], "its pulse has lapsed"
    rig.is_frozen = False
    rig.turn(1)
    assert rig.board.on[SIREN]
    rig.turn(600, step=0.5)
    assert not rig.board.on[SIREN]


def test_a_siren_that_sounds_hides_no_leak_and_a_stuck_one_stops_no_water(rig: Rig) -> None:
    rig.plan.alarms.raise_("high_flow", "k1", zone="k1")
    rig.board.leaks_l_per_s = 0.1
    keep(rig, 40)
    assert "leak" in [a["code"] for a in rig.ask(do="renew")["alarms"]]  # type: ignore[union-attr]
    rig.board.welded = {SIREN}
    for zone in ("k1", "k2", "k3"):
        rig.ask(do="unlock", zone=zone)
    keep(rig, 8)
    assert rig.ask(do="open", zone="k2", seconds=9, id="a")["state"] == "running"
    assert rig.board.on[PUMP]


def test_a_person_at_a_terminal_unlocks_and_the_gateway_learns_it(farm: Farm) -> None:
    farm.rig.plan.lock(["k1"])
    farm.turn(2)
    assert farm.watering.states()["k1"]["state"] == "locked"
    assert farm.rig.ask("a terminal", do="unlock", zone="k1") == {"unlocked": True}
    farm.turn(2)
    assert farm.watering.states()["k1"]["state"] == "idle"
    assert farm.rig.ask(farm.valves.who, do="renew")["unlocked"] == [], "told once"


def test_unlocking_from_the_command_line(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert unlock(house.gateway_file, "roof") == 1
    assert unlock(house.gateway_file, "tan-binh-1-k1") == 1
    assert "does not answer" in capsys.readouterr().err
    house.start_farm()
    house.start_supervisor()
    assert unlock(house.gateway_file, "tan-binh-1-k1") == 0
    assert "unlocked" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"siren_coil": 7}, "siren_coil must be a coil of its own"),
        ({"siren_coil": 9}, "no coil of"),
        ({"switches": {"unit": 4, "device": "level-qdy30a"}}, "has no inputs"),
        ({"switches": {"unit": 4, "device": "io-lh-io-01", "stop_input": 4}}, "inputs 0 to 3"),
        ({"switches": {"unit": 3, "device": "io-lh-io-01"}}, "stands twice"),
        ({"pump_delay_seconds": -1}, "between 0 and 600"),
    ],
)
def test_a_cabinet_that_cannot_be_meant(
    house: House, change: dict[str, object], says: str
) -> None:
    settings = json.loads(house.gateway_file.read_text())
    settings["bus"] |= change
    house.gateway_file.write_text(json.dumps(settings))
    supervisor = house.start_room("nongso.gateway.valves.supervisor", house.gateway_file)
    _, said = supervisor.communicate(timeout=20)
    assert supervisor.returncode == 1
    assert says in said
