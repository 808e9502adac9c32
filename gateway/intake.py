"""What a message of a node is: a message for the store, or a refusal with its reason.

Takes a topic, bytes and the time, and gives values; broker, disk and clock are not touched here.
The rules of the payload itself are ``nongso.wire.payload``, and ``plainmessages`` for most.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from nongso.gateway import plainmessages
from nongso.gateway.ledger import Message, Refusal
from nongso.gateway.settings import BusNode, GatewaySettings, Node
from nongso.wire import payload, topics

_decode = msgspec.json.Decoder().decode  # refuses NaN and Infinity
_encode = msgspec.json.Encoder().encode
ROOT, VERSION = topics.PREFIX.split("/")
MOST_TOPIC = 200  # characters of a topic that are looked at and kept
_ORIGIN = ~15  # a mark without its quality, which depends on the receiver's clock


class Sender(NamedTuple):
    """A configured node and the topics it speaks and listens on."""

    eui64: str
    number: int  # the EUI-64 as SQLite's signed integer
    slug: str
    ack_topic: str


class Letter(NamedTuple):
    """A sample of a message judged, alone or one of several. ``kept`` is ``None`` where the first
    letter of its message says all; ``ack_topic`` where nobody may be told that it is kept.
    """

    kept: Message | Refusal | None
    ack_topic: str | None
    boot: int
    seq: int
    lost: int = 0
    time_quality: str = ""


def number_of(eui64: str) -> int:
    """Return an EUI-64 as the signed 64-bit integer of the ledger."""
    return int.from_bytes(bytes.fromhex(eui64), "big", signed=True)


def make_message(
    sender: Sender,
    boot: int,
    seq: int,
    readings: Sequence[payload.Reading],
    is_relative: bool,
    topic: str,
    raw: bytes,
) -> Message:
    """Build the store's message: outbox body, and what tells it from another one."""
    first = readings[0].at if readings else 0
    content = [(r.name, r.at - first, r.value, r.mark & _ORIGIN) for r in readings]
    digest = hashlib.blake2b(_encode(content), digest_size=8).digest()
    return Message(
        (sender.number, boot, seq),
        sender.eui64,
        int.from_bytes(digest, "big", signed=True),
        None if is_relative else first,
        b'{"kind":"readings","node":"%s","boot":%d,"seq":%d,"readings":%s}'
        % (sender.eui64.encode(), boot, seq, _encode(readings)),
        readings,
        topic,
        raw,
    )


class Intake:
    """Judges messages against the nodes in the settings."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._by_topic: dict[str, Sender] = {}
        self._slugs: dict[str, str] = {}
        self._farms = sorted({farm.slug for farm in settings.farms})
        everyone: list[Node | BusNode] = [*settings.nodes, settings.bus_node]
        for node in everyone:
            sender = Sender(
                node.eui64,
                number_of(node.eui64),
                node.slug,
                topics.topic(node.farm, node.slug, "ack"),
            )
            self._by_topic[topics.topic(node.farm, node.slug, "up")] = sender
            self._slugs[node.eui64] = node.slug

    def sender(self, topic: str) -> Sender | None:
        """Return the node whose messages come on a topic."""
        return self._by_topic.get(topic)

    def misplaced(self, topic: str) -> tuple[str, str] | None:
        """Say what is wrong with a topic that nobody here listens to: a code and a sentence."""
        topic = topic[:MOST_TOPIC]
        levels = topic.split("/")
        if levels[0] == ROOT and len(levels) > 1 and levels[1] != VERSION:
            return (
                "wrong_version",
                f"{topic!r} is of another version of the protocol than {VERSION}: the node or the "
                "gateway needs an update",
            )
        try:
            farm, _, leaf = topics.parse(topic)
        except topics.TopicError as error:
            return "wrong_topic", str(error)
        if farm not in self._farms:
            return (
                "wrong_farm",
                f"farm {farm} is not served here ({', '.join(self._farms)[:200]} are): check farm "
                "in the node's config.json and farms in gateway.json",
            )
        if leaf not in ("up", "status", "update"):
            return "wrong_topic", f"{topic!r} is for what the gateway tells a node"
        return None

    def judge(self, topic: str, raw: bytes, now: int, size: int = 0) -> list[Letter]:
        """Say what becomes of a message that is no status: of each sample in it.

        ``size`` is its length where ``raw`` is only its beginning.
        """
        sender = self._by_topic.get(topic)
        misplaced = None if sender is not None else self.misplaced(topic)
        size = max(size, len(raw))
        if size > payload.MAX_BYTES:
            detail = f"{size} bytes, at most {payload.MAX_BYTES}"
            return _refused(sender, topic, raw, "too_long", detail)
        plain = sender and plainmessages.read(raw, sender.eui64, _judging(now))
        if sender and plain:
            boot, seq, readings, quality = plain
            message = make_message(sender, boot, seq, readings, False, topic, raw)
            return [Letter(message, sender.ack_topic, boot, seq, 0, quality)]
        try:
            pack = _decode(raw)
            who = payload.identify(pack)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return _refused(sender, topic, raw, *(misplaced or ("not_json", str(error))))
        except payload.PayloadError as error:
            return _refused(sender, topic, raw, *(misplaced or (error.code, str(error))))
        if misplaced is not None:
            return _refused(None, topic, raw, *misplaced, who)
        if sender is None:
            return self._stranger(topic, raw, who)
        if who.eui64 != sender.eui64:
            detail = f"node {who.eui64} spoke on the topic of {sender.slug} ({sender.eui64})"
            return _refused(sender, topic, raw, "wrong_topic", detail, who)
        try:
            samples = payload.samples(pack, now if payload.is_relative(pack) else _judging(now))
        except payload.PayloadError as error:
            return _refused(sender, topic, raw, error.code, str(error), who)
        more = (payload.lost(pack), payload.time_quality(pack))
        is_relative = payload.is_relative(pack)
        return [
            Letter(
                make_message(sender, who.boot, seq, readings, is_relative, topic, raw),
                *(sender.ack_topic, who.boot, seq, *more),
            )
            for seq, readings in zip(who.seqs, samples, strict=True)
        ]

    def _stranger(self, topic: str, raw: bytes, who: payload.Identity) -> list[Letter]:
        slug = self._slugs.get(who.eui64)
        if slug is not None:
            detail = f"node {slug} ({who.eui64}) must not speak on {topic}"
            return _refused(None, topic, raw, "wrong_topic", detail, who)
        detail = f"node {who.eui64} on {topic} is not under nodes in gateway.json"
        return _refused(None, topic, raw, "unknown_node", detail, who)


def _judging(now: int) -> int:
    """Return the time by which the times of a node with a clock are judged.

    A clock that was never set says nothing against a node whose clock is right; the platform
    judges by its own.
    """
    return now if now >= payload.EARLIEST else payload.TIMES_END


def _refused(
    sender: Sender | None,
    topic: str,
    raw: bytes,
    code: str,
    detail: str,
    who: payload.Identity | None = None,
) -> list[Letter]:
    """Refuse; it can be acknowledged where the topic is a node's and the numbers readable."""
    if who is None:
        node = sender.eui64 if sender else None
        return [Letter(Refusal(topic, code, detail, raw, node), None, 0, 0)]
    first, *others = who.seqs
    refusal = Refusal(topic, code, detail, raw, who.eui64, who.boot, first)
    ack_topic = sender.ack_topic if sender else None
    letters = [Letter(refusal, ack_topic, who.boot, first)]
    if ack_topic is not None:
        letters += [Letter(None, ack_topic, who.boot, seq) for seq in others]
    return letters
