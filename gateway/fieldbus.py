"""The fieldbus: the only file that asks Modbus devices, and the only client use of pymodbus.

How this works. Every question is our own PDU and every answer is kept as the bytes that came,
so that what counts is checked here: unit, function, length, and for a written coil the exact
echo. pymodbus' own coil write turns every value into "on", and its bit order of coils changed in
3.9, 3.10 and 3.11; neither is used.

A late answer must never be taken for the next one (RTU framing has no transaction number;
pymodbus 3.16 then returns the wrong register as a good value). So there are no silent repeats,
and after a time-out or anything that does not fit, the connection is closed and opened anew
before the next question. Bytes that wait before a question is asked are such a late answer too.

A unit that does not answer rests (1 s, 2 s, … 30 s) and is not asked meanwhile, so that a dead
sensor costs the relay nothing. Questions with ``urgent=True`` (the relay's) never rest.

One connection, one thread. Framings now: ``tcp``, and ``rtu`` (a serial line's frames through a
converter, over TCP). Give the host as an address: looking up a name may block for longer than
any time-out here.
"""

import logging
import select
import struct
import time
from collections.abc import Callable, Iterator

from pymodbus import FramerType, ModbusException
from pymodbus.client import ModbusTcpClient
from pymodbus.pdu import ModbusPDU

from nongso.gateway.errors import GatewayError
from nongso.gateway.registers import Coils, Device, Pulse, Register

FRAMINGS = {"tcp": FramerType.SOCKET, "rtu": FramerType.RTU}
LONGEST_REST_SECONDS = 30.0

