"""A first layout from the sizes of a sheet or roll, for paper that no layout is there for.

The rule: the code stands on the left and the text beside it, on labels higher than wide the code
below the text; the address in letters along the lower edge where there is room. What comes out
is the text of a layout file, which a person then changes as they like.
"""

from dataclasses import dataclass

from nongso.labels import layout as layouts
from nongso.labels import layoutfile
from nongso.labels.errors import BadLayout
from nongso.labels.layout import SHEET, Block, Box, Column, Layout

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
            f" mm are more than a page of {sizes.page[0]:g} × {sizes.page[1]:g} mm holds",
            "crowded",
            "grid",
        )
    return max(spare[0] / 2, 0.0), max(spare[1] / 2, 0.0)


def _block(name: str, box: Box, largest_pt: float, smallest_pt: float) -> Block:
    return Block(
        name=name,
        box=box,
        largest_pt=largest_pt,
        smallest_pt=smallest_pt,
        leading=1.2,
        first_line_bold=name == "text",
        optional=name != "text",
        columns=(Column(name),),
    )


def _box(*lengths: float) -> Box:
    """A box on hundredths of a mm, as a person would write it."""
    return Box(*(round(length, 2) for length in lengths))


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
            f" {LEAST_CODE_MM:g} mm and text beside it",
            "no_room",
            "label",
        )
    blocks = [_block("text", _box(*text), 14.0 if upright else 9.5, 5.0 if height < 25 else 6.5)]
    if addressed:
        box = _box(2 * EDGE_MM, lower, width - 4 * EDGE_MM, ADDRESS_MM)
        blocks.append(_block("address", box, 6.5, 4.5))
    toml = layoutfile.write(
        Layout(
            name=name,
            title=f"{sizes.grid[0] * sizes.grid[1]} labels of {width:g} × {height:g} mm",
            level="M",
            page_width_mm=round(sizes.page[0], 2),
            page_height_mm=round(sizes.page[1], 2),
            columns=sizes.grid[0],
            rows=sizes.grid[1],
            first=_box(left, top, width, height),
            gap_x_mm=round(sizes.gap[0], 2),
            gap_y_mm=round(sizes.gap[1], 2),
            dpi=sizes.dpi,
            qr=_box(*at, code, code),
            blocks=tuple(blocks),
            kind=sizes.kind,
            feed_mm=0.0 if sizes.kind == SHEET else round(sizes.feed_mm, 2),
        )
    )
    return layouts.read(name, toml), toml
