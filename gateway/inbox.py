"""The door to the broker: messages of the nodes in, acknowledgements out.

How this works: one thread runs the loop of the connection (``brokerlink``) by hand, judges what
has arrived as one burst and hands it to the store. After the commit the store calls back, and the
same thread publishes one acknowledgement per node and contiguous range, and only then sends the
broker its PUBACKs: what is not committed stays with the broker and on the node.

It listens to everything under ``nongso/``, so that a node with a wrong farm or another version of
the protocol is counted and named instead of vanishing; what the gateway itself says to nodes comes
back with the rest and is passed over.

When the store cannot keep up nothing more is read; when that lasts, the inbox leaves the broker,
which keeps messages for it (lasting session), and comes back when there is room.
"""

import contextlib
import hashlib
import logging
import random
import secrets
import select
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any

from nongso.gateway.brokerlink import Arrived, BrokerLink
from nongso.gateway.budget import Budget
from nongso.gateway.complaints import Complaints
from nongso.gateway.errors import StoreBusy
from nongso.gateway.floods import HASTE, Floods
from nongso.gateway.intake import ROOT, Intake, Letter, Sender, make_message, number_of
from nongso.gateway.ledger import Accepted, Message, Refusal
from nongso.gateway.settings import BusNode, GatewaySettings, Node
from nongso.gateway.store import Store
from nongso.wire import ack, topics
from nongso.wire.payload import EARLIEST, Reading

log = logging.getLogger(__name__)

BURST = 500
MOST_OUTSTANDING = 4000  # messages read and not yet committed
KEEPALIVE_SECONDS = 30
CONNECT_SECONDS = 2.0
LEAVE_AFTER_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 10.0  # between two tries to reach the broker
TOLD_AN_HOUR = 30  # refusals of one cause that the platform hears of
MOST_LATELY = 30  # causes of refusals that the status page shows
SHORT_SECONDS = 30.0  # a connection that the broker ends sooner was perhaps taken by another
_STATES = {topics.ONLINE: "online", topics.OFFLINE: "offline"}


class _Burst:
    """Messages read together, and whom to tell when they are committed."""

    __slots__ = ("letters", "mids", "session", "size")

    def __init__(self, session: int, mids: list[int], letters: list[Letter]) -> None:
        self.session = session
        self.mids = mids
        self.letters = letters
        self.size = len(mids)


