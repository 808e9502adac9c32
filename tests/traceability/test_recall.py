"""A recall in one step: what is hit, what is blocked, who is called, how it ends."""

import pytest
from cooperative import COOP, NOW, TODAY, Farm, days_ago, new_id
from selling import account, agree, cartons, holder, pack, ship

from nongso.platform import events
from nongso.platform.diary import entries as diary
from nongso.platform.traceability import withdrawal
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.making import operations as ops
from nongso.platform.traceability.moving import goods as moving
from nongso.platform.traceability.moving.errors import (
    Held,
    HitChanged,
    NothingHit,
    RecallEnded,
    RecallUnknown,
    StillInStore,
    StillOut,
)
from nongso.platform.traceability.moving.goods import Amount
from nongso.platform.traceability.recall import reach as recall_reach
from nongso.platform.traceability.recall import recalling as recall
from nongso.platform.traceability.recall.reach import Origin
from nongso.platform.traceability.recall.recalling import Call, Ending
from nongso.platform.traceability.recall.records import CORRECT, DESTROY
from nongso.platform.traceability.testing import book as testing_book

WHY, ADVICE = "chì vượt mức", "Giữ nguyên gói và gọi hợp tác xã."


def hit(farm: Farm, origin: Origin) -> recall_reach.Hit:
    with farm.records.session() as session:
        return recall_reach.hit(session, COOP, origin, farm.settings.label_url)


def begin(farm: Farm, origin: Origin, sign: str = "", outcome: str = DESTROY, id=None):  # noqa: A002
    return farm.do(recall.begin, Call(origin, WHY, ADVICE, outcome, sign), id=id)


def lot(code: str) -> Origin:
    return Origin("lot", code)


def chain(farm: Farm, packs: int = 100) -> tuple[str, str]:
    """Roots, and the packs that became of them."""
    roots = farm.roots(packs * 4)
    noodles = farm.batch("noodles", packs / 2, farm.batch("starch", packs / 2, roots), day=3)
    return roots.code, pack(farm, noodles, packs).code


def test_what_is_hit_is_shown_first_with_packs_holders_and_labels(farm: Farm) -> None:
    roots, packed = chain(farm)
    shop, far = holder(farm), holder(farm, "Siêu thị")
    farm.do(labelling.issue, labelling.Wish(packed, 60), {"text": "Miến dong"})
    (box,) = cartons(farm, packed, 24)
    ship(farm, shop, Amount(packed, 10), cartons=(box,))
    ship(farm, far, Amount(packed, 5))
    farm.do(moving.sell, moving.Sale((Amount(packed, 4),), TODAY, shop))
    found = hit(farm, lot(roots))
    assert [one.kind for one in found.lots] == ["roots", "starch", "noodles", "packs"]
    assert (found.packs, found.in_store, found.out, found.gone) == (100, 61, 35, 4)
    assert found.lots[-1].labels == ((1, 60),)
    assert {found.names[one.holder]: one.packs for one in found.holders} == {
        "Cửa hàng chợ Tam Đường": 30,
        "Siêu thị": 5,
    }
    assert next(one for one in found.holders if one.holder == shop).cartons == (box,)
    assert found.contacts[shop] == "0213 000 000"
    with farm.records.session() as session:
        assert events.read(session, type=testing_book.RECALL_BEGUN) == [], "looking writes nothing"


def test_one_confirmation_blocks_every_lot_that_was_made_of_it(farm: Farm) -> None:
    roots, packed = chain(farm)
    spare = farm.packed(20).code
    shop = holder(farm)
    ship(farm, shop, Amount(packed, 30))
    begin(farm, lot(roots), hit(farm, lot(roots)).sign)
    assert farm.lot(packed).recalled_why == WHY
    assert farm.lot(spare).recalled_at is None
    for deed, wish in (
        (moving.ship, moving.Shipment(shop, (), (Amount(packed, 1),), TODAY)),
        (moving.pack_cartons, moving.Cartoning((Amount(packed, 1),), 1, TODAY)),
        (moving.sell, moving.Sale((Amount(packed, 1),), TODAY)),
    ):
        with pytest.raises(Held) as refused:
            farm.do(deed, wish)
        assert refused.value.kind == "recalled"
    with farm.records.session() as session:
        (event,) = events.read(session, type=testing_book.RECALL_BEGUN)
        subjects = events.subjects_of(session, event.number)
    assert (event.body["bizStep"], event.body["disposition"]) == ("holding", "recalled")
    assert event.body["persistentDisposition"] == {"set": ["recalled"]}
    assert {f"lot:{roots}", f"lot:{packed}"} <= set(subjects)
    assert "Tam Đường" not in str(event.body)
    agree(farm)


