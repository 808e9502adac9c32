"""A disk that can lose power or refuse: what is on it, what was only written, what a cut leaves.

What a program wrote since the last sync of a file is kept or lost by chance after a power cut, one
512-byte sector at a time, and now and then a sector is torn. Names in a folder are a list of their
own: a file that was made or deleted since the folder was last synced may be there or not, in the
order in which it happened. (Drives that lie about syncing are not modelled.) Each call can also be
refused, as a full or failing disk does.

How SQLite's calls come here is in ``sqlite_layers``.
"""

import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

SECTOR = 512
Image = dict[str, bytes]


class Refused(Exception):
    """The disk does not do it; ``why`` is ``"full"`` or ``"broken"``."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Cut(NamedTuple):
    """A moment at which the power failed: what had been promised by then, and what is left."""

    promised: int
    image: Image


class File:
    """A file under whatever name: its durable bytes, and what was written since its last sync."""

    def __init__(self, durable: bytes = b"") -> None:
        self.durable = bytearray(durable)
        self.unsynced: list[tuple[int, bytes | None]] = []  # no bytes: cut off there

    def sync(self) -> None:
        for offset, piece in self.unsynced:
            _apply(self.durable, offset, piece)
        self.unsynced.clear()

    def after_a_cut(self, chance: random.Random) -> bytes:
        image = bytearray(self.durable)
        for offset, piece in self.unsynced:
            if piece is None:
                if chance.random() < 0.5:
                    _apply(image, offset, None)
                continue
            at = 0
            while at < len(piece):
                end = min(len(piece), at + SECTOR - (offset + at) % SECTOR)
                fate = chance.random()
                if fate < 0.5:
                    _apply(image, offset + at, piece[at:end])
                elif fate < 0.55:
                    _apply(image, offset + at, piece[at : chance.randint(at, end)])
                at = end
        return bytes(image)


def _apply(image: bytearray, offset: int, piece: bytes | None) -> None:
    if piece is None:
        del image[offset:]
        return
    if len(image) < offset:
        image.extend(bytes(offset - len(image)))
    image[offset : offset + len(piece)] = piece


class Disk:
    """One folder's files. Calls come from any thread.

    ``is_cutting``: power fails by chance at calls; each time ``cuts`` gets what is left.
    ``refuses(number)``: asked with the number of each call that writes; a word refuses it.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.chance = random.Random(seed)
        self.cuts: list[Cut] = []
        self.is_cutting = False
        self.likely = 0.05
        self.promised: Callable[[], int] = lambda: 0
        self.refuses: Callable[[int], str | None] = lambda number: None
        self.calls = 0
        self._lock = threading.RLock()
        self._names: dict[str, File] = {}
        self._durable_names: dict[str, File] = {}
        self._moves: list[tuple[str, File | None]] = []

    def settle(self) -> None:
        """Take everything that is in the folder now for durable."""
        with self._lock:
            self._names = {
                path.name: File(path.read_bytes())
                for path in self.folder.iterdir()
                if path.is_file() and not path.name.endswith("-shm")
            }
            self._durable_names = dict(self._names)
            self._moves.clear()
            self.calls = 0

    def is_here(self, path: str) -> bool:
        """Say whether a path lies on this disk; ``-shm`` files are memory, no disk."""
        return Path(path).parent == self.folder and not path.endswith("-shm")

    # calls, each before it is done to the real file

    def may(self) -> None:
        """Count a call that writes. Raises ``Refused``."""
        with self._lock:
            self.calls += 1
            why = self.refuses(self.calls)
        if why is not None:
            raise Refused(why)

    def opened(self, name: str) -> None:
        with self._lock:
            if name not in self._names:
                self._move(name, File())

    def written(self, name: str, offset: int, piece: bytes | None) -> None:
        """Note a write, or a cut to ``offset`` bytes (``None``)."""
        with self._lock:
            self._names[name].unsynced.append((offset, piece))
            self._maybe_cut()

    def synced(self, name: str) -> None:
        """Note a sync; of a new file SQLite syncs the folder too."""
        with self._lock:
            self._maybe_cut()
            self._names[name].sync()
            if any(moved == name for moved, _ in self._moves):
                self.folder_synced()
            self._maybe_cut()

    def deleted(self, name: str, is_synced: bool) -> None:
        with self._lock:
            self._maybe_cut()
            self._move(name, None)
            self._maybe_cut()
            if is_synced:
                self.folder_synced()

    def folder_synced(self) -> None:
        self._durable_names = dict(self._names)
        self._moves.clear()

    def promises(self) -> None:
        """The program has just promised something: a good moment for a power cut."""
        with self._lock:
            self._maybe_cut()

    def _move(self, name: str, file: File | None) -> None:
        self._moves.append((name, file))
        _put(self._names, name, file)

    def _maybe_cut(self) -> None:
        if self.is_cutting and self.chance.random() < self.likely:
            self.cuts.append(Cut(self.promised(), self.after_a_cut()))

    def after_a_cut(self) -> Image:
        """Draw what the next start would find."""
        names = dict(self._durable_names)
        for name, file in self._moves[: self.chance.randint(0, len(self._moves))]:
            _put(names, name, file)
        return {name: file.after_a_cut(self.chance) for name, file in names.items()}


def _put(names: dict[str, File], name: str, file: File | None) -> None:
    if file is None:
        names.pop(name, None)
    else:
        names[name] = file


def lay_down(image: Image, folder: Path) -> None:
    """Write what a power cut left into an empty folder."""
    folder.mkdir()
    for name, content in image.items():
        (folder / name).write_bytes(content)
