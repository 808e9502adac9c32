"""Numbers as people type them: read in one way, or asked back."""

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nongso.platform.typed_numbers import HasDecimals, TwoWays, Unreadable, read, read_whole


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("10", "10"),
        (" 2,5 ", "2.5"),
        ("2.5", "2.5"),
        ("0,25", "0.25"),
        ("007", "7"),
        ("1.234,5", "1234.5"),
        ("1,234.5", "1234.5"),
        ("1 234,5", "1234.5"),
        ("1\u202f234", "1234"),
        ("1.234.567", "1234567"),
        ("0,250", "0.25"),
        ("1,2500", "1.25"),
    ],
)
def test_numbers_are_read_as_they_are_written_here_and_on_english_keyboards(
    typed: str, value: str
) -> None:
    assert read(typed) == Decimal(value)


@pytest.mark.parametrize(
    "typed",
    [
        *("", "x", "-3", "-0", "+3", "1e3", "1e999", "nan", "inf", "0x10", "1_000", "1.2.3"),
        *("1.234,567.8", "1.23,4", "12 5", "1 2345", "1,2345", ",5", "5,", "1/2", "½", "²", "٣"),
        *("１２", "1\u200b2", "1\x002", "\u202e21", "9" * 25, "0" * 5000 + "1", " " * 10**6 + "1"),
    ],
)
def test_what_is_no_number_of_a_form_is_refused(typed: str) -> None:
    with pytest.raises(Unreadable):
        read(typed)
    with pytest.raises(Unreadable):
        read_whole(typed)


@pytest.mark.parametrize("typed", ["1.250", "1,250", "12.500", "125.000"])
def test_a_quantity_that_can_be_read_two_ways_is_asked_back(typed: str) -> None:
    with pytest.raises(TwoWays) as asked:
        read(typed)
    assert asked.value.large == 1000 * asked.value.small


@pytest.mark.parametrize(
    ("typed", "value"), [("180", 180), ("1.250", 1250), ("1,250", 1250), ("1 250", 1250)]
)
def test_a_count_of_packs_has_no_fraction_so_a_thousand_is_a_thousand(
    typed: str, value: int
) -> None:
    assert read_whole(typed) == value


@pytest.mark.parametrize("typed", ["12,5", "1.234,5", "0,250"])
def test_half_a_pack_is_told_from_what_is_no_number(typed: str) -> None:
    with pytest.raises(HasDecimals):
        read_whole(typed)


@given(st.text(max_size=40) | st.text("0123456789., -eE", max_size=30))
def test_whatever_is_typed_gives_a_small_number_or_a_named_trouble(typed: str) -> None:
    with contextlib.suppress(TwoWays, Unreadable):
        assert 0 <= read(typed) < 10**24
    with contextlib.suppress(Unreadable):
        assert 0 <= read_whole(typed) < 10**24
