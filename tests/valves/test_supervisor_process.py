"""Water stops: at the ordered end, and within lease + 1 s of any death, hang or cut.

Real processes on a real Modbus TCP line; measured on the relay board's own log of edges.
"""

import json
import os
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path

import pytest
from farm_house import K1, K2, LEASE, MAIN, PUMP, House, wait_for

from nongso.gateway.valves.client import SupervisorGone, SupervisorRefused, Valves

PROMISE = LEASE + 1.0


@pytest.fixture
def running(house: House) -> tuple[House, subprocess.Popen[str]]:
    """The farm and the supervisor, both at work."""
    house.start_farm()
    return house, house.start_supervisor()


def renew_until_ended(valves: Valves, seconds: float = 10.0) -> dict[str, object]:
    def ended() -> list[dict[str, object]]:
        found: list[dict[str, object]] = valves.renew()["ended"]
        return found

    (run,) = wait_for(ended, "the end of the run", seconds)
    return dict(run)


def test_water_runs_for_the_seconds_that_were_ordered(
    running: tuple[House, subprocess.Popen[str]],
) -> None:
    house, _ = running
    valves = house.valves()
    assert valves.open(K1, 3, "a")["state"] == "running"
    run = renew_until_ended(valves)
    assert run["code"] == "done"
    assert run["seconds"] == pytest.approx(3, abs=0.3)
    (spell,) = house.spells(0)
    assert abs(spell - 3) <= 1, "the promise"
    assert abs(spell - 3) <= 0.3, "and what it keeps on an ordinary machine"
    order = [(e["coil"], e["on"]) for e in house.edges()]
    assert order == [
        (0, True),
        (MAIN, True),
        (PUMP, True),
        (PUMP, False),
        (0, False),
        (MAIN, False),
    ]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_water_stops_when_the_gateway_dies_or_hangs(
    running: tuple[House, subprocess.Popen[str]], number: signal.Signals
) -> None:
    house, _ = running
    gateway = house.start_gateway()
    assert house.is_on(0)
    gateway.send_signal(number)
    struck_at = time.monotonic()
    assert house.closed_at() - struck_at <= PROMISE
    assert renew_until_ended(house.valves())["code"] == "gateway_lost"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_water_stops_when_the_supervisor_dies_or_hangs(
    running: tuple[House, subprocess.Popen[str]], number: signal.Signals
) -> None:
    house, supervisor = running
    house.start_gateway()
    supervisor.send_signal(number)
    struck_at = time.monotonic()
    assert house.closed_at() - struck_at <= PROMISE
    order = [e["coil"] for e in house.edges() if not e["on"]]
    assert order.index(PUMP) < order.index(0), "the pump lapses before the valve"
    assert {e["why"] for e in house.edges() if not e["on"]} == {"lapse"}


def test_a_supervisor_that_goes_on_after_a_hang_says_so(
    running: tuple[House, subprocess.Popen[str]],
) -> None:
    house, supervisor = running
    valves = house.valves()
    valves.open(K1, 60, "a")
    supervisor.send_signal(signal.SIGSTOP)
    house.closed_at()
    supervisor.send_signal(signal.SIGCONT)
    run = renew_until_ended(valves)
    assert run["code"] in ("restarted", "gateway_lost")
    (spell,) = house.spells(0)
    assert run["seconds"] == pytest.approx(spell, abs=0.3)


def test_water_stops_when_the_cable_is_cut_and_goes_again_when_it_is_mended(
    running: tuple[House, subprocess.Popen[str]],
) -> None:
    house, _ = running
    house.start_gateway()
    house.cable.is_cut = True
    struck_at = time.monotonic()
    assert house.closed_at() - struck_at <= PROMISE
    house.cable.is_cut = False
    wait_for(lambda: not house.valves().read()["errors"], "the board to answer", 5)


def test_a_new_supervisor_closes_first_and_then_serves(
    running: tuple[House, subprocess.Popen[str]],
) -> None:
    house, supervisor = running
    house.start_gateway()
    supervisor.kill()
    supervisor.wait()
    began = len(house.edges())
    house.start_supervisor()
    assert not any(e["on"] for e in house.edges()[began:])
    assert not house.is_on(0), "it did not wait for the lapse"
    valves = house.valves()
    assert valves.renew()["ended"] == [], "the old one's runs are unknown to it"
    assert valves.open(K1, 1, "b")["state"] == "running"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_supervisor_that_is_told_to_end_closes_everything_and_ends_with_0(
    running: tuple[House, subprocess.Popen[str]], number: signal.Signals
) -> None:
    house, supervisor = running
    house.start_gateway()
    supervisor.send_signal(number)
    struck_at = time.monotonic()
    _, said = supervisor.communicate(timeout=10)
    assert supervisor.returncode == 0
    assert "every coil was read back as off" in said
    assert house.closed_at() - struck_at <= 1.0
    assert not house.socket.exists()


def test_a_supervisor_without_a_board_ends_all_the_same(house: House) -> None:
    supervisor = house.start_supervisor(is_ready=False)
    assert house.valves().open(K1, 5, "a")["code"] == "bus_silent"
    supervisor.terminate()
    _, said = supervisor.communicate(timeout=10)
    assert supervisor.returncode == 0
    assert "silent" in said
    assert said.count("cannot be reached") == 1, "the first failure is logged, not each"


