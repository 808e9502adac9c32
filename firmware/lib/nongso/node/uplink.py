"""From the ring to the gateway: publish, wait for the gateway's word, forget.

A sample is forgotten only on an acknowledgement of the gateway (``nongso.wire.ack``); until
then it is sent again, whatever the broker confirmed. What waits together goes together, several
samples in a message. The link is made again after every loss, with growing pauses. Loss and
recovery are said once each.
"""

import asyncio

from nongso.node import clock as clocks
from nongso.node import record
from nongso.node.interpreter import (
    TYPE_CHECKING,
    const,
    random_bits,
    sleep_ms,
    ticks_add,
    ticks_diff,
    ticks_ms,
)
from nongso.node.log import Trouble, say
from nongso.node.messages import Messages
from nongso.node.mqtt import Client, LinkLost, Refused
from nongso.node.updates import Updates
from nongso.node.window import Underway, Window
from nongso.wire import ack
from nongso.wire.writing import PayloadError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from nongso.node.clock import Clock, Origins
    from nongso.node.hardware import Board, Slots
    from nongso.node.ring import Item, Ring
    from nongso.node.sampling import Sampler
    from nongso.node.settings import Settings

_FIRST_PAUSE_MS = 500
_LONGEST_PAUSE_MS = 3000  # with the chance below: back within five seconds
_SENDINGS_BEFORE_COMPLAINT = const(3)


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
        from nongso.wire import topics

        self._on_heard = on_heard
        self._online, self._offline = topics.ONLINE, topics.OFFLINE

        def topic(leaf: str) -> str:
            return topics.topic(settings.farm, settings.node, leaf)

        self._board, self._ring, self._clock = board, ring, clock
        self._origins, self._boot, self._sampler = origins, boot, sampler
        self._up, self._update = topic("up").encode(), topic("update").encode()
        self._ack, self._down, self._status = topic("ack"), topic("down"), topic("status")
        self.updates = Updates(settings, slots, self._send_update)
        self._window = Window(resend_ms=settings.resend_seconds * 1000)
        self._messages = Messages(settings.eui64)
        self._found = record.Reader()
        self._ahead: Item | None = None  # read from the ring, and not under way yet
        self._may_have_more = True  # the ring
        # When the link was last up, and when the broker last gave any answer to this node.
        self.alive_at = self.linked_at = self.answered_at = ticks_ms()
        # Without a sticker a board would open its Wi-Fi to all; one that sleeps has no hour awake.
        is_invited = settings.own_password and not settings.sleep_every
        self._refused_ms = settings.refused_seconds * 1000 if is_invited else 0
        self._open_seconds = settings.open_seconds
        self._refused_since: int | None = None
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
            self._window.confirmed,
            tls=_tls(broker.ca_file),
            name=broker.name,
        )

    def wake(self) -> None:
        """Tell the uplink that there is a new sample in the ring."""
        self._may_have_more = True

    def is_unheard(self) -> bool:
        """Say whether the gateway does not acknowledge although the broker takes everything."""
        return self._ack_trouble.count > 0

    async def run(self) -> None:
        """Keep the link up and samples flowing; returns if the board was given new settings."""
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
                await self._say(self._status.encode(), self._online, True)
                await self._say(self._update, self.updates.words(), False)
                self._link_trouble.well("up")
                was_up = True
                pause_ms = _FIRST_PAUSE_MS
                self._window.take_up_again()
                await self._send_samples()
            except (LinkLost, OSError, MemoryError) as e:
                self._link_trouble.failed(str(e) or repr(e))
                if was_up:
                    self._ring.flush()  # a power cut often takes the broker first
                was_up = False
                self._client.close()
                if not isinstance(e, Refused):
                    self._refused_since = None
                elif await self._was_set_up():
                    return
            # Not all nodes of a farm at once when the broker comes back.
            await sleep_ms(pause_ms + random_bits(8) * pause_ms // 512)
            pause_ms = min(pause_ms * 2, _LONGEST_PAUSE_MS)

    async def _was_set_up(self) -> bool:
        """Open the set-up page if the broker has long done nothing but refuse this node.

        Then nobody but a person can help: the station was taken out, or its password lost. A
        broker that is away, even for one try, begins the waiting anew, or whoever stops a broker
        could open every station's Wi-Fi.
        """
        self._hears_the_broker()
        now = self.answered_at
        if self._refused_since is None:
            self._refused_since = now
        if not self._refused_ms or ticks_diff(now, self._refused_since) < self._refused_ms:
            return False
        self._ring.flush()
        try:
            return await self._board.invite(self._open_seconds, self._hears_the_broker)
        except (OSError, MemoryError) as e:
            say("the set-up page cannot be opened (%r)" % e)
            return False
        finally:
            # Ticks wrap, so that moment must stay near; one refusal more opens the page again.
            self._refused_since = ticks_add(ticks_ms(), -self._refused_ms)

    def _hears_the_broker(self) -> None:
        """Note that a start anew would better nothing."""
        self.alive_at = self.answered_at = ticks_ms()

    async def say_goodbye(self, is_off: bool = True) -> None:
        """Close the link; tell that the node goes offline on purpose, unless it only sleeps."""
        if self._client.is_open and is_off:
            try:
                await self._say(self._status.encode(), self._offline, True)
            except LinkLost:
                pass
        self._client.close()

    async def _say(self, topic: bytes, message: bytes, retain: bool) -> None:
        """Send a message at QoS 0, and wait until it is out. Raises ``LinkLost``."""
        client = self._client
        is_said = False
        while not is_said or not client.is_out():
            is_said = is_said or client.publish(topic, message, retain=retain)
            client.turn(ticks_ms())
            client.check()
            await sleep_ms(10)

    async def _send_samples(self) -> None:
        while True:
            now = ticks_ms()
            self.alive_at = self.linked_at = self.answered_at = now
            self._client.turn(now)
            self._client.check()
            while self._may_have_more and self._window.has_room():
                self._take_more()
            entry = self._window.due(now)
            if entry is None or not self._send(entry, now):
                await sleep_ms(self._client.pace(now))

    def _take_more(self) -> None:
        """Put the next samples of the ring under way: as many as fit together in a message."""
        found = self._found
        items: list[Item] = []
        seqs: list[int] = []
        was_unix = False
        while len(items) < self._window.most:
            item = self._ahead or self._ring.read()
            self._ahead = item
            if item is None:
                self._may_have_more = False
                break
            found.open(item.body)
            if items and (item.heading != items[0].heading or found.is_unix != was_unix):
                break
            was_unix = found.is_unix
            items.append(item)
            seqs.append(found.seq)
            self._ahead = None
        if items:
            boot = record.unpack_heading(items[0].heading).boot
            self._window.add(Underway(boot, seqs, items))

    def _send(self, entry: Underway, now: int) -> bool:
        """Send a message; says whether it was done with. Raises ``LinkLost``."""
        window, client, found = self._window, self._client, self._found
        if window.is_doubtful(entry):
            client.lose("the broker does not confirm messages")
            client.check()
        if entry.sendings > _SENDINGS_BEFORE_COMPLAINT:
            self._ack_trouble.failed(
                "sample %d sent %d times, the gateway has not acknowledged; it stays in the ring"
                % (entry.seqs[0], entry.sendings)
            )
            if len(entry.items) > 1:  # perhaps it takes only one at a time
                window.halve(entry)
                return True
        found.open(entry.items[0].body)
        base, zero, quality = clocks.base_time(
            found.at, found.is_unix, entry.boot, self._boot, self._clock, self._origins
        )
        # "Seconds ago" must not lie in a broker's queue until the gateway comes back: a message
        # at QoS 0 is not queued. The gateway's acknowledgement makes it as sure as the others.
        packet_id = 0
        if base is not None:
            packet_id = entry.packet_id
            while not packet_id or (packet_id != entry.packet_id and window.uses(packet_id)):
                packet_id = client.next_id()
        out = client.begin(self._up, packet_id)
        if out is None:
            return False
        try:
            self._messages.write(out, entry.items, base, zero, quality)
        except PayloadError as e:
            self._cannot_be_sent(entry, e)
            return True
        is_again = packet_id > 0 and packet_id == entry.packet_id
        window.sent(entry, now, packet_id)
        client.end(is_again)
        return True

    def _cannot_be_sent(self, entry: Underway, why: PayloadError) -> None:
        if len(entry.items) > 1:  # too long together
            self._window.halve(entry)
            return
        if self._client.grow():
            return
        say("sample %d of boot %d can never be sent: %s" % (entry.seqs[0], entry.boot, why))
        self._ring.lost += 1
        entry.sendings += 1
        self._forget(ack.Ack(entry.boot, entry.seqs[0], entry.seqs[0]))

    def _take(self, topic: bytearray, message: bytearray) -> None:
        """Take a message of the gateway."""
        if topic == self._ack.encode():
            try:
                self._forget(ack.decode(bytes(message)))
            except (ValueError, RuntimeError) as e:  # RuntimeError: nested without end
                say("an acknowledgement cannot be read: %s" % e)
        else:
            try:
                if not self._is_order(bytes(message)):
                    self.updates.take(bytes(message))
            except (ValueError, RuntimeError) as e:
                say("a message on …/down is not understood by this version (%s)" % e)

    def _is_order(self, message: bytes) -> bool:
        """Carry out an order for the sensors; loaded when the first message comes."""
        from nongso.node.orders import Orders

        orders = Orders(self._sampler, self._board.folder, self._clock.unix)
        is_order = orders.take(message)
        if orders.answer:
            self._answering = asyncio.create_task(self._send_update(orders.answer))
        return is_order

    async def _send_update(self, message: bytes) -> None:
        """Publish on ``update`` if the link is up; what is lost is asked for again."""
        try:
            while not self._client.publish(self._update, message):
                await sleep_ms(10)
        except LinkLost:
            pass

    def _forget(self, word: "ack.Ack") -> None:
        done = self._window.acknowledge(word)
        if done:
            self._on_heard()
            self.updates.heard(done[-1].boot == self._boot)
            self._ring.forget(done[-1].items[-1].place)
            self._ack_trouble.well("the gateway acknowledges")


def _tls(ca_file: str) -> "ssl.SSLContext | None":
    """Raises ``OSError``; the text says what."""
    if not ca_file:
        return None
    from nongso.node import tls

    try:
        return tls.context(ca_file)
    except (OSError, ValueError) as e:
        raise OSError("config.json: broker.ca_file %s cannot be used (%r)" % (ca_file, e))
