"""Sheets of labels as PDF, written page by page: a batch of any length takes little memory.

How a code is drawn. As a 1-bit image mask, one bit a module, scaled without interpolation to
whole printer dots and placed on the printer's dot grid: one object a code, no seams between
rectangles, and sharp at any zoom. The file is the same bytes for the same labels.

Nothing here is read back; ``nongso.labels.operations`` makes, checks and only then releases.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from itertools import tee
from typing import BinaryIO

from nongso.labels import bars, batch, drawing, font
from nongso.labels.bars import Bars
from nongso.labels.drawing import Drawing
from nongso.labels.errors import (
    LabelError,
    LabelRefused,
    NoRoomForLogo,
    NoRoomForScratch,
    NothingToPrint,
    UnknownBlock,
)
from nongso.labels.fitting import PT_PER_MM, Fitted, fit
from nongso.labels.layout import MM_PER_INCH, Block, Box, Layout
from nongso.labels.logos import Logo
from nongso.labels.pdffile import PdfFile
from nongso.labels.symbol import Symbol

DIGITS_PT = 7.0  # of the digits below a bar code
CAPITALS = 0.7  # height of a capital, of the letter size
FRAME_PT = 0.5  # width of the line around a scratch code
DASH_MM = 1.0
DIGITS_LEADING = 1.35  # room for them and above them, of their size


@dataclass(frozen=True)
class Label:
    """What one label says: the address in its code, and a text a block.

    The block ``address``, where the layout has one, prints the address in letters unless
    ``texts`` says something else. Goods with a ``gtin`` also carry its bar code, and a ``logo``
    stands in its place. A ``scratch`` code is printed in its frame, on which somebody
    sticks what can be scratched off.
    """

    url: str
    texts: Mapping[str, str] = field(default_factory=dict)
    gtin: str = ""
    logo: Logo | None = None
    scratch: str = ""

    @property
    def codes(self) -> str:
        """What the codes of the label say, the QR first; no address holds a space."""
        return f"{self.url} {bars.of_gtin(self.gtin).letters}" if self.gtin else self.url


@dataclass(frozen=True)
class Made:
    """A label ready to be drawn."""

    symbol: Symbol
    module_dots: int
    blocks: tuple[tuple[Block, Fitted], ...]
    bars: Bars | None = None
    bar_dots: int = 0
    logo: Logo | None = None
    scratch: Fitted | None = None


def logo_box(logo: Logo, layout: Layout) -> Box:
    """Where a picture comes to stand on a label: in the middle of its place, a dot a dot."""
    assert layout.logo is not None, "a label with a logo was made for a layout without"
    dot_mm, place = MM_PER_INCH / layout.dpi, layout.logo
    scale = min(place.width_mm / logo.width, place.height_mm / logo.height)
    if not isinstance(logo, Drawing):
        scale = min(dot_mm, scale)
    width_mm, height_mm = logo.width * scale, logo.height * scale
    return Box(
        place.x_mm + (place.width_mm - width_mm) / 2,
        place.y_mm + (place.height_mm - height_mm) / 2,
        width_mm,
        height_mm,
    )


class _Fitting:
    """Brings texts into the blocks of a layout; what a lot's labels share is fitted once."""

    def __init__(self, layout: Layout) -> None:
        self.blocks = layout.blocks
        self.known = tuple(block.name for block in layout.blocks)
        self.last: dict[str, tuple[str, Fitted]] = {}  # block -> the label before

    def label(self, label: Label) -> Iterator[tuple[Block, Fitted]]:
        """The blocks of one label that hold a text."""
        for name in label.texts:
            if name not in self.known:
                raise UnknownBlock(name, self.known)
        for block in self.blocks:
            text = label.texts.get(block.name, label.url if block.name == "address" else "")
            if not text.strip():
                continue
            before = self.last.get(block.name)
            try:
                fitted = before[1] if before and before[0] == text else fit(text, block)
            except LabelError:
                if not block.optional:
                    raise
                continue
            self.last[block.name] = text, fitted
            yield block, fitted


def stream(labels: Iterable[Label], layout: Layout) -> Iterator[Made]:
    """Encode and fit label by label. Raises ``LabelRefused`` with the number of a bad one."""
    ours, theirs = tee(labels)
    symbols = batch.symbols((label.url for label in theirs), layout.level)
    fitting = _Fitting(layout)
    for number, label in enumerate(ours, 1):
        try:
            symbol = next(symbols)
            dots = layout.module_dots(label.url, symbol.side)
            blocks = tuple(fitting.label(label))
            if label.logo and not layout.logo:
                raise NoRoomForLogo(layout.name)
            scratch = _scratched(label, layout)
            if label.gtin:
                made = bars.of_gtin(label.gtin)
                bar_dots = layout.bar_dots(made.width, made.least_mm)
                yield Made(symbol, dots, blocks, made, bar_dots, label.logo, scratch)
            else:
                yield Made(symbol, dots, blocks, logo=label.logo, scratch=scratch)
        except LabelError as e:
            raise LabelRefused(number, e) from e


