"""Weather over a mountain commune: sun, clouds, air outside, wind, from seed and time alone.

How this works. Every quantity is a function of (seed, place, Unix time): randomness comes from
hashed knots on the time axis with a smooth curve between them, not from a generator that has to
be stepped. So past days, today and an accelerated tomorrow are one and the same weather, whatever
the step, and a restart meets no jump.

Sources. Sun: declination and equation of time by Spencer (1971). Clear-sky and cloudy global
radiation: Kasten and Czeplak (1980), G = (910 sin h - 30) (1 - 0.75 n^3.4), n the cloud cover.
Humidity: the dew point lies near the night's minimum (FAO-56, chapter 3, eq. 48). Daylight gives
about 115 lm a W (Littlefair 1985 gives 105 to 120). Saturation: Magnus formula (WMO constants).
The monthly means are round figures for 900 m in the north-west of Viet Nam, not a station's
record; clouds follow the region's known course (dry, bright autumn; wet summer).

Not handled: rain, storms, horizon shading by the mountains.
"""

from dataclasses import dataclass
from math import asin, cos, exp, floor, pi, sin

DAY = 86400.0
LUMENS_PER_WATT = 115.0

# January to December: mean night minimum °C, mean day maximum °C, mean cloud cover 0..1.
_MONTHS = (
    (9.5, 19.0, 0.58),
    (11.0, 21.0, 0.58),
    (14.0, 24.5, 0.55),
    (17.0, 27.5, 0.52),
    (19.5, 28.5, 0.58),
    (21.0, 28.5, 0.72),
    (21.0, 28.0, 0.74),
    (20.5, 28.5, 0.68),
    (19.0, 27.5, 0.58),
    (16.0, 25.5, 0.50),
    (12.0, 24.0, 0.46),
    (9.5, 20.5, 0.46),
)
_WARMEST_SOLAR_HOUR = 14.3
_COLDEST_SOLAR_HOUR = 5.8


@dataclass(frozen=True, slots=True)
class Outside:
    """The air and light outside at one moment."""

    temperature: float  # °C
    vapour: float  # g/m³
    radiation: float  # W/m², global, on the level
    wind: float  # m/s
    cloud: float  # 0..1


def saturation_kpa(temperature: float) -> float:
    """Vapour pressure of saturated air over water."""
    return 0.6112 * exp(17.62 * temperature / (243.12 + temperature))


def saturation_vapour(temperature: float) -> float:
    """Grams of water vapour in a cubic metre of saturated air."""
    return 2166.7 * saturation_kpa(temperature) / (273.15 + temperature)


def hashed(*keys: int) -> float:
    """Return a number in [-1, 1) that depends on the keys only (splitmix64 finaliser)."""
    x = 0x9E3779B97F4A7C15
    for key in keys:
        x = (x ^ (key & 0xFFFFFFFFFFFFFFFF)) & 0xFFFFFFFFFFFFFFFF
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        x ^= x >> 31
    return x / 0x8000000000000000 - 1.0


def wander(seed: int, channel: int, at: float, period: float) -> float:
    """Return a smooth random course in [-1, 1] whose knots lie ``period`` seconds apart."""
    place = at / period
    knot = floor(place)
    part = place - knot
    part = part * part * (3.0 - 2.0 * part)
    return hashed(seed, channel, knot) * (1.0 - part) + hashed(seed, channel, knot + 1) * part


def sun_height(at: float, latitude: float, longitude: float) -> tuple[float, float]:
    """Return the sine of the sun's height (negative at night) and the true solar hour."""
    year_angle = 2 * pi * ((at / DAY + 0.5) % 365.2425) / 365.2425  # 1970 began on 1 January
    declination = (
        0.006918
        - 0.399912 * cos(year_angle)
        + 0.070257 * sin(year_angle)
        - 0.006758 * cos(2 * year_angle)
        + 0.000907 * sin(2 * year_angle)
    )
    equation_minutes = 229.18 * (
        0.000075
        + 0.001868 * cos(year_angle)
        - 0.032077 * sin(year_angle)
        - 0.014615 * cos(2 * year_angle)
        - 0.040849 * sin(2 * year_angle)
    )
    hour = (at / 3600.0 + longitude / 15.0 + equation_minutes / 60.0) % 24.0
    latitude *= pi / 180
    height = sin(latitude) * sin(declination) + cos(latitude) * cos(declination) * cos(
        (hour - 12.0) * pi / 12.0
    )
    return height, hour


