"""The disease rules count as their makers count."""

from typing import Any

import pytest
from published import of_kind

from nongso.agronomy.disease import Hour, Mildew, blitecast, humid_spells, mildew, tomcast, wallin

DAYS = {
    "F": [18.0] * 8 + [25.0] * 8 + [28.0] + [19.0] * 7,
    "N": [15.0] * 23 + [18.0],
    "H": [33.0] * 10 + [38.0] + [25.0] * 3 + [33.0] * 10,
}


@pytest.mark.parametrize("case", of_kind("plant-disease", "wallin_severity"))
def test_late_blight(case: dict[str, Any]) -> None:
    t = case["inputs"]
    found = wallin(t["t_humid"]["value"], t["humid_hours"]["value"])
    assert found == case["expected"]["severity"]


@pytest.mark.parametrize("case", of_kind("plant-disease", "tomcast_dsv"))
def test_early_blight(case: dict[str, Any]) -> None:
    t = case["inputs"]
    assert tomcast(t["t_wet"]["value"], t["leaf_wetness"]["value"]) == case["expected"]["dsv"]


@pytest.mark.parametrize("case", of_kind("plant-disease", "blitecast_message"))
def test_what_to_do_against_late_blight(case: dict[str, Any]) -> None:
    t = case["inputs"]
    found = blitecast(t["rain_favourable_days_7d"], t["severity_7d"])
    assert found == case["expected"]["message"]


@pytest.mark.parametrize("case", of_kind("plant-disease", "gubler_thomas_sequence"))
def test_powdery_mildew(case: dict[str, Any]) -> None:
    now = Mildew()
    for day, expected in zip(
        case["inputs"]["days"], case["expected"]["index_after_each_day"], strict=True
    ):
        now = mildew(now, DAYS[day])
        assert expected is None or now.index == expected


def test_heat_makes_mildew_rarer() -> None:
    begun = Mildew(60, 3)
    assert mildew(begun, DAYS["H"]).index == 40
    assert mildew(begun, DAYS["N"]).index == 50


def test_humid_hours_in_a_row_make_a_spell() -> None:
    night = [Hour(14.0, 95.0)] * 5 + [Hour(16.0, 90.0)] * 5
    day = [Hour(24.0, 60.0)] * 8
    assert humid_spells([*night, *day, Hour(20.0, 92.0)]) == [(15.0, 10), (20.0, 1)]
    assert humid_spells(day) == []
