"""The clerk's day, played through the pages as a browser without script would."""

import datetime
import io
import re
import time
import uuid

from cooperative import Farm
from platform_site import PASSWORD, Site, measure
from werkzeug.test import TestResponse

from nongso.labels import check, layout
from nongso.platform import people
from nongso.platform.languages import NO_BREAK, day_of
from nongso.platform.traceability import lots
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.records import LabelCode, LabelIssue, Lot, Producer, Product

PAGES = (
    "/records/",
    "/records/intake",
    "/records/planting",
    "/records/harvest",
    "/records/packing",
    "/records/batch/starch",
    "/records/batch/noodles",
    "/records/producers",
    "/records/producers/new",
    "/records/products",
    "/records/products/new",
)


def ago(days: int) -> str:
    return (day_of(time.time()) - datetime.timedelta(days=days)).isoformat()


def said(answer: TestResponse) -> str:
    """What a page says, with plain spaces."""
    return answer.text.replace(NO_BREAK, " ")


def keep_producer(site: Site, code: str, kind: str = "household") -> None:
    answer = site.send(
        "/records/producers/new",
        kind=kind,
        code=code,
        name=f"Hộ {code} bản Tân Bình",
        village="bản Tân Bình",
        commune="xã Bình Lư",
        province="tỉnh Lai Châu",
    )
    assert answer.status_code == 303


def noodles_in_stock(site: Site) -> str:
    for code in ("H01", "H02"):
        keep_producer(site, code)
        with site.farm.records.session() as session:
            producer = session.query(Producer).filter_by(code=code).one().id
        site.made("/records/intake", producer=producer, output="600", lifted=ago(11), day=ago(10))
    starch = site.made("/records/batch/starch", output="168,5", day=ago(6))
    assert site.farm.lot(starch).made_grams == 168_500
    return site.made("/records/batch/noodles", output="92,5", day=ago(2))


def test_from_two_households_to_24_labels(site: Site) -> None:
    noodles_in_stock(site)
    keep_producer(site, "HTX", "cooperative")
    site.send("/records/products/new", name="Miến dong Bình Lư", kind="noodles")
    fields = site.fields("/records/packing")
    assert (fields["packs"], fields["pack_grams"]) == ("185", "500"), "all that is there"
    lot = site.made("/records/packing", packs="180")
    assert site.farm.lot(lot).packs == 180
    assert "Đã ghi vào sổ." in site.clerk.get(f"/records/lots/{lot}?recorded=1").text
    page = site.clerk.get(f"/records/lots/{lot}").text
    assert page.count("Củ dong") == 2, "the tree reaches both households"
    proposed = site.fields(f"/records/lots/{lot}/labels")
    assert (proposed["count"], proposed["start_cell"]) == ("180", "1")
    issued = site.send(f"/records/lots/{lot}/labels", count="24", codes="unit")
    assert issued.status_code == 303
    page = site.clerk.get(issued.headers["Location"]).text
    assert "đọc lại đủ 24 mã" in page
    pdf = site.clerk.get(issued.headers["Location"] + ".pdf")
    assert pdf.content_type == "application/pdf"
    with site.farm.records.session() as session:
        made = session.query(LabelIssue).one()
        addresses = labelling.addresses_of(session, made)
    assert len(set(addresses)) == 24
    assert check.check(pdf.data, addresses, layout.find("a4-3x8"), 1) == 1
    scanned = re.sub("^HTTP://[^/]*", "", addresses[0])
    assert lot in scanned
    assert "Củ dong của 2 hộ" in site.stranger.get(scanned).text
    with site.farm.records.session() as session:
        assert lots.differences(session) == []


