"""The whole farm as one steppable model: weather, greenhouses, water; its sensors' truth.

``advance(seconds, coils)`` is all that moves it. The live farm calls it ten times a second, the
history in steps of two minutes; both get the same farm, because the weather is a function of
time and the balances are stable. ``state()`` and ``restore()`` carry it through a restart.
"""

from math import isfinite
from typing import Any
from zlib import crc32

from nongso.gateway.simulated.climate import Outside, Weather, hashed
from nongso.gateway.simulated.faults import NONE, Faults
from nongso.gateway.simulated.greenhouse import LOWER_MM, UPPER_MM, Bed, Greenhouse
from nongso.gateway.simulated.settings import MOST_COILS, TANK_LITRES, FarmSettings, Node
from nongso.gateway.simulated.waterworks import Waterworks

LONGEST_STEP = 120.0
ALL_OFF = (False,) * MOST_COILS
DRIFT_PERCENT_PER_HOUR = 4.0  # of a drifting soil probe: it tells more and more water
_VERSION = 1
_SUM = 1e12  # of litres or millimetres since the beginning: more than any farm will see
# What is saved, with the range outside of which it cannot be ours and the physics would overflow.
_CLIMATE = {
    "temperature": (-60.0, 90.0),
    "vapour": (0.0, 500.0),
    "floor": (-60.0, 90.0),
    "opening": (0.0, 1.0),
    "radiation": (0.0, 2000.0),
    "transpired_mm": (0.0, _SUM),
}
_SOIL = {
    "upper": (0.0, UPPER_MM),
    "lower": (0.0, LOWER_MM),
    "irrigated": (0.0, _SUM),
    "used": (0.0, _SUM),
    "drained": (0.0, _SUM),
}
_WATER = {
    "tank_litres": (0.0, _SUM),
    "main": (0.0, 1.0),
    "pump": (0.0, 1.0),
    "total_litres": (0.0, _SUM),
    "refilled_litres": (0.0, _SUM),
    "energy_wh": (0.0, _SUM),
}


