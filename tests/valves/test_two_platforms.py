"""The farm's box and the cooperative's server both water and stop one farm, each by its own clock.

Numbers of the two are not comparable: the box may have no Internet and a clock that is days wrong.
"""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from two_zones import BAND
from watered_farm import Farm

from nongso.gateway.stops import Given, Stops
from nongso.gateway.uplink import AGE_ROUNDING_SECONDS, given_after

MAIN, FARM = "main", "farm"
DAY = 86400_000


class Office:
    """One of the two platforms, with a clock of its own."""

    def __init__(self, farm: Farm, name: str, clock_error_ms: int = 0) -> None:
        self.farm, self.name, self.error = farm, name, clock_error_ms
        self._number = 0

    def press(self, do: str, zone: str | None = "k1", **more: Any) -> dict[str, Any]:
        """Somebody presses; the wish waits here with its number."""
        now = self.farm.rig.clock()
        self._number = max(self._number + 1, 1_790_000_000_000 + round(now * 1000) + self.error)
        wish = {"do": do, "zone": zone, "number": self._number, "pressed": now, **more}
        wish.setdefault("id", f"{self.name}-{self._number}")
        if do == "water":
            wish.setdefault("seconds", 5)
        return wish

    def answer(self, wish: dict[str, Any], *, asked: float, way: float = 0.0) -> dict[str, Any]:
        """Hand it out in answer to a poll; ``way`` is how long the answer then travels."""
        now = self.farm.rig.clock()
        body = {**wish, "age": int(now - wish["pressed"]), "held": now - asked}
        del body["pressed"]
        self.farm.turn(way)
        given = Given(self.name, given_after(body, asked, self.farm.rig.clock()))
        return self.farm.order_of(given, **body)

    def press_and_answer(self, do: str, zone: str | None = "k1", **more: Any) -> dict[str, Any]:
        """Press while a poll is already held, as it is most of the time."""
        asked = self.farm.rig.clock() - 10.0
        return self.answer(self.press(do, zone, **more), asked=asked)


@pytest.fixture(params=[0, -3 * DAY, 3 * DAY], ids=["right", "3 days behind", "3 days ahead"])
def clock_error_ms(request: pytest.FixtureRequest) -> int:
    found: int = request.param
    return found


@pytest.fixture
def main(farm: Farm) -> Office:
    return Office(farm, MAIN)


@pytest.fixture
def box(farm: Farm, clock_error_ms: int) -> Office:
    return Office(farm, FARM, clock_error_ms)


@pytest.mark.parametrize("zone", ["k1", None])
@pytest.mark.parametrize("is_main", [True, False])
def test_a_stop_from_either_closes_what_the_other_opened(
    farm: Farm, main: Office, box: Office, zone: str | None, is_main: bool
) -> None:
    waters, stops = (main, box) if is_main else (box, main)
    assert waters.press_and_answer("water", seconds=60)["state"] == "running"
    assert stops.press_and_answer("stop", zone)["state"] == "done"
    assert not farm.rig.is_open("k1")


@pytest.mark.parametrize("zone", ["k1", None])
@pytest.mark.parametrize("is_main", [True, False])
@pytest.mark.parametrize("later", [1, 60])
def test_a_wish_from_before_the_others_stop_opens_nothing_after_it(
    farm: Farm, main: Office, box: Office, zone: str | None, is_main: bool, later: int
) -> None:
    waters, stops = (main, box) if is_main else (box, main)
    wish = waters.press("water")
    farm.turn(1)
    stops.press_and_answer("stop", zone)
    farm.turn(later)
    late = waters.answer(wish, asked=farm.rig.clock())
    assert (late["state"], late["code"]) == ("refused", "stopped_meanwhile")
    assert farm.openings() == 0


@pytest.mark.parametrize("is_main", [True, False])
def test_a_wish_from_after_the_others_stop_waters(
    farm: Farm, main: Office, box: Office, is_main: bool
) -> None:
    """Whatever the clocks say; the poll may have been open for long when it was pressed."""
    waters, stops = (main, box) if is_main else (box, main)
    stops.press_and_answer("stop", None)
    farm.turn(3)
    assert waters.press_and_answer("water")["state"] == "running"


