"""Making: milling for a fee, yields, what land can give, portions, losses, corrections."""

import dataclasses
import datetime
import hashlib
import multiprocessing
import threading

import pytest
from cooperative import BASE, COOP, NOW, TODAY, Farm, days_ago, new_id

from nongso.platform import events
from nongso.platform.diary import entries as diary
from nongso.platform.greenhouse.records import Greenhouse
from nongso.platform.settings import Settings
from nongso.platform.storage import StorageError
from nongso.platform.store import Records
from nongso.platform.traceability import lots
from nongso.platform.traceability.errors import BeforeItsSource, HeldBack, NotEnough, UsedAlready
from nongso.platform.traceability.making import correcting, leaving, reckoning, regrouping
from nongso.platform.traceability.making import operations as ops
from nongso.platform.traceability.making.correcting import Correction
from nongso.platform.traceability.making.errors import (
    BeyondLand,
    Contradicted,
    HoldersDiffer,
    MoistureImpossible,
    MoreDryOutThanIn,
    NotOurs,
    OursAlready,
    OwnersDiffer,
    Unusable,
    UnusualYield,
)
from nongso.platform.traceability.making.leaving import HandBack, HandOver, Loss, Undoing
from nongso.platform.traceability.making.regrouping import Merge, Split, TakeOver
from nongso.platform.traceability.moving.errors import Held
from nongso.platform.traceability.records import Lot
from nongso.platform.traceability.registry.plots import Plot
from nongso.platform.traceability.withdrawal import withdraw


def test_a_form_from_before_a_field_was_added_is_still_the_same_form() -> None:
    wish = ops.Batch("starch", (ops.Take("ABC234", 5),), 1, TODAY)
    before = '{"kind": "starch", "inputs": [{"lot": "ABC234", "grams": 5}], "out_grams": 1, '
    before += '"day": "2026-11-21"}'
    assert ops.digest(wish) == hashlib.sha256(before.encode()).hexdigest()
    assert ops.digest(dataclasses.replace(wish, reason="ướt")) != ops.digest(wish)


def milled(farm: Farm, kg: float = 100, producer: str | None = None) -> Lot:
    """Roots that a household brings to be ground for a fee."""
    wish = ops.Intake(
        producer or farm.producer(new_id()),
        round(kg * 1000),
        days_ago(11),
        days_ago(10),
        purpose=ops.MILLING,
    )
    return farm.do(ops.take_in, wish)


def starch(farm: Farm, roots: Lot, grams: int, **more) -> Lot:
    take = (ops.Take(roots.code, farm.lot(roots.code).left_grams or 0),)
    return farm.do(ops.make_batch, ops.Batch("starch", take, grams, days_ago(5), **more))


def well(farm: Farm) -> None:
    """The tables equal the stream."""
    with farm.records.session() as session:
        assert lots.differences(session) == []


def body_of(farm: Farm, lot: Lot, type_: str) -> dict:
    with farm.records.session() as session:
        return lots.about(session, lot.code, (type_,))[-1].body


def test_roots_brought_for_milling_stay_the_households(farm: Farm) -> None:
    roots = milled(farm)
    assert (roots.owner, roots.holder) == (roots.producer_id, COOP)
    receipt = body_of(farm, roots, lots.RECEIVED)
    assert [one["type"] for one in receipt["sourceList"]] == ["possessing_party"]
    assert receipt["destinationList"] == [
        {"type": "possessing_party", "destination": f"{BASE}/id/party/{COOP}"}
    ]
    made = starch(farm, roots, 14_000)
    assert made.owner == roots.owner, "what is made of them too"
    bought = farm.roots(100)
    assert bought.owner == COOP
    assert [one["type"] for one in body_of(farm, bought, lots.RECEIVED)["sourceList"]] == [
        "owning_party",
        "possessing_party",
    ]
    take = tuple(ops.Take(one.code, 1000) for one in (milled(farm), bought))
    with pytest.raises(OwnersDiffer):
        farm.do(ops.make_batch, ops.Batch("starch", take, 280, TODAY))
    well(farm)


