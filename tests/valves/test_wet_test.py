"""A new zone is off until somebody has stood at its valve and seen its water."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from model_board import MAIN, PUMP
from test_killed_between_steps import LONGEST, Fate, Killed, Office, live, mortal
from two_zones import BAND, settings_in
from watered_farm import Farm

from nongso.gateway.irrigation import wettest
from nongso.gateway.valves.fall import FALL_SECONDS, HELD_SECONDS

L_PER_MIN = 12.0  # of the model board
QUIET_SECONDS = round(wettest.SETTLE_SECONDS + wettest.WATCH_SECONDS) + 3


@pytest.fixture
def new_zone(new_farm: Callable[..., Farm]) -> Farm:
    """Khu 1 is new, khu 2 was watered before there were wet tests."""
    farm = new_farm(mode="off")
    farm.turn(2)
    return farm


def told(farm: Farm, zone: str = "k1") -> dict[str, Any]:
    row: dict[str, Any] = [row for row in farm.rows("zone") if row["id"] == zone][-1]
    return row


def last(farm: Farm, zone: str = "k1") -> dict[str, Any]:
    found: dict[str, Any] = told(farm, zone)["wet_test"]["last"]
    return found


def begin(farm: Farm, zone: str = "k1", seconds: int = 60, **more: Any) -> dict[str, Any]:
    return farm.order(do="wet_test", zone=zone, seconds=seconds, **more)


def see(farm: Farm, saw: str, zone: str = "k1", run: str | None = None) -> dict[str, Any]:
    test = {"run": run or last(farm, zone)["id"], "saw": saw}
    return farm.order(do="wet_test_seen", zone=zone, test=test, by="Giàng Thị Mỷ")


def go_through(farm: Farm, saw: str = "shut", zone: str = "k1") -> dict[str, Any]:
    """A whole test, to its answer."""
    assert begin(farm, zone)["state"] == "running"
    farm.turn(61 + QUIET_SECONDS)
    return see(farm, saw, zone)


def test_a_new_zone_arrives_off_and_nothing_but_a_test_opens_it(new_zone: Farm) -> None:
    farm = new_zone
    assert (told(farm)["mode"], told(farm)["code"]) == ("off", "zone_not_tested")
    assert told(farm)["wet_test"]["is_armed"] is False
    assert farm.order(do="water", zone="k1", seconds=20)["code"] == "zone_not_tested"
    for mode in ("manual", "band", "advice"):
        assert farm.order(do="mode", zone="k1", mode=mode)["code"] == "zone_not_tested"
    assert farm.order(do="mode", zone="k1", mode="off")["state"] == "done"
    assert farm.openings() == 0
    assert told(farm, "k2")["wet_test"]["is_armed"] is True


def test_what_was_measured_and_seen_arms_the_zone(new_zone: Farm) -> None:
    farm = new_zone
    began = begin(farm, id="test")
    assert (began["state"], began["code"]) == ("running", "wet_test")
    assert last(farm)["state"] == "open"
    farm.turn(30)
    assert farm.rig.board.on[0]
    farm.turn(33)
    assert not any(farm.rig.board.on)
    assert last(farm)["state"] == "closing"
    farm.turn(QUIET_SECONDS)
    found = last(farm)
    assert (found["state"], found["by"], found["closed_l_per_min"]) == ("asked", "Lò Văn Páo", 0.0)
    assert found["flow_l_per_min"] == pytest.approx(L_PER_MIN, abs=0.5)
    assert found["litres"] == pytest.approx(L_PER_MIN * (60 - FALL_SECONDS) / 60, abs=1)
    assert 0 < found["water_after_seconds"] < 6
    assert 0 <= found["pump_after_seconds"] < 3
    assert farm.order(do="water", zone="k1", seconds=20)["code"] == "zone_not_tested"
    assert (see(farm, "shut")["state"], told(farm)["mode"]) == ("done", "manual")
    passed = told(farm)["wet_test"]["passed"]
    assert (passed["saw"], passed["seen_by"], passed["code"]) == (
        *("shut", "Giàng Thị Mỷ"),
        "saw_shut",
    )
    assert farm.order(do="water", zone="k1", seconds=20)["state"] == "running"
    (run,) = [r for r in farm.rows("run") if r["id"] == "test" and r["ended_at"]]
    assert (run["cause"], run["code"]) == ("wet_test", "done")


def test_the_measured_flow_is_usual_from_the_first_run_on(new_zone: Farm) -> None:
    farm = new_zone
    go_through(farm)
    farm.rig.board.flow_l_per_s *= 2
    farm.order(do="water", zone="k1", seconds=60, id="burst")
    farm.turn(40)
    (run,) = [r for r in farm.rows("run") if r["id"] == "burst" and r["ended_at"]]
    assert run["code"] == "high_flow"


def test_a_test_is_told_with_what_was_known_of_the_flow_before_it(
    new_farm: Callable[..., Farm],
) -> None:
    farm = new_farm(flow_l_per_min=2.0)
    farm.turn(2)
    go_through(farm)
    assert told(farm)["wet_test"]["passed"]["known_l_per_min"] == 2.0, "as the settings say"
    go_through(farm)
    assert told(farm)["wet_test"]["passed"]["known_l_per_min"] == pytest.approx(L_PER_MIN, abs=0.5)


def test_where_nothing_was_known_of_the_flow_nothing_is_told_of_it(new_zone: Farm) -> None:
    go_through(new_zone)
    assert told(new_zone)["wet_test"]["passed"]["known_l_per_min"] is None


def test_after_a_repair_another_flow_is_found_and_not_taken_for_a_fault(
    new_farm: Callable[..., Farm],
) -> None:
    farm = new_farm(flow_l_per_min=L_PER_MIN)
    farm.turn(2)
    go_through(farm)
    farm.rig.board.flow_l_per_s *= 2
    go_through(farm)
    assert told(farm)["wet_test"]["passed"]["flow_l_per_min"] == pytest.approx(24, abs=1)
    farm.order(do="water", zone="k1", seconds=60, id="after")
    farm.turn(65)
    (run,) = [r for r in farm.rows("run") if r["id"] == "after" and r["ended_at"]]
    assert run["code"] == "done"


@pytest.mark.parametrize("saw", ["nothing", "elsewhere", "open"])
def test_crossed_and_stuck_valves_are_seen_by_the_person_alone(new_zone: Farm, saw: str) -> None:
    farm = new_zone
    answer = go_through(farm, saw)
    assert (answer["state"], answer["code"]) == ("done", "test_failed")
    assert (last(farm)["state"], last(farm)["code"]) == ("failed", f"saw_{saw}")
    assert (told(farm)["mode"], told(farm)["wet_test"]["is_armed"]) == ("off", False)


def test_a_zone_that_watered_itself_goes_off_when_its_test_fails_and_on_when_it_passes(
    farm: Farm,
) -> None:
    farm.turn(2)
    farm.order(do="mode", zone="k1", mode="band")
    go_through(farm)
    assert told(farm)["mode"] == "band"
    go_through(farm, "elsewhere")
    assert (told(farm)["mode"], told(farm)["code"]) == ("off", "zone_not_tested")
    farm.moisture = 10.0
    openings = farm.openings()
    farm.turn(700)
    assert farm.openings() == openings
    go_through(farm)
    assert (told(farm)["mode"], told(farm)["band"]) == ("manual", BAND)


def test_a_dry_pump_fails_the_test_without_asking_anybody(farm: Farm) -> None:
    farm.turn(2)
    farm.rig.board.has_water = False
    begin(farm)
    farm.turn(40)
    assert (last(farm)["state"], last(farm)["code"]) == ("failed", "no_flow")
    assert (told(farm)["mode"], told(farm)["state"]) == ("off", "locked")
    assert begin(farm)["code"] == "zone_locked"
    assert farm.order(do="mode", zone="k1", mode="off")["state"] == "done"  # somebody has looked
    farm.rig.board.has_water = True
    assert go_through(farm)["code"] == "test_passed"


def test_a_valve_that_does_not_switch_fails_the_test_at_once(new_zone: Farm) -> None:
    farm = new_zone
    farm.rig.board.dead_coils.add(0)
    assert begin(farm)["code"] == "valve_not_opened"
    farm.turn(2)
    assert (last(farm)["state"], last(farm)["code"]) == ("failed", "valve_not_opened")
    assert told(farm)["state"] == "locked"


def test_a_valve_that_does_not_close_fails_the_test(new_zone: Farm) -> None:
    farm = new_zone
    begin(farm)
    farm.turn(30)
    farm.rig.board.welded.add(0)
    farm.turn(60)
    assert (last(farm)["state"], last(farm)["code"]) == ("failed", "valve_not_closed")


def test_water_that_goes_on_with_everything_closed_fails_the_test(new_zone: Farm) -> None:
    farm = new_zone
    begin(farm)
    farm.turn(62)
    farm.rig.board.leaks_l_per_s = 0.05
    farm.turn(3 + QUIET_SECONDS)
    found = last(farm)
    assert (found["state"], found["code"]) == ("failed", "still_flows")
    assert found["closed_l_per_min"] == pytest.approx(3.0, abs=0.4)


def test_a_leak_during_the_test_fails_it(new_zone: Farm) -> None:
    farm = new_zone
    begin(farm)
    farm.turn(45)
    farm.rig.board.leaks_l_per_s = 0.05
    farm.turn(16 + HELD_SECONDS + QUIET_SECONDS)
    assert (last(farm)["state"], last(farm)["code"]) == ("failed", "not_shut")


def falling(farm: Farm, share: float = 0.5) -> Farm:
    """The tank stands above the beds: water flows without the pump too."""
    farm.rig.board.falls = share
    return farm


def test_where_water_flows_by_itself_a_valve_that_does_not_close_fails_the_test(
    new_zone: Farm,
) -> None:
    farm = falling(new_zone)
    begin(farm)
    farm.turn(30)
    farm.rig.board.stuck_open.add(0)
    farm.turn(31 + HELD_SECONDS + 3)
    found = last(farm)
    assert (found["state"], found["code"]) == ("failed", "not_shut")
    assert found["shut_l_per_min"] == pytest.approx(L_PER_MIN / 2, abs=1)
    assert (told(farm)["mode"], told(farm)["wet_test"]["is_armed"]) == ("off", False)
    assert not any(farm.rig.board.on)


def test_where_water_flows_by_itself_the_gateway_measures_that_the_valve_closes(
    new_zone: Farm,
) -> None:
    farm = falling(new_zone)
    begin(farm)
    farm.turn(61 + HELD_SECONDS + QUIET_SECONDS)
    found = last(farm)
    assert (found["state"], found["is_shut"], found["shut_l_per_min"]) == ("asked", True, 0.0)
    assert found["fall_l_per_min"] == pytest.approx(L_PER_MIN / 2, abs=1)
    assert see(farm, "right")["code"] == "test_passed"


@pytest.mark.parametrize("is_stuck", [False, True])
def test_where_only_the_pump_brings_water_a_person_must_have_seen_the_valve_close(
    new_zone: Farm, is_stuck: bool
) -> None:
    """Pump and main valve stop the water, whether the zone's own valve has closed or not."""
    farm = new_zone
    begin(farm)
    farm.turn(30)
    farm.rig.board.stuck_open |= {0} if is_stuck else set()
    farm.turn(31 + QUIET_SECONDS)
    found = last(farm)
    assert (found["state"], found["is_shut"], found["closed_l_per_min"]) == ("asked", None, 0.0)
    assert see(farm, "right")["code"] == "shut_not_seen"
    assert told(farm)["wet_test"]["is_armed"] is False
    answer = see(farm, "open" if is_stuck else "shut")
    assert answer["code"] == ("test_failed" if is_stuck else "test_passed")


