"""Cartons, dispatch, receipt, return, sale, destruction: where packs are, never below 0."""

import threading

import pytest
from cooperative import COOP, TODAY, Farm, days_ago, new_id
from selling import account, agree, carton, cartons, held_by, holder, ship

from nongso.platform import events
from nongso.platform.traceability.digital_link import check_digit
from nongso.platform.traceability.errors import AlreadyRecorded, LotUnknown, NotEnough, WrongKind
from nongso.platform.traceability.making import operations as ops
from nongso.platform.traceability.making.errors import NotOurs
from nongso.platform.traceability.moving import book as moving_book
from nongso.platform.traceability.moving import goods as moving
from nongso.platform.traceability.moving.errors import (
    CartonNotThere,
    CartonUnknown,
    DispatchClosed,
    Expired,
    HolderUnknown,
    MoreArrived,
    MovedOn,
    NotEnoughPacks,
    NotEnoughThere,
    NothingMoved,
    TooEarly,
)
from nongso.platform.traceability.moving.goods import Amount
from nongso.platform.traceability.moving.records import CartonNumbers


def bodies(farm: Farm, type_: str) -> list[dict]:
    with farm.records.session() as session:
        return [event.body for event in events.read(session, type=type_)]


def test_packs_go_into_cartons_and_out_again(farm: Farm) -> None:
    lot = farm.packed(100).code
    one, other = cartons(farm, lot, 24, 2)
    assert account(farm, lot) == {"loose": 52, "cartoned": 48}
    farm.do(moving.open_carton, moving.Opening(one, TODAY))
    assert account(farm, lot) == {"loose": 76, "cartoned": 24}
    with pytest.raises(CartonNotThere):
        farm.do(moving.open_carton, moving.Opening(one, TODAY))
    packing, _second = bodies(farm, moving_book.CARTONED)
    assert (packing["type"], packing["action"]) == ("AggregationEvent", "ADD")
    assert (packing["bizStep"], packing["disposition"]) == ("packing", "in_progress")
    assert packing["parentID"].endswith(f"/id/carton/{one}")
    assert packing["childQuantityList"][0]["quantity"] == 24
    (opened,) = bodies(farm, moving_book.UNPACKED)
    assert (opened["action"], opened["bizStep"]) == ("DELETE", "unpacking")
    assert carton(farm, other).state == "packed"
    agree(farm)


def test_a_carton_has_an_sscc_only_where_gs1_gave_a_prefix(farm: Farm) -> None:
    lot = farm.packed(50).code
    assert not cartons(farm, lot, 5)[0].isdigit()
    with farm.records.transaction() as session:
        session.add(CartonNumbers(cooperative=COOP, prefix="9521234", next=7))
    one, other = cartons(farm, lot, 5, 2)
    assert one == "0" + "9521234" + "000000007" + str(check_digit("09521234000000007"))
    assert len(other) == 18
    assert other[8:17] == "000000008"
    assert bodies(farm, moving_book.CARTONED)[-1]["parentID"].endswith(f"/00/{other}")
    agree(farm)


def test_more_packs_than_are_loose_do_not_go_into_cartons(farm: Farm) -> None:
    lot = farm.packed(50).code
    with pytest.raises(NotEnoughPacks) as refused:
        cartons(farm, lot, 20, 3)
    assert (refused.value.there, refused.value.wanted) == (50, 60)
    cartons(farm, lot, 25, 2)
    with pytest.raises(NotEnoughPacks):
        ship(farm, holder(farm), Amount(lot, 1))
    with pytest.raises(NothingMoved):
        cartons(farm, lot, 0)
    loose = (Amount(farm.noodles(5).code, grams=500),)
    with pytest.raises(WrongKind):
        farm.do(moving.pack_cartons, moving.Cartoning(loose, 1, TODAY))
    with pytest.raises(NothingMoved):  # kilograms of packs
        ship(farm, holder(farm, "B"), Amount(lot, 0, 500))


def test_goods_on_their_way_are_with_the_holder_and_what_is_missing_is_lost(farm: Farm) -> None:
    lot, shop = farm.packed(100).code, holder(farm)
    (box,) = cartons(farm, lot, 24)
    sent = ship(farm, shop, Amount(lot, 10), cartons=(box,))
    assert account(farm, lot) == {"loose": 66, "shipped": 34}
    assert held_by(farm, shop) == {lot: (34, 0)}
    assert carton(farm, box).holder == shop
    assert farm.lot(lot).packs_left == 66
    (shipped,) = bodies(farm, moving_book.SHIPPED)
    assert (shipped["bizStep"], shipped["disposition"]) == ("shipping", "in_transit")
    assert shipped["epcList"][0].endswith(box)
    assert {one["type"] for one in shipped["sourceList"]} == {"owning_party", "possessing_party"}
    assert shipped["destinationList"][0]["destination"].endswith(shop)
    assert "Tam Đường" not in str(shipped), "no name of anybody in an event"
    with pytest.raises(MoreArrived):
        farm.do(moving.confirm, moving.Arrival(sent.id, (Amount(lot, 35),), TODAY))
    with pytest.raises(LotUnknown):
        farm.do(moving.confirm, moving.Arrival(sent.id, (Amount("ABC", 1),), TODAY))
    farm.do(moving.confirm, moving.Arrival(sent.id, (Amount(lot, 33),), TODAY))
    assert account(farm, lot) == {"loose": 66, "shipped": 33, "lost": 1}
    assert held_by(farm, shop) == {lot: (33, 0)}
    found = farm.lot(lot)
    assert (found.away, found.lost, found.packs_left) == (33, 1, 66)
    with pytest.raises(DispatchClosed):
        farm.do(moving.confirm, moving.Arrival(sent.id, (), TODAY))
    agree(farm)


