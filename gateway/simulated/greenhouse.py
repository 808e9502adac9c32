"""One film-covered greenhouse: heat, vapour and light inside, and the water in its beds.

How this works. The air is one well-mixed room per m² of floor: it gains what the cover lets
through of the sun, trades heat with the floor (a slow store), the cover and the air that the
openings exchange, and pays for evaporation. Each balance is linear in its own unknown over a
step, so a step takes the exact exponential way to the balance point and is stable at 300 s.

Evapotranspiration is the two-term simplification of Penman-Monteith for greenhouses by
Baille, Baille and Laury (1994): latent heat = A (1 - exp(-k LAI)) S + B LAI D, with S the
radiation inside and D the vapour pressure deficit; A and B are taken from the middle of the
range that was later reported for tomato and cucumber (Katsoulas and Stanghellini 2019 review).
Thirsty plants close their stomata: factor Ks of FAO-56 eq. 84 with p = 0.4.

Drip lines wet two fifths of a zone. Its bed holds two layers: the upper 8 cm, where the
probe sits, and the 17 cm below. Water above field capacity sinks, the rest evens out slowly;
what leaves the lower layer is drainage. The soil is a bed of loam with much compost, hence its
high field capacity. Pure: no clock, no files, no randomness.
"""

from dataclasses import dataclass, field
from math import exp

from nongso.gateway.simulated.climate import (
    LUMENS_PER_WATT,
    Outside,
    saturation_kpa,
    saturation_vapour,
)

COVER_TRANSMISSION = 0.68
HEIGHT_M = 4.0
_COVER_LOSS = 10.0  # W/m²K of floor: single film, 1.5 m² of cover a m² of floor
_FLOOR_EXCHANGE = 5.5  # W/m²K
_FLOOR_STORE = 260e3  # J/m²K, about 13 cm of moist soil
_DEEP_EXCHANGE = 1.5  # W/m²K to the ground below
_AIR_STORE = 28e3  # J/m²K: air, plants, frame
_AIR_HEAT = 1170.0  # J/m³K at 900 m
_LATENT = 2450.0  # J/g
_SUN_TO_AIR, _SUN_TO_FLOOR = 0.66, 0.20  # the rest is reflected back out
_VENT_FROM, _VENT_FULL = 24.0, 30.0  # °C inside
_AIR_FROM_PERCENT = 86.0
_VENT_TRAVEL = 420.0  # s
_LEAK_M_PER_S = 0.0007  # about 0.6 air changes an hour
_CONDENSATION_M_PER_S = 0.0035

_LAI, _EXTINCTION = 2.2, 0.6
_RADIATION_TERM = 0.45
_DEFICIT_TERM = 11.0  # W/m²kPa per unit of leaf area by day
_DEFICIT_TERM_NIGHT = 4.0

BED_SHARE = 0.4  # wetted share under drip lines, FAO-56 table 20
UPPER_MM, LOWER_MM = 80.0, 170.0
SATURATION, FIELD_CAPACITY, WILTING = 0.62, 0.52, 0.20
_STRESS_FROM = 0.4  # p of FAO-56
_SINK_SECONDS = 2.0 * 3600  # upper layer above field capacity
_DRAIN_SECONDS = 8.0 * 3600  # lower layer above field capacity
_EVEN_SECONDS = 14.0 * 3600


def _draw(water_mm: float, depth_mm: float, wish_mm: float) -> float:
    """What roots draw from a layer: less as it dries, nothing at the wilting point."""
    spare = max(0.0, water_mm - WILTING * depth_mm)
    easy = (1.0 - _STRESS_FROM) * (FIELD_CAPACITY - WILTING) * depth_mm
    return min(spare, wish_mm * min(1.0, spare / easy))


@dataclass(slots=True)
class Bed:
    """The soil water of one zone, in mm over the bed, and what went in and out in litres."""

    area_m2: float  # of the zone
    upper: float = 0.45 * UPPER_MM
    lower: float = 0.45 * LOWER_MM
    irrigated: float = 0.0
    used: float = 0.0
    drained: float = 0.0

    @property
    def bed_m2(self) -> float:
        return self.area_m2 * BED_SHARE

    @property
    def moisture_percent(self) -> float:
        """Volumetric water of the upper layer: what a probe beside the drip line sees."""
        return 100.0 * self.upper / UPPER_MM

    @property
    def root_zone_percent(self) -> float:
        """Volumetric water of both layers together."""
        return 100.0 * (self.upper + self.lower) / (UPPER_MM + LOWER_MM)

    @property
    def litres(self) -> float:
        return (self.upper + self.lower) * self.bed_m2

    def step(self, seconds: float, litres: float, wish_mm: float) -> float:
        """Add ``litres``, let plants draw up to ``wish_mm`` (over the zone), let water sink.

        Returns what the plants took, in mm over the zone.
        """
        bed = self.bed_m2
        self.irrigated += litres
        upper, lower = self.upper + litres / bed, self.lower
        from_upper = _draw(upper, UPPER_MM, 0.4 * wish_mm / BED_SHARE)
        from_lower = _draw(lower, LOWER_MM, 0.6 * wish_mm / BED_SHARE)
        upper, lower, taken = upper - from_upper, lower - from_lower, from_upper + from_lower
        above = upper - FIELD_CAPACITY * UPPER_MM
        if above > 0.0:
            sinks = above * (1.0 - exp(-seconds / _SINK_SECONDS))
            upper, lower = upper - sinks, lower + sinks
        even = (upper * LOWER_MM - lower * UPPER_MM) / (UPPER_MM + LOWER_MM)
        even *= 1.0 - exp(-seconds / _EVEN_SECONDS)
        upper, lower = upper - even, lower + even
        if upper > SATURATION * UPPER_MM:
            upper, lower = SATURATION * UPPER_MM, lower + upper - SATURATION * UPPER_MM
        lost = 0.0
        above = lower - FIELD_CAPACITY * LOWER_MM
        if above > 0.0:
            lost = above * (1.0 - exp(-seconds / _DRAIN_SECONDS))
            lost = max(lost, lower - SATURATION * LOWER_MM)
            lower -= lost
        self.upper, self.lower = upper, lower
        self.used += taken * bed
        self.drained += lost * bed
        return taken * BED_SHARE


