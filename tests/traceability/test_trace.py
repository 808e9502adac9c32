"""Tracing: through any depth, loops, cartons and what others recorded; as a naive search would."""

import json
import re
import uuid
from typing import Any

import pytest
from cooperative import BASE, COOP, NOW, Farm
from epcis_vectors import need, read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from platform_site import Site
from selling import agree, cartons, holder, ship

from nongso.platform import events
from nongso.platform.traceability.epcis import capture, reading
from nongso.platform.traceability.identifiers import new_lot_code
from nongso.platform.traceability.moving.goods import Amount
from nongso.platform.traceability.recall import reach as recall_reach
from nongso.platform.traceability.records import Flow, Lot
from nongso.platform.traceability.tracing import trace
from nongso.platform.traceability.tracing import wide as trace_wide

CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"


def a_lot(session, number: int, code: str, withdrawn: bool = False) -> None:
    session.add(
        Lot(
            code=code, cooperative=COOP, kind="starch", name=code, at=NOW, born_number=number,
            made_grams=1000, owner=COOP, holder=COOP, withdrawn_at=NOW if withdrawn else None,
            withdrawn_why="" if withdrawn else None,
        )
    )  # fmt: skip


def graph(farm: Farm, lots: int, edges: set[tuple[int, int]], gone: set[int]) -> list[str]:
    """Lay down lots and flows as they stand; loops too, which our operations cannot make."""
    codes = [new_lot_code() for _ in range(lots)]
    with farm.records.transaction() as session:
        event = events.append(
            session, id=str(uuid.uuid4()), type="test", at=NOW, actor="test", cooperative=COOP,
            body={},
        )  # fmt: skip
        for at, code in enumerate(codes):
            a_lot(session, event.number, code, at in gone)
        session.flush()
        for one, other in edges:
            session.add(
                Flow(number=event.number, source=codes[one], target=codes[other], grams=one + 1)
            )
    return codes


def naive(start: int, edges: set[tuple[int, int]], forward: bool, gone: set[int]) -> set[int]:
    """Search step by step, as a person with a pencil would."""
    found: set[int] = set()
    waiting = [start]
    while waiting:
        one = waiting.pop()
        if one in found or one in gone:
            continue
        found.add(one)
        waiting += [b if forward else a for a, b in edges if (a if forward else b) == one]
    return found


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    lots=st.integers(1, 12),
    pairs=st.sets(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=30),
    gone=st.sets(st.integers(0, 11), max_size=3),
    forward=st.booleans(),
)
def test_tracing_finds_what_a_naive_search_finds(
    farm: Farm, lots: int, pairs: set[tuple[int, int]], gone: set[int], forward: bool
) -> None:
    edges = {(a % lots, b % lots) for a, b in pairs if a % lots != b % lots}
    codes = graph(farm, lots, edges, {one % lots for one in gone})
    direction = "forward" if forward else "back"
    with farm.records.session() as session:
        found = trace.reach(session, [codes[0]], direction)
        tree = trace.trace(session, session.get_one(Lot, codes[0]), direction)
        wide = trace_wide.follow(session, [codes[0]], direction, BASE, None)
    everything = {codes[one] for one in naive(0, edges, forward, set())}
    assert {node.code for node in found.nodes} == everything
    assert {one.lot.code for one in tree.lots} == everything
    assert set(wide.depths) == everything
    standing = {codes[one] for one in naive(0, edges, forward, {one % lots for one in gone})}
    assert {node.code for node in found.standing} == standing
    inside = {
        (codes[a], codes[b]) for a, b in edges if codes[a] in everything and codes[b] in everything
    }
    assert {(edge.source, edge.target) for edge in found.edges} == inside
    assert all(edge.grams == codes.index(edge.source) + 1 for edge in found.edges)


def test_a_chain_of_thirty_steps_with_a_loop_ends(farm: Farm) -> None:
    edges = {(one, one + 1) for one in range(30)} | {(30, 0)}
    codes = graph(farm, 31, edges, set())
    with farm.records.session() as session:
        found = trace.reach(session, [codes[30]], "back")
    assert len(found.nodes) == 31
    assert max(node.depth for node in found.nodes) == 30


