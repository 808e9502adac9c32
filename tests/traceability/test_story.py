"""A lot's page tells its whole way, each step on somebody's word, and names what is missing."""

import datetime
import re
from pathlib import Path

import pytest
from cooperative import COOP, NOW, TODAY, Farm, days_ago
from platform_site import Site
from season_farm import DAYS, gather, grow, lay_down, water, zone
from selling import pack

from nongso.platform.greenhouse.records import Greenhouse
from nongso.platform.telemetry import Series
from nongso.platform.traceability.making import operations as ops
from nongso.platform.traceability.records import Lot
from nongso.platform.traceability.seasons import field_events, lateness

ROOT = Path(__file__).parents[2]


@pytest.fixture
def lot(farm: Farm, site: Site) -> Lot:
    return grow(farm)[2]


def test_every_step_of_a_season_stands_on_somebodys_word(site: Site, lot: Lot) -> None:
    page = site.stranger.get(f"/t/{lot.code}").text
    way = page.split('<ol class="way">')[1].split("</ol>")[0]
    steps = [re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", one)) for one in way.split("</li>")][:-1]
    told = [
        ("Trồng", "do hợp tác xã khai"),
        ("Bón Phân trùn quế, 2 lần", "do người trồng khai"),
        ("Phun Dầu neem", "do người trồng khai"),
        ("Tưới 4 lần, 182\u00a0lít", "đo bằng cảm biến"),
        ("Thu hoạch khoảng 45\u00a0kg", "do hợp tác xã cân"),
        ("Đóng 90 gói", "do hợp tác xã khai"),
    ]
    assert len(steps) == len(told)
    for step, (what, word) in zip(steps, told, strict=True):
        assert what.replace("\u00a0", " ") in step.replace("\u00a0", " "), step
        assert word in step
    assert "Hoạt chất Azadirachtin. Nhãn ghi cách ly 10 ngày trước khi thu hoạch." in page
    assert "Trong đó 1 lần không đo được nước." in page
    assert "Có 1 lần ghi sai đã được sửa bằng bản ghi mới." in page
    assert "NGUOI-PHUN" not in page
    assert "Đọc nhầm" not in page


def test_missing_days_are_named_and_drawn_as_gaps(site: Site, lot: Lot) -> None:
    page = site.stranger.get(f"/t/{lot.code}").text
    first, last = days_ago(14), days_ago(8)
    assert f"Ngày thiếu số đo: {first:%d/%m/%Y}–{last:%d/%m/%Y}." in page
    drawn = re.search(r'<path class="gap" d="([^"]*)"/><path class="day" d="([^"]*)"', page)
    assert drawn is not None
    assert drawn[1].count("M") == 7
    assert drawn[2].count("M") == DAYS - 7
    assert "23 ngày có số đo, 7 ngày thiếu" in page
    assert "Nhiệt độ trong khoảng 6–35°C: 543 trong 543 giờ đo được." in page
    assert "Tổng kết từ 543 số đo, trong 543 của 711 giờ." in page


def test_packs_of_several_plantings_tell_the_water_of_each_once(farm: Farm, site: Site) -> None:
    planting, crop, packs = grow(farm)
    house = "tan-binh-2"
    with farm.records.transaction() as session:
        beside = Greenhouse(slug=house, name="Nhà màng 2", cooperative=COOP, gateway="bl")
        session.add(beside)
        session.flush()
        session.add(zone(house, 1))
    wish = ops.Planting(house, "Nhà màng 2", planting.producer_id, "Rau cải", days_ago(20))
    other = farm.do(ops.plant, wish)
    lay_down(farm, range(21), Series(house, f"{house}-k1", "b" * 16, "air_temperature"))
    water(farm, 9, 20.5, house)
    early = gather(farm, other, 2_000, days_ago(4))
    water(farm, 2, 10, house)
    water(farm, 0, 40, house)  # today's day is not over: the harvest's record alone has it
    late = gather(farm, other, 3_000)
    with farm.records.transaction() as session:
        field_events.bring_up(session, farm.settings.label_url, house, NOW)
    takes = tuple(ops.Take(one.code, 1_000) for one in (crop, early, late))
    day = TODAY + datetime.timedelta(days=5)
    wish = ops.Packing(packs.product_id, takes, 6, 500, TODAY, day)
    mixed = farm.do(ops.pack, wish)
    page = site.stranger.get(f"/t/{mixed.code}").text.replace("\u00a0", " ")
    assert re.findall("Tưới [^<]*", page) == ["Tưới 7 lần, 252 lít"]
    assert re.findall("Lượng nước đã tưới: ([^.]*)", page) == [
        "182 lít, 4 lần tưới",
        "70 lít, 3 lần tưới",
    ]


def test_what_comes_late_is_told_and_the_sealed_figures_stay(
    site: Site, farm: Farm, lot: Lot
) -> None:
    before = site.stranger.get(f"/t/{lot.code}").text
    assert "gửi đến muộn" not in before
    lay_down(farm, range(8, 15))
    lateness._kept.clear()
    page = site.stranger.get(f"/t/{lot.code}").text
    assert "có thêm 168 số đo và 0 lần tưới của thời gian này gửi đến muộn" in page
    assert "23 ngày có số đo, 7 ngày thiếu" in page


def test_the_page_of_a_season_is_light_and_has_its_english(site: Site, lot: Lot) -> None:
    answer = site.stranger.get(f"/t/{lot.code}")
    styles = (ROOT / "platform" / "static" / name for name in ("nongso.css", "traceability.css"))
    assert len(answer.data) + sum(file.stat().st_size for file in styles) <= 50_000
    english = site.stranger.get(f"/t/{lot.code}?lang=en").text
    assert "Sprayed with Dầu neem" in english
    assert "stated by the grower" in english


def test_starch_and_noodles_of_one_day_stand_in_the_order_of_their_making(
    farm: Farm, site: Site
) -> None:
    starch = farm.batch("starch", 70, farm.roots(500), day=0)
    packs = pack(farm, farm.batch("noodles", 60, starch, day=0), 100)
    page = site.stranger.get(f"/t/{packs.code}").text
    assert 0 < page.index("bột dong</") < page.index("miến</") < page.index("Đóng 100 gói")
