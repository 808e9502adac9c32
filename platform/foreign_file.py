"""A foreign CSV file, opened and read line by line, and its clock.

gzip is recognised by its contents. What belongs to a single line (a byte that is no letter, a
quotation mark too many, a line without an end) refuses that line, and the reading goes on. A file
that cannot be read further at all (gzip cut off, a disk that fails) is an error with the line:
what stood before it has been read. The head must have the columns that the map names.

Memory stays small whatever the file is: no line is held that is longer than ``LONGEST_LINE``.

Local times. An hour that occurs twice (end of daylight saving) is told apart by the order of
the lines, whether the file runs forward or backward in time: the second pass through the hour is
the other one. An hour that does not exist is refused. The file asserts its times; they are only
required to lie between 1980 and now.
"""

import csv
import gzip
import io
import re
import stat
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nongso.platform.columns import Map, MapError, nearest

EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)
LONGEST_LINE = 1_000_000  # letters

_NO_LETTER = re.compile("[\udc80-\udcff]")  # what "surrogateescape" makes of undecodable bytes
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


class FileError(Exception):
    """The file cannot be loaded, or not further; the text says why."""


@dataclass(frozen=True)
class Broken:
    """Lines that are no row: how many, and why. ``kind`` is a word for counting."""

    lines: int
    kind: str
    why: str