def _scratched(label: Label, layout: Layout) -> Fitted | None:
    if not label.scratch:
        return None
    block = layout.scratch_block
    if block is None:
        raise NoRoomForScratch(layout.name)
    return fit("\u00a0".join(label.scratch.split()), block)  # one line, whatever it holds


def scratch_corner(line: Fitted, box: Box) -> tuple[float, float]:
    """Where a scratch code begins on its label: left end and base line, in the frame's middle."""
    size_mm = line.size_pt / PT_PER_MM
    width_mm = font.width_em(line.lines[0].text, font.BOLD) * size_mm
    return (
        box.x_mm + (box.width_mm - width_mm) / 2,
        box.y_mm + (box.height_mm + CAPITALS * size_mm) / 2,
    )


def make(labels: Iterable[Label], layout: Layout) -> list[Made]:
    """Encode and fit every label. Raises ``LabelRefused``."""
    return list(stream(labels, layout))


class _Drawing:
    """Labels of one layout as operators of PDF content."""

    def __init__(self, layout: Layout, file: PdfFile) -> None:
        self.layout, self.file = layout, file
        self.code_start = cache(self._code_start)
        self.bars = cache(self._bars)
        self.logo = cache(self._logo)
        self.last: dict[str, tuple[Fitted, str]] = {}  # block -> the label before
        boxes = [layout.cell(number) for number in range(1, layout.cells + 1)]
        self.origins = [
            (box.x_mm * PT_PER_MM, (layout.page_height_mm - box.y_mm) * PT_PER_MM) for box in boxes
        ]

    def _code_start(self, cell: int, modules: int, dots: int) -> bytes:
        """Put a code in the middle of its box, its corner on a dot of the printer."""
        layout, box = self.layout, self.layout.cell(cell)
        dot_mm = MM_PER_INCH / layout.dpi
        side_mm = modules * dots * dot_mm
        spare_mm = (layout.qr.width_mm - side_mm) / 2
        left_mm = round((box.x_mm + layout.qr.x_mm + spare_mm) / dot_mm) * dot_mm
        top_mm = round((box.y_mm + layout.qr.y_mm + spare_mm) / dot_mm) * dot_mm
        side = side_mm * PT_PER_MM
        x, y = left_mm * PT_PER_MM, (layout.page_height_mm - top_mm) * PT_PER_MM - side
        # Decode [1 0]: a set bit is painted. The bytes stand as they are: a reader knows their
        # number from width and height.
        return (
            f"q {side:.4f} 0 0 {side:.4f} {x:.4f} {y:.4f} cm\n"
            f"BI /W {modules} /H {modules} /BPC 1 /IM true /D [1 0] /I false ID "
        ).encode("ascii")

    def _text(self, block: Block, fitted: Fitted) -> str:
        """Text seen from the upper left corner of its label."""
        before = self.last.get(block.name)
        if before is None or before[0] is not fitted:
            before = self.last[block.name] = fitted, self._operators(block, fitted)
        return before[1]

    def _operators(self, block: Block, fitted: Fitted) -> str:
        leading = fitted.size_pt * block.leading
        height_mm = len(fitted.lines) * leading / PT_PER_MM
        above_mm = (block.box.height_mm - height_mm) / 2 if block.name == "address" else 0.0
        down = (block.box.y_mm + above_mm) * PT_PER_MM
        down += font.ascent(font.REGULAR) * fitted.size_pt
        parts = [f"BT {leading:.4g} TL {block.box.x_mm * PT_PER_MM:.4f} {-down:.4f} Td"]
        last = ""
        for line in fitted.lines:
            if line.font != last:
                parts.append(f"{self.file.font(line.font)} {fitted.size_pt:g} Tf")
                last = line.font
            parts.append(f"{self.file.shown(line.text, line.font)} T*")
        return "\n".join([*parts, "ET"])

    def _bars(self, made: Bars, dots: int, cell: int) -> bytes:
        """A bar code in its place, its first bar on a dot of the printer, and its digits below."""
        layout, origin, place = self.layout, self.layout.cell(cell), self.layout.bars
        assert place is not None, "a label with bars was made for a layout without"
        dot_mm = MM_PER_INCH / layout.dpi
        width_mm = made.width * dots * dot_mm
        left_mm = origin.x_mm + place.x_mm + (place.width_mm - width_mm) / 2
        left = round(left_mm / dot_mm) * dot_mm * PT_PER_MM
        below = (layout.page_height_mm - origin.y_mm - place.y_mm - place.height_mm) * PT_PER_MM
        width = width_mm * PT_PER_MM
        room = font.width_em(made.text, font.REGULAR)
        size = min(DIGITS_PT, width / room)
        foot = size * DIGITS_LEADING
        name = self.file.font(font.REGULAR)
        shown = self.file.shown(made.text, font.REGULAR)
        height = place.height_mm * PT_PER_MM - foot
        drawn = (
            f"q {width:.4f} 0 0 {height:.4f} {left:.4f} {below + foot:.4f} cm\n"
            f"BI /W {made.width} /H 1 /BPC 1 /IM true /D [1 0] /I false ID "
        )
        said = (
            f"\nEI Q\nBT {name} {size:.4g} Tf {left + (width - room * size) / 2:.4f}"
            f" {below + size * 0.25:.4f} Td {shown} ET\n"
        )
        return drawn.encode("ascii") + made.packed() + said.encode("ascii")

    def _logo(self, logo: Logo) -> bytes:
        """A picture seen from the upper left corner of its label, white behind it."""
        box, layout = logo_box(logo, self.layout), self.layout
        assert layout.logo is not None
        x, y, width, height = (
            side * PT_PER_MM for side in (box.x_mm, box.y_mm, box.width_mm, box.height_mm)
        )
        if isinstance(logo, Drawing):
            name = self.file.form(logo.width, logo.height, drawing.pdf(logo).encode("ascii"))
            across, up = width / logo.width, height / logo.height
        else:
            name = self.file.image(logo.width, logo.height, logo.dots)
            across, up = width, height
        return (
            f"1 g {x:.4f} {-y - height:.4f} {width:.4f} {height:.4f} re f 0 g\n"
            f"q {across:.6f} 0 0 {up:.6f} {x:.4f} {-y - height:.4f} cm {name} Do Q\n"
        ).encode("ascii")

    def _scratch(self, line: Fitted) -> str:
        """A code in its frame, seen from the upper left corner of its label."""
        box, dash = self.layout.scratch, DASH_MM * PT_PER_MM
        assert box is not None, "a label with a scratch code was made for a layout without"
        left, base = (side * PT_PER_MM for side in scratch_corner(line, box))
        x, y, width, height = (
            side * PT_PER_MM for side in (box.x_mm, box.y_mm, box.width_mm, box.height_mm)
        )
        name = self.file.font(font.BOLD)
        shown = self.file.shown(line.lines[0].text, font.BOLD)
        return (
            f"q {FRAME_PT:g} w [{dash:.3f}] 0 d {x:.4f} {-y - height:.4f}"
            f" {width:.4f} {height:.4f} re S Q\n"
            f"BT {name} {line.size_pt:g} Tf {left:.4f} {-base:.4f} Td {shown} ET"
        )

    def label(self, made: Made, cell: int) -> bytes:
        """One label in its cell."""
        symbol = made.symbol
        x, y = self.origins[cell - 1]
        parts = [self._text(block, fitted) for block, fitted in made.blocks]
        if made.scratch:
            parts.append(self._scratch(made.scratch))
        texts = "\n".join(parts)
        logo = self.logo(made.logo) if made.logo else b""
        return b"%b%b\nEI Q\n%bq 1 0 0 1 %.4f %.4f cm\n%b%b\nQ\n" % (
            self.code_start(cell, symbol.side, made.module_dots),
            symbol.packed(),
            self.bars(made.bars, made.bar_dots, cell) if made.bars else b"",
            x,
            y,
            logo,
            texts.encode("ascii"),
        )


def write(out: BinaryIO, made: Iterable[Made], layout: Layout, start_cell: int, title: str) -> int:
    """Draw made labels into a file, from ``start_cell`` of the first page on; returns how many."""
    file = PdfFile(out, layout.page_width_mm * PT_PER_MM, layout.page_height_mm * PT_PER_MM, title)
    drawing = _Drawing(layout, file)
    count, now, page = 0, 1, bytearray()
    for label, (number, cell) in zip(made, layout.places(None, start_cell), strict=False):
        if number != now:
            file.page(bytes(page))
            page.clear()
            now = number
        page += drawing.label(label, cell)
        count += 1
    if not count:
        raise NothingToPrint("there is no label to print")
    file.page(bytes(page))
    file.close()
    return count


def pdf(made: Sequence[Made], layout: Layout, start_cell: int, title: str) -> bytes:
    """Draw made labels into a file in memory."""
    out = BytesIO()
    write(out, made, layout, start_cell, title)
    return out.getvalue()
