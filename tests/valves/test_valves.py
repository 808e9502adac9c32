"""What the supervisor does with valves, pump and main valve, sentence by sentence."""

import itertools
import json

import pytest
from model_board import LEASE, LITRES_A_SECOND, MAIN, PUMP, Rig

from nongso.gateway.valves.runs import TRANSITIONS, Run


@pytest.fixture
def rig() -> Rig:
    made = Rig()
    made.loop()
    return made


def keep(rig: Rig, seconds: float) -> None:
    """Let time pass while the gateway renews each second."""
    for _ in range(round(seconds)):
        rig.ask(do="renew")
        rig.turn(1.0)


def order_of(rig: Rig, since: int = 0) -> list[tuple[int, bool]]:
    return [(coil, on) for _, coil, on in rig.board.edges[since:]]


def ended(rig: Rig) -> dict[str, str]:
    return {r["id"]: r["code"] for r in rig.ask(do="renew")["ended"]}  # type: ignore[union-attr]


def alarms(rig: Rig) -> list[str]:
    return [a["code"] for a in rig.ask(do="renew")["alarms"]]  # type: ignore[union-attr]


def test_everything_that_a_dead_master_left_on_is_closed_first() -> None:
    rig = Rig(left_on=range(8))
    assert rig.ask(do="open", zone="k1", seconds=20, id="a")["code"] == "bus_silent"
    rig.loop()
    assert not any(rig.board.on)
    assert order_of(rig, since=8)[0] == (PUMP, False), "the pump goes off before any valve"
    assert rig.ask(do="open", zone="k1", seconds=20, id="b")["state"] == "running"


def test_off_is_written_at_the_start_whatever_is_read(rig: Rig) -> None:
    assert {coil for _, coil in rig.board.offs} == set(range(8))


def test_no_pulse_reaches_beyond_the_lease(rig: Rig) -> None:
    rig.ask(do="open", zone="k1", seconds=600, id="a")
    keep(rig, 10)
    rig.is_frozen = True
    rig.turn(LEASE)
    assert not any(rig.board.on)
    off = {coil: t for t, coil, on in rig.board.edges if not on}
    assert off[PUMP] < off[0]
    rig.is_frozen = False
    rig.turn(2)
    assert ended(rig) == {"a": "restarted"}


def test_an_off_that_cannot_be_confirmed_is_written_to_the_valve_too(rig: Rig) -> None:
    """The bus carries the writes and loses the echoes: the valve does not wait for the pump."""
    rig.ask(do="open", zone="k1", seconds=600, id="a")
    keep(rig, 5)
    rig.board.echoes_get_lost = True
    rig.ask(do="stop")
    since = rig.clock()
    rig.turn(2)
    closed = [t for t, coil, on in rig.board.edges if coil == 0 and not on]
    assert closed
    assert closed[0] - since < 1.5, "by a write, before the pulse was over"


def test_valve_before_pump_and_pump_off_before_valve(rig: Rig) -> None:
    rig.ask(do="open", zone="k1", seconds=10, id="a")
    keep(rig, 12)
    assert order_of(rig) == [
        (0, True),
        (MAIN, True),
        (PUMP, True),
        (PUMP, False),
        (0, False),
        (MAIN, False),
    ]
    on, off = (t for t, coil, _ in rig.board.edges if coil == 0)
    assert off - on == pytest.approx(10, abs=0.15)


def test_the_board_itself_closes_at_the_ordered_end(rig: Rig) -> None:
    """The last pulse is trimmed: a supervisor that freezes near the end changes nothing."""
    rig.ask(do="open", zone="k1", seconds=10, id="a")
    keep(rig, 9)
    rig.is_frozen = True
    rig.turn(5)
    on, off = (t for t, coil, _ in rig.board.edges if coil == 0)
    assert off - on == pytest.approx(10, abs=0.15)
    pump_off = next(t for t, coil, is_on in rig.board.edges if coil == PUMP and not is_on)
    assert pump_off < off
    rig.is_frozen = False
    rig.loop()
    rig.turn(1.5)
    assert ended(rig) == {"a": "done"}


