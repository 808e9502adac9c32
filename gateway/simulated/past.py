"""The past of a simulated farm: the same model run back-dated, packed as the nodes' messages.

The same settings and window give the same bytes, boot numbers and sequence numbers, whenever it
runs: sending the past twice changes nothing at the gateway. A sample every ten minutes, three
hours of samples in a message. Two silences lie in it, as in any real record: an afternoon at one
node, a night at another; pages must show them as gaps.

How the farm was watered then: a zone with a band by that band, as today, from what its probe
read; the others by people, each morning at six, six minutes where the probe read less than 48 %.
One zone at a time, if the tank was at least a quarter full; through the same pump, valves and
tank as today. Pure: no clock, no files, no network.
"""

import math
from dataclasses import dataclass, replace
from zlib import crc32

from nongso.gateway.simulated.climate import hashed
from nongso.gateway.simulated.model import ALL_OFF, FarmModel
from nongso.gateway.simulated.settings import Band, FarmSettings, Node, Zone
from nongso.wire import payload
from nongso.wire.metrics import METRICS

SAMPLE_SECONDS = 600
SAMPLES_IN_MESSAGE = 18
BY = "mô phỏng"  # the person who waters a simulated farm
DRY_PERCENT = 48.0  # for people: about where the reckoning of a bed with compost advises water
RUN_SECONDS = 360.0  # of theirs
_TANK_PERCENT = 25.0
_SETTLE_SECONDS = 2 * 86400  # before the first sample, so that floor and air are settled
_ICT_SECONDS = 7 * 3600  # Indochina time, without summer time
_WATERING_HOUR = 6

# How far a reading strays from the truth: half widths, SHT4x and BH1750 data sheets in spirit.
_STRAY = {"air_temperature": 0.08, "air_humidity": 0.4, "soil_moisture": 0.12}
_LIGHT_STRAY = 0.01


@dataclass(frozen=True)
class Message:
    """One message of the past, ready for ``nongso/1/<farm>/<node>/up``."""

    farm: str
    node: str
    boot: int
    seq: int
    base: int
    payload: bytes
    readings: int


@dataclass(frozen=True)
class Watering:
    """One run of one zone in the past; ``code`` and ``values`` are why it began."""

    zone: str
    cause: str
    by: str | None
    code: str
    values: dict[str, float]
    started_at: int
    seconds: float
    litres: float


@dataclass(frozen=True)
class Past:
    """All messages in the order of their time, what was watered, and the farm at the end."""

    messages: list[Message]
    waterings: list[Watering]
    model: FarmModel


def window(now: float, days: int) -> tuple[int, int]:
    """First and last sample of a past that ends at ``now``."""
    end = int(now) // SAMPLE_SECONDS * SAMPLE_SECONDS
    return end - days * 86400, end


def boot_number(seed: int, eui64: str, start: int, end: int) -> int:
    """30 bits that belong to this past of this node."""
    bits = hashed(seed, crc32(eui64.encode()), start, end)
    return int((bits + 1.0) / 2.0 * 0x3FFFFFFF)


def is_silent(settings: FarmSettings, node: str, at: int, start: int) -> bool:
    """Say whether the node sends nothing at ``at``: a flat battery, a pulled plug."""
    day, second = divmod(at + _ICT_SECONDS, 86400)
    since = day - (start + _ICT_SECONDS) // 86400
    hour = second / 3600
    if settings.days < 3:
        return False
    if node == settings.nodes[0].slug and since == settings.days // 3:
        return 13.0 <= hour < 18.4
    if node == settings.nodes[-1].slug:
        night = 2 * settings.days // 3
        return (since == night and hour >= 21.5) or (since == night + 1 and hour < 6.2)
    return False


@dataclass(frozen=True)
class _Wish:
    """A zone whose turn comes, and why."""

    zone: Zone
    cause: str
    code: str
    values: dict[str, float]
    seconds: float


