"""Corrections of lots whose packs are in cartons or away, or of which something was made."""

import datetime

import pytest
from cooperative import TODAY, Farm, days_ago, new_id
from selling import account, agree, cartons, holder, ship

from nongso.platform.traceability.errors import BeforeItsSource
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.making import correcting
from nongso.platform.traceability.making import operations as ops
from nongso.platform.traceability.making.correcting import Correction
from nongso.platform.traceability.making.errors import Contradicted, MoreDryOutThanIn
from nongso.platform.traceability.moving import goods as moving
from nongso.platform.traceability.moving.errors import NotEnoughPacks, TooEarly
from nongso.platform.traceability.moving.goods import Amount


def test_packs_counted_again_after_a_dispatch_are_what_the_store_has(farm: Farm) -> None:
    lot, shop = farm.packed(30).code, holder(farm)
    ship(farm, shop, Amount(lot, 5))
    farm.do(correcting.correct, Correction(lot, 20, TODAY, "đếm lại"))
    assert account(farm, lot) == {"loose": 15, "shipped": 5}
    with pytest.raises(NotEnoughPacks):
        ship(farm, shop, Amount(lot, 16))
    farm.do(correcting.correct, Correction(lot, 25, TODAY, "đếm lại nữa"))
    ship(farm, shop, Amount(lot, 20))
    assert account(farm, lot) == {"shipped": 25}
    agree(farm)


def test_packs_in_cartons_cannot_be_counted_away(farm: Farm) -> None:
    lot = farm.packed(30).code
    first, _second = cartons(farm, lot, 10, 2)
    with pytest.raises(Contradicted) as refused:
        farm.do(correcting.correct, Correction(lot, 15, TODAY, "đếm lại"))
    assert (refused.value.why, refused.value.amount) == ("boxed", 20)
    farm.do(moving.open_carton, moving.Opening(first, TODAY))
    farm.do(correcting.correct, Correction(lot, 15, TODAY, "đếm lại"))
    assert account(farm, lot) == {"loose": 5, "cartoned": 10}
    agree(farm)


def short_lived(farm: Farm, packs: int, day: datetime.date) -> str:
    noodles = farm.noodles(packs / 2)
    takes, until = (ops.Take(noodles.code, packs * 500),), TODAY + datetime.timedelta(days=90)
    product = farm.product(name=new_id()[:8])
    return farm.do(ops.pack, ops.Packing(product, takes, packs, 500, day, until)).code


def test_the_day_of_packs_in_cartons_and_on_their_way_is_corrected(farm: Farm) -> None:
    lot, shop = short_lived(farm, 30, days_ago(3)), holder(farm)
    other = short_lived(farm, 10, days_ago(2))
    boxes = cartons(farm, lot, 10, 2)
    ship(farm, shop, Amount(other, 5), Amount(lot, 5), cartons=tuple(boxes))
    farm.do(correcting.correct, Correction(lot, 30, days_ago(1), "nhầm ngày"))
    assert ops.day_of(farm.lot(lot)) == days_ago(1)
    with pytest.raises(BeforeItsSource):
        farm.do(correcting.correct, Correction(lot, 30, days_ago(4), "nhầm ngày"))
    agree(farm)


def test_a_packing_day_set_back_takes_the_best_before_day_with_it(farm: Farm) -> None:
    noodles = farm.noodles(50)
    takes, until = (ops.Take(noodles.code, 5_000),), TODAY + datetime.timedelta(days=365)
    lot = farm.do(ops.pack, ops.Packing(farm.product(), takes, 10, 500, TODAY, until)).code
    farm.do(correcting.correct, Correction(lot, 10, days_ago(2), "nhầm ngày"))
    assert farm.lot(lot).best_before == (until - datetime.timedelta(days=2)).isoformat()
    agree(farm)
    farm.do(labelling.issue, labelling.Wish(lot, 5), {"text": "Miến dong"})
    with pytest.raises(Contradicted) as refused:  # the labels say what they say
        farm.do(correcting.correct, Correction(lot, 10, days_ago(3), "nhầm ngày"))
    assert refused.value.why == "printed"
    farm.do(correcting.correct, Correction(lot, 10, days_ago(1), "nhầm ngày"))
    assert farm.lot(lot).best_before == (until - datetime.timedelta(days=2)).isoformat()
    agree(farm)


def test_moisture_measured_again_does_not_make_a_later_batch_impossible(farm: Farm) -> None:
    roots = farm.do(
        ops.take_in,
        ops.Intake(farm.producer("H1"), 100_000, days_ago(9), days_ago(9), moisture_permille=700),
    )
    takes = (ops.Take(roots.code, 100_000),)
    batch = ops.Batch("starch", takes, 30_000, days_ago(5), 140, reason="mẻ thử")
    starch = farm.do(ops.make_batch, batch)
    with pytest.raises(Contradicted) as refused:  # 25.8 kg of dry starch out of 20 kg
        farm.do(correcting.correct, Correction(roots.code, 100_000, days_ago(9), "đo lại", 800))
    assert (refused.value.why, refused.value.lot) == ("drier", starch.code)
    assert starch.code in refused.value.sentence()
    farm.do(correcting.correct, Correction(roots.code, 100_000, days_ago(9), "đo lại", 720))
    agree(farm)


def test_a_weight_corrected_alone_is_judged_by_the_moisture_that_was_measured(farm: Farm) -> None:
    roots = farm.roots(100)
    takes = (ops.Take(roots.code, 100_000),)
    starch = farm.do(ops.make_batch, ops.Batch("starch", takes, 14_000, days_ago(5), 140))
    with pytest.raises(MoreDryOutThanIn):  # 34.4 kg of dry starch out of at most 30 kg
        farm.do(correcting.correct, Correction(starch.code, 40_000, days_ago(5), "thiếu số"))


def test_a_carton_neither_leaves_before_it_was_packed_nor_returns_before_it_left(
    farm: Farm,
) -> None:
    lot, shop = short_lived(farm, 10, days_ago(3)), holder(farm)
    wish = moving.Cartoning((Amount(lot, 10),), 1, days_ago(2))
    (box,) = (one.code for one in farm.do(moving.pack_cartons, wish))
    with pytest.raises(TooEarly):
        farm.do(moving.ship, moving.Shipment(shop, (box,), (), days_ago(3)))
    farm.do(moving.ship, moving.Shipment(shop, (box,), (), days_ago(1)))
    with pytest.raises(TooEarly):
        farm.do(moving.bring_back, moving.Return(shop, (box,), (), days_ago(2)))
    farm.do(moving.bring_back, moving.Return(shop, (box,), (), days_ago(1)))
    agree(farm)