def test_the_181st_label_is_refused_with_the_model_sentence(site: Site, farm: Farm) -> None:
    lot = farm.packed(180).code
    issued = site.send(f"/records/lots/{lot}/labels", count="180", start_cell="7", codes="unit")
    assert issued.status_code == 303
    refused = site.send(f"/records/lots/{lot}/labels", count="1")
    assert refused.status_code == 422
    assert (
        "Không in thêm tem: lô này có 180 gói và đã cấp đủ 180 tem. "
        "Muốn in thay tem hỏng, xin nhập số tem hỏng." in refused.text
    )
    with farm.records.session() as session:
        serials = [c.serial for c in session.query(LabelCode).limit(3)]
    fields = site.fields(f"/records/lots/{lot}/labels")
    answer = site.clerk.post(
        f"/records/lots/{lot}/labels/spoiled",
        data={**fields, "names": f"{serials[0].lower()}\n {serials[1]},{serials[2]}"},
    )
    assert answer.status_code == 303
    assert "Đã ghi: tem hỏng." in site.clerk.get(answer.location).text
    assert "Đã ghi" not in site.clerk.get(f"/records/lots/{lot}/labels?recorded=x").text
    assert site.send(f"/records/lots/{lot}/labels", count="3").status_code == 303
    assert site.send(f"/records/lots/{lot}/labels", count="1").status_code == 422
    page = site.stranger.get(f"/t/{lot}/{serials[0]}").text
    assert "Tem này đã được báo hỏng" in page


def test_a_crop_from_planting_to_packs(site: Site, farm: Farm) -> None:
    keep_producer(site, "HTX", "cooperative")
    now = int(time.time())
    measure(farm, now - 29 * 86400, now, without=(now - 12 * 86400, now - 10 * 86400))
    planting = site.made("/records/planting", crop="Rau cải", day=ago(28))
    crop = site.made("/records/harvest", planting=planting, output="46,5")
    site.send(
        "/records/products/new",
        name="Rau cải Tân Bình",
        kind="vegetables",
        crop="rau  cải",
        pack_grams="500",
        shelf_life_days="5",
    )
    lot = site.made("/records/packing", packs="90")
    page = site.stranger.get(f"/t/{lot}").text
    assert "Rau cải trồng trong Nhà màng Tân Bình 1" in page
    assert "29 ngày" in page, "28 days ago and today"
    assert "mô phỏng" in page
    assert "Ngày thiếu số đo" in page
    assert "21,5°C" in page
    assert "do hợp tác xã cân" in page
    assert farm.lot(crop).left_grams == 1_500


def test_a_form_comes_back_with_what_was_typed_and_what_is_wrong(site: Site) -> None:
    keep_producer(site, "H01")
    answer = site.send("/records/intake", output="1.250", lifted=ago(1))
    assert answer.status_code == 422
    assert "1.250 có thể là 1250 kg hoặc 1,25 kg. Xin gõ lại cho rõ." in said(answer)
    assert 'value="1.250"' in answer.text
    assert f'value="{ago(1)}"' in answer.text
    assert 'aria-describedby="output-trouble"' in answer.text
    assert site.send("/records/intake", output="nhiều").status_code == 422
    assert "Ngày này chưa đến" in site.send("/records/intake", output="5", day=ago(-1)).text
    assert (
        "không thể sau ngày cân"
        in site.send("/records/intake", output="5", day=ago(3), lifted=ago(2)).text
    )


def test_pressing_twice_records_once(site: Site, farm: Farm) -> None:
    keep_producer(site, "H01")
    sent = {**site.fields("/records/intake"), "output": "600"}
    first = site.clerk.post("/records/intake", data=sent)
    again = site.clerk.post("/records/intake", data=sent)
    assert first.headers["Location"] == again.headers["Location"]
    changed = site.clerk.post("/records/intake", data={**sent, "output": "700"})
    assert changed.status_code == 422
    assert "đã được lưu trước đó với số khác" in changed.text
    assert sent["id"] not in changed.text, "the form has a new number, to be sent on purpose"
    with farm.records.session() as session:
        assert session.query(Lot).count() == 1


