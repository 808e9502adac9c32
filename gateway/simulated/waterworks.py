"""The farm's water: a tank that a stream fills slowly, pump, main valve, meter, zone valves.

Water moves only while the pump runs, the main valve and a zone valve are open at least in part
and the tank holds water; a leak before the main valve needs none of them but the water. Valves
are motor-driven: they travel, so water begins and ends a few seconds after the coil. Litres are
booked once: what leaves the tank is what the meter counts and what the beds get, or the ground
at a leak. Pure: coils in, litres out; no clock, no files.

Not handled: pressure waves, air in the pipe, a valve that is stuck half-way by itself.
"""

from dataclasses import dataclass, field

from nongso.gateway.simulated.faults import NONE, Faults

TRAVEL_SECONDS = 3.0
PUMP_START_SECONDS = 1.0
ZONE_L_PER_MIN_M2 = 20.0 / 60.0  # drip line: 20 l an hour and m² of zone
PUMP_L_PER_MIN = 240.0
BURST_L_PER_MIN = 100.0  # what a burst pipe takes beside the beds, if the pump gives as much
LEAK_L_PER_MIN = 3.0
PUMP_WATTS = 1100.0  # 240 l a minute, 15 m high, at 55 %
IDLE_WATTS = 350.0  # turning without water
MAINS_VOLTS, DROP_VOLTS, BAD_VOLTS = 229.0, 6.0, 160.0
LOW_PERCENT = 3.0


def _travel(place: float, open_: bool, seconds: float, whole: float) -> tuple[float, float]:
    """Move something that takes ``whole`` seconds end to end: its new place and its mean one."""
    goal = 1.0 if open_ else 0.0
    way = abs(goal - place)
    needed = way * whole
    if needed >= seconds:
        moved = seconds / whole
        new = place + moved if open_ else place - moved
        return new, (place + new) / 2.0
    mean = ((place + goal) / 2.0 * needed + goal * (seconds - needed)) / seconds
    return goal, mean


@dataclass(slots=True)
class Waterworks:
    """State of tank, pump and valves. ``valves`` maps a zone to its opening 0..1."""

    tank_litres: float
    capacity_litres: float
    stream_l_per_min: float
    zones_m2: dict[str, float]
    coils: dict[str, int]
    pump_coil: int
    main_coil: int
    valves: dict[str, float] = field(default_factory=dict)
    main: float = 0.0
    pump: float = 0.0
    total_litres: float = 0.0  # of the meter
    refilled_litres: float = 0.0
    lost_litres: float = 0.0  # at a leak or a burst pipe
    flow_l_per_min: float = 0.0
    energy_wh: float = 0.0  # of the pump's meter
    pump_watts: float = 0.0
    faults: Faults = NONE

    @property
    def tank_percent(self) -> float:
        share = 100.0 * self.tank_litres / self.capacity_litres
        return min(share, LOW_PERCENT) if self.faults.has("low_tank") else share

    @property
    def volts(self) -> float:
        """Of the pump's mains."""
        if self.faults.has("bad_mains"):
            return BAD_VOLTS
        return MAINS_VOLTS - DROP_VOLTS * self.pump

    def step(self, seconds: float, coils: list[bool]) -> dict[str, float]:
        """Go on by ``seconds`` with these coils; returns the litres that each zone got.

        A hand-auto switch that is turned to hand puts valve, main valve and pump under power
        whatever their coils are.
        """
        by_hand = self.faults.at("hand_switch")
        if by_hand:
            coils = [
                on or coil in (self.pump_coil, self.main_coil) for coil, on in enumerate(coils)
            ]
        self.pump, pump = _travel(self.pump, coils[self.pump_coil], seconds, PUMP_START_SECONDS)
        self.main, main = _travel(self.main, coils[self.main_coil], seconds, TRAVEL_SECONDS)
        wish: dict[str, float] = {}
        for zone, area in self.zones_m2.items():
            is_open = coils[self.coils[zone]] or zone in by_hand
            if self.faults.has("stuck_open", zone):
                is_open = True
            elif self.faults.has("stuck_closed", zone):
                is_open = False
            place = self.valves.get(zone, 0.0)
            if place == 0.0 and not is_open:
                continue
            self.valves[zone], mean = _travel(place, is_open, seconds, TRAVEL_SECONDS)
            wish[zone] = mean * area * ZONE_L_PER_MIN_M2
        room = self.capacity_litres - self.tank_litres
        refill = min(self.stream_l_per_min * seconds / 60.0, room)
        self.tank_litres += refill
        self.refilled_litres += refill
        burst = BURST_L_PER_MIN if self.faults.has("burst_pipe") else 0.0
        wished = sum(wish.values()) + burst
        moves = 0.0 if self.faults.has("dry_pump") else pump
        rate = min(wished, PUMP_L_PER_MIN) * moves * main
        load = min(1.0, rate / PUMP_L_PER_MIN)
        self.pump_watts = pump * (IDLE_WATTS + (PUMP_WATTS - IDLE_WATTS) * load)
        self.energy_wh += self.pump_watts * seconds / 3600.0
        leak = LEAK_L_PER_MIN if self.faults.has("leak") else 0.0
        litres = min((rate + leak) * seconds / 60.0, self.tank_litres)
        if litres <= 0.0:
            self.flow_l_per_min = 0.0
            return {}
        self.tank_litres -= litres
        self.total_litres += litres
        self.flow_l_per_min = litres * 60.0 / seconds
        behind_main = litres * rate / (rate + leak)
        got = {zone: behind_main * part / wished for zone, part in wish.items()} if rate else {}
        if burst or leak:
            self.lost_litres += litres - sum(got.values())
        return got