@pytest.mark.parametrize("step", [1.0, 2.0])
def test_a_meter_of_big_steps_says_nothing_of_the_valve(new_zone: Farm, step: float) -> None:
    farm = falling(new_zone)
    quantities = farm.rig.cable.quantities
    farm.rig.cable.quantities = lambda unit, device: {  # type: ignore[method-assign]
        name: value // step * step for name, value in quantities(unit, device).items()
    }
    begin(farm)
    farm.turn(61 + HELD_SECONDS + QUIET_SECONDS)
    assert (last(farm)["state"], last(farm)["is_shut"]) == ("asked", None)


@pytest.mark.parametrize("seconds", [20, 52, 65, 80])
@pytest.mark.parametrize("stop", [{"do": "stop"}, {"do": "stop", "zone": "k2"}])
def test_a_stop_ends_the_watch_of_the_valve_too(
    new_zone: Farm, seconds: int, stop: dict[str, str]
) -> None:
    farm = falling(new_zone)
    begin(farm, seconds=60)
    farm.turn(seconds)
    farm.order(**stop)
    on = [coil for coil, is_on in enumerate(farm.rig.board.on) if is_on]
    assert MAIN not in on or "zone" in stop
    farm.turn(60 - min(seconds, 60) + 2)
    assert not any(farm.rig.board.on)
    assert last(farm)["is_shut"] is None


