"""Modbus RTU on a real serial line: a pair of pseudo-terminals with a device at the far end."""

import select
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from raw_line import SerialLine, holding

from nongso.gateway.devicefile import load_device, parse_device
from nongso.gateway.fieldbus import Bus, BusError, NoAnswer, UnitResting
from nongso.gateway.registers import Coils, Pulse, Write
from nongso.gateway.settings import Serial

NewLine = Callable[..., SerialLine]
COILS, PULSE = Coils(1, 5, 0, 8), Pulse(5, 0x0200, 0.1, 0x7FFF)
ONE_REGISTER = """
schema = "nongso-device/1"
id = "probe"
name = "probe"
registers = [{{ name = "level", function = 3, address = {address}, type = "uint16" }}]
quantities = [{{ metric = "tank_level", unit = "%", from = "level" }}]
"""


def echo(n: int, unit: int, pdu: bytes) -> list[tuple[float, int, bytes]]:
    return [(0.0, unit, b"\x01\x01\x08" if pdu[0] == 1 else pdu[:5])]


def test_a_relay_board_on_a_serial_line(new_serial_line: NewLine) -> None:
    line = new_serial_line(echo)
    bus = line.bus()
    bus.coil_off(1, COILS, 0)
    bus.coil_pulse(1, PULSE, 3, 4.0)
    assert bus.read_coils(1, COILS) == (False, False, False, True, *[False] * 4)
    bus._write_words(1, Write(16, 4, (5000, 2)))
    assert [frame.hex(" ").upper() for frame in line.asked[:1]] == ["01 05 00 00 00 00 CD CA"]
    assert [frame[1:-2].hex(" ") for frame in line.asked[1:]] == [
        *("05 02 03 00 28", "01 00 00 00 08"),
        "10 00 04 00 02 04 13 88 00 02",
    ]
    bus.close()


def test_a_soil_probe_on_a_serial_line(new_serial_line: NewLine) -> None:
    held = {(3, 6): 685, (3, 0x12): 421, (3, 0x13): 185, (3, 0x15): 1250}
    held |= {(3, 0x1E): 32, (3, 0x1F): 37, (3, 0x20): 48}
    line = new_serial_line(holding(held))
    bus = line.bus()
    values = bus.quantities(4, load_device("soil-7in1-jxbs"))
    assert values["soil_moisture"] == 42.1
    assert values["soil_ec"] == 1.25
    assert len(line.asked) == 4
    bus.close()


def test_noise_before_and_after_an_answer_harms_nobody(new_serial_line: NewLine) -> None:
    line = new_serial_line(holding({(3, 0): 7, (3, 1): 8}))
    bus = line.bus()
    for address in (0, 1) * 5:
        line.send(b"\x00\xff\x00")
        assert bus.quantities(3, parse_device(ONE_REGISTER.format(address=address), "p")) == {
            "tank_level": 7.0 + address
        }
    bus.close()


def test_a_late_answer_on_a_serial_line_is_never_the_next_one(new_serial_line: NewLine) -> None:
    """Asked for register 10, the answer of register 0 comes first: same unit, function, length."""

    def late_once(n: int, unit: int, pdu: bytes) -> list[tuple[float, int, bytes]]:
        return [(0.25 if n == 0 else 0.0, unit, bytes([3, 2, 0, pdu[2]]))]

    line = new_serial_line(late_once)
    bus = line.bus(timeout_seconds=0.2)
    now = [0.0]
    bus._clock = lambda: now[0]
    with pytest.raises(NoAnswer):
        bus.quantities(3, parse_device(ONE_REGISTER.format(address=0), "probe"))
    with pytest.raises(UnitResting):
        bus.quantities(3, parse_device(ONE_REGISTER.format(address=10), "probe"))
    bus.wake_all()  # even so: the line is listened to first
    for _ in range(3):
        assert bus.quantities(3, parse_device(ONE_REGISTER.format(address=10), "probe")) == {
            "tank_level": 10.0
        }
    bus.close()


