"""The node's memory: samples on the flash, oldest first, until they may be forgotten.

How this works. New samples wait in memory, in the *tail*. While the gateway acknowledges them
from there, nothing is ever written. When the tail is full (``batch``), or its owner fears for it
(``flush``), it is written in one piece, because on littlefs each piece costs a whole erased block,
however small it is (measured). So a power cut takes at most ``batch - 1`` samples, of which the
gateway has none; with a batch of one, every sample is on the flash before ``append`` returns.

Frames are appended to segment files; a small cursor (``kept``) says where the oldest sample lies
that is not yet forgotten. A segment is removed when the cursor has passed it, or, when the ring
is full, to make room: then what it still held is counted in ``lost``. A cursor that is too old
costs only repeated sending. When the flash cannot be written, samples stay in the tail.
Nothing here knows what a sample means, or of the network.
"""

import os

from nongso.node import frames
from nongso.node.interpreter import const, sync
from nongso.node.kept import Kept
from nongso.node.log import Trouble

_IN_MEMORY = const(1 << 30)  # as segment number: larger than any real one
_MEMORY_SAMPLES = const(60)


class Item:
    """One sample. ``place`` is opaque, for ``forget``; it moves from memory to the flash."""

    def __init__(self, heading: bytes, body: bytes, place: "tuple[int, int]") -> None:
        self.heading = heading
        self.body = body
        self.place = place


class RingError(OSError):
    """The ring's folder cannot be used; the text says what, where and what to do."""