def test_an_answer_that_was_long_on_its_way_is_no_newer_for_it(
    farm: Farm, main: Office, box: Office
) -> None:
    """Pressed and handed out before the stop, and held up by the network until after it."""
    asked = farm.rig.clock()
    wish = main.press("water")
    body = {**wish, "age": 0, "held": 0.0}
    del body["pressed"]
    farm.turn(5)
    box.press_and_answer("stop", None)
    farm.turn(20)
    late = farm.order_of(Given(MAIN, given_after(body, asked, farm.rig.clock())), **body)
    assert (late["state"], late["code"]) == ("refused", "stopped_meanwhile")
    assert farm.openings() == 0


def test_a_stop_of_one_zone_on_one_platform_is_no_stop_of_another_zone(
    farm: Farm, main: Office, box: Office
) -> None:
    wish = main.press("water", "k2")
    farm.turn(2)
    box.press_and_answer("stop", "k1")
    assert main.answer(wish, asked=farm.rig.clock())["state"] == "running"


def test_a_return_to_the_band_from_before_the_others_stop_is_not_taken(
    new_farm: Callable[..., Farm],
) -> None:
    farm = new_farm(mode="band")
    main, box = Office(farm, MAIN), Office(farm, FARM)
    wish = main.press("mode", mode="band", band=BAND)
    farm.turn(2)
    box.press_and_answer("stop", None)
    late = main.answer(wish, asked=farm.rig.clock())
    assert (late["state"], late["code"]) == ("refused", "stopped_meanwhile")
    farm.moisture = 20.0
    farm.turn(60)
    assert farm.openings() == 0


@pytest.mark.parametrize("reboots", [False, True])
def test_a_stop_of_the_other_platform_holds_across_a_restart(
    farm: Farm, main: Office, box: Office, reboots: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = main.press("water")
    farm.turn(2)
    box.press_and_answer("stop", None)
    farm.dies()
    if reboots:  # the steady clock begins anew: the stop came before all of it
        monkeypatch.setattr("nongso.gateway.watering.boot_id", lambda: "another boot")
        booted = farm.rig.clock()
        steady = farm.rig.clock
        farm.start(lambda: steady() - booted)
        farm.turn(30)
        body = {**wish, "age": 32, "held": 0.0}
        del body["pressed"]
        now = steady() - booted
        late = farm.order_of(Given(MAIN, given_after(body, now, now)), **body)
    else:
        farm.start()
        farm.turn(30)
        late = main.answer(wish, asked=farm.rig.clock())
    assert (late["state"], late["code"]) == ("refused", "stopped_meanwhile")
    assert farm.openings() == 0
    if reboots:
        fresh = {"do": "water", "zone": "k1", "seconds": 5, "id": "fresh", "age": 0, "held": 0.0}
        now = steady() - booted
        given = Given(MAIN, given_after(fresh, now, now))
        assert farm.order_of(given, **fresh, number=2_000_000_000_000)["state"] == "running"


def test_stops_that_an_earlier_version_remembered_hold_for_both(farm: Farm) -> None:
    """It kept numbers of one platform and no times: they came before this process began."""
    farm.dies()
    farm.store.set_state("water.stops", json.dumps({"": 1_790_000_000_000, "k2": 7}))
    farm.start()
    box, main = Office(farm, FARM, -3 * DAY), Office(farm, MAIN)
    old = {**box.press("water"), "pressed": farm.rig.clock() - 60}
    assert box.answer(old, asked=farm.rig.clock())["code"] == "stopped_meanwhile"
    wish = {"id": "old", "do": "water", "zone": "k1", "seconds": 5, "number": 5}
    assert farm.order_of(Given(MAIN, 1e12), **wish)["code"] == "stopped_meanwhile"
    farm.turn(5)
    assert box.press_and_answer("water")["state"] == "running"
    assert main.press_and_answer("water", "k2")["state"] == "running"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"age": 0, "held": 0.0}, 100.0),
        ({"age": 7, "held": 15.0}, 108.0),
        ({"age": 7, "held": 90.0}, 113.0),  # no platform has held a poll from before it was asked
        ({"age": 7}, 93.0),
        ({"age": True, "held": "long"}, 100.0 - 3600.0),
        ({"age": float("nan"), "held": float("inf")}, 100.0 - 3600.0),
        ({"age": -5, "held": -5}, 100.0 - 3600.0),
        ({}, 100.0 - 3600.0),
    ],
)
def test_when_a_wish_was_made_is_never_put_too_late(told: dict[str, Any], expected: float) -> None:
    assert given_after(told, asked_at=100.0, now=120.0) == expected - AGE_ROUNDING_SECONDS


