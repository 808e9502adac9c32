"""The calibration sheet: crosses to measure, rulers, and where the labels of a layout will lie.

Laid over a sheet of labels against the light it shows at once whether they match; two numbers
for each cross, measured with a ruler from the edges of the paper, are the printer's offset and
scale. Printed for a printer whose settings are known, it should be right: that is the test.
"""

from io import BytesIO

from nongso.labels import font
from nongso.labels.fitting import PT_PER_MM
from nongso.labels.layout import Box, Layout
from nongso.labels.operations import Sheet
from nongso.labels.pdffile import PdfFile
from nongso.labels.printers import Printer

_ARM_MM = 3.0


def crosses(layout: Layout) -> tuple[Box, Box]:
    """Where the two crosses are meant to be: far apart, in whole mm, off the page's edges."""
    edge_x = 20.0 if layout.page_width_mm >= 100 else 5.0
    edge_y = 20.0 if layout.page_height_mm >= 100 else 5.0
    right = float(int(layout.page_width_mm - edge_x))
    lower = float(int(layout.page_height_mm - edge_y))
    return Box(edge_x, edge_y, 0, 0), Box(right, lower, 0, 0)


class _Pen:
    """Draws in mm from the upper left corner, moved as the printer needs it."""

    def __init__(self, file: PdfFile, layout: Layout, printer: Printer) -> None:
        self.file, self.layout, self.printer = file, layout, printer
        self.drawn: list[str] = []

    def _at(self, x_mm: float, y_mm: float) -> str:
        x = (x_mm - self.printer.offset_x_mm) / self.printer.scale_x
        y = (y_mm - self.printer.offset_y_mm) / self.printer.scale_y
        return f"{x * PT_PER_MM:.3f} {(self.layout.page_height_mm - y) * PT_PER_MM:.3f}"

    def width(self, mm: float) -> None:
        """How thick the lines that follow are."""
        self.drawn.append(f"{mm * PT_PER_MM:.3f} w")

    def line(self, x1: float, y1: float, x2: float, y2: float) -> None:
        """A line from one place to another."""
        self.drawn.append(f"{self._at(x1, y1)} m {self._at(x2, y2)} l S")

    def cross(self, at: Box, name: str) -> None:
        """A cross to measure to."""
        self.line(at.x_mm - _ARM_MM, at.y_mm, at.x_mm + _ARM_MM, at.y_mm)
        self.line(at.x_mm, at.y_mm - _ARM_MM, at.x_mm, at.y_mm + _ARM_MM)
        self.text(at.x_mm + 0.7, at.y_mm - 0.7, name, 7)

    def text(self, x_mm: float, y_mm: float, text: str, size_pt: float) -> None:
        """Words that begin at a place."""
        face = self.file.font(font.REGULAR)
        shown = self.file.shown(font.normal(text, font.REGULAR), font.REGULAR)
        self.drawn.append(f"BT {face} {size_pt:g} Tf {self._at(x_mm, y_mm)} Td {shown} ET")

    def ruler(self, start: Box, length_mm: int, across: bool) -> None:
        """A ruler in mm, across the page or down."""
        for mm in range(length_mm + 1):
            tick = 3.0 if mm % 10 == 0 else 2.0 if mm % 5 == 0 else 1.2
            x, y = start.x_mm, start.y_mm
            if across:
                self.line(x + mm, y, x + mm, y + tick)
            else:
                self.line(x, y + mm, x + tick, y + mm)


def _words(layout: Layout) -> list[str]:
    a, b = crosses(layout)
    return [
        f"{layout.title}: A {a.x_mm:g} / {a.y_mm:g} mm, B {b.x_mm:g} / {b.y_mm:g} mm",
        "In ở cỡ 100%. Đo từ mép trái và mép trên của tờ giấy đến dấu A và dấu B.",
    ]


def sheet(layout: Layout, printer: Printer) -> Sheet:
    """The calibration sheet of a layout, as this printer must be sent it."""
    out = BytesIO()
    width_pt, height_pt = layout.page_width_mm * PT_PER_MM, layout.page_height_mm * PT_PER_MM
    file = PdfFile(out, width_pt, height_pt, f"{layout.name}: calibration")
    pen = _Pen(file, layout, printer)
    pen.width(0.12)
    for number in range(1, layout.cells + 1):
        box = layout.cell(number)
        right, lower = box.x_mm + box.width_mm, box.y_mm + box.height_mm
        for x, inward_x in ((box.x_mm, 1), (right, -1)):
            for y, inward_y in ((box.y_mm, 1), (lower, -1)):
                pen.line(x, y, x + 4 * inward_x, y)
                pen.line(x, y, x, y + 4 * inward_y)
    a, b = crosses(layout)
    pen.width(0.2)
    pen.cross(a, "A")
    pen.cross(b, "B")
    pen.ruler(Box(a.x_mm, a.y_mm + 5, 0, 0), int(b.x_mm - a.x_mm), across=True)
    pen.ruler(Box(a.x_mm + 5, a.y_mm, 0, 0), int(b.y_mm - a.y_mm), across=False)
    if layout.page_width_mm >= 100:
        for row, words in enumerate(_words(layout)):
            pen.text(a.x_mm + 12, a.y_mm + 14 + 5 * row, words, 9)
    file.page("\n".join(pen.drawn).encode("ascii"))
    file.close()
    return Sheet(out.getvalue(), 0, 1, 1)