def test_the_starch_goes_back_to_the_household_or_is_bought(farm: Farm) -> None:
    made = starch(farm, milled(farm), 14_000)
    fee = farm.do(
        regrouping.take_over, TakeOver(ops.Take(made.code, 1_000), TODAY, regrouping.FEE)
    )
    ours = farm.do(regrouping.take_over, TakeOver(ops.Take(made.code, 4_000), TODAY))
    farm.do(leaving.hand_back, HandBack(made.code, 9_000, TODAY))
    assert (fee.owner, ours.owner, farm.lot(made.code).owner) == (COOP, COOP, made.owner)
    assert ours.regrouped
    assert ours.made_grams == 4_000
    left = farm.lot(made.code)
    assert (left.left_grams, left.away) == (0, 9_000)
    sold = body_of(farm, ours, "lot.taken_over")
    assert sold["sourceList"] == [
        {"type": "owning_party", "source": f"{BASE}/id/party/{made.owner}"}
    ]
    fetched = body_of(farm, made, "lot.handed_back")
    assert fetched["destinationList"] == [
        {"type": "possessing_party", "destination": f"{BASE}/id/party/{made.owner}"}
    ]
    for deed, wish in (
        (regrouping.take_over, TakeOver(ops.Take(ours.code, 1), TODAY)),
        (leaving.hand_back, HandBack(ours.code, 1, TODAY)),
    ):
        with pytest.raises(OursAlready):
            farm.do(deed, wish)
    with pytest.raises(NotEnough):
        farm.do(leaving.hand_back, HandBack(made.code, 1, TODAY))
    well(farm)


def test_what_is_a_households_is_packed_only_as_its_own_product(farm: Farm) -> None:
    made = starch(farm, milled(farm), 14_000)
    take = (ops.Take(made.code, 14_000),)
    noodles = farm.do(ops.make_batch, ops.Batch("noodles", take, 13_000, TODAY))
    product = farm.product()
    until = TODAY + datetime.timedelta(days=30)
    wish = ops.Packing(product, (ops.Take(noodles.code, 1000),), 2, 500, TODAY, until)
    with pytest.raises(NotOurs):
        farm.do(ops.pack, wish)
    ours = farm.do(regrouping.take_over, TakeOver(ops.Take(noodles.code, 1000), TODAY))
    wish = ops.Packing(product, (ops.Take(ours.code, 1000),), 2, 500, TODAY, until)
    assert farm.do(ops.pack, wish).owner == COOP


def test_roots_at_somebody_elses_mill_are_still_ours(farm: Farm) -> None:
    roots, other, mill = farm.roots(100), farm.roots(100), farm.producer("MILL", "group")
    farm.do(leaving.hand_over, HandOver(roots.code, mill, TODAY))
    assert (farm.lot(roots.code).holder, farm.lot(roots.code).owner) == (mill, COOP)
    take = tuple(ops.Take(one.code, 1000) for one in (roots, other))
    with pytest.raises(HoldersDiffer):
        farm.do(ops.make_batch, ops.Batch("starch", take, 280, TODAY))
    take = (ops.Take(roots.code, 100_000),)
    made = farm.do(ops.make_batch, ops.Batch("starch", take, 14_000, TODAY))
    assert made.holder == mill
    with pytest.raises(Unusable) as refused:
        farm.do(regrouping.split, Split(ops.Take(made.code, 1000), TODAY))
    assert refused.value.code == "held_elsewhere"
    farm.do(leaving.hand_over, HandOver(made.code, "", TODAY))
    assert farm.do(regrouping.split, Split(ops.Take(made.code, 1000), TODAY)).holder == COOP
    well(farm)


def test_a_yield_out_of_its_band_is_asked_for_a_reason_which_is_recorded(farm: Farm) -> None:
    roots = farm.roots(996)
    with pytest.raises(UnusualYield) as asked:
        starch(farm, roots, 200_000)
    assert (round(asked.value.got, 1), asked.value.low, asked.value.high) == (20.1, 12, 16)
    assert farm.lot(roots.code).left_grams == 996_000, "what is asked takes nothing yet"
    made = starch(farm, roots, 200_000, reason="bột còn ướt")
    assert body_of(farm, made, lots.TRANSFORMED)["nongso:reason"] == "bột còn ướt"


