"""Drivers against chips at register level, with a clock turned by hand, and each failure."""

import errno
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.bh1750 import BH1750
from drivers.crc8 import crc8
from drivers.sht4x import SHT4x
from drivers.soil import Soil
from nongso.gateway.simulated.chips import NodeChips
from nongso.node.sensors import SensorFault


class Bench:
    """A board on the bench: its chips, wired directly, and a clock that one turns by hand."""

    def __init__(self) -> None:
        self.truth = {
            "air_temperature": 24.5,
            "air_humidity": 71.2,
            "light": 61000.0,
            "soil_moisture": 44.4,
            "dry": 2900.0,
            "wet": 1200.0,
        }
        self.seconds = 100.0
        self.chips = NodeChips("tb-01", lambda _: self.truth, lambda: self.seconds)

    def _ask(self, request: str) -> bytes:
        word, _, rest = self.chips.answer(request.split()).partition(" ")
        if word != "ok":
            raise OSError(errno.ENODEV)
        return bytes.fromhex(rest)

    def writeto(self, address: int, message: bytes) -> None:
        self._ask(f"w {address:x} {message.hex() or '-'}")

    def readfrom_into(self, address: int, buffer: bytearray) -> None:
        buffer[:] = self._ask(f"r {address:x} {len(buffer)}")

    def read_u16(self) -> int:
        counts = int.from_bytes(self._ask("a 34"), "big")
        return counts << 4 | counts >> 8

    def measure(self, sensor: SHT4x | BH1750 | Soil) -> tuple[int, ...]:
        """Start, wait as long as the driver says, read."""
        self.seconds += sensor.start() / 1000
        found: tuple[int, ...] = sensor.read()
        return found


@pytest.fixture
def bench() -> Bench:
    return Bench()


def fault(call: Callable[[], object]) -> str:
    """Return the status word with which a sensor fails."""
    with pytest.raises(SensorFault) as raised:
        call()
    return str(raised.value.status)


def test_checksum_is_that_of_the_datasheet():
    assert crc8(b"\xbe\xef", 0, 2) == 0x92


@given(st.floats(-40, 120), st.floats(0, 100))
@settings(deadline=None)
def test_air_comes_back_as_it_is(temperature: float, humidity: float):
    bench = Bench()
    bench.truth.update(air_temperature=temperature, air_humidity=humidity)
    measured_temperature, measured_humidity = bench.measure(SHT4x(bench))
    assert abs(measured_temperature / 100 - temperature) <= 0.0065
    assert abs(measured_humidity / 10 - humidity) <= 0.0515
    assert 0 <= measured_humidity <= 1000


def test_an_air_sensor_read_early_does_not_answer(bench: Bench):
    sensor = SHT4x(bench)
    sensor.start()
    bench.seconds += 0.008
    assert fault(sensor.read) == "failed"
    bench.seconds += 0.0004
    assert sensor.read() == (2450, 712)
    assert fault(sensor.read) == "failed"  # it gives each measurement once


def test_an_absent_air_sensor_is_absent_and_may_return(bench: Bench):
    sensor = SHT4x(bench)
    bench.chips.sht4x.absent = True
    assert fault(sensor.start) == "absent"
    bench.chips.sht4x.absent = False
    assert bench.measure(sensor) == (2450, 712)
    sensor.start()
    bench.chips.sht4x.absent = True
    assert fault(sensor.read) == "failed"
    assert fault(SHT4x(bench, 0x45).start) == "absent"


def test_a_garbled_answer_is_no_number(bench: Bench):
    bench.chips.sht4x.crc_broken = True
    assert fault(lambda: bench.measure(SHT4x(bench))) == "crc_error"


