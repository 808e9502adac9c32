"""What the meter says about the valves: litres of a run, wrong flows, and leaks. Decides only.

The meter's counter is believed more than its flow: a count cannot be missed between two looks.
A counter that went backwards was exchanged or restarted; counting begins anew there.

A flow is compared with what is usual for the zones that are open, once valves and pump have had
their time (``flow.py``). While somebody waters by hand nothing is judged: any flow is right then.
"""

from dataclasses import dataclass

from nongso.gateway.valves.flow import NO_FLOW_KNOWN, Flow, FlowWatch, Usual

NO_FLOW_SECONDS = 15.0  # pump running and nothing counted for so long
SETTLE_SECONDS = 10.0  # after the last valve closed, pipes may still empty themselves
LEAK_WINDOW_SECONDS = 9.0  # settling and three of them, the first half-filled, stay under 30 s
LEAK_L_PER_MIN = 1.0  # raised after two windows above; a dripping joint stays below
LEAK_OVER_L_PER_MIN = 0.2
STALE_SECONDS = 15.0


NOTHING = Usual()


@dataclass(frozen=True)
class Verdict:
    """What one look at the meter means."""

    litres: float = 0.0  # counted since the last look
    no_flow: bool = False
    flow: Flow = NO_FLOW_KNOWN  # through the zones that are open
    leak_l_per_min: float | None = None  # set: a leak stands; ``None``: no new opinion
    leak_over: bool = False
    since: float = 0.0  # when the last look was


@dataclass(frozen=True)
class _Window:
    since: float
    total: float


class WaterWatch:
    """Follows one meter."""

    def __init__(self, litres_per_count: float = 0.0) -> None:
        self.flow = FlowWatch(litres_per_count)
        self._total: float | None = None
        self._looked_at = 0.0
        self._flowed_at = 0.0  # last time something was counted, or the meter came back
        self._window: _Window | None = None
        self._leaky_windows = 0
        self._dry_windows = 0

    def metered(
        self,
        total: float,
        now: float,
        pump_since: float | None,
        quiet_seconds: float,
        usual: Usual = NOTHING,
        by_hand: bool = False,
    ) -> Verdict:
        """Judge a meter reading.

        ``pump_since`` is when the pump was started, ``None`` while it is off; ``quiet_seconds``
        how long everything has been closed; ``usual`` what ought to flow; ``by_hand`` whether a
        person waters beside us.
        """
        counted = 0.0 if self._total is None else total - self._total
        was_away = self._total is None or now - self._looked_at > STALE_SECONDS
        if counted < 0:
            counted, self._window = 0.0, None
        since, self._total, self._looked_at = self._looked_at, total, now
        if counted > 0 or was_away:
            self._flowed_at = now
        if by_hand:
            self.flow.forget()
            self._window, self._leaky_windows = None, 0
            if pump_since is not None:
                self._flowed_at = now
            return Verdict(counted, since=since, leak_over=True)
        flow = self.flow.look(total, now, usual, pump_since)
        patience = self.flow.patience_seconds(NO_FLOW_SECONDS, usual.least)
        no_flow = pump_since is not None and now - max(pump_since, self._flowed_at) >= patience
        leak, over = self._leak(total, now, quiet_seconds)
        return Verdict(counted, no_flow, flow, leak, over, since)

    def _leak(self, total: float, now: float, quiet_seconds: float) -> tuple[float | None, bool]:
        if quiet_seconds < SETTLE_SECONDS:
            self._window, self._leaky_windows, self._dry_windows = None, 0, 0
            return None, False
        if self._window is None:
            self._window = _Window(now, total)
        seconds = now - self._window.since
        if seconds < LEAK_WINDOW_SECONDS:
            return None, False
        flow = (total - self._window.total) / seconds * 60.0
        self._window = _Window(now, total)
        self._leaky_windows = self._leaky_windows + 1 if flow >= LEAK_L_PER_MIN else 0
        self._dry_windows = self._dry_windows + 1 if flow <= LEAK_OVER_L_PER_MIN else 0
        return (round(flow, 1) if self._leaky_windows >= 2 else None), self._dry_windows >= 2
