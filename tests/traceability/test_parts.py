"""A shopper reads how much of each step went into this lot, never what went to others."""

import re

from cooperative import Farm
from hypothesis import given
from hypothesis import strategies as st
from platform_site import Site
from selling import pack

from nongso.platform.traceability.records import Flow, Lot
from nongso.platform.traceability.shopper.parts import Part, parts_of


def a_lot(code: str, number: int, grams: int | None) -> Lot:
    return Lot(code=code, born_number=number, made_grams=grams)


def test_a_part_is_followed_through_every_step() -> None:
    roots, starch, noodles = a_lot("R", 1, 8000), a_lot("S", 2, 1000), a_lot("N", 3, 1000)
    packs = a_lot("P", 4, None)
    flows = [
        Flow(number=2, source="R", target="S", grams=8000),
        Flow(number=3, source="S", target="N", grams=1000),
        Flow(number=4, source="N", target="P", grams=250),
        Flow(number=5, source="N", target="Q", grams=750),  # packed elsewhere
    ]
    found = parts_of(packs, [packs, noodles, starch, roots], flows)
    assert found == {"N": Part(250, False), "S": Part(250, False), "R": Part(2000, False)}


def test_what_nobody_weighed_is_not_guessed() -> None:
    planting, crop, packs = a_lot("T", 1, None), a_lot("C", 2, 500), a_lot("P", 3, None)
    flows = [
        Flow(number=2, source="T", target="C", grams=None),
        Flow(number=3, source="C", target="P", grams=500),
    ]
    found = parts_of(packs, [packs, crop, planting], flows)
    assert found == {"C": Part(500, True)}


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=6), st.data())
def test_the_parts_of_all_goods_are_never_more_than_was_weighed(
    taken: list[int], data: st.DataObject
) -> None:
    made = data.draw(st.integers(sum(taken), 2 * sum(taken)))
    mill = data.draw(st.integers(1, 10_000))
    roots, starch = a_lot("R", 1, mill), a_lot("S", 2, made)
    flows = [Flow(number=2, source="R", target="S", grams=mill)]
    goods = [a_lot(f"P{n}", 3 + n, None) for n in range(len(taken))]
    flows += [
        Flow(number=3 + n, source="S", target=f"P{n}", grams=grams)
        for n, grams in enumerate(taken)
    ]
    parts = [parts_of(one, [one, starch, roots], flows) for one in goods]
    assert [one["S"].grams for one in parts] == taken
    assert sum(one["R"].grams for one in parts) <= mill + len(taken)


def test_the_page_tells_the_part(farm: Farm, site: Site) -> None:
    noodles = farm.noodles(227)  # of 1,816 kg of roots
    lot = pack(farm, noodles, 100)  # of half a kilogram
    page = site.stranger.get(f"/t/{lot.code}").text.replace("\u00a0", " ")
    way = re.sub("<[^>]+>", " ", page.split('<ol class="way">')[1].split("</ol>")[0])
    assert "1.816" not in way
    assert "227 kg" not in way
    assert "Cân vào khoảng 400 kg củ dong" in way
    assert "Tráng, phơi được khoảng 50 kg miến" in way
    assert "Số kg ghi “khoảng” là phần đã vào lô này" in page
