"""A week of each way of watering on the simulated farm, drawn: ``docs/pictures/water-week.svg``.

The rules are the gateway's own, the litres those of the farm's model: what its beds have had, what
the plants drank, what ran through. The same bed, weather and tank for each. Without ``--out`` it
prints the figures only.
"""

import argparse
import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from nongso.gateway.irrigation import zone as zones
from nongso.gateway.irrigation.facts import (
    Balance,
    Band,
    Known,
    Limits,
    Ran,
    Schedule,
    Slot,
    Zone,
)
from nongso.gateway.irrigation.gate import Wish, refusal
from nongso.gateway.proposals import proposed
from nongso.gateway.simulated.greenhouse import FIELD_CAPACITY, WILTING
from nongso.gateway.simulated.model import FarmModel
from nongso.gateway.simulated.settings import COILS, FarmSettings, House, Node
from nongso.gateway.simulated.settings import Zone as Area
from nongso.wire import marks, reasons
from nongso.wire.payload import Reading

HERE = datetime.timezone(datetime.timedelta(hours=7))
BEGIN = int(datetime.datetime(2026, 10, 5, tzinfo=HERE).timestamp())  # a Monday
DAYS = 7
AREA_M2, FLOW_L_PER_MIN = 240.0, 80.0
TANK_LITRES, STREAM_L_PER_MIN = 6000.0, 0.4  # a stream in the dry season
TICK, SAMPLE, WATERING_STEP = 120, 600, 20
EVERY_DAY = tuple(range(7))
# Below, the model's plants drink with effort (p = 0.4); above, water runs through.
DRY = 100.0 * (WILTING + 0.6 * (FIELD_CAPACITY - WILTING))
WET = 100.0 * FIELD_CAPACITY
NODE = Node("tb-01", "0000000000000001", "tan-binh-1", "k1", 0, 1)
PLANTS = Balance("ca-chua", "2026-08-01", "nhieu-mun", FLOW_L_PER_MIN)
ZONE = Zone(
    "k1",
    Limits(3600, 4 * 3600),
    band=Band(40.0, 50.0, 300, 1800),
    schedule=Schedule(tuple(Slot(EVERY_DAY, at, 600) for at in ("05:30", "16:00"))),
    balance=PLANTS,
    area_m2=AREA_M2,
    is_armed=True,
)
PERSON = {"manual": (2, 1200), "advice": (1, 0)}  # every so many days at 16:00, so many seconds
NAMES = {
    "off": ("off", "nobody waters"),
    "manual": ("by hand", "20 minutes every other day at 16:00"),
    "schedule": ("by the clock", "10 minutes at 05:30 and at 16:00"),
    "band": ("moisture band", "below 40 % in pulses of 5 minutes up to 50 %"),
    "advice": ("advice only", "a person does at 16:00 what the advice says"),
    "balance": ("water balance", "tomato 65 days old, bed with much compost"),
}


@dataclass
class Week:
    """What a week has brought."""

    mode: str
    water_percent: list[float] = field(default_factory=list)  # of the root zone, each tick
    runs: list[tuple[float, float]] = field(default_factory=list)  # hour since the beginning, l
    litres: float = 0.0
    used_litres: float = 0.0
    drained_litres: float = 0.0
    dry_hours: float = 0.0
    wet_hours: float = 0.0
    stress_days: int = 0
    refusals: int = 0
    reckoned_mm: float | None = None
    true_mm: float = 0.0


def farm() -> FarmModel:
    """A farm of one zone, a little below field capacity."""
    area = Area("k1", 0, AREA_M2)
    house = House("tan-binh-1", "tan-binh", 500.0, (area,))
    here = Path()
    settings = FarmSettings(
        *(1, 1.0, 22.33, 103.66, "", 0, "", 0, here, here, (house,), (NODE,), 7, 6),
        *(None, TANK_LITRES, STREAM_L_PER_MIN, 0),
    )
    model = FarmModel(settings, BEGIN - 86400)
    model.advance(86400)  # the air finds its balance
    bed = model.bed("k1")
    bed.upper, bed.lower = 0.50 * 80.0, 0.50 * 170.0
    bed.irrigated = bed.used = bed.drained = 0.0
    return model


