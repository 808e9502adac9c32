"""Lots: nothing comes from nothing, nothing is used twice, and the stream is the record."""

import datetime
import threading

import pytest
from cooperative import NOW, TODAY, Farm, days_ago, new_id
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nongso.platform import events
from nongso.platform.storage import StorageError
from nongso.platform.traceability import lots
from nongso.platform.traceability.errors import (
    AlreadyRecorded,
    BeforeItsSource,
    LotUnknown,
    MoreOutThanIn,
    NotEnough,
    NothingTaken,
    PlaceUnknown,
    WrongKind,
)
from nongso.platform.traceability.making import operations as ops
from nongso.platform.traceability.making.errors import MoreDryOutThanIn
from nongso.platform.traceability.records import Flow, Lot
from nongso.platform.traceability.tracing.trace import trace


def test_dong_of_six_households_becomes_180_packs(farm: Farm) -> None:
    roots = [farm.roots(120, day=12) for _ in range(6)]
    starch = farm.batch("starch", 100, *roots, day=9)
    noodles = farm.batch("noodles", 92.5, starch, day=6)
    wish = ops.Packing(
        farm.product(),
        (ops.Take(noodles.code, 90_000),),
        180,
        500,
        TODAY,
        TODAY + datetime.timedelta(days=365),
    )
    packs = farm.do(ops.pack, wish)
    assert (packs.packs, packs.labels_left, packs.pack_grams) == (180, 180, 500)
    assert farm.lot(noodles.code).left_grams == 2_500
    assert all(farm.lot(lot.code).left_grams == 0 for lot in roots)
    with farm.records.session() as session:
        back = trace(session, session.get_one(Lot, packs.code), "back")
        assert [found.lot.kind for found in back.lots] == ["packs", "noodles", "starch"] + [
            "roots"
        ] * 6
        assert {found.depth for found in back.lots} == {0, 1, 2, 3}
        forward = trace(session, session.get_one(Lot, roots[0].code), "forward")
        assert [found.lot.code for found in forward.lots] == [
            roots[0].code,
            starch.code,
            noodles.code,
            packs.code,
        ]
        assert lots.differences(session) == []


def test_events_have_the_shape_of_epcis(farm: Farm) -> None:
    packs = farm.packed()
    with farm.records.session() as session:
        found = {event.type: event for event in events.read(session)}
    assert list(found) == [
        "lot.harvested",
        "lot.received",
        "lot.transformed",
        "lot.packed",
    ]
    receipt = found["lot.received"].body
    assert receipt["type"] == "ObjectEvent"
    assert receipt["action"] == "OBSERVE"
    assert receipt["bizStep"] == "receiving"
    assert receipt["quantityList"][0]["uom"] == "KGM"
    assert receipt["eventTimeZoneOffset"] == "+07:00"
    assert receipt["nongso:stated"] == "weighed"
    assert found["lot.harvested"].body["nongso:stated"] == "stated"
    assert "quantity" not in found["lot.harvested"].body["quantityList"][0], "nobody weighed it"
    packing = found["lot.packed"].body
    assert packing["type"] == "TransformationEvent"
    assert "action" not in packing
    assert packing["outputQuantityList"] == [
        {"epcClass": f"http://127.0.0.1:8080/t/{packs.code}", "quantity": 180}
    ]
    assert packing["ilmd"]["nongso:bestBeforeDate"] == "2027-11-21"


def test_more_cannot_come_out_than_went_in(farm: Farm) -> None:
    roots = farm.roots(100)
    with pytest.raises(MoreDryOutThanIn) as refused:
        farm.batch("starch", 100.001, roots)
    assert (refused.value.in_grams, refused.value.out_grams) == (100_000, 100_001)
    with pytest.raises(MoreOutThanIn):
        farm.batch("starch", 0, roots)
    assert farm.lot(roots.code).left_grams == 100_000, "what is refused takes nothing"


def test_stock_is_never_below_zero(farm: Farm) -> None:
    roots = farm.roots(100)
    with pytest.raises(NotEnough) as refused:
        farm.do(ops.make_batch, ops.Batch("starch", (ops.Take(roots.code, 100_001),), 10, TODAY))
    assert (refused.value.left_grams, refused.value.wanted_grams) == (100_000, 100_001)
    for takes in (
        (),
        (ops.Take(roots.code, 0),),
        (ops.Take(roots.code, 5), ops.Take(roots.code, 5)),
    ):
        with pytest.raises(NothingTaken):
            farm.do(ops.make_batch, ops.Batch("starch", takes, 1, TODAY))


def test_noodles_are_not_made_of_roots_nor_packed_as_vegetables(farm: Farm) -> None:
    roots = farm.roots(100)
    with pytest.raises(WrongKind):
        farm.batch("noodles", 10, roots)
    with pytest.raises(LotUnknown):
        farm.do(ops.make_batch, ops.Batch("starch", (ops.Take("ZZZZZZ", 1),), 1, TODAY))
    wish = ops.Packing(
        farm.product("vegetables", "Rau cải"),
        (ops.Take(farm.noodles(1).code, 500),),
        1,
        500,
        TODAY,
        TODAY + datetime.timedelta(days=5),
    )
    with pytest.raises(WrongKind):
        farm.do(ops.pack, wish)


def test_another_cooperative_cannot_use_a_lot(farm: Farm) -> None:
    roots = farm.roots(100)
    wish = ops.Batch("starch", (ops.Take(roots.code, 1000),), 100, TODAY)
    with pytest.raises(LotUnknown):
        farm.do(ops.make_batch, wish, cooperative="khac")
    with pytest.raises(PlaceUnknown):
        farm.do(ops.take_in, ops.Intake(farm.producer(), 1, TODAY, TODAY), cooperative="khac")


