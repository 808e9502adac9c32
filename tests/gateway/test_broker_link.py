"""The connection to the broker: cut into messages in large pieces, whatever the pieces are."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from control_box import until
from hypothesis import given
from hypothesis import strategies as st

from nongso.gateway.brokerlink import MOST_OPEN, Arrived, BrokerLink, NotMqtt, cut
from nongso.wire.payload import MAX_BYTES

CONNACK = b"\x20\x02\x00\x00"
UP = "nongso/1/tan-binh/tb-01/up"


def size(length: int) -> bytes:
    """Write a remaining length (MQTT 3.1.1, section 2.2.3)."""
    digits = b""
    while True:
        length, digit = divmod(length, 128)
        digits += bytes([digit | (128 if length else 0)])
        if not length:
            return digits


def publish(topic: bytes, message: bytes, mid: int, flags: int = 0) -> bytes:
    """Write a message as a broker delivers it; ``mid`` 0 is QoS 0."""
    body = len(topic).to_bytes(2, "big") + topic
    body += mid.to_bytes(2, "big") if mid else b""
    kind = 0x30 | (2 if mid else 0) | flags
    return bytes([kind]) + size(len(body) + len(message)) + body + message


def received(pieces: Sequence[bytes]) -> tuple[list[Arrived], bytes]:
    """Give pieces to ``cut`` as a connection does: what is left comes again with the next one."""
    arrived: list[Arrived] = []
    rest, skip, passed_on = b"", 0, b""
    for piece in pieces:
        skipped = min(skip, len(piece))
        skip -= skipped
        rest += piece[skipped:]
        used, others = cut(rest, arrived)
        skip += max(0, used - len(rest))
        rest = rest[used:]
        passed_on += b"".join(others)
    assert not rest
    assert not skip
    return arrived, passed_on


texts = st.text(min_size=1, max_size=12).map(str.encode) | st.sampled_from([UP.encode(), b"\xff"])
bodies = st.binary(max_size=300) | st.sampled_from(
    [b"y" * length for length in (MAX_BYTES, MAX_BYTES + 1, 20_000, 80_000)]
)
messages = st.tuples(texts, bodies, st.integers(0, 65_535), st.sampled_from([0, 1, 8]))
packets = messages | st.sampled_from([CONNACK, b"\xd0\x00", b"\x90\x03\x00\x01\x01"])


@given(st.lists(packets, max_size=8), st.lists(st.integers(1, 90_000), max_size=20))
def test_messages_are_the_same_however_they_arrive(sent: list[Any], lengths: list[int]) -> None:
    stream, wanted, others = b"", [], b""
    for one in sent:
        if isinstance(one, bytes):
            stream += one
            others += one
            continue
        topic, body, mid, flags = one
        stream += publish(topic, body, mid, flags)
        name = topic.decode() if topic != b"\xff" else ""
        kept = body[: MAX_BYTES + 1]
        wanted.append(Arrived(mid, name, kept, len(body), flags == 1))
    pieces, begin = [], 0
    for length in lengths:
        pieces.append(stream[begin : begin + length])
        begin += length
    pieces.append(stream[begin:])
    assert received(pieces) == (wanted, others)


@pytest.mark.parametrize(
    "stream",
    [
        b"\x30\x80\x80\x80\x80\x01",  # a length of five digits
        b"\x32\x01\x00",  # no room for a topic
        b"\x32\x05\x00\x05abc",  # a topic longer than the packet
        b"\x32\x05\x00\x03abc",  # no number
        b"\x34\x07\x00\x03abc\x00\x01",  # QoS 2, which nobody asked for
        b"\x90" + size(1 << 20),  # an answer without end
    ],
)
def test_what_no_broker_says_ends_the_connection(stream: bytes) -> None:
    with pytest.raises(NotMqtt):
        cut(stream, [])


@given(st.binary(max_size=200))
def test_no_bytes_are_a_surprise(stream: bytes) -> None:
    arrived: list[Arrived] = []
    try:
        used, others = cut(stream, arrived)
    except NotMqtt:
        return
    assert used <= len(stream)
    assert sum(map(len, others)) <= used


class Exchange:
    """The other end of the line: what a broker says is written here byte by byte."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.lines: list[socket.socket] = []

    def accept(self) -> socket.socket:
        line, _ = self._listener.accept()
        line.settimeout(5)
        self.lines.append(line)
        assert line.recv(4096)[0] == 0x10  # CONNECT
        line.sendall(CONNACK)
        return line

    def close(self) -> None:
        for line in self.lines:
            line.close()
        self._listener.close()


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    made = Exchange()
    yield made
    made.close()


