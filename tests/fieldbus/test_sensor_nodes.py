"""Sensors on a fieldbus speak as nodes of their own."""

import json
import math
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from raw_line import Line, holding

from nongso.commands.__main__ import main
from nongso.gateway.devicefile import (
    DeviceFileError,
    devices,
    known_devices,
    load_device,
    parse_device,
)
from nongso.gateway.errors import SettingsError
from nongso.gateway.fieldbus import Bus, NoAnswer, UnitRefused, UnitResting
from nongso.gateway.probes import Probe, Probes
from nongso.gateway.registers import Coils, Device
from nongso.gateway.sensornodes import SensorLines, SensorNodes
from nongso.gateway.settings import GatewaySettings, first_settings, load
from nongso.gateway.uplink import configuration_of
from nongso.wire import marks
from nongso.wire.payload import Reading

NOW = 1_790_000_000
SOIL, AIR = "02000000000000a1", "02000000000000a2"
CWT = {(3, n): word for n, word in enumerate((421, 185, 1250, 68, 32, 37, 48))}


def settings_in(folder: Path, **changes: Any) -> GatewaySettings:
    found = first_settings("box", "Box", "farm", "Farm", "http://127.0.0.1:1")
    found["greenhouses"] = [
        {"slug": "house", "name": "House", "farm": "farm", "area_m2": 1.0, "zones": []}
    ]
    found["lines"] = [{"id": "yard", "host": "127.0.0.1", "port": 5020, "framing": "rtu"}]
    found["nodes"] = [
        {
            **{"farm": "farm", "slug": "soil", "eui64": SOIL, "greenhouse": "house"},
            "sensor": {"unit": 4, "device": "soil-7in1-cwt", "line": "yard"},
        },
        {
            **{"farm": "farm", "slug": "air", "eui64": AIR, "greenhouse": "house"},
            "sensor": {"unit": 5, "device": "xy-md02"},
        },
    ]
    for path, value in changes.items():
        place: Any = found
        *way, last = path.split("__")
        for step in way:
            place = place[int(step) if step.isdigit() else step]
        place[int(last) if last.isdigit() else last] = value
    file = folder / "gateway.json"
    file.write_text(json.dumps(found))
    file.chmod(0o600)
    return load(file)


class Taken:
    """What the inbox would get."""

    def __init__(self) -> None:
        self.readings: list[tuple[str, Reading]] = []
        self.came = threading.Event()

    def __call__(self, readings: Sequence[Reading], eui64: str) -> None:
        self.readings += [(eui64, reading) for reading in readings]
        self.came.set()


def test_a_soil_probe_on_a_line_of_its_own_is_a_node(
    tmp_path: Path, new_line: Callable[..., Line]
) -> None:
    line = new_line(holding(CWT), "rtu")
    settings = settings_in(tmp_path, lines__0__port=line.port)
    taken = Taken()
    lines = SensorLines(settings, SensorNodes(settings, taken, lambda: NOW).hear)
    lines.start()
    assert taken.came.wait(10.0)
    lines.stop(5.0)
    assert {eui64 for eui64, _ in taken.readings} == {SOIL}
    assert [(r.name, r.value, r.mark) for _, r in taken.readings] == [
        ("soil_moisture", 42.1, marks.GOOD),
        ("soil_temperature", 18.5, marks.GOOD),
        ("soil_ec", 1.25, marks.GOOD),
        ("soil_ph", 6.8, marks.GOOD),
        ("soil_nitrogen", 32.0, marks.GOOD),
        ("soil_phosphorus", 37.0, marks.GOOD),
        ("soil_potassium", 48.0, marks.GOOD),
    ]
    assert line.asked[0][0] == 4


def said(answers: int, values: dict[str, float], error: str | None = None) -> dict[str, Any]:
    return {"answers": answers, "age": 3.0, "values": values, "error": error}


def test_what_the_supervisor_read_becomes_a_reading_once(tmp_path: Path) -> None:
    taken = Taken()
    nodes = SensorNodes(settings_in(tmp_path), taken, lambda: NOW)
    report = {
        AIR: said(1, {"air_temperature": 24.5, "air_humidity": 80.1}),
        "unknown": said(1, {}),
    }
    for _ in range(3):
        nodes.hear(report)
    assert taken.readings == [
        (AIR, Reading("air_temperature", NOW - 3, 24.5, marks.GOOD)),
        (AIR, Reading("air_humidity", NOW - 3, 80.1, marks.GOOD)),
    ]
    nodes.hear({AIR: said(2, {"air_temperature": 24.5, "air_humidity": 80.1})})
    assert len(taken.readings) == 4


