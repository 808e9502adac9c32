"""The message of a node: a SenML JSON pack (RFC 8428) with records ``boot`` and ``seq``.

How this works. A node writes ``[{"bn": "urn:dev:mac:<eui64>:", "bt": <Unix seconds>,
"n": "boot", "v": …, "tq": "clock"}, {"n": "seq", "v": …},
{"n": "air_temperature", "u": "Cel", "v": …}, …]``.
Each record may carry ``t``, seconds relative to the base time. While the node has no clock
there is no ``bt`` and the times are relative to now (RFC 8428 section 4.5.3: below 2**28).
Sent again later, such a message has other bytes for the same boot and seq: compare only
messages that are not ``is_relative``. What a node measured before a restart without ever
having had a clock gets ``unknown_time``, which every receiver marks ``untimed``. ``tq``, a label
of our own beside ``boot``, says how the node knows the times (``TIME_QUALITIES``); messages of
older nodes have none. A sensor that
gave no number is a record with the string value (``vs``) of its status. A board that is
simulated says so with ``{"n": "simulated", "vb": true}``; a node whose ring was full says with
``{"n": "lost", "v": …}`` how many samples it gave up in its life.

A message may hold several samples of one boot, measured by the same sensors: then series follows
series, each with its base name and base unit, and the k-th record of each (``seq`` first) belongs
to the k-th sample: ``…, {"bn": "urn:dev:mac:<eui64>:seq", "v": 9}, {"t": 300, "v": 10},
{"bn": "urn:dev:mac:<eui64>:light", "bu": "lx", "v": 5}, {"t": 300, "v": 6}]``. Each (boot, seq) in
it is the same as if it had come alone: acknowledged, and kept once, however it was packed.

Reading a message is two steps, so that a message whose contents cannot be accepted can still
be acknowledged and set aside: ``identify`` finds eui64, boot and seqs; ``readings`` the rest.
JSON itself is the caller's: pass the decoded list. The half that a board needs is
``nongso.wire.writing``.
"""

from collections import namedtuple

from nongso.wire import marks
from nongso.wire.metrics import is_possible, metric_of
from nongso.wire.writing import BASE_NAME as BASE_NAME
from nongso.wire.writing import MAX_BYTES as MAX_BYTES
from nongso.wire.writing import RELATIVE_BELOW as RELATIVE_BELOW
from nongso.wire.writing import STATUSES as STATUSES
from nongso.wire.writing import TIME_QUALITIES as TIME_QUALITIES
from nongso.wire.writing import Column, Writer
from nongso.wire.writing import PayloadError as PayloadError
from nongso.wire.writing import unknown_time as unknown_time

EARLIEST = 1704067200  # 2024-01-01T00:00:00Z: no node of ours measured before
LATEST_AHEAD = 3600  # seconds that a node's clock may be ahead of the gateway's
TIMES_END = 1 << 40  # Unix seconds: no store need be able to hold this or a later time

Identity = namedtuple("Identity", ("eui64", "boot", "seqs"))
Reading = namedtuple("Reading", ("name", "at", "value", "mark"))

_OWN = ("boot", "seq", "simulated", "lost")
_PLAIN = {"n": 0, "u": 0, "v": 0, "vs": 0, "vb": 0, "t": 0}  # labels that say nothing of others


def _show(value: object) -> str:
    """Name a foreign value in an error text: short, and never walking into nested lists."""
    if isinstance(value, str):
        return repr(value[:40])
    if isinstance(value, (list, dict)):
        return "a list or object"
    if isinstance(value, int) and abs(value) >= 1 << 64:
        return "a huge whole number"
    return repr(value)


def is_time(at: int) -> bool:
    """Say whether a store can hold this Unix second; gateway and platform both ask here."""
    return 0 <= at < TIMES_END


def _integer(record: dict[str, object], name: str) -> int:
    value = record.get("v")
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 53:
        raise PayloadError(
            "no_identity", "%s must be a whole number, not %s" % (name, _show(value))
        )
    return value


