"""The letters on labels: Be Vietnam Pro from its package.

The only door to the font's package. A letter without a picture is an error here, never an empty
box on paper.
"""

import unicodedata
from functools import cache
from pathlib import Path

import fontpkg_be_vietnam_pro as package  # type: ignore[import-untyped]

from nongso.labels.errors import LetterMissing
from nongso.labels.truetype import Face

REGULAR = "BeVietnamPro"
BOLD = "BeVietnamPro-SemiBold"
_FILES = {REGULAR: "BeVietnamPro-Regular.ttf", BOLD: "BeVietnamPro-SemiBold.ttf"}


def file(font: str) -> Path:
    """The font's TrueType file."""
    return Path(package.ROOT, "files", _FILES[font])


@cache
def face(font: str) -> Face:
    """The font, read once."""
    return Face(file(font).read_bytes())


def normal(text: str, font: str) -> str:
    """Bring text to NFC and check that each letter has a picture. Raises ``LetterMissing``.

    Text copied from the communes' documents holds decomposed letters (a and U+0323), which
    the font would print as two pictures beside each other.
    """
    text = unicodedata.normalize("NFC", text)
    known = face(font).glyphs
    for letter in text:
        if letter not in known and letter != "\n":
            raise LetterMissing(letter, text)
    return text


def width_em(text: str, font: str) -> float:
    """Width of a line, of the letter size."""
    widths = face(font).widths
    return sum([widths[letter] for letter in text]) / 1000


def ascent(font: str) -> float:
    """Height above the base line of a line's tallest letters (Ẩ, Ễ), of the letter size."""
    return face(font).ascent / 1000


def x_height() -> float:
    """Height of small letters without an ascender (x, o, a), of the letter size."""
    return face(REGULAR).x_height / 1000
