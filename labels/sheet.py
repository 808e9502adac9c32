"""Sheets of labels as PDF: the only door to reportlab's canvas.

How a code is drawn. As a 1-bit image mask, one bit a module, scaled without interpolation to
whole printer dots and placed on the printer's dot grid: one object a code, no seams between
rectangles, and sharp at any zoom. The file is the same bytes for the same labels.

Nothing here is read back; ``nongso.labels.operations`` makes, checks and only then releases.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

from nongso.labels import batch, font
from nongso.labels.errors import LabelError, LabelRefused, NothingToPrint, UnknownBlock
from nongso.labels.fitting import PT_PER_MM, Fitted, fit
from nongso.labels.layout import MM_PER_INCH, Block, Box, Layout
from nongso.labels.symbol import Symbol


@dataclass(frozen=True)
class Label:
    """What one label says: the address in its code, and a text a block.

    The block ``address``, where the layout has one, prints the address in letters unless
    ``texts`` says something else.
    """

    url: str
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Made:
    """A label ready to be drawn."""

    symbol: Symbol
    module_dots: int
    blocks: tuple[tuple[Block, Fitted], ...]


def _fit_blocks(label: Label, layout: Layout) -> Iterable[tuple[Block, Fitted]]:
    known = tuple(block.name for block in layout.blocks)
    for name in label.texts:
        if name not in known:
            raise UnknownBlock(name, known)
    for block in layout.blocks:
        text = label.texts.get(block.name, label.url if block.name == "address" else "")
        if not text.strip():
            continue
        try:
            yield block, fit(text, block)
        except LabelError:
            if not block.optional:
                raise


def make(labels: Sequence[Label], layout: Layout) -> list[_Made]:
    """Encode and fit every label. Raises ``LabelRefused`` with the number of the first bad one."""
    made = []
    symbols = batch.symbols([label.url for label in labels], layout.level)
    for number, label in enumerate(labels, 1):
        try:
            symbol = next(symbols)
            dots = layout.module_dots(label.url, symbol.side)
            made.append(_Made(symbol, dots, tuple(_fit_blocks(label, layout))))
        except LabelError as e:
            raise LabelRefused(number, e) from e
    return made


def _draw_code(canvas: Any, made: _Made, cell: Box, layout: Layout) -> None:
    """Draw the code in the middle of its box, its corner on a dot of the printer."""
    dot_mm = MM_PER_INCH / layout.dpi
    side_mm = made.symbol.side * made.module_dots * dot_mm
    spare_mm = (layout.qr.width_mm - side_mm) / 2
    left_mm = round((cell.x_mm + layout.qr.x_mm + spare_mm) / dot_mm) * dot_mm
    top_mm = round((cell.y_mm + layout.qr.y_mm + spare_mm) / dot_mm) * dot_mm
    side = side_mm * PT_PER_MM
    x, y = left_mm * PT_PER_MM, (layout.page_height_mm - top_mm) * PT_PER_MM - side
    modules = made.symbol.side
    # Decode [1 0]: a set bit is painted. ASCIIHex keeps the page's text free of raw bytes;
    # the page as a whole is deflated anyway.
    canvas._code.append(
        f"q {side:.4f} 0 0 {side:.4f} {x:.4f} {y:.4f} cm\n"
        f"BI /W {modules} /H {modules} /BPC 1 /IM true /D [1 0] /I false /F /AHx ID\n"
        f"{made.symbol.packed().hex()}>\nEI Q"
    )


def _draw_text(canvas: Any, block: Block, fitted: Fitted, cell: Box, layout: Layout) -> None:
    height_mm = len(fitted.lines) * fitted.size_pt * block.leading / PT_PER_MM
    above_mm = (block.box.height_mm - height_mm) / 2 if block.name == "address" else 0.0
    top_pt = (layout.page_height_mm - cell.y_mm - block.box.y_mm - above_mm) * PT_PER_MM
    text = canvas.beginText(
        (cell.x_mm + block.box.x_mm) * PT_PER_MM,
        top_pt - font.ascent(font.REGULAR) * fitted.size_pt,
    )
    text.setLeading(fitted.size_pt * block.leading)
    for line in fitted.lines:
        text.setFont(line.font, fitted.size_pt, fitted.size_pt * block.leading)
        text.textLine(line.text)
    canvas.drawText(text)


def pdf(made: Sequence[_Made], layout: Layout, start_cell: int, title: str) -> bytes:
    """Draw made labels into a file, from ``start_cell`` of the first page on."""
    out = BytesIO()
    canvas = Canvas(
        out,
        pagesize=(layout.page_width_mm * PT_PER_MM, layout.page_height_mm * PT_PER_MM),
        pageCompression=1,
        invariant=1,
        lang="vi",
    )
    canvas.setTitle(title)
    canvas.setCreator("nongso")
    # Print dialogs then offer 100 % first: scaled to fit, sheets drift off their labels.
    canvas.setViewerPreference("PrintScaling", "None")
    now = 1
    for label, (page, cell) in zip(made, layout.places(len(made), start_cell), strict=True):
        if page != now:
            canvas.showPage()
            now = page
        box = layout.cell(cell)
        _draw_code(canvas, label, box, layout)
        for block, fitted in label.blocks:
            _draw_text(canvas, block, fitted, box, layout)
    if not made:
        raise NothingToPrint("there is no label to print")
    canvas.save()
    return out.getvalue()
