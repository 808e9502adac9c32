"""Where a farm's water is from: what was taken, when it was tested, why it may not be taken."""

import time
from typing import Any

import pytest
from office import BUS, Place, configuration

from nongso.platform.greenhouse.water_sources import counted, sun_word
from nongso.platform.telemetry import Summary

PAGE = "/greenhouses/tan-binh-1/water-sources"
HOUR = 3600


def source(**more: Any) -> dict[str, Any]:
    return {
        "id": "suoi",
        "name": "Suối Nậm Pé",
        "kind": "stream",
        "at": int(time.time()),
        "level_node": BUS,
        "lowest_percent": 20.0,
        "litres_per_day": 4000.0,
        "litres_per_season": None,
        "tested_on": "2026-09-01",
        "test_good_days": 3650,
        "needs_test": False,
        "sun_hours": {"begin": "sunrise+90", "end": "16:00", "place": None},
        "litres_today": 1250,
        "litres_season": 36000,
        "zones": ["tan-binh-1-k1", "tan-binh-1-k2"],
        "code": None,
        "values": {},
    } | more


def tell(farm: Place, **more: Any) -> None:
    farm.bring(farm.row("source", source=source(**more)))


def page(farm: Place, user: str = "farmer") -> str:
    return farm.client(user).get(PAGE).text.replace("\u00a0", " ")


def test_a_source_is_shown_with_level_quota_test_and_sun(farm: Place) -> None:
    farm.bring(farm.readings(BUS, ["tank_level", int(time.time()) - 60, 62.0, 0]))
    tell(farm)
    shown = page(farm)
    for words in (
        "Suối Nậm Pé",
        "Đang lấy nước được.",
        "62%",
        "1.250 lít",
        "được lấy 4.000 lít một ngày",
        "36.000 lít",
        "01/09/2026",
        "tự tưới từ 90 phút sau lúc mặt trời mọc đến 16:00",
        "không có đồng hồ điện",
    ):
        assert words in shown, words
    assert "cả vụ" not in shown, "no quota of the season"


def test_why_no_water_may_be_taken_is_said(farm: Place) -> None:
    told = {"source": "Suối Nậm Pé", "litres_used": 3900, "litres_most": 4000.0}
    tell(farm, code="source_day_quota", values=told)
    assert "hôm nay Suối Nậm Pé đã lấy 3.900 lít" in page(farm)
    tell(farm, tested_on="2020-01-01", test_good_days=365)
    shown = page(farm)
    assert "đã quá hạn" in shown
    assert "Đang lấy nước được." in shown


def test_a_source_that_is_no_longer_in_the_settings_is_gone(farm: Place) -> None:
    tell(farm)
    farm.bring(farm.row("configuration", configuration=configuration() | {"sources": []}))
    assert "Suối Nậm Pé" not in page(farm)
    assert "Chưa khai nguồn nước nào" in page(farm)
    tell(farm)
    assert "Suối Nậm Pé" in page(farm)


def test_an_older_word_changes_nothing(farm: Place) -> None:
    tell(farm)
    tell(farm, at=int(time.time()) - 600, litres_today=7)
    assert "1.250 lít" in page(farm)


def test_energy_of_a_cubic_metre_is_of_the_hours_in_which_both_meters_stood(farm: Place) -> None:
    now = int(time.time()) // HOUR * HOUR
    farm.bring(
        farm.readings(
            BUS, *(["water_total", now - 10 * HOUR + h * HOUR, 500.0 * h, 0] for h in range(10))
        ),
        farm.readings(
            BUS, *(["energy_total", now - 5 * HOUR + h * HOUR, 7 + 0.1 * h, 0] for h in range(5))
        ),
    )
    shown = page(farm)
    assert "4.500 lít" in shown
    assert "0,400 kWh" in shown, "less than one: to the watt-hour"
    assert "0,20 kWh" in shown, "0,4 kWh for the two cubic metres since it stands"


def test_a_meter_that_has_not_seen_the_pump_yet_says_so_and_since_when_it_measures(
    farm: Place,
) -> None:
    now = int(time.time()) // HOUR * HOUR
    farm.bring(
        farm.readings(BUS, ["energy_total", now - HOUR, 7.0, 0], ["energy_total", now, 7.0, 0]),
        farm.readings(BUS, ["water_total", now - HOUR, 5.0, 0], ["water_total", now, 45.0, 0]),
    )
    shown = page(farm)
    assert "kWh" not in shown
    assert "chưa đo" in shown
    assert "40 lít" in shown
    assert "đo từ" in shown


def test_zones_of_two_houses_are_told_apart(farm: Place) -> None:
    found = configuration()
    other = {"slug": "tan-binh-9", "name": "Nhà màng Tân Bình 9", "farm": "tan-binh", "area_m2": 9}
    zone = found["greenhouses"][0]["zones"][0] | {"id": "tan-binh-9-k1"}
    found["greenhouses"] = [*found["greenhouses"], other | {"zones": [zone]}]
    farm.bring(farm.row("configuration", configuration=found | {"sources": ["suoi"]}))
    tell(farm, zones=["tan-binh-1-k1", "tan-binh-9-k1"])
    assert "(Nhà màng Tân Bình 1), Khu 1 (Nhà màng Tân Bình 9)" in page(farm)


def test_a_farm_without_meters_says_so(farm: Place) -> None:
    assert "không có đồng hồ nước" in page(farm)


def test_sources_of_another_cooperative_are_not_there(farm: Place) -> None:
    assert farm.client("farmer-bac-ha").get(PAGE).status_code == 404


def hours(*ends: tuple[float, float]) -> list[Summary]:
    return [
        Summary(n * HOUR, low, (low + high) / 2, high, 2, 0) for n, (low, high) in enumerate(ends)
    ]


@pytest.mark.parametrize(
    ("found", "total"),
    [
        ([], None),
        ([(5.0, 5.0)], 0.0),
        ([(5.0, 7.0), (7.0, 9.0)], 4.0),
        ([(5.0, 7.0), (8.0, 9.0)], 4.0),
        ([(95.0, 97.0), (0.0, 2.0), (2.0, 3.0)], 5.0),
    ],
)
def test_a_counter_that_begins_anew_counts_on(
    found: list[tuple[float, float]], total: float | None
) -> None:
    assert counted(hours(*found)) == total


@pytest.mark.parametrize("at", ["sunrise-30", "sunrise", "sunset+15", "sunset-60", "08:00"])
def test_times_by_the_sun_are_said(at: str, farm: Place) -> None:
    tell(farm, sun_hours={"begin": at, "end": "23:00"})
    assert ("mặt trời mọc" in page(farm)) == ("sunrise" in at)


def test_a_clock_time_is_said_as_it_is() -> None:
    assert sun_word("08:00") == "08:00"