def put(farm: Farm, *told: dict[str, Any]) -> None:
    document = {
        "@context": CONTEXT,
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": "2026-11-25T15:00:00+07:00",
        "epcisBody": {"eventList": list(told)},
    }
    checked = capture.check(reading.read(json.dumps(document).encode()))
    assert not checked.refusals, checked.refusals
    with farm.records.transaction() as session:
        captor = capture.Captor(session, COOP, "clerk", NOW * 1000)
        capture.keep(captor, checked, "rollback")


def told(day: int, type_: str = "ObjectEvent", action: str = "OBSERVE", **more: Any) -> dict:
    event = {
        "type": type_,
        "eventTime": f"2026-12-{day:02}T08:00:00+07:00",
        "eventTimeZoneOffset": "+07:00",
        "bizStep": "receiving",
        **more,
    }
    return event if type_ == "TransformationEvent" else {**event, "action": action}


def much(name: str, quantity: float) -> dict[str, Any]:
    return {"epcClass": name, "quantity": quantity, "uom": "KGM"}


def test_a_recall_follows_what_a_buyer_made_of_it_back_into_our_packs(farm: Farm) -> None:
    starch = farm.batch("starch", 100, farm.roots(800))
    packed = farm.packed(50).code  # of other starch, as far as our own books know
    flour = "https://xay.example/t/BOT01"
    put(
        farm,
        told(
            1, "TransformationEvent", bizStep="commissioning",
            inputQuantityList=[much(f"{BASE}/t/{starch.code}", 90)],
            outputQuantityList=[much(flour, 80)],
        ),
        told(
            2, "TransformationEvent", bizStep="commissioning",
            inputQuantityList=[much(flour, 80)],
            outputQuantityList=[{"epcClass": f"{BASE}/t/{packed}", "quantity": 50}],
        ),
    )  # fmt: skip
    origin = recall_reach.Origin("lot", starch.code)
    with farm.records.session() as session:
        found = recall_reach.hit(session, COOP, origin, BASE)
    assert {one.code: one.depth for one in found.lots} == {starch.code: 0, packed: 2}


def test_the_way_goes_on_in_our_carton_and_in_a_buyers_kitchen(farm: Farm) -> None:
    packed = farm.packed(50).code
    (box,) = cartons(farm, packed, 20)
    ship(farm, holder(farm), Amount(packed, 10), cartons=(box,))
    soup, tray = "https://bep.example/t/SUP01", "https://bep.example/t/KHAY7"
    put(
        farm,
        told(
            1, "TransformationEvent", bizStep="commissioning",
            inputQuantityList=[{"epcClass": f"{BASE}/t/{packed}", "quantity": 4}],
            outputQuantityList=[much(soup, 12)],
        ),
        told(
            2, "AggregationEvent", "ADD", bizStep="packing", parentID=tray,
            childQuantityList=[much(soup, 3)],
        ),
    )  # fmt: skip
    with farm.records.session() as session:
        ahead = trace_wide.follow(session, [packed], "forward", BASE, COOP)
        behind = trace_wide.follow(session, [tray], "back", BASE, COOP)
        elsewhere = trace_wide.follow(session, [packed], "forward", BASE, "khac")
        recorded = trace_wide.history(session, behind, BASE, COOP)
    assert ahead.foreign == [f"{BASE}/id/carton/{box}", soup, tray]
    assert trace_wide.Link(packed, soup, 4, "", "made") in ahead.links
    assert trace_wide.Link(soup, tray, 3, "KGM", "packed") in ahead.links
    assert elsewhere.foreign == [], "what one cooperative captured is not another one's trace"
    kinds = [farm.lot(key).kind for key in behind.depths if ":" not in key]
    assert kinds == ["packs", "noodles", "starch", "roots"]
    assert {one.head.biz_step for one in recorded} >= {
        "https://ref.gs1.org/cbv/BizStep-shipping",
        "https://ref.gs1.org/cbv/BizStep-packing",
    }
    agree(farm)


# The shape of a published seafood chain with two wild and farmed sources: 21 events, of which 16
# are behind the cans. The pallet's own way, and taking the cans out, are not.
CAN, MIXED, WILD, FARMED, FEED, FRY = (
    f"urn:gdst:example.org:product:lot:class:{name}"
    for name in ("can.1", "mixed.1", "wild.1", "farmed.1", "feed.1", "fry.1")
)
PALLET, CASE = "urn:epc:id:sscc:08600031303.0005", "urn:epc:id:sscc:08600031303.0004"


