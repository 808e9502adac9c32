"""Tables for a spreadsheet, in which no cell is ever taken for a formula.

UTF-8 with a byte order mark, so that Excel reads Vietnamese letters; RFC 4180 lines. A text that
a spreadsheet would calculate (=, +, -, @, tab, carriage return first) gets an apostrophe before
it (OWASP, CSV Injection); numbers stay numbers.
"""

import csv
import io
from collections.abc import Iterable, Sequence

from flask import Response

Cell = str | int | float | None

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_answer(name: str, head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Response:
    """Return a table as a file to keep."""
    answer = Response(csv_text(head, rows), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def csv_text(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a table as text, with its byte order mark."""
    out = io.StringIO(newline="")
    table = csv.writer(out)
    for row in (head, *rows):
        table.writerow([harmless(cell) for cell in row])
    return "\ufeff" + out.getvalue()


def harmless(cell: Cell) -> Cell:
    """Return a cell that no spreadsheet takes for a formula."""
    if isinstance(cell, str) and cell.lstrip(" \u00a0").startswith(_DANGEROUS):
        return "'" + cell
    return cell
