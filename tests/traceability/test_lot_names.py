"""However others call a lot of ours, a trace and a recall find what they did with it."""

import re
from typing import Any

import pytest
from cooperative import BASE, COOP, NOW, Farm, new_id
from hypothesis import given
from hypothesis import strategies as st
from platform_site import Site
from sqlalchemy import select
from test_labelling import issue
from test_labelling_rolls import roll
from test_trace import much, put, told

from nongso.platform.traceability.digital_link.digits import check_digit
from nongso.platform.traceability.epcis import indexing, lot_names
from nongso.platform.traceability.epcis.lot_names import LOT, PACK, Clue
from nongso.platform.traceability.epcis.records import LotName
from nongso.platform.traceability.epcis.same_name import same_form
from nongso.platform.traceability.labelling.rolls import Binding, bind
from nongso.platform.traceability.recall import reach as recall_reach
from nongso.platform.traceability.records import LabelCode, Product
from nongso.platform.traceability.resolver.names import note_gtin
from nongso.platform.traceability.tracing import wide as trace_wide

HOST = "htx.example"
HERE = f"https://{HOST}"  # our address, as the settings have it
COMPANY, ITEM = "9521141", "01234"


def gtin_of(item: str) -> str:
    digits = "0" + COMPANY + item
    return digits + str(check_digit(digits))


GTIN, OTHER_GTIN = gtin_of(ITEM), gtin_of("04321")
SOUP = "https://bep.example/lots/soup"


def packed(farm: Farm, gtin: str | None = GTIN) -> str:
    return farm.packed(20, product=farm.product(name=new_id()[:8], gtin=gtin)).code


def labelled(farm: Farm, lot: str) -> str:
    """Print a label for a pack of the lot; returns its serial."""
    issue(farm, lot, 1)
    with farm.records.session() as session:
        return session.scalars(select(LabelCode.serial).where(LabelCode.lot == lot)).one()


def cooked(name: str, into: str = SOUP) -> dict[str, Any]:
    """A buyer's kitchen used some of it up."""
    outputs = [much(into, 12)]
    return told(
        1, "TransformationEvent", inputQuantityList=[{"epcClass": name}],
        outputQuantityList=outputs,
    )  # fmt: skip


def ahead(farm: Farm, lot: str, base: str = HERE) -> list[str]:
    with farm.records.session() as session:
        return trace_wide.follow(session, [lot], "forward", base, COOP).foreign


# How others may write what stands on our labels and in our papers.
SPELLINGS = {
    "our address": "https://{host}/t/{lot}",
    "as on the label": "HTTPS://{HOST}/T/{lot}",
    "in small letters": "https://{host}/t/{small}",
    "with a stroke": "https://{host}/t/{lot}/",
    "with a question": "https://{host}/t/{lot}?utm_source=zalo#top",
    "with the port": "https://{host}:443/t/{lot}",
    "unsafe": "http://{host}/t/{lot}",
    "a pack": "https://{host}/t/{lot}/{serial}",
    "a pack as on the label": "HTTPS://{HOST}/T/{lot}/{serial}",
    "a label of a roll": "HTTPS://{HOST}/T/{serial}",
    "GTIN and lot here": "https://{host}/01/{gtin}/10/{lot}",
    "GTIN and lot as on the label": "HTTPS://{HOST}/01/{gtin}/10/{lot}",
    "GTIN and lot at GS1": "https://id.gs1.org/01/{gtin}/10/{lot}",
    "GTIN and lot at the buyer's": "https://buyer.example/some/stem/01/{gtin}/10/{lot}",
    "in words": "https://buyer.example/gtin/{gtin}/lot/{lot}",
    "a short GTIN": "https://id.gs1.org/01/{short}/10/{lot}",
    "with attributes": "https://id.gs1.org/01/{gtin}/10/{lot}?17=271231&linkType=all",
    "lot and pack": "https://id.gs1.org/01/{gtin}/10/{lot}/21/{serial}",
    "lot and a pack nobody knows": "https://id.gs1.org/01/{gtin}/10/{lot}/21/999",
    "a pack alone": "HTTPS://{HOST}/01/{gtin}/21/{serial}",
    "pack as URN": "urn:epc:id:sgtin:{company}.0{item}.{serial}",
    "lot as URN": "urn:epc:class:lgtin:{company}.0{item}.{lot}",
}