def test_a_sensor_that_falls_silent_says_so_once(tmp_path: Path) -> None:
    """The alarm for silent nodes tells the rest."""
    taken = Taken()
    nodes = SensorNodes(settings_in(tmp_path), taken, lambda: NOW)
    for _ in range(5):
        nodes.hear({AIR: said(0, {}, "no answer")})
    assert [(r.name, r.value, marks.quality(r.mark)) for _, r in taken.readings] == [
        ("air_temperature", None, "failed"),
        ("air_humidity", None, "failed"),
    ]
    nodes.hear({AIR: said(1, {"air_temperature": 24.5, "air_humidity": 80.1})})
    assert taken.readings[-1][1].value == 80.1


def test_a_value_that_cannot_be_is_kept_and_marked(tmp_path: Path) -> None:
    """A clone in hundredths: its humidity gives it away, and its temperature goes with it."""
    taken = Taken()
    nodes = SensorNodes(settings_in(tmp_path), taken, lambda: NOW)
    nodes.hear({AIR: said(1, {"air_temperature": 50.0, "air_humidity": 546.0})})
    assert [(r.value, marks.quality(r.mark)) for _, r in taken.readings] == [
        (50.0, "impossible"),
        (546.0, "impossible"),
    ]


class Wire:
    """Answers a question a time, or not; counts them."""

    timeout_seconds = 0.3

    def __init__(self) -> None:
        self.dead: set[int] = set()
        self.asked: list[int] = []

    def next_part(self, unit: int, device: Device, numbers: dict[str, float]) -> bool:
        self.asked.append(unit)
        if unit in self.dead:
            raise NoAnswer(unit, "no answer")
        questions = device.questions(numbers)
        question = next(questions)
        numbers |= {register.name: 100.0 for register in question.registers}
        return next(questions, None) is None


def two_probes(now: list[float], wire: Wire) -> Probes:
    return Probes(
        wire,
        [
            Probe("soil", SOIL, 4, load_device("soil-7in1-jxbs"), 30.0),
            Probe("air", AIR, 5, load_device("es35-sw"), 30.0),
        ],
        lambda: now[0],
    )


def test_between_two_questions_the_relay_can_be_asked() -> None:
    now, wire = [0.0], Wire()
    probes = two_probes(now, wire)
    while probes.ask(1.0):
        assert len(wire.asked) < 20
        now[0] += 0.01
    assert wire.asked == [4, 5, 4, 4, 4], "one question a turn, and nobody waits for four"
    assert {e: r["answers"] for e, r in probes.report().items()} == {SOIL: 1, AIR: 1}
    assert 29.0 < probes.next_in() <= 30.0


@pytest.mark.parametrize(("pause", "asked"), [(0.0, []), (0.29, []), (0.31, [4])])
def test_no_sensor_is_asked_when_a_valve_is_due_sooner_than_a_time_out(
    pause: float, asked: list[int]
) -> None:
    wire = Wire()
    two_probes([0.0], wire).ask(pause)
    assert wire.asked == asked


def test_a_dead_sensor_leaves_the_others_alone() -> None:
    now, wire = [0.0], Wire()
    wire.dead.add(4)
    probes = two_probes(now, wire)
    for _ in range(4):
        while probes.ask(math.inf):
            now[0] += 0.01
        now[0] += 30.0
    report = probes.report()
    assert report[AIR]["answers"] == 4
    assert report[SOIL]["answers"] == 0
    assert "did not answer" in str(report[SOIL]["error"])
    wire.dead.clear()
    while probes.ask(math.inf):
        now[0] += 0.01
    assert probes.report()[SOIL]["error"] is None


