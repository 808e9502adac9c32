"""Tank and mains in the middle of a run: everything closes, with a word why; no lock is needed."""

from collections.abc import Callable
from typing import Any

import pytest
from model_board import MAIN, PUMP, Rig
from test_flow import keep

from nongso.gateway.valves.supply import Limits, MainsWatch, TankWatch

POWER = Limits(195.0, 250.0, 10.0, 60.0)


@pytest.fixture
def rig() -> Rig:
    made = Rig(lowest_percent=5.0, power=POWER)
    keep(made, 2)
    return made


def opened(rig: Rig, zone: str = "k1", id: str = "a") -> Any:  # noqa: A002
    return rig.ask(do="open", zone=zone, seconds=600, id=id)


def ends(rig: Rig) -> Any:
    return rig.ask(do="renew")["ended"]


def standing(rig: Rig) -> Any:
    alarms: Any = rig.ask(do="renew")["alarms"]
    alarms = rig.ask(do="renew", heard=[alarm["id"] for alarm in alarms])["alarms"]
    return [(alarm["code"], alarm["values"]) for alarm in alarms]


def test_a_tank_that_runs_low_stops_the_pump_and_counts_what_was_delivered(rig: Rig) -> None:
    opened(rig)
    keep(rig, 30)
    rig.board.tank_percent = 4.2
    keep(rig, 14)
    assert not any(rig.board.on)
    (end,) = ends(rig)
    assert (end["code"], end["values"]) == (
        "tank_ran_low",
        {"tank_percent": 4.2, "lowest_percent": 5.0},
    )
    assert end["litres"] == pytest.approx(rig.board.litres, abs=0.11)
    assert end["litres"] > 5
    assert standing(rig) == [("tank_ran_low", end["values"])]
    refused = opened(rig, id="b")
    assert (refused["code"], refused["values"]) == ("tank_ran_low", end["values"])
    assert rig.ask(do="renew")["locked"] == [], "it needs water, no person"
    rig.board.tank_percent = 7.0
    keep(rig, 20)
    assert opened(rig, id="c")["code"] == "tank_ran_low", "a wave in the tank is no filling"
    rig.board.tank_percent = 30.0
    keep(rig, 8)
    assert opened(rig, id="d")["state"] == "running"


def test_one_wave_in_the_tank_stops_nothing() -> None:
    watch = TankWatch(5.0)
    assert [watch.look(level) for level in (20.0, 3.0, 20.0, 4.0, 6.0)] == [None] * 5


@pytest.mark.parametrize(
    ("volts", "code", "values"),
    [
        ((160.0,), "mains_bad", {"volts": 160.0, "low_volts": 195.0, "high_volts": 250.0}),
        ((270.0,), "mains_bad", {"volts": 270.0, "low_volts": 195.0, "high_volts": 250.0}),
        (
            (230.0, 0.0, 231.0),
            "mains_bad",
            {"volts": 0.0, "low_volts": 195.0, "high_volts": 250.0},
        ),
        (
            (245.0, 240.0, 196.0),
            "mains_uneven",
            {"apart_percent": 13.7, "most_apart_percent": 10.0},
        ),
    ],
)
def test_bad_power_stops_the_pump_first_and_starts_nothing(
    rig: Rig, volts: tuple[float, ...], code: str, values: dict[str, float]
) -> None:
    opened(rig)
    keep(rig, 10)
    rig.board.volts = volts
    keep(rig, 6)
    assert not any(rig.board.on)
    closed = [coil for _, coil, on in rig.board.edges if not on]
    assert closed == [PUMP, 0, MAIN], "the pump before the valves"
    (end,) = ends(rig)
    assert (end["code"], end["values"]) == (code, values)
    assert opened(rig, id="b")["code"] == code
    rig.board.volts = (230.0,) * len(volts)
    keep(rig, 50)
    assert opened(rig, id="c")["code"] == code, "it has been good for less than a minute"
    keep(rig, 15)
    assert standing(rig) == []
    assert opened(rig, id="d")["state"] == "running"