def test_two_zones_share_pump_and_meter(rig: Rig) -> None:
    rig.ask(do="open", zone="k1", seconds=10, id="a")
    rig.ask(do="open", zone="k2", seconds=20, id="b")
    keep(rig, 23)
    assert [on for _, coil, on in rig.board.edges if coil == PUMP] == [True, False]
    assert ended(rig) == {"a": "done", "b": "done"}
    litres = {r["id"]: r["litres"] for r in rig.ask(do="renew")["ended"]}  # type: ignore[union-attr]
    assert litres["a"] == pytest.approx(10 * LITRES_A_SECOND / 2, abs=0.3)
    assert litres["b"] == pytest.approx(10 * LITRES_A_SECOND * 1.5, abs=0.4)
    assert sum(litres.values()) == pytest.approx(rig.board.litres, abs=0.15)


def test_a_run_is_told_until_the_gateway_has_heard(rig: Rig) -> None:
    rig.ask(do="open", zone="k1", seconds=2, id="a")
    keep(rig, 5)
    assert ended(rig) == ended(rig) == {"a": "done"}
    rig.ask(do="renew", heard=["a"])
    assert ended(rig) == {}


@pytest.mark.parametrize(
    ("zone", "seconds", "code"),
    [
        ("roof", 20, "zone_unknown"),
        ("k3", 31, "seconds_out_of_range"),
        ("k1", 0.9, "seconds_out_of_range"),
        ("k1", 1e12, "seconds_out_of_range"),
        ("k2", 20, "zone_busy"),
    ],
)
def test_what_is_refused(rig: Rig, zone: str, seconds: float, code: str) -> None:
    rig.ask(do="open", zone="k2", seconds=20, id="first")
    answer = rig.ask(do="open", zone=zone, seconds=seconds, id="a")
    assert (answer["state"], answer["code"]) == ("refused", code)


@pytest.mark.parametrize(
    "line",
    [
        b"water please",
        b"[]",
        b"{}",
        b'{"do": "open", "zone": "k1", "id": "a"}',
        b'{"do": "open", "zone": "k1", "seconds": true, "id": "a"}',
        b'{"do": "open", "zone": "k1", "seconds": "20", "id": "a"}',
        b'{"do": "open", "zone": 1, "seconds": 20, "id": "a"}',
        b'{"do": "open", "zone": "k1", "seconds": NaN, "id": "a"}',
        b'{"do": "stop", "zone": 5}',
        b'{"do": "renew", "heard": [1]}',
        b'{"do": "close"}',
        b"\xff\xfe",
        b"[" * 100000,
    ],
)
def test_no_line_opens_by_accident(rig: Rig, line: bytes) -> None:
    answer = json.loads(rig.desk.line("gateway", line))
    assert "error" in answer or answer["state"] == "refused"
    rig.loop()
    assert not any(rig.board.on)


def test_a_second_connection_may_stop_but_not_open(rig: Rig) -> None:
    rig.ask(do="open", zone="k1", seconds=60, id="a")
    other = rig.ask("another", do="open", zone="k2", seconds=60, id="b")
    assert other["error"] == "not_in_control"
    assert rig.ask("another", do="stop") == {"state": "closed", "zones": ["k1"]}
    assert not any(rig.board.on)
    rig.turn(1.5)
    assert ended(rig) == {"a": "stopped"}


def test_a_hung_gateway_gives_way_to_a_new_one(rig: Rig) -> None:
    rig.ask("hung", do="open", zone="k1", seconds=60, id="a")
    rig.turn(LEASE + 0.5)
    assert not any(rig.board.on)
    answer = rig.ask("new", do="renew")
    assert [r["code"] for r in answer["ended"]] == ["gateway_lost"]  # type: ignore[union-attr]
    assert rig.ask("new", do="open", zone="k1", seconds=5, id="b")["state"] == "running"


