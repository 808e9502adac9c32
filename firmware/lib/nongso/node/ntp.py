"""Asks a time server for the time (SNTP, RFC 4330): one small packet each way.

The answer is believed only if it is one: from a server that has the time itself, to the very
question that was asked, and not from before this program was written. Whole seconds are enough
here; the way to the server and back is not counted.
"""

import socket

from nongso.node.interpreter import const, random_bits, sleep_ms

PORT = 123
EARLIEST = 1704067200  # 2024-01-01: no clock of ours was ever set before
_SINCE_1900 = 2208988800
_ERA = const(1 << 32)  # the packet's seconds begin anew in 2036
_QUESTION = const(0x23)  # version 4, client
_STEP_MS = const(50)


class NoTime(OSError):
    """No usable answer; the text says why."""


def question(stamp: bytes) -> bytes:
    """Write the question; ``stamp`` (8 bytes) comes back in its answer."""
    return bytes([_QUESTION]) + bytes(39) + stamp


def answer(packet: bytes, stamp: bytes) -> int:
    """Read Unix seconds from an answer. Raises ``NoTime``."""
    if len(packet) < 48 or packet[24:32] != stamp:
        raise NoTime("something else than an answer came")
    if packet[0] & 7 != 4 or packet[0] >> 6 == 3 or not 1 <= packet[1] <= 15:
        raise NoTime("the time server has no time itself")
    seconds = int.from_bytes(packet[40:44], "big")
    if seconds < _ERA // 2:
        seconds += _ERA
    seconds -= _SINCE_1900
    if seconds < EARLIEST:
        raise NoTime("the time server lives in the past")
    return seconds


async def ask(host: str, port: int = PORT, patience_ms: int = 3000) -> int:
    """Return Unix seconds. Raises ``OSError``."""
    stamp = bytes(random_bits(8) for _ in range(8))
    address = socket.getaddrinfo(host, port)[0][-1]
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        line.setblocking(False)
        line.sendto(question(stamp), address)
        for _ in range(patience_ms // _STEP_MS):
            await sleep_ms(_STEP_MS)
            try:
                packet = line.recv(64)
            except OSError:  # nothing yet
                continue
            return answer(packet, stamp)
    finally:
        line.close()
    raise NoTime("no answer from the time server %s" % host)
