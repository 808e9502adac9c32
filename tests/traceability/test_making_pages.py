"""The clerk's pages for making, and the same for programs."""

import datetime
import re
import time

from cooperative import COOP, Farm, new_id
from platform_site import Site

from nongso.platform.languages import day_of
from nongso.platform.traceability import lots
from nongso.platform.traceability.records import Lot
from nongso.platform.traceability.registry.plots import Plot


def ago(days: int) -> str:
    return (day_of(time.time()) - datetime.timedelta(days=days)).isoformat()


def said(text: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", text).replace("\u00a0", " ").split())


def page(site: Site, lot: str) -> str:
    return said(site.clerk.get(f"/records/lots/{lot}").text)


def weigh_in(site: Site, kg: str, **typed: str) -> str:
    site.farm.producer(new_id()[:8])
    return site.made("/records/intake", output=kg, lifted=ago(9), day=ago(8), **typed)


def test_milling_for_a_fee_from_the_scale_to_the_household_and_back(
    site: Site, farm: Farm
) -> None:
    roots = weigh_in(site, "100", purpose="milling")
    assert "Đang ở đâu: hợp tác xã." in page(site, roots)
    weighed = site.clerk.get(f"/records/lots/{roots}?recorded=1").text
    next_one = re.search(r'href="(/records/intake[^"]*)"', weighed)
    assert next_one is not None
    again = site.clerk.get(next_one[1].replace("&amp;", "&")).text
    assert 'value="milling" selected' in again, "the clerk's own choice goes on to the next one"
    form = site.clerk.get("/records/batch/starch").text
    assert "của hộ" in said(form)
    assert f'name="take-{roots}" value=""' in form, "only what is ours is proposed by itself"
    starch = site.made(
        f"/records/batch/starch?lot={roots}", output="14", moisture="14", day=ago(5)
    )
    assert "Vào 100 kg, ra 14 kg: 14%, thường 12–16%." in page(site, starch)
    assert "Độ ẩm đo được: 14%" in page(site, starch)
    fee = site.made(f"/records/lots/{starch}/do/take-over", output="2", terms="fee", day=ago(4))
    assert farm.lot(fee).owner == COOP
    site.made(f"/records/lots/{starch}/do/hand-back", output="12", day=ago(4))
    told = page(site, starch)
    assert "Làm tiếp, tách, đóng gói 2 kg" in told
    assert "Xuất đi, trả lại hộ 12 kg" in told
    assert "Còn lại 0 kg" in told
    (undo,) = re.findall(
        r'href="(/records/lots/\w+/undo/[\w-]+)"', site.clerk.get(f"/records/lots/{starch}").text
    )
    site.made(undo, why="hộ chưa lấy")
    assert farm.lot(starch).left_grams == 12_000
    assert "ghi nhầm?" not in page(site, starch)
    with farm.records.session() as session:
        assert lots.differences(session) == []


def test_whose_the_roots_will_be_is_asked_and_not_taken_from_the_last_household(
    site: Site, farm: Farm
) -> None:
    weigh_in(site, "100", purpose="milling")
    typed = {"producer": farm.producer("H09"), "output": "50", "lifted": ago(9), "day": ago(8)}
    answer = site.send("/records/intake", **typed, purpose="")
    assert answer.status_code == 422
    assert 'value="milling" selected' not in answer.text
    assert "Xin chọn một dòng." in answer.text
    bought = site.made("/records/intake", **typed, purpose="bought")
    assert farm.lot(bought).owner == COOP
    assert "Nơi sản xuất: H09" in page(site, bought)


def test_an_unusual_yield_is_asked_and_the_reason_is_shown(site: Site) -> None:
    roots = weigh_in(site, "996")
    answer = site.send("/records/batch/starch", output="200")
    assert answer.status_code == 422
    assert "Mẻ này làm ra 20,1%, thường là từ 12% đến 16%." in said(answer.text)
    assert 'name="reason"' in answer.text
    assert 'name="reason"' not in site.clerk.get("/records/batch/starch").text, "only when asked"
    starch = site.made("/records/batch/starch", output="200", reason="bột còn ướt")
    assert "Lý do đã ghi: bột còn ướt" in page(site, starch)
    assert roots


def test_more_than_the_land_gives_is_asked_for_its_source(site: Site, farm: Farm) -> None:
    producer = farm.producer("H77")
    with farm.records.transaction() as session:
        session.add(
            Plot(
                id=new_id(),
                cooperative=COOP,
                producer_id=producer,
                code="T1",
                name="Nương",
                crop="dong",
                area="1 sào",
                area_m2=360,
                growing_area_code="",
                since="2024-01-01",
            )
        )
    answer = site.send("/records/intake", output="2500", producer=producer)
    assert "một vụ được nhiều nhất 2.340 kg" in said(answer.text)
    bought = site.made(
        "/records/intake", output="2500", producer=producer, bought_from="chợ Tam Đường"
    )
    assert "Mua ngoài, từ: chợ Tam Đường" in page(site, bought)
    balance = said(site.clerk.get("/records/balance").text)
    assert "trong đó mua ngoài 2.500 kg" in balance
    assert "H77 Hộ H77 0,04 ha 0 kg 1.440 kg" in balance


def test_a_weight_is_corrected_and_the_page_shows_it(site: Site, farm: Farm) -> None:
    roots = weigh_in(site, "100")
    answer = site.send(f"/records/lots/{roots}/do/correct", why="cân lại")
    assert "các số vẫn như cũ" in said(answer.text)
    site.made(f"/records/lots/{roots}/do/correct", output="110,5", day=ago(7), why="ghi nhầm số")
    told = page(site, roots)
    assert "100 kg thành 110,5 kg" in told
    assert "Lý do: ghi nhầm số" in told
    assert farm.lot(roots).left_grams == 110_500
    starch = site.made("/records/batch/starch", output="15,5", day=ago(5))
    answer = site.send(f"/records/lots/{roots}/do/correct", output="110", why="cân lại")
    assert "đã lấy 110,5 kg từ lô này" in said(answer.text)
    typed = {f"take-{roots}": "110", "output": "15,5", "why": "còn nửa cân"}
    site.made(f"/records/lots/{starch}/do/correct", **typed)
    assert farm.lot(roots).left_grams == 500


def test_lots_are_split_merged_lost_and_sent_to_a_mill(site: Site, farm: Farm) -> None:
    one, other = weigh_in(site, "100"), weigh_in(site, "50")
    part = site.made(f"/records/lots/{one}/do/split", output="40")
    merged = site.made(f"/records/merge?lot={part}", **{f"take-{other}": "50"})
    assert farm.lot(merged).made_grams == 90_000
    site.made(f"/records/lots/{merged}/do/loss", output="1,5", cause="spilt", note="đổ bao")
    assert "1,5 kg, rơi vãi (đổ bao)" in page(site, merged)
    mill = farm.producer("MAYXAY", "group")
    site.made(f"/records/lots/{merged}/do/hand-over", to=mill)
    assert "Đang ở đâu: Hộ MAYXAY." in page(site, merged)
    assert "đang ở MAYXAY" in said(site.clerk.get("/records/batch/starch").text)
    site.made(f"/records/lots/{merged}/do/hand-over", to="")
    assert "Đang ở đâu" not in page(site, merged)


def test_what_does_not_fit_a_lot_is_not_offered(site: Site, farm: Farm) -> None:
    roots = weigh_in(site, "100")
    for deed in ("take-over", "hand-back", "nothing"):
        assert site.clerk.get(f"/records/lots/{roots}/do/{deed}").status_code == 404
    packs = farm.packed(10)
    assert site.clerk.get(f"/records/lots/{packs.code}/do/loss").status_code == 404
    assert site.clerk.get(f"/records/lots/{packs.code}/do/correct").status_code == 200
    assert site.clerk.get("/records/balance?chain=none").status_code == 404
    assert site.clerk.get("/records/batch/none").status_code == 404
    assert site.clerk.get("/records/intake?kind=noodles").status_code == 404


def test_plums_tea_honey_rice_herbs_and_oil_have_their_pages(site: Site) -> None:
    site.farm.producer("H01")
    listed = site.clerk.get("/records/chains").text
    for chain in re.findall(r"/records/chains/([\w-]+)", listed):
        work = site.clerk.get(f"/records/chains/{chain}")
        assert "Cân vào" in work.text
        for kind in re.findall(r"/records/intake\?kind=([\w-]+)", work.text):
            more = {"name": "Thảo quả"} if kind == "fresh-herbs" else {}
            site.made(f"/records/intake?kind={kind}", output="50", **more)
        step = re.findall(r"/records/batch/([\w-]+)", work.text)[0]
        site.made(f"/records/batch/{step}", output="7")
    assert "chưa biết thường là bao nhiêu" in said(
        site.clerk.get("/records/balance?chain=tea").text
    )


def test_an_expired_lot_gets_no_labels(site: Site, farm: Farm) -> None:
    packs = farm.packed(10)
    with farm.records.transaction() as session:
        session.get_one(Lot, packs.code).best_before = ago(1)
    shown = site.clerk.get(f"/records/lots/{packs.code}/labels").text
    assert "đã hết hạn sử dụng" in said(shown)
    assert 'name="count"' not in shown
    answer = site.api(f"/api/v1/lots/{packs.code}/labels", {"count": 1})
    assert (answer.status_code, answer.json["code"]) == (409, "expired")


def test_programs_weigh_in_make_batches_and_read_the_balance(site: Site, farm: Farm) -> None:
    producer = farm.producer("H09")
    wish = {
        "producer": producer,
        "grams": 996_000,
        "gathered": ago(9),
        "day": ago(8),
        "purpose": "milling",
        "id": new_id(),
    }
    first, again = (site.api("/api/v1/weigh-ins", wish) for _ in range(2))
    assert first.status_code == 201
    assert first.json["lot"] == again.json["lot"]
    assert (first.json["owner"], first.json["holder"]) == (producer, COOP)
    batch = {
        "step": "starch",
        "inputs": [{"lot": first.json["lot"], "grams": 996_000}],
        "grams": 200_000,
        "day": ago(5),
    }
    asked = site.api("/api/v1/batches", batch)
    assert (asked.status_code, asked.json["code"], asked.json["asks"]) == (
        409,
        "unusual_yield",
        True,
    )
    made = site.api("/api/v1/batches", {**batch, "grams": 139_000})
    assert (made.json["in_kg"], made.json["recipe"]) == (996, "starch")
    balance = site.api("/api/v1/balance").json
    roots = balance["kinds"][0]
    assert (roots["kind"], roots["milled_kg"], roots["passed_on_kg"]) == ("roots", 996, 996)
    assert balance["steps"][0]["percent"] == 13.96
    assert site.api("/api/v1/recipes").json["chains"][0]["steps"][0]["usual"] == {
        "low_percent": 12.0,
        "high_percent": 16.0,
        "batches": 0,
    }
    for wrong in (
        {**wish, "kind": "gold"},
        {**wish, "day": "2030-01-01"},
        {**batch, "step": "no"},
    ):
        path = "/api/v1/batches" if "step" in wrong else "/api/v1/weigh-ins"
        assert site.api(path, {**wrong, "id": new_id()}).status_code in (400, 409)
    assert site.api("/api/v1/balance?chain=x").status_code == 400
    assert site.api("/api/v1/weigh-ins", wish, role="farmer").status_code == 403


def test_three_batches_are_told_but_judge_nobody_yet(site: Site, farm: Farm) -> None:
    """Nothing is in the books about tea: the farm's own eight batches say what is usual."""
    farm.producer("H01")
    page = site.clerk.get("/records/chains/tea").text
    (kind,) = re.findall(r"/records/intake\?kind=([\w-]+)", page)
    step = re.findall(r"/records/batch/([\w-]+)", page)[0]

    def bring() -> str:
        site.made(f"/records/intake?kind={kind}", output="50")
        return said(site.clerk.get(f"/records/batch/{step}").text)

    assert "chưa có mẻ nào để so" in bring()
    for kg in ("11", "12", "10"):
        site.made(f"/records/batch/{step}", output=kg)
        shown = bring()
    assert "mới có 3 mẻ, từ 20% đến 24%; đủ 8 mẻ thì máy tự so" in shown
    for kg in ("11", "11,5", "10,5", "11", "11"):
        site.made(f"/records/batch/{step}", output=kg)
        shown = bring()
    assert "theo 8 mẻ gần đây" in shown
    odd = site.send(f"/records/batch/{step}", output="4")
    assert odd.status_code == 422, "now an odd batch is asked for its reason"


def test_a_clerk_does_not_correct_what_another_has_corrected_meanwhile(
    site: Site, farm: Farm
) -> None:
    roots = weigh_in(site, "100")
    address = f"/records/lots/{roots}/do/correct"
    mine = {**site.fields(address), "output": "110", "why": "cân lại"}
    theirs = {**site.fields(address), "output": "105", "why": "ghi nhầm số"}
    assert site.clerk.post(address, data=theirs).status_code == 303
    refused = site.clerk.post(address, data=mine)
    assert refused.status_code == 422
    assert "trong lúc trang này mở, lô đã được sửa rồi" in said(refused.text)
    assert farm.lot(roots).made_grams == 105_000
    assert site.clerk.post(address, data=theirs).status_code == 303, "the same form again is one"
    shown = re.search(r'name="of" value="([^"]*)"', refused.text)
    assert shown is not None
    assert site.clerk.post(address, data={**mine, "of": shown[1]}).status_code == 303
    assert farm.lot(roots).made_grams == 110_000
