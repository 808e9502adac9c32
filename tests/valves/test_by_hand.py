"""A person with a hose: nothing is cut, nothing is a leak, and the litres are the zone's."""

from collections.abc import Callable

import pytest
from model_board import Rig
from watered_farm import Farm


@pytest.fixture
def rig() -> Rig:
    made = Rig()
    made.loop()
    return made


def keep(rig: Rig, seconds: float) -> None:
    for _ in range(round(seconds)):
        rig.ask(do="renew")
        rig.turn(1.0)


def hand(rig: Rig, zone: str = "k1", seconds: float = 60, id: str = "h") -> dict[str, object]:  # noqa: A002
    return rig.ask(do="hand", zone=zone, seconds=seconds, id=id)


def test_water_of_a_hose_is_no_leak_and_counts_for_its_zone(rig: Rig) -> None:
    assert hand(rig)["state"] == "running"
    rig.board.leaks_l_per_s = 0.5
    keep(rig, 58)
    rig.board.leaks_l_per_s = 0.0
    keep(rig, 40)
    answer = rig.ask(do="renew")
    (ended,) = answer["ended"]  # type: ignore[misc]
    assert (ended["code"], ended["seconds"]) == ("done", 60.0)
    assert ended["litres"] == pytest.approx(29.0, abs=1.0)
    assert answer["alarms"] == answer["locked"] == []
    assert not any(on for _, _, on in rig.board.edges), "nothing was opened"


def test_water_that_goes_on_after_its_time_is_a_leak(rig: Rig) -> None:
    hand(rig, seconds=30)
    rig.board.leaks_l_per_s = 0.5
    keep(rig, 30)
    assert rig.ask(do="renew")["alarms"] == []
    keep(rig, 31)
    assert [a["code"] for a in rig.ask(do="renew")["alarms"]] == ["leak"]  # type: ignore[union-attr]


def test_other_zones_go_on_and_nothing_is_cut(rig: Rig) -> None:
    rig.ask(do="open", zone="k2", seconds=100, id="a", flow=12.0)
    keep(rig, 20)
    hand(rig, seconds=50)
    rig.board.leaks_l_per_s = 1.0
    keep(rig, 40)
    assert rig.is_open("k2")
    rig.board.leaks_l_per_s = 0.0
    keep(rig, 50)
    codes = {r["id"]: r["code"] for r in rig.ask(do="renew")["ended"]}  # type: ignore[union-attr]
    assert codes == {"h": "done", "a": "done"}


def test_stopping_everything_leaves_the_hose_and_stopping_the_zone_ends_it(rig: Rig) -> None:
    hand(rig)
    rig.ask("another", do="stop")
    assert [r["id"] for r in rig.ask(do="renew")["runs"]] == ["h"]  # type: ignore[union-attr]
    rig.desk.gone("gateway")
    assert [r["id"] for r in rig.ask(do="renew")["runs"]] == ["h"]  # type: ignore[union-attr]
    rig.ask(do="stop", zone="k1")
    answer = rig.ask(do="renew")
    assert answer["runs"] == []
    assert [r["code"] for r in answer["ended"]] == ["stopped"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("zone", "seconds", "code"),
    [
        ("roof", 60, "zone_unknown"),
        ("k1", 0, "seconds_out_of_range"),
        ("k1", 99999, "seconds_out_of_range"),
        ("k1", "long", "not_understood"),
        ("k2", 60, "zone_busy"),
    ],
)
def test_what_is_refused(rig: Rig, zone: str, seconds: float, code: str) -> None:
    rig.ask(do="open", zone="k2", seconds=60, id="a")
    answer = hand(rig, zone, seconds)
    assert (answer["state"], answer["code"]) == ("refused", code)


def test_the_same_word_twice_is_one(rig: Rig) -> None:
    assert hand(rig) == hand(rig)
    assert hand(rig, id="other")["code"] == "zone_busy"
    rig.ask(do="stop", zone="k1")
    assert hand(rig)["code"] == "interrupted"


def test_a_person_says_so_on_the_phone_and_it_is_written_down(farm: Farm) -> None:
    outcome = farm.order(do="hand", zone="k1", seconds=60)
    assert (outcome["state"], outcome["code"]) == ("running", "by_hand")
    farm.rig.board.leaks_l_per_s = 0.5
    farm.turn(58)
    assert farm.watering.states()["k1"]["state"] == "running"
    farm.rig.board.leaks_l_per_s = 0.0
    farm.turn(5)
    run = farm.rows("run")[-1]
    assert (run["cause"], run["code"], run["by"]) == ("hand", "done", "Lò Văn Páo")
    assert run["litres"] == pytest.approx(29.0, abs=1.5)
    assert farm.rows("command")[-1]["state"] == "done"
    assert farm.rows("alarm") == []


def test_a_locked_zone_may_be_watered_by_hand(new_farm: Callable[..., Farm]) -> None:
    farm = new_farm()
    farm.rig.plan.lock(["k1"])
    farm.turn(2)
    assert farm.order(do="water", zone="k1", seconds=60)["code"] == "zone_locked"
    assert farm.order(do="hand", zone="k1", seconds=60)["state"] == "running"


def test_a_gateway_that_restarts_knows_of_the_hose(farm: Farm) -> None:
    farm.order(do="hand", zone="k1", seconds=120)
    farm.turn(5)
    farm.dies()
    farm.start()
    farm.turn(10)
    assert farm.watering.states()["k1"]["state"] == "running"
    assert farm.order(do="stop", zone="k1")["state"] == "done"
    assert farm.rows("run")[-1]["code"] == "stopped"


def test_hours_of_a_hose_use_up_nothing_of_the_valves_day(farm: Farm) -> None:
    farm.order(do="hand", zone="k1", seconds=3000)
    farm.turn(1300)
    farm.order(do="stop", zone="k1")
    farm.turn(3)
    assert farm.order(do="water", zone="k1", seconds=600)["state"] == "running"
