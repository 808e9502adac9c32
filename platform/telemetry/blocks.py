"""The sealed form of a day: readings of one series as one checked, compressed block.

How this works. A block holds columns of whole numbers, one after another and deflated together:
times, marks, values, and where there is a value if that is not everywhere. Sensors speak in
decimal steps, so values are kept as whole numbers of 1/10**n where that gives every one of them
back bit for bit, and as the eight bytes of a double where it does not. A column that climbs
evenly for long (times of a steady sensor, marks of a quiet day) is kept as those runs; any other
as differences of neighbours or as distances from its lowest number, whichever deflates better, in
as few bytes as the largest one needs, with the first bytes of all numbers before the second ones.
The checksum covers the block's place too, so that a block under another series is noticed.

What is written once is read often, and by plain Python: times stay ranges until somebody reads
them (``Times``), and values are taken out of tables of doubles that stay from block to block
(``_table``).

Nothing leaves ``seal`` that ``unseal`` did not give back bit for bit. docs/sealed-days.md has
the format byte by byte. Not handled here: SQLite, days, and which readings belong together.
"""

import math
import struct
import sys
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, chain, groupby, pairwise, repeat
from operator import eq, itemgetter
from typing import Any, TypeVar, overload

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
_MOST_AT_ONCE = 92  # bytes below 16: 92 + 15 * (1 + 2 + … + 92) is below 65521
_SMALL = bytes(step & 255 for step in range(-8, 8))
_RAISED_BY_8 = bytes((byte + 8) & 255 for byte in range(256))
_RAISED_BY_128 = bytes(byte ^ 128 for byte in range(256))
_LOW_DIGIT = bytes(byte & 15 for byte in range(256))
_HIGH_DIGIT = bytes(byte >> 4 for byte in range(256))
_FEW = 16  # missing values that are put in one by one
_FIRST = 16  # readings that rule out most numbers of decimals
_TABLE = 1024
_MOST_TABLES = 4


class BlockDamaged(ValueError):
    """The block is not what was sealed here; nothing of it can be trusted."""


class Times(Sequence[int]):
    """Rising times in stretches, which are ranges where a sensor was steady.

    To be read one after another, which takes no room; each by its number takes longer.
    """

    __slots__ = ("_count", "stretches")

    def __init__(self, stretches: Iterable[Sequence[int]]) -> None:
        self.stretches = [one for one in stretches if one]
        self._count = sum(map(len, self.stretches))

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(self.stretches)

    def __reversed__(self) -> Iterator[int]:
        return chain.from_iterable(map(reversed, reversed(self.stretches)))

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...
    def __getitem__(self, index: int | slice) -> int | Sequence[int]:
        if isinstance(index, slice):
            return list(self)[index]
        left = range(self._count)[index]
        for stretch in self.stretches:
            if left < len(stretch):
                return stretch[left]
            left -= len(stretch)
        raise AssertionError("the stretches have another length than all of them")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Times({self.stretches!r})"


