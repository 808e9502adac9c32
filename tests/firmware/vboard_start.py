"""What runs first on the virtual board: flash with littlefs as its root, then boot.py and main.py.

Run by MicroPython from ``vboard.py``. The flash is a file; the folders of the simulated chips are
read before the host's files disappear behind it.
"""

import os
import sys
import time

import vfs

BLOCK, BLOCKS = 4096, 512
FAILED = 4  # firmware/main.py: a real board would have reset itself


class Flash:
    """A flash chip kept in a file; each written block is on the disk at once."""

    def __init__(self, path):
        self._file = open(path, "r+b")  # noqa: SIM115 (as long as the board runs)

    def readblocks(self, block, buffer, offset=0):
        """Read."""
        self._file.seek(block * BLOCK + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block, buffer, offset=None):
        """Program."""
        if offset is None:
            self.ioctl(6, block)
            offset = 0
        self._file.seek(block * BLOCK + offset)
        self._file.write(buffer)

    def ioctl(self, operation, block):
        """Count, size, erase."""
        if operation == 4:
            return BLOCKS
        if operation == 5:
            return BLOCK
        if operation == 6:
            self._file.seek(block * BLOCK)
            self._file.write(b"\xff" * BLOCK)
        return 0


sys.path[:] = [os.getenv("VB_SIMULATED"), ".frozen"]
import machine  # noqa: E402
import network  # noqa: E402, F401
import power  # noqa: E402, F401

CAUSES = {"power": machine.PWRON_RESET, "hard": machine.HARD_RESET, "soft": machine.SOFT_RESET}
CAUSES["watchdog"] = machine.WDT_RESET
machine.WDT._line = open(int(os.getenv("VB_LINE")), "wb", 0)  # noqa: SIM115
machine.reset_cause = lambda: CAUSES[os.getenv("VB_CAUSE")]


def reset():
    """Ask the supervisor for a reset, which comes."""
    machine.WDT._line.write(b"R\n")
    while True:
        time.sleep(1)


machine.reset = reset
flash = Flash(os.getenv("VB_FLASH"))
try:
    root = vfs.VfsLfs2(flash)
except OSError:
    vfs.VfsLfs2.mkfs(flash)
    root = vfs.VfsLfs2(flash)
vfs.umount("/")
vfs.mount(root, "/")
os.chdir("/")
sys.path[:] = ["", ".frozen", "/lib"]


def run(name):
    """Run a file of the board as its own start does."""
    try:
        with open(name) as file:
            source = file.read()
    except OSError:
        return
    try:
        exec(compile(source, name, "exec"), globals())
    except KeyboardInterrupt:
        print("KeyboardInterrupt")
    except SystemExit as e:
        if e.args == (FAILED,):
            reset()
    except Exception as e:
        sys.print_exception(e)


machine.WDT._line.write(b"B\n")  # it hears now
run("boot.py")
if os.getenv("VB_RAW") == "0":
    run("main.py")
