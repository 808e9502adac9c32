"""A lot's page tells its whole way, each step on somebody's word, and names what is missing."""

import datetime
import re
from pathlib import Path

import pytest
from cooperative import COOP, NOW, TODAY, Farm, days_ago, new_id
from platform_site import Site

from nongso.platform.diary import entries as diary
from nongso.platform.diary.entries import Entry
from nongso.platform.diary.watering import midnight
from nongso.platform.greenhouse.records import Greenhouse, Run, Zone
from nongso.platform.telemetry import HOUR, Row, Series, open_telemetry
from nongso.platform.traceability import field_events, growing, lateness
from nongso.platform.traceability import operations as ops
from nongso.platform.traceability.records import Lot
from nongso.platform.uplink import register_gateway
from nongso.wire import marks

ROOT = Path(__file__).parents[2]
HOUSE = "tan-binh-1"
AIR = Series(HOUSE, f"{HOUSE}-k1", "a" * 16, "air_temperature")
DAYS = 30


def write(farm: Farm, entry: Entry) -> str:
    id_ = new_id()
    with farm.records.transaction() as session:
        diary.write(session, id_, HOUSE, COOP, "farmer", entry, NOW)
    return id_


def water(farm: Farm, ago: int, litres: float | None) -> None:
    at = midnight(days_ago(ago)) + 6 * HOUR
    run = Run(
        id=new_id(),
        zone=f"{HOUSE}-k1",
        gateway="bl",
        cause="band",
        state="done",
        code="done",
        values={},
        ordered_seconds=120,
        started_at=at,
        ended_at=at + 120,
        seconds=120,
        litres=litres,
    )
    with farm.records.transaction() as session:
        session.add(run)


def lay_down(farm: Farm, days: range) -> None:
    store = open_telemetry(farm.settings)
    rows = [
        Row(AIR, midnight(days_ago(ago)) + hour * HOUR, 18.0 + hour % 12, marks.GOOD)
        for ago in days
        for hour in range(24)
    ]
    store.write([row for row in rows if row.at < NOW])
    store.close()


@pytest.fixture
def lot(farm: Farm, site: Site) -> Lot:
    """Thirty days of greens: fed, sprayed, watered, a week without readings, packed."""
    with farm.records.transaction() as session:
        register_gateway(session, "bl", "Tủ Bình Lư", COOP, "k" * 40)
        session.get_one(Greenhouse, HOUSE).gateway = "bl"
        session.flush()
        session.add(
            Zone(
                id=f"{HOUSE}-k1",
                name="Khu 1",
                greenhouse=HOUSE,
                gateway="bl",
                coil=0,
                mode="manual",
                max_run_seconds=1800,
                max_day_seconds=7200,
            )
        )
    grower = farm.producer("HTX", "cooperative")
    wish = ops.Planting(HOUSE, "Nhà màng Tân Bình 1", grower, "Rau cải", days_ago(DAYS - 1))
    planting = farm.do(ops.plant, wish)
    lay_down(farm, range(15, DAYS))
    lay_down(farm, range(8))
    for ago in (20, 12):
        write(farm, Entry("fertilised", days_ago(ago).isoformat(), product="Phân trùn quế"))
    sprayed = Entry(
        "sprayed",
        days_ago(14).isoformat(),
        product="Dầu neem",
        ingredient="Azadirachtin",
        interval_days=7,
        who="NGUOI-PHUN",
    )
    line = write(farm, sprayed)
    for ago in (10, 9, 8):
        water(farm, ago, 60.5)
    water(farm, 7, None)
    wish = ops.Harvest(planting.code, 46_500, TODAY)
    store = open_telemetry(farm.settings)
    with farm.records.session() as session:
        grown = growing.measured(session, store, wish, NOW)
    store.close()
    crop = farm.do(ops.harvest, wish, grown)
    with farm.records.transaction() as session:
        field_events.bring_up(session, farm.settings.label_url, HOUSE, NOW)
    with farm.records.transaction() as session:
        found = diary.line(session, HOUSE, line)
        again = Entry(**{**sprayed.body(), "interval_days": 10})
        diary.correct(session, new_id(), found, HOUSE, COOP, "farmer", again, "Đọc nhầm", NOW)
        field_events.bring_up(session, farm.settings.label_url, HOUSE, NOW)
    product = farm.product("vegetables", "Rau cải Tân Bình", crop="Rau cải")
    packing = ops.Packing(
        product,
        (ops.Take(crop.code, 45_000),),
        90,
        500,
        TODAY,
        TODAY + datetime.timedelta(days=5),
    )
    return farm.do(ops.pack, packing)


def test_every_step_of_a_season_stands_on_somebodys_word(site: Site, lot: Lot) -> None:
    page = site.stranger.get(f"/t/{lot.code}").text
    way = page.split('<ol class="way">')[1].split("</ol>")[0]
    steps = [re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", one)) for one in way.split("</li>")][:-1]
    told = [
        ("Trồng", "do hợp tác xã khai"),
        ("Bón Phân trùn quế, 2 lần", "do người trồng khai"),
        ("Phun Dầu neem", "do người trồng khai"),
        ("Tưới 4 lần, 182\u00a0lít", "đo bằng cảm biến"),
        ("Thu hoạch 46,5\u00a0kg", "do hợp tác xã cân"),
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