class Gateway:
    """The gateway's rules on the model; the farm's time is the only clock."""

    def __init__(self, model: FarmModel, zone: Zone) -> None:
        self.model, self.zone = model, zone
        self.ran: list[tuple[float, float]] = []
        self.readings: dict[str, Reading] = {}
        self.refused = ""
        self.refusals = 0
        self.sample()

    def sample(self) -> None:
        """A node measures."""
        truth, at = self.model.truth(NODE), int(self.model.at)
        for name in ("air_temperature", "air_humidity", "light", "soil_moisture"):
            self.readings[name] = Reading(name, at, round(truth[name], 1), marks.SIMULATED)

    def known(self) -> Known:
        """What the rules may look at."""
        now = self.model.at
        tank = Reading("tank_level", int(now), self.model.water.tank_percent, marks.SIMULATED)
        return Known(
            now,
            moisture=(self.readings["soil_moisture"],),
            tank=tank,
            ran=tuple(Ran(now - at, s) for at, s in self.ran if now - at < 2 * 86400),
            celsius=(self.readings["air_temperature"],),
            humidity=(self.readings["air_humidity"],),
            light=(self.readings["light"],),
            delivered_litres=self.model.water.total_litres,
            slots=proposed(self.zone.schedule, now) if self.zone.schedule else (),
        )

    def look(self) -> None:
        """Let the rules decide, and do it."""
        decision = zones.look(self.zone, self.known())
        self.zone = decision.zone
        self.note(decision.reason.code)
        if decision.run_seconds is not None:
            self.water(decision.run_seconds)

    def wish(self, seconds: int) -> None:
        """A person presses."""
        refused = refusal(Wish(seconds), self.zone, self.known())
        self.note(refused.code if refused else "wished")
        if refused is None:
            self.water(seconds)

    def note(self, code: str) -> None:
        """Count a refusal once, however long it lasts. A zone that is off refuses nobody."""
        if code in reasons.REFUSED and code not in (self.refused, "zone_off"):
            self.refusals += 1
        self.refused = code if code in reasons.REFUSED else ""

    def water(self, seconds: int) -> None:
        """Open, and close again."""
        coils = [False] * COILS
        coils[0] = coils[6] = coils[7] = True
        for done in range(0, seconds, WATERING_STEP):
            self.model.advance(min(WATERING_STEP, seconds - done), coils)
        self.model.advance(WATERING_STEP)
        self.ran.append((self.model.at, seconds))


