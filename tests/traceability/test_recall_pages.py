"""Moving, testing and recalling as a clerk does it in the browser."""

import io
import re

import pytest
from cooperative import Farm
from platform_site import Site
from selling import account, agree, cartons, holder, ship
from sqlalchemy import select

from nongso.platform.traceability.moving.goods import Amount
from nongso.platform.traceability.moving.records import Carton, Holder
from nongso.platform.traceability.recall.records import Rehearsal


def real_packs(farm: Farm, packs: int = 40) -> str:
    """Packs that are not of a day to come: pages go by the machine's clock."""
    return farm.packed(packs).code


def newest(farm: Farm, kind):
    with farm.records.session() as session:
        return session.scalars(select(kind).order_by(kind.__table__.c.id.desc())).first()


def sent(site: Site, address: str, **typed: str):
    answer = site.send(address, **typed)
    assert answer.status_code == 303, re.findall(r'class="error"[^>]*>([^<]*)', answer.text)
    return answer.location


@pytest.fixture
def packed(farm: Farm, site: Site) -> str:
    return real_packs(farm)


def test_a_clerk_keeps_those_who_get_goods(site: Site, farm: Farm) -> None:
    sent(site, "/records/holders/new", name="Siêu thị Lai Châu", contact="0213 111 222")
    page = site.clerk.get("/records/holders").text
    assert "Siêu thị Lai Châu" in page
    with farm.records.session() as session:
        made = session.scalars(select(Holder)).one()
    sent(site, f"/records/holders/{made.id}", name="Siêu thị Bình Lư")
    assert "Siêu thị Bình Lư" in site.clerk.get("/records/holders").text
    again = site.send("/records/holders/new", name="Siêu thị Bình Lư")
    assert again.status_code == 422
    assert "Đã có nơi nhận mang tên này." in again.text


def test_a_prefix_is_gs1s_or_none(site: Site) -> None:
    for wrong in ("12345", "2123456", "893abc1"):
        answer = site.send("/records/cartons/numbers", prefix=wrong)
        assert answer.status_code == 422, wrong
    sent(site, "/records/cartons/numbers", prefix="952 1234")
    assert "9521234" in site.clerk.get("/records/holders").text


def test_from_cartons_to_the_shop_and_back(site: Site, farm: Farm, packed: str) -> None:
    shop = holder(farm)
    assert sent(site, "/records/cartons/new", **{f"n-{packed}": "10", "count": "2"})
    with farm.records.session() as session:
        one, _other = session.scalars(select(Carton.code).order_by(Carton.code))
    assert one in site.clerk.get("/records/cartons").text
    location = sent(
        site, "/records/dispatches/new", holder=shop, **{f"c-{one}": "1", f"n-{packed}": "5"}
    )
    page = site.clerk.get(location).text
    assert "Đã ghi vào sổ" in page
    key = location.split("/")[-1].split("?")[0]
    fields = site.fields(location)
    answer = site.clerk.post(
        f"/records/dispatches/{key}/arrived", data={**fields, f"n-{packed}": "14"}
    )
    assert answer.status_code == 303
    sent(site, f"/records/goods/returned?at={shop}", **{f"n-{packed}": "4"})
    sent(site, f"/records/goods/sold?at={shop}", **{f"n-{packed}": "2"})
    sent(
        site,
        "/records/goods/destroyed",
        **{f"n-{packed}": "1", "document": "BB 1", "why": "rách"},
    )
    found = account(farm, packed)
    assert (found["shipped"], found["sold"], found["lost"], found["destroyed"]) == (8, 2, 1, 1)
    where = site.clerk.get(f"/records/lots/{packed}/where").text
    assert "Cửa hàng chợ Tam Đường" in where
    agree(farm)


