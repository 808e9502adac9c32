"""Names in a folder that outlive a power cut."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Return when the folder's names lie on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
