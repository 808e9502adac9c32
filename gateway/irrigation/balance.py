"""Watering by what the plants have used: the soil is reckoned as a store, as FAO-56 does it.

Every five minutes the water that the crop has used since (reference from the sensors inside, times
the crop's coefficient) is taken off, and what was delivered, by whatever cause, is added. A probe
that reads the soil as full overrules the reckoning.

==================================== ========================================================
sees                                 does
==================================== ========================================================
a person's stop                      waits: ``stopped_by_person``
no good reading of the air or light  waits: ``no_climate``, or why it is not believed; or goes
                                     on, where the farmer chose the safe minimum
less missing than allowed            waits: ``soil_has_water``
a run less than half an hour ago     waits: ``soaking``
mode ``advice``                      never opens: ``should_water``
something in the way                 waits: what the gate says
else                                 begins: ``plants_used`` (``plants_used_at_least`` blindly)
==================================== ========================================================

Half of the easy water is allowed to be missing: drip is meant for little and often, and the other
half is the reserve for a day without power. A run brings what is missing, or as much of it as the
zone's limits let through.

The soil knows of no missed run: only water that the plants have really used comes back, never more
than the store holds. Time that nobody measured (a lost sensor, a gateway without power, a clock
that jumped) counts with the safe minimum, half of a usual day's water, and for two days at most.
"""

from dataclasses import asdict, replace
from typing import Any

from nongso.agronomy.reference import HourInside, of_hour_inside_mm
from nongso.agronomy.soil import Store, missing_at, pass_time
from nongso.gateway.irrigation.decision import Decision
from nongso.gateway.irrigation.facts import (
    DAY_SECONDS,
    OLDEST_CLIMATE_SECONDS,
    OLDEST_MOISTURE_SECONDS,
    Balance,
    Bed,
    Known,
    Reason,
    Zone,
    newest_usable,
)
from nongso.gateway.irrigation.gate import Wish, refusal
from nongso.gateway.irrigation.planting import age_of, crop_of, day_of, soil_of, store_on

MODES = ("balance", "advice")
STEP_SECONDS = 300
LONGEST_STEP_SECONDS = 3600  # so long the newest readings speak for; the rest was not measured
LONGEST_GAP_SECONDS = 2 * int(DAY_SECONDS)
SOAK_SECONDS = 1800
SHORTEST_RUN_SECONDS = 60
ALLOWED_OF_EASY = 0.5
MINIMUM_SHARE = 0.5
USUAL_MM = 2.0  # reference of a day, while no whole day was measured
WHOLE_DAY_SECONDS = 20 * 3600
_CLIMATE = ("celsius", "humidity", "light")


def reckoned(zone: Zone, known: Known) -> Zone:
    """The zone with its soil as it is now; the same zone if less than a step has passed."""
    balance = zone.balance
    if balance is None:
        raise ValueError(f"zone {zone.id} has no plants to reckon with")
    now, bed = int(known.farm_now), zone.bed
    if bed is None or (bed.is_guess and _moisture(known) is not None):
        return replace(zone, bed=_begun(balance, known))
    passed = now - bed.at
    if 0 <= passed < STEP_SECONDS and known.delivered_litres == bed.credited_litres:
        return zone
    return replace(zone, bed=_stepped(zone.area_m2, balance, bed, known, passed))


def decide_by_balance(zone: Zone, known: Known) -> Decision:
    """Decide for a zone that was just reckoned and whose mode is ``balance`` or ``advice``."""
    balance, bed = zone.balance, zone.bed
    if zone.mode not in MODES or balance is None or bed is None:
        raise ValueError(f"zone {zone.id} has no balance to decide by")
    is_advice = zone.mode == "advice"
    if zone.is_stopped and not is_advice:
        return Decision(zone, Reason("stopped_by_person"))
    lost = _lost(known)
    if lost is not None and balance.fallback == "nothing":
        return Decision(zone, known.doubts.get(lost) or Reason("no_climate", {"metric": lost}))
    litres = bed.missing_mm * zone.area_m2
    allowed = allowed_mm(store_on(balance, bed.day, bed.usual_mm)) * zone.area_m2
    told = {"litres": round(litres, 1), "allowed_litres": round(allowed, 1)}
    seconds = _seconds(zone, known, litres / balance.flow_l_per_min * 60.0)
    if litres < allowed or seconds < 1:
        return Decision(zone, Reason("soil_has_water", told))
    left = known.soaking_left(SOAK_SECONDS)
    if left > 0:
        return Decision(zone, Reason("soaking", {"seconds_left": round(left)}))
    if is_advice:
        return Decision(zone, Reason("should_water", {"seconds": seconds, **told}))
    refused = refusal(Wish(seconds, is_automatic=True), zone, known)
    if refused is not None:
        return Decision(zone, refused)
    code = "plants_used" if lost is None else "plants_used_at_least"
    return Decision(zone, Reason(code, told), seconds)


