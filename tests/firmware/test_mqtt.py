"""The node's MQTT client against a broker that misbehaves in every way that brokers do."""

import asyncio
import contextlib
import struct
from collections.abc import Awaitable, Callable

import pytest

from nongso.node.interpreter import ticks_ms
from nongso.node.mqtt import Client, LinkLost, Refused
from nongso.wire.payload import PayloadError

Script = Callable[["Peer"], Awaitable[None]]


class Peer:
    """The broker's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def take(self) -> tuple[int, bytes]:
        """Read one packet: first byte and body."""
        first = (await self.reader.readexactly(1))[0]
        length = shift = 0
        while True:
            byte = (await self.reader.readexactly(1))[0]
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return first, await self.reader.readexactly(length)

    def say(self, packet: bytes) -> None:
        self.writer.write(packet)

    async def welcome(self) -> None:
        first, _ = await self.take()
        assert first == 0x10
        self.say(b"\x20\x02\x00\x00")


def number_of(body: bytes) -> int:
    """Packet id of a PUBLISH body."""
    (length,) = struct.unpack_from(">H", body)
    return int(struct.unpack_from(">H", body, 2 + length)[0])


class Lab:
    """A client and, for each of its connections in turn, a script for the broker's end."""

    def __init__(self, *scripts: Script, patience_ms: int = 150, keepalive_seconds: int = 1):
        self._scripts = list(scripts)
        self._patience_ms = patience_ms
        self._keepalive = keepalive_seconds
        self.heard: list[tuple[bytes, bytes]] = []
        self.confirmed: list[int] = []
        self.failures: list[BaseException] = []
        self._serving: list[asyncio.Task[None] | None] = []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.append(asyncio.current_task())
        try:
            await self._scripts.pop(0)(Peer(reader, writer))
        except asyncio.IncompleteReadError:
            pass
        except Exception as e:
            self.failures.append(e)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def run(self, story: Callable[[Client], Awaitable[None]]) -> None:
        async def act() -> None:
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            client = Client(
                "127.0.0.1",
                server.sockets[0].getsockname()[1],
                "id",
                "user",
                "word",
                "s",
                b"offline",
                lambda topic, message: self.heard.append((bytes(topic), bytes(message))),
                self.confirmed.append,
                self._keepalive,
                self._patience_ms,
            )
            try:
                await asyncio.wait_for(story(client), 20)
            finally:
                client.close()
                server.close()
                # Each end of a connection is closed here, not when the collector finds it.
                ends = [task for task in self._serving if task is not None]
                await asyncio.wait(ends, timeout=1) if ends else None
                for task in ends:
                    task.cancel()
                await asyncio.gather(*ends, return_exceptions=True)
                await server.wait_closed()

        asyncio.run(act())
        assert not self.failures


async def turn(client: Client) -> None:
    """What the owner of a client does all the time."""
    client.turn(ticks_ms())
    await asyncio.sleep(0.005)


async def lost(client: Client) -> str:
    """Wait until the link is lost; return why."""
    while client.is_open:
        await turn(client)
    with pytest.raises(LinkLost) as raised:
        client.check()
    return str(raised.value)


def test_a_message_is_written_and_its_puback_told() -> None:
    seen: list[tuple[int, bytes]] = []

    async def good(peer: Peer) -> None:
        await peer.welcome()
        for answer in (b"", b"", b"\x40\x02\x00\x07", b"\x40\x02\xff\xff"):
            seen.append(await peer.take())
            peer.say(answer)
        await peer.reader.read()

    lab = Lab(good)

    async def story(client: Client) -> None:
        await client.connect()
        assert client.publish(b"t", b"short")
        assert client.publish(b"t/s", b"x" * 200, retain=True)
        assert client.publish(b"t", b"m", 7)
        with pytest.raises(PayloadError):
            client.publish(b"t", b"y" * 4096, 65535)
        assert client.grow()
        assert client.publish(b"t", b"y" * 4096, 65535, again=True)
        while len(lab.confirmed) < 2:
            await turn(client)

    lab.run(story)
    assert seen == [
        (0x30, b"\x00\x01tshort"),
        (0x31, b"\x00\x03t/s" + b"x" * 200),
        (0x32, b"\x00\x01t\x00\x07m"),
        (0x3A, b"\x00\x01t\xff\xff" + b"y" * 4096),
    ]
    assert lab.confirmed == [7, 65535]


def test_packet_ids_are_never_nought() -> None:
    client = Client("h", 1, "id", None, None, "s", b"off", lambda *_: None, lambda _: None)
    assert [client.next_id() for _ in range(65536)] == [*range(1, 65536), 1]


def test_a_message_too_long_is_refused_and_the_link_lives() -> None:
    async def good(peer: Peer) -> None:
        await peer.welcome()
        await peer.reader.read()

    async def story(client: Client) -> None:
        await client.connect()
        assert client.grow()
        assert not client.grow()
        with pytest.raises(PayloadError):
            client.publish(b"t", b"x" * 4097)
        assert client.publish(b"t", b"x")
        client.check()

    Lab(good).run(story)


