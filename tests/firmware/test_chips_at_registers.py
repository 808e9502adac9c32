"""Each driver against its chip at register level, with each failure. Runs on both interpreters."""

import chip_models as models

from drivers.battery import Battery
from drivers.contact import Door, Level
from drivers.crc8 import crc8_maxim
from drivers.ds18b20 import DS18B20
from drivers.flow import Flow
from drivers.scd4x import SCD4x
from drivers.sht3x import SHT3x
from drivers.soil import Soil
from nongso.node.kept import Kept
from nongso.node.sensors import SensorFault

try:
    from micropython import heap_lock, heap_unlock
except ImportError:  # CPython has no heap to lock
    heap_lock = heap_unlock = int


def fault(call):
    """The status word with which a sensor fails."""
    try:
        found = call()
    except SensorFault as e:
        return e.status
    raise AssertionError(f"gave {found}")


def measured(sensor, clock):
    """Start, wait as long as the driver says, read."""
    clock.pause(sensor.start())  # not +=, which would forget what the driver itself waits
    return sensor.read()


# --- SHT3x


def air():
    """A clock, a chip on its bus, and its driver."""
    clock = models.Clock()
    chip = models.Sht3x(clock)
    bus = models.Bus(x44=chip)
    return clock, chip, bus, SHT3x(bus, ticks=clock)


def test_air_comes_back_as_it_is():
    clock, chip, _, sensor = air()
    for temperature, humidity in ((24.5, 71.2), (-12.34, 0), (60.0, 100), (0, 55.5)):
        chip.temperature, chip.humidity = temperature, humidity
        found = measured(sensor, clock)
        assert abs(found[0] / 100 - temperature) <= 0.0065
        assert abs(found[1] / 10 - humidity) <= 0.0515


def test_an_air_sensor_read_early_or_twice_gives_nothing():
    clock, _, _, sensor = air()
    sensor.start()
    clock.ms += 15
    assert fault(sensor.read) == "failed"
    clock.ms += 1
    assert sensor.read() == (2450, 712)
    assert fault(sensor.read) == "failed"


def test_an_air_sensor_may_vanish_and_return():
    clock, chip, bus, sensor = air()
    chip.is_absent = True
    assert fault(sensor.start) == "absent"
    chip.is_absent = False
    sensor.start()
    chip.is_absent = True
    clock.ms += 16
    assert fault(sensor.read) == "failed"
    chip.is_absent = False
    bus.is_held_low = True
    assert fault(sensor.start) == "absent"
    bus.is_held_low = False
    assert measured(sensor, clock) == (2450, 712)


def test_any_garbled_bit_of_the_air_is_noticed():
    clock, _, bus, sensor = air()
    for bit in range(48):
        bus.garble = bit
        assert fault(lambda: measured(sensor, clock)) == "crc_error"


def test_an_air_sensor_that_does_not_change_for_an_hour_is_stuck():
    clock, chip, _, sensor = air()
    chip.is_stuck = True
    for _ in range(12):
        measured(sensor, clock)
        clock.ms += 300000
    assert fault(lambda: measured(sensor, clock)) == "stuck"
    clock.ms = 5000  # ticks wrap
    assert fault(lambda: measured(sensor, clock)) == "stuck"
    chip.is_stuck = False
    chip.temperature = 24.6
    assert measured(sensor, clock)[0] == 2460


def test_air_that_stands_still_for_a_minute_is_air():
    clock, chip, _, sensor = air()
    chip.is_stuck = True
    for _ in range(60):
        measured(sensor, clock)
        clock.ms += 1000


# --- SCD4x


def co2(**more):
    """A clock, a chip on its bus, and its driver."""
    clock = models.Clock()
    chip = models.Scd4x(clock)
    bus = models.Bus(x62=chip)
    return clock, chip, bus, SCD4x(bus, clock.pause, ticks=clock, **more)


def test_carbon_dioxide_comes_back_as_it_is():
    clock, chip, _, sensor = co2()
    for ppm in (815, 400, 5000):
        chip.ppm = ppm
        assert measured(sensor, clock) == (ppm,)
        clock.ms += 60000
    assert sensor.start() == 0  # there is always a new one by then


def test_self_calibration_is_off_before_the_first_number():
    clock, chip, _, sensor = co2()
    assert chip.self_calibration == 1
    measured(sensor, clock)
    assert chip.self_calibration == 0
    assert chip.is_measuring()


