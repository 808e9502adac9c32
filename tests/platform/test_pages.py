"""The farmer's pages: one look tells how it is, gaps stay gaps, and nothing foreign runs."""

import datetime
import re
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from office import BUS, NODE_1, NODE_2, Place

from nongso.platform.greenhouse.charts import Curve, Frame, draw
from nongso.platform.greenhouse.records import Zone
from nongso.platform.languages import NO_BREAK

PAGE = "/greenhouses/tan-binh-1"
STATIC = Path(__file__).parents[2] / "platform" / "static"


def fresh(farm: Place, soil: float = 62.0, air: float = 24.5, ago: int = 20) -> None:
    at = int(time.time()) - ago
    readings = [
        ["air_temperature", at, air, 16],
        ["air_humidity", at, 71.0, 16],
        ["light", at, 23100, 16],
        ["soil_moisture", at, soil, 16],
    ]
    farm.bring(farm.readings(NODE_1, *readings), farm.readings(NODE_2, *readings))


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.replace(NO_BREAK, " ")))


def home(farm: Place) -> str:
    return text_of(farm.client("farmer").get("/greenhouses").text)


def test_all_is_well_in_one_sentence(farm: Place) -> None:
    fresh(farm)
    page = home(farm)
    assert "Bình thường" in page
    assert "Nhà màng Tân Bình 1: bình thường. Đất đủ ẩm (62%), trong nhà 24,5°C. Đo lúc" in page
    assert "23.100 lx" in page
    assert "vừa xong" in page
    assert "Số đo mô phỏng" in page


def test_a_lost_station_counts_although_another_one_of_the_house_is_fresh(farm: Place) -> None:
    """And what is said of the soil has the time of the soil."""
    fresh(farm, ago=360)
    now = int(time.time())
    farm.bring(farm.readings(NODE_2, ["air_temperature", now, 24.5, 16]))
    page = home(farm)
    assert "Bình thường" in page
    assert "vừa xong" not in page
    assert "Đo cách đây 6 phút" in page
    farm.bring(farm.row("node", node={"eui64": NODE_1, "state": "offline", "at": now}))
    for page in (home(farm), text_of(farm.client("farmer").get("/greenhouses/tan-binh-1").text)):
        assert "Cần chú ý" in page
        assert "Trạm đo tb-01 mất tín hiệu từ" in page
    assert "bình thường. Đất đủ ẩm" not in home(farm)


def test_dry_soil_is_named_with_its_zone_and_what_to_do(farm: Place) -> None:
    fresh(farm, soil=31.2)
    page = home(farm)
    assert "Cần chú ý" in page
    assert "Khu 1 đất khô: còn 31%, cần ít nhất 40%. Nên tưới 10 phút." in page
    assert "Khu 2 đất khô: còn 31%, cần ít nhất 40%. Khu này sẽ tự tưới." in page


def test_cold_is_urgent(farm: Place) -> None:
    fresh(farm, air=4.0)
    page = home(farm)
    assert "Khẩn cấp: trong nhà còn 4°C. Xin đóng bạt, che cây ngay." in page


def test_old_values_are_grey_and_say_since_when(farm: Place) -> None:
    fresh(farm, ago=3 * 3600)
    answer = farm.client("farmer").get("/greenhouses").text
    assert "Mất tín hiệu từ" in text_of(answer)
    assert "chưa biết bây giờ thế nào" in text_of(answer)
    assert 'class="reading old"' in answer
    assert "cách đây 3 giờ" in text_of(answer)


def test_a_faulty_sensor_is_not_believed(farm: Place) -> None:
    fresh(farm)
    at = int(time.time())
    farm.bring(farm.readings(NODE_2, ["soil_moisture", at, 180.0, 17]))
    page = text_of(farm.client("farmer").get(PAGE).text)
    assert "Cảm biến độ ẩm đất khu 2 báo số không đúng. Không dùng số này để tưới." in page
    assert "Số đo không dùng được (1)" in page
    assert "180%" not in page, "nobody shall water by it"