def test_a_line_that_is_dead_without_a_word_is_noticed_by_the_ping() -> None:
    async def dead(peer: Peer) -> None:
        await peer.welcome()
        await asyncio.sleep(5)

    async def story(client: Client) -> None:
        await client.connect()
        assert "does not answer" in await lost(client)
        with pytest.raises(LinkLost):
            client.publish(b"t", b"m")

    Lab(dead).run(story)


def test_a_quiet_line_lives_by_its_pings() -> None:
    pings: list[int] = []

    async def quiet(peer: Peer) -> None:
        await peer.welcome()
        while True:
            first, _ = await peer.take()
            pings.append(first)
            peer.say(b"\xd0\x00")

    async def story(client: Client) -> None:
        await client.connect()
        while len(pings) < 2:
            await turn(client)
        assert client.is_open

    Lab(quiet, patience_ms=1000).run(story)
    assert pings[:2] == [0xC0, 0xC0]


def test_a_broker_that_refuses_says_why() -> None:
    async def refuse(peer: Peer) -> None:
        await peer.take()
        peer.say(b"\x20\x02\x00\x04")

    async def story(client: Client) -> None:
        with pytest.raises(Refused, match="wrong user or password"):
            await client.connect()
        assert not client.is_open

    Lab(refuse).run(story)


def test_a_broker_that_is_none_is_given_up() -> None:
    async def silent(peer: Peer) -> None:
        await peer.reader.read()

    async def web_server(peer: Peer) -> None:
        peer.say(b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 2000)

    async def closing(peer: Peer) -> None:
        await peer.take()

    async def story(client: Client) -> None:
        for _ in range(3):
            with pytest.raises(LinkLost):
                await client.connect()
            assert not client.is_open

    Lab(silent, web_server, closing).run(story)


def test_no_broker_at_all_is_a_plain_sentence() -> None:
    async def story() -> None:
        client = Client("127.0.0.1", 9, "id", None, None, "s", b"off", lambda *_: None, print)
        with pytest.raises(LinkLost, match=r"no broker at 127\.0\.0\.1:9"):
            await client.connect()

    asyncio.run(story())


def test_topics_are_subscribed_or_the_refusal_is_told() -> None:
    def answers(codes: bytes) -> Script:
        async def script(peer: Peer) -> None:
            await peer.welcome()
            first, body = await peer.take()
            assert first == 0x82
            peer.say(bytes([0x90, 2 + len(codes)]) + body[:2] + codes)
            await peer.reader.read()

        return script

    async def mute(peer: Peer) -> None:
        await peer.welcome()
        await peer.reader.read()

    async def story(client: Client) -> None:
        await client.connect()
        await client.subscribe(["a", "b"])
        await client.connect()
        with pytest.raises(LinkLost, match="subscribe"):
            await client.subscribe(["a", "b"])
        await client.connect()
        with pytest.raises(LinkLost, match="SUBSCRIBE"):
            await client.subscribe(["a", "b"])

    Lab(answers(b"\x01\x01"), answers(b"\x01\x80"), mute, patience_ms=400).run(story)


def test_messages_arrive_and_are_confirmed_and_giants_are_skipped() -> None:
    confirmed: list[bytes] = []

    async def talk(peer: Peer) -> None:
        await peer.welcome()
        peer.say(b"\x30\x06\x00\x01tone")  # QoS 0
        giant = b"\x00\x01t" + b"x" * 1_000_000
        peer.say(b"\x30\xc3\x84\x3d" + giant)
        peer.say(b"\x32\x08\x00\x01t\x00\x09two")  # QoS 1, number 9
        while not confirmed:
            first, body = await peer.take()
            if first == 0x40:
                confirmed.append(body)
        await peer.reader.read()

    lab = Lab(talk, patience_ms=3000)

    async def story(client: Client) -> None:
        await client.connect()
        while not confirmed:
            await turn(client)
        assert client.skipped == 1

    lab.run(story)
    assert lab.heard == [(b"t", b"one"), (b"t", b"two")]
    assert confirmed == [b"\x00\x09"]


def test_garbage_from_the_broker_ends_the_link_and_nothing_else() -> None:
    def saying(garbage: bytes) -> Script:
        async def script(peer: Peer) -> None:
            await peer.welcome()
            peer.say(garbage)
            await peer.reader.read()

        return script

    pieces = [b"\x30\xff\xff\xff\xff\xff", b"\x30\x01\x00", b"\x32\x03\x00\x05a", b"\x30\x7fshort"]

    async def story(client: Client) -> None:
        for _ in pieces:
            await client.connect()
            assert "cannot read" in await lost(client)

    Lab(*map(saying, pieces), patience_ms=300, keepalive_seconds=30).run(story)


def test_a_broker_that_does_not_take_bytes_is_left() -> None:
    async def full(peer: Peer) -> None:
        await peer.welcome()
        await asyncio.sleep(5)

    async def story(client: Client) -> None:
        client.grow()
        await client.connect()

        async def talk() -> None:
            while True:
                if not client.publish(b"t", b"x" * 4000):
                    await turn(client)

        with pytest.raises(LinkLost, match="cannot write"):
            await talk()

    Lab(full, patience_ms=300, keepalive_seconds=30).run(story)
