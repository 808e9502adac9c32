"""A simulated farm begins whatever its files hold, says what was wrong, and loses nothing."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nongso.gateway.simulated.aside import set_aside
from nongso.gateway.simulated.farm import begin
from nongso.gateway.simulated.model import FarmModel
from nongso.gateway.simulated.relay import EdgeLog
from nongso.gateway.simulated.settings import FarmSettings
from nongso.gateway.simulated.state import StateFile

NOW = 1_800_000_000.0
DEEP = b"[" * 100_000

Change = Callable[[dict[str, Any]], object]


def at(*path: str, value: object) -> Change:
    """A change of one value in a saved model."""

    def change(model: dict[str, Any]) -> None:
        place = model
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value

    return change


HOUSE = ("greenhouses", "tan-binh-1")
CHANGES: dict[str, Change] = {
    "a temperature that is no number": at(*HOUSE, "temperature", value=float("nan")),
    "an endless tank": at("water", "tank_litres", value=float("inf")),
    "heat that the physics cannot count": at(*HOUSE, "temperature", value=1e308),
    "a bed that is wetter than water": at(*HOUSE, "beds", "tan-binh-1-k1", "upper", value=1e9),
    "a text for a number": at("water", "pump", value="1.0"),
    "a number beyond all numbers": at("at", value=10**400),
    "valves in a list": at("water", "valves", value=[]),
    "houses in a list": at("greenhouses", value=[]),
    "another version": at("version", value=7),
    "no water": lambda model: model.pop("water"),
}


def saved(settings: FarmSettings) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(FarmModel(settings, NOW).state()))
    return found


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_a_saved_farm_that_cannot_be_is_set_aside(
    change: Change,
    farm_settings: FarmSettings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "state.json"
    model = saved(farm_settings)
    change(model)
    file.write_text(json.dumps({"model": model}))
    before = file.read_bytes()
    live = begin(farm_settings, StateFile(file), NOW)
    live.advance(3600.0)
    assert live.bed("tan-binh-1-k1").moisture_percent < 60
    assert f"{file} " in capsys.readouterr().err
    (aside,) = tmp_path.glob("state.json.damaged-*")
    assert aside.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00garbage",
        b"[]",
        DEEP,
        b'{"model": 3}',
        b'{"history": []}',
        b'{"history": {"start": "a", "end": null}}',
        b'{"history": {"start": 0, "end": 9999999999999}}',
        b'{"history": {"start": 0, "end": 60, "sent_at": {}}}',
    ],
)
def test_a_state_file_that_is_not_ours_is_set_aside_and_said(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "state.json"
    file.write_bytes(content)
    assert StateFile(file).content == {}
    assert "begins anew" in capsys.readouterr().err
    (aside,) = tmp_path.glob("state.json.damaged-*")
    assert aside.read_bytes() == content


def test_a_folder_in_the_place_of_the_state_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "state.json").mkdir()
    (tmp_path / "state.json" / "note").write_text("kept")
    state = StateFile(tmp_path / "state.json")
    state.put(model={})
    (aside,) = tmp_path.glob("state.json.damaged-*")
    assert (aside / "note").read_text() == "kept"


def test_what_was_set_aside_before_is_never_overwritten(tmp_path: Path) -> None:
    for text in ("one", "two", "three"):
        (tmp_path / "f").write_text(text)
        set_aside(tmp_path / "f")
    assert sorted(f.read_text() for f in tmp_path.iterdir()) == ["one", "three", "two"]


EDGE = b'{"mono": 1.0, "at": 1.0, "coil": 2, "on": true, "why": "pulse"}\n'


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\xff\xfe\x00garbage\n",
        b"[]\n",
        DEEP + b"\n",
        b'{"coil": 900, "on": true}\n',
        b'{"coil": Infinity, "on": true}\n',
        b'{"coil": [], "on": true}\n',
        b"\x00" * 20_000 + b"\n",
        b"null\n",
    ],
)
def test_a_damaged_edge_log_is_kept_and_goes_on(
    rubbish: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "edges.jsonl"
    file.write_bytes(EDGE + rubbish)
    log = EdgeLog(file)
    log.write(1, True, "write")
    log.close()
    assert file.read_bytes().startswith(EDGE + rubbish)
    power, write = (json.loads(line) for line in file.read_bytes().splitlines()[-2:])
    assert (power["coil"], power["on"], power["why"]) == (2, False, "power")
    assert write["coil"] == 1
    assert "cannot be read" in capsys.readouterr().err


def test_an_edge_log_that_cannot_be_opened_stops_no_relay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "edges.jsonl").mkdir()
    log = EdgeLog(tmp_path / "edges.jsonl")
    log.write(1, True, "write")
    log.close()
    assert log.lost == 2
    assert capsys.readouterr().err.count("cannot be logged") == 1


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[]", DEEP, b"{}", b""])
def test_farm_settings_that_are_not_ours_are_one_clear_sentence(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from nongso.gateway.simulated import farm

    file = tmp_path / "farm.json"
    file.write_bytes(content)
    assert farm.run(file) == 1
    said = capsys.readouterr().err
    assert os.fspath(file) in said
    assert "cannot begin" in said