@pytest.mark.parametrize("seed", range(8))
def test_wishes_and_stops_of_two_platforms_in_any_order_with_restarts(
    new_farm: Callable[..., Farm], seed: int
) -> None:
    """Two crowds press; answers travel at random; the gateway dies. Against the true order."""
    chance = random.Random(seed)
    farm = new_farm(max_day_seconds=86400)
    error = chance.choice([0, 0, -3 * DAY, 3 * DAY])
    offices = [Office(farm, MAIN), Office(farm, FARM, error)]
    waiting: list[tuple[Office, dict[str, Any]]] = []
    under_way: list[tuple[Office, dict[str, Any], float]] = []
    stopped: list[tuple[str | None, float, float]] = []  # zone, pressed, done
    ran: dict[str, int] = {}
    refused = falsely = 0
    for _ in range(220):
        step = chance.random()
        if step < 0.4:
            office = chance.choice(offices)
            is_stop = chance.random() < 0.15
            zone = chance.choice(["k1", "k2", None] if is_stop else ["k1", "k2"])
            wish = office.press("stop" if is_stop else "water", zone)
            if not is_stop:
                wish["seconds"] = 2
            waiting.append((office, wish))
        elif step < 0.7 and waiting:  # handed out, and on its way
            office, wish = waiting.pop(chance.randrange(len(waiting)))
            now = farm.rig.clock()
            held = chance.choice([0.0, 0.0, 3.0, 15.0])
            body = {**wish, "age": int(now - wish["pressed"]), "held": held}
            under_way.append((office, body, now - held))
        elif step < 0.95 and under_way:
            office, body, asked = under_way.pop(chance.randrange(len(under_way)))
            pressed = body["pressed"]
            given = Given(office.name, given_after(body, asked, farm.rig.clock()))
            order = {key: value for key, value in body.items() if key != "pressed"}
            before = [farm.openings(coil) for coil in (0, 1)]
            outcome = farm.order_of(given, **order)
            opened = [farm.openings(coil) for coil in (0, 1)] != before
            if body["do"] == "stop":
                assert outcome["state"] == "done"
                zones = ["k1", "k2"] if body["zone"] is None else [body["zone"]]
                assert not any(farm.rig.is_open(zone) for zone in zones)
                stopped.append((body["zone"], pressed, farm.rig.clock()))
                continue
            mine = [(p, d) for z, p, d in stopped if z in (None, body["zone"])]
            if opened:
                ran[body["id"]] = ran.get(body["id"], 0) + 1
                assert all(stop_pressed <= pressed for stop_pressed, _ in mine)
            elif outcome["code"] == "stopped_meanwhile":
                refused += 1
                falsely += all(done + 3.0 < pressed for _, done in mine)
        elif step > 0.985:
            farm.dies()
            farm.start()
        farm.turn(chance.choice([0, 0, 1, 2]))
    assert ran, "some do water"
    assert refused, "some came too late"
    assert falsely == 0, "nobody is refused who pressed three seconds after every stop was done"
    assert set(ran.values()) == {1}


def test_what_is_remembered_of_stops_stays_small(farm: Farm) -> None:
    box, main = Office(farm, FARM), Office(farm, MAIN)
    for office in (box, main) * 20:
        office.press_and_answer("stop", "k1")
        office.press_and_answer("stop", None)
    kept = farm.store.state("water.stops") or ""
    assert len(kept) < 600
    assert Stops(farm.store, farm.rig.clock).came_after("k1", 1, Given(MAIN, 0.0))
