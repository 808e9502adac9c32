"""The valve supervisor's process: one loop over its Unix socket and the fieldbus.

Small on purpose: it reads the settings once, then talks to the bus in the settings and to its
socket, and to nothing else; it writes no file and reads no wall clock. It closes everything when
it starts, when it ends (SIGTERM, SIGINT, or an error of its own), when the gateway's connection
closes, and when the gateway is silent for a lease. Should it be killed or hang, the board's own
pulses lapse.
"""

import contextlib
import logging
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from nongso.gateway.devicefile import load_device
from nongso.gateway.errors import GatewayError, SettingsError
from nongso.gateway.fieldbus import Bus
from nongso.gateway.probes import Probe, Probes, probes_of
from nongso.gateway.settings import Bus as BusSettings
from nongso.gateway.settings import Device as DeviceSettings
from nongso.gateway.settings import GatewaySettings, load
from nongso.gateway.valves import socketfile
from nongso.gateway.valves.alarms import Alarms
from nongso.gateway.valves.bus import BusWork, Relay, Sensor
from nongso.gateway.valves.clock import boottime
from nongso.gateway.valves.desk import Desk
from nongso.gateway.valves.plan import Care, Layout, Plan, Switches
from nongso.gateway.valves.supply import Limits, MainsWatch, TankWatch
from nongso.gateway.valves.water import WaterWatch

log = logging.getLogger(__name__)

LONGEST_LINE = 65536
LONGEST_WAIT = 0.5
SHORTEST_WAIT = 0.01
AFTER_FAILURE_SECONDS = 0.2
METER_SECONDS = 1.0
MAINS_SECONDS = 1.0
TANK_SECONDS = 5.0
SWITCH_SECONDS = 0.5
LAST_WORD_SECONDS = 2.0  # two turns of a gateway, to hear how its runs ended


def build(settings: GatewaySettings, clock: Callable[[], float] = boottime) -> BusWork:
    """Put plan, bus and sensors together as the settings say. Raises ``SettingsError``."""
    at, own = settings.bus, settings.devices_folder
    board = load_device(at.relay.device, own)
    if board.coils is None:
        raise SettingsError(f"bus.relay.device {board.id} has no coils; name a relay board")
    zones = {z.id: (z.coil, float(z.max_run_seconds)) for z in settings.zones().values()}
    flows = {z.id: z.flow_l_per_min for z in settings.zones().values()}
    highest = max([at.pump_coil, at.main_coil, *(coil for coil, _ in zones.values())])
    if highest >= board.coils.count:
        raise SettingsError(
            f"coil {highest} is used, but {board.id} has coils 0 to {board.coils.count - 1}"
        )
    if at.siren_coil is not None and at.siren_coil >= board.coils.count:
        raise SettingsError(f"bus.siren_coil {at.siren_coil} is no coil of {board.id}")
    alarms = Alarms()
    layout = Layout(
        zones,
        at.pump_coil,
        at.main_coil,
        board.coils.count,
        auto_off=board.pulse is not None,
        has_meter=at.meter is not None,
        siren=at.siren_coil,
        switches=_switches(settings),
        care=Care(
            at.pump_delay_seconds,
            at.pump_rest_seconds,
            at.valve_rest_seconds,
            {z.id: float(z.max_day_seconds) for z in settings.zones().values()},
            {zone: flow for zone, flow in flows.items() if flow is not None},
            at.pump_l_per_min,
            at.zones_at_once,
            {
                z.id: tuple((w.hours * 3600.0, w.seconds) for w in z.windows)
                for z in settings.zones().values()
            },
        ),
    )
    return BusWork(
        Bus.at(at, clock),
        Relay(at.relay.unit, board.coils, board.pulse),
        [
            Sensor(role, device.unit, load_device(device.device, own), every_seconds)
            for role, device, every_seconds in (
                ("meter", at.meter, METER_SECONDS),
                ("tank", at.tank, TANK_SECONDS),
                *_mains_meters(at),
            )
            if device is not None
        ]
        + _inputs(at, own),
        Plan(layout, at.lease_seconds, alarms, clock()),
        alarms,
        clock,
    )


