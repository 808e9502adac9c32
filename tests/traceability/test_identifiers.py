"""Codes, printed addresses, GTINs."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nongso.platform.traceability import identifiers as ids
from nongso.platform.traceability.digital_link import check_digit
from nongso.platform.traceability.errors import BadGtin


def test_serials_have_more_than_40_random_bits_and_no_look_alikes() -> None:
    assert ids.SERIAL_LETTERS * math.log2(len(ids.ALPHABET)) >= 40
    assert not set("IOU01") & set(ids.ALPHABET)
    drawn = [ids.new_serial() for _ in range(2000)]
    assert len(set(drawn)) == len(drawn)
    assert set("".join(drawn)) == set(ids.ALPHABET)


def test_printed_addresses_are_in_capitals_and_have_no_query() -> None:
    made = ids.printed_address("http://127.0.0.1:8080", "K7M4PQ", "ABCDEFGHJ", None)
    assert made == "HTTP://127.0.0.1:8080/T/K7M4PQ/ABCDEFGHJ"
    assert ids.printed_address("https://lo.vn", "K7M4PQ", None, None) == "HTTPS://LO.VN/T/K7M4PQ"
    gs1 = ids.printed_address("https://lo.vn", "K7M4PQ", "ABCDEFGHJ", "08930000000018")
    assert gs1 == "HTTPS://LO.VN/01/08930000000018/10/K7M4PQ/21/ABCDEFGHJ"


def test_a_lot_is_found_in_its_identifier() -> None:
    assert ids.lot_of(ids.lot_id("https://lo.vn/", "K7M4PQ")) == "K7M4PQ"
    assert ids.as_typed(" k7m4-pq ") == "K7M4PQ"


def test_an_address_that_no_shopper_can_open_is_known() -> None:
    for base in (
        "http://127.0.0.1:8080",
        "http://192.168.1.7",
        "http://may-chu",
        "http://a.local",
    ):
        assert ids.opens_only_here(base), base
    for base in ("https://lo.binhlu.vn", "https://8.8.8.8"):
        assert not ids.opens_only_here(base), base


@given(st.integers(10**11, 10**13 - 1))
def test_the_check_digit_finds_every_single_wrong_digit(number: int) -> None:
    body = f"{number:013d}"
    whole = body + str(check_digit(body))
    for at in range(14):
        wrong = whole[:at] + str((int(whole[at]) + 1) % 10) + whole[at + 1 :]
        assert check_digit(wrong[:-1]) != int(wrong[-1])


@pytest.mark.parametrize(
    ("typed", "whole"),
    [
        ("9524000059109", "09524000059109"),  # 952: GS1's prefix for demonstrations
        ("952 4000 05910 9", "09524000059109"),
        ("09524000059109", "09524000059109"),
        ("614141000036", "00614141000036"),
        ("95050003", "00000095050003"),
    ],
)
def test_a_gtin_is_written_with_14_digits(typed: str, whole: str) -> None:
    assert ids.gtin14(typed) == whole


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("9524000059108", "check_digit"),
        ("952400005910", "check_digit"),
        ("952", "length"),
        ("", "length"),
        ("952400005910X", "length"),
        ("٩٥٢٤٠٠٠٠٥٩١٠٩", "length"),
        ("2000000000008", "restricted"),
        ("0200000000004", "restricted"),
    ],
)
def test_a_wrong_gtin_is_refused(typed: str, why: str) -> None:
    with pytest.raises(BadGtin) as refused:
        ids.gtin14(typed)
    assert refused.value.why == why
