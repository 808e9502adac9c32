"""How a new version of the node's program is offered, signed, asked for and sent.

``…/down`` (gateway to node): an offer as JSON, and pieces as bytes. ``…/update`` (node to
gateway): ``{"do": "tell", …}`` what runs and what became of an offer, ``{"do": "fetch", …}`` the
next piece.

An offer is signed for one node with that node's own key (HMAC-SHA256). It names a *list* by its
SHA-256, and the list names the files of the version by theirs, so the one signature vouches for
every byte. A version's ``number`` is the Unix second of its making. ``over`` is the number of the
newer version that this older one may replace, 0 where no step back is meant: such an offer cannot
be played again later against another version.
"""

import json
from collections import namedtuple

from nongso.wire.keyed import hmac_sha256, is_same

MAX_PIECE = 1024  # bytes: a board holds a whole message in its memory
MAX_LIST = 16384
MAX_FILE = 131072

# Why a node does not take an offer, or why it has gone back to the version before.
REFUSALS = ("signature", "older", "rolled_back", "no_space", "damaged", "unfit")
FAILURES = ("hung", "crashed", "unheard", "stopped")

Offer = namedtuple("Offer", ("number", "version", "size", "sha256", "over"))
File = namedtuple("File", ("path", "size", "sha256"))
Piece = namedtuple("Piece", ("sha256", "offset", "content"))

_MARK = b"\x01"
_HEX = "0123456789abcdef"
_PATH = "abcdefghijklmnopqrstuvwxyz0123456789_./"


class ReleaseError(ValueError):
    """Not an offer, a list or a word of this kind; the text says why."""


def sign(key: bytes, eui64: str, offer: Offer) -> str:
    """Sign an offer for one node."""
    text = "nongso update 1 %s %d %s %d %s %d" % (
        eui64,
        offer.number,
        offer.version,
        offer.size,
        offer.sha256,
        offer.over,
    )
    return hmac_sha256(key, text.encode()).hex()


def is_signed(key: bytes, eui64: str, offer: Offer, signature: str) -> bool:
    """Check a signature."""
    return is_same(sign(key, eui64, offer), signature)


def encode_offer(offer: Offer, signature: str) -> bytes:
    """Write an offer."""
    return json.dumps(
        {
            "do": "offer",
            "number": offer.number,
            "version": offer.version,
            "size": offer.size,
            "sha256": offer.sha256,
            "over": offer.over,
            "hmac": signature,
        }
    ).encode()


def decode_offer(found: "dict[str, object]") -> "tuple[Offer, str]":
    """Read an offer and its signature. Raises ``ReleaseError``."""
    offer = Offer(
        whole(found, "number", 1 << 40),
        word(found, "version"),
        whole(found, "size", MAX_LIST),
        digest(found, "sha256"),
        whole(found, "over", 1 << 40),
    )
    return offer, digest(found, "hmac")


def encode_list(files: "list[File]") -> bytes:
    """Write the list of a version's files."""
    return "".join("%s %d %s\n" % (f.path, f.size, f.sha256) for f in files).encode()


def decode_list(text: bytes) -> "list[File]":
    """Read a list. Raises ``ReleaseError``; no path leads out of the slot."""
    files = []
    for line in text.decode().split("\n"):
        if not line:
            continue
        parts = line.split(" ")
        if len(parts) != 3 or not all(_is_digit(c) for c in parts[1]) or len(parts[1]) > 6:
            raise ReleaseError("not a line of a list: %r" % line[:80])
        path, size = parts[0], int(parts[1] or "0")
        good = path and path[0] != "/" and ".." not in path and all(c in _PATH for c in path)
        if not good or len(path) > 100 or size > MAX_FILE or path == "version.json":
            raise ReleaseError("not a file of a version: %r" % line[:80])
        files.append(File(path, size, digest({"sha256": parts[2]}, "sha256")))
    if not files:
        raise ReleaseError("the list is empty")
    return files


def encode_fetch(number: int, sha256: str, offset: int) -> bytes:
    """Ask for a piece of a file of the version ``number``."""
    return b'{"do":"fetch","number":%d,"sha256":"%s","from":%d}' % (
        number,
        sha256.encode(),
        offset,
    )


def encode_piece(sha256: str, offset: int, content: bytes) -> bytes:
    """Write a piece of the file with this SHA-256."""
    return _MARK + bytes.fromhex(sha256) + offset.to_bytes(4, "big") + content


def decode_piece(message: bytes) -> "Piece | None":
    """Read a piece; ``None`` if the message is none."""
    if message[:1] != _MARK or len(message) < 38 or len(message) > 37 + MAX_PIECE:
        return None
    return Piece(message[1:33].hex(), int.from_bytes(message[33:37], "big"), message[37:])


def _is_digit(char: str) -> bool:
    return "0" <= char <= "9"


def whole(found: "dict[str, object]", key: str, most: int) -> int:
    """Read a whole number from 0. Raises ``ReleaseError``."""
    value = found.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ReleaseError("%s must be a whole number up to %d" % (key, most))
    return value


def word(found: "dict[str, object]", key: str) -> str:
    """Read a short text without spaces. Raises ``ReleaseError``."""
    value = found.get(key)
    if (
        not isinstance(value, str)
        or len(value) > 40
        or not all(c in _PATH or c in "+-ABCDEFGHIJKLMNOPQRSTUVWXYZ" for c in value)
    ):
        raise ReleaseError("%s must be a short text without spaces" % key)
    return value


def digest(found: "dict[str, object]", key: str) -> str:
    """Read a SHA-256 as 64 hex digits. Raises ``ReleaseError``."""
    value = found.get(key)
    if not isinstance(value, str) or len(value) != 64 or not all(c in _HEX for c in value):
        raise ReleaseError("%s must be 64 hex digits" % key)
    return value
