"""Each known device, byte for byte: what it is asked, and what its answer means on the farm.

The answers without a maker's frame behind them are made here from the described map; they pin
word order, sign and scale, so that a slip in a device file does not become a reading.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
from raw_line import Line, holding

from nongso.gateway.devicefile import crc, known_devices, load_device
from nongso.gateway.fieldbus import BusError, UnitRefused
from nongso.gateway.registers import Drive, Frame, Write

NewLine = Callable[..., Line]

THE_SEVENTEEN = {
    *("xy-md02", "es35-sw", "soil-7in1-jxbs", "soil-7in1-cwt", "light-cwt-sl"),
    *("weather-cwt-uwd", "level-qdy30a", "relay-waveshare-rtu-8ch"),
    *("relay-waveshare-poe-eth-8ch", "io-lh-io-01", "plc-delta-dvp", "vfd-delta-el"),
    *("vfd-invt-gd20", "vfd-ls-m100-s100", "vfd-schneider-atv", "meter-pzem-016"),
    "co2-4800-generic",
}


def test_the_devices_sold_here_are_known() -> None:
    assert set(known_devices()) >= THE_SEVENTEEN


FRAMES = [
    pytest.param(device, frame, id=f"{device}: {frame.what}")
    for device in known_devices()
    for frame in load_device(device).frames
    if frame.reads
]


@pytest.mark.parametrize(("device", "frame"), FRAMES)
def test_the_recorded_question_is_what_goes_over_the_line(
    new_line: NewLine, device: str, frame: Frame
) -> None:
    """With the maker's own bytes, check sum included; and its answer has the maker's values."""
    described = load_device(device)
    only = replace(
        described,
        registers=tuple(described.register(name) for name in frame.reads),
        quantities=(),
    )
    answer = frame.answer or b"\x01\x83\x02" + crc(b"\x01\x83\x02")
    line = new_line(lambda n, unit, pdu: [(0.0, answer[0], answer[1:-2])], "rtu")
    bus = line.bus()
    numbers: dict[str, float] = {}
    if frame.answer:
        assert bus.next_part(frame.ask[0], only, numbers)
        values = [round(only.in_unit(name, numbers), 6) for name in frame.reads]
        assert values == [round(value, 6) for value in frame.values]
    else:
        with pytest.raises(UnitRefused):
            bus.next_part(frame.ask[0], only, numbers)
    assert line.asked == [frame.ask]
    bus.close()


# device, registers held by (function, address), questions in order, what comes of it
MAPS = [
    (
        "xy-md02",
        {(4, 1): 0xFFCD, (4, 2): 546},
        ["04 00 01 00 02"],
        {"air_temperature": -5.1, "air_humidity": 54.6},
    ),
    (
        "xy-md02-x100",
        {(4, 1): 3050, (4, 2): 5460},
        ["04 00 01 00 02"],
        {"air_temperature": 30.5, "air_humidity": 54.6},
    ),
    (
        "es35-sw",
        {(3, 0): 251, (3, 1): 603},
        ["03 00 00 00 02"],
        {"air_temperature": 25.1, "air_humidity": 60.3},
    ),
    (
        "soil-7in1-jxbs",
        {
            **{(3, 6): 685, (3, 0x12): 421, (3, 0x13): 0xFFF6, (3, 0x15): 1250},
            **{(3, 0x1E): 32, (3, 0x1F): 37, (3, 0x20): 48},
        },
        ["03 00 06 00 01", "03 00 12 00 02", "03 00 15 00 01", "03 00 1e 00 03"],
        {
            **{"soil_moisture": 42.1, "soil_temperature": -1.0, "soil_ec": 1.25, "soil_ph": 6.85},
            **{"soil_nitrogen": 32.0, "soil_phosphorus": 37.0, "soil_potassium": 48.0},
        },
    ),
    (
        "soil-7in1-cwt",
        {(3, n): word for n, word in enumerate((421, 0xFFF6, 1250, 68, 32, 37, 48))},
        ["03 00 00 00 07"],
        {
            **{"soil_moisture": 42.1, "soil_temperature": -1.0, "soil_ec": 1.25, "soil_ph": 6.8},
            **{"soil_nitrogen": 32.0, "soil_phosphorus": 37.0, "soil_potassium": 48.0},
        },
    ),
    (
        "light-cwt-sl",
        {(3, 0): 486, (3, 1): 0xFF9F, (3, 2): 3, (3, 3): 0x0D40},
        ["03 00 00 00 04"],
        {"light": 200000.0, "air_temperature": -9.7, "air_humidity": 48.6},
    ),
    (
        "light-cwt-sl-65k",
        {(3, 0): 486, (3, 1): 0xFF9F, (3, 6): 1328},
        ["03 00 00 00 02", "03 00 06 00 01"],
        {"light": 1328.0, "air_temperature": -9.7, "air_humidity": 48.6},
    ),
    (
        "weather-cwt-uwd",
        {
            **{(3, 0x1F4): 312, (3, 0x1F7): 225, (3, 0x1F8): 871, (3, 0x1F9): 0xFFD8},
            **{(3, 0x1FD): 905, (3, 0x1FE): 1, (3, 0x1FF): 0x86A0, (3, 0x201): 1234},
        },
        ["03 01 f4 00 01", "03 01 f7 00 03", "03 01 fd 00 03", "03 02 01 00 01"],
        {
            **{"wind_speed": 3.1, "wind_direction": 225.0, "air_humidity": 87.1},
            **{"air_temperature": -4.0, "air_pressure": 905.0, "light": 100000.0},
            "rain_total": 123.4,
        },
    ),
    ("co2-4800-generic", {(3, 0): 455}, ["03 00 00 00 01"], {"co2": 455.0}),
    (
        "meter-pzem-016",
        {
            (4, n): word
            for n, word in enumerate((0x08D1, 0x6C, 0, 0xF4, 0, 0x26, 0, 0x01F4, 0x64, 0))
        },
        ["04 00 00 00 0a"],
        {
            **{"voltage": 225.7, "current": 0.108, "power": 24.4, "energy_total": 0.038},
            **{"frequency": 50.0, "power_factor": 1.0},
        },
    ),
    (
        "vfd-delta-el",
        {(3, 0x2100 + n): w for n, w in enumerate((0, 0x400, 6000, 5000, 23))}
        | {(3, 0x2109): 2200},
        ["03 21 00 00 05", "03 21 09 00 01"],
        {"frequency": 50.0, "current": 2.3, "voltage": 220.0},
    ),
    (
        "vfd-invt-gd20",
        {(3, 0x2102): 0, (3, 0x3000): 5000, (3, 0x3001): 5000, (3, 0x3003): 220, (3, 0x3004): 23},
        ["03 21 02 00 01", "03 30 00 00 02", "03 30 03 00 02"],
        {"frequency": 50.0, "current": 2.3, "voltage": 220.0},
    ),
    (
        "vfd-ls-m100-s100",
        {(3, 8 + n): word for n, word in enumerate((23, 5000, 220, 310, 15, 26690))},
        ["03 00 08 00 06"],
        {"frequency": 50.0, "current": 2.3, "voltage": 220.0, "power": 1500.0},
    ),
    (
        "vfd-schneider-atv",
        {
            **{(3, 3201): 7, (3, 3202): 500, (3, 3207): 3998},
            **{(3, 3244): 1, (3, 3245): 2, (3, 7121): 0},
        },
        ["03 0c 81 00 02", "03 0c 87 00 01", "03 0c ac 00 02", "03 1b d1 00 01"],
        {"frequency": 50.0, "voltage": 399.8},
    ),
]


@pytest.mark.parametrize(("device", "held", "asked", "values"), MAPS, ids=[m[0] for m in MAPS])
def test_the_map_is_read_as_described_and_no_hole_is_crossed(
    new_line: NewLine,
    device: str,
    held: dict[tuple[int, int], int],
    asked: list[str],
    values: dict[str, float],
) -> None:
    """The device refuses, as real ones do, whatever touches a register that it has not."""

    line = new_line(holding(held), "rtu")
    bus, described = line.bus(), load_device(device)
    found = bus.quantities(1, described)
    assert found == values
    assert described.doubtful(found) == frozenset()
    assert [frame[1:-2].hex(" ") for frame in line.asked] == asked
    bus.close()


@pytest.mark.parametrize(
    ("device", "numbers", "doubtful"),
    [
        # A clone in hundredths under the file for tenths: 5 °C would look like 50 °C.
        ("xy-md02", {"air_temperature": 500, "relative_humidity": 5460}, "all"),
        ("xy-md02-x100", {"air_temperature": 305, "relative_humidity": 456}, "all"),
        ("xy-md02", {"air_temperature": 305, "relative_humidity": 546}, ""),
        ("es35-sw", {"air_temperature": 603, "relative_humidity": 30}, "all"),  # turned round
        ("co2-4800-generic", {"co2": 250}, "co2"),  # a combined model's humidity
        ("co2-4800-generic", {"co2": 400}, ""),
        # Read with the high word first: 7077888 mA.
        ("meter-pzem-016", {"current": 108 << 16}, "all"),
        ("meter-pzem-016", {}, ""),
    ],
)
def test_what_a_device_cannot_have_measured_is_not_believed(
    device: str, numbers: dict[str, float], doubtful: str
) -> None:
    described = load_device(device)
    usual = {"voltage": 2257, "frequency": 500, "power_factor": 100}
    known = {r.name: float(usual.get(r.name, 0)) for r in described.registers}
    values = described.values(known | numbers)
    expected = set(values) if doubtful == "all" else {doubtful} - {""}
    assert described.doubtful(values) == expected


def test_a_dead_ph_probe_leaves_the_moisture_alone() -> None:
    soil = load_device("soil-7in1-cwt")
    numbers = {r.name: 100.0 for r in soil.registers} | {"ph": 0.0}
    assert soil.doubtful(soil.values(numbers)) == {"soil_ph"}


def test_sensors_that_were_not_bought_are_not_asked_for() -> None:
    """A weather station without rain gauge answers 0 for it: a drought that never was."""
    station = load_device("weather-cwt-uwd").without(frozenset({"rain_total", "light"}))
    assert [q.metric for q in station.quantities] == [
        *("wind_speed", "wind_direction", "air_humidity", "air_temperature", "air_pressure")
    ]
    assert [q.address for q in station.questions()] == [0x1F4, 0x1F7, 0x1FD]
    tank = load_device("level-qdy30a")
    assert tank.without(frozenset({"light"})).registers == tank.registers


def test_an_output_of_a_delta_plc_is_named_in_octal() -> None:
    """Y10 is the ninth output, not the eleventh: another valve would open."""
    coils = load_device("plc-delta-dvp").coils
    assert coils is not None
    assert [coils.label(n) for n in (0, 7, 8, 15)] == ["Y0", "Y7", "Y10", "Y17"]
    assert coils.address + 8 == 0x0508
    board = load_device("relay-waveshare-rtu-8ch").coils
    assert board is not None
    assert (board.label(0), board.label(7)) == ("CH1", "CH8")


def echo(n: int, unit: int, pdu: bytes) -> list[tuple[float, int, bytes]]:
    return [(0.0, unit, pdu[:5])]


def keeps(counts: int) -> Callable[[int, int, bytes], list[tuple[float, int, bytes]]]:
    """A drive that echoes what is written and tells this number when it is asked."""

    def answer(n: int, unit: int, pdu: bytes) -> list[tuple[float, int, bytes]]:
        told = bytes([3, 2]) + counts.to_bytes(2, "big")
        return [(0.0, unit, told)] if pdu[0] == 3 else echo(n, unit, pdu)

    return answer


@pytest.mark.parametrize(
    ("device", "bytes_"),
    [
        ("vfd-delta-el", ["06 20 00 00 01"]),  # 1 stops a Delta and runs an INVT
        ("vfd-invt-gd20", ["06 20 00 00 05"]),
        ("vfd-ls-m100-s100", ["06 00 05 00 01"]),  # printed as 0h0006
        ("vfd-schneider-atv", ["06 21 35 00 06"]),
    ],
)
def test_each_inverter_stops_by_its_own_word(
    new_line: NewLine, device: str, bytes_: list[str]
) -> None:
    line = new_line(echo, "rtu")
    bus, drive = line.bus(), load_device(device).drive
    assert drive is not None
    bus.drive_stop(1, drive)
    assert [frame[1:-2].hex(" ") for frame in line.asked] == bytes_
    bus.close()


def test_a_pump_runs_over_the_bus_only_with_its_own_dead_man_timer(new_line: NewLine) -> None:
    line = new_line(keeps(40), "rtu")
    bus, drive = line.bus(), load_device("vfd-schneider-atv").drive
    assert drive is not None
    bus.drive_run(1, drive, 45.0, 4.0)
    assert [frame[1:-2].hex(" ") for frame in line.asked] == [
        "06 17 75 00 28",  # 4.0 s without a question, and it stops
        "03 17 75 00 01",  # and so it has understood
        "06 21 36 01 c2",
        *("06 21 35 00 06", "06 21 35 00 07", "06 21 35 00 0f"),
    ]
    for device in known_devices():
        other = load_device(device).drive
        if other is not None and other.watchdog is None:
            with pytest.raises(BusError, match="relay with auto-off"):
                bus.drive_run(1, other, 45.0, 4.0)
    assert len(line.asked) == 6, "the others were sent nothing"
    bus.close()


@pytest.mark.parametrize("kept", [0, 41, 300])
def test_a_drive_that_keeps_another_dead_man_timer_is_not_started(
    new_line: NewLine, kept: int
) -> None:
    line = new_line(keeps(kept), "rtu")
    bus, drive = line.bus(), load_device("vfd-schneider-atv").drive
    assert drive is not None
    with pytest.raises(BusError, match="Unlock the parameter"):
        bus.drive_run(1, drive, 45.0, 4.0)
    assert len(line.asked) == 2, "it was told no more than the timer"
    bus.close()


def test_several_words_are_written_with_function_16(new_line: NewLine) -> None:
    line = new_line(echo, "rtu")
    bus = line.bus()
    bus.drive_stop(1, Drive(stop=(Write(16, 0x0004, (0, 1)),)))
    assert line.asked[0][1:-2].hex(" ") == "10 00 04 00 02 04 00 00 00 01"
    bus.close()


@pytest.mark.parametrize("n", range(4))
def test_input_n_is_bit_n(new_line: NewLine, n: int) -> None:
    line = new_line(lambda _n, unit, pdu: [(0.0, unit, bytes([2, 1, 1 << n]))], "rtu")
    bus, inputs = line.bus(), load_device("io-lh-io-01").inputs
    assert inputs is not None
    assert bus.read_inputs(1, inputs) == tuple(k == n for k in range(4))
    assert line.asked[0][1:-2].hex(" ") == "02 00 00 00 04"
    bus.close()


def test_the_eight_inputs_of_a_cabinet_are_asked_as_the_maker_asks(new_line: NewLine) -> None:
    line = new_line(lambda _n, unit, pdu: [(0.0, unit, bytes([2, 1, 0b10000001]))], "rtu")
    described = load_device("io-waveshare-rtu-8ch")
    bus, inputs = line.bus(), described.inputs
    assert inputs is not None
    assert bus.read_inputs(1, inputs) == tuple(k in (0, 7) for k in range(8))
    (frame,) = described.frames
    assert line.asked[0] == frame.ask
    bus.close()