def test_a_wall_clock_set_back_does_not_hold_the_line(
    new_serial_line: NewLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pymodbus' own serial client would wait until the old hour comes again."""
    real = time.time
    jumps = iter([real(), real() - 1e6])
    monkeypatch.setattr(time, "time", lambda: next(jumps, real() - 1e6))
    bus = new_serial_line(lambda n, unit, pdu: []).bus(timeout_seconds=0.1)
    with pytest.raises(NoAnswer, match=r"within 0\.1 s"):
        bus.read_coils(1, COILS)
    bus.close()


def test_a_converter_that_was_pulled_out_is_one_clear_error(
    new_serial_line: NewLine, tmp_path: Path
) -> None:
    line = new_serial_line(echo)
    bus = line.bus()
    bus.coil_off(1, COILS, 0)
    line.unplug()
    for _ in range(3):
        with pytest.raises(BusError):
            bus.coil_off(1, COILS, 0)
    bus.close()
    gone = Bus(serial=Serial(str(tmp_path / "ttyUSB0")))
    with pytest.raises(BusError, match="plugged in") as caught:
        gone.read_coils(1, COILS)
    assert "ttyUSB0" in str(caught.value)


def test_bytes_that_trickle_in_for_ever_end_with_the_time_out(new_serial_line: NewLine) -> None:
    """A stuck device sends without end; the relay on the same line is asked all the same."""

    def trickle(n: int, unit: int, pdu: bytes) -> list[tuple[float, int, bytes]]:
        return [(0.0, unit, b"\x01\x01\x00")] if unit == 1 else [(0.02, 9, b"\x03\x02\x00")] * 30

    line = new_serial_line(trickle)
    bus = line.bus(timeout_seconds=0.1)
    with pytest.raises(NoAnswer):
        bus.quantities(9, parse_device(ONE_REGISTER.format(address=0), "probe"))
    deadline = time.monotonic() + 5.0
    while True:
        try:
            assert not any(bus.read_coils(1, COILS))
            break
        except BusError:
            assert time.monotonic() < deadline
    bus.close()


def test_a_sensor_that_needs_quiet_is_asked_after_it(new_serial_line: NewLine) -> None:
    line = new_serial_line(holding({(3, 0): 251, (3, 1): 603}))
    bus, sensor = line.bus(), load_device("es35-sw")
    waits: list[float] = []
    real = select.select

    def watched(*arguments: object) -> object:
        waits.extend(arguments[3:])  # type: ignore[arg-type]
        return real(*arguments)  # type: ignore[call-overload]

    now = [10.0]
    bus._clock = lambda: now[0]
    bus.quantities(1, sensor)
    now[0] += 0.01
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nongso.gateway.fieldbus.select.select", watched)
        assert bus.quantities(1, sensor) == {"air_temperature": 25.1, "air_humidity": 60.3}
    assert waits[0] == pytest.approx(0.06)
    assert struct.unpack(">H", line.asked[0][4:6]) == (2,)
    bus.close()


def test_the_bus_is_back_when_the_converter_is(new_serial_line: NewLine, tmp_path: Path) -> None:
    """Plugged in again, the line has its name again; nobody restarts anything."""
    first, name = new_serial_line(echo), tmp_path / "ttyUSB0"
    name.symlink_to(first.device)
    bus = Bus(timeout_seconds=0.15, serial=Serial(str(name)))
    bus.coil_off(1, COILS, 0)
    first.unplug()
    name.unlink()
    with pytest.raises(BusError):
        bus.coil_off(1, COILS, 0)
    with pytest.raises(BusError, match="plugged in"):
        bus.coil_off(1, COILS, 0)
    second = new_serial_line(echo)
    name.symlink_to(second.device)
    bus.coil_off(1, COILS, 0)
    assert len(second.asked) == 1
    bus.close()
