"""Takes a gateway's batch apart: envelope first, then row by row (contract section 4).

A row that cannot be read is refused by its number, or by its place in the batch where even the
number cannot be read, and the others go on: one row that some disk has garbled must not hold up
an alarm for ever. Nothing is stored here; what rows look like is in ``nongso.platform.rows``.
"""

import re
import zlib
from dataclasses import dataclass, field
from typing import Any

import msgspec

from nongso.platform import jsonparts, rows

MOST_PACKED = 1024 * 1024
MOST_UNPACKED = 8 * 1024 * 1024
MOST_ROWS = 20_000

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # databases end a text there, or refuse it

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError)  # a ValidationError is a DecodeError


class BatchError(Exception):
    """The batch as a whole cannot be taken."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code


class _Head(msgspec.Struct):
    id: rows.Whole
    kind: str


class _Envelope(msgspec.Struct):
    gateway: rows.Id
    store: rows.Id
    rows: list[msgspec.Raw]


_ROWS = {kind: msgspec.json.Decoder(struct) for kind, struct in rows.KINDS.items()}
_ENVELOPE = msgspec.json.Decoder(_Envelope)
_HEAD = msgspec.json.Decoder(_Head)


@dataclass
class Batch:
    """A batch whose rows are readable; what was not is in ``refused``."""

    gateway: str
    store: str
    rows: list[tuple[int, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)

    def refuse(self, id: int, code: str, detail: str) -> None:  # noqa: A002
        """Note that a row was refused."""
        self.refused.append({"id": id, "code": code, "detail": detail[:500]})

    def refuse_nameless(self, place: int, code: str, detail: str) -> None:
        """Note that a row was refused whose number cannot be read."""
        self.refused.append({"id": None, "row": place, "code": code, "detail": detail[:500]})


def unpack(body: bytes) -> bytes:
    """Undo gzip where there is any, up to 8 MiB. Raises ``BatchError``."""
    if len(body) > MOST_PACKED:
        raise BatchError(413, "too_large", f"a batch has at most {MOST_PACKED} bytes packed")
    if body[:2] != b"\x1f\x8b":
        return body
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(body, MOST_UNPACKED)
    except zlib.error as error:
        raise BatchError(400, "not_gzip", f"the gzip stream is broken: {error}") from error
    if unpacker.unconsumed_tail:
        raise BatchError(413, "too_large", f"a batch has at most {MOST_UNPACKED} bytes unpacked")
    if not unpacker.eof:
        raise BatchError(400, "not_gzip", "the gzip stream ends too early")
    return plain


def read(body: bytes) -> Batch:
    """Take a batch apart. Raises ``BatchError`` for what is no batch at all."""
    envelope = _envelope(unpack(body))
    if len(envelope.rows) > MOST_ROWS:
        raise BatchError(413, "too_large", f"a batch has at most {MOST_ROWS} rows")
    batch = Batch(envelope.gateway, envelope.store)
    for place, raw in enumerate(envelope.rows):
        _read_row(batch, place, bytes(raw))
    return batch


def _envelope(text: bytes) -> _Envelope:
    try:
        return _ENVELOPE.decode(text)
    except (*_UNREADABLE, RecursionError) as error:
        return _cut_envelope(text, error)


def _cut_envelope(text: bytes, why: Exception) -> _Envelope:
    """Cut the rows out of a batch of which some row cannot even be skipped."""
    try:
        found = jsonparts.members(text)
        raws = [msgspec.Raw(raw) for raw in jsonparts.elements(found.get(b'"rows"', b""))]
        gateway, store = found.get(b'"gateway"', b""), found.get(b'"store"', b"")
        return _Envelope(
            msgspec.json.decode(gateway, type=rows.Id),
            msgspec.json.decode(store, type=rows.Id),
            raws,
        )
    except (jsonparts.NotParts, RecursionError, *_UNREADABLE) as error:
        raise BatchError(400, "not_a_batch", str(why)) from error


def _read_row(batch: Batch, place: int, raw: bytes) -> None:
    try:
        head = _HEAD.decode(raw)
    except (*_UNREADABLE, RecursionError) as error:
        _refuse_headless(batch, place, raw, error)
        return
    decoder = _ROWS.get(head.kind)
    if decoder is None:
        batch.refuse(head.id, "unknown_kind", f"no kind of row is called {head.kind[:60]!r}")
        return
    if head.kind != "refused" and _NUL.search(raw) is not None:
        batch.refuse(head.id, "broken_row", "a text holds a NUL character")
        return
    try:
        batch.rows.append((head.id, decoder.decode(raw)))
    except (*_UNREADABLE, RecursionError) as error:
        batch.refuse(head.id, "broken_row", str(error))


def _refuse_headless(batch: Batch, place: int, raw: bytes, why: Exception) -> None:
    """Refuse a row by its number if that at least can be found, whatever stands around it."""
    try:
        number = msgspec.json.decode(jsonparts.members(raw).get(b'"id"', b""), type=int)
    except (jsonparts.NotParts, RecursionError, *_UNREADABLE):
        batch.refuse_nameless(place, "row_without_id", f"a row has no id: {why}")
    else:
        batch.refuse(number, "broken_row", str(why))
