"""A zone that waters by the clock: on a model board, through restarts and wrong clocks."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from test_killed_between_steps import Fate, Killed, mortal
from watered_farm import Farm

EVERY_DAY = list(range(7))
HERE = datetime.timezone(datetime.timedelta(hours=7))
STEPS = 400  # more than a slot has


def slot_soon(farm: Farm, run_seconds: int = 3, **more: Any) -> int:
    """Let a person set one slot, and the clock stand two seconds before it; returns its time."""
    at = (int(farm.wall()) // 60 + 2) * 60
    clock = datetime.datetime.fromtimestamp(at, HERE).strftime("%H:%M")
    slots = [{"days": EVERY_DAY, "at": clock, "run_seconds": run_seconds}]
    done = farm.order(do="mode", zone="k1", mode="schedule", schedule={"slots": slots}, **more)
    assert done["state"] == "done", done
    farm.turn(1)
    farm.wall_offset = at - 2 - farm.rig.clock()
    return at


def slots_run(farm: Farm) -> list[dict[str, Any]]:
    return [row for row in farm.rows("run") if row["cause"] == "schedule"]


def test_water_runs_at_the_hour_that_was_set_and_says_why(new_farm: Callable[..., Farm]) -> None:
    farm = new_farm()
    farm.turn(2)
    at = slot_soon(farm)
    assert not slots_run(farm)
    farm.turn(10)
    begun, ended = slots_run(farm)
    assert (begun["code"], begun["values"], begun["ordered_seconds"]) == (
        "slot_due",
        {"at": at},
        3,
    )
    assert ended["code"] == "done"
    assert farm.rows("zone")[-1]["code"] == "next_slot"
    assert farm.rows("zone")[-1]["values"] == {"at": at + 86400}
    assert farm.rows("zone")[-1]["schedule"]["slots"][0]["run_seconds"] == 3


def test_the_schedule_outlives_a_restart(new_farm: Callable[..., Farm]) -> None:
    farm = new_farm()
    farm.turn(2)
    slot_soon(farm)
    farm.dies()
    farm.start()
    farm.turn(10)
    assert len(slots_run(farm)) == 2  # begun and ended


def test_a_clock_set_back_waters_no_slot_twice(new_farm: Callable[..., Farm]) -> None:
    farm = new_farm()
    farm.turn(2)
    slot_soon(farm)
    farm.turn(10)
    before = farm.openings()
    farm.wall_offset -= 60
    farm.turn(120)
    assert farm.openings() == before


def test_after_a_night_without_power_nothing_is_caught_up(new_farm: Callable[..., Farm]) -> None:
    farm = new_farm()
    farm.turn(2)
    at = slot_soon(farm)
    farm.dies()
    farm.wall_offset += 3600
    farm.start()
    before = farm.openings()
    farm.turn(30)
    assert farm.openings() == before
    codes = [(row["code"], row["values"]) for row in farm.rows("zone")]
    assert ("slot_missed", {"at": at}) in codes


@pytest.mark.parametrize("wrong", [{"slots": "now"}, {"slots": [{"days": [0], "at": "25:00"}]}])
def test_a_schedule_that_cannot_be_read_changes_nothing(
    new_farm: Callable[..., Farm], wrong: Any
) -> None:
    farm = new_farm()
    farm.turn(2)
    before = farm.rows("zone")[-1]["mode"]
    done = farm.order(do="mode", zone="k1", mode="schedule", schedule=wrong)
    assert (done["state"], done["code"]) == ("refused", "not_understood")
    farm.turn(2)
    assert farm.rows("zone")[-1]["mode"] == before


def test_killed_at_any_step_of_a_slot_it_waters_at_most_once(
    new_farm: Callable[..., Farm],
) -> None:
    farm = new_farm(max_day_seconds=10**6)
    farm.turn(2)
    struck = []
    for at in range(STEPS):
        slot_soon(farm)
        fate, before = Fate(at), farm.openings()
        mortal(farm, fate)
        try:
            farm.turn(6)
        except Killed:
            struck.append(fate.struck)
        farm.dies()
        farm.rig.loop()
        farm.start()
        farm.turn(12)
        assert farm.openings() - before <= 1, f"twice, killed {fate.struck} (step {at})"
        assert not any(farm.rig.board.on)
        if fate.struck is None:
            break
    else:
        pytest.fail("a slot has more steps than expected")
    assert {"before open", "after open", "before set_states", "after set_states"} <= set(struck)
