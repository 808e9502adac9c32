"""A gateway with a probe that cannot be believed: it says so, and does not water by it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from two_zones import BAND, PROBE
from watered_farm import Farm

from nongso.gateway.irrigation import trust


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Soil that moves within minutes, so that the clock is turned less often."""
    monkeypatch.setattr(trust, "SMOOTH_SECONDS", 1.0)
    monkeypatch.setattr(trust, "SETTLE_SECONDS", 30.0)
    monkeypatch.setattr(trust, "ENOUGH_MM", 0.2)


def alarms(farm: Farm, code: str) -> list[dict[str, Any]]:
    return [one for one in farm.rows("alarm") if one["code"] == code]


def row(farm: Farm) -> dict[str, Any]:
    return [one for one in farm.rows("zone") if one["id"] == "k1"][-1]


def freeze(farm: Farm) -> None:
    """A person waters, and the probe does not feel it."""
    farm.turn(2)
    assert farm.order(do="water", zone="k1", seconds=60)["state"] == "running"
    farm.turn(120)


@pytest.mark.usefixtures("quick")
def test_a_frozen_probe_is_told_once_and_the_band_does_not_water_by_it(
    new_farm: Callable[..., Farm],
) -> None:
    farm = new_farm()
    farm.moisture = 35.0
    assert farm.order(do="mode", zone="k1", mode="manual", band=BAND)["state"] == "done"
    freeze(farm)
    (alarm,) = alarms(farm, "probe_frozen")
    assert (alarm["zone"], alarm["values"]["node"]) == ("k1", PROBE)
    assert alarm["values"]["litres"] > 0
    farm.dies()
    farm.start()
    farm.turn(3)
    assert len(alarms(farm, "probe_frozen")) == 1, "told once, and not forgotten"
    assert farm.watering._known("k1").moisture == ()


@pytest.mark.usefixtures("quick")
def test_a_band_whose_probe_feels_no_pulse_stops_pulsing(new_farm: Callable[..., Farm]) -> None:
    farm = new_farm(mode="band", band=BAND | {"fallback": "minimum"})
    farm.moisture = 35.0
    farm.turn(500)  # pulses of 20 s, and the probe feels none of them
    assert alarms(farm, "probe_frozen")
    before = farm.openings()
    farm.turn(300)
    assert farm.openings() == before, "the least is one pulse a day, and today has had some"
    assert (row(farm)["code"], row(farm)["band"]["fallback"]) == ("probe_frozen", "minimum")


@pytest.mark.usefixtures("quick")
def test_who_has_looked_and_sets_the_mode_lets_the_probe_begin_anew(
    new_farm: Callable[..., Farm],
) -> None:
    farm = new_farm()
    farm.moisture = 35.0
    freeze(farm)
    assert alarms(farm, "probe_frozen")[-1]["cleared_at"] is None
    assert farm.order(do="mode", zone="k1", mode="manual")["state"] == "done"
    farm.turn(2)
    assert alarms(farm, "probe_frozen")[-1]["cleared_at"] is not None
    assert farm.watering._known("k1").moisture != ()


@pytest.mark.usefixtures("quick")
def test_a_probe_that_drifts_is_told_with_both_numbers(new_farm: Callable[..., Farm]) -> None:
    farm = new_farm()
    for n in range(8):
        farm.moisture = 45.0 + 2.0 * n
        farm.turn(3)
    (alarm,) = alarms(farm, "probe_drifting")
    assert alarm["values"]["from_percent"] == pytest.approx(45.0, abs=0.5)
    assert 55.0 <= alarm["values"]["to_percent"] <= 57.0


@pytest.mark.usefixtures("quick")
def test_nothing_stands_against_a_board_whose_place_another_has_taken(
    new_farm: Callable[..., Farm],
) -> None:
    farm = new_farm()
    farm.moisture = 35.0
    freeze(farm)
    settings = farm.settings
    (node,) = [node for node in settings.nodes if node.eui64 == PROBE]
    others = [one for one in settings.nodes if one is not node]
    new = replace(node, eui64="02000000000000aa")
    farm.watering.renew(replace(settings, nodes=(new, *others)))
    assert alarms(farm, "probe_frozen")[-1]["cleared_at"] is not None
    assert farm.watering._known("k1").moisture == (), "and the new one has said nothing yet"


def test_no_zone_waters_by_a_probe_that_somebody_holds_in_the_hand(
    new_farm: Callable[..., Farm],
) -> None:
    farm = new_farm(mode="band", band=BAND)
    farm.moisture = 60.0
    farm.turn(3)
    farm.watering.teaching.pressed(PROBE, "soil_moisture")
    farm.watering.teaching.taken(PROBE, "soil_moisture", "dry")
    farm.moisture = 0.0
    farm.turn(900)
    farm.dies()
    farm.start()
    farm.turn(900)
    assert row(farm)["code"] == "probe_taught"
    assert farm.rows("run") == [], "it was in the air, or only half taught"
    farm.watering.teaching.taken(PROBE, "soil_moisture", "wet")
    farm.turn(300)
    assert (row(farm)["code"], farm.rows("run")) == ("probe_taught", [])
    farm.moisture = 30.0
    farm.turn(400)
    assert farm.rows("run")[0]["code"] == "soil_dry", "back in dry soil it waters again"
    assert alarms(farm, "probe_drifting") == alarms(farm, "probe_frozen") == []
