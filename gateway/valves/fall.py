"""Does a valve close? What a wet test can measure of it without pumping against closed valves.

With pump and main valve off, water stops whether the zone's valve has closed or not. So the pump
stops some seconds before the test's ordered end: what still flows through the open valve then
flows by its own weight, from a tank above the beds. Where it does, the main valve stays open for a
while after the zone's valve was switched off, the pump being off: if water goes on, a valve does
not close. Where nothing flows by itself, nothing can be told, and a person has to look.

Decides only. A verdict must also hold with one count of the meter more or less.
"""

from dataclasses import dataclass

FALL_SECONDS = 12.0  # before the ordered end the pump stops
COAST_SECONDS = 4.0  # the pump turns on, the pipe comes to rest
TRAVEL_SECONDS = 15.0  # a motor valve closes, the pipes behind it empty themselves
SHUT_SECONDS = 10.0  # the meter is watched with the valve off
HELD_SECONDS = TRAVEL_SECONDS + SHUT_SECONDS + 1.0  # the main valve stays open no longer
LEAST_SECONDS = 5.0  # watched for less, nothing is known
LEAST_L_PER_MIN = 1.0  # a dripping joint stays below; as for a leak
SHUT_SHARE = 0.25  # of what flowed through the open valve may at most be left


@dataclass
class _Span:
    """The counter over a while: between how many l/min flowed."""

    since: float | None = None
    first: float = 0.0
    until: float = 0.0
    last: float = 0.0

    def look(self, total: float, now: float) -> None:
        if self.since is None:
            self.since, self.first = now, total
        self.until, self.last = now, total

    def counted(self, step: float) -> tuple[float, float, float] | None:
        """At least, at most, and as counted; ``None``: not known."""
        if self.since is None or self.until - self.since < LEAST_SECONDS or step <= 0.0:
            return None
        if self.last < self.first:
            return None  # an exchanged meter
        minutes, litres = (self.until - self.since) / 60.0, self.last - self.first
        least = max(0.0, litres - step) / minutes
        return least, (litres + step) / minutes, litres / minutes


class Fall:
    """What the meter counts around the end of one wet test.

    ``held_until`` is how long the main valve stays open at most, ``None`` while it is not held.
    ``is_over``: nothing more will be known. ``open_l_per_min`` flowed with the pump off and the
    valve open, ``shut_l_per_min`` with the valve off; ``is_shut`` is ``None`` where nothing tells.
    """

    def __init__(self, run_id: str) -> None:
        self.id = run_id
        self.held_until: float | None = None
        self.is_over = False
        self.open_l_per_min: float | None = None
        self.shut_l_per_min: float | None = None
        self.is_shut: bool | None = None
        self._least_open = 0.0
        self._open, self._shut = _Span(), _Span()
        self._step = 0.0
        self._total: float | None = None

    def look(
        self, total: float, now: float, step: float, off_at: float | None, shut_at: float | None
    ) -> None:
        """Take a look at the counter, which counts in steps of ``step`` litres.

        ``off_at`` is when the pump went off, ``shut_at`` when the valve was read back as off;
        ``None``: not yet.
        """
        if self.is_over:
            return
        jump = 0.0 if self._total is None else total - self._total
        self._total = total
        # Less flows by itself than with the pump, so that smaller steps are seen.
        self._step = min(s for s in (step, self._step, jump) if s > 0.0) if step > 0.0 else 0.0
        if shut_at is not None:
            if self.held_until is not None and now - shut_at >= TRAVEL_SECONDS:
                self._shut.look(total, now)
        elif off_at is not None and now - off_at >= COAST_SECONDS:
            self._open.look(total, now)

    def falls(self) -> bool:
        """Whether water surely flows by itself, so that holding the main valve open tells."""
        found = self._open.counted(self._step)
        if found is None:
            return False
        self._least_open, _, flow = found
        self.open_l_per_min = round(flow, 1)
        return self._least_open >= LEAST_L_PER_MIN

    def end(self) -> None:
        """Nothing more can be measured: judge by what was."""
        if self.is_over:
            return
        self.is_over, self.held_until = True, None
        found = self._shut.counted(self._step)
        if found is None:
            return
        least, most, flow = found
        self.shut_l_per_min = round(flow, 1)
        if least >= LEAST_L_PER_MIN:
            self.is_shut = False
        elif most <= SHUT_SHARE * self._least_open:
            self.is_shut = True