def test_without_a_meter_the_person_decides_and_nothing_is_said_to_be_measured(
    new_farm: Callable[..., Farm],
) -> None:
    farm = new_farm(mode="off", bus={"meter": None})
    farm.rig.work.sensors[:] = [s for s in farm.rig.work.sensors if s.role != "meter"]
    farm.turn(2)
    begin(farm)
    farm.turn(61 + QUIET_SECONDS)
    found = last(farm)
    assert told(farm)["wet_test"]["has_meter"] is False
    assert (found["state"], found["litres"], found["flow_l_per_min"]) == ("asked", None, None)
    assert (found["water_after_seconds"], found["closed_l_per_min"]) == (None, None)
    assert see(farm, "shut")["code"] == "test_passed"


@pytest.mark.parametrize("stop", [{"zone": "k1"}, {}])
def test_a_stop_breaks_the_test_off_and_arms_nothing(new_zone: Farm, stop: dict[str, str]) -> None:
    farm = new_zone
    begin(farm)
    farm.turn(20)
    farm.order(do="stop", **stop)
    assert not farm.rig.board.on[0]
    farm.turn(5)
    assert (last(farm)["state"], last(farm)["code"]) == ("broken_off", "stopped")
    assert see(farm, "shut")["code"] == "test_is_over"
    assert told(farm)["mode"] == "off"


