"""The message of a node: a SenML JSON pack (RFC 8428) with two records ``boot`` and ``seq``.

How this works. A node writes ``[{"bn": "urn:dev:mac:<eui64>:", "bt": <Unix seconds>,
"n": "boot", "v": …}, {"n": "seq", "v": …}, {"n": "air_temperature", "u": "Cel", "v": …}, …]``.
Each record may carry ``t``, seconds relative to the base time. While the node has no clock
there is no ``bt`` and the times are relative to now (RFC 8428 section 4.5.3: below 2**28).
Sent again later, such a message has other bytes for the same boot and seq: compare only
messages that are not ``is_relative``. What a node measured before a restart without ever
having had a clock gets ``unknown_time``, which every receiver marks ``untimed``. A sensor that
gave no number is a record with the string value (``vs``) of its status. A board that is
simulated says so with ``{"n": "simulated", "vb": true}``; a node whose ring was full says with
``{"n": "lost", "v": …}`` how many samples it gave up in its life.

Reading a message is two steps, so that a message whose contents cannot be accepted can still
be acknowledged and set aside: ``identify`` finds eui64, boot and seq; ``readings`` the rest.
JSON itself is the caller's: pass the decoded list. Writing a message is in
``nongso.wire.writing``, apart, because that half is all that a board has memory for.
"""

from collections import namedtuple

from nongso.wire import marks
from nongso.wire.metrics import is_possible, metric_of
from nongso.wire.writing import BASE_NAME as BASE_NAME
from nongso.wire.writing import MAX_BYTES as MAX_BYTES
from nongso.wire.writing import RELATIVE_BELOW as RELATIVE_BELOW
from nongso.wire.writing import STATUSES as STATUSES
from nongso.wire.writing import PayloadError as PayloadError
from nongso.wire.writing import encode as encode
from nongso.wire.writing import unknown_time as unknown_time

EARLIEST = 1704067200  # 2024-01-01T00:00:00Z: no node of ours measured before
LATEST_AHEAD = 3600  # seconds that a node's clock may be ahead of the gateway's
TIMES_END = 1 << 40  # Unix seconds: no store need be able to hold this or a later time

Identity = namedtuple("Identity", ("eui64", "boot", "seq"))
Reading = namedtuple("Reading", ("name", "at", "value", "mark"))

_OWN = ("boot", "seq", "simulated", "lost")


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


def identify(pack: object) -> Identity:
    """Find who sent the message and its number. Raises ``PayloadError('no_identity')``."""
    if not isinstance(pack, list) or not pack or not all(isinstance(r, dict) for r in pack):
        raise PayloadError("no_identity", "not a SenML pack: a list of objects is expected")
    base = pack[0].get("bn")
    if (
        not isinstance(base, str)
        or len(base) != len(BASE_NAME) + 17
        or not base.startswith(BASE_NAME)
        or base[-1] != ":"
        or any(c not in "0123456789abcdef" for c in base[len(BASE_NAME) : -1])
    ):
        raise PayloadError("no_identity", "base name must be urn:dev:mac:<16 hex digits>:")
    boot = seq = None
    for record in pack:
        name = record.get("n")
        if (name == "boot" and boot is not None) or (name == "seq" and seq is not None):
            raise PayloadError("no_identity", "%s is there twice" % name)
        if name == "boot":
            boot = _integer(record, "boot")
        elif name == "seq":
            seq = _integer(record, "seq")
    if boot is None or seq is None:
        raise PayloadError("no_identity", "records 'boot' and 'seq' are needed")
    return Identity(base[len(BASE_NAME) : -1], boot, seq)


def _number(value: object, what: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise PayloadError("not_a_number", "%s is %s, not a number" % (_show(what), _show(value)))
    if not -1e30 < value < 1e30:  # NaN too; a board's float ends at 3e38
        raise PayloadError("not_a_number", "%s is not a finite number" % _show(what))
    return value


def lost(pack: list[dict[str, object]]) -> int:
    """Return how many samples the node says it gave up in its life, 0 if it does not say."""
    for record in pack:
        value = record.get("v")
        if record.get("n") != "lost" or isinstance(value, bool) or not isinstance(value, int):
            continue
        if 0 <= value < 1 << 53:
            return value
    return 0


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
    base_name = ""
    base_time = base_value = 0.0
    base_unit = None
    found = []
    origin = 0
    for record in pack:
        if "bn" in record:
            if base_name and record["bn"] != base_name:
                raise PayloadError("not_understood", "a message speaks for one node only")
            base_name = record["bn"]  # type: ignore[assignment]
        if "bt" in record:
            base_time = _number(record["bt"], "base time")
        if "bver" in record and not 0 < _number(record["bver"], "version") <= 10:
            raise PayloadError("not_understood", "a SenML version after 10")
        if "bu" in record:
            base_unit = record["bu"]
        if "bv" in record:
            base_value = _number(record["bv"], "base value")
        name = record.get("n", "")
        for label in record:
            if label[-1:] == "_":  # RFC 8428 section 4.4: must be understood, or refused
                raise PayloadError("not_understood", "label %s" % _show(label))
        if name == "simulated":
            origin = marks.SIMULATED if record.get("vb") is True else 0
        if name in _OWN or (name == "" and "v" not in record and "vs" not in record):
            continue
        metric = metric_of(name) if isinstance(name, str) else None
        if metric is None:
            raise PayloadError("unknown_metric", "no metric called %s" % _show(name))
        at = base_time + (_number(record["t"], "time") if "t" in record else 0)
        if at < RELATIVE_BELOW:
            at += now
        if not is_time(int(at)):
            raise PayloadError("not_a_number", "the time of %s is beyond any clock" % name)
        value = None
        mark = marks.GOOD if EARLIEST <= at <= now + LATEST_AHEAD else marks.UNTIMED
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
        found.append((name, int(at), value, mark))
    return [Reading(name, at, value, mark | origin) for name, at, value, mark in found]
