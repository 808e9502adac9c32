"""Layouts of labels: TOML files of lengths in ``layouts/``, read into frozen values.

A layout says where the labels lie on the page and what lies where on a label; it does not
know what is printed. A page is a sheet of paper or, on a roll, one row of labels. Lengths are
checked when a layout is read: everything on the page, nothing over something else.

``LEAST_MODULE_MM`` is the smallest module that we print: 0.396 mm, GS1's lower bound for a QR
code with a Digital Link at retail. Three dots of a 203 dpi printer, 0.375 mm, are below it, so
such a printer gets four. Modules are whole dots of the layout's printer: fractions print as
rows of uneven width, which is what cheap printers make unreadable.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import combinations
from pathlib import Path
from sys import maxsize
from typing import Any

from nongso.labels.errors import (
    BadLayout,
    BarsTooNarrow,
    ModuleTooSmall,
    NoRoomForBars,
    StartCellOutside,
    UnknownLayout,
)

LEAST_MODULE_MM = 0.396
MM_PER_INCH = 25.4
MOST_MM = 2000.0
MOST_CELLS = 1000
MOST_PT = 200.0
LEAST_LEADING, MOST_LEADING = 0.8, 3.0
SCRATCH_PT, SCRATCH_EDGE_MM = (14.0, 8.0), 0.8
LEAST_SCRATCH_MM = (25.0, 6.0)  # a code of eight letters, and a sticker that covers it
LEAST_LOGO_MM = 5.0  # below it nobody knows what a picture of black and white dots shows
MOST_OF_CODE = 0.25  # of the code's side that a picture in it may cover, at level H

SHEET = "sheet"  # labels on a sheet of paper, for office printers
PLAIN = ("text", "address")
MEDIA = ("gap", "mark", "continuous")  # rolls: how the printer finds the next label


@dataclass(frozen=True)
class Box:
    """A rectangle in mm, from the upper left corner of what it lies on."""

    x_mm: float
    y_mm: float
    width_mm: float
    height_mm: float

    def inside(self, width_mm: float, height_mm: float) -> bool:
        """Say whether the box lies in a rectangle of this size (to a hundredth of a mm)."""
        return (
            min(self.x_mm, self.y_mm) >= 0
            and min(self.width_mm, self.height_mm) > 0
            and self.x_mm + self.width_mm <= width_mm + 0.01
            and self.y_mm + self.height_mm <= height_mm + 0.01
        )

    def overlaps(self, other: "Box") -> bool:
        """Say whether two boxes share more than an edge (to a hundredth of a mm)."""
        return (
            self.x_mm < other.x_mm + other.width_mm - 0.01
            and other.x_mm < self.x_mm + self.width_mm - 0.01
            and self.y_mm < other.y_mm + other.height_mm - 0.01
            and other.y_mm < self.y_mm + self.height_mm - 0.01
        )


@dataclass(frozen=True)
class Column:
    """A column of the table that is printed in a block, with the words that stand before it."""

    name: str
    before: str = ""


@dataclass(frozen=True)
class Block:
    """A place for text: from ``largest_pt`` the letters shrink until the lines fit.

    An ``optional`` block stays empty rather than refuse the label when its text cannot fit.
    ``columns`` each begin a line of their own; mostly it is one, named like the block.
    """

    name: str
    box: Box
    largest_pt: float
    smallest_pt: float
    leading: float
    first_line_bold: bool
    optional: bool
    columns: tuple[Column, ...]

    def text(self, cells: Mapping[str, str]) -> str:
        """What stands in the block, from the cells of a row; empty cells make no line."""
        return "\n".join(
            column.before + cells[column.name].strip()
            for column in self.columns
            if cells.get(column.name, "").strip()
        )


@dataclass(frozen=True)
class Layout:
    """Where labels lie on a page, and what lies where on a label.

    ``kind`` is ``sheet`` or one of ``MEDIA``; ``feed_mm`` lies between two pages of a roll.
    ``goods`` marks a layout of labels by law: rows must fill what ``labels.goods`` asks for.
    """

    name: str
    title: str
    level: str
    page_width_mm: float
    page_height_mm: float
    columns: int
    rows: int
    first: Box  # the first label on the page
    gap_x_mm: float
    gap_y_mm: float
    dpi: int
    qr: Box
    blocks: tuple[Block, ...]
    kind: str = SHEET
    feed_mm: float = 0.0
    goods: bool = False
    bars: Box | None = None  # for the bar code of goods that have a GTIN, digits below it
    logo: Box | None = None  # for a picture, which at level H may lie in the middle of the code
    scratch: Box | None = None  # a frame for a code that a sticker will cover

    @property
    def columns_of_table(self) -> tuple[str, ...]:
        """The columns that a table may have beside the address."""
        return tuple(column.name for block in self.blocks for column in block.columns)

    @property
    def scratch_block(self) -> Block | None:
        """The place of a scratch code as a block of one line, in large letters."""
        if self.scratch is None:
            return None
        name, box = "scratch", self.scratch
        edge = SCRATCH_EDGE_MM
        inner = Box(
            box.x_mm + edge, box.y_mm + edge, box.width_mm - 2 * edge, box.height_mm - 2 * edge
        )
        return Block(name, inner, *SCRATCH_PT, 1.0, True, False, (Column(name),))

    @property
    def is_plain(self) -> bool:
        """Say whether a text and the address are all that its labels say in letters."""
        return all(
            block.name in PLAIN and block.columns == (Column(block.name),) for block in self.blocks
        )

    def at(self, dpi: int) -> "Layout":
        """The same layout on a printer of another fineness. Raises ``BadLayout``."""
        return _checked(replace(self, dpi=dpi))

    @property
    def cells(self) -> int:
        """Labels on a full page."""
        return self.columns * self.rows

    def cell(self, number: int) -> Box:
        """The label in cell ``number``, counted from 1, along the rows."""
        row, column = divmod(number - 1, self.columns)
        return Box(
            self.first.x_mm + column * (self.first.width_mm + self.gap_x_mm),
            self.first.y_mm + row * (self.first.height_mm + self.gap_y_mm),
            self.first.width_mm,
            self.first.height_mm,
        )

    def places(self, count: int | None, start_cell: int) -> Iterable[tuple[int, int]]:
        """Page and cell (both from 1) of ``count`` labels, or of as many as are asked for.

        Raises ``StartCellOutside``.
        """
        if not 1 <= start_cell <= self.cells:
            raise StartCellOutside(start_cell, self.cells)
        wanted = range(start_cell - 1, maxsize if count is None else start_cell - 1 + count)
        for at in wanted:
            yield at // self.cells + 1, at % self.cells + 1

    def module_dots(self, text: str, side: int) -> int:
        """Printer dots a module for a symbol of ``side`` modules. Raises ``ModuleTooSmall``."""
        dot_mm = MM_PER_INCH / self.dpi
        dots = int(self.qr.width_mm / side / dot_mm + 1e-9)
        if dots * dot_mm < LEAST_MODULE_MM:
            raise ModuleTooSmall(text, side, self.qr.width_mm, dots * dot_mm, LEAST_MODULE_MM)
        return dots

    def bar_dots(self, width: int, least_mm: float) -> int:
        """Printer dots a module for a bar code of ``width`` modules. Raises ``NoRoomForBars`` or
        ``BarsTooNarrow``.
        """
        if self.bars is None:
            raise NoRoomForBars(self.name)
        dot_mm = MM_PER_INCH / self.dpi
        dots = int(self.bars.width_mm / width / dot_mm + 1e-9)
        if dots * dot_mm < least_mm:
            raise BarsTooNarrow(width, self.bars.width_mm, dots * dot_mm, least_mm)
        return dots


def _checked(layout: Layout) -> Layout:
    def bad(said: str, reason: str = "", *places: str) -> BadLayout:
        return BadLayout(f"{layout.name}: {said}", reason, *places)

    boxes = {"qr": layout.qr} | ({"bars": layout.bars} if layout.bars else {})
    boxes |= {"logo": layout.logo} if layout.logo else {}
    boxes |= {"scratch": layout.scratch} if layout.scratch else {}
    boxes |= {block.name: block.box for block in layout.blocks}
    for name, value in _lengths(layout, boxes):
        if type(value) not in (int, float) or not abs(value) <= MOST_MM:
            raise bad(f"{name}: {value!r} is no length in mm up to {MOST_MM:g}", "length", name)
    words = [layout.title, *boxes, *layout.columns_of_table]
    words += [column.before for block in layout.blocks for column in block.columns]
    if not all(isinstance(word, str) for word in words):
        raise bad("title, names of blocks and columns are texts")
    if layout.level not in ("L", "M", "Q", "H"):
        raise bad(f"level is L, M, Q or H, not {layout.level!r}", "level", "level")
    if not all(type(count) is int for count in (layout.columns, layout.rows, layout.dpi)):
        raise bad("columns, rows and dpi are whole numbers", "whole", "grid")
    if min(layout.columns, layout.rows) < 1 or min(layout.gap_x_mm, layout.gap_y_mm) < 0:
        raise bad("columns, rows and gaps cannot be below 1, 1 and 0", "grid", "grid")
    if layout.cells > MOST_CELLS:
        raise bad(f"{layout.cells} labels on a page, at most {MOST_CELLS}", "grid", "grid")
    if layout.kind != SHEET and layout.kind not in MEDIA:
        raise bad(f"a page is a {SHEET} or {', '.join(MEDIA)}", "kind", "kind")
    if not 0 <= layout.feed_mm <= 100:
        raise bad(f"{layout.feed_mm:g} mm between two labels", "feed", "feed")
    if not 100 <= layout.dpi <= 2400:
        raise bad(f"{layout.dpi} dpi is no printer", "dpi", "dpi")
    if not layout.cell(layout.cells).inside(layout.page_width_mm, layout.page_height_mm):
        raise bad("the last label lies off the page", "off_page", "grid")
    if min(layout.first.x_mm, layout.first.y_mm) < 0:
        raise bad("the first label lies off the page", "off_page", "grid")
    for name, box in boxes.items():
        if not box.inside(layout.first.width_mm, layout.first.height_mm):
            raise bad(f"{name} reaches over the edge of the label", "over_edge", name)
    if layout.logo and min(layout.logo.width_mm, layout.logo.height_mm) < LEAST_LOGO_MM:
        raise bad(f"the logo is smaller than {LEAST_LOGO_MM:g} mm", "small_logo", "logo")
    if layout.scratch and (
        layout.scratch.width_mm < LEAST_SCRATCH_MM[0]
        or layout.scratch.height_mm < LEAST_SCRATCH_MM[1]
    ):
        least = " × ".join(f"{side:g}" for side in LEAST_SCRATCH_MM)
        raise bad(f"the place of the scratch code is below {least} mm", "small_scratch", "scratch")
    for (one, a), (other, b) in combinations(boxes.items(), 2):
        if a.overlaps(b) and {one, other} == {"qr", "logo"}:
            if not _is_spared(layout.qr, boxes["logo"], layout.level):
                raise bad("the logo hides too much of the code", "in_code", "logo")
        elif a.overlaps(b):
            raise bad(f"{one} and {other} overlap", "overlap", one, other)
    named = ["url", *layout.columns_of_table]
    for name in named:
        if named.count(name) > 1:
            raise bad(f"column {name!r} is printed twice")
    for block in layout.blocks:
        if not 0 < block.smallest_pt <= block.largest_pt <= MOST_PT:
            raise bad(f"letter sizes of {block.name}", "letters", block.name)
        if not LEAST_LEADING <= block.leading <= MOST_LEADING:
            raise bad(f"leading of {block.name}", "leading", block.name)
    return layout


def _is_spared(code: Box, logo: Box, level: str) -> bool:
    """Say whether a code can be read around a picture in its middle.

    Level H mends about 30 % of the symbol, and dirt must still find room in that: the picture
    covers a sixteenth at most, away from the corners by which the code is found.
    """
    off_mm = max(
        abs(code.x_mm + code.width_mm / 2 - logo.x_mm - logo.width_mm / 2),
        abs(code.y_mm + code.height_mm / 2 - logo.y_mm - logo.height_mm / 2),
    )
    widest_mm = max(logo.width_mm, logo.height_mm)
    return level == "H" and off_mm <= 1 and widest_mm <= code.width_mm * MOST_OF_CODE


def _lengths(layout: Layout, boxes: Mapping[str, Box]) -> Iterator[tuple[str, float]]:
    """Every length of a layout with the place that it belongs to."""
    yield from (("page", layout.page_width_mm), ("page", layout.page_height_mm))
    yield from (("gap", layout.gap_x_mm), ("gap", layout.gap_y_mm), ("feed", layout.feed_mm))
    for name, box in {"grid": layout.first, **boxes}.items():
        for length in (box.x_mm, box.y_mm, box.width_mm, box.height_mm):
            yield name, length
    for block in layout.blocks:
        for size in (block.largest_pt, block.smallest_pt, block.leading):
            yield block.name, size


def _block(body: dict[str, Any]) -> Block:
    return Block(
        name=body["name"],
        box=Box(body["x_mm"], body["y_mm"], body["width_mm"], body["height_mm"]),
        largest_pt=body["largest_pt"],
        smallest_pt=body["smallest_pt"],
        leading=body["leading"],
        first_line_bold=body.get("first_line_bold", False),
        optional=body.get("optional", False),
        columns=tuple(
            Column(column["name"], column.get("before", ""))
            for column in body.get("columns", [{"name": body["name"]}])
        ),
    )


def read(name: str, toml: str) -> Layout:
    """Read a layout from the text of its file. Raises ``BadLayout``."""
    try:
        body = tomllib.loads(toml)
        page, grid, qr = body["page"], body["grid"], body["qr"]
        layout = Layout(
            name=name,
            title=body["title"],
            level=body["level"],
            page_width_mm=page["width_mm"],
            page_height_mm=page["height_mm"],
            columns=grid["columns"],
            rows=grid["rows"],
            first=Box(
                page["left_mm"], page["top_mm"], grid["label_width_mm"], grid["label_height_mm"]
            ),
            gap_x_mm=grid["gap_x_mm"],
            gap_y_mm=grid["gap_y_mm"],
            dpi=body["printer"]["dpi"],
            qr=Box(qr["x_mm"], qr["y_mm"], qr["size_mm"], qr["size_mm"]),
            blocks=tuple(_block(block) for block in body["blocks"]),
            kind=page.get("kind", SHEET),
            feed_mm=page.get("feed_mm", 0.0),
            goods=body.get("goods", False),
            bars=Box(**body["bars"]) if "bars" in body else None,
            logo=Box(**body["logo"]) if "logo" in body else None,
            scratch=Box(**body["scratch"]) if "scratch" in body else None,
        )
        return _checked(layout)
    except (tomllib.TOMLDecodeError, TypeError, AttributeError) as e:
        raise BadLayout(f"{name}: {e}") from e
    except KeyError as e:
        raise BadLayout(f"{name}: {e} is missing", "missing", str(e.args[0])) from e


def names() -> tuple[str, ...]:
    """Names of the layouts that come with the room."""
    found = files("nongso.labels").joinpath("layouts").iterdir()
    return tuple(sorted(f.name[:-5] for f in found if f.name.endswith(".toml")))


@cache
def plain() -> tuple[str, ...]:
    """Names of the layouts whose labels say nothing but a text and the address: sheets, rolls."""
    sheets = [name for name in names() if find(name).kind == SHEET]
    rolls = [name for name in names() if find(name).kind in ("gap", "mark")]
    return tuple(name for name in (*sheets, *rolls) if find(name).is_plain)


@cache
def find(name: str) -> Layout:
    """The layout of that name. Raises ``UnknownLayout``."""
    if name not in names():
        raise UnknownLayout(name, names())
    file = files("nongso.labels").joinpath("layouts", f"{name}.toml")
    return read(name, file.read_text(encoding="utf-8"))


def load(name: str) -> Layout:
    """The layout of that name, or of a file of one's own when the name ends with ``.toml``.

    Raises ``UnknownLayout``, ``BadLayout`` or ``OSError``.
    """
    if not name.endswith(".toml"):
        return find(name)
    file = Path(name)
    try:
        return read(file.stem, file.read_text(encoding="utf-8"))
    except UnicodeDecodeError as e:
        raise BadLayout(f"{name}: the file is not UTF-8") from e
