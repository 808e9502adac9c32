"""A zone's state and what changes it.

============ ============================ =======================================================
state        means                        leaves it by
============ ============================ =======================================================
idle         closed; ``code`` says why    a wish that passes the gate; the band's start: running
queued       would run, others do         its turn at the pump: running; a stop: idle
running      open until its ordered end   the end, a stop, or doubt: idle; a stuck valve: locked
locked       the valve did not close      a person looks and sets the mode again: idle
============ ============================ =======================================================

For a while only, a person may set a zone that waters by itself to ``manual``; then its own way
goes on. A clock that jumps ahead ends that early: to work on pipes, a zone is switched ``off``.

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
LONGEST_BY_HAND_SECONDS = 7 * 86400


def look(zone: Zone, known: Known) -> Decision:
    """Say what a zone does now that nobody has asked for anything."""
    zone = _after_hand(zone, int(known.now))
    if _is_reckoned(zone):
        zone = plants.reckoned(zone, known)  # plants drink whatever else happens
    if zone.is_locked:
        return Decision(zone, Reason("zone_locked"))
    if zone.mode == "band" and zone.band is not None:
        return decide(zone, known)
    if zone.mode == "schedule" and zone.schedule is not None:
        return clock.decide_by_clock(zone, known)
    if zone.returns_to is not None and zone.by_hand_since is not None:
        until = zone.by_hand_since + zone.by_hand_seconds
        return Decision(zone, Reason("by_hand_until", {"at": until}))
    if _is_reckoned(zone):
        return plants.decide_by_balance(zone, known)
    if zone.mode == "manual":
        return Decision(zone, Reason("mode_manual"))
    return Decision(zone, Reason("zone_off" if zone.is_armed else "zone_not_tested"))


def _is_reckoned(zone: Zone) -> bool:
    return (zone.returns_to or zone.mode) in plants.MODES and zone.balance is not None


def _after_hand(zone: Zone, now: int) -> Zone:
    """The zone with its time of watering by hand begun, or over."""
    if zone.returns_to is None:
        return zone
    since = zone.by_hand_since
    if since is None or since > now:  # just set, or the clock was set back
        return replace(zone, by_hand_since=now)
    if now - since < zone.by_hand_seconds:
        return zone
    return replace(
        zone,
        mode=zone.returns_to,
        returns_to=None,
        by_hand_since=None,
        slots_until=None,
        is_wetting=False,
    )


def state(zone: Zone, is_running: bool, waits: bool = False) -> str:
    """The zone's state in one word; ``waits``: for its turn at the pump."""
    closed = "queued" if waits and not zone.is_locked else "idle"
    return "running" if is_running else "locked" if zone.is_locked else closed


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
    seconds: int | None = None,
) -> Zone:
    """A person sets the mode, and with it clears a lock and an earlier stop.

    ``band``, ``schedule`` and ``balance`` are ``None`` to keep the zone's own; slots that have
    come by now are over. ``seconds`` is how long ``manual`` lasts until the way that waters by
    itself goes on; it is left out where there is none. Raises ``ValueError`` with a sentence.
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
    before = zone.returns_to or zone.mode
    returns_to = None
    if seconds is not None:
        if mode != "manual" or not 60 <= seconds <= LONGEST_BY_HAND_SECONDS:
            raise ValueError("only manual is for a while, of a minute to seven days")
        returns_to = before if before in (*AUTOMATIC, *plants.MODES) else None
    goes_on = (returns_to or mode) in plants.MODES and before in plants.MODES
    return replace(
        zone,
        mode=mode,
        band=band,
        schedule=schedule,
        balance=balance,
        bed=zone.bed if goes_on else None,
        returns_to=returns_to,
        by_hand_seconds=seconds or 0,
        by_hand_since=None,
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
    if band.fallback not in planting.FALLBACKS:
        raise ValueError(f"fallback must be one of {', '.join(planting.FALLBACKS)}")