def test_more_than_is_there_is_refused_beside_the_field(site: Site) -> None:
    keep_producer(site, "H01")
    lot = site.made("/records/intake", output="600")
    answer = site.send("/records/batch/starch", **{f"take-{lot}": "601", "output": "80"})
    assert f"Chưa ghi: {lot} chỉ còn 600 kg, không đủ 601 kg." in said(answer)
    answer = site.send("/records/batch/starch", output="601")
    assert "600 kg không thể làm ra 601 kg" in said(answer)


def test_a_gtin_is_checked_and_never_made_up(site: Site, farm: Farm) -> None:
    keep_producer(site, "HTX", "cooperative")
    answer = site.send("/records/products/new", name="Miến", kind="noodles", gtin="9524000059108")
    assert "sai số cuối" in answer.text
    assert (
        site.send(
            "/records/products/new", name="Miến", kind="noodles", gtin="952400005910 9"
        ).status_code
        == 303
    )
    again = site.send("/records/products/new", name="Miến", kind="noodles")
    assert "Đã có sản phẩm mang tên này" in again.text


def test_every_page_opens_on_empty_records_and_only_for_staff(site: Site) -> None:
    headers = {"Authorization": "Bearer " + site.tokens["farmer"]}
    for path in PAGES:
        assert site.clerk.get(path).status_code == 200, path
        assert site.stranger.get(path).status_code == 303, path
        assert site.stranger.get(path, headers=headers).status_code == 403, path


def test_another_cooperatives_lot_and_labels_are_not_found(site: Site, farm: Farm) -> None:
    lot = farm.packed(24).code
    issued = site.send(f"/records/lots/{lot}/labels", count="2").headers["Location"]
    with farm.records.transaction() as session:
        other = people.add_person(session, "khac", "khac", "clerk", "khac", PASSWORD)
        token = people.new_api_token(session, other, "t")
    headers = {"Authorization": "Bearer " + token}
    for path in (f"/records/lots/{lot}", f"/records/lots/{lot}/labels", issued, issued + ".pdf"):
        assert site.stranger.get(path, headers=headers).status_code == 404
    assert site.stranger.get(f"/api/v1/lots/{lot}", headers=headers).status_code == 404
    body = {"count": 1}
    answer = site.stranger.post(f"/api/v1/lots/{lot}/labels", json=body, headers=headers)
    assert answer.status_code == 404
    assert site.stranger.get("/api/v1/lots", headers=headers).json["lots"] == []


def test_the_sheet_is_the_same_file_each_time(site: Site, farm: Farm) -> None:
    lot = farm.packed(24).code
    issued = site.send(f"/records/lots/{lot}/labels").headers["Location"]
    first = site.clerk.get(issued + ".pdf").data
    assert io.BytesIO(first).read(5) == b"%PDF-"
    assert site.clerk.get(issued + ".pdf").data == first


def test_each_refusal_says_what_is_meant(site: Site, farm: Farm) -> None:
    farm.producer("H01")
    answer = site.send("/records/intake", output="1250000")
    assert "Số này lớn quá" in answer.text
    lot = farm.packed(10).code
    labels = f"/records/lots/{lot}/labels"
    answer = site.send(labels, count="mười", start_cell="x")
    assert "Xin ghi một số từ 1 đến 10." in answer.text
    assert "Xin ghi một số từ 1 đến 24." in answer.text
    assert site.send(labels, count="10").status_code == 303
    page = site.clerk.get(labels).text
    assert "Không in thêm tem: lô này có 10 gói và đã cấp đủ 10 tem." in page
    assert 'name="count"' not in page
    answer = site.clerk.post(
        f"/records/lots/{lot}/labels/spoiled", data={**site.fields(labels), "names": " "}
    )
    assert "Chưa ghi: ô này còn trống. Xin nhập số tem hỏng." in answer.text


def test_a_day_that_is_too_early_is_told_with_the_day_before_it(site: Site) -> None:
    keep_producer(site, "H01")
    site.made("/records/intake", output="600", lifted=ago(3), day=ago(2))
    answer = site.send("/records/batch/starch", output="80", day=ago(3))
    day = day_of(time.time()) - datetime.timedelta(days=2)
    assert f"Chưa ghi: ngày này sớm hơn ngày ghi củ dong ({day:%d/%m/%Y})." in answer.text


