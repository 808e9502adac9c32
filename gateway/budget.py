"""How many messages of one node are taken, so that none fills the store of all.

A node measures at most once a second (``interval_seconds``) and after an outage sends what its
ring holds: a full ring passes at once, then ``A_SECOND`` for as long as the node likes. What is
above that is not acknowledged, so an honest node keeps it and sends it again. Pure: the clock is
handed in.
"""

AT_ONCE = 20_000
A_SECOND = 5.0


class Budget:
    """The messages that each node may still send now."""

    def __init__(self, at_once: float = AT_ONCE, a_second: float = A_SECOND) -> None:
        self._at_once = at_once
        self._a_second = a_second
        self._left: dict[str, tuple[float, float]] = {}  # messages, and when that was so

    def allows(self, node: str, now: float) -> bool:
        """Take one message of a node out of its budget; ``False`` when nothing is left."""
        left, since = self._left.get(node, (self._at_once, now))
        left = min(self._at_once, left + max(0.0, now - since) * self._a_second)
        self._left[node] = (max(0.0, left - 1.0), now) if left >= 1.0 else (left, now)
        return left >= 1.0
