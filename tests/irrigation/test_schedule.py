"""Watering by the clock: each slot once or not at all, however the clock jumps."""

import datetime
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nongso.agronomy.radiation import sunrise_and_sunset
from nongso.gateway.irrigation import zone as zones
from nongso.gateway.irrigation.decision import Decision
from nongso.gateway.irrigation.facts import Known, Limits, Ran, Reason, Schedule, Slot, Zone
from nongso.gateway.irrigation.schedule import GRACE_SECONDS, check, read_schedule
from nongso.gateway.proposals import proposed
from nongso.wire import reasons
from nongso.wire.payload import Reading

HERE = datetime.timezone(datetime.timedelta(hours=7))
EVERY_DAY = tuple(range(7))
MORNING = Schedule((Slot(EVERY_DAY, "05:30", 600),))
BINH_LU = (22.33, 103.66)


def at(text: str) -> int:
    """A moment of the farm's time."""
    return int(datetime.datetime.fromisoformat(text).replace(tzinfo=HERE).timestamp())


SUNDAY_EVENING = at("2026-11-22 20:00")
FIRST = at("2026-11-23 05:30")
ZONE = Zone(
    "tan-binh-1-k1", Limits(1800, 7200), "schedule", None, MORNING, slots_until=SUNDAY_EVENING
)


def known(now: int, *ran: Ran, **more: Any) -> Known:
    tank = Reading("tank_level", now - 5, 85.0, 0)
    return Known(float(now), (), tank, tuple(ran), **more)


def look(zone: Zone, seen: Known) -> Decision:
    """Let the rules look at a zone, with the times that are proposed for its schedule."""
    assert zone.schedule is not None
    return zones.look(zone, replace(seen, slots=proposed(zone.schedule, seen.now)))


def says(zone: Zone, seen: Known) -> tuple[str, int | None]:
    decision = look(zone, seen)
    code = decision.reason.code
    assert code in {**reasons.WAITED, **reasons.REFUSED, **reasons.STARTED}
    return code, decision.run_seconds


@pytest.mark.parametrize(
    ("zone", "when", "expected"),
    [
        (ZONE, "2026-11-22 21:00", ("next_slot", None)),
        (ZONE, "2026-11-23 05:29", ("next_slot", None)),
        (ZONE, "2026-11-23 05:30", ("slot_due", 600)),
        (ZONE, "2026-11-23 05:45", ("slot_due", 600)),
        (ZONE, "2026-11-23 05:46", ("slot_missed", None)),
        (ZONE, "2026-11-25 05:31", ("slot_missed", None)),
        (replace(ZONE, slot_waits=FIRST), "2026-11-23 07:29", ("slot_due", 600)),
        (replace(ZONE, slot_waits=FIRST), "2026-11-23 07:31", ("slot_missed", None)),
        (replace(ZONE, slot_waits=FIRST), "2026-11-24 05:46", ("slot_missed", None)),
        (replace(ZONE, is_stopped=True), "2026-11-23 05:31", ("stopped_by_person", None)),
        (replace(ZONE, is_locked=True), "2026-11-23 05:31", ("zone_locked", None)),
        (replace(ZONE, mode="manual"), "2026-11-23 05:31", ("mode_manual", None)),
        (replace(ZONE, slots_until=None), "2026-11-23 05:31", ("next_slot", None)),
        (replace(ZONE, schedule=Schedule(())), "2026-11-23 05:31", ("no_slot", None)),
    ],
)
def test_what_the_clock_decides(zone: Zone, when: str, expected: tuple[str, int | None]) -> None:
    assert says(zone, known(at(when))) == expected


def test_only_on_the_days_that_were_chosen() -> None:
    monday_only = replace(ZONE, schedule=Schedule((Slot((0,), "05:30", 600),)))
    assert says(monday_only, known(at("2026-11-23 05:31")))[0] == "slot_due"
    later = replace(monday_only, slots_until=at("2026-11-23 05:30"))
    decision = look(later, known(at("2026-11-24 05:31")))
    assert decision.reason.values == {"at": at("2026-11-30 05:30")}


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"tank": None}, "tank_unknown"),
        ({"has_bus": False}, "bus_silent"),
        ({"ran": (Ran(7000, 7000),)}, "daily_limit"),
    ],
)
def test_the_clock_goes_through_the_same_gate_as_everybody(
    more: dict[str, Any], code: str
) -> None:
    seen = replace(known(at("2026-11-23 05:31")), **more)
    assert says(ZONE, seen) == (code, None)
    # It is tried again as long as the slot lasts, and then given up.
    given_up = look(ZONE, replace(seen, now=seen.now + GRACE_SECONDS))
    assert given_up.reason.code == "slot_missed"
    assert look(given_up.zone, seen).reason.code == "next_slot"


def test_a_slot_goes_with_the_sun() -> None:
    slots = (Slot(EVERY_DAY, "sunrise-30", 60), Slot(EVERY_DAY, "sunset", 60))
    found = proposed(Schedule(slots, 420, BINH_LU), at("2026-06-21 12:00"))
    times = [datetime.datetime.fromtimestamp(one.at, HERE) for one in found]
    day = datetime.date(2026, 6, 21)
    morning, evening = (t for t in times if t.date() == day)
    rises, sets = sunrise_and_sunset(*BINH_LU, 105.0, day.timetuple().tm_yday)
    assert abs(morning.hour + morning.minute / 60 + 0.5 - rises) < 0.05
    assert abs(evening.hour + evening.minute / 60 - sets) < 0.05


