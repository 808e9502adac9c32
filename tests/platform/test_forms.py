"""Numbers and days as people write them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nongso.platform.forms import TwoWays, Unreadable, kg_typed, read_grams


@pytest.mark.parametrize(
    ("typed", "grams"),
    [
        ("12", 12_000),
        ("12,5", 12_500),
        ("12.5", 12_500),
        (" 1250 kg", 1_250_000),
        ("1 250", 1_250_000),
        ("1\u00a0250,5", 1_250_500),
        ("1.250,5", 1_250_500),
        ("1,250.5", 1_250_500),
        ("1.250.000", 1_250_000_000),
        ("0,250", 250),
        ("0.250", 250),
        ("92,05", 92_050),
        ("1250.125", 1_250_125),
    ],
)
def test_kilograms_are_read_with_comma_and_dot(typed: str, grams: int) -> None:
    assert read_grams(typed) == grams


@pytest.mark.parametrize("typed", ["1.250", "1,250", "12.500", "125.000"])
def test_what_can_be_read_two_ways_is_asked_back(typed: str) -> None:
    with pytest.raises(TwoWays) as asked:
        read_grams(typed)
    assert asked.value.large == 1000 * asked.value.small


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "kg",
        "-5",
        "1,2,3",
        "1.25.0",
        "1e3",
        "nan",
        "12,3456",
        "1.250.00",
        "٥",
        "1.250,000.5",
        ",",
    ],
)
def test_what_is_no_weight_is_refused(typed: str) -> None:
    with pytest.raises(Unreadable):
        read_grams(typed)


@given(st.integers(0, 10**8))
def test_what_a_form_proposes_is_read_back_exactly(grams: int) -> None:
    assert read_grams(kg_typed(grams)) == grams


@given(st.text(max_size=20))
def test_whatever_is_typed_gives_a_number_or_a_named_trouble(typed: str) -> None:
    with contextlib.suppress(TwoWays, Unreadable):
        assert read_grams(typed) >= 0
