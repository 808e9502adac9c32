"""What was sprayed holds a crop back for as long as the label asks."""

import datetime

import pytest
from cooperative import COOP, NOW, TODAY, Farm, days_ago, new_id
from hypothesis import given
from hypothesis import strategies as st

from nongso.platform.app import create_app
from nongso.platform.diary import entries as diary
from nongso.platform.diary.entries import Entry
from nongso.platform.greenhouse.records import Greenhouse
from nongso.platform.traceability import sentences
from nongso.platform.traceability.errors import HeldBack
from nongso.platform.traceability.labelling import account as labelling_account
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.labelling import state as labelling_state
from nongso.platform.traceability.labelling.text import texts_of
from nongso.platform.traceability.making import operations as ops
from nongso.platform.traceability.records import Lot
from nongso.platform.traceability.scans import states
from nongso.platform.traceability.seasons.withholding import Binding, refuse_held_back, withholding

HOUSE = "tan-binh-1"


@pytest.fixture
def planting(farm: Farm) -> Lot:
    with farm.records.transaction() as session:
        session.add(Greenhouse(slug=HOUSE, name="Nhà màng Tân Bình 1", cooperative=COOP))
    grower = farm.producer("HTX", "cooperative")
    wish = ops.Planting(HOUSE, "Nhà màng Tân Bình 1", grower, "Rau cải", days_ago(28))
    return farm.do(ops.plant, wish)


def spray(farm: Farm, day: datetime.date, interval: int, product: str = "Dầu neem") -> str:
    id_ = new_id()
    entry = Entry("sprayed", day.isoformat(), product=product, interval_days=interval)
    with farm.records.transaction() as session:
        diary.write(session, id_, HOUSE, COOP, "farmer", entry, NOW)
    return id_


def gather(farm: Farm, planting: Lot, day: datetime.date = TODAY, kg: float = 10) -> Lot:
    return farm.do(ops.harvest, ops.Harvest(planting.code, round(kg * 1000), day), None)


def held(farm: Farm, lot: Lot, day: datetime.date = TODAY) -> list[Binding]:
    with farm.records.session() as session:
        return withholding(session, lot.code, day)


def pack(farm: Farm, crop: Lot) -> Lot:
    product = farm.product("vegetables", new_id()[:8], crop="Rau cải")
    wish = ops.Packing(
        product, (ops.Take(crop.code, 5000),), 10, 500, TODAY, TODAY + datetime.timedelta(days=5)
    )
    return farm.do(ops.pack, wish)


def test_a_sprayed_crop_is_held_back_to_the_end_of_the_last_day(farm: Farm, planting: Lot) -> None:
    spray(farm, days_ago(7), 10)
    until = days_ago(7) + datetime.timedelta(days=10)
    assert [one.until for one in held(farm, planting)] == [until]
    assert held(farm, planting, until) != []
    assert held(farm, planting, until + datetime.timedelta(days=1)) == []


def test_the_longest_interval_decides(farm: Farm, planting: Lot) -> None:
    spray(farm, days_ago(1), 3, "Dầu neem")
    spray(farm, days_ago(6), 14, "Thuốc trừ nhện")
    assert [one.product for one in held(farm, planting)] == ["Thuốc trừ nhện", "Dầu neem"]


def test_what_was_gathered_too_early_stays_held_back_whatever_it_becomes(
    farm: Farm, planting: Lot
) -> None:
    crop = gather(farm, planting, days_ago(3))
    packs = pack(farm, crop)
    spray(farm, days_ago(6), 5)  # a line that waited on the phone
    for lot in (crop, packs):
        (found,) = held(farm, lot, TODAY + datetime.timedelta(days=30))
        assert found.harvested == days_ago(3)


def test_what_was_gathered_before_the_spraying_is_free(farm: Farm, planting: Lot) -> None:
    crop = gather(farm, planting, days_ago(3))
    spray(farm, days_ago(2), 10)
    assert held(farm, crop) == []
    assert held(farm, planting) != []


