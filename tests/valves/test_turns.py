"""One pump, several zones: who comes second waits, is told so, and has its water once."""

from collections.abc import Callable
from typing import Any

import pytest
from model_board import LEASE, Rig
from test_by_the_clock import slot_soon
from test_killed_between_steps import LONGEST, Fate, Killed, Office, live, mortal
from watered_farm import Farm

from nongso.gateway.valves.plan import Care

ONE = {"zones_at_once": 1}


@pytest.fixture
def one_pump(new_farm: Callable[..., Farm]) -> Farm:
    farm = new_farm(bus=ONE)
    farm.turn(2)
    return farm


def outcomes(farm: Farm, wish: str) -> list[tuple[str, str]]:
    return [(row["state"], row["code"]) for row in farm.rows("command") if row["id"] == wish]


def zone_rows(farm: Farm, zone: str) -> list[dict[str, Any]]:
    return [row for row in farm.rows("zone") if row["id"] == zone]


def at_once(farm: Farm) -> int:
    """The most zones that were open at the same time, by the board's own log."""
    on: set[int] = set()
    most = 0
    for _, coil, is_on in farm.rig.board.edges:
        if coil < 6:
            on = on | {coil} if is_on else on - {coil}
            most = max(most, len(on))
    return most


def test_a_second_wish_waits_its_turn_and_says_so(one_pump: Farm) -> None:
    farm = one_pump
    farm.order(do="water", zone="k1", seconds=20, id="first")
    second = farm.order(do="water", zone="k2", seconds=10, id="second")
    assert (second["state"], second["code"], second["values"]) == (
        *("queued", "waits_for_pump"),
        {"zone": "k1"},
    )
    assert (zone_rows(farm, "k2")[-1]["state"], zone_rows(farm, "k2")[-1]["code"]) == (
        "queued",
        "waits_for_pump",
    )
    farm.turn(40)
    assert outcomes(farm, "second") == [
        ("queued", "waits_for_pump"),
        ("running", "wished"),
        ("done", "done"),
    ]
    assert (farm.openings(0), farm.openings(1), at_once(farm)) == (1, 1, 1)
    (ended,) = [r for r in farm.rows("run") if r["id"] == "second" and r["ended_at"]]
    assert ended["seconds"] == pytest.approx(10, abs=0.3)
    assert zone_rows(farm, "k2")[-1]["state"] == "idle"


def test_a_zone_waits_once_however_often_it_is_pressed(one_pump: Farm) -> None:
    farm = one_pump
    farm.order(do="water", zone="k1", seconds=20)
    first = farm.order(do="water", zone="k2", seconds=10, id="same")
    assert farm.order(do="water", zone="k2", seconds=10, id="same") == first
    other = farm.order(do="water", zone="k2", seconds=10)
    assert (other["state"], other["code"]) == ("refused", "already_waiting")
    farm.turn(50)
    assert farm.openings(1) == 1


@pytest.mark.parametrize("stop", [{"zone": "k2"}, {}])
def test_a_stop_takes_the_waiting_wish_back(one_pump: Farm, stop: dict[str, str]) -> None:
    farm = one_pump
    farm.order(do="water", zone="k1", seconds=20)
    farm.order(do="water", zone="k2", seconds=10, id="second")
    farm.order(do="stop", **stop)
    farm.turn(40)
    assert outcomes(farm, "second")[-1] == ("refused", "stopped_meanwhile")
    assert farm.openings(1) == 0


def test_switched_off_while_it_waits_it_does_not_run(one_pump: Farm) -> None:
    farm = one_pump
    farm.order(do="water", zone="k1", seconds=20)
    farm.order(do="water", zone="k2", seconds=10, id="second")
    farm.order(do="mode", zone="k2", mode="off")
    farm.turn(40)
    assert outcomes(farm, "second")[-1] == ("refused", "stopped_meanwhile")
    assert farm.openings(1) == 0


def test_what_is_in_the_way_when_its_turn_comes_is_said(one_pump: Farm) -> None:
    farm = one_pump
    farm.order(do="water", zone="k1", seconds=20)
    farm.order(do="water", zone="k2", seconds=10, id="second")
    farm.tank = 6.0
    farm.turn(40)
    assert outcomes(farm, "second")[-1] == ("refused", "tank_low")


def test_a_wish_that_waited_for_hours_is_given_up(one_pump: Farm) -> None:
    farm = one_pump
    farm.order(do="water", zone="k1", seconds=500)
    farm.order(do="water", zone="k2", seconds=10, id="second")
    farm.rig.desk.plan._heard_at = farm.rig.board.clock.now = farm.rig.clock() + 7300
    farm.turn(2)
    assert outcomes(farm, "second")[-1] == ("refused", "waited_too_long")


