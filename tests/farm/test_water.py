"""Water is neither made nor lost: tank, meter, beds and plants agree to the drop."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nongso.commands.house import House
from nongso.commands.ports import Ports
from nongso.gateway.simulated.greenhouse import SATURATION, UPPER_MM
from nongso.gateway.simulated.model import ALL_OFF, FarmModel
from nongso.gateway.simulated.settings import FarmSettings, from_dict, read
from nongso.gateway.simulated.waterworks import TRAVEL_SECONDS

NOON = datetime(2026, 11, 10, 5, tzinfo=UTC).timestamp()
ZONES = ("tan-binh-1-k1", "tan-binh-1-k2", "hung-binh-1-k1")
COILS = st.lists(st.booleans(), min_size=8, max_size=8)
STEPS = st.lists(st.tuples(st.floats(0.05, 2000.0), COILS), min_size=1, max_size=25)


def small_farm(**tank: float) -> FarmModel:
    settings_ = {
        "seed": 3,
        "modbus": {"host": "127.0.0.1", "port": 1},
        "chips": {"host": "127.0.0.1", "port": 1},
        "edges": "e",
        "state": "s",
        "greenhouses": [
            {
                "slug": zone.rsplit("-", 1)[0] + f"{index}",
                "farm": "tan-binh",
                "area_m2": 300,
                "zones": [{"id": zone, "coil": index, "area_m2": 150 + 40 * index}],
            }
            for index, zone in enumerate(ZONES)
        ],
        "nodes": [],
        "pump_coil": 7,
        "main_coil": 6,
        "tank": tank,
    }
    return FarmModel(from_dict(settings_, Path("/")), NOON)


def coils(*on: int) -> list[bool]:
    return [number in on for number in range(8)]


@settings(max_examples=60, deadline=None)
@given(STEPS, st.floats(50.0, 8000.0), st.floats(0.0, 60.0))
def test_no_drop_is_made_or_lost(
    steps: list[tuple[float, list[bool]]], tank_litres: float, stream: float
) -> None:
    model = small_farm(litres=tank_litres, stream_l_per_min=stream)
    beds = [model.bed(zone) for zone in ZONES]
    tank_before = model.water.tank_litres
    soil_before = [bed.litres for bed in beds]
    for seconds, switched in steps:
        model.advance(seconds, switched)
        for bed in beds:
            assert 0.0 <= bed.upper <= SATURATION * UPPER_MM + 1e-9
            assert 0.0 <= bed.root_zone_percent <= 100 * SATURATION + 1e-6
        assert -1e-9 <= model.water.tank_litres <= tank_litres + 1e-9
    water = model.water
    assert water.tank_litres == pytest.approx(
        tank_before + water.refilled_litres - water.total_litres, abs=1e-6
    )
    assert water.total_litres == pytest.approx(sum(bed.irrigated for bed in beds), abs=1e-6)
    for bed, before in zip(beds, soil_before, strict=True):
        assert bed.litres == pytest.approx(
            before + bed.irrigated - bed.used - bed.drained, abs=1e-6
        )


@given(COILS, st.floats(1.0, 3600.0))
def test_nothing_flows_without_pump_main_and_a_valve(switched: list[bool], seconds: float) -> None:
    model = small_farm()
    model.advance(seconds, switched)
    may_flow = switched[7] and switched[6] and any(switched[:3])
    assert (model.water.total_litres > 0.0) == may_flow


def test_flow_begins_and_ends_with_the_travel_of_the_valve() -> None:
    model = small_farm()
    model.advance(0.3, coils(0, 6, 7))
    early = model.water.flow_l_per_min
    for _ in range(2):
        model.advance(5.0, coils(0, 6, 7))
    assert 0.0 < early < model.water.flow_l_per_min == pytest.approx(50.0, rel=0.2)
    model.advance(0.5, coils(6, 7))
    assert model.water.flow_l_per_min > 0.0
    model.advance(TRAVEL_SECONDS, coils(6, 7))
    model.advance(1.0, coils(6, 7))
    assert model.water.flow_l_per_min == 0.0


def test_an_empty_tank_gives_only_what_the_stream_brings() -> None:
    model = small_farm(litres=200.0, stream_l_per_min=2.0)
    model.advance(1800.0, coils(0, 1, 2, 6, 7))
    assert model.water.tank_percent < 3.0
    model.advance(600.0, coils(0, 1, 2, 6, 7))
    assert model.water.flow_l_per_min == pytest.approx(2.0, rel=0.05)
    model.advance(3600.0, ALL_OFF)
    assert model.water.tank_percent > 50.0


def test_the_stream_does_not_overfill_the_tank() -> None:
    model = small_farm(litres=1000.0, stream_l_per_min=10.0)
    model.advance(86400.0)
    assert model.water.tank_percent == pytest.approx(100.0)


def test_twenty_seconds_of_water_show_in_the_soil_of_that_zone_only(
    farm_settings: FarmSettings,
) -> None:
    model = FarmModel(farm_settings, NOON)
    before = [model.truth(node)["soil_moisture"] for node in farm_settings.nodes]
    for _ in range(200):
        model.advance(0.1, coils(0, 6, 7))
    after = [model.truth(node)["soil_moisture"] for node in farm_settings.nodes]
    assert after[0] - before[0] > 0.2
    assert abs(after[1] - before[1]) < 0.05
    assert 15.0 < model.water.total_litres < 28.0


def test_an_unwatered_bed_dries_and_its_plants_save_water(farm_settings: FarmSettings) -> None:
    model = FarmModel(farm_settings, NOON)
    bed = model.bed("tan-binh-1-k1")
    used = []
    for _ in range(3):
        before = bed.used
        model.advance(8 * 86400.0)
        used.append(bed.used - before)
    assert used[-1] < used[0] * 0.7
    assert bed.moisture_percent > 15.0


def test_more_water_than_the_bed_can_hold_drains_away(farm_settings: FarmSettings) -> None:
    model = FarmModel(farm_settings, NOON)
    model.water.capacity_litres = model.water.tank_litres = 1e6
    model.advance(6 * 3600.0, coils(0, 6, 7))
    bed = model.bed("tan-binh-1-k1")
    assert bed.drained > 1000.0
    assert bed.moisture_percent <= 100 * SATURATION


def test_a_tank_of_another_size_is_as_full_as_it_was() -> None:
    small, big = small_farm(litres=1000), small_farm(litres=60_000)
    small.water.tank_litres = 300.0
    big.restore(small.state())
    assert big.water.tank_percent == pytest.approx(30.0)
    from_before = small_farm().state()
    del from_before["water"]["of_litres"]
    big.restore(from_before)
    assert big.water.tank_percent == pytest.approx(85.0), "all tanks held 6,000 litres then"


@pytest.mark.parametrize("speed", [1.0, 10.0, 60.0, 3600.0])
def test_at_every_speed_a_person_waters_an_afternoon_before_the_tank_is_low(
    tmp_path: Path, speed: float
) -> None:
    """Ten waterings of five minutes by the wall clock, ten minutes apart, as in a demo."""
    with House(tmp_path / "data") as house:
        file = house.write_farm(Ports(*range(20001, 20006)), speed)
    model = FarmModel(read(file), NOON)
    for _ in range(10):
        before = model.water.tank_percent
        model.advance(300.0 * speed, coils(0, 6, 7))
        assert 15.0 < model.water.tank_percent < before, "water was taken, and some is left"
        model.advance(600.0 * speed)
