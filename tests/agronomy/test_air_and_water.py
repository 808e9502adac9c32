"""The formulas give what the books print."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from published import cases, fits, named, of_kind

from nongso.agronomy import air, growth, radiation, reference, soil

DEGREES = st.floats(-10, 50)
HUMIDITY = st.floats(1, 100)


def check(found: dict[str, float], expected: dict[str, Any]) -> None:
    wrong = {
        k: (v, expected[k]["published_as"]) for k, v in found.items() if not fits(v, expected[k])
    }
    assert not wrong


def test_air_on_a_mountain() -> None:
    given_, expected = named("fao56", "FAO56-EX02")
    height = given_["elevation"]
    found = {"P": air.pressure_kpa(height), "gamma": air.psychrometric_kpa_per_c(height)}
    check(found, expected)


def test_saturation_of_a_day_is_not_that_of_its_mean() -> None:
    t, expected = named("fao56", "FAO56-EX03")
    check({"es": air.saturation_of_day_kpa(t["tmin"], t["tmax"])}, expected)
    check({"e0_of_tmean_wrong_way": air.saturation_kpa((t["tmin"] + t["tmax"]) / 2)}, expected)


def test_vapour_of_a_day() -> None:
    t, expected = named("fao56", "FAO56-EX05")
    ea = air.vapour_of_day_kpa(t["tmin"], t["tmax"], t["rhmin"], t["rhmax"])
    check({"ea": ea}, expected)
    _, deficit = named("fao56", "FAO56-EX06")
    check({"vpd": air.saturation_of_day_kpa(t["tmin"], t["tmax"]) - ea}, deficit)


def test_sun_above_the_air() -> None:
    t, expected = named("fao56", "FAO56-EX08")
    day, latitude = int(t["day_of_year"]), t["latitude"]
    found = {
        "dr": radiation.distance_of_sun(day),
        "declination": radiation.declination_of(day),
        "sunset_hour_angle": radiation.sunset_angle(latitude, day),
        "Ra": radiation.above_the_air_of_day(latitude, day),
    }
    check(found, expected)


def test_sun_from_hours_of_sunshine() -> None:
    t, expected = named("fao56", "FAO56-EX10")
    day, latitude = int(t["day_of_year"]), t["latitude"]
    above, possible = (
        radiation.above_the_air_of_day(latitude, day),
        radiation.daylight_hours(latitude, day),
    )
    sun = radiation.from_sunshine(above, t["sunshine_month_total"] / t["days"], possible)
    check({"Ra": above, "N": possible, "Rs": sun}, expected)


def test_wind_near_the_ground() -> None:
    t, expected = named("fao56", "FAO56-EX14")
    check({"u2": reference.wind_at_2_m(t["uz"], t["z"])}, expected)


def test_water_of_a_day_in_bangkok() -> None:
    t, expected = named("fao56", "FAO56-EX17")
    day, latitude = int(t["day_of_year"]), t["latitude"]
    above = radiation.above_the_air_of_day(latitude, day)
    sun = radiation.from_sunshine(above, t["sunshine"], radiation.daylight_hours(latitude, day))
    clear = radiation.clear_sky(above, t["elevation"])
    short = radiation.net_short(sun)
    long = radiation.net_long_of_day(t["tmin"], t["tmax"], t["ea"], sun / clear)
    ground = 0.14 * (t["t_month"] - t["t_previous_month"])
    water = reference.of_day_mm(
        coldest_c=t["tmin"],
        warmest_c=t["tmax"],
        vapour_kpa=t["ea"],
        wind_m_per_s=t["u2"],
        net_mj=short - long,
        elevation_m=t["elevation"],
        soil_mj=ground,
    )
    found = {"Ra": above, "Rs": sun, "Rso": clear, "Rns": short, "Rnl": long, "ETo": water}
    check(found, expected)


def test_water_of_an_hour_in_senegal() -> None:
    t, expected = named("fao56", "FAO56-EX19-DAY")
    above = radiation.above_the_air_of_hour(
        t["latitude"],
        t["longitude"],
        -t["zone_centre_west"],
        int(t["day_of_year"]),
        t["hour_start"] + 0.5,
    )
    clear = radiation.clear_sky(above, t["elevation"])
    vapour = air.vapour_kpa(t["t"], t["rh"])
    long = radiation.net_long_of_hour(t["t"], vapour, t["Rs"] / clear)
    net = radiation.net_short(t["Rs"]) - long
    water = reference.of_hour_mm(
        celsius=t["t"],
        vapour_kpa=vapour,
        wind_m_per_s=t["u2"],
        net_mj=net,
        elevation_m=t["elevation"],
        soil_mj=reference.BY_DAY * net,
    )
    found = {"ea": vapour, "Ra": above, "Rso": clear, "Rnl": long, "Rn": net, "ETo": water}
    check(found, expected)


def test_soils_and_roots_of_the_book() -> None:
    _, expected = named("fao56", "FAO56-EX36-A")
    table = expected[""]["table"]
    for row in table["rows"]:
        of = dict(zip(table["columns"], row, strict=True))
        kept = soil.store(soil.Soil(of["theta_fc"], of["theta_wp"]), of["Zr_m"], of["p"])
        assert abs(kept.total_mm - of["TAW_mm"]) <= table["tolerance_abs"]["TAW_mm"]
        assert abs(kept.easy_mm - of["RAW_mm"]) <= table["tolerance_abs"]["RAW_mm"]


def test_tomatoes_without_water_for_ten_days() -> None:
    t, expected = named("fao56", "FAO56-EX37")
    table = expected[""]["table"]
    kept = soil.store(soil.Soil(t["theta_fc"], t["theta_wp"]), t["Zr"], t["p"])
    missing = t["Dr_initial"]
    for row in table["rows"]:
        of = dict(zip(table["columns"], row, strict=True))
        step = soil.pass_time(kept, missing, t["Kc"] * t["ETo"], 0.0)
        found = {"Dr_start": missing, "Ks": step.stress, "ETc_adj": step.used_mm}
        for name, value in (found | {"Dr_end": step.missing_mm}).items():
            assert abs(value - of[name]) <= table["tolerance_abs"][name], (of["day"], name)
        missing = step.missing_mm


@pytest.mark.parametrize("kind", sorted({c["kind"] for c in cases("psychrometrics")}) or ["none"])
def test_air_as_handbooks_and_instruments_have_it(kind: str) -> None:
    if kind == "none":
        pytest.skip("the published examples (psychrometrics) are not beside the project")
    for case in (c for c in cases("psychrometrics") if c["kind"] == kind):
        t = {key: one["value"] for key, one in case["inputs"].items()}
        found = {
            "es": lambda t=t: air.saturation_kpa(t["t"]),
            "P": lambda t=t: air.pressure_kpa(t["elevation"]),
            "dew_point": lambda t=t: air.dew_point_c(t["t"], t["rh"]),
            "absolute_humidity": lambda t=t: air.water_g_per_m3(t["t"], t["rh"]),
            "humidity_deficit": lambda t=t: air.room_for_water_g_per_m3(t["t"], t["rh"]),
        }
        for name, expected in case["expected"].items():
            assert abs(found[name]() - expected["value"]) <= expected["tolerance_abs"], case["id"]


@pytest.mark.parametrize("case", of_kind("degree-days", "degree_days_one_day"))
def test_degree_days_by_each_custom(case: dict[str, Any]) -> None:
    t = case["inputs"]
    low, high, base = (t[key]["value"] for key in ("tmin", "tmax", "lower"))
    ways = {
        "average": lambda: growth.average(low, high, base),
        "modified": lambda: growth.modified(low, high, base, t["upper"]["value"]),
        "single_sine_horizontal_cutoff": lambda: growth.single_sine(
            low, high, base, t["upper"]["value"]
        ),
    }
    expected = case["expected"]["degree_days"]
    assert abs(ways[t["method"]]() - expected["value"]) <= expected["tolerance_abs"]


@given(DEGREES, HUMIDITY)
def test_air_cooled_to_its_dew_point_is_full(celsius: float, humidity: float) -> None:
    dew = air.dew_point_c(celsius, humidity)
    assert dew <= celsius + 1e-9
    assert air.saturation_kpa(dew) == pytest.approx(air.vapour_kpa(celsius, humidity))
    assert air.deficit_kpa(celsius, humidity) >= 0


@given(
    st.floats(0.2, 0.5),
    st.floats(0.02, 0.19),
    st.floats(0.1, 2.0),
    st.floats(0.1, 0.8),
    st.lists(st.tuples(st.floats(0, 12), st.floats(0, 60)), max_size=40),
)
def test_no_water_is_made_or_lost(
    full: float, dry: float, root: float, easy: float, days: Sequence[tuple[float, float]]
) -> None:
    kept = soil.store(soil.Soil(full, dry), root, easy)
    missing = begun = kept.easy_mm
    came = went = 0.0
    for wanted, watered in days:
        step = soil.pass_time(kept, missing, wanted, watered)
        assert 0 <= step.missing_mm <= kept.total_mm
        assert 0 <= step.used_mm <= wanted
        came, went = came + watered, went + step.used_mm + step.drained_mm
        missing = step.missing_mm
    # More than all cannot be missing: what plants would still draw then is no water.
    assert begun - missing >= came - went - 1e-6


@given(st.floats(-5, 45), HUMIDITY, st.floats(0, 120_000))
def test_an_hour_inside_uses_a_plausible_amount(
    celsius: float, humidity: float, lux: float
) -> None:
    hour = reference.HourInside(celsius, humidity, lux)
    found = reference.of_hour_inside_mm(hour, 950.0)
    assert 0 <= found <= 1.6
    brighter = reference.HourInside(celsius, humidity, lux + 5000)
    assert reference.of_hour_inside_mm(brighter, 950.0) >= found
