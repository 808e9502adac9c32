"""Symbols of many texts that differ in a few places, such as serials.

How this works. With version, mask and segments fixed, a symbol is an affine function of its
data bits over GF(2): error correction, placement and mask are XORs. So for texts cut alike,
``symbol = first ^ change[place][letters] ^ …``, over the places that differ from the first
text. A change is the XOR of what each flipped data bit does to the picture, and that is had
once for each version and level from the ``qrcode`` package: its error correction of that bit
alone, laid out by its own placement. Nothing is reckoned before a text needs it, so a batch
may be of any length and its memory stays flat. A test holds every symbol bit-equal to the
package's own.

Texts cut alike get codes of one size with one mask, the best one of the first text. On others
another mask may score better, which measured readability does not show (of 120 distorted
pictures the best mask was read 35 times, the eight fixed ones 27 to 40 times).
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache

from nongso.labels.symbol import (
    ALPHANUMERIC,
    BYTES,
    LETTERS,
    NUMERIC,
    TAKES,
    Segments,
    Symbol,
    corrected,
    draw,
    fit,
    header_bits,
    placement,
)

MOST_CUTS = 8  # kept for texts of one length; in a batch of serials there is one

_VALUES = {letter: value for value, letter in enumerate(LETTERS)}
_CHUNK = {NUMERIC: 3, ALPHANUMERIC: 2, BYTES: 1}  # letters that a mode writes as one number
_BITS = {NUMERIC: (0, 4, 7, 10), ALPHANUMERIC: (0, 6, 11), BYTES: (0, 8)}  # by letters


def _number(mode: int, letters: str) -> int:
    if mode == NUMERIC:
        return int(letters)
    if mode == BYTES:
        return ord(letters)
    number = 0
    for letter in letters:
        number = number * 45 + _VALUES[letter]
    return number


@lru_cache(maxsize=4096)
def _flipped(version: int, level: str, bit: int) -> int:
    """What flipping one data bit does to the picture."""
    pixels = placement(version)
    picture = 0
    for at, word in corrected(version, level, bit).items():
        for shift in range(8):
            if word >> (7 - shift) & 1:
                picture ^= pixels[8 * at + shift]
    return picture


class _Place:
    """A run of letters that is written as one number, and what each of its values changes."""

    def __init__(self, mode: int, start: int, letters: str, bit: int) -> None:
        self.mode, self.start, self.end = mode, start, start + len(letters)
        self.number = _number(mode, letters)
        self.last_bit = bit + _BITS[mode][len(letters)] - 1
        self.known = {letters: 0}


class _Family:
    """Texts cut like the first one."""

    def __init__(self, text: str, level: str) -> None:
        version, segments = fit(text, level)
        self.level = level
        self.first = draw(segments, version, level)
        self.places = list(_places(segments, version))
        self.text = text
        self.same = text  # the beginning that no text has changed so far
        self.changing: list[_Place] = []

    def symbol(self, text: str) -> Symbol | None:
        """The symbol of a text of the first one's length; ``None`` when it is cut otherwise."""
        if not text.startswith(self.same):
            self.same = _common(text, self.same)
            self.changing = [place for place in self.places if place.end > len(self.same)]
        bits = self.first.bits
        for place in self.changing:
            letters = text[place.start : place.end]
            change = place.known.get(letters)
            if change is None:
                if not TAKES[place.mode].issuperset(letters):
                    return None
                change = self._learn(place, letters)
            bits ^= change
        return Symbol(self.first.version, self.first.side, bits)

    def _learn(self, place: _Place, letters: str) -> int:
        change, bit = 0, place.last_bit
        different = place.number ^ _number(place.mode, letters)
        while different:
            if different & 1:
                change ^= _flipped(self.first.version, self.level, bit)
            different >>= 1
            bit -= 1
        place.known[letters] = change
        return change


def _common(one: str, other: str) -> str:
    """The beginning that both texts share."""
    pairs = zip(one, other, strict=False)
    return one[: next((at for at, (a, b) in enumerate(pairs) if a != b), len(other))]


def _places(segments: Segments, version: int) -> Iterator[_Place]:
    at = bit = 0
    for mode, text in segments:
        bit += header_bits(mode, version)
        for start in range(0, len(text), _CHUNK[mode]):
            letters = text[start : start + _CHUNK[mode]]
            yield _Place(mode, at + start, letters, bit)
            bit += _BITS[mode][len(letters)]
        at += len(text)


def symbols(texts: Iterable[str], level: str = "M") -> Iterator[Symbol]:
    """Make the symbol of each text, in order. Raises at the text that cannot be encoded."""
    families: dict[int, list[_Family]] = {}
    for text in texts:
        alike = families.setdefault(len(text), [])
        for family in alike:
            made = family.symbol(text)
            if made is not None:
                break
        else:
            alike.insert(0, _Family(text, level))
            del alike[MOST_CUTS:]
            made = alike[0].first
        yield made