def test_bus_cut_the_run_ends_as_bus_lost_with_the_seconds_that_it_had(rig: Rig) -> None:
    rig.ask(do="open", zone="k1", seconds=60, id="a")
    keep(rig, 10)
    rig.board.is_cut = True
    keep(rig, 8)
    assert not any(rig.board.on), "the board's own pulse was over"
    answer = rig.ask(do="renew")
    (run,) = answer["ended"]  # type: ignore[misc]
    assert run["code"] == "bus_lost"
    on, off = (t for t, coil, _ in rig.board.edges if coil == 0)
    assert run["seconds"] == pytest.approx(off - on, abs=0.3)
    assert alarms(rig) == ["bus_silent"]
    assert rig.ask(do="open", zone="k1", seconds=5, id="b")["code"] == "bus_silent"
    rig.board.is_cut = False
    rig.turn(1)
    (alarm,) = rig.ask(do="renew")["alarms"]  # type: ignore[misc]
    rig.ask(do="renew", heard=[alarm["id"]])
    assert alarms(rig) == []
    assert rig.ask(do="open", zone="k1", seconds=5, id="c")["state"] == "running"


def test_a_short_hiccup_of_the_bus_does_not_stop_a_run(rig: Rig) -> None:
    rig.ask(do="open", zone="k1", seconds=20, id="a")
    keep(rig, 5)
    rig.board.is_cut = True
    rig.turn(0.5)
    rig.board.is_cut = False
    keep(rig, 17)
    assert ended(rig) == {"a": "done"}
    assert [on for _, coil, on in rig.board.edges if coil == 0] == [True, False]


def test_when_the_cable_comes_back_the_pump_does_not_run_on_without_a_valve(rig: Rig) -> None:
    rig.ask(do="open", zone="k1", seconds=600, id="a")
    rig.board.is_cut = True
    assert rig.ask(do="stop")["state"] == "closing"
    rig.board.is_cut = False
    assert rig.ask(do="stop")["state"] == "closed"
    assert not any(rig.board.on)


def test_a_board_that_restarts_is_opened_once_more(rig: Rig) -> None:
    rig.ask(do="open", zone="k1", seconds=20, id="a")
    keep(rig, 5)
    rig.board.restart()
    keep(rig, 18)
    assert ended(rig) == {"a": "done"}
    (last_off,) = [t for t, coil, on in rig.board.edges if coil == 0 and not on][-1:]
    assert last_off == pytest.approx(1000 + 20, abs=0.5), "no second is added for the gap"


def test_a_valve_that_does_not_open_is_refused_and_alarmed(rig: Rig) -> None:
    rig.board.dead_coils = {0}
    answer = rig.ask(do="open", zone="k1", seconds=20, id="a")
    assert (answer["state"], answer["code"]) == ("refused", "valve_not_opened")
    assert PUMP not in [coil for _, coil, _ in rig.board.edges]
    assert alarms(rig) == ["valve_not_opened"]
    assert ended(rig) == {}, "a refused run never began"


def test_valve_that_does_not_close_cuts_pump_and_main_and_locks_the_zone(rig: Rig) -> None:
    rig.ask(do="open", zone="k1", seconds=3, id="a")
    rig.ask(do="open", zone="k2", seconds=60, id="b")
    keep(rig, 1)
    rig.board.welded = {0}
    keep(rig, 6)
    assert rig.board.on == [True, *[False] * 7], "only the welded contact is still on"
    assert ended(rig) == {"a": "valve_not_closed", "b": "valve_not_closed"}
    answer = rig.ask(do="renew")
    assert answer["locked"] == ["k1"]
    assert alarms(rig) == ["valve_not_closed"]
    assert rig.ask(do="open", zone="k1", seconds=5, id="c")["code"] == "zone_locked"
    assert rig.ask(do="open", zone="k2", seconds=5, id="d") == {
        "id": "d",
        "state": "refused",
        "code": "another_valve_stuck",
        "values": {"zone": "k1"},
    }
    assert rig.ask(do="unlock", zone="k1") == {
        "unlocked": False,
        "code": "still_open",
        "values": {"zone": "k1"},
    }
    assert rig.ask(do="stop")["state"] == "closing"
    rig.board.welded = set()
    rig.turn(2)
    assert not any(rig.board.on), "off is written until it is read back"
    assert rig.ask(do="open", zone="k1", seconds=5, id="e")["code"] == "zone_locked"
    assert rig.ask(do="unlock", zone="k1") == {"unlocked": True}
    assert rig.ask(do="open", zone="k1", seconds=5, id="f")["state"] == "running"


