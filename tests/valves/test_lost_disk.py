"""A gateway that lost its disk, and with it what it did, waters no wish a second time."""

from collections.abc import Callable

import pytest
from watered_farm import Farm

from nongso.gateway.store import Store


def loses_its_disk(farm: Farm) -> None:
    """A new memory card: the store begins anew."""
    farm.rig.desk.gone(farm.valves.who)
    farm.valves.who = object()
    farm.store.close()
    for file in farm.folder.glob("store.sqlite*"):
        file.unlink()
    farm.store = Store(farm.folder / "store.sqlite")


def test_a_wish_that_ran_before_the_disk_was_lost_does_not_run_again(farm: Farm) -> None:
    assert farm.order(do="water", zone="k1", seconds=5, id="wish")["state"] == "running"
    farm.turn(8)
    loses_its_disk(farm)
    farm.start()
    farm.turn(5)
    again = farm.order(do="water", zone="k1", seconds=5, id="wish", age=13)
    assert (again["state"], again["code"]) == ("refused", "interrupted")
    farm.turn(8)
    assert farm.openings() == 1
    assert farm.order(do="water", zone="k1", seconds=5, id="new", age=1)["state"] == "running"


@pytest.mark.parametrize("jump", [0, 10**8, -(10**9)])
def test_neither_a_restart_nor_a_wrong_clock_makes_it_forget_that_it_forgot(
    farm: Farm, jump: int
) -> None:
    farm.order(do="water", zone="k1", seconds=5, id="wish")
    farm.turn(8)
    loses_its_disk(farm)
    farm.start()
    farm.turn(5)
    farm.dies()
    farm.wall_offset += jump
    farm.start()
    farm.turn(5)
    again = farm.order(do="water", zone="k1", seconds=5, id="wish", age=20)
    assert (again["state"], again["code"]) == ("refused", "interrupted")
    assert farm.order(do="water", zone="k1", seconds=5, id="new", age=4)["state"] == "running"
    assert farm.openings() == 2


def test_a_gateway_that_kept_its_disk_takes_wishes_from_before_its_start(farm: Farm) -> None:
    farm.turn(100)
    farm.dies()
    farm.start()
    farm.turn(1)
    assert farm.order(do="water", zone="k1", seconds=5, age=60)["state"] == "running"


@pytest.mark.parametrize("age", [True, "5", -1, float("nan"), float("inf"), [1]])
def test_an_age_that_is_none_waters_nothing(farm: Farm, age: object) -> None:
    refused = farm.order(do="water", zone="k1", seconds=5, age=age)
    assert (refused["state"], refused["code"]) == ("refused", "not_understood")


def test_a_platform_that_tells_no_age_is_served(new_farm: Callable[..., Farm]) -> None:
    assert new_farm().order(do="water", zone="k1", seconds=5, age=None)["state"] == "running"
