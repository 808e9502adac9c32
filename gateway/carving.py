"""Finds rows in the pages of a damaged store without the trees that lead to them.

SQLite gives up a table at the first page that it cannot follow. Rows that never change once they
are written (all but state and newest readings) can still be taken from every page that holds some,
in the file and in its log, because each carries a checksum. Such a page may have been given up
already: then a row comes to light again that was sent before, which changes nothing at the
platform.

Page and record formats: https://sqlite.org/fileformat.html, sections 1.6, 2.1 and 4.1.
"""

import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from nongso.gateway.storeschema import PAGE_BYTES, Cells, Table

_TABLE_LEAF, _INDEX_LEAF, _INDEX_INSIDE = 13, 10, 2
_LOG_HEADER, _FRAME_HEADER = 32, 24
MOST_BODY = 1 << 24
_LEAST_LOCAL = (PAGE_BYTES - 12) * 32 // 255 - 23
_MOST_LOCAL = {
    _TABLE_LEAF: PAGE_BYTES - 35,
    _INDEX_LEAF: (PAGE_BYTES - 12) * 64 // 255 - 23,
    _INDEX_INSIDE: (PAGE_BYTES - 12) * 64 // 255 - 23,
}
_INTEGER_BYTES = (0, 1, 2, 3, 4, 6, 8)


def carve(file: Path, table: Table, is_known: Callable[[Cells], bool]) -> Iterator[Cells]:
    """Return the sound rows whose key is not known, in no order, perhaps repeatedly."""
    kinds = (_TABLE_LEAF,) if table.is_numbered else (_INDEX_LEAF, _INDEX_INSIDE)
    with _Pages(file) as pages:
        for page in pages.every():
            if len(page) == PAGE_BYTES and page[0] in kinds:
                yield from _rows_of(pages, page, table, is_known)


def _rows_of(
    pages: "_Pages", page: bytes, table: Table, is_known: Callable[[Cells], bool]
) -> Iterator[Cells]:
    """Return the rows of one page, if one of some samples shows that it is the table's."""
    cells = _cells(page)
    samples = [*cells[:3], *cells[-2:]]
    if not any(_columns(page, cell, table) == len(table.columns) + 1 for cell in samples):
        return
    for cell in cells:
        row = _sound(pages, page, cell, table, is_known)
        if row is not None:
            yield row


def _columns(page: bytes, at: int, table: Table) -> int:
    """Return how many columns the row of a cell has."""
    try:
        at += 4 if page[0] == _INDEX_INSIDE else 0
        _, at = _varint(page, at)
        if table.is_numbered:
            _, at = _varint(page, at)
        size, kinds = _varint(page, at)
        end, count = at + size, 0
        while kinds < end:
            _, kinds = _varint(page, kinds)
            count += 1
        return count
    except IndexError:
        return -1


def _sound(
    pages: "_Pages", page: bytes, at: int, table: Table, is_known: Callable[[Cells], bool]
) -> Cells | None:
    """Return the row of a cell, if it is one of the table's, sound and not known."""
    try:
        row = _row(pages, page, at, table, is_known)
    except (IndexError, ValueError, struct.error):
        return None  # no row of ours
    sound = table.readable(row) if row is not None else None
    return None if sound is None or is_known(sound[: len(table.key)]) else sound