class _Waterer:
    """Who is watered next. One zone at a time, as the pump allows."""

    def __init__(self, model: FarmModel) -> None:
        self.model = model
        self.waiting: list[_Wish] = []
        self.left = 0.0
        self.waterings: list[Watering] = []
        self._wetting: set[str] = set()
        self._ended: dict[str, float] = {}  # when each zone was last watered
        self._began_at = self._total = 0.0  # of the zone that is watered now

    def look(self, read: dict[str, float], is_morning: bool) -> None:
        """Decide for each zone whose probe was ``read``, in percent; elsewhere nobody knew."""
        if self.model.water.tank_percent < _TANK_PERCENT:
            return
        queued = {wish.zone.id for wish in self.waiting}
        for house in self.model.settings.houses:
            for zone in house.zones:
                if zone.id not in read or zone.id in queued:
                    continue
                if zone.band is not None:
                    wish = self._by_band(zone, zone.band, read[zone.id])
                elif is_morning and read[zone.id] < DRY_PERCENT:
                    wish = _Wish(zone, "wished", "wished", {}, RUN_SECONDS)
                else:
                    wish = None
                if wish is not None:
                    self.waiting.append(wish)

    def _by_band(self, zone: Zone, band: Band, moisture: float) -> _Wish | None:
        """The rule of ``nongso.gateway.irrigation.band``, for probes that always speak."""
        if moisture >= (band.high if zone.id in self._wetting else band.low):
            self._wetting.discard(zone.id)
            return None
        if self.model.at - self._ended.get(zone.id, -math.inf) < band.soak_seconds:
            return None
        self._wetting.add(zone.id)
        if moisture < band.low:
            code, values = "soil_dry", {"moisture": moisture, "low": band.low}
        else:
            code, values = "soil_filling", {"moisture": moisture, "high": band.high}
        return _Wish(zone, "band", code, values, band.run_seconds)

    def advance(self, seconds: float) -> None:
        settings = self.model.settings
        while seconds > 0.0:
            if not self.waiting:
                self.model.advance(seconds)
                return
            wish = self.waiting[0]
            if self.left <= 0.0:
                self.left = wish.seconds
                self._began_at, self._total = self.model.at, self.model.water.total_litres
            step = min(seconds, self.left)
            coils = list(ALL_OFF)
            for coil in (wish.zone.coil, settings.main_coil, settings.pump_coil):
                coils[coil] = True
            self.model.advance(step, coils)
            seconds -= step
            self.left -= step
            if self.left <= 0.0:
                self._end(self.waiting.pop(0))

    def close(self) -> None:
        """What runs when the past ends has brought so much."""
        if self.waiting and self.left > 0.0:
            wish = self.waiting.pop(0)
            self._end(replace(wish, seconds=wish.seconds - self.left))

    def _end(self, wish: _Wish) -> None:
        self._ended[wish.zone.id] = self.model.at
        self.waterings.append(
            Watering(
                wish.zone.id,
                wish.cause,
                BY if wish.cause == "wished" else None,
                wish.code,
                wish.values,
                round(self._began_at),
                wish.seconds,
                round(self.model.water.total_litres - self._total, 1),
            )
        )


def _number(name: str, value: float) -> int:
    places: int = METRICS[name].decimals
    return round(value * 10.0**places)


def _node_values(model: FarmModel, node: Node, at: int) -> list[tuple[str, int]]:
    truth = model.truth(node)
    key = crc32(node.eui64.encode())
    values = []
    for channel, name in enumerate(("air_temperature", "air_humidity", "light", "soil_moisture")):
        chance = hashed(key, at, channel)
        stray = truth["light"] * _LIGHT_STRAY if name == "light" else _STRAY[name]
        metric = METRICS[name]
        value = min(metric.high, max(metric.low, truth[name] + stray * chance))
        values.append((name, _number(name, value)))
    return values


def _bus_values(model: FarmModel) -> list[tuple[str, int]]:
    water = model.water
    return [
        ("water_total", _number("water_total", water.total_litres)),
        ("water_flow", _number("water_flow", water.flow_l_per_min)),
        ("tank_level", _number("tank_level", water.tank_percent)),
    ]


Sample = tuple[int, list[tuple[str, int]]]


def live_through(settings: FarmSettings, start: int, end: int) -> Past:
    """Run the farm from ``start`` to ``end`` and write down what its nodes would have sent."""
    model = FarmModel(settings, float(start - _SETTLE_SECONDS))
    waterer = _Waterer(model)
    samples: dict[str, list[Sample]] = {node.slug: [] for node in settings.nodes}
    bus = settings.bus_node
    if bus is not None:
        samples[bus.slug] = []
    at = start - _SETTLE_SECONDS
    while True:
        read: dict[str, float] = {}
        for node in settings.nodes:
            if at >= start and is_silent(settings, node.slug, at, start):
                continue
            values = _node_values(model, node, at)
            read[node.zone] = (
                dict(values)["soil_moisture"] / 10 ** METRICS["soil_moisture"].decimals
            )
            if at >= start:
                samples[node.slug].append((at, values))
        if bus is not None and at >= start:
            samples[bus.slug].append((at, _bus_values(model)))
        if at >= end:
            waterer.close()
            break
        waterer.look(read, (at + _ICT_SECONDS) % 86400 == _WATERING_HOUR * 3600)
        waterer.advance(SAMPLE_SECONDS)
        at += SAMPLE_SECONDS
    messages = []
    for node in settings.nodes:
        farm = settings.house(node.greenhouse).farm
        messages += _pack(settings, farm, node.slug, node.eui64, samples[node.slug], start, end)
    if bus is not None:
        messages += _pack(settings, bus.farm, bus.slug, bus.eui64, samples[bus.slug], start, end)
    messages.sort(key=lambda message: (message.base, message.node))
    waterings = [w for w in waterer.waterings if start <= w.started_at < end]
    return Past(messages, waterings, model)


def _pack(
    settings: FarmSettings,
    farm: str,
    node: str,
    eui64: str,
    samples: list[Sample],
    start: int,
    end: int,
) -> list[Message]:
    boot = boot_number(settings.seed, eui64, start, end)
    messages = []
    for seq, first in enumerate(range(0, len(samples), SAMPLES_IN_MESSAGE), 1):
        group = samples[first : first + SAMPLES_IN_MESSAGE]
        base = group[0][0]
        records: list[tuple[str, int, int | None, str | None]] = [
            (name, at - base, number, None) for at, values in group for name, number in values
        ]
        text = payload.encode(eui64, boot, seq, base, records, simulated=True)
        messages.append(Message(farm, node, boot, seq, base, text, len(records)))
    return messages
