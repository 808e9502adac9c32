"""MQTT 3.1.1 packets as bytes (OASIS standard, 29 October 2014), as far as a node needs them.

No network here. QoS 0 and 1; QoS 2 is neither sent nor asked for.
"""

import struct
from collections import namedtuple

CONNACK = 2
PUBLISH = 3
PUBACK = 4
SUBACK = 9
PINGRESP = 13

PINGREQ = b"\xc0\x00"
DISCONNECT = b"\xe0\x00"

Message = namedtuple("Message", ("topic", "payload", "packet_id"))  # id 0: no PUBACK wanted

# A broker answers in the version in which it is asked, so MQTT 5's own codes never come here.
NOT_LET_IN = (4, 5)
REFUSALS = {
    1: "it does not speak MQTT 3.1.1",
    2: "it does not accept this client id",
    3: "it is not available now",
    4: "wrong user or password",
    5: "this user may not connect",
}


def _text(text: "bytes | str") -> bytes:
    encoded = text.encode() if isinstance(text, str) else text
    return struct.pack(">H", len(encoded)) + encoded


def _packet(first: int, body: bytes) -> bytes:
    length = len(body)
    head = bytearray([first])
    while True:
        head.append(length & 127 | (128 if length > 127 else 0))
        length >>= 7
        if not length:
            return bytes(head) + body


def connect(
    client_id: str,
    user: "str | None",
    password: "str | None",
    keepalive_seconds: int,
    will_topic: str,
    will: bytes,
) -> bytes:
    """Ask for a session that outlives the connection, with a retained last will at QoS 1."""
    flags = 0x04 | 0x08 | 0x20  # will, its QoS 1, retained
    body = _text(client_id) + _text(will_topic) + _text(will)
    if user is not None:
        flags |= 0x80
        body += _text(user)
        if password is not None:
            flags |= 0x40
            body += _text(password)
    return _packet(
        0x10, _text("MQTT") + bytes([4, flags]) + struct.pack(">H", keepalive_seconds) + body
    )


def puback(packet_id: int) -> bytes:
    """Confirm a message that came at QoS 1."""
    return struct.pack(">BBH", 0x40, 2, packet_id)


def subscribe(topics: "list[str]", packet_id: int) -> bytes:
    """Ask for topics at QoS 1."""
    body = b"".join(_text(topic) + b"\x01" for topic in topics)
    return _packet(0x82, struct.pack(">H", packet_id) + body)


def read_publish(first: int, body: bytearray, length: int) -> Message:
    """Read a message that came: the first so many bytes of ``body``. Raises ``ValueError``."""
    end = 2 + (body[0] << 8 | body[1]) if length > 2 else 0
    at, packet_id = end, 0
    if first & 6 and at + 2 <= length:
        packet_id = body[at] << 8 | body[at + 1]
        at += 2
    if end <= 2 or at > length or (first & 6 and at == end):
        raise ValueError("a PUBLISH packet is cut short")
    return Message(body[2:end], body[at:length], packet_id)
