"""The weather is this place's and the same for everyone; houses answer it as houses do."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nongso.gateway.simulated.climate import (
    Weather,
    day_length_hours,
    saturation_vapour,
    sun_height,
)
from nongso.gateway.simulated.model import FarmModel
from nongso.gateway.simulated.settings import FarmSettings

NOVEMBER = datetime(2026, 11, 10, 17, tzinfo=UTC).timestamp()  # midnight at the farm
JUNE = datetime(2026, 6, 10, 17, tzinfo=UTC).timestamp()
ANY_TIME = st.floats(1.7e9, 1.9e9)


def hours(start: float, days: int) -> Iterator[float]:
    return (start + 3600.0 * hour for hour in range(24 * days))


def test_november_is_between_12_and_24_degrees_on_the_usual_day() -> None:
    weather = Weather(7, 22.4, 103.6)
    lows, highs = [], []
    for day in range(20):
        degrees = [weather.at(at).temperature for at in hours(NOVEMBER + 86400 * day, 1)]
        lows.append(min(degrees))
        highs.append(max(degrees))
    assert 10.0 < mean(lows) < 14.0
    assert 21.5 < mean(highs) < 26.0


def test_june_is_warm_and_cloudy() -> None:
    places = [Weather(seed, 22.4, 103.6) for seed in range(5)]
    found = [weather.at(at) for weather in places for at in hours(JUNE, 20)]
    assert 22.0 < mean(outside.temperature for outside in found) < 27.0
    assert mean(outside.cloud for outside in found) > 0.6


def test_the_sun_is_highest_at_noon_and_gone_at_night() -> None:
    heights = {at: sun_height(at, 22.4, 103.6)[0] for at in hours(NOVEMBER, 1)}
    noon = max(heights, key=heights.__getitem__)
    assert (noon - NOVEMBER) / 3600 in (11.0, 12.0)
    assert heights[NOVEMBER] < 0 < heights[noon]


def test_days_are_short_in_december_and_long_in_june() -> None:
    june = datetime(2026, 6, 21, 12, tzinfo=UTC).timestamp()
    december = datetime(2026, 12, 21, 12, tzinfo=UTC).timestamp()
    assert day_length_hours(june, 22.4) == pytest.approx(13.4, abs=0.2)
    assert day_length_hours(december, 22.4) == pytest.approx(10.6, abs=0.2)


@given(ANY_TIME, st.integers(0, 2**30))
def test_weather_is_possible_at_any_time_with_any_seed(at: float, seed: int) -> None:
    outside = Weather(seed, 22.4, 103.6).at(at)
    assert -2.0 < outside.temperature < 42.0
    assert 0.0 < outside.vapour <= saturation_vapour(outside.temperature)
    assert 0.0 <= outside.radiation < 1050.0
    assert 0.0 <= outside.cloud <= 1.0
    assert 0.0 < outside.wind < 12.0


@given(ANY_TIME)
def test_weather_depends_on_seed_and_time_alone(at: float) -> None:
    one, other = Weather(7, 22.4, 103.6), Weather(7, 22.4, 103.6)
    other.at(at - 5000.0)
    assert one.at(at) == other.at(at)
    assert one.at(at) != Weather(8, 22.4, 103.6).at(at)


def test_a_house_is_warm_and_dry_at_noon_and_cool_and_damp_before_dawn(
    farm_settings: FarmSettings,
) -> None:
    model = FarmModel(farm_settings, NOVEMBER - 2 * 86400)
    model.advance(2 * 86400)
    day = []
    for _ in range(24 * 5):
        model.advance(3600.0)
        house = model.houses["tan-binh-1"]
        hour = round((model.at - NOVEMBER) / 3600) % 24
        day.append((hour, house.temperature - model.outside.temperature, house))
        if hour == 5:
            assert house.light_lux == 0.0
            assert 8.0 < house.temperature < 20.0
            assert house.humidity_percent > 75.0
        if hour == 13:
            assert 5000.0 < house.light_lux < 90000.0
            assert 20.0 < house.temperature < 36.0
            assert house.humidity_percent < 92.0
    assert all(-3.0 < warmer < 12.0 for _, warmer, _ in day)


def test_a_crop_uses_one_to_three_millimetres_a_day_in_november(
    farm_settings: FarmSettings,
) -> None:
    model = FarmModel(farm_settings, NOVEMBER)
    model.advance(10 * 86400)
    for zone in ("tan-binh-1-k1", "hung-binh-1-k1"):
        bed = model.bed(zone)
        assert 0.8 < bed.used / bed.area_m2 / 10 < 3.0


def test_the_same_seed_gives_the_same_farm(farm_settings: FarmSettings) -> None:
    states = []
    for _ in range(2):
        model = FarmModel(farm_settings, NOVEMBER)
        model.advance(86400.0)
        states.append(model.state())
    assert states[0] == states[1]


def test_small_steps_and_large_steps_tell_the_same_day(farm_settings: FarmSettings) -> None:
    fine, coarse = FarmModel(farm_settings, NOVEMBER), FarmModel(farm_settings, NOVEMBER)
    for _ in range(14 * 360):
        fine.advance(10.0)
    coarse.advance(14 * 3600.0)
    mine, theirs = fine.houses["tan-binh-1"], coarse.houses["tan-binh-1"]
    assert mine.temperature == pytest.approx(theirs.temperature, abs=0.3)
    assert mine.humidity_percent == pytest.approx(theirs.humidity_percent, abs=2.0)
    assert mine.beds["tan-binh-1-k1"].litres == pytest.approx(
        theirs.beds["tan-binh-1-k1"].litres, rel=0.002
    )


def test_thirty_days_of_two_greenhouses_take_seconds(farm_settings: FarmSettings) -> None:
    model = FarmModel(farm_settings, NOVEMBER)
    began = time.process_time()
    model.advance(30 * 86400.0)
    assert time.process_time() - began < 10.0


def test_a_restart_changes_nothing(farm_settings: FarmSettings) -> None:
    model = FarmModel(farm_settings, NOVEMBER)
    model.advance(30000.0, [True] + [False] * 5 + [True, True])
    taken_up = FarmModel(farm_settings, NOVEMBER)
    taken_up.restore(model.state())
    assert taken_up.state() == model.state()
    model.advance(7200.0)
    taken_up.advance(7200.0)
    assert taken_up.state() == model.state()


@pytest.mark.parametrize("broken", [{}, {"version": 2}, {"version": 1, "at": 5, "water": None}])
def test_a_foreign_state_is_refused(
    farm_settings: FarmSettings, broken: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match=r"version|state of the simulated farm"):
        FarmModel(farm_settings, NOVEMBER).restore(broken)
