"""The gateway is killed at every single step of a wish; offered again, it waters once.

The steps are what crosses the gateway's border: each call of its store and of the supervisor's
socket, before and after. The store is a real one, closed and opened anew; the platform's part is
played by its rule: what has no final outcome is offered again, with its number and its age.
"""

import itertools
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from watered_farm import Farm

from nongso.gateway.waterbook import WaterBook
from nongso.gateway.watering import Watering

STORE_STEPS = ("seen_command", "set_state", "set_states", "record")
VALVE_STEPS = ("open", "stop", "renew")
LONGEST = 400  # more steps than a wish has


class Killed(BaseException):
    """kill -9: nothing after it happens, and nobody catches it."""


class Fate:
    """Counts the steps and kills at one of them."""

    def __init__(self, at: int) -> None:
        self._left = at
        self.struck: str | None = None

    def step(self, what: str) -> None:
        if self.struck is not None:
            raise Killed  # a dead process takes no further step
        if self._left == 0:
            self.struck = what
            raise Killed
        self._left -= 1

    def watched(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **named: Any) -> Any:
            self.step(f"before {name}")
            found = call(*args, **named)
            self.step(f"after {name}")
            return found

        return stepped


class Mortal:
    """A store or the valves, with each step watched."""

    def __init__(self, inner: Any, fate: Fate, steps: tuple[str, ...]) -> None:
        self._inner = inner
        for name in steps:
            setattr(self, name, fate.watched(name, getattr(inner, name)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class Office:
    """What the platform knows of a farm's commands: the outcomes in the rows that arrived."""

    def __init__(self, farm: Farm) -> None:
        self.farm = farm
        self.made: dict[str, tuple[float, dict[str, Any]]] = {}
        self._numbers = itertools.count(1)

    def wish(self, **command: Any) -> str:
        number = next(self._numbers)
        found = {"id": f"wish-{number}", "number": number, "gateway": "binh-lu", "by": "Páo"}
        self.made[f"wish-{number}"] = (self.farm.rig.clock(), found | command)
        return f"wish-{number}"

    def answered(self) -> set[str]:
        return {row["id"] for row in self.farm.rows("command")}

    def offered(self) -> list[dict[str, Any]]:
        now = self.farm.rig.clock()
        done = self.answered()
        return [
            command | {"age": int(now - at)}
            for at, command in self.made.values()
            if command["id"] not in done
        ]


def mortal(farm: Farm, fate: Fate) -> None:
    """Start the gateway as one that will die."""
    farm.watering = Watering(
        farm.settings,
        Mortal(farm.valves, fate, VALVE_STEPS),
        farm.latest,
        Mortal(farm.store, fate, STORE_STEPS),
        farm.wall,
        farm.rig.clock,
    )


def live(farm: Farm, office: Office, seconds: int) -> None:
    for _ in range(seconds):
        for command in office.offered():
            farm.watering.order(command)
        farm.turn(1)


def run_rows(farm: Farm, run_id: str) -> list[dict[str, Any]]:
    return [row for row in farm.rows("run") if row["id"] == run_id]


@pytest.mark.parametrize("then", ["at once", "after the lease"])
def test_a_gateway_killed_at_any_step_of_a_wish_waters_once(
    new_farm: Callable[..., Farm], then: str
) -> None:
    farm = new_farm(max_day_seconds=10**6)
    farm.turn(2)
    office, struck = Office(farm), []
    for at in range(LONGEST):
        fate, before = Fate(at), farm.openings()
        mortal(farm, fate)
        wish = office.wish(do="water", zone="k1", seconds=3)
        try:
            live(farm, office, 6)
        except Killed:
            struck.append(fate.struck)
        farm.dies()
        if then == "after the lease":
            farm.rig.turn(6)
        else:
            farm.rig.loop()
        farm.start()
        live(farm, office, 8)
        assert farm.openings() - before <= 1, f"twice, killed {fate.struck} (step {at})"
        assert wish in office.answered(), f"never answered, killed {fate.struck} (step {at})"
        assert not any(farm.rig.board.on)
        for row in run_rows(farm, wish)[-1:]:
            assert row["ended_at"] is not None, f"goes on for ever, killed {fate.struck}"
        if fate.struck is None:
            break
    assert fate.struck is None, "every step was tried"
    assert len(set(struck)) >= 10, "opening, writing down and renewing, before and after"
    ends: dict[str, set[tuple[str, float]]] = {}
    for row in farm.rows("run"):
        if row["ended_at"] is not None:
            ends.setdefault(row["id"], set()).add((row["code"], row["seconds"]))
    assert ends
    counted = [past.seconds for past in WaterBook(farm.settings, farm.store).past["k1"]]
    told_once = [seconds for told in ends.values() for _, seconds in told]
    assert len(counted) == len(told_once), "no run is counted twice, and none is forgotten"
    assert sum(counted) == pytest.approx(sum(told_once))
    assert all(len(told) == 1 for told in ends.values()), "what is told twice is the same"


def test_a_gateway_killed_at_any_step_of_a_stop_opens_nothing_from_before_it(
    new_farm: Callable[..., Farm],
) -> None:
    """A wish whose poll died, a stop, and a gateway that dies in the stop."""
    farm = new_farm(max_day_seconds=10**6)
    farm.turn(2)
    office = Office(farm)
    for at in range(LONGEST):
        fate = Fate(at)
        late = office.wish(do="water", zone="k1", seconds=3)
        lost = office.made.pop(late)  # handed to a poll that died
        office.wish(do="water", zone="k2", seconds=2)
        live(farm, office, 1)
        assert farm.rig.is_open("k2")
        stop = office.wish(do="stop")
        mortal(farm, fate)
        with suppress(Killed):
            live(farm, office, 1)
        farm.dies()
        farm.rig.loop()
        farm.start()
        live(farm, office, 2)
        assert stop in office.answered()
        before = farm.openings()
        office.made[late] = lost
        live(farm, office, 3)
        assert late in office.answered()
        assert farm.openings() == before, f"opened after the stop, killed {fate.struck} ({at})"
        if fate.struck is None:
            break
    assert fate.struck is None, "every step was tried"


@pytest.mark.parametrize("at", [0, 1, 2, 5])
def test_a_supervisor_killed_in_a_run_is_no_reason_to_run_again(farm: Farm, at: int) -> None:
    office = Office(farm)
    farm.turn(2)
    office.wish(do="water", zone="k1", seconds=10)
    live(farm, office, 1 + at)
    farm.valves.is_gone = farm.rig.is_frozen = True
    live(farm, office, 2)
    farm.rig.is_frozen = farm.valves.is_gone = False
    farm.rig.start()
    farm.rig.loop()
    live(farm, office, 20)
    assert farm.openings() == 1
    (ended,) = [r for r in farm.rows("run") if r["ended_at"] is not None]
    assert ended["code"] == "restarted"
    json.dumps(ended, allow_nan=False)
