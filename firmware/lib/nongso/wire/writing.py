"""Writes the message of a node, which ``nongso.wire.payload`` describes and reads.

Numbers leave the node as decimals made from integers, because a board's float has 24 bits.
"""

from nongso.wire.metrics import Metric, metric_of

MAX_BYTES = 4096
BASE_NAME = "urn:dev:mac:"
RELATIVE_BELOW = 1 << 28  # RFC 8428 section 4.5.3

STATUSES = ("absent", "stuck", "crc_error", "out_of_range", "failed")


class PayloadError(ValueError):
    """A message that cannot be accepted. ``code`` is one word, the text says what and where."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def unknown_time(boot: int, seconds: int) -> int:
    """Base time for a sample whose real time nobody knows.

    Lies between 1978 and 2014, so it is neither relative nor possible and is marked
    ``untimed``; keeps the order within a boot and keeps boots apart.
    """
    return RELATIVE_BELOW + boot % (1 << 30) + seconds


def _decimal(number: int, places: int) -> str:
    """Write ``number / 10**places`` exactly."""
    if places <= 0:
        return str(number * 10 ** (-places))
    digits = str(abs(number))
    while len(digits) <= places:
        digits = "0" + digits
    return ("-" if number < 0 else "") + digits[:-places] + "." + digits[-places:]


def _on_wire(metric: Metric, number: int) -> str:
    """Write ``number / 10**decimals / factor``: exactly, or near enough to round back to it."""
    places: int = metric.decimals
    factor: float = metric.factor
    while factor < 1:
        places, factor = places - 1, factor * 10
    while factor % 10 == 0:
        places, factor = places + 1, factor // 10
    if factor != 1:  # l/s from l/min: four more digits than we measure
        places, number = places + 4, (number * 20000 + int(factor)) // (2 * int(factor))
    return _decimal(number, places)


def encode(
    eui64: str,
    boot: int,
    seq: int,
    base: int | None,
    records: list[tuple[str, int, int | None, str | None]],
    simulated: bool = False,
    lost: int = 0,
) -> bytes:
    """Write a message.

    ``records`` are ``(series name, offset, number, status)``: offset in whole seconds from
    ``base`` (from now, so zero or negative, when ``base`` is ``None``); ``number`` an integer
    in units of the metric's last decimal (24.50 °C is 2450), or ``None`` with a status word.
    Raises ``PayloadError`` for an unknown metric or a message over 4 KiB.
    """
    out = ['[{"bn":"%s%s:",' % (BASE_NAME, eui64)]
    if base is not None:
        out.append('"bt":%d,' % base)
    out.append('"n":"boot","v":%d},{"n":"seq","v":%d}' % (boot, seq))
    if simulated:
        out.append(',{"n":"simulated","vb":true}')
    if lost:
        out.append(',{"n":"lost","v":%d}' % lost)
    for name, offset, number, status in records:
        metric = metric_of(name)
        if metric is None:
            raise PayloadError("unknown_metric", "no metric called %r" % name)
        out.append(',{"n":"%s"' % name)
        if offset:
            out.append(',"t":%d' % offset)
        if number is None:
            out.append(',"vs":"%s"}' % (status or "failed"))
        else:
            text = _on_wire(metric, number)
            out.append(',"u":"%s","v":%s}' % (metric.wire_unit, text))
    out.append("]")
    message = "".join(out).encode()
    if len(message) > MAX_BYTES:
        raise PayloadError("too_long", "%d bytes, at most %d" % (len(message), MAX_BYTES))
    return message
