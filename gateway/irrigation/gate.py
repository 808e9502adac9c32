"""The one gate that every start goes through, in a fixed order; each refusal is a code.

A wish of a person and the moisture band come through the same gate. Some checks hold for starts
of the zone's own accord only: a person's stop, a tank or a source whose level is not known (a
person can look into it; the supervisor stops a run without flow in any case), and the hours in
which panels give power.

What only the supervisor can know (a coil that does not answer, another zone's stuck valve) it
refuses itself, with the same codes.
"""

from collections.abc import Callable
from dataclasses import dataclass

from nongso.gateway.irrigation import sources
from nongso.gateway.irrigation.facts import OLDEST_TANK_SECONDS, Known, Reason, Zone, is_usable

AFTER_TROUBLE_SECONDS = 600.0  # after a run that went wrong, the band waits at least so long


@dataclass(frozen=True)
class Wish:
    """Somebody wants water for some seconds."""

    seconds: float
    is_automatic: bool = False
    is_test: bool = False  # the zone's wet test: what arms a zone does not ask whether it is


def _seconds(wish: Wish, zone: Zone, known: Known) -> Reason | None:
    longest = zone.limits.max_run_seconds
    if 1 <= wish.seconds <= longest:
        return None
    return Reason("seconds_out_of_range", {"seconds": wish.seconds, "max_seconds": longest})


def _off(wish: Wish, zone: Zone, known: Known) -> Reason | None:
    if zone.mode != "off" or wish.is_test:
        return None
    return Reason("zone_off" if zone.is_armed else "zone_not_tested")


def _stopped(wish: Wish, zone: Zone, known: Known) -> Reason | None:
    return Reason("stopped_by_person") if wish.is_automatic and zone.is_stopped else None


def _supervisor(wish: Wish, zone: Zone, known: Known) -> Reason | None:
    return None if known.has_supervisor else Reason("supervisor_gone")


def _bus(wish: Wish, zone: Zone, known: Known) -> Reason | None:
    return None if known.has_bus else Reason("bus_silent")


def _auto_off(wish: Wish, zone: Zone, known: Known) -> Reason | None:
    return None if known.has_auto_off else Reason("board_without_auto_off")


def _locked(wish: Wish, zone: Zone, known: Known) -> Reason | None:
    return Reason("zone_locked") if zone.is_locked else None


def _busy(wish: Wish, zone: Zone, known: Known) -> Reason | None:
    return Reason("zone_busy") if known.is_running else None


def _tank(wish: Wish, zone: Zone, known: Known) -> Reason | None:
    if known.tank is None or not is_usable(known.tank, known.now, OLDEST_TANK_SECONDS):
        return Reason("tank_unknown") if wish.is_automatic else None
    needed = zone.limits.needed_tank_percent
    if known.tank.value >= needed:
        return None
    return Reason("tank_low", {"tank_percent": known.tank.value, "needed_percent": needed})


def _source_level(wish: Wish, zone: Zone, known: Known) -> Reason | None:
    if known.drawn is None:
        return None
    return sources.level_refusal(known.drawn, known.now, wish.is_automatic)


def _source_test(wish: Wish, zone: Zone, known: Known) -> Reason | None:
    return None if known.drawn is None else sources.water_test_refusal(known.drawn, known.now)


def _sun_hours(wish: Wish, zone: Zone, known: Known) -> Reason | None:
    if known.drawn is None or not wish.is_automatic:
        return None
    return sources.sun_refusal(known.drawn, known.now)


def _resting(wish: Wish, zone: Zone, known: Known) -> Reason | None:
    last = known.last_run()
    if last is None:
        return None
    rest = zone.limits.rest_seconds
    if wish.is_automatic and last.went_wrong:
        rest = max(rest, AFTER_TROUBLE_SECONDS)
    left = rest - last.ended_seconds_ago
    return Reason("resting", {"seconds_left": round(left)}) if left > 0 else None


def _day(wish: Wish, zone: Zone, known: Known) -> Reason | None:
    today, most = known.seconds_today(), zone.limits.max_day_seconds
    if today + wish.seconds <= most:
        return None
    return Reason("daily_limit", {"seconds_today": round(today), "max_seconds": most})


def _window(wish: Wish, zone: Zone, known: Known) -> Reason | None:
    for window in zone.limits.windows:
        ran = known.seconds_within(window.hours * 3600.0)
        if ran + wish.seconds > window.seconds:
            told = {"hours": window.hours, "seconds_ran": round(ran)}
            return Reason("window_limit", told | {"max_seconds": window.seconds})
    return None


def _quota(wish: Wish, zone: Zone, known: Known) -> Reason | None:
    return None if known.drawn is None else sources.quota_refusal(known.drawn, wish.seconds)


def _turn(wish: Wish, zone: Zone, known: Known) -> Reason | None:
    """Last of all: what waits for the pump would begin if it were its turn."""
    return None if known.ahead is None else Reason("waits_for_pump", {"zone": known.ahead})


CHECKS: tuple[Callable[[Wish, Zone, Known], Reason | None], ...] = (
    _seconds,
    _off,
    _stopped,
    _supervisor,
    _bus,
    _auto_off,
    _locked,
    _busy,
    _tank,
    _source_level,
    _source_test,
    _sun_hours,
    _resting,
    _day,
    _window,
    _quota,
    _turn,
)


def refusal(wish: Wish, zone: Zone | None, known: Known) -> Reason | None:
    """Why this start may not be, or ``None`` when it may. ``zone`` is ``None`` if unknown."""
    if zone is None:
        return Reason("zone_unknown")
    for check in CHECKS:
        found = check(wish, zone, known)
        if found is not None:
            return found
    return None
