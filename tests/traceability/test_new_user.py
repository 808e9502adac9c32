"""Where somebody who used the system for the first time stumbled."""

import datetime

import pytest
from cooperative import COOP, NOW, TODAY, Farm, days_ago
from platform_site import Site
from season_farm import grow, water
from sqlalchemy import select

from nongso.platform.diary import together
from nongso.platform.diary.entries import Entry
from nongso.platform.diary.together import Lots, Planted
from nongso.platform.traceability.making import correcting, regrouping
from nongso.platform.traceability.making import operations as ops
from nongso.platform.traceability.records import Lot, Producer
from nongso.platform.traceability.seasons import field_events
from nongso.platform.traceability.shopper import story


def told(farm: Farm, lot: Lot) -> story.Story:
    with farm.records.session() as session:
        found = story.tell(session, session.get_one(Lot, lot.code))
    assert found is not None
    return found


def pack(farm: Farm, noodles: Lot, packs: int = 20) -> Lot:
    takes = (ops.Take(noodles.code, packs * 500),)
    until = TODAY + datetime.timedelta(days=300)
    return farm.do(ops.pack, ops.Packing(farm.product(), takes, packs, 500, TODAY, until))


def test_two_plantings_of_one_week_in_one_greenhouse_stay_two() -> None:
    booked = Lots((Planted("A", "Rau cải", days_ago(20)), Planted("B", "Xà lách", days_ago(16))))
    greens = Entry("planted", days_ago(19).isoformat(), crop="Cải")
    assert [one.lot for one in together.unwritten([greens], booked)] == ["B"]
    salad = Entry("planted", days_ago(18).isoformat(), crop="xà lách")
    assert together.unwritten([salad, greens], booked) == []
    assert [one.lot for one in together.unwritten([salad], booked)] == ["A"]
    third = Entry("planted", days_ago(15).isoformat(), crop="Mồng tơi")
    assert together.unbooked([third, salad, greens], booked) == third
    assert together.unbooked([salad, greens], booked) is None


def test_the_reason_of_a_correction_is_read_by_whoever_scans(farm: Farm) -> None:
    noodles = farm.noodles(50)
    wish = correcting.Correction(noodles.code, 49_000, days_ago(3), "Cân lại sau khi khô")
    farm.do(correcting.correct, wish)
    found = told(farm, pack(farm, noodles))
    assert [one.why for one in found.reasons] == ["Cân lại sau khi khô"]


def test_what_is_bought_of_a_household_is_called_bought(farm: Farm) -> None:
    household = farm.producer("H01")
    wish = ops.Intake(household, 800_000, days_ago(11), days_ago(10), purpose=ops.MILLING)
    starch = farm.batch("starch", 100, farm.do(ops.take_in, wish))
    bought = regrouping.TakeOver(ops.Take(starch.code, 90_000), days_ago(4))
    ours = farm.do(regrouping.take_over, bought)
    fee = regrouping.TakeOver(ops.Take(starch.code, 10_000), days_ago(4), regrouping.FEE)
    kept = farm.do(regrouping.take_over, fee)
    noodles = farm.batch("noodles", 90, ours, kept, day=3)
    found = told(farm, pack(farm, noodles))
    steps = {one.what: one.grams for one in found.steps}
    # A ninth of the noodles was packed, so a ninth of what was bought and kept is in these packs.
    assert (steps["taken_over"], steps["kept_fee"]) == (10_000, 1_111)
    assert "regrouped" not in steps


def test_water_is_told_once_before_the_harvest_day_is_over(farm: Farm, site: Site) -> None:
    _planting, _crop, packs = grow(farm)
    water(farm, 0, 40.0)  # after the harvest, the same day
    with farm.records.transaction() as session:
        tomorrow = NOW + 86_400
        field_events.bring_up(session, farm.settings.label_url, "tan-binh-1", tomorrow)
    found = told(farm, packs)
    (watered,) = [one for one in found.steps if one.what == "watered"]
    record = found.grown[0].record
    assert record is not None
    assert (watered.litres, watered.times) == (record["litres"], record["waterings"])


def test_sold_packs_are_not_called_handed_back(farm: Farm, site: Site) -> None:
    lot = farm.packed(10)
    with farm.records.transaction() as session:
        found = session.get_one(Lot, lot.code)
        found.away = found.packs_gone = 4
    page = site.clerk.get(f"/records/lots/{lot.code}").text
    assert "Xuất đi, đã bán" in page
    assert "trả lại hộ" not in page


def test_a_harvests_page_tells_what_was_measured(farm: Farm, site: Site) -> None:
    _planting, crop, packs = grow(farm)
    page = site.clerk.get(f"/records/lots/{crop.code}").text
    assert "Số đo khi trồng" in page
    assert "7 ngày thiếu số đo của cảm biến." in page
    assert "Ngày đóng gói" in site.clerk.get(f"/records/lots/{packs.code}").text


@pytest.mark.parametrize("contact", ["0912 345 678", ""])
def test_a_recall_names_the_number_to_call_or_says_what_to_do_without(
    farm: Farm, site: Site, contact: str
) -> None:
    lot = farm.packed(10)
    with farm.records.transaction() as session:
        for one in session.scalars(select(Producer).where(Producer.cooperative == COOP)):
            one.contact = contact
    form = site.fields(f"/records/recalls/new?from=lot&key={lot.code}")
    assert ("số ghi bên dưới" in form["advice"]) == bool(contact)
    sent = {**form, "from": "lot", "key": lot.code, "why": "Thử", "outcome": "destroy"}
    answer = site.clerk.post("/records/recalls/new", data=sent)
    banner = site.stranger.get(f"/t/{lot.code}").text.split("<h1>")[0]
    notice = site.clerk.get(f"{answer.location}/notice").text
    if contact:
        assert "tel:0912345678" in banner
        assert contact in notice
    else:
        assert "chưa ghi số điện thoại" in banner
        assert "Sổ chưa có số điện thoại" in notice
