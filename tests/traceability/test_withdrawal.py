"""Withdrawing wrong records: appended, counted back, and said plainly to whoever scans."""

import datetime
import threading

import pytest
from cooperative import COOP, TODAY, Farm, new_id
from platform_site import Site

from nongso.platform import events
from nongso.platform.traceability import lots
from nongso.platform.traceability.errors import (
    AlreadyRecorded,
    LotUnknown,
    NotEnough,
    UsedAlready,
    Withdrawn,
)
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.making import operations as ops
from nongso.platform.traceability.records import LabelCode
from nongso.platform.traceability.withdrawal import withdraw

WHY = "cân nhầm"


def agree(farm: Farm) -> None:
    with farm.records.session() as session:
        assert lots.differences(session) == []


def test_a_withdrawn_batch_gives_back_what_went_in(farm: Farm) -> None:
    one, other = farm.roots(100), farm.roots(50)
    starch = farm.batch("starch", 20, one, other)
    gone = farm.do(withdraw, starch.code, WHY)
    assert (gone.withdrawn_why, gone.left_grams) == (WHY, 0)
    assert farm.lot(one.code).left_grams == 100_000
    assert farm.lot(other.code).left_grams == 50_000
    assert farm.batch("starch", 21, one, other).made_grams == 21_000, "recorded anew"
    with pytest.raises(Withdrawn):
        farm.batch("noodles", 1, starch)
    agree(farm)


def test_only_the_last_step_is_withdrawn_and_then_the_one_before(farm: Farm) -> None:
    roots = farm.roots(100)
    starch = farm.batch("starch", 15, roots)
    with pytest.raises(UsedAlready) as refused:
        farm.do(withdraw, roots.code, WHY)
    assert refused.value.targets == [starch.code]
    farm.do(withdraw, starch.code, WHY)
    farm.do(withdraw, roots.code, WHY)
    crop = farm.crop("Rau cải")
    with farm.records.session() as session:
        planting = events.read(session, subject=f"lot:{crop.code}")[0].body["nongso:grownFrom"]
    with pytest.raises(UsedAlready):
        farm.do(withdraw, planting.rsplit("/", 1)[-1], WHY)
    agree(farm)


def test_the_declaration_repeats_the_whole_event_and_deletes_nothing(farm: Farm) -> None:
    roots = farm.roots(100)
    farm.do(withdraw, roots.code, WHY)
    with farm.records.session() as session:
        stated, weighed, *declared = events.read(session, subject=f"lot:{roots.code}")
    assert [event.type for event in declared] == ["lot.withdrawn"] * 2
    for original, error in zip((stated, weighed), declared, strict=True):
        body = dict(error.body)
        said = body.pop("errorDeclaration")
        assert body == original.body, "EPCIS: the same event, its eventID too"
        assert said["reason"] == "incorrect_data"
        assert said["nongso:why"] == WHY
        assert said["declarationTime"].startswith("2026-11-21T15:00:00")


def test_the_same_form_is_one_withdrawal(farm: Farm) -> None:
    roots, id_ = farm.roots(100), new_id()
    farm.do(withdraw, roots.code, WHY, id=id_)
    farm.do(withdraw, roots.code, WHY, id=id_)
    with pytest.raises(AlreadyRecorded):
        farm.do(withdraw, roots.code, "khác", id=id_)
    with pytest.raises(Withdrawn):
        farm.do(withdraw, roots.code, WHY)
    with pytest.raises(LotUnknown):
        farm.do(withdraw, farm.roots(1).code, WHY, cooperative="khac")
    with farm.records.session() as session:
        assert len(events.read(session, type=lots.WITHDRAWN, cooperative=COOP)) == 2
    agree(farm)


