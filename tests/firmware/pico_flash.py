"""Prints what lies in a node's ring in a board's flash, read from a file. For MicroPython only."""

import json
import sys

import vfs

from nongso.node import record
from nongso.node.ring import Ring

_BLOCK = 4096


class Flash:
    """The board's file system as it lay there, in memory: reading changes nothing in the file."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self._memory = bytearray(file.read())

    def readblocks(self, block, buffer, offset=0):
        """Read."""
        at = block * _BLOCK + offset
        buffer[:] = self._memory[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset=None):
        """Program."""
        at = block * _BLOCK + (offset or 0)
        self._memory[at : at + len(buffer)] = buffer

    def ioctl(self, operation, block):
        """Count, size, erase."""
        if operation == 4:
            return len(self._memory) // _BLOCK
        if operation == 5:
            return _BLOCK
        if operation == 6:
            self._memory[block * _BLOCK : (block + 1) * _BLOCK] = b"\xff" * _BLOCK
        return 0


vfs.mount(vfs.VfsLfs2(Flash(sys.argv[1])), "/flash")
ring = Ring("/flash/ring")
found = []
while True:
    item = ring.read()
    if item is None:
        break
    boot = record.unpack_heading(item.heading).boot
    found.append((boot, record.unpack(item.body, 0).seq))
print(json.dumps({"samples": found, "damaged": ring.damaged}))
