"""Whom the gateway listens to while a node runs wild.

Usually it listens to everything under ``nongso/``. A node that runs wild would make all others
wait behind it, for reading a message costs more than the broker needs to pass it on. So the
gateway then listens to the other configured nodes one by one, and the broker throws away what the
wild one says, which loses nothing: it was told of no message that it is kept. After a while all
are listened to again; who is still wild is left out once more, for longer. Meanwhile nodes that
nobody has configured are not heard either.

A node is wild in one of two ways. Of an honest one a handful of messages are under way until the
gateway has acknowledged them (``nongso.node.window``), so who says ``HASTE`` within ``MOMENT``
is seen before the others wait, however much is still allowed to it. And who says ``FLOOD``
within a second beyond what is taken of it (``budget``) goes on for too long. Pure: the clock is
handed in.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

MOMENT_SECONDS = 0.1
HASTE = 200  # in a moment
CATCHING_UP_SECONDS = 10.0  # copies of what was under way may have waited at the broker
FLOOD = 1000  # in a second, beyond the budget
LEFT_OUT_SECONDS = 30.0
LONGEST_LEFT_OUT_SECONDS = 600.0
CALM_SECONDS = 60.0  # after which a node counts as honest again


class Floods:
    """The nodes that are not listened to now, by the name in their topics."""

    def __init__(self, root: str, slugs: Sequence[str] = ()) -> None:
        self._root = root
        self._everything = f"{root}/#"
        self.know(slugs)
        self._second = 0
        self._said: dict[str, int] = {}
        self._moment = 0.0
        self._heard: Counter[str] = Counter()  # in this moment, by topic
        self._calm_from = 0.0
        self._until: dict[str, float] = {}  # left out until then
        self._last: dict[str, tuple[float, float]] = {}  # released when, and after how long

    def know(self, slugs: Sequence[str]) -> None:
        """Say which nodes there are."""
        self._each = {slug: f"{self._root}/+/+/{slug}/+" for slug in slugs}

    def connected(self, now: float) -> None:
        """The broker has let us in, and what waited there comes all at once."""
        self._calm_from = now + CATCHING_UP_SECONDS

    def hear(self, topics: Iterable[str], now: float) -> list[str]:
        """Count messages that arrived together; return the nodes that have just become wild."""
        if now - self._moment >= MOMENT_SECONDS:
            self._moment, self._heard = now, Counter()
        self._heard.update(topics)
        if now < self._calm_from or max(self._heard.values(), default=0) <= HASTE:
            return []
        hasty = {_slug(topic) for topic, count in self._heard.items() if count > HASTE}
        found = sorted(hasty - self._until.keys())
        for slug in found:
            self._leave_out(slug, now)
        return found

    def is_left_out(self, slug: str) -> bool:
        """Say whether what still comes of a node is not to be looked at."""
        return slug in self._until

    def is_wild(self, topic: str, now: float) -> bool:
        """Count a message that is not taken; ``True`` when its node has just become wild."""
        if int(now) != self._second:
            self._second, self._said = int(now), {}
        slug = _slug(topic)
        said = self._said[slug] = self._said.get(slug, 0) + 1
        if said <= FLOOD or slug in self._until:
            return False
        self._leave_out(slug, now)
        return True

    def _leave_out(self, slug: str, now: float) -> None:
        released, before = self._last.get(slug, (-CALM_SECONDS, 0.0))
        longer = 2 * before if now - released < CALM_SECONDS else LEFT_OUT_SECONDS
        seconds = min(LONGEST_LEFT_OUT_SECONDS, longer)
        self._until[slug] = now + seconds
        self._last[slug] = (now + seconds, seconds)

    def left_out(self, now: float) -> list[str]:
        """Return who is left out now; whose time is over is listened to again."""
        for slug in [slug for slug, until in self._until.items() if until <= now]:
            del self._until[slug]
        return sorted(self._until)

    def filters(self, now: float) -> set[str]:
        """Return what to listen to."""
        left_out = self.left_out(now)
        if not left_out:
            return {self._everything}
        return {word for slug, word in self._each.items() if slug not in left_out}

    def all_filters(self) -> set[str]:
        """Return whatever may have been listened to."""
        return {self._everything, *self._each.values()}


def _slug(topic: str) -> str:
    """Return who speaks on a topic, whatever its farm and version; "" where it names nobody."""
    parts = topic.split("/", 4)
    return parts[3] if len(parts) > 3 else ""
