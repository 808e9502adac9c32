"""Watering by hand for a while: then the zone's own way goes on, and nothing is forgotten."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nongso.gateway.irrigation import zone as zones
from nongso.gateway.irrigation.facts import Balance, Band, Bed, Known, Limits, Schedule, Slot, Zone
from nongso.gateway.proposals import proposed
from nongso.wire.payload import Reading

NOW = 1_790_000_000
ZONE = Zone(
    "k1",
    Limits(1800, 7200),
    "band",
    Band(40.0, 55.0, 120, 900),
    Schedule((Slot(tuple(range(7)), "05:30", 600),)),
    Balance("ca-chua", "2026-06-01", "nhieu-mun", 80.0),
    area_m2=240.0,
)


def known(now: float) -> Known:
    """Dry soil, a full tank."""
    return Known(
        now,
        (Reading("soil_moisture", int(now) - 60, 30.0, 0),),
        Reading("tank_level", int(now) - 5, 85.0, 0),
    )


def codes(zone: Zone, *times: int) -> list[str]:
    found = []
    for at in times:
        slots = proposed(zone.schedule, NOW + at) if zone.schedule else ()
        decision = zones.look(zone, replace(known(NOW + at), slots=slots))
        zone = decision.zone
        found.append(decision.reason.code)
    return found


def test_by_hand_for_six_hours_and_then_by_moisture_again() -> None:
    by_hand = zones.set_mode(ZONE, "manual", seconds=6 * 3600)
    found = codes(by_hand, 0, 1, 6 * 3600 - 1, 6 * 3600, 6 * 3600 + 1)
    assert found == ["by_hand_until", "by_hand_until", "by_hand_until", "soil_dry", "soil_dry"]


def test_without_a_time_it_stays_by_hand() -> None:
    assert codes(zones.set_mode(ZONE, "manual"), 0, 10**7) == ["mode_manual", "mode_manual"]


def test_from_a_zone_that_never_watered_itself_nothing_begins() -> None:
    by_hand = zones.set_mode(replace(ZONE, mode="off"), "manual", seconds=3600)
    assert codes(by_hand, 0, 7200) == ["mode_manual", "mode_manual"]


def test_a_second_hand_does_not_forget_the_way_before() -> None:
    twice = zones.set_mode(zones.set_mode(ZONE, "manual", seconds=3600), "manual", seconds=7200)
    assert codes(twice, 0, 3601, 7200) == ["by_hand_until", "by_hand_until", "soil_dry"]
    for mode in ("off", "manual"):
        assert zones.set_mode(twice, mode).returns_to is None


def test_slots_that_came_meanwhile_are_not_caught_up() -> None:
    by_hand = zones.set_mode(replace(ZONE, mode="schedule"), "manual", seconds=86400)
    assert codes(by_hand, 0, 86400, 86401) == ["by_hand_until", "next_slot", "next_slot"]


def test_the_soil_is_reckoned_on_while_a_person_waters() -> None:
    zone = replace(ZONE, mode="balance", bed=Bed(NOW, 0.0, 5.0))
    by_hand = zones.set_mode(zone, "manual", seconds=3600)
    later = zones.look(by_hand, known(NOW)).zone
    later = zones.look(later, known(NOW + 3000)).zone
    assert later.bed is not None
    assert later.bed.missing_mm > 5.0
    assert later.mode == "manual"
    assert zones.look(later, known(NOW + 3600)).zone.mode == "balance"


@pytest.mark.parametrize(("mode", "seconds"), [("band", 3600), ("manual", 59), ("manual", 10**6)])
def test_a_while_that_cannot_be_is_refused(mode: str, seconds: int) -> None:
    with pytest.raises(ValueError, match="only manual is for a while"):
        zones.set_mode(ZONE, mode, seconds=seconds)


@given(st.lists(st.integers(-100_000, 100_000), max_size=30))
def test_however_the_clock_jumps_it_never_waters_while_by_hand_and_it_ends(
    jumps: list[int],
) -> None:
    zone, now = zones.set_mode(ZONE, "manual", seconds=3600), NOW
    for jump in jumps:
        now += jump
        decision = zones.look(zone, known(now))
        assert (decision.run_seconds is None) == (decision.zone.mode == "manual")
        zone = decision.zone
    assert codes(replace(zone, mode=zone.mode), now - NOW, now - NOW + 3600)[-1] == "soil_dry"
