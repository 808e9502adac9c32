"""The simulated bus as a foreign Modbus client meets it: mbpoll, and a bare socket."""

import json
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nongso.gateway import devicefile

ON, OFF = "ff00", "0000"


def mbpoll(farm: Any, unit: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    found = shutil.which("mbpoll")
    if found is None:
        pytest.skip("mbpoll is not installed (Debian: apt install mbpoll)")
    options = ["-m", "tcp", "-p", str(farm.modbus_port), "-1", "-o", "2", "-a", str(unit)]
    return subprocess.run(
        [found, *options, "127.0.0.1", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=20,
    )


def test_mbpoll_sees_the_coil_on_and_off_and_the_meter_counts(
    new_farm: Callable[..., Any], wait_for: Callable[..., Any]
) -> None:
    farm = new_farm(speed=20)
    farm.start()

    def coils() -> list[str]:
        return re.findall(
            r"\[\d\]: \t(\d)", mbpoll(farm, 1, "-t", "0", "-r", "1", "-c", "8").stdout
        )

    for relay in (6, 7):
        farm.ask(1, f"05 {relay:04x} ff00")
    answer = mbpoll(farm, 1, "-t", "0", "-r", "1", "1")
    assert answer.returncode == 0, answer.stderr
    assert coils() == ["1", "0", "0", "0", "0", "0", "1", "1"]
    wait_for(lambda: farm.meter()[0] > 1.0, "the meter to count")
    assert mbpoll(farm, 1, "-t", "0", "-r", "1", "0").returncode == 0
    assert coils()[0] == "0"
    wait_for(lambda: farm.meter()[1] == 0.0, "the water to stand still")


def test_a_pulse_lapses_on_the_boards_own_clock(farm: Any, wait_for: Callable[..., Any]) -> None:
    for relay, tenths in ((0, 10), (1, 3), (2, 17)):
        request = f"05 {0x0200 + relay:04x} {tenths:04x}"
        assert farm.ask(1, request) == bytes.fromhex(request).hex(" "), "the board echoes"
    assert farm.ask(1, "01 0000 0008") == "01 01 07"
    wait_for(lambda: len(farm.edges()) == 6, "three lapses")
    edges = farm.edges()
    for relay, seconds in ((0, 1.0), (1, 0.3), (2, 1.7)):
        on, off = (edge for edge in edges if edge["coil"] == relay)
        assert (on["on"], on["why"], off["on"], off["why"]) == (True, "pulse", False, "lapse")
        assert off["mono"] - on["mono"] == pytest.approx(seconds, abs=0.2)
    assert farm.ask(1, "01 0000 0008") == "01 01 00"


def test_a_lease_that_is_renewed_holds_and_then_lapses(
    farm: Any, wait_for: Callable[..., Any]
) -> None:
    renewed = threading.Event()
    for _ in range(4):
        farm.ask(1, "05 0200 0006")
        renewed.wait(0.3)
    last = time.monotonic()
    wait_for(lambda: len(farm.edges()) == 2, "the lapse")
    on, off = farm.edges()
    assert off["mono"] - on["mono"] > 1.2
    assert off["mono"] - last < 0.6


def test_speed_does_not_touch_the_board(
    new_farm: Callable[..., Any], wait_for: Callable[..., Any]
) -> None:
    farm = new_farm(speed=600)
    assert "speed 600" in farm.start()
    try:
        for coil in (0, 6, 7):
            farm.ask(1, f"05 {0x0200 + coil:04x} 000a")
        wait_for(lambda: len(farm.edges()) == 6, "the lapse")
        on, off = (edge for edge in farm.edges() if edge["coil"] == 0)
        assert off["mono"] - on["mono"] == pytest.approx(1.0, abs=0.2)
        litres, _ = wait_for(lambda: farm.meter() if farm.meter()[0] else None, "water")
        assert litres > 200.0, "600 times the water of a second"
    finally:
        farm.end()


@pytest.mark.parametrize(
    ("request_pdu", "answer"),
    [
        ("05 0000 5500", "85 03"),  # toggle: a repeat would switch twice
        ("05 0000 0001", "85 03"),  # only FF00 and 0000 are values of a coil
        ("05 0200 0000", "85 03"),  # a pulse of no time
        ("05 0200 8000", "85 03"),  # longer than the board can
        ("05 0008 ff00", "85 02"),
        ("05 0208 0010", "85 02"),
        ("05 0400 0010", "85 02"),  # "flash off" is not for us
        ("01 0000 0009", "81 02"),
        ("0f 0001 0008 01 ff", "8f 02"),
        ("02 0000 0001", "82 01"),
        ("03 0000 0001", "83 02"),
        ("06 4000 0002", "86 01"),
    ],
)
def test_the_board_refuses_what_it_cannot_do(farm: Any, request_pdu: str, answer: str) -> None:
    assert farm.ask(1, request_pdu) == answer
    assert farm.edges() == []


def test_plain_writes_of_one_several_and_all_coils(farm: Any) -> None:
    assert farm.ask(1, "05 0002 ff00") == "05 00 02 ff 00"
    assert farm.ask(1, "0f 0000 0008 01 a1") == "0f 00 00 00 08"
    assert farm.ask(1, "01 0000 0008") == "01 01 a1"
    assert farm.ask(1, "01 0005 0002") == "01 01 01"
    assert farm.ask(1, "05 00ff 0000") == "05 00 ff 00 00"
    assert farm.ask(1, "01 0000 0008") == "01 01 00"
    assert farm.ask(1, "03 8000 0001") == "03 02 00 c8"


def test_coil_n_is_bit_n_on_the_wire(farm: Any) -> None:
    for coil in range(8):
        farm.ask(1, f"05 {coil:04x} ff00")
        assert farm.ask(1, "01 0000 0008") == f"01 01 {1 << coil:02x}"
        farm.ask(1, f"05 {coil:04x} 0000")


def test_a_unit_that_is_not_there_answers_as_a_converter_does(farm: Any) -> None:
    assert farm.ask(9, "03 0000 0001") == "83 0b"
    assert farm.ask(0, "05 0000 ff00") == "85 0b"
    assert farm.ask(9, "05 0000 ff00") == "85 0b"
    assert farm.ask(2, "01 0000 0001") == "81 01"
    assert farm.ask(3, "04 0004 0001") == "84 01"
    assert farm.edges() == []


@pytest.mark.parametrize(("unit", "device"), [(2, "pulse-meter-sim"), (3, "level-qdy30a")])
def test_the_device_files_fit_what_the_bus_answers(farm: Any, unit: int, device: str) -> None:
    described = devicefile.load_device(device)
    numbers = {}
    for register in described.registers:
        pdu = f"{register.function:02x} {register.address:04x} {register.words:04x}"
        answer = bytes.fromhex(farm.ask(unit, pdu))
        assert answer[0] == register.function
        words = tuple(
            int.from_bytes(answer[place : place + 2], "big") for place in range(2, len(answer), 2)
        )
        numbers[register.name] = register.number(words)
    values = described.values(numbers)
    if unit == 2:
        assert values == {"water_total": 0.0, "water_flow": 0.0}
    else:
        assert values["tank_level"] == pytest.approx(85.0, abs=0.2)


def test_garbage_and_half_frames_harm_nobody(farm: Any) -> None:
    for rubbish in (b"\x00" * 40, b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)) * 4, b"\x01\x02"):
        with socket.create_connection(("127.0.0.1", farm.modbus_port), timeout=5) as line:
            line.sendall(rubbish)
    assert farm.ask(1, "01 0000 0008") == "01 01 00"
    assert farm.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end_drops_every_relay_and_keeps_the_soil(farm: Any, number: int) -> None:
    for coil in (0, 6, 7):
        farm.ask(1, f"05 {coil:04x} ff00")
    assert farm.end(number) == 0
    last = {edge["coil"]: edge for edge in farm.edges()}
    assert all(not edge["on"] and edge["why"] == "power" for edge in last.values())
    saved = json.loads((farm.folder / "state.json").read_text())
    assert "ready" in farm.start()
    assert farm.end() == 0
    again = json.loads((farm.folder / "state.json").read_text())
    before = saved["model"]["greenhouses"]["tan-binh-1"]["beds"]["tan-binh-1-k1"]
    after = again["model"]["greenhouses"]["tan-binh-1"]["beds"]["tan-binh-1-k1"]
    assert after["upper"] == pytest.approx(before["upper"], abs=0.1)
    assert again["model"]["at"] >= saved["model"]["at"]


