"""Wishes, the band and the supervisor together, and what is written down about them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from farm_house import wait_for
from two_zones import BAND, PROBE, settings_in
from watered_farm import NOW, Farm

from nongso.gateway.valves.client import SupervisorGone
from nongso.wire import marks, reasons
from nongso.wire.payload import Reading


def test_a_wish_runs_and_is_written_down(farm: Farm) -> None:
    outcome = farm.order(do="water", zone="k1", seconds=30, id="wish")
    assert (outcome["state"], outcome["code"]) == ("running", "wished")
    farm.turn(33)
    begun, ended = farm.rows("run")
    assert begun == {
        "id": "wish",
        "zone": "k1",
        "cause": "wished",
        "by": "Lò Văn Páo",
        "state": "running",
        "code": "wished",
        "values": {},
        "ordered_seconds": 30,
        "started_at": begun["started_at"],
        "ended_at": None,
        "seconds": 0.0,
        "litres": None,
    }
    assert (ended["state"], ended["code"], ended["cause"]) == ("done", "done", "wished")
    assert ended["seconds"] == pytest.approx(30, abs=0.3)
    assert ended["litres"] == pytest.approx(farm.rig.board.litres, abs=0.11)
    assert ended["ended_at"] - ended["started_at"] == pytest.approx(30, abs=2)
    assert [(c["state"], c["code"]) for c in farm.rows("command")] == [
        ("running", "wished"),
        ("done", "done"),
    ]
    assert farm.rows("command")[1]["values"] == {
        "seconds": ended["seconds"],
        "litres": ended["litres"],
    }
    assert [(z["state"], z["code"]) for z in farm.rows("zone") if z["id"] == "k1"] == [
        ("idle", "mode_manual"),
        ("running", "wished"),
        ("idle", "mode_manual"),
    ]


def test_one_wish_waters_once(farm: Farm) -> None:
    first = farm.order(do="water", zone="k1", seconds=5, id="wish")
    assert farm.order(do="water", zone="k1", seconds=5, id="wish") == first
    farm.turn(8)
    later = farm.order(do="water", zone="k1", seconds=5, id="wish")
    assert (later["state"], later["code"]) == ("done", "done")
    farm.dies()
    farm.start()
    farm.turn(1)
    assert farm.order(do="water", zone="k1", seconds=5, id="wish") == later
    farm.turn(3)
    assert farm.openings() == 1


def test_a_refused_wish_stays_refused_when_the_tank_is_filled(farm: Farm) -> None:
    farm.tank = 5.0
    farm.turn(1)
    refused = farm.order(do="water", zone="k1", seconds=5, id="wish")
    assert refused["code"] == "tank_low"
    assert refused["values"] == {"tank_percent": 5.0, "needed_percent": 10.0}
    farm.tank = 90.0
    farm.turn(2)
    assert farm.order(do="water", zone="k1", seconds=5, id="wish") == refused
    assert farm.openings() == 0


def test_a_wish_that_was_remembered_but_not_answered_is_not_carried_out_later(farm: Farm) -> None:
    """The process died between remembering the id and opening."""
    farm.store.seen_command("wish")
    outcome = farm.order(do="water", zone="k1", seconds=5, id="wish")
    assert (outcome["state"], outcome["code"]) == ("refused", "interrupted")
    assert farm.openings() == 0


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"do": "water", "zone": "roof", "seconds": 5}, "zone_unknown"),
        ({"do": "water", "zone": "k1", "seconds": 601}, "seconds_out_of_range"),
        ({"do": "water", "zone": "k1", "seconds": 0}, "seconds_out_of_range"),
        ({"do": "water", "zone": "k1", "seconds": 2.5}, "not_understood"),
        ({"do": "water", "zone": "k1", "seconds": True}, "not_understood"),
        ({"do": "water", "zone": "k1", "seconds": "9"}, "not_understood"),
        ({"do": "water", "zone": "k1"}, "not_understood"),
        ({"do": "water", "zone": ["k1"], "seconds": 5}, "not_understood"),
        ({"do": "open", "zone": "k1"}, "not_understood"),
        ({"zone": "k1"}, "not_understood"),
        ({"do": "stop", "zone": "roof"}, "zone_unknown"),
        ({"do": "mode", "zone": "k1", "mode": "always"}, "not_understood"),
        ({"do": "mode", "zone": "k1", "mode": "band", "band": {"low": 1}}, "not_understood"),
        ({"do": "mode", "zone": "k1", "mode": "band", "band": BAND | {"low": "x"}}, None),
        ({"do": "mode", "zone": "k1", "mode": "band", "band": BAND | {"low": 60.0}}, None),
        ({"do": "mode", "zone": "k1", "mode": "band", "band": 5}, None),
    ],
)
def test_a_command_that_cannot_be_is_refused_with_a_reason(
    farm: Farm, command: dict[str, Any], code: str | None
) -> None:
    outcome = farm.order(**command)
    assert (outcome["state"], outcome["code"]) == ("refused", code or "not_understood")
    assert set(outcome["values"]) == set(reasons.REFUSED[outcome["code"]])
    assert farm.rows("command") == [outcome]
    farm.turn(2)
    assert farm.openings() == 0


@pytest.mark.parametrize("seconds", [0, 20])
def test_a_gateway_that_dies_in_a_run_closes_its_book_once(farm: Farm, seconds: int) -> None:
    farm.order(do="water", zone="k1", seconds=60, id="wish")
    farm.turn(seconds)
    farm.dies()
    assert farm.rig.desk.controller is None
    farm.rig.loop()
    assert not farm.rig.is_open("k1")
    farm.rig.turn(30)
    farm.start()
    farm.turn(3)
    farm.dies()
    farm.start()
    farm.turn(3)
    ends = [r for r in farm.rows("run") if r["ended_at"] is not None]
    assert [(r["id"], r["code"]) for r in ends] == [("wish", "gateway_lost")]
    assert ends[0]["seconds"] == pytest.approx(seconds, abs=1.5)
    assert [c["code"] for c in farm.rows("command")] == ["wished", "gateway_lost"]
    assert farm.openings() == 1


def test_gateway_and_supervisor_both_restarted(farm: Farm) -> None:
    farm.order(do="water", zone="k1", seconds=60, id="wish")
    farm.turn(15)
    farm.dies()
    farm.rig.start()
    farm.rig.turn(5)
    farm.start()
    farm.turn(3)
    ends = [r for r in farm.rows("run") if r["ended_at"] is not None]
    assert [(r["id"], r["code"]) for r in ends] == [("wish", "restarted")]
    assert 12 <= ends[0]["seconds"] <= 16, "as far as it was last known"
    lasted = ends[0]["ended_at"] - ends[0]["started_at"]
    assert lasted == round(ends[0]["seconds"]), "and not until it was noticed"


def told(farm: Farm) -> list[tuple[str, str, str]]:
    """Rows about runs, zone k1 and commands, in the order in which they travel."""
    _, rows = farm.store.rows(True, 10_000, 1 << 24)
    found = []
    for row in rows:
        body = json.loads(row.body).get(row.kind, {})
        if row.kind in ("run", "command") or (row.kind == "zone" and body["id"] == "k1"):
            found.append(
                (row.kind, body["state"] if row.kind != "command" else body["id"], body["code"])
            )
    return found


@pytest.mark.parametrize("meter_is_dead", [False, True])
@pytest.mark.parametrize("zone", ["k1", None])
def test_an_answer_never_overtakes_what_it_tells_of(
    farm: Farm, zone: str | None, meter_is_dead: bool
) -> None:
    """A page that is made when the answer comes finds the run and the zone as it says."""
    farm.rig.cable.meter_is_dead = meter_is_dead
    before = len(told(farm))
    farm.order(do="water", zone="k1", seconds=60, id="wish")
    farm.turn(5)
    farm.order(do="stop", zone=zone, id="stop")
    assert told(farm)[before:] == [
        ("run", "running", "wished"),
        ("zone", "running", "wished"),
        ("command", "wish", "wished"),
        ("run", "done", "stopped"),
        ("command", "wish", "stopped"),
        ("zone", "idle", "mode_manual"),
        ("command", "stop", "stopped"),
    ]


def test_the_answer_to_a_mode_comes_after_the_end_of_its_run(farm: Farm) -> None:
    farm.order(do="water", zone="k1", seconds=60, id="wish")
    farm.turn(5)
    before = len(told(farm))
    farm.order(do="mode", zone="k1", mode="off", id="off")
    assert told(farm)[before:] == [
        ("run", "done", "stopped"),
        ("command", "wish", "stopped"),
        ("zone", "idle", "zone_off"),
        ("command", "off", "mode_set"),
    ]


def test_a_stopped_run_has_all_its_litres(farm: Farm) -> None:
    farm.order(do="water", zone="k1", seconds=60)
    farm.turn(5)
    farm.rig.turn(0.6)
    farm.order(do="stop")
    (ended,) = [r for r in farm.rows("run") if r["ended_at"] is not None]
    assert ended["litres"] == pytest.approx(farm.rig.board.litres, abs=0.06)


def test_a_gateway_that_is_asked_to_end_closes_and_writes_it_down(
    new_farm: Callable[..., Farm],
) -> None:
    farm = new_farm(mode="band")
    farm.moisture = 30.0
    farm.turn(5)
    farm.watering.end()
    assert not farm.rig.is_open("k1")
    (ended,) = [r for r in farm.rows("run") if r["ended_at"] is not None]
    assert ended["code"] == "stopped"
    assert ended["seconds"] == pytest.approx(5, abs=1.5)
    assert farm.rig.plan.ended == {}, "the supervisor knows that it was heard"
    farm.watering.tick()
    assert farm.order(do="water", zone="k1", seconds=5)["code"] == "interrupted"
    assert farm.openings() == 1
    farm.dies()
    farm.start()
    farm.turn(130)
    assert farm.openings() == 2, "nobody stopped the band: it goes on after the start"


def test_litres_of_a_meter_that_was_away_before_the_run_are_not_the_runs(farm: Farm) -> None:
    farm.rig.cable.meter_is_dead = True
    farm.order(do="water", zone="k2", seconds=10)
    farm.turn(20)
    other = farm.rig.board.litres
    assert other > 1
    farm.order(do="water", zone="k1", seconds=10, id="wish")
    farm.rig.cable.meter_is_dead = False
    farm.turn(13)
    ended = [r for r in farm.rows("run") if r["ended_at"] is not None][-1]
    assert ended["id"] == "wish"
    assert ended["litres"] == pytest.approx(farm.rig.board.litres - other, abs=0.5)


def test_a_supervisor_that_is_gone(farm: Farm) -> None:
    farm.valves.is_gone = True
    farm.turn(15)
    assert farm.order(do="water", zone="k1", seconds=5)["code"] == "supervisor_gone"
    assert [(a["code"], a["cleared_at"]) for a in farm.rows("alarm")] == [
        ("supervisor_gone", None)
    ]
    farm.valves.is_gone = False
    assert farm.order(do="water", zone="k1", seconds=5)["state"] == "running", "at once"
    farm.turn(2)
    raised, cleared = farm.rows("alarm")
    assert raised["id"] == cleared["id"]
    assert cleared["cleared_at"] is not None


def test_a_lost_answer_to_open_never_leaves_water_running(farm: Farm) -> None:
    """The socket fails after the supervisor has opened: the connection's end closes it."""
    ask = farm.valves._ask

    def loses_the_answer(**request: Any) -> dict[str, Any]:
        ask(**request)
        farm.rig.desk.gone(farm.valves.who)
        raise SupervisorGone(Path("valves.sock"), "timed out")

    farm.valves._ask = loses_the_answer  # type: ignore[method-assign]
    outcome = farm.order(do="water", zone="k1", seconds=50)
    assert (outcome["state"], outcome["code"]) == ("refused", "supervisor_gone")
    farm.valves._ask = ask  # type: ignore[method-assign]
    farm.turn(3)
    assert not farm.rig.is_open("k1")
    assert farm.rows("run") == []