def told(zone: Zone, speed: float = 1.0) -> dict[str, Any] | None:
    """The reckoned soil in a form that can be told, with what it could hold and may lack.

    ``speed`` is that of the farm's clock, by which its ``at`` and ``day`` are.
    """
    if zone.bed is None or zone.balance is None:
        return None
    store = store_on(zone.balance, zone.bed.day, zone.bed.usual_mm)
    found = asdict(zone.bed) | {"total_mm": store.total_mm, "allowed_mm": allowed_mm(store)}
    return found if speed == 1.0 else found | {"speed": speed}


def allowed_mm(store: Store) -> float:
    """How much may be missing before water comes."""
    return ALLOWED_OF_EASY * store.easy_mm


def _seconds(zone: Zone, known: Known, wanted: float) -> int:
    """What is wanted, within the limits of a run and of what the day has left."""
    left = zone.limits.max_day_seconds - known.seconds_today()
    most = min(zone.limits.max_run_seconds, max(left, SHORTEST_RUN_SECONDS))
    return int(min(wanted, most))


def _begun(balance: Balance, known: Known) -> Bed:
    """The soil at the beginning: as the probe has it, else full, as after a good watering."""
    moisture = _moisture(known)
    day = day_of(balance, known.farm_now)
    missing = 0.0
    if moisture is not None:
        root_m = crop_of(balance).root_on(age_of(balance, day)) * balance.wetted_share
        missing = missing_at(soil_of(balance), root_m, moisture / 100.0)
        missing = min(missing, store_on(balance, day, None).total_mm)
    return Bed(int(known.farm_now), known.delivered_litres, missing, moisture is None, day)


def _stepped(area_m2: float, balance: Balance, bed: Bed, known: Known, passed: int) -> Bed:
    day = day_of(balance, known.farm_now)
    if day != bed.day:
        bed = _next_day(bed, day)
    store = store_on(balance, day, bed.usual_mm)
    seconds = min(max(passed, 0), LONGEST_GAP_SECONDS)
    hour = _inside(known)
    measured = min(seconds, LONGEST_STEP_SECONDS) if hour is not None else 0
    usual = USUAL_MM if bed.usual_mm is None else bed.usual_mm
    reference = MINIMUM_SHARE * usual * (seconds - measured) / DAY_SECONDS
    if hour is not None:
        reference += of_hour_inside_mm(hour, balance.elevation_m) * measured / 3600.0
    litres = max(0.0, known.delivered_litres - bed.credited_litres)
    step = pass_time(
        store,
        min(bed.missing_mm, store.total_mm),
        crop_of(balance).coefficient(age_of(balance, day)) * reference,
        litres / area_m2,
    )
    return replace(
        bed,
        at=int(known.farm_now),
        credited_litres=known.delivered_litres,
        missing_mm=0.0 if _is_full(balance, known) else step.missing_mm,
        reference_mm=bed.reference_mm + reference,
        used_mm=bed.used_mm + step.used_mm,
        watered_mm=bed.watered_mm + litres / area_m2,
        drained_mm=bed.drained_mm + step.drained_mm,
        thirsty_seconds=bed.thirsty_seconds + (seconds if step.stress < 1 else 0),
        measured_seconds=bed.measured_seconds + measured,
    )


def _next_day(bed: Bed, day: int) -> Bed:
    usual = bed.usual_mm
    if bed.measured_seconds >= WHOLE_DAY_SECONDS:
        usual = bed.reference_mm if usual is None else (2.0 * usual + bed.reference_mm) / 3.0
    return Bed(bed.at, bed.credited_litres, bed.missing_mm, bed.is_guess, day, usual_mm=usual)


def _inside(known: Known) -> HourInside | None:
    found = [_newest(known, name) for name in _CLIMATE]
    celsius, humidity, lux = found
    if celsius is None or humidity is None or lux is None:
        return None
    return HourInside(celsius, min(100.0, max(0.0, humidity)), max(0.0, lux))


def _newest(known: Known, name: str) -> float | None:
    reading = newest_usable(getattr(known, name), known.now, OLDEST_CLIMATE_SECONDS)
    return None if reading is None else float(reading.value)


def _lost(known: Known) -> str | None:
    """Which of the sensors that are needed gives no good number; the first of them."""
    words = {"celsius": "air_temperature", "humidity": "air_humidity", "light": "light"}
    return next((words[name] for name in _CLIMATE if _newest(known, name) is None), None)


def _is_full(balance: Balance, known: Known) -> bool:
    """Whether a probe reads the soil as wet as it can hold."""
    moisture = _moisture(known)
    return moisture is not None and moisture >= 100.0 * soil_of(balance).field_capacity


def _moisture(known: Known) -> float | None:
    reading = newest_usable(known.moisture, known.now, OLDEST_MOISTURE_SECONDS)
    return None if reading is None else float(reading.value)