def test_a_chip_that_measured_before_the_restart_is_set_up_too():
    clock, chip, bus, sensor = co2()
    measured(sensor, clock)
    chip.self_calibration = 1
    again = SCD4x(bus, clock.pause, ticks=clock)
    assert measured(again, clock) == (815,)
    assert chip.self_calibration == 0


def test_a_chip_that_lost_its_supply_gives_no_number_and_then_a_new_one():
    clock, chip, _, sensor = co2()
    measured(sensor, clock)
    chip.lose_power()
    clock.ms += 60000
    assert fault(lambda: measured(sensor, clock)) == "failed"
    assert measured(sensor, clock) == (815,)
    assert chip.self_calibration == 0


def test_a_chip_read_early_gives_no_old_number():
    clock, _, _, sensor = co2()
    sensor.start()
    clock.ms += 4000
    assert fault(sensor.read) == "failed"


def test_an_absent_chip_is_absent_and_may_return():
    clock, chip, bus, sensor = co2()
    chip.is_absent = True
    assert fault(sensor.start) == "absent"
    chip.is_absent = False
    bus.is_held_low = True
    assert fault(sensor.start) == "absent"
    bus.is_held_low = False
    assert measured(sensor, clock) == (815,)
    clock.ms += 60000
    chip.is_absent = True
    assert fault(sensor.start) == "absent"
    chip.is_absent = False
    clock.ms += 5000
    assert measured(sensor, clock) == (815,)


def test_any_garbled_bit_of_carbon_dioxide_is_noticed():
    clock, _, bus, sensor = co2()
    for bit in range(72):
        bus.garble = None
        sensor.start()
        clock.ms += 5100
        bus.garble = bit
        assert fault(sensor.read) == "crc_error"


def test_carbon_dioxide_that_does_not_change_for_an_hour_is_stuck():
    clock, chip, _, sensor = co2()
    chip.is_stuck = True
    for _ in range(12):
        measured(sensor, clock)
        clock.ms += 310000
    assert fault(lambda: measured(sensor, clock)) == "stuck"
    chip.is_stuck = False
    clock.ms += 10000
    assert measured(sensor, clock) == (815,)


def test_nothing_measured_is_no_number():
    clock, chip, _, sensor = co2()
    chip.ppm = 0
    assert fault(lambda: measured(sensor, clock)) == "failed"


def test_a_single_shot_rests_between_samples():
    clock, chip, _, sensor = co2(single_shot=True)
    for ppm in (815, 900):
        chip.ppm = ppm
        assert measured(sensor, clock) == (ppm,)
        assert not chip.is_measuring()
        assert chip.self_calibration == 0
        clock.ms += 300000


def test_recalibration_tells_by_how_much_it_changed():
    clock, chip, _, sensor = co2()
    chip.ppm = 470
    measured(sensor, clock)
    clock.ms += 180000
    sensor.start()
    assert sensor.recalibrate(425) == -45
    assert chip.recalibrated == 425
    assert not chip.is_measuring()
    assert measured(sensor, clock) == (470,)
    assert chip.is_measuring()


def test_recalibration_is_refused_too_early_beyond_its_range_and_by_the_chip():
    clock, chip, _, sensor = co2()
    assert fault(lambda: sensor.recalibrate(425)) == "failed"
    measured(sensor, clock)
    clock.ms += 170000
    sensor.start()
    assert fault(lambda: sensor.recalibrate(425)) == "failed"
    clock.ms += 10000
    sensor.start()
    assert fault(lambda: sensor.recalibrate(399)) == "failed"
    assert fault(lambda: sensor.recalibrate(2001)) == "failed"
    assert chip.recalibrated is None
    chip.refuses_recalibration = True
    assert fault(lambda: sensor.recalibrate(425)) == "failed"
    assert measured(sensor, clock) == (815,)


# --- DS18B20


def test_maxim_checksum_is_that_of_the_datasheet():
    assert crc8_maxim(b"\x02\x1c\xb8\x01\x00\x00\x00", 0, 7) == 0xA2


def test_soil_temperature_comes_back_as_it_is():
    clock = models.Clock()
    chip = models.Ds18b20(clock)
    sensor = DS18B20(models.Wire(chip))
    for temperature, hundredths in ((21.3125, 2131), (0, 0), (-0.5, -50), (-10.125, -1012)):
        chip.temperature = temperature
        assert measured(sensor, clock) == (hundredths,)


