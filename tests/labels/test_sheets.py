"""Label sheets: real PDFs, drawn and read back by other libraries."""

import dataclasses
import random
import shutil
import subprocess
from pathlib import Path

import pypdfium2
import pytest

from nongso.labels import check, layout, sheet
from nongso.labels.errors import (
    BadLayout,
    LabelRefused,
    LetterMissing,
    ModuleTooSmall,
    NothingToPrint,
    SheetNotReadable,
    StartCellOutside,
    TextDoesNotFit,
    UnknownBlock,
    UnknownLayout,
)
from nongso.labels.operations import print_sheet, write_sheet
from nongso.labels.sheet import Label
from nongso.labels.symbol import Symbol

SERIALS = "23456789ABCDEFGHJKLMNPQRSTVWXYZ"
LINES = "Miến dong Bình Lư\nGói 500 g · Lô K7M4PQ\nHSD 21/11/2027\nMẫu thử Đắk Lắk, ngày thu hoạch"


def labels(count: int, text: str = LINES) -> list[Label]:
    dice = random.Random(count)
    return [
        Label(
            "HTTP://127.0.0.1:8080/T/K7M4PQ/" + "".join(dice.choices(SERIALS, k=9)), {"text": text}
        )
        for _ in range(count)
    ]


def words(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    try:
        return "\n".join(page.get_textpage().get_text_bounded() for page in document)
    finally:
        document.close()


A4 = layout.find("a4-3x8")


@pytest.mark.parametrize("name", layout.plain())
def test_every_plain_layout_prints_a_full_page_of_different_codes(name: str) -> None:
    place = layout.find(name)
    made = print_sheet(labels(place.cells), place)
    assert (made.pages, made.labels, made.next_cell) == (1, place.cells, 1)


def test_24_different_codes_stand_on_one_a4_page(tmp_path: Path) -> None:
    wanted = labels(24)
    (tmp_path / "sheet.pdf").write_bytes(print_sheet(wanted, A4).pdf)
    assert len({label.url for label in wanted}) == 24
    if not (shutil.which("zbarimg") and shutil.which("pdftoppm")):
        pytest.skip("zbarimg and pdftoppm are the third opinion; they are not installed here")
    subprocess.run(
        ["pdftoppm", "-r", "200", "-gray", "-png", "sheet.pdf", "page"], cwd=tmp_path, check=True
    )
    seen = subprocess.run(
        ["zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", "page-1.png"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert sorted(seen) == sorted(label.url for label in wanted)


def test_a_half_used_sheet_is_taken_up_at_cell_7() -> None:
    wanted = labels(20)
    made = print_sheet(wanted, A4, start_cell=7)
    assert (made.pages, made.next_cell) == (2, 3)
    page = next(check.drawn(made.pdf, A4.dpi))
    first = check._by_cell(page, A4, A4.dpi, hard=False)
    assert sorted(first) == list(range(7, 25))
    assert first[7] == wanted[0].url


@pytest.mark.parametrize("cell", [0, -1, 25])
def test_a_cell_that_no_sheet_has_is_refused(cell: int) -> None:
    with pytest.raises(StartCellOutside, match="cells 1 to 24"):
        print_sheet(labels(1), A4, start_cell=cell)


def test_vietnamese_letters_can_be_copied_from_the_sheet() -> None:
    found = words(print_sheet(labels(1), A4).pdf)
    for word in ("Đắk Lắk", "Miến dong Bình Lư", "thu hoạch"):
        assert word in found


def test_decomposed_letters_are_composed_before_they_are_printed() -> None:
    import unicodedata

    pasted = unicodedata.normalize("NFD", "Đắk Lắk\nmiến dong Bình Lư")
    found = words(print_sheet(labels(1, pasted), A4).pdf)
    assert "Đắk Lắk" in found
    assert "miến dong Bình Lư" in found


def test_the_address_stands_in_letters_beside_the_code() -> None:
    wanted = labels(1)
    assert wanted[0].url in words(print_sheet(wanted, A4).pdf)


def test_the_same_labels_make_the_same_file() -> None:
    assert print_sheet(labels(30), A4).pdf == print_sheet(labels(30), A4).pdf


def test_long_text_wraps_and_shrinks_and_then_says_that_it_cannot_fit() -> None:
    longer = "Hợp tác xã sản xuất và kinh doanh miến dong xã Bình Lư, tỉnh Lai Châu"
    made = print_sheet(labels(1, f"Miến dong\n{longer}\nHSD 21/11/2027"), A4)
    assert longer in words(made.pdf).replace("\r\n", " ")
    with pytest.raises(LabelRefused, match=r"label 1: .*does not fit") as refused:
        print_sheet(labels(1, "\n".join([longer] * 5)), A4)
    assert isinstance(refused.value.cause, TextDoesNotFit)
    with pytest.raises(LabelRefused, match="wider than 36 mm"):
        print_sheet(labels(1, "M" * 60), A4)


def test_a_letter_without_a_picture_is_refused_not_printed_as_a_box() -> None:
    with pytest.raises(LabelRefused) as refused:
        print_sheet([*labels(1), Label("HTTPS://A.VN/2", {"text": "麺"})], A4)
    assert refused.value.number == 2
    assert isinstance(refused.value.cause, LetterMissing)


def test_a_code_too_fine_for_a_cheap_printer_is_refused_with_its_reason() -> None:
    long = "https://truyxuatnguongoc.example/" + "a" * 200
    with pytest.raises(LabelRefused, match=r"at least 0\.396 mm is needed: shorten") as refused:
        print_sheet([Label(long)], A4)
    assert isinstance(refused.value.cause, ModuleTooSmall)


def test_modules_are_whole_dots_of_the_printer() -> None:
    for side in range(29, 50):
        dots = A4.module_dots("", side)
        assert dots * 25.4 / A4.dpi >= layout.LEAST_MODULE_MM
        assert dots * 25.4 / A4.dpi * side <= A4.qr.width_mm


def test_a_text_for_no_block_and_an_empty_batch_are_refused() -> None:
    with pytest.raises(LabelRefused) as refused:
        print_sheet([Label("HTTPS://A.VN/1", {"back": "x"})], A4)
    assert isinstance(refused.value.cause, UnknownBlock)
    with pytest.raises(NothingToPrint):
        print_sheet([], A4)


def test_a_sheet_that_reads_otherwise_is_not_released() -> None:
    wanted = labels(3)
    pdf = sheet.pdf(sheet.make(wanted, A4), A4, 1, "t")
    urls = [label.url for label in wanted]
    assert check.check(pdf, urls, A4) == 1
    with pytest.raises(SheetNotReadable, match="page 1, cell 2: meant") as refused:
        check.check(pdf, [urls[0], urls[2], urls[1]], A4)
    assert refused.value.cell == 2
    with pytest.raises(SheetNotReadable, match="cell 3"):
        check.check(pdf, urls[:2], A4)
    with pytest.raises(SheetNotReadable, match="read nothing"):
        check.check(pdf, [*urls, "HTTPS://A.VN/4"], A4)


def test_a_code_that_is_not_drawn_fails_the_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Symbol, "packed", lambda made: bytes(made.stride * made.side))
    with pytest.raises(SheetNotReadable, match="read nothing; no file was written"):
        print_sheet(labels(1), A4)


def test_layouts_lie_on_the_page_and_unknown_ones_name_the_known() -> None:
    with pytest.raises(UnknownLayout, match=r"a4-2x7, .*a4-3x8"):
        layout.find("a5-roll")
    with pytest.raises(UnknownLayout):
        layout.find("../errors")
    off = dataclasses.replace(A4, rows=9)
    with pytest.raises(BadLayout, match="off the page"):
        layout._checked(off)
    wide = dataclasses.replace(A4, qr=dataclasses.replace(A4.qr, width_mm=30.0, height_mm=30.0))
    with pytest.raises(BadLayout, match="qr and text overlap"):
        layout._checked(wide)
    for broken in ("", "title = 3", "page = 1\n", "[["):
        with pytest.raises(BadLayout, match="mine: "):
            layout.read("mine", broken)


def test_a_batch_of_any_length_is_written_page_by_page_and_read_there(tmp_path: Path) -> None:
    wanted, out = labels(60), tmp_path / "long.pdf"
    assert write_sheet(out, lambda: iter(wanted), A4, start_cell=20) == 60
    assert out.read_bytes() == print_sheet(wanted, A4, start_cell=20).pdf
    turns = iter([wanted, [*wanted[1:], wanted[0]]])
    with pytest.raises(SheetNotReadable, match="page 1, cell 1: meant"):
        write_sheet(out, lambda: next(turns), A4)
    assert not out.exists(), "a file that reads otherwise is not left lying about"


def test_a_page_that_a_quick_look_cannot_read_is_looked_at_as_it_is_printed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = labels(3)
    pdf = print_sheet(wanted, A4).pdf
    monkeypatch.setattr(check, "_QUICK_DPI", 30)
    assert check._by_cell(next(check.drawn(pdf, 30)), A4, 30, hard=False) == {}
    assert check.check(pdf, [label.url for label in wanted], A4) == 1
