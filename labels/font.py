"""The letters on labels: Be Vietnam Pro from its package.

The only door to ``fontpkg``. A letter without a picture is an error here, never an empty box
on paper.
"""

import unicodedata
from functools import cache
from pathlib import Path

import fontpkg  # type: ignore[import-untyped]

from nongso.labels.errors import LetterMissing
from nongso.labels.truetype import Face

REGULAR = "BeVietnamPro"
BOLD = "BeVietnamPro-SemiBold"
_WEIGHTS = {REGULAR: 400, BOLD: 600}


def file(font: str) -> Path:
    """The font's TrueType file."""
    return Path(fontpkg.path("Be Vietnam Pro", _WEIGHTS[font]))


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


def width_pt(text: str, font: str, size_pt: float) -> float:
    """Width of a line in points."""
    widths = face(font).widths
    return sum([widths[letter] for letter in text]) * size_pt / 1000


def ascent(font: str) -> float:
    """Height above the base line of a line's tallest letters (Ẩ, Ễ), of the letter size."""
    return face(font).ascent / 1000


def x_height() -> float:
    """Height of small letters without an ascender (x, o, a), of the letter size."""
    return face(REGULAR).x_height / 1000
