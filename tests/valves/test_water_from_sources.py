"""What is taken from a source is counted once, through restarts, and its quota holds."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from test_killed_between_steps import LONGEST, Fate, Killed, Mortal, Office, live
from two_zones import BUS_NODE
from watered_farm import Farm

from nongso.gateway.irrigation.facts import Source
from nongso.gateway.irrigation.sources import day_at, season_first_day
from nongso.gateway.waterbook import WaterBook
from nongso.gateway.watering import Watering

L_PER_MIN = 40.0
STEPS = ("set_states", "record")  # what is written down; all others are walked elsewhere
WELL = Source("gieng", "Giếng", "well", litres_per_day=100.0, season_begins=("01-01", "07-01"))


@pytest.fixture
def at_the_well(new_farm: Callable[..., Farm]) -> Callable[..., Farm]:
    """A farm whose first zone has its water from the well."""

    def make(well: Source = WELL) -> Farm:
        farm = new_farm(flow_l_per_min=L_PER_MIN)
        drawing_from(farm, well)
        return farm

    return make


def drawing_from(farm: Farm, well: Source) -> None:
    (house,) = farm.settings.greenhouses
    zones = (replace(house.zones[0], source=well.id), *house.zones[1:])
    farm.settings = replace(
        farm.settings, sources=(well,), greenhouses=(replace(house, zones=zones),)
    )
    farm.start()
    farm.turn(2)


def taken(farm: Farm) -> float:
    """What a gateway that starts now would know of today."""
    return WaterBook(farm.settings, farm.store).drawn_litres(
        farm.settings.sources[0], farm.wall()
    )[0]


def litres_told(farm: Farm) -> float:
    return float(sum(r["litres"] or 0.0 for r in farm.rows("run") if r["ended_at"] is not None))


def test_what_a_zone_was_given_is_what_its_source_gave(
    at_the_well: Callable[..., Farm],
) -> None:
    farm = at_the_well()
    farm.order(do="water", zone="k1", seconds=30)
    farm.turn(40)
    farm.order(do="water", zone="k2", seconds=30)  # from somewhere else
    farm.turn(40)
    mine = [r for r in farm.rows("run") if r["zone"] == "k1" and r["ended_at"] is not None]
    assert taken(farm) == pytest.approx(sum(r["litres"] for r in mine))
    assert taken(farm) > 0


def test_a_wish_beyond_the_quota_of_the_day_is_refused_with_its_litres(
    at_the_well: Callable[..., Farm],
) -> None:
    farm = at_the_well()
    done = farm.order(do="water", zone="k1", seconds=151)  # 100.7 litres
    told = {"source": "Giếng", "litres_used": 0, "litres_most": 100.0}
    assert (done["state"], done["code"], done["values"]) == ("refused", "source_day_quota", told)
    assert farm.openings() == 0
    assert farm.order(do="water", zone="k1", seconds=150)["state"] == "running"


def test_an_open_run_holds_what_it_may_still_take(at_the_well: Callable[..., Farm]) -> None:
    farm = at_the_well()
    assert farm.order(do="water", zone="k1", seconds=120)["state"] == "running"
    farm.turn(5)
    assert taken(farm) == 80.0
    farm.order(do="stop", zone="k1")
    farm.turn(5)
    assert taken(farm) == pytest.approx(litres_told(farm))
    assert taken(farm) < 20.0, "and gives it back when it is stopped early"


def test_the_account_outlives_restarts_and_the_next_day_is_a_new_one(
    at_the_well: Callable[..., Farm],
) -> None:
    farm = at_the_well()
    farm.order(do="water", zone="k1", seconds=120)
    farm.turn(130)
    before = taken(farm)
    for _ in range(3):
        farm.dies()
        farm.rig.loop()
        farm.start()
        farm.turn(3)
    assert taken(farm) == before == pytest.approx(litres_told(farm))
    assert farm.order(do="water", zone="k1", seconds=120)["code"] == "source_day_quota"
    farm.wall_offset += 86400
    farm.turn(2)
    assert farm.order(do="water", zone="k1", seconds=120)["state"] == "running"


def test_the_season_goes_on_where_the_day_ends(at_the_well: Callable[..., Farm]) -> None:
    farm = at_the_well(replace(WELL, litres_per_day=None, litres_per_season=100.0))
    farm.order(do="water", zone="k1", seconds=120)
    farm.turn(130)
    farm.wall_offset += 86400
    farm.turn(2)
    assert farm.order(do="water", zone="k1", seconds=120)["code"] == "source_season_quota"
    today = day_at(WELL, farm.wall())
    assert season_first_day(WELL, today) <= today < season_first_day(WELL, today + 184)
    farm.wall_offset += 184 * 86400
    farm.turn(2)
    assert farm.order(do="water", zone="k1", seconds=120)["state"] == "running"


def test_without_a_meter_the_flow_of_the_wet_test_counts(
    at_the_well: Callable[..., Farm],
) -> None:
    farm = at_the_well()
    book = WaterBook(farm.settings, farm.store)
    run = {"zone": "k1", "cause": "wished", "ordered_seconds": 60, "litres": None}
    book.begin(run | {"id": "r", "started_at": int(farm.wall())})
    book.finish("r", farm.watering._moment(), 60.0, None, went_wrong=False)
    assert taken(farm) == L_PER_MIN


def test_killed_at_any_step_the_water_of_a_wish_is_counted_once(
    at_the_well: Callable[..., Farm],
) -> None:
    farm = at_the_well(replace(WELL, litres_per_day=1e6))
    office = Office(farm)
    struck = []
    for at in range(LONGEST):
        fate = Fate(at)
        farm.watering = Watering(
            *(farm.settings, farm.valves, farm.latest, Mortal(farm.store, fate, STEPS)),
            *(farm.wall, farm.rig.clock),
        )
        office.wish(do="water", zone="k1", seconds=3)
        try:
            live(farm, office, 8)
        except Killed:
            struck.append(fate.struck)
        farm.dies()
        farm.rig.loop()
        farm.start()
        live(farm, office, 12)
        ended = {r["id"]: r for r in farm.rows("run") if r["ended_at"] is not None}
        counted = sum(
            r["litres"] if r["litres"] is not None else L_PER_MIN * r["seconds"] / 60
            for r in ended.values()
        )
        assert taken(farm) == pytest.approx(counted), f"killed {fate.struck} (step {at})"
        if fate.struck is None:
            break
    else:
        pytest.fail("a wish has more steps than expected")
    assert {"before set_states", "after set_states", "after record"} <= set(struck)


def test_a_well_that_is_too_low_gives_nothing(at_the_well: Callable[..., Farm]) -> None:
    farm = at_the_well(replace(WELL, level_node=BUS_NODE, lowest_percent=30.0))
    farm.tank = 25.0
    farm.turn(2)
    done = farm.order(do="water", zone="k1", seconds=10)
    told = {"source": "Giếng", "level_percent": 25.0, "lowest_percent": 30.0}
    assert (done["code"], done["values"]) == ("source_low", told)
    assert farm.order(do="water", zone="k2", seconds=10)["state"] == "running"


def warnings_told(farm: Farm) -> list[tuple[dict[str, Any], bool]]:
    found = [a for a in farm.rows("alarm") if a["code"] == "water_test_due"]
    return [(a["values"], a["cleared_at"] is not None) for a in found]


def test_an_old_water_test_is_told_once_and_again_when_the_water_was_tested(
    at_the_well: Callable[..., Farm],
) -> None:
    farm = at_the_well(replace(WELL, tested_on="2020-01-01"))
    farm.turn(5)
    farm.dies()
    farm.start()
    farm.turn(5)
    assert warnings_told(farm) == [({"source": "Giếng"}, False)]
    assert farm.order(do="water", zone="k1", seconds=5)["state"] == "running", "told, not held"
    farm.turn(10)
    drawing_from(farm, replace(WELL, tested_on="2026-09-01"))
    assert warnings_told(farm) == [({"source": "Giếng"}, False), ({"source": "Giếng"}, True)]
