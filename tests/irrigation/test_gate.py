"""One gate for every start, in a fixed order, each refusal with its reason."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nongso.gateway.irrigation.facts import (
    Band,
    Drawn,
    Known,
    Limits,
    Ran,
    Reason,
    Source,
    SunHours,
    Window,
    Zone,
    is_usable,
)
from nongso.gateway.irrigation.gate import CHECKS, Wish, refusal
from nongso.wire import marks, reasons
from nongso.wire.payload import Reading

NOW = 1_790_000_000.0
ZONE = Zone("tan-binh-1-k1", Limits(1800, 7200), "manual")
TANK = Reading("tank_level", NOW - 5, 85.0, marks.SIMULATED)
GOOD = Known(NOW, tank=TANK)
WEEKLY = Limits(1800, 7200, windows=(Window(72, 9000), Window(168, 5000)))
OVER_THE_WEEK = (*(Ran(86400.0 * day, 900) for day in range(1, 6)), Ran(8 * 86400.0, 900))


def tank(value: float | None, age: float = 5, mark: int = 0) -> Known:
    return replace(GOOD, tank=Reading("tank_level", NOW - age, value, mark))


def source_is(known: Known, **changes: Any) -> Known:
    assert known.drawn is not None
    return replace(
        known, drawn=replace(known.drawn, source=replace(known.drawn.source, **changes))
    )


def test_nothing_in_the_way() -> None:
    assert refusal(Wish(600), ZONE, GOOD) is None


@pytest.mark.parametrize(
    ("wish", "zone", "known", "code", "values"),
    [
        (Wish(600), None, GOOD, "zone_unknown", {}),
        (
            *(Wish(1801), ZONE, GOOD, "seconds_out_of_range"),
            {"seconds": 1801, "max_seconds": 1800},
        ),
        (Wish(0), ZONE, GOOD, "seconds_out_of_range", {"seconds": 0, "max_seconds": 1800}),
        (Wish(600), replace(ZONE, mode="off", is_armed=True), GOOD, "zone_off", {}),
        (Wish(600), replace(ZONE, mode="off"), GOOD, "zone_not_tested", {}),
        (Wish(600), ZONE, replace(GOOD, has_supervisor=False), "supervisor_gone", {}),
        (Wish(600), ZONE, replace(GOOD, has_bus=False), "bus_silent", {}),
        (Wish(600), ZONE, replace(GOOD, has_auto_off=False), "board_without_auto_off", {}),
        (Wish(600), ZONE, replace(GOOD, ahead="k2"), "waits_for_pump", {"zone": "k2"}),
        (
            *(Wish(600), replace(ZONE, limits=WEEKLY), replace(GOOD, ran=OVER_THE_WEEK)),
            *("window_limit", {"hours": 168, "seconds_ran": 4500, "max_seconds": 5000}),
        ),
        (Wish(600), replace(ZONE, is_locked=True), GOOD, "zone_locked", {}),
        (Wish(600), ZONE, replace(GOOD, is_running=True), "zone_busy", {}),
        (Wish(600), ZONE, tank(9.9), "tank_low", {"tank_percent": 9.9, "needed_percent": 10.0}),
        (
            *(Wish(600), ZONE, replace(GOOD, ran=(Ran(3600, 6601),)), "daily_limit"),
            {"seconds_today": 6601, "max_seconds": 7200},
        ),
        (
            Wish(600),
            replace(ZONE, limits=Limits(1800, 7200, rest_seconds=60)),
            replace(GOOD, ran=(Ran(20, 5),)),
            "resting",
            {"seconds_left": 40},
        ),
    ],
)
def test_what_is_in_the_way_of_a_wish(
    wish: Wish, zone: Zone | None, known: Known, code: str, values: dict[str, Any]
) -> None:
    assert refusal(wish, zone, known) == Reason(code, values)
    assert tuple(values) == reasons.REFUSED[code]


def test_the_order_is_fixed() -> None:
    """With everything in the way at once, the refusals come off one by one, in this order."""
    limits = Limits(1800, 7200, rest_seconds=60, windows=(Window(168, 7200),))
    zone = Zone("z", limits, "off", is_stopped=True, is_locked=True)
    well = Source(
        *("gieng", "Giếng", "well", "aaaaaaaaaaaaaaaa", 10.0, 100.0),
        tested_on="2020-01-01",
        needs_test=True,
        sun_hours=SunHours("00:00", "00:01"),
    )
    known = Known(
        *(NOW, None, None, (Ran(1, 7200, True),), True, False, False, False),  # type: ignore[arg-type]
        drawn=Drawn(well, None, 0.0, 0.0, 40.0),
        ahead="k2",
    )
    wish = Wish(99999, is_automatic=True)
    seen = []
    cures: list[Any] = [
        lambda z, k, w: (z, k, replace(w, seconds=600)),
        lambda z, k, w: (replace(z, is_armed=True), k, w),
        lambda z, k, w: (replace(z, mode="band"), k, w),
        lambda z, k, w: (replace(z, is_stopped=False), k, w),
        lambda z, k, w: (z, replace(k, has_supervisor=True), w),
        lambda z, k, w: (z, replace(k, has_bus=True), w),
        lambda z, k, w: (z, replace(k, has_auto_off=True), w),
        lambda z, k, w: (replace(z, is_locked=False), k, w),
        lambda z, k, w: (z, replace(k, is_running=False), w),
        lambda z, k, w: (z, replace(k, tank=TANK), w),
        lambda z, k, w: (z, replace(k, drawn=replace(k.drawn, level=TANK)), w),
        lambda z, k, w: (z, source_is(k, needs_test=False), w),
        lambda z, k, w: (z, source_is(k, sun_hours=None), w),
        lambda z, k, w: (z, replace(k, ran=(Ran(3600, 7200),)), w),
        lambda z, k, w: (z, replace(k, ran=(Ran(90000, 7200),)), w),
        lambda z, k, w: (z, replace(k, ran=()), w),
        lambda z, k, w: (z, source_is(k, litres_per_day=None), w),
        lambda z, k, w: (z, replace(k, ahead=None), w),
    ]
    for cure in cures:
        reason = refusal(wish, zone, known)
        assert reason is not None
        seen.append(reason.code)
        zone, known, wish = cure(zone, known, wish)
    assert refusal(wish, zone, known) is None
    assert seen == [
        "seconds_out_of_range",
        "zone_not_tested",
        "zone_off",
        "stopped_by_person",
        "supervisor_gone",
        "bus_silent",
        "board_without_auto_off",
        "zone_locked",
        "zone_busy",
        "tank_unknown",
        "source_level_unknown",
        "source_not_tested",
        "outside_sun_hours",
        "resting",
        "daily_limit",
        "window_limit",
        "source_day_quota",
        "waits_for_pump",
    ]
    assert len(CHECKS) == len(seen) - 1  # to be off has two reasons


def test_a_person_may_water_with_an_unknown_tank_and_the_band_may_not() -> None:
    """A person can look into the tank, and a run without flow is stopped in any case."""
    for unknown in (None, tank(50.0, age=121).tank, tank(None, mark=marks.FAILED).tank):
        known = replace(GOOD, tank=unknown)
        assert refusal(Wish(600), ZONE, known) is None
        assert refusal(Wish(600, is_automatic=True), ZONE, known) == Reason("tank_unknown")


def test_after_a_run_that_went_wrong_the_band_rests_and_a_person_need_not() -> None:
    known = replace(GOOD, ran=(Ran(100, 20, went_wrong=True),))
    automatic = Wish(600, is_automatic=True)
    assert refusal(automatic, ZONE, known) == Reason("resting", {"seconds_left": 500})
    assert refusal(Wish(600), ZONE, known) is None


def test_yesterdays_water_does_not_count() -> None:
    known = replace(GOOD, ran=(Ran(86401, 7200),))
    assert refusal(Wish(600), ZONE, known) is None


@given(
    value=st.none() | st.floats(0, 100),
    mark=st.sampled_from([q | o for q in range(4) for o in (0, 16, 32)]),
    age=st.floats(-4000, 4000),
)
def test_rules_decide_on_good_fresh_measured_or_simulated_readings_only(
    value: float | None, mark: int, age: float
) -> None:
    usable = is_usable(Reading("soil_moisture", NOW - age, value, mark), NOW, 1800)
    assert usable == (value is not None and mark in (0, 16) and -120 <= NOW - (NOW - age) <= 1800)


def test_a_zone_arrives_switched_off() -> None:
    assert Zone("new", Limits(1, 1)).mode == "off"
    assert Band(1, 2, 3, 4).soak_seconds == 4
