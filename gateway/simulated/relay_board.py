"""The simulated fieldbus: relay board, meter, tank level, energy meter, inputs (units 1 to 5).

A real Modbus TCP server. It stands for an Ethernet-to-RS485 converter with these devices on its
line (the input unit only where the farm has buttons and switches), so a unit that is not there
gets exception 0x0B (gateway target failed to respond), as such converters answer. Register maps:
``gateway/devices/*.toml``.

How this works. pymodbus does sockets, frames and the standard messages; what the devices answer
is ours: ``Line`` takes the place of its data store, so that each device refuses exactly what the
real one refuses (its experimental device simulator cannot see how many coils a read asks for).
Function 5 needs a message class of our own: the Waveshare board's pulse is function 5 on address
0x0200 + relay with a time as the value, and pymodbus' own class turns any value into "on".

Left out: the board's toggle (0x5500, exception 3) and "flash off" (0x0400, exception 2), which
nothing safe may use; changing its address and speed.
"""

import asyncio
import errno
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Any, cast

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import NoSuchIdException
from pymodbus.pdu import ExceptionResponse, ModbusPDU
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from pymodbus.simulator.simcore import SimCore

from nongso.gateway.simulated.faults import NONE, Faults
from nongso.gateway.simulated.relay import LONGEST_PULSE, Relays
from nongso.gateway.simulated.settings import INPUTS, Switches
from nongso.gateway.simulated.waterworks import Waterworks

RELAY_UNIT, METER_UNIT, LEVEL_UNIT, MAINS_UNIT, SWITCHES_UNIT = 1, 2, 3, 4, 5
_ON, _OFF = 0xFF00, 0x0000
_ALL_RELAYS = 0x00FF
_PULSE = 0x0200
_VERSION_REGISTER, _VERSION = 0x8000, 200  # V2.00
_LEVEL_UNIT_CM, _LEVEL_DECIMALS, _TANK_HEIGHT_CM = 1, 1, 200.0

_ROLES = {
    RELAY_UNIT: "relay",
    METER_UNIT: "meter",
    LEVEL_UNIT: "tank",
    MAINS_UNIT: "mains",
    SWITCHES_UNIT: "switches",
}
_POWER_FACTOR = 0.85
LATE_SECONDS = 0.7  # more than any master waits
_UNIT_BYTE = 6  # behind transaction, protocol and length (Modbus TCP 1.0b, section 3.1.3)

Answer = list[int] | list[bool] | ExcCodes


class BusError(Exception):
    """The simulated bus cannot listen; the text says where and why."""


class Unit:
    """A device on the line that knows no function at all."""

    def coils(self, address: int, count: int) -> Answer:
        return ExcCodes.ILLEGAL_FUNCTION

    def switches(self, address: int, count: int) -> Answer:
        return ExcCodes.ILLEGAL_FUNCTION

    def holding(self, address: int, count: int) -> Answer:
        return ExcCodes.ILLEGAL_FUNCTION

    def inputs(self, address: int, count: int) -> Answer:
        return ExcCodes.ILLEGAL_FUNCTION

    def write_coil(self, address: int, value: int) -> ExcCodes | None:
        return ExcCodes.ILLEGAL_FUNCTION

    def write_coils(self, address: int, bits: Sequence[bool]) -> ExcCodes | None:
        return ExcCodes.ILLEGAL_FUNCTION


def _window(registers: dict[int, int], address: int, count: int) -> Answer:
    wanted = range(address, address + count)
    if any(place not in registers for place in wanted):
        return ExcCodes.ILLEGAL_ADDRESS
    return [registers[place] for place in wanted]


