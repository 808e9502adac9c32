"""From the ring to the gateway: publish, wait for the gateway's word, forget.

A sample is forgotten only on an acknowledgement of the gateway (``nongso.wire.ack``); until
then it is sent again, whatever the broker confirmed. The link is made again after every
loss, with growing pauses. Loss and recovery are said once each.
"""

import asyncio

from nongso.node import clock as clocks
from nongso.node import record
from nongso.node.interpreter import TYPE_CHECKING, random_bits, sleep_ms, ticks_ms, wait_event
from nongso.node.log import Trouble, say
from nongso.node.mqtt import Client, LinkLost
from nongso.node.settings import SettingsError
from nongso.node.updates import Updates
from nongso.node.window import Underway, Window
from nongso.wire import ack, topics, writing

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from nongso.node.clock import Clock, Origins
    from nongso.node.hardware import Board, Slots
    from nongso.node.ring import Ring
    from nongso.node.sampling import Sampler
    from nongso.node.settings import Settings

_FIRST_PAUSE_MS = 500
_LONGEST_PAUSE_MS = 3000  # with the chance below: back within five seconds
_SENDINGS_BEFORE_COMPLAINT = 3


class Uplink:
    """The way of a node's samples to the gateway."""

    def __init__(
        self,
        settings: "Settings",
        board: "Board",
        ring: "Ring",
        clock: "Clock",
        origins: "Origins",
        boot: int,
        slots: "Slots",
        sampler: "Sampler",
        on_heard: "Callable[[], None]",
    ) -> None:
        """``on_heard`` is called when the gateway has acknowledged something."""
        self._on_heard = on_heard

        def topic(leaf: str) -> str:
            return topics.topic(settings.farm, settings.node, leaf)

        self._board, self._ring, self._clock = board, ring, clock
        self._origins, self._boot, self._sampler = origins, boot, sampler
        self._eui64 = settings.eui64
        self._up, self._status = topic("up"), topic("status")
        self._ack, self._down, self._update = topic("ack"), topic("down"), topic("update")
        self.updates = Updates(settings, slots, self._send_update)
        self._window = Window(resend_ms=settings.resend_seconds * 1000)
        self._wake = asyncio.Event()
        self.alive_at = self.linked_at = ticks_ms()  # the latter: when the link was last up
        self._link_trouble = Trouble("link to the broker")
        self._ack_trouble = Trouble("acknowledgements")
        broker = settings.broker
        self._is_secure = bool(broker.ca_file)
        self._client = Client(
            broker.host,
            broker.port,
            settings.eui64,
            broker.user,
            broker.password,
            self._status,
            topics.OFFLINE,
            self._take,
            tls=_tls(broker.ca_file),
            name=broker.name,
        )

    def wake(self) -> None:
        """Tell the uplink that there is a new sample in the ring."""
        self._wake.set()

    def is_unheard(self) -> bool:
        """Say whether the gateway does not acknowledge although the broker takes everything."""
        return self._ack_trouble.count > 0

    async def run(self) -> None:
        """Keep the link up and samples flowing, for ever."""
        pause_ms = _FIRST_PAUSE_MS
        was_up = False
        while True:
            self.alive_at = ticks_ms()
            try:
                await self._board.join_network()
                if self._is_secure and self._clock.unix() is None:
                    # What cannot be checked is not trusted with a password.
                    raise OSError(
                        "no time yet, so its certificate cannot be checked: does wifi.ntp answer?"
                    )
                await self._client.connect()
                await self._client.subscribe([self._ack, self._down])
                await self._client.publish(self._status, topics.ONLINE, retain=True, sure=False)
                await self._client.publish(self._update, self.updates.words())
                self._link_trouble.well("up")
                was_up = True
                pause_ms = _FIRST_PAUSE_MS
                self._take_up_again()
                await self._send_samples()
            except (LinkLost, OSError, MemoryError) as e:
                self._link_trouble.failed(str(e) or repr(e))
                if was_up:
                    self._ring.flush()  # a power cut often takes the broker first
                was_up = False
                await self._client.close()
            # Not all nodes of a farm at once when the broker comes back.
            await sleep_ms(pause_ms + random_bits(8) * pause_ms // 512)
            pause_ms = min(pause_ms * 2, _LONGEST_PAUSE_MS)

    async def say_goodbye(self, is_off: bool = True) -> None:
        """Close the link; tell that the node goes offline on purpose, unless it only sleeps."""
        if self._client.is_open and not is_off:
            await self._client.close()
        elif self._client.is_open:
            try:
                await self._client.publish(self._status, topics.OFFLINE, retain=True, sure=False)
            except LinkLost:
                return
            await self._client.close()

    def _take_up_again(self) -> None:
        """After a reconnect: what the client has not just sent again is due now."""
        now = ticks_ms()
        for entry in self._window.entries:
            if self._client.waits_for(entry.packet_id):
                self._window.put_off(entry, now)
            else:
                self._window.make_due(entry)

    async def _send_samples(self) -> None:
        while True:
            self.alive_at = self.linked_at = ticks_ms()
            self._client.check()
            self._wake.clear()
            while self._window.has_room():
                item = self._ring.read()
                if item is None:
                    break
                boot = record.unpack_heading(item.heading).boot
                seq = record.unpack(item.body, 0).seq
                self._window.add(Underway(boot, seq, item))
            now = ticks_ms()
            entry = self._window.due(now)
            if entry is None:
                await wait_event(self._wake, 1000)
            elif self._client.waits_for(entry.packet_id):
                self._window.put_off(entry, now)  # the client sends it again by itself
            else:
                await self._send(entry, now)

    async def _send(self, entry: Underway, now: int) -> None:
        try:
            message, is_relative = self._message(entry)
        except writing.PayloadError as e:
            say("sample %d of boot %d can never be sent: %s" % (entry.seq, entry.boot, e))
            self._ring.lost += 1
            entry.sendings += 1
            self._forget(ack.Ack(entry.boot, entry.seq, entry.seq))
            return
        self._window.sent(entry, now)
        # "Seconds ago" must not lie in a broker's queue until the gateway comes back: a message
        # at QoS 0 is not queued. The gateway's acknowledgement makes it as sure as the others.
        entry.packet_id = await self._client.publish(self._up, message, sure=not is_relative)
        if entry.sendings > _SENDINGS_BEFORE_COMPLAINT:
            self._ack_trouble.failed(
                "sample %d sent %d times, the gateway has not acknowledged; it stays in the ring"
                % (entry.seq, entry.sendings - 1)
            )

    def _message(self, entry: Underway) -> "tuple[bytes, bool]":
        """Write the message of a sample, and say whether its times count from now."""
        heading = record.unpack_heading(entry.item.heading)
        found = record.unpack(entry.item.body, len(heading.columns))
        base, offset = clocks.base_time(
            found.at, found.is_unix, entry.boot, self._boot, self._clock, self._origins
        )
        records: list[tuple[str, int, int | None, str | None]] = []
        for i, value in enumerate(found.values):
            if isinstance(value, str):
                records.append((heading.columns[i], offset, None, value))
            else:
                records.append((heading.columns[i], offset, value, None))
        message = writing.encode(
            self._eui64, heading.boot, found.seq, base, records, heading.simulated, found.lost
        )
        return message, base is None

    def _take(self, topic: bytes, message: bytes) -> None:
        """Take a message of the gateway."""
        if topic == self._ack.encode():
            try:
                self._forget(ack.decode(message))
            except (ValueError, RuntimeError) as e:  # RuntimeError: nested without end
                say("an acknowledgement cannot be read: %s" % e)
        else:
            try:
                if not self._is_order(message):
                    self.updates.take(message)
            except (ValueError, RuntimeError) as e:
                say("a message on …/down is not understood by this version (%s)" % e)

    def _is_order(self, message: bytes) -> bool:
        """Carry out an order for the sensors; loaded when the first message comes."""
        from nongso.node.orders import Orders

        return Orders(self._sampler, self._board.folder, self._clock.unix).take(message)

    async def _send_update(self, message: bytes) -> None:
        """Publish on ``update`` if the link is up; what is lost is asked for again."""
        try:
            await self._client.publish(self._update, message, sure=False)
        except LinkLost:
            pass

    def _forget(self, word: "ack.Ack") -> None:
        done = self._window.acknowledge(word)
        if done:
            self._on_heard()
            self.updates.heard(done[-1].boot == self._boot)
            self._ring.forget(done[-1].item.place)
            self._ack_trouble.well("the gateway acknowledges")
            self._wake.set()


def _tls(ca_file: str) -> "ssl.SSLContext | None":
    """Raises ``SettingsError``."""
    if not ca_file:
        return None
    from nongso.node import tls

    try:
        return tls.context(ca_file)
    except (OSError, ValueError) as e:
        raise SettingsError("config.json: broker.ca_file %s cannot be used (%r)" % (ca_file, e))