def test_wet_starch_is_reckoned_as_dry_starch(farm: Farm) -> None:
    made = starch(farm, farm.roots(1000), 225_000, moisture_permille=450)
    assert made.moisture_permille == 450
    with farm.records.session() as session:
        run = reckoning.runs(session, [session.get_one(Lot, made.code)])[0]
    assert run.percent == pytest.approx(22.5 * 0.55 / 0.86)
    with pytest.raises(MoistureImpossible):
        starch(farm, farm.roots(100), 14_000, moisture_permille=700)


def test_more_dry_matter_than_went_in_is_refused_whatever_the_reason(farm: Farm) -> None:
    with pytest.raises(MoreDryOutThanIn):
        starch(farm, farm.roots(100), 36_000, moisture_permille=140, reason="cân lại rồi")
    wet = starch(farm, farm.roots(1000), 225_000, moisture_permille=450)
    take = (ops.Take(wet.code, 225_000),)
    with pytest.raises(MoreDryOutThanIn):
        farm.do(ops.make_batch, ops.Batch("noodles", take, 160_000, TODAY, 120, "đủ nắng"))
    assert farm.do(ops.make_batch, ops.Batch("noodles", take, 135_000, TODAY, 120)).made_grams


def test_the_band_follows_the_cooperatives_own_batches(farm: Farm) -> None:
    for kg in (10, 10.2, 9.9, 10.1, 10, 9.8, 10.3, 10):
        starch(farm, farm.roots(100), round(kg * 1000), reason="củ non")
    with pytest.raises(UnusualYield) as asked:
        starch(farm, farm.roots(100), 14_000)
    assert 9 < asked.value.low < 9.8
    assert 10.3 < asked.value.high < 11
    assert starch(farm, farm.roots(100), 10_100).made_grams == 10_100, "usual here by now"


def own_land(farm: Farm, ha: float) -> str:
    producer = farm.producer(new_id())
    with farm.records.transaction() as session:
        session.add(
            Plot(
                id=new_id(),
                cooperative=COOP,
                producer_id=producer,
                code=new_id()[:8],
                name="Nương dong",
                crop="dong riềng",
                area=f"{ha} ha",
                area_m2=round(ha * 10_000),
                growing_area_code="",
                since="2026-01-01",
            )
        )
    return producer


def test_what_the_land_does_not_give_is_asked_for_its_source_and_called_bought(
    farm: Farm,
) -> None:
    producer = own_land(farm, 0.1)  # 4,000 kg usually, 6,500 kg at the very most
    own = farm.roots(3900, producer=producer)

    def more(kg: int, **says) -> Lot:
        wish = ops.Intake(producer, kg * 1000, days_ago(2), days_ago(1), **says)
        return farm.do(ops.take_in, wish)

    with pytest.raises(BeyondLand) as asked:
        more(200)
    assert (asked.value.surely, asked.value.most, asked.value.field) == (
        False,
        4_000_000,
        "reason",
    )
    assert more(200, reason="năm nay củ to").bought is False
    with pytest.raises(BeyondLand) as asked:
        more(3000, reason="năm nay củ to")
    assert (asked.value.surely, asked.value.field) == (True, "bought_from")
    bought = more(3000, bought_from="Hộ ở xã bên, chợ Tam Đường")
    assert bought.bought
    assert bought.place_id is None, "nobody here can state where it grew"
    assert [event.type for event in lots_events(farm, bought)] == ["lot.received"]
    made = farm.batch("starch", 966, own, bought, day=0)
    assert made.bought, "what holds something bought in is called so too"
    with farm.records.session() as session:
        land = reckoning.land_of(session, producer, "roots", TODAY)
    assert land.brought_grams == 4_100_000, "what was bought does not use up land"
    well(farm)


def lots_events(farm: Farm, lot: Lot) -> list[events.Event]:
    with farm.records.session() as session:
        return list(events.read(session, subject=f"lot:{lot.code}"))[:1]


def test_where_no_land_is_written_down_nothing_is_asked(farm: Farm) -> None:
    assert farm.roots(90_000).made_grams == 90_000_000


