"""What a laboratory found is held against what is allowed, as papers write it."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from nongso.platform.traceability.testing import limits


@pytest.mark.parametrize(
    ("value", "limit"),
    [
        ("0,35", "0,2"),
        ("0.35", "≤ 0,2"),
        ("0,35 mg/kg", "0,2 mg/kg"),
        ("0,35 mg/kg", "0,2"),
        ("0,35", "tối đa 0,2 mg/kg"),
        ("0,00035", "0,0002"),
        ("0,35 ± 0,02", "0,2"),
        ("1,5×10⁴", "1,0 x 10^4"),
        ("1.5E+04 CFU/g", "10000 cfu/g"),
        ("1.250", "100"),
        ("1.250", "1.000"),
        ("9" * 60, "2"),
        ("3", "2"),
    ],
)
def test_more_than_is_allowed_is_noticed(value: str, limit: str) -> None:
    assert limits.is_above(value, limit)


@pytest.mark.parametrize(
    ("value", "limit"),
    [
        ("0,035", "0,2"),
        ("0,2", "0,2"),
        ("0,15 ± 0,1 mg/kg", "0,2 mg/kg"),
        ("1.000", "1.250"),
        ("3×10⁻²", "0,2"),
        ("350 µg/kg", "0,2 mg/kg"),
        ("7", "5 - 8"),
        ("KPH", "0,2"),
        ("không phát hiện", "0,2"),
        ("6", "≥ 5"),
        ("", ""),
        ("0,35", ""),
        ("e5", "1"),
    ],
)
def test_what_is_allowed_or_cannot_be_compared_is_the_clerks_word(value: str, limit: str) -> None:
    assert not limits.is_above(value, limit)


@given(st.text(max_size=200), st.text(max_size=200))
def test_nothing_that_is_written_stops_it(value: str, limit: str) -> None:
    assert limits.is_above(value, limit) in (True, False)


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_whole_numbers_are_compared_as_they_are(value: int, limit: int) -> None:
    assert limits.is_above(str(value), f"≤ {limit} mg/kg") == (value > limit)
