"""What the print shop does: make a sheet, read it back, and only then hand it out."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nongso.labels import check, sheet
from nongso.labels.layout import Layout
from nongso.labels.sheet import Label


@dataclass(frozen=True)
class Sheet:
    """A checked file. ``next_cell`` is where the next print may begin on the last page."""

    pdf: bytes
    labels: int
    pages: int
    next_cell: int


def print_sheet(
    labels: Sequence[Label], layout: Layout, start_cell: int = 1, title: str = "nongso labels"
) -> Sheet:
    """Make a sheet of labels as PDF, checked by decoding every page.

    Raises a ``LabelError``; then nothing was made that could be printed by mistake.
    """
    layout.places(len(labels), start_cell)
    pdf = sheet.pdf(sheet.make(labels, layout), layout, start_cell, title)
    pages = check.check(pdf, [label.codes for label in labels], layout, start_cell)
    next_cell = (start_cell - 1 + len(labels)) % layout.cells + 1
    return Sheet(pdf, len(labels), pages, next_cell)


def write_sheet(
    out: Path,
    labels: Callable[[], Iterable[Label]],
    layout: Layout,
    start_cell: int = 1,
    title: str = "nongso labels",
) -> int:
    """Write a batch too large for memory into ``out``, check it there, and return its labels.

    ``labels`` is called twice and gives the same labels each time: for the making and for the
    reading back. Raises a ``LabelError``; then ``out`` is not there.
    """
    try:
        with out.open("wb") as file:
            count = sheet.write(file, sheet.stream(labels(), layout), layout, start_cell, title)
        check.check(out, (label.codes for label in labels()), layout, start_cell)
    except BaseException:
        out.unlink(missing_ok=True)
        raise
    return count
