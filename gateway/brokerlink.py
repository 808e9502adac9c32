"""The connection to the broker: paho's, read and written in large pieces.

With ``homeassistant``, an output, the only module on the product side that imports ``paho``. How
this works: paho reads a packet byte by byte and makes a dozen objects of it, which was half of
what a message cost the gateway. So it is given a stand-in for its socket (``_Wire``). Messages are
cut out of what has arrived, a large piece at a time, and are the caller's; what answers our own
messages to nodes is looked at here; every other packet goes on to paho, whole. What paho writes is
gathered and leaves in one piece, together with what is said to nodes and with the PUBACKs.
Connecting, the session, what is listened to and keep-alive are paho's as ever.

paho has no door for another socket: of its inner words ``_create_socket`` is used, and no other.
Not handled here: TLS, and QoS 2, which the gateway never asks for.
"""

import contextlib
import socket
import struct
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from nongso.wire.payload import MAX_BYTES

PIECE = 65_536
MOST_UNSENT = 1 << 20  # bytes; who does not take what we answer is not read either
MOST_OPEN = 8000  # of our messages, said again after a reconnect
_PUBLISH, _PUBACK = 0x30, 0x40
_AT_LEAST_ONCE, _AGAIN = 0x02, 0x08  # flags of a PUBLISH
_FIRST_MID, _LAST_MID = 0x8000, 0xFFFF  # of our messages; paho counts from 1
_ACKNOWLEDGED = struct.Struct("!HH")
_LONG = 4 + 65_535 + MAX_BYTES + 1  # of a longer packet this much tells all that is kept


class Arrived(NamedTuple):
    """A message; of one that is too long only the beginning is kept."""

    mid: int  # 0 where the broker waits for no PUBACK
    topic: str  # "" where it is no text
    raw: bytes
    size: int
    is_retained: bool


class NotMqtt(ConnectionError):
    """What has arrived is nothing that a broker says to us."""


def cut(piece: bytes, arrived: list[Arrived]) -> tuple[int, list[bytes]]:
    """Take packets off the beginning of what was received; messages go to ``arrived``.

    Returns how long the packets were, more than there is where the rest of a long message is of
    no use, and those that are no messages. Raises ``NotMqtt``.
    """
    begin, end = 0, len(piece)
    others: list[bytes] = []
    while begin < end:
        body, length = begin + 1, 0
        for shift in (0, 7, 14, 21):
            if body == end:
                return begin, others
            digit = piece[body]
            body += 1
            length |= (digit & 127) << shift
            if digit < 128:
                break
        else:
            raise NotMqtt("a packet of a length that MQTT does not have")
        kind = piece[begin]
        after = body + length
        if after > end and not (kind & 0xF0 == _PUBLISH and end - body >= _LONG):
            if length > _LONG and kind & 0xF0 != _PUBLISH:
                raise NotMqtt(f"a packet of {length} bytes that is no message")
            return begin, others
        if kind & 0xF0 == _PUBLISH:
            arrived.append(_message(piece, kind, body, after))
        else:
            others.append(piece[begin:after])
        begin = after
    return begin, others


def _message(piece: bytes, kind: int, body: int, after: int) -> Arrived:
    """Read a PUBLISH between two places: topic, number, message (MQTT 3.1.1, section 3.3)."""
    name = body + 2
    if name > after:
        raise NotMqtt("a message that is cut off")
    end = name + (piece[body] << 8 | piece[body + 1])
    quality = kind & 6
    start = end + 2 if quality else end
    if start > after or quality > 2:
        raise NotMqtt("a message that is cut off, or of a quality that nobody asked for")
    mid = piece[end] << 8 | piece[end + 1] if quality else 0
    try:
        topic = piece[name:end].decode()
    except UnicodeDecodeError:
        topic = ""
    kept = piece[start : min(after, start + MAX_BYTES + 1)]
    return Arrived(mid, topic, kept, after - start, bool(kind & 1))


def _packet(kind: int, body: bytes) -> bytes:
    length, size = len(body), bytearray([kind])
    while length > 127:
        size.append(length & 127 | 128)
        length >>= 7
    size.append(length)
    return bytes(size) + body