class Inbox:
    """Receives for one gateway. ``start`` begins, ``stop`` ends; nothing happens before."""

    def __init__(
        self,
        settings: GatewaySettings,
        store: Store,
        hear_update: Callable[[Node, bytes], str | None] | None = None,
    ) -> None:
        """``hear_update`` gets what nodes say of their program; a sentence back is a refusal."""
        self._hear_update = hear_update
        self._to_say: deque[tuple[str, bytes]] = deque()
        self._store = store
        self._complaints = Complaints(log)
        self._told: dict[str, tuple[float, int]] = {}
        self._budget = Budget()
        self._too_many: Counter[tuple[str, str]] = Counter()  # in a burst, by topic and node
        self._committed: deque[_Burst] = deque()
        self._outstanding = 0
        self._full_since: float | None = None
        self._session = 0
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._failures = 0
        self._next_try = 0.0
        self._bus_boot = secrets.randbits(30)
        self._bus_seqs: Counter[str] = Counter()
        self._lost_told: dict[str, int] = {}
        self._floods = Floods(ROOT)
        self._renewed: GatewaySettings | None = None
        self._know(settings)
        self._listens: set[str] = set()
        self._is_subscribed = False
        self._short_connections = 0
        self.connected_since: float | None = None
        self.heard_at: dict[str, float] = {}  # monotonic, by eui64
        self.time_quality: dict[str, str] = {}  # by eui64: how it knows the time (wire.payload)
        self.refused: Counter[str] = Counter()
        self.refused_lately: dict[str, dict[str, Any]] = {}  # by cause, the newest last
        self.accepted = self.not_stored = 0
        self._client = self._make_client()

    def _know(self, settings: GatewaySettings) -> None:
        """Hear the stations of these settings, and no others."""
        self._settings = settings
        self._intake = Intake(settings)
        self._nodes = {
            topics.topic(node.farm, node.slug, "status"): node for node in settings.nodes
        }
        self._updating = {
            topics.topic(node.farm, node.slug, "update"): node for node in settings.nodes
        }
        everyone: list[Node | BusNode] = [*settings.nodes, settings.bus_node]
        self._own_words = {
            topics.topic(node.farm, node.slug, leaf)
            for node in everyone
            for leaf in ("ack", "down")
        }
        self._floods.know([node.slug for node in settings.nodes])

    def renew(self, settings: GatewaySettings) -> None:
        """Take up new stations with the next turn of the loop; from any thread."""
        self._renewed = settings
        self._wake()

    def start(self) -> None:
        """Begin to receive."""
        self._thread = threading.Thread(target=self._run, name="inbox", daemon=True)
        self._thread.start()

    def stop(self, patience_seconds: float = 1.5) -> None:
        """Leave the broker. What was read and not committed comes again after the restart."""
        self._stopping = True
        self._wake()
        if self._thread is not None:
            self._thread.join(patience_seconds)
            if self._thread.is_alive():
                return
        self._wake_read.close()
        self._wake_write.close()

    def accept(self, readings: Sequence[Reading], eui64: str | None = None) -> None:
        """Take readings of a sensor on a fieldbus, of the bus node's own if none is named.

        Returns at once. A sensor that gave no value was not heard.
        """
        eui64 = eui64 or self._settings.bus_node.eui64
        self._bus_seqs[eui64] += 1
        message = make_message(
            Sender(eui64, number_of(eui64), "bus", ""),
            *(self._bus_boot, self._bus_seqs[eui64], readings, False, "bus", b""),
        )
        if any(reading.value is not None for reading in readings):
            self.heard_at[eui64] = time.monotonic()
        try:
            self._store.offer([message], [], lambda accepted: None)
        except StoreBusy as error:
            self.not_stored += 1
            self._complaints.say("bus", f"readings of the fieldbus are lost: {error}")

    def say(self, topic: str, message: bytes) -> None:
        """Tell a node something that is lost when it does not listen now; from any thread."""
        self._to_say.append((topic, message))
        self._wake()

    def is_connected(self) -> bool:
        """Say whether the broker has let us in."""
        return self.connected_since is not None

    def is_ready(self) -> bool:
        """Say whether the broker has confirmed what we listen to."""
        return self._is_subscribed and self.is_connected()

    # the loop

    def _make_client(self) -> BrokerLink:
        broker = self._settings.broker
        client = BrokerLink(client_id(self._settings), CONNECT_SECONDS)
        client.username_pw_set(broker.user, broker.password)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.connect_async(broker.host, broker.port, KEEPALIVE_SECONDS)
        return client

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._turn()
            except Exception as error:  # whatever one message or the broker did: begin anew
                self._complaints.say("turn", f"the inbox failed and connects anew: {error!r}")
                log.debug("where it failed", exc_info=True)
                self._begin_anew()
        with contextlib.suppress(OSError):
            self._publish_committed()
            self._client.disconnect()
            self._client.write()
        self.connected_since = None

    def _begin_anew(self) -> None:
        """Give the connection up with all that is half done; the broker sends it again."""
        self._session += 1
        self.connected_since = None
        self._client.hang_up()
        self._client = self._make_client()
        self._next_try = time.monotonic() + 1.0

    def _turn(self) -> None:
        """Wait for something to happen and deal with it."""
        renewed, self._renewed = self._renewed, None
        if renewed is not None:
            self._know(renewed)
        client = self._client
        if client.wire() is None and self._may_connect():
            self._connect()
        wire = client.wire()
        wants: list[Any] = [self._wake_read]
        if wire is not None and self._has_room():
            wants.append(wire)
        writes: list[Any] = [wire] if client.wants_to_write() else []
        readable, _, _ = select.select(wants, writes, [], self._patience(wire))
        if self._wake_read in readable:
            with contextlib.suppress(BlockingIOError):
                self._wake_read.recv(4096)
        self._publish_committed()
        self._publish_said()
        if wire in readable:
            self._read_burst()
        if client.wire() is not None:
            if self.is_connected():
                self._listen()
            if client.wants_to_write():
                client.write()
            client.loop_misc()

    def _patience(self, wire: Any) -> float:
        if wire is not None:
            return 1.0
        return min(1.0, max(0.01, self._next_try - time.monotonic()))

    def _has_room(self) -> bool:
        """Say whether more may be read; leaves the broker when that is not so for long."""
        if self._outstanding < MOST_OUTSTANDING:
            self._full_since = None
            return not self._client.is_clogged()
        now = time.monotonic()
        if self._full_since is None:
            self._full_since = now
        elif now - self._full_since > LEAVE_AFTER_SECONDS and self.is_connected():
            log.warning("the store takes no more messages; the broker keeps them meanwhile")
            self._client.disconnect()
        return False

    def _may_connect(self) -> bool:
        return time.monotonic() >= self._next_try and self._outstanding < MOST_OUTSTANDING // 2

    def _connect(self) -> None:
        try:
            self._client.reconnect()
        except OSError as error:
            self._failed(str(error))

    def _failed(self, why: str) -> None:
        self._failures += 1
        wait = min(LONGEST_WAIT_SECONDS, 0.25 * 2 ** min(self._failures, 10))
        self._next_try = time.monotonic() + random.uniform(0.1, wait)
        if self._failures == 1:
            broker = self._settings.broker
            log.error(
                "the broker at %s:%d does not let us in (%s); nodes keep their readings, trying "
                "again until it does",
                broker.host,
                broker.port,
                why,
            )

    def _read_burst(self) -> None:
        """Read what has arrived, about ``BURST`` messages at most, and hand it to the store."""
        arrived: list[Arrived] = []
        session = self._session
        while len(arrived) < BURST and self._client.read(arrived):
            pass
        if self._session != session:  # their numbers are of a connection that is gone
            arrived = [one._replace(mid=0) for one in arrived]
        if arrived:
            self._take(arrived)

    # what the connection calls, within its read and write

    def _on_connect(
        self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any
    ) -> None:
        if reason.is_failure:
            self._failed(f"{reason}; check broker.user and broker.password in gateway.json")
            return
        if self._failures:
            log.warning("the broker lets us in again")
        self._failures = 0
        self.connected_since = time.time()
        # The session lasts: it may hold what was listened to when a node was left out.
        self._listens = self._floods.all_filters() if flags.session_present else set()
        self._floods.connected(time.monotonic())
        self._listen(again=True)
        self._client.tell_again()

    def _listen(self, again: bool = False) -> None:
        """Listen to what ``floods`` says, where that has changed."""
        wanted = self._floods.filters(time.monotonic())
        new = wanted if again else wanted - self._listens
        gone = self._listens - wanted
        if new:
            self._client.subscribe([(word, 1) for word in sorted(new)])
        if gone:
            self._client.unsubscribe(sorted(gone))
        self._listens = wanted

    def _on_disconnect(
        self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any
    ) -> None:
        since, self.connected_since = self.connected_since, None
        self._is_subscribed = False
        self._session += 1
        if self._stopping or self._full_since is not None:
            return
        if since is None:
            self._failed(str(reason))
            return
        is_short = time.time() - since < SHORT_SECONDS
        self._short_connections = self._short_connections + 1 if is_short else 0
        if self._short_connections >= 3:
            self._complaints.say(
                "short",
                f"the broker has hung up {self._short_connections} times soon after it let us in: "
                "does a second gateway run with this gateway.json? Stop one of them",
            )
        self._failed(f"connection lost: {reason}")

    def _on_subscribe(
        self, client: Any, userdata: Any, mid: int, codes: Any, properties: Any
    ) -> None:
        refused = [code for code in codes if code.is_failure]
        if refused:
            log.error(
                "the broker does not let %s listen to nongso/# (%s); check the broker's rights",
                self._settings.broker.user,
                refused[0],
            )
        self._is_subscribed = not refused

    # messages

    def _take(self, arrived: list[Arrived]) -> None:
        now, clock = int(time.time()), time.monotonic()
        letters: list[Letter] = []
        messages: list[Message] = []
        refusals: list[Refusal] = []
        self._heed_floods(arrived)
        for one in arrived:
            for letter in self._judge(one, now, clock):
                kept = letter.kept
                if isinstance(kept, Message):
                    messages.append(kept)
                    if letter.lost:
                        self._lost(kept.eui64, letter.lost)
                    self.time_quality[kept.eui64] = letter.time_quality
                elif kept is not None:
                    refusals += self._refuse(kept, letter.ack_topic is not None)
                if letter.ack_topic is not None:
                    letters.append(letter)
        for (topic, slug), many in self._too_many.items():
            why = f"node {slug} sends more than is taken"
            self._count(Refusal(topic, "too_many", why, b""), many)
        self._too_many.clear()
        for message in messages:
            self.heard_at[message.eui64] = clock
        burst = _Burst(self._session, [one.mid for one in arrived if one.mid], letters)
        self._outstanding += burst.size
        self.accepted += len(messages)

        def committed(accepted: Accepted | None) -> None:
            if accepted is None:  # a fault of ours: nobody is told that it is kept
                burst.mids, burst.letters = [], []
                self.not_stored += burst.size
            self._committed.append(burst)
            self._wake()

        if not messages and not refusals:
            committed(Accepted())
            return
        try:
            self._store.offer(messages, refusals, committed)
        except StoreBusy as error:
            self._outstanding -= burst.size
            self.not_stored += burst.size
            self._complaints.say("busy", f"messages stay with the broker: {error}")
            self._client.disconnect()  # it sends them again when we come back

    def _heed_floods(self, arrived: Sequence[Arrived]) -> None:
        """Turn away from a node that has just become wild, before all that it said is judged."""
        wild = self._floods.hear((one.topic for one in arrived), time.monotonic())
        for slug in wild:
            self._complaints.say(
                f"wild {slug}",
                f"node {slug} says more than {HASTE} messages at once; it is not listened to for "
                "a while, so that the others are. It loses nothing",
            )
        if wild and self.is_connected():
            self._listen()
            self._client.write()

    def _judge(self, one: Arrived, now: int, clock: float) -> list[Letter]:
        """Say what becomes of one message; nothing when there is nothing to keep of it."""
        sender = self._intake.sender(one.topic)
        node = None
        if sender is None:
            if one.topic in self._own_words:
                return []
            if one.topic.endswith("/status") and self._intake.misplaced(one.topic) is None:
                self._status(one.topic, one.raw, now)
                return []
            node = self._updating.get(one.topic)
        if one.is_retained:
            return [
                _unheard(
                    one,
                    "retained",
                    "what the broker kept is no news, and nodes send nothing to keep; to remove "
                    f"it: mosquitto_pub -r -n -t '{one.topic[:100]}'",
                )
            ]
        speaker = sender or node
        if speaker is None:
            self._floods.is_wild(one.topic, clock)
        elif self._floods.is_left_out(speaker.slug) or not self._budget.allows(
            speaker.eui64, clock
        ):
            self._floods.is_wild(one.topic, clock)
            self._too_many[one.topic, speaker.slug] += 1
            return []
        if node is not None:
            self._update(node, one)
            return []
        try:
            letters = self._intake.judge(one.topic, one.raw, now, one.size)
        except Exception as error:  # a hole in the rules must not stop the other nodes
            log.exception("a message on %.100s could not be judged", one.topic)
            return [_unheard(one, "not_understood", str(error))]
        kept = letters[0].kept
        if now < EARLIEST and isinstance(kept, Message) and kept.base is None:
            detail = (
                "neither the node nor this machine knows the time; the node keeps it until then"
            )
            self._count(Refusal(one.topic, "no_clock", detail, b""))
            return []
        return letters

    def _count(self, refusal: Refusal, many: int = 1) -> str:
        """Count a refusal, complain, and show it; returns its cause."""
        self.refused[refusal.code] += many
        cause = f"{refusal.code} {refusal.topic[:100]}"
        self._complaints.say(
            cause,
            f"a message on {refusal.topic[:100]!r} was refused ({refusal.code}): {refusal.detail}",
        )
        shown = self.refused_lately.pop(cause, None) or {"count": 0}
        self.refused_lately[cause] = {
            "topic": refusal.topic[:100],
            "code": refusal.code,
            "detail": refusal.detail[:300],
            "count": shown["count"] + many,
            "at": int(time.time()),
        }
        if len(self.refused_lately) > MOST_LATELY:
            del self.refused_lately[next(iter(self.refused_lately))]
        return cause

    def _refuse(self, refusal: Refusal, is_acked: bool) -> list[Refusal]:
        """Count and complain; the platform and the disk hear of a limited number.

        What is acknowledged is always kept: the node forgets it.
        """
        cause = self._count(refusal)
        if len(self._told) > 500:
            self._told.clear()
        since, count = self._told.get(cause, (time.monotonic(), 0))
        if time.monotonic() - since > 3600:
            since, count = time.monotonic(), 0
        self._told[cause] = (since, count + 1)
        if count < TOLD_AN_HOUR:
            return [refusal]
        return [refusal._replace(told=False)] if is_acked else []

    def _status(self, topic: str, raw: bytes, now: int) -> None:
        """A node came or went; only a change becomes a row."""
        if not raw:
            return  # somebody took the retained word away
        node = self._nodes.get(topic)
        state = _STATES.get(raw)
        if node is None:
            detail = f"no node of gateway.json speaks on {topic[:100]!r}"
            self._count(Refusal(topic, "unknown_node", detail, raw))
            return
        if state is None:
            detail = f"{raw[:20]!r} is neither online nor offline"
            self._count(Refusal(topic, "unknown_status", detail, raw))
            return
        key = f"node:{node.eui64}"
        if self._store.state(key) != state:
            self._store.record_soon(
                "node", {"eui64": node.eui64, "state": state, "at": now}, {key: state}
            )

    def _update(self, node: Node, one: Arrived) -> None:
        """A node speaks of its program; nothing of that is a reading."""
        wrong = self._hear_update(node, one.raw) if self._hear_update is not None else None
        if wrong is not None:
            self._count(Refusal(one.topic, "not_understood", wrong, one.raw))

    def _lost(self, eui64: str, lost: int) -> None:
        """A node's ring was full: declare what it gave up, when the number has grown."""
        key = f"lost:{eui64}"
        known = self._lost_told.get(eui64)
        if known is None:
            known = int(self._store.state(key) or "0")
        if lost > known:
            log.error("node %s gave up %d readings: its memory was full", eui64, lost - known)
            self._store.alarm_soon("telemetry_dropped", {"count": lost - known}, {key: str(lost)})
        self._lost_told[eui64] = lost

    # after the commit

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            self._wake_write.send(b"x")

    def _publish_committed(self) -> None:
        """Tell the nodes what is on the disk, then the broker."""
        bursts = []
        while self._committed:
            bursts.append(self._committed.popleft())
        if not bursts:
            return
        self._outstanding -= sum(burst.size for burst in bursts)
        if not self.is_connected():
            return  # nodes send again what they were not told of
        client = self._client
        for ack_topic, message in _acks(bursts):
            client.tell(ack_topic, message)
        for burst in bursts:
            if burst.session == self._session:
                client.acknowledge(burst.mids)

    def _publish_said(self) -> None:
        while self._to_say:
            topic, message = self._to_say.popleft()
            if self.is_connected():
                self._client.publish(topic, message, qos=0)