def test_a_test_that_was_broken_off_says_nothing_about_a_zone_that_works(farm: Farm) -> None:
    farm.turn(2)
    begin(farm)
    farm.turn(10)
    farm.order(do="stop")
    farm.turn(5)
    assert (told(farm)["mode"], told(farm)["wet_test"]["is_armed"]) == ("manual", True)


def test_a_second_phone_is_told_who_tests_and_the_first_answer_counts(new_zone: Farm) -> None:
    farm = new_zone
    begin(farm, id="first")
    for zone in ("k1", "k2"):
        second = begin(farm, zone)
        assert (second["code"], second["values"]) == ("test_goes_on", {"zone": "k1"})
    farm.turn(61 + QUIET_SECONDS)
    assert see(farm, "shut", run="first")["state"] == "done"
    assert see(farm, "elsewhere", run="first")["code"] == "test_is_over"
    assert told(farm)["mode"] == "manual"


def test_one_press_is_one_test(new_zone: Farm) -> None:
    farm = new_zone
    assert begin(farm, id="same") == begin(farm, id="same")
    farm.turn(61 + QUIET_SECONDS)
    assert farm.openings() == 1


def test_nobody_else_waters_while_the_meter_is_watched(farm: Farm) -> None:
    farm.turn(2)
    farm.order(do="water", zone="k2", seconds=30)
    refused = begin(farm)
    assert (refused["code"], refused["values"]) == ("test_needs_quiet", {"zone": "k2"})
    farm.turn(35)
    begin(farm)
    waits = farm.order(do="water", zone="k2", seconds=30, id="second")
    assert (waits["state"], waits["code"]) == ("queued", "waits_for_pump")
    farm.turn(61 + QUIET_SECONDS - 6)
    assert farm.openings(1) == 1
    farm.turn(10)
    assert last(farm)["state"] == "asked"
    assert farm.openings(1) == 2


def test_nothing_is_armed_while_the_red_button_is_in_or_the_zone_is_locked(
    new_zone: Farm,
) -> None:
    farm = new_zone
    begin(farm)
    farm.turn(61 + QUIET_SECONDS)
    farm.rig.plan.emergency(True, farm.rig.clock())
    farm.turn(1)
    assert see(farm, "shut")["code"] == "emergency_stop"
    assert begin(farm, "k2")["code"] == "emergency_stop"
    farm.rig.plan.emergency(False, farm.rig.clock())
    farm.rig.plan.lock(["k1"])
    farm.turn(1)
    assert see(farm, "shut")["code"] == "zone_locked"
    assert told(farm)["mode"] == "off"
    farm.order(do="mode", zone="k1", mode="off")
    assert see(farm, "shut")["code"] == "test_passed"