class _BrokenLine(Exception):
    """One line of the text cannot be given to the CSV reader."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind, self.why = kind, why


class _Lines(Iterator[str]):
    """The lines of a text, none longer than ``LONGEST_LINE``; counts them."""

    def __init__(self, text: io.TextIOWrapper, encoding: str) -> None:
        self._text, self._encoding = text, encoding
        self.count = 0

    def __next__(self) -> str:
        line = self._text.readline(LONGEST_LINE + 1)
        if not line:
            raise StopIteration
        self.count += 1
        if self.count == 1:
            line = line.removeprefix("\ufeff")
        if len(line) > LONGEST_LINE:
            while line and not line.endswith(("\n", "\r")):
                line = self._text.readline(LONGEST_LINE)
            raise _BrokenLine("line too long", f"the line has more than {LONGEST_LINE} characters")
        if not line.isascii() and _NO_LETTER.search(line):
            raise _BrokenLine(
                "not in the encoding", f"a byte is not {self._encoding.removesuffix('-sig')}"
            )
        return line


class Source:
    """The file, open, with its head checked against the map."""

    def __init__(self, file: Path, wanted: Map) -> None:
        self._file = file
        self._wanted = wanted
        self._raw: io.BufferedReader | None = None
        self._text: io.TextIOWrapper | None = None

    def __enter__(self) -> "Source":
        try:
            found = self._file.stat()
            if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait for ever
                raise FileError(f"{self._file}: is not a file")
            self.size = found.st_size
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
        self._check_mark(plain)
        self._text = io.TextIOWrapper(
            plain, encoding=self._wanted.encoding, errors="surrogateescape", newline=""
        )
        csv.field_size_limit(LONGEST_LINE)
        self._lines = _Lines(self._text, self._wanted.encoding)
        self._reader = csv.reader(self._lines, delimiter=self._wanted.delimiter, strict=True)
        head = self._next()
        if isinstance(head, Broken):
            raise FileError(f"{self._file}, head: {head.why}; {self._what_to_look_at(head.kind)}")
        if head is None:
            raise FileError(f"{self._file}: is empty")
        self.head = [unicodedata.normalize("NFC", name) for name in head]
        self._check_head()

    def _check_mark(self, plain: io.BufferedReader | gzip.GzipFile) -> None:
        """See to it that a file that says how it is written is read so."""
        try:
            begin = plain.peek(4)[:4]
        except (EOFError, OSError, zlib.error) as error:
            raise FileError(f"{self._file}, line 1: the file is damaged: {error}") from error
        if self._wanted.encoding.startswith("utf-32"):  # its mark begins like that of utf-16
            return
        for mark, encoding in _MARKS.items():
            if begin.startswith(mark) and not self._wanted.encoding.startswith(encoding):
                raise FileError(
                    f"{self._file}: begins with the mark of {encoding}, but the map says "
                    f'{self._wanted.encoding.removesuffix("-sig")}; write encoding = "{encoding}" '
                    "into the map"
                )

    def __exit__(self, *_error: object) -> None:
        for opened in (self._text, self._raw):  # closing the text leaves the file below gzip open
            if opened is not None:
                opened.close()

    @property
    def done(self) -> int:
        """Bytes of the file read so far."""
        return self._raw.tell() if self._raw is not None else 0

    def lines(self) -> Iterator[tuple[int, list[str] | Broken]]:
        """Yield the number of the (first) line, and its cells or what is wrong with it.

        A row with line breaks in its cells is one line. An empty line is none. Raises
        ``FileError`` where nothing more can be read.
        """
        while True:
            began = self._lines.count + 1
            row = self._next()
            if row is None:
                return
            if row:
                yield began, row

    def _next(self) -> list[str] | Broken | None:
        began = self._lines.count
        try:
            return next(self._reader, None)
        except _BrokenLine as error:
            return Broken(self._lines.count - began, error.kind, error.why)
        except csv.Error as error:
            read = self._lines.count - began
            upto = f" (and the {read - 1} lines after it)" if read > 1 else ""
            return Broken(read, "not CSV", f"is not CSV{upto}: {error}")
        except UnicodeError as error:
            raise FileError(
                f"{self._where()}: is not {self._wanted.encoding.removesuffix('-sig')} ({error}); "
                "name the right encoding in the map"
            ) from error
        except (EOFError, OSError, zlib.error) as error:
            raise FileError(f"{self._where()}: the file is damaged: {error}") from error

    def _where(self) -> str:
        return f"{self._file}, line {self._lines.count + 1}"

    @staticmethod
    def _what_to_look_at(kind: str) -> str:
        entry = "encoding" if kind == "not in the encoding" else "delimiter"
        return f"look at {entry} in the map"

    def _check_head(self) -> None:
        wanted = [self._wanted.time_column, *(c.name for c in self._wanted.columns)]
        for name in wanted:
            if name not in self.head:
                hint = ""
                if len(self.head) == 1 and any(sign in self.head[0] for sign in ",;\t|"):
                    hint = "; the head is one single cell: look at delimiter in the map"
                raise MapError(
                    f"{self._file} has no column {name[:200]!r}; nearest: "
                    f"{nearest(name, self.head)}{hint}"
                )
            if self.head.count(name) > 1:
                raise MapError(f"{self._file} has more than one column {name[:200]!r}")


def read_cell(text: str, decimal: str) -> float:
    """Read a number of a file that writes its decimals so. Raises ``ValueError``.

    With a decimal comma, dots may stand between thousands. Nothing else that Python would read:
    neither ``inf``, ``1_000`` nor the digits of other scripts.
    """
    if decimal == ",":
        whole, _, rest = text.partition(",")
        if "." in whole and not re.fullmatch(r"[+-]?[0-9]{1,3}(\.[0-9]{3})+", whole):
            raise ValueError(text)
        text = whole.replace(".", "") + ("." + rest if rest else "")
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return float(text)


class Clock:
    """Reads the file's local times, in the order of its lines."""

    def __init__(self, wanted: Map) -> None:
        self._format = wanted.time_format
        self._zone = wanted.zone
        self._last: datetime | None = None
        self._backward = False  # the newest line stands first
        self.was_repeated = False

    def read(self, text: str) -> int:
        """Return Unix seconds. Raises ``ValueError`` with a reason."""
        self.was_repeated = False
        text = text.strip()
        if self._format == "unix":
            try:
                found = datetime.fromtimestamp(read_cell(text, "."), UTC)
            except (ValueError, OverflowError, OSError):
                raise ValueError(f"{text[:40]!r} is no Unix time") from None
            return self._checked(found, text)
        try:
            written = datetime.strptime(text, self._format)  # noqa: DTZ007
        except ValueError:
            raise ValueError(f"{text[:40]!r} is not of the form {self._format!r}") from None
        try:
            found = self._utc(written, text) if written.tzinfo is None else written.astimezone(UTC)
        except OverflowError:
            raise ValueError(f"{text[:40]!r} is before 1980 or in the future") from None
        return self._checked(found, text)

    def _utc(self, written: datetime, text: str) -> datetime:
        first = written.replace(tzinfo=self._zone, fold=0)
        second = written.replace(tzinfo=self._zone, fold=1)
        early, late = first.astimezone(UTC), second.astimezone(UTC)
        if early == late:
            return early
        if early > late:  # spring: the clock jumped over it
            raise ValueError(
                f"{text[:40]!r} does not exist in {self._zone.key} (clock put forward)"
            )
        self.was_repeated = True
        # Autumn: the hour comes twice. A step against the file's own direction means that the
        # second pass began.
        if self._backward:
            return early if self._last is not None and late >= self._last else late
        return late if self._last is not None and early <= self._last else early

    def _checked(self, found: datetime, text: str) -> int:
        if not EARLIEST <= found <= datetime.now(UTC) + timedelta(hours=1):
            raise ValueError(f"{text[:40]!r} is before 1980 or in the future")
        if self._last is not None and not self.was_repeated and found != self._last:
            self._backward = found < self._last
        self._last = found
        return int(found.timestamp())
