"""A sample as it lies in the ring: a heading once, then a few bytes per sample.

The heading says what holds for the samples after it (boot number, series names), so that
every message can be written again with the same bytes, also after a restart with another
configuration. Numbers are whole and of any size (seven bits a byte).
"""

from collections import namedtuple

from nongso.wire.writing import STATUSES

Heading = namedtuple("Heading", ("boot", "simulated", "columns"))
# at: Unix seconds, or seconds since the start of that boot while it had no clock
Record = namedtuple("Record", ("seq", "at", "is_unix", "lost", "values"))


def _put(out: bytearray, number: int) -> None:
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)


class _Reader:
    def __init__(self, packed: bytes) -> None:
        self._packed = packed
        self._i = 0

    def number(self) -> int:
        number = shift = 0
        while True:
            byte = self._packed[self._i]
            self._i += 1
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number


def pack_heading(boot: int, simulated: bool, columns: "tuple[str, ...]") -> bytes:
    """Write a heading."""
    out = bytearray()
    _put(out, boot)
    _put(out, 1 if simulated else 0)
    return bytes(out) + ",".join(columns).encode()


def unpack_heading(packed: bytes) -> Heading:
    """Read a heading."""
    reader = _Reader(packed)
    boot, simulated = reader.number(), reader.number()
    names = str(packed[reader._i :], "utf-8")
    return Heading(boot, simulated == 1, tuple(names.split(",")))


def pack(seq: int, at: int, is_unix: bool, lost: int, values: "list[int | str]") -> bytes:
    """Write a sample. A value is a whole number or a status word."""
    out = bytearray()
    _put(out, seq)
    _put(out, at << 1 | (1 if is_unix else 0))
    _put(out, lost)
    for value in values:
        if isinstance(value, str):
            _put(out, (STATUSES.index(value) << 2) | 3)
        elif value < 0:
            _put(out, (-value << 2) | 1)
        else:
            _put(out, value << 2)
    return bytes(out)


def unpack(packed: bytes, columns: int) -> Record:
    """Read a sample of so many columns."""
    reader = _Reader(packed)
    seq, at, lost = reader.number(), reader.number(), reader.number()
    values: list[int | str] = []
    for _ in range(columns):
        number = reader.number()
        kind, number = number & 3, number >> 2
        values.append(STATUSES[number] if kind == 3 else -number if kind == 1 else number)
    return Record(seq, at >> 1, at & 1 == 1, lost, values)