def test_an_alarm_stands_until_it_is_cleared(farm: Place) -> None:
    fresh(farm)
    at = int(time.time())
    alarm = {
        "id": "a-1",
        "code": "valve_not_closed",
        "values": {"zone": "tan-binh-1-k2"},
        "zone": "tan-binh-1-k2",
        "raised_at": at,
    }
    farm.bring(farm.row("alarm", alarm=alarm))
    assert "Khẩn cấp: van khu 2 không đóng được." in home(farm)
    farm.bring(farm.row("alarm", alarm=alarm | {"cleared_at": at}))
    assert "Khẩn cấp" not in home(farm)


def test_water_that_runs_says_when_it_ends_and_how_much_came(farm: Place) -> None:
    fresh(farm)
    now = int(time.time())
    run = {
        "id": "r-1",
        "zone": "tan-binh-1-k2",
        "cause": "band",
        "by": None,
        "state": "running",
        "code": "soil_dry",
        "values": {"moisture": 38.2, "low": 40.0},
        "ordered_seconds": 600,
        "started_at": now - 300,
        "ended_at": None,
    }
    farm.bring(
        farm.row("run", run=run),
        farm.readings(BUS, ["water_total", now - 310, 1000.0, 16]),
        farm.readings(BUS, ["water_total", now - 5, 1058.0, 16]),
    )
    page = home(farm)
    assert "Đang tưới khu 2, đã chảy 58 lít. Nước sẽ tự tắt lúc" in page
    ended = {"state": "done", "code": "done", "ended_at": now, "seconds": 300, "litres": 58.4}
    farm.bring(farm.row("run", run=run | ended))
    page = text_of(farm.client("farmer").get(PAGE).text)
    assert "Tự tưới vì đất khô: còn 38%, cần ít nhất 40%." in page
    assert "Đã tưới xong 5 phút, nước chảy 58 lít." in page


def test_the_worst_comes_first_and_the_past_last(farm: Place) -> None:
    from nongso.platform.greenhouse.records import Greenhouse

    fresh(farm)
    with farm.records.transaction() as session:
        session.add(Greenhouse(slug="a-old", name="A cũ", cooperative="binh-lu", imported=True))
        session.add(
            Greenhouse(slug="b-lost", name="Z mất", cooperative="binh-lu", gateway="binh-lu")
        )
    page = home(farm)
    assert page.index("Z mất") < page.index("Tân Bình 1") < page.index("A cũ")


def test_the_first_line_answers_for_all_greenhouses(farm: Place) -> None:
    from nongso.platform.greenhouse.records import Greenhouse

    fresh(farm)
    with farm.records.transaction() as session:
        session.add(
            Greenhouse(slug="b-lost", name="Z mất", cooperative="binh-lu", gateway="binh-lu")
        )
        session.add(Greenhouse(slug="a-old", name="A cũ", cooperative="binh-lu", imported=True))
    page = home(farm)
    assert "1 nhà màng mất tín hiệu, chưa biết bây giờ thế nào. Bình thường: 1" in page
    fresh(farm, air=4.0, ago=5)
    page = home(farm)
    assert "1 nhà màng có việc khẩn cấp. Xin xem ngay. Mất tín hiệu: 1" in page


def test_a_dry_soil_never_reads_as_wet_enough(place: Place) -> None:
    from nongso.platform.greenhouse import sentences

    with place.app.test_request_context():
        assert sentences.start("soil_dry", {"moisture": 43.6, "low": 44.0}, {}) == (
            "Tự tưới vì đất khô: còn 43%, cần ít nhất 44%."
        )
        assert sentences.start("soil_dry", {"moisture": 43.2, "low": 43.5}, {}) == (
            "Tự tưới vì đất khô: còn 43%, cần ít nhất 43,5%."
        )


def test_a_dry_soil_has_one_number_on_the_whole_page(farm: Place) -> None:
    """39.6 % is neither 40 % nor 39,6 % anywhere, and the reason brings no older number along."""
    fresh(farm, soil=39.6)
    now = int(time.time())
    moist = {"code": "soil_moist", "values": {"moisture": 46.2, "low": 40.0}}
    zone = {"id": "tan-binh-1-k2", "mode": "band", "state": "idle", "at": now - 300, **moist}
    farm.bring(farm.row("zone", zone=zone))
    page = text_of(farm.client("farmer").get("/greenhouses/tan-binh-1").text)
    now_part, _curves = page.split("Hôm nay", 1)
    assert set(re.findall(r"(\d+(?:,\d+)?)%", now_part)) == {"39", "40", "55", "71"}


