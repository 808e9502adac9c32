"""A new gateway's broker is its own machine's alone, until somebody says where stations are."""

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from control_box import free_port, lets_in, until
from tests.authority import Authority

from nongso.commands.__main__ import main
from nongso.gateway import broker, enrolment
from nongso.gateway.settings import load

FARM = "tan-binh"
HOST = "127.0.0.2"  # stands for the address in the farm's network: not the gateway's own
Run = Callable[[], None]


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    file = tmp_path / "gateway" / "gateway.json"
    words = ["--gateway", FARM, "--name", "Tủ", "--platform", "https://nongso.example.vn"]
    assert main(["gateway", "init", "--settings", str(file), *words]) == 0
    told = json.loads(file.read_text())
    told["broker"]["port"] = free_port()
    house = {"slug": "tb-1", "name": "Nhà 1", "farm": FARM, "area_m2": 100, "zones": []}
    told["greenhouses"] = [house]
    file.write_text(json.dumps(told))
    assert main(["gateway", "broker", "--settings", str(file)]) == 0
    return file


@pytest.fixture
def start(settings: Path) -> Iterator[Run]:
    """Start Mosquitto with the files as they are, in place of the one before."""
    if broker.find_mosquitto() is None:
        pytest.skip("Mosquitto is not installed (apt install mosquitto)")
    running: list[subprocess.Popen[bytes]] = []

    def end() -> None:
        while running:
            process = running.pop()
            process.terminate()
            process.wait(5)

    def run() -> None:
        end()
        running.append(
            subprocess.Popen(
                broker.command(settings.parent / "broker"),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        port = load(settings).broker.port
        until(lambda: broker.answers(port), "the broker answers")

    yield run
    end()


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """An authority of the farm's own, and what it signed for the gateway's address."""
    Authority(tmp_path).sign("broker", f"IP:{HOST}")
    return tmp_path


def open_to_farm(settings: Path, port: int, *more: str) -> int:
    words = ["--settings", str(settings), "--host", HOST, "--port", str(port)]
    return main(["gateway", "stations", *words, *more])


def admit(settings: Path) -> enrolment.Admitted:
    place = enrolment.Place(FARM, "tb-01", "tb-1")
    return enrolment.admit(settings, settings.parent / "broker", place, "02000000000000a1")


def test_the_broker_listens_in_the_farm_only_when_told(settings: Path, start: Run) -> None:
    told, port = load(settings).broker, free_port()
    start()
    for at in (told.port, port):
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((HOST, at), timeout=2).close()
    station = admit(settings)
    assert open_to_farm(settings, port) == 0
    start()
    assert lets_in(told.port, "gateway", told.password)
    assert lets_in(port, "tb-01", station.password, HOST), "what was let in before stays"
    assert not lets_in(port, "tb-01", "guessed", HOST)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((HOST, told.port), timeout=2).close()
    at = load(settings).stations
    assert at is not None
    assert (at.host, at.broker_port, at.claim_port) == (HOST, port, 8082)


def test_stations_speak_tls_where_there_is_a_certificate(
    settings: Path, start: Run, certificates: Path
) -> None:
    ca, port = str(certificates / "farm.pem"), free_port()
    files = ["--certificate", str(certificates / "broker.pem"), "--ca-file", ca]
    files += ["--certificate-key", str(certificates / "broker.key")]
    assert open_to_farm(settings, port, *files) == 0
    start()
    station = admit(settings)
    assert enrolment.tell_broker(settings.parent / "broker")
    until(
        lambda: lets_in(port, "tb-01", station.password, HOST, ca), "the station is let in by TLS"
    )
    config = enrolment.config_of(station, {"sensors": []}, HOST)
    assert config["broker"]["ca_file"] == enrolment.CA_FILE
    assert config["broker"]["port"] == port
    assert config["ca"] == (certificates / "farm.pem").read_text()
    with socket.create_connection((HOST, port), timeout=5) as plain:
        plain.sendall(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x05\x00\x00")
        plain.settimeout(5)
        try:
            said = plain.recv(4)
        except ConnectionResetError:
            said = b""
        assert said[:1] != b"\x20", "nobody comes in in the clear"


def test_files_that_do_not_go_together_change_nothing(
    settings: Path, certificates: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = settings.parent / "broker" / "mosquitto.conf"
    before = (settings.read_bytes(), conf.read_bytes())
    ca, crt = str(certificates / "farm.pem"), str(certificates / "broker.pem")
    for words in (
        ["--certificate", crt],
        ["--certificate", crt, "--certificate-key", crt, "--ca-file", ca],
        ["--certificate", crt, "--certificate-key", ca, "--ca-file", "/nowhere"],
    ):
        assert open_to_farm(settings, free_port(), *words) == 1, words
    words = ["--settings", str(settings), "--host", "0.0.0.0"]
    assert main(["gateway", "stations", *words]) == 1
    assert "this machine's address in the farm's network" in capsys.readouterr().err
    assert (settings.read_bytes(), conf.read_bytes()) == before