def test_a_sensor_that_sleeps_is_woken_by_the_first_question(
    new_line: Callable[..., Line],
) -> None:
    """It is awake at the second; nobody is told of a failure that is none."""
    awake = [False]

    def sleeper(n: int, unit: int, pdu: bytes) -> list[tuple[float, int, bytes]]:
        was_awake, awake[0] = awake[0], not awake[0]
        return [(0.0, unit, bytes([3, 2, 1, 0xC7]))] if was_awake else []

    line, now = new_line(sleeper, "rtu"), [0.0]
    bus = line.bus(timeout_seconds=0.1)
    bus._clock = lambda: now[0]
    device = load_device("co2-4800-generic")
    device = replace(device, line=replace(device.line, sleeps=True))
    probes = Probes(bus, [Probe("co2", AIR, 5, device, 30.0)], lambda: now[0])
    errors = []
    for _ in range(100):
        if probes.ask(math.inf):
            errors.append(probes.report()[AIR]["error"])
        now[0] += 0.5
    assert probes.report()[AIR]["answers"] == 2
    assert probes.report()[AIR]["values"] == {"co2": 455.0}
    assert set(errors) == {None}
    assert len(line.asked) == 4, "woken and asked, twice in 50 seconds"
    bus.close()


def test_a_unit_that_the_converter_misses_rests_like_a_silent_one(
    new_line: Callable[..., Line],
) -> None:
    """Each of its gaps would cost the others the converter's own time-out."""
    line = new_line(lambda n, unit, pdu: [(0.0, unit, bytes([pdu[0] | 0x80, 11]))])
    bus = line.bus()
    device = load_device("co2-4800-generic")
    with pytest.raises(UnitRefused):
        bus.quantities(9, device)
    with pytest.raises(UnitResting):
        bus.quantities(9, device)
    with pytest.raises(UnitRefused):
        bus.read_coils(9, Coils(1, 5, 0, 8))
    bus.close()


def test_the_platform_is_told_of_the_node_and_not_of_the_bus(tmp_path: Path) -> None:
    nodes = configuration_of(settings_in(tmp_path))["nodes"]
    assert [node["slug"] for node in nodes] == ["soil", "air", "box-bus"]
    assert all("sensor" not in node for node in nodes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"nodes__0__sensor__line": "attic"}, "nodes[0].sensor.line must be one of bus, yard"),
        ({"nodes__0__sensor__unit": 0}, "nodes[0].sensor.unit must be a Modbus unit"),
        ({"nodes__1__sensor__unit": 1}, "nodes[1].sensor.unit is 1, which stands twice"),
        ({"nodes__0__sensor__every_seconds": 0}, "nodes[0].sensor.every_seconds"),
        ({"lines__0__id": "bus"}, "which is another line's"),
        ({"lines__0": {"id": "yard"}}, "lines[0].host is missing; give host and port, or serial"),
        ({"lines__0__serial": {"device": "/dev/ttyUSB0"}}, "stands beside host and port"),
        (
            {"lines__0": {"id": "a", "serial": {"device": "ttyUSB0"}}},
            "lines[0].serial.device must be a path",
        ),
        (
            {"lines__0": {"id": "a", "serial": {"device": "/dev/ttyUSB0", "baud": 9601}}},
            "lines[0].serial.baud must be one of 1200",
        ),
        (
            {"lines__0": {"id": "a", "serial": {"device": "/dev/ttyUSB0", "parity": "E"}}},
            "lines[0].serial.parity must be one of none, even, odd",
        ),
    ],
)
def test_settings_that_cannot_be_meant_say_so(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        settings_in(tmp_path, **changes)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"nodes__0__sensor__device": "soil-9in1"}, "Choose one of: co2-4800-generic"),
        ({"nodes__0__sensor__device": "io-lh-io-01"}, "measures nothing"),
        ({"nodes__0__sensor__without": ["light"]}, "soil-7in1-cwt measures soil_ec"),
    ],
)
def test_a_sensor_that_is_not_described_so_is_named(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    settings = settings_in(tmp_path, **changes)
    with pytest.raises(SettingsError) as caught:
        SensorNodes(settings, Taken())
    assert str(caught.value).startswith("node soil: sensor.")
    assert says in str(caught.value)


def test_the_valves_bus_may_be_a_serial_line(tmp_path: Path) -> None:
    bus = {
        **{"serial": {"device": "/dev/ttyUSB0", "baud": 19200, "parity": "even"}},
        **{"lease_seconds": 4.0, "relay": {"unit": 1, "device": "relay-waveshare-rtu-8ch"}},
        **{"pump_coil": 7, "main_coil": 6},
    }
    settings = settings_in(tmp_path, bus=bus)
    assert settings.bus.where == "/dev/ttyUSB0"
    assert Bus.at(settings.bus).where == "/dev/ttyUSB0"
    with pytest.raises(
        SettingsError, match=r"bus\.host is missing; give host and port, or serial"
    ):
        settings_in(tmp_path, bus={k: v for k, v in bus.items() if k != "serial"})


OWN = """
schema = "nongso-device/1"
id = "my-probe"
name = "A probe of my own"
registers = [{ name = "t", function = 3, address = 2, type = "int16", scale = 0.1, errors = [-1] }]
quantities = [{ metric = "soil_temperature.2", unit = "°C", from = "t" }]
"""


def test_a_model_is_added_by_a_file_beside_the_settings(
    tmp_path: Path, new_line: Callable[..., Line]
) -> None:
    """No code: the farm's own folder is looked into first."""
    (tmp_path / "devices").mkdir()
    (tmp_path / "devices" / "my-probe.toml").write_text(OWN)
    held = {(3, 2): 0xFFF0}
    line = new_line(holding(held), "rtu")
    settings = settings_in(tmp_path, nodes__0__sensor__device="my-probe", lines__0__port=line.port)
    probe = load_device("my-probe", settings.devices_folder)
    bus = line.bus()
    assert bus.quantities(4, probe) == {"soil_temperature.2": -1.6}
    held[3, 2] = 0xFFFF
    assert bus.quantities(4, probe) == {}, "the device's word for: no value"
    bus.close()
    (found,) = [d for d in devices(settings.devices_folder) if d.is_own]
    assert (found.id, found.error) == ("my-probe", None)


def test_a_damaged_file_beside_the_settings_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "my-probe.toml").write_text(OWN.replace("function = 3", "function = 5"))
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "other.toml").write_text(OWN)
    (tmp_path / "far.toml").write_text('extends = "nothing"\nschema = "nongso-device/1"')
    wrong = {d.id: d.error for d in devices(tmp_path) if d.error}
    assert sorted(wrong) == ["bytes", "far", "my-probe", "other"]
    assert wrong["my-probe"] is not None
    assert "my-probe.toml: registers[t].function must be 3" in wrong["my-probe"]
    assert "file and id must have one name" in str(wrong["other"])
    assert "extends names 'nothing'; there are: " in str(wrong["far"])
    with pytest.raises(DeviceFileError, match=r"bytes\.toml cannot be read"):
        load_device("bytes", tmp_path)
    assert load_device("xy-md02", tmp_path).id == "xy-md02"


