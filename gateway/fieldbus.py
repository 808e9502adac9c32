"""The fieldbus: the only file that asks Modbus devices, and the only client use of pymodbus.

How this works. Every question is our own PDU and every answer is kept as the bytes that came,
so that what counts is checked here: unit, function, length, and for what was written the exact
echo. pymodbus' own coil write turns every value into "on", and its bit order of coils changed in
3.9, 3.10 and 3.11; neither is used. Neither are its ways of waiting: its serial client measures by
the wall clock, and set back by an hour it waits an hour.

A late answer must never be taken for the next one (RTU framing has no transaction number;
pymodbus 3.16 then returns the wrong register as a good value). So there are no silent repeats,
and after a time-out or anything that does not fit, the connection is closed and opened anew
before the next question. Bytes that wait before a question is asked are such a late answer too,
and on a serial line a unit that was late is listened to for a while before it is asked again.

A unit that does not answer rests (1 s, 2 s, … 30 s) and is not asked meanwhile, so that a dead
sensor costs the relay nothing. Questions with ``urgent=True`` (the relay's) never rest, and each
question waits for its answer no longer than ``timeout_seconds``, however the bytes trickle in.

One connection, one thread. Framings: ``tcp``; ``rtu``, a serial line's frames over TCP, as
converters and some boards speak; and a serial line of this machine. Give a host as an address:
looking up a name may block for longer than any time-out here.
"""

import logging
import math
import select
import struct
import time
from collections.abc import Callable
from typing import Any

from pymodbus import FramerType, ModbusException
from pymodbus.client import ModbusSerialClient, ModbusTcpClient
from pymodbus.pdu import ModbusPDU

from nongso.gateway import settings
from nongso.gateway.errors import GatewayError
from nongso.gateway.registers import Coils, Device, Drive, Inputs, Pulse, Write

FRAMINGS = {"tcp": FramerType.SOCKET, "rtu": FramerType.RTU}
LONGEST_REST_SECONDS = 30.0

_ON_WIRE_OFF = 0x0000
_FINAL = (1, 2, 3, 4)
_SILENT = (10, 11)  # exceptions by which a converter says that a unit does not answer it
_PARITY = {"none": "N", "even": "E", "odd": "O"}

# Modbus application protocol 1.1b3, section 7.
_EXCEPTIONS = {
    1: "it does not know this function: is it the device that the settings name?",
    2: "it has no such register or coil: is it the device that the settings name?",
    3: "it does not accept this value: a board without pulse command answers so",
    4: "it reports a failure of its own: switch it off and on",
    6: "it is busy: it will be asked again",
    10: "the bus converter has no way to this unit: check the unit number",
    11: "the bus converter got no answer from this unit: check unit number, cable and power",
}


class BusError(GatewayError):
    """Something on the fieldbus did not work. The text says what to look at."""


class BusUnreachable(BusError):
    """Nobody answers at the bus's address, or its serial line cannot be opened."""

    def __init__(self, where: str, is_serial: bool = False) -> None:
        advice = (
            "Check that the converter is plugged in, that this user may open the line (on Debian:"
            " group dialout) and that no other program uses it."
            if is_serial
            else "Check that the converter or relay board has power and network, and host and port"
            " in the settings."
        )
        super().__init__(f"Cannot connect to the bus at {where}. {advice}")


class NoAnswer(BusError):
    """A unit did not answer in time, or what came could not be read."""

    def __init__(self, unit: int, detail: str) -> None:
        super().__init__(
            f"Unit {unit} did not answer ({detail}). Check its power, cable and unit number."
        )
        self.unit = unit


class AnswerUnfit(BusError):
    """An answer came whose unit, function, length or echo does not fit the question."""

    def __init__(self, unit: int, detail: str) -> None:
        super().__init__(
            f"The answer of unit {unit} does not fit: {detail}. It was thrown away. Two devices"
            " with one unit number, or a disturbed cable, look like this."
        )
        self.unit = unit


class UnitRefused(BusError):
    """The unit answered with a Modbus exception."""

    def __init__(self, unit: int, exception: int) -> None:
        advice = _EXCEPTIONS.get(exception, "see the maker's sheet")
        super().__init__(f"Unit {unit} refused (exception {exception}): {advice}.")
        self.unit = unit
        self.exception = exception

    @property
    def is_final(self) -> bool:
        """Whether the unit itself answered so, and will again; not: it is busy."""
        return self.exception in _FINAL