def test_a_lower_resolution_gives_no_invented_digits():
    clock = models.Clock()
    chip = models.Ds18b20(clock)
    chip.resolution, chip.temperature = 9, 21.3125
    assert measured(DS18B20(models.Wire(chip)), clock) == (2100,)


def test_a_thermometer_read_early_after_power_on_gives_no_85_degrees():
    clock = models.Clock()
    chip = models.Ds18b20(clock)
    sensor = DS18B20(models.Wire(chip))
    sensor.start()
    clock.ms += 700
    assert fault(sensor.read) == "failed"
    sensor.start()
    clock.ms += 750
    chip.lose_power()
    assert fault(sensor.read) == "failed"
    assert measured(sensor, clock) == (2131,)


def test_thermometers_on_one_wire_are_told_apart_by_their_rom():
    clock = models.Clock()
    one, other = models.Ds18b20(clock), models.Ds18b20(clock, b"\x28\xff\x11\x03\x04\x05\x06")
    other.temperature = 30.0
    wire = models.Wire(one, other)
    assert measured(DS18B20(wire, one.rom), clock) == (2131,)
    assert measured(DS18B20(wire, other.rom), clock) == (3000,)
    assert fault(lambda: measured(DS18B20(wire), clock)) == "crc_error"  # both speak at once
    other.is_absent = True
    assert fault(lambda: measured(DS18B20(wire, other.rom), clock)) == "absent"


def test_an_absent_thermometer_and_a_wire_held_low_give_no_number():
    clock = models.Clock()
    chip = models.Ds18b20(clock)
    wire = models.Wire(chip)
    sensor = DS18B20(wire)
    chip.is_absent = True
    assert fault(sensor.start) == "absent"
    wire.is_held_low = True
    assert fault(lambda: measured(sensor, clock)) == "stuck"
    wire.is_held_low = chip.is_absent = False
    assert measured(sensor, clock) == (2131,)
    sensor.start()
    chip.is_absent = True
    assert fault(sensor.read) == "absent"


def test_any_garbled_bit_of_a_thermometer_is_noticed():
    clock = models.Clock()
    wire = models.Wire(models.Ds18b20(clock))
    sensor = DS18B20(wire)
    for bit in range(72):
        wire.garble = bit
        assert fault(lambda: measured(sensor, clock)) == "crc_error"


def test_a_temperature_that_the_chip_cannot_have_is_no_number():
    clock = models.Clock()
    chip = models.Ds18b20(clock)
    for temperature in (-60, 130):
        chip.temperature = temperature
        assert fault(lambda: measured(DS18B20(models.Wire(chip)), clock)) == "out_of_range"


# --- soil and battery


def test_a_probe_follows_its_new_calibration_and_keeps_the_old_one_when_that_makes_no_sense():
    adc = models.Converter(2050)
    probe = Soil(adc, 2900, 1200)
    assert abs(probe.read()[0] - 500) <= 1
    assert abs(probe.counts() - 2050) <= 1
    probe.calibrate(2050, 1200)
    assert probe.read()[0] <= 1
    try:
        probe.calibrate(2000, 1950)
    except ValueError:
        pass
    else:
        raise AssertionError("was accepted")
    assert probe.read()[0] <= 1


def battery(counts):
    """A 3.7 V cell behind two equal resistors."""
    adc = models.Converter(counts)
    return adc, Battery(adc, 100000, 100000, 3290)


def test_the_battery_comes_back_as_it_is():
    for counts, volts in ((2296, 3.70), (2606, 4.20), (1862, 3.00)):
        _, sensor = battery(counts)
        assert sensor.start() == 0
        assert abs(sensor.read()[0] / 100 - volts) <= 0.011


def test_no_battery_and_an_overfull_pin_give_no_number():
    assert fault(battery(12)[1].read) == "absent"
    assert fault(battery(4095)[1].read) == "out_of_range"
    adc, sensor = battery(2296)
    adc.is_absent = True
    assert fault(sensor.read) == "absent"


def test_a_battery_pin_without_flutter_is_stuck():
    adc, sensor = battery(2296)
    adc.flutters = False
    for _ in range(12):
        sensor.read()
    assert fault(sensor.read) == "stuck"
    adc.flutters = True
    sensor.read()


# --- contacts


def test_floats_say_how_full_the_tank_is():
    low, middle, high = (models.Pin() for _ in range(3))
    tank = Level((low, middle, high))
    found = []
    for pin in (None, low, middle, high):
        if pin is not None:
            pin.level = 0
        tank.start()
        found.append(tank.read()[0])
    assert found == [0, 333, 667, 1000]