_ON_WIRE_OFF = 0x0000

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
    """Nobody answers at the bus's address: the converter or board is off, or the address wrong."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            f"Cannot connect to the bus at {host}:{port}. Check that the converter or relay"
            " board has power and network, and host and port in the settings."
        )


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


class _HoldingAnswer(_Answer):
    function_code = 3
    rtu_byte_count_pos = 2


class _InputAnswer(_Answer):
    function_code = 4
    rtu_byte_count_pos = 2


class _CoilEcho(_Answer):
    function_code = 5
    rtu_frame_size = 8


class Bus:
    """One fieldbus behind one TCP address. Connects when first asked."""

    def __init__(
        self,
        host: str,
        port: int,
        framing: str = "tcp",
        timeout_seconds: float = 0.3,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if framing not in FRAMINGS:
            raise BusError(f"Framing {framing!r} is not known. Use one of: {', '.join(FRAMINGS)}.")
        # Our errors say all that pymodbus would log, once and with advice.
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
        self._client = ModbusTcpClient(
            host, port=port, framer=FRAMINGS[framing], timeout=timeout_seconds, retries=0
        )
        for answer in (_CoilsAnswer, _HoldingAnswer, _InputAnswer, _CoilEcho):
            self._client.register(answer)
        self._host, self._port, self.timeout_seconds = host, port, timeout_seconds
        self._clock = clock
        self._silent: dict[int, tuple[int, float]] = {}  # unit: failures in a row, rest until
        self._steady: dict[int, dict[str, float]] = {}  # unit: numbers read once per connection

    def close(self) -> None:
        """Close the connection; the next question opens it again."""
        self._client.close()  # type: ignore[no-untyped-call]
        self._steady.clear()

    def wake_all(self) -> None:
        """Ask resting units again at once: the bus itself was away, not they."""
        self._silent.clear()

    def read_coils(self, unit: int, coils: Coils) -> tuple[bool, ...]:
        """Read all switches of a device; item N is coil N."""
        payload = struct.pack(">HH", coils.address, coils.count)
        answer = self._ask(unit, coils.read_function, payload, urgent=True)
        packed = self._counted(unit, answer, (coils.count + 7) // 8)
        # Coil N is bit N, lowest bit of the first byte first (Modbus 1.1b3, section 6.1).
        return tuple(bool(packed[n // 8] >> n % 8 & 1) for n in range(coils.count))

    def coil_off(self, unit: int, coils: Coils, coil: int) -> None:
        """Switch one coil off. Returns when the device has echoed exactly that."""
        self._write(unit, coils.write_function, coils.address + coil, _ON_WIRE_OFF)

    def coil_pulse(self, unit: int, pulse: Pulse, coil: int, seconds: float) -> None:
        """Switch one coil on for ``seconds``; the device itself switches it off again."""
        units = round(seconds / pulse.unit_seconds)
        units = max(1, min(units, pulse.longest_units))
        self._write(unit, pulse.write_function, pulse.address + coil, units)

    def quantities(self, unit: int, device: Device) -> dict[str, float]:
        """Read what a described device measures, by metric name."""
        numbers = dict(self._steady.get(unit, {}))
        wanted = [r for r in device.registers if r.name not in numbers]
        for run in _neighbours(wanted):
            words = self._words(unit, run)
            for register in run:
                numbers[register.name] = register.number(words[: register.words])
                words = words[register.words :]
        self._steady[unit] = {r.name: numbers[r.name] for r in device.registers if r.steady}
        return device.values(numbers)

    def _words(self, unit: int, run: list[Register]) -> tuple[int, ...]:
        count = sum(r.words for r in run)
        answer = self._ask(unit, run[0].function, struct.pack(">HH", run[0].address, count))
        return struct.unpack(f">{count}H", self._counted(unit, answer, 2 * count))

    def _write(self, unit: int, function: int, address: int, value: int) -> None:
        payload = struct.pack(">HH", address, value)
        answer = self._ask(unit, function, payload, urgent=True)
        if answer != payload:
            self._unfit(unit, f"wrote {payload.hex(' ')}, the echo was {answer.hex(' ')}")

    def _counted(self, unit: int, answer: bytes, expected: int) -> bytes:
        """Check the byte count in front of an answer, and that as many bytes follow."""
        if len(answer) != expected + 1 or answer[0] != expected:
            self._unfit(unit, f"{expected} bytes were asked for, {answer.hex(' ')!r} came")
        return answer[1:]

    def _unfit(self, unit: int, detail: str) -> None:
        self.close()
        raise AnswerUnfit(unit, detail)

    def _ask(self, unit: int, function: int, payload: bytes, urgent: bool = False) -> bytes:
        failures, rest_until = self._silent.get(unit, (0, 0.0))
        if not urgent and self._clock() < rest_until:
            raise UnitResting(unit, rest_until - self._clock())
        self._drop_late_answers()
        try:
            if not self._client.connect():  # type: ignore[no-untyped-call]
                raise BusUnreachable(self._host, self._port)
            answer = self._client.execute(False, _Question(unit, function, payload))
        except (ModbusException, OSError, ValueError) as error:
            self.close()
            rest = min(2.0**failures, LONGEST_REST_SECONDS)
            self._silent[unit] = (min(failures + 1, 10), self._clock() + rest)
            raise NoAnswer(unit, f"within {self.timeout_seconds:g} s; {error}") from error
        if answer.dev_id != unit:
            self._unfit(unit, f"it came from unit {answer.dev_id}")
        if answer.function_code == function | 0x80:
            if answer.exception_code == 11:  # the converter gave up; its unit may still answer
                self.close()
            raise UnitRefused(unit, answer.exception_code)
        if answer.function_code != function or not isinstance(answer, _Answer):
            self._unfit(unit, f"function {function} was asked, {answer.function_code} came")
        self._silent.pop(unit, None)
        assert isinstance(answer, _Answer)
        return answer.payload

    def _drop_late_answers(self) -> None:
        """Close the connection when something waits on it: a late answer, or the peer's end."""
        if self._client.socket and select.select([self._client.socket], [], [], 0)[0]:
            self.close()


def _neighbours(registers: list[Register]) -> Iterator[list[Register]]:
    """Group registers that can be read by one question: same function, no hole between them.

    Real maps have holes that answer with an exception, so a hole is never read across.
    """
    run: list[Register] = []
    for register in sorted(registers, key=lambda r: (r.function, r.address)):
        if run and (run[-1].function, run[-1].address + run[-1].words) != (
            register.function,
            register.address,
        ):
            yield run
            run = []
        run.append(register)
    if run:
        yield run
