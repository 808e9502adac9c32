"""The formats in which finished pages leave the print shop.

A PDF holds all pages, PNG and SVG are one file a page, and the languages of label printers are
one stream of pages. All are made from labels that have been read back before.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nongso.labels import escpos, raster, svg, tspl, zpl
from nongso.labels.errors import WrongFormat
from nongso.labels.layout import SHEET, Layout
from nongso.labels.operations import Sheet
from nongso.labels.paper import Paper
from nongso.labels.raster import Picture
from nongso.labels.sheet import Label

PDF, PNG, SVG = "pdf", "png", "svg"


@dataclass(frozen=True)
class Language:
    """A language of label printers: what comes before, for each page, and behind."""

    page: Callable[[Picture, Paper], bytes]
    most_darkness: int
    start: Callable[[], bytes] = bytes
    end: Callable[[Paper], bytes] = lambda _: b""


LANGUAGES = {
    "zpl": Language(zpl.page, most_darkness=30),
    "tspl": Language(tspl.page, most_darkness=15),
    "escpos": Language(escpos.page, most_darkness=0, start=escpos.start, end=escpos.end),
}
FORMATS = (PDF, PNG, SVG, *LANGUAGES)
SENT = (PDF, *LANGUAGES)  # what a printer understands; some office printers take PDF


def format_of(file: Path) -> str:
    """The format that a file's name asks for; PDF without an ending. Raises ``WrongFormat``."""
    found = file.suffix.lower().removeprefix(".") or PDF
    if found not in FORMATS:
        raise WrongFormat(
            f"{file} does not say what it should be: end its name with one of"
            f" {', '.join('.' + one for one in FORMATS)}, or name the format"
        )
    return found


def check_format(wanted: str, layout: Layout) -> None:
    """Say early that a layout has no such format. Raises ``WrongFormat``."""
    if wanted in LANGUAGES and layout.kind == SHEET:
        raise WrongFormat(
            f"{layout.name} is a sheet, and {wanted} printers take rolls: take a layout of a"
            " roll, or PDF for an office printer"
        )


def stream(sheet: Sheet, wanted: str, paper: Paper) -> Iterator[bytes]:
    """The pages in a printer's language, a piece for each page; a PDF is one piece.

    The first and last page carry what begins and ends the whole, so a piece is never half a page.
    """
    if wanted == PDF:
        yield sheet.pdf
        return
    language = LANGUAGES[wanted]
    for number, picture in enumerate(raster.pictures(sheet.pdf, paper.dpi), 1):
        piece = language.page(picture, paper)
        if number == 1:
            piece = language.start() + piece
        if number == sheet.pages:
            piece += language.end(paper)
        yield piece


def contents(
    sheet: Sheet,
    labels: Sequence[Label],
    layout: Layout,
    start_cell: int,
    wanted: str,
    paper: Paper,
) -> Iterator[bytes]:
    """The contents of the files that a format takes: one, or one a page for pictures."""
    if wanted == PNG:
        for picture in raster.pictures(sheet.pdf, layout.dpi):
            yield raster.png(picture, layout.dpi)
    elif wanted == SVG:
        yield from svg.pages(labels, layout, start_cell)
    else:
        yield b"".join(stream(sheet, wanted, paper))


def file_count(sheet: Sheet, wanted: str) -> int:
    """How many files a format takes."""
    return sheet.pages if wanted in (PNG, SVG) else 1