def test_a_question_that_nobody_answers_lapses(new_zone: Farm) -> None:
    farm = new_zone
    begin(farm)
    farm.turn(61 + QUIET_SECONDS)
    run = last(farm)["id"]
    farm.turn(wettest.ANSWER_SECONDS)
    assert (last(farm)["state"], last(farm)["code"]) == ("broken_off", "not_answered")
    assert see(farm, "shut", run=run)["code"] == "test_is_over"
    assert told(farm)["mode"] == "off"


def test_what_was_armed_and_what_was_asked_outlives_a_restart(new_zone: Farm) -> None:
    farm = new_zone
    begin(farm)
    farm.turn(61 + QUIET_SECONDS)
    farm.dies()
    farm.start()
    farm.turn(2)
    assert see(farm, "shut")["code"] == "test_passed"
    farm.dies()
    farm.start()
    farm.turn(2)
    assert (told(farm)["mode"], told(farm)["wet_test"]["is_armed"]) == ("manual", True)


def test_an_answer_whose_outcome_was_lost_is_told_as_it_was_kept(new_zone: Farm) -> None:
    farm = new_zone
    begin(farm)
    farm.turn(61 + QUIET_SECONDS)
    test = {"run": last(farm)["id"], "saw": "shut"}
    answer = {"do": "wet_test_seen", "zone": "k1", "test": test, "id": "answer", "number": 99}
    farm.order(**answer)
    farm.store.set_state("water.outcomes", "{}")  # killed before it could say so
    farm.dies()
    farm.start()
    farm.turn(1)
    assert farm.order(**answer)["code"] == "test_passed"


@pytest.mark.parametrize("seconds", [5, 65])
def test_a_gateway_killed_in_the_middle_closes_the_valve_and_arms_nothing(
    new_zone: Farm, seconds: int
) -> None:
    farm = new_zone
    begin(farm)
    farm.turn(seconds)
    farm.dies()
    farm.rig.loop()
    farm.start()
    farm.turn(3)
    assert not any(farm.rig.board.on)
    assert last(farm)["state"] == "broken_off"
    assert last(farm)["code"] in ("gateway_lost", "restarted")
    assert told(farm)["mode"] == "off"


@pytest.mark.parametrize(
    "every", [pytest.param(3, marks=pytest.mark.walk, id="many"), pytest.param(17, id="some")]
)
def test_a_gateway_killed_at_any_step_arms_only_what_was_answered(
    new_farm: Callable[..., Farm], every: int
) -> None:
    farm = new_farm(mode="off", max_day_seconds=10**6)
    farm.turn(2)
    office, armed = Office(farm), 0
    for at in range(0, LONGEST, every):
        fate, before = Fate(at), farm.openings()
        mortal(farm, fate)
        wish = office.wish(do="wet_test", zone="k1", seconds=10)
        try:
            live(farm, office, 12 + QUIET_SECONDS)
            office.wish(do="wet_test_seen", zone="k1", test={"run": wish, "saw": "shut"})
            live(farm, office, 2)
        except Killed:
            pass
        farm.dies()
        farm.rig.loop()
        farm.start()
        live(farm, office, 12 + QUIET_SECONDS)
        assert farm.openings() - before <= 1, f"twice, killed {fate.struck} (step {at})"
        assert not any(farm.rig.board.on)
        zone = farm.watering._book.zones["k1"]
        assert zone.tested is None or zone.tested.state != "open"
        assert (zone.mode == "manual") == zone.is_armed == (zone.passed is not None)
        if zone.is_armed:
            armed += 1
            assert zone.tested == zone.passed
            farm.store.set_state("water.zone.k1", json.dumps(_fresh(farm)))
            farm.dies()
            farm.start()
            farm.turn(1)
        if fate.struck is None:
            break
    assert fate.struck is None
    assert armed


def _fresh(farm: Farm) -> dict[str, Any]:
    """The zone as it was before anybody tested it."""
    kept: dict[str, Any] = json.loads(farm.store.state("water.zone.k1") or "{}")
    return kept | {"is_armed": False, "mode": "off", "passed": None, "tested": None}


