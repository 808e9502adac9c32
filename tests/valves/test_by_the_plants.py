"""A zone that waters by what its plants used: on a model board, through restarts and more."""

from collections.abc import Callable
from typing import Any

import pytest
from two_zones import PROBE
from watered_farm import Farm

from nongso.wire import marks
from nongso.wire.payload import Reading

PLANTS = {
    "crop": "rau-an-la",
    "planted": "2026-05-01",
    "soil": "cat",
    "flow_l_per_min": 200.0,
    "fallback": "nothing",
}
DRY = 15.0  # % of water: so dry that sandy loam has no easy water left


def grow(farm: Farm, mode: str = "balance", **more: Any) -> None:
    """Let a person choose the mode, in a bright, warm house over dry soil."""
    farm.moisture = DRY
    farm.inside = {"air_temperature": 28.0, "air_humidity": 60.0, "light": 40_000.0}
    farm.turn(1)
    done = farm.order(do="mode", zone="k1", mode=mode, balance=PLANTS | more)
    assert done["state"] == "done", done


def row(farm: Farm) -> dict[str, Any]:
    """The zone as it was last told."""
    return [one for one in farm.rows("zone") if one["id"] == "k1"][-1]


def begun(farm: Farm) -> list[dict[str, Any]]:
    return [r for r in farm.rows("run") if r["cause"] == "balance" and r["state"] == "running"]


def test_dry_soil_is_filled_once_and_the_delivered_litres_are_put_into_it(
    new_farm: Callable[..., Farm],
) -> None:
    farm = new_farm()
    farm.turn(2)
    grow(farm)
    farm.turn(2)
    (run,) = begun(farm)
    assert run["code"] == "plants_used"
    # 8 % of the volume are missing, 0.3 m deep, on 0.4 of 120 m2; rounded down to whole seconds.
    assert run["values"]["litres"] == pytest.approx(0.08 * 300 * 0.4 * 120, rel=0.02)
    assert run["ordered_seconds"] == int(run["values"]["litres"] / 200.0 * 60)
    farm.moisture = None  # the probe's word would be that of before
    farm.turn(run["ordered_seconds"] + 20)
    ended = farm.rows("run")[-1]
    assert (ended["code"], ended["litres"] is not None) == ("done", True)
    bed = row(farm)["bed"]
    assert bed["credited_litres"] == pytest.approx(ended["litres"])
    assert bed["watered_mm"] == pytest.approx(ended["litres"] / 120)


def test_what_is_known_of_the_soil_outlives_a_killed_gateway(
    new_farm: Callable[..., Farm],
) -> None:
    farm = new_farm()
    farm.turn(2)
    grow(farm, mode="advice")
    farm.turn(2)
    before = row(farm)["bed"]
    assert before["missing_mm"] > 5
    farm.dies()
    farm.moisture = None
    farm.start()
    farm.turn(2)
    assert row(farm)["bed"] == before


def test_advice_says_how_long_and_never_opens(new_farm: Callable[..., Farm]) -> None:
    farm = new_farm()
    farm.turn(2)
    grow(farm, mode="advice")
    farm.turn(30)
    assert farm.openings() == 0
    told = row(farm)
    assert (told["mode"], told["code"]) == ("advice", "should_water")
    assert 60 < told["values"]["seconds"] <= 600


def test_what_a_person_waters_counts_too(new_farm: Callable[..., Farm]) -> None:
    farm = new_farm()
    farm.turn(2)
    grow(farm, mode="advice")
    farm.turn(2)
    missing = row(farm)["bed"]["missing_mm"]
    assert farm.order(do="water", zone="k1", seconds=60)["state"] == "running"
    farm.moisture = None
    farm.turn(80)
    litres = farm.rows("run")[-1]["litres"]
    after = row(farm)["bed"]
    assert after["missing_mm"] == pytest.approx(missing - litres / 120, abs=0.1)


@pytest.mark.parametrize(("fallback", "openings"), [("nothing", 0), ("minimum", 1)])
def test_when_the_light_sensor_dies_the_farmers_choice_counts(
    new_farm: Callable[..., Farm], fallback: str, openings: int
) -> None:
    farm = new_farm()
    farm.turn(2)
    farm.moisture = DRY
    farm.turn(1)
    done = farm.order(
        do="mode", zone="k1", mode="balance", balance=PLANTS | {"fallback": fallback}
    )
    assert done["state"] == "done"
    lost = Reading("light", int(farm.wall()), None, marks.FAILED)
    farm.latest.take(PROBE, [lost], farm.wall())
    farm.turn(3)
    assert farm.openings() == openings
    codes = {one["code"] for one in farm.rows("zone")}
    assert ("no_climate" if fallback == "nothing" else "plants_used_at_least") in codes


def test_plants_that_cannot_be_read_change_nothing(new_farm: Callable[..., Farm]) -> None:
    farm = new_farm()
    farm.turn(2)
    for wrong in ({"crop": "ca-chua"}, PLANTS | {"soil": "da"}, "tomatoes"):
        done = farm.order(do="mode", zone="k1", mode="balance", balance=wrong)
        assert (done["state"], done["code"]) == ("refused", "not_understood")
    done = farm.order(do="mode", zone="k1", mode="balance")
    assert (done["state"], done["code"]) == ("refused", "not_understood")
    assert row(farm)["mode"] == "manual"


def test_a_run_that_was_killed_waters_the_reckoned_soil_too(
    new_farm: Callable[..., Farm],
) -> None:
    farm = new_farm()
    farm.turn(2)
    grow(farm)
    farm.turn(12)
    farm.dies()
    farm.moisture = None
    farm.start()
    farm.turn(30)
    ended = [r for r in farm.rows("run") if r["state"] == "done"]
    bed = row(farm)["bed"]
    assert len(ended) == 1
    litres = 200.0 * ended[0]["seconds"] / 60 if ended[0]["litres"] is None else ended[0]["litres"]
    assert bed["credited_litres"] == pytest.approx(litres)


def test_by_hand_for_a_while_outlives_a_restart_and_ends(new_farm: Callable[..., Farm]) -> None:
    farm = new_farm()
    farm.turn(2)
    grow(farm, mode="advice")
    done = farm.order(do="mode", zone="k1", mode="manual", seconds=3600)
    assert done["state"] == "done"
    farm.turn(2)
    assert (row(farm)["mode"], row(farm)["code"]) == ("manual", "by_hand_until")
    farm.dies()
    farm.start()
    farm.wall_offset += 3590
    farm.turn(2)
    assert row(farm)["mode"] == "manual"
    farm.turn(12)
    assert row(farm)["mode"] == "advice"
    wrong = farm.order(do="mode", zone="k1", mode="manual", seconds=1.5)
    assert (wrong["state"], wrong["code"]) == ("refused", "not_understood")
