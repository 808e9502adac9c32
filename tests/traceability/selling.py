"""Short ways to say where goods go."""

import datetime

from cooperative import COOP, NOW, TODAY, Farm, new_id
from sqlalchemy import select

from nongso.platform.traceability import lots
from nongso.platform.traceability.making import operations as ops
from nongso.platform.traceability.moving import goods as moving
from nongso.platform.traceability.moving.goods import Amount
from nongso.platform.traceability.moving.records import Carton, Holder, Holding, PackAccount
from nongso.platform.traceability.records import Lot


def holder(farm: Farm, name: str = "Cửa hàng chợ Tam Đường", contact: str = "0213 000 000") -> str:
    made = Holder(
        id=new_id(),
        cooperative=COOP,
        kind="shop",
        name=name,
        address="chợ Tam Đường",
        contact=contact,
        changed_at=NOW,
    )
    with farm.records.transaction() as session:
        session.add(made)
    return made.id


def cartons(farm: Farm, lot: str, packs: int, count: int = 1, id: str | None = None) -> list[str]:  # noqa: A002
    wish = moving.Cartoning((Amount(lot, packs),), count, TODAY)
    return [one.code for one in farm.do(moving.pack_cartons, wish, id=id)]


def ship(farm: Farm, to: str, *amounts: Amount, cartons: tuple[str, ...] = (), id=None):  # noqa: A002
    return farm.do(moving.ship, moving.Shipment(to, cartons, amounts, TODAY), id=id)


def account(farm: Farm, lot: str) -> dict[str, int]:
    with farm.records.session() as session:
        found = session.get(PackAccount, lot)
        assert found is not None
        names = ("loose", "cartoned", "shipped", "sold", "sampled", "destroyed", "lost")
        return {name: getattr(found, name) for name in names if getattr(found, name)}


def held_by(farm: Farm, holder: str) -> dict[str, tuple[int, int]]:
    with farm.records.session() as session:
        found = session.scalars(select(Holding).where(Holding.holder == holder))
        return {one.lot: (one.packs, one.grams) for one in found}


def carton(farm: Farm, code: str) -> Carton:
    with farm.records.session() as session:
        return session.get_one(Carton, code)


def agree(farm: Farm) -> None:
    """The tables say what the stream says."""
    with farm.records.session() as session:
        assert lots.differences(session) == []


def tomorrow(days: int = 1) -> datetime.date:
    return TODAY + datetime.timedelta(days=days)


def pack(farm: Farm, noodles: Lot, packs: int) -> Lot:
    """Pack noodles by the half kilogram."""
    wish = ops.Packing(
        farm.product(name=new_id()[:8]),
        (ops.Take(noodles.code, packs * 500),),
        packs,
        500,
        TODAY,
        tomorrow(365),
    )
    return farm.do(ops.pack, wish)
