"""Labels in ZPL II, the language of Zebra printers and of many that imitate them.

A label is one graphic, ``^GF`` in ASCII, so that what is printed does not depend on the fonts
and code routines of a printer. A field holds at most 99,999 bytes (ZPL II guide, ``^GF``): a
large label is cut into bands. Rows are shortened by the guide's "alternative data compression
scheme", which every ZPL II printer reads, unlike the later ``:Z64:``.
"""

import re

from nongso.labels.paper import Paper
from nongso.labels.raster import Picture

MOST_BYTES = 99_999
_MEDIA = {"gap": "Y", "mark": "M", "continuous": "N"}

_RUN = re.compile(r"(.)\1{2,}")


def _count(number: int) -> str:
    """A repeat count: ``z`` is 400, ``g`` to ``y`` are 20 to 380, ``G`` to ``Y`` are 1 to 19."""
    out = "z" * (number // 400)
    number %= 400
    if number >= 20:
        out += chr(ord("f") + number // 20)
    if number % 20:
        out += chr(ord("F") + number % 20)
    return out


def _row(digits: str) -> str:
    """One row: its end of zero bytes is a comma, its end of full ones an exclamation mark.

    Both stand for whole bytes: the guide asks for a single zero before the comma where their
    number is odd.
    """
    fill = ""
    for digit, mark in (("0", ","), ("F", "!")):
        kept = digits.rstrip(digit)
        kept += digit * (len(kept) % 2)
        if len(digits) > len(kept):
            digits, fill = kept, mark
            break
    return _RUN.sub(lambda run: _count(len(run[0])) + run[1], digits) + fill


def _graphic(picture: Picture) -> str:
    stride, rows, before = picture.stride, [], ""
    for top in range(0, len(picture.dots), stride):
        digits = picture.dots[top : top + stride].hex().upper()
        rows.append(":" if digits == before else _row(digits))
        before = digits
    total = stride * picture.height
    return f"^GFA,{total},{total},{stride},{''.join(rows)}^FS"


def page(picture: Picture, paper: Paper) -> bytes:
    """The commands that print one page."""
    length = picture.height + (paper.feed_dots if paper.media == "continuous" else 0)
    out = "^XA"
    if paper.darkness is not None:
        out = f"~SD{paper.darkness:02d}{out}"
    if paper.speed is not None:
        out += f"^PR{paper.speed}"
    out += f"^MN{_MEDIA[paper.media]}^PW{picture.width}^LL{length}^LH0,0^LS0\n"
    top = 0
    for band in picture.bands(max(1, MOST_BYTES // picture.stride)):
        out += f"^FO0,{top}{_graphic(band)}\n"
        top += band.height
    return (out + "^PQ1^XZ\n").encode("ascii")
