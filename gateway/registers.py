"""Device files: which registers and coils a fieldbus device has and what their numbers mean.

``devices/<id>.toml`` describes one make of device (schema ``nongso-device/1``, explained in
docs/devices.md); ``devicefile.py`` reads it into the classes here. This file turns register words
into quantities of the farm. It speaks to no bus: asking is ``fieldbus.py``. Addresses are the
zero-based numbers of the Modbus message, bytes inside a word big-endian.
"""

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from nongso.wire.metrics import is_possible, metric_of

# struct format by type; the width in words follows from it.
FORMATS = {"uint16": ">H", "int16": ">h", "uint32": ">I", "int32": ">i", "float32": ">f"}
_WORDS = {name: struct.calcsize(form) // 2 for name, form in FORMATS.items()}

WORDS_A_QUESTION = 125  # Modbus application protocol 1.1b3, sections 6.3 and 6.4

# A probe in an empty tank reads a little below zero, one in a brim-full tank a little above.
_PERCENT_MARGIN = 3.0


@dataclass(frozen=True)
class Register:
    """One number in the device.

    ``steady`` ones are read once after each connection. ``documented`` is the maker's number
    where it is not the one in the message. ``errors`` are raw numbers that mean "no value".
    """

    name: str
    function: int
    address: int
    type: str
    word_order: str = "high_first"
    scale: float = 1.0
    unit: str = ""
    decimals_from: str | None = None
    steady: bool = False
    documented: int | None = None
    errors: tuple[int, ...] = ()

    @property
    def words(self) -> int:
        """How many 16-bit words the number takes."""
        return _WORDS[self.type]

    def number(self, words: tuple[int, ...]) -> float:
        """Turn the register's words into its raw number, before any scale; NaN is no value."""
        if len(words) == 1 and self.type == "uint16":
            value: float = words[0]
            return math.nan if value in self.errors else float(value)
        ordered = words if self.word_order == "high_first" else tuple(reversed(words))
        (value,) = struct.unpack(FORMATS[self.type], struct.pack(f">{len(ordered)}H", *ordered))
        return math.nan if value in self.errors else float(value)


@dataclass(frozen=True)
class Question:
    """Registers that one request reads: one function, no hole between them."""

    function: int
    address: int
    registers: tuple[Register, ...]

    @property
    def words(self) -> int:
        """How many words are asked for."""
        return sum(register.words for register in self.registers)

    def numbers(self, words: tuple[int, ...]) -> dict[str, float]:
        """Cut the answer's words into raw numbers by register name."""
        found, place = {}, 0
        for register in self.registers:
            end = place + register.words
            found[register.name] = register.number(words[place:end])
            place = end
        return found


@dataclass(frozen=True)
class Quantity:
    """What a register means on the farm: a metric of the wire in that metric's unit.

    ``times`` turns the register's unit into the metric's. ``low`` and ``high`` are what this
    device can measure, where that is narrower than what the metric can be at all.
    """

    metric: str
    unit: str
    register: str
    times: float = 1.0
    percent_between: tuple[str, str] | None = None
    low: float | None = None
    high: float | None = None

    def is_possible(self, value: float) -> bool:
        """Say whether this device can have measured this value."""
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        metric = metric_of(self.metric)
        return metric is not None and is_possible(metric, value) and low <= value <= high


@dataclass(frozen=True)
class Coils:
    """The device's switches: ``count`` of them from ``address`` on.

    A maker may number them in another way than 0, 1, 2, …: ``first`` is the number of the first
    on the device, ``octal`` says that 7 is followed by 10, ``letter`` stands in front.
    """

    read_function: int
    write_function: int
    address: int
    count: int
    letter: str = ""
    first: int = 0
    octal: bool = False

    def label(self, coil: int) -> str:
        """What is printed on the device beside coil N."""
        number = self.first + coil
        return f"{self.letter}{number:o}" if self.octal else f"{self.letter}{number}"


@dataclass(frozen=True)
class Inputs:
    """The device's switch inputs, to be read only: ``count`` of them from ``address`` on."""

    read_function: int
    address: int
    count: int
    letter: str = ""
    first: int = 0
    octal: bool = False


@dataclass(frozen=True)
class Pulse:
    """The device's own auto-off: "on for so many units", written to ``address`` + coil."""

    write_function: int
    address: int
    unit_seconds: float
    longest_units: int


@dataclass(frozen=True)
class Write:
    """Words to be written with one request."""

    function: int
    address: int
    values: tuple[int, ...]


@dataclass(frozen=True)
class Watchdog:
    """The drive's own dead-man timer: it stops by itself when the bus is silent so long."""

    address: int
    unit_seconds: float
    longest_seconds: float


@dataclass(frozen=True)
class Drive:
    """A pump inverter's commands. ``run`` may be several writes that must be in this order.

    ``stop`` is for everybody. ``run`` is used only where there is a ``watchdog``; a drive without
    one is started by a relay that lets go by itself, wired to its run input.
    """

    stop: tuple[Write, ...]
    run: tuple[Write, ...] = ()
    setpoint: int | None = None  # register of the wanted frequency
    setpoint_hertz: float = 0.01  # what one count of it is
    running: str | None = None  # register that is above zero while the motor turns
    watchdog: Watchdog | None = None


@dataclass(frozen=True)
class Line:
    """How the device is delivered, and what it needs between questions."""

    baud: int = 9600
    parity: str = "none"
    stop_bits: int = 1
    gap_seconds: float = 0.0  # quiet before it is asked
    sleeps: bool = False  # the first question only wakes it
    longest_words: int = WORDS_A_QUESTION


@dataclass(frozen=True)
class Frame:
    """A frame from a maker's sheet or a recording, without its CRC's two bytes checked yet.

    ``reads`` are the registers that the question asks for and ``values`` what the answer says in
    the registers' own units; both empty for a frame that is only known by its bytes.
    """

    what: str
    ask: bytes
    answer: bytes = b""
    reads: tuple[str, ...] = ()
    values: tuple[float, ...] = ()
    wrong_crc: bool = False


@dataclass(frozen=True)
class Device:
    """A described make of device. ``pulse`` is ``None`` for boards without auto-off.

    ``all_or_none``: if one value cannot be, none of that moment is believed; for devices that come
    in versions with other scales or another order, where a wrong one may still look possible.
    """

    id: str
    name: str
    registers: tuple[Register, ...] = ()
    quantities: tuple[Quantity, ...] = ()
    coils: Coils | None = None
    inputs: Inputs | None = None
    pulse: Pulse | None = None
    drive: Drive | None = None
    line: Line = Line()
    frames: tuple[Frame, ...] = ()
    use: str = ""
    status: str = ""
    sources: tuple[str, ...] = ()
    all_or_none: bool = False

    def register(self, name: str) -> Register:
        """Return the register of that name."""
        return self._by_name[name]

    def questions(self, known: Mapping[str, float] = {}) -> Iterator[Question]:
        """Group what is to be read: same function, no hole, no more words than it can answer.

        Real maps have holes that answer with an exception, so a hole is never read across.
        ``known`` numbers are not asked again.
        """
        return self._grouped(known) if known else iter(self._questions)

    @cached_property
    def _questions(self) -> tuple[Question, ...]:
        return tuple(self._grouped({}))

    @cached_property
    def _by_name(self) -> dict[str, Register]:
        return {register.name: register for register in self.registers}

    @cached_property
    def _rounded(self) -> tuple[tuple[Quantity, int], ...]:
        """Each quantity with the decimals of its metric."""
        metrics = ((quantity, metric_of(quantity.metric)) for quantity in self.quantities)
        return tuple((quantity, m.decimals) for quantity, m in metrics if m is not None)

    def _grouped(self, known: Mapping[str, float]) -> Iterator[Question]:
        run: list[Register] = []
        wanted = [r for r in self.registers if r.name not in known]
        for register in sorted(wanted, key=lambda r: (r.function, r.address)):
            if run and not self._follows(run, register):
                yield Question(run[0].function, run[0].address, tuple(run))
                run = []
            run.append(register)
        if run:
            yield Question(run[0].function, run[0].address, tuple(run))

    def _follows(self, run: list[Register], register: Register) -> bool:
        last = run[-1]
        words = register.address + register.words - run[0].address
        return (
            last.function == register.function
            and last.address + last.words == register.address
            and words <= self.line.longest_words
        )

    def without(self, metrics: frozenset[str]) -> "Device":
        """This device as bought without some of its sensors: those are not asked for."""
        kept = tuple(q for q in self.quantities if q.metric not in metrics)
        needed = {q.register for q in kept}
        needed |= {name for q in kept for name in q.percent_between or ()}
        needed |= {r.decimals_from for r in self.registers if r.name in needed and r.decimals_from}
        if self.drive is not None and self.drive.running is not None:
            needed.add(self.drive.running)
        registers = tuple(r for r in self.registers if r.name in needed)
        return replace(self, registers=registers, quantities=kept)

    def values(self, numbers: Mapping[str, float]) -> dict[str, float]:
        """Turn raw numbers by register name into quantities by metric name.

        A quantity that is not a finite number, or whose percent range is empty, is left out:
        no reading is a state.
        """
        found = {}
        for quantity, decimals in self._rounded:
            value = self.in_unit(quantity.register, numbers) * quantity.times
            if quantity.percent_between:
                zero, full = (self.in_unit(name, numbers) for name in quantity.percent_between)
                if full == zero:
                    continue
                value = 100.0 * (value - zero) / (full - zero)
                if -_PERCENT_MARGIN <= value <= 100.0 + _PERCENT_MARGIN:
                    value = min(100.0, max(0.0, value))
            if math.isfinite(value):
                found[quantity.metric] = round(value, decimals)
        return found

    def doubtful(self, values: Mapping[str, float]) -> frozenset[str]:
        """Name the values that this device cannot have measured."""
        wrong = frozenset(
            q.metric
            for q in self.quantities
            if q.metric in values and not q.is_possible(values[q.metric])
        )
        return frozenset(values) if wrong and self.all_or_none else wrong

    def in_unit(self, name: str, numbers: Mapping[str, float]) -> float:
        """A register's number in the register's own unit; NaN where it makes no sense."""
        register = self._by_name[name]
        value = numbers[name] * register.scale
        if register.decimals_from is not None:
            decimals = numbers[register.decimals_from]
            if not 0 <= decimals <= 6:
                return math.nan  # no such scale: the register holds something else
            value /= 10.0**decimals
        return value
