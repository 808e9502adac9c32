"""Asks the sensors of one fieldbus line, one question at a time, the longest waiting first.

The supervisor uses it on the valves' line, in the pauses that the relay leaves; the gateway on
lines that have sensors only. What becomes of the values is ``sensornodes.py``. A device that takes
several questions has its values only when all are answered; a dead one rests in ``fieldbus.py``.
"""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from nongso.gateway.devicefile import DeviceFileError, load_device
from nongso.gateway.errors import SettingsError
from nongso.gateway.fieldbus import BusError, UnitResting
from nongso.gateway.registers import Device
from nongso.gateway.settings import GatewaySettings, Node

log = logging.getLogger(__name__)

# How soon a sensor that did not answer is tried again; how often it is asked indeed, its rest in
# fieldbus.py decides.
RETRY_SECONDS = 0.5

Report = dict[str, dict[str, Any]]


class Asked(Protocol):
    """The fieldbus."""

    timeout_seconds: float

    def next_part(self, unit: int, device: Device, numbers: dict[str, float]) -> bool: ...


@dataclass
class Probe:
    """A sensor: what it said last, how often it has answered, and why not the last time."""

    name: str
    eui64: str
    unit: int
    device: Device
    every_seconds: float
    values: dict[str, float] = field(default_factory=dict)
    answers: int = 0
    answered_at: float | None = None
    asked_at: float | None = None
    error: str | None = None
    part: dict[str, float] = field(default_factory=dict)
    is_woken: bool = False

    def waits(self, now: float) -> float:
        """Seconds until it is to be asked; below zero when it has waited too long."""
        if self.asked_at is None or self.part:
            return 0.0
        again = RETRY_SECONDS if self.error is not None or self.is_woken else math.inf
        return self.asked_at + min(self.every_seconds, again) - now


class Probes:
    """The sensors of one line."""

    def __init__(self, bus: Asked, probes: Sequence[Probe], clock: Callable[[], float]) -> None:
        self._bus, self._probes, self._clock = bus, probes, clock

    def ask(self, pause_seconds: float) -> bool:
        """Ask one question, if one is due and an answer that does not come fits into the pause.

        Returns whether something was asked; more may be due then.
        """
        now = self._clock()
        due = [probe for probe in self._probes if probe.waits(now) <= 0.0]
        if not due:
            return False
        probe = min(due, key=lambda p: -1.0 if p.asked_at is None else p.asked_at)
        if pause_seconds < self._bus.timeout_seconds + probe.device.line.gap_seconds:
            return False
        self._ask(probe, now)
        return True

    def next_in(self) -> float:
        """Seconds until a sensor is to be asked."""
        now = self._clock()
        return max(0.0, min((probe.waits(now) for probe in self._probes), default=60.0))

    def report(self) -> Report:
        """Say what each sensor answered last, by its EUI-64."""
        now = self._clock()
        return {
            probe.eui64: {
                "answers": probe.answers,
                "age": None if probe.answered_at is None else round(now - probe.answered_at, 3),
                "values": probe.values,
                "error": probe.error,
            }
            for probe in self._probes
        }

    def _ask(self, probe: Probe, now: float) -> None:
        probe.asked_at = now
        try:
            if not self._bus.next_part(probe.unit, probe.device, probe.part):
                return
        except UnitResting:
            probe.part.clear()
            return
        except BusError as error:
            probe.part.clear()
            if probe.device.line.sleeps and not probe.is_woken:
                probe.is_woken = True
                return
            if probe.error is None:
                log.error("No values from %s. %s", probe.name, error)
            probe.error = str(error)
            return
        if probe.error is not None:
            log.info("%s answers again.", probe.name)
        probe.values, probe.error = probe.device.values(probe.part), None
        probe.is_woken = False
        probe.answers, probe.answered_at = probe.answers + 1, self._clock()
        probe.part.clear()


def device_of(settings: GatewaySettings, node: Node) -> Device:
    """Return what a node's sensor is, less what was not bought. Raises ``SettingsError``."""
    sensor = node.sensor
    assert sensor is not None
    try:
        device = load_device(sensor.device, settings.devices_folder)
    except DeviceFileError as error:
        raise SettingsError(f"node {node.slug}: sensor.device: {error}") from None
    measured = {quantity.metric for quantity in device.quantities}
    for metric in sensor.without:
        if metric not in measured:
            raise SettingsError(
                f"node {node.slug}: sensor.without names {metric!r}; {device.id} measures"
                f" {', '.join(sorted(measured)) or 'nothing'}"
            )
    if measured <= set(sensor.without):
        raise SettingsError(f"node {node.slug}: sensor.device {device.id} measures nothing")
    return device.without(frozenset(sensor.without))


def probes_of(settings: GatewaySettings, line: str) -> list[Probe]:
    """Return the sensors on a line, as the settings say. Raises ``SettingsError``."""
    return [
        Probe(
            f"{node.slug} (unit {node.sensor.unit}, {node.sensor.device})",
            node.eui64,
            node.sensor.unit,
            device_of(settings, node),
            node.sensor.every_seconds,
        )
        for node in settings.nodes
        if node.sensor is not None and node.sensor.line == line
    ]
