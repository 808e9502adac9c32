"""Pictures on labels: what somebody brings, cleaned; as it is printed; as a print keeps it.

A photograph (PNG, JPEG) is printed as dots of the printer. A drawing (SVG) stays lines and
surfaces, in PDF and SVG as sharp as the printer can. What is kept holds nothing but the picture:
no place, no camera, no notes of a drawing program.
"""

from nongso.labels import drawing, raster
from nongso.labels.drawing import Drawing
from nongso.labels.errors import BadLogo
from nongso.labels.layout import Box
from nongso.labels.raster import Picture

MOST_BYTES = 8 * 1024 * 1024
LONGEST_SIDE = 1200  # pixels: 50 mm at 600 dpi
_TRIED = Box(0, 0, 5, 5)  # the smallest place for a picture
_TRIED_DPI = 203  # of the coarsest printer

Logo = Picture | Drawing


def _is_drawing(body: bytes) -> bool:
    return body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"


def _check_size(body: bytes) -> None:
    if len(body) > MOST_BYTES:
        raise BadLogo(f"the picture is larger than {MOST_BYTES >> 20} MB", "large")


def clean(body: bytes) -> bytes:
    """A picture as it is kept for labels to come. Raises ``BadLogo``.

    What is kept was read as printing will read it: a drawing may grow when it is cleaned.
    """
    _check_size(body)
    if _is_drawing(body):
        made = drawing.write(drawing.read(body))
        if len(made) > drawing.MOST_BYTES:
            raise BadLogo("the drawing has too many lines and curves", "intricate")
    else:
        made = raster.bare(body, LONGEST_SIDE)
    again(kept(read(made, _TRIED, _TRIED_DPI), _TRIED_DPI))
    return made


def read(body: bytes, place: Box, dpi: int) -> Logo:
    """A picture as it is printed in a place on a label. Raises ``BadLogo``."""
    _check_size(body)
    return drawing.read(body) if _is_drawing(body) else raster.dithered(body, place, dpi)


def kept(logo: Logo, dpi: int) -> bytes:
    """What a print keeps of a picture, so that it can be made again to the dot."""
    return drawing.write(logo) if isinstance(logo, Drawing) else raster.png(logo, dpi)


def again(body: bytes) -> Logo:
    """The picture of which ``kept`` was kept."""
    return drawing.read(body) if _is_drawing(body) else raster.from_png(body)