def test_a_failed_test_is_written_down_with_its_paper_and_locks_the_lot(
    site: Site, farm: Farm, packed: str
) -> None:
    assert packed in site.stranger.get("/").text
    sent(site, f"/records/lots/{packed}/sample", amount="2", laboratory="Phòng A")
    address = f"/records/lots/{packed}/test"
    typed = {
        "laboratory": "Phòng A", "what": "Chì (Pb)", "value": "0,41", "unit": "mg/kg",
        "limit": "0,2", "result": "non_conformant",
    }  # fmt: skip
    fields = site.fields(address)
    wrong = (io.BytesIO(b"<script>alert(1)</script>"), "phieu.pdf")
    answer = site.clerk.post(address, data={**fields, **typed, "report": wrong})
    assert answer.status_code == 422
    assert "Chỉ nhận tệp PDF" in answer.text
    passed = site.clerk.post(address, data={**fields, **typed, "result": "conformant"})
    assert passed.status_code == 422
    assert "Kết quả 0,41 cao hơn mức cho phép 0,2" in passed.text
    assert "Vì sao vẫn đạt" in passed.text
    good = (io.BytesIO(b"%PDF-1.7 phieu %%EOF"), "C:\\giấy tờ\\phieu.pdf")
    answer = site.clerk.post(address, data={**fields, **typed, "report": good})
    assert answer.status_code == 303
    page = site.clerk.get(f"/records/lots/{packed}/tests").text
    assert "không đạt" in page
    assert "Xem nếu thu hồi lô này" in page
    report = re.search(r"/records/tests/[0-9a-f-]+/report", page)
    assert report is not None
    answer = site.clerk.get(report[0])
    assert (answer.data, answer.content_type) == (b"%PDF-1.7 phieu %%EOF", "application/pdf")
    assert site.clerk.get("/records/tests").text.count(packed) >= 1
    assert site.send(f"/records/lots/{packed}/labels", count="1").status_code == 422
    shopper = site.stranger.get(f"/t/{packed}").text
    assert shopper.index("có kết quả kiểm nghiệm không đạt") < shopper.index("<h1>")
    assert packed not in site.clerk.get("/records/dispatches/new").text
    assert packed not in site.stranger.get("/").text
    told = site.stranger.get(f"/t/{packed}", headers={"Accept": "application/ld+json"}).json
    assert {"@type": "PropertyValue", "name": "failedTest", "value": "true"} in told[
        "additionalProperty"
    ]


def test_a_result_typed_wrongly_is_corrected_on_the_page_and_the_old_one_stands_struck_out(
    site: Site, farm: Farm, packed: str
) -> None:
    typed = {
        "laboratory": "Phòng A", "what": "Chì (Pb)", "value": "0,41", "limit": "0,2",
        "result": "non_conformant",
    }  # fmt: skip
    sent(site, f"/records/lots/{packed}/test", **typed)
    page = site.clerk.get(f"/records/lots/{packed}/tests").text
    address = re.findall(r"/records/tests/[0-9a-f-]+/correct", page)[0]
    form = site.clerk.get(address).text
    assert 'value="0,41"' in form
    right = {**typed, "value": "0,041", "result": "conformant"}
    assert site.send(address, **right).status_code == 422, "a reason is asked for"
    sent(site, address, **right, why="gõ nhầm dấu phẩy")
    page = site.clerk.get(f"/records/lots/{packed}/tests").text
    assert re.search(r"<s><b>Chì \(Pb\): 0,41.*?</s>.*?gõ nhầm dấu phẩy", page, re.DOTALL)
    assert "Chì (Pb): 0,041" in page
    assert "<s>" in site.clerk.get("/records/tests").text
    assert page.count("/correct") == 1, "the old one is not corrected again"
    assert "đã được sửa rồi" in site.send(address, **right, why="lần nữa").text
    shopper = site.stranger.get(f"/t/{packed}").text
    assert "không đạt" not in shopper
    assert "gõ nhầm dấu phẩy" in shopper
    address = re.findall(r"/records/tests/[0-9a-f-]+/correct", page)[0]
    sent(site, address, **typed, why="phiếu của lô khác", do="withdraw")
    assert "Kiểm nghiệm Chì" not in site.stranger.get(f"/t/{packed}").text
    agree(farm)


def test_a_recall_is_looked_at_first_then_confirmed_called_and_ended(
    site: Site, farm: Farm, packed: str
) -> None:
    shop = holder(farm)
    ship(farm, shop, Amount(packed, 15))
    assert "Chọn thu hồi từ đâu" in site.clerk.get("/records/recalls/new").text
    address = f"/records/recalls/new?key={packed}"
    look = site.clerk.get(address).text
    assert "Cửa hàng chợ Tam Đường" in look
    assert "0213 000 000" in look
    location = sent(site, address, why="chì vượt mức", outcome="destroy")
    page = site.clerk.get(location).text
    assert "Còn giữ 15 gói." in page
    key = location.rsplit("/", 1)[-1]
    fields = site.fields(location)
    data = {**fields, "holder": shop, "said": "mai trả"}
    assert site.clerk.post(f"/records/recalls/{key}/called", data=data).status_code == 303
    assert "mai trả" in site.clerk.get(location).text
    notice = site.clerk.get(f"/records/recalls/{key}/notice").text
    assert packed in notice
    assert "Số gói: " in notice
    assert notice.count("☐") == 3
    assert notice.count("☒") == 1
    table = site.clerk.get(f"/records/recalls/{key}/calls.csv")
    assert "Cửa hàng chợ Tam Đường" in table.text
    assert packed in table.text
    assert "0.0" not in table.text
    data = {**fields, "ended_how": "destroy", "ended_why": "đã hủy"}
    answer = site.clerk.post(f"/records/recalls/{key}/end", data=data)
    assert answer.status_code == 422
    assert "chưa ghi tiêu hủy" in answer.text
    data = {**fields, "ended_how": "correct", "ended_why": "dán lại tem"}
    assert site.clerk.post(f"/records/recalls/{key}/end", data=data).status_code == 303
    assert "đã kết thúc" in site.clerk.get(location).text
    agree(farm)


