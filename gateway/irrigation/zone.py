"""A zone's state and what changes it.

============ ============================ =======================================================
state        means                        leaves it by
============ ============================ =======================================================
idle         closed; ``code`` says why    a wish that passes the gate; the band's start: running
running      open until its ordered end   the end, a stop, or doubt: idle; a stuck valve: locked
locked       the valve did not close      a person looks and sets the mode again: idle
============ ============================ =======================================================

A person's stop holds automatic watering back until a person waters the zone or sets its mode.
"""

from dataclasses import replace

from nongso.gateway.irrigation import balance as plants
from nongso.gateway.irrigation import planting
from nongso.gateway.irrigation import schedule as clock
from nongso.gateway.irrigation.band import decide
from nongso.gateway.irrigation.decision import Decision
from nongso.gateway.irrigation.facts import Balance, Band, Known, Reason, Schedule, Zone

MODES = ("off", "manual", "band", "schedule", "balance", "advice")
AUTOMATIC = ("band", "schedule", "balance")


def look(zone: Zone, known: Known) -> Decision:
    """Say what a zone does now that nobody has asked for anything."""
    is_reckoned = zone.mode in plants.MODES and zone.balance is not None
    if is_reckoned:
        zone = plants.reckoned(zone, known)  # plants drink whatever else happens
    if zone.is_locked:
        return Decision(zone, Reason("zone_locked"))
    if zone.mode == "band" and zone.band is not None:
        return decide(zone, known)
    if zone.mode == "schedule" and zone.schedule is not None:
        return clock.decide_by_clock(zone, known)
    if is_reckoned:
        return plants.decide_by_balance(zone, known)
    return Decision(zone, Reason("mode_manual" if zone.mode == "manual" else "zone_off"))


def state(zone: Zone, is_running: bool) -> str:
    """The zone's state in one word."""
    return "running" if is_running else "locked" if zone.is_locked else "idle"


def stopped(zone: Zone) -> Zone:
    """A person has pressed stop."""
    return replace(zone, is_stopped=True, is_wetting=False)


def wished(zone: Zone) -> Zone:
    """A person waters by hand: an earlier stop is over."""
    return replace(zone, is_stopped=False)


def locked(zone: Zone) -> Zone:
    """The valve did not close."""
    return replace(zone, is_locked=True)


def set_mode(
    zone: Zone,
    mode: str,
    band: Band | None = None,
    schedule: Schedule | None = None,
    balance: Balance | None = None,
) -> Zone:
    """A person sets the mode, and with it clears a lock and an earlier stop.

    ``band``, ``schedule`` and ``balance`` are ``None`` to keep the zone's own; slots that have
    come by now are over. Raises ``ValueError`` with a sentence.
    """
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}, not {mode!r}")
    band = band or zone.band
    if mode == "band" and band is None:
        raise ValueError("mode band needs a band: low, high, run_seconds, soak_seconds")
    if band is not None:
        _check(band, zone)
    schedule = schedule or zone.schedule
    if mode == "schedule" and schedule is None:
        raise ValueError("mode schedule needs a schedule: slots, utc_offset_minutes")
    if schedule is not None:
        clock.check(schedule, zone.limits.max_run_seconds)
    balance = balance or zone.balance
    if mode in plants.MODES and balance is None:
        raise ValueError(f"mode {mode} needs a balance: crop, planted, soil, flow_l_per_min")
    if balance is not None:
        planting.check(balance)
    goes_on = mode in plants.MODES and zone.mode in plants.MODES
    return replace(
        zone,
        mode=mode,
        band=band,
        schedule=schedule,
        balance=balance,
        bed=zone.bed if goes_on else None,
        slots_until=None,
        is_wetting=False,
        is_stopped=False,
        is_locked=False,
    )


def _check(band: Band, zone: Zone) -> None:
    if not 0 <= band.low < band.high <= 100:
        raise ValueError("the band needs 0 <= low < high <= 100")
    if not 1 <= band.run_seconds <= zone.limits.max_run_seconds:
        raise ValueError(f"run_seconds must be 1 to {zone.limits.max_run_seconds:g}")
    if not 0 <= band.soak_seconds <= 86400:
        raise ValueError("soak_seconds must be 0 to 86400")
