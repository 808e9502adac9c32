"""Secrets that must be read again: in the records they are sealed, with a key that is not there.

How this works. A file of its own (0600, ``sealing.keys`` in the platform's folder, or where the
setting ``keys`` says) has a line for each key: its name and 32 random bytes. The first one seals
(AES-256-GCM), each of them opens. What is sealed says with which key, and is bound to its owner:
moved to somebody else's row it does not open. The file is read anew each time, because that is
rare and it may have been renewed by another process. It is made when something is sealed for the
first time, and never again beside something that is already sealed.

Whoever has the records alone, a stolen copy or a backup, cannot make anybody's codes. Whoever has
the machine has both.
"""

import base64
import hashlib
import logging
import os
import secrets
import time
import uuid
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

log = logging.getLogger(__name__)

KEY_BYTES = 32
NONCE_BYTES = 12
FIRST = "# Opens what is sealed in the records. Keep a copy apart from copies of the records.\n"


class SealError(Exception):
    """Something sealed cannot be opened, or nothing can be sealed; the text says why."""


class Seals:
    """The keys in one file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @property
    def is_made(self) -> bool:
        """Say whether the file is there, whole or not."""
        return self.file.exists()

    def make(self) -> None:
        """Make the file with one key, unless somebody else just has."""
        part = self._write([_new_key()])
        try:
            os.link(part, self.file)
        except FileExistsError:
            pass
        finally:
            part.unlink(missing_ok=True)

    def begin_anew(self) -> None:
        """Make a file with one key; what is there is set aside."""
        if self.is_made:
            stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
            self.file.rename(self.file.with_name(f"{self.file.name}.damaged-{stamp}"))
        self.make()

    def renew(self) -> str:
        """Put a new key before the others; return its name. The others still open."""
        keys = [_new_key(), *self._keys().values()]
        self._write(keys).replace(self.file)
        return _name(keys[0])

    def keep_only(self, names: set[str]) -> int:
        """Take away all other keys; return how many went."""
        keys = self._keys()
        kept = [key for name, key in keys.items() if name in names]
        gone = len(keys) - len(kept)
        if gone and kept:
            self._write(kept).replace(self.file)
        return gone if kept else 0

    def names(self) -> list[str]:
        """Return the names of the keys, the one that seals first. Raises ``SealError``."""
        return list(self._keys())

    def seal(self, plain: str, whose: str) -> str:
        """Seal a text for its owner. Raises ``SealError``."""
        name, key = next(iter(self._keys().items()))
        nonce = secrets.token_bytes(NONCE_BYTES)
        closed = nonce + AESGCM(key).encrypt(nonce, plain.encode(), whose.encode())
        return f"{name}.{base64.urlsafe_b64encode(closed).decode()}"

    def open(self, sealed: str, whose: str) -> str:
        """Open what was sealed for this owner. Raises ``SealError``."""
        name, _, text = sealed.partition(".")
        keys = self._keys()
        if name not in keys:
            raise SealError(f"{self.file} does not hold the key {name}; put its copy back")
        try:
            closed = base64.urlsafe_b64decode(text)
            nonce, rest = closed[:NONCE_BYTES], closed[NONCE_BYTES:]
            return AESGCM(keys[name]).decrypt(nonce, rest, whose.encode()).decode()
        except (ValueError, InvalidTag) as error:
            raise SealError("what is sealed was changed, or is somebody else's") from error

    def _keys(self) -> dict[str, bytes]:
        try:
            lines = self.file.read_text(encoding="ascii").splitlines()
        except FileNotFoundError as error:
            raise SealError(f"{self.file} is missing; put its copy back") from error
        except (OSError, UnicodeDecodeError) as error:
            raise SealError(f"{self.file} cannot be read: {error}") from error
        found: dict[str, bytes] = {}
        for line in lines:
            if line and not line.startswith("#"):
                key = _key(line)
                if key is None:
                    raise SealError(f"{self.file} is damaged; put its copy back")
                found[_name(key)] = key
        if not found:
            raise SealError(f"{self.file} is empty; put its copy back")
        return found

    def _write(self, keys: list[bytes]) -> Path:
        """Write a file beside ours; return it."""
        part = self.file.with_name(f"{self.file.name}.{uuid.uuid4().hex}")
        lines = [f"{_name(key)} {base64.b64encode(key).decode()}\n" for key in keys]
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(FIRST + "".join(lines))
            out.flush()
            os.fsync(out.fileno())
        return part


def key_of(sealed: str) -> str:
    """Return the name of the key that sealed it."""
    return sealed.partition(".")[0]


def _new_key() -> bytes:
    return secrets.token_bytes(KEY_BYTES)


def _name(key: bytes) -> str:
    return hashlib.sha256(b"nongso seal" + key).hexdigest()[:8]


def _key(line: str) -> bytes | None:
    """Return the key of a line; nothing where the line is not what was written."""
    name, _, text = line.partition(" ")
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return key if len(key) == KEY_BYTES and _name(key) == name else None