def _acks(bursts: Sequence[_Burst]) -> list[tuple[str, bytes]]:
    """Return one acknowledgement per node and contiguous range."""
    by_node: dict[tuple[str, int], set[int]] = {}
    for burst in bursts:
        for letter in burst.letters:
            if letter.ack_topic is not None:
                by_node.setdefault((letter.ack_topic, letter.boot), set()).add(letter.seq)
    found = []
    for (ack_topic, boot), seqs in by_node.items():
        ordered = sorted(seqs)
        first = last = ordered[0]
        for seq in ordered[1:]:
            if seq != last + 1:
                found.append((ack_topic, ack.encode(boot, first, last)))
                first = seq
            last = seq
        found.append((ack_topic, ack.encode(boot, first, last)))
    return found


def client_id(settings: GatewaySettings) -> str:
    """Return an id that is the same after each restart and that no node can guess.

    Who connects under an id takes its session over, whatever user it is.
    """
    key = f"{settings.gateway} {settings.broker.password}".encode()
    return f"gateway-{settings.gateway}-{hashlib.blake2b(key, digest_size=6).hexdigest()}"


def _unheard(one: Arrived, code: str, detail: str) -> Letter:
    """Refuse a message without a word to its sender."""
    return Letter(Refusal(one.topic, code, detail, one.raw), None, 0, 0)