def test_a_lot_is_found_by_what_stands_on_a_label(site: Site, farm: Farm) -> None:
    lot = farm.packed(3).code
    assert site.send(f"/records/lots/{lot}/labels", count="3").status_code == 303
    with farm.records.session() as session:
        serial = session.query(LabelCode).first().serial
    for typed in (
        lot,
        lot.lower(),
        serial,
        f"{lot[:3]}-{lot[3:]}",
        f"HTTPS://X.VN/T/{lot}/{serial}",
    ):
        answer = site.clerk.get("/records/lots", query_string={"code": typed})
        assert (answer.status_code, answer.location) == (303, f"/records/lots/{lot}"), typed
    answer = site.clerk.get("/records/lots?code=ZZZZZZ")
    assert answer.status_code == 404
    assert "Không có lô hay tem nào mang mã ZZZZZZ trong sổ." in answer.text


def test_nobody_is_chosen_for_the_clerk(site: Site) -> None:
    for code in ("H01", "H02"):
        keep_producer(site, code)
    answer = site.send("/records/intake", producer="", output="600")
    assert answer.status_code == 422
    assert "Xin chọn một dòng." in answer.text


def test_a_link_proposes_what_it_may_and_nothing_else(site: Site, farm: Farm) -> None:
    keep_producer(site, "H01")
    keep_producer(site, "H02")
    with farm.records.session() as session:
        second = session.query(Producer).filter_by(code="H02").one().id
    for query in ("lifted=x", "lifted=2026-11-01&lifted=y", "self=1", "id=1&day=x&nonsense=1"):
        assert site.clerk.get("/records/intake?" + query).status_code == 200
    found = site.fields(f"/records/intake?producer={second}&lifted={ago(3)}&id=1&output=9&day=x")
    assert (found["producer"], found["lifted"]) == (second, ago(3))
    assert (found["output"], found["day"]) == ("", ago(0))
    assert len(found["id"]) == 36


def test_weights_are_taken_as_they_are_written_here(site: Site, farm: Farm) -> None:
    keep_producer(site, "H01")
    lot = site.made("/records/intake", output="1.234,5", day=ago(0))
    assert farm.lot(lot).made_grams == 1_234_500
    assert site.send("/records/intake", output="1.250").status_code == 422


def test_a_number_that_only_begins_well_is_refused(site: Site, farm: Farm) -> None:
    keep_producer(site, "HTX", "cooperative")
    new = {"name": "Miến dong", "kind": "noodles"}
    for days in ("000000365" + "9" * 30, "000000001" + "9" * 5000, "365 ngày", "3651", "0"):
        answer = site.send("/records/products/new", **new, shelf_life_days=days)
        assert answer.status_code == 422, days
        assert "Xin ghi một số từ 1 đến 3.650." in answer.text
    answer = site.send("/records/products/new", **new, shelf_life_days="12,5")
    assert "Xin ghi số không có phần lẻ, từ 1 đến 3.650." in answer.text
    assert site.send("/records/products/new", **new, shelf_life_days="1.095").status_code == 303


def test_a_shelf_life_of_a_million_years_does_not_close_the_packing_page(
    site: Site, farm: Farm
) -> None:
    farm.noodles(50)
    product = farm.product()
    with farm.records.transaction() as session:
        session.get_one(Product, product).shelf_life_days = 2**62
    assert "máy ghi 3.650 ngày sau ngày đóng gói" in site.clerk.get("/records/packing").text
    answer = site.send("/records/packing", packs="10", best_before="9999-12-31")
    assert "Hạn sử dụng muộn nhất là" in answer.text


def test_the_best_before_day_follows_the_packing_day_that_is_chosen(
    site: Site, farm: Farm
) -> None:
    farm.noodles(50)
    farm.product()
    lot = site.made("/records/packing", packs="10", day=ago(2))
    day = day_of(time.time()) - datetime.timedelta(days=2)
    assert farm.lot(lot).best_before == (day + datetime.timedelta(days=365)).isoformat()


