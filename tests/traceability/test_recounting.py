"""Accounts of packs that an older version left wrong are put right by events."""

import pytest
from cooperative import BASE, NOW, TODAY, Farm
from selling import account, agree, cartons, holder, ship
from sqlalchemy import select, text, update

from nongso.platform.events import Event
from nongso.platform.traceability import lots, recounting
from nongso.platform.traceability.epcis.model import check_event
from nongso.platform.traceability.making import correcting
from nongso.platform.traceability.making.correcting import Correction
from nongso.platform.traceability.moving import book as moving_book
from nongso.platform.traceability.moving import goods as moving
from nongso.platform.traceability.moving.errors import NotEnoughPacks
from nongso.platform.traceability.moving.goods import Amount
from nongso.platform.traceability.moving.records import PackAccount
from nongso.platform.traceability.recounting import Wrong

WHY = "Bản cũ không trừ gói khi sửa số"


def set_right(farm: Farm) -> list[Wrong]:
    with farm.records.transaction() as session:
        return recounting.set_right(session, BASE, NOW, WHY)


def as_the_old_version_left_it(farm: Farm, lot: str, more: int) -> None:
    """A correction did not reach the account: so many packs more than there are."""
    with farm.records.transaction() as session:
        session.execute(
            update(PackAccount)
            .where(PackAccount.lot == lot)
            .values(packs=PackAccount.packs + more, loose=PackAccount.loose + more)
        )


def differences(farm: Farm) -> list[str]:
    with farm.records.session() as session:
        return lots.differences(session)


def events_of(farm: Farm, lot: str) -> list[Event]:
    with farm.records.session() as session:
        return lots.about(session, lot, (moving_book.SET_RIGHT,))


def test_an_old_wrong_account_is_put_right_by_an_event_with_the_reason(farm: Farm) -> None:
    lot, other, shop = farm.packed(30).code, farm.packed(10).code, holder(farm)
    ship(farm, shop, Amount(lot, 5), Amount(other, 2))
    farm.do(correcting.correct, Correction(lot, 20, TODAY, "đếm lại"))
    as_the_old_version_left_it(farm, lot, 10)
    assert all(recounting.is_of_an_account(line) for line in differences(farm))
    assert [(one.lot, one.refused) for one in set_right(farm)] == [(lot, "")]
    assert account(farm, lot) == {"loose": 15, "shipped": 5}
    agree(farm)
    (event,) = events_of(farm, lot)
    assert event.body["nongso:why"] == WHY
    assert check_event(event.body) == []
    with pytest.raises(NotEnoughPacks):
        ship(farm, shop, Amount(lot, 16))
    ship(farm, shop, Amount(lot, 15))
    farm.do(correcting.correct, Correction(lot, 22, TODAY, "còn hai gói nữa"))
    assert account(farm, lot) == {"loose": 2, "shipped": 20}
    agree(farm)


def test_putting_right_twice_is_once_and_what_is_right_gets_no_event(farm: Farm) -> None:
    lot, shop = farm.packed(30).code, holder(farm)
    ship(farm, shop, Amount(lot, 5))
    assert set_right(farm) == []
    as_the_old_version_left_it(farm, lot, 4)
    assert len(set_right(farm)) == 1
    assert set_right(farm) == []
    assert len(events_of(farm, lot)) == 1


def test_an_account_without_its_row_and_one_without_events_come_right(farm: Farm) -> None:
    gone, extra, shop = farm.packed(30).code, farm.packed(10).code, holder(farm)
    ship(farm, shop, Amount(gone, 5))
    with farm.records.transaction() as session:
        session.execute(text("DELETE FROM pack_account"))
        session.execute(
            text(
                "INSERT INTO pack_account "
                "(lot, packs, loose, cartoned, shipped, sold, sampled, destroyed, lost) "
                "VALUES (:lot, 10, 3, 0, 0, 7, 0, 0, 0)"
            ),
            {"lot": extra},
        )
    assert {one.lot for one in set_right(farm)} == {gone, extra}
    assert account(farm, gone) == {"loose": 25, "shipped": 5}
    assert account(farm, extra) == {"loose": 10}
    agree(farm)


def test_more_packs_in_cartons_than_there_are_is_for_people_to_say(farm: Farm) -> None:
    lot = farm.packed(30).code
    first, _second = cartons(farm, lot, 10, 2)
    farm.do(moving.open_carton, moving.Opening(first, TODAY))
    farm.do(correcting.correct, Correction(lot, 15, TODAY, "đếm lại"))
    as_the_old_version_left_it(farm, lot, 15)
    (again,) = cartons(farm, lot, 10, 1)  # the shelf by the wrong account still has packs
    assert [(one.lot, one.refused) for one in set_right(farm)] == [(lot, "below_zero")]
    assert events_of(farm, lot) == []
    farm.do(moving.open_carton, moving.Opening(again, TODAY))
    assert [(one.lot, one.refused) for one in set_right(farm)] == [(lot, "")]
    assert account(farm, lot) == {"loose": 5, "cartoned": 10}
    agree(farm)


def test_a_lot_that_was_changed_by_hand_is_not_made_good_with_its_account(farm: Farm) -> None:
    lot, shop = farm.packed(30).code, holder(farm)
    ship(farm, shop, Amount(lot, 5))
    as_the_old_version_left_it(farm, lot, 10)
    with farm.records.transaction() as session:
        session.execute(text("UPDATE lot SET packs = 40 WHERE code = :lot"), {"lot": lot})
    before = differences(farm)
    assert [one.refused for one in set_right(farm)] == ["lot_differs"]
    assert differences(farm) == before
    with farm.records.session() as session:
        assert session.scalar(select(Event).where(Event.type == moving_book.SET_RIGHT)) is None