def seafood() -> list[dict[str, Any]]:
    def seen(day: int, name: str, quantity: float, action: str = "OBSERVE") -> dict:
        return told(day, action=action, quantityList=[much(name, quantity)])

    def made(day: int, inputs: list[dict], outputs: list[dict]) -> dict:
        return told(
            day, "TransformationEvent", inputQuantityList=inputs, outputQuantityList=outputs
        )

    def boxed(day: int, action: str, parent: str, **inside: Any) -> dict:
        return told(day, "AggregationEvent", action, parentID=parent, **inside)

    return [
        seen(1, FRY, 1000, "ADD"), seen(2, FRY, 1000), seen(3, FRY, 1000),
        seen(1, FEED, 10000, "ADD"), seen(2, FEED, 10000), seen(3, FEED, 10000),
        made(4, [much(FEED, 10000), much(FRY, 1000)], [much(FARMED, 12000)]),
        seen(5, FARMED, 12000), seen(6, FARMED, 12000),
        seen(5, WILD, 9876, "ADD"), seen(6, WILD, 9876), seen(7, WILD, 9876), seen(8, WILD, 9876),
        made(9, [much(FARMED, 12000), much(WILD, 10000)], [much(MIXED, 22000)]),
        made(10, [much(MIXED, 9876)], [much(CAN, 5000)]),
        boxed(11, "ADD", CASE, childQuantityList=[much(CAN, 5000)]),
        boxed(12, "ADD", PALLET, childEPCs=[CASE]),
        told(13, epcList=[PALLET]), told(14, epcList=[PALLET]),
        boxed(15, "DELETE", PALLET),
        boxed(15, "DELETE", CASE, childQuantityList=[much(CAN, 5000)]),
    ]  # fmt: skip


def check_seafood(farm: Farm, can: str, wild: str) -> None:
    with farm.records.session() as session:
        wide = trace_wide.follow(session, [can], "back", BASE, COOP)
        found = trace_wide.history(session, wide, BASE, COOP)
        wrong = trace_wide.overdrawn(found)
    assert len(found) == 16
    assert [(one.name, one.recorded, one.used, one.uom) for one in wrong] == [
        (wild, 9876.0, 10000.0, "KGM")
    ]


def test_sixteen_events_are_behind_the_cans_and_the_missing_tuna_is_named(farm: Farm) -> None:
    put(farm, *seafood())
    check_seafood(farm, CAN, WILD)


def test_the_published_seafood_chain_traces_back_to_sixteen_events(farm: Farm) -> None:
    document = read(need("epcis", "gdst", "traceback_tests.jsonld"))
    found = document["epcisBody"]["eventList"]
    for event in found:
        del event["eventID"]  # upstream gives one name to several events
    put(farm, *found)
    lot = "urn:gdst:example.org:product:lot:class:"
    check_seafood(farm, lot + "processor.2u.v1-0122-2022", lot + "fisherman01.tunau.v1-0122-2022")


@pytest.mark.parametrize("direction", ["back", "forward"])
def test_many_lots_are_traced_with_few_queries(farm: Farm, direction: str) -> None:
    """A smaller twin of ``bench/trace.py``: queries grow with the depth, not with the lots."""
    width, depth = 40, 12
    edges = {
        (level * width + one, (level + 1) * width + (one * 7 + shift) % width)
        for level in range(depth)
        for one in range(width)
        for shift in (0, 1)
    }
    codes = graph(farm, width * (depth + 1), edges, set())
    start = codes[-1] if direction == "back" else codes[0]
    asked: list[str] = []
    from sqlalchemy import event

    with farm.records.session() as session:
        event.listen(
            farm.records.engine, "before_cursor_execute",
            lambda *given: asked.append(given[2]),
        )  # fmt: skip
        found = trace.reach(session, [start], direction)
    assert max(node.depth for node in found.nodes) == depth
    assert len(asked) <= depth + 3


