"""How nodes are started, and the branches of ``board.py`` that need no real chip."""

import asyncio
import contextlib
import json
import socket
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import board
import button
import fitting
import machine
import network
import pytest

from nongso.gateway.simulated import boards
from nongso.node import ntp, settings


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


def real_board(**more: Any) -> board.RealBoard:
    example = boards.firmware_folder() / "config.example.json"
    config = json.loads(example.read_text())
    config["wifi"]["ssid"] = "farm"
    config["board"] = {"watchdog": False, **more}
    return board.RealBoard(settings.parse(json.dumps(config)))


def fitted(made: board.RealBoard, *sensors: dict[str, Any]) -> list[Any]:
    example = json.loads((boards.firmware_folder() / "config.example.json").read_text())
    found = settings.parse(json.dumps({**example, "sensors": sensors}))
    return [sensor for sensor, _ in fitting.fit_sensors(found, made)]


def test_the_example_configuration_fits_a_real_board() -> None:
    example = settings.parse((boards.firmware_folder() / "config.example.json").read_text())
    machine.plug_in("127.0.0.1", 9, "tb-01")
    found = fitting.fit_sensors(example, real_board())
    assert [sensor.name for sensor, _ in found] == ["sht4x", "bh1750", "soil"]


@pytest.fixture
def wires(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What hangs on the 1-Wire bus."""
    roms = [bytes.fromhex("28010203040506a0")]

    class OneWire:
        def __init__(self, pin: machine.Pin) -> None:
            self.pin = pin

        def scan(self) -> list[bytes]:
            return roms

    onewire = types.ModuleType("onewire")
    onewire.OneWire = OneWire  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "onewire", onewire)
    return roms


@pytest.mark.parametrize("model", board.MODELS)
def test_every_chip_has_its_usual_place_on_every_board(
    model: str, wires: list[bytes], tmp_path: Path
) -> None:
    made = real_board(model=model)
    made.folder = str(tmp_path)
    sensors = fitted(
        made,
        *({"chip": chip} for chip in ("sht3x", "scd4x", "bh1750", "ds18b20", "level", "door")),
        {"chip": "soil", "dry": 2900, "wet": 1200},
        {"chip": "soil", "dry": 2900, "wet": 1200, "channel": 2},
        {"chip": "battery"},
        {"chip": "flow", "pulses": 450},
    )
    assert len({series for sensor in sensors for series in sensor.series}) == 11


@pytest.mark.parametrize("model", board.MODELS)
def test_no_two_things_share_a_pin(model: str) -> None:
    used: list[Any] = []
    for what, pins in board.pins_of(model).items():
        if what not in ("analogue", "weak", "full_mv") and pins is not None:
            used += pins if isinstance(pins, tuple) else (pins,)
    assert len(used) == len(set(used))
    pins = board.pins_of(model)
    assert {*pins["soil"], pins["battery"]} <= set(pins["analogue"])
    assert not {pins["flow"], pins["door"], *pins["level"]} & set(pins["weak"])


@pytest.mark.parametrize(
    ("sensor", "sentence"),
    [
        ({"chip": "soil", "dry": 1, "wet": 900, "pin": 25}, "pin 25 of this board measures no"),
        ({"chip": "soil", "dry": 1, "wet": 900, "channel": 3}, "sensor soil: pin is missing"),
        ({"chip": "door", "pin": 34}, "pin 34 has no pull-up resistor"),
        ({"chip": "flow"}, "sensor flow: pulses is missing"),
        ({"chip": "level", "pins": 25}, "pins must be a list"),
        ({"chip": "level", "closed_is": "full"}, "closed_is must be wet or dry"),
        ({"chip": "ds18b20", "rom": "28ff"}, "rom must be 16 hex digits"),
        ({"chip": "dht22"}, "no driver for the chip 'dht22' .*sht4x"),
    ],
)
def test_a_sensor_that_cannot_be_is_refused_in_a_sentence(
    sensor: dict[str, Any], sentence: str, wires: list[bytes]
) -> None:
    with pytest.raises(settings.SettingsError, match=sentence):
        fitted(real_board(), sensor)


def test_several_thermometers_on_one_wire_are_told_by_name(
    wires: list[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    wires.append(bytes.fromhex("28ff020304050611"))
    fitted(real_board(), {"chip": "ds18b20"})
    assert "28010203040506a0, 28ff020304050611" in capsys.readouterr().out


def test_a_board_that_nobody_knows_is_refused() -> None:
    with pytest.raises(settings.SettingsError, match="esp32, esp32c3, pico_w"):
        real_board(model="esp8266")


def test_a_node_that_cannot_sleep_well_is_told_why() -> None:
    found = json.loads((boards.firmware_folder() / "config.example.json").read_text())
    found.update(sleep_every=6, wifi={"ssid": "farm"}, sensors=[{"chip": "flow", "pulses": 450}])
    found["board"] = {"model": "pico_w", "watchdog": False}
    with pytest.raises(settings.SettingsError, match="needs an ESP32"):
        board.RealBoard(settings.parse(json.dumps(found)))
    found["board"]["model"] = "esp32"
    parsed = settings.parse(json.dumps(found))
    with pytest.raises(settings.SettingsError, match="counts no pulses"):
        fitting.fit_sensors(parsed, board.RealBoard(parsed))


def test_a_simulated_farm_says_which_chips_it_has() -> None:
    example = (boards.firmware_folder() / "config.example.json").read_text()
    config = {**json.loads(example), "board": {"simulated": "127.0.0.1:9"}}
    config["sensors"] = [{"chip": "door"}]
    found = settings.parse(json.dumps(config))
    with pytest.raises(settings.SettingsError, match="sht4x, bh1750 and soil only"):
        fitting.fit_sensors(found, board.open_board(found))


class TimeServer:
    """A time server on a socket; ``says`` is the answer to a question, or nothing."""

    def __init__(self, says: Callable[[bytes], bytes | None]) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(5)
        self.port = self._socket.getsockname()[1]
        self.asked = 0
        self._says = says
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                packet, where = self._socket.recvfrom(64)
                self.asked += 1
                if found := self._says(packet):
                    self._socket.sendto(found, where)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """What the board's clock was set to."""
    was_set: list[tuple[int, ...]] = []

    class Rtc:
        def datetime(self, moment: tuple[int, ...]) -> None:
            was_set.append(moment)

    monkeypatch.setattr(machine, "RTC", Rtc, raising=False)
    return was_set


def test_a_real_board_joins_its_wifi_and_sets_its_clock(
    clock: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def says(asked: bytes) -> bytes:
        return bytes([0x24, 2]) + bytes(22) + asked[40:] + bytes(8) + (3998988800).to_bytes(4) * 2

    server = TimeServer(says)
    monkeypatch.setattr(ntp.ask, "__defaults__", (server.port, 2000))
    made = real_board()
    made._time_server = "127.0.0.1"
    asyncio.run(made.join_network())
    assert clock == [(2026, 9, 21, 0, 14, 13, 20, 0)]
    asyncio.run(made.join_network())
    assert server.asked == 1
    asyncio.run(made.set_clock())
    assert len(clock) == 2
    server.close()


def test_without_a_time_server_the_board_joins_all_the_same(
    clock: list[tuple[int, ...]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = TimeServer(lambda _: b"nonsense")
    monkeypatch.setattr(ntp.ask, "__defaults__", (server.port, 200))
    made = real_board()
    made._time_server = "127.0.0.1"
    asyncio.run(made.join_network())
    assert clock == []
    assert "something else than an answer came" in capsys.readouterr().out
    server.close()


def test_the_radio_is_switched_off_and_on_after_a_loss_but_not_at_a_start(
    clock: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    switched: list[bool] = []
    active = network.WLAN.active

    def seen(wlan: network.WLAN, is_active: bool | None = None) -> bool:
        if is_active is not None:
            switched.append(is_active)
        return active(wlan, is_active)

    monkeypatch.setattr(network.WLAN, "active", seen)
    made = real_board()
    made._is_clock_set = True
    asyncio.run(made.join_network())
    assert switched == [True]
    made._wlan.disconnect()
    asyncio.run(made.join_network())
    assert switched == [True, False, True]


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


def test_the_page_on_wiring_names_the_pins_that_the_program_uses() -> None:
    page = (boards.firmware_folder().parent / "docs" / "node.md").read_text("utf-8")
    rows = [[cell.strip() for cell in line.split("|")] for line in page.splitlines()]
    wiring = {row[2].strip("`"): row[3:6] for row in rows if len(row) == 8 and row[2][:1] == "`"}
    for chip, key in (
        *(("ds18b20", "one_wire"), ("soil", "soil"), ("battery", "battery")),
        *(("flow", "flow"), ("level", "level"), ("door", "door")),
    ):
        for model, written in zip(board.MODELS, wiring[chip], strict=True):
            pins = board.pins_of(model)[key]
            assert [int(pin) for pin in written.split(",")] == (
                list(pins) if isinstance(pins, tuple) else [pins]
            ), (chip, model)


@pytest.mark.parametrize(
    ("pressed", "found"),
    [
        (range(0, 100), True),  # a switch of one's own, held from the beginning
        (range(29, 45), True),  # begun in the last moment
        (range(5, 14), False),  # a finger that slipped
        (range(0, 100, 2), False),  # a pin that hums
        (range(31, 100), False),  # too late
        ((), False),
    ],
)
def test_a_button_counts_when_it_is_held_for_a_second_after_the_start(
    pressed: range, found: bool
) -> None:
    waits: list[int] = []
    held = button.is_held_long(lambda: len(waits) in pressed, waits.append)
    assert held is found
    assert sum(waits) < 5000, "a start must not wait for ever"