def encode(
    eui64: str,
    boot: int,
    seq: int,
    base: int | None,
    records: list[tuple[str, int, int | None, str | None]],
    simulated: bool = False,
    lost: int = 0,
    quality: str = "",
) -> bytes:
    """Write a message with one ``seq``.

    ``records`` are ``(series name, offset, number, status)``: offset in whole seconds from
    ``base`` (from now, so zero or negative, when ``base`` is ``None``); ``number`` an integer
    in units of the metric's last decimal (24.50 °C is 2450), or ``None`` with a status word;
    ``quality`` one of ``TIME_QUALITIES``, or empty as from an older node.
    Raises ``PayloadError`` for an unknown metric or a message over 4 KiB.
    """
    out = Writer(bytearray(MAX_BYTES))
    out.text(b'[{"bn":"%s%s:",' % (BASE_NAME.encode(), eui64.encode()))
    if base is not None:
        out.text(b'"bt":%d,' % base)
    out.text(b'"n":"boot","v":%d' % boot)
    if quality:
        out.text(b',"tq":"%s"' % quality.encode())
    out.text(b'},{"n":"seq","v":%d}' % seq)
    if simulated:
        out.text(b',{"n":"simulated","vb":true}')
    if lost:
        out.text(b',{"n":"lost","v":%d}' % lost)
    for name, offset, number, status in records:
        column = Column(name)
        out.text(b',{"n":"%s"' % column.name)
        if offset:
            out.text(b',"t":%d' % offset)
        if number is None:
            out.text(b',"vs":"%s"}' % (status or "failed").encode())
        else:
            out.text(b',"u":"%s","v":' % column.unit)
            column.write(out, number)
            out.text(b"}")
    out.text(b"]")
    return bytes(out.buffer[: out.at])


def identify(pack: object) -> Identity:
    """Find who sent the message, and the numbers of the samples in it, in order.

    Raises ``PayloadError('no_identity')``.
    """
    if not isinstance(pack, list) or not pack:
        raise PayloadError("no_identity", "not a SenML pack: a list of objects is expected")
    for record in pack:
        if not isinstance(record, dict):
            raise PayloadError("no_identity", "not a SenML pack: a list of objects is expected")
    base = pack[0].get("bn")
    if (
        not isinstance(base, str)
        or len(base) != len(BASE_NAME) + 17
        or not base.startswith(BASE_NAME)
        or base[-1] != ":"
        or base[len(BASE_NAME) : -1].strip("0123456789abcdef")
    ):
        raise PayloadError("no_identity", "base name must be urn:dev:mac:<16 hex digits>:")
    boot = None
    seqs: list[int] = []
    is_series = False
    for record in pack:
        if "bn" in record:
            is_series = record["bn"] == base + "seq"
        name = record.get("n")
        if is_series and not name:
            name = "seq"
        if name == "boot":
            if boot is not None:
                raise PayloadError("no_identity", "boot is there twice")
            boot = _integer(record, "boot")
        elif name == "seq":
            if seqs and not is_series:
                raise PayloadError("no_identity", "seq is there twice")
            seqs.append(_integer(record, "seq"))
    if boot is None or not seqs:
        raise PayloadError("no_identity", "records 'boot' and 'seq' are needed")
    if len(seqs) > 1 and len(set(seqs)) != len(seqs):
        raise PayloadError("no_identity", "two samples with the same number")
    return Identity(base[len(BASE_NAME) : -1], boot, tuple(seqs))