def test_a_valve_that_is_found_stuck_at_the_start() -> None:
    rig = Rig(left_on=[1])
    rig.board.welded = {1}
    rig.turn(2)
    assert alarms(rig) == ["valve_not_closed"]
    assert rig.ask(do="open", zone="k2", seconds=5, id="a")["code"] == "zone_locked"
    assert rig.ask(do="open", zone="k1", seconds=5, id="b")["code"] == "another_valve_stuck"
    rig.board.welded = set()
    rig.turn(2)
    assert rig.ask(do="open", zone="k1", seconds=5, id="c")["state"] == "running"


def test_a_pump_that_does_not_stop_is_alarmed_and_the_valve_closes_all_the_same(rig: Rig) -> None:
    rig.ask(do="open", zone="k1", seconds=3, id="a")
    keep(rig, 1)
    rig.board.welded = {PUMP}
    since = len(rig.board.offs)
    keep(rig, 6)
    assert [coil for _, coil in rig.board.offs[since:]][:4] == [PUMP, PUMP, PUMP, 0]
    assert [coil for coil in range(8) if rig.board.on[coil]] == [PUMP]
    assert alarms(rig) == ["pump_not_stopped"]
    assert ended(rig) == {"a": "done"}


@pytest.mark.parametrize(("coil", "code"), [(MAIN, "main_not_closed"), (5, "coil_not_closed")])
def test_what_is_no_zones_relay_locks_every_zone_and_names_none(coil: int, code: str) -> None:
    """An alarm that named a zone which is not there would be on nobody's page."""
    rig = Rig(left_on=[coil])
    rig.board.welded = {coil}
    rig.turn(2)
    (alarm,) = rig.ask(do="renew")["alarms"]  # type: ignore[misc]
    assert (alarm["code"], alarm["zone"]) == (code, None)
    assert rig.ask(do="renew")["locked"] == ["k1", "k2", "k3"]
    rig.board.welded = set()
    rig.turn(2)
    rig.ask(do="renew", heard=[alarm["id"]])
    assert alarms(rig) == []


def test_a_coil_that_nobody_ordered_is_switched_off(rig: Rig) -> None:
    rig.board.set(4, True)
    rig.turn(1.5)
    assert not any(rig.board.on)


def test_no_water_although_open_stops_the_run(rig: Rig) -> None:
    rig.board.has_water = False
    rig.ask(do="open", zone="k1", seconds=60, id="a")
    keep(rig, 14)
    assert rig.is_open("k1")
    keep(rig, 4)
    assert not any(rig.board.on)
    assert ended(rig) == {"a": "no_flow"}
    assert alarms(rig) == ["no_flow"]
    rig.board.has_water = True
    rig.ask(do="renew", heard=[a["id"] for a in rig.ask(do="renew")["alarms"]])  # type: ignore[union-attr]
    assert rig.ask(do="open", zone="k1", seconds=5, id="b")["code"] == "zone_locked"
    assert alarms(rig) == ["no_flow"], "until a person has looked"
    assert rig.ask(do="unlock", zone="k1") == {"unlocked": True}
    assert alarms(rig) == []
    assert rig.ask(do="open", zone="k1", seconds=5, id="c")["state"] == "running"


def test_meter_and_tank_wait_while_the_relay_has_little_time(rig: Rig) -> None:
    asked = rig.board.asked
    rig.board.turn(1.5)
    assert rig.work.ask_a_sensor(pause_seconds=0.2) is None
    assert rig.board.asked == asked
    assert rig.work.ask_a_sensor(pause_seconds=0.4) is not None


