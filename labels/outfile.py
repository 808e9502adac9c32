"""Where a sheet may be written, and how: whole or not at all, over nothing but an older sheet.

A mistyped ``-o`` must not cost the table, a spreadsheet or a device. The check comes before the
work; the file appears under its name only when all of it is on the disk.
"""

import contextlib
import os
from pathlib import Path

from nongso.labels.errors import BadOutput

_PDF = b"%PDF"


def check(out_file: Path, table: Path) -> Path:
    """Return the file that will be written, with links followed. Raises ``BadOutput``."""
    try:
        real = out_file.resolve(strict=False)
        if real.exists():
            _check_replaced(out_file, real, table)
        elif not real.parent.is_dir():
            raise BadOutput(f"the folder {real.parent} is not there: make it, or name another")
    except (OSError, RuntimeError) as e:  # a link to itself is a RuntimeError in Python 3.11
        reason = getattr(e, "strerror", None) or e
        raise BadOutput(f"{out_file} cannot be written: {reason}") from e
    return real


def _check_replaced(out_file: Path, real: Path, table: Path) -> None:
    if real.is_dir():
        raise BadOutput(f"{out_file} is a folder: name the PDF in it, {out_file / 'labels.pdf'}")
    if not real.is_file():
        raise BadOutput(f"{out_file} is no ordinary file: name a PDF")
    if table.exists() and real.samefile(table):
        raise BadOutput(f"{out_file} is the table itself: name another file for the PDF")
    with real.open("rb") as there:
        start = there.read(len(_PDF))
    if start and start != _PDF:
        raise BadOutput(
            f"{out_file} is there and is no PDF: name another file, or move this one away"
        )


def write(real: Path, content: bytes) -> None:
    """Put the content under its name. Raises ``OSError`` that names the file itself."""
    part = real.with_name(f"{real.name}.part{os.getpid()}")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(real)
    except OSError as e:  # nobody asked for the part: the trouble is with the file itself
        raise OSError(e.errno, e.strerror, str(real)) from e
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
