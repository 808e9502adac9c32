"""The ring on littlefs, the file system of the boards, cut off at every single flash operation.

Runs under MicroPython only, from ``test_power_cuts.py``. The flash forgets nothing that it has
programmed and erases whole blocks, as NOR flash does; a cut leaves a random part of the
operation done and everything after it undone. After each cut: the file system mounts, every sample
that ``append`` had taken and nobody acknowledged is there, in order, and nothing else.
Argument: ``good``, or ``no-sync``, a mistake that the test must notice.
"""

# ruff: noqa: SIM105 (there is no contextlib)

import gc
import random
import sys

import vfs

from nongso.node import log
from nongso.node import ring as ring_module

gc.threshold(-1)  # the heap is large here

BLOCK = 4096
BLOCKS = 24
SAMPLES = 24


class PowerCut(Exception):
    """The supply is gone."""


class Flash:
    """A flash chip in memory; ``cut`` is the operation at which the power fails."""

    def __init__(self, memory=None):
        self.memory = memory or bytearray(b"\xff" * (BLOCKS * BLOCK))
        self.operations = self.erases = 0
        self.cut = -1
        self.is_dead = False

    def readblocks(self, block, buffer, offset=0):
        """Read."""
        if self.is_dead:  # files that the cut left open are closed by the collector
            return
        at = block * BLOCK + offset
        buffer[:] = self.memory[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset=None):
        """Program: bits only fall."""
        if self.is_dead:
            return
        if offset is None:
            self.ioctl(6, block)
            offset = 0
        at = block * BLOCK + offset
        self.operations += 1
        is_cut = self.operations == self.cut
        for i in range(random.randint(0, len(buffer) - 1) if is_cut else len(buffer)):
            assert not buffer[i] & ~self.memory[at + i], "programmed without erasing"
            self.memory[at + i] &= buffer[i]
        self._die(is_cut)

    def ioctl(self, operation, block):
        """Count, size, erase."""
        if operation == 4:
            return BLOCKS
        if operation == 5:
            return BLOCK
        if operation == 6 and not self.is_dead:
            self.operations += 1
            self.erases += 1
            is_cut = self.operations == self.cut
            size = random.randint(0, BLOCK) if is_cut else BLOCK
            at = block * BLOCK
            self.memory[at : at + size] = b"\xff" * size
            self._die(is_cut)
        return 0

    def _die(self, is_cut):
        if is_cut:
            self.is_dead = True
            raise PowerCut


def mounted(flash):
    """Mount the flash at /flash."""
    vfs.mount(vfs.VfsLfs2(flash), "/flash")


def work(flash, taken, forgotten):
    """Append; every third time, all but the newest two are acknowledged."""
    ring = ring_module.Ring("/flash/ring", 4096, 1024)
    places = []
    for number in range(SAMPLES):
        body = b"%06d" % number + b"." * 30
        taken[1] = number
        ring.append(b"heading", body)
        if flash.is_dead:  # closing the file hid the cut
            raise PowerCut
        taken[0] = number
        item = ring.read()
        while item is not None:
            places.append((int(item.body[:6]), item.place))
            item = ring.read()
        if number % 3 == 2 and len(places) > 2:
            done, place = places[-3]
            places = places[-2:]
            forgotten[1] = done
            ring.forget(place)
            if flash.is_dead:
                raise PowerCut
            forgotten[0] = done
    return ring


def left():
    """Samples that a restarted node would send."""
    ring = ring_module.Ring("/flash/ring", 4096, 1024)
    found = []
    item = ring.read()
    while item is not None:
        found.append(int(item.body[:6]))
        item = ring.read()
    ring.append(b"heading", b"999999")  # it can go on
    assert ring.read().body == b"999999"
    return found


def check(cut):
    """Cut at one operation and look what is left; returns what is wrong, or ``None``."""
    random.seed(cut)
    flash = Flash()
    vfs.VfsLfs2.mkfs(flash)
    mounted(flash)
    flash.operations = 0
    flash.cut = cut
    taken, forgotten = [-1, -1], [-1, -1]
    try:
        work(flash, taken, forgotten)
    except PowerCut:
        pass
    vfs.umount("/flash")
    again = Flash(flash.memory)
    try:
        mounted(again)
        found = left()
    except Exception as e:
        return f"cut {cut}: {e!r}"
    finally:
        try:
            vfs.umount("/flash")
        except OSError:
            pass
    first = found[0] if found else taken[0] + 1
    if found != list(range(first, first + len(found))):
        return f"cut {cut}: not in order: {found}"
    if first > forgotten[1] + 1 or (found and found[-1] < taken[0]) or first < 0:
        return f"cut {cut}: {found}, taken {taken}, forgotten {forgotten}"
    if found and found[-1] > taken[1]:
        return f"cut {cut}: more than was ever taken"
    if not found and forgotten[1] < taken[0]:
        return f"cut {cut}: nothing left"
    return None


def make_mistake(name):
    """Change the ring so that it is wrong."""
    if name == "no-sync":
        # On littlefs closing a file commits it; without either nothing is on the flash.
        ring_module.sync = lambda file: None
        kept = []
        real_open = open

        def unclosed(path, mode):
            file = real_open(path, mode)
            if mode != "ab":
                return file
            kept.append(file)
            return Unclosed(file)

        ring_module.open = unclosed


class Unclosed:
    """A file that its user cannot close."""

    def __init__(self, file):
        self._file = file

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def write(self, piece):
        """Write to the real file."""
        return self._file.write(piece)


log.say = lambda text: None
make_mistake(sys.argv[1])
flash = Flash()
vfs.VfsLfs2.mkfs(flash)
mounted(flash)
flash.operations = flash.erases = 0
work(flash, [-1, -1], [-1, -1])
vfs.umount("/flash")
total, erases = flash.operations, flash.erases
wrong = []
cuts = 0
for cut in range(1, total + 1):
    cuts += 1
    problem = check(cut)
    if problem:
        wrong.append(problem)
for problem in wrong[:5]:
    print(problem)
print(f"{cuts} cuts, {len(wrong)} wrong, {erases} erases for {SAMPLES} samples")
