"""A small disk of its own for a platform: it can be filled, emptied and made read-only."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


class TightDisk:
    """A mounted folder of some megabytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "photos"

    def fill(self) -> None:
        """Write until not one byte more fits."""
        with open(self._filler, "ab", buffering=0) as file:
            for size in (1 << 16, 1 << 12, 1):
                with suppress(OSError):
                    while file.write(b"x" * size):
                        pass

    def make_room(self) -> None:
        self._filler.unlink()

    def allow_writing(self, allowed: bool) -> None:
        options = "remount," + ("rw" if allowed else "ro")
        subprocess.run(["mount", "-o", options, str(self.folder)], check=True)


@contextmanager
def tight_disk(folder: Path, megabytes: int = 8) -> Iterator[TightDisk]:
    """Mount a tmpfs where that is permitted, else skip."""
    folder.mkdir()
    options = f"size={megabytes}m,nr_inodes=1000"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a small disk")
    try:
        yield TightDisk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
