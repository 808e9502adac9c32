"""A new gateway's broker: its files are made once, and stations are let in one by one."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from control_box import free_port, lets_in, until

from nongso.commands.__main__ import main
from nongso.gateway import broker, enrolment
from nongso.gateway.settings import load

FARM = "tan-binh"


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    file = tmp_path / "gateway" / "gateway.json"
    words = ["--gateway", FARM, "--name", "Tủ", "--platform", "https://nongso.example.vn"]
    assert main(["gateway", "init", "--settings", str(file), *words]) == 0
    told = json.loads(file.read_text())
    told["broker"]["port"] = free_port()
    told["greenhouses"] = [
        {"slug": "tb-1", "name": "Nhà 1", "farm": FARM, "area_m2": 100, "zones": []}
    ]
    file.write_text(json.dumps(told))
    return file


@pytest.fixture
def running(settings: Path) -> Iterator[subprocess.Popen[bytes]]:
    if broker.find_mosquitto() is None:
        pytest.skip("Mosquitto is not installed (apt install mosquitto)")
    words = ["gateway", "broker", "--settings", str(settings), "--listen", "127.0.0.1"]
    assert main(words) == 0
    process = subprocess.Popen(
        broker.command(settings.parent / "broker"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    port = load(settings).broker.port
    until(lambda: broker.answers(port), "the broker answers")
    yield process
    process.terminate()
    process.wait(5)


def test_the_gateway_comes_in_and_nobody_else_until_a_station_is_admitted(
    settings: Path, running: subprocess.Popen[bytes]
) -> None:
    told = load(settings).broker
    assert lets_in(told.port, "gateway", told.password)
    assert not lets_in(told.port, "gateway", "wrong")
    assert not lets_in(told.port, "tb-01", "guessed")
    folder = settings.parent / "broker"
    place = enrolment.Place(FARM, "tb-01", "tb-1")
    admitted = enrolment.admit(settings, folder, place, "02000000000000a1")
    assert enrolment.tell_broker(folder)
    until(lambda: lets_in(told.port, "tb-01", admitted.password), "the station is let in")
    assert lets_in(told.port, "gateway", told.password)


def test_what_lets_stations_in_is_never_made_anew(
    settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["gateway", "broker", "--settings", str(settings)]
    assert main(words) == 0
    file = settings.parent / "broker" / "passwords"
    before = file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0
    assert main(words) == 1
    assert file.read_bytes() == before
    assert "holds the stations' passwords" in capsys.readouterr().err
