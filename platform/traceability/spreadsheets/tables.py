"""The door to spreadsheets: tables in, XLSX or CSV out, and back. Knows no farm.

Files are looked through before they are opened (``spreadsheets_guard``), and read up to a number
of rows and columns whatever size they claim to have. A cell is what a person would have typed: a
date is written 2026-11-22, a number with a decimal comma; a formula is told as such and never
calculated. What is written out is never taken for a formula: in XLSX a text is marked as text,
in CSV an apostrophe goes before it (OWASP, CSV Injection) and is taken away when it is read.
"""

import csv
import datetime
import io
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from threading import Lock
from typing import Any
from zipfile import BadZipFile

import openpyxl  # type: ignore[import-untyped]
from openpyxl.cell import WriteOnlyCell  # type: ignore[import-untyped]
from openpyxl.styles import Font  # type: ignore[import-untyped]
from openpyxl.utils import get_column_letter  # type: ignore[import-untyped]
from openpyxl.utils.exceptions import InvalidFileException  # type: ignore[import-untyped]

from nongso.platform.traceability.spreadsheets.guard import (
    MOST_FILE_BYTES,
    BadFile,
    look_through,
)

MOST_ROWS = 5_000  # of one sheet, the head counted in
MOST_COLUMNS = 40
MOST_SHEETS = 12
LONGEST_CELL = 2_000
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")
_one_at_a_time = Lock()  # two large files at once must not take twice the memory


@dataclass(frozen=True)
class Formula:
    """A cell that holds a formula instead of a value."""

    text: str


Cell = str | Formula


@dataclass(frozen=True)
class Table:
    """A sheet: its name (empty for CSV) and its rows, the head first, as texts."""

    name: str
    rows: tuple[tuple[Cell, ...], ...]
    cut: bool = False  # it has more rows than are read
    sign: str = ","  # what stands between its cells in a CSV file


@dataclass(frozen=True)
class Extent:
    """How much of a file is read; ``exact`` leaves texts as they stand, with spaces and lines."""

    rows: int
    columns: int
    exact: bool = False


WHOLE = Extent(MOST_ROWS, MOST_COLUMNS)


def is_xlsx(data: bytes) -> bool:
    """Say whether a file is read as a workbook, and not as CSV."""
    return data.startswith(b"PK")


def read(data: bytes, extent: Extent = WHOLE) -> list[Table]:
    """Read a file, whatever its name is. Raises ``BadFile``."""
    if len(data) > MOST_FILE_BYTES:
        raise BadFile("large")
    if is_xlsx(data):
        look_through(data)
        with _one_at_a_time:
            return _xlsx(data, extent)
    if data.startswith(b"\xd0\xcf\x11\xe0"):  # the old .xls, or one locked with a password
        raise BadFile("unknown")
    return [_csv(data, extent)]


def column_letter(number: int) -> str:
    """How a spreadsheet calls its column: 1 is A, 27 is AA."""
    return str(get_column_letter(number))


def _xlsx(data: bytes, extent: Extent) -> list[Table]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what openpyxl does not know of styles and extensions
        try:
            book = openpyxl.load_workbook(
                io.BytesIO(data), read_only=True, data_only=False, keep_links=False
            )
        except (
            KeyError,
            ValueError,
            TypeError,
            AttributeError,
            IndexError,
            SyntaxError,
            OverflowError,
            BadZipFile,
            InvalidFileException,
        ) as error:
            raise BadFile("damaged") from error
        try:
            return [_sheet(sheet, extent) for sheet in book.worksheets[:MOST_SHEETS]]
        except (
            KeyError,
            ValueError,
            TypeError,
            AttributeError,
            IndexError,
            SyntaxError,
            OverflowError,
        ) as error:
            raise BadFile("damaged") from error
        finally:
            book.close()