def test_a_dead_meter_stops_nothing(rig: Rig) -> None:
    rig.cable.meter_is_dead = True
    rig.ask(do="open", zone="k1", seconds=40, id="a")
    keep(rig, 60)
    assert ended(rig) == {"a": "done"}
    assert "bus_silent" in alarms(rig)
    assert "meter" in rig.ask(do="read")["errors"]  # type: ignore[operator]
    assert rig.ask(do="read")["total"] is None


def test_flow_with_everything_closed_is_a_leak(rig: Rig) -> None:
    rig.ask(do="open", zone="k1", seconds=5, id="a")
    keep(rig, 8)
    rig.board.leaks_l_per_s = 0.07
    keep(rig, 30)
    assert alarms(rig) == ["leak"]
    (alarm,) = rig.ask(do="renew")["alarms"]  # type: ignore[misc]
    assert alarm["values"]["flow"] == pytest.approx(4.2, abs=0.3)
    rig.board.leaks_l_per_s = 0.0
    rig.ask(do="renew", heard=[alarm["id"]])
    keep(rig, 35)
    assert alarms(rig) == []


def test_pipes_that_empty_themselves_are_no_leak(rig: Rig) -> None:
    rig.ask(do="open", zone="k1", seconds=5, id="a")
    keep(rig, 6)
    rig.board.leaks_l_per_s = 0.05
    keep(rig, 9)
    rig.board.leaks_l_per_s = 0.005
    keep(rig, 40)
    assert alarms(rig) == []


def test_a_board_without_auto_off_is_never_opened() -> None:
    rig = Rig(auto_off=False)
    rig.loop()
    assert rig.ask(do="open", zone="k1", seconds=5, id="a")["code"] == "board_without_auto_off"


def test_the_same_order_again_is_the_same_run(rig: Rig) -> None:
    first = rig.ask(do="open", zone="k1", seconds=5, id="a")
    assert rig.ask(do="open", zone="k1", seconds=5, id="a") == first
    keep(rig, 8)
    assert rig.ask(do="open", zone="k1", seconds=5, id="a")["state"] == "refused"
    assert [on for _, coil, on in rig.board.edges if coil == 0] == [True, False]


STATES = {a for a, _, _ in TRANSITIONS} | {b for _, _, b in TRANSITIONS}


@pytest.mark.parametrize(("a", "b"), list(itertools.product(sorted(STATES), repeat=2)))
def test_a_run_takes_only_the_steps_of_its_table(a: str, b: str) -> None:
    run = Run("a", "k1", 0, 5.0, state=a)
    if (a, b) in {(x, y) for x, _, y in TRANSITIONS}:
        run.to(b)
        assert run.state == b
    else:
        with pytest.raises(AssertionError, match="does not go"):
            run.to(b)


def test_a_zone_that_is_not_there_is_neither_unlocked_nor_stopped_nor_opened(rig: Rig) -> None:
    unknown = {"code": "zone_unknown", "values": {}}
    assert rig.ask("a person", do="unlock", zone="k9") == {"unlocked": False} | unknown
    assert rig.ask("a person", do="stop", zone="k9") == {"state": "refused"} | unknown
    for do in ("open", "hand"):
        answer = rig.ask(do=do, zone="k9", seconds=60, id="a")
        assert answer == {"id": "a", "state": "refused"} | unknown
    assert rig.ask(do="renew")["unlocked"] == []


@pytest.mark.parametrize("first", ["open", "hand"])
@pytest.mark.parametrize("second", ["open", "hand"])
def test_the_number_of_one_zones_run_opens_no_other_zone(
    rig: Rig, first: str, second: str
) -> None:
    assert rig.ask(do=first, zone="k1", seconds=60, id="a")["state"] == "running"
    answer = rig.ask(do=second, zone="k2", seconds=60, id="a")
    assert (answer["state"], answer["code"]) == ("refused", "not_understood")
    assert not rig.is_open("k2")
    assert rig.ask(do=first, zone="k1", seconds=60, id="a")["state"] == "running"
