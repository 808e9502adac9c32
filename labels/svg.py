"""Pages of labels as SVG: codes as paths of whole modules, letters as their outlines,
each drawn once a page.

So a page looks the same everywhere, with or without the font, and can be put into a drawing
program or a web page. Lengths are mm. What a label says stands in its ``title`` for whoever
cannot see it. The file holds no script, style or foreign address.
"""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from itertools import groupby
from xml.sax.saxutils import escape

from nongso.labels import drawing, font, outlines, raster
from nongso.labels.drawing import Drawing
from nongso.labels.fitting import PT_PER_MM, Fitted, Line
from nongso.labels.layout import MM_PER_INCH, Block, Box, Layout
from nongso.labels.logos import Logo
from nongso.labels.sheet import (
    DASH_MM,
    DIGITS_LEADING,
    DIGITS_PT,
    FRAME_PT,
    Label,
    Made,
    logo_box,
    make,
    scratch_corner,
)
from nongso.labels.symbol import Symbol


def _code(symbol: Symbol, module_dots: int, cell: Box, layout: Layout) -> str:
    module_mm = module_dots * MM_PER_INCH / layout.dpi
    spare_mm = (layout.qr.width_mm - symbol.side * module_mm) / 2
    x = cell.x_mm + layout.qr.x_mm + spare_mm
    y = cell.y_mm + layout.qr.y_mm + spare_mm
    runs = []
    for row, modules in enumerate(symbol.rows()):
        at = 0
        for dark, run in groupby(modules):
            length = len(list(run))
            if dark:
                runs.append(f"M{at} {row}h{length}v1h-{length}z")
            at += length
    return (
        f'<path transform="translate({x:.4f} {y:.4f}) scale({module_mm:.6f})"'
        f' shape-rendering="crispEdges" d="{"".join(runs)}"/>'
    )


def _line(
    line: Line, size_pt: float, left_mm: float, base_mm: float, letters: dict[str, str]
) -> str:
    """One line, each letter a reference into ``letters``, which is filled."""
    face = font.face(line.font)
    scale = size_pt / PT_PER_MM / face.per_em
    x = 0.0
    uses = ""
    for letter in line.text:
        if drawn := outlines.path(line.font, letter):
            name = f"{'b' if line.font == font.BOLD else 'r'}{ord(letter):x}"
            letters[name] = drawn
            uses += f'<use href="#{name}" x="{x:g}"/>'
        x += face.widths[letter] * face.per_em / 1000
    place = f"translate({left_mm:.3f} {base_mm:.3f}) scale({scale:.6f} {-scale:.6f})"
    return f'<g transform="{place}">{uses}</g>'


def _text(block: Block, fitted: Fitted, cell: Box, letters: dict[str, str]) -> str:
    """The lines of a block."""
    size_mm = fitted.size_pt / PT_PER_MM
    leading_mm = size_mm * block.leading
    # as on the PDF: the address stands in the middle of its block, other text begins above
    spare_mm = block.box.height_mm - len(fitted.lines) * leading_mm
    y = cell.y_mm + block.box.y_mm + (spare_mm / 2 if block.name == "address" else 0.0)
    y += font.ascent(font.REGULAR) * size_mm
    out = ""
    for line in fitted.lines:
        out += _line(line, fitted.size_pt, cell.x_mm + block.box.x_mm, y, letters)
        y += leading_mm
    return out


def _bars(made: Made, cell: Box, layout: Layout, letters: dict[str, str]) -> str:
    """The bar code of a label that has one, with its digits below."""
    bars, place = made.bars, layout.bars
    if bars is None or place is None:
        return ""
    module_mm = made.bar_dots * MM_PER_INCH / layout.dpi
    width_mm = bars.width * module_mm
    x = cell.x_mm + place.x_mm + (place.width_mm - width_mm) / 2
    room = font.width_em(bars.text, font.REGULAR)
    size_pt = min(DIGITS_PT, width_mm * PT_PER_MM / room)
    foot_mm = size_pt * DIGITS_LEADING / PT_PER_MM
    top, height = cell.y_mm + place.y_mm, place.height_mm - foot_mm
    runs, at = "", 0
    for dark, run in groupby(bars.row()):
        length = len(list(run))
        if dark:
            runs += f"M{at} 0h{length}v1h-{length}z"
        at += length
    digits = _line(
        Line(bars.text, font.REGULAR),
        size_pt,
        x + (width_mm - room * size_pt / PT_PER_MM) / 2,
        cell.y_mm + place.y_mm + place.height_mm - size_pt * 0.25 / PT_PER_MM,
        letters,
    )
    return (
        f'<path transform="translate({x:.4f} {top:.4f}) scale({module_mm:.6f} {height:.4f})"'
        f' shape-rendering="crispEdges" d="{runs}"/>{digits}'
    )


