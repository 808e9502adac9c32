"""Files that are written whole or not at all.

What people bring (pictures, recordings) goes through here: a full disk leaves nothing half
written behind, and two who write the same file at once do not meet.
"""

import logging
import uuid
from contextlib import suppress
from pathlib import Path

from nongso.platform.storage import trouble_of

log = logging.getLogger(__name__)


class NotKept(Exception):
    """Something is in the way of a file: a folder of its name, a file where a folder belongs."""


def write_whole(file: Path, data: bytes) -> None:
    """Write a file in one step, for its owner's eyes only.

    Raises ``NotKept``; ``OSError`` for trouble with the disk.
    """
    waiting = file.with_name(f"{file.name}.{uuid.uuid4().hex}.part")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        waiting.touch(mode=0o600)
        waiting.write_bytes(data)
        waiting.replace(file)
    except OSError as error:
        with suppress(OSError):
            waiting.unlink()
        if trouble_of(error) is not None:
            raise
        log.error("%s cannot be written: %s", file, error)
        raise NotKept(str(error)) from error
