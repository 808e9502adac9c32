"""The chips of the simulated nodes, as registers, and the bus on which their boards find them.

How this works. Each node has an SHT4x, a BH1750 and a soil probe. They show the physical
values that ``truth`` gives for the node, the way the real chips do: as commands, conversion
times, raw counts, checksums, and silence. Faults are switched on them as attributes.

A board (``board/machine.py``) sends one line per transaction over TCP and gets one line back:

===================== ============================================================
``<node> w <aa> <hex>``  I2C write to address aa (hex); ``-`` for no bytes
``<node> r <aa> <n>``    I2C read of n bytes
``<node> a <pin>``       one sample of the analogue pin
``ok [<hex>]``           done; what was read. An analogue sample is two bytes, 0 to 4095
``nack``                 no chip answers there, or it does not answer now
``error <sentence>``     the line makes no sense
===================== ============================================================
"""

import random
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from typing import ClassVar

Truth = Callable[[str], Mapping[str, float]]

_LONGEST_LINE = 1024


class Nack(Exception):
    """The chip does not answer."""


class Chip:
    """What all chips have: a truth to show, and faults.

    ``absent``: it does not answer. ``stuck``: it shows what it showed last. ``now`` is the
    monotonic clock in seconds.
    """

    def __init__(
        self, truth: Callable[[], Mapping[str, float]], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._truth = truth
        self._now = now
        self.absent = False
        self.stuck = False

    def write(self, message: bytes) -> None:
        """Take an I2C write. Raises ``Nack``."""
        raise Nack

    def read(self, count: int) -> bytes:
        """Answer an I2C read; a chip has no more than 0xFF after its answer. Raises ``Nack``."""
        raise Nack


def crc8(word: bytes) -> int:
    """Sensirion's checksum (polynomial 0x31, start 0xFF)."""
    crc = 0xFF
    for byte in word:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x31 if crc & 0x80 else crc << 1) & 0xFF
    return crc


def _counts(value: float, full_scale: int = 65535) -> int:
    return max(0, min(full_scale, round(value)))


class SHT4x(Chip):
    """Sensirion SHT4x (datasheet 6.5): one command, a conversion, one read of six bytes.

    ``crc_broken`` garbles a bit on the way after the checksum was made.
    """

    # Command: longest duration in seconds (table 5).
    _MEASURE: ClassVar = {0xFD: 0.0083, 0xF6: 0.0045, 0xE0: 0.0016}
    _SERIAL_NUMBER = 0x89
    _SOFT_RESET = 0x94

    def __init__(
        self,
        truth: Callable[[], Mapping[str, float]],
        now: Callable[[], float] = time.monotonic,
        serial: int = 0x10203040,
    ) -> None:
        super().__init__(truth, now)
        self.crc_broken = False
        self._serial = serial
        self._words: tuple[int, int] | None = None
        self._shown: tuple[int, int] | None = None
        self._ready_at = 0.0

    def write(self, message: bytes) -> None:
        """Take a command of one byte."""
        if not message:
            return  # answers to its address
        if len(message) != 1:
            raise Nack
        command = message[0]
        if self._words is not None and self._now() < self._ready_at:
            if command != self._SOFT_RESET:
                raise Nack  # busy
            self._words = None
        elif command in self._MEASURE:
            self._words = self._measure()
            self._ready_at = self._now() + self._MEASURE[command]
        elif command == self._SERIAL_NUMBER:
            self._words = (self._serial >> 16, self._serial & 0xFFFF)
            self._ready_at = self._now()
        elif command == self._SOFT_RESET:
            self._words = None
        else:
            raise Nack

    def _measure(self) -> tuple[int, int]:
        if self.stuck and self._shown is not None:
            return self._shown
        truth = self._truth()
        self._shown = (
            _counts((truth["air_temperature"] + 45) / 175 * 65535),
            _counts((truth["air_humidity"] + 6) / 125 * 65535),
        )
        return self._shown

    def read(self, count: int) -> bytes:
        """Give the measurement once; before it is ready, no answer."""
        if self._words is None or self._now() < self._ready_at:
            raise Nack
        answer = b""
        for word in self._words:
            two = word.to_bytes(2, "big")
            answer += two + bytes([crc8(two)])
        self._words = None
        if self.crc_broken:
            answer = bytes([answer[0] ^ 0x04]) + answer[1:]
        return answer[:count].ljust(count, b"\xff")


