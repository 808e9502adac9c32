"""What label printers are sent is read back as they would print it, and decoded."""

import random
import re
from io import BytesIO

import pytest
import raster_readers as readers
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nongso.labels import escpos, layout, outputs, raster, svg, tspl, zpl
from nongso.labels.errors import WrongFormat
from nongso.labels.operations import print_sheet
from nongso.labels.paper import Paper, paper_of
from nongso.labels.raster import Picture
from nongso.labels.sheet import Label

ROLLS = [name for name in layout.names() if layout.find(name).kind != layout.SHEET]
SERIALS = "23456789ABCDEFGHJKLMNPQRSTVWXYZ"


def labels(place: layout.Layout, count: int) -> list[Label]:
    dice = random.Random(count)
    made = []
    for _ in range(count):
        cells = {name: "Đắk Lắk 21" for name in place.columns_of_table if name != "address"}
        texts = {block.name: block.text(cells) for block in place.blocks}
        serial = "".join(dice.choices(SERIALS, k=9))
        made.append(
            Label(
                f"HTTPS://LO.BINHLU.EXAMPLE/T/K7M4PQ/{serial}",
                {name: text for name, text in texts.items() if text},
            )
        )
    return made


def printed(place: layout.Layout, wanted: str, asked: list[Label]) -> bytes:
    sheet = print_sheet(asked, place)
    return b"".join(outputs.stream(sheet, wanted, paper_of(place)))


@pytest.mark.parametrize(
    ("name", "dpi"),
    [*((name, dpi) for name in ROLLS for dpi in (203, 300)), ("roll-50x30", 600)],
)
def test_every_roll_is_printed_in_every_language_and_read(name: str, dpi: int) -> None:
    place = layout.find(name).at(dpi)
    asked = labels(place, place.cells + 1)
    meant = [label.url for label in asked]
    sheet = print_sheet(asked, place)
    on_zpl = readers.zpl(b"".join(outputs.stream(sheet, "zpl", paper_of(place))))
    on_tspl = readers.tspl(b"".join(outputs.stream(sheet, "tspl", paper_of(place))))
    on_escpos = readers.escpos(b"".join(outputs.stream(sheet, "escpos", paper_of(place))))
    assert len(on_zpl) == len(on_tspl) == sheet.pages
    assert [text for page in on_zpl for text in readers.read(page)] == meant
    assert [text for page in on_tspl for text in readers.read(page)] == meant
    assert sorted(readers.read(on_escpos)) == sorted(meant)
    for picture, z, t in zip(raster.pictures(sheet.pdf, dpi), on_zpl, on_tspl, strict=True):
        rows = readers.rows_of(picture.dots, picture.stride)
        assert t == rows
        assert all(set(row[picture.width :]) <= {255} for row in rows)  # no black edge
        assert z[: picture.height] == [row[: picture.width] for row in rows]


@pytest.mark.parametrize("name", ["a4-2x4-goods", "a4-2x7-shelf", "a4-2x2-carton"])
def test_sheets_with_blocks_of_their_own_print_a_full_page(name: str) -> None:
    place = layout.find(name)
    assert print_sheet(labels(place, place.cells), place).pages == 1


def picture_of(rows: list[int], width: int) -> Picture:
    stride = (width + 7) // 8
    keep = (1 << stride * 8) - (1 << stride * 8 - width)
    return Picture(
        width, len(rows), b"".join((row & keep).to_bytes(stride, "big") for row in rows)
    )


