"""How the store's file is opened: checked as a whole, and replaced when it is not sound.

A file that is damaged, foreign or of another version is never written to. A new one is made
beside it from what it still gives (``nongso.gateway.salvage``), then the old one gets a dated name
and the new one takes its place; a power cut at any moment leaves either the old one or both.

apsw carries its own SQLite: Debian 12's 3.40.1 has the WAL-reset bug (two connections writing and
checkpointing at once can damage the file; present 3.7.0 to 3.51.2,
https://sqlite.org/wal.html#walresetbug).
"""

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import apsw

from nongso.gateway.errors import StoreDamaged, StoreError, StoreUnwritable
from nongso.gateway.salvage import Salvage, take_over
from nongso.gateway.storelog import lost_commits
from nongso.gateway.storeschema import (
    APPLICATION_ID,
    LARGEST_ID,
    PAGE_BYTES,
    SCHEMA,
    SCHEMA_VERSION,
    TABLES,
    row_sum,
    schema_of,
    written_schema,
)

OLDEST_SQLITE = (3, 51, 3)
MOST_DAMAGED = 5
_LOGS = ("-wal", "-shm")
_CHECKED = ("state", "state_again", "commands", "latest")  # small; the outbox is when it is sent


class Replaced(NamedTuple):
    """A file that was not sound: its new name, what was wrong, what was taken over."""

    name: str
    why: str
    is_older: bool  # a sound file of an older version
    salvage: Salvage


class _Older(StoreDamaged):
    """A sound file of an older version."""


def sqlite_version() -> str:
    """Return the version of SQLite in use."""
    return str(apsw.sqlite_lib_version())


def check_sqlite() -> None:
    """Refuse a SQLite with the WAL-reset bug."""
    version = sqlite_version()
    if tuple(int(part) for part in version.split(".")) < OLDEST_SQLITE:
        raise StoreError(
            f"SQLite {version} can damage the store; 3.51.3 or newer is needed: "
            "pip install --upgrade apsw"
        )


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Give SQLite's errors our names: what the disk refuses, and what is damaged."""
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise StoreDamaged(f"{path.name}: {error}") from error
    except apsw.FullError as error:
        raise StoreUnwritable(
            f"no space left for {path}: delete files or move the folder to a larger disk"
        ) from error
    except (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError) as error:
        raise StoreUnwritable(
            f"{path} cannot be written ({error}): check owner and rights of {path.parent}, and "
            "whether the disk was mounted read-only after an error (dmesg)"
        ) from error
    except (apsw.IOError, apsw.BusyError, apsw.LockedError, apsw.ProtocolError) as error:
        raise StoreUnwritable(
            f"the disk under {path} gives errors ({error}): check space (df) and the disk (dmesg)"
        ) from error
    except OSError as error:
        raise StoreUnwritable(f"{path} cannot be written: {error}") from error


def open_store(path: Path, suspect: str | None = None) -> tuple[apsw.Connection, Replaced | None]:
    """Open the store; make a new one where there is none or none that is sound.

    ``suspect`` is what went wrong with a file that its checks find sound: it is replaced too.
    Raises ``StoreUnwritable``.
    """
    fresh = _beside(path, ".new")
    with named(path):
        if not path.exists():
            if any(Path(f"{path}{end}").exists() for end in _LOGS):
                _set_aside(path, "damaged")  # a log without its file must never meet a new file
            # There is a new one if the power went while the old one was being replaced.
            os.rename(fresh if fresh.exists() else _begun(path), path)
            _sync_folder(path.parent)
        try:
            if suspect is not None:
                raise StoreDamaged(suspect)
            return _open(path), None
        except StoreDamaged as error:
            why = error
        replaced = _replace(path, fresh, why)
        return _open(path), replaced


def hold(path: Path) -> int | None:
    """Hold the store for this process, by a lock that dies with it.

    ``None`` where the folder cannot be written: then nobody else writes there either.
    """
    try:
        handle = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise StoreError(
            f"{path} is in use by another gateway process; stop that one first"
        ) from None
    return handle


def store_id(db: apsw.Connection) -> str:
    """Return the id of the store: new with each file."""
    for table in ("state", "state_again"):
        found = db.execute(
            f"{TABLES[table].select()} WHERE CAST(key AS BLOB) = ?", (b"store_id",)
        ).get
        row = TABLES[table].readable(found) if found else None
        if row is not None:
            return str(row[1])
    raise StoreDamaged("the store has no id")


def check_store(path: Path) -> None:
    """Raise ``StoreDamaged`` unless the file is a sound store of this version. Changes nothing."""
    if not path.exists():
        raise StoreDamaged(f"{path.name} is not there")
    _open(path).close()


def _open(path: Path) -> apsw.Connection:
    """Open a sound file, or make one. Raises ``StoreDamaged`` and leaves the file as it is."""
    with named(path):
        _look_at_header(path)
        db = apsw.Connection(str(path))
        try:
            # A damaged file is closed as it was: its log is not folded into it.
            db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)
            db.set_busy_timeout(2000)
            db.pragma("trusted_schema", False)
            db.pragma("cell_size_check", True)
            try:
                if _is_empty(db):
                    _make(db, path)
                else:
                    _check(db, path)
            except (apsw.SQLError, apsw.MismatchError, UnicodeDecodeError) as error:
                raise StoreDamaged(f"{path.name}: {error}") from error
            db.pragma("journal_mode", "wal")
            db.pragma("synchronous", "full")
            db.pragma("cache_size", -8000)
            db.pragma("journal_size_limit", 16 << 20)
            db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, False)
            return db
        except BaseException:
            db.close()
            raise