class _Pages:
    """The pages of a file and of its log."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "rb")  # noqa: SIM115 (closed on leaving)
        self._places: dict[int, int] = {}  # of overflow pages in the log, the newest of each
        log = Path(f"{path}-wal")
        self._log = open(log, "rb") if log.exists() else None  # noqa: SIM115
        self._frames = 0
        if self._log is not None:
            size = os.fstat(self._log.fileno()).st_size - _LOG_HEADER
            self._frames = max(0, size // (PAGE_BYTES + _FRAME_HEADER))

    def __enter__(self) -> "_Pages":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        if self._log is not None:
            self._log.close()

    def every(self) -> Iterator[bytes]:
        """Return every page: the file's, then all versions in the log."""
        if self._log is not None:
            for number in range(self._frames):
                self._log.seek(_LOG_HEADER + number * (PAGE_BYTES + _FRAME_HEADER))
                self._places[int.from_bytes(self._log.read(4), "big")] = number
        for number in range(os.fstat(self._file.fileno()).st_size // PAGE_BYTES):
            yield self._read(self._file, number * PAGE_BYTES)
        for number in range(self._frames):
            yield self._frame(number)

    def page(self, number: int) -> bytes:
        """Return the newest version of a page."""
        if number in self._places:
            return self._frame(self._places[number])
        return self._read(self._file, (number - 1) * PAGE_BYTES)

    def _frame(self, number: int) -> bytes:
        place = _LOG_HEADER + number * (PAGE_BYTES + _FRAME_HEADER) + _FRAME_HEADER
        return self._read(self._log, place)

    @staticmethod
    def _read(file: BinaryIO | None, place: int) -> bytes:
        if file is None:
            return b""
        try:
            file.seek(place)
            return file.read(PAGE_BYTES)
        except OSError:  # a bad spot on the disk
            return b""


def _cells(page: bytes) -> list[int]:
    """Return where the cells of a page begin."""
    head = 12 if page[0] == _INDEX_INSIDE else 8
    count = min(int.from_bytes(page[3:5], "big"), (PAGE_BYTES - head) // 2)
    return [
        place
        for place in struct.unpack_from(f">{count}H", page, head)
        if head < place < PAGE_BYTES - 4
    ]


def _row(
    pages: _Pages, page: bytes, at: int, table: Table, is_known: Callable[[Cells], bool]
) -> Cells | None:
    """Return the columns of a cell and its checksum, as the table's SELECT does."""
    if page[0] == _INDEX_INSIDE:
        at += 4
    size, at = _varint(page, at)
    if not 0 < size <= MOST_BODY:
        return None
    number = None
    if table.is_numbered:
        number, at = _varint(page, at)
        if is_known((number,)):
            return None
    cells = _record(_payload(pages, page, at, size))
    if table.is_numbered:
        cells[0] = number
    return tuple(cells) if len(cells) == len(table.columns) + 1 else None


def _payload(pages: _Pages, page: bytes, at: int, size: int) -> bytes:
    """Return the bytes of a record, also where it goes on in other pages."""
    local, most = size, _MOST_LOCAL[page[0]]
    if size > most:
        local = _LEAST_LOCAL + (size - _LEAST_LOCAL) % (PAGE_BYTES - 4)
        local = local if local <= most else _LEAST_LOCAL
    found = page[at : at + local]
    if size > local:
        parts, next_page = [found], int.from_bytes(page[at + local : at + local + 4], "big")
        left = size - local
        while left > 0 and next_page:
            other = pages.page(next_page)
            parts.append(other[4 : 4 + left])
            left -= PAGE_BYTES - 4
            next_page = int.from_bytes(other[:4], "big")
        found = b"".join(parts)
    if len(found) != size:
        raise ValueError("a record is cut off")
    return found


def _record(raw: bytes) -> list[object]:
    """Return the columns of a record; texts as bytes."""
    body, at = _varint(raw, 0)
    kinds = []
    while at < body:
        kind, at = _varint(raw, at)
        kinds.append(kind)
    found: list[object] = []
    for kind in kinds:
        if kind >= 12:
            length = (kind - 12) // 2
            found.append(raw[body : body + length])
        elif kind == 7:
            length = 8
            found.append(struct.unpack_from(">d", raw, body)[0])
        elif kind in (0, 8, 9):
            length = 0
            found.append(None if kind == 0 else kind - 8)
        else:
            length = _INTEGER_BYTES[kind]
            found.append(int.from_bytes(raw[body : body + length], "big", signed=True))
        body += length
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
    value = value << 8 | raw[at]
    return value - (1 << 64) if value >> 63 else value, at + 1
