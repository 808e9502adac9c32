"""Whom the gateway listens to while a node runs wild.

Usually it listens to everything under ``nongso/``. A node that within a second says ``FLOOD``
messages more than are taken of it (``budget``) would make all others wait behind it, for reading
a message costs more than the broker needs to pass it on. So the gateway then listens to the other
configured nodes one by one, and the broker throws away what the wild one says, which loses
nothing: it was told of no message that it is kept. After a while all are listened to again; who is
still wild is left out once more, for longer. Meanwhile nodes that nobody has configured are not
heard either. Pure: the clock is handed in.
"""

from collections.abc import Sequence

FLOOD = 1000  # beyond the budget: an honest node has at most some messages under way
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
        self._until: dict[str, float] = {}  # left out until then
        self._last: dict[str, tuple[float, float]] = {}  # released when, and after how long

    def know(self, slugs: Sequence[str]) -> None:
        """Say which nodes there are."""
        self._each = {slug: f"{self._root}/+/+/{slug}/+" for slug in slugs}

    def is_wild(self, topic: str, now: float) -> bool:
        """Count a message that is not taken; ``True`` when its node has just become wild."""
        if int(now) != self._second:
            self._second, self._said = int(now), {}
        parts = topic.split("/", 4)
        slug = parts[3] if len(parts) > 3 else ""
        said = self._said[slug] = self._said.get(slug, 0) + 1
        if said <= FLOOD or slug in self._until:
            return False
        released, before = self._last.get(slug, (-CALM_SECONDS, 0.0))
        longer = 2 * before if now - released < CALM_SECONDS else LEFT_OUT_SECONDS
        seconds = min(LONGEST_LEFT_OUT_SECONDS, longer)
        self._until[slug] = now + seconds
        self._last[slug] = (now + seconds, seconds)
        return True

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
