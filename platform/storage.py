"""What is wrong with the disk or a database, told apart by SQLite's and PostgreSQL's codes.

``trouble_of`` finds the kind behind an exception, wherever it was raised and however often it was
wrapped; ``None`` means that the exception is about something else, usually a mistake of ours.
``Watchman`` remembers what was seen last, for ``/healthz`` and for writers: a file that is damaged
is not written to any more, so that gateways keep their rows until it has been put right.
"""

import errno
import logging
import shutil
import sqlite3
import threading
from enum import Enum
from pathlib import Path

log = logging.getLogger(__name__)

NEARLY_NOTHING = 256 * 1024  # bytes free; less than SQLite needs to write a page and its journal


class Trouble(Enum):
    """A kind of trouble. The value is the stable code of the API's answers."""

    FULL = "disk_full"
    READ_ONLY = "disk_read_only"
    BUSY = "database_busy"
    DAMAGED = "database_damaged"
    BROKEN = "disk_error"
    AWAY = "database_away"

    @property
    def words(self) -> str:
        """Say it to the IT person, in one clause."""
        return {
            Trouble.FULL: "the disk is full: nothing can be written until there is room",
            Trouble.READ_ONLY: "the disk or the file is read-only: nothing can be written",
            Trouble.BUSY: "another program holds the database locked",
            Trouble.DAMAGED: "the file is damaged: set it aside (do not delete it), put the last "
            "backup in its place and start the server again",
            Trouble.AWAY: "the database server does not answer, or not to us",
            Trouble.BROKEN: "the disk cannot be read or written; look at the system's log",
        }[self]


class StorageError(Exception):
    """The disk or a database cannot be used now; ``trouble`` says how."""

    def __init__(self, trouble: Trouble, detail: str = "") -> None:
        super().__init__(detail or trouble.words)
        self.trouble = trouble


_BY_CODE = {
    sqlite3.SQLITE_FULL: Trouble.FULL,
    sqlite3.SQLITE_READONLY: Trouble.READ_ONLY,
    sqlite3.SQLITE_PERM: Trouble.READ_ONLY,
    sqlite3.SQLITE_BUSY: Trouble.BUSY,
    sqlite3.SQLITE_LOCKED: Trouble.BUSY,
    sqlite3.SQLITE_PROTOCOL: Trouble.BUSY,
    sqlite3.SQLITE_CORRUPT: Trouble.DAMAGED,
    sqlite3.SQLITE_NOTADB: Trouble.DAMAGED,
    sqlite3.SQLITE_FORMAT: Trouble.DAMAGED,
    sqlite3.SQLITE_IOERR: Trouble.BROKEN,
    sqlite3.SQLITE_CANTOPEN: Trouble.BROKEN,
    sqlite3.SQLITE_NOLFS: Trouble.BROKEN,
}
_BY_ERRNO = {
    errno.ENOSPC: Trouble.FULL,
    errno.EDQUOT: Trouble.FULL,
    errno.EFBIG: Trouble.FULL,
    errno.EROFS: Trouble.READ_ONLY,
    errno.EIO: Trouble.BROKEN,
}
# PostgreSQL's SQLSTATE: a whole code, or the class that its first signs name.
_BY_STATE = {
    "53100": Trouble.FULL,
    "25006": Trouble.READ_ONLY,
    "55P03": Trouble.BUSY,
    "40": Trouble.BUSY,
    "53": Trouble.BUSY,
    "XX001": Trouble.DAMAGED,
    "XX002": Trouble.DAMAGED,
    "58030": Trouble.BROKEN,
    "08": Trouble.AWAY,
    "25P03": Trouble.AWAY,
    "28": Trouble.AWAY,
    "3D": Trouble.AWAY,
    "57P": Trouble.AWAY,
}
# Errors of the sqlite3 module itself carry no code.
_BY_TEXT = {
    "Could not decode to UTF-8": Trouble.DAMAGED,
    "database schema is malformed": Trouble.DAMAGED,
    "malformed database schema": Trouble.DAMAGED,
}


def trouble_of(error: BaseException | None, folder: Path | None = None) -> Trouble | None:
    """Return what is wrong with the storage, or ``None`` if the error is about something else.

    With ``folder``, an error that may have many causes is a full disk where no room is left.
    """
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        found = _own_trouble(one)
        if found is not None:
            return _narrowed(found, folder)
        # An error while taking back hides the one before it, which is its context.
        waiting += [one.__context__, one.__cause__, getattr(one, "orig", None)]
    return None


def _own_trouble(error: BaseException) -> Trouble | None:
    if isinstance(error, StorageError):
        return error.trouble
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        if code is not None and code & 0xFF in _BY_CODE:
            return _BY_CODE[code & 0xFF]
        text = str(error)
        return next((kind for start, kind in _BY_TEXT.items() if text.startswith(start)), None)
    if isinstance(error, UnicodeDecodeError):  # SQLite's complaint names what is spoilt
        said = bytes(error.object[:80]).decode("utf-8", "replace")
        return next((kind for start, kind in _BY_TEXT.items() if said.startswith(start)), None)
    if type(error).__module__.partition(".")[0] == "psycopg":  # not imported: it is optional
        return _of_postgresql(error)
    if isinstance(error, OSError) and error.errno is not None:
        return _BY_ERRNO.get(error.errno)
    return None


def _of_postgresql(error: BaseException) -> Trouble | None:
    state = getattr(error, "sqlstate", None)
    if state is None:  # the server has said nothing
        return Trouble.AWAY if type(error).__name__ == "OperationalError" else None
    kinds = (_BY_STATE.get(state[:signs]) for signs in (5, 3, 2))
    return next((kind for kind in kinds if kind is not None), None)


def _narrowed(found: Trouble, folder: Path | None) -> Trouble:
    if found is Trouble.BROKEN and folder is not None and free_bytes(folder) < NEARLY_NOTHING:
        return Trouble.FULL
    return found


def free_bytes(folder: Path) -> int:
    """Return how much can still be written there; a great deal where nobody knows."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 1 << 60


class Watchman:
    """Remembers the last trouble of each file. One for the whole server process.

    Damage stays until the process ends: a file that was put right is opened by a new one.
    """

    def __init__(self) -> None:
        self._troubles: dict[str, Trouble] = {}
        self._lock = threading.Lock()

    def note(self, file: str, trouble: Trouble) -> None:
        """Take note of trouble; the first time, say so in the log."""
        with self._lock:
            before = self._troubles.get(file)
            if before is Trouble.DAMAGED:
                return
            self._troubles[file] = trouble
        if before is not trouble:
            log.error("%s: %s", file, trouble.words)

    def noted(self, file: str, error: BaseException, folder: Path | None) -> Trouble | None:
        """Take note of the trouble behind an error, and return it."""
        trouble = trouble_of(error, folder)
        if trouble is not None:
            self.note(file, trouble)
        return trouble

    def wrote(self, file: str) -> None:
        """Take note that writing has succeeded."""
        if file not in self._troubles:  # no lock for what happens all the time
            return
        with self._lock:
            if self._troubles.get(file) is Trouble.DAMAGED:
                return
            self._troubles.pop(file, None)
        log.warning("%s can be written again", file)

    def troubles(self) -> dict[str, Trouble]:
        """Return what is wrong now, by file."""
        with self._lock:
            return dict(self._troubles)