def test_stop_closes_and_holds_the_band_until_a_person_wants_it(
    new_farm: Callable[..., Farm],
) -> None:
    farm = new_farm(mode="band")
    farm.moisture = 30.0
    farm.turn(2)
    assert farm.rig.is_open("k1")
    outcome = farm.order(do="stop")
    assert (outcome["state"], outcome["code"]) == ("done", "stopped")
    assert not any(farm.rig.board.on)
    farm.turn(300)
    assert farm.openings() == 1
    farm.dies()
    farm.start()
    farm.turn(3)
    assert farm.rows("zone")[-2]["code"] == "stopped_by_person"
    farm.order(do="mode", zone="k1", mode="band")
    farm.turn(2)
    assert farm.openings() == 2
    runs = [r for r in farm.rows("run") if r["ended_at"] is not None]
    assert runs[0]["code"] == "stopped"


def test_who_waters_by_hand_after_a_stop_wants_the_band_again(
    new_farm: Callable[..., Farm],
) -> None:
    farm = new_farm(mode="band")
    farm.order(do="stop", zone="k1")
    farm.moisture = 30.0
    farm.turn(5)
    assert farm.openings() == 0
    farm.order(do="water", zone="k1", seconds=5)
    farm.turn(120)
    assert farm.openings() == 2


