"""What plants need and what the weather favours: shown as told and measured, never acted upon."""

import datetime
import time
from typing import Any

import pytest
from office import NODE_1, NODE_2, Place

from nongso.agronomy.disease import Hour
from nongso.gateway.irrigation import balance as reckoning
from nongso.gateway.irrigation.facts import Balance, Bed, Limits, Zone
from nongso.platform.greenhouse.favour import diseases, ends, warmth
from nongso.platform.languages import ZONE, day_of
from nongso.wire import marks

PAGE = "/greenhouses/tan-binh-1/plants"
SINCE = int(datetime.datetime(2026, 11, 1, tzinfo=ZONE).timestamp())
EPOCH = datetime.date(1970, 1, 1).toordinal()
BLIGHTS = ("late_blight", "early_blight")
RULES = (*BLIGHTS, "mildew")
DRY, HUMID = Hour(24.0, 60.0), Hour(18.0, 95.0)


def week(night: Hour, humid_hours: int) -> dict[int, Hour]:
    """Seven days that begin with so many hours of one kind."""
    return {SINCE + 3600 * n: night if n % 24 < humid_hours else DRY for n in range(7 * 24)}


def values(hours: dict[int, Hour]) -> dict[str, tuple[int, str]]:
    return {one.code: (one.value, one.level) for one in diseases(hours, SINCE, RULES).diseases}


def test_seven_dry_days_favour_no_blight() -> None:
    found = values(week(DRY, 0))
    assert found["late_blight"] == (0, "good")
    assert found["early_blight"] == (0, "good")


def test_humid_nights_add_up_by_wallin_and_tomcast() -> None:
    """16 hours at 18 °C and 95 %: severity 3 a night by both, of published tables."""
    found = values(week(HUMID, 16))
    assert found["late_blight"] == (7 * 3, "attention")
    assert found["early_blight"] == (7 * 3, "attention")


def test_warm_days_let_the_mildew_index_begin_and_rise() -> None:
    assert values(week(DRY, 0))["mildew"] == (100, "attention")  # 60, then 20 a day up to 100


@pytest.mark.parametrize(
    ("crop", "blights", "mildews"),
    [("ca-chua", 2, 0), ("dau-tay", 0, 0), ("dua-chuot", 0, 0), ("nho", 0, 1), (None, 0, 0)],
)
def test_a_disease_is_shown_only_for_the_crop_that_its_rule_was_made_for(
    farm: Place, crop: str | None, blights: int, mildews: int
) -> None:
    humid_nights(farm)
    row = told()
    if crop is not None:
        row["balance"]["crop"] = crop
        bring(farm, row)
    page = farm.client("farmer").get(PAGE).text
    assert page.count("sách khuyên phòng khi") == blights
    assert page.count("Phấn trắng nho") == page.count("Gubler") == mildews
    assert ("Thời tiết trong nhà có lợi cho bệnh không?" in page) == bool(blights + mildews)
    for words in ("Mốc sương cà chua", "Tomcast"):
        assert (words in page) == bool(blights)