def _sheet(sheet: Any, extent: Extent) -> Table:
    sheet.reset_dimensions()  # what it claims to be is not believed
    rows: list[tuple[Cell, ...]] = []
    empty = 0
    found: Iterator[Any] = sheet.iter_rows(max_row=extent.rows + 1, max_col=extent.columns)
    for row in found:
        cells = tuple(_of_cell(cell, extent) for cell in row)
        while cells and cells[-1] == "":
            cells = cells[:-1]
        if not cells:
            empty += 1
            continue
        rows += [()] * empty  # rows keep their numbers
        empty = 0
        rows.append(cells)
    return Table(str(sheet.title), tuple(rows[: extent.rows]), cut=len(rows) > extent.rows)


def _of_cell(cell: Any, extent: Extent) -> Cell:
    value = cell.value
    if getattr(cell, "data_type", "") == "f":
        return Formula(str(value)[:80])
    if value is None:
        return ""
    if isinstance(value, bool):
        return "x" if value else ""
    if isinstance(value, datetime.datetime):
        return value.date().isoformat()
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, (int, float)):
        return _typed(value)
    return _clean(str(value), extent)


def _typed(value: float) -> str:
    """A number as somebody would type it: without a thousands dot, with a decimal comma."""
    if value != value or abs(value) > 1e15:
        return str(value)
    if value == int(value):
        return str(int(value))
    text = format(Decimal(repr(value)).normalize(), "f").replace(".", ",")
    return text + "0" if len(text.rpartition(",")[2]) == 3 else text  # 1,125 would be two numbers


def _clean(text: str, extent: Extent) -> str:
    short = text[: LONGEST_CELL + 1]
    return short if extent.exact else unicodedata.normalize("NFC", short).strip()


def _csv(data: bytes, extent: Extent) -> Table:
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile("unknown") from error
    if "\0" in text:
        raise BadFile("unknown")
    head = text.split("\n", extent.rows)[: extent.rows if extent.exact else 1]  # words may precede
    sign = max(";", "\t", ",", key=lambda one: max(line.count(one) for line in head))
    rows: list[tuple[Cell, ...]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=sign, strict=True):
            if len(rows) > extent.rows:
                break
            cells = [_unquoted(_clean(cell, extent)) for cell in row[: extent.columns]]
            while cells and cells[-1] == "":
                cells.pop()
            rows.append(tuple(cells))
    except csv.Error as error:
        raise BadFile("damaged") from error
    while rows and not rows[-1]:
        rows.pop()
    return Table("", tuple(rows[: extent.rows]), len(rows) > extent.rows, sign)


def _unquoted(text: str) -> str:
    return text[1:] if text.startswith("'") and _is_dangerous(text) else text


def _is_dangerous(text: str) -> bool:
    return text.lstrip("' \u00a0").startswith(_DANGEROUS)


def to_xlsx(tables: Sequence[Table]) -> bytes:
    """Write tables as one workbook. Every cell is a text, so that nothing is calculated."""
    book = openpyxl.Workbook(write_only=True)
    for table in tables:
        sheet = book.create_sheet(table.name)
        sheet.freeze_panes = "A2"
        for column in range(1, len(table.rows[0]) + 1):
            sheet.column_dimensions[get_column_letter(column)].width = 20
        for number, row in enumerate(table.rows):
            cells = []
            for text in row:
                cell = WriteOnlyCell(sheet, value=_letters(text))
                cell.data_type = "s"
                cell.number_format = "@"
                if number == 0:
                    cell.font = Font(bold=True)
                cells.append(cell)
            sheet.append(cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def to_csv(table: Table) -> bytes:
    """Write one table as CSV: UTF-8 with its mark, so that Excel reads Vietnamese letters."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=table.sign)
    for row in table.rows:
        writer.writerow([_quoted(_letters(text)) for text in row])
    return ("\ufeff" + out.getvalue()).encode()


def _letters(cell: Cell) -> str:
    """A text without what XML cannot hold."""
    text = cell.text if isinstance(cell, Formula) else cell
    return "".join(
        sign for sign in text if (sign >= " " or sign in "\t\n\r") and sign not in "\ufffe\uffff"
    )


def _quoted(text: str) -> str:
    return "'" + text if _is_dangerous(text) else text