def test_sunrise_in_london_on_the_longest_day() -> None:
    """The almanac says 03:43 and 20:21 UTC; refraction makes the day some ten minutes longer."""
    rises, sets = sunrise_and_sunset(51.51, -0.13, 0.0, 172)
    assert abs(rises - (3 + 43 / 60)) < 0.15
    assert abs(sets - (20 + 21 / 60)) < 0.15


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        ({}, "has slots"),
        ({"slots": [{"days": [0], "at": "05:30"}]}, "run_seconds"),
        ({"slots": [{"days": [0], "at": "5h30", "run_seconds": 60}]}, "05:30"),
        ({"slots": [{"days": [0], "at": "24:00", "run_seconds": 60}]}, "no '24:00'"),
        ({"slots": [{"days": [7], "at": "05:30", "run_seconds": 60}]}, "Monday"),
        ({"slots": [{"days": [], "at": "05:30", "run_seconds": 60}]}, "at least one"),
        ({"slots": [{"days": [0], "at": "05:30", "run_seconds": 1801}]}, "1800"),
        ({"slots": [{"days": [0], "at": "05:30", "run_seconds": True}]}, "run_seconds"),
        ({"slots": [{"days": [0], "at": "sunset+10", "run_seconds": 60}]}, "place"),
        ({"slots": [], "utc_offset_minutes": 9999}, "utc_offset"),
        ({"slots": [], "place": [90, 0]}, "place"),
        ({"slots": [{"days": [0], "at": "05:30", "run_seconds": 60}] * 29}, "at most 28"),
    ],
)
def test_a_schedule_that_cannot_be_kept_is_refused(found: Any, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        check(read_schedule(found), 1800)


SLOTS = st.builds(
    Slot,
    st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
    st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59)),
    st.integers(1, 1800),
)
MOVES = st.lists(
    st.one_of(
        st.integers(1, 7200),  # time passes
        st.sampled_from([-3600, -86400, -20 * 365 * 86400, 20 * 365 * 86400, 86400 * 3]),
    ),
    max_size=60,
)


@given(st.lists(SLOTS, min_size=1, max_size=4), MOVES, st.integers(0, 86400 * 7))
def test_however_the_clock_jumps_no_slot_runs_twice_and_none_is_caught_up(
    slots: list[Slot], moves: list[int], begin: int
) -> None:
    zone = replace(ZONE, schedule=Schedule(tuple(slots)), slots_until=None)
    now = SUNDAY_EVENING + begin
    begun: list[int] = []
    for move in [0, *moves]:
        now += move
        for _look in range(3):  # the same second is looked at again
            decision = look(zone, known(now))
            zone = decision.zone
            if decision.run_seconds is not None:
                due = decision.reason.values["at"]
                assert 0 <= now - due <= GRACE_SECONDS
                begun.append(due)
    assert len(begun) == len(set(begun))


def test_a_slot_that_waits_for_the_pump_is_not_given_up_and_runs_once() -> None:
    first = look(ZONE, known(FIRST, ahead="tan-binh-1-k2"))
    assert first.reason == Reason("waits_for_pump", {"zone": "tan-binh-1-k2"})
    later = look(first.zone, known(FIRST + 3600))
    assert (later.reason.code, later.run_seconds) == ("slot_due", 600)
    assert says(later.zone, known(FIRST + 3601)) == ("next_slot", None)


def test_a_slot_held_back_by_something_else_meanwhile_is_given_up_after_its_grace() -> None:
    waits = look(ZONE, known(FIRST, ahead="tan-binh-1-k2")).zone
    dry = look(waits, replace(known(FIRST + 1200), has_bus=False))
    assert dry.reason.code == "bus_silent"
    assert says(dry.zone, known(FIRST + 1201)) == ("slot_missed", None)


@given(
    st.lists(SLOTS, min_size=1, max_size=4),
    st.integers(at("1990-01-01 00:00"), at("2090-01-01 00:00")),
    st.sampled_from([420, 0, -210, 345, 840, -720]),
)
def test_what_is_proposed_is_each_chosen_day_at_its_minute(
    slots: list[Slot], now: int, offset: int
) -> None:
    day = 86400
    expected = [
        (midnight + hour * 3600 + minute * 60 - offset * 60, slot.run_seconds)
        for slot in slots
        for hour, minute in [map(int, slot.at.split(":"))]
        for midnight in range((now + offset * 60) // day * day - 2 * day, now + 10 * day, day)
        if datetime.date.fromordinal(719163 + midnight // day).weekday() in slot.days
    ]
    last = (now + offset * 60) // day * day + 9 * day - offset * 60
    found = [(one.at, one.run_seconds) for one in proposed(Schedule(tuple(slots), offset), now)]
    assert sorted(found) == sorted(one for one in expected if one[0] < last)
    assert [when for when, _seconds in found] == sorted(when for when, _seconds in found)