@pytest.mark.parametrize(
    ("kept", "armed"),
    [
        (None, False),
        ({"mode": "manual"}, True),  # somebody had chosen it on the page
        ({"mode": "off"}, False),
    ],
)
def test_what_people_had_set_before_there_were_wet_tests_stays_armed(
    new_farm: Callable[..., Farm], kept: dict[str, Any] | None, armed: bool
) -> None:
    farm = new_farm(mode="off")
    if kept is not None:
        older = {"band": BAND, "from_file": {"mode": "off", "band": BAND}}
        farm.store.set_state("water.zone.k1", json.dumps(older | kept))
    farm.dies()
    farm.start()
    farm.turn(1)
    assert told(farm)["wet_test"]["is_armed"] is armed
    assert told(farm)["mode"] == ("manual" if armed else "off")


def test_a_file_arms_a_zone_that_was_never_tested_and_none_that_has_failed(
    new_zone: Farm,
) -> None:
    """For farms that were configured by hand; what a person has seen is not overruled by it."""
    farm = new_zone
    farm.order(do="stop", zone="k1")  # so that something of the zone is remembered
    farm.dies()
    farm.settings = settings_in(farm.folder, mode="manual")
    farm.start()
    farm.turn(1)
    assert (told(farm)["mode"], told(farm)["wet_test"]["is_armed"]) == ("manual", True)
    go_through(farm, "nothing")
    farm.dies()
    farm.settings = settings_in(farm.folder, mode="band")
    farm.start()
    farm.turn(1)
    assert (told(farm)["mode"], told(farm)["wet_test"]["is_armed"]) == ("off", False)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"do": "wet_test", "seconds": 600}, "seconds_out_of_range"),
        ({"do": "wet_test", "seconds": 1}, "seconds_out_of_range"),
        ({"do": "wet_test"}, "not_understood"),
        ({"do": "wet_test_seen"}, "not_understood"),
        ({"do": "wet_test_seen", "test": "x"}, "not_understood"),
        ({"do": "wet_test_seen", "test": {"run": "a", "saw": "shut"}}, "test_is_over"),
    ],
)
def test_nonsense_is_refused_and_opens_nothing(
    new_zone: Farm, command: dict[str, Any], code: str
) -> None:
    assert new_zone.order(zone="k1", **command)["code"] == code
    assert new_zone.openings() == 0


def test_an_answer_that_is_no_answer_arms_nothing(new_zone: Farm) -> None:
    begin(new_zone)
    new_zone.turn(61 + QUIET_SECONDS)
    assert see(new_zone, "maybe")["code"] == "not_understood"
    assert last(new_zone)["state"] == "asked"


def test_the_pump_comes_after_the_valve(new_zone: Farm) -> None:
    begin(new_zone)
    new_zone.turn(5)
    edges = [(coil, on) for _, coil, on in new_zone.rig.board.edges if on]
    assert edges.index((0, True)) < edges.index((PUMP, True))


@pytest.mark.parametrize("saw", ["nothing", "elsewhere"])
def test_who_says_that_the_water_is_wrong_closes_the_zone_whoever_opened_it(
    farm: Farm, saw: str
) -> None:
    """Somebody else has pressed water while the question stood; and an older wish waits."""
    farm.turn(2)
    begin(farm)
    farm.turn(61 + QUIET_SECONDS)
    assert farm.order(do="water", zone="k1", seconds=300, id="meanwhile")["state"] == "running"
    farm.turn(5)
    assert farm.rig.board.on[0]
    assert see(farm, saw)["code"] == "test_failed"
    assert not farm.rig.board.on[0]
    farm.turn(3)
    (run,) = [r for r in farm.rows("run") if r["id"] == "meanwhile" and r["ended_at"]]
    assert run["code"] == "stopped"
    assert farm.openings() == 2


def test_a_wish_that_waits_for_a_zone_with_wrong_water_is_given_up(
    new_farm: Callable[..., Farm],
) -> None:
    farm = new_farm(bus={"zones_at_once": 1})
    farm.turn(2)
    begin(farm)
    farm.turn(61 + QUIET_SECONDS)
    farm.order(do="water", zone="k2", seconds=60)
    assert farm.order(do="water", zone="k1", seconds=60, id="waits")["state"] == "queued"
    see(farm, "elsewhere")
    outcome = [row for row in farm.rows("command") if row["id"] == "waits"][-1]
    assert (outcome["state"], outcome["code"]) == ("refused", "stopped_meanwhile")