def test_on_one_day_the_order_of_the_records_decides(farm: Farm, planting: Lot) -> None:
    morning = gather(farm, planting)
    spray(farm, TODAY, 7)
    assert held(farm, morning) == []
    with pytest.raises(HeldBack):
        gather(farm, planting)


def test_what_was_gathered_too_early_is_not_packed_and_says_why(farm: Farm, planting: Lot) -> None:
    crop = gather(farm, planting, days_ago(3))
    spray(farm, days_ago(6), 5)  # a line that waited on the phone
    with pytest.raises(HeldBack) as refused:
        pack(farm, crop)
    assert (refused.value.deed, refused.value.harvested) == ("pack", days_ago(3))


def test_sprayings_before_the_planting_and_lines_taken_back_hold_nothing(
    farm: Farm, planting: Lot
) -> None:
    spray(farm, days_ago(30), 60)
    wrong = spray(farm, days_ago(2), 10)
    with farm.records.transaction() as session:
        line = diary.line(session, HOUSE, wrong)
        diary.correct(session, new_id(), line, HOUSE, COOP, "farmer", None, "Nhầm nhà màng", NOW)
    assert held(farm, planting) == []


def test_a_spraying_without_interval_and_dong_of_the_hills_hold_nothing(
    farm: Farm, planting: Lot
) -> None:
    spray(farm, days_ago(2), 0)
    assert held(farm, planting) == []
    assert held(farm, farm.noodles(10)) == []


def test_the_sentence_names_the_product_its_day_and_the_last_day(
    farm: Farm, planting: Lot
) -> None:
    spray(farm, days_ago(7), 10)
    app = create_app(farm.settings)
    with (
        farm.records.session() as session,
        app.test_request_context("/"),
        pytest.raises(HeldBack) as refused,
    ):
        refuse_held_back(session, planting.code, TODAY, "harvest")
    app.extensions["nongso.records"].close()
    app.extensions["nongso.telemetry"].close()
    with app.test_request_context("/"):
        said = sentences.refusal(refused.value)
    assert said == (
        "Chưa được thu hoạch: Dầu neem phun ngày 14/11/2026, "
        "thời gian cách ly đến hết ngày 24/11/2026."
    )


@given(st.integers(0, 40), st.integers(1, 60), st.integers(0, 60))
def test_held_back_exactly_on_the_days_between(ago: int, interval: int, later: int) -> None:
    sprayed = days_ago(ago)
    free = diary.safe_from([Entry("sprayed", sprayed.isoformat(), interval_days=interval)])
    assert free is not None
    day = sprayed + datetime.timedelta(days=later)
    assert (day < free[0]) == (sprayed <= day <= sprayed + datetime.timedelta(days=interval))


def test_a_scanned_label_says_that_its_pack_is_held_back_by_a_spraying_told_late(
    farm: Farm, planting: Lot
) -> None:
    crop = gather(farm, planting, days_ago(3))
    packs = pack(farm, crop)
    made = farm.do(labelling.issue, labelling.Wish(packs.code, 2), texts_of(farm.lot(packs.code)))
    with farm.records.session() as session:
        serial, spoiled = labelling.codes_of(session, made.id)
    farm.do(labelling_account.spoil, labelling_account.Told(packs.code, (spoiled,)))
    farm.do(labelling_account.apply, labelling_account.Told(packs.code, (serial,)))

    def state() -> str:
        with farm.records.session() as session:
            return labelling_state.standing(session, serial, NOW).state

    def as_scanned() -> list[str]:
        asked = [(packs.code, one) for one in (serial, spoiled)]
        with farm.records.session() as session:
            found = states.packs(session, asked, NOW)
            return [found[one].state for one in asked]

    assert state() == labelling_state.ACTIVE
    line = spray(farm, days_ago(6), 5)  # it waited on the phone
    assert state() == labelling_state.HELD_BACK
    assert as_scanned() == [labelling_state.ACTIVE, labelling_state.SPOILED], "no sign of a copy"
    with farm.records.transaction() as session:
        found = diary.line(session, HOUSE, line)
        diary.correct(session, new_id(), found, HOUSE, COOP, "farmer", None, "Nhầm nhà màng", NOW)
    assert state() == labelling_state.ACTIVE