class RelayUnit(Unit):
    """The Waveshare board: coils, pulses, and its version."""

    def __init__(self, relays: Relays, loop: asyncio.AbstractEventLoop) -> None:
        self.relays = relays
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None

    def _watch(self) -> None:
        """Wake up when the next pulse is over; loop time and pulses share the monotonic clock."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        end = self.relays.lapse()
        if end is not None:
            self._timer = self._loop.call_at(end, self._watch)

    def coils(self, address: int, count: int) -> Answer:
        self.relays.lapse()
        if address + count > len(self.relays.coils):
            return ExcCodes.ILLEGAL_ADDRESS
        return self.relays.coils[address : address + count]

    def holding(self, address: int, count: int) -> Answer:
        return _window({_VERSION_REGISTER: _VERSION}, address, count)

    def write_coil(self, address: int, value: int) -> ExcCodes | None:
        if _PULSE <= address < _PULSE + len(self.relays.coils):
            if not 1 <= value <= LONGEST_PULSE:
                return ExcCodes.ILLEGAL_VALUE
            if address - _PULSE in self.relays.dead:
                return ExcCodes.DEVICE_FAILURE
            self.relays.pulse(address - _PULSE, value)
        elif address < len(self.relays.coils) or address == _ALL_RELAYS:
            if value not in (_ON, _OFF):
                return ExcCodes.ILLEGAL_VALUE
            for relay in range(len(self.relays.coils)) if address == _ALL_RELAYS else (address,):
                self.relays.write(relay, value == _ON)
        else:
            return ExcCodes.ILLEGAL_ADDRESS
        self._watch()
        return None

    def write_coils(self, address: int, bits: Sequence[bool]) -> ExcCodes | None:
        if address + len(bits) > len(self.relays.coils):
            return ExcCodes.ILLEGAL_ADDRESS
        for relay, on in enumerate(bits, address):
            self.relays.write(relay, on)
        self._watch()
        return None


class MeterUnit(Unit):
    """The pulse meter of ``pulse-meter-sim.toml``."""

    def __init__(self, water: Waterworks) -> None:
        self.water = water

    def inputs(self, address: int, count: int) -> Answer:
        total = int(self.water.total_litres * 10) & 0xFFFFFFFF
        flow = min(0xFFFF, round(self.water.flow_l_per_min * 100))
        return _window({0: total >> 16, 1: total & 0xFFFF, 2: flow}, address, count)


class LevelUnit(Unit):
    """The QDY30A in a tank of 2 m: centimetres with one decimal."""

    def __init__(self, water: Waterworks) -> None:
        self.water = water

    def holding(self, address: int, count: int) -> Answer:
        scale = 10**_LEVEL_DECIMALS
        level = round(self.water.tank_percent / 100.0 * _TANK_HEIGHT_CM * scale)
        registers = {
            0: LEVEL_UNIT,
            1: 3,  # 9600 baud
            2: _LEVEL_UNIT_CM,
            3: _LEVEL_DECIMALS,
            4: level & 0xFFFF,
            5: 0,
            6: int(_TANK_HEIGHT_CM * scale),
        }
        return _window(registers, address, count)


class MainsUnit(Unit):
    """The pump's energy meter, a PZEM-016: 32-bit numbers with the low word first."""

    def __init__(self, water: Waterworks) -> None:
        self.water = water

    def inputs(self, address: int, count: int) -> Answer:
        volts, watts = self.water.volts, self.water.pump_watts
        milliamperes = round(watts / volts / _POWER_FACTOR * 1000.0)
        tenths, watt_hours = round(watts * 10.0), int(self.water.energy_wh)
        words = (
            *(round(volts * 10.0), milliamperes & 0xFFFF, milliamperes >> 16),
            *(tenths & 0xFFFF, tenths >> 16, watt_hours & 0xFFFF, watt_hours >> 16),
            *(500, round(_POWER_FACTOR * 100.0), 0),  # 50,0 Hz, and no alarm
        )
        return _window(dict(enumerate(words)), address, count)


class SwitchesUnit(Unit):
    """The cabinet's input unit of ``io-waveshare-rtu-8ch.toml``: the red button, which is closed
    at rest, and the zones' hand-auto switches."""

    def __init__(self, at: Switches, faults: Callable[[], Faults]) -> None:
        self._at, self._faults = at, faults

    def switches(self, address: int, count: int) -> Answer:
        if address + count > INPUTS:
            return ExcCodes.ILLEGAL_ADDRESS
        faults = self._faults()
        closed = [False] * INPUTS
        closed[self._at.stop_input] = not faults.has("red_button")
        for zone, number in self._at.hands.items():
            closed[number] = faults.has("hand_switch", zone)
        return closed[address : address + count]


