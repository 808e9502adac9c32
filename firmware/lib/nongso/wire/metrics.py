"""What can be measured: name, unit, the unit on the wire, resolution and possible range.

A *series name* is a metric name, or a metric name, a dot and a channel number
(``soil_moisture.2``) where a node has several sensors of one kind.

Units on the wire are SenML unit names (RFC 8428 section 12.1); ``factor`` turns the
wire's number into ours: ``value = wire value * factor``. The range is what the quantity
can be on a farm, not what a crop likes: a value outside it is kept and marked
``impossible``, and nothing decides on it.
"""

from collections import namedtuple

Metric = namedtuple("Metric", ("name", "unit", "wire_unit", "factor", "decimals", "low", "high"))

_CATALOGUE = (
    # name, unit for people, SenML unit, factor, decimals, lowest, highest possible value
    Metric("air_temperature", "°C", "Cel", 1, 2, -20.0, 70.0),
    Metric("air_humidity", "%", "%RH", 1, 1, 0.0, 100.0),
    Metric("light", "lx", "lx", 1, 0, 0.0, 200000.0),
    Metric("soil_moisture", "%", "/", 100, 1, 0.0, 100.0),
    Metric("soil_temperature", "°C", "Cel", 1, 2, -20.0, 70.0),
    Metric("soil_ec", "mS/cm", "S/m", 10, 3, 0.0, 20.0),
    Metric("soil_ph", "", "pH", 1, 2, 0.0, 14.0),
    # Parts of the mass of dry soil: SenML's ppm is that. Cheap probes work them out of the EC.
    Metric("soil_nitrogen", "mg/kg", "ppm", 1, 0, 0.0, 10000.0),
    Metric("soil_phosphorus", "mg/kg", "ppm", 1, 0, 0.0, 10000.0),
    Metric("soil_potassium", "mg/kg", "ppm", 1, 0, 0.0, 10000.0),
    # Outdoor air has had more than 350 ppm since 1988 (NOAA, Mauna Loa). A crop in a closed house
    # draws it down by day, but no leaf of ours below its compensation point, some 45 ppm at 25 °C
    # (Bernacchi et al. 2001, doi 10.1111/j.1365-3040.2001.00668.x), and growth all but ends
    # well above it. A sensor that says less than 100 is broken, or has lost its calibration.
    Metric("co2", "ppm", "ppm", 1, 0, 100.0, 10000.0),
    Metric("par", "µmol/m²s", "umol/m2/s", 1, 1, 0.0, 3000.0),
    Metric("solar_radiation", "W/m²", "W/m2", 1, 1, 0.0, 1500.0),
    Metric("air_pressure", "hPa", "Pa", 0.01, 1, 500.0, 1100.0),
    Metric("wind_speed", "m/s", "m/s", 1, 1, 0.0, 90.0),
    Metric("wind_direction", "°", "deg", 1, 0, 0.0, 360.0),
    Metric("rain_total", "mm", "mm", 1, 1, 0.0, 100000.0),
    Metric("vapour_deficit", "g/m³", "kg/m3", 1000, 2, 0.0, 150.0),
    Metric("dew_point", "°C", "Cel", 1, 2, -40.0, 70.0),
    Metric("tank_level", "%", "/", 100, 1, 0.0, 100.0),
    Metric("door_open", "", "/", 1, 0, 0.0, 1.0),
    Metric("water_flow", "l/min", "l/s", 60, 2, 0.0, 1000.0),
    Metric("water_total", "l", "l", 1, 1, 0.0, 1e9),
    Metric("battery", "V", "V", 1, 2, 0.0, 30.0),
    Metric("voltage", "V", "V", 1, 1, 0.0, 1000.0),
    Metric("current", "A", "A", 1, 3, 0.0, 1000.0),
    Metric("power", "W", "W", 1, 1, 0.0, 1e6),
    Metric("energy_total", "kWh", "kWh", 1, 3, 0.0, 1e8),
    Metric("frequency", "Hz", "Hz", 1, 2, 0.0, 650.0),
    Metric("power_factor", "", "/", 1, 2, 0.0, 1.0),
)

_DIGITS = "0123456789"

METRICS = {m.name: m for m in _CATALOGUE}


def metric_of(series_name: str) -> Metric | None:
    """Return the metric of a series name, or ``None`` if it is not a series name.

    A channel is a number from 1 to 99 written plainly: ``soil_moisture.2``, not ``.02``.
    """
    name, dot, channel = series_name.partition(".")
    if dot and (
        not 1 <= len(channel) <= 2 or channel[0] == "0" or any(c not in _DIGITS for c in channel)
    ):
        return None
    return METRICS.get(name)


def is_possible(metric: Metric, value: float) -> bool:
    """Say whether the quantity can have this value at all (NaN and infinities cannot)."""
    return bool(metric.low <= value <= metric.high)