pictures = st.integers(1, 90).flatmap(
    lambda width: st.lists(
        st.one_of(st.just(0), st.just(2**96 - 1), st.integers(0, 2**96 - 1)).map(
            lambda row: row % (1 << (width + 7) // 8 * 8)
        ),
        min_size=1,
        max_size=12,
    ).map(lambda rows: picture_of(rows, width))
)


@given(pictures)
def test_any_picture_comes_out_dot_for_dot(picture: Picture) -> None:
    paper = Paper(50, 30, "gap", 2, 203)
    rows = readers.rows_of(picture.dots, picture.stride)
    bare = [row[: picture.width] for row in rows]
    assert readers.zpl(zpl.page(picture, paper)) == [bare]
    assert readers.tspl(tspl.page(picture, paper)) == [rows]
    assert readers.escpos(escpos.start() + escpos.page(picture, paper)) == rows


def test_the_bytes_are_those_of_the_makers_references() -> None:
    """One row of 16 dots, the left 4 black, and an empty one, on labels with a gap of 2 mm."""
    picture, paper = Picture(16, 2, b"\xf0\x00\x00\x00"), Paper(2.0, 0.25, "gap", 2.0, 203, 8, 3)
    assert zpl.page(picture, paper) == (
        b"~SD08^XA^PR3^MNY^PW16^LL2^LH0,0^LS0\n^FO0,0^GFA,4,4,2,F0,,^FS\n^PQ1^XZ\n"
    )
    assert tspl.page(picture, paper) == (
        b"SIZE 2.00 mm,0.25 mm\r\nGAP 2.00 mm,0 mm\r\nDIRECTION 0\r\nREFERENCE 0,0\r\nSPEED 3\r\n"
        b"DENSITY 8\r\nCLS\r\nBITMAP 0,0,2,2,0,\x0f\xff\xff\xff\r\nPRINT 1,1\r\n"
    )
    assert escpos.start() == b"\x1b\x40"
    assert (
        escpos.page(picture, paper) == b"\x1d\x76\x30\x00\x02\x00\x02\x00\xf0\x00\x00\x00\x1d\x0c"
    )
    assert escpos.end(paper) == b""


def test_paper_without_gaps_is_fed_by_dots_and_cut_once() -> None:
    picture, paper = Picture(8, 1, b"\xff"), Paper(1.0, 0.125, "continuous", 0.25, 203)
    assert zpl.page(picture, paper) == (
        b"^XA^MNN^PW8^LL3^LH0,0^LS0\n^FO0,0^GFA,1,1,1,!^FS\n^PQ1^XZ\n"
    )
    assert tspl.page(picture, paper).startswith(b"SIZE 1.00 mm,0.38 mm\r\nGAP 0.00 mm,0 mm\r\n")
    assert escpos.page(picture, paper) == b"\x1dv0\x00\x01\x00\x03\x00\xff\x00\x00"
    place = layout.find("receipt-58")
    roll = printed(place, "escpos", labels(place, 3))
    assert roll.count(b"\x1b@") == 1
    assert roll.endswith(b"\x1dV\x42\x00")
    assert roll.count(b"\x1dV\x42") == 1


def test_marks_on_the_back_are_looked_for_where_the_roll_has_them() -> None:
    picture, paper = Picture(8, 1, b"\xff"), Paper(1.0, 0.125, "mark", 3.0, 203)
    assert b"^MNM" in zpl.page(picture, paper)
    assert b"BLINE 3.00 mm,0 mm\r\n" in tspl.page(picture, paper)


def test_a_large_label_is_cut_where_the_field_of_zpl_ends() -> None:
    place = layout.find("roll-100x150-carton").at(300)
    out = printed(place, "zpl", labels(place, 1))
    assert out.count(b"^GFA") == 3  # 148 bytes × 1772 rows, at most 99,999 bytes each


def test_a_sheet_of_paper_is_not_sent_to_a_label_printer() -> None:
    outputs.check_format("pdf", layout.find("a4-3x8"))
    with pytest.raises(WrongFormat, match="a4-3x8 is a sheet, and tspl printers take rolls"):
        outputs.check_format("tspl", layout.find("a4-3x8"))


@pytest.mark.parametrize("name", ["a4-3x8", "roll-50x30", "roll-70x50-goods"])
def test_a_picture_of_a_page_says_its_size_and_reads(name: str) -> None:
    place = layout.find(name)
    asked = labels(place, 2)
    sheet = print_sheet(asked, place)
    paper = paper_of(place)
    for content in outputs.contents(sheet, asked, place, 1, "png", paper):
        image = Image.open(BytesIO(content))
        assert image.mode == "1"
        assert image.info["dpi"][0] == pytest.approx(place.dpi, abs=0.1)
        assert image.width == pytest.approx(place.page_width_mm / 25.4 * place.dpi, abs=1.01)


def svg_dots(page: str, px_per_mm: int, width_mm: float, height_mm: float) -> readers.Dots:
    """Only the codes of an SVG: runs of modules, drawn in their place."""
    dots = [
        bytearray(b"\xff") * int(width_mm * px_per_mm + 1)
        for _ in range(int(height_mm * px_per_mm + 1))
    ]
    found = re.findall(
        r'translate\(([\d.]+) ([\d.]+)\) scale\(([\d.]+)\)" shape-rendering="crispEdges"'
        r' d="([^"]*)"',
        page,
    )
    for left, top, module, path in found:
        for x, y, length in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", path):
            x0, x1 = (float(left) + float(module) * at for at in (int(x), int(x) + int(length)))
            y0, y1 = (float(top) + float(module) * at for at in (int(y), int(y) + 1))
            for row in range(round(y0 * px_per_mm), round(y1 * px_per_mm)):
                for column in range(round(x0 * px_per_mm), round(x1 * px_per_mm)):
                    dots[row][column] = 0
    return [bytes(row) for row in dots]


@pytest.mark.parametrize("name", ["a4-3x8", "roll-3x35x22"])
def test_the_codes_of_an_svg_are_read_from_its_own_paths(name: str) -> None:
    place = layout.find(name)
    asked = labels(place, place.cells + 2)
    found: list[str] = []
    for page in svg.pages(asked, place):
        dots = svg_dots(page.decode(), 10, place.page_width_mm, place.page_height_mm)
        found += readers.read(dots)
    assert sorted(found) == sorted(label.url for label in asked)


def test_an_svg_needs_no_font_and_no_other_file() -> None:
    place = layout.find("roll-50x30")
    (page,) = svg.pages([Label("HTTPS://A.VN/1", {"text": "Miến <dong> & Đắk Lắk"})], place)
    text = page.decode()
    assert "<title>HTTPS://A.VN/1\nMiến &lt;dong&gt; &amp; Đắk Lắk</title>" in text
    assert not {"<text", "<style", "<script", "<image", "font"} & set(
        text.replace(">", " ").split()
    )
    assert set(re.findall(r'href="#(\w+)"', text)) <= set(re.findall(r'id="(\w+)"', text))


def test_letters_of_the_svg_are_as_wide_as_those_of_the_font() -> None:
    """Every Vietnamese letter has an outline, and marks stand above or below their letter."""
    from nongso.labels import font, outlines

    for letter in "ăâđêôơưẰẵặầẫẩậếềểễệốổỗộớởỡợứửữựỳỷỹỵĐÊ":
        for name in (font.REGULAR, font.BOLD):
            path = outlines.path(name, font.normal(letter, name))
            xs = [float(x) for x in re.findall(r"[MLQ ](-?[\d.]+) -?[\d.]+", path)]
            width = font.face(name).widths[letter]
            assert path.count("M") >= 2 or letter in "đĐươ", letter
            assert -0.1 * width < min(xs) < max(xs) < 1.35 * width, letter
    assert outlines.path(font.REGULAR, " ") == ""


def test_a_picture_whose_width_is_no_whole_bytes_gets_no_black_edge() -> None:
    picture = picture_of([2**16 - 1] * 3, 13)
    (page,) = readers.tspl(tspl.page(picture, Paper(2, 1, "gap", 2, 203)))
    assert page == [b"\x00" * 13 + b"\xff" * 3] * 3
