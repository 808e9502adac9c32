"""Finds readings and series in the pages of a damaged file, without the trees that lead to them.

How this works. SQLite reaches a row only through the pages above it, so one broken page near the
root hides a whole table. Here every page of the file and of its write-ahead log is looked at by
itself. Rows of ``reading`` lie in pages of the index kind, because the table is WITHOUT ROWID, and
have four columns of numbers. Sealed days lie whole on pages of the table kind, and their checksums
prove them. Pages of the free list are left out: what was taken out on purpose must not come back.

What this does not handle. The index of conflicts has four columns too, the last of which is never
twice the same; so a page in which no mark occurs twice is left out, also one with a single
reading. Where the free list itself is destroyed, removed readings may come back if their series
is known. Nothing here judges a value: the caller keeps what the metric makes possible.

Formats: https://sqlite.org/fileformat.html, sections 1.3, 1.5, 1.6, 2.1 and 4.1.
"""

import math
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from itertools import repeat
from pathlib import Path
from typing import BinaryIO, NamedTuple

from nongso.platform.telemetry import blocks, sealed
from nongso.platform.telemetry.blocks import BlockDamaged
from nongso.platform.telemetry.interface import Series

_TABLE_LEAF, _INDEX_LEAF, _INDEX_INSIDE = 13, 10, 2
_MAGIC = b"SQLite format 3\0"
_FILE_HEADER, _LOG_HEADER, _FRAME_HEADER = 100, 32, 24
_USUAL_PAGE = 4096
_PAGES_A_LIST = 8
_INTEGER_BYTES = (0, 1, 2, 3, 4, 6, 8)
_LARGEST_NUMBER = (1 << 63) - 1
_EXACT = 1 << 53  # a whole number beyond it is no value of ours

Cell = int | float | str | bytes | None


class Carved(NamedTuple):
    """A row of ``reading``, with the number of its series."""

    series: int
    at: int
    value: float | None
    mark: int


def readings_in(file: Path) -> Iterator[list[Carved]]:
    """Yield the rows of ``reading`` and of blocks in lists, in no order, perhaps repeatedly.

    Never raises because of what is in the file; what the disk does not give is passed over.
    """
    found: list[Carved] = []
    for count, page in enumerate(_pages(file)):
        found.extend(_readings_of(page))
        found.extend(_sealed_of(page))
        if count % _PAGES_A_LIST == 0 and found:
            yield found
            found = []
    if found:
        yield found


def series_in(file: Path) -> dict[int, Series]:
    """Return the series by number; one that is found under two names at once has none."""
    found: dict[int, Series | None] = {}
    for page in _pages(file):
        for number, series in _series_of(page):
            found[number] = series if found.get(number, series) == series else None
    return {number: series for number, series in found.items() if series is not None}


def _readings_of(page: bytes) -> list[Carved]:
    if page[0] not in (_INDEX_LEAF, _INDEX_INSIDE):
        return []
    found = []
    for _, cells in _rows(page):
        if len(cells) != 4:
            continue
        series, at, value, mark = cells
        if isinstance(value, int) and abs(value) < _EXACT:
            value = float(value)  # SQLite keeps 20.0 as 20
        if (
            isinstance(series, int)
            and isinstance(at, int)
            and isinstance(mark, int)
            and (value is None or (isinstance(value, float) and math.isfinite(value)))
        ):
            found.append(Carved(series, at, value, mark))
    return [] if len({row.mark for row in found}) == len(found) else found


def _sealed_of(page: bytes) -> Iterator[Carved]:
    """Return the readings of the sound blocks of a page."""
    if page[0] != _TABLE_LEAF:
        return
    for place, cells in _rows(page):
        if len(cells) == 2 and cells[0] is None and isinstance(cells[1], bytes):
            with suppress(BlockDamaged):
                found = blocks.unseal(place, cells[1])
                yield from map(Carved, repeat(sealed.series_of(place)), *found)


def _series_of(page: bytes) -> Iterator[tuple[int, Series]]:
    """Return the series of a page of the table, or of the index that holds them once more."""
    for rowid, cells in _rows(page):
        if len(cells) != 5:
            continue
        if page[0] == _TABLE_LEAF:
            number: Cell = rowid if cells[0] is None else None
            greenhouse, zone, node, name = cells[1:]
        else:
            node, name, greenhouse, zone, number = cells
        if (
            isinstance(number, int)
            and isinstance(greenhouse, str)
            and isinstance(zone, str)
            and isinstance(node, str)
            and isinstance(name, str)
            and 0 < number <= _LARGEST_NUMBER
        ):
            yield number, Series(greenhouse, zone, node, name)


def _pages(file: Path) -> Iterator[bytes]:
    """Yield every page of the file that is in use and could hold rows, then those of its log."""
    for path, of_file in ((file, _file_pages), (Path(f"{file}-wal"), _log_pages)):
        with suppress(OSError), open(path, "rb") as opened:
            for page in of_file(opened):
                if page and page[0] in (_TABLE_LEAF, _INDEX_LEAF, _INDEX_INSIDE):
                    yield page


