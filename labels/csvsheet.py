"""Sheets from a table: what ``nongso labels sheet --csv`` does, for any cooperative.

The table is a CSV file in UTF-8 with a heading line, separated by commas or, as spreadsheets
set to Vietnamese write it, by semicolons. Column ``url`` is the address in the code, column
``text`` the lines beside it (line breaks in the cell), any further column the text of the
layout's block of that name. Rows are counted as the spreadsheet shows them: the heading is
row 1. A table with one bad cell prints nothing.
"""

import csv
import unicodedata
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

from nongso.labels import layout as layouts
from nongso.labels import outfile
from nongso.labels.errors import (
    BadTable,
    LabelRefused,
    LetterMissing,
    ModuleTooSmall,
    TextDoesNotFit,
    TextNotEncodable,
    TextTooLong,
)
from nongso.labels.operations import Sheet, print_sheet
from nongso.labels.sheet import Label

MOST_BYTES = 64 << 20  # far above any sheet; /dev/zero has no end
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
    known = ("url", *(block.name for block in layout.blocks))
    for name in names:
        if name not in known:
            raise BadTable(f"unknown column {name!r}; {layout.name} has {', '.join(known)}", 1)
        if names.count(name) > 1:
            raise BadTable("the column stands twice", 1, name)
    return names


def read(content: str, layout: layouts.Layout) -> list[tuple[int, Label]]:
    """Read labels from the text of a table, each with its row. Raises ``BadTable``."""
    names: list[str] = []
    labels: list[tuple[int, Label]] = []
    seen: dict[str, int] = {}
    for row, cells in _table(content.removeprefix("\ufeff")):
        if not names:
            names = _columns(cells, layout)
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(names):
            raise BadTable(
                f"{len(cells)} cells for {len(names)} columns: text with the separator in it"
                " stands in quotation marks",
                row,
            )
        body = dict(zip(names, cells, strict=False))
        for name, cell in body.items():
            if len(cell) > MOST_CELL:
                raise BadTable(f"{len(cell)} characters: is a quotation mark open?", row, name)
        texts = {name: text.replace("\r", "") for name, text in body.items() if name != "url"}
        address = _address(body["url"], row)
        if address in seen:
            raise BadTable(f"the same address as in row {seen[address]}", row, "url")
        seen[address] = row
        labels.append((row, Label(address, texts)))
    if not labels:
        raise BadTable("the table has no row below its heading")
    return labels


def _where(refused: LabelRefused, rows: list[tuple[int, Label]]) -> BadTable:
    """Say in which cell the label that was refused stands."""
    row, label = rows[refused.number - 1]
    column: str | None = None
    match refused.cause:
        case ModuleTooSmall() | TextNotEncodable() | TextTooLong():
            column = "url"
        case TextDoesNotFit(block=block):
            column = block
        case LetterMissing(letter=letter):
            column = next((name for name, text in label.texts.items() if letter in text), None)
    return BadTable(str(refused.cause), row, column)


def _content(csv_file: Path) -> str:
    with csv_file.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise BadTable(f"the table is larger than {MOST_BYTES >> 20} MB: is it the right file?")
    return content.decode("utf-8")


def make_sheet(csv_file: Path, out_file: Path, layout_name: str, start_cell: int = 1) -> Sheet:
    """Make a checked PDF from a CSV file; ``out_file`` appears whole or not at all.

    Raises a ``LabelError`` (``BadTable`` names row and column; ``BadOutput`` when the sheet would
    destroy something else) or ``OSError``.
    """
    layout = layouts.find(layout_name)
    real = outfile.check(out_file, csv_file)
    try:
        content = _content(csv_file)
    except UnicodeDecodeError as e:
        raise BadTable("the file is not UTF-8: in the spreadsheet, save it as 'CSV UTF-8'") from e
    rows = read(content, layout)
    try:
        sheet = print_sheet([label for _, label in rows], layout, start_cell, csv_file.stem)
    except LabelRefused as e:
        raise _where(e, rows) from e
    outfile.write(real, sheet.pdf)
    return sheet