class Differences(Sequence[int]):
    """Whole numbers kept as the first one and the steps to each next one.

    What is asked of them most are sums, which need none of the numbers (``sums``).
    """

    __slots__ = ("_count", "_first", "_planes")

    def __init__(self, first: int, planes: Sequence[bytes]) -> None:
        """``planes`` are the lowest bytes of all steps, the next ones, and so on."""
        self._first = first
        self._planes = planes
        self._count = len(planes[0]) + 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        steps = _woven(_SIGNED[len(self._planes)], self._planes)
        return accumulate(steps, initial=self._first)

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...
    def __getitem__(self, index: int | slice) -> int | Sequence[int]:
        return list(self)[index]

    def sums(self, ends: Iterable[int]) -> list[int]:
        """Return the sum of the numbers before each end and behind the end before it.

        Adler-32 (RFC 1950, section 8.2) of n bytes x is, in its halves, 1 + x[0] + x[1] + … and
        n + n * x[0] + (n - 1) * x[1] + …, modulo 65521: of steps, how far the n numbers come and
        what they sum up to. Steps are raised so that none is below zero and taken apart into
        digits below 16, of which ``_MOST_AT_ONCE`` bring neither half to 65521.
        """
        raised, digits = self._digits()
        found = []
        number = total = self._first
        done = 0
        for end in ends:
            while done < end - 1:
                many = min(_MOST_AT_ONCE, end - 1 - done)
                total += many * number - raised * (many * (many + 1) // 2)
                number -= raised * many
                for weight, those in digits:
                    both = zlib.adler32(those[done : done + many])
                    total += weight * ((both >> 16) - many)
                    number += weight * ((both & 0xFFFF) - 1)
                done += many
            found.append(total)
            total = 0
        return found

    def _digits(self) -> tuple[int, list[tuple[int, bytes]]]:
        """Return by how much the steps are raised, and their digits, each with its weight."""
        *lower, highest = self._planes
        if not lower and not highest.translate(None, _SMALL):  # one digit is enough
            return 8, [(1, highest.translate(_RAISED_BY_8))]
        weight, digits = 1, []
        for plane in (*lower, highest.translate(_RAISED_BY_128)):
            digits.append((weight, plane.translate(_LOW_DIGIT)))
            digits.append((weight << 4, plane.translate(_HIGH_DIGIT)))
            weight <<= 8
        return weight >> 1, digits


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
    at, end = _read_times(raw, 0, count)
    mark, end = _read_column(raw, end, count)
    decimals, here, _, _ = _VALUES.unpack_from(raw, end)
    end += _VALUES.size
    if decimals == _DOUBLES:
        return Columns(at, _from_planes("d", raw, end, here)[0], mark), 1
    form, first, _ = _COLUMN.unpack_from(raw, end)
    if form - form % 16 == _DIFFERENCES and form % 16 in _SIGNED:
        planes, _ = _read_planes(raw, end + _COLUMN.size, here - 1, form % 16)
        return Columns(at, Differences(first, planes), mark), 10**decimals
    return Columns(at, _read_column(raw, end, here)[0], mark), 10**decimals


def _opened(raw: memoryview, count: int) -> Columns:
    at, end = _read_times(raw, 0, count)
    mark, end = _read_column(raw, end, count)
    decimals, here, lowest, highest = _VALUES.unpack_from(raw, end)
    end += _VALUES.size
    is_there: Sequence[int] = ()
    if here < count:
        is_there, end = _read_column(raw, end, count)
    values: Sequence[float]
    if decimals == _DOUBLES:
        values, _ = _from_planes("d", raw, end, here)
    else:
        values = _read_values(raw, end, here, decimals, lowest, highest)
    return Columns(at, _with_gaps(values, is_there) if here < count else values, mark)


def _with_gaps(values: Sequence[float], is_there: Sequence[int]) -> list[float | None]:
    """Return the values with ``None`` where there is none."""
    if len(is_there) - len(values) > _FEW:
        each = iter(values)
        return [next(each) if there else None for there in is_there]
    found: list[float | None] = list(values)
    place = -1
    for _ in range(len(is_there) - len(values)):
        place = is_there.index(0, place + 1)
        found.insert(place, None)
    return found


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


def _read_times(raw: memoryview, begin: int, count: int) -> tuple[Times, int]:
    form, first, runs = _COLUMN.unpack_from(raw, begin)
    if form == _RUNS:
        found, end = _runs(raw, begin + _COLUMN.size, count, first, runs)
        return Times(found), end
    one_by_one, end = _read_column(raw, begin, count)
    return Times([one_by_one]), end


def _from_runs(
    raw: memoryview, begin: int, count: int, first: int, runs: int
) -> tuple[Sequence[int], int]:
    found, end = _runs(raw, begin, count, first, runs)
    return list(chain.from_iterable(found)) if len(found) > 1 else list(found[0]), end


def _runs(
    raw: memoryview, begin: int, count: int, first: int, runs: int
) -> tuple[list[Sequence[int]], int]:
    told = struct.unpack_from(f"<{runs}q{runs}I", raw, begin)
    end = begin + 12 * runs
    steps, lengths = told[:runs], told[runs:]
    if sum(lengths) != max(count - 1, 0):
        raise BlockDamaged("a column has another length")
    if not runs:
        return [[first] * min(count, 1)], end
    found: list[Sequence[int]] = []
    last, more = first, 1  # the first number belongs to the first run
    for step, length in zip(steps, lengths, strict=True):
        start, many = last + step * (1 - more), length + more
        last += step * length
        found.append(range(start, last + step, step) if step else [start] * many)
        more = 0
    return found, end


def _planes(numbers: "array[Any]") -> bytes:
    """Return the lowest bytes of all numbers, then the next ones, and so on."""
    raw = _little(numbers).tobytes()
    width = numbers.itemsize
    return b"".join(raw[n::width] for n in range(width))


def _from_planes(code: str, raw: memoryview, begin: int, count: int) -> "tuple[array[Any], int]":
    planes, end = _read_planes(raw, begin, count, array(code).itemsize)
    return _woven(code, planes), end


def _read_planes(raw: memoryview, begin: int, count: int, width: int) -> tuple[list[bytes], int]:
    end = begin + count * width
    if count < 0 or end > len(raw):
        raise BlockDamaged("a column is cut off")
    return [bytes(raw[begin + n * count : begin + (n + 1) * count]) for n in range(width)], end


def _woven(code: str, planes: Sequence[bytes]) -> "array[Any]":
    found = array(code)
    if len(planes) == 1:
        found.frombytes(planes[0])
        return found
    woven = bytearray(len(planes) * len(planes[0]))
    for n, plane in enumerate(planes):
        woven[n :: len(planes)] = plane
    found.frombytes(woven)
    return _little(found)


def _little(numbers: "array[Any]") -> "array[Any]":
    """Return the numbers with their lowest byte first."""
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers
