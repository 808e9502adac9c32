"""A stuck valve, a dry pump, a burst pipe: found by the meter within 30 seconds, and locked."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_board import PUMP, Rig

from nongso.gateway.valves.flow import Flow, FlowWatch, Usual
from nongso.gateway.valves.plan import Care

K1_L_PER_MIN = 12.0  # 0.2 l/s
USUAL = Care(flow_l_per_min={"k1": K1_L_PER_MIN, "k2": K1_L_PER_MIN})


@pytest.fixture
def rig() -> Rig:
    made = Rig(care=USUAL)
    made.loop()
    return made


def keep(rig: Rig, seconds: float) -> None:
    for _ in range(round(seconds)):
        rig.ask(do="renew")
        rig.turn(1.0)


def seconds_until_closed(rig: Rig, longest: float = 60) -> float:
    since = rig.clock()
    while any(rig.board.on):
        keep(rig, 1)
        assert rig.clock() - since < longest, "it was never found"
    found = rig.clock() - since
    keep(rig, 2)  # the meter has its last word
    return found


def told(rig: Rig) -> dict[str, object]:
    answer = rig.ask(do="renew")
    return {
        "ended": {r["id"]: r["code"] for r in answer["ended"]},  # type: ignore[union-attr]
        "alarms": [(a["code"], a["zone"]) for a in answer["alarms"]],  # type: ignore[union-attr]
        "locked": answer["locked"],
    }


@pytest.mark.parametrize("part", [0.0, 0.02, 0.1])
@pytest.mark.parametrize("before_seconds", [0, 3, 40])
def test_a_valve_that_hardly_opens_is_found(rig: Rig, part: float, before_seconds: int) -> None:
    rig.ask(do="open", zone="k1", seconds=600, id="a")
    keep(rig, before_seconds)
    rig.board.flow_l_per_s *= part
    assert seconds_until_closed(rig) <= 30
    # In the middle of a run little is seen before nothing is.
    code = "no_flow" if part == 0.0 and before_seconds < 40 else "low_flow"
    assert told(rig) == {"ended": {"a": code}, "alarms": [(code, "k1")], "locked": ["k1"]}
    assert rig.ask(do="open", zone="k1", seconds=5, id="b")["code"] == "zone_locked"
    assert rig.ask(do="unlock", zone="k1") == {"unlocked": True}
    assert told(rig)["locked"] == []


@pytest.mark.parametrize("before_seconds", [0, 3, 40])
def test_a_burst_pipe_is_found(rig: Rig, before_seconds: int) -> None:
    rig.ask(do="open", zone="k1", seconds=600, id="a")
    keep(rig, before_seconds)
    rig.board.flow_l_per_s *= 2
    assert seconds_until_closed(rig) <= 30
    assert told(rig) == {
        "ended": {"a": "high_flow"},
        "alarms": [("high_flow", "k1")],
        "locked": ["k1"],
    }
    (alarm,) = rig.ask(do="renew")["alarms"]  # type: ignore[misc]
    assert alarm["values"]["usual"] == K1_L_PER_MIN
    assert alarm["values"]["flow"] > 1.35 * K1_L_PER_MIN


def test_what_is_usual_can_come_with_the_order() -> None:
    rig = Rig()
    rig.loop()
    rig.ask(do="open", zone="k1", seconds=600, id="a", flow=K1_L_PER_MIN / 2)
    assert seconds_until_closed(rig) <= 30
    assert told(rig)["ended"] == {"a": "high_flow"}


@pytest.mark.parametrize("flow", [None, 0, -3, "much", True, float("inf"), 10**400])
def test_where_nothing_usual_is_known_nothing_is_judged(flow: object) -> None:
    rig = Rig()
    rig.loop()
    rig.ask(do="open", zone="k1", seconds=60, id="a", flow=flow)
    keep(rig, 20)
    rig.board.flow_l_per_s *= 5
    keep(rig, 45)
    assert told(rig) == {"ended": {"a": "done"}, "alarms": [], "locked": []}


def test_a_run_tells_its_own_steady_flow(rig: Rig) -> None:
    rig.ask(do="open", zone="k1", seconds=60, id="a")
    keep(rig, 65)
    (run,) = rig.ask(do="renew")["ended"]  # type: ignore[misc]
    assert run["flow"] == pytest.approx(K1_L_PER_MIN, rel=0.03)


def test_two_zones_are_judged_together(rig: Rig) -> None:
    rig.ask(do="open", zone="k1", seconds=600, id="a")
    keep(rig, 20)
    rig.board.flow_l_per_s *= 2
    rig.ask(do="open", zone="k2", seconds=600, id="b")
    keep(rig, 40)
    assert rig.is_open("k1"), "24 l/min are right for both"
    rig.board.flow_l_per_s *= 2
    assert seconds_until_closed(rig) <= 30
    assert told(rig)["locked"] == ["k1", "k2"]


def test_a_pump_that_is_known_to_be_small_is_no_fault() -> None:
    care = Care(flow_l_per_min={"k1": 12.0, "k2": 12.0}, pump_l_per_min=14.0)
    rig = Rig(care=care)
    rig.loop()
    rig.board.flow_l_per_s = 14.0 / 60.0
    for zone in ("k1", "k2"):
        rig.ask(do="open", zone=zone, seconds=600, id=zone)
    keep(rig, 60)
    assert rig.is_open("k1")
    rig.board.flow_l_per_s = 7.0 / 60.0
    assert seconds_until_closed(rig) <= 30


def test_a_leak_locks_every_zone_until_a_person_has_looked(rig: Rig) -> None:
    rig.board.leaks_l_per_s = 0.07
    keep(rig, 40)
    assert told(rig)["alarms"] == [("leak", None)]
    assert told(rig)["locked"] == ["k1", "k2", "k3"]
    rig.ask(do="unlock", zone="k1")
    keep(rig, 40)
    assert told(rig)["locked"] == ["k2", "k3"], "who unlocks although it drips knows why"
    assert rig.ask(do="open", zone="k1", seconds=5, id="a")["state"] == "running"


def test_the_pump_waits_for_the_valve_and_rests_between_two_starts() -> None:
    rig = Rig(care=Care(pump_delay_seconds=2.0, pump_rest_seconds=6.0, valve_rest_seconds=3.0))
    rig.loop()
    rig.ask(do="open", zone="k1", seconds=10, id="a")
    keep(rig, 11)
    edges = {(c, on): t for t, c, on in rig.board.edges}
    assert edges[PUMP, True] - edges[0, True] == pytest.approx(2.0, abs=0.1)
    refused = rig.ask(do="open", zone="k1", seconds=10, id="b")
    assert refused["code"] == "resting"
    assert refused["values"]["seconds_left"] in (2, 3)  # type: ignore[index]
    assert rig.ask(do="open", zone="k2", seconds=20, id="c")["state"] == "running"
    keep(rig, 12)
    starts = [t for t, c, on in rig.board.edges if c == PUMP and on]
    stops = [t for t, c, on in rig.board.edges if c == PUMP and not on]
    assert starts[1] - stops[0] >= 6.0


def test_the_supervisor_itself_keeps_the_account_of_a_day() -> None:
    rig = Rig(care=Care(day_seconds={"k1": 25.0}))
    rig.loop()
    for number, seconds in enumerate((10, 10)):
        assert rig.ask(do="open", zone="k1", seconds=seconds, id=str(number))["state"] == "running"
        keep(rig, 13)
    refused = rig.ask(do="open", zone="k1", seconds=10, id="x")
    assert refused["code"] == "daily_limit"
    assert refused["values"] == {"seconds_today": 20, "max_seconds": 25.0}
    assert rig.ask(do="open", zone="k1", seconds=5, id="y")["state"] == "running"
    rig.turn(10)
    rig.clock.now += 86400
    rig.turn(1)
    rig.ask(do="renew")
    assert rig.ask(do="open", zone="k1", seconds=25, id="z")["state"] == "running"


@settings(max_examples=60, deadline=None)
@given(
    usual=st.floats(2.0, 200.0),
    step=st.sampled_from([0.01, 0.1, 1.0, 10.0]),
    share=st.floats(0.75, 1.2),
)
def test_a_usual_flow_is_never_wrong_whatever_the_meter_counts_in(
    usual: float, step: float, share: float
) -> None:
    watch, litres = FlowWatch(0.1), 0.0
    for second in range(900):
        litres += usual * share / 60.0
        found = watch.look(litres // step * step, second, Usual(("k1",), usual, usual), 0.0)
        assert found.wrong is None, f"second {second}"


@pytest.mark.parametrize(("share", "wrong"), [(0.3, "low_flow"), (2.0, "high_flow")])
@pytest.mark.parametrize("step", [0.1, 1.0, 10.0])
def test_a_meter_of_big_steps_finds_it_later(share: float, wrong: str, step: float) -> None:
    watch, litres, found = FlowWatch(0.1), 0.0, Flow()
    for second in range(900):
        litres += 40.0 * share / 60.0
        found = watch.look(litres // step * step, second, Usual(("k1",), 40.0, 40.0), 0.0)
        if found.wrong:
            break
    assert found.wrong == wrong
    assert second <= (30 if step <= 1.0 else 310)