def test_soil_is_called_moist_enough_only_where_somebody_said_how_moist_it_should_be(
    farm: Place,
) -> None:
    fresh(farm, soil=12.0)
    assert "đất khô" in home(farm)
    with farm.records.transaction() as session:
        for zone in session.query(Zone):
            zone.band = None
    assert "bình thường. Độ ẩm đất 12%, trong nhà 24,5°C." in home(farm)


def test_a_card_is_never_stale(farm: Place) -> None:
    client = farm.client("farmer")
    for soil in (62.0, 55.0, 48.0):
        fresh(farm, soil=soil, ago=int(soil) - 40)
        assert f"{soil:.0f}%" in client.get("/greenhouses").text


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}%(x)s"


def test_hostile_names_stay_text(place: Place) -> None:
    place.configure(HOSTILE)
    fresh(place)
    for path in ("/greenhouses", PAGE, PAGE + "?days=7"):
        page = place.client("farmer").get(path).text
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "{{7*7}}" in page


class _Parts(HTMLParser):
    """Collects what a page would fetch, and anything inline that the policy forbids."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "style" or "style" in found or any(a.startswith("on") for a in found):
            self.inline.append(tag)
        if tag == "script":
            self.fetched.append(found.get("src") or "")
        address = found.get("href") or ""
        if tag == "link" and not address.startswith("data:image/svg+xml,"):
            self.fetched.append(address)


@pytest.mark.parametrize("path", ["/login", "/greenhouses", PAGE, PAGE + "?days=30", "/nowhere"])
def test_pages_are_light_and_have_nothing_inline_and_nothing_foreign(
    farm: Place, path: str
) -> None:
    fresh(farm)
    at = int(time.time())
    past = [
        [name, at - n - 30, 20 + n % 7, 16]
        for n in range(0, 86400, 600)
        for name in ("air_temperature", "air_humidity", "soil_moisture", "light")
    ]
    farm.bring(farm.readings(NODE_1, *past), farm.readings(NODE_2, *past))
    client = farm.client(None if path == "/login" else "farmer")
    page = client.get(path)
    parts = _Parts()
    parts.feed(page.text)
    assert parts.inline == []
    weight = len(page.data)
    for address in parts.fetched:
        if address.startswith("/static/"):
            weight += (STATIC / address.split("?")[0].removeprefix("/static/")).stat().st_size
        else:
            assert address == "/manifest.webmanifest"
            weight += len(client.get(address).data)
    assert weight <= 60_000
    assert len(parts.fetched) <= 4  # and the page itself


def test_every_field_has_a_label_and_every_picture_a_text(farm: Place) -> None:
    fresh(farm)
    page = farm.client("farmer").get(PAGE).text
    for field in re.findall(r"<input[^>]*>", page):
        if 'type="hidden"' not in field:
            assert "aria-label=" in field, field
    for picture in re.findall(r"<svg[^>]*>", page):
        assert "aria-hidden" in picture or "aria-label" in picture
    assert '<html lang="vi">' in page


def test_a_day_can_be_chosen_and_a_bad_one_is_not_there(farm: Place) -> None:
    client = farm.client("farmer")
    page = client.get(PAGE + "?day=2026-11-01").text
    assert "Ngày 01/11/2026" in page
    assert "Không có số đo nào trong thời gian này." in page
    assert client.get(PAGE + "?day=yesterday").status_code == 404
    assert client.get("/greenhouses/nowhere").status_code == 404
    assert "7 ngày đến" in client.get(PAGE + "?days=7").text
    assert "Hôm nay" in client.get(PAGE + "?days=12345").text


# --- curves ---------------------------------------------------------------------------------

T0 = 1790000000


def drawn(times: list[int], step: int = 600) -> str:
    frame = Frame(T0, T0 + 86400, step, "nhiệt độ", now=T0 + 86400)
    return str(draw(frame, [Curve("", [(T0 + t, 20.0 + t % 7) for t in times])]))


def test_a_gap_is_a_gap(place: Place) -> None:
    with place.app.test_request_context():
        whole = drawn(list(range(0, 86400, 600)))
        broken = drawn([t for t in range(0, 86400, 600) if not 30000 < t < 50000])
    path = re.compile(r'class="curve c0" d="([^"]*)"')
    assert path.findall(whole)[0].count("M") == 1
    assert path.findall(broken)[0].count("M") == 2
    assert 'class="gap"' not in whole
    assert broken.count('class="gap"') == 1


def test_hourly_readings_are_not_full_of_gaps_but_a_silent_night_is_one(place: Place) -> None:
    with place.app.test_request_context():
        hourly = drawn(list(range(0, 86400, 3600)))
        two = drawn([0, 40000])
    assert re.findall(r'class="curve c0" d="([^"]*)"', hourly)[0].count("M") == 1
    assert re.findall(r'class="curve c0" d="([^"]*)"', two)[0].count("M") == 2


def test_nothing_measured_draws_nothing_and_one_value_is_seen(place: Place) -> None:
    with place.app.test_request_context():
        assert drawn([]) == ""
        assert "<path" in drawn([600])


def test_coordinates_are_finite_for_flat_and_huge_curves(place: Place) -> None:
    with place.app.test_request_context():
        for value in (0.0, 1e-9, 1e9, -20.0):
            frame = Frame(T0, T0 + 86400, 600, "x")
            picture = str(draw(frame, [Curve("", [(T0 + 600, value), (T0 + 1200, value)])]))
            assert "nan" not in picture
            assert "inf" not in picture


def test_imported_past_opens_on_its_last_day(farm: Place) -> None:
    from nongso.platform.greenhouse.records import Greenhouse
    from nongso.platform.telemetry import Row, Series

    with farm.records.transaction() as session:
        session.add(Greenhouse(slug="old", name="Cũ", cooperative="binh-lu", imported=True))
    at = int(datetime.datetime(2020, 9, 1, 5, tzinfo=datetime.UTC).timestamp())
    farm.telemetry.write(
        [Row(Series("old", "", "n", "co2"), at + 300 * k, 500, 32) for k in range(9)]
    )
    page = farm.client("farmer").get("/greenhouses/old").text
    assert "Ngày 01/09/2020" in page
    assert '<svg class="chart"' in page
    assert "Tưới" not in text_of(page).replace("Khu tưới", "")


@pytest.mark.parametrize("days", ["²", "٧", "9" * 5000, "-1", "7.0", "1e1", "07"])
def test_an_odd_length_of_the_curves_shows_one_day(farm: Place, days: str) -> None:
    fresh(farm)
    answer = farm.client("farmer").get(PAGE, query_string={"days": days})
    assert answer.status_code == 200
    assert "Hôm nay" in answer.text


def test_a_wrong_number_of_minutes_stays_in_its_field_with_the_sentence_beside_it(
    farm: Place,
) -> None:
    fresh(farm)
    client = farm.client("farmer")
    page = client.get(PAGE).text
    token = re.search(r'name="form_token" value="(\w+)"', page)
    wish = re.search(r'name="wish" value="([\w-]+)"', page)
    assert token is not None
    assert wish is not None
    body = {"form_token": token[1], "wish": wish[1], "zone": "tan-binh-1-k2"}
    answer = client.post(PAGE + "/water", data=body | {"minutes": "other", "other": "1.250"})
    assert answer.status_code == 400
    assert answer.text.count('id="said"') == 1
    card = answer.text.split('aria-labelledby="tan-binh-1-k2"')[1].split("</section>")[0]
    assert "<details open>" in card
    assert 'value="1.250" aria-invalid="true" aria-describedby="said"' in card
    assert card.index('name="other"') < card.index("Chưa rõ 1.250 là bao nhiêu phút")


def test_where_there_is_no_greenhouse_there_is_nothing_to_stop(farm: Place) -> None:
    fresh(farm)
    client = farm.client("farmer-bac-ha")
    assert "Dừng tất cả" not in client.get("/greenhouses").text
    assert "Dừng tất cả" in farm.client("farmer").get("/greenhouses").text


def test_a_night_without_light_is_no_negative_light() -> None:
    frame = Frame(since=0, until=86400, step=600, label="ánh sáng", band=None, floor=0)
    drawn = draw(frame, [Curve("", [(600 * n, 0.0) for n in range(20)])])
    assert "-1" not in re.sub(r' d="[^"]*"', "", drawn)
    assert ">0,0<" in drawn
    frost = draw(frame, [Curve("", [(600 * n, -2.0) for n in range(20)])])
    assert ">-2" in frost.replace("−", "-")