def test_wrong_water_that_nobody_can_close_is_said(farm: Farm) -> None:
    farm.turn(2)
    begin(farm)
    farm.turn(61 + QUIET_SECONDS)
    farm.order(do="water", zone="k1", seconds=300)
    farm.valves.is_gone = True
    answer = see(farm, "elsewhere")
    assert (answer["state"], answer["code"]) == ("done", "failed_not_closed")
    farm.turn(1)
    assert (told(farm)["mode"], told(farm)["wet_test"]["is_armed"]) == ("off", False)


@pytest.mark.parametrize("seconds", [0, 30, 90])
def test_wrong_water_is_heard_while_the_supervisor_is_gone_and_after_the_test_was_lost_with_it(
    farm: Farm, seconds: int
) -> None:
    farm.turn(2)
    begin(farm, id="test")
    farm.turn(10)
    farm.valves.is_gone = True
    farm.rig.desk.gone(farm.valves.who)
    farm.turn(seconds)
    answer = see(farm, "elsewhere", run="test")
    assert (answer["state"], answer["code"]) == ("done", "failed_not_closed")
    farm.turn(1)
    assert (last(farm)["state"], last(farm)["code"]) == ("failed", "saw_elsewhere")
    farm.valves.is_gone = False
    farm.turn(5)
    assert not any(farm.rig.board.on)
    assert (told(farm)["mode"], told(farm)["wet_test"]["is_armed"]) == ("off", False)
    assert farm.order(do="water", zone="k1", seconds=20)["code"] == "zone_not_tested"


@pytest.mark.parametrize("saw", ["nothing", "elsewhere"])
@pytest.mark.parametrize("seconds", [20, 65])
def test_wrong_water_is_said_as_soon_as_it_is_seen(farm: Farm, seconds: int, saw: str) -> None:
    farm.turn(2)
    farm.order(do="mode", zone="k1", mode="band")
    begin(farm)
    farm.turn(seconds)
    assert see(farm, "shut")["code"] == "test_is_over"
    assert see(farm, saw)["code"] == "test_failed"
    assert not farm.rig.board.on[0]
    farm.turn(QUIET_SECONDS + 5)
    assert (last(farm)["state"], last(farm)["code"]) == ("failed", f"saw_{saw}")
    assert (told(farm)["mode"], told(farm)["wet_test"]["is_armed"]) == ("off", False)


def press_stop(farm: Farm) -> None:
    farm.order(do="stop", zone="k1")


def press_red(farm: Farm) -> None:
    farm.rig.plan.emergency(True, farm.rig.clock())


@pytest.mark.parametrize("press", [press_stop, press_red])
@pytest.mark.parametrize("seconds", [20, 65, 61 + QUIET_SECONDS])
def test_who_stops_wrong_water_first_can_still_say_that_it_was_wrong(
    farm: Farm, seconds: int, press: Callable[[Farm], None]
) -> None:
    farm.turn(2)
    farm.order(do="mode", zone="k1", mode="band")
    begin(farm, id="test")
    farm.turn(seconds)
    press(farm)
    farm.turn(2)
    assert see(farm, "elsewhere", run="test")["code"] == "test_failed"
    assert (told(farm)["mode"], told(farm)["wet_test"]["is_armed"]) == ("off", False)
    farm.rig.plan.emergency(False, farm.rig.clock())
    farm.moisture = 10.0
    openings = farm.openings()
    farm.turn(700)
    assert farm.openings() == openings


def test_an_old_answer_says_nothing_about_a_later_test(farm: Farm) -> None:
    farm.turn(2)
    begin(farm, id="first")
    farm.turn(5)
    press_stop(farm)
    farm.turn(5)
    go_through(farm)
    assert see(farm, "elsewhere", run="first")["code"] == "test_is_over"
    assert told(farm)["wet_test"]["is_armed"] is True


@pytest.mark.parametrize("zone", ["k1", "k2"])
@pytest.mark.parametrize("seconds", [20, 65])
def test_a_hose_breaks_the_test_off_for_its_water_is_not_the_valves(
    new_zone: Farm, seconds: int, zone: str
) -> None:
    farm = new_zone
    begin(farm, id="test")
    farm.turn(seconds)
    farm.rig.plan.hand_switch(zone, True, farm.rig.clock())
    farm.turn(3)
    assert (last(farm)["state"], last(farm)["code"]) == ("broken_off", "by_hand")
    assert not farm.rig.board.on[0]
    farm.rig.plan.hand_switch(zone, False, farm.rig.clock())
    farm.turn(60 + QUIET_SECONDS)
    assert see(farm, "shut", run="test")["code"] == "test_is_over"
    assert told(farm)["wet_test"]["is_armed"] is False