def test_the_band_waters_in_pulses_and_soaks(new_farm: Callable[..., Farm]) -> None:
    farm = new_farm(mode="band")
    farm.moisture = 39.0
    farm.turn(40)
    assert farm.openings() == 1
    farm.moisture = 45.0
    farm.turn(60)
    assert farm.openings() == 1, "it soaks"
    farm.turn(40)
    assert farm.openings() == 2, "and goes on up to the upper limit"
    farm.moisture = 56.0
    farm.turn(300)
    assert farm.openings() == 2
    runs = [r for r in farm.rows("run") if r["ended_at"] is None]
    assert [(r["cause"], r["by"], r["code"], r["values"]) for r in runs] == [
        ("band", None, "soil_dry", {"moisture": 39.0, "low": 40.0}),
        ("band", None, "soil_filling", {"moisture": 45.0, "high": 55.0}),
    ]
    codes = [z["code"] for z in farm.rows("zone") if z["id"] == "k1"]
    assert codes == ["soil_moist", "soil_dry", "soaking", "soil_filling", "soil_moist"]
    assert farm.rows("command") == [], "nobody asked, nobody is answered"


def test_a_probe_that_fails_waters_nothing(new_farm: Callable[..., Farm]) -> None:
    farm = new_farm(mode="band")
    farm.moisture = None
    failed = Reading("soil_moisture", int(farm.wall()), None, marks.FAILED)
    farm.latest.take(PROBE, [failed], farm.wall())
    farm.turn(30)
    assert farm.openings() == 0
    assert farm.rows("zone")[-1]["code"] == "no_reading"


