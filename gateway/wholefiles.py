"""Files that are replaced whole or not at all: the settings, and what the broker reads.

Nothing is edited in place, so that a power cut leaves the old file or the new one. Who reads a
file to write it anew holds ``alone`` meanwhile: of two at once each would leave out what the
other adds.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nongso.gateway.errors import SettingsError
from nongso.gateway.settings import GatewaySettings, load


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until nobody else changes the files of a folder; where there is none, nobody does."""
    if not folder.is_dir():
        yield
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def written(file: Path, text: str) -> Path:
    """Write what is to replace a file beside it, as readable as it was; it is on the disk then.

    Raises ``OSError``.
    """
    new = file.with_name(file.name + ".new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    if file.exists():
        about = file.stat()
        os.chmod(new, about.st_mode & 0o777)
        with contextlib.suppress(PermissionError):
            os.chown(new, about.st_uid, about.st_gid)
    return new


def settings_written(file: Path, found: dict[str, Any]) -> tuple[Path, GatewaySettings]:
    """Write what is to replace ``gateway.json`` beside it, and read it as a gateway will.

    Raises ``OSError``, or ``SettingsError`` where no gateway could use it; then nothing is left.
    """
    new = written(file, json.dumps(found, ensure_ascii=False, indent=1) + "\n")
    try:
        return new, load(new)
    except SettingsError as error:
        new.unlink()
        raise SettingsError(str(error).replace(str(new), str(file))) from None
