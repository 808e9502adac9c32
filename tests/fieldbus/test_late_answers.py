"""A late answer is never the next question's answer, and a dead unit costs the relay nothing."""

import time
from collections.abc import Callable

import pytest
from raw_line import Line

from nongso.gateway.devicefile import load_device, parse_device
from nongso.gateway.fieldbus import NoAnswer, UnitResting
from nongso.gateway.registers import Coils
from nongso.gateway.valves.alarms import Alarms
from nongso.gateway.valves.bus import BusWork, Relay, Sensor
from nongso.gateway.valves.plan import Layout, Plan

NewLine = Callable[..., Line]
COILS = Coils(1, 5, 0, 8)
ONE_REGISTER = """
schema = "nongso-device/1"
id = "probe"
name = "probe"
[[registers]]
name = "level"
function = 3
address = {address}
type = "uint16"
[[quantities]]
metric = "tank_level"
unit = "%"
from = "level"
"""


def value_of(address: int) -> bytes:
    return bytes([3, 2, 0, address])


@pytest.mark.parametrize("framing", ["tcp", "rtu"])
def test_a_late_answer_is_never_taken_for_the_next_one(new_line: NewLine, framing: str) -> None:
    """The liar answers register 0 late and, over TCP, with the next question's number.

    pymodbus 3.16 returned register 0's value for register 10 over RTU framing.
    """

    def late_once(n: int, unit: int, pdu: bytes) -> list[tuple[float, int, bytes]]:
        return [((0.25, 0.1, 0.0)[min(n, 2)], unit, value_of(pdu[2]))]

    line = new_line(late_once, framing)
    bus = line.bus(timeout_seconds=0.2)
    now = [0.0]
    bus._clock = lambda: now[0]
    first = parse_device(ONE_REGISTER.format(address=0), "probe")
    tenth = parse_device(ONE_REGISTER.format(address=10), "probe")
    with pytest.raises(NoAnswer):
        bus.quantities(3, first)
    now[0] = 2.0  # the unit has rested
    for _ in range(5):
        assert bus.quantities(3, tenth) == {"tank_level": 10.0}
    bus.close()


@pytest.mark.parametrize("framing", ["tcp", "rtu"])
def test_what_waits_before_a_question_is_dropped(new_line: NewLine, framing: str) -> None:
    """A device that answers twice: the second answer must not meet the next question."""

    def twice(n: int, unit: int, pdu: bytes) -> list[tuple[float, int, bytes]]:
        honest = (0.0, unit, bytes([1, 1, n]))
        return [honest, (0.05, unit, bytes([1, 1, 0xFF]))] if n == 0 else [honest]

    line = new_line(twice, framing)
    bus = line.bus()
    assert not any(bus.read_coils(1, COILS))
    deadline = time.monotonic() + 5
    while not line_has_something(bus):
        assert time.monotonic() < deadline
    assert bus.read_coils(1, COILS) == (True, *[False] * 7)
    assert line.connections == 2
    bus.close()


def line_has_something(bus: object) -> bool:
    import select

    return bool(select.select([bus._client.socket], [], [], 0.05)[0])  # type: ignore[attr-defined]


def test_a_dead_meter_rests_and_the_relay_is_asked_at_once(new_line: NewLine) -> None:
    def meter_is_dead(n: int, unit: int, pdu: bytes) -> list[tuple[float, int, bytes]]:
        return [(0.0, unit, b"\x01\x01\x00")] if unit == 1 else []

    line = new_line(meter_is_dead)
    bus = line.bus(timeout_seconds=0.1)
    now = [100.0]
    bus._clock = lambda: now[0]
    meter = load_device("pulse-meter-sim")
    rests = []
    for _ in range(7):
        with pytest.raises(NoAnswer):
            bus.quantities(2, meter)
        asked = len(line.asked)
        with pytest.raises(UnitResting, match="asked again in"):
            bus.quantities(2, meter)
        assert len(line.asked) == asked, "a resting unit is not asked"
        assert not any(bus.read_coils(1, COILS))
        rests.append(bus._silent[2][1] - now[0])
        now[0] = bus._silent[2][1]
    assert rests == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    bus.wake_all()
    with pytest.raises(NoAnswer):
        bus.quantities(2, meter)
    bus.close()


def test_the_relay_never_rests(new_line: NewLine) -> None:
    line = new_line(lambda n, unit, pdu: [] if n < 3 else [(0.0, unit, b"\x01\x01\x00")])
    bus = line.bus(timeout_seconds=0.05)
    for _ in range(3):
        with pytest.raises(NoAnswer):
            bus.read_coils(1, COILS)
    assert not any(bus.read_coils(1, COILS))
    bus.close()


@pytest.mark.parametrize(("every_seconds", "latest"), [(1.0, 32.0), (5.0, 36.0)])
def test_people_hear_of_a_silent_sensor_although_it_rests(
    new_line: NewLine, every_seconds: float, latest: float
) -> None:
    """Asked only when its rest was over, one asked every five seconds was told of after 45."""
    line = new_line(lambda n, unit, pdu: [])
    told_at = silent_until(line, every_seconds, [0.0])
    assert told_at is not None
    assert 30.0 <= told_at <= latest


def test_a_sensor_that_is_back_within_half_a_minute_is_never_told_of(new_line: NewLine) -> None:
    """It comes back while it rests, unseen: it is asked once more before people hear of it."""
    now = [0.0]
    line = new_line(lambda n, unit, pdu: [(0.0, unit, value_of(0))] if now[0] >= 26.0 else [])
    assert silent_until(line, 5.0, now) is None


def silent_until(line: Line, every_seconds: float, now: list[float]) -> float | None:
    """Ask a tank's sensor for a minute; after how many seconds its alarm stood."""
    bus, alarms = line.bus(timeout_seconds=0.05), Alarms()
    bus._clock = lambda: now[0]
    device = parse_device(ONE_REGISTER.format(address=0), "probe")
    plan = Plan(Layout({"k1": (0, 60.0)}, 7, 6, 8), 10.0, alarms, 0.0)
    sensor = Sensor("tank", 3, device, every_seconds)
    work = BusWork(bus, Relay(1, COILS, None), [sensor], plan, alarms, lambda: now[0])
    told_at = None
    while now[0] < 60.0 and told_at is None:
        work.ask_a_sensor(1.0)
        told_at = now[0] if alarms.stands("bus_silent", "tank") else None
        now[0] += 0.5
    bus.close()
    return told_at
