"""Samples close the balance; a failed test holds back the lot and all that was made of it."""

import io

import pytest
from cooperative import TODAY, Farm, days_ago, new_id
from PIL import Image
from platform_site import Site
from selling import account, agree, cartons, holder, ship

from nongso.platform import events
from nongso.platform.traceability.errors import NotEnough
from nongso.platform.traceability.moving import goods as moving
from nongso.platform.traceability.moving.errors import (
    Held,
    NotEnoughPacks,
    NothingMoved,
    TooEarly,
    WhyLifted,
)
from nongso.platform.traceability.moving.goods import Amount
from nongso.platform.traceability.registry.certificate_files import BadPaper
from nongso.platform.traceability.testing import book as testing_book
from nongso.platform.traceability.testing import laboratory as testing


def taking(lot: str, packs: int = 0, grams: int = 0) -> testing.Taking:
    return testing.Taking(lot, packs, grams, "Phòng kiểm nghiệm Lai Châu", TODAY)


def result(lot: str, conformant: bool, what: str = "Chì (Pb)", **more) -> testing.Result:
    value = "0,05" if conformant else "0,41"
    return testing.Result(
        lot, "Phòng kiểm nghiệm", "KQ-1", what, value, "mg/kg", "0,2", conformant, TODAY, **more
    )


def standing(farm: Farm, lot: str) -> str:
    return farm.lot(lot).tested


def test_a_sample_leaves_the_stock_and_the_balance_closes(farm: Farm) -> None:
    lot, noodles = farm.packed(20).code, farm.noodles(10).code
    farm.do(testing.sample, taking(lot, packs=2))
    farm.do(testing.sample, taking(noodles, grams=500))
    assert account(farm, lot) == {"loose": 18, "sampled": 2}
    assert farm.lot(noodles).left_grams == 9_500
    assert farm.lot(noodles).sampled == 500
    with farm.records.session() as session:
        taken = events.read(session, subject=f"lot:{noodles}")[-2:]
    assert [event.body["bizStep"] for event in taken] == ["sampling", "destroying"]
    assert [event.body["action"] for event in taken] == ["OBSERVE", "DELETE"]
    for wish, trouble in (
        (taking(lot, packs=19), NotEnoughPacks),
        (taking(noodles, grams=9_501), NotEnough),
        (taking(noodles, packs=1), NothingMoved),
        (testing.Taking(lot, 1, 0, "P", days_ago(9)), TooEarly),
    ):
        with pytest.raises(trouble):
            farm.do(testing.sample, wish)
    agree(farm)


def test_the_same_form_is_one_sample_and_one_test(farm: Farm) -> None:
    lot, id_ = farm.packed(20).code, new_id()
    farm.do(testing.sample, taking(lot, packs=2), id=id_)
    farm.do(testing.sample, taking(lot, packs=2), id=id_)
    assert account(farm, lot)["sampled"] == 2
    id_ = new_id()
    assert (
        farm.do(testing.record, result(lot, True), id=id_).id
        == farm.do(testing.record, result(lot, True), id=id_).id
    )
    agree(farm)


def test_a_failed_lot_and_what_was_made_of_it_is_held_back(farm: Farm) -> None:
    roots = farm.roots(100)
    starch = farm.batch("starch", 14, roots)
    other = farm.packed(10).code
    farm.do(testing.record, result(roots.code, False))
    assert (standing(farm, roots.code), standing(farm, starch.code)) == ("failed", "failed")
    assert standing(farm, other) == ""
    with pytest.raises(Held):
        ship(farm, holder(farm), Amount(starch.code, grams=1000))
    agree(farm)


