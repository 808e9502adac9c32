"""The sealed form of a day: readings of one series as one checked, compressed block.

How this works. A block holds columns of whole numbers, one after another and deflated together:
times, marks, values, and where there is a value if that is not everywhere. Sensors speak in
decimal steps, so values are kept as whole numbers of 1/10**n where that gives every one of them
back bit for bit, and as the eight bytes of a double where it does not. A column that climbs
evenly for long (times of a steady sensor, marks of a quiet day) is kept as those runs; any other
as differences of neighbours or as distances from its lowest number, whichever deflates better, in
as few bytes as the largest one needs, with the first bytes of all numbers before the second ones.
The checksum covers the block's place too, so that a block under another series is noticed.

What is written once is read often, and by plain Python: runs become ranges, and values are taken
out of tables of doubles that stay from block to block (``_table``).

Nothing leaves ``seal`` that ``unseal`` did not give back bit for bit. docs/sealed-days.md has
the format byte by byte. Not handled here: SQLite, days, and which readings belong together.
"""

import math
import struct
import sys
import zlib
from array import array
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate, groupby, pairwise, repeat
from operator import itemgetter
from typing import Any, TypeVar

from nongso.platform.telemetry.interface import Columns
from nongso.wire import marks

_Read = TypeVar("_Read")

VERSION = 1
MOST_DECIMALS = 6
EXACT = 1 << 53  # whole numbers up to here are doubles too
_HEAD = struct.Struct("<BIBI")  # version, checksum, whether it is plain, readings
_PLACE = struct.Struct("<qBI")
_COLUMN = struct.Struct("<BqI")  # form, first or lowest number, runs
_VALUES = struct.Struct("<BIqq")  # decimals, how many, lowest number, highest number
_DOUBLES = 255
_SIGNED = {1: "b", 2: "h", 4: "i", 8: "q"}
_UNSIGNED = {1: "B", 2: "H", 4: "I", 8: "Q"}
_RUNS, _DIFFERENCES, _DISTANCES = 0, 16, 32  # a form: one of these plus bytes a number
_RUN_READINGS = 16  # runs are worth it where they are so long on the average
_LEVEL = 9
_FIRST = 16  # readings that rule out most numbers of decimals
_TABLE = 1024
_MOST_TABLES = 4


class BlockDamaged(ValueError):
    """The block is not what was sealed here; nothing of it can be trusted."""


def seal(place: int, found: Columns) -> bytes:
    """Make a block of at least one reading. ``place`` is the key that it will lie under.

    Raises ``ValueError`` where it would not give back what it was given.
    """
    values = [value for value in found.value if value is not None]
    head = _column(found.at) + _column(found.mark)
    there = b""
    if len(values) < len(found.value):
        there = _column([value is not None for value in found.value])
    plain = not there and len(set(found.mark)) == 1 and marks.is_good(found.mark[0])
    wanted = _bits(found)
    for packed in (_decimal(values), _doubles(values)):
        if packed is not None:
            columns = head + packed[: _VALUES.size] + there + packed[_VALUES.size :]
            block = _closed(place, plain, len(found.at), columns)
            if _bits(unseal(place, block)) == wanted:
                return block
    raise ValueError("these readings cannot be sealed")


def unseal(place: int, block: bytes) -> Columns:
    """Return the readings of a block. Raises ``BlockDamaged``."""
    return _unpacked(place, block, _opened)


def scaled(place: int, block: bytes) -> tuple[Columns, int]:
    """Return the same with whole numbers as values, and by what to divide them.

    For adding up: the doubles are then made of a sum instead of each reading. A block that is not
    plain, or not of decimals, comes as from ``unseal``, to be divided by one.
    """
    if not is_plain(block):
        return unseal(place, block), 1
    return _unpacked(place, block, _opened_scaled)


def _unpacked(place: int, block: bytes, read: Callable[[memoryview, int], _Read]) -> _Read:
    count = check(place, block)
    try:
        return read(memoryview(zlib.decompress(block[_HEAD.size :], wbits=-15)), count)
    except (zlib.error, struct.error, ValueError, LookupError, OverflowError) as error:
        raise BlockDamaged(f"a block of a sound checksum that cannot be read: {error}") from error


def check(place: int, block: bytes) -> int:
    """Compare the checksum and return how many readings there are. Raises ``BlockDamaged``."""
    if len(block) <= _HEAD.size:
        raise BlockDamaged("the block is cut off")
    version, checksum, plain, count = _HEAD.unpack_from(block)
    if checksum != _checksum(place, plain, count, block[_HEAD.size :]):
        raise BlockDamaged("the checksum is another one")
    if version != VERSION:
        raise BlockDamaged(f"the block has the unknown form {version}")
    return int(count)


def is_plain(block: bytes) -> bool:
    """Say whether each reading of a sound block is good, all with one mark."""
    return len(block) > _HEAD.size and bool(_HEAD.unpack_from(block)[2])


