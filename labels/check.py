"""Reading sheets back before they are released: the only door to pypdfium2 and zxing-cpp.

Every page is drawn by a second library as the layout's printer would, decoded by a third, and
each cell is compared with what was meant. A cell that is not read is tried once more with the
decoder's slower ways and then fails the sheet.

pdfium is not safe to use from two threads: one sheet is checked at a time.
"""

from collections.abc import Iterable, Iterator, Sequence
from threading import Lock
from typing import Any

import pypdfium2  # type: ignore[import-untyped]
import zxingcpp

from nongso.labels.errors import SheetNotReadable
from nongso.labels.layout import MM_PER_INCH, Layout

_pdfium = Lock()


def _decode(picture: Any, hard: bool) -> Iterable[tuple[str, float, float]]:
    """Texts of the codes in a grey picture, with the centre of each in pixels."""
    view = zxingcpp.ImageView(
        memoryview(picture.buffer),
        picture.width,
        picture.height,
        zxingcpp.ImageFormat.Lum,
        picture.stride,
    )
    for code in zxingcpp.read_barcodes(
        view,
        formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode),
        try_rotate=hard,
        try_downscale=hard,
        try_invert=hard,
        text_mode=zxingcpp.TextMode.Plain,
    ):
        corners = code.position
        points = (
            corners.top_left,
            corners.top_right,
            corners.bottom_left,
            corners.bottom_right,
        )
        yield code.text, sum(p.x for p in points) / 4, sum(p.y for p in points) / 4


def _by_cell(picture: Any, layout: Layout, hard: bool) -> dict[int, str]:
    """What each cell of a page says; a code outside every cell is under 0."""
    px_per_mm = layout.dpi / MM_PER_INCH
    found: dict[int, str] = {}
    for text, x, y in _decode(picture, hard):
        x_mm, y_mm = x / px_per_mm, y / px_per_mm
        home = 0
        for cell in range(1, layout.cells + 1):
            box = layout.cell(cell)
            if 0 <= x_mm - box.x_mm <= box.width_mm and 0 <= y_mm - box.y_mm <= box.height_mm:
                home = cell
        found[home] = text
    return found


def drawn(pdf: bytes, dpi: int) -> Iterator[Any]:
    """Draw each page in grey at this fineness; nobody else may draw meanwhile."""
    with _pdfium:
        document = pypdfium2.PdfDocument(pdf)
        try:
            for page in document:
                yield page.render(scale=dpi / 72, grayscale=True)
                page.close()
        finally:
            document.close()


def check(pdf: bytes, urls: Sequence[str], layout: Layout, start_cell: int = 1) -> int:
    """Read every page and compare; returns the number of pages.

    Raises ``SheetNotReadable`` for the first cell that does not say what was meant, and for a
    code where none was meant.
    """
    meant: dict[int, dict[int, str]] = {}
    for url, (page, cell) in zip(urls, layout.places(len(urls), start_cell), strict=True):
        meant.setdefault(page, {})[cell] = url
    pages = 0
    for page, picture in enumerate(drawn(pdf, layout.dpi), 1):
        pages = page
        wanted = meant.get(page, {})
        found = _by_cell(picture, layout, hard=False)
        if found != wanted:
            found = _by_cell(picture, layout, hard=True)
        for cell in sorted(wanted.keys() | found.keys()):
            if wanted.get(cell) != found.get(cell):
                raise SheetNotReadable(page, cell, wanted.get(cell, ""), found.get(cell))
    if pages != len(meant):
        raise SheetNotReadable(pages + 1, 1, "a page", None)
    return pages