def _mains_meters(bus: BusSettings) -> list[tuple[str, DeviceSettings, float]]:
    meters = () if bus.mains is None else bus.mains.meters
    return [
        (f"mains.{n}" if n > 1 else "mains", meter, MAINS_SECONDS)
        for n, meter in enumerate(meters, 1)
    ]


def _supply(bus: BusSettings) -> tuple[TankWatch, MainsWatch | None]:
    mains = bus.mains
    return TankWatch(bus.tank_lowest_percent), None if mains is None else MainsWatch(
        Limits(
            mains.low_volts,
            mains.high_volts,
            mains.most_apart_percent,
            mains.back_seconds,
            mains.silence_is_outage,
        )
    )


def _inputs(bus: BusSettings, own: Path) -> list[Sensor]:
    if bus.switches is None:
        return []
    device = load_device(bus.switches.device, own)
    return [Sensor("switches", bus.switches.unit, device, SWITCH_SECONDS, inputs=device.inputs)]


def _switches(settings: GatewaySettings) -> Switches:
    """Which input is what. Raises ``SettingsError`` for one that the device has not."""
    at = settings.bus.switches
    hands = {z.id: z.hand_input for z in settings.zones().values() if z.hand_input is not None}
    if at is None:
        if hands:
            raise SettingsError("zones have a hand_input; bus.switches names no device for it")
        return Switches()
    inputs = load_device(at.device, settings.devices_folder).inputs
    if inputs is None:
        raise SettingsError(f"bus.switches.device {at.device} has no inputs")
    for number in [*hands.values(), *([] if at.stop_input is None else [at.stop_input])]:
        if not 0 <= number < inputs.count:
            raise SettingsError(f"{at.device} has inputs 0 to {inputs.count - 1}, not {number}")
    return Switches(at.stop_input, at.stop_is_closed_at_rest, hands)


