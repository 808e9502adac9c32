"""Another Modbus stack, libmodbus, as the device that we ask and as the client that asks ours."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import libmodbus
import pytest

from nongso.gateway.devicefile import load_device
from nongso.gateway.fieldbus import Bus, UnitRefused
from nongso.gateway.registers import Coils, Drive, Inputs, Pulse, Write
from nongso.gateway.settings import Serial
from nongso.gateway.simulated.relay import Relays
from nongso.gateway.simulated.relay_board import SimulatedBus
from nongso.gateway.simulated.waterworks import Waterworks

LIBRARY = libmodbus.load()
pytestmark = pytest.mark.skipif(
    LIBRARY is None, reason="libmodbus is not installed (Debian: apt install libmodbus5)"
)
COILS = Coils(1, 5, 0, 16)

NewPair = Callable[[], tuple[libmodbus.Server, Bus]]


@pytest.fixture(params=["tcp", "serial", "rtu over tcp"])
def new_pair(request: pytest.FixtureRequest) -> Iterator[NewPair]:
    """A libmodbus server and our bus to it, in each way that a bus can be reached."""
    closing: list[Any] = []

    def make(first: int = 0, words: int = 64) -> tuple[libmodbus.Server, Bus]:
        if request.param == "tcp":
            server = libmodbus.Server(LIBRARY, first, words)
            bus = Bus("127.0.0.1", server.port, timeout_seconds=1.0)
            closing.extend((bus, server))
            return server, bus
        cable = libmodbus.Cable(converter=request.param == "rtu over tcp")
        server = libmodbus.Server(LIBRARY, first, words, cable.ends[0])
        if cable.port:
            bus = Bus("127.0.0.1", cable.port, "rtu", 1.0)
        else:
            bus = Bus(timeout_seconds=1.0, serial=Serial(cable.ends[1], 19200))
        closing.extend((bus, server, cable))
        return server, bus

    yield make  # type: ignore[misc]
    for one in closing:
        one.close()


def test_our_questions_are_understood_by_libmodbus(new_pair: Any) -> None:
    server, bus = new_pair()
    for n, word in enumerate((421, 0xFFF6, 1250, 68, 32, 37, 48)):
        server.map.registers[n] = word
    assert bus.quantities(1, load_device("soil-7in1-cwt")) == {
        **{"soil_moisture": 42.1, "soil_temperature": -1.0, "soil_ec": 1.25, "soil_ph": 6.8},
        **{"soil_nitrogen": 32.0, "soil_phosphorus": 37.0, "soil_potassium": 48.0},
    }
    for n, word in enumerate((2257, 108, 0, 244, 0, 38, 0, 500, 100, 0)):
        server.map.input_registers[n] = word
    assert bus.quantities(1, load_device("meter-pzem-016"))["current"] == 0.108
    server.map.bits[3] = server.map.bits[11] = 1
    assert [n for n, on in enumerate(bus.read_coils(1, COILS)) if on] == [3, 11]
    bus.coil_off(1, COILS, 11)
    assert [n for n in range(16) if server.map.bits[n]] == [3]
    server.map.input_bits[2] = 1
    assert [n for n, on in enumerate(bus.read_inputs(1, Inputs(2, 0, 16))) if on] == [2]
    bus.drive_stop(1, Drive(stop=(Write(6, 20, (5,)), Write(16, 30, (5000, 1)))))
    assert [server.map.registers[n] for n in (20, 30, 31)] == [5, 5000, 1]


def test_an_inverter_as_libmodbus_plays_it(new_pair: Any) -> None:
    server, bus = new_pair(first=0x2000, words=0x200)
    drive = load_device("vfd-delta-el").drive
    assert drive is not None
    for n, word in {
        0x100: 0,
        0x101: 0x400,
        0x102: 6000,
        0x103: 5000,
        0x104: 23,
        0x109: 2200,
    }.items():
        server.map.registers[n] = word
    assert bus.quantities(1, load_device("vfd-delta-el"))["frequency"] == 50.0
    server.map.registers[0] = 0x0012
    bus.drive_stop(1, drive)
    assert server.map.registers[0] == 1


def test_libmodbus_refuses_what_is_not_in_the_standard_and_we_say_so(new_pair: Any) -> None:
    """A board without pulse command does what libmodbus does: exception 3, and nothing opens."""
    server, bus = new_pair()
    with pytest.raises(UnitRefused, match="without pulse command") as refused:
        bus.coil_pulse(1, Pulse(5, 0, 0.1, 0x7FFF), 0, 4.0)
    assert refused.value.exception == 3
    assert not any(server.map.bits[n] for n in range(16))
    with pytest.raises(UnitRefused) as beyond:
        bus.read_coils(1, Coils(1, 5, 100, 8))
    assert beyond.value.exception == 2
    assert not any(bus.read_coils(1, COILS)), "the line goes on after a refusal"


@pytest.fixture
def simulated() -> Iterator[SimulatedBus]:
    """The simulated bus in a loop of its own."""
    loop = asyncio.new_event_loop()
    water = Waterworks(1500.0, 2000.0, 0.0, {"k1": 120.0}, {"k1": 0}, 7, 6)
    water.total_litres = 12345.6
    bus = SimulatedBus("127.0.0.1", 0, Relays(lambda *edge: None), water)
    loop.run_until_complete(bus.start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield bus
    asyncio.run_coroutine_threadsafe(bus.stop(), loop).result(5.0)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5.0)
    loop.close()


def test_libmodbus_reads_and_switches_the_simulated_bus(simulated: SimulatedBus) -> None:
    with libmodbus.Client(LIBRARY, simulated.port, 1) as board:
        assert board.bits(0, 8) == [0] * 8
        board.write_bit(3, True)
        assert board.bits(0, 8) == [0, 0, 0, 1, 0, 0, 0, 0]
        board.write_bit(3, False)
        assert board.registers(0x8000, 1) == [200]
        with pytest.raises(OSError, match="Illegal data address"):
            board.bits(0, 9)
        with pytest.raises(OSError, match="Illegal function"):
            board.registers(0, 1, inputs=True)
    with libmodbus.Client(LIBRARY, simulated.port, 2) as meter:
        assert meter.registers(0, 3, inputs=True) == [123456 >> 16, 123456 & 0xFFFF, 0]
    with libmodbus.Client(LIBRARY, simulated.port, 3) as tank:
        assert tank.registers(3, 4) == [1, 1500, 0, 2000]
    with (
        libmodbus.Client(LIBRARY, simulated.port, 9) as nobody,
        pytest.raises(OSError, match="Target device failed to respond"),
    ):
        nobody.registers(0, 1)