def test_no_label_is_printed_for_a_recalled_lot(farm: Farm) -> None:
    packed = farm.packed(20).code
    begin(farm, lot(packed))
    with pytest.raises(Held):
        farm.do(labelling.issue, labelling.Wish(packed, 1), {"text": "Miến dong"})


def test_a_recall_is_shown_anew_when_more_is_hit_by_now(farm: Farm) -> None:
    _roots, packed = chain(farm)
    sign = hit(farm, lot(packed)).sign
    ship(farm, holder(farm), Amount(packed, 1))
    with pytest.raises(HitChanged):
        begin(farm, lot(packed), sign)
    assert farm.lot(packed).recalled_at is None
    begin(farm, lot(packed), hit(farm, lot(packed)).sign)


def test_the_same_confirmation_is_one_recall_and_a_second_says_nothing_new(farm: Farm) -> None:
    packed, id_ = farm.packed(20).code, new_id()
    assert begin(farm, lot(packed), id=id_).id == begin(farm, lot(packed), id=id_).id
    with pytest.raises(NothingHit):
        begin(farm, lot(packed))
    agree(farm)


def test_what_comes_back_counts_for_the_recall(farm: Farm) -> None:
    packed, shop, far = farm.packed(100).code, holder(farm), holder(farm, "Siêu thị")
    ship(farm, shop, Amount(packed, 40))
    ship(farm, far, Amount(packed, 20))
    made = begin(farm, lot(packed))
    farm.do(moving.bring_back, moving.Return(shop, (), (Amount(packed, 30),), TODAY))
    gone = moving.Destruction((Amount(packed, 20),), TODAY, "BB-3", "thu hồi", far)
    farm.do(moving.destroy, gone)
    with farm.records.transaction() as session:
        desk = ops.Desk(session, COOP, "clerk", "", NOW)
        recall.note_call(desk, made.id, shop, "sẽ trả nốt thứ Hai")
    with farm.records.session() as session:
        first, second = recall.progress(session, made.id)
    assert (first.holder.id, first.packs, first.returned_packs, first.packs_there) == (
        shop, 40, 30, 10,
    )  # fmt: skip
    assert first.said == "sẽ trả nốt thứ Hai"
    assert not first.is_done
    assert (second.destroyed_packs, second.packs_there, second.is_done) == (20, 0, True)
    with pytest.raises(StillInStore):
        farm.do(recall.end, Ending(made.id, DESTROY, "đã hủy"))
    gone = moving.Destruction((Amount(packed, 70),), TODAY, "BB-4", "thu hồi")
    farm.do(moving.destroy, gone)
    farm.do(recall.end, Ending(made.id, DESTROY, "đã hủy"))
    assert account(farm, packed) == {"shipped": 10, "destroyed": 90}
    assert farm.lot(packed).recalled_at is not None, "destroyed goods are never free again"
    with pytest.raises(RecallEnded):
        farm.do(recall.end, Ending(made.id, DESTROY, "nữa"))
    with pytest.raises(RecallUnknown):
        farm.do(recall.end, Ending(made.id, DESTROY, "x"), cooperative="khac")
    agree(farm)


def test_goods_that_were_put_right_may_be_sold_again(farm: Farm) -> None:
    packed, shop = farm.packed(20).code, holder(farm)
    made = begin(farm, lot(packed), outcome=CORRECT)
    farm.do(recall.end, Ending(made.id, CORRECT, "dán lại hạn sử dụng"))
    assert farm.lot(packed).recalled_at is None
    ship(farm, shop, Amount(packed, 1))
    with farm.records.session() as session:
        (event,) = events.read(session, type=testing_book.RECALL_ENDED)
    assert event.body["persistentDisposition"] == {"unset": ["recalled"]}
    assert (event.body["bizStep"], event.body["disposition"]) == ("inspecting", "conformant")
    agree(farm)


def test_a_lot_in_two_recalls_is_free_after_both(farm: Farm) -> None:
    roots, packed = chain(farm)
    first = begin(farm, lot(packed), outcome=CORRECT)
    second = begin(farm, lot(roots), outcome=CORRECT)
    farm.do(recall.end, Ending(first.id, CORRECT, "xong"))
    assert farm.lot(packed).recalled_at is not None
    farm.do(recall.end, Ending(second.id, CORRECT, "xong"))
    assert farm.lot(packed).recalled_at is None
    agree(farm)


