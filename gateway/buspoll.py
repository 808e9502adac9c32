"""Water meter, tank and mains as readings of a node of their own, like any trạm đo's.

The supervisor is the bus's only master, so this asks it for what it last read; other sensors on
the bus have nodes of their own, and what they said goes to ``hear`` (``sensornodes.py``). A device
that is silent gives a reading without a value, marked ``failed``; a supervisor that is gone gives
none, and neither does a device that the settings do not have.
"""

import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

from nongso.gateway.probes import Report
from nongso.gateway.settings import GatewaySettings
from nongso.gateway.valves.client import SupervisorGone, SupervisorRefused
from nongso.wire import marks
from nongso.wire.metrics import METRICS, is_possible
from nongso.wire.payload import EARLIEST, Reading

log = logging.getLogger(__name__)

POLL_SECONDS = 10.0
_METER = (("water_total", "total"), ("water_flow", "flow"))
_TANK = (("tank_level", "tank"),)
_MAINS = ("voltage", "power", "energy_total")
_MORE_PHASES = ("voltage.2", "voltage.3")


class ReadLike(Protocol):
    """The supervisor's client."""

    def read(self) -> dict[str, Any]: ...


class BusPoll:
    """Hands the bus's own readings to ``accept``, every ten seconds."""

    def __init__(
        self,
        settings: GatewaySettings,
        valves: ReadLike,
        accept: Callable[[list[Reading]], None],
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        hear: Callable[[Report], None] | None = None,
    ) -> None:
        self._origin = marks.SIMULATED if settings.simulated else 0
        meter = _METER if settings.bus.meter is not None else ()
        self._has_mains = settings.bus.mains is not None
        self._series = (*meter, *(_TANK if settings.bus.tank is not None else ()))
        self._running: frozenset[str] = frozenset()
        self._valves, self._accept = valves, accept
        self._clock, self._steady = clock, steady
        self._hear = hear
        self._next_at = steady()
        self._is_gone = False

    def tick(self, running: frozenset[str] = frozenset()) -> None:
        """Call it once a second; it polls when it is time, and when a run begins or ends.

        With a reading at both ends, what the meter counted in between is the run's own water.
        """
        has_changed, self._running = running != self._running, running
        if has_changed or self._steady() >= self._next_at:
            self._next_at = self._steady() + POLL_SECONDS
            self.poll()

    def poll(self) -> None:
        """Ask the supervisor now and hand the readings on, of what is installed."""
        if not self._series and not self._has_mains and self._hear is None:
            return
        try:
            found = self._valves.read()
        except (SupervisorGone, SupervisorRefused) as error:
            if not self._is_gone:
                log.error("No readings of meter and tank. %s", error)
            self._is_gone = True
            return
        self._is_gone = False
        if self._hear is not None:
            self._hear(found.get("sensors", {}))
        at = int(self._clock())
        readings = [self._reading(name, at, found[key]) for name, key in self._series]
        if self._has_mains:
            mains = found["mains"]
            phases = [name for name in _MORE_PHASES if name in mains]
            readings += [self._reading(name, at, mains.get(name)) for name in (*_MAINS, *phases)]
        if readings:
            self._accept(readings)

    def _reading(self, name: str, at: int, value: float | None) -> Reading:
        mark = marks.GOOD if at >= EARLIEST else marks.UNTIMED
        if value is None:
            mark = marks.FAILED
        elif not is_possible(METRICS[name.partition(".")[0]], value):
            mark = marks.IMPOSSIBLE
        return Reading(name, at, value, mark | self._origin)
