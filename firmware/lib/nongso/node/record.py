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


class Reader:
    """Reads packed samples one after the other, without taking memory for them."""

    def open(self, packed: bytes) -> None:
        """Read the beginning of a sample: its number, time, and how many were lost before it."""
        self.start(packed)
        self.seq = self.number()
        at = self.number()
        self.at, self.is_unix = at >> 1, at & 1 == 1
        self.lost = self.number()

    def start(self, packed: bytes) -> None:
        """Read numbers from the first byte on."""
        self._packed, self.place = packed, 0

    def number(self) -> int:
        """Read the next number."""
        number = shift = 0
        while True:
            byte = self._packed[self.place]
            self.place += 1
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number

    def skip(self, count: int) -> None:
        """Pass over so many numbers."""
        while count:
            if self._packed[self.place] < 128:
                count -= 1
            self.place += 1


def pack_heading(boot: int, simulated: bool, columns: "tuple[str, ...]") -> bytes:
    """Write a heading."""
    out = bytearray()
    _put(out, boot)
    _put(out, 1 if simulated else 0)
    return bytes(out) + ",".join(columns).encode()


def unpack_heading(packed: bytes) -> Heading:
    """Read a heading."""
    reader = Reader()
    reader.start(packed)
    boot, simulated = reader.number(), reader.number()
    names = str(packed[reader.place :], "utf-8")
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
    reader = Reader()
    reader.open(packed)
    values: list[int | str] = []
    for _ in range(columns):
        number = reader.number()
        kind, number = number & 3, number >> 2
        values.append(STATUSES[number] if kind == 3 else -number if kind == 1 else number)
    return Record(reader.seq, reader.at, reader.is_unix, reader.lost, values)
