"""A relay board, its pipes and its bus with the clock turned by hand, for the supervisor's rules.

The board does what the real one does: a pulse ends by itself, a plain write stays on.
Faults are switches: bus cut, coil welded, board restarted, valve without flow.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from nongso.gateway.fieldbus import BusUnreachable, NoAnswer, UnitRefused, UnitResting
from nongso.gateway.registers import Coils, Device, Inputs, Pulse
from nongso.gateway.valves.alarms import Alarms
from nongso.gateway.valves.bus import BusWork, Relay, Sensor
from nongso.gateway.valves.desk import Desk
from nongso.gateway.valves.plan import Care, Layout, Plan, Switches
from nongso.gateway.valves.supervisor import Supervisor
from nongso.gateway.valves.supply import Limits, MainsWatch, TankWatch
from nongso.gateway.valves.water import WaterWatch

ZONES = {"k1": (0, 600.0), "k2": (1, 600.0), "k3": (2, 30.0)}
PUMP, MAIN = 7, 6
METER_UNIT, TANK_UNIT, POWER_UNIT = 2, 3, 5
LEASE = 4.0
LITRES_A_SECOND = 0.2
NO_CARE = Care()
NO_SWITCHES = Switches()


class Clock:
    """A clock turned by hand."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass
class Board:
    """Eight relays with auto-off, and the pipes behind them."""

    clock: Clock
    on: list[bool] = field(default_factory=lambda: [False] * 8)
    ends: dict[int, float] = field(default_factory=dict)
    welded: set[int] = field(default_factory=set)
    dead_coils: set[int] = field(default_factory=set)
    edges: list[tuple[float, int, bool]] = field(default_factory=list)
    is_cut: bool = False
    echoes_get_lost: bool = False
    has_water: bool = True
    leaks_l_per_s: float = 0.0
    flow_l_per_s: float = LITRES_A_SECOND
    falls: float = 0.0  # share of it that flows by its own weight, without the pump
    stuck_open: set[int] = field(default_factory=set)  # valves, whatever their coils are
    inputs: list[bool] = field(default_factory=lambda: [True, False, False, False])
    tank_percent: float = 80.0
    volts: tuple[float, ...] = (230.0,)
    refuses: set[int] = field(default_factory=set)  # coils that it answers an exception for
    litres: float = 0.0
    asked: int = 0
    offs: list[tuple[float, int]] = field(default_factory=list)

    def set(self, coil: int, on: bool) -> None:
        on = (on and coil not in self.dead_coils) or coil in self.welded
        if self.on[coil] != on:
            self.on[coil] = on
            self.edges.append((self.clock.now, coil, on))

    def turn(self, seconds: float) -> None:
        """Let time pass for the board and the water."""
        self.clock.now += seconds
        for coil, end in list(self.ends.items()):
            if end <= self.clock.now + 1e-9:
                del self.ends[coil]
                self.set(coil, False)
        if self.has_water and self.on[MAIN] and (any(self.on[:6]) or self.stuck_open):
            self.litres += self.flow_l_per_s * (1.0 if self.on[PUMP] else self.falls) * seconds
        self.litres += self.leaks_l_per_s * seconds

    def restart(self) -> None:
        """The board loses its power for a moment."""
        self.ends.clear()
        for coil in range(8):
            self.set(coil, False)


