"""Sheets from a table: what ``nongso labels sheet --csv`` does, for any cooperative.

The table is a CSV file in UTF-8 with a heading line, separated by commas or, as spreadsheets
set to Vietnamese write it, by semicolons. Column ``url`` is the address in the code, column
``text`` the lines beside it (line breaks in the cell), any further column what the layout
prints in one of its blocks; ``gtin`` and ``scratch`` where it has a place for a bar code and for
a scratch code. A layout of goods labels also takes ``kind``, the kind of goods, and asks for the
columns that the law does. Rows are counted as the spreadsheet shows them: the heading is row 1. A
table with one bad cell prints nothing.
"""

import csv
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

from nongso.labels import goods, logos, outfile
from nongso.labels import layout as layouts
from nongso.labels.errors import (
    BadGtin,
    BadTable,
    BarsTooNarrow,
    LabelRefused,
    LetterMissing,
    ModuleTooSmall,
    NoRoomForLogo,
    TextDoesNotFit,
    TextNotEncodable,
    TextTooLong,
)
from nongso.labels.logos import Logo
from nongso.labels.operations import Sheet, print_sheet
from nongso.labels.sheet import Label

MOST_BYTES = 64 << 20  # far above any sheet; /dev/zero has no end
GTIN = "gtin"  # column of a layout with a place for a bar code
SCRATCH = "scratch"  # column of a layout with a place for a scratch code
MOST_CELL = 2000  # characters; more is a broken quotation mark, not a label


def _address(text: str, row: int) -> str:
    text = text.strip()
    if not text:
        raise BadTable("the address is empty", row, "url")
    try:
        parts = urlsplit(text)
        good = parts.scheme.lower() in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if not good:
        raise BadTable(f"{text!r} is no web address (https://…)", row, "url")
    for letter in text:
        if not "!" <= letter <= "~":
            raise BadTable(str(TextNotEncodable(text, letter)), row, "url")
    return text


def _table(content: str) -> Iterator[tuple[int, list[str]]]:
    heading = content.split("\n", 1)[0]
    delimiter = ";" if heading.count(";") > heading.count(",") else ","
    row = 0
    try:
        for row, cells in enumerate(csv.reader(StringIO(content), delimiter=delimiter), 1):
            yield row, cells
    except csv.Error as e:
        raise BadTable(f"not readable as CSV ({e})", row + 1) from e


def _columns(cells: list[str], layout: layouts.Layout) -> list[str]:
    names = [unicodedata.normalize("NFC", cell).strip().lower() for cell in cells]
    if "url" not in names:
        raise BadTable("the heading has no column url", 1)
    known = ("url", *layout.columns_of_table, *((goods.KIND,) if layout.goods else ()))
    known += (GTIN,) if layout.bars else ()
    known += (SCRATCH,) if layout.scratch else ()
    for name in names:
        if name not in known:
            raise BadTable(f"unknown column {name!r}; {layout.name} has {', '.join(known)}", 1)
        if names.count(name) > 1:
            raise BadTable("the column stands twice", 1, name)
    return names


def _label(address: str, cells: dict[str, str], layout: layouts.Layout, row: int) -> Label:
    if layout.goods and (broken := goods.missing(cells)) is not None:
        column, why = broken
        raise BadTable(why, row, column)
    texts = {block.name: block.text(cells) for block in layout.blocks}
    gtin = cells.get(GTIN, "").replace(" ", "")
    scratch = cells.get(SCRATCH, "").strip()
    return Label(
        address, {name: text for name, text in texts.items() if text}, gtin, scratch=scratch
    )


