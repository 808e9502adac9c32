"""The private keys of the log: a file that only the signer reads, and what it signed last.

The folder ``log`` in the platform's folder (0700) holds ``keys`` (0600: a line for the key that
signs checkpoints, a line for the clock's), ``keys.new`` while they are replaced, ``last`` (the
newest checkpoint that was signed, so that a database put back from a backup cannot make the
signer sign a second history) and ``lock`` (one signer works, others wait).

The server that answers requests never opens this folder.
"""

import fcntl
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from nongso.platform.traceability.proof import notes
from nongso.platform.traceability.proof.checkpoints import Checkpoint
from nongso.platform.traceability.proof.notes import NoteError, PrivateKey


class CustodyError(Exception):
    """The keys cannot be used; the text says why and what to do."""


@dataclass(frozen=True)
class Keys:
    """What signs: ``log`` the checkpoints, ``clock`` the time beside them."""

    log: PrivateKey
    clock: PrivateKey

    @classmethod
    def new(cls, origin: str) -> "Keys":
        """Draw new keys for a log."""
        return cls(PrivateKey.new(origin, notes.LOG), PrivateKey.new(origin, notes.COSIGNER))


class Custody:
    """The folder with the keys."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "log"
        self.file = self.folder / "keys"
        self.next_file = self.folder / "keys.new"
        self._last_file = self.folder / "last"
        self._lock: IO[str] | None = None

    def take(self) -> bool:
        """Become the one signer; ``False`` while another one works."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (self.folder / "lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        return True

    def let_go(self) -> None:
        """Let another one become the signer."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def keys(self) -> Keys | None:
        """Return the keys; ``None`` where none were made yet. Raises ``CustodyError``."""
        return self._read(self.file)

    def next_keys(self) -> Keys | None:
        """Return the keys that are to replace them. Raises ``CustodyError``."""
        return self._read(self.next_file)

    def make(self, origin: str) -> Keys:
        """Make the first keys."""
        made = Keys.new(origin)
        self._write(self.file, made)
        return made

    def make_next(self, origin: str) -> Keys:
        """Make keys that the signer will take up. Raises ``CustodyError`` when some wait."""
        if self.next_file.exists():
            raise CustodyError(
                f"New keys are waiting already in {self.next_file}. The signer takes them up when "
                "it runs."
            )
        made = Keys.new(origin)
        self._write(self.next_file, made)
        return made

    def take_up_next(self) -> None:
        """Let the new keys be the keys; the old ones are gone."""
        self.next_file.replace(self.file)
        self._sync_folder()

    def last(self) -> Checkpoint | None:
        """Return what was signed last. Raises ``CustodyError``."""
        try:
            return Checkpoint.parse(self._last_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise CustodyError(f"{self._last_file} cannot be read: {error}") from error

    def remember(self, checkpoint: Checkpoint) -> None:
        """Keep what is about to be signed, on the disk, before anybody gets it."""
        self._put(self._last_file, str(checkpoint))

    def _read(self, file: Path) -> Keys | None:
        try:
            with file.open(encoding="utf-8") as opened:
                mode = os.fstat(opened.fileno()).st_mode
                lines = opened.read().split()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeError) as error:
            raise CustodyError(f"The keys {file} cannot be read: {error}") from error
        if stat.S_IMODE(mode) & 0o077:
            raise CustodyError(
                f"{file} can be read by others, so the key may be known. Make it private with "
                f"chmod 600 {file}, and if others had access, replace it: nongso trace rotate"
            )
        try:
            log, clock = map(PrivateKey.parse, lines)
        except (NoteError, ValueError) as error:
            raise CustodyError(
                f"{file} does not hold two keys ({error}). Put your copy of it back."
            ) from None
        if (log.sort, clock.sort) != (notes.LOG, notes.COSIGNER) or log.name != clock.name:
            raise CustodyError(f"{file} does not hold a log's key and its clock's, in this order.")
        return Keys(log, clock)

    def _write(self, file: Path, keys: Keys) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._put(file, f"{keys.log.text()}\n{keys.clock.text()}\n")

    def _put(self, file: Path, text: str) -> None:
        part = file.with_name(file.name + ".part")
        with suppress(FileNotFoundError):
            part.unlink()
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(handle)
        part.replace(file)
        self._sync_folder()

    def _sync_folder(self) -> None:
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
