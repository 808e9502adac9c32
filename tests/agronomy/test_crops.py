"""Crops and soils that can be chosen: the tables hold what FAO-56 prints."""

import pytest

from nongso.agronomy.crops import DEEPEST_ROOT_M, crops, nutrients, soils


def test_a_tomato_needs_most_in_the_middle_of_its_life() -> None:
    """Stages 30/40/45/30 days and 0.6, 1.15, 0.8 of FAO-56, tables 11 and 12."""
    tomato = crops()["ca-chua"]
    days = (0, 29, 30, 50, 70, 114, 115, 130, 145, 400)
    found = [round(tomato.coefficient(day), 3) for day in days]
    assert found == [0.6, 0.6, 0.6, 0.875, 1.15, 1.15, 1.15, 0.975, 0.8, 0.8]


@pytest.mark.parametrize("word", crops())
def test_every_crop_can_be_reckoned_with_on_any_day(word: str) -> None:
    crop = crops()[word]
    assert crop.vi
    assert crop.en
    for day in range(400):
        assert min(crop.kc) <= crop.coefficient(day) <= max(crop.kc)
        assert 0.1 <= crop.root_on(day) <= DEEPEST_ROOT_M
    assert crop.root_on(10) <= crop.root_on(90)


def test_every_soil_holds_some_water() -> None:
    for kind in soils().values():
        assert kind.vi
        assert kind.en
        assert 0.1 <= kind.soil.field_capacity - kind.soil.wilting_point < 0.4


def test_what_is_enough_is_what_the_laboratory_prints_in_pounds_an_acre() -> None:
    """Rutgers, Mehlich-3: phosphorus 72 to 137, potassium 146 to 277 of two million pounds."""
    found = {metric: (one.low, one.high) for metric, one in nutrients().items()}
    assert found == {
        "soil_nitrogen": (20.0, None),
        "soil_phosphorus": (72 / 2, 137 / 2),
        "soil_potassium": (146 / 2, 277 / 2),
    }