def simulate(mode: str, days: int = DAYS) -> Week:
    """Let a week pass."""
    model = farm()
    gateway = Gateway(model, replace(ZONE, mode=mode))
    week, bed = Week(mode), model.bed("k1")
    dry_days = set()
    while model.at < BEGIN + days * 86400:
        before = bed.irrigated
        if int(model.at) % SAMPLE < TICK:
            gateway.sample()
        press(gateway)
        gateway.look()
        if bed.irrigated > before:
            week.runs.append(((model.at - BEGIN) / 3600, bed.irrigated - before))
        model.advance(TICK - model.at % TICK)
        percent = bed.root_zone_percent
        week.water_percent.append(percent)
        week.dry_hours += TICK / 3600 if percent < DRY else 0
        week.wet_hours += TICK / 3600 if percent > WET else 0
        if percent < DRY:
            dry_days.add(int(model.at - BEGIN) // 86400)
    week.litres, week.used_litres, week.drained_litres = bed.irrigated, bed.used, bed.drained
    week.stress_days, week.refusals = len(dry_days), gateway.refusals
    if gateway.zone.bed is not None:
        week.reckoned_mm = gateway.zone.bed.missing_mm
    week.true_mm = (FIELD_CAPACITY * 250.0 - bed.upper - bed.lower) * 0.4
    return week


def press(gateway: Gateway) -> None:
    """What a person does at 16:00 where the way of watering needs one."""
    mode, at = gateway.zone.mode, int(gateway.model.at)
    if mode not in PERSON or (at - BEGIN) % 86400 // TICK != 16 * 3600 // TICK:
        return
    every_days, seconds = PERSON[mode]
    if mode == "advice":
        seconds = int(zones.look(gateway.zone, gateway.known()).reason.values.get("seconds", 0))
    if seconds and (at - BEGIN) // 86400 % every_days == 0:
        gateway.wish(seconds)


WIDTH, ROW, LEFT, PLOT = 1000, 118, 16, 600
LOW, HIGH = 20.0, 60.0


def drawn(weeks: list[Week]) -> str:
    """The picture: a row a way of watering, and its figures."""
    height = 74 + ROW * len(weeks) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="13" fill="#1c2b23">',
        "<title>One week on the simulated farm, watered in six ways</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fbfaf6"/>',
        '<text x="16" y="26" font-size="18" font-weight="bold">'
        "One week in October, watered in six ways</text>",
        '<text x="16" y="46" fill="#56655c">Simulated greenhouse, 240 m², tank of 6,000 l, small '
        f"stream. Line: water in the root zone, {LOW:.0f} to {HIGH:.0f} %. Pale: from thirst "
        f"({DRY:.0f} %) to full ({WET:.0f} %). Bars: litres of a run.</text>",
        '<g font-weight="bold" text-anchor="end">',
        *(f'<text x="{x}" y="66">{words}</text>' for x, words in zip(COLUMNS, HEADS, strict=True)),
        "</g>",
    ]
    for n, week in enumerate(weeks):
        parts += _row(week, 74 + n * ROW)
    parts += [
        f'<text x="16" y="{height - 12}" fill="#56655c">Hours out of the pale band: thirsty + too '
        "wet. Lost: litres that ran through below the roots. Refused: how often the gate said no "
        "to a wish for water.</text>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


COLUMNS = (680, 740, 835, 910, 980)
HEADS = ("litres", "lost", "thirsty days", "hours out", "refused")


def _row(week: Week, top: int) -> Iterator[str]:
    bottom, tall = top + ROW - 18, ROW - 50
    name, how = NAMES[week.mode]

    def y(percent: float) -> float:
        return bottom - (percent - LOW) / (HIGH - LOW) * tall

    def x(hours: float) -> float:
        return LEFT + hours / (24 * DAYS) * PLOT

    yield f'<text x="{LEFT}" y="{top + 22}"><tspan font-weight="bold">{name}</tspan>: {how}</text>'
    yield (
        f'<rect x="{LEFT}" y="{y(WET):.1f}" width="{PLOT}" height="{y(DRY) - y(WET):.1f}" '
        'fill="#dcebdc"/>'
    )
    for day in range(DAYS + 1):
        yield (
            f'<path d="M{x(24 * day):.1f} {bottom - tall}V{bottom}" stroke="#c9cfc8" fill="none"/>'
        )
    for hours, litres in week.runs:
        yield (
            f'<rect x="{x(hours) - 1:.1f}" y="{bottom - litres / 100:.1f}" width="2.5" '
            f'height="{litres / 100:.1f}" fill="#2f7fb5"/>'
        )
    hourly = week.water_percent[29::30]
    line = " ".join(f"{x(n + 1):.1f},{y(percent):.1f}" for n, percent in enumerate(hourly))
    yield f'<polyline points="{line}" fill="none" stroke="#2c6e49" stroke-width="2"/>'
    figures = (
        f"{week.litres:,.0f}",
        f"{week.drained_litres:,.0f}",
        f"{week.stress_days}",
        f"{week.dry_hours:.0f} + {week.wet_hours:.0f}",
        f"{week.refusals}",
    )
    for at, words in zip(COLUMNS, figures, strict=True):
        yield f'<text x="{at}" y="{bottom - tall / 2 + 4:.0f}" text-anchor="end">{words}</text>'


def main() -> None:
    """Simulate, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="write the picture here")
    out = parser.parse_args().out
    weeks = [simulate(mode) for mode in NAMES]
    for week in weeks:
        reckoned = "" if week.reckoned_mm is None else f"; {week.reckoned_mm:.1f} mm reckoned"
        print(
            f"{NAMES[week.mode][0]:14} {week.litres:7.0f} l in {len(week.runs):3} runs, plants "
            f"{week.used_litres:6.0f} l, lost {week.drained_litres:5.0f} l, thirsty "
            f"{week.stress_days} days {week.dry_hours:5.1f} h, too wet {week.wet_hours:5.1f} h, "
            f"refused {week.refusals}; missing {week.true_mm:.1f} mm{reckoned}"
        )
    if out is not None:
        out.write_text(drawn(weeks), "utf-8")


if __name__ == "__main__":
    main()
