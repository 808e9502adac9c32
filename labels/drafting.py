"""A first layout from the sizes of a sheet or roll, for paper that no layout is there for.

The rule: the code stands on the left and the text beside it, on labels higher than wide the code
below the text; the address in letters along the lower edge where there is room. What comes out
is the text of a layout file, which a person then changes as they like.
"""

from dataclasses import dataclass

from nongso.labels import layout as layouts
from nongso.labels.errors import BadLayout
from nongso.labels.layout import SHEET, Layout

EDGE_MM = 1.5
ADDRESS_MM = 4.6
LEAST_CODE_MM = 15.0
MOST_CODE_MM = 40.0
LEAST_TEXT_MM = 10.0


@dataclass(frozen=True)
class Sizes:
    """What a person measures, in mm. Margins that are ``None`` are those of a centred grid."""

    page: tuple[float, float]
    grid: tuple[int, int]
    label: tuple[float, float]
    gap: tuple[float, float] = (0.0, 0.0)
    margin: tuple[float, float] | None = None
    kind: str = SHEET
    feed_mm: float = 0.0
    dpi: int = 300


def _corner(sizes: Sizes) -> tuple[float, float]:
    if sizes.margin is not None:
        return sizes.margin
    spare = [
        page - count * label - (count - 1) * gap
        for page, count, label, gap in zip(
            sizes.page, sizes.grid, sizes.label, sizes.gap, strict=True
        )
    ]
    if min(spare) < -0.01:
        raise BadLayout(
            f"{sizes.grid[0]} × {sizes.grid[1]} labels of {sizes.label[0]:g} × {sizes.label[1]:g}"
            f" mm are more than a page of {sizes.page[0]:g} × {sizes.page[1]:g} mm holds"
        )
    return max(spare[0] / 2, 0.0), max(spare[1] / 2, 0.0)


def _block(name: str, box: tuple[float, float, float, float], pt: tuple[float, float]) -> str:
    x, y, width, height = box
    bold = "first_line_bold = true" if name == "text" else "optional = true"
    return f"""
[[blocks]]
name = "{name}"
x_mm = {x:.2f}
y_mm = {y:.2f}
width_mm = {width:.2f}
height_mm = {height:.2f}
largest_pt = {pt[0]}
smallest_pt = {pt[1]}
leading = 1.2
{bold}
"""


def draft(name: str, sizes: Sizes) -> tuple[Layout, str]:
    """Make a layout and the text of its file. Raises ``BadLayout`` where it cannot be."""
    left, top = _corner(sizes)
    width, height = sizes.label
    upright = height > width
    addressed = height >= LEAST_CODE_MM + ADDRESS_MM + 2 * EDGE_MM
    lower = height - EDGE_MM - (ADDRESS_MM if addressed else 0.0)
    if upright:
        code = min(width - 2 * EDGE_MM, (lower - EDGE_MM) / 2, 2 * MOST_CODE_MM)
        at = ((width - code) / 2, lower - code)
        text = (EDGE_MM * 2, EDGE_MM * 2, width - 4 * EDGE_MM, at[1] - 2 * EDGE_MM)
    else:
        code = min(lower - EDGE_MM, width * 0.48, MOST_CODE_MM)
        at = (EDGE_MM, EDGE_MM)
        beside = code + 2 * EDGE_MM
        text = (beside, 2 * EDGE_MM, width - beside - EDGE_MM, lower - 3 * EDGE_MM)
    if code < LEAST_CODE_MM or min(text[2:]) < LEAST_TEXT_MM:
        raise BadLayout(
            f"a label of {width:g} × {height:g} mm has no room for a code of"
            f" {LEAST_CODE_MM:g} mm and text beside it"
        )
    roll = "" if sizes.kind == SHEET else f'kind = "{sizes.kind}"\nfeed_mm = {sizes.feed_mm:.2f}\n'
    toml = f"""\
# Lengths in mm from the upper left corner, blocks and code from the corner of their label.
title = "{sizes.grid[0] * sizes.grid[1]} labels of {width:g} × {height:g} mm"
level = "M"

[page]
{roll}width_mm = {sizes.page[0]:.2f}
height_mm = {sizes.page[1]:.2f}
left_mm = {left:.2f}
top_mm = {top:.2f}

[grid]
columns = {sizes.grid[0]}
rows = {sizes.grid[1]}
label_width_mm = {width:.2f}
label_height_mm = {height:.2f}
gap_x_mm = {sizes.gap[0]:.2f}
gap_y_mm = {sizes.gap[1]:.2f}

[printer]
dpi = {sizes.dpi}

[qr]
x_mm = {at[0]:.2f}
y_mm = {at[1]:.2f}
size_mm = {code:.2f}
"""
    largest = 14.0 if upright else 9.5
    toml += _block("text", text, (largest, 5.0 if height < 25 else 6.5))
    if addressed:
        box = (2 * EDGE_MM, lower, width - 4 * EDGE_MM, ADDRESS_MM)
        toml += _block("address", box, (6.5, 4.5))
    return layouts.read(name, toml), toml
