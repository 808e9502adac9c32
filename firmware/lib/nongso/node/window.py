"""Which messages are under way to the gateway, and when each is to be sent (again).

Pure: ticks come in, decisions come out. A message holds one sample or several of one heading. It
leaves the window only when the gateway has acknowledged each of its samples and every older one.
It is sent again under the same packet id while the broker does not confirm it, and under another
one after a time-out that doubles up to a limit, and starts small again when the gateway shows that
it is alive.

A line that breaks again and again may never live long enough for a long message, and an older
gateway takes only one sample in each: so what did not arrive comes again in two halves, down to
one sample each, and later messages grow again as they arrive.
"""

from nongso.node.interpreter import TYPE_CHECKING, const, ticks_diff

if TYPE_CHECKING:
    from nongso.node.ring import Item
    from nongso.wire.ack import Ack

_TRIES = const(3)  # sendings of one message without PUBACK before the link counts as dead
MOST = const(10)  # samples in a message: some 2 KB of seven values each


class Underway:
    """One message under way; its samples are numbered ``seqs``."""

    def __init__(self, boot: int, seqs: "list[int]", items: "list[Item]") -> None:
        self.boot = boot
        self.seqs = seqs
        self.items = items
        self.waiting = list(seqs)  # for the gateway's word
        self.packet_id = 0  # until the broker confirms it
        self.sent_at = self.sendings = 0
        self.tries = 0  # since it was last due at once
        self.doubts = 0  # sendings that the broker has not confirmed


class Window:
    """Messages under way, oldest first, at most ``size``. ``most``: samples in a new one."""

    def __init__(
        self,
        size: int = 2,
        resend_ms: int = 15000,
        longest_ms: int = 60000,
        patience_ms: int = 8000,
    ) -> None:
        self._size = size
        self._resend_ms = resend_ms
        self._longest_ms = longest_ms
        self._patience_ms = patience_ms
        self.entries: list[Underway] = []
        self.most = MOST

    def has_room(self) -> bool:
        """Say whether more samples may be taken from the ring."""
        return len(self.entries) < self._size

    def add(self, entry: Underway) -> None:
        """Take a message under way; it is due at once."""
        self.entries.append(entry)

    def due(self, now: int) -> "Underway | None":
        """Return the oldest message that is to be sent now."""
        for entry in self.entries:
            if not entry.waiting:
                continue
            pause = self._patience_ms
            if not entry.packet_id:
                pause = min(self._resend_ms << max(entry.tries - 1, 0), self._longest_ms)
            if not entry.tries or ticks_diff(now, entry.sent_at) >= pause:
                return entry
        return None

    def is_doubtful(self, entry: Underway) -> bool:
        """Say whether the broker has had enough chances to confirm a message."""
        return entry.packet_id > 0 and entry.doubts >= _TRIES

    def sent(self, entry: Underway, now: int, packet_id: int) -> None:
        """Note that a message was sent."""
        entry.doubts = entry.doubts + 1 if packet_id == entry.packet_id else 1
        entry.packet_id = packet_id
        entry.sent_at = now
        entry.sendings += 1
        entry.tries = min(entry.tries + 1, 8)

    def uses(self, packet_id: int) -> bool:
        """Say whether a message under way has this packet id."""
        return any(entry.packet_id == packet_id for entry in self.entries)

    def confirmed(self, packet_id: int) -> None:
        """Note that the broker has a message."""
        for entry in self.entries:
            if entry.packet_id == packet_id:
                entry.packet_id = 0

    def take_up_again(self) -> None:
        """The link is new: everything is due, and what did not get through in halves."""
        for i in range(len(self.entries) - 1, -1, -1):
            entry = self.entries[i]
            entry.tries = entry.doubts = 0
            if entry.packet_id:
                self.halve(entry)

    def halve(self, entry: Underway) -> None:
        """Make two messages of one, if it has more than one sample."""
        half = len(entry.items) // 2
        if not half:
            return
        self.most = half
        i = self.entries.index(entry)
        parts = []
        for start, end in ((0, half), (half, len(entry.items))):
            part = Underway(entry.boot, entry.seqs[start:end], entry.items[start:end])
            part.waiting = [seq for seq in part.seqs if seq in entry.waiting]
            part.sendings = entry.sendings
            parts.append(part)
        self.entries[i : i + 1] = parts

    def acknowledge(self, ack: "Ack") -> "list[Underway]":
        """Note the gateway's word; return the messages that may now be forgotten, in order.

        An acknowledgement of what is not under way changes nothing.
        """
        is_news = False
        for entry in self.entries:
            if entry.boot != ack.boot or not entry.sendings:
                continue
            waiting = [seq for seq in entry.waiting if not ack.first <= seq <= ack.last]
            if len(waiting) < len(entry.waiting):
                entry.waiting = waiting
                is_news = True
        if is_news:
            for entry in self.entries:
                entry.tries = min(entry.tries, 1)
        done = []
        while self.entries and not self.entries[0].waiting:
            done.append(self.entries.pop(0))
        if done and len(done[-1].items) >= self.most:
            self.most = min(2 * self.most, MOST)
        return done
