"""QR symbols: the only door to the ``qrcode`` package. Text in, modules out.

How this works. The text is cut into numeric, alphanumeric and byte segments so that it takes
the fewest bits (a small shortest-path search; the package's own rule looks only for long runs),
and the smallest version that holds them is taken. An upper-case address thus stays in
alphanumeric mode, 5.5 bits a character instead of 8.

A symbol holds its quiet zone of four modules: a picture without it invites a printer or a
designer to leave it out, and then phones do not find the code.

Only printable ASCII is taken. QR has no common way to say which letters a byte means, so
phones would read others differently; an address percent-encodes them anyway.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from qrcode import base, constants, util  # type: ignore[import-untyped]
from qrcode.main import QRCode  # type: ignore[import-untyped]

from nongso.labels.errors import TextNotEncodable, TextTooLong

QUIET = 4  # modules on each side, ISO/IEC 18004

LEVELS = {
    "L": constants.ERROR_CORRECT_L,
    "M": constants.ERROR_CORRECT_M,
    "Q": constants.ERROR_CORRECT_Q,
    "H": constants.ERROR_CORRECT_H,
}

NUMERIC: int = util.MODE_NUMBER
ALPHANUMERIC: int = util.MODE_ALPHA_NUM
BYTES: int = util.MODE_8BIT_BYTE

LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"  # alphanumeric, in value order
TAKES = {
    NUMERIC: frozenset("0123456789"),
    ALPHANUMERIC: frozenset(LETTERS),
    BYTES: frozenset(map(chr, range(32, 127))),
}

Segments = tuple[tuple[int, str], ...]  # (mode, text)


@dataclass(frozen=True)
class Symbol:
    """A code as a picture of one bit a module, quiet zone included.

    ``bits`` holds the rows from the top, each padded on the right to whole bytes; a set bit
    is a dark module. ``side`` counts modules with the quiet zone.
    """

    version: int
    side: int
    bits: int

    @property
    def stride(self) -> int:
        """Bytes of a row."""
        return (self.side + 7) // 8

    def packed(self) -> bytes:
        """The picture as bytes, rows from the top."""
        return self.bits.to_bytes(self.stride * self.side, "big")

    def rows(self) -> list[list[bool]]:
        """The modules one by one, for whoever draws them differently."""
        width = self.stride * 8
        text = format(self.bits, f"0{width * self.side}b")
        starts = range(0, width * self.side, width)
        return [[bit == "1" for bit in text[at : at + self.side]] for at in starts]


def _check(text: str) -> None:
    if not text:
        raise TextNotEncodable(text, "")
    for letter in text:
        if letter not in TAKES[BYTES]:
            raise TextNotEncodable(text, letter)


def _cheapest(text: str, lowest_version: int) -> Segments:
    """Cut the text into segments that take the fewest bits in this class of versions.

    The cost of a segment is its header, then 10/3, 11/2 or 8 bits a character; counted in
    sixths of a bit, so that everything stays whole.
    """
    heads = {mode: 6 * (4 + util.length_in_bits(mode, lowest_version)) for mode in TAKES}
    each = {NUMERIC: 20, ALPHANUMERIC: 33, BYTES: 48}
    best: dict[int, tuple[int, tuple[int, ...]]] = {}  # mode of the last letter -> cost, modes
    for letter in text:
        reached: dict[int, tuple[int, tuple[int, ...]]] = {}
        for mode, head in heads.items():
            if letter not in TAKES[mode]:
                continue
            ways = [
                # a closed segment is rounded up to whole bits
                (cost if last == mode else -(-cost // 6) * 6 + head, modes)
                for last, (cost, modes) in best.items()
            ] or [(head, ())]
            cost, modes = min(ways, key=lambda way: way[0])
            reached[mode] = (cost + each[mode], (*modes, mode))
        best = reached
    _, modes = min(best.values(), key=lambda way: -(-way[0] // 6))
    segments: list[tuple[int, str]] = []
    for letter, mode in zip(text, modes, strict=True):
        if segments and segments[-1][0] == mode:
            segments[-1] = (mode, segments[-1][1] + letter)
        else:
            segments.append((mode, letter))
    return tuple(segments)


def _bits(segments: Segments, version: int) -> int:
    total = 0
    for mode, text in segments:
        n = len(text)
        if mode == NUMERIC:
            body = n // 3 * 10 + (0, 4, 7)[n % 3]
        elif mode == ALPHANUMERIC:
            body = n // 2 * 11 + n % 2 * 6
        else:
            body = n * 8
        total += 4 + util.length_in_bits(mode, version) + body
    return total


def fit(text: str, level: str = "M") -> tuple[int, Segments]:
    """Find the smallest version that holds the text, and the segments to use.

    Raises ``TextNotEncodable`` or ``TextTooLong``.
    """
    _check(text)
    limits = util.BIT_LIMIT_TABLE[LEVELS[level]]
    for first, last in ((1, 9), (10, 26), (27, 40)):  # the length fields differ
        if len(text) * 10 // 3 > limits[last]:
            continue
        segments = _cheapest(text, first)
        needed = _bits(segments, first)
        for version in range(first, last + 1):
            if needed <= limits[version]:
                return version, segments
    raise TextTooLong(len(text))


def pack(rows: Sequence[Sequence[bool | None]]) -> tuple[int, int]:
    """Put a quiet zone around modules; returns the side and the bits of the picture."""
    side = len(rows) + 2 * QUIET
    width = (side + 7) // 8 * 8
    bits = 0
    for row in rows:
        line = 0
        for module in row:
            line = line << 1 | bool(module)
        bits = bits << width | line << (width - QUIET - len(rows))
    return side, bits << width * QUIET


def _code(segments: Segments, version: int, level: str, mask: int | None) -> QRCode:
    code = QRCode(version, LEVELS[level], border=QUIET, mask_pattern=mask)
    for mode, text in segments:
        code.add_data(util.QRData(text.encode("latin-1"), mode=mode, check_data=False))
    return code


def best_mask(segments: Segments, version: int, level: str = "M") -> int:
    """Find the one of the eight masks that the standard's score likes best."""
    return int(_code(segments, version, level, None).best_mask_pattern())