def read(content: str, layout: layouts.Layout) -> list[tuple[int, Label]]:
    """Read labels from the text of a table, each with its row. Raises ``BadTable``."""
    names: list[str] = []
    labels: list[tuple[int, Label]] = []
    seen: dict[str, int] = {}
    for row, found in _table(content.removeprefix("\ufeff")):
        if not names:
            names = _columns(found, layout)
            continue
        if not any(cell.strip() for cell in found):
            continue
        if len(found) > len(names):
            raise BadTable(
                f"{len(found)} cells for {len(names)} columns: text with the separator in it"
                " stands in quotation marks",
                row,
            )
        body = dict(zip(names, found, strict=False))
        for name, cell in body.items():
            if len(cell) > MOST_CELL:
                raise BadTable(f"{len(cell)} characters: is a quotation mark open?", row, name)
        cells = {name: text.replace("\r", "") for name, text in body.items() if name != "url"}
        address = _address(body["url"], row)
        if address in seen:
            raise BadTable(f"the same address as in row {seen[address]}", row, "url")
        seen[address] = row
        labels.append((row, _label(address, cells, layout, row)))
    if not labels:
        raise BadTable("the table has no row below its heading")
    return labels


def _where(
    refused: LabelRefused, rows: list[tuple[int, Label]], layout: layouts.Layout
) -> BadTable:
    """Say in which cell the label that was refused stands."""
    row, label = rows[refused.number - 1]
    column: str | None = None
    match refused.cause:
        case ModuleTooSmall() | TextNotEncodable() | TextTooLong():
            column = "url"
        case TextDoesNotFit(block=name) if name == SCRATCH:
            column = SCRATCH
        case TextDoesNotFit(block=name):
            block = next(block for block in layout.blocks if block.name == name)
            column = block.columns[0].name if len(block.columns) == 1 else None
        case LetterMissing(letter=letter):
            column = next((name for name, text in label.texts.items() if letter in text), None)
        case BadGtin() | BarsTooNarrow():
            column = GTIN
    return BadTable(str(refused.cause), row, column)


def _content(csv_file: Path) -> str:
    with csv_file.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise BadTable(f"the table is larger than {MOST_BYTES >> 20} MB: is it the right file?")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as e:
        raise BadTable("the file is not UTF-8: in the spreadsheet, save it as 'CSV UTF-8'") from e


@dataclass(frozen=True)
class Made:
    """Labels of a table that were read back, and the row of each."""

    sheet: Sheet
    labels: tuple[Label, ...]
    rows: tuple[int, ...]


def make(
    csv_file: Path,
    layout: layouts.Layout,
    start_cell: int = 1,
    from_row: int = 1,
    logo: Path | None = None,
) -> Made:
    """Make and check the labels of a table, from that row on, each with the picture ``logo``.

    Rows above ``from_row`` are checked too, but not printed. Raises a ``LabelError``
    (``BadTable`` names row and column) or ``OSError``.
    """
    if layout.goods:
        goods.check_layout(layout)
    rows = [one for one in read(_content(csv_file), layout) if one[0] >= from_row]
    if not rows:
        raise BadTable(f"the table ends above row {from_row}")
    picture = None if logo is None else _logo(logo, layout)
    labels = tuple(replace(label, logo=picture) for _, label in rows)
    try:
        sheet = print_sheet(labels, layout, start_cell, csv_file.stem)
    except LabelRefused as e:
        raise _where(e, rows, layout) from e
    return Made(sheet, labels, tuple(row for row, _ in rows))


def _logo(file: Path, layout: layouts.Layout) -> Logo:
    if layout.logo is None:
        raise NoRoomForLogo(layout.name)
    with file.open("rb") as opened:
        body = opened.read(logos.MOST_BYTES + 1)
    return logos.read(body, layout.logo, layout.dpi)


def make_sheet(csv_file: Path, out_file: Path, layout_name: str, start_cell: int = 1) -> Sheet:
    """Make a checked PDF from a table; ``out_file`` appears whole or not at all.

    Raises like ``make``, and ``BadOutput`` when the sheet would destroy something else.
    """
    layout = layouts.load(layout_name)
    real = outfile.check(out_file, csv_file)
    made = make(csv_file, layout, start_cell)
    outfile.write([real], [made.sheet.pdf])
    return made.sheet
