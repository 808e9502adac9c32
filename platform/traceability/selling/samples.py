"""Reading a market's sample: which sheet, which line names the columns; and filling it.

Only the first lines of a sample are read. The line that names the columns is the one with the
most titles that are understood; of equals the one with more titles, then the upper one. What a
market writes below it (explanations, an example) is not known: goods begin at the next line
unless a person says otherwise.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nongso.platform.traceability.selling.meanings import propose
from nongso.platform.traceability.selling.records import CSV, XLSX, MarketSample
from nongso.platform.traceability.spreadsheets import tables as spreadsheets
from nongso.platform.traceability.spreadsheets.tables import Cell, Extent, Formula, Table

MOST_LINES = 20  # of a sample's head that are kept
MOST_COLUMNS = 200
LONGEST_CELL = 2_000
MOST_LETTERS = 60_000  # in all lines that are kept
FEWEST_TITLES = 2
_EXTENT = Extent(MOST_LINES, MOST_COLUMNS + 1, exact=True)
_NOT_IN_NAMES = re.compile(r"[\\*?:/\[\]\x00-\x1f\x7f]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


class BadSample(Exception):
    """A sample that cannot be used. ``code`` is no_header, columns, titles or letters."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Sample:
    """The head of a market's table. ``header`` is a line, from 1 on."""

    sort: str
    sheet: str
    sign: str
    rows: list[list[str]]
    header: int


def read(data: bytes) -> Sample:
    """Read a sample. Raises ``spreadsheets_guard.BadFile`` and ``BadSample``."""
    found = [(table, _rows(table)) for table in spreadsheets.read(data, _EXTENT)]
    lines = [
        (*_weight(row), -number, -at)
        for at, (_table, rows) in enumerate(found)
        for number, row in enumerate(rows, 1)
        if _is_header(row)
    ]
    if not lines:
        raise BadSample("no_header")
    _known, _titles, header, at = max(lines)
    table, rows = found[-at]
    _check(rows)
    name = _NOT_IN_NAMES.sub(" ", table.name).strip("' ")[:31] or "Sheet1"
    sort = XLSX if spreadsheets.is_xlsx(data) else CSV
    return Sample(sort, name, table.sign, rows, -header)


def _rows(table: Table) -> list[list[str]]:
    return [[_text(cell) for cell in row] for row in table.rows]


def _text(cell: Cell) -> str:
    return _CONTROL.sub("", cell.text if isinstance(cell, Formula) else cell)


def _is_header(row: Sequence[str]) -> bool:
    return sum(1 for title in row if title.strip()) >= FEWEST_TITLES


def headers(rows: Sequence[Sequence[str]]) -> list[int]:
    """The lines that could name the columns, from 1 on."""
    return [number for number, row in enumerate(rows, 1) if _is_header(row)]


def _weight(row: Sequence[str]) -> tuple[int, int]:
    """How many titles of a line are understood, and how many there are; long texts are none."""
    short = [title if len(title) <= 80 else "" for title in row]
    return sum(1 for one in propose(short) if one), sum(1 for title in short if title.strip())


def _check(rows: Sequence[Sequence[str]]) -> None:
    if max(map(len, rows)) > MOST_COLUMNS:
        raise BadSample("columns")
    if max(len(cell) for row in rows for cell in row) > LONGEST_CELL:
        raise BadSample("titles")
    if sum(len(cell) for row in rows for cell in row) > MOST_LETTERS:
        raise BadSample("letters")


def fill(sample: MarketSample, lines: Sequence[Mapping[str, str]]) -> bytes:
    """The market's table with goods in it: its own order of columns, its own titles."""
    kept = [tuple(row) for row in sample.rows[: sample.first - 1]]
    kept += [()] * (sample.first - 1 - len(kept))
    goods = [
        tuple(line[meaning] if meaning else "" for meaning in sample.columns) for line in lines
    ]
    table = Table(sample.sheet, (*kept, *goods), sign=sample.sign)
    if sample.sort == XLSX:
        return spreadsheets.to_xlsx([table])
    return spreadsheets.to_csv(dataclasses.replace(table, name=""))