class Line(SimCore):
    """The devices by unit number, in the place where pymodbus keeps its data store."""

    def __init__(self, units: dict[int, Unit]) -> None:
        super().__init__([])
        self.units = units
        self.faults = NONE

    def device_ids(self) -> list[int]:
        return list(self.units)

    def unit(self, number: int) -> Unit:
        is_dead = self.faults.has("brown_out") or self.faults.has("dead", _ROLES.get(number, ""))
        if number not in self.units or is_dead:
            raise NoSuchIdException(f"no device answers as unit {number}")
        return self.units[number]

    async def answer_in_time(self, number: int) -> None:
        """Wait, where this unit answers late."""
        if self.faults.has("late", _ROLES.get(number, "")):
            await asyncio.sleep(LATE_SECONDS)

    def on_the_wire(self, is_answer: bool, frame: bytes) -> bytes:
        """Spoil the answers of units that lie."""
        role = _ROLES.get(frame[_UNIT_BYTE], "") if len(frame) > _UNIT_BYTE else ""
        if not is_answer or not role:
            return frame
        unit, rest = frame[: _UNIT_BYTE + 1], frame[_UNIT_BYTE + 1 :]
        if self.faults.has("wrong", role):
            return unit[:-1] + bytes([frame[_UNIT_BYTE] + 1]) + rest
        if self.faults.has("garbled", role):
            return unit + bytes(byte ^ 0x5A for byte in rest)
        return frame

    async def async_getValues(  # pymodbus' name
        self, device_id: int, func_code: int, address: int, count: int = 1
    ) -> Answer:
        unit = self.unit(device_id)
        await self.answer_in_time(device_id)
        if func_code == 1:
            return unit.coils(address, count)
        if func_code == 2:
            return unit.switches(address, count)
        if func_code == 3:
            return unit.holding(address, count)
        if func_code == 4:
            return unit.inputs(address, count)
        return ExcCodes.ILLEGAL_FUNCTION

    async def async_setValues(  # pymodbus' name
        self, device_id: int, func_code: int, address: int, values: Sequence[int | bool]
    ) -> ExcCodes | None:
        unit = self.unit(device_id)
        await self.answer_in_time(device_id)
        if func_code == 15:
            return unit.write_coils(address, [bool(value) for value in values])
        return ExcCodes.ILLEGAL_FUNCTION


class Function5(ModbusPDU):
    """Function 5 with its value kept as it came; the answer echoes address and value."""

    function_code = 5
    rtu_frame_size = 8
    value = 0

    def encode(self) -> bytes:
        return struct.pack(">HH", self.address, self.value)

    def decode(self, data: bytes) -> None:
        self.address, self.value = struct.unpack(">HH", data[:4])

    async def datastore_update(self, context: Any, device_id: int) -> ModbusPDU:
        line = cast(Line, context)
        refused = line.unit(device_id).write_coil(self.address, self.value)
        await line.answer_in_time(device_id)
        return self if refused is None else ExceptionResponse(self.function_code, refused)


def check_port(host: str, port: int) -> None:
    """Raise ``BusError`` with a sentence if the port cannot be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            why = "another program uses it" if error.errno == errno.EADDRINUSE else error.strerror
            raise BusError(f"Cannot listen on {host}:{port}: {why}.") from None


class SimulatedBus:
    """The server. ``start`` inside a running loop; ``port`` is then the real one."""

    def __init__(
        self,
        host: str,
        port: int,
        relays: Relays,
        water: Waterworks,
        switches: Switches | None = None,
    ) -> None:
        self.host, self.port = host, port
        self._relays, self._water, self._switches = relays, water, switches
        self._server: ModbusTcpServer | None = None
        self._line: Line | None = None

    def suffer(self, faults: Faults) -> None:
        """From now on the units have these faults."""
        if self._line is not None:
            self._line.faults = faults

    async def start(self) -> None:
        """Listen. Raises ``BusError``."""
        check_port(self.host, self.port)
        loop = asyncio.get_running_loop()
        nothing = SimDevice(0, SimData(0, values=0, datatype=DataType.REGISTERS))
        self._line = line = Line(
            {
                RELAY_UNIT: RelayUnit(self._relays, loop),
                METER_UNIT: MeterUnit(self._water),
                LEVEL_UNIT: LevelUnit(self._water),
                MAINS_UNIT: MainsUnit(self._water),
            }
        )
        if self._switches is not None:
            line.units[SWITCHES_UNIT] = SwitchesUnit(self._switches, lambda: line.faults)
        server = ModbusTcpServer(
            nothing,
            address=(self.host, self.port),
            custom_pdu=[Function5],
            trace_packet=line.on_the_wire,
        )
        server.context = line
        if not await server.listen():
            raise BusError(f"Cannot listen on {self.host}:{self.port}.")
        self._server = server
        listener = cast(asyncio.Server, server.transport)
        self.port = int(listener.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close all connections and the port."""
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call]
            self._server = None