def test_roots_sold_by_weight_lose_some_on_the_way(farm: Farm) -> None:
    roots, mill = farm.roots(6000), holder(farm, "Xưởng bột")
    sent = ship(farm, mill, Amount(roots.code, grams=6_000_000))
    assert farm.lot(roots.code).left_grams == 0
    arrived = moving.Arrival(sent.id, (Amount(roots.code, grams=5_960_000),), TODAY)
    farm.do(moving.confirm, arrived)
    found = farm.lot(roots.code)
    assert (found.away, found.lost, found.used_grams) == (5_960_000, 40_000, 6_000_000)
    (receipt,) = bodies(farm, moving_book.ARRIVED)
    assert receipt["bizStep"] == "receiving"
    assert receipt["quantityList"] == [
        {"epcClass": receipt["quantityList"][0]["epcClass"], "quantity": 5960.0, "uom": "KGM"}
    ]
    with pytest.raises(NotEnough):
        ship(farm, mill, Amount(roots.code, grams=1))
    back = moving.Return(mill, (), (Amount(roots.code, grams=5_960_001),), TODAY)
    with pytest.raises(NotEnoughThere):
        farm.do(moving.bring_back, back)
    back = moving.Return(mill, (), (Amount(roots.code, grams=60_000),), TODAY)
    farm.do(moving.bring_back, back)
    assert farm.lot(roots.code).left_grams == 60_000
    agree(farm)


def test_nothing_at_all_arrived(farm: Farm) -> None:
    lot, shop = farm.packed(10).code, holder(farm)
    sent = ship(farm, shop, Amount(lot, 10))
    farm.do(moving.confirm, moving.Arrival(sent.id, (Amount(lot, 0),), TODAY))
    assert account(farm, lot) == {"lost": 10}
    agree(farm)


def test_a_mistaken_dispatch_is_voided_while_all_is_there(farm: Farm) -> None:
    lot, shop = farm.packed(100).code, holder(farm)
    (box,) = cartons(farm, lot, 24)
    sent = ship(farm, shop, Amount(lot, 10), cartons=(box,))
    farm.do(moving.void, moving.Voiding(sent.id, "ghi nhầm cửa hàng"))
    assert account(farm, lot) == {"loose": 76, "cartoned": 24}
    assert carton(farm, box).holder is None
    (voided,) = bodies(farm, moving_book.VOIDED)
    assert voided["bizStep"] == "void_shipping"
    with pytest.raises(DispatchClosed):
        farm.do(moving.void, moving.Voiding(sent.id, "nữa"))
    sent = ship(farm, shop, cartons=(box,))
    farm.do(moving.sell, moving.Sale((Amount(lot, 1),), TODAY, shop))
    with pytest.raises(MovedOn):
        farm.do(moving.void, moving.Voiding(sent.id, "muộn rồi"))
    with pytest.raises(CartonNotThere):
        farm.do(moving.open_carton, moving.Opening(box, TODAY))
    agree(farm)


def test_goods_come_back_are_sold_and_destroyed(farm: Farm) -> None:
    lot, shop = farm.packed(100).code, holder(farm)
    (box,) = cartons(farm, lot, 24)
    ship(farm, shop, Amount(lot, 30), cartons=(box,))
    farm.do(moving.bring_back, moving.Return(shop, (box,), (Amount(lot, 6),), TODAY, "ế"))
    assert account(farm, lot) == {"loose": 52, "cartoned": 24, "shipped": 24}
    farm.do(moving.sell, moving.Sale((Amount(lot, 4),), TODAY, shop))
    farm.do(moving.sell, moving.Sale((Amount(lot, 2),), TODAY))
    gone = moving.Destruction((Amount(lot, 20),), TODAY, "BB-01", "mốc", shop)
    farm.do(moving.destroy, gone)
    assert held_by(farm, shop) == {lot: (0, 0)}
    assert account(farm, lot) == {"loose": 50, "cartoned": 24, "sold": 6, "destroyed": 20}
    with pytest.raises(NotEnoughPacks) as refused:
        farm.do(moving.sell, moving.Sale((Amount(lot, 1),), TODAY, shop))
    assert refused.value.where == "Cửa hàng chợ Tam Đường"
    (destroyed,) = bodies(farm, moving_book.GONE)
    assert (destroyed["action"], destroyed["bizStep"]) == ("DELETE", "destroying")
    assert destroyed["bizTransactionList"][0]["bizTransaction"].endswith("/BB-01")
    (returned,) = bodies(farm, moving_book.RETURNED)
    assert (returned["bizStep"], returned["disposition"]) == ("receiving", "returned")
    agree(farm)


