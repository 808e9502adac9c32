"""The demonstration's two lots."""

from cooperative import NOW, Farm
from platform_site import Site, measure

from nongso.platform.traceability import demo, lots
from nongso.platform.traceability.records import LabelIssue, Lot


def test_both_lots_stand_and_laying_down_again_changes_nothing(site: Site, farm: Farm) -> None:
    measure(farm, NOW - 30 * 86400, NOW)
    codes = demo.lay_down(farm.settings, NOW)
    assert demo.lay_down(farm.settings, NOW) == codes
    assert demo.lay_down(farm.settings, NOW + 3 * 86400) == codes, "and days later"
    noodles, vegetables = (site.stranger.get(f"/t/{code}").text for code in codes)
    assert "Củ dong của 6 hộ ở xã Bình Lư, tỉnh Lai Châu" in noodles
    assert "trồng ngoài đồi nên không có số đo của nhà màng" in noodles
    assert "Nhà màng" not in noodles
    assert "Rau cải trồng trong Nhà màng Tân Bình 1" in vegetables
    assert "29 ngày" in vegetables
    assert "mô phỏng" in vegetables
    assert "Không có ngày nào thiếu số đo." in vegetables
    assert all("Lô trình diễn" in page for page in (noodles, vegetables))
    with farm.records.session() as session:
        assert lots.differences(session) == []
        assert session.query(LabelIssue).count() == 2
        packs = session.query(Lot).filter(Lot.packs > 0).all()
        assert {(lot.packs, lot.labels) for lot in packs} == {(180, 24), (90, 24), (16, 0)}
    assert len(list((farm.settings.files_folder / "labels").glob("*.pdf"))) == 2


def test_without_a_greenhouse_the_noodles_still_stand(farm: Farm) -> None:
    (code,) = demo.lay_down(farm.settings)
    assert farm.lot(code).packs == 180


def test_one_lot_failed_a_test_and_is_being_recalled(site: Site, farm: Farm) -> None:
    demo.lay_down(farm.settings, NOW)
    with farm.records.session() as session:
        recalled = session.query(Lot).filter(Lot.recalled_at.is_not(None)).one()
    page = site.stranger.get(f"/t/{recalled.code}").text
    assert "Ngừng sử dụng: lô này đang bị thu hồi" in page
    found = site.api("/api/v1/recalls?state=open").json["recalls"]
    assert [one["lots"] for one in found] == [[recalled.code]]
    there = {one["name"]: one["still_packs"] for one in found[0]["holders"]}
    assert sorted(there.values()) == [3, 3]


def test_the_clerk_is_told_that_practice_lots_go_into_no_file(site: Site, farm: Farm) -> None:
    assert "Chưa có lô hàng nào được đóng gói" in site.clerk.get("/records/bridges").text
    demo.lay_down(farm.settings, NOW)
    page = site.clerk.get("/records/bridges").text
    assert "Chưa có lô hàng nào được đóng gói" not in page
    assert "Mới chỉ có lô trình diễn. Lô trình diễn không có trong tệp nào ở đây." in page
    farm.packed()
    assert "Mới chỉ có lô trình diễn" not in site.clerk.get("/records/bridges").text


def test_the_practice_paper_reads_as_a_sentence(site: Site, farm: Farm) -> None:
    (code, *_others) = demo.lay_down(farm.settings, NOW)
    page = " ".join(site.stranger.get(f"/t/{code}").text.split())
    assert "số 01 (giấy để tập dùng), do hệ thống chạy thử cấp, đến ngày" in page
