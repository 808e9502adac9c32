"""Symbols of many texts that differ in a few places, such as serials.

How this works. With version, mask and segments fixed, a symbol is an affine function of its
data bits over GF(2): error correction, placement and mask are XORs. So for texts cut alike,
``symbol = base ^ delta[place][bit] ^ …`` for the bits that are set in the places that differ.
Every delta is the XOR of two symbols that the ``qrcode`` package drew, and only places that
change are drawn: for serials of nine letters about fifty symbols, however many labels follow.
A test holds the result bit-equal to the package's own symbols.

Texts cut alike get codes of one size with one mask, the best one of the first text. On others
another mask may score better, which measured readability does not show (of 120 distorted
pictures the best mask was read 35 times, the eight fixed ones 27 to 40 times).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nongso.labels.errors import LabelError
from nongso.labels.symbol import (
    ALPHANUMERIC,
    BYTES,
    LETTERS,
    NUMERIC,
    TAKES,
    Segments,
    Symbol,
    best_mask,
    draw,
    fit,
    symbol,
)

WORTH_IT = 60  # texts cut alike below which the tables cost more than they save

_VALUES = {letter: value for value, letter in enumerate(LETTERS)}
_CHUNK = {NUMERIC: 3, ALPHANUMERIC: 2, BYTES: 1}  # letters that a mode writes as one number
_BITS = {NUMERIC: (0, 4, 7, 10), ALPHANUMERIC: (0, 6, 11), BYTES: (0, 8)}  # by letters


@dataclass(frozen=True)
class _Cut:
    """Where texts are cut: a version, and mode and length of each segment."""

    version: int
    segments: tuple[tuple[int, int], ...]

    def takes(self, text: str) -> bool:
        """Say whether a text can be cut here."""
        at = 0
        for mode, length in self.segments:
            if not TAKES[mode].issuperset(text[at : at + length]):
                return False
            at += length
        return at == len(text)

    def places(self) -> Iterator[tuple[int, int, int]]:
        """Mode, start and end of each run of letters that is written as one number."""
        at = 0
        for mode, length in self.segments:
            for start in range(0, length, _CHUNK[mode]):
                yield mode, at + start, at + min(start + _CHUNK[mode], length)
            at += length


def _number(mode: int, letters: str) -> int:
    if mode == NUMERIC:
        return int(letters)
    if mode == BYTES:
        return ord(letters)
    number = 0
    for letter in letters:
        number = number * 45 + _VALUES[letter]
    return number


def _letters(mode: int, number: int, length: int) -> str:
    if mode == NUMERIC:
        return f"{number:0{length}d}"
    if mode == BYTES:
        return chr(number)
    return LETTERS[number] if length == 1 else LETTERS[number // 45] + LETTERS[number % 45]


class _Tables:
    """A base symbol, and for each place that changes the XOR that each of its bits makes."""

    def __init__(self, cut: _Cut, texts: Sequence[str], level: str) -> None:
        mask = best_mask(_segments(cut, texts[0]), cut.version, level)
        changing = [
            (mode, start, end)
            for mode, start, end in cut.places()
            if len({text[start:end] for text in texts}) > 1
        ]
        zeros = texts[0]
        for mode, start, end in changing:
            zeros = zeros[:start] + _letters(mode, 0, end - start) + zeros[end:]
        self.base = draw(_segments(cut, zeros), cut.version, level, mask)
        self.deltas: list[tuple[int, int, int, list[int]]] = []
        for mode, start, end in changing:
            flipped = []
            for bit in range(_BITS[mode][end - start]):
                one = zeros[:start] + _letters(mode, 1 << bit, end - start) + zeros[end:]
                drawn = draw(_segments(cut, one), cut.version, level, mask)
                flipped.append(drawn.bits ^ self.base.bits)
            self.deltas.append((mode, start, end, flipped))

    def symbol(self, text: str) -> Symbol:
        """The symbol of a text."""
        bits = self.base.bits
        for mode, start, end, flipped in self.deltas:
            number = _number(mode, text[start:end])
            for delta in flipped:
                if number & 1:
                    bits ^= delta
                number >>= 1
        return Symbol(self.base.version, self.base.side, bits)


def _segments(cut: _Cut, text: str) -> Segments:
    out, at = [], 0
    for mode, length in cut.segments:
        out.append((mode, text[at : at + length]))
        at += length
    return tuple(out)


def _cuts(texts: Sequence[str], level: str) -> list[_Cut | LabelError]:
    """The cut of each text: one found already where it can be used, else its own best."""
    known: dict[int, list[_Cut]] = {}
    found: list[_Cut | LabelError] = []
    for text in texts:
        alike = known.setdefault(len(text), [])
        cut = next((cut for cut in alike if cut.takes(text)), None)
        if cut is None:
            try:
                version, segments = fit(text, level)
            except LabelError as e:
                found.append(e)
                continue
            cut = _Cut(version, tuple((mode, len(part)) for mode, part in segments))
            alike.append(cut)
        found.append(cut)
    return found


def symbols(texts: Sequence[str], level: str = "M") -> Iterator[Symbol]:
    """Make the symbol of each text, in order. Raises at the text that cannot be encoded."""
    cuts = _cuts(texts, level)
    many = Counter(cut for cut in cuts if isinstance(cut, _Cut))
    tables: dict[_Cut, _Tables] = {}
    for text, cut in zip(texts, cuts, strict=True):
        if isinstance(cut, LabelError):
            raise cut
        if many[cut] < WORTH_IT:
            yield symbol(text, level)
            continue
        if cut not in tables:
            alike = [t for t, c in zip(texts, cuts, strict=True) if c is cut or c == cut]
            tables[cut] = _Tables(cut, alike, level)
        yield tables[cut].symbol(text)