def test_a_recall_that_hits_something_else_by_now_is_shown_again(
    site: Site, farm: Farm, packed: str
) -> None:
    address = f"/records/recalls/new?key={packed}"
    fields = site.fields(address)
    ship(farm, holder(farm), Amount(packed, 1))
    answer = site.clerk.post(address, data={**fields, "why": "mốc"})
    assert answer.status_code == 422
    assert "sổ đã có thay đổi" in answer.text
    fields = site.fields(address)
    assert site.clerk.post(address, data={**fields, "why": "mốc"}).status_code == 303


def test_whoever_scans_a_recalled_pack_reads_that_first(
    site: Site, farm: Farm, packed: str
) -> None:
    before = site.stranger.get(f"/t/{packed}").text
    assert "thu hồi" not in before
    location = sent(site, f"/records/recalls/new?key={packed}", why="chì vượt mức")
    page = site.stranger.get(f"/t/{packed}").text
    banner, title = page.index("Ngừng sử dụng: lô này đang bị thu hồi từ ngày"), page.index("<h1>")
    assert banner < title, "before anything that praises the goods"
    assert "Xin không ăn, giữ nguyên gói" in page
    assert "chì vượt mức" in page
    assert packed not in site.stranger.get("/").text, "nor is it offered among the products"
    key = location.rsplit("/", 1)[-1]
    fields = site.fields(location)
    data = {**fields, "ended_how": "correct", "ended_why": "dán lại tem"}
    assert site.clerk.post(f"/records/recalls/{key}/end", data=data).status_code == 303
    after = site.stranger.get(f"/t/{packed}").text
    assert "Ngừng sử dụng" not in after
    assert "Lỗi đã được khắc phục: dán lại tem" in after


def test_the_yearly_rehearsal_is_timed_and_kept(site: Site, farm: Farm, packed: str) -> None:
    shop, far = holder(farm), holder(farm, "Siêu thị")
    assert "hơn một năm" not in site.clerk.get("/records/recalls").text, "nothing has left yet"
    assert site.send("/records/rehearsals/new").status_code == 422
    ship(farm, shop, Amount(packed, 10))
    ship(farm, far, Amount(packed, 5))
    assert "hơn một năm" in site.clerk.get("/records/recalls").text
    location = sent(site, "/records/rehearsals/new")
    fields = site.fields(location)
    some = {**fields, "sources": "1", "do": "keep"}
    assert site.clerk.post(location, data=some).status_code == 303
    assert site.fields(location)["sources"] == "1"
    missing = {**fields, "sources": "1", "do": "finish"}
    assert site.clerk.post(location, data=missing).status_code == 422
    all_ = {
        **fields, "sources": "1", "in_store": "25", f"h-{shop}": "9", f"x-{far}": "1",
        "do": "finish",
    }  # fmt: skip
    assert site.clerk.post(location, data=all_).status_code == 303
    report = site.clerk.get(location).text
    assert "Tìm được 34 trong 40 gói (85,0%)" in report
    assert "không gọi được" in report
    assert farm.lot(packed).recalled_at is None, "it was only played"
    assert "hơn một năm" not in site.clerk.get("/records/recalls").text
    late = site.clerk.post(location, data={**all_, "in_store": "24"})
    assert late.status_code == 422
    with farm.records.session() as session:
        made = session.scalars(select(Rehearsal)).one()
        assert made.task["in_store"] == 25


def test_the_tree_is_a_drawing_and_a_list(site: Site, farm: Farm, packed: str) -> None:
    page = site.clerk.get(f"/records/lots/{packed}/tree").text
    assert '<svg class="lottree"' in page
    assert page.count("<rect") == 4
    assert "style=" not in page
    root = re.findall(r'class="code">([A-Z0-9]{6})</text>', page)[0]
    forward = site.clerk.get(f"/records/lots/{root}/tree?direction=forward").text
    assert forward.count("<rect") == 4
    assert packed in forward


def test_the_tree_goes_on_in_cartons(site: Site, farm: Farm, packed: str) -> None:
    (box,) = cartons(farm, packed, 6)
    page = site.clerk.get(f"/records/lots/{packed}/tree?direction=forward").text
    assert "Thùng và ghi chép của nơi khác" in page
    assert f"/id/carton/{box}" in page
    assert "6 gói" in page


def test_an_officer_sees_recalls_and_calls_nobody(site: Site, farm: Farm, packed: str) -> None:
    location = sent(site, f"/records/recalls/new?key={packed}", why="mốc")
    key = location.rsplit("/", 1)[-1]
    officer = site.api(f"/records/recalls/{key}", role="officer")
    assert officer.status_code == 200
    assert "Kết thúc đợt thu hồi" not in officer.text
    assert site.api("/records/recalls", role="farmer").status_code == 403