def test_lots_are_split_and_merged_without_gain_or_loss(farm: Farm) -> None:
    one, other = farm.roots(100), farm.roots(50)
    part = farm.do(regrouping.split, Split(ops.Take(one.code, 30_000), TODAY))
    whole = farm.do(
        regrouping.merge,
        Merge((ops.Take(part.code, 30_000), ops.Take(other.code, 50_000)), TODAY),
    )
    assert (whole.kind, whole.made_grams, whole.producer_id) == ("roots", 80_000, None)
    assert part.producer_id == one.producer_id
    assert farm.lot(one.code).left_grams == 70_000
    takes = (ops.Take(whole.code, 1), ops.Take(farm.noodles(1).code, 1))
    with pytest.raises(ops.WrongKind):
        farm.do(regrouping.merge, Merge(takes, TODAY))
    well(farm)
    farm.do(withdraw, whole.code, "gộp nhầm")
    assert (farm.lot(part.code).left_grams, farm.lot(other.code).left_grams) == (30_000, 50_000)
    well(farm)


def test_a_loss_closes_the_balance_and_can_be_undone(farm: Farm) -> None:
    noodles = farm.noodles(10)
    farm.do(leaving.lose, Loss(noodles.code, 1_500, "spoilt", TODAY, "mốc"))
    with pytest.raises(NotEnough):
        farm.do(leaving.lose, Loss(noodles.code, 8_501, "spoilt", TODAY))
    balance = reckoning.balance_of(farm.lot(noodles.code))
    assert (balance.made, balance.lost, balance.left) == (10_000, 1_500, 8_500)
    with farm.records.session() as session:
        wrong = lots.about(session, noodles.code, ("lot.lost",))[0]
    farm.do(leaving.undo, Undoing(wrong.id, "cân nhầm"))
    assert farm.lot(noodles.code).left_grams == 10_000
    with pytest.raises(ops.AlreadyRecorded):
        farm.do(leaving.undo, Undoing(wrong.id, "lại lần nữa"))
    well(farm)


def test_a_quantity_is_corrected_by_new_events_with_a_reason(farm: Farm) -> None:
    roots = farm.roots(996)
    made = starch(farm, roots, 139_000)
    id_ = new_id()
    wish = Correction(made.code, 149_000, days_ago(4), "ghi nhầm một bao")
    farm.do(correcting.correct, wish, id=id_)
    right = farm.do(correcting.correct, wish, id=id_)
    assert (right.made_grams, ops.day_of(right), right.in_grams) == (149_000, days_ago(4), 996_000)
    assert right.corrected_at == NOW
    with farm.records.session() as session:
        first, declared, correction = (
            event
            for event in events.read(session, subject=f"lot:{made.code}")
            if event.type != "lot.harvested"
        )
    assert first.body["outputQuantityList"][0]["quantity"] == 139, "nothing is edited"
    error = declared.body["errorDeclaration"]
    assert declared.body["eventID"] == first.body["eventID"]
    assert error["correctiveEventIDs"] == [correction.body["eventID"]]
    assert error["nongso:why"] == "ghi nhầm một bao"
    assert correction.body["outputQuantityList"][0]["quantity"] == 149
    again = Correction(made.code, 150_000, days_ago(4), "cân lại")
    assert farm.do(correcting.correct, again).made_grams == 150_000
    with pytest.raises(Contradicted) as refused:
        farm.do(correcting.correct, Correction(made.code, 150_000, days_ago(4), "như cũ"))
    assert refused.value.why == "same"
    well(farm)
    farm.do(withdraw, made.code, "nhầm mẻ")
    assert farm.lot(roots.code).left_grams == 996_000
    well(farm)