def test_after_a_restart_of_the_machine_nobody_expects_it(one_pump: Farm) -> None:
    farm = one_pump
    farm.order(do="water", zone="k1", seconds=20)
    farm.order(do="water", zone="k2", seconds=10, id="second")
    farm.dies()
    farm.start()
    farm.watering._boot = "another boot"
    farm.rig.turn(LEASE + 2)
    farm.turn(3)
    assert outcomes(farm, "second")[-1] == ("refused", "waited_too_long")
    assert farm.openings(1) == 0


def test_wishes_come_before_what_zones_want_and_no_slot_is_lost(
    new_farm: Callable[..., Farm],
) -> None:
    farm = new_farm(bus=ONE)
    farm.turn(2)
    slot_soon(farm, run_seconds=5)
    farm.order(do="water", zone="k2", seconds=600, id="long")
    farm.turn(20)
    row = zone_rows(farm, "k1")[-1]
    assert (row["state"], row["code"], row["values"]) == (
        "queued",
        "waits_for_pump",
        {"zone": "k2"},
    )
    farm.wall_offset += 1200  # beyond the quarter of an hour in which a slot begins
    farm.turn(590)
    ran = [r for r in farm.rows("run") if r["zone"] == "k1"]
    assert [(r["cause"], r["state"]) for r in ran] == [
        ("schedule", "running"),
        ("schedule", "done"),
    ]
    assert at_once(farm) == 1


def test_three_waits_of_two_zones_for_two_places(new_farm: Callable[..., Farm]) -> None:
    farm = new_farm(bus={"zones_at_once": 2})
    farm.turn(2)
    for zone in ("k1", "k2"):
        assert farm.order(do="water", zone=zone, seconds=10)["state"] == "running"
    farm.turn(20)
    assert at_once(farm) == 2


def test_the_supervisor_keeps_to_it_too() -> None:
    rig = Rig(care=Care(zones_at_once=1))
    rig.loop()
    rig.ask(do="open", zone="k1", seconds=20, id="a")
    refused = rig.ask(do="open", zone="k2", seconds=20, id="b")
    assert (refused["code"], refused["values"]) == ("waits_for_pump", {"zone": "k1"})


def test_the_supervisor_keeps_to_windows_of_days() -> None:
    week = 168 * 3600.0
    rig = Rig(care=Care(windows={"k1": ((week, 25.0),)}))
    rig.loop()
    for number in range(2):
        rig.ask(do="open", zone="k1", seconds=10, id=f"{number}")
        for _ in range(12):
            rig.ask(do="renew")
            rig.turn(1.0)
        rig.clock.now += 2 * 86400
        rig.turn(1.0)
    refused = rig.ask(do="open", zone="k1", seconds=10, id="c")
    assert (refused["code"], refused["values"]) == (
        "window_limit",
        {"hours": 168.0, "seconds_ran": 20, "max_seconds": 25.0},
    )
    rig.clock.now += 4 * 86400
    rig.turn(1.0)
    assert rig.ask(do="open", zone="k1", seconds=10, id="d")["state"] == "running"


@pytest.mark.parametrize(
    "every", [pytest.param(2, marks=pytest.mark.walk, id="all"), pytest.param(11, id="some")]
)
def test_a_gateway_killed_at_any_step_neither_loses_nor_doubles_what_waits(
    new_farm: Callable[..., Farm], every: int
) -> None:
    farm = new_farm(bus=ONE, max_day_seconds=10**6)
    farm.turn(2)
    office, struck = Office(farm), []
    for at in range(0, LONGEST, every):  # before a step; after it is before the next
        fate, before = Fate(at), farm.openings(1)
        mortal(farm, fate)
        office.wish(do="water", zone="k1", seconds=3)
        second = office.wish(do="water", zone="k2", seconds=3)
        try:
            live(farm, office, 12)
        except Killed:
            struck.append(fate.struck)
        farm.dies()
        farm.rig.loop()
        farm.start()
        live(farm, office, 12)
        (final, *_) = outcomes(farm, second)[-1:]
        was_open = farm.openings(1) - before
        assert was_open <= 1, f"twice, killed {fate.struck} (step {at})"
        assert final[0] in ("done", "refused"), f"{final}, killed {fate.struck} (step {at})"
        # What was taken and not begun is lost only where its id was remembered and nothing else.
        assert was_open or final[1] in ("interrupted", "restarted"), (final, fate.struck)
        assert not farm.watering._book.waiting
        if fate.struck is None:
            break
    assert fate.struck is None
    assert len(struck) > LONGEST / every / 8
