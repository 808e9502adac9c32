"""Labels in ESC/POS, the language of receipt printers.

A label is a raster picture, ``GS v 0``: Epson calls it obsolete, but it is the one that cheap
printers know too. It is sent in bands, because small printers take few rows at a time and Epson
at most 2,303. On a continuous roll the space between labels is white rows, exact to the dot
(the unit of ``ESC J`` differs between models), and the roll is cut after the last label. On
labels with a gap or a mark, ``GS FF`` feeds to the next one.

The width of the paper stands in no command: dots beyond the printer's head are lost, so the
layout's page is as wide as the head prints (48 mm on 58 mm paper, 72 mm on 80 mm paper).
"""

from nongso.labels.paper import Paper
from nongso.labels.raster import Picture

BAND_ROWS = 128

START = b"\x1b@"  # ESC @: forget what the one before has set
NEXT_LABEL = b"\x1d\x0c"  # GS FF
CUT = b"\x1dV\x42\x00"  # GS V 66 0: feed to the knife and cut; no knife, no harm


def page(picture: Picture, paper: Paper) -> bytes:
    """The commands that print one page."""
    out = b""
    whole = picture.longer(paper.feed_dots) if paper.media == "continuous" else picture
    for band in whole.bands(BAND_ROWS):
        out += b"\x1dv0\x00" + band.stride.to_bytes(2, "little")
        out += band.height.to_bytes(2, "little") + band.dots
    return out if paper.media == "continuous" else out + NEXT_LABEL


def start() -> bytes:
    """What comes before the first page."""
    return START


def end(paper: Paper) -> bytes:
    """What follows the last page."""
    return CUT if paper.media == "continuous" else b""