class _Wire:
    """What paho takes for its socket: gives it the packets that are no messages."""

    def __init__(self, sock: socket.socket, hear: Callable[[int], None]) -> None:
        """``hear`` gets the numbers of our own messages that the broker has."""
        self._sock = sock
        self._hear = hear
        self._rest = b""  # the beginning of a packet
        self._skip = 0  # bytes of a long message that are still to come
        self._others = bytearray()
        self._unsent = bytearray()
        self._end: OSError | None = None
        # Acknowledgements are small and nodes wait for them: no Nagle.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # for paho

    def recv(self, size: int) -> bytes:
        """Give paho of its packets; afterwards what became of the connection."""
        if self._others:
            found = bytes(self._others[:size])
            del self._others[:size]
            return found
        if self._end is not None:
            raise self._end
        raise BlockingIOError

    def send(self, packet: bytes | bytearray) -> int:
        """Gather what is to leave with the next ``flush``."""
        self._unsent += packet
        return len(packet)

    def fileno(self) -> int:
        return self._sock.fileno()

    def setblocking(self, flag: bool) -> None:
        self._sock.setblocking(flag)

    def close(self) -> None:
        """Close after a last try to get rid of what was gathered, a good-bye above all."""
        self.flush()
        self._sock.close()

    # for the link

    @property
    def has_news(self) -> bool:
        """Say whether paho has something to read, be it the end."""
        return bool(self._others) or self._end is not None

    @property
    def unsent(self) -> int:
        """How many bytes wait for the connection to take them."""
        return len(self._unsent)

    def receive(self, arrived: list[Arrived]) -> bool:
        """Read one piece; ``False`` when there was nothing, or nothing comes any more."""
        try:
            piece = self._sock.recv(PIECE)
        except BlockingIOError:
            return False
        except OSError as error:
            self._end = error
            return False
        if not piece:
            self._end = ConnectionError("the broker has hung up")
            return False
        if self._skip:
            skipped = min(self._skip, len(piece))
            self._skip -= skipped
            piece = piece[skipped:]
        if self._rest:
            piece = self._rest + piece
        try:
            used, others = cut(piece, arrived)
        except NotMqtt as error:
            self._end = error
            return False
        self._skip += max(0, used - len(piece))
        self._rest = piece[used:]
        for packet in others:
            if packet[0] == _PUBACK and len(packet) == 4:
                self._hear(packet[2] << 8 | packet[3])
            else:
                self._others += packet
        return True

    def flush(self) -> None:
        """Send what the connection takes now."""
        if not self._unsent:
            return
        try:
            del self._unsent[: self._sock.send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError as error:
            self._end = error
            self._unsent.clear()


class BrokerLink(mqtt.Client):
    """paho's client for a loop that is run by hand: ``read`` and ``write`` are its turns.

    ``on_connect``, ``on_disconnect`` and ``on_subscribe`` are called within them; messages never
    reach ``on_message``, but are what ``read`` finds.
    """

    def __init__(self, name: str, connect_seconds: float) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=name,
            clean_session=False,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        self.connect_timeout = connect_seconds
        self.on_socket_register_write = _nothing  # our loop asks ``wants_to_write`` itself
        self._open: dict[int, bytes] = {}  # what we said and the broker has not confirmed, by mid
        self._mid = _LAST_MID

    def _create_socket(self) -> _Wire:
        sock: Any = super()._create_socket()
        return _Wire(sock, self._confirmed)

    def wire(self) -> Any:
        """Return what ``select`` waits for, ``None`` without a connection."""
        wire: Any = self.socket()
        if wire is not None and not isinstance(wire, _Wire):
            raise TypeError("this release of paho makes its socket elsewhere; install paho 2.2")
        return wire

    def read(self, arrived: list[Arrived]) -> bool:
        """Read one piece of what has arrived; ``False`` when that was all for now."""
        wire = self.wire()
        if wire is None:
            return False
        has_more: bool = wire.receive(arrived)
        self._let_paho_read(wire)
        return has_more

    def _let_paho_read(self, wire: _Wire) -> None:
        while wire.has_news and self.socket() is wire:
            self.loop_read()

    def is_clogged(self) -> bool:
        """Say whether the broker does not take what we say."""
        wire = self.wire()
        return wire is not None and wire.unsent > MOST_UNSENT

    def wants_to_write(self) -> bool:
        """Say whether something waits for ``write``."""
        wire = self.wire()
        return wire is not None and (self.want_write() or wire.unsent > 0)

    def tell(self, topic: str, message: bytes) -> None:
        """Say something with the next ``write``, once or oftener (QoS 1).

        What the broker has not confirmed is said again by ``tell_again``; of very much of that
        the oldest is not.
        """
        mid = self._mid
        while True:
            mid = mid + 1 if mid < _LAST_MID else _FIRST_MID
            if mid not in self._open:
                break
        self._mid = mid
        name = topic.encode()
        body = b"%s%s%s%s" % (_number(len(name)), name, _number(mid), message)
        self._open[mid] = packet = _packet(_PUBLISH | _AT_LEAST_ONCE, body)
        if len(self._open) > MOST_OPEN:
            del self._open[next(iter(self._open))]
        wire = self.wire()
        if wire is not None:
            wire.send(packet)

    def tell_again(self) -> None:
        """Say what an earlier connection perhaps did not carry; for after a reconnect."""
        wire = self.wire()
        if wire is not None:
            for packet in self._open.values():
                wire.send(bytes([packet[0] | _AGAIN]) + packet[1:])

    def _confirmed(self, mid: int) -> None:
        self._open.pop(mid, None)

    def acknowledge(self, mids: Iterable[int]) -> None:
        """Say PUBACK for messages with the next ``write``, after all that was told before."""
        wire = self.wire()
        if wire is not None:
            wire.send(b"".join([_ACKNOWLEDGED.pack(_PUBACK << 8 | 2, mid) for mid in mids]))

    def write(self) -> None:
        """Send what the connection takes now."""
        self.loop_write()
        wire = self.wire()
        if wire is not None:
            wire.flush()
            self._let_paho_read(wire)

    def hang_up(self) -> None:
        """End the connection at once and without a word; the broker keeps what it has for us."""
        wire = self.wire()
        if wire is not None:
            with contextlib.suppress(OSError):
                wire.close()


def _number(number: int) -> bytes:
    return number.to_bytes(2, "big")


def _nothing(client: mqtt.Client, userdata: Any, sock: Any) -> None:
    pass
