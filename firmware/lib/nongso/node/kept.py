"""A few whole numbers that outlive a power cut, in one small file.

The file has two places that are written in turn, in place, so that one of them is always whole
(removing and writing anew is not safe against a power cut; measured). It stays below littlefs'
inline limit of 128 bytes: writing it costs about 0.015 erased blocks.
"""

import binascii
import os
import struct

_PLACE = 32
_MOST = 5


class Kept:
    """``numbers`` as they were kept last; ``count`` zeros where nothing readable is there."""

    def __init__(self, path: str, count: int) -> None:
        assert 1 <= count <= _MOST
        self._path = path
        self._layout = "<%dI" % (count + 1)  # a generation before them
        self._generation = 0
        self.numbers: tuple[int, ...] = (0,) * count
        try:
            with open(path, "rb") as file:
                found = file.read(2 * _PLACE)
        except OSError:
            return
        size = struct.calcsize(self._layout)
        for start in (0, _PLACE):
            place = found[start : start + size + 4]
            if len(place) < size + 4:
                continue
            if struct.unpack("<I", place[size:])[0] != binascii.crc32(place[:size]):
                continue
            generation, *numbers = struct.unpack(self._layout, place[:size])
            if generation > self._generation:
                self._generation, self.numbers = generation, tuple(numbers)

    def keep(self, numbers: "tuple[int, ...]") -> None:
        """Keep these numbers. Raises ``OSError``; they are then known until the restart."""
        self.numbers = numbers
        self._generation += 1
        place = struct.pack(self._layout, self._generation, *numbers)
        place += struct.pack("<I", binascii.crc32(place))
        try:
            os.stat(self._path)
        except OSError:
            with open(self._path, "wb") as file:
                file.write(bytes(2 * _PLACE))
        with open(self._path, "r+b") as file:
            file.seek(_PLACE * (self._generation & 1))
            file.write(place + bytes(_PLACE - len(place)))
