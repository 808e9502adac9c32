"""Where labels may be written, and how: whole or not at all, over nothing but older labels.

A mistyped ``-o`` must not cost the table, a spreadsheet or a device. The check comes before the
work; files appear under their names only when all of them are on the disk.
"""

import contextlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from nongso.labels.errors import BadOutput

# How a file of ours begins; what begins otherwise is somebody else's.
_BEGINS = {
    "pdf": (b"%PDF",),
    "png": (b"\x89PNG",),
    "svg": (b"<svg",),
    "zpl": (b"^XA", b"~SD"),
    "tspl": (b"SIZE ",),
    "escpos": (b"\x1b@",),
}


def check(out_file: Path, table: Path | None, wanted: str = "pdf") -> Path:
    """Return the file that will be written, with links followed. Raises ``BadOutput``."""
    try:
        real = out_file.resolve(strict=False)
        if real.exists():
            _check_replaced(out_file, real, table, wanted)
        elif not real.parent.is_dir():
            raise BadOutput(f"the folder {real.parent} is not there: make it, or name another")
    except (OSError, RuntimeError) as e:  # a link to itself is a RuntimeError in Python 3.11
        reason = getattr(e, "strerror", None) or e
        raise BadOutput(f"{out_file} cannot be written: {reason}") from e
    return real


def _check_replaced(out_file: Path, real: Path, table: Path | None, wanted: str) -> None:
    kind = wanted.upper()
    if real.is_dir():
        there = out_file / f"labels.{wanted}"
        raise BadOutput(f"{out_file} is a folder: name the {kind} in it, {there}")
    if not real.is_file():
        raise BadOutput(f"{out_file} is no ordinary file: name a {kind}")
    if table is not None:
        spare_table(real, table)
    with real.open("rb") as file:
        start = file.read(8)
    if start and not start.startswith(_BEGINS[wanted]):
        raise BadOutput(
            f"{out_file} is there and is no {kind}: name another file, or move this one away"
        )


def spare_table(out_file: Path, table: Path) -> None:
    """Refuse to write over the table, under whatever name. Raises ``BadOutput``."""
    if out_file.exists() and table.exists() and out_file.samefile(table):
        raise BadOutput(f"{out_file} is the table itself: name another file for the labels")


def numbered(file: Path, count: int) -> list[Path]:
    """Names for so many pages: the name itself for one, else ``out-1.png``, ``out-2.png`` …"""
    if count == 1:
        return [file]
    digits = len(str(count))
    return [
        file.with_name(f"{file.stem}-{number:0{digits}d}{file.suffix}")
        for number in range(1, count + 1)
    ]


def write(files: Sequence[Path], contents: Iterable[bytes]) -> None:
    """Put each content under its name. Raises ``OSError`` that names the file itself."""
    parts: list[tuple[Path, Path]] = []
    real = files[0]
    try:
        for real, content in zip(files, contents, strict=True):
            part = real.with_name(f"{real.name}.part{os.getpid()}")
            parts.append((part, real))
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for part, real in parts:
            part.replace(real)
    except OSError as e:  # nobody asked for the part: the trouble is with the file itself
        raise OSError(e.errno, e.strerror, str(real)) from e
    finally:
        for part, _ in parts:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
