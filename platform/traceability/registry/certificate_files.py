"""Scanned papers: taken only if they are what they say, kept for the platform's eyes only.

What a file is is told by its contents, never by its name. A photo of a paper is written anew
from its pixels (``nongso.platform.photos``), so that neither place nor phone stays in it. A PDF
is kept as it came, because it may be signed; it is refused where it visibly holds a script or
something to start (what hides in compressed parts of a PDF is not seen: it is handed out as a
download, never shown inside a page of ours).
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from nongso.platform import photos
from nongso.platform.wholefile import write_whole

MOST_BYTES = 5 * 1024 * 1024
LONGEST_SIDE = 2200  # pixels: small print on an A4 page is still read
TYPES = {"pdf": "application/pdf", "jpg": "image/jpeg"}

_ACTIVE = re.compile(rb"/(JavaScript|JS|Launch|EmbeddedFile|RichMedia|XFA)(?![A-Za-z])")
_NAME_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")


class BadPaper(Exception):
    """The file cannot be kept: ``code`` is large, huge, unknown, torn or active."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Paper:
    """A kept file: its SHA-256 and what it is."""

    name: str
    type: str


def clean(data: bytes) -> tuple[bytes, str]:
    """What is kept of a file, and its type. Raises ``BadPaper``."""
    if len(data) > MOST_BYTES:
        raise BadPaper("large")
    if data.startswith(b"%PDF-"):
        _check_pdf(data)
        return data, "pdf"
    if not data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")):
        raise BadPaper("unknown")
    try:
        return photos.shrink(data, LONGEST_SIDE), "jpg"
    except photos.BadPhoto as error:
        raise BadPaper("huge" if error.code == "huge" else "torn") from error


def keep(folder: Path, data: bytes) -> Paper:
    """Keep a scanned paper. Raises ``BadPaper``; ``NotKept`` and ``OSError`` for the disk."""
    cleaned, type_ = clean(data)
    name = hashlib.sha256(cleaned).hexdigest()
    file = path_of(folder, name, type_)
    if not file.exists():
        write_whole(file, cleaned)
    return Paper(name, type_)


def path_of(folder: Path, name: str, type_: str) -> Path:
    """Return where a kept paper lies. ``name`` is its SHA-256 in hexadecimal."""
    if type_ not in TYPES:
        raise ValueError("not a sort of paper that is kept")
    return photos.path_of(folder, name).with_suffix(f".{type_}")


def _check_pdf(data: bytes) -> None:
    if b"%%EOF" not in data[-2048:]:  # cut off on the way, or not a PDF behind its first line
        raise BadPaper("torn")
    plain = _NAME_ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), data)
    if _ACTIVE.search(plain):
        raise BadPaper("active")
