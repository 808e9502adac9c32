"""A wrong laboratory's result is corrected by new events, and what is held follows anew."""

import dataclasses

import pytest
from cooperative import TODAY, Farm, new_id
from selling import agree, cartons, holder, ship

from nongso.platform import events
from nongso.platform.traceability.epcis import model
from nongso.platform.traceability.errors import AlreadyRecorded
from nongso.platform.traceability.moving.errors import Held, NotCorrected, WhyLifted
from nongso.platform.traceability.moving.goods import Amount
from nongso.platform.traceability.shopper.story import tell
from nongso.platform.traceability.testing import book as testing_book
from nongso.platform.traceability.testing import laboratory as testing
from nongso.platform.traceability.testing.correcting import Correction, correct, said_of
from nongso.platform.traceability.testing.records import LabTest

WHY = "gõ nhầm dấu phẩy"


def result(lot: str, conformant: bool, what: str = "Chì (Pb)", **more) -> testing.Result:
    value = "0,05" if conformant else "0,41"
    return testing.Result(
        lot, "Phòng kiểm nghiệm", "KQ-1", what, value, "mg/kg", "0,2", conformant, TODAY, **more
    )


def recorded(farm: Farm, key: str) -> LabTest:
    with farm.records.session() as session:
        return session.get_one(LabTest, key)


def standing(farm: Farm, *lots: str) -> tuple[str, ...]:
    return tuple(farm.lot(lot).tested for lot in lots)


def test_a_result_that_failed_by_a_slip_holds_nothing_back_any_more(farm: Farm) -> None:
    roots = farm.roots(100)
    starch = farm.batch("starch", 14, roots).code
    wrong = farm.do(testing.record, result(roots.code, False)).id
    farm.do(correct, Correction(wrong, WHY, result(roots.code, True)))
    assert standing(farm, roots.code, starch) == ("passed", "")
    ship(farm, holder(farm), Amount(starch, grams=1000))
    assert recorded(farm, wrong).value == "0,41", "the old one is kept"
    assert recorded(farm, wrong).wrong_why == WHY
    agree(farm)


def test_a_result_that_passed_by_a_slip_holds_back_what_is_packed_and_sent(farm: Farm) -> None:
    lot, shop = farm.packed(20).code, holder(farm)
    ship(farm, shop, Amount(lot, 5))
    wrong = farm.do(testing.record, result(lot, True)).id
    farm.do(correct, Correction(wrong, WHY, result(lot, False)))
    assert standing(farm, lot) == ("failed",)
    for deed in (lambda: ship(farm, shop, Amount(lot, 1)), lambda: cartons(farm, lot, 5)):
        with pytest.raises(Held):
            deed()
    agree(farm)


def test_another_cause_still_holds(farm: Farm) -> None:
    roots = farm.roots(100)
    starch = farm.batch("starch", 14, roots).code
    wrong = farm.do(testing.record, result(roots.code, False)).id
    farm.do(testing.record, result(roots.code, False, "Asen"))
    farm.do(correct, Correction(wrong, WHY, result(roots.code, True)))
    assert standing(farm, roots.code, starch) == ("failed", "failed")
    agree(farm)


def test_what_a_wrong_result_had_let_go_is_held_again_with_what_was_made_since(farm: Farm) -> None:
    roots = farm.roots(100)
    farm.do(testing.record, result(roots.code, False))
    passed = farm.do(testing.record, result(roots.code, True, lifted_why="rửa lại")).id
    starch = farm.batch("starch", 14, roots).code
    farm.do(correct, Correction(passed, "phiếu của lô khác", None))
    assert standing(farm, roots.code, starch) == ("failed", "failed")
    farm.do(testing.record, result(roots.code, True, lifted_why="lấy mẫu lại"))
    assert standing(farm, roots.code, starch) == ("passed", "")
    agree(farm)


