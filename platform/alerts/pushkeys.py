"""The pair of keys that tells push services who we are (VAPID, RFC 8292), on the disk.

It is made once and lies in the data folder, readable by its owner only. With another pair all
phones must subscribe anew, so a damaged one is never thrown away: it is set aside under a name
with the time, and phones that subscribed before that time are known to need it. A file that
cannot be read is left alone; then there is no push until somebody looks.
"""

import calendar as days
import fcntl
import logging
import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid02, VapidException  # type: ignore[import-untyped]  # has none

log = logging.getLogger(__name__)

KEY_FILE = "vapid.pem"
_ASIDE = ".damaged-"
_STAMP = "%Y%m%dT%H%M%SZ"
_PART = re.compile(re.escape(KEY_FILE) + r"\.[0-9a-f]{32}")


class KeysAway(Exception):
    """There is no pair of keys to use, and none could be made; the text says why."""


def keys(folder: Path) -> Vapid02:
    """Return our pair of keys; make it the first time. Raises ``KeysAway``."""
    file = folder / KEY_FILE
    try:
        found = _read(file)
        if found is None:
            with _alone(folder):
                found = _read(file) or _made(folder, file)
    except OSError as error:
        log.error("no push messages: %s: %s", file, error.strerror)
        raise KeysAway(f"the key for push messages: {file.name}: {error.strerror}") from error
    return found


def renewed_at(folder: Path) -> int:
    """Return when a damaged pair was last set aside; 0 for never."""
    newest = 0
    for file in folder.glob(KEY_FILE + _ASIDE + "*"):
        stamp = file.name.removeprefix(KEY_FILE + _ASIDE).partition(".")[0]
        try:
            newest = max(newest, days.timegm(time.strptime(stamp, _STAMP)))
        except ValueError:
            continue  # not a name of ours
    return newest


def _read(file: Path) -> Vapid02 | None:
    """Return the pair in the file; nothing where there is none or no such pair in it."""
    try:
        found = Vapid02.from_pem(file.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, UnsupportedAlgorithm, VapidException):
        return None
    private = getattr(found, "private_key", None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        return None
    return found if isinstance(private.curve, ec.SECP256R1) else None


def _made(folder: Path, file: Path) -> Vapid02:
    """Make a pair; only when the new one is on the disk is a damaged one set aside."""
    for left in folder.glob(KEY_FILE + ".*"):
        if _PART.fullmatch(left.name):
            left.unlink(missing_ok=True)  # of a process that died, or of a full disk
    made = Vapid02()
    made.generate_keys()
    part = folder / f"{KEY_FILE}.{uuid.uuid4().hex}"
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(made.private_pem())
            out.flush()
            os.fsync(out.fileno())
        if file.exists():
            stamp = time.strftime(_STAMP, time.gmtime())
            aside = folder / (KEY_FILE + _ASIDE + stamp)
            if aside.exists():
                aside = folder / f"{aside.name}.{uuid.uuid4().hex[:8]}"
            file.rename(aside)
            log.error(
                "%s was damaged; it is kept as %s and a new key was made. Phones that had push "
                "messages must switch them on again. A good copy from a backup may be put back.",
                file,
                aside.name,
            )
        part.rename(file)
    finally:
        part.unlink(missing_ok=True)
    return made


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time make keys."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
