"""The letters on labels: Be Vietnam Pro from its package, embedded in the PDF as a subset.

The only door to ``fontpkg``. A letter without a picture is an error here, never an empty box
on paper. Widths come from reportlab's reading of the file.
"""

import unicodedata
from functools import cache

import fontpkg  # type: ignore[import-untyped]
from reportlab.pdfbase import pdfmetrics  # type: ignore[import-untyped]
from reportlab.pdfbase.ttfonts import TTFont  # type: ignore[import-untyped]

from nongso.labels.errors import LetterMissing

REGULAR = "BeVietnamPro"
BOLD = "BeVietnamPro-SemiBold"
_WEIGHTS = {REGULAR: 400, BOLD: 600}


@cache
def _face(font: str) -> TTFont:
    face = TTFont(font, str(fontpkg.path("Be Vietnam Pro", _WEIGHTS[font])))
    pdfmetrics.registerFont(face)
    return face


def normal(text: str, font: str) -> str:
    """Bring text to NFC and check that each letter has a picture. Raises ``LetterMissing``.

    Text copied from the communes' documents holds decomposed letters (a and U+0323), which
    the font would print as two pictures beside each other.
    """
    text = unicodedata.normalize("NFC", text)
    known = _face(font).face.charToGlyph
    for letter in text:
        if letter != "\n" and not known.get(ord(letter)):
            raise LetterMissing(letter, text)
    return text


def width_pt(text: str, font: str, size_pt: float) -> float:
    """Width of a line in points."""
    return float(_face(font).stringWidth(text, size_pt))


def ascent(font: str) -> float:
    """Height above the base line of a line's tallest letters (Ẩ, Ễ), of the letter size."""
    return float(_face(font).face.ascent) / 1000
