"""Moist air: vapour pressure, its deficit, dew point, absolute humidity.

Source unless another is named: Allen, Pereira, Raes, Smith (1998), Crop evapotranspiration, FAO
Irrigation and Drainage Paper 56 (in short FAO-56), chapter 3. Temperatures in °C, relative
humidity in %, pressures in kPa. Good between -40 and 60 °C.
"""

from math import exp, log

GAS_CONSTANT_OF_VAPOUR = 461.5  # J/(kg K)
KELVIN = 273.15


def saturation_kpa(celsius: float) -> float:
    """Saturation vapour pressure over water (equation 11)."""
    return 0.6108 * exp(17.27 * celsius / (celsius + 237.3))


def slope_kpa_per_c(celsius: float) -> float:
    """Slope of the saturation curve (equation 13)."""
    return 4098.0 * saturation_kpa(celsius) / (celsius + 237.3) ** 2


def pressure_kpa(elevation_m: float) -> float:
    """Atmospheric pressure of a standard atmosphere at 20 °C (equation 7)."""
    return float(101.3 * ((293.0 - 0.0065 * elevation_m) / 293.0) ** 5.26)


def psychrometric_kpa_per_c(elevation_m: float) -> float:
    """Psychrometric constant (equation 8)."""
    return 0.665e-3 * pressure_kpa(elevation_m)


def vapour_kpa(celsius: float, humidity_percent: float) -> float:
    """Actual vapour pressure at one moment (equation 54)."""
    return saturation_kpa(celsius) * humidity_percent / 100.0


def vapour_of_day_kpa(
    coldest_c: float, warmest_c: float, humidity_min_percent: float, humidity_max_percent: float
) -> float:
    """Actual vapour pressure of a day: the air is moistest when it is coldest (equation 17)."""
    morning = vapour_kpa(coldest_c, humidity_max_percent)
    return (morning + vapour_kpa(warmest_c, humidity_min_percent)) / 2.0


def saturation_of_day_kpa(coldest_c: float, warmest_c: float) -> float:
    """Saturation pressure of a day; that of the mean temperature would be too low (eq. 12)."""
    return (saturation_kpa(coldest_c) + saturation_kpa(warmest_c)) / 2.0


def deficit_kpa(celsius: float, humidity_percent: float) -> float:
    """Vapour pressure deficit (VPD): how strongly the air draws water out of a leaf."""
    return saturation_kpa(celsius) * (1.0 - humidity_percent / 100.0)


def dew_point_c(celsius: float, humidity_percent: float) -> float:
    """Temperature at which water falls out of this air: equation 11, solved for it.

    ``humidity_percent`` above 0.
    """
    ratio = log(vapour_kpa(celsius, humidity_percent) / 0.6108)
    return 237.3 * ratio / (17.27 - ratio)


def water_g_per_m3(celsius: float, humidity_percent: float) -> float:
    """Absolute humidity: the gas law for vapour."""
    pascal = 1000.0 * vapour_kpa(celsius, humidity_percent)
    return 1000.0 * pascal / (GAS_CONSTANT_OF_VAPOUR * (celsius + KELVIN))


def room_for_water_g_per_m3(celsius: float, humidity_percent: float) -> float:
    """Humidity deficit: what this air could still take up."""
    return water_g_per_m3(celsius, 100.0) - water_g_per_m3(celsius, humidity_percent)
