"""What was wished before a stop never opens a valve after it, in whatever order it arrives."""

import random
from collections.abc import Callable

import pytest
from two_zones import BAND
from watered_farm import Farm

from nongso.gateway.stops import UNNUMBERED_SECONDS


@pytest.mark.parametrize("zone", [None, "k1"])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_wish_from_before_a_stop_opens_nothing_after_it(
    farm: Farm, zone: str | None, restarted: bool
) -> None:
    assert farm.order(do="stop", zone=zone, number=20)["state"] == "done"
    if restarted:
        farm.dies()
        farm.start()
        farm.turn(1)
    farm.turn(3600)
    late = farm.order(do="water", zone="k1", seconds=5, number=19)
    assert (late["state"], late["code"], late["values"]) == ("refused", "stopped_meanwhile", {})
    assert farm.openings() == 0
    assert farm.order(do="water", zone="k1", seconds=5, number=21)["state"] == "running"


def test_a_stop_of_one_zone_is_no_stop_of_another(farm: Farm) -> None:
    farm.order(do="stop", zone="k1", number=20)
    assert farm.order(do="water", zone="k2", seconds=5, number=19)["state"] == "running"


def test_a_return_to_the_band_from_before_a_stop_is_not_taken(
    new_farm: Callable[..., Farm],
) -> None:
    farm = new_farm(mode="band")
    farm.order(do="stop", number=20)
    late = farm.order(do="mode", zone="k1", mode="band", band=BAND, number=19)
    assert (late["state"], late["code"]) == ("refused", "stopped_meanwhile")
    farm.moisture = 20.0
    farm.turn(60)
    assert farm.openings() == 0
    assert farm.order(do="mode", zone="k1", mode="off", number=19)["state"] == "done"


def test_a_wish_from_before_a_zone_was_switched_off_opens_nothing_when_it_is_on_again(
    farm: Farm,
) -> None:
    farm.order(do="mode", zone="k1", mode="off", number=20)
    farm.order(do="mode", zone="k1", mode="manual", number=21)
    late = farm.order(do="water", zone="k1", seconds=5, number=19)
    assert (late["state"], late["code"]) == ("refused", "stopped_meanwhile")


def test_a_stop_that_arrives_twice_stops_what_is_wished_after_it_no_more(farm: Farm) -> None:
    farm.order(do="stop", id="stop", number=20)
    assert farm.order(do="water", zone="k1", seconds=60, number=21)["state"] == "running"
    assert farm.order(do="stop", id="stop", number=20)["state"] == "done"
    assert farm.rig.is_open("k1")


def test_a_stop_whose_answer_was_lost_in_a_crash_is_done_again(farm: Farm) -> None:
    farm.store.seen_command("stop")  # and there it died
    farm.dies()
    farm.start()
    farm.turn(1)
    assert farm.order(do="stop", id="stop", number=20)["state"] == "done"
    assert farm.order(do="water", zone="k1", seconds=5, number=19)["code"] == "stopped_meanwhile"


@pytest.mark.parametrize("number", [True, -1, 0, "7", 1.5, 1 << 53, [7]])
def test_a_number_that_is_none_waters_nothing_and_stops_all_the_same(
    farm: Farm, number: object
) -> None:
    refused = farm.order(do="water", zone="k1", seconds=60, number=number)
    assert (refused["state"], refused["code"]) == ("refused", "not_understood")
    farm.order(do="water", zone="k1", seconds=60)
    assert farm.rig.is_open("k1")
    assert farm.order(do="stop", number=number)["state"] == "done"
    assert not farm.rig.is_open("k1")


def test_a_platform_without_numbers_waters_but_not_just_after_a_stop(farm: Farm) -> None:
    assert farm.order(do="water", zone="k1", seconds=60, number=None)["state"] == "running"
    assert farm.order(do="stop", number=None)["state"] == "done"
    late = farm.order(do="water", zone="k1", seconds=60, number=None)
    assert (late["state"], late["code"]) == ("refused", "stopped_meanwhile")
    farm.turn(UNNUMBERED_SECONDS + 1)
    assert farm.order(do="water", zone="k1", seconds=60, number=None)["state"] == "running"


@pytest.mark.parametrize("seed", range(6))
def test_64_wishes_and_stops_in_any_order_with_restarts(
    new_farm: Callable[..., Farm], seed: int
) -> None:
    """Delivered shuffled and twice, with a gateway that dies: no wish older than a done stop."""
    chance = random.Random(seed)
    farm = new_farm(max_day_seconds=86400)
    commands = []
    for number in range(1, 65):
        zone = chance.choice(["k1", "k2"])
        if number % 8 == 0:
            commands.append({"do": "stop", "zone": chance.choice([zone, None]), "number": number})
        else:
            commands.append({"do": "water", "zone": zone, "seconds": 3, "number": number})
    arriving = [*commands, *commands]
    chance.shuffle(arriving)
    stopped: list[tuple[str | None, int]] = []
    ran: dict[str, int] = {}
    for command in arriving:
        if chance.random() < 0.05:
            farm.dies()
            farm.start()
            farm.turn(1)
        id_ = f"wish-{command['number']}"
        before = [farm.openings(coil) for coil in (0, 1)]
        outcome = farm.order(id=id_, **command)
        opened = [farm.openings(coil) for coil in (0, 1)] != before
        if command["do"] == "stop":
            assert outcome["state"] == "done"
            stopped.append((command["zone"], command["number"]))
            assert not opened
        elif opened:
            ran[id_] = ran.get(id_, 0) + 1
            older = [n for z, n in stopped if z in (None, command["zone"])]
            assert command["number"] > max(older, default=0)
        farm.turn(chance.choice([0, 1, 4]))
    assert ran, "some do water"
    assert set(ran.values()) == {1}, "and each of them once"
