"""Bar codes for goods that have a GTIN: EAN-13 for the till, GS1-128 for cartons.

Text in, bars out, like ``symbol``: a row of modules with its quiet zones in it, and the digits to
print below. The standards are ISO/IEC 15420 (EAN), ISO/IEC 15417 (Code 128) and GS1's General
Specifications, which say what the elements of GS1-128 mean: here only how each is written is
checked, a GTIN's check digit too.

A GTIN is bought from GS1; nothing here makes one up. Numbers that begin with 2 are for one
shop's own use and are no GTIN.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_letters, digits

from nongso.labels.errors import BadElement, BadGtin

# GS1's least width of a module: at a till 0.264 mm, on cartons 0.495 mm.
EAN_LEAST_MM = 0.264
GS1_128_LEAST_MM = 0.495

# Digits of EAN as widths of space, bar, space, bar; the left half's others are these backwards.
_EAN = ("3211", "2221", "2122", "1411", "1132", "1231", "1114", "1312", "1213", "3112")
# Which of the six left digits are written backwards (G) tells the thirteenth, the first one.
_FIRST = (
    "LLLLLL",
    "LLGLGG",
    "LLGGLG",
    "LLGGGL",
    "LGLLGG",
    "LGGLLG",
    "LGGGLL",
    "LGLGLG",
    "LGLGGL",
    "LGGLGL",
)
_CODE_128 = (  # six widths a value, bars and spaces in turn
    "212222222122222221121223121322131222122213122312132212221213221312231212112232122132"
    "122231113222123122123221223211221132221231213212223112312131311222321122321221312212"
    "322112322211212123212321232121111323131123131321112313132113132311211313231113231311"
    "112133112331132131113123113321133121313121211331231131213113213311213131311123311321"
    "331121312113312311332111314111221411431111111224111422121124121421141122141221112214"
    "112412122114122411142112142211241211221114413111241112134111111242121142121241114212"
    "124112124211411212421112421211212141214121412121111143111341131141114113114311411113"
    "411311113141114131311141411131211412211214211232"
)
_STOP = "2331112"
_TO_C, _TO_B, _FNC1, _START_B, _START_C = 99, 100, 102, 104, 105

# Elements of fixed length by the first digits of their identifier, with the length of both: they
# need no separator (General Specifications, table of predefined lengths).
_FIXED = {"00": 20, "01": 16, "02": 16, "03": 16, "04": 18, "20": 4, "41": 16}
_FIXED |= {str(date): 8 for date in range(11, 20)}
_FIXED |= {str(measure): 10 for measure in range(31, 37)}
_TAKES = frozenset(ascii_letters + digits + "!\"%&'()*+,-./:;<=>?_")  # GS1's 82 letters
_SEPARATOR = "\x1d"
_MOST_LETTERS = 48  # of one GS1-128
_MOST_VALUE = 20  # of the elements of variable length that we print: lot and serial


@dataclass(frozen=True)
class Bars:
    """A bar code as one row of modules, quiet zones included; a set bit is a bar.

    ``letters`` is what a reader hands out, ``text`` what people read below it.
    """

    width: int
    bits: int
    letters: str
    text: str
    least_mm: float

    def packed(self) -> bytes:
        """The row as bytes, padded on the right."""
        spare = -self.width % 8
        return (self.bits << spare).to_bytes((self.width + spare) // 8, "big")

    def row(self) -> list[bool]:
        """The modules one by one."""
        return [digit == "1" for digit in format(self.bits, f"0{self.width}b")]


def check_digit(before: str) -> str:
    """The last digit of a GTIN, from those before it: weights 3 and 1 from the right."""
    return str(-sum(int(d) * (3, 1)[at % 2] for at, d in enumerate(reversed(before))) % 10)


def _gtin(text: str) -> str:
    """A GTIN as 14 digits. Raises ``BadGtin``."""
    if not (text.isascii() and text.isdigit()) or len(text) not in (8, 12, 13, 14):
        raise BadGtin(text, "a GTIN has 8, 12, 13 or 14 digits")
    meant = check_digit(text[:-1])
    if text[-1] != meant:
        raise BadGtin(text, f"its last digit would be {meant}: one digit is mistyped")
    return text.zfill(14)


def _bits(widths: str, bar: bool) -> str:
    """Widths of bars and spaces in turn as modules."""
    out = ""
    for width in widths:
        out += "01"[bar] * int(width)
        bar = not bar
    return out


def _bars(modules: str, quiet: tuple[int, int], said: tuple[str, str], least_mm: float) -> Bars:
    whole = "0" * quiet[0] + modules + "0" * quiet[1]
    return Bars(len(whole), int(whole, 2), *said, least_mm)


def ean13(gtin: str) -> Bars:
    """The bar code of the till, for GTINs of 12 or 13 digits. Raises ``BadGtin``."""
    number = _gtin(gtin)
    if number[0] != "0":
        raise BadGtin(gtin, "a GTIN of 14 digits is a carton's: print it as GS1-128")
    if number.startswith("000000"):
        raise BadGtin(gtin, "a GTIN of 8 digits has a bar code of its own, EAN-8")
    first, left, right = number[1], number[2:8], number[8:]
    left_bars = "".join(
        _bits(_EAN[int(digit)] if side == "L" else _EAN[int(digit)][::-1], bar=False)
        for digit, side in zip(left, _FIRST[int(first)], strict=True)
    )
    right_bars = "".join(_bits(_EAN[int(digit)], bar=True) for digit in right)
    modules = f"101{left_bars}01010{right_bars}101"
    said = (first + left + right, f"{first} {left} {right}")
    return _bars(modules, (11, 7), said, EAN_LEAST_MM)


def _value(identifier: str, value: str) -> str:
    """The value of an element as it stands in the code. Raises ``BadElement`` or ``BadGtin``."""
    if not (identifier.isascii() and identifier.isdigit() and 2 <= len(identifier) <= 4):
        raise BadElement(identifier, value, "an identifier has two to four digits")
    if identifier in ("01", "02"):
        value = _gtin(value)
    fixed = _FIXED.get(identifier[:2])
    if fixed is None:
        if not 1 <= len(value) <= _MOST_VALUE or not _TAKES.issuperset(value):
            rule = f"it takes 1 to {_MOST_VALUE} letters, digits and marks, no space"
            raise BadElement(identifier, value, rule)
    elif len(identifier + value) != fixed or not (value.isascii() and value.isdigit()):
        raise BadElement(identifier, value, f"it takes {fixed - len(identifier)} digits")
    return value


def gs1_128(elements: Sequence[tuple[str, str]]) -> Bars:
    """The bar code of cartons: elements as identifier and value, such as ``("10", "K7M4PQ")``.

    Elements of variable length are best put last: they then need no separator. Raises
    ``BadElement`` or ``BadGtin``.
    """
    checked = [(identifier, _value(identifier, value)) for identifier, value in elements]
    letters = "".join(
        identifier + value + ("" if identifier[:2] in _FIXED else _SEPARATOR)
        for identifier, value in checked
    ).removesuffix(_SEPARATOR)
    if not 1 <= len(letters) <= _MOST_LETTERS:
        raise BadElement("", letters, f"a GS1-128 holds 1 to {_MOST_LETTERS} letters")
    values = list(_values(_SEPARATOR + letters))
    total = values[0] + sum(at * value for at, value in enumerate(values[1:], 1))
    values.append(total % 103)
    widths = "".join(_CODE_128[6 * value : 6 * value + 6] for value in values) + _STOP
    text = "".join(f"({identifier}){value}" for identifier, value in checked)
    return _bars(_bits(widths, bar=True), (10, 10), (letters, text), GS1_128_LEAST_MM)


@lru_cache(maxsize=64)  # the labels of a lot have one GTIN
def of_gtin(gtin: str) -> Bars:
    """What goods of a GTIN carry: EAN-13, or on cartons, of 14 digits, GS1-128.

    Raises ``BadGtin``.
    """
    return gs1_128([("01", gtin)]) if len(gtin) == 14 and gtin[0] != "0" else ean13(gtin)


def _values(letters: str) -> Iterator[int]:
    """Code 128's values: digits in pairs where that is shorter, the separator as FNC1."""
    pairs = _digits(letters, 1) >= 2
    yield _START_C if pairs else _START_B
    at = 0
    while at < len(letters):
        letter, run = letters[at], _digits(letters, at)
        if letter == _SEPARATOR:
            yield _FNC1
            at += 1
        elif pairs and run >= 2:
            yield int(letters[at : at + 2])
            at += 2
        elif pairs:
            yield _TO_B
            pairs = False
        elif run >= 4 and (run % 2 == 0):
            # an even run is worth the change at four digits; of an odd one the first goes before
            yield _TO_C
            pairs = True
        else:
            yield ord(letter) - 32
            at += 1


def _digits(letters: str, at: int) -> int:
    """How many digits follow one another from here."""
    end = at
    while end < len(letters) and letters[end].isdigit():
        end += 1
    return end - at