def _scratch(line: Fitted | None, cell: Box, layout: Layout, letters: dict[str, str]) -> str:
    """The scratch code of a label that has one, in its frame."""
    box = layout.scratch
    if line is None or box is None:
        return ""
    left, base = scratch_corner(line, box)
    return (
        f'<rect x="{cell.x_mm + box.x_mm:.3f}" y="{cell.y_mm + box.y_mm:.3f}"'
        f' width="{box.width_mm:g}" height="{box.height_mm:g}" fill="none" stroke="#000"'
        f' stroke-width="{FRAME_PT / PT_PER_MM:.3f}" stroke-dasharray="{DASH_MM:g}"/>'
        + _line(line.lines[0], line.size_pt, cell.x_mm + left, cell.y_mm + base, letters)
    )


def _logo(logo: Logo, name: str, dpi: int) -> str:
    """A picture for all labels of a page, whose unit is a dot or the drawing's own."""
    if isinstance(logo, Drawing):
        size = f"{logo.width:.4f} {logo.height:.4f}"
        shapes = "".join(map(drawing.svg, logo.shapes))
        return f'<symbol id="{name}" viewBox="0 0 {size}">{shapes}</symbol>'
    data = b64encode(raster.png(logo, dpi)).decode("ascii")
    return (
        f'<image id="{name}" width="{logo.width}" height="{logo.height}"'
        f' href="data:image/png;base64,{data}"/>'
    )


def _logo_placed(logo: Logo, name: str, cell: Box, layout: Layout) -> str:
    """A picture on its label, white behind it."""
    box = logo_box(logo, layout)
    x, y = cell.x_mm + box.x_mm, cell.y_mm + box.y_mm
    place = f'x="{x:.4f}" y="{y:.4f}" width="{box.width_mm:.4f}" height="{box.height_mm:.4f}"'
    paper = f'<rect {place} fill="#fff"/>'
    if isinstance(logo, Drawing):
        return f'{paper}<use href="#{name}" {place}/>'
    scale = f"translate({x:.4f} {y:.4f}) scale({box.width_mm / logo.width:.6f})"
    return f'{paper}<use href="#{name}" transform="{scale}"/>'


def pages(labels: Sequence[Label], layout: Layout, start_cell: int = 1) -> Iterator[bytes]:
    """Draw each page of labels. Raises ``LabelRefused`` or ``StartCellOutside``."""
    width, height = f"{layout.page_width_mm:g}", f"{layout.page_height_mm:g}"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}mm" height="{height}mm"'
        f' viewBox="0 0 {width} {height}">\n'
        f'<rect width="{width}" height="{height}" fill="#fff"/>\n'
    )
    placed = zip(labels, make(labels, layout), layout.places(len(labels), start_cell), strict=True)
    for _, page in groupby(placed, key=lambda one: one[2][0]):
        out = ""
        letters: dict[str, str] = {}
        logos: dict[Logo, str] = {}
        for label, made, (_, number) in page:
            cell = layout.cell(number)
            said = "\n".join([label.url, *label.texts.values()])
            out += f"<g><title>{escape(said)}</title>"
            out += _code(made.symbol, made.module_dots, cell, layout)
            out += "".join(_text(block, fitted, cell, letters) for block, fitted in made.blocks)
            out += _bars(made, cell, layout, letters)
            out += _scratch(made.scratch, cell, layout, letters)
            if made.logo is not None:
                name = logos.setdefault(made.logo, f"p{len(logos)}")
                out += _logo_placed(made.logo, name, cell, layout)
            out += "</g>\n"
        shapes = "".join(f'<path id="{n}" d="{d}"/>' for n, d in sorted(letters.items()))
        shapes += "".join(_logo(picture, name, layout.dpi) for picture, name in logos.items())
        yield f"{head}<defs>{shapes}</defs>\n{out}</svg>\n".encode()
