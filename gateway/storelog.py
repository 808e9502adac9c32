"""The store's write-ahead log: whether SQLite leaves a part of it out, and how to read that too.

After a power cut the last minutes lie in the log. SQLite reads it up to the first frame whose
checksum is wrong: that is how it finds its end, because the last transaction may have been cut
off. A bit that flipped further up would take all later transactions along without a word. Each
frame's checksum goes on from that of the frame before it, so the later frames can be told to be
whole, and a copy with new checksums gives them back; the checksums of the rows then find what
flipped. A flip within the very last transaction cannot be told from a power cut.

Format: https://sqlite.org/fileformat.html, section 4.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nongso.gateway.storeschema import PAGE_BYTES

_HEADER = struct.Struct(">6I")  # magic, version, page size, number, two salts; then the checksum
_HEADER_BYTES = 32
_FRAME = struct.Struct(">6I")  # page, pages after a commit or 0, two salts, the checksum
_FRAME_BYTES = _FRAME.size + PAGE_BYTES
_BIG_ENDIAN = 1  # in the last bit of the magic number: the order of the words that are summed
_MAGIC = 0x377F0682
_VERSION = 3007000

Sum = tuple[int, int]


class _Frame(NamedTuple):
    page: int
    size_after: int  # 0 unless it ends a transaction
    salts: Sum
    check: Sum
    summed: bytes  # what the checksum covers


def lost_commits(log: Path, used_frames: int) -> int:
    """Count transactions that lie in the log beyond what SQLite uses of it.

    One may be a transaction that a power cut interrupted; more are damage.
    """
    if not log.exists() or log.stat().st_size < _HEADER_BYTES + _FRAME_BYTES:
        return 0
    with open(log, "rb") as file:
        head = file.read(_HEADER_BYTES)
        salts = _salts_of(head)
        count = (log.stat().st_size - _HEADER_BYTES) // _FRAME_BYTES
        found = 0
        for number in range(0 if salts is None else used_frames, count):
            file.seek(_HEADER_BYTES + number * _FRAME_BYTES)
            page, size_after, *own, _, _ = _FRAME.unpack(file.read(_FRAME.size))
            if salts is None:  # the header is damaged
                salts = (own[0], own[1])
            found += tuple(own) == salts and size_after > 0 and page > 0
    return found


def mended(log: bytes) -> bytes:
    """Return the log with checksums that fit what is in it, up to its last sound commit."""
    if len(log) < _HEADER_BYTES + _FRAME_BYTES:
        return log  # nothing is in it
    frames = list(_frames(log))
    salts = _salts_of(log[:_HEADER_BYTES]) or (frames[0].salts if frames else (0, 0))
    is_big = bool(log[3] & _BIG_ENDIAN) if _salts_of(log[:_HEADER_BYTES]) else False
    before: Sum = struct.unpack(">2I", log[_HEADER_BYTES - 8 : _HEADER_BYTES])
    kept: list[_Frame] = []
    last_commit = 0
    for frame in frames:
        is_whole = _sum(frame.summed, before, is_big) == frame.check
        before = frame.check
        if not frame.page or not (is_whole or frame.salts == salts):
            continue
        kept.append(frame)
        if frame.size_after and is_whole:
            last_commit = len(kept)
    header = _HEADER.pack(_MAGIC | is_big, _VERSION, PAGE_BYTES, 0, *salts)
    check = _sum(header, (0, 0), is_big)
    out = [header, struct.pack(">2I", *check)]
    for frame in kept[:last_commit]:
        check = _sum(frame.summed, check, is_big)
        out += [frame.summed[:8], struct.pack(">4I", *salts, *check), frame.summed[8:]]
    return b"".join(out)


def _salts_of(header: bytes) -> Sum | None:
    """Return the salts of the frames that count; ``None`` if the header is damaged."""
    is_big = bool(header[3] & _BIG_ENDIAN)
    magic, _, _, _, *salts = _HEADER.unpack(header[: _HEADER.size])
    check = struct.unpack(">2I", header[_HEADER.size : _HEADER_BYTES])
    if magic & ~_BIG_ENDIAN != _MAGIC or _sum(header[: _HEADER.size], (0, 0), is_big) != check:
        return None
    return salts[0], salts[1]


def _frames(log: bytes) -> Iterator[_Frame]:
    for start in range(_HEADER_BYTES, len(log) - _FRAME_BYTES + 1, _FRAME_BYTES):
        page, size_after, salt, other, one, two = _FRAME.unpack_from(log, start)
        summed = log[start : start + 8] + log[start + _FRAME.size : start + _FRAME_BYTES]
        yield _Frame(page, size_after, (salt, other), (one, two), summed)


def _sum(content: bytes, start: Sum, is_big: bool) -> Sum:
    """Go on with the checksum of a log over some more bytes."""
    one, two = start
    words = struct.unpack(f"{'>' if is_big else '<'}{len(content) // 4}I", content)
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = one + first + two & 0xFFFFFFFF
        two = two + second + one & 0xFFFFFFFF
    return one, two
