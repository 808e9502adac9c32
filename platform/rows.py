"""What a gateway's batch looks like (contract section 4), and how it is read.

Decoded in two steps, the envelope and then each row against the schema of its kind, so that one
broken row is refused by its id while the others go on. Nothing is stored here.
"""

import zlib
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

MOST_PACKED = 1024 * 1024
MOST_UNPACKED = 8 * 1024 * 1024
MOST_ROWS = 20_000


class BatchError(Exception):
    """The batch as a whole cannot be taken."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code


# --- the rows, as in contract section 4 ------------------------------------------------------

_Values = dict[str, Any]


class _Kind(msgspec.Struct):
    id: int
    kind: str


class _Envelope(msgspec.Struct):
    gateway: str
    store: str
    rows: list[msgspec.Raw]


class Readings(msgspec.Struct):
    node: str
    readings: list[tuple[str, int, float | None, int]]


class RunBody(msgspec.Struct):
    id: str
    zone: str
    cause: str
    state: str
    code: str
    ordered_seconds: int
    started_at: int
    by: str | None = None
    values: _Values = {}
    ended_at: int | None = None
    seconds: float = 0
    litres: float = 0


class RunRow(msgspec.Struct):
    run: RunBody


class Outcome(msgspec.Struct):
    id: str
    state: Literal["running", "queued", "refused", "done"]
    at: int
    code: str | None = None
    values: _Values = {}


class OutcomeRow(msgspec.Struct):
    command: Outcome


class AlarmBody(msgspec.Struct):
    id: str
    code: str
    raised_at: int
    values: _Values = {}
    zone: str | None = None
    cleared_at: int | None = None


class AlarmRow(msgspec.Struct):
    alarm: AlarmBody


class FarmWords(msgspec.Struct):
    slug: str
    name: str


class ZoneWords(msgspec.Struct):
    id: str
    name: str
    coil: int
    mode: str
    max_run_seconds: int
    max_day_seconds: int
    area_m2: float | None = None
    band: _Values | None = None


class HouseWords(msgspec.Struct):
    slug: str
    name: str
    farm: str
    area_m2: float | None = None
    zones: list[ZoneWords] = []


class NodeWords(msgspec.Struct):
    slug: str
    eui64: str
    farm: str
    greenhouse: str | None = None
    zone: str | None = None


class Configuration(msgspec.Struct):
    name: str
    greenhouses: list[HouseWords]
    nodes: list[NodeWords]
    simulated: bool = False
    farms: list[FarmWords] = []


class ConfigurationRow(msgspec.Struct):
    configuration: Configuration


class NodeState(msgspec.Struct):
    eui64: str
    state: Literal["online", "offline"]
    at: int


class NodeRow(msgspec.Struct):
    node: NodeState


class RefusedMessage(msgspec.Struct):
    topic: str
    code: str
    detail: str
    at: int
    node: str | None = None


class RefusedRow(msgspec.Struct):
    refused: RefusedMessage


class ZoneState(msgspec.Struct):
    id: str
    state: str
    at: int
    mode: str | None = None
    band: _Values | None = None
    code: str | None = None
    values: _Values = {}


class ZoneRow(msgspec.Struct):
    zone: ZoneState


_KINDS: dict[str, type[msgspec.Struct]] = {
    "readings": Readings,
    "run": RunRow,
    "command": OutcomeRow,
    "alarm": AlarmRow,
    "configuration": ConfigurationRow,
    "node": NodeRow,
    "refused": RefusedRow,
    "zone": ZoneRow,
}
_DECODERS = {kind: msgspec.json.Decoder(struct) for kind, struct in _KINDS.items()}
_ENVELOPE = msgspec.json.Decoder(_Envelope)
_KIND = msgspec.json.Decoder(_Kind)


@dataclass
class Batch:
    """A batch whose rows are readable; what was not is in ``refused``."""

    gateway: str
    store: str
    rows: list[tuple[int, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)

    def refuse(self, id: int, code: str, detail: str) -> None:  # noqa: A002
        """Note that a row was refused."""
        self.refused.append({"id": id, "code": code, "detail": detail})


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
    """Decode a batch. Raises ``BatchError`` when not even the ids of its rows can be read."""
    try:
        envelope = _ENVELOPE.decode(unpack(body))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BatchError(400, "not_a_batch", str(error)) from error
    if len(envelope.rows) > MOST_ROWS:
        raise BatchError(413, "too_large", f"a batch has at most {MOST_ROWS} rows")
    batch = Batch(envelope.gateway, envelope.store)
    for raw in envelope.rows:
        try:
            head = _KIND.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BatchError(400, "row_without_id", f"a row has no id or kind: {error}") from error
        decoder = _DECODERS.get(head.kind)
        if decoder is None:
            batch.refuse(head.id, "unknown_kind", f"no kind of row is called {head.kind!r}")
            continue
        try:
            batch.rows.append((head.id, decoder.decode(raw)))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            batch.refuse(head.id, "broken_row", str(error))
    return batch
