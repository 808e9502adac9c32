"""Crops and soils that can be chosen: the tables hold what FAO-56 prints."""

import pytest

from nongso.agronomy.crops import DEEPEST_ROOT_M, crops, soils


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
