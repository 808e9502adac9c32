"""Files for systems outside: what is in them, what is not, and that no cell is a formula."""

import csv
import datetime
import io
import json
import uuid
from pathlib import Path

import jsonschema_rs
import pytest
from cooperative import BASE, COOP, Farm, days_ago
from platform_site import Site
from sqlalchemy import select

from nongso.platform.events import Event
from nongso.platform.traceability.bridges import buyers, facts
from nongso.platform.traceability.bridges.columns import BRIDGES, layout
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.making import operations as ops
from nongso.platform.traceability.records import Lot, Producer, Product
from nongso.platform.traceability.registry.plots import Plot

SCHEMA = (
    Path(__file__).parents[3]
    / "shared/vectors/traceability/epcis/schema/epcis-json-schema-2.0.1.json"
)


def table(site: Site, address: str) -> list[dict[str, str]]:
    answer = site.clerk.get(address)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    assert answer.text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(answer.text[1:])))


@pytest.fixture
def lot(farm: Farm, site: Site) -> str:
    code = farm.packed(180, product=farm.product(name="Miến dong Bình Lư")).code
    with farm.records.transaction() as session:
        product = session.get_one(Lot, code).product
        product.brand, product.standard, product.photo = "Bình Lư", "TCCS 01:2026", "ab" * 32
        product.producer.contact = "0912 345 678"
        for household in session.query(Producer).filter_by(kind="household"):
            household.name, household.contact = "Lò Thị Mẫu", "0987 654 321"
            session.add(
                Plot(
                    id=str(uuid.uuid4()),
                    cooperative=COOP,
                    producer_id=household.id,
                    code=f"P-{household.code[:6]}",
                    name="",
                    crop="dong riềng",
                    area="3 sào",
                    area_m2=1080,
                    latitude=22.3,
                    longitude=103.6,
                    public_point=False,
                    growing_area_code="VN-12-0001",
                    since="2026-01-01",
                    until=None,
                )
            )
    return code


def test_the_portals_file_has_the_ten_items_of_the_circular(site: Site, lot: str) -> None:
    (row,) = table(site, "/records/bridges/portal.csv")
    assert [heading.partition(" ")[0] for heading in row] == [f"({n})" for n in range(1, 11)]
    values = list(row.values())
    assert values[0] == "Miến dong Bình Lư"
    assert values[1] == "ab" * 32
    assert values[3] == "bản Tân Bình, xã Bình Lư, tỉnh Lai Châu"
    assert values[6] == f"{BASE}/t/{lot}"
    assert values[7] == f"Bình Lư, lô {lot}"
    assert values[9] == "TCCS 01:2026"
    assert "2026-11-" in values[4]
    assert all(values)


def test_each_stage_says_product_code_place_code_and_time(
    farm: Farm, site: Site, lot: str
) -> None:
    (row,) = site.clerk.get("/records/bridges/portal.json").json["rows"]
    stages = row["stages"]
    assert [stage["products"] for stage in stages][-1] == [lot]
    assert len(stages) >= 4  # lifted, weighed in, starch, noodles, packed
    for stage in stages:
        assert stage["products"]
        datetime.datetime.fromisoformat(stage["time"])
    assert stages[0]["place"].startswith(BASE)


def test_the_ministrys_file_has_growing_areas_and_one_step_back(
    farm: Farm, site: Site, lot: str
) -> None:
    (row,) = site.clerk.get("/records/bridges/agriculture.json").json["rows"]
    assert row["growing_area_codes"] == ["VN-12-0001"]
    assert len(row["one_step_back"]) == 1
    assert row["net_kilograms"] == 90
    assert row["harvested"]


def test_one_lot_alone_can_be_taken_out(farm: Farm, site: Site, lot: str) -> None:
    other = farm.packed(2).code
    assert len(table(site, "/records/bridges/portal.csv")) == 2
    (row,) = site.clerk.get(f"/records/bridges/portal.json?lot={other}").json["rows"]
    assert row["trace_code"].endswith(other)
    assert site.clerk.get("/records/bridges/portal.json?lot=ZZZZZZ").status_code == 404


def test_no_file_names_a_household_or_a_telephone(farm: Farm, site: Site, lot: str) -> None:
    addresses = [f"/records/bridges/{key}.{end}" for key in BRIDGES for end in ("csv", "json")]
    for address in (*addresses, f"/records/lots/{lot}/epcis.jsonld"):
        text = site.clerk.get(address).text
        for secret in ("Lò Thị Mẫu", "0987", "0912", "22.3", "103.6"):
            assert secret not in text, (address, secret)


