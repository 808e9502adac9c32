"""The resolver, statement by statement of GS1's conformance list, and names that come later.

The numbered list is ``resolver/conformance-1.2.txt`` of the test vectors; each SHALL of it has a
test here that says so in its first words.
"""

import importlib.util
import json
import random
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import jsonschema_rs
import pytest
from alembic import command
from cooperative import BASE, COOP, NOW, Farm, open_farm
from hypothesis import given, settings
from hypothesis import strategies as st
from platform_site import Site, open_site
from sqlalchemy import select
from werkzeug.test import TestResponse

from nongso.platform import events, migrations
from nongso.platform.app import create_app
from nongso.platform.traceability.epcis.model import check_document
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.records import LabelCode, Lot, Product
from nongso.platform.traceability.resolver import names, offers
from nongso.platform.traceability.resolver.answers import with_query
from nongso.platform.traceability.resolver.link_types import VOCABULARY
from nongso.platform.traceability.resolver.records import ProductLink

BENCH = Path(__file__).parents[2] / "bench" / "addresses.py"
VECTORS = Path(__file__).parents[3] / "shared/vectors/traceability/resolver"
GTIN, LATER = "09524000059109", "00614141000036"
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
LINKSET = {"Accept": "application/linkset+json"}


def add_link(farm: Farm, product: str, kind: str, address: str, language: str = "") -> None:
    with farm.records.transaction() as session:
        session.add(
            ProductLink(
                id=str(uuid.uuid4()),
                cooperative=COOP,
                product_id=product,
                kind=kind,
                title=f"{kind} {language}",
                address=address,
                language=language,
                media="text/html",
                added_at=NOW,
                added_by="clerk",
                ended_at=None,
                ended_by=None,
            )
        )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Noodles with a GTIN, a packed lot with labels, and links that a clerk added."""
    farm = open_farm(tmp_path_factory.mktemp("shop"))
    site = open_site(farm)
    product = farm.product(name="Miến dong Bình Lư", gtin=GTIN)
    lot = farm.packed(20, product=product).code
    farm.do(labelling.issue, labelling.Wish(lot, 2), {"text": "Miến"})
    with farm.records.session() as session:
        serial = session.scalars(select(LabelCode.serial)).first()
    add_link(farm, product, "recipeInfo", "https://htx.example/nau?x=1#a", "vi")
    add_link(farm, product, "recipeInfo", "https://htx.example/cook", "en")
    add_link(farm, product, "certificationInfo", "https://htx.example/giay")
    add_link(farm, product, "hasRetailers", "https://a.example/", "vi")
    add_link(farm, product, "hasRetailers", "https://b.example/", "vi")
    yield SimpleNamespace(
        farm=farm,
        site=site,
        who=site.stranger,
        product=product,
        lot=lot,
        serial=serial,
        address=f"/01/{GTIN}/10/{lot}",
    )
    app = site.clerk.application
    app.extensions["nongso.records"].close()
    app.extensions["nongso.telemetry"].close()
    farm.records.close()


def ask(shop: Any, path: str, **headers: str) -> TestResponse:
    return shop.who.get(path, headers={k.replace("_", "-"): v for k, v in headers.items()})


def test_shall_answer_get_head_and_options(shop: Any) -> None:
    got = ask(shop, shop.address)
    assert got.status_code == 200
    head = shop.who.head(shop.address)
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Link"] == got.headers["Link"]
    may = shop.who.options(shop.address)
    assert may.status_code in (200, 204)
    assert {"GET", "HEAD", "OPTIONS"} <= set(may.headers["Allow"].split(", "))


def test_shall_be_reached_over_tls_whose_addresses_then_say_https(tmp_path: Path) -> None:
    farm = open_farm(tmp_path)
    code = farm.packed(2).code
    secure = type(farm.settings)(
        **{
            **{name: getattr(farm.settings, name) for name in ("folder", "secret")},
            "url": "https://lo.example",
            "label_url": "https://lo.example",
        }
    )
    app = create_app(secure)
    answer = app.test_client().get(f"/t/{code}?linkType=linkset")
    assert "max-age" in answer.headers["Strict-Transport-Security"]
    assert {c["anchor"][:19] for c in answer.json["linkset"]} == {"https://lo.example/"}
    app.extensions["nongso.records"].close()
    app.extensions["nongso.telemetry"].close()
    farm.records.close()


def test_shall_support_cors(shop: Any) -> None:
    for path in (shop.address, f"/t/{shop.lot}", f"/01/{GTIN}", "/01/1", f"/01/{LATER}"):
        for answer in (ask(shop, path, Origin="https://a.example"), shop.who.options(path)):
            assert answer.headers["Access-Control-Allow-Origin"] == "*", path
    may = shop.who.options(shop.address)
    assert may.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
    assert "Link" in ask(shop, shop.address).headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize(
    "path",
    [
        "/01/09524000059108/10/K7M4PQ",
        "/01/abc",
        "/01/",
        "/01",
        f"/01/{GTIN}/10",
        f"/01/{GTIN}/10/a%20b",
        f"/01/{GTIN}/10/m%E1%BA%BB",
        f"/01/{GTIN}/21/A/10/B",
        f"/01/{GTIN}/10/{'A' * 21}",
        f"/01/{GTIN}?17=271131",
        f"/01/{GTIN}?88=1",
        f"/01/{GTIN}?10=K7M4PQ",
        f"/01/{GTIN}?17=271100&17=271100",
        "/00/123",
        "/414/9521234567890",
        "/8004/x",
    ],
)
def test_shall_refuse_a_malformed_address_with_400(shop: Any, path: str) -> None:
    page = shop.who.get(path, headers=BROWSER)
    assert page.status_code == 400, path
    assert "Mã này viết không đúng" in page.text
    assert page.headers["Cache-Control"] == "no-store"
    told = ask(shop, path, Accept="application/json")
    assert (told.status_code, told.content_type) == (400, "application/problem+json")
    assert told.json["code"]


@pytest.mark.parametrize(
    "path",
    [
        f"/01/{LATER}",
        f"/01/{LATER}/10/K7M4PQ",
        f"/01/{GTIN}/10/ZZZZZZ",
        f"/01/{GTIN}/21/ABCDEFGHJ",
        f"/01/{GTIN}/235/TPX",
        "/00/095212345678900016",
        "/414/9521234567899",
        "/417/9521234567899",
        "/8004/9521CAN",
        "/p/nothing",
        "/t/ZZZZZZ",
    ],
)
def test_shall_not_say_200_for_what_is_not_there(shop: Any, path: str) -> None:
    for accept in ("text/html", "application/json", "application/linkset+json", "*/*"):
        assert ask(shop, path, Accept=accept).status_code == 404, (path, accept)
        assert ask(shop, f"{path}?linkType=all", Accept=accept).status_code == 404


def test_shall_list_links_of_this_level_and_the_levels_above(shop: Any) -> None:
    for question, accept in (("?linkType=all", "*/*"), ("?linkType=linkset", "text/html")):
        answer = ask(shop, shop.address + question, Accept=accept)
        assert (answer.status_code, answer.content_type) == (200, "application/linkset+json")
        assert [c["anchor"] for c in answer.json["linkset"]] == [
            f"{BASE}/01/{GTIN}/10/{shop.lot}",
            f"{BASE}/01/{GTIN}",
            f"{BASE}/t/{shop.lot}",
            f"{BASE}/p/{shop.product}",
        ]
    pack = shop.who.get(f"{shop.address}/21/{shop.serial}", headers=LINKSET)
    assert pack.status_code == 200
    assert [c["anchor"] for c in pack.json["linkset"]][:3] == [
        f"{BASE}/01/{GTIN}/10/{shop.lot}/21/{shop.serial}",
        f"{BASE}/01/{GTIN}/10/{shop.lot}",
        f"{BASE}/01/{GTIN}",
    ]
    assert pack.headers["Cache-Control"] == "no-store"


def test_shall_decompress_and_name_the_uncompressed_address(shop: Any) -> None:
    """The product's address as GS1's prototype compresses it, whole or behind its key."""
    answer = ask(shop, "/ARFS9Ufdyg", **LINKSET)
    assert answer.status_code == 200
    assert answer.json["linkset"][0]["anchor"] == f"{BASE}/01/{GTIN}"
    assert f'<{BASE}/01/{GTIN}>; rel="owl:sameAs"' in answer.headers["Link"]
    assert shop.who.get("/ARFS9Ufdyg", headers=BROWSER).status_code == 200
    lot_unknown = shop.who.get(f"/01/{GTIN}/EGYrszg9A", headers=BROWSER)  # (10)K7M4PQ
    assert lot_unknown.status_code == 404
    assert f'<{BASE}/01/{GTIN}/10/K7M4PQ>; rel="owl:sameAs"' in lot_unknown.headers["Link"]
    for path in ("/ARFS9Ufdyh", "/no-such-page-here", "/AAAAAAAAAAAA"):
        assert shop.who.get(path).status_code == 404, path


def test_should_show_the_linkset_in_a_header_even_when_redirecting(shop: Any) -> None:
    for question in ("", "?linkType=certificationInfo", "?linkType=all", "?linkType=nothing"):
        answer = ask(shop, shop.address + question)
        wanted = f'<{BASE}{shop.address}?linkType=linkset>; rel="linkset"'
        assert wanted in answer.headers["Link"], question
    assert "json-ld#context" in ask(shop, shop.address, **LINKSET).headers["Link"]


def test_shall_have_exactly_one_default_link_that_is_described_too(shop: Any) -> None:
    for context in ask(shop, shop.address, **LINKSET).json["linkset"]:
        (default,) = context[VOCABULARY + "defaultLink"]
        assert set(default) == {"href", "title"}
        assert default["href"] in [link["href"] for link in context[VOCABULARY + "pip"]]


def test_all_links_shall_have_target_type_and_title(shop: Any) -> None:
    for context in ask(shop, shop.address, **LINKSET).json["linkset"]:
        for kind in set(context) - {"anchor", "itemDescription"}:
            for link in context[kind]:
                assert link["href"].startswith("http")
                assert link["title"]
        assert all(
            link["type"] and ("hreflang" in link or link["type"] != "text/html")
            for link in context[VOCABULARY + "pip"]
        )


def test_shall_go_to_the_default_link_unless_something_else_fits_better(shop: Any) -> None:
    """The default is the page at the very address: shown at once, never a redirect away."""
    page = shop.who.get(shop.address, headers=BROWSER)
    assert page.status_code == 200
    assert "Đường đi của lô này" in page.text
    assert shop.who.get(shop.address + "?linkType=gs1:defaultLink").text == page.text
    assert ask(shop, shop.address, Accept="application/ld+json").json["@type"] == "Product"
    assert ask(shop, shop.address, Accept="application/json").json["linkset"]


def test_shall_redirect_to_the_asked_link_type_however_it_is_written(shop: Any) -> None:
    for kind in (
        "certificationInfo",
        "gs1:certificationInfo",
        quote("https://ref.gs1.org/voc/certificationInfo", safe=""),
        "https://gs1.org/voc/certificationInfo",
    ):
        answer = ask(shop, f"{shop.address}?linkType={kind}")
        assert answer.status_code == 307, kind
        assert answer.headers["Location"] == f"https://htx.example/giay?linkType={kind}"
    for kind in ("pip", "traceability", "recallStatus"):
        here = ask(shop, f"{shop.address}?linkType=gs1:{kind}")
        assert (here.status_code, here.content_type) == (200, "text/html; charset=utf-8")
    data = ask(shop, f"{shop.address}?linkType=masterData")
    assert data.content_type == "application/ld+json"


def test_shall_answer_404_where_the_asked_link_type_is_missing(shop: Any) -> None:
    for kind in ("dpp", "gs1:jws", "nothing", "linkset/x"):
        answer = ask(shop, f"{shop.address}?linkType={kind}")
        assert answer.status_code == 404, kind
        assert "Mở trang của sản phẩm" in answer.text
        told = ask(shop, f"{shop.address}?linkType={kind}", Accept="application/json")
        assert told.json["code"] == "no_such_link"


def test_several_links_that_fit_equally_are_said_with_300(shop: Any) -> None:
    page = shop.who.get(shop.address + "?linkType=hasRetailers", headers=BROWSER)
    assert page.status_code == 300
    assert "https://a.example/" in page.text
    assert "https://b.example/" in page.text
    told = ask(shop, shop.address + "?linkType=hasRetailers", Accept="application/json")
    assert told.status_code == 300
    assert len(told.json["linkset"][0][VOCABULARY + "hasRetailers"]) == 2


def test_the_language_of_the_asker_decides_between_links(shop: Any) -> None:
    for wish, place in (
        ("vi", "nau"),
        ("vi-VN,vi;q=0.9,en;q=0.8", "nau"),
        ("en-GB", "cook"),
        ("fr;q=0.9,en;q=0.1", "cook"),
    ):
        answer = ask(shop, f"{shop.address}?linkType=recipeInfo", Accept_Language=wish)
        assert answer.status_code == 307
        assert answer.headers["Location"].startswith(f"https://htx.example/{place}"), wish
        assert answer.headers["Vary"] == "Accept, Accept-Language"
    assert ask(shop, f"{shop.address}?linkType=recipeInfo").status_code == 300


def test_shall_pass_on_the_question_when_redirecting(shop: Any) -> None:
    answer = ask(
        shop, f"{shop.address}?linkType=recipeInfo&17=271100&utm_source=zalo", Accept_Language="vi"
    )
    assert answer.headers["Location"] == (
        "https://htx.example/nau?x=1&linkType=recipeInfo&17=271100&utm_source=zalo#a"
    )
    assert with_query("https://a.example/", "x=%0d%0aSet-Cookie:y") == (
        "https://a.example/?x=%0d%0aSet-Cookie:y"
    )
    assert "\r" not in with_query("https://a.example/", "x=\r\ny")


def test_the_events_of_a_lot_are_found_where_the_linkset_says(shop: Any) -> None:
    """EPCIS knows no ``linkType``: a link that says so gets no question handed on (fwqs)."""
    answer = ask(shop, f"{shop.address}?linkType=epcis")
    assert answer.status_code == 307
    place = answer.headers["Location"].removeprefix(BASE)
    assert place == f"/epcis/events?MATCH_anyEPCClass={BASE}/t/{shop.lot}"
    found = shop.site.api(place)
    assert found.status_code == 200, found.text
    assert shop.lot in found.text
    context = ask(shop, shop.address, **LINKSET).json["linkset"][0]
    assert context[f"{VOCABULARY}epcis"][0]["fwqs"] is False


def test_shall_have_a_description_file(shop: Any) -> None:
    answer = ask(shop, "/.well-known/gs1resolver")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.json["resolverRoot"] == BASE
    assert answer.json["supportedPrimaryKeys"] == ["01"]


def test_shall_know_gs1s_vocabulary_and_double_none_of_its_types(shop: Any) -> None:
    known = ask(shop, "/.well-known/gs1resolver").json["supportedLinkType"]
    assert {"namespace": "https://ref.gs1.org/voc/", "prefix": "gs1:"} in known
    for context in ask(shop, shop.address, **LINKSET).json["linkset"]:
        foreign = [
            kind
            for kind in set(context) - {"anchor", "itemDescription"}
            if not kind.startswith(VOCABULARY)
        ]
        assert set(foreign) <= {"https://schema.org/sameAs"}  # GS1 has no link type for it


def test_nothing_is_handed_on_by_prefix_alone_so_handled_by_is_never_said(shop: Any) -> None:
    """SHALL annotate redirections by company prefix with gs1:handledBy: we make none."""
    assert ask(shop, f"/01/{LATER}").status_code == 404
    assert "handledBy" not in ask(shop, shop.address, **LINKSET).text


def test_should_forgive_a_slash_at_the_end(shop: Any) -> None:
    for path in (shop.address, f"/01/{GTIN}", f"/t/{shop.lot}", f"/p/{shop.product}"):
        assert shop.who.get(f"{path}/", follow_redirects=True).status_code == 200, path


def test_all_qualifiers_of_a_product_are_understood(shop: Any) -> None:
    for path in (
        f"/01/{GTIN}/22/A/10/{shop.lot}",
        f"/01/{GTIN}/22/A",
        f"/01/{GTIN}/21/{shop.serial}",
        f"/01/{GTIN}/22/A/10/{shop.lot}/21/{shop.serial}?17=271100",
        f"/01/{GTIN[1:]}/10/{shop.lot}",
    ):
        assert shop.who.get(path, headers=BROWSER).status_code == 200, path


def test_linksets_have_the_shape_that_gs1_publishes(shop: Any) -> None:
    if not VECTORS.exists():
        pytest.skip("GS1's linkset schema is not ours to ship; it is not beside this checkout")
    schema = jsonschema_rs.validator_for(
        json.loads((VECTORS / "gs1-linkset-schema.json").read_text())
    )
    for file, fits in (
        ("linkset-valid-gs1-example.json", True),
        ("model-linkset.json", True),
        ("linkset-invalid-gs1-example.json", False),
    ):
        assert schema.is_valid(json.loads((VECTORS / file).read_text())) == fits
    for path in (
        shop.address,
        f"{shop.address}/21/{shop.serial}",
        f"/01/{GTIN}",
        f"/t/{shop.lot}",
        f"/t/{shop.lot}/{shop.serial}",
        f"/p/{shop.product}",
    ):
        schema.validate(ask(shop, path, **LINKSET).json)
    schema.validate(ask(shop, shop.address + "?linkType=hasRetailers", **LINKSET).json)


def test_gs1s_multilingual_example_is_chosen_from_as_written() -> None:
    file = VECTORS / "resolver-ce-entry-multilingual.json"
    if not file.exists():
        pytest.skip("GS1's example is not ours to ship; it is not beside this checkout")
    entry = json.loads(file.read_text(encoding="utf-8"))
    found = tuple(
        offers.Offer(
            link["linktype"].removeprefix("gs1:"),
            link["href"],
            link["title"],
            link["type"],
            tuple(link["hreflang"]),
        )
        for link in entry["links"]
    )
    level = offers.Level(entry["anchor"], entry["itemDescription"], found[0], found)
    for tag in ("vi", "es", "ja"):
        (chosen,) = offers.choose([level], "pip", [(tag, 1.0)], [("text/html", 1.0)])
        assert tag in chosen.languages
        assert f"index.html.{tag}" in chosen.address
    assert offers.choose([level], "epcis", [("vi", 1.0)], []) == []


def test_data_for_machines_stands_at_the_same_address(shop: Any) -> None:
    found = ask(shop, f"{shop.address}/21/{shop.serial}", Accept="application/ld+json").json
    assert found["gtin14"] == GTIN
    assert found["serialNumber"] == shop.serial
    assert found["@id"] == f"{BASE}{shop.address}/21/{shop.serial}"
    assert found["sameAs"] == [f"{BASE}/t/{shop.lot}/{shop.serial}"]
    assert found["weight"]["value"] == 500


def test_machines_are_told_of_a_recall(farm: Farm, site: Site) -> None:
    product = farm.product(name="Miến dong")
    code = farm.packed(2, product=product).code
    status = f"{VOCABULARY}recallStatus"
    before = site.stranger.get(f"/t/{code}", headers=LINKSET).json["linkset"][0]
    assert before[status][0]["title"] == f"Lô {code} không bị thu hồi"
    assert code in site.stranger.get(f"/p/{product}").text
    with farm.records.transaction() as session:
        session.get_one(Lot, code).recalled_at = NOW
        session.get_one(Lot, code).demonstration = True
    after = site.stranger.get(f"/t/{code}", headers=LINKSET).json["linkset"][0]
    assert after[status][0]["title"] == f"Lô {code} đang bị thu hồi"
    data = site.stranger.get(f"/t/{code}", headers={"Accept": "application/ld+json"}).json
    told = {one["name"]: one["value"] for one in data["additionalProperty"]}
    assert told["recalled"] == "2026-11-21"
    assert told["demonstration"] == "true"
    assert code not in site.stranger.get(f"/p/{product}").text


def test_a_products_page_lists_its_lots_and_links(shop: Any) -> None:
    page = shop.who.get(f"/01/{GTIN}", headers=BROWSER).text
    assert f"/t/{shop.lot}" in page
    assert "https://htx.example/cook" in page
    assert "<script" not in page


def test_old_labels_keep_working_when_a_gtin_comes_later(farm: Farm, site: Site) -> None:
    """Printed with our own addresses first; the number comes; printed with it; it changes."""
    product = farm.product(name="Miến dong")
    lot = farm.packed(10, product=product).code
    farm.do(labelling.issue, labelling.Wish(lot, 1), {"text": "Miến"})
    with farm.records.session() as session:
        (old,) = session.scalars(select(LabelCode.serial))
        before = [(e.id, e.body) for e in session.scalars(select(events.Event))]
    own = f"/t/{lot}/{old}"
    assert site.stranger.get(own).status_code == 200
    assert site.stranger.get(f"/01/{GTIN}/10/{lot}/21/{old}").status_code == 404

    edit = f"/records/products/{product}"
    assert site.send(edit, gtin=GTIN).status_code == 303
    farm.do(labelling.issue, labelling.Wish(lot, 1), {"text": "Miến"})
    with farm.records.session() as session:
        new = next(one for one in session.scalars(select(LabelCode.serial)) if one != old)
    for path in (own, f"/01/{GTIN}/10/{lot}/21/{old}", f"/01/{GTIN}/10/{lot}/21/{new}"):
        answer = site.stranger.get(path)
        assert answer.status_code == 200, path
        assert lot in answer.text
    links = site.stranger.get(own, headers=LINKSET).json["linkset"]
    by_anchor = {context["anchor"]: context for context in links}
    for mine, other in (
        (f"{BASE}/t/{lot}", f"{BASE}/01/{GTIN}/10/{lot}"),
        (f"{BASE}/p/{product}", f"{BASE}/01/{GTIN}"),
    ):
        assert by_anchor[mine]["https://schema.org/sameAs"][0]["href"] == other
        assert by_anchor[other]["https://schema.org/sameAs"][0]["href"] == mine
    assert (
        f'<{BASE}/01/{GTIN}/10/{lot}/21/{old}>; rel="owl:sameAs"'
        in (site.stranger.get(own).headers["Link"])
    )

    with farm.records.session() as session:  # nothing of the past was written again
        after = {e.id: e.body for e in session.scalars(select(events.Event))}
        told = [e for e in session.scalars(select(events.Event)) if e.type == names.SAME_AS]
    assert all(after[id_] == body for id_, body in before)
    assert [event.body["sameAs"] for event in told] == [f"{BASE}/01/{GTIN}"]

    assert site.send(edit, gtin=LATER).status_code == 303  # GS1 gave another number
    for gtin in (GTIN, LATER):
        for path in (f"/01/{gtin}", f"/01/{gtin}/10/{lot}", f"/01/{gtin}/10/{lot}/21/{new}"):
            assert site.stranger.get(path).status_code == 200, path
    assert site.send(edit, gtin="").status_code == 303  # and took it back
    assert site.stranger.get(f"/01/{GTIN}/10/{lot}/21/{new}").status_code == 200
    assert site.stranger.get(own).status_code == 200


def test_a_number_is_never_made_up(farm: Farm, site: Site) -> None:
    lot = farm.packed(2, product=farm.product(name="Chưa có số")).code
    links = site.stranger.get(f"/t/{lot}", headers=LINKSET).text
    assert "893" not in links.replace(lot, "")
    assert "/01/" not in links


def test_a_number_printed_before_names_were_recorded_still_opens(farm: Farm, site: Site) -> None:
    product = farm.product(name="Có mã", gtin=GTIN)
    lot = farm.packed(2, product=product).code
    farm.do(labelling.issue, labelling.Wish(lot, 1), {"text": "Miến"})
    with farm.records.transaction() as session:
        session.get_one(Product, product).gtin = None
    for path in (f"/01/{GTIN}/10/{lot}", f"/01/{GTIN}"):
        assert site.stranger.get(path).status_code == 200


def test_the_links_table_comes_and_goes_beside_the_rest(farm: Farm) -> None:
    product = farm.product(name="Miến dong")
    add_link(farm, product, "pip", "https://htx.example/")
    with farm.records.engine.connect().execution_options(writes=True) as connection:
        command.downgrade(migrations._config(connection), "resolver_1-1")
        connection.commit()
    migrations.upgrade(farm.settings)
    with farm.records.session() as session:
        assert session.get_one(Product, product).name == "Miến dong"
        assert session.scalars(select(ProductLink)).all() == []
    add_link(farm, product, "pip", "https://htx.example/")


def test_a_clerk_adds_and_ends_links(farm: Farm, site: Site) -> None:
    product = farm.product(name="Miến dong")
    page = f"/records/products/{product}/links"
    sent = {
        "kind": "recipeInfo",
        "title": "Cách nấu miến",
        "link": "https://htx.example/cách nấu",
        "language": "vi",
    }
    assert site.send(page, **sent).status_code == 303
    assert site.send(page, **sent).status_code == 303  # the same again is one link
    shown = site.clerk.get(page).text
    assert shown.count("<h2>Cách nấu miến</h2>") == 1
    asked = site.stranger.get(f"/p/{product}?linkType=recipeInfo")
    assert asked.status_code == 307
    assert asked.headers["Location"].startswith("https://htx.example/c%C3%A1ch%20n%E1%BA%A5u?")
    with farm.records.session() as session:
        link = session.scalars(select(ProductLink)).one()
    token = site.fields(page)
    assert site.clerk.post(f"{page}/{link.id}/end", data=token).status_code == 303
    assert site.stranger.get(f"/p/{product}?linkType=recipeInfo").status_code == 404
    with farm.records.session() as session:
        assert session.get_one(ProductLink, link.id).ended_by is not None


@pytest.mark.parametrize(
    "address",
    [
        "http://htx.example/",
        "javascript:alert(1)",
        "https://",
        "https://a@b.example/",
        "https://127.0.0.1/",
        "https://localhost/x",
        "https://[::1]/",
        "https://a.example:99999/",
        "htx.example",
        "",
    ],
)
def test_an_address_that_no_shopper_should_follow_is_refused(shop: Any, address: str) -> None:
    page = f"/records/products/{shop.product}/links"
    sent = {"kind": "pip", "title": "X", "link": address, "language": ""}
    assert shop.site.send(page, **sent).status_code == 422


def test_links_of_another_cooperatives_product_are_not_for_this_clerk(shop: Any) -> None:
    with shop.farm.records.transaction() as session:
        session.get_one(Product, shop.product)
        other = Product(
            id=str(uuid.uuid4()),
            cooperative="khac",
            producer_id=session.get_one(Product, shop.product).producer_id,
            name="Của nơi khác",
            brand="",
            kind="noodles",
            pack_grams=500,
            shelf_life_days=10,
            storage="",
            gtin=None,
        )
        session.add(other)
    assert shop.site.clerk.get(f"/records/products/{other.id}/links").status_code == 404


def test_changed_addresses_get_the_right_status(shop: Any) -> None:
    """The small twin of ``bench/addresses.py``, which asks for a hundred thousand."""
    spec = importlib.util.spec_from_file_location("addresses", BENCH)
    assert spec is not None
    assert spec.loader is not None
    addresses = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(addresses)
    dice, app = random.Random(7), shop.site.clerk.application
    real = addresses.real(shop.lot, shop.serial)
    for _address in range(400):
        address = addresses.changed(dice, dice.choice(real))
        status, is_wrong = addresses.judged(app, address)
        assert not is_wrong, (status, address)


_SEGMENT = st.one_of(
    st.sampled_from(["01", "10", "21", "22", "00", "414", GTIN, "%2F", "%00", "..", "", "%"]),
    st.text(max_size=12).map(lambda text: quote(text, safe="")),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_SEGMENT, max_size=7), st.text(max_size=20).map(lambda text: quote(text, "=&")))
def test_no_address_breaks_the_resolver(shop: Any, segments: list[str], query: str) -> None:
    path = f"/01/{'/'.join(segments)}" + (f"?{query}" if query else "")
    assert shop.who.get(path).status_code in (200, 300, 303, 304, 307, 308, 400, 404), path


def test_a_lot_s_data_holds_the_product_and_the_events_behind_it(site: Site, farm: Farm) -> None:
    lot = farm.packed()
    data = site.stranger.get(f"/t/{lot.code}", headers={"Accept": "application/ld+json"}).json
    assert data["@context"] == "https://schema.org/"
    assert data["@type"] == "Product"
    (document,) = (one for one in data["subjectOf"] if one.get("type") == "EPCISDocument")
    assert document["@context"][0].endswith("epcis-context.jsonld")
    events = document["epcisBody"]["eventList"]
    made = [one["epcClass"] for event in events for one in event.get("outputQuantityList", ())]
    assert any(name.endswith(f"/{lot.code}") for name in made)
    assert len(events) >= 4, "the roots, the starch and the noodles are on its way"
    for event in events:
        assert "nongso:actor" not in event
    assert check_document(document) == []
