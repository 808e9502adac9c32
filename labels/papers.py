"""Papers of some pages as PDF: headings, lines, a code and tables, with a place for signatures.

Text in, bytes out; knows no farm. Letters are embedded, the language is named, the same paper is
the same bytes. A signature field is left empty: whoever holds a certificate signs it with a
program of their own, on paper one signs on the line.

Not covered: signing itself, a time stamp, and the full letter of PDF/A (no colour profile and no
XMP packet are embedded).

The only door to reportlab.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.colors import Color, black  # type: ignore[import-untyped]
from reportlab.lib.pagesizes import A4, landscape  # type: ignore[import-untyped]
from reportlab.lib.styles import ParagraphStyle  # type: ignore[import-untyped]
from reportlab.pdfbase import pdfmetrics  # type: ignore[import-untyped]
from reportlab.pdfbase.pdfdoc import (  # type: ignore[import-untyped]
    PDFArray,
    PDFDictionary,
    PDFName,
    PDFString,
)
from reportlab.pdfbase.ttfonts import TTFont  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]
from reportlab.platypus import (  # type: ignore[import-untyped]
    Flowable,
    LongTable,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    TableStyle,
)

from nongso.labels import font
from nongso.labels.errors import LetterMissing
from nongso.labels.symbol import Symbol, symbol

MARGIN_PT = 40.0
CODE_PT = 200.0  # side of a code with its quiet zone: read from an arm's length off a wall
_LINE = Color(0.6, 0.6, 0.6)
_HEAD = Color(0.92, 0.95, 0.91)


@dataclass(frozen=True)
class Section:
    """A heading, sentences under it, and a table; any of them may be empty.

    ``widths`` are shares of the page's width, one a column; all alike where it is empty.
    """

    title: str
    lines: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    widths: tuple[float, ...] = ()


@dataclass(frozen=True)
class Signature:
    """A place to sign: its name inside the file, and who signs there."""

    name: str
    label: str


@dataclass(frozen=True)
class Paper:
    """What stands on a paper. ``foot`` is repeated on each page before the page number.

    ``code`` is the text of a QR code under the lines. A ``notice`` hangs on a wall: upright, in
    larger letters. Raises ``nongso.labels.errors.LabelError`` for a text no code can hold.
    """

    title: str
    author: str
    language: str
    lines: tuple[str, ...] = ()
    code: str = ""
    notice: bool = False
    sections: tuple[Section, ...] = ()
    signatures: tuple[Signature, ...] = ()
    foot: str = ""


@dataclass(frozen=True)
class _Look:
    """How large the sheet and its letters are, in points."""

    page: tuple[float, float]
    title: float
    heading: float
    line: float
    cell: float


_BOOK = _Look(landscape(A4), 15, 11, 9.5, 8.5)
_WALL = _Look(A4, 22, 15, 12.5, 11.5)


@dataclass
class _Text:
    """Text that can be printed; what has no letter in the font is replaced and counted."""

    lost: int = 0

    def clean(self, text: str, face: str = font.REGULAR) -> str:
        text = unicodedata.normalize("NFC", text)
        try:
            return font.normal(text, face)
        except LetterMissing:
            return "".join(self._letter(letter, face) for letter in text)

    def _letter(self, letter: str, face: str) -> str:
        try:
            return font.normal(letter, face)
        except LetterMissing:
            self.lost += 1
            return "?"


def pdf(paper: Paper) -> bytes:
    """Make the file."""
    text, look = _Text(), _WALL if paper.notice else _BOOK
    width = look.page[0] - 2 * MARGIN_PT
    story: list[Any] = [
        Paragraph(escape(text.clean(paper.title, font.BOLD)), _style(look.title, font.BOLD))
    ]
    story += [_line(text, line, look) for line in paper.lines]
    if paper.code:
        story.append(_Code(symbol(paper.code), width))
    for section in paper.sections:
        story += _section(text, section, width, look)
    if paper.signatures:
        story += [Spacer(1, 14), _Signatures(paper.signatures, text, width, look.cell)]
    if text.lost:
        story.append(_line(text, f"? × {text.lost}", look))
    out = BytesIO()
    document = SimpleDocTemplate(
        out,
        pagesize=look.page,
        leftMargin=MARGIN_PT,
        rightMargin=MARGIN_PT,
        topMargin=MARGIN_PT,
        bottomMargin=MARGIN_PT,
        title=text.clean(paper.title),
        author=text.clean(paper.author),
        lang=paper.language,
        invariant=1,
    )
    foot = partial(_foot, text.clean(paper.foot))
    document.build(story, onFirstPage=foot, onLaterPages=foot)
    return out.getvalue()


def _style(size: float, face: str = font.REGULAR, before: float = 0) -> ParagraphStyle:
    if face not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(TTFont(face, str(font.file(face))))
    return ParagraphStyle(
        f"{face}-{size}", fontName=face, fontSize=size, leading=size * 1.35, spaceBefore=before
    )


def _line(text: _Text, line: str, look: _Look) -> Paragraph:
    return Paragraph(escape(text.clean(line)), _style(look.line))


def _section(text: _Text, section: Section, width: float, look: _Look) -> list[Any]:
    heading = _style(look.heading, font.BOLD, before=10)
    found: list[Any] = (
        [Paragraph(escape(text.clean(section.title, font.BOLD)), heading)] if section.title else []
    )
    found += [_line(text, line, look) for line in section.lines]
    if not section.rows:
        return found
    shares = section.widths or (1.0,) * len(section.rows[0])
    total = sum(shares)
    cell, bold = _style(look.cell), _style(look.cell, font.BOLD)
    heads = [section.head] if section.head else []
    table = [[Paragraph(escape(text.clean(one, font.BOLD)), bold) for one in row] for row in heads]
    table += [[Paragraph(escape(text.clean(one)), cell) for one in row] for row in section.rows]
    made = LongTable(table, colWidths=[width * s / total for s in shares], repeatRows=len(heads))
    made.setStyle(
        TableStyle(
            [
                ("GRID", (0, 0), (-1, -1), 0.4, _LINE),
                *([("BACKGROUND", (0, 0), (-1, 0), _HEAD)] if heads else []),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 3),
                ("RIGHTPADDING", (0, 0), (-1, -1), 3),
                ("TOPPADDING", (0, 0), (-1, -1), 2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
            ]
        )
    )
    return [*found, Spacer(1, 3), made]


def _foot(said: str, canvas: Canvas, document: Any) -> None:
    canvas.saveState()
    _style(7.5)
    canvas.setFont(font.REGULAR, 7.5)
    canvas.drawString(MARGIN_PT, MARGIN_PT / 2, said)
    canvas.drawRightString(document.pagesize[0] - MARGIN_PT, MARGIN_PT / 2, str(document.page))
    canvas.restoreState()


class _Code(Flowable):  # type: ignore[misc]
    """A QR code in the middle of the sheet, its dark modules as one path."""

    def __init__(self, made: Symbol, width: float) -> None:
        super().__init__()
        self.made, self.width, self.height = made, width, CODE_PT

    def draw(self) -> None:
        """Fill the dark modules; one path, so that no viewer shows seams between them."""
        module, left = CODE_PT / self.made.side, (self.width - CODE_PT) / 2
        self.canv.setFillColor(black)
        path = self.canv.beginPath()
        for y, row in enumerate(self.made.rows()):
            for x, dark in enumerate(row):
                if dark:
                    path.rect(left + x * module, CODE_PT - (y + 1) * module, module, module)
        self.canv.drawPath(path, stroke=0, fill=1)


class _Signatures(Flowable):  # type: ignore[misc]
    """Places to sign beside each other, each an empty signature field of the form."""

    HEIGHT = 84.0

    def __init__(
        self, places: Sequence[Signature], text: _Text, width: float, size: float
    ) -> None:
        super().__init__()
        self.places, self.width, self.height, self.size = places, width, self.HEIGHT, size
        self.said = [text.clean(place.label) for place in places]

    def draw(self) -> None:
        """Draw the frames and put the fields into the form of the document."""
        each = self.width / len(self.places)
        for at, (place, said) in enumerate(zip(self.places, self.said, strict=True)):
            left = at * each
            self.canv.setFont(font.REGULAR, self.size)
            self.canv.drawString(left, self.HEIGHT - 10, said)
            self.canv.setStrokeColor(_LINE)
            self.canv.rect(left, 0, each - 12, self.HEIGHT - 18)
            x, y = self.canv.absolutePosition(left, 0)
            self._field(place, (x, y, x + each - 12, y + self.HEIGHT - 18))

    def _field(self, place: Signature, box: tuple[float, float, float, float]) -> None:
        form = self.canv.acroForm
        widget = PDFDictionary(
            {
                "Type": PDFName("Annot"),
                "Subtype": PDFName("Widget"),
                "FT": PDFName("Sig"),
                "T": PDFString(place.name),
                "TU": PDFString(place.label),
                "Rect": PDFArray(box),
                "F": 4,  # is printed
            }
        )
        self.canv._addAnnotation(widget)
        form.fields.append(self.canv._doc.Reference(widget))
        form.sigFlags = 1  # there is a signature field; none is signed yet