def test_what_went_in_is_corrected_too(farm: Farm) -> None:
    roots = farm.roots(100)
    wish = ops.Batch("starch", (ops.Take(roots.code, 90_000),), 13_000, days_ago(5))
    made = farm.do(ops.make_batch, wish)
    takes = (ops.Take(roots.code, 100_000),)
    farm.do(
        correcting.correct,
        Correction(made.code, 13_000, days_ago(5), "thiếu một bao", None, takes),
    )
    assert (farm.lot(roots.code).left_grams, farm.lot(made.code).in_grams) == (0, 100_000)
    takes = (ops.Take(roots.code, 100_001),)
    with pytest.raises(NotEnough):
        farm.do(
            correcting.correct, Correction(made.code, 13_000, days_ago(5), "thừa", None, takes)
        )
    well(farm)
    farm.do(withdraw, made.code, "nhầm")
    assert farm.lot(roots.code).left_grams == 100_000
    well(farm)


def test_a_correction_that_something_later_contradicts_is_refused(farm: Farm) -> None:
    roots = farm.roots(100, day=10)
    made = starch(farm, roots, 14_000)
    for wish, why in (
        (Correction(roots.code, 99_000, days_ago(10), "cân nhầm"), "used"),
        (Correction(roots.code, 100_000, days_ago(4), "nhầm ngày"), "later"),
        (Correction(roots.code, 100_000, days_ago(12), "nhầm ngày"), "earlier"),
    ):
        with pytest.raises(Contradicted) as refused:
            farm.do(correcting.correct, wish)
        assert refused.value.why == why
    with pytest.raises(BeforeItsSource):
        farm.do(correcting.correct, Correction(made.code, 14_000, days_ago(11), "nhầm ngày"))
    with pytest.raises(MoreDryOutThanIn):
        farm.do(correcting.correct, Correction(made.code, 90_000, days_ago(5), "thiếu số"))
    packs = farm.packed(20)
    noodles = lots_of(farm, packs)
    with pytest.raises(ops.MoreOutThanIn):
        farm.do(correcting.correct, Correction(packs.code, 21, TODAY, "đếm lại"))
    assert farm.do(correcting.correct, Correction(packs.code, 19, TODAY, "đếm lại")).packs == 19
    assert farm.lot(noodles).left_grams == 0, "half a kilogram was lost in packing"
    well(farm)


def lots_of(farm: Farm, packs: Lot) -> str:
    with farm.records.session() as session:
        return correcting.takes_of(correcting.made_by(session, packs.code)[-1])[0].lot


def test_a_lot_that_is_recalled_or_failed_is_not_used(farm: Farm) -> None:
    for state, code in (({"tested": "failed"}, "failed"), ({"recalled_at": NOW}, "recalled")):
        roots = farm.roots(100)
        with farm.records.transaction() as session:
            for name, value in state.items():
                setattr(session.get_one(Lot, roots.code), name, value)
        with pytest.raises(Held) as refused:
            starch(farm, roots, 14_000)
        assert refused.value.code == code


def test_a_sprayed_crop_is_neither_harvested_nor_packed_too_early(farm: Farm) -> None:
    with farm.records.transaction() as session:
        session.add(Greenhouse(slug="tan-binh-1", name="Nhà màng", cooperative=COOP))
    grower = farm.producer("HTX", "cooperative")
    wish = ops.Planting("tan-binh-1", "Nhà màng", grower, "Rau cải", days_ago(28))
    planting = farm.do(ops.plant, wish)
    crop = farm.do(ops.harvest, ops.Harvest(planting.code, 10_000, days_ago(1)), None)
    sprayed = diary.Entry("sprayed", days_ago(3).isoformat(), product="Dầu", interval_days=7)
    with farm.records.transaction() as session:
        diary.write(session, new_id(), "tan-binh-1", COOP, "farmer", sprayed, NOW)
    with pytest.raises(HeldBack):
        farm.do(ops.harvest, ops.Harvest(planting.code, 10_000, TODAY), None)
    product = farm.product("vegetables", "Rau cải", crop="Rau cải")
    until = TODAY + datetime.timedelta(days=5)
    packing = ops.Packing(product, (ops.Take(crop.code, 5_000),), 10, 500, TODAY, until)
    with pytest.raises(HeldBack):
        farm.do(ops.pack, packing)


