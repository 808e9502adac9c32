"""The plan's hands: does its actions on the fieldbus, and asks meter and tank in the pauses.

The relay comes first: meter and tank are asked when it needs nothing for longer than a time-out
takes, one question at a time. On a busy line such pauses may never come (renewals of many coils
spread over a second, a slow converter), and without its meter a run is watched by nobody. So a
sensor that has waited ``LATE_SECONDS`` beyond its turn is asked before the next renewal, which has
time: a pulse reaches a lease ahead. Only an off, and a pulse that would lapse, go before it.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from nongso.gateway.fieldbus import Bus, BusError, UnitRefused, UnitResting
from nongso.gateway.registers import Coils, Device, Inputs
from nongso.gateway.registers import Pulse as PulseCommand
from nongso.gateway.valves.alarms import Alarms
from nongso.gateway.valves.coils import Action, Look, Off, Pulse
from nongso.gateway.valves.plan import Plan

log = logging.getLogger(__name__)

SENSOR_ALARM_SECONDS = 30.0
STALE_SECONDS = 15.0
LATE_SECONDS = 1.0
BUTTON_REST_SECONDS = 1.5  # with its turn of half a second: asked at least every two


@dataclass
class Relay:
    """The relay board on the bus."""

    unit: int
    coils: Coils
    pulse: PulseCommand | None


@dataclass
class Sensor:
    """Meter or tank: what it said last, and since when it has been silent."""

    role: str
    unit: int
    device: Device
    every_seconds: float
    inputs: Inputs | None = None  # switches instead of quantities
    switches: tuple[bool, ...] = ()
    values: dict[str, float] = field(default_factory=dict)
    at: float | None = None
    asked_at: float | None = None
    questioned_at: float | None = None  # asked on the bus, not only found resting
    silent_since: float | None = None
    error: str | None = None

    def fresh(self, now: float) -> dict[str, float]:
        """The last values, or nothing when they are old."""
        return self.values if self.at is not None and now - self.at <= STALE_SECONDS else {}


def is_mains(role: str) -> bool:
    """Whether a sensor is a meter of the pump's power; there may be one for each phase."""
    return role.partition(".")[0] == "mains"