def test_a_board_that_comes_later_is_closed_first_and_then_used(house: House) -> None:
    house.start_supervisor(is_ready=False)
    valves = house.valves()
    assert valves.open(K1, 5, "a")["code"] == "bus_silent"
    house.start_farm()
    wait_for(lambda: valves.renew()["bus"] == "ok", "the board")
    assert valves.open(K1, 1, "b")["state"] == "running"


def test_only_one_supervisor_a_bus(running: tuple[House, subprocess.Popen[str]]) -> None:
    house, _ = running
    second = house.start_room("nongso.gateway.valves.supervisor", house.gateway_file)
    _, said = second.communicate(timeout=10)
    assert second.returncode == 1
    assert "Another valve supervisor is running" in said
    assert house.valves().read()["coils"] == [False] * 8


def test_nobody_else_on_the_machine_may_use_the_socket(
    running: tuple[House, subprocess.Popen[str]],
) -> None:
    house, _ = running
    assert stat.S_IMODE(os.stat(house.socket).st_mode) == 0o600


def test_a_folder_with_a_very_long_name(tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 60) / ("b" * 60)
    folder.mkdir(parents=True)
    house = House(folder)
    try:
        house.start_farm()
        house.start_supervisor()
        assert house.valves().open(K1, 1, "a")["state"] == "running"
    finally:
        house.end()


def test_two_gateways_do_not_share_the_valves(
    running: tuple[House, subprocess.Popen[str]],
) -> None:
    house, _ = running
    house.start_gateway(K1)
    with pytest.raises(SupervisorRefused, match="not_in_control"):
        house.valves().open(K2, 5, "b")
    assert house.valves().stop()["state"] == "closed", "but anyone may stop"
    assert not house.is_on(0)


def is_hung_up_on(client: socket.socket, line: bytes) -> bool:
    for _ in range(1000):
        try:
            client.sendall(line)
        except ConnectionError:
            return True
    return False


def test_lines_without_end_and_clients_that_do_not_read_are_hung_up(
    running: tuple[House, subprocess.Popen[str]],
) -> None:
    house, _ = running
    house.start_gateway()
    for line in (b"x" * 65536, b'{"do": "read"}\n' * 500):
        with socket.socket(socket.AF_UNIX) as rude:
            rude.connect(str(house.socket))
            rude.settimeout(5)
            assert is_hung_up_on(rude, line)
    assert house.is_on(0), "the run of the honest gateway goes on"


def test_close_all_with_a_supervisor(running: tuple[House, subprocess.Popen[str]]) -> None:
    house, _ = running
    house.start_gateway()
    close = house.start_room("nongso.gateway.valves.emergency", house.gateway_file, "close_all")
    said, _ = close.communicate(timeout=15)
    assert close.returncode == 0
    assert "closed everything" in said
    assert not any(house.is_on(coil) for coil in range(8))


def test_close_all_without_a_supervisor(house: House) -> None:
    house.start_farm()
    with socket.create_connection(("127.0.0.1", house.board_port)) as line:
        for coil in (0, 3, PUMP):  # left on by hand, without a pulse
            line.sendall(bytes([0, 1, 0, 0, 0, 6, 1, 5, 0, coil, 0xFF, 0]))
            assert len(line.recv(12)) == 12
    assert house.is_on(3)
    close = house.start_room("nongso.gateway.valves.emergency", house.gateway_file, "close_all")
    said, _ = close.communicate(timeout=15)
    assert close.returncode == 0
    assert "is off and was read back" in said
    assert not any(house.is_on(coil) for coil in range(8))


def test_close_all_without_a_board_says_how_long_it_tries(house: House) -> None:
    close = house.start_room("nongso.gateway.valves.emergency", house.gateway_file, "close_all")
    assert close.stdout is not None
    assert "for at most 10 seconds" in close.stdout.readline()
    assert close.poll() is None, "it says so before it tries"


def test_a_farm_without_meter_and_tank_waters_and_says_what_it_cannot_see(house: House) -> None:
    settings = json.loads(house.gateway_file.read_text())
    settings["bus"] |= {"meter": None, "tank": None}
    house.gateway_file.write_text(json.dumps(settings))
    house.start_farm()
    supervisor = house.start_supervisor()
    valves = house.valves()
    assert valves.open(K1, 1, "a")["state"] == "running"
    assert renew_until_ended(valves)["code"] == "done"
    found = valves.read()
    assert (found["total"], found["tank"], found["errors"]) == (None, None, {})
    assert valves.renew()["alarms"] == []
    supervisor.terminate()
    _, said = supervisor.communicate(timeout=10)
    assert "litres are not counted" in said
    assert "only when a person asks" in said


def test_the_client_names_a_supervisor_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(SupervisorGone, match="Start it with: nongso gateway valves"):
        Valves(tmp_path / "valves.sock").renew()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"pump_coil": 8}, "coils 0 to 7"),
        ({"relay": {"unit": 1, "device": "level-qdy30a"}}, "no coils"),
        ({"relay": {"unit": 1, "device": "my-board"}}, "Choose one of"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(
    house: House, change: dict[str, object], says: str
) -> None:
    settings = json.loads(house.gateway_file.read_text())
    settings["bus"] |= change
    house.gateway_file.write_text(json.dumps(settings))
    supervisor = house.start_room("nongso.gateway.valves.supervisor", house.gateway_file)
    _, said = supervisor.communicate(timeout=10)
    assert supervisor.returncode == 1
    assert says in said