def test_whatever_others_call_our_lot_its_way_goes_on(farm: Farm) -> None:
    lot = packed(farm)
    parts = {
        "host": HOST, "HOST": HOST.upper(), "lot": lot, "small": lot.lower(), "gtin": GTIN,
        "serial": labelled(farm, lot), "short": GTIN[1:], "company": COMPANY, "item": ITEM,
    }  # fmt: skip
    called = {what: spelling.format(**parts) for what, spelling in SPELLINGS.items()}
    soups = {what: f"https://bep.example/lots/{n}" for n, what in enumerate(called)}
    put(farm, *(cooked(called[what], soup) for what, soup in soups.items()))
    there = ahead(farm, lot)
    assert [what for what, soup in soups.items() if soup not in there] == []
    with farm.records.session() as session:
        for what, soup in soups.items():
            behind = trace_wide.follow(session, [soup], "back", HERE, COOP)
            assert behind.depths.get(lot) == 1, what
            assert trace_wide.start_of(session, HERE, called[what]) == lot, what
        wide = trace_wide.follow(session, [lot], "forward", HERE, COOP)
        foreign = [one for one in trace_wide.history(session, wide, HERE, COOP) if one.text]
    assert len(foreign) == len(SPELLINGS), "all that others recorded of it is told"


def test_a_recall_goes_on_from_a_single_pack_that_a_buyer_used(farm: Farm) -> None:
    lot, back = packed(farm), packed(farm, OTHER_GTIN)
    serial = labelled(farm, lot)
    event = cooked(f"urn:epc:id:sgtin:{COMPANY}.0{ITEM}.{serial}")
    event["inputEPCList"] = [event.pop("inputQuantityList")[0]["epcClass"]]
    put(farm, event, cooked(SOUP, f"https://id.gs1.org/01/{OTHER_GTIN}/10/{back}"))
    with farm.records.session() as session:
        found = recall_reach.hit(session, COOP, recall_reach.Origin("lot", lot), BASE)
    assert {one.code: one.depth for one in found.lots} == {lot: 0, back: 2}


def test_a_code_of_somebody_else_is_not_our_lot(farm: Farm) -> None:
    lot = packed(farm)
    put(
        farm,
        cooked(f"https://elsewhere.example/t/{lot}"),
        cooked(f"https://{HOST}/other/t/{lot}"),
        cooked(f"https://id.gs1.org/01/{OTHER_GTIN}/10/{lot}"),
        cooked(f"https://id.gs1.org/01/{OTHER_GTIN}/21/{labelled(farm, lot)}"),
        cooked(f"https://id.gs1.org/00/{lot}"),
    )
    assert ahead(farm, lot) == []


def renamed(farm: Farm, lot: str, gtin: str) -> None:
    """A clerk types another GTIN into the page of the product."""
    with farm.records.transaction() as session:
        product = session.get_one(Product, farm.lot(lot).product_id)
        product.gtin = gtin
        session.flush()
        note_gtin(session, product, "clerk", NOW, BASE)


def test_a_gtin_that_came_later_or_is_gone_still_leads_to_the_lot(farm: Farm) -> None:
    lot = packed(farm, None)
    put(farm, cooked(f"https://id.gs1.org/01/{GTIN}/10/{lot}", SOUP))
    assert ahead(farm, lot) == [], "a number of nobody we know"
    renamed(farm, lot, GTIN)
    assert ahead(farm, lot) == [SOUP]
    renamed(farm, lot, OTHER_GTIN)
    put(farm, cooked(f"urn:epc:class:lgtin:{COMPANY}.0{ITEM}.{lot}", f"{SOUP}2"))
    assert ahead(farm, lot) == [SOUP, f"{SOUP}2"]


def test_a_pack_that_was_told_of_before_its_label_was_bound_is_found(farm: Farm) -> None:
    product = farm.product()
    lot, (serial,) = farm.packed(2, product=product).code, roll(farm, product, 1)
    put(farm, cooked(f"HTTPS://{HOST.upper()}/T/{serial}"))
    assert ahead(farm, lot) == []
    farm.do(bind, Binding(lot, serial, serial))
    assert ahead(farm, lot) == [SOUP]


