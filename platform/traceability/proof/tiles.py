"""Tiles (C2SP tlog-tiles): a log as files that any web host or USB stick can serve.

A tile holds up to 256 hashes: of leaves at level 0, of whole tiles below at the levels above.
Bundles hold the entries themselves. Names and bytes only; who keeps or fetches them is not
known here.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

from nongso.platform.traceability.proof.merkle import HASH_BYTES, Nodes, ProofError, node_hash

WIDTH = 256
_LEVELS = 8  # of the tree in one tile
LONGEST_ENTRY = 0xFFFF
TOP_LEVEL = 63
_PATH = re.compile(
    r"(?:(?P<level>entries|0|[1-9]\d?)/)(?P<index>(?:x\d{3}/)*\d{3})(?:\.p/(?P<width>[1-9]\d{0,2}))?",
    re.ASCII,
)


@dataclass(frozen=True)
class Tile:
    """The name of a tile; ``level`` is ``None`` for a bundle of entries."""

    level: int | None
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Its address below ``tile/``."""
        parts = [f"{self.index % 1000:03}"]
        rest = self.index // 1000
        while rest:
            parts.insert(0, f"x{rest % 1000:03}")
            rest //= 1000
        level = "entries" if self.level is None else str(self.level)
        end = f".p/{self.width}" if self.width < WIDTH else ""
        return f"{level}/{'/'.join(parts)}{end}"

    @classmethod
    def parse(cls, path: str) -> "Tile | None":
        """Read an address below ``tile/``; ``None`` where it is none, or not the shortest."""
        found = _PATH.fullmatch(path)
        if found is None or len(path) > 60:
            return None
        level = None if found["level"] == "entries" else int(found["level"])
        index = int(found["index"].replace("x", "").replace("/", ""))
        made = cls(level, index, int(found["width"] or WIDTH))
        return made if (level or 0) <= TOP_LEVEL and made.path == path else None


def width_at(size: int, level: int, index: int) -> int:
    """Return how many hashes a tile has in a log of that size; 0 where there is none."""
    return max(0, min(WIDTH, (size >> (_LEVELS * level)) - index * WIDTH))


def bundle(entries: Iterable[bytes]) -> bytes:
    """Put entries together, each behind its length."""
    return b"".join(len(one).to_bytes(2, "big") + one for one in entries)


def unbundle(data: bytes) -> list[bytes]:
    """Take a bundle apart. Raises ``ProofError``."""
    found, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 2], "big")
        end = at + 2 + length
        if at + 2 > len(data) or end > len(data):
            raise ProofError("a bundle of entries ends too early")
        found.append(data[at + 2 : end])
        at = end
    return found


def subtree(hashes: bytes) -> bytes:
    """Return the node above 2^n neighbouring hashes."""
    row = [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def nodes_of(read: Callable[[int, int], bytes]) -> Nodes:
    """Return ``Nodes`` that are read from tiles; each tile is read once.

    ``read(level, index)`` gives the hashes of a tile. Raises ``ProofError`` when it has too few.
    """
    tile = cache(read)

    @cache
    def node(level: int, index: int) -> bytes:
        height, below = divmod(level, _LEVELS)
        first = index << below
        at = first % WIDTH * HASH_BYTES
        end = at + (HASH_BYTES << below)
        hashes = tile(height, first // WIDTH)
        if len(hashes) < end:
            raise ProofError(f"tile {height}/{first // WIDTH} has too few hashes")
        return subtree(hashes[at:end])

    return node
