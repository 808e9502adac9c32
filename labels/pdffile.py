"""PDF files of many pages, written as they come: what is drawn is not kept in memory.

Only what sheets of labels need of ISO 32000-1: content streams with text in embedded TrueType
subsets and 1-bit image masks in place. Fonts are written last, when the letters that were used
are known. The file names no date, so the same pages are the same bytes.

A general library keeps every page until the end and parses and escapes what is drawn again:
it made the same 1,000 labels in four times the time.
"""

import zlib
from typing import BinaryIO

from nongso.labels import font

_CATALOG, _PAGES, _RESOURCES, _INFO, _FIRST_FREE = 1, 2, 3, 4, 5
_MAP = """/CIDInit /ProcSet findresource begin 12 dict begin begincmap
/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
/CMapName /Adobe-Identity-UCS def /CMapType 2 def
1 begincodespacerange <0000> <FFFF> endcodespacerange
{}endcmap CMapName currentdict /CMap defineresource pop end end"""


def _utf16(text: str) -> str:
    return (b"\xfe\xff" + text.encode("utf-16-be")).hex()


class PdfFile:
    """A PDF on its way into ``out``; ``close`` finishes it."""

    def __init__(self, out: BinaryIO, width_pt: float, height_pt: float, title: str) -> None:
        self._out = out
        self._size = f"[0 0 {width_pt:.4f} {height_pt:.4f}]"
        self._title = title
        self._at = 0
        self._starts: dict[int, int] = {}
        self._free = _FIRST_FREE
        self._pages: list[int] = []
        self._images: dict[tuple[float, float, bytes], int] = {}
        self._hex: dict[str, dict[str, str]] = {}  # font -> letter -> its glyph as text shows it
        self._write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")

    def _write(self, part: bytes) -> None:
        self._out.write(part)
        self._at += len(part)

    def _number(self) -> int:
        self._free += 1
        return self._free - 1

    def _object(self, body: str, stream: bytes | None = None, number: int | None = None) -> int:
        number = self._number() if number is None else number
        self._starts[number] = self._at
        if stream is None:
            self._write(f"{number} 0 obj\n{body}\nendobj\n".encode("ascii"))
        else:
            packed = zlib.compress(stream)
            entries = f"<< {body} /Filter /FlateDecode /Length {len(packed)} >>"
            self._write(f"{number} 0 obj\n{entries}\nstream\n".encode("ascii"))
            self._write(packed)
            self._write(b"\nendstream\nendobj\n")
        return number

    def font(self, name: str) -> str:
        """The name that a page calls a font by."""
        if name not in self._hex:
            self._hex[name] = {}
        return f"/F{list(self._hex).index(name)}"

    def shown(self, text: str, name: str) -> str:
        """The operator that shows a text in a font, which ``font`` named before."""
        known = self._hex[name]
        try:
            return f"<{''.join([known[letter] for letter in text])}> Tj"
        except KeyError:
            glyphs = font.face(name).glyphs
            known.update({letter: f"{glyphs[letter]:04x}" for letter in text})
            return self.shown(text, name)

    def image(self, width: int, height: int, dots: bytes) -> str:
        """The name that a page calls a picture by; only its set bits are painted."""
        return self._picture(
            (width, height, dots),
            f"/Subtype /Image /Width {width} /Height {height}"
            " /ImageMask true /BitsPerComponent 1 /Decode [1 0] /Interpolate false",
        )

    def form(self, width: float, height: float, content: bytes) -> str:
        """The name that a page calls a drawing by; nothing is painted outside of its size."""
        return self._picture(
            (width, height, content),
            f"/Subtype /Form /BBox [0 0 {width:.4f} {height:.4f}] /Resources << >>",
        )

    def _picture(self, picture: tuple[float, float, bytes], entries: str) -> str:
        if picture not in self._images:
            self._images[picture] = self._object(f"/Type /XObject {entries}", picture[2])
        return f"/P{list(self._images).index(picture)}"

    def page(self, content: bytes) -> None:
        """Write a page."""
        stream = self._object("", content)
        self._pages.append(
            self._object(
                f"<< /Type /Page /Parent {_PAGES} 0 R /MediaBox {self._size}"
                f" /Resources {_RESOURCES} 0 R /Contents {stream} 0 R >>"
            )
        )

    def _font_object(self, name: str) -> int:
        face = font.face(name)
        letters = {int(shown, 16): letter for letter, shown in sorted(self._hex[name].items())}
        body = face.subset(letters)
        file = self._object(f"/Length1 {len(body)}", body)
        tag = f"NONGSO+{name}"
        descriptor = self._object(
            f"<< /Type /FontDescriptor /FontName /{tag} /Flags 4 /ItalicAngle 0 /StemV 80"
            f" /FontBBox [{' '.join(f'{edge:g}' for edge in face.box)}] /Ascent {face.ascent:g}"
            f" /Descent {face.descent:g} /CapHeight {face.ascent:g} /FontFile2 {file} 0 R >>"
        )
        numbers = sorted(letters)
        widths = " ".join(f"{glyph} [{face.widths[letters[glyph]]:g}]" for glyph in numbers)
        descendant = self._object(
            f"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /{tag} /DW 1000 /W [{widths}]"
            " /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >>"
            f" /CIDToGIDMap /Identity /FontDescriptor {descriptor} 0 R >>"
        )
        lines = ""
        for at in range(0, len(numbers), 100):  # a list holds at most a hundred
            some = numbers[at : at + 100]
            pairs = "".join(f"<{g:04x}> <{letters[g].encode('utf-16-be').hex()}>\n" for g in some)
            lines += f"{len(some)} beginbfchar\n{pairs}endbfchar\n"
        unicode = self._object("", _MAP.format(lines).encode("ascii"))
        return self._object(
            f"<< /Type /Font /Subtype /Type0 /BaseFont /{tag} /Encoding /Identity-H"
            f" /DescendantFonts [{descendant} 0 R] /ToUnicode {unicode} 0 R >>"
        )

    def close(self) -> None:
        """Write fonts, page tree and the table of objects. ``out`` stays open."""
        numbers = [self._font_object(name) for name in self._hex]
        fonts = " ".join(f"/F{at} {number} 0 R" for at, number in enumerate(numbers))
        images = " ".join(f"/P{at} {one} 0 R" for at, one in enumerate(self._images.values()))
        pictures = f" /XObject << {images} >>" if images else ""
        self._object(f"<< /Font << {fonts} >>{pictures} >>", number=_RESOURCES)
        kids = " ".join(f"{number} 0 R" for number in self._pages)
        self._object(f"<< /Type /Pages /Count {len(self._pages)} /Kids [{kids}] >>", number=_PAGES)
        # Print dialogs then offer 100 % first: scaled to fit, sheets drift off their labels.
        self._object(
            f"<< /Type /Catalog /Pages {_PAGES} 0 R /Lang (vi)"
            " /ViewerPreferences << /PrintScaling /None >> >>",
            number=_CATALOG,
        )
        self._object(
            f"<< /Title <{_utf16(self._title)}> /Creator (nongso) >>",
            number=_INFO,
        )
        table_at = self._at
        starts = [self._starts[number] for number in range(1, self._free)]
        rows = "".join([f"{start:010d} 00000 n \n" for start in starts])
        self._write(f"xref\n0 {self._free}\n0000000000 65535 f \n{rows}".encode("ascii"))
        self._write(
            f"trailer\n<< /Size {self._free} /Root {_CATALOG} 0 R /Info {_INFO} 0 R >>\n"
            f"startxref\n{table_at}\n%%EOF\n".encode("ascii")
        )