def test_a_carton_that_was_opened_at_the_shop_does_not_come_back_whole(farm: Farm) -> None:
    lot, shop = farm.packed(24).code, holder(farm)
    (box,) = cartons(farm, lot, 24)
    ship(farm, shop, cartons=(box,))
    farm.do(moving.sell, moving.Sale((Amount(lot, 1),), TODAY, shop))
    with pytest.raises(NotEnoughPacks):
        farm.do(moving.bring_back, moving.Return(shop, (box,), (), TODAY))
    farm.do(moving.bring_back, moving.Return(shop, (), (Amount(lot, 23),), TODAY))
    assert account(farm, lot) == {"loose": 23, "sold": 1}
    agree(farm)


def test_expired_unborn_and_unknown_goods_do_not_leave(farm: Farm) -> None:
    lot, shop = farm.packed(10).code, holder(farm)
    with pytest.raises(TooEarly):
        farm.do(moving.ship, moving.Shipment(shop, (), (Amount(lot, 1),), days_ago(1)))
    late = TODAY.replace(year=TODAY.year + 2)
    with pytest.raises(Expired):
        farm.do(moving.ship, moving.Shipment(shop, (), (Amount(lot, 1),), late))
    with pytest.raises(HolderUnknown):
        ship(farm, "nobody", Amount(lot, 1))
    with pytest.raises(CartonUnknown):
        ship(farm, shop, cartons=("X",))
    with pytest.raises(LotUnknown):
        farm.do(moving.sell, moving.Sale((Amount(lot, 1),), TODAY), cooperative="khac")
    with pytest.raises(NothingMoved):
        ship(farm, shop)
    with pytest.raises(NothingMoved):
        ship(farm, shop, Amount(lot, 1), Amount(lot, 1))


def test_the_same_form_is_one_movement(farm: Farm) -> None:
    lot, shop, id_ = farm.packed(100).code, holder(farm), new_id()
    assert cartons(farm, lot, 10, 3, id=id_) == cartons(farm, lot, 10, 3, id=id_)
    assert account(farm, lot) == {"loose": 70, "cartoned": 30}
    with pytest.raises(AlreadyRecorded):
        cartons(farm, lot, 11, 3, id=id_)
    id_ = new_id()
    assert (
        ship(farm, shop, Amount(lot, 5), id=id_).id == ship(farm, shop, Amount(lot, 5), id=id_).id
    )
    with pytest.raises(AlreadyRecorded):
        ship(farm, shop, Amount(lot, 6), id=id_)
    for deed, wish in (
        (moving.bring_back, moving.Return(shop, (), (Amount(lot, 1),), TODAY)),
        (moving.sell, moving.Sale((Amount(lot, 1),), TODAY)),
        (moving.destroy, moving.Destruction((Amount(lot, 1),), TODAY, "BB", "mốc")),
    ):
        id_ = new_id()
        assert farm.do(deed, wish, id=id_) == farm.do(deed, wish, id=id_)
    assert account(farm, lot) == {
        "loose": 64, "cartoned": 30, "shipped": 4, "sold": 1, "destroyed": 1,
    }  # fmt: skip
    agree(farm)


def test_64_clerks_who_send_the_same_packs_at_once_never_exceed_them(farm: Farm) -> None:
    lot, shop = farm.packed(100).code, holder(farm)
    refused: list[Exception] = []

    def send() -> None:
        try:
            ship(farm, shop, Amount(lot, 3))
        except NotEnoughPacks as e:
            refused.append(e)

    clerks = [threading.Thread(target=send) for _ in range(64)]
    for clerk in clerks:
        clerk.start()
    for clerk in clerks:
        clerk.join()
    assert len(refused) == 64 - 33
    assert account(farm, lot) == {"loose": 1, "shipped": 99}
    agree(farm)


def test_what_a_household_brought_for_milling_is_not_sold(farm: Farm) -> None:
    wish = ops.Intake(farm.producer(), 60_000, days_ago(9), days_ago(8), purpose=ops.MILLING)
    roots = farm.do(ops.take_in, wish).code
    with pytest.raises(NotOurs):
        ship(farm, holder(farm), Amount(roots, grams=1000))
    with pytest.raises(NotOurs):
        farm.do(moving.sell, moving.Sale((Amount(roots, grams=1000),), TODAY))