class BusWork:
    """Brings the board to what the plan wants and tells the plan what came of it."""

    def __init__(
        self,
        bus: Bus,
        relay: Relay,
        sensors: list[Sensor],
        plan: Plan,
        alarms: Alarms,
        clock: Callable[[], float],
    ) -> None:
        self.bus, self.relay, self.sensors = bus, relay, sensors
        self.plan, self.alarms, self.clock = plan, alarms, clock
        self.error: str | None = None  # why the relay cannot be reached

    def settle(self, patiently: bool = False) -> bool:
        """Do all that is due on the relay. Returns ``False`` when the bus failed.

        ``patiently``: leave what can wait to the next turn, if a sensor or the socket has waited.
        """
        began = self.clock()
        for _ in range(200):  # a bound; one round of a board with 8 relays takes at most 30
            now = self.clock()
            self.plan.tick(now)
            action = self.plan.next_action(now)
            if action is None:
                return True
            if patiently and not isinstance(action, Off):
                is_long = now - began >= self.plan.renew_seconds  # the socket holds the lease
                if is_long or (self._is_a_sensor_late(now) and self._can_wait(action, now)):
                    return True
            if not self._do(action):
                return False
        return True

    def _do(self, action: Action) -> bool:
        sent_at = self.clock()
        try:
            if isinstance(action, Look):
                coils = self.bus.read_coils(self.relay.unit, self.relay.coils)
                self.plan.looked(coils, self.clock())
            elif isinstance(action, Off):
                self.bus.coil_off(self.relay.unit, self.relay.coils, action.coil)
                self.plan.switched_off(action, self.clock())
            else:
                self._pulse(action, sent_at)
        except UnitRefused as error:
            return self._refused(action, error)
        except BusError as error:
            return self._failed(action, error)
        if self.error is not None:
            log.info("The relay board answers again.")
            self.error = None
            self.bus.wake_all()
        return True

    def _refused(self, action: Action, error: UnitRefused) -> bool:
        """A board that answers and does not switch one relay on is no silent bus."""
        if not isinstance(action, Pulse) or not error.is_final:
            return self._failed(action, error)
        log.error("The relay board does not switch coil %d on. %s", action.coil, error)
        self.plan.refused(action, self.clock())
        return True

    def _failed(self, action: Action, error: BusError) -> bool:
        if self.error is None:
            log.error("The relay board cannot be reached. %s", error)
        self.error = str(error)
        self.plan.failed(action, self.clock())
        return False

    def _pulse(self, action: Pulse, sent_at: float) -> None:
        if self.relay.pulse is None:
            raise AssertionError("a board without auto-off is never opened")
        self.bus.coil_pulse(self.relay.unit, self.relay.pulse, action.coil, action.seconds)
        self.plan.pulsed(action, sent_at, self.clock())

    def ask_a_sensor(self, pause_seconds: float) -> Sensor | None:
        """Ask the sensor that has waited longest, if the relay leaves time for it.

        The red button's unit is asked whenever the relay needs nothing at once.

        Returns the sensor when it answered just now.
        """
        now = self.clock()
        waiting = [
            s for s in self.sensors if s.asked_at is None or now - s.asked_at >= s.every_seconds
        ]
        button = next((s for s in waiting if self._is_button_due(s, now)), None)
        if button is not None:
            return self._ask(button)
        if not waiting:
            return None
        if pause_seconds < self.bus.timeout_seconds and not (
            self._is_a_sensor_late(now) and self._can_wait(self.plan.next_action(now), now)
        ):
            return None
        sensor = min(waiting, key=lambda s: -1.0 if s.asked_at is None else s.asked_at)
        return self._ask(sensor)

    def _is_a_sensor_late(self, now: float) -> bool:
        return any(
            s.asked_at is not None and now - s.asked_at >= s.every_seconds + LATE_SECONDS
            for s in self.sensors
        )

    def _can_wait(self, action: Action | None, now: float) -> bool:
        """Whether the relay has time for one sensor, and for reopening the line after it."""
        return self.plan.coils.can_wait(action, now, 2.0 * self.bus.timeout_seconds)

    def litres_per_count(self) -> float:
        """What one count of the meter's register is worth; 0 where it is not known."""
        meter = next((s.device for s in self.sensors if s.role == "meter"), None)
        counters = [q for q in meter.quantities if q.metric == "water_total"] if meter else []
        if meter is None or not counters:
            return 0.0
        return meter.register(counters[0].register).scale * counters[0].times

    def phases(self) -> tuple[list[float], float]:
        """The volts of all phases that answer, and how long a meter has been silent."""
        meters = [s for s in self.sensors if is_mains(s.role)]
        volts = [
            value
            for meter in meters
            if meter.silent_since is None
            for metric, value in meter.values.items()
            if metric.partition(".")[0] == "voltage"
        ]
        now = self.clock()
        silent = [now - m.silent_since for m in meters if m.silent_since is not None]
        return volts, max(silent, default=0.0)

    def mains(self, now: float) -> dict[str, float]:
        """Volts of each phase, and power and energy of all together; only what is known."""
        meters = [s.fresh(now) for s in self.sensors if is_mains(s.role)]
        volts = [
            meter[metric]
            for meter in meters
            for metric in sorted(meter)
            if metric.partition(".")[0] == "voltage"
        ]
        found = {f"voltage.{n}" if n > 1 else "voltage": v for n, v in enumerate(volts, 1)}
        for metric in ("power", "energy_total"):
            parts = [meter[metric] for meter in meters if metric in meter]
            if parts and len(parts) == len(meters):
                found[metric] = sum(parts)
        return found

    def ask_now(self, role: str) -> Sensor | None:
        """Ask one sensor out of its turn, if there is one. Returns it when it answered."""
        sensor = next((s for s in self.sensors if s.role == role), None)
        return None if sensor is None else self._ask(sensor)

    def _ask(self, sensor: Sensor) -> Sensor | None:
        now = sensor.asked_at = self.clock()
        if self._is_overdue(sensor, now):
            self.bus.wake(sensor.unit)  # its alarm waits for no rest: it is asked once more
        if self._is_button_due(sensor, now):
            self.bus.wake(sensor.unit)  # a person who presses it cannot wait for a rest
        try:
            if sensor.inputs is not None:
                sensor.switches = self.bus.read_inputs(sensor.unit, sensor.inputs)
            else:
                sensor.values = self.bus.quantities(sensor.unit, sensor.device)
        except UnitResting:
            return None
        except BusError as error:
            sensor.questioned_at = now
            self._silent(sensor, str(error))
            return None
        if sensor.silent_since is not None:
            log.info("The %s answers again.", sensor.role)
        sensor.questioned_at = now
        sensor.at, sensor.silent_since, sensor.error = self.clock(), None, None
        self.alarms.clear("bus_silent", sensor.role)
        return sensor

    def _silent(self, sensor: Sensor, error: str) -> None:
        now = self.clock()
        if sensor.silent_since is None:
            log.error("No values from the %s. %s", sensor.role, error)
            sensor.silent_since = now
        sensor.error = error
        if self._is_overdue(sensor, now) and self.error is None:
            self.alarms.raise_("bus_silent", sensor.role, device=sensor.role)

    def _is_overdue(self, sensor: Sensor, now: float) -> bool:
        """Silent for so long that people are to know, and nobody was told yet."""
        return (
            sensor.silent_since is not None
            and now - sensor.silent_since >= SENSOR_ALARM_SECONDS
            and not self.alarms.stands("bus_silent", sensor.role)
            and not self._has_button(sensor)  # the plan tells of it, and earlier
        )

    def _has_button(self, sensor: Sensor) -> bool:
        return sensor.inputs is not None and self.plan.layout.switches.stop is not None

    def _is_button_due(self, sensor: Sensor, now: float) -> bool:
        """Whether the red button was not looked at for so long that no rest counts."""
        at = sensor.questioned_at
        return self._has_button(sensor) and (at is None or now - at >= BUTTON_REST_SECONDS)
