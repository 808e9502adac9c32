"""Whatever happens around a wet test's end: what it tells of the valve is true, and it is safe."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_board import LEASE, LITRES_A_SECOND, MAIN, PUMP, ZONES, Rig

from nongso.gateway.valves.fall import FALL_SECONDS, HELD_SECONDS
from nongso.gateway.valves.plan import Switches

SECONDS = 60
STEP = 0.05


def _cut(rig: Rig) -> None:
    rig.board.is_cut = True


def _hang(rig: Rig) -> None:
    rig.is_frozen = True


HAPPENS: dict[str, Callable[[Rig], object]] = {
    "stop": lambda rig: rig.ask("somebody", do="stop"),
    "stop of the zone": lambda rig: rig.ask("somebody", do="stop", zone="k1"),
    "stop of another": lambda rig: rig.ask("somebody", do="stop", zone="k2"),
    "another zone": lambda rig: rig.ask(do="open", zone="k2", seconds=20, id="other"),
    "another test": lambda rig: rig.ask(do="open", zone="k2", seconds=60, id="test 2", test=True),
    "a hose": lambda rig: rig.ask(do="hand", zone="k2", seconds=20, id="hose"),
    "red button": lambda rig: rig.board.inputs.__setitem__(0, False),
    "gateway dies": lambda rig: rig.desk.gone("gateway"),
    "gateway hangs": lambda rig: None,
    "cable is cut": _cut,
    "supervisor hangs": _hang,
    "board restarts": lambda rig: rig.board.restart(),
}


def through(
    rig: Rig, at: float | None, what: str, until: float, look: Callable[[float], None]
) -> None:
    """Let a test go on for ``until`` seconds; after ``at`` something happens."""
    began = renewed = rig.clock()
    is_silent = False
    while rig.clock() - began < until:
        rig.board.turn(STEP)
        now = rig.clock()
        if at is not None and now - began >= at:
            HAPPENS[what](rig)
            at, is_silent = None, what in ("gateway hangs", "gateway dies")
        if now - renewed >= 1.0 and not is_silent:
            renewed = now
            rig.ask(do="renew")
        rig.loop()
        look(now)


def begun(share: float, is_stuck: bool) -> Rig:
    rig = Rig(switches=Switches(stop=0))
    rig.turn(1)
    rig.board.falls = share
    assert rig.ask(do="open", zone="k1", seconds=SECONDS, id="test", test=True)["state"] == (
        "running"
    )
    if is_stuck:
        rig.board.stuck_open.add(0)
    return rig


@settings(max_examples=150, deadline=None)
@given(
    share=st.sampled_from([0.0, 0.1, 0.3, 0.6, 1.0]),
    is_stuck=st.booleans(),
    at=st.none() | st.floats(30.0, SECONDS + HELD_SECONDS + 5.0),
    what=st.sampled_from(sorted(HAPPENS)),
)
def test_what_is_told_of_a_valve_is_true_and_nothing_runs_on(
    share: float, is_stuck: bool, at: float | None, what: str
) -> None:
    rig = begun(share, is_stuck)
    began = rig.clock()
    coils = [coil for coil, _ in ZONES.values()]
    alone: list[float] = []  # moments with the main valve open and no zone's

    def look(now: float) -> None:
        is_open = any(rig.board.on[coil] for coil in coils)
        assert is_open or not rig.board.on[PUMP], "the pump never runs without an open valve"
        if rig.board.on[MAIN] and not is_open:
            alone.append(now)

    through(rig, at, what, 2 * (SECONDS + HELD_SECONDS) + 10, look)
    assert not any(rig.board.on)
    tests = 2 if what == "another test" else 1
    assert len(alone) * STEP <= tests * HELD_SECONDS + LEASE
    fall = rig.plan.fall
    assert fall is not None
    if fall.id == "test" and fall.is_shut is not None:
        assert fall.is_shut is not is_stuck
    if at is not None and at < SECONDS + HELD_SECONDS - 2 and what == "stop":
        assert all(now <= began + at + 0.5 for now in alone), "a stop closes the main valve too"
    if at is None and fall.is_over:
        known = {0.0: None, 0.1: fall.is_shut}.get(share, not is_stuck)
        assert fall.is_shut is known


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_pump_stops_first_and_the_main_valve_is_held_only_where_water_flows_by_itself(
    share: float,
) -> None:
    rig = begun(share, is_stuck=False)
    through(rig, None, "", SECONDS + HELD_SECONDS + 5, lambda now: None)
    off = {coil: t for t, coil, on in rig.board.edges if not on}
    assert off[0] - off[PUMP] == pytest.approx(FALL_SECONDS, abs=1)
    assert off[MAIN] - off[0] == pytest.approx(HELD_SECONDS if share else 0, abs=1)


def test_a_short_test_and_one_without_a_meter_are_as_any_run() -> None:
    rig = begun(0.5, is_stuck=False)
    rig.ask(do="stop")
    rig.turn(2)
    rig.ask(do="open", zone="k1", seconds=20, id="short", test=True)
    assert rig.plan.runs[0].fall_seconds == 0
    rig.plan.layout = replace(rig.plan.layout, has_meter=False)
    rig.ask(do="open", zone="k2", seconds=60, id="no meter", test=True)
    assert [run.fall_seconds for run in rig.plan.runs] == [0, 0]


def test_water_of_an_ordinary_run_is_pumped_to_its_end() -> None:
    rig = Rig()
    rig.loop()
    rig.ask(do="open", zone="k1", seconds=SECONDS, id="a")
    through(rig, None, "", SECONDS + 5, lambda now: None)
    assert rig.board.litres == pytest.approx(SECONDS * LITRES_A_SECOND, abs=0.3)
