"""Is it as much water as usual? One judgement for a stuck valve and a burst pipe. Decides only.

What is usual for a zone was measured in its wet test (``flow_l_per_min`` in the settings) or
learnt from earlier runs. Far less means that a valve has not opened, or that the pump draws air;
far more means a burst pipe, or another valve that is open although its relay is off. Where nothing
is known yet nothing is judged; the gateway learns from the flow that is told here.

A meter that counts in big steps (10 litres a pulse) is uncertain by one step, so it is judged
over a longer time: a verdict stands only if it stands with one step more or less.
"""

from collections import deque
from dataclasses import dataclass

STEADY_AFTER_SECONDS = 6.0  # valves travel, the pump fills the pipes
WINDOWS_SECONDS = (10.0, 30.0, 120.0, 300.0)
LEARNT_FROM_SECONDS = 20.0
LOW, HIGH = 0.6, 1.35  # of what is usual; filters clog and pressure varies by less


@dataclass(frozen=True)
class Usual:
    """What ought to flow: ``least`` and ``most`` l/min, ``None`` where nobody knows.

    ``zones`` are those that are open; when they change, the judgement begins anew.
    """

    zones: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True)
class Flow:
    """What a look at the counter tells; numbers are ``None`` while nothing steady is known."""

    wrong: str | None = None  # ``low_flow`` or ``high_flow``
    l_per_min: float | None = None  # in the last seconds
    steady_l_per_min: float | None = None  # since it is steady


NO_FLOW_KNOWN = Flow()


class FlowWatch:
    """Follows the counter of one meter while water is pumped."""

    def __init__(self, litres_per_count: float = 0.0) -> None:
        self._scale = litres_per_count  # of the meter's register; its pulses may be bigger
        self._step = 0.0  # the smallest jump that was seen; 0 before the first
        self._key: object = None
        self._since = 0.0
        self._looks: deque[tuple[float, float]] = deque()

    def forget(self) -> None:
        """Begin anew."""
        self._key = None
        self._looks.clear()

    @property
    def step(self) -> float:
        """What the meter counts at once, in litres; 0 while nobody knows."""
        return max(self._step, self._scale)

    def patience_seconds(self, seconds: float, least: float | None) -> float:
        """How long nothing may be counted: longer for a meter that counts in big steps."""
        if least:
            return max(seconds, 2.0 * self.step / least * 60.0)
        return seconds * max(1.0, self.step)

    def look(self, total: float, now: float, usual: Usual, pump_since: float | None) -> Flow:
        """Take a look at the counter; ``pump_since`` is ``None`` while nothing is pumped."""
        if pump_since is None:
            self.forget()
            return NO_FLOW_KNOWN
        key = (usual.zones, pump_since)
        if key != self._key:
            self.forget()
            self._key, self._since = key, now
        if now - self._since < STEADY_AFTER_SECONDS:
            return NO_FLOW_KNOWN
        if self._looks and total < self._looks[-1][1]:
            self._looks.clear()  # an exchanged meter
        if self._looks and total > self._looks[-1][1]:
            jump = total - self._looks[-1][1]
            self._step = jump if self._step == 0.0 else min(self._step, jump)
        self._looks.append((now, total))
        while len(self._looks) > 2 and now - self._looks[1][0] > WINDOWS_SECONDS[-1]:
            self._looks.popleft()
        if self._step == 0.0:
            return NO_FLOW_KNOWN
        lately = self._counted(WINDOWS_SECONDS[0])
        l_per_min = None if lately is None else sum(lately) / 2.0
        return Flow(self._judge(usual), l_per_min, self._steady())

    def _judge(self, usual: Usual) -> str | None:
        for seconds in WINDOWS_SECONDS:
            found = self._counted(seconds)
            if found is None:
                return None
            least, most = found
            if usual.least is not None and most < LOW * usual.least:
                return "low_flow"
            if usual.most is not None and least > HIGH * usual.most:
                return "high_flow"
        return None

    def _counted(self, seconds: float) -> tuple[float, float] | None:
        """Between how many l/min flowed in the last ``seconds``; ``None``: not looked so long."""
        now, total = self._looks[-1]
        before = next((look for look in reversed(self._looks) if now - look[0] >= seconds), None)
        if before is None:
            return None
        minutes = (now - before[0]) / 60.0
        counted = total - before[1]
        return max(0.0, counted - self._step) / minutes, (counted + self._step) / minutes

    def _steady(self) -> float | None:
        (began, first), (now, last) = self._looks[0], self._looks[-1]
        if now - began < LEARNT_FROM_SECONDS or last - first < 10.0 * self._step:
            return None
        return (last - first) / (now - began) * 60.0
