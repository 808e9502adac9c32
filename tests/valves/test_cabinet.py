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


def alarms(rig: Rig) -> list[str]:
    standing = rig.ask(do="renew")["alarms"]
    return [a["code"] for a in standing]  # type: ignore[attr-defined]


def test_a_red_button_that_nobody_can_read_counts_as_pressed(rig: Rig) -> None:
    rig.ask(do="open", zone="k2", seconds=300, id="a")
    keep(rig, 5)
    rig.cable.switches_are_dead = True
    died_at = rig.clock()
    keep(rig, 7)
    assert rig.clock() - died_at < 9.5
    assert rig.is_open("k2"), "a unit that misses some questions stops nothing"
    rig.board.inputs[STOP] = False  # pressed, which nobody hears
    keep(rig, 3)
    assert rig.clock() - died_at < 12.5
    assert not any(rig.board.on)
    assert [r["code"] for r in rig.ask(do="renew")["ended"]] == ["stop_button_silent"]  # type: ignore[union-attr]
    assert alarms(rig) == ["stop_button_silent"]
    keep(rig, 60)
    assert rig.ask(do="open", zone="k2", seconds=100, id="b")["code"] == "stop_button_silent"
    assert alarms(rig) == ["stop_button_silent"], "one cause is one alarm"
    rig.cable.switches_are_dead = False
    keep(rig, 3)
    assert rig.ask(do="open", zone="k2", seconds=100, id="c")["code"] == "emergency_stop"
    rig.board.inputs[STOP] = True
    keep(rig, 1)
    assert rig.ask(do="renew")["locked"] == []
    assert rig.ask(do="open", zone="k2", seconds=100, id="d")["state"] == "running"


def test_the_red_button_is_obeyed_two_seconds_after_its_unit_is_repaired(rig: Rig) -> None:
    rig.cable.switches_are_dead = True
    keep(rig, 5)
    rig.ask(do="open", zone="k2", seconds=300, id="a")
    keep(rig, 2)
    assert rig.is_open("k2")
    rig.cable.switches_are_dead = False
    rig.board.inputs[STOP] = False
    pressed_at = rig.clock()
    keep(rig, 3)
    assert max(at for at, _, on in rig.board.edges if not on) - pressed_at <= 2.5
    assert not any(rig.board.on)


def test_nothing_opens_before_the_red_button_was_read_once(rig: Rig) -> None:
    rig.cable.switches_are_dead = True
    rig.start()
    rig.loop()
    assert rig.ask(do="open", zone="k2", seconds=100, id="a")["code"] == "stop_button_silent"
    assert alarms(rig) == [], "it may still be starting"
    rig.cable.switches_are_dead = False
    keep(rig, 3)
    assert rig.ask(do="open", zone="k2", seconds=100, id="b")["state"] == "running"


def test_a_bus_that_was_away_raises_no_alarm_of_the_red_button(rig: Rig) -> None:
    rig.board.is_cut = True
    keep(rig, 30)
    assert alarms(rig) == ["bus_silent"]
    rig.board.is_cut = False
    keep(rig, 3)
    rig.ask(do="renew", heard=[a["id"] for a in rig.ask(do="renew")["alarms"]])  # type: ignore[attr-defined]
    assert alarms(rig) == []
    assert rig.ask(do="open", zone="k2", seconds=100, id="a")["state"] == "running"


def test_hand_switches_without_a_red_button_stop_nothing_when_they_are_silent() -> None:
    rig = Rig(switches=Switches(hands={"k1": HAND_K1}))
    rig.loop()
    rig.ask(do="open", zone="k2", seconds=300, id="a")
    rig.cable.switches_are_dead = True
    keep(rig, 60)
    assert rig.is_open("k2")
    assert alarms(rig) == ["bus_silent"]


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
