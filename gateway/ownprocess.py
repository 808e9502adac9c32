"""What the gateway's process knows of itself: its version, its age, its memory, its disk."""

import functools
import importlib.metadata
import os
import shutil
import time
from pathlib import Path
from typing import Any


class OwnProcess:
    """This process, from its start."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def report(self, folder: Path) -> dict[str, Any]:
        """Say how it is; by the steady clock, so that a jump of the other changes no age."""
        age = time.monotonic() - self._began
        return {
            "version": _version(),
            "started_at": int(time.time() - age),
            "seconds": int(age),
            "resident_bytes": _resident_bytes(),
            "disk_free_bytes": _free_bytes(folder),
        }


def _resident_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _free_bytes(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


@functools.cache
def _version() -> str:
    try:
        return importlib.metadata.version("nongso")
    except importlib.metadata.PackageNotFoundError:
        return ""
