"""Bar codes of goods with a GTIN: other people's decoders read what was meant."""

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st

from nongso.labels.bars import Bars, check_digit, ean13, gs1_128
from nongso.labels.errors import BadElement, BadGtin


def read(made: Bars, dots: int = 2) -> zxingcpp.Barcode:
    """Decode the bars from a picture as wide as they are, quiet zones and nothing more."""
    line = bytes(0 if bar else 255 for bar in made.row() for _ in range(dots))
    found = zxingcpp.read_barcodes(memoryview(line * 40).cast("B", (40, len(line))))
    assert len(found) == 1
    return found[0]


@settings(max_examples=80, deadline=None)
@given(st.from_regex(r"[0-9]{12}", fullmatch=True).filter(lambda digits: int(digits) >= 10**8))
def test_any_gtin_of_13_digits_is_read_at_the_till(digits: str) -> None:
    gtin = digits + check_digit(digits)
    code = read(ean13(gtin))
    assert code.format in (zxingcpp.BarcodeFormat.EAN13, zxingcpp.BarcodeFormat.UPCA)
    assert code.text.zfill(13) == gtin


def test_the_digits_stand_below_as_at_the_till() -> None:
    assert ean13("8930000000019").text == "8 930000 000019"
    assert ean13("012345678905").text == "0 012345 678905"


LOTS = st.text(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcxyz0123456789!%&'()*+,-./:;<=>?_", min_size=1, max_size=14
)


@settings(max_examples=80, deadline=None)
@given(LOTS, LOTS, st.integers(0, 999_999))
def test_lot_serial_and_weight_of_a_carton_are_read(lot: str, serial: str, grams: int) -> None:
    gtin = "1893000000001" + check_digit("1893000000001")
    elements = [("01", gtin), ("10", lot)]
    code = read(gs1_128(elements))
    assert code.symbology_identifier == "]C1"
    assert code.text == f"(01){gtin}(10){lot}"
    both = read(gs1_128([("3103", f"{grams:06}"), ("10", lot), ("21", serial)]))
    assert both.text == f"(3103){grams:06}(10){lot}(21){serial}"


def test_digits_are_written_in_pairs() -> None:
    assert gs1_128([("01", "8930000000019")]).width == 2 * 10 + (1 + 1 + 8 + 1) * 11 + 13
    long, short = gs1_128([("10", "A1234567")]), gs1_128([("10", "ABCDEFGH")])
    assert long.width < short.width


@pytest.mark.parametrize(
    ("gtin", "why"),
    [
        ("8930000000018", "last digit would be 9"),
        ("893000000001", "last digit"),
        ("89300000000", "8, 12, 13 or 14"),
        ("893000000001٩", "8, 12, 13 or 14"),
        ("18930000000016", "GS1-128"),
        ("96385074", "EAN-8"),
    ],
)
def test_a_number_that_is_no_gtin_of_the_till_is_refused(gtin: str, why: str) -> None:
    with pytest.raises(BadGtin, match=why):
        ean13(gtin)


@pytest.mark.parametrize(
    ("elements", "why"),
    [
        ([], "1 to 48"),
        ([("1", "A")], "two to four"),
        ([("10", "")], "1 to 20"),
        ([("10", "lô 7")], "1 to 20"),
        ([("10", "A" * 21)], "1 to 20"),
        ([("15", "2611")], "6 digits"),
        ([("3103", "12.500")], "6 digits"),
        ([("10", "A" * 20), ("21", "B" * 20), ("91", "C" * 9)], "1 to 48"),
    ],
)
def test_what_a_carton_code_cannot_hold_is_refused(
    elements: list[tuple[str, str]], why: str
) -> None:
    with pytest.raises(BadElement, match=why):
        gs1_128(elements)


def test_a_mistyped_gtin_is_refused_on_cartons_too() -> None:
    with pytest.raises(BadGtin):
        gs1_128([("01", "18930000000017")])
