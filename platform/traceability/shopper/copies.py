"""Copies of lots' pages on the disk, for when the database is away.

Whenever a lot's page was made its copy is kept beside the database, after the answer, where it
says something else than the last one. While the database cannot be read, whoever scans gets the
copy, with a line above it that says from when it is and that a recall may have come since; of a
pack the copy of its lot, without a word about the pack's own number. Nobody caches that answer.

``MOST_COPIES`` bounds them, the oldest go first, a tenth at once; one older than ``MOST_DAYS`` is
not shown any more, and goes. The folder is looked through once an hour and when it is full, not
at each copy; several servers together may so go beyond the bound for an hour. Not here: pages of
products, and the data for machines, which get 503.
"""

import hashlib
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from nongso.platform.storage import trouble_of
from nongso.platform.wholefile import NotKept, write_whole

FOLDER = "pages"
MOST_COPIES = 2000  # of about 8 kB
MOST_DAYS = 30
LOOKED_AT_SECONDS = 3600  # how exact the moment is at which a page was the same for the last time
ROOM_EVERY_SECONDS = 3600

_CODE = re.compile("[0-9A-Z]{1,40}")
_MOST_KNOWN = 10_000


class Copies:
    """The copies of a platform; one for the process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        self._known: dict[Path, tuple[bytes, float]] = {}  # what was written last, and when
        self._count = MOST_COPIES  # how many there are, as far as this server knows
        self._room_at = 0.0  # when the folder was looked through

    def keep(self, code: str, language: str, page: bytes) -> None:
        """Keep a page, unless its copy says the same already."""
        file = self._file(code, language)
        if file is None:
            return
        now, said = time.time(), hashlib.sha256(page).digest()
        known = self._known.get(file)
        if known is not None and known[0] == said and now - known[1] < LOOKED_AT_SECONDS:
            return
        is_new = known is None and not file.exists()
        try:
            write_whole(file, page)
        except NotKept:
            return
        except OSError as error:
            if trouble_of(error) is None:
                raise
            return  # a full disk: the pages themselves are shown all the same
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[file] = (said, now)
        self._count += is_new
        if self._count > MOST_COPIES or now - self._room_at >= ROOM_EVERY_SECONDS:
            self._make_room(now)

    def find(self, code: str, language: str) -> tuple[bytes, float] | None:
        """Return a lot's page and when it was true for the last time."""
        file = self._file(code, language)
        try:
            at = file.stat().st_mtime if file is not None else 0.0
            if file is None or time.time() - at > MOST_DAYS * 86400:
                return None
            return file.read_bytes(), at
        except OSError:
            return None

    def _file(self, code: str, language: str) -> Path | None:
        return self._folder / f"{code}.{language}.html" if _CODE.fullmatch(code) else None

    def _make_room(self, now: float) -> None:
        found = sorted(self._ages(), reverse=True)  # the youngest first
        most = MOST_COPIES - MOST_COPIES // 10 if len(found) > MOST_COPIES else MOST_COPIES
        self._count, self._room_at = 0, now
        for at, file in found:
            if self._count >= most or now - at > MOST_DAYS * 86400:
                file.unlink(missing_ok=True)
                self._known.pop(file, None)
            else:
                self._count += 1

    def _ages(self) -> Iterator[tuple[float, Path]]:
        for file in self._folder.glob("*.html"):
            with suppress(OSError):
                yield file.stat().st_mtime, file