def test_a_report_number_is_corrected_and_everything_stands_as_before(farm: Farm) -> None:
    roots = farm.roots(100)
    starch = farm.batch("starch", 14, roots).code
    farm.do(testing.record, result(roots.code, False))
    passed = farm.do(testing.record, result(roots.code, True, lifted_why="rửa lại"))
    with farm.records.session() as session:
        said = said_of(session, passed)
    right = dataclasses.replace(said, report_number="KQ-2")
    bare = dataclasses.replace(right, lifted_why="")
    with pytest.raises(WhyLifted):
        farm.do(correct, Correction(passed.id, WHY, bare))
    farm.do(correct, Correction(passed.id, WHY, right))
    assert standing(farm, roots.code, starch) == ("passed", "")
    agree(farm)


def test_the_same_form_is_one_correction_and_a_second_clerk_is_told(farm: Farm) -> None:
    lot, id_ = farm.packed(10).code, new_id()
    wrong = farm.do(testing.record, result(lot, False)).id
    wish = Correction(wrong, WHY, result(lot, True))
    farm.do(correct, wish, id=id_)
    farm.do(correct, wish, id=id_)
    with farm.records.session() as session:
        assert len(events.read(session, type=testing_book.TEST_CORRECTED)) == 1
        assert len(events.read(session, type=testing_book.TEST_WRONG)) == 1
    with pytest.raises(AlreadyRecorded):
        farm.do(correct, Correction(wrong, "khác", None), id=id_)
    with pytest.raises(NotCorrected) as refused:
        farm.do(correct, wish)
    assert refused.value.why == "wrong"
    with pytest.raises(NotCorrected) as refused:
        farm.do(correct, wish, cooperative="other")
    assert refused.value.why == "unknown"


def test_a_correction_that_changes_nothing_is_refused(farm: Farm) -> None:
    lot = farm.packed(10).code
    right = result(lot, True)
    kept = farm.do(testing.record, right).id
    with pytest.raises(NotCorrected) as refused:
        farm.do(correct, Correction(kept, WHY, right))
    assert refused.value.why == "same"


def test_the_declaration_repeats_the_event_and_names_the_right_one(farm: Farm) -> None:
    lot = farm.packed(10).code
    wrong, id_ = farm.do(testing.record, result(lot, False)).id, new_id()
    farm.do(correct, Correction(wrong, WHY, result(lot, True)), id=id_)
    with farm.records.session() as session:
        (old,) = events.read(session, type=testing_book.TESTED)
        (declared,) = events.read(session, type=testing_book.TEST_WRONG)
        (right,) = events.read(session, type=testing_book.TEST_CORRECTED)
    assert not [*model.check_event(declared.body), *model.check_event(right.body)]
    said = declared.body["errorDeclaration"]
    assert {**declared.body, "errorDeclaration": 0} == {**old.body, "errorDeclaration": 0}
    assert (said["reason"], said["nongso:why"]) == ("incorrect_data", WHY)
    assert said["correctiveEventIDs"] == [right.body["eventID"]] == [f"urn:uuid:{id_}"]
    assert right.body["nongso:corrects"] == old.body["eventID"]


def test_shoppers_read_the_result_that_holds_and_that_it_was_corrected(farm: Farm) -> None:
    lot = farm.packed(10).code
    wrong = farm.do(testing.record, result(lot, False)).id
    right = farm.do(correct, Correction(wrong, WHY, result(lot, True)), id=new_id())
    assert right.id == wrong

    def told():
        with farm.records.session() as session:
            story = tell(session, farm.lot(lot))
            assert story is not None
            return story

    story = told()
    assert [one.passed for one in story.steps if one.what == "tested"] == [True]
    assert (story.corrected, [one.why for one in story.reasons]) == (1, [WHY])
    with farm.records.session() as session:
        (event,) = events.read(session, type=testing_book.TEST_CORRECTED)
    farm.do(correct, Correction(event.id, "phiếu của lô khác", None))
    assert not [one for one in told().steps if one.what == "tested"]
    assert standing(farm, lot) == ("",)
    agree(farm)
