"""Which samples are under way to the gateway, and when each is to be sent (again).

Pure: ticks come in, decisions come out. A sample leaves the window only when the gateway has
acknowledged it and every older one; it is sent again after a time-out that doubles up to a
limit, and starts small again when the gateway shows that it is alive.
"""

from nongso.node.interpreter import TYPE_CHECKING, ticks_diff

if TYPE_CHECKING:
    from nongso.node.ring import Item
    from nongso.wire.ack import Ack


class Underway:
    """One sample under way."""

    def __init__(self, boot: int, seq: int, item: "Item") -> None:
        self.boot = boot
        self.seq = seq
        self.item = item
        self.packet_id = 0
        self.sendings = 0
        self.tries = 0
        self.sent_at = 0
        self.is_acknowledged = False


class Window:
    """Samples under way, oldest first, at most ``size``."""

    def __init__(self, size: int = 4, resend_ms: int = 15000, longest_ms: int = 60000) -> None:
        self._size = size
        self._resend_ms = resend_ms
        self._longest_ms = longest_ms
        self.entries: list[Underway] = []

    def has_room(self) -> bool:
        """Say whether another sample may be taken from the ring."""
        return len(self.entries) < self._size

    def add(self, entry: Underway) -> None:
        """Take a sample under way; it is due at once."""
        self.entries.append(entry)

    def due(self, now: int) -> "Underway | None":
        """Return the oldest sample that is to be sent now."""
        for entry in self.entries:
            if entry.is_acknowledged:
                continue
            if entry.tries == 0:
                return entry
            pause = min(self._resend_ms << (entry.tries - 1), self._longest_ms)
            if ticks_diff(now, entry.sent_at) >= pause:
                return entry
        return None

    def sent(self, entry: Underway, now: int) -> None:
        """Note that a sample was sent."""
        entry.sent_at = now
        entry.sendings += 1
        entry.tries = min(entry.tries + 1, 8)

    def put_off(self, entry: Underway, now: int) -> None:
        """Note that a sample need not be sent now, because it is already on its way."""
        entry.sent_at = now
        entry.tries = max(entry.tries, 1)

    def make_due(self, entry: Underway) -> None:
        """Send a sample at the next chance."""
        entry.tries = 0

    def acknowledge(self, ack: "Ack") -> "list[Underway]":
        """Note the gateway's word; return the samples that may now be forgotten, in order.

        An acknowledgement of what is not under way changes nothing.
        """
        is_news = False
        for entry in self.entries:
            if entry.boot == ack.boot and ack.first <= entry.seq <= ack.last and entry.sendings:
                is_news = is_news or not entry.is_acknowledged
                entry.is_acknowledged = True
        if is_news:
            for entry in self.entries:
                entry.tries = min(entry.tries, 1)
        done = []
        while self.entries and self.entries[0].is_acknowledged:
            done.append(self.entries.pop(0))
        return done
