"""What can be measured: name, unit, the unit on the wire, resolution and possible range.

A *series name* is a metric name, or a metric name, a dot and a channel number
(``soil_moisture.2``) where a node has several sensors of one kind.

Units on the wire are SenML unit names (RFC 8428 section 12.1); ``factor`` turns the
wire's number into ours: ``value = wire value * factor``. The range is what the quantity
can be on a farm, not what a crop likes: a value outside it is kept and marked
``impossible``, and nothing decides on it.
"""

import sys
from collections import namedtuple

Metric = namedtuple("Metric", ("name", "unit", "wire_unit", "factor", "decimals", "low", "high"))

# Name, unit for people, SenML unit, factor, decimals, lowest and highest possible value.
#
# Nitrogen, phosphorus, potassium: parts of the mass of dry soil, SenML's ppm is that. Cheap probes
# work them out of the EC.
#
# Carbon dioxide: outdoor air has had more than 350 ppm since 1988 (NOAA, Mauna Loa). A crop in a
# closed house draws it down by day, but no leaf of ours below its compensation point, some 45 ppm
# at 25 °C (Bernacchi et al. 2001, doi 10.1111/j.1365-3040.2001.00668.x), and growth all but ends
# well above it. A sensor that says less than 100 is broken, or has lost its calibration.
_CATALOGUE = """
air_temperature|°C|Cel|1|2|-20|70
air_humidity|%|%RH|1|1|0|100
light|lx|lx|1|0|0|200000
soil_moisture|%|/|100|1|0|100
soil_temperature|°C|Cel|1|2|-20|70
soil_ec|mS/cm|S/m|10|3|0|20
soil_ph||pH|1|2|0|14
soil_nitrogen|mg/kg|ppm|1|0|0|10000
soil_phosphorus|mg/kg|ppm|1|0|0|10000
soil_potassium|mg/kg|ppm|1|0|0|10000
co2|ppm|ppm|1|0|100|10000
par|µmol/m²s|umol/m2/s|1|1|0|3000
solar_radiation|W/m²|W/m2|1|1|0|1500
air_pressure|hPa|Pa|0.01|1|500|1100
wind_speed|m/s|m/s|1|1|0|90
wind_direction|°|deg|1|0|0|360
rain_total|mm|mm|1|1|0|100000
vapour_deficit|g/m³|kg/m3|1000|2|0|150
dew_point|°C|Cel|1|2|-40|70
tank_level|%|/|100|1|0|100
door_open||/|1|0|0|1
water_flow|l/min|l/s|60|2|0|1000
water_total|l|l|1|1|0|1000000000
battery|V|V|1|2|0|30
voltage|V|V|1|1|0|1000
current|A|A|1|3|0|1000
power|W|W|1|1|0|1000000
energy_total|kWh|kWh|1|3|0|100000000
frequency|Hz|Hz|1|2|0|650
power_factor||/|1|2|0|1
"""  # one text, for boards: as tuples the catalogue takes four times the memory

_DIGITS = "0123456789"

METRICS: dict[str, Metric] = {}  # all of them; on a board those that were asked for


def _read(line: str) -> Metric:
    name, unit, wire_unit, factor, decimals, low, high = line.split("|")
    times = float(factor) if "." in factor else int(factor)
    METRICS[name] = Metric(name, unit, wire_unit, times, int(decimals), float(low), float(high))
    return METRICS[name]


if sys.implementation.name != "micropython":
    for _line in _CATALOGUE.strip().split("\n"):
        _read(_line)


def metric_of(series_name: str) -> Metric | None:
    """Return the metric of a series name, or ``None`` if it is not a series name.

    A channel is a number from 1 to 99 written plainly: ``soil_moisture.2``, not ``.02``.
    """
    found = METRICS.get(series_name)
    if found is not None:
        return found
    name, dot, channel = series_name.partition(".")
    if dot and (
        not 1 <= len(channel) <= 2 or channel[0] == "0" or any(c not in _DIGITS for c in channel)
    ):
        return None
    found = METRICS.get(name)
    at = -1 if found is not None else _CATALOGUE.find("\n" + name + "|")
    if at < 0 or "\n" in name or "|" in name:
        return found
    return _read(_CATALOGUE[at + 1 : _CATALOGUE.find("\n", at + 1)])


def is_possible(metric: Metric, value: float) -> bool:
    """Say whether the quantity can have this value at all (NaN and infinities cannot)."""
    return bool(metric.low <= value <= metric.high)