def test_a_lot_is_either_used_or_withdrawn_however_many_press_at_once(farm: Farm) -> None:
    roots = farm.roots(100)
    wish = ops.Batch("starch", (ops.Take(roots.code, 100_000),), 14_000, TODAY)
    outcomes: list[str] = []

    def clerk(number: int) -> None:
        try:
            if number % 2:
                farm.do(withdraw, roots.code, WHY)
                outcomes.append("withdrawn")
            else:
                farm.do(ops.make_batch, wish)
                outcomes.append("used")
        except (Withdrawn, UsedAlready, NotEnough):
            outcomes.append("refused")

    clerks = [threading.Thread(target=clerk, args=(number,)) for number in range(8)]
    for one in clerks:
        one.start()
    for one in clerks:
        one.join(60)
    assert len(outcomes) == 8
    assert sorted(set(outcomes)) in (["refused", "used"], ["refused", "withdrawn"])
    assert outcomes.count("refused") == 7
    agree(farm)


def test_labels_of_a_withdrawn_lot_are_said_to_be_invalid(site: Site, farm: Farm) -> None:
    lot = farm.packed(10, product=farm.product()).code
    issued = site.send(f"/records/lots/{lot}/labels", count="4").headers["Location"]
    with farm.records.session() as session:
        serial = session.query(LabelCode).first().serial
    page = site.clerk.get(f"/records/lots/{lot}/withdraw").text
    assert "Lô này đã cấp 4 tem" in page
    assert site.send(f"/records/lots/{lot}/withdraw", why=" ").status_code == 422
    assert site.send(f"/records/lots/{lot}/withdraw", why="ghi nhầm số gói").status_code == 303
    for path in (f"/t/{lot}", f"/t/{lot}/{serial}", f"/t?code={serial}"):
        page = site.stranger.get(path).text
        assert "không còn giá trị" in page, path
        assert "Lý do hợp tác xã ghi: ghi nhầm số gói" in page
        assert "Đường đi của lô này" not in page, "what was wrong is not told as if it were so"
    assert lot not in site.stranger.get("/").text
    assert "đã bị hủy ngày" in site.clerk.get(f"/records/lots/{lot}").text
    assert "Không in tem: bản ghi của lô này đã bị hủy." in (
        site.clerk.get(f"/records/lots/{lot}/labels").text
    )
    assert "đã bị hủy" in site.clerk.get(issued).text
    assert site.clerk.get(issued + ".pdf").status_code == 303
    api = f"/api/v1/labels/{issued.rsplit('/', 1)[-1]}.pdf"
    assert site.api(api).status_code == 409
    assert site.api(f"/api/v1/lots/{lot}").json["state"] == "withdrawn"
    with pytest.raises(Withdrawn):
        farm.do(labelling.issue, labelling.Wish(lot, 1), {"text": "x"})
    agree(farm)


def test_the_button_is_there_only_for_the_last_step(site: Site, farm: Farm) -> None:
    roots = farm.roots(8)
    starch = farm.batch("starch", 1, roots)
    assert "Hủy bản ghi" not in site.clerk.get(f"/records/lots/{roots.code}").text
    assert "Hủy bản ghi" in site.clerk.get(f"/records/lots/{starch.code}").text
    answer = site.send(f"/records/lots/{roots.code}/withdraw", why=WHY)
    assert answer.status_code == 422
    assert f"Xin hủy {starch.code} trước." in answer.text
    farm.do(withdraw, starch.code, WHY)
    home = site.clerk.get("/records/").text
    assert "Bản ghi đã hủy" in home
    assert site.fields("/records/batch/starch")[f"take-{roots.code}"] == "8"


def test_what_is_withdrawn_is_not_offered_for_harvest(site: Site, farm: Farm) -> None:
    grower = farm.producer("HTX", "cooperative")
    day = TODAY - datetime.timedelta(days=9)
    planting = farm.do(ops.plant, ops.Planting("tan-binh-1", "Nhà màng", grower, "Rau", day))
    assert planting.code in site.clerk.get("/records/harvest").text
    farm.do(withdraw, planting.code, WHY)
    assert planting.code not in site.clerk.get("/records/harvest").text
