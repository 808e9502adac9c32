"""What an XLSX file may be before anybody opens it: a small, plain bundle of XML.

A spreadsheet comes from anywhere, and the library that reads it trusts it. So the bundle is
looked through first, as it unpacks and not as it says it will: how much it becomes, how many
parts and how much markup it has, and that no part declares entities (an XML bomb) or hides its
letters in another encoding. Which part is XML is told by how it begins, as the reader's parser
does: the bundle itself says which part is what, and may call a sheet ``picture.png``. What passes
can be read in bounded memory.
"""

import io
import re
import zipfile
import zlib

MOST_FILE_BYTES = 2 * 1024 * 1024
MOST_UNPACKED_BYTES = 16 * 1024 * 1024
MOST_PARTS = 200
MOST_MARKS = 800_000  # "<" in all parts: an element takes about a hundred bytes when it is read
_CHUNK = 64 * 1024
_BEFORE_THE_FIRST = b" \t\r\n\0\xef\xbb\xbf\xff\xfe"  # space, zeros, marks of the byte order
_EBCDIC = b"\x4c\x6f\xa7\x94"  # "<?xm" there
_ENCODING = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([^\"'>]*)[\"']")
# Those in which "<!DOCTYPE" has the bytes by which it is looked for.
_PLAIN = re.compile(rb"utf-?8|us-ascii|ascii|iso-8859-[0-9]{1,2}|windows-125[0-8]", re.IGNORECASE)


class BadFile(Exception):
    """A file that is not read. ``code`` is ``large``, ``bomb``, ``damaged`` or ``unknown``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def look_through(data: bytes) -> None:
    """Raise ``BadFile`` unless the bundle is small and plain."""
    if len(data) > MOST_FILE_BYTES:
        raise BadFile("large")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as bundle:
            _look_at_parts(bundle)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        OSError,
    ) as error:
        raise BadFile("damaged") from error


def _look_at_parts(bundle: zipfile.ZipFile) -> None:
    parts = bundle.infolist()
    if len(parts) > MOST_PARTS:
        raise BadFile("bomb")
    if len({part.filename for part in parts}) != len(parts):
        raise BadFile("damaged")  # which of two parts of one name counts is anybody's guess
    bytes_left, marks_left = MOST_UNPACKED_BYTES, MOST_MARKS
    for part in parts:
        if part.flag_bits & 0x1:
            raise BadFile("damaged")  # locked with a password
        with bundle.open(part) as unpacked:
            tail, is_xml = b"", None
            while chunk := unpacked.read(_CHUNK):
                bytes_left -= len(chunk)
                marks_left -= chunk.count(b"<")
                if bytes_left < 0 or marks_left < 0:
                    raise BadFile("bomb")
                if is_xml is None:
                    is_xml = _begins_as_xml(chunk)
                if is_xml is not False:
                    _look_at_text(tail + chunk)
                tail = chunk[-16:]


def _begins_as_xml(chunk: bytes) -> bool | None:
    """Whether a parser could take a part for XML; ``None`` while nothing but space came.

    In UTF-16 and UTF-32 the first letter stands between zeros, with a mark before it or without.
    """
    begins = chunk.lstrip(_BEFORE_THE_FIRST)
    if not begins:
        return None
    if begins.startswith(_EBCDIC):
        raise BadFile("damaged")
    if not begins.startswith(b"<"):
        return False
    said = _ENCODING.match(begins)
    if said is not None and not _PLAIN.fullmatch(said[1]):
        raise BadFile("damaged")
    return True


def _look_at_text(text: bytes) -> None:
    upper = text.upper()
    if b"<!DOCTYPE" in upper or b"<!ENTITY" in upper:
        raise BadFile("bomb")
    if b"\0" in text:  # UTF-16, in which the words above would not be seen
        raise BadFile("damaged")
