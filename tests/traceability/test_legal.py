"""What the law asks to be told: counted, said in one line, and what of it blocks printing."""

import datetime
from pathlib import Path

import pytest
from cooperative import COOP, TODAY, Farm, new_id
from hypothesis import given
from hypothesis import strategies as st
from platform_site import Site
from sqlalchemy import select

from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.labelling.text import texts_of
from nongso.platform.traceability.legal import asked as legal
from nongso.platform.traceability.legal import facts as legal_facts
from nongso.platform.traceability.records import Lot, Product
from nongso.platform.traceability.registry.records import Certificate, CertificateSubject

ALL = dict.fromkeys(legal.FACTS, True)


def circular() -> legal.LegalList:
    return next(one for one in legal.load() if one.key == "circular-02-2024")


def change(farm: Farm, product: str, **values: object) -> None:
    with farm.records.transaction() as session:
        found = session.get_one(Product, product)
        for name, value in values.items():
            setattr(found, name, value)


def checks(farm: Farm, code: str) -> dict[str, legal.Check]:
    with farm.records.session() as session:
        return {c.list.key: c for c in legal_facts.check_lot(session, farm.lot(code))}


def test_the_circular_asks_for_ten_things_and_every_list_says_how_sure_we_are() -> None:
    assert len(circular().items) == 10
    for one in legal.load():
        assert one.source
        assert one.status == "P" or one.doubt, "what was not read says so"


