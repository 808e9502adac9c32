"""The one file of a backup: a zip that any computer opens, with a list of what belongs in it.

The list (``nongso-backup.json``) is written last, with each file's length and SHA-256: a copy that
was cut short has none, and a changed byte in any file is told with the file's name. Bytes of the
zip's own that say nothing about contents, such as dates, are not looked at.
What a backup holds is decided in ``nongso.commands.backup``. Nothing is encrypted here.
"""

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from nongso.commands.errors import CommandError

LIST = "nongso-backup.json"
FORMAT = 1
MOST_LIST_BYTES = 64 << 20
_PIECE = 1 << 20
_SMALL_ALREADY = (".jpg", ".jpeg", ".png", ".webp", ".pdf", ".gz", ".zip", ".opus", ".mp3", ".ogg")

Tell = Callable[[str, int], None]  # a file and how many bytes of it are done


class DamagedBackup(CommandError):
    """A backup cannot be trusted: the text names the file and what is wrong in it."""


class Writer:
    """Writes a new backup, for its owner's eyes only. ``finish`` makes it one."""

    def __init__(self, file: Path) -> None:
        self._out = os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")
        self._zip = zipfile.ZipFile(self._out, "w", zipfile.ZIP_DEFLATED, compresslevel=4)
        self._files: dict[str, tuple[int, str]] = {}

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            self._zip.close()  # an unfinished one too: it has no list, and is thrown away
        finally:
            self._out.close()

    @property
    def files(self) -> int:
        """How many files there are so far."""
        return len(self._files)

    def has(self, name: str) -> bool:
        """Say whether a file of this name is in it."""
        return name in self._files

    def add(self, name: str, file: Path) -> int:
        """Put a file into it as it is now; return its length."""
        entry = zipfile.ZipInfo(name)
        entry.external_attr = 0o600 << 16
        is_small = name.lower().endswith(_SMALL_ALREADY)
        entry.compress_type = zipfile.ZIP_STORED if is_small else zipfile.ZIP_DEFLATED
        digest, length = hashlib.sha256(), 0
        with file.open("rb") as source, self._zip.open(entry, "w", force_zip64=True) as out:
            while piece := source.read(_PIECE):
                digest.update(piece)
                length += len(piece)
                out.write(piece)
        self._files[name] = (length, digest.hexdigest())
        return length

    def add_text(self, name: str, text: str) -> None:
        """Put a text into it as a file."""
        content = text.encode()
        entry = zipfile.ZipInfo(name)
        entry.external_attr = 0o600 << 16
        self._zip.writestr(entry, content, zipfile.ZIP_DEFLATED)
        self._files[name] = (len(content), hashlib.sha256(content).hexdigest())

    def finish(self, facts: dict[str, Any]) -> None:
        """Write the list, with what else is to be known of it; on the disk when this returns."""
        told = {"format": FORMAT, **facts, "files": self._files}
        self._zip.writestr(LIST, json.dumps(told, ensure_ascii=False, indent=1))
        self._zip.close()
        self._out.flush()
        os.fsync(self._out.fileno())


class Archive:
    """A backup that is there. Raises ``DamagedBackup`` when it is none, or not whole."""

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            self._zip = zipfile.ZipFile(file)
        except zipfile.BadZipFile as error:
            raise DamagedBackup(
                f"{file} is no backup of nongso, or it was cut short ({error}). Take another copy."
            ) from error
        try:
            self.facts = self._read_list()
        except BaseException:
            self._zip.close()
            raise
        self.files: dict[str, tuple[int, str]] = self.facts.pop("files")

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    @property
    def size(self) -> int:
        """How long all files together are."""
        return sum(length for length, _ in self.files.values())

    def has(self, name: str) -> bool:
        """Say whether a file is in it."""
        return name in self.files

    def check(self, tell: Tell = lambda name, done: None) -> None:
        """Read every byte and compare it with the list."""
        for name in self.files:
            for _ in self._pieces(name, tell):
                pass

    def extract(self, folder: Path, tell: Tell = lambda name, done: None) -> None:
        """Write all files into a folder, for their owner's eyes only, and onto the disk."""
        for name in self.files:
            file = folder / name
            _make_private(file.parent)
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as out:
                for piece in self._pieces(name, tell):
                    out.write(piece)
                out.flush()
                os.fsync(out.fileno())

    def _pieces(self, name: str, tell: Tell = lambda name, done: None) -> Iterator[bytes]:
        length, wanted = self.files[name]
        digest, done = hashlib.sha256(), 0
        try:
            with self._zip.open(name) as source:
                while piece := _read(source):
                    digest.update(piece)
                    done += len(piece)
                    tell(name, done)
                    yield piece
        except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError) as error:
            raise self._damaged(name, str(error)) from error
        if done != length or digest.hexdigest() != wanted:
            raise self._damaged(name, "it is not what was written")

    def _damaged(self, name: str, why: str) -> DamagedBackup:
        return DamagedBackup(
            f"{self.file} is damaged: {name} in it cannot be trusted ({why}). Take another copy "
            "of this backup, or an older backup."
        )

    def _read_list(self) -> dict[str, Any]:
        try:
            if self._zip.getinfo(LIST).file_size > MOST_LIST_BYTES:
                raise ValueError("its list is far too long")
            found = json.loads(self._zip.read(LIST))
            good = isinstance(found, dict) and isinstance(found["format"], int)
        except KeyError as error:
            raise DamagedBackup(
                f"{self.file} is a zip file, but no backup of nongso: it has no {LIST}."
            ) from error
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
            raise self._damaged(LIST, str(error)) from error
        if good and found["format"] > FORMAT:
            raise CommandError(
                f"{self.file} was made by a newer nongso ({found.get('program')}). Install that."
            )
        try:
            files = {str(n): (int(size), str(sum_)) for n, (size, sum_) in found["files"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._damaged(LIST, "it is not the list that nongso writes") from error
        for name in files:
            if not _is_inside(name):
                raise self._damaged(LIST, f"{name!r} would lie outside of the folder")
        return {**found, "files": files}


def _make_private(folder: Path) -> None:
    """Make a folder and those above it; ``mkdir`` gives its mode to the last one only."""
    if not folder.is_dir():
        _make_private(folder.parent)
        folder.mkdir(mode=0o700)


def _read(source: IO[bytes]) -> bytes:
    return source.read(_PIECE)


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return (
        bool(name)
        and name.isprintable()
        and "\\" not in name
        and not path.is_absolute()
        and ".." not in path.parts
        and str(path) == name
    )
