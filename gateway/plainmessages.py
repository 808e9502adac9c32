"""The quick way to read a message: one as boards write it while all is well.

A message of one sample with its time, whose records say nothing but a name, a unit and a number,
is decoded straight into records and read in a third of the time that ``nongso.wire.payload``
needs. The rules stand there: whatever is not exactly so, a wrong message above all, gets ``None``
here and is judged by them. ``tests/gateway/test_plain_messages.py`` holds one against the other.
"""

from functools import partial
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from nongso.wire import marks
from nongso.wire.metrics import metric_of
from nongso.wire.payload import (
    BASE_NAME,
    EARLIEST,
    LATEST_AHEAD,
    TIME_QUALITIES,
    TIMES_END,
    Reading,
)

_WHOLE = 1 << 53  # numbers of boots and samples are below


class _Record(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    n: str
    v: int | float | None = None
    u: str = ""
    vb: bool = False
    bn: str | UnsetType = UNSET
    bt: int | UnsetType = UNSET
    tq: str = ""


class Plain(NamedTuple):
    """What a plain message says."""

    boot: int
    seq: int
    readings: list[Reading]
    time_quality: str


_decode = msgspec.json.Decoder(list[_Record]).decode
_READING = partial(tuple.__new__, Reading)  # half the time of Reading(...)
_Kind = tuple[str, str, float, int, float, float]
_kinds: dict[str, _Kind] = {}  # of the series names that have come: a name is one of few


def _kind_of(name: str) -> _Kind | None:
    """Return name, unit on the wire, factor, decimals, lowest and highest of a series."""
    metric = metric_of(name)
    if metric is None:
        return None
    found = (name, metric.wire_unit, metric.factor, metric.decimals, metric.low, metric.high)
    _kinds[name] = found
    return found


def read(raw: bytes, eui64: str, now: int) -> Plain | None:
    """Read a message of a node; ``None`` where it is not a plain one, or not of this node."""
    try:
        pack = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if len(pack) < 3:
        return None
    head, number, *rest = pack
    boot, seq, at = head.v, number.v, head.bt
    if (
        head.n != "boot"
        or head.bn != f"{BASE_NAME}{eui64}:"
        or not isinstance(at, int)
        or not EARLIEST <= at < TIMES_END
        or head.tq == "unknown"
        or number.n != "seq"
        or number.bn is not UNSET
        or number.bt is not UNSET
        or not isinstance(boot, int)
        or not isinstance(seq, int)
        or not (0 <= boot < _WHOLE and 0 <= seq < _WHOLE)
    ):
        return None
    good = marks.GOOD if at <= now + LATEST_AHEAD else marks.UNTIMED
    impossible = marks.IMPOSSIBLE
    readings: list[Reading] = []
    for record in rest:
        name, value = record.n, record.v
        if record.bn is not UNSET or record.bt is not UNSET:
            return None
        if name == "simulated" and value is None and not readings:
            origin = marks.SIMULATED if record.vb else 0
            good, impossible = good & 15 | origin, marks.IMPOSSIBLE | origin
            continue
        kind = _kinds.get(name) or _kind_of(name)
        if kind is None or value is None or not -1e30 < value < 1e30:
            return None
        name, unit, factor, decimals, low, high = kind  # one text for all readings of a name
        if record.u != unit:
            return None
        value = round((value + 0.0) * factor, decimals)
        mark = good if low <= value <= high else impossible
        readings.append(_READING((name, at, value, mark)))
    return Plain(boot, seq, readings, head.tq if head.tq in TIME_QUALITIES else "")
