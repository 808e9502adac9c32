"""Oil and honey are sold by volume: millilitres on the pack, grams in the stock."""

import re

import hypothesis.strategies as st
from alembic import command
from cooperative import Farm, days_ago
from hypothesis import given
from platform_site import Site

from nongso.platform import migrations
from nongso.platform.events import Event
from nongso.platform.migrations import _config
from nongso.platform.traceability import lots
from nongso.platform.traceability.bridges import facts
from nongso.platform.traceability.epcis.model import check_event
from nongso.platform.traceability.labelling import text as labeltext
from nongso.platform.traceability.making import operations as ops
from nongso.platform.traceability.making.net import Net
from nongso.platform.traceability.records import Lot, Product

OIL = {"kind": "cinnamon-oil", "name": "Tinh dầu quế", "shelf_life_days": "700"}


def oil_in_stock(site: Site, kg: str = "1,03") -> str:
    household = site.farm.producer("H01")
    site.farm.producer("HTX", "cooperative")
    day = days_ago(3).isoformat()
    leaves = {"producer": household, "output": "200", "lifted": day, "day": day}
    site.made("/records/intake?kind=cinnamon-leaves", **leaves)
    return site.made("/records/batch/cinnamon-oil", output=kg, reason="mẻ thử")


def oil(site: Site, **typed: str) -> Product:
    with site.farm.records.session() as session:
        maker = session.query(ops.Producer).filter_by(code="HTX").one().id
    sent = {"pack_ml": "10", "grams_per_litre": "1030", "producer_id": maker, **typed}
    answer = site.send("/records/products/new", **OIL, **sent)
    assert answer.status_code == 303, re.findall(r'class="error"[^>]*>([^<]*)', answer.text)
    with site.farm.records.session() as session:
        return session.query(Product).filter_by(name=OIL["name"]).one()


def test_a_hundred_bottles_weigh_what_a_litre_weighs(site: Site, farm: Farm) -> None:
    """A bottle of 10 ml is 10 g rounded; a hundred of them still take 1,030 g, not 1,000."""
    oil_in_stock(site)
    product = oil(site)
    assert (product.pack_ml, product.grams_per_litre, product.pack_grams) == (10, 1030, 10)
    fields = site.fields("/records/packing")
    assert (fields["pack_ml"], fields["packs"]) == ("10", "100"), "all that is there"
    assert "pack_grams" not in fields
    refused = site.send("/records/packing", packs="101")
    assert refused.status_code == 422, "101 bottles are more than there is"
    code = site.made("/records/packing", packs="100")
    with farm.records.session() as session:
        lot = session.get_one(Lot, code)
        assert lot.in_grams == 1030
        assert lot.net.mass(lot.packs) == 1030
        assert lots.differences(session) == []
        assert "Gói 10\u00a0ml" in labeltext.texts_of(lot)["text"]
        of_lot = facts.of_lot(session, "https://htx.example", lot, lot.product)
        assert (of_lot["net_kilograms"], of_lot["pack_ml"]) == (1.03, 10)
        (event,) = session.query(Event).filter_by(type=lots.PACKED)
        assert check_event(event.body) == []
        assert event.body["ilmd"]["nongso:netContent"] == {"quantity": 10, "uom": "MLT"}
        assert event.body["ilmd"]["nongso:gramsPerLitre"] == 1030
    for page in (site.stranger.get(f"/t/{code}"), site.clerk.get(f"/records/lots/{code}")):
        assert "gói 10\u00a0ml" in page.text
    assert "100%" in site.clerk.get(f"/records/lots/{code}").text, "nothing was lost on paper"
    told = site.stranger.get(f"/t/{code}", headers={"Accept": "application/ld+json"}).json
    assert told["size"] == {"@type": "QuantitativeValue", "value": 10, "unitCode": "MLT"}
    assert told["weight"]["unitCode"] == "GRM"
    assert site.api(f"/api/v1/lots/{code}").json["pack_ml"] == 10


def test_volume_without_density_is_asked_for_it(site: Site) -> None:
    oil_in_stock(site)
    for typed, field in (
        ({"pack_ml": "10", "grams_per_litre": ""}, "grams_per_litre"),
        ({"pack_ml": "", "grams_per_litre": "1030"}, "pack_ml"),
        ({"pack_ml": "10", "grams_per_litre": "13"}, "grams_per_litre"),
    ):
        answer = site.send("/records/products/new", **OIL, **typed)
        assert answer.status_code == 422
        assert re.search(rf'id="{field}-error"|aria-describedby="[^"]*{field}', answer.text)


def test_what_is_weighed_says_so_in_grams(farm: Farm) -> None:
    code = farm.packed(20).code
    with farm.records.session() as session:
        (event,) = session.query(Event).filter_by(type=lots.PACKED)
        assert event.body["ilmd"]["nongso:netContent"] == {"quantity": 500, "uom": "GRM"}
        assert "Gói 500\u00a0g" in labeltext.texts_of(session.get_one(Lot, code))["text"]


def test_columns_of_volume_come_and_go_with_the_packs_there(farm: Farm) -> None:
    packs = farm.packed(20)
    with farm.records.engine.begin() as connection:
        command.downgrade(_config(connection), "traceability_4@-1")
    migrations.upgrade(farm.settings)
    with farm.records.session() as session:
        assert lots.differences(session) == []
    assert farm.lot(packs.code).net == Net(500)


@given(st.integers(1, 30_000), st.integers(600, 1600), st.integers(0, 10_000_000))
def test_packs_that_are_proposed_never_weigh_more_than_there_is(
    ml: int, density: int, grams: int
) -> None:
    net = Net.volume(ml, density)
    packs = net.packs_in(grams)
    assert net.mass(packs) <= grams
    assert net.mass(packs + 1) >= grams
