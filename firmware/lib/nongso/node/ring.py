"""The node's memory: samples on the flash, oldest first, until they may be forgotten.

How this works. Frames are appended to segment files; a small cursor file says where the
oldest sample lies that is not yet forgotten. A segment is removed when the cursor has passed
it, or, when the ring is full, to make room: then what it still held is counted in ``lost``.
Every sample is on the disk before ``append`` returns. The cursor file has two places that
are written in turn, in place, so that one of them is always whole (removing and writing anew is
not safe against a power cut; measured). A cursor that is too old costs only repeated sending.

When the flash cannot be written, samples stay in memory and can be read from there.
Nothing here knows what a sample means, or of the network.
"""

import binascii
import os
import struct
from collections import namedtuple

from nongso.node import frames
from nongso.node.interpreter import sync
from nongso.node.log import Trouble

# place: opaque, for ``forget``
Item = namedtuple("Item", ("heading", "body", "place"))

_CURSOR = "<5I"
_SLOT = 32
_IN_MEMORY = 1 << 30  # as segment number: larger than any real one
_MEMORY_SAMPLES = 60


class RingError(OSError):
    """The ring's folder cannot be used; the text says what, where and what to do."""


class Ring:
    """Samples in one folder. ``lost`` counts samples given up, ``damaged`` spots skipped."""

    def __init__(
        self, folder: str, capacity_bytes: int = 262144, segment_bytes: int = 4096
    ) -> None:
        """Open or make the ring. Raises ``RingError`` if the folder cannot be read or made."""
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._most_segments = max(2, capacity_bytes // segment_bytes)
        self._trouble = Trouble("ring in " + folder)
        self._unwritten: list[Item] = []
        self._memory_count = 0
        self.lost = self.damaged = 0
        self._generation = 0
        self._oldest = (0, 0)  # segment and offset of the oldest sample not forgotten
        _make_folder(folder)
        try:
            self._open()
        except OSError as e:
            raise RingError(
                "the samples in %s cannot be read (%s): check the rights of the files there; "
                "if the flash is damaged, move the folder away (it holds what was not sent) and "
                "start again" % (folder, e)
            )
        self._read_in_memory = 0
        self._reader, self._reader_heading = (0, 0), b""
        self._go_to_oldest()

    def _open(self) -> None:
        self._segments = sorted(
            int(name[:-4])
            for name in os.listdir(self._folder)
            if name.endswith(".seg") and name[:-4].isdigit()
        )
        self._load_cursor()
        while self._segments and self._segments[0] < self._oldest[0]:
            self._remove(self._segments.pop(0))
        if self._segments and self._segments[0] > self._oldest[0]:
            self._oldest = (self._segments[0], 0)
        self._open_last()

    def append(self, heading: bytes, body: bytes) -> None:
        """Keep a sample; on return it is on the disk, or, after a failure that is said, in memory.

        Raises ``ValueError`` for a sample or heading over 1 KiB.
        """
        frames.frame(frames.SAMPLE, body)
        frames.frame(frames.HEADING, heading)
        self._memory_count += 1
        self._unwritten.append(Item(heading, body, (_IN_MEMORY, self._memory_count)))
        try:
            while self._unwritten:
                self._write(self._unwritten[0])
                self._unwritten.pop(0)
        except OSError as e:
            self._writable = False  # what was begun may be torn: never append to it
            self._trouble.failed("cannot write (%s); samples stay in memory" % e)
            if len(self._unwritten) > _MEMORY_SAMPLES:
                self._unwritten.pop(0)
                self.lost += 1
        else:
            self._trouble.well("can write again")

    def read(self) -> "Item | None":
        """Return the next sample that was not read yet, oldest first; ``None`` at the end."""
        while self._reader[0] < _IN_MEMORY:
            item = self._read_segment()
            if item is not None:
                return item
            later = [s for s in self._segments if s > self._reader[0]]
            if not later:
                break
            self._reader, self._reader_heading = (later[0], 0), b""
        for item in self._unwritten:
            if item.place[1] > self._read_in_memory:
                self._read_in_memory = item.place[1]
                return item
        return None

    def forget(self, place: "tuple[int, int]") -> None:
        """Forget this sample and all older ones."""
        if place[0] == _IN_MEMORY:
            self._unwritten = [i for i in self._unwritten if i.place[1] > place[1]]
            return
        if place <= self._oldest:
            return
        self._oldest = place
        self._save_cursor()
        while self._segments and self._segments[0] < place[0]:
            self._remove(self._segments.pop(0))

    def _go_to_oldest(self) -> None:
        """Walk up to the cursor, because headings stand before the samples they hold for."""
        segment, offset = self._oldest
        self._reader, self._reader_heading = (segment, 0), b""
        damaged = self.damaged
        while segment in self._segments and self._reader[1] < offset:
            if self._read_segment() is None:
                break
        self.damaged = damaged

    # --- segments

    def _path(self, segment: int) -> str:
        return "%s/%08d.seg" % (self._folder, segment)

    def _remove(self, segment: int) -> None:
        try:
            os.remove(self._path(segment))
        except OSError as e:
            self._trouble.failed("cannot remove segment %d (%s)" % (segment, e))

    def _open_last(self) -> None:
        """Go on in the last segment if it is whole to its end."""
        self._writable = False
        self._heading = b""
        self._size = 0
        if not self._segments:
            return
        path = self._path(self._segments[-1])
        with open(path, "rb") as file:
            while True:
                found = frames.read(file, self._size)
                if found is None:
                    break
                kind, body, self._size, _ = found
                if kind == frames.HEADING:
                    self._heading = body
        self._writable = os.stat(path)[6] == self._size

    def _write(self, item: Item) -> None:
        out = frames.frame(frames.SAMPLE, item.body)
        if not self._writable or self._size + len(out) > self._segment_bytes:
            self._begin_segment()
        if self._heading != item.heading:
            out = frames.frame(frames.HEADING, item.heading) + out
        with open(self._path(self._segments[-1]), "ab") as file:
            if file.write(out) != len(out):
                raise OSError(28)  # no space left
            sync(file)
        self._size += len(out)
        self._heading = item.heading

    def _begin_segment(self) -> None:
        if self._segments and self._size == 0:
            segment = self._segments.pop()  # nothing whole came into it: begin it again
        else:
            while len(self._segments) >= self._most_segments:
                self._give_up_oldest()
            segment = max(self._oldest[0], self._segments[-1] if self._segments else 0) + 1
        with open(self._path(segment), "wb"):
            self._segments.append(segment)
        self._writable = True
        self._heading = b""
        self._size = 0

    def _give_up_oldest(self) -> None:
        segment = self._segments[0]
        with open(self._path(segment), "rb") as file:
            offset = self._oldest[1] if segment == self._oldest[0] else 0
            while True:
                found = frames.read(file, offset)
                if found is None:
                    break
                offset = found[2]
                self.lost += found[0] == frames.SAMPLE
        self._segments.pop(0)
        self._oldest = (self._segments[0], 0)
        if self._reader < self._oldest:
            self._reader, self._reader_heading = self._oldest, b""
        self._save_cursor()
        self._remove(segment)

    def _read_segment(self) -> "Item | None":
        """Return the next sample of the segment that is being read."""
        segment, offset = self._reader
        if segment not in self._segments:
            return None
        with open(self._path(segment), "rb") as file:
            while True:
                found = frames.read(file, offset)
                if found is None:
                    return None
                kind, body, offset, skipped = found
                if skipped:
                    self.damaged += 1
                self._reader = (segment, offset)
                if kind == frames.HEADING:
                    self._reader_heading = body
                elif kind == frames.SAMPLE and self._reader_heading:
                    return Item(self._reader_heading, body, self._reader)

    # --- cursor

    def _load_cursor(self) -> None:
        try:
            with open(self._folder + "/cursor", "rb") as file:
                found = file.read()
        except OSError:
            return
        for start in (0, _SLOT):
            slot = found[start : start + 24]
            if len(slot) < 24 or struct.unpack("<I", slot[20:])[0] != binascii.crc32(slot[:20]):
                continue
            generation, segment, offset, lost, damaged = struct.unpack(_CURSOR, slot[:20])
            if generation > self._generation:
                self._generation = generation
                self._oldest = (segment, offset)
                self.lost, self.damaged = lost, damaged

    def _save_cursor(self) -> None:
        self._generation += 1
        slot = struct.pack(
            _CURSOR, self._generation, self._oldest[0], self._oldest[1], self.lost, self.damaged
        )
        slot += struct.pack("<I", binascii.crc32(slot)) + bytes(_SLOT - 24)
        path = self._folder + "/cursor"
        try:
            try:
                os.stat(path)
            except OSError:
                with open(path, "wb") as file:
                    file.write(bytes(_SLOT * 2))
            with open(path, "r+b") as file:
                file.seek(_SLOT * (self._generation & 1))
                file.write(slot)
        except OSError as e:  # an old cursor: after a restart some samples are sent again
            self._trouble.failed("cannot write the cursor (%s)" % e)


def _make_folder(folder: str) -> None:
    """Make the folder if it is not there. Raises ``RingError``."""
    try:
        os.mkdir(folder)
    except OSError as e:
        try:
            is_folder = os.stat(folder)[0] & 0x4000  # S_IFDIR
        except OSError:
            raise RingError(
                "the folder %s for the samples cannot be made (%s): check the free space and the "
                "rights of the folder around it" % (folder, e)
            )
        if not is_folder:
            raise RingError(
                "%s is a file, but the node keeps its samples in a folder of that name: rename or "
                "delete the file and start again" % folder
            )
