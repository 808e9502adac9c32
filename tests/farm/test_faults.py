"""What breaks on the simulated farm when somebody switches it on, and that it heals again."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nongso.commands.__main__ import main
from nongso.commands.house import House
from nongso.commands.ports import Ports
from nongso.gateway.simulated import faults
from nongso.gateway.simulated.faults import Fault, FaultFile, Faults
from nongso.gateway.simulated.model import FarmModel
from nongso.gateway.simulated.relay import Relays
from nongso.gateway.simulated.settings import FarmSettings

K1, K2 = "tan-binh-1-k1", "tan-binh-1-k2"
WET_K1 = [n in (0, 6, 7) for n in range(8)]
NOON = 1_790_000_000.0


def litres_a_minute(model: FarmModel, coils: list[bool]) -> float:
    model.advance(10.0, coils)
    before = model.water.total_litres
    model.advance(60.0, coils)
    return model.water.total_litres - before


@pytest.fixture
def model(farm_settings: FarmSettings) -> FarmModel:
    return FarmModel(farm_settings, NOON)


@pytest.mark.parametrize(
    ("fault", "coils", "l_per_min"),
    [
        (None, WET_K1, 80.0),
        (Fault("stuck_closed", K1), WET_K1, 0.0),
        (Fault("stuck_open", K2), WET_K1, 160.0),
        (Fault("dry_pump"), WET_K1, 0.0),
        (Fault("burst_pipe"), WET_K1, 180.0),
        (Fault("burst_pipe"), [n in (6, 7) for n in range(8)], 100.0),
        (Fault("leak"), [False] * 8, 3.0),
        (Fault("stuck_open", K1), [False] * 8, 0.0),
    ],
)
def test_what_the_meter_counts(
    model: FarmModel, fault: Fault | None, coils: list[bool], l_per_min: float
) -> None:
    model.suffer(Faults([fault] if fault else []))
    assert litres_a_minute(model, coils) == pytest.approx(l_per_min, abs=0.1)
    model.suffer(faults.NONE)
    assert litres_a_minute(model, WET_K1) == pytest.approx(80.0, abs=0.1)


def test_what_a_burst_pipe_and_a_leak_take_is_not_lost_from_the_books(model: FarmModel) -> None:
    water, beds = model.water, [model.bed(K1), model.bed(K2)]
    tank = water.tank_litres
    model.suffer(Faults([Fault("burst_pipe"), Fault("leak"), Fault("stuck_open", K2)]))
    for _ in range(20):
        model.advance(3.0, WET_K1)
    assert water.lost_litres > 10.0
    got = sum(bed.irrigated for bed in beds)
    assert got + water.lost_litres == pytest.approx(water.total_litres, abs=1e-6)
    assert water.tank_litres == pytest.approx(tank + water.refilled_litres - water.total_litres)


def test_a_switch_that_is_turned_to_hand_waters_whatever_the_coils_are(model: FarmModel) -> None:
    model.suffer(Faults([Fault("hand_switch", K2)]))
    assert litres_a_minute(model, [False] * 8) == pytest.approx(80.0, abs=0.1)
    assert model.bed(K2).irrigated > 0
    assert model.bed(K1).irrigated == 0
    model.suffer(faults.NONE)
    assert litres_a_minute(model, [False] * 8) == pytest.approx(0.0, abs=0.1)


def test_button_and_switches_are_read_over_the_bus(
    farm: Any, wait_for: Callable[..., Any]
) -> None:
    file = farm.folder / "faults.json"
    assert farm.ask(5, "02 0000 0008") == "02 01 01", "at rest the button's contact is closed"
    assert farm.ask(5, "02 0001 0008") == "82 02", "it has eight inputs"
    assert farm.ask(5, "01 0000 0008") == "81 01"
    faults.write(file, [Fault("hand_switch", K2), Fault("red_button")])
    wait_for(lambda: farm.ask(5, "02 0000 0008") == "02 01 04", "button and switch")
    faults.write(file, [Fault("dead", "switches")])
    wait_for(lambda: farm.ask(5, "02 0000 0008") == "82 0b", "the unit to fall silent")
    faults.write(file, [])
    wait_for(lambda: farm.ask(5, "02 0000 0008") == "02 01 01", "the unit to answer again")


def test_a_farm_without_a_cabinet_has_no_buttons(
    farm_settings: FarmSettings,
) -> None:
    bare = replace(farm_settings, switches=None)
    for kind, at in (("red_button", ""), ("hand_switch", K1)):
        with pytest.raises(faults.FaultError, match="no buttons"):
            faults.check(bare, kind, at)
        faults.check(farm_settings, kind, at)
    with pytest.raises(faults.FaultError, match=r"relay, meter, tank, mains$"):
        faults.check(bare, "dead", "switches")


def test_a_frozen_and_a_drifting_probe(model: FarmModel, farm_settings: FarmSettings) -> None:
    frozen, drifting = farm_settings.nodes
    before = [model.truth(node)["soil_moisture"] for node in farm_settings.nodes]
    model.suffer(
        Faults([Fault("frozen_probe", frozen.slug), Fault("drifting_probe", drifting.slug)])
    )
    model.advance(3600.0, WET_K1)
    assert model.truth(frozen)["soil_moisture"] == pytest.approx(before[0])
    assert model.truth(drifting)["soil_moisture"] == pytest.approx(before[1] + 4.0, abs=1.0)
    model.suffer(faults.NONE)
    assert model.truth(frozen)["soil_moisture"] > before[0] + 5.0
    assert model.truth(drifting)["soil_moisture"] == pytest.approx(before[1], abs=1.0)


def test_a_welded_contact_opens_when_it_is_repaired() -> None:
    edges: list[tuple[int, bool, str]] = []
    relays = Relays(lambda *edge: edges.append(edge), lambda: 1.0)
    relays.pulse(0, 100)
    relays.weld(frozenset({0, 1}))
    relays.write(0, False)
    relays.write(1, False)
    assert relays.coils[:2] == [True, False], "a contact that is open does not weld"
    relays.weld(frozenset())
    assert edges == [(0, True, "pulse"), (0, False, "repaired")]


def test_a_dead_relay_and_bad_mains_are_told_over_the_bus(
    farm: Any, wait_for: Callable[..., Any]
) -> None:
    file = farm.folder / "faults.json"

    def volts() -> int:
        return int(farm.ask(4, "04 0000 000A")[6:11].replace(" ", ""), 16)

    assert volts() == 2290
    faults.write(file, [Fault("dead_relay", K1), Fault("bad_mains"), Fault("low_tank")])
    wait_for(lambda: volts() == 1600, "the mains to fall")
    assert farm.ask(1, "05 0200 0014") == "85 04"
    assert farm.ask(1, "05 0201 0014") == "05 02 01 00 14", "its neighbour switches"
    assert int(farm.ask(3, "03 0004 0001")[6:11].replace(" ", ""), 16) == 60, "3 % of 2 m, in mm"
    faults.write(file, [])
    wait_for(lambda: volts() > 2200, "the mains to come back")
    assert farm.ask(1, "05 0200 0014") == "05 02 00 00 14"


def test_the_energy_meter_counts_what_the_pump_takes(model: FarmModel) -> None:
    model.advance(60.0, [False] * 8)
    assert (model.water.energy_wh, model.water.pump_watts) == (0.0, 0.0)
    model.advance(3600.0, WET_K1)
    litres, wh = model.water.total_litres, model.water.energy_wh
    assert 580 < wh < 620, "a third of its load is on the pump"
    assert 0.1 < wh / litres < 0.15, "kWh a cubic metre"
    saved = model.state()
    model.restore(saved)
    assert model.water.energy_wh == wh
    del saved["water"]["energy_wh"]
    model.restore(saved)
    assert model.water.energy_wh == 0.0, "a state of before"


def test_a_fault_that_is_switched_on_is_there_within_its_time(farm_settings: FarmSettings) -> None:
    seen = FaultFile(farm_settings)
    assert not seen.now(NOON).has("leak")
    faults.write(farm_settings.faults, [Fault("leak", "", NOON + 60), Fault("stuck_open", K1)])
    assert seen.now(NOON).has("leak")
    assert not seen.now(NOON + 61).has("leak")
    assert seen.now(NOON + 61).at("stuck_open") == {K1}
    farm_settings.faults.unlink()
    assert not seen.now(NOON).at("stuck_open")


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"kind": "fire"}]', "[" * 90000, "\0\xff"])
def test_a_damaged_file_changes_nothing_and_is_said_once(
    farm_settings: FarmSettings, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    faults.write(farm_settings.faults, [Fault("leak")])
    seen = FaultFile(farm_settings)
    assert seen.now(NOON).has("leak")
    for name in ("x", "y"):
        new = farm_settings.faults.with_name(name)
        new.write_text(text)
        new.replace(farm_settings.faults)
        assert seen.now(NOON).has("leak")
    assert capsys.readouterr().err.count("cannot be used") == 1


def test_units_that_are_dead_or_lie(farm: Any, wait_for: Callable[..., Any]) -> None:
    file = farm.folder / "faults.json"
    assert farm.ask(3, "03 0004 0001").startswith("03 02")

    def switch(*found: Fault) -> None:
        faults.write(file, found)

    switch(Fault("dead", "tank"))
    wait_for(lambda: farm.ask(3, "03 0004 0001") == "83 0b", "the dead tank sensor")
    assert farm.ask(2, "04 0000 0003").startswith("04 06"), "its neighbour answers"
    switch(Fault("garbled", "tank"))
    wait_for(lambda: farm.ask(3, "03 0004 0001")[:5] not in ("83 0b", "03 02"), "broken bytes")
    switch()
    wait_for(lambda: farm.ask(3, "03 0004 0001").startswith("03 02"), "the tank sensor again")
    switch(Fault("wrong", "meter"))

    def answers_as_itself() -> bool:
        try:
            return bool(farm.ask(2, "04 0000 0003"))
        except AssertionError:
            return False

    wait_for(lambda: not answers_as_itself(), "an answer in another unit's name")
    farm.ask(1, "05 0200 0064")
    switch(Fault("brown_out"))
    wait_for(lambda: not farm.edges()[-1]["on"], "every relay to fall")
    assert farm.edges()[-1]["why"] == "power"
    switch(Fault("late", "meter"))
    wait_for(lambda: farm.ask(1, "01 0000 0008") == "01 01 00", "the board again")
    began = time.monotonic()
    farm.ask(2, "04 0000 0003")
    assert time.monotonic() - began > 0.5


def test_faults_from_the_command_line(
    farm_settings: FarmSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str], farm: Any
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "farm").symlink_to(farm.folder)
    there = ["--data", str(tmp_path / "data")]
    assert main(["demo", "fault", "stuck_open", K1, *there]) == 0
    assert main(["demo", "fault", "leak", "--for", "60", *there]) == 0
    assert main(["demo", "fault", *there]) == 0
    said = capsys.readouterr().out
    assert f"stuck_closed    {K1} {K2}" in said
    assert "leak             for 60 s" in said
    assert faults.read(farm.folder / "faults.json")[0] == Fault("stuck_open", K1)
    assert main(["demo", "repair", "stuck_open", *there]) == 0
    assert [f.kind for f in faults.read(farm.folder / "faults.json")] == ["leak"]
    assert main(["demo", "repair", *there]) == 0
    assert "No fault is switched on." in capsys.readouterr().out
    for wrong in (
        ["fault", "fire"],
        ["fault", "stuck_open"],
        ["fault", "leak", K1],
        ["repair", "x"],
    ):
        assert main(["demo", *wrong, *there]) == 1
    capsys.readouterr()
    assert main(["demo", "repair", "all", *there]) == 1
    assert "'nongso demo repair' alone mends everything" in capsys.readouterr().err
    assert main(["demo", "fault", "leak", "--data", str(tmp_path / "nowhere")]) == 1


@pytest.mark.parametrize(
    ("speed", "fault", "says"),
    [
        (1, "frozen_probe", "about 30 min after runs that brought 480 l into tan-binh-1-k1"),
        (10, "frozen_probe", "about 3 min after runs that brought 480 l into tan-binh-1-k1"),
        (60, "drifting_probe", "after about 2.5 min without water in tan-binh-1-k1; nothing"),
        (3600, "frozen_probe", "At speed 3600 no probe is judged"),
    ],
)
def test_the_command_says_when_the_page_tells_of_a_probe_that_lies(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    speed: float,
    fault: str,
    says: str,
) -> None:
    with House(tmp_path / "data") as house:
        house.write_farm(Ports(*range(20001, 20006)), speed)
    assert main(["demo", "fault", fault, "tb-01", "--data", str(tmp_path / "data")]) == 0
    assert says in capsys.readouterr().out
