"""A station that was moved waters its new zone by its new soil, never by its old one."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from two_zones import PROBE, settings_in
from watered_farm import Farm

from nongso.gateway.latest import Latest
from nongso.gateway.places import Places
from nongso.gateway.run import Gateway
from nongso.gateway.settings import GatewaySettings
from nongso.wire import marks
from nongso.wire.payload import Reading

DRY, BAND = 20.0, {"low": 40.0, "high": 55.0, "run_seconds": 20, "soak_seconds": 100}
SECOND_COIL = 1


def with_probe_in(settings: GatewaySettings, zone: str | None) -> GatewaySettings:
    (node,) = settings.nodes
    return replace(settings, nodes=(replace(node, zone=zone),) if zone else ())


def take_up(farm: Farm, places: Places, zone: str | None) -> None:
    """The gateway has seen changed settings, as ``Gateway._renew`` does it."""
    found = with_probe_in(farm.settings, zone)
    places.renew(found)
    farm.watering.renew(found)


def placed(farm: Farm) -> Places:
    return Places(farm.settings, farm.latest, farm.store, farm.wall)


def says(farm: Farm, percent: float, ago: int = 0) -> None:
    at = int(farm.wall()) - ago
    reading = Reading("soil_moisture", at, percent, marks.SIMULATED)
    farm.latest.take(PROBE, [reading], farm.wall())


def silent_farm(new_farm: Callable[..., Farm]) -> Farm:
    """Khu 2 waters by itself; the probe stands in Khu 1, in dry soil, and is quiet then."""
    farm = new_farm()
    done = farm.order(do="mode", zone="k2", mode="band", band=BAND)
    assert done["state"] == "done", done
    farm.moisture = DRY
    farm.turn(3)
    farm.moisture = None
    return farm


def test_a_moved_station_opens_nothing_before_it_has_measured_the_new_soil(
    new_farm: Callable[..., Farm],
) -> None:
    farm = silent_farm(new_farm)
    places = placed(farm)
    take_up(farm, places, None)
    farm.turn(600)
    take_up(farm, places, "k2")
    farm.turn(30)
    assert farm.openings(SECOND_COIL) == 0
    says(farm, DRY, ago=120)  # kept on the board while it was carried
    farm.turn(30)
    assert farm.openings(SECOND_COIL) == 0
    says(farm, DRY)
    farm.turn(30)
    assert farm.openings(SECOND_COIL) == 1, "the new soil is dry indeed"


def test_a_station_that_only_changes_its_zone_is_moved_too(new_farm: Callable[..., Farm]) -> None:
    farm = silent_farm(new_farm)
    take_up(farm, placed(farm), "k2")
    farm.turn(30)
    assert farm.openings(SECOND_COIL) == 0


def test_what_stays_where_it_is_goes_on(new_farm: Callable[..., Farm]) -> None:
    farm = silent_farm(new_farm)
    take_up(farm, placed(farm), "k1")
    assert farm.latest.get(PROBE, "soil_moisture") is not None


def moved_to(farm: Farm, zone: str, latest: Latest) -> Any:
    """What a new process of the gateway knows of the probe's soil."""
    reading = Reading("soil_moisture", int(farm.wall()) - 120, DRY, 0)
    latest.take(PROBE, [reading], farm.wall())
    Places(with_probe_in(farm.settings, zone), latest, farm.store, farm.wall)
    latest.take(PROBE, [reading], farm.wall())
    return latest.get(PROBE, "soil_moisture")


def test_a_restart_in_between_changes_nothing(new_farm: Callable[..., Farm]) -> None:
    farm = silent_farm(new_farm)
    places = placed(farm)
    assert moved_to(farm, "k1", Latest()) is not None
    assert moved_to(farm, "k2", Latest()) is None, "moved while the gateway did not run"
    places.renew(with_probe_in(farm.settings, None))
    assert moved_to(farm, "k1", Latest()) is None, "taken out, and let in while it did not run"
    assert moved_to(farm, "k1", Latest()) is None, "and started once more"


def test_a_clock_that_was_ahead_shuts_no_station_out() -> None:
    latest, now = Latest(), 1_790_000_000
    latest.begin_anew(PROBE, now + 86400.0)
    latest.take(PROBE, [Reading("soil_moisture", now, DRY, 0)], now + 1.0)
    after = Reading("soil_moisture", now + 60, DRY, 0)
    latest.take(PROBE, [after], now + 61.0)
    assert latest.get(PROBE, "soil_moisture") == after


def test_the_gateway_forgets_when_it_takes_up_its_changed_settings(tmp_path: Path) -> None:
    gateway = Gateway(replace(settings_in(tmp_path), status_port=0))
    gateway.start()
    try:
        reading = Reading("soil_moisture", int(time.time()) - 60, DRY, 0)
        gateway.store.latest.take(PROBE, [reading])
        gateway._renew(with_probe_in(gateway.settings, "k2"))
        assert gateway.store.latest.get(PROBE, "soil_moisture") is None
        gateway.store.latest.take(PROBE, [reading])
        assert gateway.store.latest.get(PROBE, "soil_moisture") is None
    finally:
        gateway.stop()
