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

_DUP = 8

Message = namedtuple("Message", ("topic", "payload", "packet_id"))  # id 0: no PUBACK wanted

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


def publish(topic: str, payload: bytes, packet_id: int, retain: bool = False) -> bytearray:
    """Write a message; QoS 1 if it has a packet id, else QoS 0."""
    name = topic.encode()
    number_at = 2 + len(name)
    payload_at = number_at + (2 if packet_id else 0)
    length = payload_at + len(payload)
    head = 2
    while length >> 7 * (head - 1):
        head += 1
    out = bytearray(head + length)  # once, and in one piece: this is what boards do most
    out[0] = 0x30 | (2 if packet_id else 0) | (1 if retain else 0)
    for i in range(1, head):
        out[i] = length & 127 | (128 if i < head - 1 else 0)
        length >>= 7
    struct.pack_into(">H", out, head, len(name))
    out[head + 2 : head + number_at] = name
    if packet_id:
        struct.pack_into(">H", out, head + number_at, packet_id)
    out[head + payload_at :] = payload
    return out


def mark_again(packet: bytearray) -> None:
    """Set the DUP flag: this message was sent before."""
    packet[0] |= _DUP


def puback(packet_id: int) -> bytes:
    """Confirm a message that came at QoS 1."""
    return struct.pack(">BBH", 0x40, 2, packet_id)


def subscribe(topics: "list[str]", packet_id: int) -> bytes:
    """Ask for topics at QoS 1."""
    body = b"".join(_text(topic) + b"\x01" for topic in topics)
    return _packet(0x82, struct.pack(">H", packet_id) + body)


def read_publish(flags: int, body: bytes) -> Message:
    """Read a message that came. Raises ``ValueError``."""
    length = struct.unpack_from(">H", body, 0)[0] if len(body) >= 2 else 0
    at = 2 + length
    packet_id = 0
    if flags & 6:
        if len(body) < at + 2:
            raise ValueError("a PUBLISH packet is cut short")
        packet_id = struct.unpack_from(">H", body, at)[0]
        at += 2
    if len(body) < at or length == 0:
        raise ValueError("a PUBLISH packet is cut short")
    return Message(body[2 : 2 + length], body[at:], packet_id)
