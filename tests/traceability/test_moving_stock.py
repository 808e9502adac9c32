"""Whatever clerks press, packs are never below zero and always add up."""

from cooperative import TODAY, Farm
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from selling import agree, holder
from sqlalchemy import select

from nongso.platform.traceability.errors import Refused
from nongso.platform.traceability.moving import goods as moving
from nongso.platform.traceability.moving.goods import Amount
from nongso.platform.traceability.moving.records import Carton, Dispatch, Holding, PackAccount
from nongso.platform.traceability.testing import laboratory as testing

PACKS = 30
DEEDS = st.tuples(
    st.sampled_from(
        ("cartons", "open", "ship", "ship box", "arrive", "void", "back", "back box", "sell",
         "shop sells", "destroy", "shop destroys", "sample")
    ),
    st.integers(1, 12),
    st.integers(0, 3),
)  # fmt: skip


def press(farm: Farm, lot: str, shops: list[str], deed: str, packs: int, nth: int) -> None:
    """One button; what the books do not allow is refused."""
    shop, some = shops[nth % len(shops)], (Amount(lot, packs),)
    with farm.records.session() as session:
        boxes = list(session.scalars(select(Carton.code).order_by(Carton.code)))
        sent = list(session.scalars(select(Dispatch.id).order_by(Dispatch.id)))
    box = boxes[nth % len(boxes)] if boxes else "none"
    dispatch = sent[nth % len(sent)] if sent else "none"
    wishes = {
        "cartons": (moving.pack_cartons, moving.Cartoning(some, nth + 1, TODAY)),
        "open": (moving.open_carton, moving.Opening(box, TODAY)),
        "ship": (moving.ship, moving.Shipment(shop, (), some, TODAY)),
        "ship box": (moving.ship, moving.Shipment(shop, (box,), (), TODAY)),
        "arrive": (moving.confirm, moving.Arrival(dispatch, (Amount(lot, packs - 1),), TODAY)),
        "void": (moving.void, moving.Voiding(dispatch, "nhầm")),
        "back": (moving.bring_back, moving.Return(shop, (), some, TODAY)),
        "back box": (moving.bring_back, moving.Return(shop, (box,), (), TODAY)),
        "sell": (moving.sell, moving.Sale(some, TODAY)),
        "shop sells": (moving.sell, moving.Sale(some, TODAY, shop)),
        "destroy": (moving.destroy, moving.Destruction(some, TODAY, "BB", "mốc")),
        "shop destroys": (moving.destroy, moving.Destruction(some, TODAY, "BB", "mốc", shop)),
        "sample": (testing.sample, testing.Taking(lot, packs, 0, "Phòng A", TODAY)),
    }
    farm.do(*wishes[deed])


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(deeds=st.lists(DEEDS, min_size=4, max_size=14))
def test_packs_add_up_whatever_is_pressed(farm: Farm, deeds: list[tuple[str, int, int]]) -> None:
    lot = farm.packed(PACKS).code
    shops = [holder(farm, f"{name} {lot}") for name in ("Cửa hàng", "Siêu thị")]
    for deed, packs, nth in deeds:
        try:
            press(farm, lot, shops, deed, packs, nth)
        except Refused:
            continue
    with farm.records.session() as session:
        account = session.get(PackAccount, lot)
        if account is None:
            return
        held = session.scalars(select(Holding).where(Holding.lot == lot)).all()
        boxed = [
            one.contents[lot]
            for one in session.scalars(
                select(Carton).where(Carton.state == "packed", Carton.holder.is_(None))
            )
            if lot in one.contents
        ]
        assert sum(one.packs for one in held) == account.shipped
        assert sum(boxed) == account.cartoned
    found = farm.lot(lot)
    assert found.packs_left == account.in_store
    assert (found.away, found.lost) == (account.shipped + account.sold, account.lost)
    agree(farm)