def test_a_buyers_file_is_valid_epcis_and_ends_at_the_lot(
    farm: Farm, site: Site, lot: str
) -> None:
    farm.do(labelling.issue, labelling.Wish(lot, 2), {"text": "Miến"})  # nothing for a buyer
    answer = site.clerk.get(f"/records/lots/{lot}/epcis.jsonld")
    assert answer.content_type == "application/ld+json"
    found = answer.json
    events = found["epcisBody"]["eventList"]
    assert events[-1]["outputQuantityList"][0]["epcClass"] == f"{BASE}/t/{lot}"
    times = [event["eventTime"] for event in events]
    assert len(times) >= 4
    if not SCHEMA.exists():
        pytest.skip("GS1's schema is not ours to ship; it is not beside this checkout")
    schema = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text()), validate_formats=True)
    schema.validate(found)


def test_a_buyers_file_does_not_tell_what_else_became_of_the_roots(farm: Farm, site: Site) -> None:
    roots = farm.roots(800)
    mine, elsewhere = (
        farm.do(
            ops.make_batch,
            ops.Batch("starch", (ops.Take(roots.code, 400_000),), 56_000, days_ago(5)),
        )
        for _half in range(2)
    )
    noodles = farm.batch("noodles", 55, mine, day=3)
    with farm.records.session() as session:
        now = datetime.datetime.now(datetime.UTC)
        text = json.dumps(buyers.document(session, session.get_one(Lot, noodles.code), now))
    assert mine.code in text
    assert roots.code in text
    assert elsewhere.code not in text
    assert "boughtFrom" not in text


def test_a_buyers_file_keeps_to_itself_from_whom_roots_were_bought(farm: Farm, site: Site) -> None:
    wish = ops.Intake(
        farm.producer(),
        400_000,
        days_ago(11),
        days_ago(10),
        bought_from="Lò Thị Mẫu, chợ Tam Đường",
    )
    roots = farm.do(ops.take_in, wish)
    noodles = farm.batch("noodles", 55, farm.batch("starch", 56, roots), day=3)
    with farm.records.session() as session:
        told = [event.body for event in session.scalars(select(Event))]
        now = datetime.datetime.now(datetime.UTC)
        found = buyers.document(session, session.get_one(Lot, noodles.code), now)
    assert "Lò Thị Mẫu" in json.dumps(told, ensure_ascii=False), "it stands in the records"
    text = json.dumps(found, ensure_ascii=False)
    assert "Lò Thị Mẫu" not in text
    assert '"nongso:stated"' in text, "what a buyer needs stays"


def test_no_cell_becomes_a_formula(farm: Farm, site: Site, lot: str) -> None:
    for evil in ("=1+1", "+84", "-2", "@SUM(A1)", "\t=1"):
        with farm.records.transaction() as session:
            product = session.get_one(Lot, lot).product
            product.brand = product.standard = product.warnings = evil
        for key in BRIDGES:
            for row in table(site, f"/records/bridges/{key}.csv"):
                for cell in row.values():
                    assert not cell.startswith(("=", "+", "-", "@", "\t")), (key, evil, cell)


def test_every_column_has_a_value_to_stand_in_it(farm: Farm, lot: str) -> None:
    with farm.records.session() as session:
        found = session.get_one(Lot, lot)
        assert isinstance(found.product, Product)
        known = set(facts.of_lot(session, BASE, found, found.product))
        shop = set(facts.of_product(session, BASE, found.product, datetime.date(2026, 11, 22)))
    for key in BRIDGES:
        wanted = {column.key for column in layout(key).columns}
        assert wanted <= (shop if key == "market" else known), key


def test_demonstrations_and_withdrawn_lots_stay_here(farm: Farm, site: Site, lot: str) -> None:
    with farm.records.transaction() as session:
        session.get_one(Lot, lot).demonstration = True
    assert table(site, "/records/bridges/portal.csv") == []


def test_the_page_says_that_nothing_is_connected(site: Site, lot: str) -> None:
    page = site.clerk.get("/records/bridges").text
    assert "chưa nối thẳng với hệ thống nào" in page
    assert f"/records/lots/{lot}/epcis.jsonld" in page
    assert "<h1>Tệp cho hệ thống bên ngoài</h1>" in page


def test_the_files_are_for_the_clerk_of_the_cooperative(farm: Farm, site: Site, lot: str) -> None:
    for address in ("/records/bridges", "/records/bridges/portal.csv"):
        assert site.stranger.get(address).status_code in (303, 401)
    with farm.records.transaction() as session:
        found = session.get_one(Lot, lot)
        found.cooperative = "khac"
    assert table(site, "/records/bridges/portal.csv") == []
    assert site.clerk.get(f"/records/lots/{lot}/epcis.jsonld").status_code == 404
