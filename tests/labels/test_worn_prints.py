"""Codes are still read where the print is blurred, dirty and crooked, at 203, 300 and 600 dpi."""

import dataclasses
import random
import shutil
import subprocess
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image, ImageFilter

from nongso.labels import check, drawing, layout
from nongso.labels.operations import print_sheet
from nongso.labels.sheet import Label

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTVWXYZ"
BLUR_MM = 0.1  # ink that runs, or a phone that is not quite sharp
DIRT = 0.3  # share of grey snow over the picture
SKEW_DEGREES = 2.0
PLAIN, LOGO_IN_IT = layout.find("a4-3x8"), layout.find("a4-2x7-logo-in")
BLACK = drawing.read(
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect width="9" height="9"/></svg>'
)  # of all logos it hides most


def one(sheet: layout.Layout, dpi: int) -> layout.Layout:
    """A page for each label, as on a roll."""
    return dataclasses.replace(
        sheet,
        dpi=dpi,
        columns=1,
        rows=1,
        first=dataclasses.replace(sheet.first, x_mm=2, y_mm=2),
        page_width_mm=sheet.first.width_mm + 4,
        page_height_mm=sheet.first.height_mm + 4,
    )


def worn(wanted: list[str], dpi: int, sheet: layout.Layout = PLAIN) -> list[Image.Image]:
    """One picture a label, as it comes from such a printer and a careless hand."""
    place, dice, found = one(sheet, dpi), random.Random(dpi), []
    logo = BLACK if sheet.logo else None
    said = {"text": "Miến dong Bình Lư\n500 g"}
    pdf = print_sheet([Label(url, said, logo=logo) for url in wanted], place)
    for page in check.drawn(pdf.pdf, dpi):
        picture = Image.frombuffer(
            "L", (page.width, page.height), page.buffer, "raw", "L", page.stride, 1
        )
        snow = Image.frombytes("L", picture.size, dice.randbytes(picture.width * picture.height))
        picture = Image.blend(picture, snow, DIRT)
        picture = picture.rotate(SKEW_DEGREES, Image.Resampling.BICUBIC, True, fillcolor=255)
        found.append(picture.filter(ImageFilter.GaussianBlur(BLUR_MM / 25.4 * dpi)))
    return found


def addresses(count: int) -> list[str]:
    dice = random.Random(count)
    return [
        "HTTPS://LO.BINHLU.EXAMPLE/T/K7M4PQ/" + "".join(dice.choices(ALPHABET, k=9))
        for _ in range(count)
    ]


@pytest.mark.parametrize("sheet", [PLAIN, LOGO_IN_IT], ids=lambda one: one.name)
@pytest.mark.parametrize("dpi", [203, 300, 600])
def test_a_blurred_dirty_and_crooked_print_is_read_by_the_checking_decoder(
    dpi: int, sheet: layout.Layout
) -> None:
    wanted = addresses(6 if sheet is PLAIN else 3)
    pictures = worn(wanted, dpi, sheet)
    qr_only = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
    seen = [[code.text for code in zxingcpp.read_barcodes(page, qr_only)] for page in pictures]
    assert seen == [[url] for url in wanted]


@pytest.mark.parametrize("sheet", [PLAIN, LOGO_IN_IT], ids=lambda one: one.name)
@pytest.mark.parametrize("dpi", [203, 300, 600])
def test_a_blurred_dirty_and_crooked_print_is_read_by_a_third_opinion(
    dpi: int, sheet: layout.Layout, tmp_path: Path
) -> None:
    if not shutil.which("zbarimg"):
        pytest.skip("zbarimg (zbar-tools) is the third opinion; it is not installed here")
    wanted = addresses(6 if sheet is PLAIN else 3)
    for number, picture in enumerate(worn(wanted, dpi, sheet)):
        picture.save(tmp_path / f"{number:02}.png")
    pictures = sorted(map(str, tmp_path.iterdir()))
    seen = subprocess.run(
        ["zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", *pictures],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    ).stdout.split()
    assert seen == wanted