def names(farm: Farm) -> set[tuple[str | None, ...]]:
    with farm.records.session() as session:
        rows = session.scalars(select(LotName))
        return {(one.name, one.kind, one.key, one.gtin, one.host, one.lot) for one in rows}


def test_an_index_made_again_knows_the_same_names(farm: Farm) -> None:
    lot = packed(farm, None)
    put(farm, cooked(f"https://id.gs1.org/01/{GTIN}/10/{lot}"))
    renamed(farm, lot, GTIN)
    before = names(farm)
    with farm.records.transaction() as session:
        indexing.remake(session)
    assert names(farm) == before
    assert {row[-1] for row in before if row[3] == GTIN} == {lot}


def test_clerk_and_program_ask_by_what_stands_on_the_pack(farm: Farm, site: Site) -> None:
    lot = packed(farm)
    serial = labelled(farm, lot)
    put(farm, cooked(f"{BASE}/t/{lot}/{serial}"))
    scanned = f"{BASE.upper()}/T/{lot}/{serial}"
    answer = site.api(f"/api/v1/trace?direction=forward&of={scanned}").json
    assert (answer["start"], answer["things"]) == (lot, {lot: 0, SOUP: 1})
    assert site.clerk.get(f"/records/trace?of={scanned}").location.endswith(lot)


SAID = {
    "HTTPS://Htx.Example:443/T/K7M4PQ": "https://htx.example/T/K7M4PQ",
    "http://HTX.example:8080/a": "http://htx.example:8080/a",
    "https://htx.example/A": "https://htx.example/A",
    "https://Me@HTX.example?A": "https://Me@htx.example?A",
    "urn:X:Y": "urn:X:Y",
    f"HTTPS://HTX.EXAMPLE/01/{GTIN}/10/AB": f"https://id.gs1.org/01/{GTIN}/10/AB",
}


@pytest.mark.parametrize("text", SAID)
def test_capitals_of_scheme_and_host_make_no_other_thing(text: str) -> None:
    assert same_form(text) == SAID[text]


CODES = st.text("23456789ABCDEFGHJKLMNPQRSTVWXYZ", min_size=6, max_size=6)
SERIALS = st.text("23456789ABCDEFGHJKLMNPQRSTVWXYZ", min_size=9, max_size=9)


@given(code=CODES, serial=SERIALS, stem=st.sampled_from(["", "/nongso", "/t", "/a/b"]))
def test_what_is_printed_is_read_whatever_the_code(code: str, serial: str, stem: str) -> None:
    host = HOST + stem
    clues = lot_names.clues(f"HTTPS://{HOST.upper()}{stem}/T/{code}/{serial}")
    if stem != "/t":  # there a stem looks like our own
        assert clues == (Clue(LOT, code, host=host), Clue(PACK, serial, host=host))
    linked = lot_names.clues(f"HTTPS://{HOST.upper()}{stem}/01/{GTIN}/10/{code}/21/{serial}")
    assert linked == (Clue(LOT, code, gtin=GTIN), Clue(PACK, serial, gtin=GTIN))


def test_the_short_way_to_read_a_name_says_what_the_whole_rule_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = ["/10/K7M4PQ", "/21/K7M4PQ234", "/10/k7m4pq/21/k7m4pq234", "/10/A", "/21/AB-C", ""]
    links = [f"https://buyer.example/01/{GTIN}{key}" for key in keys]
    short = [lot_names.clues(link) for link in links]
    monkeypatch.setattr(lot_names, "_USUAL", re.compile("nothing"))
    assert [lot_names.clues.__wrapped__(link) for link in links] == short
    assert short[0] == (Clue(LOT, "K7M4PQ", gtin=GTIN),)


def test_a_compressed_address_names_the_lot_too() -> None:
    clue = Clue(LOT, "K7M4PQ", gtin="09524000059109")
    assert lot_names.clues("HTTPS://BUYER.example/CxFS9UfdysxXZnB6A") == (clue,)


@given(st.text(max_size=60).map(lambda text: f"https://{HOST}/{text}"))
def test_any_text_at_all_can_be_a_name(text: str) -> None:
    for clue in lot_names.clues(text):
        assert re.fullmatch("[2-9A-Z]{6}|[2-9A-Z]{9}", clue.key)
