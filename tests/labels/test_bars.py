"""Bar codes of goods with a GTIN: other people's decoders read what was meant."""

import dataclasses
from pathlib import Path

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st

from nongso.labels import check, csvsheet, layout, svg
from nongso.labels.bars import Bars, check_digit, ean13, gs1_128
from nongso.labels.errors import (
    BadElement,
    BadGtin,
    BadTable,
    LabelRefused,
    SheetNotReadable,
)
from nongso.labels.operations import print_sheet
from nongso.labels.sheet import Label


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


SHELF = layout.find("a4-2x7-shelf")


def test_goods_with_a_gtin_carry_its_bars_beside_their_code_and_both_are_read_back() -> None:
    wanted = [
        Label(f"HTTPS://A.VN/T/K7M4/{number}", {"name": "Miến dong", "price": "45.000 đ"}, gtin)
        for number, gtin in enumerate(["8930000000019", "8930000000026", ""])
    ]
    made = print_sheet(wanted, SHELF)
    assert made.labels == 3
    codes = [label.codes for label in wanted]
    assert codes[0] == "HTTPS://A.VN/T/K7M4/0 8930000000019"
    with pytest.raises(SheetNotReadable, match="page 1, cell 1"):
        check.check(made.pdf, [codes[0].replace("0019", "0026"), *codes[1:]], SHELF)
    with pytest.raises(SheetNotReadable, match="cell 3"):
        check.check(made.pdf, [*codes[:2], codes[2] + " 8930000000019"], SHELF)


@pytest.mark.parametrize("name", ["roll-100x150-carton", "a4-2x2-carton"])
def test_cartons_carry_gs1_128_on_paper_and_in_pictures(name: str) -> None:
    place = layout.find(name)
    label = Label("HTTPS://A.VN/T/K7M4/1", {"name": "Miến dong"}, "18930000000016")
    assert print_sheet([label], place).labels == 1
    drawn = b"".join(svg.pages([label], place))
    assert drawn.count(b"<path transform") == 2, "the square code and the bars"


def test_bars_that_have_no_room_are_refused_with_the_reason() -> None:
    label = Label("HTTPS://A.VN/T/K7M4/1", {}, "8930000000019")
    with pytest.raises(LabelRefused, match="a4-3x8 has no place for a bar code"):
        print_sheet([label], layout.find("a4-3x8"))
    with pytest.raises(LabelRefused, match=r"at least 0\.264 mm is needed"):
        print_sheet([label], dataclasses.replace(SHELF, bars=layout.Box(4.0, 26.8, 29.0, 10.0)))


def test_a_bad_gtin_is_named_by_row_and_column(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("url,gtin\nHTTPS://A.VN/1,8930000000018\n")
    with pytest.raises(BadTable, match=r"row 2, column gtin: .*last digit would be 9"):
        csvsheet.make(table, SHELF)
