"""An MQTT 3.1.1 client for one node: QoS 1, a last will, time-outs on everything.

How this works. ``connect`` opens the line; from then on its owner calls ``turn`` again and again
(``pace`` says how soon): it writes what waits, reads what has come, pings when the line is quiet.
No tasks, no locks, and no memory: a message is written into one buffer that is made at the start
(``begin``, ``end``), and packets are read into another. When anything goes wrong the link is
*lost*: ``check`` raises ``LinkLost``, and the owner calls ``connect`` again. Which messages are to
be sent again, and when, is the owner's to say (``window``); it hears of each PUBACK.

A PUBACK only means that the broker took the message; see ``uplink`` for what it proves.
With ``tls`` (``nongso.node.tls``) the broker must prove that it is ``name``.
"""

import asyncio

from nongso.node import packets
from nongso.node.interpreter import (
    TYPE_CHECKING,
    const,
    sleep_ms,
    ticks_diff,
    ticks_ms,
    wait_ms,
)
from nongso.node.line import open_line
from nongso.wire.writing import MAX_BYTES, Writer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from nongso.node.line import Line

_LARGEST_INCOMING = const(4096)  # bytes; larger packets are skipped and counted
_USUAL_INCOMING = const(160)  # up to this no memory is taken: acknowledgements
_SMALL = const(64)  # bytes that are copied one by one, for a slice takes memory
_ROOM = const(256)  # beside a message: its topic, and answers behind it
_USUAL_OUTGOING = const(
    2304
)  # ten samples of seven values; a board has little memory in one piece

_KIND, _LENGTH, _BODY, _SKIPPED = const(0), const(1), const(2), const(3)  # what is read next

_QUICK_MS = const(10)  # between two turns, while something moves on the line
_SLOW_MS = const(100)
_STILL_MS = const(3000)  # after so long without a byte


class LinkLost(Exception):
    """The connection to the broker is gone or useless; the text says why."""


class Refused(LinkLost):
    """The broker lets nobody in with this name and password; the text says why."""


