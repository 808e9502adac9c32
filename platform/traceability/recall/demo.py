"""The demonstration's failed test and recall: a small lot of noodles, some of it with a shop.

Everything goes through the same operations as a clerk's work. Nobody is invented: a shop is
called what it is, and its telephone number is left out, which the recall then says.
"""

import datetime
import uuid
from collections.abc import Callable
from typing import Any

from nongso.platform.store import Records
from nongso.platform.traceability.making import operations as ops
from nongso.platform.traceability.moving import goods as moving
from nongso.platform.traceability.moving.goods import Amount
from nongso.platform.traceability.moving.records import Holder
from nongso.platform.traceability.recall import recalling as recall
from nongso.platform.traceability.recall.reach import Origin
from nongso.platform.traceability.recall.records import DESTROY
from nongso.platform.traceability.testing import laboratory as testing

ROOTS_GRAMS, STARCH_GRAMS, NOODLES_GRAMS = 60_000, 8_400, 8_000
PACKS, PACK_GRAMS = 16, 500
IN_CARTON = 6
LABORATORY = "Phòng kiểm nghiệm (trình diễn)"

Do = Callable[..., Any]


def lay_down(
    records: Records, cooperative: str, today: datetime.date, do: Do, owner: str, product: str
) -> str:
    """Lay it down; returns the code of the recalled lot. ``do`` is the demonstration's desk."""

    def ago(days: int) -> datetime.date:
        return today - datetime.timedelta(days=days)

    shop = _holder(records, cooperative, "shop", "Cửa hàng ở chợ Tam Đường (trình diễn)")
    buyer = _holder(records, cooperative, "buyer", "Bếp ăn trường học (trình diễn)")
    roots = do(ops.take_in, "held/roots", ops.Intake(owner, ROOTS_GRAMS, ago(13), ago(12)))
    taken = (ops.Take(roots.code, ROOTS_GRAMS),)
    starch = do(ops.make_batch, "held/starch", ops.Batch("starch", taken, STARCH_GRAMS, ago(9)))
    taken = (ops.Take(starch.code, STARCH_GRAMS),)
    noodles = do(
        ops.make_batch, "held/noodles", ops.Batch("noodles", taken, NOODLES_GRAMS, ago(6))
    )
    taken = (ops.Take(noodles.code, PACKS * PACK_GRAMS),)
    until = ago(5) + datetime.timedelta(days=365)
    packing = ops.Packing(product, taken, PACKS, PACK_GRAMS, ago(5), until)
    packed = do(ops.pack, "held/packs", packing).code
    (box,) = do(
        moving.pack_cartons,
        "held/carton",
        moving.Cartoning((Amount(packed, IN_CARTON),), 1, ago(4)),
    )
    sent = moving.Shipment(shop, (box.code,), (Amount(packed, 2),), ago(3))
    dispatch = do(moving.ship, "held/sent", sent)
    arrived = moving.Arrival(dispatch.id, (Amount(packed, IN_CARTON + 2),), ago(3))
    do(moving.confirm, "held/arrived", arrived)
    do(moving.ship, "held/sent-2", moving.Shipment(buyer, (), (Amount(packed, 3),), ago(2)))
    do(moving.sell, "held/sold", moving.Sale((Amount(packed, 1),), ago(2), shop))
    do(testing.sample, "held/sample", testing.Taking(packed, 1, 0, LABORATORY, ago(2)))
    failed = testing.Result(
        packed, LABORATORY, "TD-01", "Chì (Pb)", "0,41", "mg/kg", "0,2", False, today
    )
    do(testing.record, "held/test", failed)
    advice = "Xin không ăn, giữ nguyên gói và mang trả hoặc báo cho nơi bán."
    why = "Trình diễn: kết quả kiểm nghiệm chì vượt mức cho phép"
    do(recall.begin, "held/recall", recall.Call(Origin("lot", packed), why, advice, DESTROY))
    back = moving.Return(shop, (), (Amount(packed, 4),), today, "thu hồi")
    do(moving.bring_back, "held/back", back)
    code: str = packed
    return code


def _holder(records: Records, cooperative: str, kind: str, name: str) -> str:
    key = str(uuid.uuid5(uuid.NAMESPACE_URL, f"nongso/demo/holder/{name}"))
    with records.transaction() as session:
        if session.get(Holder, key) is None:
            session.add(
                Holder(
                    id=key,
                    cooperative=cooperative,
                    kind=kind,
                    name=name,
                    address="",
                    contact="",
                    changed_at=0,
                )
            )
    return key
