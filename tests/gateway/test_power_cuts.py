"""Power cuts: what was acknowledged is on the disk, whichever unsynced sectors survive.

A layer under SQLite keeps, for each file, what was synced and what was only written. At random
moments the power "fails": each unsynced 512-byte piece is kept or lost by chance, and the result
is opened as the next start would. (Drives that lie about syncing are not modelled.)
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from test_store import accept, told

from nongso.gateway.store import Store

SECTOR = 512


class Disk:
    """What is durable, and what was written since the last sync, of each file."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.durable: dict[str, bytearray] = {}
        self.unsynced: dict[str, list[tuple[int, bytes | None]]] = {}
        self.acknowledged: set[int] = set()
        self.cuts: list[tuple[set[int], dict[str, bytes]]] = []
        self.is_counting = False

    def opened(self, name: str) -> None:
        self.durable.setdefault(name, bytearray())
        self.unsynced.setdefault(name, [])

    def deleted(self, name: str) -> None:
        self.durable.pop(name, None)
        self.unsynced.pop(name, None)

    def written(self, name: str, offset: int, piece: bytes | None) -> None:
        """Note a write, or a cut to ``offset`` bytes (``None``)."""
        self.unsynced[name].append((offset, piece))
        self.maybe_cut(0.02)

    def synced(self, name: str) -> None:
        self.maybe_cut(0.05)
        for offset, piece in self.unsynced[name]:
            _apply(self.durable[name], offset, piece)
        self.unsynced[name].clear()
        self.maybe_cut(0.05)

    def maybe_cut(self, likely: float) -> None:
        if self.is_counting and self.chance.random() < likely:
            self.cuts.append((set(self.acknowledged), self.after_a_cut()))

    def after_a_cut(self) -> dict[str, bytes]:
        found = {}
        for name, durable in self.durable.items():
            image = bytearray(durable)
            for offset, piece in self.unsynced[name]:
                if piece is None:
                    if self.chance.random() < 0.5:
                        _apply(image, offset, None)
                    continue
                for start in range(0, len(piece), SECTOR):
                    if self.chance.random() < 0.5:
                        _apply(image, offset + start, piece[start : start + SECTOR])
            found[name] = bytes(image)
        return found


def _apply(image: bytearray, offset: int, piece: bytes | None) -> None:
    if piece is None:
        del image[offset:]
        return
    if len(image) < offset:
        image.extend(bytes(offset - len(image)))
    image[offset : offset + len(piece)] = piece


class Layer(apsw.VFS):
    """SQLite's way to the real disk, through which every write and sync is seen."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        super().__init__("power-cuts", "unix", makedefault=True)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        super().xDelete(filename, syncdir)
        self.disk.deleted(Path(filename).name)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        return LayerFile(self.disk, name, flags)


class LayerFile(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        self.disk, self.name = disk, Path(path).name
        disk.opened(self.name)

    def xWrite(self, data: bytes, offset: int) -> None:
        super().xWrite(data, offset)
        self.disk.written(self.name, offset, bytes(data))

    def xTruncate(self, newsize: int) -> None:
        super().xTruncate(newsize)
        self.disk.written(self.name, newsize, None)

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        self.disk.synced(self.name)


@pytest.fixture
def disk(request: pytest.FixtureRequest) -> Iterator[Disk]:
    made = Disk(request.param)
    layer = Layer(made)
    yield made
    layer.unregister()


def stored(file: Path) -> set[int]:
    """Return the seqs in the outbox, with a plain connection."""
    db = apsw.Connection(str(file), vfs="unix")
    try:
        assert db.execute("PRAGMA integrity_check").get == "ok"
        rows = db.execute("SELECT body FROM outbox WHERE kind = 'readings'").fetchall()
        ledger = db.execute("SELECT count(*) FROM messages").get
        assert ledger >= len(rows)
        return {json.loads(row[0])["seq"] for row in rows}
    finally:
        db.close()


SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.walk) for seed in range(2, 12))]


@pytest.mark.parametrize("disk", SEEDS, indirect=True)
def test_no_acknowledged_message_is_lost_by_a_power_cut(disk: Disk, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    store = Store(home / "store.sqlite")
    disk.is_counting = True
    number = 0
    for _ in range(120):
        many = disk.chance.choice((1, 3, 30, 100))
        accept(store, *(told(n) for n in range(number, number + many)))
        disk.acknowledged |= set(range(number, number + many))
        number += many
    disk.is_counting = False
    store.close(2.0)
    assert len(disk.cuts) > 20
    for number, (acknowledged, files) in enumerate(disk.cuts):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, content in files.items():
            if not name.endswith("-shm"):
                (folder / name).write_bytes(content)
        found = stored(folder / "store.sqlite")
        assert acknowledged <= found, f"cut {number} lost {sorted(acknowledged - found)}"


@pytest.mark.parametrize("disk", [77], indirect=True)
def test_a_store_opens_after_a_power_cut_and_takes_messages(disk: Disk, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    store = Store(home / "store.sqlite")
    disk.is_counting = True
    for n in range(40):
        accept(store, told(n))
        disk.acknowledged.add(n)
    disk.is_counting = False
    store.close(2.0)
    for number, (acknowledged, files) in enumerate(disk.cuts[:15]):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, content in files.items():
            if not name.endswith("-shm"):
                (folder / name).write_bytes(content)
        again = Store(folder / "store.sqlite")
        again_found = accept(again, *(told(n) for n in range(41)))
        assert again_found.duplicates >= len(acknowledged)
        again.close(2.0)
        assert not list(folder.glob("*.damaged*"))