def test_hours_that_nobody_measured_make_no_humid_spell_longer_and_are_told() -> None:
    holes = {at: hour for at, hour in week(HUMID, 16).items() if (at - SINCE) // 3600 % 24 != 8}
    broken = diseases(holes, SINCE, BLIGHTS)
    assert broken.missing == 0
    assert {d.code: d.value for d in broken.diseases}["late_blight"] == 0
    nothing = diseases({}, SINCE, BLIGHTS)
    assert (nothing.missing, nothing.days) == (7, 7)
    half = {at: hour for at, hour in week(HUMID, 16).items() if at >= SINCE + 3 * 86400 + 7200}
    assert diseases(half, SINCE, BLIGHTS).missing == 3


def test_degree_days_are_summed_over_measured_days() -> None:
    hours = [(SINCE, 15.0, 20.0), (SINCE + 3600, 18.0, 25.0), (SINCE + 86400, 4.0, 9.0)]
    assert warmth(ends(hours)) == 10.0  # (15 + 25) / 2 - 10, and a cold day


def told(**more: Any) -> dict[str, Any]:
    """A zone row as the gateway writes it."""
    now = int(time.time())
    planted = (day_of(now) - datetime.timedelta(days=40)).isoformat()
    balance = Balance("ca-chua", planted, "nhieu-mun", 80.0)
    today = day_of(now).toordinal() - EPOCH
    bed = Bed(now - 60, 0.0, 3.0, day=today, used_mm=2.5, watered_mm=1.0, measured_seconds=86400)
    zone = Zone("tan-binh-1-k1", Limits(1800, 7200), "advice", balance=balance, bed=bed)
    soil = reckoning.told(zone)
    assert soil is not None
    plants = {"crop": "ca-chua", "planted": planted, "soil": "nhieu-mun", "flow_l_per_min": 80.0}
    return {
        "id": "tan-binh-1-k1",
        "state": "idle",
        "at": now,
        "mode": "advice",
        "balance": plants,
        "bed": soil | more,
    }


def bring(farm: Place, row: dict[str, Any]) -> None:
    answer = farm.bring(farm.row("zone", zone=row)).json
    assert answer is not None
    assert answer["refused"] == []


def test_the_page_says_what_the_gateway_has_reckoned(farm: Place) -> None:
    bring(farm, told())
    page = farm.client("farmer").get(PAGE).text
    assert "Ngày thứ 41 từ ngày trồng." in page
    assert "600\u00a0lít" in page  # 2.5 mm on 240 m2
    assert "2,5\u00a0mm" in page
    assert "720\u00a0lít" in page  # missing
    assert "Số này đã cũ" not in page
    assert len(page) < 30_000


def test_every_page_says_the_same_of_soil_that_is_reckoned(farm: Place) -> None:
    """A band that nobody waters by calls no soil moist enough beside an advice to water it."""
    now = int(time.time())
    readings = [["soil_moisture", now, 47.3, 16], ["air_temperature", now, 24.5, 16]]
    farm.bring(farm.readings(NODE_1, *readings), farm.readings(NODE_2, *readings))
    advice = {"seconds": 720, "litres": 988.2, "allowed_litres": 486.0}
    bring(farm, told() | {"code": "should_water", "values": advice})
    client = farm.client("farmer")
    home = client.get("/greenhouses").text.replace("\u00a0", " ")
    assert "Khu 1 nên tưới 12 phút: cây đã dùng 988 lít nước trong đất." in home
    assert "Cần chú ý" in home
    assert "đủ ẩm" not in home
    house = client.get("/greenhouses/tan-binh-1").text.replace("\u00a0", " ")
    assert "Khu 1 nên tưới 12 phút: cây đã dùng 988 lít nước trong đất." in house
    assert house.count("Cần từ 40% đến 55%") == 1  # of the other zone, which goes by it
    assert "đủ ẩm</span>" not in house  # nor does the picture mark it
    plants = client.get(PAGE).text.replace("\u00a0", " ")
    assert "Nên tưới 12 phút: cây đã dùng 988 lít nước trong đất." in plants
    assert "dễ dùng" not in plants
    bring(farm, told() | {"code": "soil_has_water", "values": advice | {"litres": 100.0}})
    assert "bình thường. Đất đủ ẩm (47%)" in client.get("/greenhouses").text


def ran(farm: Place, id: str, began: int, litres: float | None) -> None:  # noqa: A002
    run = {
        "id": id,
        "zone": "tan-binh-1-k1",
        "cause": "wished",
        "by": "Lan",
        "state": "done",
        "code": "done",
        "values": {},
        "ordered_seconds": 1,
        "started_at": began,
        "ended_at": began + 1,
        "seconds": 1.0,
        "litres": litres,
    }
    answer = farm.bring(farm.row("run", run=run)).json
    assert answer is not None
    assert answer["refused"] == []


def test_what_was_watered_today_is_what_the_list_of_waterings_says(farm: Place) -> None:
    """The reckoning may have begun this noon: its own sum is not the day's."""
    now = int(time.time())
    midnight = int(datetime.datetime.combine(day_of(now), datetime.time(), ZONE).timestamp())
    ran(farm, "r-1", midnight - 60, 999.0)
    ran(farm, "r-2", midnight, 380.0)
    ran(farm, "r-3", max(midnight, now - 60), 27.4)
    bring(farm, told())
    page = farm.client("farmer").get(PAGE).text.replace("\u00a0", " ")
    assert "<dd>407 lít</dd>" in page
    ran(farm, "r-4", max(midnight, now - 30), None)
    page = farm.client("farmer").get(PAGE).text.replace("\u00a0", " ")
    assert '407 lít<span class="age">và 1 lần không có đồng hồ đo</span>' in page


@pytest.mark.parametrize(("counted", "is_said"), [(1200, True), (86400, False)])
def test_a_reckoning_that_began_today_says_how_much_of_the_day_it_counts(
    farm: Place, counted: int, is_said: bool
) -> None:
    five = datetime.datetime.combine(day_of(time.time()), datetime.time(5), ZONE)
    bring(farm, told(at=int(five.timestamp()), measured_seconds=counted))
    page = farm.client("farmer").get(PAGE).text.replace("\u00a0", " ")
    assert ("mới tính được 20 phút của hôm nay" in page) == is_said


def soil(farm: Place, *readings: list[Any]) -> str:
    """The page after a probe of the first zone has told of its soil."""
    assert farm.bring(farm.readings(NODE_1, *readings)).json["refused"] == []  # type: ignore[index]
    return farm.client("farmer").get(PAGE).text


@pytest.mark.parametrize(("ds_m", "is_salty"), [(2.4, False), (2.6, True)])
def test_a_soil_too_salty_for_tomatoes_is_said_with_its_limit_and_source(
    farm: Place, ds_m: float, is_salty: bool
) -> None:
    bring(farm, told())
    now = int(time.time())
    page = soil(farm, ["soil_ec", now - 30, ds_m, 0], ["soil_ph", now - 30, 6.8, 0])
    assert ("Đất mặn quá cho cà chua: trên 2,5\u00a0mS/cm" in page) == is_salty
    assert ("Chưa thấy mặn quá mức cà chua chịu được" in page) != is_salty
    assert "Theo Maas 1990." in page
    assert "6,8" in page
    assert "đừng bón phân chỉ theo số này" in page


@pytest.mark.parametrize(("age", "mark"), [(3600, 0), (30, marks.IMPOSSIBLE)])
def test_an_old_or_doubtful_number_advises_nothing(farm: Place, age: int, mark: int) -> None:
    bring(farm, told())
    page = soil(farm, ["soil_ec", int(time.time()) - age, 9.0, mark])
    assert "mS/cm" in page
    assert "Đất mặn quá" not in page
    assert "Theo Maas" not in page


def test_without_a_crop_the_soil_is_shown_and_its_salt_is_not_judged(farm: Place) -> None:
    page = soil(farm, ["soil_nitrogen", int(time.time()) - 30, 55.0, 0])
    assert "trong đất (N)" in page
    assert "xin chọn cây" in page
    assert "Theo Maas" not in page


@pytest.mark.parametrize(
    ("metric", "value", "says"),
    [
        ("soil_nitrogen", 12.0, "Đạm theo đầu đo 12 mg/kg: thấp hơn mức đủ (từ 20 mg/kg)."),
        ("soil_nitrogen", 300.0, "Đạm theo đầu đo 300 mg/kg: trong mức đủ (từ 20 mg/kg)."),
        ("soil_phosphorus", 35.0, "Lân theo đầu đo 35 mg/kg: thấp hơn mức đủ (36 đến 68 mg/kg)."),
        ("soil_phosphorus", 80.0, "Lân theo đầu đo 80 mg/kg: cao hơn mức đủ (36 đến 68 mg/kg)."),
        ("soil_potassium", 100.0, "Kali theo đầu đo 100 mg/kg: trong mức đủ (73 đến 138 mg/kg)."),
    ],
)
def test_nutrients_are_held_against_a_laboratorys_range_and_advise_a_sample_not_a_dose(
    farm: Place, metric: str, value: float, says: str
) -> None:
    page = soil(farm, [metric, int(time.time()) - 30, value, 0])
    assert says in page.replace("\u00a0", " ")
    assert "xin xem là xu hướng, lấy mẫu đất đi xét nghiệm trước khi bón." in page


@pytest.mark.parametrize(("age", "mark"), [(3600, 0), (30, marks.IMPOSSIBLE)])
def test_an_old_or_doubtful_nutrient_is_held_against_nothing(
    farm: Place, age: int, mark: int
) -> None:
    page = soil(farm, ["soil_potassium", int(time.time()) - age, 12.0, mark])
    assert "trong đất (K)" in page
    assert "mức đủ" not in page.lower()


def test_a_reckoning_of_yesterday_is_not_shown_as_todays(farm: Place) -> None:
    now = int(time.time())
    bring(farm, told(at=now - 90_000, day=day_of(now).toordinal() - EPOCH - 1))
    page = farm.client("farmer").get(PAGE).text
    assert "Số này đã cũ" in page
    assert "Hôm nay cây đã dùng" not in page
    assert "600\u00a0lít" not in page


def test_without_plants_the_page_says_how_to_begin_and_knows_the_air(farm: Place) -> None:
    now = int(time.time())
    air = [["air_temperature", now - 30, 25.0, 16], ["air_humidity", now - 30, 60.0, 16]]
    assert farm.bring(farm.readings(NODE_1, *air)).json["refused"] == []  # type: ignore[index]
    page = farm.client("farmer").get(PAGE).text
    assert "Chưa có khu nào tính nước cây cần." in page
    assert "Độ thiếu hụt ẩm 1,3\u00a0kPa" in page  # ASHRAE: 3.17 kPa saturated at 25 °C
    assert "Điểm sương 16,7°C" in page
    bring(farm, told())
    page = farm.client("farmer").get(PAGE).text
    assert "7 ngày thiếu số đo" in page


def humid_nights(farm: Place) -> None:
    """Seven days with 16 humid hours each."""
    midnight = int(
        datetime.datetime.combine(day_of(time.time()), datetime.time(), ZONE).timestamp()
    )
    readings = [
        [name, midnight - 7 * 86400 + 3600 * n + 60, value, 16]
        for n in range(7 * 24)
        for name, value in (
            ("air_temperature", 18.0),
            ("air_humidity", 95.0 if n % 24 < 16 else 60.0),
        )
    ]
    assert farm.bring(farm.readings(NODE_1, *readings)).json["refused"] == []  # type: ignore[index]


def test_seven_humid_nights_stand_on_the_page_with_their_sources(farm: Place) -> None:
    humid_nights(farm)
    bring(farm, told())
    page = farm.client("farmer").get(PAGE).text
    assert "21 điểm; sách khuyên phòng khi cộng dồn đến 18 điểm." in page
    assert "Theo Wallin 1962" in page
    assert "thiếu số đo" not in page
    assert "Xin xem cây trước" in page


def test_a_bed_or_a_planting_that_cannot_be_is_refused_and_the_page_lives(farm: Place) -> None:
    for wrong in ({"at": -1}, {"missing_mm": "3"}, {"total_mm": None}):
        answer = farm.bring(farm.row("zone", zone=told(**wrong))).json
        assert answer is not None
        assert len(answer["refused"]) == 1
    row = told()
    row["balance"]["planted"] = "hom qua"
    answer = farm.bring(farm.row("zone", zone=row)).json
    assert answer is not None
    assert len(answer["refused"]) == 1
    assert farm.client("farmer").get(PAGE).status_code == 200


def test_strangers_see_nothing(farm: Place) -> None:
    assert farm.client("farmer-bac-ha").get(PAGE).status_code == 404
    assert farm.client().get(PAGE).status_code in (302, 303)


@pytest.mark.parametrize(
    ("ph", "says"),
    [
        (5.1, "Đất chua, pH 5,1. Phần lớn cây hợp từ 5,5 đến 7,5."),
        (6.4, "Độ chua vừa, pH 6,4. Phần lớn cây hợp từ 5,5 đến 7,5."),
        (8.0, "Đất kiềm, pH 8,0."),
    ],
)
def test_acidity_is_held_against_what_most_crops_like(farm: Place, ph: float, says: str) -> None:
    assert says in soil(farm, ["soil_ph", int(time.time()) - 30, ph, 0])


def test_acidity_is_held_against_what_the_chosen_crop_bears(farm: Place) -> None:
    row = told()
    row["balance"]["crop"] = "dua-luoi"
    bring(farm, row)
    page = soil(farm, ["soil_ph", int(time.time()) - 30, 5.8, 0])
    assert "Đất chua, pH 5,8. Dưa lưới hợp từ 6,0 đến 7,5." in page


def test_a_farm_that_hurries_says_how_long_its_days_are(farm: Place) -> None:
    row = told()
    bed = row["bed"]
    bed |= {"speed": 60.0, "at": bed["at"] + 90 * 86400, "day": bed["day"] + 90}
    bring(farm, row)
    page = farm.client("farmer").get(PAGE).text
    assert "chạy nhanh gấp 60 lần" in page
    assert "chỉ dài 24 phút" in page.replace("\u00a0", " ")
    assert "Ngày thứ 131 từ ngày trồng." in page
    assert "600\u00a0lít" in page


@pytest.mark.parametrize(
    ("metric", "then", "now", "says"),
    [
        ("soil_ec", 1.0, 1.5, "Độ mặn tăng trong hai tuần nay."),
        ("soil_ec", 1.0, 1.1, "Độ mặn: hai tuần nay không đổi mấy."),
        ("soil_ph", 6.8, 6.3, "Đất chua thêm trong hai tuần nay."),
        ("soil_nitrogen", 80.0, 40.0, "Đạm theo đầu đo giảm trong hai tuần nay."),
        ("soil_potassium", 80.0, 140.0, "Kali theo đầu đo tăng trong hai tuần nay."),
    ],
)
def test_two_weeks_tell_where_the_soil_goes(
    farm: Place, metric: str, then: float, now: float, says: str
) -> None:
    noon = _noon()
    days = [
        *([metric, noon - n * 86400, then, 0] for n in (14, 13, 12)),
        *([metric, noon - n * 86400, now, 0] for n in (2, 1)),
        [metric, int(time.time()) - 30, now, 0],
    ]
    page = soil(farm, *days)
    assert says in page
    assert "không tự bón" in page


def test_days_without_readings_give_no_trend(farm: Place) -> None:
    noon = _noon()
    page = soil(farm, ["soil_ec", noon - 14 * 86400, 1.0, 0], ["soil_ec", noon - 86400, 3.0, 0])
    assert "hai tuần" not in page


def _noon() -> int:
    today = datetime.datetime.combine(day_of(time.time()), datetime.time(12), ZONE)
    return int(today.timestamp())
