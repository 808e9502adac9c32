"""An MQTT 3.1.1 client for one node: QoS 1, a last will, time-outs on everything.

How this works. ``connect`` opens the connection and starts two tasks: one reads packets, one
minds the time (ping, messages without PUBACK). When anything goes wrong the link is
*lost*: both end, every waiting call raises ``LinkLost``, and the owner calls ``connect``
again. Messages without PUBACK are kept and sent again with the DUP flag, after a time-out
and after a reconnect (the session is a lasting one).

A PUBACK only means that the broker took the message; see ``uplink`` for what it proves.
With ``tls`` (``nongso.node.tls``) the broker must prove that it is ``name``.
"""

import asyncio

from nongso.node import packets
from nongso.node.interpreter import (
    TYPE_CHECKING,
    sleep_ms,
    ticks_diff,
    ticks_ms,
    wait_event,
    wait_ms,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

_LARGEST_INCOMING = 4096  # bytes; larger packets are skipped and counted
_TRIES = 3  # sendings of one message without PUBACK before the link counts as dead


class LinkLost(Exception):
    """The connection to the broker is gone or useless; the text says why."""


class Refused(LinkLost):
    """The broker does not want this node; the text says why."""


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
        on_message: "Callable[[bytes, bytes], None]",
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
        self._on_message = on_message
        self._ping_ms = keepalive_seconds * 500
        self._patience_ms = patience_ms
        self._unacked: list[list] = []  # type: ignore[type-arg]  # id, packet, sent at, sendings
        self._last_id = 0
        self._lost: str | None = "never connected"
        self._lost_event = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._writer: asyncio.StreamWriter | None = None
        self.skipped = 0

    @property
    def is_open(self) -> bool:
        """Say whether the link is up, as far as is known."""
        return self._lost is None

    def check(self) -> None:
        """Raise ``LinkLost`` if the link is lost."""
        if self._lost is not None:
            raise LinkLost(self._lost)

    def waits_for(self, packet_id: int) -> bool:
        """Say whether the broker has not confirmed this message yet."""
        return any(entry[0] == packet_id for entry in self._unacked)

    def give_up(self, packet_id: int) -> None:
        """Never send this message again."""
        self._unacked = [entry for entry in self._unacked if entry[0] != packet_id]

    async def connect(self) -> None:
        """Connect, and send again what was not confirmed. Raises ``LinkLost`` or ``Refused``."""
        await self.close()
        try:
            await wait_ms(self._open(), self._patience_ms)
        except (OSError, ValueError, asyncio.TimeoutError) as e:  # ValueError: MicroPython's TLS
            raise LinkLost("no broker at %s:%d (%r)" % (self._host, self._port, e))
        # New with each connection: a task that was cut off may have left the old ones set.
        self._write_lock = asyncio.Lock()
        self._suback = asyncio.Event()
        self._suback_id = 0
        self._lost_event = asyncio.Event()
        self._pinged: int | None = None
        self._sent_at = ticks_ms()
        self._lost = None
        try:
            kind, _, body = await wait_ms(self._packet(), self._patience_ms)
            if kind != packets.CONNACK or len(body) != 2:
                raise LinkLost("the broker answered with something else than CONNACK")
            if body[1]:
                raise Refused(
                    "the broker refuses this node: %s" % packets.REFUSALS.get(body[1], body[1])
                )
            for entry in self._unacked:
                packets.mark_again(entry[1])
                entry[2], entry[3] = ticks_ms(), 1
                await self._send(entry[1])
        except (OSError, EOFError, ValueError, asyncio.TimeoutError, LinkLost) as e:
            self._lose("no session: %s" % (e if isinstance(e, LinkLost) else repr(e)))
            await self.close()
            if isinstance(e, LinkLost):
                raise
            raise LinkLost(self._lost)
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._mind())]

    async def _open(self) -> None:
        """Connect and say hello: MicroPython notices a closed port only then."""
        if self._tls is None:
            self._reader, writer = await asyncio.open_connection(self._host, self._port)
        else:
            self._reader, writer = await asyncio.open_connection(
                self._host, self._port, ssl=self._tls, server_hostname=self._name
            )
        self._writer = writer
        writer.write(self._hello)
        await writer.drain()

    async def subscribe(self, topics: "list[str]") -> None:
        """Subscribe at QoS 1. Raises ``Refused`` if the broker denies one of them."""
        self.check()
        self._suback_id = self._next_id()
        self._suback_codes = b""
        await self._send(packets.subscribe(topics, self._suback_id))
        if not await wait_event(self._suback, self._patience_ms):
            self._lose("no answer to SUBSCRIBE")
        self.check()
        if len(self._suback_codes) != len(topics) or any(c > 1 for c in self._suback_codes):
            raise Refused("the broker does not let this node subscribe to its own topics")

    async def publish(
        self, topic: str, payload: bytes, retain: bool = False, sure: bool = True
    ) -> int:
        """Send a message and return its packet id, without waiting for the PUBACK.

        With ``sure`` it is QoS 1 and kept until the PUBACK; else QoS 0 and the id is 0.
        """
        self.check()
        packet_id = self._next_id() if sure else 0
        packet = packets.publish(topic, payload, packet_id, retain)
        if sure:
            self._unacked.append([packet_id, packet, ticks_ms(), 1])
        await self._send(packet)
        return packet_id

    async def close(self) -> None:
        """End the connection; a polite goodbye if it is still open."""
        if self._lost is None:
            try:
                await self._send(packets.DISCONNECT)
            except LinkLost:
                pass
            self._lose("closed")
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            while not task.done():
                await sleep_ms(0)
        self._tasks = []
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.close()
            try:
                await wait_ms(writer.wait_closed(), 1000)  # MicroPython closes the socket here
            except (OSError, asyncio.TimeoutError):
                pass

    def _lose(self, why: str) -> None:
        if self._lost is None:
            self._lost = why
            self._lost_event.set()
            self._suback.set()

    def _next_id(self) -> int:
        self._last_id = self._last_id % 65535 + 1
        while self.waits_for(self._last_id):
            self._last_id = self._last_id % 65535 + 1
        return self._last_id

    async def _send(self, packet: "bytes | bytearray") -> None:
        try:
            await wait_ms(self._send_locked(packet), self._patience_ms)
        except (OSError, asyncio.TimeoutError) as e:
            self._lose("cannot write to the broker (%r)" % e)
        self.check()
        self._sent_at = ticks_ms()

    async def _send_locked(self, packet: "bytes | bytearray") -> None:
        async with self._write_lock:
            self.check()
            writer = self._writer
            if writer is not None:
                writer.write(packet)
                await writer.drain()

    async def _packet(self) -> "tuple[int, int, bytes]":
        """Read one packet: kind, flags, body."""
        first = (await self._reader.readexactly(1))[0]
        return await wait_ms(self._rest(first), self._patience_ms)  # type: ignore[no-any-return]

    async def _rest(self, first: int) -> "tuple[int, int, bytes]":
        length = shift = 0
        while True:
            byte = (await self._reader.readexactly(1))[0]
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
            if shift > 21:
                raise ValueError("a packet length has more than four bytes")
        if length > _LARGEST_INCOMING:
            self.skipped += 1
            while length:
                length -= len(await self._reader.readexactly(min(length, 512)))
            return 0, 0, b""
        body = await self._reader.readexactly(length) if length else b""
        return first >> 4, first & 15, body

    async def _read(self) -> None:
        try:
            while True:
                await self._take(*await self._packet())
        except (ValueError, asyncio.TimeoutError, MemoryError) as e:
            self._lose("cannot read from the broker (%r)" % e)
        except (OSError, EOFError) as e:
            self._lose("the broker closed the connection (%r)" % e)
        except LinkLost:
            pass

    async def _take(self, kind: int, flags: int, body: bytes) -> None:
        if kind == packets.PUBLISH:
            message = packets.read_publish(flags, body)
            self._on_message(message.topic, message.payload)
            if message.packet_id:
                await self._send(packets.puback(message.packet_id))
        elif kind == packets.PUBACK and len(body) >= 2:
            self.give_up(body[0] << 8 | body[1])
        elif kind == packets.SUBACK and len(body) > 2:
            if body[0] << 8 | body[1] == self._suback_id:
                self._suback_codes = body[2:]
                self._suback.set()
        elif kind == packets.PINGRESP:
            self._pinged = None

    async def _mind(self) -> None:
        """Ping when the line is quiet; send again what the broker does not confirm."""
        try:
            while not await wait_event(self._lost_event, min(1000, self._ping_ms)):
                now = ticks_ms()
                if self._pinged is not None:
                    if ticks_diff(now, self._pinged) > self._patience_ms:
                        self._lose("the broker does not answer")
                elif ticks_diff(now, self._sent_at) >= self._ping_ms:
                    self._pinged = now
                    await self._send(packets.PINGREQ)
                for entry in list(self._unacked):
                    if ticks_diff(now, entry[2]) <= self._patience_ms:
                        continue
                    if entry[3] >= _TRIES:
                        self._lose("the broker does not confirm messages")
                        break
                    packets.mark_again(entry[1])
                    entry[2], entry[3] = now, entry[3] + 1
                    await self._send(entry[1])
        except LinkLost:
            pass
