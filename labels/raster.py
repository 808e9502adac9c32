"""Pages as pictures of one bit a dot, exactly as a printer burns them: PNG and the raster
commands are made of these. The only door to Pillow in the print shop.

How this works. The finished PDF is drawn by pdfium at the printer's own fineness, where every
module of a code is a whole number of dots on the printer's grid, and each dot becomes black or
white at half. So paper, picture and command show the same drawing, and the code in it is exact.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from PIL import Image, ImageColor, ImageOps

from nongso.labels import check
from nongso.labels.errors import BadLogo
from nongso.labels.layout import MM_PER_INCH, Box

_HALF = 128
_LONGEST_SIDE = 6000
_MOST_PIXELS = 4096 * 3072  # the usual phone's camera
_NARROWEST = 8


@dataclass(frozen=True)
class Picture:
    """Dots of a page, rows from the top, a set bit is black; rows end in whole bytes with 0."""

    width: int
    height: int
    dots: bytes

    @property
    def stride(self) -> int:
        """Bytes of a row."""
        return (self.width + 7) // 8

    def bands(self, rows: int) -> Iterator["Picture"]:
        """The picture cut into bands of at most so many rows, from the top."""
        for top in range(0, self.height, rows):
            height = min(rows, self.height - top)
            dots = self.dots[top * self.stride : (top + height) * self.stride]
            yield Picture(self.width, height, dots)

    def longer(self, rows: int) -> "Picture":
        """The picture with so many white rows below it."""
        return Picture(self.width, self.height + rows, self.dots + bytes(self.stride * rows))


def _picture(drawn: Any) -> Picture:
    grey = Image.frombuffer(
        "L", (drawn.width, drawn.height), drawn.buffer, "raw", "L", drawn.stride, 1
    )
    black = grey.point([255 if shade < _HALF else 0 for shade in range(256)], "1")
    return Picture(drawn.width, drawn.height, black.tobytes())


def pictures(pdf: bytes, dpi: int) -> Iterator[Picture]:
    """Draw each page of a PDF, one after the other."""
    for page in check.drawn(pdf, dpi):
        yield _picture(page)


def png(picture: Picture, dpi: int) -> bytes:
    """A picture as PNG of one bit a dot, with the size of a dot written in it."""
    white = bytes(~byte & 0xFF for byte in picture.dots)
    image = Image.frombytes("1", (picture.width, picture.height), white)
    out = BytesIO()
    image.save(out, "PNG", dpi=(dpi, dpi), optimize=True)
    return out.getvalue()


def dithered(picture: bytes, box: Box, dpi: int) -> Picture:
    """A picture of any kind as dots that fit a box, in its proportions. Raises ``BadLogo``.

    Shades become patterns of dots (Floyd and Steinberg's way); black on white stays sharp.
    """
    most = int(box.width_mm / MM_PER_INCH * dpi), int(box.height_mm / MM_PER_INCH * dpi)
    fitted = ImageOps.contain(_grey(picture, most), most)
    dots = ImageOps.invert(fitted.convert("1").convert("L")).convert("1", dither=Image.Dither.NONE)
    return Picture(dots.width, dots.height, dots.tobytes())


def check_proportions(width: float, height: float) -> None:
    """Raises ``BadLogo`` for what would be a mere line on a label."""
    if not 1 / _NARROWEST <= width / height <= _NARROWEST:
        raise BadLogo(f"one side is more than {_NARROWEST} times the other", "narrow")


def _grey(picture: bytes, most: tuple[int, int]) -> Image.Image:
    """A picture upright on white paper, in full contrast; a JPEG about as large as ``most``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Pillow warns of pictures that are bombs
            with Image.open(BytesIO(picture), formats=("PNG", "JPEG")) as opened:
                # So far only the head of the file is read: what is too large is never unpacked.
                if max(opened.size) > _LONGEST_SIDE or opened.width * opened.height > _MOST_PIXELS:
                    raise _too_many_pixels()
                check_proportions(*opened.size)
                opened.draft("L", (most[0] * 2, most[1] * 2))
                upright = ImageOps.exif_transpose(opened).convert("RGBA")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as e:
        raise _too_many_pixels() from e
    except (Warning, OSError, ValueError, SyntaxError) as e:
        raise BadLogo("the file is no picture (PNG or JPEG)", "unreadable") from e
    on_white = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
    return ImageOps.autocontrast(on_white.convert("L"))


def _too_many_pixels() -> BadLogo:
    return BadLogo(f"the picture has more than {_MOST_PIXELS} pixels", "pixels")


def bare(picture: bytes, longest: int) -> bytes:
    """A picture as grey PNG of at most so many pixels a side, with nothing but its pixels.

    Raises ``BadLogo``, also where nothing is to be seen.
    """
    grey = _grey(picture, (longest, longest))
    if grey.getextrema() == (255, 255):
        raise BadLogo("the picture is all white", "empty")
    grey.thumbnail((longest, longest))
    clean = Image.new("L", grey.size)
    clean.paste(grey)
    out = BytesIO()
    clean.save(out, "PNG", optimize=True)
    return out.getvalue()


def shade(colour: str) -> int:
    """How light a colour is, 0 to 255. Raises ``ValueError``, also where it is half there."""
    red, green, blue, *more = ImageColor.getrgb(colour)
    if more and more != [255]:
        raise ValueError(colour)
    return min(255, (299 * red + 587 * green + 114 * blue) // 1000)


def from_png(png_file: bytes) -> Picture:
    """The dots of a picture that ``png`` wrote."""
    with Image.open(BytesIO(png_file), formats=("PNG",)) as image:
        dots = ImageOps.invert(image.convert("L")).convert("1", dither=Image.Dither.NONE)
    return Picture(dots.width, dots.height, dots.tobytes())
