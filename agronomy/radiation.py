"""Sunlight and heat radiation: FAO-56 chapter 3, and what a light sensor under a film tells.

Radiation in MJ/m² for the day or the hour that is asked about; latitude in degrees, south
negative; ``day`` is the day of the year, 1 to 366.
"""

from math import acos, cos, pi, radians, sin, sqrt, tan

SOLAR_MJ_PER_M2_MINUTE = 0.0820
STEFAN_BOLTZMANN = 4.903e-9  # MJ/(K⁴ m² day)
KELVIN = 273.16  # as FAO-56 has it
REFLECTED = 0.23  # by the grass of the reference
LUX_PER_WATT = 120.0
"""Daylight, lux for each W/m² of the sun's whole spectrum. Measured values lie between 105 and
130 (Littlefair 1985, The luminous efficacy of daylight, Lighting Research & Technology 17(4))."""


def from_lux(mean_lux: float, hours: float) -> float:
    """Sun's radiation over some hours, from the mean of a light sensor."""
    return mean_lux / LUX_PER_WATT * 3600.0 * hours / 1e6


def above_the_air_of_day(latitude: float, day: int) -> float:
    """Radiation that reaches the top of the atmosphere in a day (equation 21)."""
    angle, phi, declination = sunset_angle(latitude, day), radians(latitude), declination_of(day)
    return (
        (24.0 * 60.0 / pi)
        * SOLAR_MJ_PER_M2_MINUTE
        * distance_of_sun(day)
        * (angle * sin(phi) * sin(declination) + cos(phi) * cos(declination) * sin(angle))
    )


def above_the_air_of_hour(
    latitude: float, longitude: float, zone_longitude: float, day: int, middle_hour: float
) -> float:
    """The same for an hour (equations 28 to 33); ``middle_hour`` in local standard time.

    Longitudes are degrees EAST; FAO-56 writes them west.
    """
    after_noon = middle_hour - noon_hour(longitude, zone_longitude, day)
    middle = pi / 12.0 * after_noon
    sets = sunset_angle(latitude, day)
    begins = min(max(middle - pi / 24.0, -sets), sets)
    ends = min(max(middle + pi / 24.0, -sets), sets)
    phi, declination = radians(latitude), declination_of(day)
    return (
        (12.0 * 60.0 / pi)
        * SOLAR_MJ_PER_M2_MINUTE
        * distance_of_sun(day)
        * (
            (ends - begins) * sin(phi) * sin(declination)
            + cos(phi) * cos(declination) * (sin(ends) - sin(begins))
        )
    )


def noon_hour(longitude: float, zone_longitude: float, day: float) -> float:
    """Local hour at which the sun stands highest (equations 31 to 33)."""
    b = 2.0 * pi * (day - 81) / 364.0
    season_hours = 0.1645 * sin(2.0 * b) - 0.1255 * cos(b) - 0.025 * sin(b)
    return 12.0 - season_hours - 0.06667 * (longitude - zone_longitude)


def distance_of_sun(day: int) -> float:
    """Inverse relative distance between earth and sun (equation 23)."""
    return 1.0 + 0.033 * cos(2.0 * pi * day / 365.0)


def declination_of(day: float) -> float:
    """Solar declination in radians (equation 24)."""
    return 0.409 * sin(2.0 * pi * day / 365.0 - 1.39)


def sunset_angle(latitude: float, day: float) -> float:
    """Hour angle of sunset in radians (equation 25); 0 in the polar night, π in its day."""
    return acos(min(1.0, max(-1.0, -tan(radians(latitude)) * tan(declination_of(day)))))


def daylight_hours(latitude: float, day: int) -> float:
    """Hours between sunrise and sunset (equation 34)."""
    return 24.0 / pi * sunset_angle(latitude, day)


def from_sunshine(above: float, sunshine_hours: float, possible_hours: float) -> float:
    """Radiation of a day from hours of sunshine (equation 35, with 0.25 and 0.50)."""
    return (0.25 + 0.50 * sunshine_hours / possible_hours) * above


def clear_sky(above: float, elevation_m: float) -> float:
    """Radiation on a day or in an hour without a cloud (equation 37)."""
    return (0.75 + 2e-5 * elevation_m) * above


def net_short(sun: float) -> float:
    """What the reference grass keeps of the sun (equation 38)."""
    return (1.0 - REFLECTED) * sun


def net_long_of_day(
    coldest_c: float, warmest_c: float, vapour_kpa: float, cloudlessness: float
) -> float:
    """Heat radiated into the open sky in a day (equation 39).

    ``cloudlessness`` is the sun's radiation as a share of a clear sky's, at most 1.
    """
    mean = ((coldest_c + KELVIN) ** 4 + (warmest_c + KELVIN) ** 4) / 2.0
    return STEFAN_BOLTZMANN * mean * _lost(vapour_kpa, cloudlessness)


def net_long_of_hour(celsius: float, vapour_kpa: float, cloudlessness: float) -> float:
    """The same for an hour."""
    return STEFAN_BOLTZMANN / 24.0 * (celsius + KELVIN) ** 4 * _lost(vapour_kpa, cloudlessness)


def _lost(vapour_kpa: float, cloudlessness: float) -> float:
    return (0.34 - 0.14 * sqrt(vapour_kpa)) * (1.35 * min(cloudlessness, 1.0) - 0.35)


def sunrise_and_sunset(
    latitude: float, longitude: float, zone_longitude: float, day: float
) -> tuple[float, float]:
    """Local hours at which the sun's middle is on the horizon (equations 25 and 31 to 33).

    Refraction lets it be seen some four minutes longer on both sides.
    """
    noon = noon_hour(longitude, zone_longitude, day)
    half = 12.0 / pi * sunset_angle(latitude, day)
    return noon - half, noon + half
