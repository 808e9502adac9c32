"""What the grower or the clerk has written once, the other need not type again."""

import re
import time
import uuid

from cooperative import COOP, Farm, new_id
from platform_site import Site

from nongso.platform.diary import entries as diary
from nongso.platform.diary.entries import Entry
from nongso.platform.languages import day_of
from nongso.platform.traceability.seasons import field_events

HOUSE = "tan-binh-1"
BOOK = f"/greenhouses/{HOUSE}/diary"


def ago(days: int) -> str:
    return day_of(time.time() - days * 86400).isoformat()


def write(farm: Farm, entry: Entry) -> None:
    with farm.records.transaction() as session:
        diary.write(session, new_id(), HOUSE, COOP, "farmer", entry)


def plant(site: Site, farm: Farm, days: int = 30) -> str:
    farm.producer("HTX", "cooperative")
    return site.made("/records/planting", greenhouse=HOUSE, crop="Rau cải", day=ago(days))


def test_a_harvest_in_the_diary_is_proposed_to_the_clerks_scale_once(
    site: Site, farm: Farm
) -> None:
    planting = plant(site, farm)
    write(farm, Entry("harvested", ago(1), amount=12.5, unit="kg"))
    page = site.clerk.get("/records/harvest").text
    link = re.search(r'href="(/records/harvest\?[^"]*output=12[^"]*)"', page)
    assert link is not None
    address = link[1].replace("&amp;", "&")
    fields = site.fields(address)
    assert (fields["planting"], fields["output"], fields["day"]) == (planting, "12,5", ago(1))
    site.made(address)
    assert "chưa cân" not in site.clerk.get("/records/harvest").text


def test_a_weigh_in_stands_in_the_diary_and_counts_once(site: Site, farm: Farm) -> None:
    planting = plant(site, farm)
    write(farm, Entry("harvested", ago(1), amount=12, unit="kg"))
    crop = site.made("/records/harvest", planting=planting, output="12,5", day=ago(1))
    book = site.clerk.get(BOOK).text
    assert f"12,5\u00a0kg · lô {crop}" in book
    assert "Hợp tác xã cân, không cần ghi lại" in book
    assert re.search(r"Đã thu hoạch</dt><dd>12,5\u00a0kg", book)
    form = site.clerk.get(f"{BOOK}/new?kind=harvested").text
    assert "Hợp tác xã đã cân, không cần ghi lại" in form


def test_a_last_harvest_of_the_old_planting_is_not_the_new_seasons(site: Site, farm: Farm) -> None:
    old = plant(site, farm, 40)
    site.made("/records/planting", greenhouse=HOUSE, crop="Cà chua", day=ago(5))
    write(farm, Entry("harvested", ago(1), amount=3, unit="kg"))
    site.made("/records/harvest", planting=old, output="46,5", day=ago(1))
    book = site.clerk.get(BOOK).text
    assert "46,5\u00a0kg" in book
    assert re.search(r"Đã thu hoạch</dt><dd>3,0\u00a0kg", book)
    assert "chưa cân" in site.clerk.get("/records/harvest").text


def test_a_planting_in_the_books_begins_the_diarys_season(site: Site, farm: Farm) -> None:
    plant(site, farm)
    book = site.clerk.get(BOOK).text
    assert "Vụ này: Rau cải" in book
    assert "Hợp tác xã ghi" in book


def test_a_planting_in_the_diary_is_proposed_to_the_clerk_once(site: Site, farm: Farm) -> None:
    farm.producer("HTX", "cooperative")
    write(farm, Entry("planted", ago(3), crop="Cà chua"))
    page = site.clerk.get("/records/planting").text
    link = re.search(r'href="(/records/planting\?[^"]*crop=[^"]*)"', page)
    assert link is not None
    address = link[1].replace("&amp;", "&")
    fields = site.fields(address)
    assert (fields["greenhouse"], fields["crop"], fields["day"]) == (HOUSE, "Cà chua", ago(3))
    site.made(address)
    assert "chưa có trong sổ" not in site.clerk.get("/records/planting").text


def test_a_planting_that_both_have_does_not_date_the_next_one_back(site: Site, farm: Farm) -> None:
    plant(site, farm, 28)
    proposed = site.fields(f"{BOOK}/new?kind=planted")
    assert (proposed["crop"], proposed["day"]) == ("Rau cải", ago(28)), "not in the diary yet"
    write(farm, Entry("planted", ago(28), crop="Rau cải"))
    assert site.fields(f"{BOOK}/new?kind=planted")["day"] == ago(0), "now it is another planting"


def test_a_line_of_the_phone_becomes_an_event_of_the_lot_at_once(site: Site, farm: Farm) -> None:
    planting = plant(site, farm)
    sent = {
        **site.fields(f"{BOOK}/new?kind=sprayed"),
        "id": str(uuid.uuid4()),
        "product": "Dầu neem",
        "interval_days": "7",
        "unit": "ml",
    }
    assert site.clerk.post(BOOK, data=sent).status_code == 303
    with farm.records.session() as session:
        (event,) = field_events.of_lots(session, [planting])
    assert event.body["nongso:inputName"] == "Dầu neem"
    refused = site.send("/records/harvest", planting=planting, output="5", day=ago(0))
    assert refused.status_code == 422
    assert "Chưa được thu hoạch: Dầu neem phun ngày" in refused.text


def test_a_spraying_that_is_told_after_packing_stops_labels_and_warns_the_shopper(
    site: Site, farm: Farm
) -> None:
    planting = plant(site, farm)
    crop = site.made("/records/harvest", planting=planting, output="10", day=ago(2))
    farm.product("vegetables", "Rau cải Tân Bình", crop="Rau cải")
    packed = site.made(f"/records/packing?lot={crop}", packs="10")
    assert site.send(f"/records/lots/{packed}/labels", count="2").status_code == 303
    assert "cách ly" not in site.stranger.get(f"/t/{packed}").text
    write(farm, Entry("sprayed", ago(3), product="Dầu neem", interval_days=7))
    refused = site.send(f"/records/lots/{packed}/labels", count="2")
    assert refused.status_code == 422
    for told in (refused, *(site.clerk.get(f"/records/lots/{one}") for one in (crop, packed))):
        assert "Không đóng gói, in tem hay gửi đi: lô này thu hoạch ngày" in told.text
    shopper = site.stranger.get(f"/t/{packed}").text
    warned = shopper.index("khi chưa hết thời gian cách ly của Dầu neem")
    assert warned < shopper.index("<h1>")
