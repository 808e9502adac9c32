"""Watering by the clock: slots of a week, each begun once or not at all.

============================== =============================================================
a slot's time                  what happens
============================== =============================================================
is still to come               waits: ``next_slot``
came up to 15 minutes ago      begins: ``slot_due``; or waits: what the gate says
waits for the pump since then  begins when it has its turn, for two hours at most
came longer ago                is given up, never caught up: ``slot_missed``, told once
============================== =============================================================

``Zone.slots_until`` is the time up to which slots are over, done or not; so a clock that is set
back begins nothing twice, and one that was in the future for a while does not keep slots from
coming once it is right again. Slots stand in the farm's local time, or some minutes from sunrise
or sunset; ``Known.slots`` are the times that are proposed for them. A clock that is wrong waters
at a wrong hour: nobody here can know.
"""

from dataclasses import replace
from typing import Any

from nongso.gateway.irrigation.decision import Decision
from nongso.gateway.irrigation.facts import (
    DAY_SECONDS,
    Known,
    Planned,
    Reason,
    Schedule,
    Slot,
    Zone,
)
from nongso.gateway.irrigation.gate import Wish, refusal
from nongso.wire.slots import check as check_slots

GRACE_SECONDS = 900
LONGEST_TURN_SECONDS = 7200


def decide_by_clock(zone: Zone, known: Known) -> Decision:
    """Decide for a zone whose mode is ``schedule``."""
    schedule = zone.schedule
    if zone.mode != "schedule" or schedule is None:
        raise ValueError(f"zone {zone.id} has no schedule to decide by")
    now = int(known.now)
    until = zone.slots_until
    if until is None or until > now + DAY_SECONDS:
        zone, until = replace(zone, slots_until=now), now
    came = [one for one in known.slots if until < one.at <= now]
    late = [one for one in came if now - one.at > _patience(zone, one)]
    if late:
        missed = replace(zone, slots_until=late[-1].at)
        return Decision(missed, Reason("slot_missed", {"at": late[-1].at}))
    if not came:
        coming = next((one for one in known.slots if one.at > max(now, until)), None)
        reason = Reason("next_slot", {"at": coming.at}) if coming else Reason("no_slot")
        return Decision(zone, reason)
    due = came[-1]
    if zone.is_stopped:
        return Decision(zone, Reason("stopped_by_person"))
    refused = refusal(Wish(due.run_seconds, is_automatic=True), zone, known)
    if refused is not None:
        waits = due.at if refused.code == "waits_for_pump" else None
        return Decision(replace(zone, slot_waits=waits), refused)
    begun = replace(zone, slots_until=due.at, slot_waits=None)
    return Decision(begun, Reason("slot_due", {"at": due.at}), due.run_seconds)


def _patience(zone: Zone, slot: Planned) -> int:
    """Seconds after which a slot is given up: it is not too late because others water first."""
    return LONGEST_TURN_SECONDS if zone.slot_waits == slot.at else GRACE_SECONDS


def read_schedule(found: Any) -> Schedule:
    """A schedule from its form in JSON. Raises ``ValueError`` with a sentence."""
    try:
        slots = tuple(
            Slot(tuple(map(_whole, one["days"])), _text(one["at"]), _whole(one["run_seconds"]))
            for one in found["slots"]
        )
        place = found.get("place")
        offset = _whole(found.get("utc_offset_minutes", 420))
        there = None if place is None else (float(place[0]), float(place[1]))
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError("a schedule has slots, each with days, at and run_seconds") from error
    return Schedule(slots, offset, there)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def check(schedule: Schedule, max_run_seconds: float) -> None:
    """See that a schedule can be kept. Raises ``ValueError`` with a sentence."""
    told = [(slot.days, slot.at, slot.run_seconds) for slot in schedule.slots]
    check_slots(told, schedule.utc_offset_minutes, schedule.place, max_run_seconds)