def _look_at_header(path: Path) -> None:
    """Find what SQLite would take for something else than damage."""
    if not path.is_file():
        return
    with open(path, "rb") as file:
        header = file.read(100)
    if not header:
        raise StoreDamaged(f"{path.name} is empty")  # SQLite would delete its log
    if header[:16] == b"SQLite format 3\0" and header[18:20] != b"\x02\x02":
        raise StoreDamaged(f"{path.name}: its header is damaged")  # not: written for reading only


def _is_empty(db: apsw.Connection) -> bool:
    return not db.pragma("application_id") and not schema_of(db)


def _make(db: apsw.Connection, path: Path) -> None:
    """Lay down a new store."""
    db.pragma("page_size", PAGE_BYTES)
    db.pragma("journal_mode", "wal")
    db.pragma("synchronous", "full")
    with db:
        db.execute(SCHEMA)
        db.pragma("application_id", APPLICATION_ID)
        db.pragma("user_version", SCHEMA_VERSION)
        made = secrets.token_hex(8)
        for table in ("state", "state_again"):
            row = ("store_id", made, row_sum("store_id", made))
            db.execute(f"INSERT INTO {table} VALUES (?, ?, ?)", row)
    os.chmod(path, 0o600)
    _sync_folder(path.parent)


def _check(db: apsw.Connection, path: Path) -> None:
    """Look through the whole file; 0.3 s for 190 MB on a PC (measured)."""
    if db.pragma("application_id") != APPLICATION_ID:
        raise StoreDamaged(f"{path.name} is not a store of this gateway")
    used_frames = db.execute("PRAGMA wal_checkpoint(NOOP)").get[1]
    lost = lost_commits(Path(f"{path}-wal"), max(0, used_frames))
    if lost > 1:
        raise StoreDamaged(
            f"{path.name}: {lost} transactions lie behind a damaged place in its log"
        )
    version = db.pragma("user_version")
    verdict = db.execute("PRAGMA integrity_check(1)").get
    if verdict != "ok":
        raise StoreDamaged(f"{path.name}: {str(verdict)[:200]}")
    if version == 1:
        raise _Older(f"{path.name} is of version 1")
    if version > SCHEMA_VERSION:
        raise StoreDamaged(f"{path.name} was written by a newer nongso")
    if version != SCHEMA_VERSION or schema_of(db) != written_schema():
        raise StoreDamaged(f"{path.name} does not hold the tables of a store")
    last = db.execute("SELECT max(seq) FROM sqlite_sequence").get or 0
    if not isinstance(last, int) or not 0 <= last <= LARGEST_ID:
        raise StoreDamaged(f"{path.name}: the numbers of its rows are damaged")
    for name in ("outbox", "refused"):
        if (db.execute(f"SELECT max(id) FROM {name}").get or 0) > LARGEST_ID:
            raise StoreDamaged(f"{path.name}: the number of a row of {name} is damaged")
    for name in _CHECKED:
        table = TABLES[name]
        if any(table.readable(found) is None for found in db.execute(table.select())):
            raise StoreDamaged(f"{path.name}: a row of {name} has changed on the disk")
    store_id(db)


def _replace(path: Path, fresh: Path, why: StoreDamaged) -> Replaced:
    """Make a new file of what the old one gives, and put it in its place."""
    _refuse_a_failing_disk(path)
    _remove(fresh)
    new = _open(fresh)
    try:
        salvage = take_over(path, new)
    finally:
        new.close()  # folds its log into it
    _sync_file(fresh)
    is_older = isinstance(why, _Older)
    aside = _set_aside(path, "version-1" if is_older else "damaged")
    os.rename(fresh, path)
    _sync_folder(path.parent)
    return Replaced(aside.name, str(why), is_older, salvage)


def _begun(path: Path) -> Path:
    """Make the first store under another name, so that one that is half made is never opened."""
    begun = _beside(path, ".begun")
    _remove(begun)
    _open(begun).close()  # folds its log into it
    _sync_file(begun)
    return begun


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def _remove(path: Path) -> None:
    """Remove a file that never became the store, with what SQLite keeps beside it."""
    for end in ("", "-journal", *_LOGS):
        with suppress(FileNotFoundError):
            os.remove(f"{path}{end}")


def _refuse_a_failing_disk(path: Path) -> None:
    """Do not set files aside more than ``MOST_DAMAGED`` times within an hour."""
    lately = time.time() - 3600
    found = {
        other.name.removesuffix("-wal").removesuffix("-shm")
        for other in path.parent.glob(f"{path.name}.damaged-*Z*")
        if other.stat().st_ctime > lately
    }
    if len(found) >= MOST_DAMAGED:
        raise StoreUnwritable(
            f"{MOST_DAMAGED} stores were damaged within an hour in {path.parent}: the disk fails; "
            "replace it"
        )


def _set_aside(path: Path, word: str) -> Path:
    """Rename the file and its logs to a dated name that is still free."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = path.with_name(f"{path.name}.{word}-{stamp}")
    number = 1
    while any(Path(f"{aside}{end}").exists() for end in ("", *_LOGS)):
        number += 1
        aside = path.with_name(f"{path.name}.{word}-{stamp}-{number}")
    for end in ("", *_LOGS):
        if Path(f"{path}{end}").exists():
            os.rename(f"{path}{end}", f"{aside}{end}")
    _sync_folder(path.parent)
    return aside


def _sync_file(file: Path) -> None:
    _sync(file, os.O_RDWR)


def _sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    _sync(folder, os.O_RDONLY)


def _sync(path: Path, how: int) -> None:
    handle = os.open(path, how)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