class Client:
    """One node's connection to one broker; lives through many connections."""

    def __init__(
        self,
        host: str,
        port: int,
        client_id: str,
        user: "str | None",
        password: "str | None",
        will_topic: str,
        will: bytes,
        on_message: "Callable[[bytearray, bytearray], None]",
        on_puback: "Callable[[int], None]",
        keepalive_seconds: int = 30,
        patience_ms: int = 8000,
        tls: "ssl.SSLContext | None" = None,
        name: str = "",
    ) -> None:
        """``patience_ms`` is how long any answer, and any write, may take."""
        self._tls = tls
        self._name = name or host
        self._host, self._port = host, port
        self._hello = packets.connect(
            client_id, user, password, keepalive_seconds, will_topic, will
        )
        self._on_message, self._on_puback = on_message, on_puback
        self._ping_ms = keepalive_seconds * 500
        self._patience_ms = patience_ms
        self._out = bytearray(_USUAL_OUTGOING + _ROOM)
        self._writer = Writer(self._out)
        self._in = bytearray(128)
        self._usual = bytearray(_USUAL_INCOMING)
        self._lost: str | None = "never connected"
        self._line: Line | None = None
        self._last_id = 0
        self.skipped = 0
        self._begin_anew()

    def _begin_anew(self) -> None:
        now = ticks_ms()
        self._out_at = self._out_end = 0  # what of the buffer is still to be written
        self._in_at = self._in_end = 0
        self._body = self._usual
        self._next = _KIND
        self._connack: int | None = None
        self._suback: bytearray | None = None
        self._pinged: int | None = None
        self._wrote_at = self._moved_at = self._began_at = self._asked_at = now

    # --- the link

    @property
    def is_open(self) -> bool:
        """Say whether the link is up, as far as is known."""
        return self._lost is None

    def check(self) -> None:
        """Raise ``LinkLost`` if the link is lost."""
        if self._lost is not None:
            raise LinkLost(self._lost)

    def lose(self, why: str) -> None:
        """Give the link up."""
        if self._lost is None:
            self._lost = why

    async def connect(self) -> None:
        """Connect. Raises ``LinkLost`` or ``Refused``."""
        self.close()
        try:
            self._line = await wait_ms(
                open_line(self._host, self._port, self._tls, self._name), self._patience_ms
            )
            self._begin_anew()
            self._lost = None
            self._append(self._hello)
            while self._connack is None:  # MicroPython notices a closed port only now
                await self._step("no answer")
        except (OSError, ValueError, asyncio.TimeoutError, LinkLost) as e:  # ValueError: TLS
            raise LinkLost("no broker at %s:%d (%r)" % (self._host, self._port, e))
        if self._connack:
            self.lose("refused")
            kind = Refused if self._connack in packets.NOT_LET_IN else LinkLost
            raise kind(
                "the broker refuses this node: %s"
                % packets.REFUSALS.get(self._connack, self._connack)
            )

    async def subscribe(self, topics: "list[str]") -> None:
        """Subscribe at QoS 1. Raises ``LinkLost``, also if the broker denies one of them."""
        self.check()
        self._suback = None
        number = self.next_id()
        self._asked_at = ticks_ms()
        self._append(packets.subscribe(topics, number))
        while self._suback is None or self._suback[0] << 8 | self._suback[1] != number:
            await self._step("no answer to SUBSCRIBE")
        codes = self._suback[2:]
        if len(codes) != len(topics) or any(code > 1 for code in codes):
            raise LinkLost("the broker does not let this node subscribe to its own topics")

    async def _step(self, complaint: str) -> None:
        """A turn while an answer is waited for."""
        self.check()  # not after the turn: the answer may be there before the end
        now = ticks_ms()
        self.turn(now)
        if ticks_diff(now, self._asked_at) > self._patience_ms:
            self.lose(complaint)
        await sleep_ms(_QUICK_MS)

    def close(self) -> None:
        """End the connection; a polite goodbye if it is still open."""
        if self._lost is None:
            try:
                self._append(packets.DISCONNECT)
                self._write(ticks_ms())
            except (LinkLost, OSError):
                pass
            self._lost = "closed"
        if self._line is not None:
            self._line.close()
            self._line = None

    def turn(self, now: int) -> None:
        """Write what waits, read what has come, mind the time; what is lost ``check`` tells."""
        if self._lost is not None:
            return
        try:
            self._write(now)
            self._read(now)
        except (ValueError, MemoryError) as e:
            self.lose("cannot read from the broker (%r)" % e)
        except (OSError, EOFError) as e:
            self.lose("the broker closed the connection (%r)" % e)
        except LinkLost as e:
            self.lose(str(e))
        patience = self._patience_ms
        if self._out_end and ticks_diff(now, self._wrote_at) > patience:
            self.lose("cannot write to the broker")
        if self._next != _KIND and ticks_diff(now, self._began_at) > patience:
            self.lose("cannot read from the broker (half a packet)")
        if self._pinged is not None:
            if ticks_diff(now, self._pinged) > patience:
                self.lose("the broker does not answer")
        elif ticks_diff(now, self._wrote_at) >= self._ping_ms and not self._out_end:
            self._pinged = now
            self._append(packets.PINGREQ)

    def pace(self, now: int) -> int:
        """Milliseconds until the next turn is due."""
        moves = self._out_end > 0 or ticks_diff(now, self._moved_at) < _STILL_MS
        pace: int = _QUICK_MS if moves else _SLOW_MS
        return pace

    # --- out

    def next_id(self) -> int:
        """Return the next packet id."""
        self._last_id = self._last_id % 65535 + 1
        return self._last_id

    def begin(self, topic: bytes, packet_id: int) -> "Writer | None":
        """Begin a message: QoS 1 with a packet id, QoS 0 with 0; return where it is written.

        ``None`` while the one before it is not out. Raises ``LinkLost``.
        """
        self.check()
        if self._out_end:
            return None
        out = self._writer
        size = len(topic)
        out.begin(5, len(self._out))
        out.buffer[3], out.buffer[4] = size >> 8, size & 255
        out.text(topic)
        at = out.at
        if packet_id:
            out.buffer[at], out.buffer[at + 1] = packet_id >> 8, packet_id & 255
            at += 2
        self._has_id = packet_id > 0
        out.begin(at, min(at + MAX_BYTES, len(self._out) - _ROOM // 2))
        return out

    def grow(self) -> bool:
        """Make room for the longest message there may be, if that is not done."""
        if len(self._out) > MAX_BYTES:
            return False
        self._out = bytearray(MAX_BYTES + _ROOM)
        self._writer = Writer(self._out)
        return True

    def end(self, again: bool = False, retain: bool = False) -> None:
        """Send what was begun; ``again`` if it was sent before under this packet id."""
        buffer, length = self._out, self._writer.at - 3
        first = 0x30 | (2 if self._has_id else 0) | (8 if again else 0) | (1 if retain else 0)
        if length < 128:
            self._out_at, buffer[1], buffer[2] = 1, first, length
        else:
            self._out_at, buffer[0] = 0, first
            buffer[1], buffer[2] = length & 127 | 128, length >> 7
        self._out_end = self._writer.at
        self._wrote_at = ticks_ms()
        self.turn(self._wrote_at)

    def is_out(self) -> bool:
        """Say whether everything that was sent is on its way."""
        return not self._out_end

    def publish(self, topic: bytes, payload: bytes, packet_id: int = 0, **how: bool) -> bool:
        """Send a message; ``False`` while the one before it is not out. Raises ``LinkLost``."""
        out = self.begin(topic, packet_id)
        if out is None:
            return False
        out.text(payload)
        self.end(**how)
        self.check()
        return True

    def _append(self, packet: bytes) -> None:
        """Put a small packet behind what waits."""
        end = self._out_end + len(packet)
        if end > len(self._out):
            raise LinkLost("cannot write to the broker")
        if not self._out_end:
            self._wrote_at = ticks_ms()
        self._out[self._out_end : end] = packet
        self._out_end = end

    def _write(self, now: int) -> None:
        line = self._line
        while self._out_at < self._out_end and line is not None:
            count = line.write(self._out, self._out_at, self._out_end)
            if not count:
                return
            self._out_at += count
            self._wrote_at = self._moved_at = now
        self._out_at = self._out_end = 0

    # --- in

    def _read(self, now: int) -> None:
        line = self._line
        while line is not None and len(self._out) - self._out_end >= 4:  # room for an answer
            if self._in_at == self._in_end:
                self._in_at, self._in_end = 0, line.read(self._in)
                if not self._in_end:
                    return
                self._moved_at = now
            self._eat(now)
        self._write(now)

    def _eat(self, now: int) -> None:
        """Read on in what has come, to the end of a packet at most."""
        while self._in_at < self._in_end:
            if self._next == _KIND or self._next == _LENGTH:
                byte = self._in[self._in_at]
                self._in_at += 1
                if self._next == _KIND:
                    self._first, self._next, self._began_at = byte, _LENGTH, now
                    self._length = self._shift = 0
                    continue
                self._length |= (byte & 127) << self._shift
                self._shift += 7
                if byte > 127:
                    if self._shift > 21:
                        raise ValueError("a packet length has more than four bytes")
                    continue
                self._got, self._next = 0, _BODY
                if self._length > _LARGEST_INCOMING:
                    self.skipped += 1
                    self._next = _SKIPPED
                elif self._length > _USUAL_INCOMING:
                    self._body = bytearray(self._length)
            else:
                count = min(self._length - self._got, self._in_end - self._in_at)
                if self._next == _BODY:
                    self._copy(count)
                self._got += count
                self._in_at += count
                self._began_at = now
            if self._got == self._length:
                is_whole, self._next = self._next == _BODY, _KIND
                if is_whole:
                    self._take(self._first >> 4, self._body, self._length)
                    self._body = self._usual
                return

    def _copy(self, count: int) -> None:
        at, got = self._in_at, self._got
        if count > _SMALL:
            self._body[got : got + count] = self._in[at : at + count]
            return
        for i in range(count):
            self._body[got + i] = self._in[at + i]

    def _take(self, kind: int, body: bytearray, length: int) -> None:
        if self._connack is None:
            if kind != packets.CONNACK or length != 2:
                raise LinkLost("the broker answered with something else than CONNACK")
            self._connack = body[1]
        elif kind == packets.PUBLISH:
            message = packets.read_publish(self._first, body, length)
            if message.packet_id:
                self._append(packets.puback(message.packet_id))
            self._on_message(message.topic, message.payload)
        elif kind == packets.PUBACK and length >= 2:
            self._on_puback(body[0] << 8 | body[1])
        elif kind == packets.SUBACK and length > 2:
            self._suback = body[:length]
        elif kind == packets.PINGRESP:
            self._pinged = None