class FarmModel:
    """One farm at one simulated moment ``at`` (Unix seconds)."""

    def __init__(self, settings: FarmSettings, at: float) -> None:
        self.settings = settings
        self.at = at
        self.weather = Weather(settings.seed, settings.latitude, settings.longitude)
        self.outside = self.weather.at(at)
        self.houses: dict[str, Greenhouse] = {}
        zones: dict[str, float] = {}
        for house in settings.houses:
            beds = {zone.id: self._new_bed(zone.id, zone.area_m2) for zone in house.zones}
            self.houses[house.slug] = Greenhouse(
                house.area_m2,
                beds,
                temperature=self.outside.temperature + 1.0,
                vapour=self.outside.vapour,
            )
            zones |= {zone.id: zone.area_m2 for zone in house.zones}
        self.water = Waterworks(
            tank_litres=0.85 * settings.tank_litres,
            capacity_litres=settings.tank_litres,
            stream_l_per_min=settings.stream_l_per_min,
            zones_m2=zones,
            coils={zone.id: zone.coil for house in settings.houses for zone in house.zones},
            pump_coil=settings.pump_coil,
            main_coil=settings.main_coil,
        )

        self.faults = NONE
        self._frozen: dict[str, float] = {}  # station: what its frozen probe tells
        self._drifts_since: dict[str, float] = {}

    def suffer(self, faults: Faults) -> None:
        """From now on these faults are there, and no others."""
        self.faults = self.water.faults = faults
        for told, kind in ((self._frozen, "frozen_probe"), (self._drifts_since, "drifting_probe")):
            for station in told.keys() - faults.at(kind):
                del told[station]
        for node in self.settings.nodes:
            if faults.has("drifting_probe", node.slug):
                self._drifts_since.setdefault(node.slug, self.at)
            if faults.has("frozen_probe", node.slug):
                self._frozen.setdefault(node.slug, self._soil(node))

    def _soil(self, node: Node) -> float:
        """What the soil probe of a station tells, in percent."""
        if node.slug in self._frozen:
            return self._frozen[node.slug]
        bed = self.houses[node.greenhouse].beds[node.zone]
        drifted = self.at - self._drifts_since.get(node.slug, self.at)
        return (
            bed.moisture_percent
            + 1.2 * hashed(crc32(node.eui64.encode()), 3)
            + drifted / 3600.0 * DRIFT_PERCENT_PER_HOUR
        )

    def _new_bed(self, zone: str, area_m2: float) -> Bed:
        part = 0.46 + 0.03 * hashed(self.settings.seed, crc32(zone.encode()))
        bed = Bed(area_m2)
        bed.upper, bed.lower = bed.upper * part / 0.45, bed.lower * part / 0.45
        return bed

    def advance(self, seconds: float, coils: list[bool] | tuple[bool, ...] = ALL_OFF) -> None:
        """Let ``seconds`` pass with these coils switched on."""
        switched = list(coils)
        while seconds > 0.0:
            step = min(seconds, LONGEST_STEP)
            seconds -= step
            self.at += step
            self.outside = outside = self.weather.at(self.at - step / 2.0)
            litres = self.water.step(step, switched)
            for house in self.houses.values():
                house.step(step, outside, litres)

    def bed(self, zone: str) -> Bed:
        """Return the bed of a zone."""
        return next(house.beds[zone] for house in self.houses.values() if zone in house.beds)

    def truth(self, node: Node) -> dict[str, float]:
        """What is true at the place of a node: no corner of a house is like its mean.

        Keys: ``air_temperature`` °C, ``air_humidity`` %, ``light`` lx, ``soil_moisture`` %
        (volumetric), and the probe's counts ``dry`` and ``wet``.
        """
        house = self.houses[node.greenhouse]
        place = crc32(node.eui64.encode())
        warmer = 0.4 * hashed(place, 1) * (1.0 + house.radiation / 300.0)
        shade = 0.94 + 0.06 * hashed(place, 2)
        humidity = house.humidity_percent - 3.0 * warmer + 0.8 * hashed(place, 4)
        return {
            "air_temperature": house.temperature + warmer,
            "air_humidity": min(100.0, max(0.0, humidity)),
            "light": house.light_lux * shade,
            "soil_moisture": min(100.0, max(0.0, self._soil(node))),
            "dry": node.dry,
            "wet": node.wet,
        }

    @property
    def weather_now(self) -> Outside:
        return self.outside

    def state(self) -> dict[str, Any]:
        """Everything that must survive a restart, ready for JSON."""
        return {
            "version": _VERSION,
            "at": self.at,
            "water": {name: getattr(self.water, name) for name in _WATER}
            | {"valves": dict(self.water.valves), "of_litres": self.water.capacity_litres},
            "greenhouses": {
                slug: {name: getattr(house, name) for name in _CLIMATE}
                | {
                    "beds": {
                        zone: {name: getattr(bed, name) for name in _SOIL}
                        for zone, bed in house.beds.items()
                    }
                }
                for slug, house in self.houses.items()
            },
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a saved state; greenhouses and zones that it does not know stay as new.

        Raises ``ValueError`` when it is not a state of ours.
        """
        try:
            if state["version"] != _VERSION:
                raise ValueError(f"version {state['version']} is not {_VERSION}")
            at = _number(state, "at", (0.0, _SUM))
            _take(self.water, _WATER, {"energy_wh": 0.0} | state["water"])
            was_of = _number(
                {"of_litres": TANK_LITRES} | state["water"], "of_litres", (1e-9, _SUM)
            )
            # Started anew at another speed the tank has another size, and is as full as it was.
            share = min(1.0, self.water.tank_litres / was_of)
            self.water.tank_litres = share * self.water.capacity_litres
            self.water.valves = {
                zone: _number(state["water"]["valves"], zone, (0.0, 1.0))
                for zone in state["water"]["valves"].keys() & self.water.zones_m2
            }
            for slug, house in self.houses.items():
                saved = state["greenhouses"].get(slug)
                if saved is None:
                    continue
                _take(house, _CLIMATE, saved)
                for zone, bed in house.beds.items():
                    if zone in saved["beds"]:
                        _take(bed, _SOIL, saved["beds"][zone])
            self.at = at
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a state of the simulated farm: {error!r}") from None


def _number(saved: dict[str, Any], name: str, limits: tuple[float, float]) -> float:
    """Return a saved number. Raises ``ValueError`` when it cannot be ours."""
    value = saved[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is {value!r:.40}, not a number")
    low, high = limits
    if not (isfinite(value) and low <= value <= high):
        raise ValueError(f"{name} is {value:g}, not from {low:g} to {high:g}")
    return float(value)


def _take(part: object, names: dict[str, tuple[float, float]], saved: dict[str, Any]) -> None:
    for name, limits in names.items():
        setattr(part, name, _number(saved, name, limits))
