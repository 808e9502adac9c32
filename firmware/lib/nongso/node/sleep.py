"""What a node carries through a deep sleep: 2 KB that outlive it, but no power cut.

Samples wait there for the next time that the node connects, so that neither radio nor flash is
needed for each. A checksum tells what was carried from what memory happens to hold.
"""

import binascii
import struct
from collections import namedtuple

from nongso.node import frames
from nongso.node.interpreter import TYPE_CHECKING

if TYPE_CHECKING:
    from nongso.node.ring import Item

LARGEST = 2048  # of an ESP32

# uptime: seconds since the boot when the node wakes again; waiting: samples since it last
# connected; samples: pairs of heading and body
Carried = namedtuple("Carried", ("boot", "seq", "uptime", "waiting", "samples"))

_HEAD = "<4I"
_CRC = "<I"


def pack(boot: int, seq: int, uptime: int, waiting: int, tail: "list[Item]") -> bytes:
    """Write what is carried. Raises ``ValueError`` if it is too much."""
    out = struct.pack(_HEAD, boot, seq, uptime, waiting)
    heading = None
    bodies: list[bytes] = []
    for item in tail:
        if item.heading != heading:
            if bodies:
                out += frames.samples(bodies)[0]
            heading, bodies = item.heading, []
            out += frames.frame(frames.HEADING, heading)
        bodies.append(item.body)
        if not frames.fits(bodies, LARGEST):
            out += frames.samples(bodies[:-1])[0]
            bodies = [item.body]
    if bodies:
        out += frames.samples(bodies)[0]
    out += struct.pack(_CRC, binascii.crc32(out))
    if len(out) > LARGEST:
        raise ValueError("too much to carry: %d bytes" % len(out))
    return out


def unpack(found: bytes) -> "Carried | None":
    """Read what was carried; ``None`` if that is nothing."""
    size = struct.calcsize(_HEAD)
    if len(found) < size + 4:
        return None
    if struct.unpack(_CRC, found[-4:])[0] != binascii.crc32(found[:-4]):
        return None
    boot, seq, uptime, waiting = struct.unpack(_HEAD, found[:size])
    samples: list[tuple[bytes, bytes]] = []
    heading = b""
    at = size
    while at < len(found) - 4:
        whole = frames.frame_at(found, at)
        if whole is None:
            return None
        kind, body, at = whole
        if kind == frames.HEADING:
            heading = body
        else:
            samples.extend((heading, one) for one, _ in frames.split(kind, body))
    return Carried(boot, seq, uptime, waiting, samples)
