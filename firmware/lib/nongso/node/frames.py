"""Frames: pieces of bytes in a file that tell whole from torn.

``0xA6, kind, length (2 bytes), body, CRC-32 of kind to body``. A frame holds a heading, one
sample, or several, each after its length (one byte below 128, else two). A reader that meets
anything else looks for the next whole frame, so a torn tail or a damaged spot costs only itself.
"""

import binascii
import struct

from nongso.node.interpreter import TYPE_CHECKING, const

if TYPE_CHECKING:
    from typing import BinaryIO

HEADING = 1
SAMPLE = 2
SAMPLES = 3

MAX_BODY = 1024
_MAGIC = const(0xA6)
AROUND = 8  # bytes of a frame besides its body


def check(body: bytes) -> None:
    """Raise ``ValueError`` for a body over 1 KiB."""
    if len(body) > MAX_BODY:
        raise ValueError("a frame holds at most %d bytes, not %d" % (MAX_BODY, len(body)))


def frame(kind: int, body: bytes) -> bytes:
    """Wrap a body. Raises ``ValueError`` for one over 1 KiB."""
    check(body)
    inner = struct.pack("<BH", kind, len(body)) + body
    return bytes([_MAGIC]) + inner + struct.pack("<I", binascii.crc32(inner))


def samples(bodies: "list[bytes]") -> "tuple[bytes, list[int]]":
    """Wrap samples; return the frame and where in it each ends, the last at the frame's end."""
    if len(bodies) == 1:
        made = frame(SAMPLE, bodies[0])
        return made, [len(made)]
    out = bytearray()
    ends = []
    for body in bodies:
        if len(body) > 127:
            out.append(len(body) >> 8 | 128)
        out.append(len(body) & 255)
        out += body
        ends.append(4 + len(out))
    made = frame(SAMPLES, bytes(out))
    ends[-1] = len(made)
    return made, ends


def fits(bodies: "list[bytes]", room: int) -> bool:
    """Say whether so many samples may be in one frame of at most so many bytes."""
    size = sum(len(body) for body in bodies)
    if len(bodies) > 1:
        size += sum(2 if len(body) > 127 else 1 for body in bodies)
    return size <= MAX_BODY and size + AROUND <= room


def split(kind: int, body: bytes) -> "list[tuple[bytes, int]]":
    """Return the samples of a frame and where in it each ends, as ``samples`` says."""
    if kind == SAMPLE:
        return [(body, len(body) + AROUND)]
    found: list[tuple[bytes, int]] = []
    at = 0
    while kind == SAMPLES and at < len(body):
        length = body[at]
        at += 1
        if length > 127:
            length = (length & 127) << 8 | body[at]
            at += 1
        at += length
        end = len(body) + AROUND if at >= len(body) else 4 + at
        found.append((body[at - length : at], end))
    return found


def frame_at(found: bytes, start: int) -> "tuple[int, bytes, int] | None":
    """Return kind, body and end of the whole frame at this place, or ``None``."""
    if len(found) - start < AROUND or found[start] != _MAGIC:
        return None
    kind, length = struct.unpack_from("<BH", found, start + 1)
    end = start + AROUND + length
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
    head = file.read(AROUND)
    if len(head) == AROUND and head[0] == _MAGIC:
        length = struct.unpack_from("<H", head, 2)[0]
        if length <= MAX_BODY:
            found = frame_at(head + file.read(length), 0)
            if found is not None:
                return found[0], found[1], offset + found[2], 0
        file.seek(offset)
        rest = file.read()
    else:
        rest = head + file.read()
    for start in range(1, len(rest) - AROUND + 1):
        found = frame_at(rest, start)
        if found is not None:
            return found[0], found[1], offset + found[2], start
    return None
