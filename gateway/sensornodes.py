"""Sensors on a fieldbus as nodes: their readings go the way of any trạm đo's.

What a sensor on the valves' line said comes from the supervisor (``buspoll.py``); lines that have
sensors only are asked here, each in a thread of its own, so that a slow line delays no other.
A sensor that falls silent gives one reading without a value of each metric, marked ``failed``;
then nothing, so that the alarm for silent nodes tells of it. What a device cannot have measured is
kept and marked ``impossible``.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence

from nongso.gateway.fieldbus import Bus
from nongso.gateway.probes import Probes, Report, device_of, probes_of
from nongso.gateway.settings import GatewaySettings
from nongso.wire import marks
from nongso.wire.payload import EARLIEST, Reading

log = logging.getLogger(__name__)

LONGEST_WAIT = 1.0

Accept = Callable[[Sequence[Reading], str], None]


class SensorNodes:
    """Turns reports of sensors into readings and hands them to ``accept`` with the EUI-64."""

    def __init__(
        self, settings: GatewaySettings, accept: Accept, clock: Callable[[], float] = time.time
    ) -> None:
        self._devices = {
            node.eui64: device_of(settings, node) for node in settings.nodes if node.sensor
        }
        self._origin = marks.SIMULATED if settings.simulated else 0
        self._accept, self._clock = accept, clock
        on_bus = any(node.sensor and node.sensor.line == "bus" for node in settings.nodes)
        self.hear_bus = self.hear if on_bus else None  # nothing of it is read for no sensor
        self._heard: dict[str, int] = {}
        self._failed: set[str] = set()

    def hear(self, report: Report) -> None:
        """Hand on what is new in a report."""
        for eui64, said in report.items():
            if eui64 not in self._devices:
                continue  # a supervisor that was started with older settings
            if said["error"] is not None:
                if eui64 not in self._failed:
                    self._failed.add(eui64)
                    self._accept(self._readings(eui64, {}, int(self._clock())), eui64)
            elif said["answers"] and said["answers"] != self._heard.get(eui64):
                self._failed.discard(eui64)
                at = int(self._clock() - said["age"])
                self._accept(self._readings(eui64, said["values"], at), eui64)
            self._heard[eui64] = said["answers"]

    def _readings(self, eui64: str, values: dict[str, float], at: int) -> list[Reading]:
        device = self._devices[eui64]
        doubtful = device.doubtful(values)
        found = []
        for quantity in device.quantities:
            name = quantity.metric
            mark = marks.GOOD if at >= EARLIEST else marks.UNTIMED
            if name not in values:
                mark = marks.FAILED
            elif name in doubtful:
                mark = marks.IMPOSSIBLE
            found.append(Reading(name, at, values.get(name), mark | self._origin))
        return found


class SensorLines:
    """Asks the lines that have sensors only. ``start`` and ``stop`` once each."""

    def __init__(self, settings: GatewaySettings, hear: Callable[[Report], None]) -> None:
        self._hear = hear
        self._stopping = threading.Event()
        self._threads = []
        for line in settings.lines:
            probes = probes_of(settings, line.id)
            if not probes:
                log.warning("Line %s has no sensor in the settings; it is not asked.", line.id)
                continue
            bus = Bus.at(line)
            self._threads.append(
                threading.Thread(
                    target=self._run,
                    args=(bus, Probes(bus, probes, time.monotonic)),
                    name=f"line-{line.id}",
                    daemon=True,
                )
            )

    def start(self) -> None:
        """Begin to ask."""
        for thread in self._threads:
            thread.start()

    def stop(self, patience_seconds: float) -> None:
        """Ask nothing more."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(patience_seconds)

    def _run(self, bus: Bus, probes: Probes) -> None:
        while not self._stopping.is_set():
            if probes.ask(math.inf):
                self._hear(probes.report())
            else:
                self._stopping.wait(min(probes.next_in(), LONGEST_WAIT))
        bus.close()
