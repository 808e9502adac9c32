"""Runs whose supervisor was killed are recorded as long as the relay was on, as far as known."""

import json
import signal
from collections.abc import Callable
from typing import Any

import apsw
import pytest
from farm_house import LEASE, House, wait_for
from model_board import LEASE as MODEL_LEASE
from model_board import LITRES_A_SECOND
from test_polite_ends import begin, let_run, run_rows
from watered_farm import Farm

from nongso.gateway.supervised import CLOSED_UNSEEN_SECONDS


def killed(farm: Farm) -> None:
    """kill -9 of the supervisor: the board is left alone with its pulses."""
    farm.valves.is_gone = True
    farm.rig.is_frozen = True


def started_again(farm: Farm) -> None:
    farm.rig.is_frozen = False
    farm.rig.start()
    farm.rig.loop()
    farm.valves.is_gone = False


def ended(farm: Farm) -> dict[str, Any]:
    (run,) = [r for r in farm.rows("run") if r["ended_at"] is not None]
    return run


def spell(farm: Farm, coil: int = 0) -> float:
    """How long the relay was on, by the board's own log."""
    on, off = [at for at, c, _ in farm.rig.board.edges if c == coil]
    return off - on


@pytest.mark.parametrize("away", [1, 2, 6, 30])
def test_a_run_whose_supervisor_was_killed_is_as_long_as_the_relay_was_on(
    farm: Farm, away: int
) -> None:
    farm.order(do="water", zone="k1", seconds=60)
    farm.turn(20)
    killed(farm)
    farm.turn(away)
    started_again(farm)
    farm.turn(8)
    run = ended(farm)
    assert run["code"] == "restarted"
    assert run["seconds"] == pytest.approx(spell(farm), abs=1.1)
    assert spell(farm) > 20
    assert run["litres"] == pytest.approx(farm.rig.board.litres, abs=0.2)


def test_a_supervisor_that_never_comes_back_leaves_the_length_that_the_board_allowed(
    farm: Farm,
) -> None:
    farm.order(do="water", zone="k1", seconds=600)
    farm.turn(20)
    killed(farm)
    farm.turn(CLOSED_UNSEEN_SECONDS + 10)
    assert ended(farm)["seconds"] == pytest.approx(spell(farm), abs=1.1)
    assert spell(farm) == pytest.approx(20 + MODEL_LEASE, abs=1.1)


def test_a_run_is_never_recorded_longer_than_it_was_ordered(farm: Farm) -> None:
    farm.order(do="water", zone="k1", seconds=21)
    farm.turn(20)
    killed(farm)
    farm.turn(10)
    started_again(farm)
    farm.turn(8)
    assert ended(farm)["seconds"] == pytest.approx(spell(farm), abs=0.2)
    assert ended(farm)["seconds"] <= 21


def test_two_runs_that_are_cut_at_once_share_the_water_of_the_gap(farm: Farm) -> None:
    farm.order(do="water", zone="k1", seconds=60)
    farm.order(do="water", zone="k2", seconds=60)
    farm.turn(20)
    killed(farm)
    farm.turn(6)
    started_again(farm)
    farm.turn(8)
    runs = [r for r in farm.rows("run") if r["ended_at"] is not None]
    assert {r["zone"] for r in runs} == {"k1", "k2"}
    for coil, run in enumerate(sorted(runs, key=lambda r: str(r["zone"]))):
        assert run["seconds"] == pytest.approx(spell(farm, coil), abs=1.1)
    assert sum(r["litres"] for r in runs) == pytest.approx(farm.rig.board.litres, abs=0.3)


def test_a_slow_disk_does_not_lengthen_the_record(farm: Farm) -> None:
    """Writing the first end down takes seconds; the second is no longer for that."""
    farm.order(do="water", zone="k1", seconds=60)
    farm.order(do="water", zone="k2", seconds=60)
    farm.turn(10)
    killed(farm)
    farm.turn(10)
    started_again(farm)
    record = farm.store.record

    def slowly(*args: Any) -> None:
        farm.rig.turn(3.0)
        record(*args)

    farm.store.record = slowly  # type: ignore[method-assign]
    farm.turn(8)
    for run in [r for r in farm.rows("run") if r["ended_at"] is not None]:
        assert run["seconds"] <= 10 + MODEL_LEASE + 1


# --- litres that nobody has counted ------------------------------------------------------------


def test_without_a_meter_litres_are_unknown_and_not_nothing(
    new_farm: Callable[..., Farm],
) -> None:
    farm = new_farm()
    farm.rig.cable.meter_is_dead = True
    farm.order(do="water", zone="k1", seconds=10, id="wish")
    farm.turn(14)
    run = ended(farm)
    assert (run["code"], run["litres"]) == ("done", None)
    assert run["values"] == {"seconds": run["seconds"], "litres": None}
    assert farm.rows("command")[-1]["values"]["litres"] is None


def test_a_meter_that_counts_nothing_is_a_number(farm: Farm) -> None:
    farm.rig.board.has_water = False
    farm.order(do="water", zone="k1", seconds=5)
    farm.turn(8)
    assert ended(farm)["litres"] == 0.0


@pytest.mark.parametrize(("silent", "is_known"), [(5, True), (40, False)])
def test_a_meter_that_dies_long_before_the_end_does_not_know_the_litres(
    farm: Farm, silent: int, is_known: bool
) -> None:
    farm.order(do="water", zone="k1", seconds=60)
    farm.turn(60 - silent)
    farm.rig.cable.meter_is_dead = True
    farm.turn(silent + 4)
    litres = ended(farm)["litres"]
    assert (litres is not None) == is_known
    if is_known:
        assert litres == pytest.approx((60 - silent) * LITRES_A_SECOND, abs=1.5)


# --- on real processes ---------------------------------------------------------------------------


@pytest.mark.parametrize("comes_back", ["at once", "later"])
def test_the_record_of_a_killed_supervisors_run_agrees_with_the_relay(
    house: House, comes_back: str
) -> None:
    supervisor, gateway = begin(house)
    let_run(house, 3.3)
    supervisor.kill()
    supervisor.wait()
    if comes_back == "later":
        house.closed_at()
    house.start_supervisor()
    (run,) = wait_for(lambda: ends_in(house), "the end of the run", 15)
    gateway.send_signal(signal.SIGTERM)
    assert gateway.wait(10) == 0
    (length,) = house.spells(0)
    assert run["code"] == "restarted"
    assert run["seconds"] == pytest.approx(length, abs=1.2)
    assert run["litres"] > 0
    if comes_back == "later":
        assert length > 3.3 + LEASE / 2


def ends_in(house: House) -> list[dict[str, Any]]:
    store = apsw.Connection(str(house.folder / "store.sqlite"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        bodies = [json.loads(row[0]) for row in store.execute("SELECT body FROM outbox")]
    finally:
        store.close()
    runs = [body["run"] for body in bodies if body.get("kind") == "run"]
    return [run for run in runs if run["ended_at"] is not None]


def test_a_farm_without_a_meter_records_that_nobody_counted(house: House) -> None:
    settings = json.loads(house.gateway_file.read_text())
    settings["bus"]["meter"] = None
    house.gateway_file.write_text(json.dumps(settings))
    supervisor, gateway = begin(house)
    let_run(house, 2.5)
    for process in (gateway, supervisor):
        process.send_signal(signal.SIGTERM)
        assert process.wait(8) == 0
    _, end = run_rows(house.folder)
    assert (end["code"], end["litres"]) == ("stopped", None)
    assert end["seconds"] > 2