class Cable:
    """Stands in the place of ``fieldbus.Bus`` and leads to the board."""

    timeout_seconds = 0.3

    def __init__(self, board: Board) -> None:
        self.board = board
        self.meter_is_dead = False
        self.latency = 0.0  # that each question takes
        self.metered_at: list[float] = []
        self.switches_are_dead = False
        self.switches_rest_until = 0.0

    def _ask(self) -> None:
        self.board.asked += 1
        if self.latency:
            self.board.turn(self.latency)
        if self.board.is_cut:
            self.board.turn(0.3)  # a time-out takes its time
            raise BusUnreachable("board", 502)

    def _answer(self) -> None:
        if self.board.echoes_get_lost:
            self.board.turn(0.3)
            raise NoAnswer(1, "the echo was lost")

    def read_coils(self, unit: int, coils: Coils) -> tuple[bool, ...]:
        self._ask()
        self._answer()
        return tuple(self.board.on)

    def coil_off(self, unit: int, coils: Coils, coil: int) -> None:
        self._ask()
        self.board.offs.append((self.board.clock.now, coil))
        self.board.ends.pop(coil, None)
        self.board.set(coil, False)
        self._answer()

    def coil_pulse(self, unit: int, pulse: Pulse, coil: int, seconds: float) -> None:
        self._ask()
        if coil in self.board.refuses:
            raise UnitRefused(unit, 4)
        self.board.ends[coil] = self.board.clock.now + max(1, round(seconds / 0.1)) * 0.1
        self.board.set(coil, True)
        self._answer()

    def quantities(self, unit: int, device: Device) -> dict[str, float]:
        self._ask()
        if unit == METER_UNIT:
            self.metered_at.append(self.board.clock.now)
        if self.meter_is_dead and unit == METER_UNIT:
            self.board.turn(0.3)
            raise NoAnswer(unit, "no answer")
        if unit == POWER_UNIT:
            if not self.board.volts:
                self.board.turn(0.3)
                raise NoAnswer(unit, "it has no power itself")
            names = ("voltage", "voltage.2", "voltage.3")
            return dict(zip(names, self.board.volts, strict=False))
        if unit == TANK_UNIT:
            return {"tank_level": self.board.tank_percent}
        return {"water_total": self.board.litres, "water_flow": 0.0}

    def read_inputs(self, unit: int, inputs: Inputs, urgent: bool = False) -> tuple[bool, ...]:
        rest_seconds = self.switches_rest_until - self.board.clock.now
        if rest_seconds > 0:
            raise UnitResting(unit, rest_seconds)
        self._ask()
        if self.switches_are_dead:
            self.board.turn(0.3)
            self.switches_rest_until = self.board.clock.now + 30.0
            raise NoAnswer(unit, "no answer")
        return tuple(self.board.inputs)

    def wake_all(self) -> None:
        self.switches_rest_until = 0.0

    def wake(self, unit: int) -> None:
        self.switches_rest_until = 0.0

    def close(self) -> None: ...


class Rig:
    """Supervisor parts on a board, all on one clock: the loop of ``supervisor.py`` by hand."""

    _metered, meter_now = Supervisor._metered, Supervisor.meter_now
    _switched, _listen = Supervisor._switched, Supervisor._listen_to_a_sensor

    def __init__(
        self,
        left_on: Iterable[int] = (),
        auto_off: bool = True,
        care: Care = NO_CARE,
        siren: int | None = None,
        switches: Switches = NO_SWITCHES,
        lowest_percent: float | None = None,
        power: Limits | None = None,
        lease: float = LEASE,
    ) -> None:
        self.care, self.lease = care, lease
        self.lowest_percent, self.power = lowest_percent, power
        self.siren, self.switches = siren, switches
        self.clock = Clock()
        self.board = Board(self.clock)
        for coil in left_on:
            self.board.set(coil, True)
        self.cable = Cable(self.board)
        self.auto_off = auto_off
        self.is_frozen = False
        self.start()

    def start(self) -> None:
        """A new supervisor process; the board is as it was."""
        alarms = Alarms()
        layout = Layout(
            ZONES, PUMP, MAIN, 8, self.auto_off, self.siren, self.switches, care=self.care
        )
        self.plan = Plan(layout, self.lease, alarms, self.clock())
        self.work = BusWork(
            self.cable,  # type: ignore[arg-type]
            Relay(1, Coils(1, 5, 0, 8), Pulse(5, 0x200, 0.1, 0x7FFF)),
            self.sensors(),
            self.plan,
            alarms,
            self.clock,
        )
        self.desk = Desk(self.plan, self.work, self.clock, lambda: self.meter_now())  # type: ignore[misc]
        self.water = WaterWatch()
        self.tank = None if self.lowest_percent is None else TankWatch(self.lowest_percent)
        self.mains = None if self.power is None else MainsWatch(self.power)

    def sensors(self) -> list[Sensor]:
        found = [Sensor("meter", 2, Device("m", "m"), 1.0)]
        if self.lowest_percent is not None:
            found.append(Sensor("tank", 3, Device("t", "t"), 5.0))
        if self.power is not None:
            found.append(Sensor("mains", 5, Device("e", "e"), 1.0))
        if self.switches != NO_SWITCHES:
            inputs = Inputs(2, 0, 4)
            found.append(Sensor("switches", 4, Device("s", "s"), 0.5, inputs))
        return found

    def ask(self, who: object = "gateway", **request: object) -> dict[str, object]:
        """One request and its answer, through the same lines as over the socket."""
        import json

        answer: dict[str, object] = json.loads(self.desk.line(who, json.dumps(request).encode()))
        return answer

    def loop(self) -> None:
        """One turn of the supervisor's loop."""
        if self.is_frozen or not self.work.settle():
            return
        self._listen(1.0)  # type: ignore[misc]

    def turn(self, seconds: float, step: float = 0.05) -> None:
        """Let time pass, with the supervisor at work."""
        for _ in range(round(seconds / step)):
            self.board.turn(step)
            self.loop()

    def is_open(self, zone: str) -> bool:
        return self.board.on[ZONES[zone][0]]
