"""Reference evapotranspiration: how much water a short, well-watered grass would give off.

FAO-56, Penman–Monteith: equation 6 for a day, equation 53 for an hour. The hourly form is that of
FAO-56, with 0.34 for wind by day and by night, not the later 0.24 and 0.96 of ASCE.

Inside a greenhouse nobody measures wind or the sky's heat radiation, and no rain falls. What is
taken instead, and says so:

* wind 0.5 m/s: the least that FAO-56 (page 63) lets its equation be used with. Air between plants
  under a film moves as slowly as that or slower;
* no net loss of heat radiation: the film, warm and wet on its inside, gives back about what it
  gets. A thin dry polyethylene lets some through, so clear nights are a little too wet here;
* the sun's radiation from a light sensor at the crop (``radiation.from_lux``).

A crop's own water is this times its coefficient (``soil``, ``crops``). Against a lysimeter inside
a greenhouse none of this was checked; see docs/water-balance.md for what was.
"""

from dataclasses import dataclass
from math import log

from nongso.agronomy import air, radiation

WIND_INSIDE_M_PER_S = 0.5
MM_PER_MJ = 0.408  # water that one MJ/m² evaporates, 1 / 2.45 MJ per kg (equation 20)
BY_DAY, BY_NIGHT = 0.1, 0.5  # share of net radiation that warms the soil (equations 45 and 46)


@dataclass(frozen=True)
class HourInside:
    """Means of an hour of measuring inside: °C, %, lux."""

    celsius: float
    humidity_percent: float
    lux: float


def of_day_mm(
    *,
    coldest_c: float,
    warmest_c: float,
    vapour_kpa: float,
    wind_m_per_s: float,
    net_mj: float,
    elevation_m: float,
    soil_mj: float = 0.0,
) -> float:
    """Water of a day in mm (equation 6); wind at 2 m; ``soil_mj`` is 0 for single days."""
    mean = (coldest_c + warmest_c) / 2.0
    slope = air.slope_kpa_per_c(mean)
    gamma = air.psychrometric_kpa_per_c(elevation_m)
    deficit = air.saturation_of_day_kpa(coldest_c, warmest_c) - vapour_kpa
    by_radiation = MM_PER_MJ * slope * (net_mj - soil_mj)
    by_air = gamma * 900.0 / (mean + 273.0) * wind_m_per_s * deficit
    return (by_radiation + by_air) / (slope + gamma * (1.0 + 0.34 * wind_m_per_s))


def of_hour_mm(
    *,
    celsius: float,
    vapour_kpa: float,
    wind_m_per_s: float,
    net_mj: float,
    elevation_m: float,
    soil_mj: float,
) -> float:
    """Water of an hour in mm (equation 53)."""
    slope = air.slope_kpa_per_c(celsius)
    gamma = air.psychrometric_kpa_per_c(elevation_m)
    deficit = air.saturation_kpa(celsius) - vapour_kpa
    by_radiation = MM_PER_MJ * slope * (net_mj - soil_mj)
    by_air = gamma * 37.0 / (celsius + 273.0) * wind_m_per_s * deficit
    return (by_radiation + by_air) / (slope + gamma * (1.0 + 0.34 * wind_m_per_s))


def of_hour_inside_mm(hour: HourInside, elevation_m: float) -> float:
    """Water of an hour inside a greenhouse in mm, with what is said above; never below 0."""
    net = radiation.net_short(radiation.from_lux(hour.lux, 1.0))
    found = of_hour_mm(
        celsius=hour.celsius,
        vapour_kpa=air.vapour_kpa(hour.celsius, hour.humidity_percent),
        wind_m_per_s=WIND_INSIDE_M_PER_S,
        net_mj=net,
        elevation_m=elevation_m,
        soil_mj=net * (BY_DAY if net > 0 else BY_NIGHT),
    )
    return max(0.0, found)


def wind_at_2_m(wind_m_per_s: float, height_m: float) -> float:
    """Wind at 2 m from that at another height over grass (equation 47)."""
    return wind_m_per_s * 4.87 / log(67.8 * height_m - 5.42)