def test_a_list_counts_from_its_first_day_to_its_last(tmp_path: Path) -> None:
    assert circular() not in legal.in_force(datetime.date(2024, 5, 31))
    assert circular() in legal.in_force(datetime.date(2024, 6, 1))
    coming = [one.key for one in legal.to_come(TODAY)]
    assert coming == ["agriculture-2027"]
    assert "agriculture-2027" not in [one.key for one in legal.in_force(TODAY)]
    text = (legal.FOLDER / "circular-02-2024.toml").read_text("utf-8")
    ended = text.replace("in_force =", "until = 2026-10-01\nin_force =")
    (tmp_path / "ended.toml").write_text(ended, "utf-8")
    assert legal.in_force(datetime.date(2026, 10, 1), tmp_path)
    assert not legal.in_force(datetime.date(2026, 10, 2), tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('fact = "photo"', 'fact = "foto"', "no fact called 'foto'"),
        ('blocks = "always"', 'blocks = "sometimes"', "blocks is one of"),
        ('status = "S"', 'status = "X"', "status is P, S or U"),
        ("in_force = 2024-06-01", 'in_force = "2024-06-01"', "a day is written"),
        ('key = "image"', 'key = "name"', "stands there twice"),
        ('vi = "tên sản phẩm", ', "", "a text has vi and en"),
    ],
)
def test_a_list_that_was_miswritten_is_named(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    text = (legal.FOLDER / "circular-02-2024.toml").read_text("utf-8")
    assert old in text
    (tmp_path / "bad.toml").write_text(text.replace(old, new), "utf-8")
    with pytest.raises(legal.LegalDataError, match=says):
        legal.load(tmp_path)


@given(st.fixed_dictionaries(dict.fromkeys(legal.FACTS, st.sampled_from([True, False, None]))))
def test_done_and_missing_are_the_whole_list_whatever_is_there(
    facts: dict[str, bool | None],
) -> None:
    for one in legal.load():
        for compulsory in (False, True):
            found = legal.check(one, facts, compulsory)
            assert found.done + len(found.missing) == found.total <= len(one.items)
            assert all(item in found.missing for item in found.blocking)
            assert found.total == sum(facts[item.fact] is not None for item in one.items)
        calm, strict = (legal.check(one, facts, c).blocking for c in (False, True))
        assert all(item in strict for item in calm)


def test_a_brand_that_nobody_has_is_not_missing() -> None:
    found = legal.check(circular(), {**ALL, "brand": False}, compulsory=True)
    assert (found.done, found.total, found.missing) == (10, 10, ())


def test_what_is_missing_is_said_in_one_line(farm: Farm) -> None:
    lot = farm.packed()
    found = checks(farm, lot.code)["circular-02-2024"]
    assert {item.key for item in found.missing} >= {"image", "standard"}
    assert found.said().startswith(f"{found.done}/10, còn thiếu: hình ảnh sản phẩm, ")
    change(farm, lot.product_id, photo="a" * 64, standard="TCCS 01:2026")
    after = checks(farm, lot.code)["circular-02-2024"]
    assert after.done == found.done + 2
    full = legal.check(circular(), ALL, compulsory=False)
    assert full.said() == "Đủ 10/10."


def test_a_step_that_nobody_can_place_is_missing(farm: Farm) -> None:
    lot = farm.packed()
    assert "stages" not in {i.key for i in checks(farm, lot.code)["circular-02-2024"].missing}
    with farm.records.transaction() as session:
        for one in session.scalars(select(Lot).where(Lot.kind == "starch")):
            one.holder = ""
    found = checks(farm, lot.code)["circular-02-2024"]
    assert "stages" in {item.key for item in found.missing}


def test_a_lot_is_held_against_the_law_of_the_day_it_was_packed(farm: Farm) -> None:
    lot = farm.packed()
    assert set(checks(farm, lot.code)) == {"circular-02-2024", "labelling"}
    with farm.records.session() as session:
        assert legal_facts.check_lot(session, farm.lot(farm.noodles(10).code)) == []


def test_a_declared_standard_counts_while_its_paper_holds(farm: Farm) -> None:
    product = farm.product()

    def missing(day: datetime.date) -> set[str]:
        with farm.records.session() as session:
            found = legal_facts.check_product(session, session.get_one(Product, product), day)
            return {i.key for c in found if c.list.key == "circular-02-2024" for i in c.missing}

    with farm.records.transaction() as session:
        paper = Certificate(
            id=new_id(),
            cooperative=COOP,
            kind="standard",
            number="TCCS 01:2026",
            issuer="HTX",
            since="2026-01-01",
            until="2026-12-31",
            stars=None,
            passed=None,
            note="",
            subjects=[CertificateSubject(what="product", key=product)],
        )
        session.add(paper)
    assert "standard" not in missing(datetime.date(2026, 12, 31))
    assert "standard" in missing(datetime.date(2027, 1, 1))


def test_only_what_the_law_blocks_keeps_labels_from_being_printed(farm: Farm) -> None:
    lot = farm.packed()
    wish = labelling.Wish(lot.code, 2)
    assert farm.do(labelling.issue, wish, texts_of(farm.lot(lot.code))).count == 2
    change(farm, lot.product_id, compulsory=True)
    with pytest.raises(legal_facts.LegallyMissing) as refused:
        farm.do(labelling.issue, wish, texts_of(farm.lot(lot.code)))
    assert {item.fact for item in refused.value.items} >= {"photo", "standard"}
    assert "hình ảnh sản phẩm" in refused.value.sentence()


def test_programs_are_told_what_is_missing_too(site: Site) -> None:
    lot = site.farm.packed()
    found = {one["law"]: one for one in site.api(f"/api/v1/lots/{lot.code}").json["legal"]}
    circular_ = found["circular-02-2024"]
    assert circular_["total"] == 10
    assert {"image", "standard"} <= set(circular_["missing"])
    assert circular_["blocking"] == []
    assert "còn thiếu" in circular_["text"]
    roots = site.farm.roots(100)
    assert site.api(f"/api/v1/lots/{roots.code}").json["legal"] == []


def test_the_clerk_reads_what_is_missing_before_printing(site: Site) -> None:
    lot = site.farm.packed()
    for address in (f"/records/lots/{lot.code}", f"/records/lots/{lot.code}/labels"):
        page = site.clerk.get(address).text
        assert "/10, còn thiếu: hình ảnh sản phẩm" in page
        assert "Chưa đủ mục bắt buộc" not in page
    change(site.farm, lot.product_id, compulsory=True)
    assert "Chưa đủ mục bắt buộc" in site.clerk.get(f"/records/lots/{lot.code}/labels").text
    refused = site.send(f"/records/lots/{lot.code}/labels", count="2")
    assert refused.status_code == 422
    assert "theo luật còn thiếu hình ảnh sản phẩm" in refused.text