def test_a_wet_float_above_a_dry_one_gives_no_number():
    low, high = models.Pin(1), models.Pin(0)
    tank = Level((low, high))
    tank.start()
    assert fault(tank.read) == "failed"
    low.level = 0
    tank.start()
    assert tank.read() == (1000,)


def test_floats_that_open_when_they_swim():
    low = models.Pin(0)
    tank = Level((low,), closed_is_wet=False)
    tank.start()
    assert tank.read() == (0,)
    low.level = 1
    tank.start()
    assert tank.read() == (1000,)


def test_a_float_that_bobs_keeps_its_state_until_it_is_seen_twice():
    pin = models.Pin(0)
    tank = Level((pin,))
    tank.start()
    assert tank.read() == (1000,)
    for _ in range(5):
        pin.level = 1
        tank.start()
        pin.level = 0
        assert tank.read() == (1000,)
        tank.start()
        pin.level = 1
        assert tank.read() == (1000,)
    tank.start()
    assert tank.read() == (0,)


def test_a_door_is_open_or_shut():
    pin = models.Pin(0)
    door = Door(pin)
    door.start()
    assert door.read() == (0,)
    pin.level = 1
    door.start()
    assert door.read() == (1,)


# --- water meter


def meter(scratch, pin, clock, **more):
    """450 pulses a litre."""
    return Flow(pin, 450, 1, Kept(scratch + "/water", 1), ticks=clock, **more)


def test_pulses_become_litres_and_litres_a_minute(scratch):
    pin, clock = models.Pin(), models.Clock()
    flow = meter(scratch, pin, clock)
    clock.ms += 60000
    for _ in range(4500):
        pin.pulse()
    assert flow.start() == 0
    assert flow.read() == (100, 1000)
    clock.ms += 60000
    assert flow.read() == (100, 0)


def test_the_total_outlives_a_restart_and_never_goes_back(scratch):
    pin, clock = models.Pin(knows_hard=False), models.Clock()
    told = 0
    for _ in range(4):
        flow = meter(scratch, pin, clock)
        clock.ms += 60000
        assert flow.read()[0] >= told
        for _ in range(900):
            pin.pulse()
        clock.ms += 60000
        assert flow.read()[0] == told + 20
        told += 20
        pin.pulse()  # not told to anybody before the restart


def test_a_lost_message_loses_no_water(scratch):
    pin, clock = models.Pin(), models.Clock()
    flow = meter(scratch, pin, clock)
    for _ in range(3):
        for _ in range(450):
            pin.pulse()
        clock.ms += 60000
        flow.read()  # nobody hears it
    assert flow.read()[0] == 30


def test_a_wire_that_hums_is_no_water(scratch):
    pin, clock = models.Pin(), models.Clock()
    flow = meter(scratch, pin, clock, most_l_per_min=60)
    clock.ms += 1000
    for _ in range(3000):
        pin.pulse()
    assert fault(flow.read) == "out_of_range"
    clock.ms += 60000
    assert flow.read() == (0, 0)


def test_a_reed_contact_that_bounces_is_one_pulse(scratch):
    pin, clock = models.Pin(), models.Clock()
    flow = Flow(pin, 1, 10, Kept(scratch + "/water", 1), bounce_ms=20, ticks=clock)
    for _ in range(6):
        clock.ms += 10000
        for _ in range(5):
            pin.pulse()
            clock.ms += 2
    assert flow.read()[0] == 600


def test_a_total_that_cannot_be_kept_is_not_told(scratch):
    pin, clock = models.Pin(), models.Clock()
    flow = Flow(pin, 450, 1, Kept(scratch + "/no/such/folder", 1), ticks=clock)
    clock.ms += 60000
    assert flow.read() == (0, 0)
    pin.pulse()
    clock.ms += 60000
    assert fault(flow.read) == "failed"


def test_the_interrupt_needs_no_memory(scratch):
    pin, clock = models.Pin(), models.Clock()
    slow = models.Pin()
    flow = meter(scratch, pin, clock)
    bouncing = Flow(slow, 1, 1, Kept(scratch + "/slow", 1), bounce_ms=1, ticks=clock)
    heap_lock()
    try:
        for _ in range(100):
            pin.pulse()
            slow.pulse()
    finally:
        heap_unlock()
    clock.ms += 60000
    assert flow.read()[0] == 2
    assert bouncing.read()[0] == 0