class UnitResting(BusError):
    """A unit that did not answer lately is not asked for a while."""

    def __init__(self, unit: int, seconds: float) -> None:
        super().__init__(
            f"Unit {unit} did not answer lately and is asked again in {seconds:.0f} s."
        )
        self.unit = unit


class _Question(ModbusPDU):
    """A request of ours, written byte by byte."""

    def __init__(self, unit: int, function: int, payload: bytes) -> None:
        super().__init__(dev_id=unit)
        self.function_code = function
        self.payload = payload

    def encode(self) -> bytes:
        return self.payload


class _Answer(ModbusPDU):
    """An answer kept as its bytes after the function code."""

    payload = b""

    def decode(self, data: bytes) -> None:
        self.payload = bytes(data)


class _CoilsAnswer(_Answer):
    function_code = 1
    rtu_byte_count_pos = 2


class _InputsAnswer(_Answer):
    function_code = 2
    rtu_byte_count_pos = 2


class _HoldingAnswer(_Answer):
    function_code = 3
    rtu_byte_count_pos = 2


class _InputAnswer(_Answer):
    function_code = 4
    rtu_byte_count_pos = 2


class _CoilEcho(_Answer):
    function_code = 5
    rtu_frame_size = 8


class _WordEcho(_Answer):
    function_code = 6
    rtu_frame_size = 8


class _WordsEcho(_Answer):
    function_code = 16
    rtu_frame_size = 8


_ANSWERS = (
    *(_CoilsAnswer, _InputsAnswer, _HoldingAnswer, _InputAnswer),
    *(_CoilEcho, _WordEcho, _WordsEcho),
)


class _TcpClient(ModbusTcpClient):
    """Waits by the steady clock, and for one whole answer no longer than the time-out."""

    _until = 0.0

    def send(self, request: bytes, addr: Any = None) -> Any:
        self._until = time.monotonic() + self.comm_params.timeout_connect
        return super().send(request, addr)

    def recv(self, size: int | None) -> bytes:
        if self.socket is None:
            raise ConnectionResetError("the connection is closed")
        if not select.select([self.socket], [], [], max(0.0, self._until - time.monotonic()))[0]:
            return b""
        heard = self.socket.recv(4096)
        if not heard:
            raise ConnectionResetError("it closed the connection")
        return heard


class _SerialClient(ModbusSerialClient):
    """The same on a serial line."""

    _until = 0.0

    def send(self, request: bytes, addr: Any = None) -> int:
        self._until = time.monotonic() + self.comm_params.timeout_connect
        return super().send(request, addr)

    def recv(self, size: int | None) -> bytes:
        if self.socket is None:
            raise ConnectionResetError("the line is closed")
        if not select.select([self.socket], [], [], max(0.0, self._until - time.monotonic()))[0]:
            return b""
        return bytes(self.socket.read(self.socket.in_waiting or 1))


