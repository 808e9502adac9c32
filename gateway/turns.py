"""Whose turn it is, where the pump is enough for a few zones at once (``bus.zones_at_once``).

What people wish comes first, in the order in which it was wished, and is kept in the book, so that
a wish outlives a restart of the gateway; then what zones want by themselves, in the order in which
they first wanted it: they are asked anew each second, so their place is kept in memory only.

A wish waits two hours at most, and not over a restart of the machine: then nobody expects it.
"""

from nongso.gateway.waterbook import Body, Moment, WaterBook

LONGEST_WAIT_SECONDS = 7200.0
NOT_YET = ("waits_for_pump", "supervisor_gone", "bus_silent", "resting")


class Turns:
    """The queue before one pump."""

    def __init__(self, book: WaterBook, zones_at_once: int | None) -> None:
        self._book, self._most = book, zones_at_once
        self._wanting: list[str] = []  # zones that want to start by themselves

    def ahead(self, zone: str, wish_id: str | None = None) -> str | None:
        """The zone that this one has to wait for; ``None`` when it is its turn.

        ``wish_id`` is that of a wish, which waits behind earlier wishes only.
        """
        if self._most is None:
            return None
        running = [run["zone"] for run in self._book.runs.values() if run["cause"] != "hand"]
        before = []
        for waiting in self._book.waiting.values():
            if waiting["id"] == wish_id:
                break
            before.append(waiting["zone"])
        if wish_id is None:
            place = self._wanting.index(zone) if zone in self._wanting else len(self._wanting)
            before += self._wanting[:place]
        in_front = [*running, *before]
        return in_front[0] if len(in_front) >= self._most else None

    def wants(self, zone: str, is_waiting: bool) -> None:
        """Note that a zone wants to start by itself and waits for the pump, or does not."""
        if not is_waiting:
            self._wanting = [one for one in self._wanting if one != zone]
        elif zone not in self._wanting:
            self._wanting.append(zone)

    def waits(self, zone: str) -> bool:
        """Whether something of this zone waits for its turn."""
        return zone in self._wanting or self.wish_of(zone) is not None

    def wish_of(self, zone: str) -> Body | None:
        """The wish that waits for this zone."""
        return next((w for w in self._book.waiting.values() if w["zone"] == zone), None)


def is_too_old(waiting: Body, now: Moment) -> bool:
    """Whether nobody expects this wish any more."""
    since = Moment(**waiting["since"])
    return since.boot != now.boot or since.seconds_until(now) > LONGEST_WAIT_SECONDS