def test_a_valve_that_fails_is_not_tried_each_second(new_farm: Callable[..., Farm]) -> None:
    farm = new_farm(mode="band")
    farm.rig.board.dead_coils = {0}
    asked = farm.rig.board.asked
    farm.moisture = 20.0
    farm.turn(60)
    assert [a["code"] for a in farm.rows("alarm")] == ["valve_not_opened"]
    assert farm.rows("run") == []
    assert farm.rig.board.asked - asked < 200, "only looks and meter, one try"


def test_modes_survive_a_restart_and_an_edited_file_wins(new_farm: Callable[..., Farm]) -> None:
    farm = new_farm()
    band = {"low": 30.0, "high": 50.0, "run_seconds": 60, "soak_seconds": 600}
    outcome = farm.order(do="mode", zone="k1", mode="band", band=band)
    assert (outcome["state"], outcome["code"], outcome["values"]) == (
        *("done", "mode_set"),
        {"mode": "band"},
    )
    farm.turn(1)
    farm.dies()
    farm.start()
    farm.turn(1)
    assert farm.watering.states()["k1"]["mode"] == "band"
    assert farm.watering.states()["k1"]["band"] == band
    farm.dies()
    farm.settings = settings_in(farm.folder, mode="off")
    farm.start()
    farm.turn(1)
    assert farm.watering.states()["k1"]["mode"] == "off"
    assert farm.order(do="water", zone="k1", seconds=5)["code"] == "zone_off"


def test_switching_off_closes_a_run(farm: Farm) -> None:
    farm.order(do="water", zone="k1", seconds=60)
    farm.order(do="mode", zone="k1", mode="off")
    assert not farm.rig.is_open("k1")


def test_when_the_phone_hears_that_a_zone_is_unlocked_its_alarm_is_over_too(farm: Farm) -> None:
    farm.rig.board.has_water = False
    farm.order(do="water", zone="k1", seconds=60)
    farm.turn(25)
    assert [a["code"] for a in farm.rows("alarm")] == ["no_flow"]
    assert farm.order(do="mode", zone="k1", mode="manual")["code"] == "unlocked"
    _, rows = farm.store.rows(True, 10_000, 1 << 24)
    told = [json.loads(row.body) for row in rows]
    over = [n for n, row in enumerate(told) if row.get("alarm", {}).get("cleared_at")]
    answered = [
        n for n, row in enumerate(told) if row.get("command", {}).get("code") == "unlocked"
    ]
    assert over
    assert over[0] < answered[0]