def draw(segments: Segments, version: int, level: str = "M", mask: int | None = None) -> Symbol:
    """Draw segments as a symbol of this version; without ``mask`` the best of the eight."""
    code = _code(segments, version, level, mask)
    code.make(fit=False)
    side, bits = pack(code.modules)
    return Symbol(version, side, bits)


def header_bits(mode: int, version: int) -> int:
    """Bits before the letters of a segment: its mode and its length."""
    return 4 + int(util.length_in_bits(mode, version))


@lru_cache(maxsize=8)
def placement(version: int) -> list[int]:
    """For each bit of the codewords, in the order of the symbol, the picture of its module.

    Found by having the package lay out the numbers of the bits themselves, one binary digit
    at a time; 0 is left for modules that belong to no codeword.
    """
    count = sum(block.total_count for block in base.rs_blocks(version, LEVELS["M"])) * 8
    plain = _laid_out(version, [False] * count)
    side = len(plain) + 2 * QUIET
    width = (side + 7) // 8 * 8
    numbers = [[0] * len(plain) for _ in plain]
    for digit in range(count.bit_length()):
        laid = _laid_out(version, [bool(number >> digit & 1) for number in range(1, count + 1)])
        for row, (modules, before) in enumerate(zip(laid, plain, strict=True)):
            for column, (module, was) in enumerate(zip(modules, before, strict=True)):
                numbers[row][column] |= (module != was) << digit
    found = [0] * count
    for row, line in enumerate(numbers):
        for column, number in enumerate(line):
            if number:
                place = (side - 1 - QUIET - row) * width + width - 1 - QUIET - column
                found[number - 1] = 1 << place
    return found


def _laid_out(version: int, bits: Sequence[bool]) -> Sequence[Sequence[bool]]:
    """The modules of codewords, without regard to what they mean."""
    code = QRCode(version, mask_pattern=0)
    code.data_cache = [
        int("".join("01"[bit] for bit in bits[at : at + 8]), 2) for at in range(0, len(bits), 8)
    ]
    code.makeImpl(False, 0)
    modules: Sequence[Sequence[bool]] = code.modules
    return modules


def corrected(version: int, level: str, bit: int) -> dict[int, int]:
    """One data bit alone with its error correction: codewords by their place in the symbol.

    Codewords of the blocks are laid out in turns: first every block's first, and so on.
    """
    blocks = base.rs_blocks(version, LEVELS[level])
    word, digit = divmod(bit, 8)
    number = 0
    while word >= blocks[number].data_count:
        word -= blocks[number].data_count
        number += 1
    block = blocks[number]
    buffer = util.BitBuffer()
    buffer.buffer = [0] * block.data_count
    buffer.buffer[word] = 128 >> digit
    coded = util.create_bytes(buffer, [block])
    found = {}
    for at, value in enumerate(coded):
        if not value:
            continue
        if at < block.data_count:
            before = sum(min(other.data_count, at) for other in blocks)
            before += sum(other.data_count > at for other in blocks[:number])
        else:
            # every block of a symbol has as many codewords of error correction
            after = at - block.data_count
            before = sum(other.data_count for other in blocks) + after * len(blocks) + number
        found[before] = value
    return found


def symbol(text: str, level: str = "M") -> Symbol:
    """Make the smallest symbol of a text. Raises ``TextNotEncodable`` or ``TextTooLong``."""
    version, segments = fit(text, level)
    return draw(segments, version, level)
