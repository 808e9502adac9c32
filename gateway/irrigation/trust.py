"""Whether a sensor that answers can still be believed: one that stands still, one that runs away.

A dead sensor gives no number; these two give good-looking ones, and a zone that goes by them is
never watered, or always. What physics demands of them:

========================= ==================================================================
``probe_frozen``          water came into the bed, and its moisture did not move; or nothing
                          moved for longer than a day and a night of plants and sun allow
``probe_drifting``        the soil gets wetter although no water came, by more than what the
                          layers below can give back
========================= ==================================================================

Where this is from. That a value which does not vary is suspect is the persistence test of weather
stations (WMO, Guidelines on quality control procedures for data from automatic weather stations,
Zahumenský 2004: 0.1 °C and 1 % of humidity in an hour; none for soil, "may be very stable"; Meek
and Hatfield 1994, "no observed change"). That soil moisture has to rise with the water that fell,
and may not without it, is the consistency test of the International Soil Moisture Network
(Dorigo et al. 2013, Vadose Zone Journal 12(3)). The limits are wider than theirs, for an alarm
that was none costs a farmer's belief: ``bench/doubts.py`` counts them over simulated years.

Flutter is taken off first: a mean that forgets within a quarter of an hour. Time is the farm's.

Not handled: a slow drift between two waterings, a probe in a place that no water reaches (it is
told as one that stands still, which it is), and water from a bucket, which looks like a drift
until the soil has dried again. A person who sets the zone's mode lets the judging begin anew.
"""

from dataclasses import dataclass, replace
from math import exp
from typing import Any

from nongso.gateway.irrigation.facts import Reason

SMOOTH_SECONDS = 900.0
GAP_SECONDS = 6 * 3600.0  # after a longer silence nothing is known of what came between
ENOUGH_MM = 5.0  # into the wetted bed: 5 % of the volume of its upper 10 cm
SETTLE_SECONDS = 1800.0  # so long water may take to reach the probe
SOAKED_SECONDS = 6 * 3600.0  # so long after water, moisture may do what it likes
RISE_PERCENT = 10.0
MOIST_PERCENT = 30.0  # drier soil gives plants little, and may hold still; where no band is set
FROZEN, DRIFTING = "probe_frozen", "probe_drifting"


@dataclass(frozen=True)
class Still:
    """A quantity has to move by ``moves`` within ``seconds``, but where it is above a limit."""

    moves: float
    seconds: float
    but_above: float = float("inf")


STILL = {
    "soil_moisture": Still(0.5, 48 * 3600.0),
    "air_temperature": Still(0.5, 24 * 3600.0),
    "air_humidity": Still(1.0, 24 * 3600.0, but_above=97.0),  # days of drizzle
    "light": Still(50.0, 24 * 3600.0),
}


@dataclass(frozen=True)
class Around:
    """What is known of the place of a sensor: water that came, and from where soil is moist."""

    litres: float = 0.0  # delivered into the zone, ever
    bed_m2: float = 1.0  # that the water wets
    is_watered: bool = False  # now
    moist_percent: float = MOIST_PERCENT


@dataclass(frozen=True)
class Trace:
    """What is remembered of one sensor."""

    metric: str
    at: float
    smooth: float
    lowest: float  # since it last moved as much as it has to
    highest: float
    moved_at: float
    moved_litres: float
    enough_at: float | None  # when enough water had come since
    litres: float
    watered_at: float | None
    driest: float  # since the last water has soaked in
    doubt: Reason | None = None


def begun(metric: str, at: float, value: float, around: Around, doubt: Reason | None) -> Trace:
    """Begin to watch a sensor; ``doubt`` is what was held against it before."""
    driest = value
    if doubt is not None and doubt.code == DRIFTING:
        driest = float(doubt.values["from_percent"])
    litres = around.litres
    return Trace(metric, at, value, value, value, at, litres, None, litres, None, driest, doubt)


def seen(trace: Trace, at: float, value: float, around: Around) -> Trace:
    """The trace after one more good reading."""
    passed = at - trace.at
    if not 0 <= passed <= GAP_SECONDS:
        return begun(trace.metric, at, value, around, trace.doubt)
    smooth = value + (trace.smooth - value) * exp(-passed / SMOOTH_SECONDS)
    trace = replace(trace, at=at, smooth=smooth)
    trace = _moved(trace, around)
    if trace.metric == "soil_moisture":
        trace = _watered(trace, around)
        if trace.doubt is None:
            trace = replace(trace, doubt=_runaway(trace))
    if trace.doubt is None:
        trace = replace(trace, doubt=_frozen(trace, around))
    return trace


def _moved(trace: Trace, around: Around) -> Trace:
    """Note whether it moves as much as it has to; one that moves again is believed again."""
    lowest, highest = min(trace.lowest, trace.smooth), max(trace.highest, trace.smooth)
    if highest - lowest < STILL[trace.metric].moves:
        return replace(trace, lowest=lowest, highest=highest)
    is_frozen = trace.doubt is not None and trace.doubt.code == FROZEN
    return replace(
        trace,
        lowest=trace.smooth,
        highest=trace.smooth,
        moved_at=trace.at,
        moved_litres=around.litres,
        enough_at=None,
        doubt=None if is_frozen else trace.doubt,
    )


def _watered(trace: Trace, around: Around) -> Trace:
    """Note water that came, and how dry the soil was at its driest since it soaked in."""
    if around.litres != trace.litres or around.is_watered:
        trace = replace(trace, litres=around.litres, watered_at=trace.at)
    has_had = (around.litres - trace.moved_litres) / around.bed_m2
    if has_had >= ENOUGH_MM and trace.enough_at is None:
        trace = replace(trace, enough_at=trace.at)
    if trace.doubt is not None and trace.doubt.code == DRIFTING:
        is_back = trace.smooth <= trace.driest + RISE_PERCENT / 2.0
        return replace(trace, doubt=None, driest=trace.smooth) if is_back else trace
    is_soaking = trace.watered_at is not None and trace.at - trace.watered_at < SOAKED_SECONDS
    return replace(trace, driest=trace.smooth if is_soaking else min(trace.driest, trace.smooth))


def _runaway(trace: Trace) -> Reason | None:
    if trace.smooth - trace.driest < RISE_PERCENT:
        return None
    told = {"from_percent": round(trace.driest, 1), "to_percent": round(trace.smooth, 1)}
    return Reason(DRIFTING, told)


def _frozen(trace: Trace, around: Around) -> Reason | None:
    still = STILL[trace.metric]
    told: dict[str, Any] = {"value": round(trace.smooth, 1), "litres": None, "hours": None}
    if trace.enough_at is not None and trace.at - trace.enough_at >= SETTLE_SECONDS:
        return Reason(FROZEN, told | {"litres": round(around.litres - trace.moved_litres)})
    if trace.at - trace.moved_at < still.seconds or trace.smooth > still.but_above:
        return None
    if trace.metric == "soil_moisture" and trace.smooth < around.moist_percent:
        return None
    return Reason(FROZEN, told | {"hours": round((trace.at - trace.moved_at) / 3600.0)})