def _checksum(place: int, plain: int, count: int, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(_PLACE.pack(place, plain, count)))


def _closed(place: int, plain: bool, count: int, columns: bytes) -> bytes:
    deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15)
    body = deflater.compress(columns) + deflater.flush()
    return _HEAD.pack(VERSION, _checksum(place, plain, count, body), plain, count) + body


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


def _opened_scaled(raw: memoryview, count: int) -> tuple[Columns, int]:
    at, end = _read_column(raw, 0, count)
    mark, end = _read_column(raw, end, count)
    decimals, here, _, _ = _VALUES.unpack_from(raw, end)
    end += _VALUES.size
    if decimals == _DOUBLES:
        return Columns(at, _from_planes("d", raw, end, here)[0], mark), 1
    return Columns(at, _read_column(raw, end, here)[0], mark), 10**decimals


def _opened(raw: memoryview, count: int) -> Columns:
    at, end = _read_column(raw, 0, count)
    mark, end = _read_column(raw, end, count)
    decimals, here, lowest, highest = _VALUES.unpack_from(raw, end)
    end += _VALUES.size
    is_there: Sequence[int] = ()
    if here < count:
        is_there, end = _read_column(raw, end, count)
    values: Sequence[float | None]
    if decimals == _DOUBLES:
        values, _ = _from_planes("d", raw, end, here)
    else:
        values = _read_values(raw, end, here, decimals, lowest, highest)
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
        if any(round(value * scale) / scale != value for value in values[:_FIRST]):
            continue
        numbers = [round(value * scale) for value in values]
        if all(number / scale == value for number, value in zip(numbers, values, strict=True)):
            lowest, highest = min(numbers, default=0), max(numbers, default=0)
            return _VALUES.pack(decimals, len(values), lowest, highest) + _column(numbers)
    return None


def _doubles(values: Sequence[float]) -> bytes:
    return _VALUES.pack(_DOUBLES, len(values), 0, 0) + _planes(array("d", values))


def _read_values(
    raw: memoryview, begin: int, count: int, decimals: int, lowest: int, highest: int
) -> Sequence[float]:
    first, last = lowest // _TABLE, highest // _TABLE
    if count < 2 or last - first >= _MOST_TABLES:
        numbers, _ = _read_column(raw, begin, count)
        scale = 10**decimals
        return [number / scale for number in numbers]
    numbers, _ = _read_column(raw, begin, count, less=first * _TABLE)
    table = _table(decimals, first)
    for part in range(first + 1, last + 1):
        table = table + _table(decimals, part)
    found: tuple[float, ...] = itemgetter(*numbers)(table)
    return found


@lru_cache(maxsize=256)
def _table(decimals: int, part: int) -> tuple[float, ...]:
    """Return the doubles of some neighbouring whole numbers; all readings share them."""
    scale = 10**decimals
    return tuple(number / scale for number in range(part * _TABLE, (part + 1) * _TABLE))


def _column(numbers: Sequence[int]) -> bytes:
    """Return a column of whole numbers in the form that is best."""
    if not numbers:
        return _COLUMN.pack(_RUNS, 0, 0)
    differences = [after - before for before, after in pairwise(numbers)]
    runs = [(difference, len(list(those))) for difference, those in groupby(differences)]
    if len(runs) * _RUN_READINGS <= len(numbers):
        steps, lengths = [step for step, _ in runs], [length for _, length in runs]
        packed = struct.pack(f"<{len(runs)}q{len(runs)}I", *steps, *lengths)
        return _COLUMN.pack(_RUNS, numbers[0], len(runs)) + packed
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


def _read_column(
    raw: memoryview, begin: int, count: int, less: int = 0
) -> tuple[Sequence[int], int]:
    """Return the numbers of a column, each less by ``less``, and where the next one begins."""
    form, first, runs = _COLUMN.unpack_from(raw, begin)
    begin += _COLUMN.size
    first -= less
    if form == _RUNS:
        return _from_runs(raw, begin, count, first, runs)
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


def _from_runs(
    raw: memoryview, begin: int, count: int, first: int, runs: int
) -> tuple[Sequence[int], int]:
    both = struct.Struct(f"<{runs}q{runs}I")
    told = both.unpack_from(raw, begin)
    steps, lengths = told[:runs], told[runs:]
    if sum(lengths) != max(count - 1, 0):
        raise BlockDamaged("a column has another length")
    found = [first] * min(count, 1)
    for step, length in zip(steps, lengths, strict=True):
        last = found.pop()
        if step:
            found.extend(range(last, last + step * (length + 1), step))
        else:
            found += [last] * (length + 1)
    return found, begin + both.size


def _planes(numbers: "array[Any]") -> bytes:
    """Return the lowest bytes of all numbers, then the next ones, and so on."""
    raw = _little(numbers).tobytes()
    width = numbers.itemsize
    return b"".join(raw[n::width] for n in range(width))


def _from_planes(code: str, raw: memoryview, begin: int, count: int) -> "tuple[array[Any], int]":
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