def _file_pages(opened: BinaryIO) -> Iterator[bytes]:
    head = _read(opened, 0, _FILE_HEADER)
    page_bytes, first_free = _USUAL_PAGE, 0
    if head.startswith(_MAGIC) and len(head) == _FILE_HEADER:
        page_bytes = _page_bytes(int.from_bytes(head[16:18], "big"))
        first_free = int.from_bytes(head[32:36], "big")
    count = os.fstat(opened.fileno()).st_size // page_bytes
    free = _free_pages(opened, page_bytes, count, first_free)
    for number in range(2, count + 1):  # the first page holds the schema
        if not free[number]:
            yield _read(opened, (number - 1) * page_bytes, page_bytes)


def _free_pages(opened: BinaryIO, page_bytes: int, count: int, trunk: int) -> bytearray:
    """Return a byte for each page: whether the free list names it, as far as that goes."""
    free = bytearray(count + 1)
    while 1 < trunk <= count and not free[trunk]:
        page = _read(opened, (trunk - 1) * page_bytes, page_bytes)
        if len(page) < page_bytes:
            break
        trunk_after, named = struct.unpack_from(">II", page)
        if named > page_bytes // 4 - 2 or not any(page):
            break  # no page of the list any more
        free[trunk] = 1
        for number in struct.unpack_from(f">{named}I", page, 8):
            if 1 < number <= count:
                free[number] = 1
        trunk = trunk_after
    return free


def _log_pages(opened: BinaryIO) -> Iterator[bytes]:
    head = _read(opened, 0, _LOG_HEADER)
    if len(head) < _LOG_HEADER:
        return
    page_bytes = _page_bytes(int.from_bytes(head[8:12], "big"))
    size = os.fstat(opened.fileno()).st_size
    for begin in range(_LOG_HEADER, size, page_bytes + _FRAME_HEADER):
        frame = _read(opened, begin, page_bytes + _FRAME_HEADER)
        if len(frame) == page_bytes + _FRAME_HEADER and frame[8:16] == head[16:24]:
            yield frame[_FRAME_HEADER:]


def _page_bytes(named: int) -> int:
    named = 65536 if named == 1 else named
    return named if 512 <= named <= 65536 and named & (named - 1) == 0 else _USUAL_PAGE


def _read(opened: BinaryIO, begin: int, size: int) -> bytes:
    try:
        opened.seek(begin)
        return opened.read(size)
    except OSError:  # a bad spot on the disk
        return b""


def _rows(page: bytes) -> Iterator[tuple[int, list[Cell]]]:
    """Yield the row number (0 in an index) and the columns of each cell that can be read."""
    head = 12 if page[0] == _INDEX_INSIDE else 8
    if len(page) < head:
        return
    count = min(int.from_bytes(page[3:5], "big"), (len(page) - head) // 2)
    for at in struct.unpack_from(f">{count}H", page, head):
        if at < head + 2 * count:
            continue
        with suppress(IndexError, ValueError, struct.error):  # no row of ours
            start = at + 4 if page[0] == _INDEX_INSIDE else at
            size, start = _varint(page, start)
            rowid = 0
            if page[0] == _TABLE_LEAF:
                rowid, start = _varint(page, start)
            if 0 < size <= len(page) - start:  # rows that go on in other pages are none of ours
                yield rowid, _record(page[start : start + size])


def _record(raw: bytes) -> list[Cell]:
    """Return the columns of a record. Raises ``ValueError``, ``IndexError`` if it is none."""
    body, at = _varint(raw, 0)
    if not 0 < body <= min(len(raw), 64):  # ours have five columns at most
        raise ValueError("no record of ours")
    kinds = []
    while at < body:
        kind, at = _varint(raw, at)
        kinds.append(kind)
    found: list[Cell] = []
    for kind in kinds:
        if kind in (0, 8, 9):
            length = 0
            found.append(None if kind == 0 else kind - 8)
        elif kind == 7:
            length = 8
            found.append(struct.unpack_from(">d", raw, body)[0])
        elif 1 <= kind <= 6:
            length = _INTEGER_BYTES[kind]
            found.append(int.from_bytes(raw[body : body + length], "big", signed=True))
        elif kind >= 12:
            length = (kind - 12) // 2
            cell = raw[body : body + length]
            found.append(cell.decode() if kind % 2 else cell)
        else:
            raise ValueError("no type of ours")
        body += length
    if body != len(raw):
        raise ValueError("a record of another length")
    return found


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    """Return a number of one to nine bytes and where it ends."""
    value = 0
    for _ in range(8):
        byte = raw[at]
        at += 1
        value = value << 7 | byte & 127
        if byte < 128:
            return value, at
    return value << 8 | raw[at], at + 1