def _number(value: object, what: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise PayloadError("not_a_number", "%s is %s, not a number" % (_show(what), _show(value)))
    if not -1e30 < value < 1e30:  # NaN too; a board's float ends at 3e38
        raise PayloadError("not_a_number", "%s is not a finite number" % _show(what))
    return value


def lost(pack: list[dict[str, object]]) -> int:
    """Return how many samples the node says it gave up in its life, 0 if it does not say."""
    for record in pack:
        if record.get("n") == "lost":
            value = record.get("v")
            if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53:
                return value
    return 0


def time_quality(pack: list[dict[str, object]]) -> str:
    """Return how the node knows its times: one of ``TIME_QUALITIES``; empty if it does not say."""
    found = pack[0].get("tq")
    return found if isinstance(found, str) and found in TIME_QUALITIES else ""


def is_relative(pack: list[dict[str, object]]) -> bool:
    """Say whether the message's times count from now, because the node has no clock."""
    base = pack[0].get("bt", 0)
    return isinstance(base, (int, float)) and base < RELATIVE_BELOW


def readings(pack: list[dict[str, object]], now: int) -> list[Reading]:
    """Read the values of a pack; ``now`` is the receiver's Unix time in seconds.

    Impossible values and times are marked and kept. Raises ``PayloadError`` (codes
    ``unknown_metric``, ``wrong_unit``, ``not_a_number``, ``unknown_status``,
    ``not_understood``) when the message cannot be accepted as a whole.
    """
    return [reading for sample in samples(pack, now) for reading in sample]


def samples(pack: list[dict[str, object]], now: int) -> list[list[Reading]]:
    """Read the values of a pack, for each of its samples apart, in the order of ``seqs``.

    Raises ``PayloadError`` as ``readings`` does.
    """
    base_name = series = ""
    base_time = base_value = 0.0
    base_unit = None
    found: list[list[tuple[object, int, object, int]]] = []
    origin = place = 0
    is_unknown = bool(pack) and time_quality(pack) == "unknown"
    seqs: list[object] = []
    for record in pack:
        is_plain = True
        for label in record:
            if label not in _PLAIN:
                is_plain = False
                if label[-1:] == "_":  # RFC 8428 section 4.4: must be understood, or refused
                    raise PayloadError("not_understood", "label %s" % _show(label))
        if not is_plain:
            if "bn" in record:
                base = record["bn"]
                if not isinstance(base, str) or not base.startswith(base_name):
                    raise PayloadError("not_understood", "a message speaks for one node only")
                base_name = base_name or base
                if series and place != len(seqs):
                    raise PayloadError(
                        "not_understood", "%s has not a value for each sample" % _show(series)
                    )
                series, place = base[len(base_name) :], 0
            if "bt" in record:
                base_time = _number(record["bt"], "base time")
            if "bver" in record and not 0 < _number(record["bver"], "version") <= 10:
                raise PayloadError("not_understood", "a SenML version after 10")
            if "bu" in record:
                base_unit = record["bu"]
            if "bv" in record:
                base_value = _number(record["bv"], "base value")
        name = record.get("n", "")
        if name == "simulated":
            origin = marks.SIMULATED if record.get("vb") is True else 0
        if series:
            if name != "":
                raise PayloadError("not_understood", "%s within %s" % (_show(name), _show(series)))
            name = series
        if name == "seq":
            seqs.append(record.get("t", 0))
            place += bool(series)
            continue
        if name in _OWN or (name == "" and "v" not in record and "vs" not in record):
            continue
        metric = metric_of(name) if isinstance(name, str) else None
        if metric is None:
            raise PayloadError("unknown_metric", "no metric called %s" % _show(name))
        if series and (place >= len(seqs) or record.get("t", 0) != seqs[place]):
            raise PayloadError("not_understood", "%s has a value of no sample" % _show(series))
        at = base_time + (_number(record["t"], "time") if "t" in record else 0)
        if at < RELATIVE_BELOW:
            at += now
        if not is_time(int(at)):
            raise PayloadError("not_a_number", "the time of %s is beyond any clock" % name)
        value = None
        mark = marks.GOOD
        if is_unknown or not EARLIEST <= at <= now + LATEST_AHEAD:
            mark = marks.UNTIMED
        if "v" in record:
            unit = record.get("u", base_unit)
            if unit != metric.wire_unit:
                raise PayloadError(
                    "wrong_unit",
                    "%s is in %s, expected %r" % (name, _show(unit), metric.wire_unit),
                )
            value = (_number(record["v"], name) + base_value) * metric.factor
            value = round(value, metric.decimals)
            if not is_possible(metric, value):
                mark = marks.IMPOSSIBLE
        else:
            if record.get("vs") not in STATUSES:
                raise PayloadError("unknown_status", "%s has neither value nor status" % name)
            value, mark = None, marks.FAILED
        while len(found) <= place:
            found.append([])
        found[place].append((name, int(at), value, mark))
        if series:
            place += 1
    if series and place != len(seqs):
        raise PayloadError("not_understood", "%s has not a value for each sample" % _show(series))
    while len(found) < max(1, len(seqs)):
        found.append([])
    return [[Reading(n, at, value, mark | origin) for n, at, value, mark in one] for one in found]