def test_nothing_is_armed_while_nobody_knows_the_valve(new_zone: Farm) -> None:
    farm = new_zone
    begin(farm)
    farm.turn(65)
    farm.valves.is_gone = True
    farm.turn(QUIET_SECONDS)
    assert last(farm)["state"] == "asked"
    assert see(farm, "shut")["code"] == "supervisor_gone"
    farm.valves.is_gone = False
    assert see(farm, "shut")["code"] == "test_passed"


def test_the_red_button_is_heard_before_the_first_answer_after_a_restart(new_zone: Farm) -> None:
    farm = new_zone
    begin(farm)
    farm.turn(61 + QUIET_SECONDS)
    run = last(farm)["id"]
    farm.dies()
    press_red(farm)
    farm.start()
    assert see(farm, "shut", run=run)["code"] == "emergency_stop"


@pytest.mark.parametrize("halt", [{"do": "mode", "mode": "off"}, {"do": "stop"}])
def test_an_answer_from_before_a_zone_was_switched_off_arms_nothing(
    new_zone: Farm, halt: dict[str, str]
) -> None:
    farm = new_zone
    begin(farm)
    farm.turn(61 + QUIET_SECONDS)
    test = {"run": last(farm)["id"], "saw": "shut"}
    farm.order(zone="k1", number=50, **halt)
    late = farm.order(do="wet_test_seen", zone="k1", test=test, number=49)
    assert late["code"] == "stopped_meanwhile"
    assert told(farm)["wet_test"]["is_armed"] is False
    assert farm.order(do="wet_test_seen", zone="k1", test=test, number=51)["state"] == "done"


def rewired(farm: Farm, **changed: Any) -> None:
    """The settings name another coil from the next start on."""
    farm.dies()
    farm.settings = settings_in(farm.folder, **({"mode": "off"} | changed))
    farm.start()
    farm.turn(2)


def test_a_zone_on_another_coil_is_to_be_tested_anew(new_zone: Farm) -> None:
    farm = new_zone
    go_through(farm)
    farm.order(do="mode", zone="k1", mode="band")
    rewired(farm, coil=3)
    assert (told(farm)["mode"], told(farm)["code"]) == ("off", "zone_not_tested")
    assert told(farm)["wet_test"]["is_armed"] is False
    assert (last(farm)["state"], last(farm)["code"]) == ("broken_off", "rewired")
    assert farm.order(do="water", zone="k1", seconds=20)["code"] == "zone_not_tested"
    rewired(farm, coil=3)
    assert told(farm)["wet_test"]["is_armed"] is False
    assert go_through(farm)["code"] == "test_passed"
    rewired(farm, coil=3)
    assert told(farm)["wet_test"]["is_armed"] is True


def test_what_was_asked_on_another_coil_is_answered_no_more(new_zone: Farm) -> None:
    farm = new_zone
    begin(farm, id="test")
    farm.turn(61 + QUIET_SECONDS)
    rewired(farm, coil=3)
    assert see(farm, "shut", run="test")["code"] == "test_is_over"
    assert told(farm)["wet_test"]["is_armed"] is False


def test_a_zone_of_before_that_kept_no_coil_stays_armed(new_zone: Farm) -> None:
    farm = new_zone
    go_through(farm)
    kept = json.loads(farm.store.state("water.zone.k1") or "{}")
    del kept["wired"]
    farm.store.set_state("water.zone.k1", json.dumps(kept))
    rewired(farm, coil=3)
    assert told(farm)["wet_test"]["is_armed"] is True


def test_a_wish_that_waits_for_a_test_names_the_zone_that_is_tested(farm: Farm) -> None:
    farm.turn(2)
    begin(farm)
    farm.turn(65)
    assert last(farm)["state"] == "closing"
    farm.order(do="water", zone="k2", seconds=30)
    farm.turn(1)
    assert told(farm, "k2")["code"] == "waits_for_pump"
    assert told(farm, "k2")["values"] == {"zone": "k1"}