class Ring:
    """Samples in one folder. ``lost`` counts samples given up, ``damaged`` spots skipped."""

    def __init__(
        self,
        folder: str,
        capacity_bytes: int = 262144,
        segment_bytes: int = 4096,
        batch: int = 1,
    ) -> None:
        """Open or make the ring. Raises ``RingError`` if the folder cannot be read or made."""
        self.batch = batch
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._most_segments = max(2, capacity_bytes // segment_bytes)
        self._trouble = Trouble("ring in " + folder)
        self._tail: list[Item] = []
        self._tail_read = 0  # so many of the tail were read already
        self._memory_count = 0
        self.lost = self.damaged = 0
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
        self._read_from((0, 0))
        self._go_to_oldest()

    def _open(self) -> None:
        self._segments = sorted(
            int(name[:-4])
            for name in os.listdir(self._folder)
            if name.endswith(".seg") and name[:-4].isdigit()
        )
        self._cursor = Kept(self._folder + "/cursor", 4)
        segment, offset, self.lost, self.damaged = self._cursor.numbers
        self._oldest = (segment, offset)
        while self._segments and self._segments[0] < self._oldest[0]:
            self._remove(self._segments.pop(0))
        if self._segments and self._segments[0] > self._oldest[0]:
            self._oldest = (self._segments[0], 0)
        self._open_last()

    def append(self, heading: bytes, body: bytes) -> None:
        """Keep a sample. Raises ``ValueError`` for a sample or heading over 1 KiB."""
        frames.check(body)
        frames.check(heading)
        self._memory_count += 1
        self._tail.append(Item(heading, body, (_IN_MEMORY, self._memory_count)))
        if len(self._tail) >= self.batch:
            self.flush()

    def flush(self) -> None:
        """Write the tail; on return it is on the flash, or, after a failure that is said, here."""
        if not self._tail:
            return
        try:
            while self._tail:
                self._write()
        except OSError as e:
            self._writable = False  # what was begun may be torn: never append to it
            self._trouble.failed("cannot write (%s); samples stay in memory" % e)
            while len(self._tail) > max(_MEMORY_SAMPLES, self.batch):
                self._drop_from_tail(1)
                self.lost += 1
        else:
            self._trouble.well("can write again")

    def tail(self) -> "list[Item]":
        """Return what is in memory only, oldest first, for a memory that outlives a sleep."""
        return list(self._tail)

    def is_empty(self) -> bool:
        """Say whether everything may be and is forgotten."""
        newest = (self._segments[-1], self._size) if self._segments else (0, 0)
        return not self._tail and self._oldest >= newest

    def read(self) -> "Item | None":
        """Return the next sample that was not read yet, oldest first; ``None`` at the end."""
        while True:
            if self._ahead:
                return self._ahead.pop(0)
            if self._read_segment():
                continue
            later = [s for s in self._segments if s > self._reader[0]]
            if not later:
                break
            self._read_from((later[0], 0))
        if self._tail_read < len(self._tail):
            self._tail_read += 1
            return self._tail[self._tail_read - 1]
        return None

    def forget(self, place: "tuple[int, int]") -> None:
        """Forget this sample and all older ones."""
        if place[0] == _IN_MEMORY:
            self._drop_from_tail(sum(1 for i in self._tail if i.place[1] <= place[1]))
            if not self._segments:
                return
            place = (self._segments[-1], self._size)  # what is on the flash is older
        if place <= self._oldest:
            return
        self._oldest = place
        self._save_cursor()
        while self._segments and self._segments[0] < place[0]:
            self._remove(self._segments.pop(0))

    def _drop_from_tail(self, count: int) -> None:
        self._tail = self._tail[count:]
        self._tail_read = max(0, self._tail_read - count)

    def _read_from(self, place: "tuple[int, int]") -> None:
        """Let ``read`` go on with the frame at this place."""
        self._reader = place
        self._reader_heading = b""
        self._ahead: list[Item] = []  # of the frame before it, not read yet

    def _go_to_oldest(self) -> None:
        """Walk up to the cursor, because headings stand before the samples they hold for."""
        segment, offset = self._oldest
        self._read_from((segment, 0))
        damaged = self.damaged
        while self._reader[1] < offset and self._read_segment():
            self._ahead = [item for item in self._ahead if item.place[1] > offset]
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

    def _write(self) -> None:
        """Write the oldest of the tail: as many as share a heading and find room in a frame."""
        heading = self._tail[0].heading
        if not self._writable:
            self._begin_segment()
        head = frames.frame(frames.HEADING, heading)
        room = self._segment_bytes - self._size - (len(head) if heading != self._heading else 0)
        bodies: list[bytes] = []
        for item in self._tail:
            if item.heading != heading:
                break
            bodies.append(item.body)
            if not frames.fits(bodies, room):
                bodies.pop()
                break
        if not bodies:
            if self._size:
                self._begin_segment()
                return
            bodies = [self._tail[0].body]  # larger than a segment should be
        out, ends = frames.samples(bodies)
        start = self._size
        if heading != self._heading:
            out, start = head + out, start + len(head)
        segment = self._segments[-1]
        with open(self._path(segment), "ab") as file:
            if file.write(out) != len(out):
                raise OSError(28)  # no space left
            sync(file)
        self._size += len(out)
        self._heading = heading
        written, self._tail = self._tail[: len(bodies)], self._tail[len(bodies) :]
        for item, end in zip(written, ends):  # noqa: B905 (boards: no strict)
            item.place = (segment, start + end)
        if self._tail_read:  # and so was everything before it
            self._read_from((segment, self._size))
            self._reader_heading = heading
            self._ahead = written[self._tail_read :]
            self._tail_read = max(0, self._tail_read - len(written))

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
        forgotten = self._oldest[1] if segment == self._oldest[0] else 0
        with open(self._path(segment), "rb") as file:
            offset = 0
            while True:
                found = frames.read(file, offset)
                if found is None:
                    break
                kind, body, offset, _ = found
                start = offset - len(body) - frames.AROUND
                for _, at in frames.split(kind, body):
                    self.lost += start + at > forgotten
        self._segments.pop(0)
        self._oldest = (self._segments[0], 0)
        if self._reader < self._oldest:
            self._read_from(self._oldest)
        self._save_cursor()
        self._remove(segment)

    def _read_segment(self) -> bool:
        """Read a frame of the segment that is being read; say whether there was one."""
        segment, offset = self._reader
        if segment not in self._segments:
            return False
        with open(self._path(segment), "rb") as file:
            found = frames.read(file, offset)
        if found is None:
            return False
        kind, body, end, skipped = found
        if skipped:
            self.damaged += 1
        self._reader = (segment, end)
        if kind == frames.HEADING:
            self._reader_heading = body
        elif self._reader_heading:
            start = end - len(body) - frames.AROUND
            for sample, at in frames.split(kind, body):
                self._ahead.append(Item(self._reader_heading, sample, (segment, start + at)))
        return True

    # --- cursor

    def _save_cursor(self) -> None:
        try:
            segment, offset = self._oldest
            self._cursor.keep((segment, offset, self.lost, self.damaged))
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
