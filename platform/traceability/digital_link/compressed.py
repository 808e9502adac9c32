"""Compressed addresses: ``/CxFS9UfdysxXZnB6A`` is ``/01/09524000059109/10/K7M4PQ``. Reading only.

How it works. The letters are 6 bits each (URL-safe base64). Codes of two hexadecimal digits say
what follows: an application identifier (its other digits follow), a usual sequence of them, or,
from F0 on, a name that is none of GS1's. Digits are one binary number; text is told by three bits
to be digits, hexadecimal, base64 letters or ASCII, then how many. Lengths come from the catalogue.

GS1's standard of July 2025 was not at hand: this reads what GS1's prototype writes. It keeps the
leading zeros that the prototype loses. We print no compressed address.
"""

import math
import string
import tomllib
from functools import cache
from importlib.resources import files
from itertools import groupby

from nongso.platform.traceability.digital_link.catalogue import Part, catalogue, known
from nongso.platform.traceability.digital_link.errors import LinkError, NotCompressed
from nongso.platform.traceability.digital_link.link import Link, compose
from nongso.platform.traceability.digital_link.values import Element

ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
SHORTEST, LONGEST = 10, 400
_HEX = "0123456789abcdef"


class _Bits:
    """Bits that are read from the left."""

    def __init__(self, text: str) -> None:
        self._number = 0
        for letter in text:
            self._number = self._number << 6 | ALPHABET.index(letter)
        self.left = 6 * len(text)

    def take(self, count: int) -> int:
        """The next bits as a number. Raises ``NotCompressed`` at the end."""
        if count > self.left:
            raise NotCompressed("it ends in the middle of a value")
        self.left -= count
        return self._number >> self.left & (1 << count) - 1


def decompress(packed: str, stem: str, given: tuple[Element, ...] = ()) -> Link:
    """Read the compressed part of an address; ``given`` is what stood uncompressed before it.

    Raises ``LinkError``: what comes out must be a Digital Link like any other.
    """
    least = 1 if given else SHORTEST
    if not least <= len(packed) <= LONGEST or set(packed) - set(ALPHABET):
        raise NotCompressed("its letters or its length cannot be")
    try:
        return _read(packed, stem, given, in_order=True)
    except LinkError:
        return _read(packed, stem, given, in_order=False)


def _read(packed: str, stem: str, given: tuple[Element, ...], in_order: bool) -> Link:
    """Read it once. GS1's prototype writes a sequence in the order of the numbers, whatever the
    order in its table; whoever follows the table is understood as well."""
    bits = _Bits(packed)
    elements, others = list(given), []
    while bits.left > 8:  # fewer are what fills up the last letter
        code = bits.take(8)
        if code >> 4 == 0xF:
            others.append(_other(bits, code & 0xF))
            continue
        names = _identifiers(bits, code)
        for ai in sorted(names) if in_order else names:
            elements.append(Element(ai, _value(bits, ai)))
    if bits.take(bits.left) != 0:
        raise NotCompressed("bits are left over")
    if not elements:
        raise NotCompressed("it holds nothing of GS1's")
    link = compose(elements, stem)
    return Link(link.stem, link.key, link.qualifiers, link.attributes, tuple(others))


@cache
def _sequences() -> dict[str, list[str]]:
    place = files("nongso.platform.traceability.digital_link") / "vocabulary" / "compressed.toml"
    return tomllib.loads(place.read_text(encoding="utf-8"))


@cache
def _lengths() -> dict[str, int]:
    """How many digits the identifiers have that begin with these two."""
    return {ai[:2]: len(ai) for ai in catalogue()}


def _identifiers(bits: _Bits, code: int) -> list[str]:
    first = f"{code:02X}"
    if not first.isdigit():
        if first not in _sequences():
            raise NotCompressed(f"{first} stands for no sequence of identifiers")
        return _sequences()[first]
    if first not in _lengths():
        raise NotCompressed(f"no identifier begins with {first}")
    rest = [bits.take(4) for _digit in range(_lengths()[first] - 2)]
    if any(digit > 9 for digit in rest):
        raise NotCompressed(f"the identifier that begins with {first} is not of digits")
    ai = first + "".join(map(str, rest))
    known(ai)
    return [ai]


@cache
def _fields(ai: str) -> tuple[tuple[bool, int, int], ...]:
    """The value's fields: digits or not, least and most letters. Neighbours of a sort are one."""

    def sort(part: Part) -> tuple[bool, bool]:
        digits = part.letters == "digits"
        return digits, digits and not part.optional and part.least == part.most

    fields = []
    for (digits, fixed), parts in groupby(known(ai).parts, sort):
        some = list(parts)
        most = sum(part.most for part in some)
        fields.append((digits, most if fixed else 0, most))
    return tuple(fields)


def _value(bits: _Bits, ai: str) -> str:
    value = ""
    for digits, least, most in _fields(ai):
        if digits and least == most:
            value += _number(bits, most)
        elif digits:
            value += _number(bits, bits.take(_length_bits(most)))
        else:
            value += _text(bits, most)
    return value


def _length_bits(most: int) -> int:
    return math.ceil(math.log2(most) + 0.01)


def _number(bits: _Bits, count: int) -> str:
    """A number of that many digits, with its leading zeros; nothing at all if there are none."""
    if count == 0:
        return ""
    digits = str(bits.take(math.ceil(count * math.log2(10) + 0.01))).zfill(count)
    if len(digits) > count:
        raise NotCompressed("a number has more digits than it says")
    return digits


def _text(bits: _Bits, most: int) -> str:
    encoding = bits.take(3)
    return _letters(bits, encoding, bits.take(_length_bits(most)))


def _letters(bits: _Bits, encoding: int, count: int) -> str:
    match encoding:
        case 0:
            return _number(bits, count)
        case 1:
            return "".join(_HEX[bits.take(4)] for _letter in range(count))
        case 2:
            return "".join(_HEX[bits.take(4)] for _letter in range(count)).upper()
        case 3:
            return "".join(ALPHABET[bits.take(6)] for _letter in range(count))
        case 4:
            return "".join(chr(bits.take(7)) for _letter in range(count))
    raise NotCompressed(f"no text is written in the way {encoding}")


def _other(bits: _Bits, high: int) -> tuple[str, str]:
    """A name and value that are none of GS1's."""
    count = high << 3 | bits.take(3)
    name = "".join(ALPHABET[bits.take(6)] for _letter in range(count))
    encoding = bits.take(3)
    return name, _letters(bits, encoding, bits.take(7))