@dataclass(slots=True)
class Greenhouse:
    """The state of one greenhouse; ``beds`` by zone id. ``area_m2`` is the whole floor."""

    area_m2: float
    beds: dict[str, Bed]
    temperature: float = 18.0
    vapour: float = 12.0  # g/m³
    floor: float = 20.0  # °C
    opening: float = 0.0  # of the vents, 0..1
    radiation: float = 0.0  # W/m² inside
    transpired_mm: float = field(default=0.0)  # since the beginning, over the whole floor

    @property
    def humidity_percent(self) -> float:
        return min(100.0, 100.0 * self.vapour / saturation_vapour(self.temperature))

    @property
    def light_lux(self) -> float:
        return self.radiation * LUMENS_PER_WATT

    def _water_wish(self, seconds: float) -> float:
        """What a well-watered crop would transpire in a step, mm over the floor."""
        deficit = max(
            0.0, saturation_kpa(self.temperature) * (1.0 - self.humidity_percent / 100.0)
        )
        deficit_term = _DEFICIT_TERM if self.radiation > 5.0 else _DEFICIT_TERM_NIGHT
        watts = _RADIATION_TERM * (1.0 - exp(-_EXTINCTION * _LAI)) * self.radiation
        watts += deficit_term * _LAI * deficit
        return watts * seconds / _LATENT / 1000.0

    def step(self, seconds: float, outside: Outside, litres: dict[str, float]) -> None:
        """Go on by ``seconds`` (at most 300) under the given weather and irrigation."""
        self.radiation = sun = COVER_TRANSMISSION * outside.radiation
        wish = self._water_wish(seconds)
        grams = 0.0
        for zone, bed in self.beds.items():
            grams += 1000.0 * bed.area_m2 * bed.step(seconds, litres.get(zone, 0.0), wish)
        grams /= self.area_m2
        self.transpired_mm += grams / 1000.0

        target = (self.temperature - _VENT_FROM) / (_VENT_FULL - _VENT_FROM)
        if sun > 20.0:  # by day people also air a damp house
            target = max(target, (self.humidity_percent - _AIR_FROM_PERCENT) / 40.0)
        target = min(1.0, max(0.0, target))
        self.opening += (target - self.opening) * (1.0 - exp(-seconds / _VENT_TRAVEL))
        exchange = _LEAK_M_PER_S * (0.5 + 0.5 * outside.wind)
        exchange += self.opening * (0.008 + 0.014 * outside.wind)  # m³ per m² floor and second

        latent = grams * _LATENT / seconds
        to_outside = _COVER_LOSS + exchange * _AIR_HEAT
        conductance = to_outside + _FLOOR_EXCHANGE
        # The cold sky at night cools the film below the air (long-wave loss through thin film).
        sky = 30.0 * (1.0 - 0.8 * outside.cloud)
        gain = _SUN_TO_AIR * sun - latent - sky
        balance = (
            gain + to_outside * outside.temperature + _FLOOR_EXCHANGE * self.floor
        ) / conductance
        part = 1.0 - exp(-seconds * conductance / _AIR_STORE)
        before = self.temperature
        self.temperature += (balance - self.temperature) * part

        mean_air = (before + self.temperature) / 2.0
        deep = 20.0
        floor_conductance = _FLOOR_EXCHANGE + _DEEP_EXCHANGE
        floor_balance = (
            _SUN_TO_FLOOR * sun + _FLOOR_EXCHANGE * mean_air + _DEEP_EXCHANGE * deep
        ) / floor_conductance
        self.floor += (floor_balance - self.floor) * (
            1.0 - exp(-seconds * floor_conductance / _FLOOR_STORE)
        )

        film = saturation_vapour((self.temperature + 2.0 * outside.temperature) / 3.0)
        wet = _CONDENSATION_M_PER_S if self.vapour > film else 0.0
        source = grams / seconds
        out = exchange + wet
        vapour_balance = (source + exchange * outside.vapour + wet * film) / out
        self.vapour += (vapour_balance - self.vapour) * (1.0 - exp(-seconds * out / HEIGHT_M))
        self.vapour = min(self.vapour, saturation_vapour(self.temperature))
