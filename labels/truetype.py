"""TrueType files as labels need them: which picture a letter has, how wide it is, and a subset.

The subset keeps every glyph's number and empties the pictures that are not used, so that widths
and hinting programs stay as they are and nothing is renumbered. Only fonts with quadratic
outlines (``glyf``) and a Unicode table are read; kerning and ligatures are not applied, as
anywhere in this room. The tables are those of the OpenType specification, 1.9.
"""

import struct
from collections.abc import Iterable, Iterator
from functools import cached_property

# What a PDF reader needs of a font whose letters are named by glyph number (ISO 32000, 9.9).
_KEPT = (b"cvt ", b"fpgm", b"glyf", b"head", b"hhea", b"hmtx", b"loca", b"maxp", b"prep")

_MORE_COMPONENTS, _WORDS = 0x20, 0x01
_SCALES = ((0x08, 2), (0x40, 4), (0x80, 8))  # flag of a component, bytes of its scale


class Face:
    """One font file, read."""

    def __init__(self, file: bytes) -> None:
        self._file = file
        self._tables: dict[bytes, tuple[int, int]] = {}
        for number in range(struct.unpack_from(">H", file, 4)[0]):
            name, _, start, length = struct.unpack_from(">4sLLL", file, 12 + 16 * number)
            self._tables[name] = start, length
        if b"glyf" not in self._tables:
            raise ValueError("a font without glyf outlines")
        head, hhea = self._table(b"head"), self._table(b"hhea")
        self.per_em: int = struct.unpack_from(">H", head, 18)[0]
        self.box = [self._milli(edge) for edge in struct.unpack_from(">4h", head, 36)]
        self.ascent, self.descent = map(self._milli, struct.unpack_from(">hh", hhea, 4))
        self.x_height = self._milli(struct.unpack_from(">h", self._table(b"OS/2"), 86)[0])
        self.glyphs = self._glyphs()

    def _table(self, name: bytes) -> bytes:
        start, length = self._tables[name]
        return self._file[start : start + length]

    def _milli(self, units: int) -> float:
        return units * 1000 / self.per_em

    def _glyphs(self) -> dict[str, int]:
        """Glyph numbers by letter, from the table of the basic plane (format 4)."""
        table = self._table(b"cmap")
        for number in range(struct.unpack_from(">H", table, 2)[0]):
            platform, encoding, start = struct.unpack_from(">HHL", table, 4 + 8 * number)
            kind, _, _, double = struct.unpack_from(">HHHH", table, start)
            if (platform, encoding, kind) == (3, 1, 4):
                break
        else:
            raise ValueError("a font without a Unicode table of format 4")
        count = double // 2
        columns = [start + 14, start + 16 + double, start + 16 + 2 * double]
        ends, starts, deltas = (struct.unpack_from(f">{count}H", table, at) for at in columns)
        offsets_at = start + 16 + 3 * double
        found: dict[str, int] = {}
        for segment, (first, last, delta) in enumerate(zip(starts, ends, deltas, strict=True)):
            here = offsets_at + 2 * segment
            (offset,) = struct.unpack_from(">H", table, here)
            for code in range(first, min(last, 0xFFFE) + 1):
                glyph = code
                if offset:
                    (glyph,) = struct.unpack_from(">H", table, here + offset + 2 * (code - first))
                if glyph or not offset:
                    glyph = (glyph + delta) & 0xFFFF
                if glyph:
                    found[chr(code)] = glyph
        return found

    @cached_property
    def widths(self) -> dict[str, float]:
        """Widths of the letters in thousandths of the letter size."""
        (full,) = struct.unpack_from(">H", self._table(b"hhea"), 34)
        metrics = struct.unpack_from(f">{2 * full}H", self._table(b"hmtx"))[::2]
        return {
            letter: self._milli(metrics[min(glyph, full - 1)])
            for letter, glyph in self.glyphs.items()
        }

    def outline(self, glyph: int) -> bytes:
        """The picture of a glyph as it stands in the file; empty for a space."""
        start, _ = self._tables[b"glyf"]
        return self._file[start + self._places[glyph] : start + self._places[glyph + 1]]

    @cached_property
    def _places(self) -> list[int]:
        loca = self._table(b"loca")
        if struct.unpack_from(">h", self._table(b"head"), 50)[0]:
            return list(struct.unpack(f">{len(loca) // 4}L", loca))
        return [2 * half for half in struct.unpack(f">{len(loca) // 2}H", loca)]

    def subset(self, glyphs: Iterable[int]) -> bytes:
        """A font file with the pictures of these glyphs only, and of what they are made of."""
        outlines, places = self._table(b"glyf"), self._places
        used, left = {0}, [0, *glyphs]
        while left:
            glyph = left.pop()
            used.add(glyph)
            parts = _components(outlines[places[glyph] : places[glyph + 1]])
            left += [part for part in parts if part not in used]
        kept, starts = bytearray(), []
        for glyph in range(len(places) - 1):
            starts.append(len(kept))
            if glyph in used:
                kept += outlines[places[glyph] : places[glyph + 1]]
                kept += bytes(-len(kept) % 4)
        starts.append(len(kept))
        head = bytearray(self._table(b"head"))
        struct.pack_into(">h", head, 50, 1)  # long offsets
        struct.pack_into(">L", head, 8, 0)
        made = {name: self._table(name) for name in _KEPT if name in self._tables}
        made |= {b"glyf": bytes(kept), b"loca": struct.pack(f">{len(starts)}L", *starts)}
        made[b"head"] = bytes(head)
        return _file(made)


def _components(outline: bytes) -> Iterator[int]:
    """The glyphs that a composite glyph is put together from."""
    if not outline or struct.unpack_from(">h", outline)[0] >= 0:
        return
    at, flags = 10, _MORE_COMPONENTS
    while flags & _MORE_COMPONENTS:
        flags, glyph = struct.unpack_from(">HH", outline, at)
        yield glyph
        at += 8 if flags & _WORDS else 6
        at += next((size for flag, size in _SCALES if flags & flag), 0)


def _file(tables: dict[bytes, bytes]) -> bytes:
    count = len(tables)
    power = count.bit_length() - 1
    out = struct.pack(">LHHHH", 0x10000, count, 16 << power, power, 16 * count - (16 << power))
    at, body = 12 + 16 * count, b""
    for name in sorted(tables):
        padded = tables[name] + bytes(-len(tables[name]) % 4)
        total = sum(struct.unpack(f">{len(padded) // 4}L", padded)) & 0xFFFFFFFF
        out += struct.pack(">4sLLL", name, total, at, len(tables[name]))
        at += len(padded)
        body += padded
    return out + body