def test_after_a_kill_the_log_says_that_the_water_stopped(farm: Any) -> None:
    farm.ask(1, "05 0003 ff00")
    farm.end(signal.SIGKILL)
    assert farm.edges()[-1]["on"]
    farm.start()
    assert (farm.edges()[-1]["coil"], farm.edges()[-1]["why"]) == (3, "power")
    assert farm.ask(1, "01 0000 0008") == "01 01 00"


@pytest.mark.parametrize("which", ["modbus", "chips"])
def test_a_port_in_use_is_one_clear_sentence(new_farm: Callable[..., Any], which: str) -> None:
    farm = new_farm()
    with socket.socket() as other:
        other.bind(("127.0.0.1", farm.settings[which]["port"]))
        other.listen()
        farm.start()
        assert farm.process is not None
        _, err = farm.process.communicate(timeout=20)
    assert farm.process.returncode == 1
    assert len(err.splitlines()) == 1
    assert f"127.0.0.1:{farm.settings[which]['port']}: another program uses it" in err


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"speed": 0}, "speed must be from 1 to 3600"),
        ({"main_coil": 7}, "coil 7 is used twice"),
        ({"seed": None}, "farm.json"),
        ({"modbus": {}}, "'host' is missing"),
    ],
)
def test_wrong_settings_are_one_clear_sentence(
    new_farm: Callable[..., Any], changes: dict[str, Any], word: str
) -> None:
    farm = new_farm(**{"modbus": {"host": "127.0.0.1", "port": 1}, **changes})
    farm.start()
    assert farm.process is not None
    _, err = farm.process.communicate(timeout=20)
    assert farm.process.returncode == 1
    assert len(err.splitlines()) == 1
    assert word in err