class _Connection:
    """One open end of the socket."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self.waiting = b""


class Supervisor:
    """The loop. ``stop`` may be called from a signal handler."""

    def __init__(
        self,
        work: BusWork,
        path: Path,
        clock: Callable[[], float] = boottime,
        probes: Sequence[Probe] = (),
        tank: TankWatch | None = None,
        mains: MainsWatch | None = None,
    ) -> None:
        self.work, self.plan, self.clock = work, work.plan, clock
        self.probes = Probes(work.bus, probes, clock)
        self.desk = Desk(self.plan, work, clock, self.meter_now, self.probes.report)
        self.water = WaterWatch(work.litres_per_count())
        self.tank, self.mains = tank, mains
        self._stopping = False
        self._selector = selectors.DefaultSelector()
        self._wake, woken = socket.socketpair()
        self._wake.setblocking(False)
        woken.setblocking(False)
        self._selector.register(woken, selectors.EVENT_READ)
        self._woken = woken
        self._listener = socketfile.listen(path)
        self._selector.register(self._listener, selectors.EVENT_READ)

    def stop(self) -> None:
        """End the loop soon. It takes no lock, so it may interrupt anything."""
        self._stopping = True
        with contextlib.suppress(OSError):  # told again and again, or after the end
            self._wake.send(b"x")

    def run(self) -> bool:
        """Work until stopped; closes everything before it returns or raises.

        Returns whether every coil was read back as off.
        """
        try:
            pause = 0.0
            while not self._stopping:
                self._listen(pause)
                pause = self._work()
        finally:
            closed = self._close_everything()
        return closed

    def _work(self) -> float:
        """Do what is due on the bus; return how long to wait then."""
        if not self.work.settle(patiently=True):
            return AFTER_FAILURE_SECONDS
        due = self.plan.due(self.clock())
        if self._listen_to_a_sensor(due):
            return SHORTEST_WAIT
        if self.probes.ask(self.plan.due(self.clock())):
            return SHORTEST_WAIT
        return min(max(due, SHORTEST_WAIT), LONGEST_WAIT, self.plan.renew_seconds)

    def _listen_to_a_sensor(self, pause_seconds: float) -> bool:
        """Ask one that is due and do what its answer calls for. Returns whether it answered."""
        sensor = self.work.ask_a_sensor(pause_seconds)
        if sensor is None or sensor.inputs is None:
            self.plan.watch_button(self.clock())
        if self.mains is not None:
            volts, silent_seconds = self.work.phases()
            now = self.clock()
            self.plan.supply("mains", self.mains.look(volts, now, silent_seconds), now)
        if sensor is None:
            return False
        if sensor.inputs is not None:
            self._switched(sensor.switches)
        if "water_total" in sensor.values:
            self._metered(sensor.values["water_total"])
        level = sensor.values.get("tank_level", -1.0)
        if self.tank is not None and sensor.role == "tank" and 0.0 <= level <= 100.0:
            self.plan.supply("tank", self.tank.look(level), self.clock())
        return True

    def _switched(self, switches: tuple[bool, ...]) -> None:
        """Do what the button and the hand-auto switches at the cabinet say."""
        now, at = self.clock(), self.plan.layout.switches
        if at.stop is not None:
            self.plan.emergency(switches[at.stop] is not at.stop_is_closed_at_rest, now)
        for zone, number in at.hands.items():
            self.plan.hand_switch(zone, switches[number], now)

    def meter_now(self) -> None:
        """Read the meter for what was just closed, so that it ends now, with its last litres."""
        meter = self.work.ask_now("meter")
        if meter is not None and "water_total" in meter.values:
            self._metered(meter.values["water_total"])
        else:
            self.plan.end_closed()

    def _metered(self, total: float) -> None:
        now = self.clock()
        plan, alarms = self.plan, self.plan.alarms
        usual = plan.usual()
        verdict = self.water.metered(
            total,
            now,
            plan.coils.pump_since,
            plan.quiet_seconds(now),
            usual,
            by_hand=bool(plan.hands),
        )
        plan.credit(verdict.litres, verdict.since, now)
        plan.metered(total, self.water.flow.step, now)
        flow = verdict.flow
        if flow.wrong is None and flow.steady_l_per_min is not None:
            plan.flowed(flow.steady_l_per_min)
        if verdict.no_flow:
            for zone in plan.cut("no_flow", now):
                log.error("No water flows in %s although it is open; it is closed.", zone)
                alarms.raise_("no_flow", zone, zone=zone)
        elif flow.wrong is not None:
            told = {"flow": round(flow.l_per_min or 0.0, 1), "usual": round(usual.most or 0.0, 1)}
            for zone in plan.cut(flow.wrong, now):
                log.error("%s in %s: %s l/min; it is closed.", flow.wrong, zone, told)
                alarms.raise_(flow.wrong, zone, zone=zone, **told)
        if verdict.leak_l_per_min is not None:
            if alarms.raise_("leak", flow=verdict.leak_l_per_min):
                log.error("Water flows although all valves are closed; every zone is locked.")
                plan.lock(plan.layout.zones)  # once: a person may unlock although it drips
        elif verdict.leak_over:
            alarms.clear("leak")

    # --- the socket ------------------------------------------------------------------------

    def _listen(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            if key.fileobj is self._listener:
                self._accept()
            elif key.fileobj is self._woken:
                self._woken.recv(64)
            else:
                self._hear(key.data)

    def _accept(self) -> None:
        try:
            end, _ = self._listener.accept()
        except OSError:
            return
        end.setblocking(False)
        self._selector.register(end, selectors.EVENT_READ, _Connection(end))

    def _hear(self, connection: _Connection) -> None:
        try:
            heard = connection.end.recv(LONGEST_LINE)
        except BlockingIOError:
            return
        except OSError:
            heard = b""
        connection.waiting += heard
        *lines, connection.waiting = connection.waiting.split(b"\n")
        if not heard or len(connection.waiting) > LONGEST_LINE:
            self._hang_up(connection)
            return
        for line in lines:
            answer = self.desk.line(connection, line)
            try:
                sent = connection.end.send(answer)
            except OSError:
                sent = 0
            if sent < len(answer):  # it asks and does not read: not a colleague
                self._hang_up(connection)
                return

    def _hang_up(self, connection: _Connection) -> None:
        self._selector.unregister(connection.end)
        connection.end.close()
        self.desk.gone(connection)

    # --- the end ---------------------------------------------------------------------------

    def _close_everything(self) -> bool:
        self.desk.is_ending = True
        self.plan.siren.silence(self.plan.alarms)
        # Told to end, it was somebody's wish; else it fell.
        self.plan.stop(None, "stopped" if self._stopping else "restarted", self.clock())
        until = self.clock() + self.plan.lease_seconds + 1.0
        while self.clock() < until and not self.plan.is_all_closed(self.clock()):
            if not self.work.settle():
                self._selector.select(AFTER_FAILURE_SECONDS)
        self.plan.tick(self.clock())
        self.meter_now()
        self._tell_the_ends()
        for key in list(self._selector.get_map().values()):
            self._selector.unregister(key.fileobj)
            key.fileobj.close()  # type: ignore[union-attr]
        self._wake.close()
        self._selector.close()
        self.work.bus.close()
        return self.plan.is_read_as_closed(None)

    def _tell_the_ends(self) -> None:
        """Stay a moment for a gateway that has not heard how its runs ended: nobody else knows."""
        until = self.clock() + LAST_WORD_SECONDS
        while self.plan.ended and self.desk.controller is not None and self.clock() < until:
            self._listen(until - self.clock())


def _say_what_is_missing(settings: GatewaySettings) -> None:
    if settings.bus.meter is None:
        log.warning(
            "No meter in the settings (bus.meter): litres are not counted and recorded as unknown,"
            " and neither a leak nor a run without flow is noticed."
        )
    if settings.bus.tank is None:
        log.warning(
            "No tank sensor in the settings (bus.tank): its level is unknown, so zones water only"
            " when a person asks, not by their moisture band."
        )


def _sensors(settings: GatewaySettings) -> list[Probe]:
    """The sensors on the valves' line. A wrong file of one keeps no valve from being closed."""
    try:
        return probes_of(settings, "bus")
    except SettingsError as error:
        log.error("No sensor on the valves' line is asked. %s", error)
        return []


def run(settings_file: Path) -> int:
    """Supervise the valves until SIGTERM or SIGINT. Returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        settings = load(settings_file)
        work = build(settings)
        path = settings.valves_socket
        with socketfile.hold(path):
            tank, mains = _supply(settings.bus)
            supervisor = Supervisor(work, path, probes=_sensors(settings), tank=tank, mains=mains)

            def hear(number: int, frame: FrameType | None) -> None:
                supervisor.stop()

            signal.signal(signal.SIGTERM, hear)
            signal.signal(signal.SIGINT, hear)
            log.info(
                "Supervising %d zones on the bus at %s; closing everything first.",
                len(settings.zones()),
                settings.bus.where,
            )
            _say_what_is_missing(settings)
            closed = supervisor.run()
            path.unlink(missing_ok=True)
    except (GatewayError, OSError) as error:
        print(f"The valve supervisor cannot run. {error}", file=sys.stderr)
        return 1
    if closed:
        log.info("Ended; every coil was read back as off.")
    else:
        log.warning("Ended while the relay board was silent; open valves lapse by themselves.")
    return 0
