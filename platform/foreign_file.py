"""A foreign CSV file, opened and read line by line, and its clock.

gzip is recognised by its contents. A file that cannot be read to its end is an error with the
line; the head must have the columns that the map names.

Local times. An hour that occurs twice (end of daylight saving) is told apart by the order of
the lines: the second pass through the hour is the later one. An hour that does not exist is
refused. The file asserts its times; they are only required to lie between 1980 and now.
"""

import csv
import gzip
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from nongso.platform.columns import Map, MapError, nearest

EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)
LONGEST_LINE = 1_000_000


class FileError(Exception):
    """The file cannot be loaded; the text says why."""


class Source:
    """The file, open, with its head checked against the map."""

    def __init__(self, file: Path, wanted: Map) -> None:
        self._file = file
        self._wanted = wanted
        self._raw: BinaryIO | None = None
        self._text: io.TextIOWrapper | None = None

    def __enter__(self) -> "Source":
        try:
            self.size = self._file.stat().st_size
            self._raw = self._file.open("rb")
        except OSError as error:
            raise FileError(f"{self._file}: cannot be read: {error.strerror}") from error
        try:
            self._open()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _open(self) -> None:
        assert self._raw is not None
        is_gzip = self._raw.read(2) == b"\x1f\x8b"
        self._raw.seek(0)
        plain = gzip.GzipFile(fileobj=self._raw) if is_gzip else self._raw
        self._text = io.TextIOWrapper(
            plain, encoding=self._wanted.encoding, errors="strict", newline=""
        )
        csv.field_size_limit(LONGEST_LINE)
        self._reader = csv.reader(self._text, delimiter=self._wanted.delimiter, strict=True)
        self.head = self._next() or []
        self._check_head()

    def __exit__(self, *_error: object) -> None:
        for opened in (self._text, self._raw):  # closing the text leaves the file below gzip open
            if opened is not None:
                opened.close()

    @property
    def done(self) -> int:
        """Bytes of the file read so far."""
        return self._raw.tell() if self._raw is not None else 0

    def lines(self) -> Iterator[tuple[int, list[str]]]:
        """Yield line number (the last one of a cell with line breaks) and cells."""
        while (row := self._next()) is not None:
            if row:  # an empty line is no line
                yield self._reader.line_num, row

    def _next(self) -> list[str] | None:
        where = f"{self._file}, line {self._reader.line_num + 1}"
        try:
            return next(self._reader, None)
        except UnicodeDecodeError as error:
            raise FileError(
                f"{where}: is not {self._wanted.encoding} ({error.reason}); name the right "
                "encoding in the map"
            ) from error
        except csv.Error as error:
            raise FileError(f"{where}: is not CSV: {error}") from error
        except (EOFError, OSError) as error:
            raise FileError(f"{where}: the file is damaged: {error}") from error

    def _check_head(self) -> None:
        wanted = [self._wanted.time_column, *(c.name for c in self._wanted.columns)]
        for name in wanted:
            if name not in self.head:
                raise MapError(
                    f"{self._file} has no column {name!r}; nearest: {nearest(name, self.head)}"
                )
            if self.head.count(name) > 1:
                raise MapError(f"{self._file} has more than one column {name!r}")


class Clock:
    """Reads the file's local times, in the order of its lines."""

    def __init__(self, wanted: Map) -> None:
        self._format = wanted.time_format
        self._zone = wanted.zone
        self._last: datetime | None = None
        self.was_repeated = False

    def read(self, text: str) -> int:
        """Return Unix seconds. Raises ``ValueError`` with a reason."""
        self.was_repeated = False
        if self._format == "unix":
            try:
                found = datetime.fromtimestamp(float(text), UTC)
            except (ValueError, OverflowError, OSError):
                raise ValueError(f"{text[:40]!r} is no Unix time") from None
            return self._checked(found, text)
        try:
            written = datetime.strptime(text.strip(), self._format)  # noqa: DTZ007
        except ValueError:
            raise ValueError(f"{text[:40]!r} is not of the form {self._format!r}") from None
        if written.tzinfo is not None:
            return self._checked(written.astimezone(UTC), text)
        return self._checked(self._utc(written, text), text)

    def _utc(self, written: datetime, text: str) -> datetime:
        first = written.replace(tzinfo=self._zone, fold=0)
        second = written.replace(tzinfo=self._zone, fold=1)
        early, late = first.astimezone(UTC), second.astimezone(UTC)
        if early == late:
            return early
        if early > late:  # spring: the clock jumped over it
            raise ValueError(f"{text!r} does not exist in {self._zone.key} (clock put forward)")
        self.was_repeated = True
        # Autumn: the hour comes twice. Going back in time means that the second pass began.
        if self._last is not None and early <= self._last:
            return late
        return early

    def _checked(self, found: datetime, text: str) -> int:
        if not EARLIEST <= found <= datetime.now(UTC) + timedelta(hours=1):
            raise ValueError(f"{text!r} is before 1980 or in the future")
        self._last = found
        return int(found.timestamp())
