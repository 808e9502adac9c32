"""Reading sheets back before they are released: the only door to pypdfium2 and zxing-cpp.

Every page is drawn by a second library, decoded by a third, and each cell is compared with
what was meant. The first picture is about as fine as a phone's: ``QUICK_PX`` to the smallest
module that we print. A page that does not read so is drawn once more as the layout's printer
would and read in the decoder's slower ways; then it fails the sheet.

One page is decoded while the next is drawn. pdfium is not safe to use from two threads: one
sheet is drawn at a time.
"""

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import groupby, zip_longest
from pathlib import Path
from threading import RLock
from typing import Any

import pypdfium2  # type: ignore[import-untyped]
import zxingcpp

from nongso.labels.errors import SheetNotReadable
from nongso.labels.layout import LEAST_MODULE_MM, MM_PER_INCH, Layout

QUICK_PX = 2.0
_QUICK_DPI = round(QUICK_PX / LEAST_MODULE_MM * MM_PER_INCH)
_AT_ONCE = 200  # pages before pdfium is made to forget what it keeps of them

_pdfium = RLock()


_QR = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
_ALL = zxingcpp.BarcodeFormats(
    [
        zxingcpp.BarcodeFormat.QRCode,
        zxingcpp.BarcodeFormat.EAN13,
        zxingcpp.BarcodeFormat.Code128,
    ]
)


def _decode(picture: Any, hard: bool, bars: bool) -> Iterator[tuple[str, float, float]]:
    """Texts of the codes in a grey picture, with the centre of each in pixels; QR comes first."""
    view = zxingcpp.ImageView(
        memoryview(picture.buffer),
        picture.width,
        picture.height,
        zxingcpp.ImageFormat.Lum,
        picture.stride,
    )
    codes = zxingcpp.read_barcodes(
        view,
        formats=_ALL if bars else _QR,
        # What was drawn has an even light; a shadow of half is no black.
        binarizer=zxingcpp.Binarizer.LocalAverage if hard else zxingcpp.Binarizer.FixedThreshold,
        try_rotate=hard,
        try_downscale=hard,
        try_invert=hard,
        text_mode=zxingcpp.TextMode.Plain,
    )
    for code in sorted(codes, key=lambda code: code.format != zxingcpp.BarcodeFormat.QRCode):
        corners = code.position
        points = (
            corners.top_left,
            corners.top_right,
            corners.bottom_left,
            corners.bottom_right,
        )
        yield code.text, sum(p.x for p in points) / 4, sum(p.y for p in points) / 4


def _cell_at(x_mm: float, y_mm: float, layout: Layout) -> int:
    """The cell that holds a point of the page; 0 where there is none."""
    column = int((x_mm - layout.first.x_mm) // (layout.first.width_mm + layout.gap_x_mm))
    row = int((y_mm - layout.first.y_mm) // (layout.first.height_mm + layout.gap_y_mm))
    if not (0 <= column < layout.columns and 0 <= row < layout.rows):
        return 0
    cell = row * layout.columns + column + 1
    box = layout.cell(cell)
    inside = x_mm - box.x_mm <= box.width_mm and y_mm - box.y_mm <= box.height_mm
    return cell if inside else 0


def _by_cell(picture: Any, layout: Layout, dpi: int, hard: bool) -> dict[int, str]:
    """What each cell of a page says; a code outside every cell is under 0."""
    px_per_mm = dpi / MM_PER_INCH
    found: dict[int, str] = {}
    for text, x, y in _decode(picture, hard, layout.bars is not None):
        cell = _cell_at(x / px_per_mm, y / px_per_mm, layout)
        found[cell] = f"{found[cell]} {text}" if cell in found else text
    return found


class _Canvases:
    """Two pictures, drawn over in turn: a fresh one for each page takes longer than to draw it."""

    def __init__(self) -> None:
        self._kept: list[Any] = []

    def __call__(self, width: int, height: int, **how: Any) -> Any:
        older = self._kept.pop(0) if len(self._kept) == 2 else None
        if older is None or (older.width, older.height) != (width, height):
            older = pypdfium2.PdfBitmap.new_native(width, height, **how)
        self._kept.append(older)
        return older


def _draw(document: Any, page: int, dpi: int, **how: Any) -> Any:
    with closing(document[page]) as found:
        return found.render(
            scale=dpi / 72, grayscale=True, may_draw_forms=False, draw_annots=False, **how
        )


def drawn(pdf: bytes | Path, dpi: int, **how: Any) -> Iterator[Any]:
    """Draw each page in grey at this fineness; nobody else may draw meanwhile."""
    first, pages = 0, 1
    with _pdfium:
        while first < pages:
            with closing(pypdfium2.PdfDocument(pdf)) as document:
                pages = len(document)
                for page in range(first, min(first + _AT_ONCE, pages)):
                    yield _draw(document, page, dpi, **how)
            first += _AT_ONCE


def _meant(codes: Iterable[str], layout: Layout, start_cell: int) -> Iterator[dict[int, str]]:
    """What each page is meant to say, by cell."""
    placed = zip(layout.places(None, start_cell), codes, strict=False)
    for _, labels in groupby(placed, key=lambda label: label[0][0]):
        yield {cell: said for (_, cell), said in labels}


def _quickly(pdf: bytes | Path, layout: Layout) -> Generator[dict[int, str], None, None]:
    """What a quick look reads on each page."""
    dpi = layout.dpi if layout.bars else min(_QUICK_DPI, layout.dpi)  # bars are finer
    before: Future[dict[int, str]] | None = None
    with ThreadPoolExecutor(1) as reader:
        for picture in drawn(pdf, dpi, bitmap_maker=_Canvases()):
            now = reader.submit(_by_cell, picture, layout, dpi, hard=False)
            if before is not None:
                yield before.result()
            before = now
        if before is not None:
            yield before.result()


def _slowly(pdf: bytes | Path, page: int, layout: Layout) -> dict[int, str]:
    """What is read on a page that is drawn as the printer would."""
    with _pdfium, closing(pypdfium2.PdfDocument(pdf)) as document:
        picture = _draw(document, page - 1, layout.dpi)
        return _by_cell(picture, layout, layout.dpi, hard=True)


def check(pdf: bytes | Path, codes: Iterable[str], layout: Layout, start_cell: int = 1) -> int:
    """Read every page and compare with the codes of each label; returns the number of pages.

    Raises ``SheetNotReadable`` for the first cell that does not say what was meant, and for a
    code where none was meant.
    """
    page = 0
    with closing(_quickly(pdf, layout)) as found_on:
        for page, (wanted, found) in enumerate(
            zip_longest(_meant(codes, layout, start_cell), found_on), 1
        ):
            if wanted is None or found is None:
                _compare(page, wanted or {}, found or {})
                raise SheetNotReadable(page, 1, "no page" if wanted is None else "a page", None)
            if found != wanted:
                _compare(page, wanted, _slowly(pdf, page, layout))
    return page


def _compare(page: int, wanted: dict[int, str], found: dict[int, str]) -> None:
    for cell in sorted(wanted.keys() | found.keys()):
        if wanted.get(cell) != found.get(cell):
            raise SheetNotReadable(page, cell, wanted.get(cell, ""), found.get(cell))