class Bus:
    """One fieldbus: behind one TCP address, or on one serial line. Connects when first asked."""

    @classmethod
    def at(
        cls, place: settings.Bus | settings.Line, clock: Callable[[], float] = time.monotonic
    ) -> "Bus":
        """The bus that the settings describe."""
        return cls(place.host, place.port, place.framing, clock=clock, serial=place.serial)

    def __init__(
        self,
        host: str = "",
        port: int = 0,
        framing: str = "tcp",
        timeout_seconds: float = 0.3,
        clock: Callable[[], float] = time.monotonic,
        serial: settings.Serial | None = None,
    ) -> None:
        if framing not in FRAMINGS:
            raise BusError(f"Framing {framing!r} is not known. Use one of: {', '.join(FRAMINGS)}.")
        # Our errors say all that pymodbus would log, once and with advice.
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
        self._client: _TcpClient | _SerialClient
        if serial is None:
            self.where = f"{host}:{port}"
            self._client = _TcpClient(
                host, port=port, framer=FRAMINGS[framing], timeout=timeout_seconds, retries=0
            )
        else:
            self.where = serial.device
            self._client = _SerialClient(
                serial.device,
                baudrate=serial.baud,
                parity=_PARITY[serial.parity],
                stopbits=serial.stop_bits,
                timeout=timeout_seconds,
                retries=0,
            )
        for answer in _ANSWERS:
            self._client.register(answer)
        self._is_serial = serial is not None
        self._has_numbers = serial is None and framing == "tcp"
        self.timeout_seconds = timeout_seconds
        self._clock = clock
        self._silent: dict[int, tuple[int, float]] = {}  # unit: failures in a row, rest until
        self._late_until: dict[int, float] = {}  # unit: until when its late answer may come
        self._answered_at = -math.inf
        self._steady: dict[int, dict[str, float]] = {}  # unit: numbers read once per connection

    def close(self) -> None:
        """Close the connection; the next question opens it again."""
        self._client.close()  # type: ignore[no-untyped-call]
        self._steady.clear()

    def wake_all(self) -> None:
        """Ask resting units again at once: the bus itself was away, not they."""
        self._silent.clear()

    def wake(self, unit: int) -> None:
        """Ask a unit although it rests; silent again, it rests as long as it would have."""
        failures, _ = self._silent.get(unit, (0, 0.0))
        self._silent[unit] = (failures, -math.inf)

    # --- switches ---------------------------------------------------------------------------

    def read_coils(self, unit: int, coils: Coils) -> tuple[bool, ...]:
        """Read all switches of a device; item N is coil N."""
        return self._bits(unit, coils.read_function, coils.address, coils.count, urgent=True)

    def read_inputs(self, unit: int, inputs: Inputs, urgent: bool = False) -> tuple[bool, ...]:
        """Read all switch inputs of a device; item N is input N."""
        return self._bits(unit, inputs.read_function, inputs.address, inputs.count, urgent)

    def coil_off(self, unit: int, coils: Coils, coil: int) -> None:
        """Switch one coil off. Returns when the device has echoed exactly that."""
        payload = struct.pack(">HH", coils.address + coil, _ON_WIRE_OFF)
        self._write(unit, coils.write_function, payload)

    def coil_pulse(self, unit: int, pulse: Pulse, coil: int, seconds: float) -> None:
        """Switch one coil on for ``seconds``; the device itself switches it off again."""
        units = round(seconds / pulse.unit_seconds)
        units = max(1, min(units, pulse.longest_units))
        self._write(unit, pulse.write_function, struct.pack(">HH", pulse.address + coil, units))

    def drive_stop(self, unit: int, drive: Drive) -> None:
        """Stop a pump inverter."""
        for write in drive.stop:
            self._write_words(unit, write)

    def drive_run(self, unit: int, drive: Drive, hertz: float, lapse_seconds: float) -> None:
        """Run a pump inverter that stops by itself when it is not asked for ``lapse_seconds``.

        Its dead-man timer is set first and read back: a drive that keeps another one, as where
        the parameter is locked, is not started, and neither is one without a timer.
        """
        watchdog = drive.watchdog
        if watchdog is None or not drive.run:
            raise BusError(
                f"The inverter at unit {unit} does not stop by itself when the bus is silent, so"
                " it is not started over the bus. Wire its run input to a relay with auto-off."
            )
        lapse = max(watchdog.unit_seconds, min(lapse_seconds, watchdog.longest_seconds))
        counts = round(lapse / watchdog.unit_seconds)
        self._write_words(unit, Write(6, watchdog.address, (counts,)))
        answer = self._ask(unit, 3, struct.pack(">HH", watchdog.address, 1), urgent=True)
        (kept,) = struct.unpack(">H", self._counted(unit, answer, 2))
        if kept != counts:
            raise BusError(
                f"The inverter at unit {unit} keeps {kept * watchdog.unit_seconds:g} s as its"
                f" dead-man timer instead of {lapse:g} s, so it is not started over the bus."
                " Unlock the parameter at its keypad."
            )
        if drive.setpoint is not None:
            counts = round(hertz / drive.setpoint_hertz)
            self._write_words(unit, Write(6, drive.setpoint, (counts,)))
        for write in drive.run:
            self._write_words(unit, write)

    # --- numbers ----------------------------------------------------------------------------

    def quantities(self, unit: int, device: Device) -> dict[str, float]:
        """Read what a described device measures, by metric name."""
        numbers: dict[str, float] = {}
        while not self.next_part(unit, device, numbers):
            pass
        return device.values(numbers)

    def next_part(self, unit: int, device: Device, numbers: dict[str, float]) -> bool:
        """Ask one question of a device and add what it says to ``numbers``, empty at first.

        Returns whether all is known now. Between two parts something more urgent may be asked.
        """
        if not numbers:
            numbers |= self._steady.get(unit, {})
        questions = device.questions(numbers)
        question = next(questions, None)
        if question is not None:
            count = question.words
            payload = struct.pack(">HH", question.address, count)
            answer = self._ask(unit, question.function, payload, gap=device.line.gap_seconds)
            words = struct.unpack(f">{count}H", self._counted(unit, answer, 2 * count))
            numbers |= question.numbers(words)
            if next(questions, None) is not None:
                return False
        self._steady[unit] = {r.name: numbers[r.name] for r in device.registers if r.steady}
        return True

    # --- asking -----------------------------------------------------------------------------

    def _bits(
        self, unit: int, function: int, address: int, count: int, urgent: bool
    ) -> tuple[bool, ...]:
        answer = self._ask(unit, function, struct.pack(">HH", address, count), urgent)
        packed = self._counted(unit, answer, (count + 7) // 8)
        # Coil N is bit N, lowest bit of the first byte first (Modbus 1.1b3, section 6.1).
        return tuple(bool(packed[n // 8] >> n % 8 & 1) for n in range(count))

    def _write_words(self, unit: int, write: Write) -> None:
        words = struct.pack(f">{len(write.values)}H", *write.values)
        if write.function == 6:
            self._write(unit, 6, struct.pack(">H", write.address) + words)
        else:
            head = struct.pack(">HH", write.address, len(write.values))
            self._write(unit, 16, head + bytes([len(words)]) + words)

    def _write(self, unit: int, function: int, payload: bytes) -> None:
        """Write, and see the device echo what it understood: four bytes of it."""
        answer = self._ask(unit, function, payload, urgent=True)
        if answer != payload[:4]:
            self._unfit(unit, f"wrote {payload.hex(' ')}, the echo was {answer.hex(' ')}")

    def _counted(self, unit: int, answer: bytes, expected: int) -> bytes:
        """Check the byte count in front of an answer, and that as many bytes follow."""
        if len(answer) != expected + 1 or answer[0] != expected:
            self._unfit(unit, f"{expected} bytes were asked for, {answer.hex(' ')!r} came")
        return answer[1:]

    def _unfit(self, unit: int, detail: str) -> None:
        self.close()
        raise AnswerUnfit(unit, detail)

    def _ask(
        self, unit: int, function: int, payload: bytes, urgent: bool = False, gap: float = 0.0
    ) -> bytes:
        failures, rest_until = self._silent.get(unit, (0, 0.0))
        if not urgent and self._clock() < rest_until:
            raise UnitResting(unit, rest_until - self._clock())
        try:
            self._make_ready(unit, gap)
            answer = self._client.execute(False, _Question(unit, function, payload))
        except (ModbusException, OSError, ValueError) as error:
            self.close()
            self._rest(unit, failures)
            if not self._has_numbers:
                self._late_until[unit] = self._clock() + self.timeout_seconds
            raise NoAnswer(unit, f"within {self.timeout_seconds:g} s; {error}") from error
        self._answered_at = self._clock()
        if answer.dev_id != unit:
            self._unfit(unit, f"it came from unit {answer.dev_id}")
        if answer.function_code == function | 0x80:
            if answer.exception_code in _SILENT:  # the converter gave up; its unit may answer yet
                self.close()
                self._rest(unit, failures)
            raise UnitRefused(unit, answer.exception_code)
        if answer.function_code != function or not isinstance(answer, _Answer):
            self._unfit(unit, f"function {function} was asked, {answer.function_code} came")
        self._silent.pop(unit, None)
        assert isinstance(answer, _Answer)
        return answer.payload

    def _rest(self, unit: int, failures: int) -> None:
        seconds = min(2.0**failures, LONGEST_REST_SECONDS)
        self._silent[unit] = (min(failures + 1, 10), self._clock() + seconds)

    def _make_ready(self, unit: int, gap: float) -> None:
        """Have a connection on which nothing waits: neither a late answer nor the peer's end."""
        self._connect()
        now = self._clock()
        wait = max(self._answered_at + gap, self._late_until.pop(unit, -math.inf)) - now
        line: Any = self._client.socket
        if select.select([line], [], [], min(max(wait, 0.0), 1.0))[0]:
            self.close()
            self._connect()

    def _connect(self) -> None:
        if not self._client.connect():
            raise BusUnreachable(self.where, self._is_serial)