def reads_until(link: BrokerLink, condition: Callable[[], Any], what: str) -> list[Arrived]:
    """Read until something is so; return the messages that came."""
    arrived: list[Arrived] = []

    def is_so() -> Any:
        link.read(arrived)
        return condition()

    until(is_so, what)
    return arrived


def reads_until_some(link: BrokerLink) -> list[Arrived]:
    arrived: list[Arrived] = []
    until(lambda: link.read(arrived) or arrived, "a message is read")
    return arrived


def connected(link: BrokerLink, exchange: Exchange) -> socket.socket:
    """Let a link in."""
    found: list[socket.socket] = []
    answering = threading.Thread(target=lambda: found.append(exchange.accept()))
    answering.start()
    link.reconnect()
    link.write()
    answering.join(5)
    reads_until(link, link.is_connected, "the link is let in")
    return found[0]


def link_to(exchange: Exchange) -> BrokerLink:
    link = BrokerLink("gateway-test", 2.0)
    link.connect_async("127.0.0.1", exchange.port, 30)
    return link


def test_what_the_broker_did_not_confirm_is_told_again_after_a_reconnect(
    exchange: Exchange,
) -> None:
    link = link_to(exchange)
    line = connected(link, exchange)
    link.tell("a/ack", b"one")
    link.tell("a/ack", b"two")
    link.write()
    first, second = publish(b"a/ack", b"one", 0x8000), publish(b"a/ack", b"two", 0x8001)
    assert line.recv(4096) == first + second
    line.sendall(b"\x40\x02\x80\x00")  # the first one has come
    reads_until(link, lambda: len(link._open) == 1, "the broker's word is heard")
    line.close()
    reads_until(link, lambda: not link.is_connected(), "the end is noticed")
    line = connected(link, exchange)
    link.tell_again()
    link.write()
    assert line.recv(4096) == publish(b"a/ack", b"two", 0x8001, 8)
    link.hang_up()


def test_a_broker_that_confirms_nothing_fills_no_memory(exchange: Exchange) -> None:
    link = link_to(exchange)
    for _ in range(5 * MOST_OPEN):  # the numbers come round
        link.tell("a/ack", b"one")
    assert len(link._open) == MOST_OPEN


def test_a_broker_that_takes_nothing_is_not_read_either(exchange: Exchange) -> None:
    link = link_to(exchange)
    connected(link, exchange)
    assert not link.is_clogged()
    link.acknowledge(range(60_000))
    for _ in range(400):
        link.acknowledge(range(60_000))
        link.write()
    assert link.is_clogged()
    assert link.wants_to_write()
    link.hang_up()


def test_a_connection_that_carries_nothing_but_messages_is_kept_alive(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("paho.mqtt.client.time_func", lambda: clock[0])
    link = link_to(exchange)
    line = connected(link, exchange)
    for mid in range(1, 10):
        line.sendall(publish(UP.encode(), b"sound", mid))
        reads_until_some(link)
        clock[0] += 31.0
        link.loop_misc()
        link.write()
        assert line.recv(4096) == b"\xc0\x00"  # PINGREQ
        line.sendall(b"\xd0\x00" + publish(UP.encode(), b"more", 100 + mid))
        assert reads_until_some(link) == [Arrived(100 + mid, UP, b"more", 4, False)]
    assert link.is_connected()
    clock[0] += 31.0
    for _ in range(2):  # asked, and not answered in time
        link.loop_misc()
        link.write()
        clock[0] += 31.0
    assert not link.is_connected()


def test_nonsense_from_the_broker_ends_the_connection_and_what_came_before_is_kept(
    exchange: Exchange,
) -> None:
    link = link_to(exchange)
    line = connected(link, exchange)
    ended: list[Any] = []
    link.on_disconnect = lambda *told: ended.append(told)
    line.sendall(publish(UP.encode(), b"sound", 5) + b"\x30\xff\xff\xff\xff\x01")
    arrived = reads_until(link, lambda: ended, "the connection is ended")
    assert arrived == [Arrived(5, UP, b"sound", 5, False)]
    assert link.wire() is None