def test_a_household_is_only_added_by_the_form_for_new_ones(site: Site) -> None:
    fields = site.fields("/records/producers/new")
    fields |= {"kind": "household", "code": "H09", "name": "Hộ H09", "commune": "xã"}
    fields |= {"province": "tỉnh"}
    for key in ("no-such", "%3Cscript%3E", str(uuid.uuid4())):
        answer = site.clerk.post(f"/records/producers/{key}", data=fields)
        assert answer.status_code == 404
    assert "H09" not in site.clerk.get("/records/producers").text


def test_letters_that_nobody_sees_come_off_and_others_are_asked_about(
    site: Site, farm: Farm
) -> None:
    keep_producer(site, "H01")
    sent = {**site.fields("/records/producers/new"), "kind": "household", "commune": "xã"}
    sent |= {"province": "tỉnh", "code": "H02"}
    pasted = "\ufeffHộ\u200b hai\u00ad".replace("ộ", "o\u0323\u0302")
    assert (
        site.clerk.post("/records/producers/new", data=sent | {"name": pasted}).status_code == 303
    )
    with farm.records.session() as session:
        assert session.query(Producer).filter_by(code="H02").one().name == "Hộ hai"
    for name in ("Hộ\x00ba", "\u202eba ộH", "Hộ \ue000"):
        answer = site.send("/records/producers/new", code="H03", name=name)
        assert "Ô này có ký tự lạ. Xin gõ lại." in answer.text


def test_a_long_list_of_unknown_labels_is_answered_shortly(site: Site, farm: Farm) -> None:
    labels = f"/records/lots/{farm.packed(3).code}/labels"
    assert site.send(labels, count="3").status_code == 303
    spoiled = labels + "/spoiled"
    sent = {**site.fields(labels), "names": "\n".join(f"K{n:08}" for n in range(900))}
    answer = site.clerk.post(spoiled, data=sent)
    assert "K00000004 và 895 số khác." in answer.text
    sent["names"] = "K " * 200_000
    answer = site.clerk.post(spoiled, data=sent)
    assert "Mỗi lần ghi nhiều nhất 1.000 dòng." in answer.text


def test_a_lot_that_is_no_longer_in_stock_is_named(site: Site) -> None:
    keep_producer(site, "H01")
    lot = site.made("/records/intake", output="600")
    answer = site.send("/records/batch/starch", **{f"take-{lot}": "5", "take-ZZZZZZ": "5"})
    assert "Không có lô ZZZZZZ trong sổ của hợp tác xã." in answer.text


def test_a_wrong_number_of_a_spoiled_label_is_told_where_it_was_typed(
    site: Site, farm: Farm
) -> None:
    labels = f"/records/lots/{farm.packed(30).code}/labels"
    assert site.send(labels, count="10").status_code == 303
    sent = {**site.fields(labels), "names": "ABC"}
    answer = site.clerk.post(labels + "/spoiled", data=sent)
    assert answer.status_code == 422
    spoiled, printing = answer.text.split('id="spoiled"')[1].split('name="count"')
    assert "Chưa ghi. Xin xem lại các ô có chữ đỏ." in spoiled
    assert "Chưa ghi." not in printing
    assert printing.startswith(' type="text" value="20"'), "what may still be printed"
    assert ">ABC</textarea>" in spoiled


def test_one_issue_is_proposed_as_large_as_it_can_be(site: Site, farm: Farm) -> None:
    fields = site.fields(f"/records/lots/{farm.packed(6000).code}/labels")
    assert fields["count"] == "5000"


def test_an_empty_book_says_first_what_to_do_first(site: Site) -> None:
    page = site.clerk.get("/records/").text
    first = page.index("Sổ còn trống.")
    assert first < page.index("/records/producers") < page.index("/records/intake")