def test_any_single_garbled_bit_is_noticed(bench: Bench):
    class Garbled(Bench):
        bit = 0

        def readfrom_into(self, address: int, buffer: bytearray) -> None:
            super().readfrom_into(address, buffer)
            buffer[self.bit // 8] ^= 1 << self.bit % 8

    garbled = Garbled()
    for bit in range(48):
        garbled.bit = bit
        assert fault(lambda: garbled.measure(SHT4x(garbled))) == "crc_error"


@given(st.floats(0, 120000))
@settings(deadline=None)
def test_light_comes_back_as_it_is(light: float):
    bench = Bench()
    bench.truth["light"] = light
    (lux,) = bench.measure(BH1750(bench))
    assert abs(lux - light) <= 1.5  # a count is 1.85 lx


def test_light_read_early_is_the_old_light(bench: Bench):
    sensor = BH1750(bench)
    assert bench.measure(sensor) == (61000,)
    bench.truth["light"] = 500.0
    sensor.start()
    bench.seconds += 0.05
    assert sensor.read() == (61000,)  # the chip says nothing: one must wait
    bench.seconds += 0.04
    assert sensor.read() == (501,)


def test_light_beyond_the_scale_is_no_number(bench: Bench):
    bench.truth["light"] = 130000.0
    assert fault(lambda: bench.measure(BH1750(bench))) == "out_of_range"


def test_light_is_right_after_the_chip_lost_power(bench: Bench):
    sensor = BH1750(bench)
    bench.measure(sensor)
    bench.chips.bh1750.lose_power()
    assert bench.measure(sensor) == (61000,)


def test_an_absent_light_sensor_is_absent(bench: Bench):
    bench.chips.bh1750.absent = True
    assert fault(BH1750(bench).start) == "absent"
    sensor = BH1750(bench)
    bench.chips.bh1750.absent = False
    sensor.start()
    bench.chips.bh1750.absent = True
    assert fault(sensor.read) == "failed"


@given(st.floats(0, 100), st.sampled_from([(2900, 1200), (1200, 2900), (3300, 3100)]))
@settings(deadline=None)
def test_soil_comes_back_between_its_dry_and_wet_point(moisture: float, points: tuple[int, int]):
    bench = Bench()
    dry, wet = points
    bench.truth.update(soil_moisture=moisture, dry=dry, wet=wet)
    (tenths,) = bench.measure(Soil(bench, dry, wet))
    assert abs(tenths / 10 - moisture) <= 300 / abs(dry - wet) + 0.1  # three counts of flutter
    assert 0 <= tenths <= 1000


def test_soil_a_little_beyond_its_points_is_quite_dry_or_quite_wet(bench: Bench):
    for moisture, tenths in ((-10.0, 0), (110.0, 1000)):
        bench.truth["soil_moisture"] = moisture
        assert bench.measure(Soil(bench, 2900, 1200)) == (tenths,)


def test_a_probe_far_beyond_its_points_is_no_number(bench: Bench):
    for moisture in (-20.0, 120.0):
        bench.truth["soil_moisture"] = moisture
        assert fault(lambda: bench.measure(Soil(bench, 2900, 1200))) == "out_of_range"
    bench.truth["soil_moisture"] = 50.0
    bench.chips.soil.broken_wire = True
    assert fault(lambda: bench.measure(Soil(bench, 2900, 1200))) == "out_of_range"


def test_a_probe_without_flutter_is_stuck_after_a_dozen_samples(bench: Bench):
    probe = Soil(bench, 2900, 1200)
    for _ in range(40):
        bench.measure(probe)
    bench.chips.soil.stuck = True
    for _ in range(11):
        bench.measure(probe)
    assert fault(lambda: [bench.measure(probe) for _ in range(3)]) == "stuck"
    bench.chips.soil.stuck = False
    bench.measure(probe)


def test_an_analogue_pin_that_gives_nothing_is_absent(bench: Bench):
    bench.chips.soil.absent = True
    assert fault(lambda: bench.measure(Soil(bench, 2900, 1200))) == "absent"


def test_a_calibration_that_measures_nothing_is_refused(bench: Bench):
    with pytest.raises(ValueError, match="100 counts apart"):
        Soil(bench, 2000, 1950)
