"""The sealed form of a day: readings of one series as one checked, compressed block.

How this works. A block holds four columns of whole numbers, one after another and deflated
together: times, marks, where there is a value, and the values. Sensors speak in decimal steps, so
values are kept as whole numbers of 1/10**n where that gives every one of them back bit for bit,
and as the eight bytes of a double where it does not. A column is kept as differences of
neighbours or as distances from its lowest number, whichever deflates better, in as few bytes as
the largest one needs, with the first bytes of all numbers before the second ones. A column that
climbs evenly (times of a steady sensor, marks of a quiet day) is two numbers. The checksum covers
the block's place too, so that a block that lies under another series is noticed.

Nothing leaves ``seal`` that ``unseal`` did not give back bit for bit. docs/sealed-days.md has
the format byte by byte. Not handled here: SQLite, days, and which readings belong together.
"""

import math
import struct
import sys
import zlib
from array import array
from collections.abc import Sequence
from itertools import accumulate, pairwise, repeat
from operator import itemgetter
from typing import Any, NamedTuple

VERSION = 1
MOST_DECIMALS = 6
EXACT = 1 << 53  # whole numbers up to here are doubles too
_HEAD = struct.Struct("<BII")  # version, checksum, readings
_PLACE = struct.Struct("<qI")
_COLUMN = struct.Struct("<Bqq")  # form, first or lowest number, step
_VALUES = struct.Struct("<Bqq")  # decimals, lowest number, highest number
_DOUBLES = 255
_SIGNED = {1: "b", 2: "h", 4: "i", 8: "q"}
_UNSIGNED = {1: "B", 2: "H", 4: "I", 8: "Q"}
_EVEN, _DIFFERENCES, _DISTANCES = 0, 16, 32  # a form: one of these plus bytes a number
_LEVEL = 9
_TABLE_PART = 2  # values are looked up in a table of at most one entry for so many readings


class BlockDamaged(ValueError):
    """The block is not what was sealed here; nothing of it can be trusted."""


class Columns(NamedTuple):
    """Readings by column, in the order of time."""

    at: Sequence[int]
    value: Sequence[float | None]
    mark: Sequence[int]


def seal(place: int, found: Columns) -> bytes:
    """Make a block of at least one reading. ``place`` is the key that it will lie under."""
    values = [value for value in found.value if value is not None]
    parts = [_column(found.at), _column(found.mark)]
    parts.append(_column([value is not None for value in found.value]))
    wanted = _bits(found)
    for packed in (_decimal(values), _doubles(values)):
        if packed is None:
            continue
        block = _closed(place, len(found.at), b"".join((*parts, packed)))
        if _bits(unseal(place, block)) == wanted:
            return block
    raise ValueError("these readings cannot be sealed")


def unseal(place: int, block: bytes) -> Columns:
    """Return the readings of a block. Raises ``BlockDamaged``."""
    count = check(place, block)
    try:
        return _opened(memoryview(zlib.decompress(block[_HEAD.size :], wbits=-15)), count)
    except (zlib.error, struct.error, ValueError, LookupError, OverflowError) as error:
        raise BlockDamaged(f"a block of a sound checksum that cannot be read: {error}") from error


def check(place: int, block: bytes) -> int:
    """Compare the checksum and return how many readings there are. Raises ``BlockDamaged``."""
    if len(block) <= _HEAD.size:
        raise BlockDamaged("the block is cut off")
    version, checksum, count = _HEAD.unpack_from(block)
    if checksum != _checksum(place, count, block[_HEAD.size :]):
        raise BlockDamaged("the checksum is another one")
    if version != VERSION:
        raise BlockDamaged(f"the block has the unknown form {version}")
    return int(count)


def _checksum(place: int, count: int, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(_PLACE.pack(place, count)))


def _closed(place: int, count: int, columns: bytes) -> bytes:
    deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15)
    body = deflater.compress(columns) + deflater.flush()
    return _HEAD.pack(VERSION, _checksum(place, count, body), count) + body


def _bits(found: Columns) -> tuple[bytes, bytes, bytes, list[bool]]:
    """Return what two equal sets of readings have alike, down to the sign of a zero."""
    values = array("d", [0.0 if value is None else value for value in found.value])
    is_there = [value is not None for value in found.value]
    return (
        array("q", found.at).tobytes(),
        array("q", found.mark).tobytes(),
        values.tobytes(),
        is_there,
    )