def test_a_damaged_state_is_kept_aside(tmp_path: Path, new_farm: Callable[..., Any]) -> None:
    (tmp_path / "state.json").write_text('{"model": {"vers')
    farm = new_farm()
    assert "ready" in farm.start()
    assert farm.process is not None
    farm.process.terminate()
    _, err = farm.process.communicate(timeout=10)
    assert "state.json is damaged" in err
    (aside,) = tmp_path.glob("state.json.damaged-*")
    assert aside.read_text() == '{"model": {"vers'
    assert json.loads((tmp_path / "state.json").read_text())["model"]["version"] == 1


def test_a_station_that_was_let_in_since_finds_its_chips(
    tmp_path: Path, new_farm: Callable[..., Any]
) -> None:
    stations = tmp_path / "gateway.json"
    farm = new_farm(stations=str(stations))
    assert "ready" in farm.start()
    chips = farm.settings["chips"]
    with (
        socket.create_connection((chips["host"], chips["port"]), timeout=5) as board,
        board.makefile("rw", newline="\n") as lines,
    ):

        def ask(line: str) -> str:
            lines.write(line + "\n")
            lines.flush()
            return lines.readline().strip()

        assert ask("tb-09 a 34").startswith("error"), "nobody was let in yet"
        one = {"slug": "tb-09", "eui64": "0211aafffe000001", "greenhouse": "tan-binh-1"}
        stations.write_text(json.dumps({"nodes": [one | {"zone": None}]}))
        counts = int(ask("tb-09 a 34").removeprefix("ok "), 16)
        assert 40.0 < 100 * (2900 - counts) / (2900 - 1200) < 52.0
        assert ask("tb-09 w 44 fd") == "ok"
        stations.write_text("{")
        assert ask("tb-09 a 34").startswith(("ok", "error"))


def test_the_chips_of_a_node_show_what_the_model_says(farm: Any) -> None:
    chips = farm.settings["chips"]
    with (
        socket.create_connection((chips["host"], chips["port"]), timeout=5) as board,
        board.makefile("rw", newline="\n") as lines,
    ):

        def ask(line: str) -> str:
            lines.write(line + "\n")
            lines.flush()
            return lines.readline().strip()

        answer = ask("tb-01 a 34")
        counts = int(answer.removeprefix("ok "), 16)
        assert 40.0 < 100 * (2900 - counts) / (2900 - 1250) < 52.0
        assert ask("tb-01 w 44 fd") == "ok"
        assert ask("no-such a 34").startswith("error")