PAGE = Path(__file__).parents[2] / "docs" / "devices.md"


def test_the_pages_example_is_a_device_file_and_its_list_is_whole() -> None:
    page = PAGE.read_text("utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert parse_device(example, "my-probe.toml").frames[0].values == (42.1,)
    missing = [d for d in known_devices() if f"`{d}`" not in page and not d.endswith("-sim")]
    assert missing == []


def nongso(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    status = main(["gateway", "devices", *arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_the_command_lists_shows_and_checks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = nongso(capsys=capsys)
    assert status == 0
    assert len(out.splitlines()) == len(known_devices())
    status, out, _ = nongso("relay-waveshare-rtu-8ch", capsys=capsys)
    assert "switches CH1 to CH8; auto-off up to 3277 s" in out
    status, out, _ = nongso("vfd-delta-el", capsys=capsys)
    assert "its run input belongs on a relay" in out
    file = tmp_path / "devices" / "my-probe.toml"
    file.parent.mkdir()
    file.write_text(OWN)
    status, out, _ = nongso(str(file), capsys=capsys)
    assert "function 3, address 2 (0x0002), 1 words: t" in out
    assert "measures: soil_temperature.2 in °C" in out
    status, out, _ = nongso("--settings", str(tmp_path / "gateway.json"), capsys=capsys)
    assert "A probe of my own (own)" in out
    file.write_text(OWN.replace("°C", "K"))
    status, _, err = nongso(str(file), capsys=capsys)
    assert status == 1
    assert "quantities[soil_temperature.2].unit must be '°C'" in err
    status, out, _ = nongso("--settings", str(tmp_path / "gateway.json"), capsys=capsys)
    assert status == 1
    assert "CANNOT BE USED" in out
