"""A picture in a label: dots in their place, and the code is read as before."""

import struct
import zlib
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from nongso.commands.__main__ import main
from nongso.labels import check, layout, layoutfile, logos, raster, svg
from nongso.labels.errors import BadLayout, BadLogo, NoRoomForLogo, SheetNotReadable
from nongso.labels.layout import Box, Layout
from nongso.labels.operations import print_sheet
from nongso.labels.raster import dithered
from nongso.labels.sheet import Label

SHELF = layout.find("a4-2x7")
LEAF = Box(80.0, 2.5, 15.0, 10.0)  # in the upper right corner
URL = "HTTPS://TEM.EXAMPLE/T/K7M4PQ/23456789A"


def picture(mode: str = "L", form: str = "PNG", size: tuple[int, int] = (300, 200)) -> bytes:
    """A dark leaf on a slope from grey to white."""
    image = Image.linear_gradient("L").resize(size).convert(mode)
    drawn = ImageDraw.Draw(image)
    drawn.ellipse((60, 40, 240, 160), fill=0 if mode == "L" else (0, 0, 0, 255))
    out = BytesIO()
    image.save(out, form)
    return out.getvalue()


def with_logo(box: Box = LEAF, **more: object) -> Layout:
    """A sheet of shelf labels with a place for a picture, checked like a file."""
    text = replace(SHELF.blocks[0], box=Box(32.0, 3.5, 47.0, 27.0))
    made = replace(SHELF, logo=box, blocks=(text, *SHELF.blocks[1:]), **more)
    return layout.read(made.name, layoutfile.write(made))


def in_the_code(part: float, level: str = "H", off_mm: float = 0.0) -> Layout:
    side = SHELF.qr.width_mm * part
    corner = (SHELF.qr.width_mm - side) / 2
    box = Box(SHELF.qr.x_mm + corner + off_mm, SHELF.qr.y_mm + corner, side, side)
    return with_logo(box, level=level)


def labels(placed: Layout, shown: bytes, count: int = 14) -> list[Label]:
    assert placed.logo is not None
    dots = dithered(shown, placed.logo, placed.dpi)
    return [Label(f"{URL}{n}", {"text": "Miến dong"}, logo=dots) for n in range(count)]


def darkness(pdf: bytes, placed: Layout, box: Box) -> float:
    """Which part of a box of the first label is black on paper."""
    page = next(raster.pictures(pdf, placed.dpi))
    at = [
        round((edge) * placed.dpi / 25.4)
        for edge in (
            placed.first.x_mm + box.x_mm,
            placed.first.y_mm + box.y_mm,
            placed.first.x_mm + box.x_mm + box.width_mm,
            placed.first.y_mm + box.y_mm + box.height_mm,
        )
    ]
    image = Image.frombytes("1", (page.width, page.height), page.dots).crop(tuple(at))
    return sum(image.convert("L").histogram()[128:]) / (image.width * image.height)


@pytest.mark.parametrize(("mode", "form"), [("L", "PNG"), ("RGBA", "PNG"), ("RGB", "JPEG")])
def test_a_picture_is_printed_in_its_place_and_every_code_is_read(mode: str, form: str) -> None:
    placed = with_logo()
    wanted = labels(placed, picture(mode, form))
    sheet = print_sheet(wanted, placed)
    without = print_sheet([replace(one, logo=None) for one in wanted], placed)
    assert darkness(without.pdf, placed, LEAF) == 0
    assert 0.4 < darkness(sheet.pdf, placed, LEAF) < 0.9
    assert len(sheet.pdf) - len(without.pdf) < 8000, "the picture is in the file once"
    assert next(svg.pages(wanted, placed)).count(b"<image ") == 1


def test_the_middle_of_a_code_at_level_h_may_hold_a_picture() -> None:
    placed = in_the_code(0.25)
    wanted = labels(placed, picture())
    assert print_sheet(wanted, placed).pages == 1
    worst = Image.new("L", (99, 99), 0)
    out = BytesIO()
    worst.save(out, "PNG")
    assert print_sheet(labels(placed, out.getvalue()), placed).pages == 1


@pytest.mark.parametrize(
    "asked",
    [{"part": 0.3}, {"part": 0.25, "level": "M"}, {"part": 0.25, "off_mm": 2.0}],
)
def test_a_picture_that_hides_too_much_of_the_code_is_refused(asked: dict[str, float]) -> None:
    with pytest.raises(BadLayout) as refused:
        in_the_code(**asked)  # type: ignore[arg-type]
    assert (refused.value.reason, refused.value.places) == ("in_code", ("logo",))


def test_what_breaks_the_reading_is_not_released() -> None:
    """Past the rule the self-check is the last word: such a sheet is no file."""
    large = replace(in_the_code(0.25), logo=SHELF.qr)
    with pytest.raises(SheetNotReadable):
        print_sheet(labels(large, picture()), large)


def test_a_speck_is_no_picture_and_a_layout_without_a_place_takes_none() -> None:
    with pytest.raises(BadLayout, match="smaller than 5 mm"):
        with_logo(Box(80.0, 2.5, 15.0, 4.0))
    with pytest.raises(Exception, match="no place for a picture") as refused:
        print_sheet(labels(with_logo(), picture()), SHELF)
    assert isinstance(refused.value.__cause__, NoRoomForLogo)


@pytest.mark.parametrize("body", [b"", b"GIF89a", picture()[:200], b"\x89PNG\r\n\x1a\n" * 9])
def test_what_is_no_picture_is_refused(body: bytes) -> None:
    with pytest.raises(BadLogo):
        dithered(body, LEAF, 300)


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        ((5000, 1), "narrow"),
        ((1, 5000), "narrow"),
        ((90, 10), "narrow"),
        ((6001, 1000), "pixels"),
        ((4000, 4000), "pixels"),
        ((60_000, 60_000), "pixels"),
    ],
)
def test_the_head_of_a_file_says_that_a_picture_is_too_large_or_too_narrow(
    size: tuple[int, int], reason: str
) -> None:
    """There is nothing behind the head: what is refused is never unpacked."""
    head = b"IHDR" + struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0)
    check_sum = struct.pack(">I", zlib.crc32(head))
    body = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + check_sum
    body += b"\0\0\0\0IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    for reading in (logos.clean, lambda one: logos.read(one, LEAF, 300)):
        with pytest.raises(BadLogo) as refused:
            reading(body)
        assert refused.value.reason == reason


def test_a_kept_picture_is_the_same_dots() -> None:
    dots = dithered(picture(), LEAF, 203)
    assert raster.from_png(raster.png(dots, 203)) == dots


def test_the_command_prints_a_picture(tmp_path: Path) -> None:
    file, table, leaf = (tmp_path / name for name in ("mine.toml", "a.csv", "leaf.png"))
    placed = with_logo()
    file.write_text(layoutfile.write(placed))
    table.write_text(f"url,text\n{URL},Miến dong\n")
    leaf.write_bytes(picture())
    words = ["labels", "sheet", "--csv", table, "-o", tmp_path / "out.pdf", "--logo", leaf]
    assert main([*map(str, words), "--layout", str(file)]) == 0
    sheet = (tmp_path / "out.pdf").read_bytes()
    assert check.check(sheet, [URL], placed) == 1
    assert darkness(sheet, placed, LEAF) > 0.4
    assert main(list(map(str, words))) == 1, "the usual sheet has no place for it"