def test_a_failed_pack_is_not_put_into_cartons_sold_or_sent(farm: Farm) -> None:
    lot, shop = farm.packed(50).code, holder(farm)
    (box,) = cartons(farm, lot, 10)
    farm.do(testing.record, result(lot, False))
    with pytest.raises(Held) as refused:
        cartons(farm, lot, 10)
    assert refused.value.kind == "failed"
    with pytest.raises(Held):
        ship(farm, shop, cartons=(box,))
    with pytest.raises(Held):
        farm.do(moving.sell, moving.Sale((Amount(lot, 1),), TODAY))
    farm.do(moving.open_carton, moving.Opening(box, TODAY))
    farm.do(testing.sample, taking(lot, packs=1))
    gone = moving.Destruction((Amount(lot, 49),), TODAY, "BB-2", "không đạt")
    farm.do(moving.destroy, gone)
    assert account(farm, lot) == {"sampled": 1, "destroyed": 49}
    agree(farm)


def test_only_a_passed_test_of_the_same_thing_with_a_reason_lets_go(farm: Farm) -> None:
    roots = farm.roots(100)
    starch = farm.batch("starch", 14, roots).code
    farm.do(testing.record, result(roots.code, False))
    farm.do(testing.record, result(roots.code, False, "Asen"))
    farm.do(testing.record, result(roots.code, True, "Thủy ngân"))
    assert standing(farm, starch) == "failed"
    with pytest.raises(WhyLifted):
        farm.do(testing.record, result(roots.code, True))
    farm.do(testing.record, result(roots.code, True, "chì  (PB)", lifted_why="rửa lại"))
    assert standing(farm, starch) == "failed", "arsenic still holds it"
    farm.do(testing.record, result(roots.code, True, "Asen", lifted_why="rửa lại"))
    assert (standing(farm, roots.code), standing(farm, starch)) == ("passed", "")
    agree(farm)


def test_a_test_is_an_inspection_with_its_paper(farm: Farm) -> None:
    lot = farm.packed(10).code
    farm.do(testing.record, result(lot, False, file_sha256="a" * 64, file_name="kq.pdf"))
    with farm.records.session() as session:
        (event,) = events.read(session, type=testing_book.TESTED)
    assert (event.body["bizStep"], event.body["disposition"]) == ("inspecting", "non_conformant")
    paper = event.body["bizTransactionList"][0]
    assert paper["type"] == "testres"
    assert paper["bizTransaction"].endswith("/KQ-1")
    assert event.body["nongso:report"] == {"sha256": "a" * 64, "name": "kq.pdf"}


def test_a_report_is_kept_under_its_digest_and_only_if_it_is_one(tmp_path) -> None:
    data = b"%PDF-1.7 ket qua %%EOF"
    sha256 = testing.keep_report(tmp_path, data)
    assert testing.keep_report(tmp_path, data) == sha256
    assert testing.report_file(tmp_path, sha256).read_bytes() == data
    assert testing.media_type(data) == "application/pdf"
    for bad, code in ((b"<script>", "unknown"), (data + b"/JavaScript", "active")):
        with pytest.raises(BadPaper) as refused:
            testing.keep_report(tmp_path, bad)
        assert refused.value.code == code


def test_a_photo_of_a_report_does_not_say_where_it_was_taken(tmp_path) -> None:
    exif, picture = Image.Exif(), io.BytesIO()
    exif[0x010F] = "Phone"
    exif.get_ifd(0x8825)[2] = (22.0, 22.0, 44.0)
    Image.new("RGB", (60, 40), "white").save(picture, "JPEG", exif=exif)
    sha256 = testing.keep_report(tmp_path, picture.getvalue())
    with Image.open(testing.report_file(tmp_path, sha256)) as kept:
        assert (kept.format, kept.size, dict(kept.getexif())) == ("JPEG", (60, 40), {})


def test_the_laboratory_that_has_the_sample_is_proposed(site: Site) -> None:
    lot = site.farm.noodles(50).code
    assert site.fields(f"/records/lots/{lot}/test")["laboratory"] == ""
    taken = {"amount": "0,5", "laboratory": "Phòng thử Lai Châu"}
    assert site.send(f"/records/lots/{lot}/sample", **taken).status_code == 303
    assert site.fields(f"/records/lots/{lot}/test")["laboratory"] == "Phòng thử Lai Châu"