def test_the_dip_when_a_motor_starts_stops_nothing() -> None:
    watch = MainsWatch(POWER)
    looks = [(230.0, 0), (150.0, 1), (150.0, 2), (228.0, 3), (150.0, 4), (229.0, 5)]
    assert [watch.look([volts], at) for volts, at in looks] == [None] * 6


@pytest.mark.parametrize(("is_fed_by_it", "code"), [(True, "mains_gone"), (False, None)])
def test_silence_of_the_energy_meter_is_an_outage_where_the_farm_says_so(
    is_fed_by_it: bool, code: str | None
) -> None:
    rig = Rig(power=Limits(195.0, 250.0, 10.0, 60.0, is_fed_by_it))
    keep(rig, 2)
    opened(rig)
    rig.board.volts = ()
    keep(rig, 15)
    assert [end["code"] for end in ends(rig)] == ([code] if code else [])
    assert rig.board.on[PUMP] == (code is None)


def test_a_person_with_a_hose_is_left_alone(rig: Rig) -> None:
    rig.ask(do="hand", zone="k2", seconds=600, id="h")
    rig.board.tank_percent, rig.board.volts = 1.0, (100.0,)
    keep(rig, 20)
    assert [run["id"] for run in rig.ask(do="renew")["runs"]] == ["h"]  # type: ignore[union-attr]


def refusing(rig: Rig, coil: int) -> None:
    rig.board.refuses.add(coil)


def dead(rig: Rig, coil: int) -> None:
    rig.board.dead_coils.add(coil)


@pytest.mark.parametrize("breaks", [refusing, dead])
def test_a_relay_that_does_not_switch_on_is_locked_until_a_person_clears_it(
    rig: Rig, breaks: Callable[[Rig, int], None]
) -> None:
    breaks(rig, 0)
    assert opened(rig)["code"] == "valve_not_opened"
    keep(rig, 5)
    assert rig.ask(do="renew")["bus"] == "ok", "the board answers"
    assert [code for code, _ in standing(rig)] == ["valve_not_opened"]
    assert opened(rig, id="b")["code"] == "zone_locked"
    assert opened(rig, "k2", id="c")["state"] == "running", "the others go on"
    rig.board.refuses.clear()
    rig.board.dead_coils.clear()
    assert opened(rig, id="d")["code"] == "zone_locked", "it does not unlock itself"
    assert rig.ask(do="unlock", zone="k1") == {"unlocked": True}
    assert standing(rig) == []
    assert opened(rig, id="e")["state"] == "running"


@pytest.mark.parametrize("breaks", [refusing, dead])
@pytest.mark.parametrize("coil", [PUMP, MAIN])
def test_a_pump_that_does_not_switch_on_closes_the_valve_again(
    rig: Rig, coil: int, breaks: Callable[[Rig, int], None]
) -> None:
    breaks(rig, coil)
    opened(rig)
    keep(rig, 5)
    assert not any(rig.board.on)
    assert [code for code, _ in standing(rig)] == ["pump_not_started"]
    assert rig.ask(do="renew")["locked"] == ["k1"]
    assert rig.ask(do="unlock", zone="k1") == {"unlocked": True}
    assert standing(rig) == []


@pytest.mark.parametrize("seconds", [0.25, 1, 2])
def test_a_run_soon_after_another_was_closed_is_no_pump_that_does_not_start(
    rig: Rig, seconds: float
) -> None:
    opened(rig)
    keep(rig, 3)
    rig.ask(do="stop")
    keep(rig, seconds)
    assert not any(rig.board.on)
    assert opened(rig, "k2", id="b")["state"] == "running"
    keep(rig, 10)
    assert rig.board.on[PUMP]
    assert rig.board.on[MAIN]
    assert standing(rig) == []