class BH1750(Chip):
    """ROHM BH1750FVI (datasheet Rev. D): read too early, it gives the old number.

    One-time and continuous modes, measurement time register 31 to 254.
    """

    _USUAL_TIME = 69

    def __init__(
        self, truth: Callable[[], Mapping[str, float]], now: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(truth, now)
        self.lose_power()

    def lose_power(self) -> None:
        """Start anew, as after a break of the supply."""
        self._is_on = False
        self._time = self._USUAL_TIME
        self._counts = 0
        self._coming = 0
        self._ready_at: float | None = None
        self._is_continuous = False
        self._seconds = 0.0
        self._scale = 1.0

    def write(self, message: bytes) -> None:
        """Take an instruction of one byte (page 5)."""
        if not message:
            return
        if len(message) != 1:
            raise Nack
        self._settle()
        code = message[0]
        if code == 0x00:
            self._is_on, self._ready_at = False, None
        elif code == 0x01:
            self._is_on = True
        elif code == 0x07:
            if self._is_on:
                self._counts = 0
        elif code & 0xF8 == 0x40:
            self._time = (code & 7) << 5 | self._time & 31
        elif code & 0xE0 == 0x60:
            self._time = self._time & 0xE0 | code & 31
        elif code in (0x10, 0x11, 0x13, 0x20, 0x21, 0x23):
            self._is_on = True
            self._is_continuous = code < 0x20
            # Longest: 180 ms in the two high resolutions, 24 ms in the low one (page 2).
            longest = 0.024 if code & 3 == 3 else 0.180
            self._seconds = longest * self._time / self._USUAL_TIME
            self._scale = (2.0 if code & 3 == 1 else 1.0) * 1.2 * self._time / self._USUAL_TIME
            self._begin(self._now())
        else:
            raise Nack

    def _begin(self, at: float) -> None:
        if not self.stuck:
            self._coming = _counts(self._truth()["light"] * self._scale)
        self._ready_at = at + self._seconds

    def _settle(self) -> None:
        """Let a measurement that is over come into the register."""
        if self._ready_at is None or self._now() < self._ready_at:
            return
        self._counts = self._coming
        self._ready_at = None
        if self._is_continuous:
            self._begin(self._now())
        else:
            self._is_on = False

    def read(self, count: int) -> bytes:
        """Give the register, whatever is in it."""
        self._settle()
        return self._counts.to_bytes(2, "big")[:count].ljust(count, b"\xff")


class SoilProbe(Chip):
    """A capacitive probe on a 12-bit converter: counts between its dry and its wet point.

    ``broken_wire`` gives the end of the scale, ``stuck`` the same count without flutter.
    """

    _FLUTTER_COUNTS = 6

    def __init__(
        self,
        truth: Callable[[], Mapping[str, float]],
        now: Callable[[], float] = time.monotonic,
        seed: str = "",
    ) -> None:
        super().__init__(truth, now)
        self.broken_wire = False
        self._chance = random.Random(seed)
        self._shown: int | None = None

    def sample(self) -> int:
        """Return one sample of the converter. Raises ``Nack``."""
        if self.broken_wire:
            return 4095
        if self.stuck and self._shown is not None:
            return self._shown
        truth = self._truth()
        dry, wet = truth["dry"], truth["wet"]
        exact = dry - (dry - wet) * truth["soil_moisture"] / 100
        self._shown = _counts(exact + self._chance.gauss(0, self._FLUTTER_COUNTS / 3), 4095)
        return self._shown


class NodeChips:
    """The chips on one node's board. The soil probe is on every analogue pin."""

    def __init__(self, node: str, truth: Truth, now: Callable[[], float] = time.monotonic) -> None:
        def here() -> Mapping[str, float]:
            return truth(node)

        self.sht4x = SHT4x(here, now, serial=random.Random(node).getrandbits(32))
        self.bh1750 = BH1750(here, now)
        self.soil = SoilProbe(here, now, seed=node)
        self._at: dict[int, Chip] = {0x44: self.sht4x, 0x23: self.bh1750}
        self._lock = threading.Lock()

    def answer(self, words: list[str]) -> str:
        """Carry out a request (``w``, ``r`` or ``a`` and what follows); return the answer."""
        with self._lock:
            try:
                return f"ok {self._do(words).hex()}".rstrip()
            except Nack:
                return "nack"
            except (ValueError, IndexError):
                return "error the line makes no sense"
            except KeyError as e:
                return f"error the farm does not know {e}"

    def _do(self, words: list[str]) -> bytes:
        if words[0] == "a":
            int(words[1])
            if self.soil.absent:
                raise Nack
            return self.soil.sample().to_bytes(2, "big")
        chip = self._at.get(int(words[1], 16))
        if chip is None or chip.absent:
            raise Nack
        if words[0] == "w":
            chip.write(b"" if words[2] == "-" else bytes.fromhex(words[2]))
            return b""
        if words[0] == "r":
            return chip.read(min(int(words[2]), 255))
        raise ValueError(words[0])


class ChipBus:
    """The server of all nodes' chips. ``truth`` is called from its threads.

    ``truth(node)`` gives ``air_temperature`` (°C), ``air_humidity`` (%), ``light`` (lx),
    ``soil_moisture`` (%), and the probe's counts ``dry`` and ``wet``; ``KeyError`` for a
    node that the farm does not have.
    """

    def __init__(self, host: str, port: int, truth: Truth) -> None:
        """Listen (port 0: any free one). Raises ``OSError`` if the port is taken."""
        self._truth = truth
        self._nodes: dict[str, NodeChips] = {}
        self._lock = threading.Lock()
        bus = self

        class Board(socketserver.StreamRequestHandler):
            """One board's connection."""

            disable_nagle_algorithm = True

            def handle(self) -> None:
                while True:
                    try:
                        line = self.rfile.readline(_LONGEST_LINE)
                        if not line.endswith(b"\n"):
                            return
                        self.wfile.write(bus.answer(line).encode() + b"\n")
                    except OSError:
                        return

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            block_on_close = False

        self._server = Server((host, port), Board)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
        )

    @property
    def address(self) -> tuple[str, int]:
        """Where boards find the bus."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def start(self) -> None:
        """Answer boards from now on, in threads of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and give the port back."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def chips(self, node: str) -> NodeChips:
        """Return a node's chips, to switch faults on them."""
        with self._lock:
            if node not in self._nodes:
                self._nodes[node] = NodeChips(node, self._truth)
            return self._nodes[node]

    def answer(self, line: bytes) -> str:
        """Answer one line of a board."""
        words = line.decode("ascii", "replace").split()
        if len(words) < 3:
            return "error a line is: node, w or r or a, and what it takes"
        try:
            self._truth(words[0])
        except KeyError:
            return f"error the farm has no node {words[0][:40]}"
        return self.chips(words[0]).answer(words[1:])