def test_a_stuck_valve_locks_its_zone_until_a_person_has_looked(farm: Farm) -> None:
    farm.order(do="water", zone="k1", seconds=5, id="wish")
    farm.turn(2)
    farm.rig.board.welded = {0}
    farm.turn(10)
    assert [a["code"] for a in farm.rows("alarm")] == ["valve_not_closed"]
    assert farm.rows("alarm")[0]["zone"] == "k1"
    assert farm.rows("command")[-1]["code"] == "valve_not_closed"
    assert farm.rows("zone")[-1]["state"] == "locked"
    assert farm.order(do="water", zone="k1", seconds=5)["code"] == "zone_locked"
    assert farm.order(do="mode", zone="k1", mode="manual")["code"] == "still_open"
    farm.rig.board.welded = set()
    farm.turn(3)
    farm.dies()
    farm.rig.start()  # the supervisor forgets, the gateway does not
    farm.rig.loop()
    farm.start()
    farm.turn(2)
    assert farm.order(do="water", zone="k1", seconds=5)["code"] == "zone_locked"
    assert farm.order(do="mode", zone="k1", mode="manual")["code"] == "unlocked"
    assert farm.order(do="water", zone="k1", seconds=5)["state"] == "running"
    cleared = [a for a in farm.rows("alarm") if a["cleared_at"] is not None]
    assert [a["code"] for a in cleared] == ["valve_not_closed"]


def test_another_mode_takes_no_lock_off(farm: Farm) -> None:
    """Whoever chose it may have done so before the trouble was on the page."""
    farm.rig.board.has_water = False
    farm.order(do="water", zone="k1", seconds=60)
    farm.turn(25)
    farm.rig.board.has_water = True
    for mode in ("band", "off"):
        assert farm.order(do="mode", zone="k1", mode=mode)["code"] in ("zone_locked", "mode_set")
        farm.turn(3)
        assert farm.rows("zone")[-1]["state"] == "locked"
    assert farm.rows("zone")[-1]["mode"] == "off", "off is never refused"
    assert farm.order(do="mode", zone="k1", mode="off")["code"] == "unlocked"
    assert farm.order(do="mode", zone="k1", mode="manual")["code"] == "mode_set"
    assert farm.order(do="water", zone="k1", seconds=5)["state"] == "running"


@pytest.mark.parametrize("jump", [365 * 86400, -365 * 86400, -NOW])
def test_a_jump_of_the_wall_clock_neither_stops_nor_lengthens_nor_opens_the_days_account(
    farm: Farm, jump: float
) -> None:
    farm.order(do="water", zone="k1", seconds=600)
    farm.turn(300)
    farm.wall_offset += jump
    farm.turn(305)
    run = farm.rows("run")[-1]
    assert (run["code"], run["seconds"]) == ("done", pytest.approx(600, abs=0.3))
    assert run["ended_at"] >= run["started_at"]
    outcome = farm.order(do="water", zone="k1", seconds=601 - 1)
    assert outcome["state"] == "running"
    farm.turn(605)
    farm.wall_offset += jump
    farm.turn(1)
    outcome = farm.order(do="water", zone="k1", seconds=10)
    assert (outcome["code"], outcome["values"]["max_seconds"]) == ("daily_limit", 1200)


def test_a_disk_that_hangs_neither_stops_nor_lengthens_a_run(farm: Farm) -> None:
    """Each step of the store takes a second, as it does while a disk hangs."""
    record, set_states = farm.store.record, farm.store.set_states

    def slow(step: Callable[..., Any]) -> Callable[..., Any]:
        def slowly(*args: Any) -> Any:
            farm.rig.turn(1.0)
            return step(*args)

        return slowly

    farm.store.record = slow(record)  # type: ignore[method-assign]
    farm.store.set_states = slow(set_states)  # type: ignore[method-assign]
    farm.start()
    farm.order(do="water", zone="k1", seconds=40)
    farm.order(do="water", zone="k2", seconds=30)
    farm.turn(50)
    ends = {r["zone"]: r for r in farm.rows("run") if r["ended_at"] is not None}
    assert {zone: r["code"] for zone, r in ends.items()} == {"k1": "done", "k2": "done"}
    assert ends["k1"]["seconds"] == pytest.approx(40, abs=0.3)


def test_zone_rows_only_when_something_changes(farm: Farm) -> None:
    rows = len(farm.rows("zone"))
    farm.turn(100)
    assert len(farm.rows("zone")) == rows == 2
    assert farm.watering.states()["k2"] == farm.rows("zone")[1]


def test_wait_for_is_bounded() -> None:
    with pytest.raises(AssertionError, match="in vain"):
        wait_for(lambda: False, "nothing", 0.05)
