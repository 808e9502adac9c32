"""A flash chip in memory whose power fails at a chosen operation. For MicroPython only.

It forgets nothing that it has programmed and erases whole blocks, as NOR flash does; a cut leaves
a random part of the operation done and everything after it undone.
"""

import random

import vfs

BLOCK = 4096
BLOCKS = 24


class PowerCut(Exception):
    """The supply is gone."""


class Flash:
    """A flash chip in memory; ``cut`` is the operation at which the power fails."""

    def __init__(self, memory=None, blocks=BLOCKS):
        self.blocks = blocks
        self.memory = memory or bytearray(b"\xff" * (blocks * BLOCK))
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
            return self.blocks
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
