"""How nodes are started, and the branches of ``board.py`` that need no real chip."""

import asyncio
import json
import sys
import types
from pathlib import Path

import board
import machine
import network
import pytest

from nongso.gateway.simulated import boards
from nongso.node import settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


def test_nodes_run_under_micropython_where_it_is(folder: Path) -> None:
    if not boards.has_micropython():
        pytest.skip("MicroPython has no package for this Python")
    plan = boards.launch_plan(folder)
    assert plan.argv[0] == sys.executable
    assert plan.argv[-1].endswith("firmware/main.py")
    assert plan.env["MICROPYPATH"].endswith(".frozen")
    assert plan.note == ""


def test_without_micropython_a_sentence_says_what_runs_instead(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boards, "has_micropython", lambda: False)
    plan = boards.launch_plan(folder)
    assert plan.argv[:2] == [sys.executable, "-u"]
    assert plan.note.endswith("under CPython.")


def test_all_paths_of_a_board_are_there() -> None:
    for path in boards.module_paths():
        assert path.is_dir()
    assert (boards.firmware_folder() / "config.example.json").is_file()


def test_a_folder_without_configuration_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no config\.json"):
        boards.launch_plan(tmp_path)


def real_board() -> board.RealBoard:
    example = boards.firmware_folder() / "config.example.json"
    config = json.loads(example.read_text())
    config["wifi"]["ssid"] = "farm"
    config["board"]["watchdog"] = False
    return board.RealBoard(settings.parse(json.dumps(config)))


def test_the_example_configuration_fits_a_real_board() -> None:
    example = settings.parse((boards.firmware_folder() / "config.example.json").read_text())
    machine.plug_in("127.0.0.1", 9, "tb-01")
    fitted = board.fit_sensors(example, real_board())
    assert [sensor.name for sensor, _ in fitted] == ["sht4x", "bh1750", "soil"]


def test_a_real_board_joins_its_wifi_and_sets_its_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    ntptime = types.ModuleType("ntptime")
    ntptime.settime = lambda: asked.append(ntptime.host)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ntptime", ntptime)
    made = real_board()
    asyncio.run(made.join_network())
    assert asked == ["192.168.1.10"]
    asyncio.run(made.join_network())
    assert len(asked) == 1


def test_a_wifi_that_is_not_there_is_an_error_that_names_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(network, "refuse", True)
    monkeypatch.setattr(board, "_WIFI_PATIENCE_MS", 0)
    with pytest.raises(OSError, match="no Wi-Fi farm"):
        asyncio.run(real_board().join_network())


def test_a_machine_that_is_no_board_is_told_so() -> None:
    found = settings.parse((boards.firmware_folder() / "config.example.json").read_text())
    with pytest.raises(settings.SettingsError, match="this is no board"):
        board.open_board(found)


def test_a_clock_that_nobody_set_is_no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    made = real_board()
    assert made.unix_seconds() is not None
    monkeypatch.setattr(board.time, "time", lambda: 1000.0)
    assert made.unix_seconds() is None
