"""The moisture band: water in pulses below ``low``, let it soak, go on up to ``high``.

================ ============================== ============================================
zone             sees                           does
================ ============================== ============================================
any              no good, fresh reading         waits: ``no_reading``, or why it is not believed;
                                                where the farmer chose the safe minimum, begins
                                                one pulse a day: ``least_of_day``
any              no reading since the last run  waits: ``soaking`` (never twice on one reading)
resting          moisture >= low                waits: ``soil_moist``
resting          moisture < low                 begins: ``soil_dry``, and is now wetting
wetting          moisture >= high               waits: ``soil_moist``, and is now resting
wetting          the last run still soaks in    waits: ``soaking``
wetting          moisture < high                goes on: ``soil_dry`` or ``soil_filling``
any start        something in the way           waits: what the gate says
================ ============================== ============================================

Only the newest reading that is good and at most 30 minutes old counts. A run of any cause soaks:
what a person has just watered is not watered again by the band.
"""

from dataclasses import replace

from nongso.gateway.irrigation.decision import Decision
from nongso.gateway.irrigation.facts import (
    DAY_SECONDS,
    OLDEST_MOISTURE_SECONDS,
    Band,
    Known,
    Reason,
    Zone,
    newest_usable,
)
from nongso.gateway.irrigation.gate import Wish, refusal


def decide(zone: Zone, known: Known) -> Decision:
    """Decide for a zone whose mode is ``band``."""
    if zone.mode != "band" or zone.band is None:
        raise ValueError(f"zone {zone.id} has no band to decide by")
    band = zone.band
    if zone.is_stopped:
        return Decision(zone, Reason("stopped_by_person"))
    reading = newest_usable(known.moisture, known.now, OLDEST_MOISTURE_SECONDS)
    if reading is None:
        return _blindly(zone, band, known)
    moisture = float(reading.value)
    if moisture >= (band.high if zone.is_wetting else band.low):
        moist = Reason("soil_moist", {"moisture": moisture, "low": band.low})
        return Decision(replace(zone, is_wetting=False), moist)
    soaking = _soaking(band, known, known.age(reading))
    if soaking is not None:
        return Decision(zone, soaking)
    refused = refusal(Wish(band.run_seconds, is_automatic=True), zone, known)
    if refused is not None:
        return Decision(zone, refused)
    if moisture < band.low:
        reason = Reason("soil_dry", {"moisture": moisture, "low": band.low})
    else:
        reason = Reason("soil_filling", {"moisture": moisture, "high": band.high})
    return Decision(replace(zone, is_wetting=True), reason, band.run_seconds)


def _blindly(zone: Zone, band: Band, known: Known) -> Decision:
    """No probe of the zone can be believed, or none speaks."""
    doubt = known.doubts.get("soil_moisture")
    waits = doubt or Reason("no_reading", {"age_seconds": _age(known)})
    has_known = doubt is not None or _age(known) is not None  # else it has only just been started
    if band.fallback != "minimum" or not has_known or known.soaking_left(DAY_SECONDS) > 0:
        return Decision(zone, waits)
    refused = refusal(Wish(band.run_seconds, is_automatic=True), zone, known)
    if refused is not None:
        return Decision(zone, refused)
    return Decision(zone, Reason("least_of_day"), band.run_seconds)


def _age(known: Known) -> int | None:
    """Age of the newest number that any probe gave, good or not; ``None`` if there is none."""
    ages = [known.age(r) for r in known.moisture if r.value is not None]
    return max(0, round(min(ages))) if ages else None


def _soaking(band: Band, known: Known, reading_age: float) -> Reason | None:
    last = known.last_run()
    if last is None:
        return None
    left = known.soaking_left(band.soak_seconds)
    if left <= 0 and reading_age < last.ended_seconds_ago:
        return None
    return Reason("soaking", {"seconds_left": max(0, round(left))})
