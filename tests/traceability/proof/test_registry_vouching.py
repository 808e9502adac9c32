"""What the registry says is vouched for: who changes it past the program is found out."""

import datetime

import pytest
from cooperative import COOP, NOW, TODAY, Farm, new_id
from platform_site import Site
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from nongso.platform.events import Event
from nongso.platform.traceability.labelling import marks
from nongso.platform.traceability.labelling.records import MarkRight
from nongso.platform.traceability.making.operations import Desk
from nongso.platform.traceability.proof import checking
from nongso.platform.traceability.records import Producer, Product
from nongso.platform.traceability.registry import certificates, vouching
from nongso.platform.traceability.registry.records import Certificate

PAPER = {
    "kind": "ocop", "number": "12/QĐ-UBND", "issuer": "UBND tỉnh Lai Châu", "stars": "3",
    "since": "2026-01-10", "until": "2029-01-09",
}  # fmt: skip


def recorded(site: Site) -> str:
    """A household, a product and its paper, typed by a clerk, and a right to a mark."""
    for address, typed in (
        ("producers", {"code": "H01", "kind": "household", "name": "Hộ 1", "contact": "0912"}),
        ("products", {"name": "Miến dong", "kind": "noodles"}),
    ):
        where = {"village": "bản Tân Bình", "commune": "xã Bình Lư", "province": "tỉnh Lai Châu"}
        answer = site.send(f"/records/{address}/new", **where, **typed)
        assert answer.status_code == 303
    with site.farm.records.session() as session:
        product = session.scalars(select(Product)).one()
        maker = product.producer_id
    sent = {**PAPER, "for": f"product:{product.id}"}
    assert site.send("/records/certificates/new", **sent).status_code == 303
    with site.farm.records.transaction() as session:
        desk = Desk(session, COOP, "clerk", "http://127.0.0.1:8080", NOW)
        mark = marks.write_down(desk, new_id(), "Bình Lư", "4-0001", "UBND xã Bình Lư")
        marks.entitle(desk, new_id(), mark.id, maker, "Giấy 1", TODAY, None)
    return str(product.id)


def found(session: Session) -> list[str]:
    return [one.table for one in vouching.differences(session)]


def test_what_a_clerk_records_is_as_it_was_recorded(site: Site) -> None:
    product = recorded(site)
    with site.farm.records.session() as session:
        assert list(vouching.differences(session)) == []
        assert vouching.without(session) == 0
        assert [str(one) for one in checking.check(session)] == []
    noted = vouching.NOTED
    with site.farm.records.session() as session:
        before = len(session.scalars(select(Event).where(Event.type == noted)).all())
    assert site.send(f"/records/products/{product}").status_code == 303
    with site.farm.records.session() as session:
        after = len(session.scalars(select(Event).where(Event.type == noted)).all())
    assert after == before, "what is saved unchanged needs no word"


@pytest.mark.parametrize(
    ("table", "deed"),
    [
        ("certificate", "UPDATE certificate SET until = '2039-01-09'"),
        ("certificate", "UPDATE certificate_subject SET key = 'another'"),
        ("certificate", "DELETE FROM certificate_subject"),
        ("producer", "UPDATE producer SET contact = '0999'"),
        ("product", "UPDATE product SET name = 'Miến dong loại 1'"),
        ("collective_mark", "UPDATE collective_mark SET number = '4-0002'"),
        ("mark_right", "UPDATE mark_right SET since = '2020-01-01'"),
        ("mark_right", "DELETE FROM mark_right"),
    ],
)
def test_a_row_that_was_changed_past_the_program_is_told(
    site: Site, table: str, deed: str
) -> None:
    recorded(site)
    with site.farm.records.transaction() as session:
        session.execute(text(deed))
    with site.farm.records.session() as session:
        assert found(session) == [table]
        assert table in {one.table for one in checking.check(session)}


def test_a_paper_that_was_changed_past_the_program_is_no_claim_until_it_is_saved(
    site: Site,
) -> None:
    key = recorded(site)
    day = datetime.date(2035, 1, 1)
    with site.farm.records.transaction() as session:
        product = session.get_one(Product, key)
        assert len(certificates.claims(session, product, TODAY)) == 1
        session.execute(text("UPDATE certificate SET until = '2039-01-09'"))
        session.expire_all()
        assert certificates.claims(session, product, day) == []
        paper = session.scalars(select(Certificate.id)).one()
    told = "Giấy này đã bị sửa ngoài phần mềm"
    assert told in site.clerk.get("/records/certificates").text
    assert site.send(f"/records/certificates/{paper}", until="2028-01-09").status_code == 303
    with site.farm.records.session() as session:
        assert len(certificates.claims(session, session.get_one(Product, key), TODAY)) == 1
        assert found(session) == []
    assert told not in site.clerk.get("/records/certificates").text


def test_a_paper_that_was_taken_out_does_not_come_back(site: Site) -> None:
    recorded(site)
    with site.farm.records.session() as session:
        paper = session.scalars(select(Certificate)).one()
        kept = {one.name: getattr(paper, one.name) for one in Certificate.__table__.columns}
    sent = site.fields(f"/records/certificates/{paper.id}")
    answer = site.clerk.post(f"/records/certificates/{paper.id}/remove", data=sent)
    assert answer.status_code == 303
    with site.farm.records.transaction() as session:
        assert found(session) == []
        session.add(Certificate(**kept))
    with site.farm.records.session() as session:
        assert found(session) == ["certificate"]


def test_a_former_name_that_was_changed_is_told(site: Site) -> None:
    recorded(site)
    with site.farm.records.session() as session:
        key = session.scalars(select(Producer.id)).one()
    changed = {"name": "Hộ Một", "change": "changed", "changed_on": "2026-11-01"}
    assert site.send(f"/records/producers/{key}", **changed).status_code == 303
    with site.farm.records.transaction() as session:
        assert found(session) == []
        session.execute(text("UPDATE registry_past SET name = 'Hộ khác'"))
    with site.farm.records.session() as session:
        assert found(session) == ["producer"]


def test_columns_of_later_versions_and_rows_of_before_are_no_difference(farm: Farm) -> None:
    farm.product()
    with farm.records.transaction() as session:
        assert list(vouching.differences(session)) == []
        assert vouching.without(session) == 2, "the product and its maker"
        product = session.scalars(select(Product)).one()
        vouching.note(session, product, "clerk", NOW)
        assert vouching.without(session) == 1
        (event,) = session.scalars(select(Event).where(Event.type == vouching.NOTED))
        assert "name" in event.body["nongso:fields"]
        assert list(session.scalars(select(MarkRight))) == []


def test_nothing_of_a_row_is_in_the_public_log(site: Site) -> None:
    recorded(site)
    with site.farm.records.session() as session:
        entries = session.execute(text("SELECT entry FROM log_entry WHERE kind = 'event'")).all()
        events = session.scalars(select(Event).where(Event.type == vouching.NOTED)).all()
    told = b"\n".join(bytes(one) for (one,) in entries)
    assert len(events) == 5
    for event in events:
        assert event.body["nongso:sha256"].encode() not in told
        assert event.body["nongso:key"].encode() not in told