def day_length_hours(at: float, latitude: float) -> float:
    """Hours between sunrise and sunset on the day of ``at``."""
    noon, _ = sun_height((at // DAY) * DAY + DAY / 2, latitude, 0.0)
    lowest, _ = sun_height((at // DAY) * DAY, latitude, 0.0)
    middle, half = (noon + lowest) / 2, (noon - lowest) / 2
    return 12.0 + 24.0 / pi * asin(max(-1.0, min(1.0, middle / half)))


def _daily_course(hour: float) -> float:
    """Return -1 at the coldest hour, +1 at the warmest: half a cosine up, a longer one down."""
    rise = _WARMEST_SOLAR_HOUR - _COLDEST_SOLAR_HOUR
    since = (hour - _COLDEST_SOLAR_HOUR) % 24.0
    if since <= rise:
        return -cos(pi * since / rise)
    return cos(pi * (since - rise) / (24.0 - rise))


def _season(at: float) -> tuple[float, float, float]:
    """Interpolate the monthly means, each taken to stand at the middle of its month."""
    place = (at / DAY % 365.2425) / 365.2425 * 12.0 - 0.5
    month = floor(place)
    part = place - month
    a, b = _MONTHS[month % 12], _MONTHS[(month + 1) % 12]
    low, high, cloud = (x * (1.0 - part) + y * part for x, y in zip(a, b, strict=True))
    return low, high, cloud


class Weather:
    """The weather of one place. ``at(t)`` may be asked for any time in any order."""

    def __init__(self, seed: int, latitude: float, longitude: float) -> None:
        self.seed, self.latitude, self.longitude = seed, latitude, longitude

    def cloud(self, at: float) -> float:
        """Cloud cover 0..1: fronts over days, layers over hours, single clouds over minutes."""
        seed = self.seed
        cover = _season(at)[2]
        cover += 0.50 * wander(seed, 1, at, 1.7 * DAY)
        cover += 0.28 * wander(seed, 2, at, 14400.0)
        cover += 0.14 * wander(seed, 3, at, 1200.0)
        return min(1.0, max(0.0, cover))

    def at(self, at: float) -> Outside:
        """Return the weather at Unix time ``at``."""
        seed = self.seed
        height, hour = sun_height(at, self.latitude, self.longitude)
        low, high, _ = _season(at)
        cloud = self.cloud(at)
        front = wander(seed, 1, at, 1.7 * DAY)  # cloudy days have a smaller swing
        swing = (high - low) / 2.0 * (1.0 - 0.40 * front)
        mean = (high + low) / 2.0 + 2.2 * wander(seed, 4, at, 3.1 * DAY) - 0.8 * front
        temperature = mean + swing * _daily_course(hour) + 0.25 * wander(seed, 5, at, 1800.0)
        dew_point = mean - swing - 0.8 + 0.8 * wander(seed, 6, at, 1.3 * DAY)
        vapour = min(saturation_vapour(dew_point), 0.99 * saturation_vapour(temperature))
        clear = max(0.0, 910.0 * height - 30.0)
        radiation = clear * (1.0 - 0.75 * cloud**3.4)
        breeze = 1.0 + 1.3 * max(0.0, height)  # the valley wind follows the sun
        wind = max(0.1, breeze * (1.0 + 0.6 * wander(seed, 7, at, 2700.0)))
        return Outside(temperature, vapour, radiation, wind, cloud)
