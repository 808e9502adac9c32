"""Pictures that people bring: made small, freed of where they were taken, kept by contents.

The diary and the registry keep theirs through here: the door to Pillow on the platform. A
phone's picture holds the place, the phone's make and often a thumbnail of the whole; all of it
is left behind because only the pixels are written anew.
"""

import functools
import hashlib
import io
import warnings
from contextlib import closing
from pathlib import Path
from threading import Lock
from typing import IO

from PIL import Image, ImageOps, UnidentifiedImageError

from nongso.platform.wholefile import write_whole

LONGEST_SIDE = 1280  # pixels
QUALITY = 78  # a leaf spot is still seen; about 150 kB
MOST_PIXELS = 60_000_000  # JPEG is read at a fraction of that; the largest phone cameras
MOST_PIXELS_AT_ONCE = 16_000_000  # of PNG and WEBP, which are read whole: 64 MB
FORMATS = ("JPEG", "PNG", "WEBP")

_one_at_a_time = Lock()


class BadPhoto(Exception):
    """The file is not a picture that can be kept. ``code`` is ``unreadable`` or ``huge``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def keep(folder: Path, data: bytes, longest_side: int = LONGEST_SIDE) -> str:
    """Keep a picture and return its SHA-256, under which ``path_of`` finds it."""
    small = shrink(data, longest_side)
    name = hashlib.sha256(small).hexdigest()
    file = path_of(folder, name)
    if not file.exists():
        write_whole(file, small)
    return name


def keep_sent(
    folder: Path, sent: IO[bytes], most_bytes: int, longest_side: int = LONGEST_SIDE
) -> str:
    """Keep a picture as a form brings it; reads no more than it may be large. As ``keep``."""
    with closing(sent):
        data = sent.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise BadPhoto("huge")
    return keep(folder, data, longest_side)


def path_of(folder: Path, name: str) -> Path:
    """Return where a kept picture lies. ``name`` is its SHA-256 in hexadecimal."""
    if len(name) != 64 or set(name) - set("0123456789abcdef"):
        raise ValueError("not the name of a picture")
    return folder / name[:2] / f"{name}.jpg"


def shown(folder: Path, name: str, longest_side: int) -> bytes | None:
    """Return a kept picture as a page shows it; ``None`` where it is gone or cannot be read."""
    file = path_of(folder, name)
    try:
        return _as_shown(file, longest_side) if file.is_file() else None
    except (OSError, BadPhoto):
        return None


@functools.lru_cache(maxsize=64)
def _as_shown(file: Path, longest_side: int) -> bytes:
    return shrink(file.read_bytes(), longest_side)


def size(folder: Path, name: str, longest_side: int) -> tuple[int, int] | None:
    """Return how wide and high ``shown`` shows a picture, so that a page leaves room for it."""
    file = path_of(folder, name)
    try:
        return _size_of(file, longest_side)
    except OSError:
        return None


@functools.lru_cache(maxsize=1024)
def _size_of(file: Path, longest_side: int) -> tuple[int, int]:
    with Image.open(file, formats=("JPEG",)) as picture:
        part = min(1.0, longest_side / max(picture.size))
        return round(picture.width * part), round(picture.height * part)


def shrink(data: bytes, longest_side: int = LONGEST_SIDE) -> bytes:
    """Return a small JPEG with nothing but the picture, upright. Raises ``BadPhoto``.

    One at a time: eight pictures at once must not take eight times the memory.
    """
    with _one_at_a_time:
        return _shrunk(data, longest_side)


def _shrunk(data: bytes, longest_side: int) -> bytes:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Pillow warns of pictures that are bombs
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    raise BadPhoto("huge")
                picture.draft("RGB", (longest_side, longest_side))
                if picture.width * picture.height > MOST_PIXELS_AT_ONCE:
                    raise BadPhoto("huge")
                picture.thumbnail((longest_side, longest_side))
                upright = ImageOps.exif_transpose(picture).convert("RGB")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadPhoto("huge") from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Warning):
        raise BadPhoto("unreadable") from None
    clean = Image.new("RGB", upright.size)
    clean.paste(upright)
    out = io.BytesIO()
    clean.save(out, "JPEG", quality=QUALITY, optimize=True, progressive=True)
    return out.getvalue()