@pytest.mark.parametrize("name", ["private-ids", "gs1"])
def test_a_clerk_finds_where_the_packs_of_others_come_from(
    farm: Farm, site: Site, name: str
) -> None:
    document = read(need("epcis", "mien-dong", f"chain-{name}.jsonld"))
    sent = site.stranger.post(
        "/epcis/capture",
        json=document,
        headers={"Authorization": "Bearer " + site.tokens["clerk"]},
    )
    assert sent.status_code == 202
    told = document["epcisBody"]["eventList"]
    packs = {one for event in told for one in event.get("outputEPCList", ())}
    (pack,) = {one for one in packs if "7K3QX9" in one}
    found = site.clerk.get("/records/lots", query_string={"code": pack})
    page = site.clerk.get(found.location).text
    for behind in ("MD-2611-07", "TB-2611-01", "CD-2611-A", "CD-2611-B"):
        assert behind in page, "noodles, starch, and the roots of both households"
    (roots,) = set(re.findall(r'href="(/records/trace[^"]*CD-2611-A)"', page))
    assert "Không ghi chép nào cho biết mã này làm từ gì." in site.clerk.get(roots).text
    assert "7K3QX9" in site.clerk.get(roots + "&direction=forward").text
    for nobodys in ("urn:nobody:1", "urn:%00:1", "http://[", "urn:%F0%9F%90%9D"):
        unknown = site.clerk.get(f"/records/trace?of={nobodys}").text
        assert "Chưa có ghi chép nào về mã này." in unknown


def test_a_program_follows_the_goods_of_others_as_a_clerk_does(farm: Farm, site: Site) -> None:
    packed = farm.packed(20).code
    soup = "https://bep.example/t/SUP01"
    put(
        farm,
        told(
            1, "TransformationEvent", bizStep="commissioning",
            inputQuantityList=[{"epcClass": f"{BASE}/t/{packed}", "quantity": 4}],
            outputQuantityList=[much(soup, 12)],
        ),
    )  # fmt: skip
    answer = site.api(f"/api/v1/trace?of={soup}").json
    assert answer["things"][packed] == 1
    way = {"source": packed, "target": soup, "quantity": 4, "unit": "", "how": "made"}
    assert way in answer["ways"]
    ahead = site.api(f"/api/v1/trace?of={packed}&direction=forward").json
    assert ahead["things"] == {packed: 0, soup: 1}
    assert site.api("/api/v1/trace?of=ZZZZZZ").status_code == 404
    assert site.api("/api/v1/trace").status_code == 400


def test_the_page_says_names_and_who_has_it_instead_of_addresses(farm: Farm, site: Site) -> None:
    gtin = "09521141012343"
    lot = farm.packed(50, product=farm.product(name="Miến dong Bình Lư", gtin=gtin)).code
    (box,) = cartons(farm, lot, 20)
    ship(farm, holder(farm), cartons=(box,))
    soup = "https://bep.example/rat/dai/lots/SUP01"
    urn = "urn:epc:class:lgtin:9521141.056789.AB-7"
    put(
        farm,
        told(
            1, "TransformationEvent", inputQuantityList=[much(f"{BASE}/t/{lot}", 2)],
            outputQuantityList=[much(soup, 12)],
        ),
        told(
            2, "TransformationEvent", inputQuantityList=[much(soup, 12)],
            outputQuantityList=[much(urn, 3), much(f"https://x.example/01/{gtin}/10/KHAC-1", 1)],
        ),
    )  # fmt: skip
    page = site.clerk.get(f"/records/lots/{lot}/tree?direction=forward").text
    text = re.sub(r"[ \n]+", " ", re.sub("<[^>]*>", "", page))
    shop = "Cửa hàng chợ Tam Đường"
    assert f"Miến dong Bình Lư {lot} (ở {shop}) → Thùng {box} (ở {shop})" in text
    assert f"{lot} (ở {shop}) → bep.example SUP01 2\xa0kg" in text
    assert "bep.example SUP01 → GTIN 09521141567890 lô AB-7" in text
    assert "bep.example SUP01 → Miến dong Bình Lư lô KHAC-1" in text
    assert "https://" not in text.partition("Thùng và ghi chép của nơi khác")[2]
    assert f'title="{soup}"' in page, "the whole identifier is there for who needs it"


def test_amounts_of_others_are_written_as_they_stated_them(farm: Farm, site: Site) -> None:
    made = [(1170, "1.170"), (0.045, "0,045"), (12.5, "12,5"), (1e-4, "0,0001"), (1e300, "1e+300")]
    for number, (much_, written) in enumerate(made):
        soup = f"urn:soup:{number}"
        event = told(
            1, "TransformationEvent", inputQuantityList=[much(f"urn:root:{number}", much_)],
            outputQuantityList=[much(soup, 12)],
        )  # fmt: skip
        put(farm, event)
        page = site.clerk.get("/records/trace", query_string={"of": soup}).text
        assert f">{written}\xa0kg<" in page