def test_a_step_is_not_dated_before_its_source(farm: Farm) -> None:
    roots = farm.roots(100, day=4)
    with pytest.raises(BeforeItsSource):
        farm.batch("starch", 13, roots, day=5)
    assert farm.batch("starch", 13, roots, day=4).kind == "starch"
    with pytest.raises(BeforeItsSource):
        farm.do(ops.take_in, ops.Intake(farm.producer(), 1, TODAY, days_ago(1)))


def test_a_form_sent_twice_is_one_lot(farm: Farm) -> None:
    roots, id_ = farm.roots(100), new_id()
    wish = ops.Batch("starch", (ops.Take(roots.code, 80_000),), 10_000, TODAY)
    first = farm.do(ops.make_batch, wish, id=id_)
    again = farm.do(ops.make_batch, wish, id=id_)
    assert again.code == first.code
    assert farm.lot(roots.code).left_grams == 20_000
    changed = ops.Batch("starch", (ops.Take(roots.code, 20_000),), 10_000, TODAY)
    with pytest.raises(AlreadyRecorded):
        farm.do(ops.make_batch, changed, id=id_)
    intake, other = ops.Intake(farm.producer(), 5000, TODAY, TODAY), new_id()
    assert (
        farm.do(ops.take_in, intake, id=other).code == farm.do(ops.take_in, intake, id=other).code
    )


def test_a_harvest_seals_what_the_sensors_measured(farm: Farm) -> None:
    producer = farm.producer("HTX", "cooperative")
    planting = farm.do(
        ops.plant,
        ops.Planting("tan-binh-1", "Nhà màng Tân Bình 1", producer, "Rau cải", days_ago(28)),
    )
    crop = farm.do(ops.harvest, ops.Harvest(planting.code, 32_000, TODAY), {"days": 28})
    assert (crop.kind, crop.made_grams, crop.name) == ("crop", 32_000, "Rau cải")
    assert crop.place.greenhouse == "tan-binh-1"
    with farm.records.session() as session:
        event = events.read(session, subject=f"lot:{crop.code}")[0]
        assert event.body["nongso:growingRecord"] == {"days": 28}
        assert events.read(session, subject="greenhouse:tan-binh-1")
        assert lots.differences(session) == []
    second = farm.do(ops.harvest, ops.Harvest(planting.code, 1_000, TODAY), None)
    assert second.code != crop.code, "a planting is harvested many times"


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(st.sampled_from("rsnp"), st.integers(0, 5), st.integers(1, 150)), max_size=12
    )
)
def test_whatever_clerks_do_the_tables_equal_the_stream(
    farm: Farm, deeds: list[tuple[str, int, int]]
) -> None:
    kept: dict[str, list[Lot]] = {"roots": [], "starch": [], "noodles": []}
    product = farm.product(name=new_id())
    for deed, which, kg in deeds:
        source = {"s": "roots", "n": "starch", "p": "noodles"}.get(deed)
        try:
            if source is None:
                kept["roots"].append(farm.roots(kg))
                continue
            if not kept[source]:
                continue
            take = (ops.Take(kept[source][which % len(kept[source])].code, kg * 1000),)
            if deed == "p":
                until = TODAY + datetime.timedelta(days=9)
                farm.do(ops.pack, ops.Packing(product, take, kg, 900, TODAY, until))
            else:
                to = {"s": "starch", "n": "noodles"}[deed]
                kept[to].append(
                    farm.do(
                        ops.make_batch,
                        ops.Batch(to, take, kg * {"starch": 150, "noodles": 700}[to], TODAY),
                    )
                )
        except NotEnough:
            pass
    with farm.records.session() as session:
        assert lots.differences(session) == []
        for lot in session.query(Lot):
            taken = sum(f.grams or 0 for f in session.query(Flow).filter(Flow.source == lot.code))
            assert taken == lot.used_grams <= (lot.made_grams or taken)


def test_a_changed_table_is_noticed(farm: Farm) -> None:
    packs = farm.packed()
    with farm.records.transaction() as session:
        session.get_one(Lot, packs.code).packs = 200
    with farm.records.session() as session:
        assert lots.differences(session) == [
            f"lot {packs.code}: packs is 200, the stream says 180"
        ]


def test_clerks_who_pack_the_same_noodles_at_once_never_exceed_them(farm: Farm) -> None:
    noodles, product = farm.noodles(10), farm.product(name="at once")
    wish = ops.Packing(
        product, (ops.Take(noodles.code, 250),), 1, 250, TODAY, TODAY + datetime.timedelta(days=9)
    )
    outcomes: list[str] = []

    def clerk() -> None:
        id_ = new_id()
        while True:
            try:
                farm.do(ops.pack, wish, id=id_)
                return outcomes.append("packed")
            except NotEnough:
                return outcomes.append("refused")
            except StorageError:  # the books were busy too long: the clerk presses again
                continue

    clerks = [threading.Thread(target=clerk) for _ in range(64)]
    for one in clerks:
        one.start()
    for one in clerks:
        one.join(120)
    assert sorted(outcomes) == ["packed"] * 40 + ["refused"] * 24
    assert farm.lot(noodles.code).left_grams == 0
    with farm.records.session() as session:
        assert lots.differences(session) == []


def test_what_happened_today_is_not_dated_after_now() -> None:
    early = NOW - 9 * 3600  # 6 in the morning
    assert ops.moment(TODAY, early) == early
    assert ops.moment(TODAY, NOW) < NOW
