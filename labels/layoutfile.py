"""The text of a layout's file, as ``layout.read`` reads it back: the same layout, to the digit."""

from collections.abc import Iterator

from nongso.labels.layout import SHEET, Block, Box, Layout

_HEAD = (
    "# Lengths in mm from the upper left corner, blocks and code from the corner of their label."
)
_ESCAPED = {ord(letter): f"\\u{ord(letter):04X}" for letter in map(chr, (*range(32), 127))}
_ESCAPED |= {ord("\\"): "\\\\", ord('"'): '\\"'}


def _text(text: str) -> str:
    return f'"{text.translate(_ESCAPED)}"'


def _box(box: Box) -> str:
    return (
        f"x_mm = {box.x_mm!r}\ny_mm = {box.y_mm!r}\n"
        f"width_mm = {box.width_mm!r}\nheight_mm = {box.height_mm!r}\n"
    )


def _block(block: Block) -> Iterator[str]:
    yield f"[[blocks]]\nname = {_text(block.name)}\n"
    if [(one.name, one.before) for one in block.columns] != [(block.name, "")]:
        yield "columns = [\n"
        for one in block.columns:
            yield f"    {{ name = {_text(one.name)}, before = {_text(one.before)} }},\n"
        yield "]\n"
    yield _box(block.box)
    yield f"largest_pt = {block.largest_pt!r}\nsmallest_pt = {block.smallest_pt!r}\n"
    yield f"leading = {block.leading!r}\n"
    if block.first_line_bold:
        yield "first_line_bold = true\n"
    if block.optional:
        yield "optional = true\n"


def write(layout: Layout) -> str:
    """Write the file of a layout."""
    roll = (
        "" if layout.kind == SHEET else f'kind = "{layout.kind}"\nfeed_mm = {layout.feed_mm!r}\n'
    )
    goods = "goods = true\n" if layout.goods else ""
    first = layout.first
    parts = [
        f'{_HEAD}\ntitle = {_text(layout.title)}\nlevel = "{layout.level}"\n{goods}',
        f"[page]\n{roll}width_mm = {layout.page_width_mm!r}\n"
        f"height_mm = {layout.page_height_mm!r}\n"
        f"left_mm = {first.x_mm!r}\ntop_mm = {first.y_mm!r}\n",
        f"[grid]\ncolumns = {layout.columns}\nrows = {layout.rows}\n"
        f"label_width_mm = {first.width_mm!r}\nlabel_height_mm = {first.height_mm!r}\n"
        f"gap_x_mm = {layout.gap_x_mm!r}\ngap_y_mm = {layout.gap_y_mm!r}\n",
        f"[printer]\ndpi = {layout.dpi}\n",
        f"[qr]\nx_mm = {layout.qr.x_mm!r}\ny_mm = {layout.qr.y_mm!r}\n"
        f"size_mm = {layout.qr.width_mm!r}\n",
    ]
    if layout.bars is not None:
        parts.append(f"[bars]\n{_box(layout.bars)}")
    if layout.logo is not None:
        parts.append(f"[logo]\n{_box(layout.logo)}")
    if layout.scratch is not None:
        parts.append(f"[scratch]\n{_box(layout.scratch)}")
    return "\n".join([*parts, *("".join(_block(block)) for block in layout.blocks)])