def test_a_recall_begins_from_a_household_or_a_day(farm: Farm) -> None:
    household = farm.producer("H77")
    early, late = farm.roots(10, 9, household), farm.roots(10, 6, household)
    other = farm.roots(10, 6)
    starch = farm.batch("starch", 3, late, other)
    whole = hit(farm, Origin("household", household))
    assert {one.code for one in whole.lots} == {early.code, late.code, starch.code}
    some = hit(farm, Origin("household", household, days_ago(7), days_ago(5)))
    assert {one.code for one in some.lots} == {late.code, starch.code}
    day = hit(farm, Origin("day", days_ago(6).isoformat()))
    assert {one.code for one in day.lots} == {late.code, other.code, starch.code}
    with pytest.raises(NothingHit):
        hit(farm, Origin("day", days_ago(300).isoformat()))


def test_a_spraying_hits_what_was_gathered_after_it_and_what_still_grows(farm: Farm) -> None:
    gathered = farm.crop("Rau cải")
    with farm.records.transaction() as session:
        entry = diary.Entry(
            kind="sprayed", day=days_ago(2).isoformat(), product="Thuốc A", interval_days=0
        )
        diary.write(session, new_id(), "tan-binh-1", COOP, "clerk", entry)
    with farm.records.session() as session:
        line = recall_reach.sprayings(session, COOP)[0].line
        back = withdrawal.made_of(session, gathered.code)
    assert back == []
    found = hit(farm, Origin("spray", line.id))
    assert {one.kind for one in found.lots} == {"crop", "planting"}
    begin(farm, Origin("spray", line.id))
    assert farm.lot(gathered.code).recalled_why == WHY
    agree(farm)


def test_a_spraying_hits_every_bed_of_the_house_that_gave_something_after_it(farm: Farm) -> None:
    """Beds are planted in turn, or two on one day: each may be gathered after the spraying."""
    grower = farm.producer("HTX", "cooperative")
    first, twin, later = (
        farm.do(ops.plant, ops.Planting("tan-binh-1", "Nhà màng", grower, crop, days_ago(day)))
        for crop, day in (("Rau cải", 28), ("Xà lách", 10), ("Mùi", 10))
    )
    early = farm.do(ops.harvest, ops.Harvest(later.code, 1_000, days_ago(4)), None)
    with farm.records.transaction() as session:
        entry = diary.Entry(kind="sprayed", day=days_ago(2).isoformat(), product="Thuốc A")
        diary.write(session, new_id(), "tan-binh-1", COOP, "clerk", entry)
    gathered = [
        farm.do(ops.harvest, ops.Harvest(bed.code, 10_000, TODAY), None).code
        for bed in (first, twin)
    ]
    with farm.records.session() as session:
        line = recall_reach.sprayings(session, COOP)[0].line
    found = {one.code for one in hit(farm, Origin("spray", line.id)).lots}
    assert found == {*gathered, first.code, twin.code, later.code}
    assert early.code not in found
    agree(farm)


def test_a_withdrawn_record_is_not_hit(farm: Farm) -> None:
    roots = farm.roots(100)
    wrong = farm.batch("starch", 14, roots)
    farm.do(withdrawal.withdraw, wrong.code, "ghi nhầm")
    right = farm.batch("starch", 15, roots)
    assert [one.code for one in hit(farm, lot(roots.code)).lots] == [roots.code, right.code]


def test_a_lot_in_cartons_or_in_a_recall_is_not_withdrawn_as_a_slip(farm: Farm) -> None:
    boxed, recalled = farm.packed(20).code, farm.packed(20).code
    (box,) = cartons(farm, boxed, 5)
    begin(farm, lot(recalled))
    for code in (boxed, recalled):
        with pytest.raises(StillOut):
            farm.do(withdrawal.withdraw, code, "nhầm")
    farm.do(moving.open_carton, moving.Opening(box, TODAY))
    farm.do(withdrawal.withdraw, boxed, "nhầm")
    agree(farm)


def test_a_dispatch_that_never_left_is_no_holders_in_a_recall(farm: Farm) -> None:
    _roots, packed = chain(farm)
    shop, far = holder(farm), holder(farm, "Siêu thị")
    ship(farm, far, Amount(packed, 5))
    mistaken = ship(farm, shop, Amount(packed, 10))
    made = begin(farm, lot(packed))
    farm.do(moving.void, moving.Voiding(mistaken.id, "ghi nhầm, hàng chưa đi"))
    with farm.records.session() as session:
        (left,) = recall.progress(session, made.id)
    assert (left.holder.id, left.packs, left.returned_packs) == (far, 5, 0)
    agree(farm)
