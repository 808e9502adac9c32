"""Writes the message of a node, which ``nongso.wire.payload`` describes and reads.

A message is written into a buffer that exists: known bytes are copied, numbers are written digit
by digit. So writing takes nothing from a board's heap, and no float, of which a board has only 24
bits. What is written in which order is ``nongso.node.messages`` for a node's samples, and
``payload.encode`` for any.
"""

from nongso.wire.metrics import metric_of

MAX_BYTES = 4096
BASE_NAME = "urn:dev:mac:"
RELATIVE_BELOW = 1 << 28  # RFC 8428 section 4.5.3

STATUSES = ("absent", "stuck", "crc_error", "out_of_range", "failed")

# How a node knows the times in a message: its clock was set when it measured; it worked them out
# later, when the clock was set; it counts back from the sending, without a clock; it does not.
TIME_QUALITIES = ("clock", "reckoned", "ago", "unknown")


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


class Column:
    """How the values of one series are written. Raises ``PayloadError`` if it is none."""

    def __init__(self, series: str) -> None:
        metric = metric_of(series)
        if metric is None:
            raise PayloadError("unknown_metric", "no metric called %r" % series)
        self.name = series.encode()
        self.unit = metric.wire_unit.encode()
        places: int = metric.decimals
        factor: float = metric.factor
        while factor < 1:
            places, factor = places - 1, factor * 10
        while factor % 10 == 0:
            places, factor = places + 1, factor // 10
        if factor != 1:
            places += 4  # l/s from l/min: four more digits than we measure
        self._places, self._factor = places, int(factor)

    def write(self, out: "Writer", number: int) -> None:
        """Write ``number``, in units of the metric's last decimal, in the wire's unit.

        Exactly, or near enough to round back to it.
        """
        if self._factor != 1:
            number = (number * 20000 + self._factor) // (2 * self._factor)
        out.decimal(number, self._places)


class Writer:
    """Writes bytes and numbers one after the other into a buffer.

    Raises ``PayloadError`` when there is no room; what was written until then stays.
    """

    def __init__(self, buffer: bytearray) -> None:
        self.buffer = buffer
        self.begin(0, len(buffer))

    def begin(self, at: int, end: int) -> None:
        """Go on at a place of the buffer, and not beyond another."""
        self.at, self._end = at, end

    def text(self, piece: bytes) -> None:
        """Write bytes as they are."""
        after = self.at + len(piece)
        if after > self._end:
            raise PayloadError("too_long", "more than %d bytes" % MAX_BYTES)
        self.buffer[self.at : after] = piece
        self.at = after

    def decimal(self, number: int, places: int = 0) -> None:
        """Write ``number / 10**places`` exactly."""
        if number < 0:
            self.text(b"-")
            number = -number
        while places < 0:
            number, places = number * 10, places + 1
        digits, rest = 1, number // 10
        while rest:
            digits, rest = digits + 1, rest // 10
        if digits <= places:
            digits = places + 1
        after = self.at + digits
        dot = -1
        if places:
            dot = after - places
            after += 1
        if after > self._end:
            raise PayloadError("too_long", "more than %d bytes" % MAX_BYTES)
        at = after
        while at > self.at:
            at -= 1
            if at == dot:
                self.buffer[at] = 46
            else:
                self.buffer[at] = 48 + number % 10
                number //= 10
        self.at = after