def test_what_was_handed_back_is_not_withdrawn(farm: Farm) -> None:
    made = starch(farm, milled(farm), 14_000)
    farm.do(leaving.hand_back, HandBack(made.code, 1_000, TODAY))
    with pytest.raises(Contradicted):
        farm.do(withdraw, made.code, "nhầm")
    with farm.records.session() as session:
        fetched = lots.about(session, made.code, ("lot.handed_back",))[0]
    farm.do(leaving.undo, Undoing(fetched.id, "chưa lấy"))
    farm.do(withdraw, made.code, "nhầm")
    well(farm)


def test_a_lot_that_was_split_is_not_withdrawn_before_its_part(farm: Farm) -> None:
    roots = farm.roots(10)
    part = farm.do(regrouping.split, Split(ops.Take(roots.code, 1_000), TODAY))
    with pytest.raises(UsedAlready):
        farm.do(withdraw, roots.code, "nhầm")
    farm.do(withdraw, part.code, "nhầm")
    farm.do(withdraw, roots.code, "nhầm")
    well(farm)


@pytest.mark.parametrize("chain", ["plums", "tea-leaves", "raw-honey", "paddy", "cinnamon-leaves"])
def test_another_recipe_needs_no_code(farm: Farm, chain: str) -> None:
    from nongso.platform.traceability.making.recipe_book import recipes

    wish = ops.Intake(farm.producer(new_id()), 100_000, days_ago(3), days_ago(3), kind=chain)
    raw = farm.do(ops.take_in, wish)
    step = recipes().steps_of(chain)[0]
    take = (ops.Take(raw.code, 100_000),)
    made = farm.do(ops.make_batch, ops.Batch(step.key, take, 5_000, TODAY))
    assert (made.kind, made.recipe, made.in_grams) == (step.gives, step.key, 100_000)
    product = farm.product(step.gives, new_id()[:8])
    until = TODAY + datetime.timedelta(days=30)
    wish = ops.Packing(product, (ops.Take(made.code, 5_000),), 10, 500, TODAY, until)
    assert farm.do(ops.pack, wish).packs == 10
    well(farm)


def test_a_herb_keeps_its_name(farm: Farm) -> None:
    wish = ops.Intake(farm.producer(), 10_000, TODAY, TODAY, kind="fresh-herbs", name="Thảo quả")
    fresh = farm.do(ops.take_in, wish)
    take = (ops.Take(fresh.code, 10_000),)
    assert farm.do(ops.make_batch, ops.Batch("dry-herbs", take, 2_000, TODAY)).name == "Thảo quả"


def _pack_once(records: Records, wish: ops.Packing, outcomes) -> None:
    """One clerk, who presses again when the books were busy: the same form, so one packing."""
    id_ = new_id()
    while True:
        try:
            with records.transaction() as session:
                ops.pack(ops.Desk(session, COOP, "clerk", BASE, NOW), id_, wish)
            return outcomes.put("packed")
        except NotEnough:
            return outcomes.put("refused")
        except StorageError:
            continue


def _clerks(settings: Settings, wish: ops.Packing, count: int, gate, outcomes) -> None:
    """Some of the clerks, in a process of their own."""
    records = Records.of(settings)
    threads = [
        threading.Thread(target=_pack_once, args=(records, wish, outcomes)) for _ in range(count)
    ]
    gate.wait(60)
    for one in threads:
        one.start()
    for one in threads:
        one.join(120)
    records.close()


def test_64_clerks_at_four_servers_who_pack_the_same_lot_never_exceed_it(farm: Farm) -> None:
    noodles, product = farm.noodles(10), farm.product(name="at once")
    until = TODAY + datetime.timedelta(days=9)
    wish = ops.Packing(product, (ops.Take(noodles.code, 250),), 1, 250, TODAY, until)
    forked = multiprocessing.get_context("fork")
    outcomes, gate = forked.Queue(), forked.Event()
    processes = [
        forked.Process(target=_clerks, args=(farm.settings, wish, 16, gate, outcomes))
        for _ in range(4)
    ]
    for one in processes:
        one.start()
    gate.set()
    found = [outcomes.get(timeout=240) for _ in range(64)]
    for one in processes:
        one.join(60)
    assert sorted(found) == ["packed"] * 40 + ["refused"] * 24
    assert farm.lot(noodles.code).left_grams == 0
    well(farm)