def _opened(raw: memoryview, count: int) -> Columns:
    at, end = _read_column(raw, 0, count)
    mark, end = _read_column(raw, end, count)
    is_there, end = _read_column(raw, end, count)
    here = sum(is_there)
    values: Sequence[float | None] = _read_values(raw, end, here)
    if here < count:
        each = iter(values)
        values = [next(each) if there else None for there in is_there]
    return Columns(at, values, mark)


def _decimal(values: Sequence[float]) -> bytes | None:
    """Return the values as whole numbers of 1/10**n, or ``None`` where that is not exact."""
    if not all(math.isfinite(value) for value in values):
        return None
    most = max((abs(value) for value in values), default=0.0)
    for decimals in range(MOST_DECIMALS + 1):
        scale = 10**decimals
        if most * scale >= EXACT:
            return None
        numbers = [round(value * scale) for value in values]
        if all(number / scale == value for number, value in zip(numbers, values, strict=True)):
            lowest = min(numbers, default=0)
            return _VALUES.pack(decimals, lowest, max(numbers, default=0)) + _column(
                [number - lowest for number in numbers]
            )
    return None


def _doubles(values: Sequence[float]) -> bytes:
    return _VALUES.pack(_DOUBLES, 0, 0) + _planes(array("d", values))


def _read_values(raw: memoryview, begin: int, count: int) -> Sequence[float]:
    decimals, lowest, highest = _VALUES.unpack_from(raw, begin)
    begin += _VALUES.size
    if decimals == _DOUBLES:
        return _from_planes("d", raw, begin, count)[0]
    numbers, _ = _read_column(raw, begin, count)
    scale = 10**decimals
    if count > 1 and (highest - lowest) * _TABLE_PART < count:
        table = [number / scale for number in range(lowest, highest + 1)]
        found: tuple[float, ...] = itemgetter(*numbers)(table)
        return found
    return [(number + lowest) / scale for number in numbers]


def _column(numbers: Sequence[int]) -> bytes:
    """Return a column of whole numbers in the form that deflates best."""
    if not numbers:
        return _COLUMN.pack(_EVEN, 0, 0)
    differences = [after - before for before, after in pairwise(numbers)]
    step = differences[0] if differences else 0
    if all(difference == step for difference in differences):
        return _COLUMN.pack(_EVEN, numbers[0], step)
    lowest = min(numbers)
    forms = []
    for form, first, found, codes in (
        (_DIFFERENCES, numbers[0], differences, _SIGNED),
        (_DISTANCES, lowest, [number - lowest for number in numbers], _UNSIGNED),
    ):
        width = _width(min(found), max(found), is_signed=form == _DIFFERENCES)
        planes = _planes(array(codes[width], found))
        forms.append(_COLUMN.pack(form + width, first, 0) + planes)
    return min(forms, key=lambda packed: len(zlib.compress(packed, _LEVEL)))


def _width(lowest: int, highest: int, *, is_signed: bool) -> int:
    for width in (1, 2, 4):
        most = 1 << (8 * width - is_signed)
        if -most * is_signed <= lowest and highest < most:
            return width
    return 8


def _read_column(raw: memoryview, begin: int, count: int) -> tuple[Sequence[int], int]:
    form, first, step = _COLUMN.unpack_from(raw, begin)
    begin += _COLUMN.size
    if form == _EVEN:
        if step:
            return range(first, first + step * count, step), begin
        return [first] * count, begin
    width = form % 16
    if form - width == _DIFFERENCES:
        differences, end = _from_planes(_SIGNED[width], raw, begin, count - 1)
        return list(accumulate(differences, initial=first)), end
    if form - width != _DISTANCES:
        raise BlockDamaged(f"a column has the unknown form {form}")
    distances, end = _from_planes(_UNSIGNED[width], raw, begin, count)
    if first:
        return list(map(int.__add__, distances, repeat(first))), end
    return distances, end


def _planes(numbers: "array[Any]") -> bytes:
    """Return the lowest bytes of all numbers, then the next ones, and so on."""
    raw = _little(numbers).tobytes()
    width = numbers.itemsize
    return b"".join(raw[n::width] for n in range(width))


def _from_planes(code: str, raw: memoryview, begin: int, count: int) -> tuple["array[Any]", int]:
    found = array(code)
    width = found.itemsize
    end = begin + count * width
    if end > len(raw):
        raise BlockDamaged("a column is cut off")
    if width == 1:
        found.frombytes(raw[begin:end])
        return found, end
    woven = bytearray(count * width)
    for n in range(width):
        woven[n::width] = raw[begin + n * count : begin + (n + 1) * count]
    found.frombytes(woven)
    return _little(found), end


def _little(numbers: "array[Any]") -> "array[Any]":
    """Return the numbers with their lowest byte first."""
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers
