"""Frames: pieces of bytes in a file that tell whole from torn.

``0xA6, kind, length (2 bytes), body, CRC-32 of kind to body``. A reader that meets anything
else looks for the next whole frame, so a torn tail or a damaged spot costs only itself.
"""

import binascii
import struct

from nongso.node.interpreter import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

HEADING = 1
SAMPLE = 2

MAX_BODY = 1024
_MAGIC = 0xA6
_AROUND = 8  # bytes of a frame besides its body


def frame(kind: int, body: bytes) -> bytes:
    """Wrap a body. Raises ``ValueError`` for one over 1 KiB."""
    if len(body) > MAX_BODY:
        raise ValueError("a frame holds at most %d bytes, not %d" % (MAX_BODY, len(body)))
    inner = struct.pack("<BH", kind, len(body)) + body
    return bytes([_MAGIC]) + inner + struct.pack("<I", binascii.crc32(inner))


def _frame_at(found: bytes, start: int) -> "tuple[int, bytes, int] | None":
    """Return kind, body and end of the whole frame at this place, or ``None``."""
    if len(found) - start < _AROUND or found[start] != _MAGIC:
        return None
    kind, length = struct.unpack_from("<BH", found, start + 1)
    end = start + _AROUND + length
    if length > MAX_BODY or end > len(found):
        return None
    inner = found[start + 1 : end - 4]
    if struct.unpack_from("<I", found, end - 4)[0] != binascii.crc32(inner):
        return None
    return kind, inner[3:], end


def read(file: "BinaryIO", offset: int) -> "tuple[int, bytes, int, int] | None":
    """Find the first whole frame at or after an offset.

    Returns kind, body, the offset after it, and how many bytes had to be skipped before
    it; ``None`` when there is no whole frame any more.
    """
    file.seek(offset)
    head = file.read(_AROUND)
    if len(head) == _AROUND and head[0] == _MAGIC:
        length = struct.unpack_from("<H", head, 2)[0]
        if length <= MAX_BODY:
            found = _frame_at(head + file.read(length), 0)
            if found is not None:
                return found[0], found[1], offset + found[2], 0
        file.seek(offset)
        rest = file.read()
    else:
        rest = head + file.read()
    for start in range(1, len(rest) - _AROUND + 1):
        found = _frame_at(rest, start)
        if found is not None:
            return found[0], found[1], offset + found[2], start
    return None
