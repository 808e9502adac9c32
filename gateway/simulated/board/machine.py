"""Stands in for a board's ``machine``: pins and buses that end in the farm process's chips.

Thin on purpose: an I2C transaction or an analogue sample becomes one line over TCP
(``nongso.gateway.simulated.chips`` describes the lines), and what the chip answers comes
back, bytes for bytes. A chip that does not answer raises ``OSError``, as on an ESP32; so
does a farm process that is not there, because then nothing answers either.
"""

import errno
import os
import socket
import sys
import time

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5

BITTEN = "watchdog-bit"  # lies in the board's folder when the watchdog has ended its last run
ASLEEP = "asleep"  # lies there while the board sleeps
HELD = "held-%d"  # lies there while somebody holds the button at this pin
_MEMORY = "rtc-memory"
RESET_STATUS = 3  # exit status of a simulated board that resets itself: start it again

_TIMEOUT_SECONDS = 2


class _Cable:
    """The connection to the chips, made when first needed and again after a loss."""

    def __init__(self) -> None:
        self.host = ""
        self.port = 0
        self.node = ""
        self._socket: socket.socket | None = None

    def ask(self, request: str) -> bytes:
        """Send one line and return the answer's bytes; raises ``OSError`` for a NACK."""
        was_connected = self._socket is not None
        try:
            answer = self._exchange(request)
        except OSError:
            if not was_connected:
                raise
            answer = self._exchange(request)  # the farm was started anew
        word, _, rest = answer.partition(" ")
        if word == "ok":
            return bytes.fromhex(rest)
        if word == "nack":
            raise OSError(errno.ENODEV)
        raise OSError(errno.EIO)

    def _exchange(self, request: str) -> str:
        try:
            return self._talk(request)
        except OSError:
            self._drop()  # or a late answer would be taken for the next one
            raise

    def _talk(self, request: str) -> str:
        if self._socket is None:
            if not self.host:
                raise OSError(errno.ENODEV)
            made = socket.socket()
            try:
                made.settimeout(_TIMEOUT_SECONDS)
                made.connect(socket.getaddrinfo(self.host, self.port)[0][-1])
            except OSError:
                made.close()
                raise
            self._socket = made
        self._socket.sendall(("%s %s\n" % (self.node, request)).encode())
        answer = b""
        while not answer.endswith(b"\n"):
            piece = self._socket.recv(256)
            if not piece:
                raise OSError(errno.ECONNRESET)
            answer += piece
        return answer.decode().strip()

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


_cable = _Cable()


def plug_in(host: str, port: int, node: str) -> None:
    """Say where the chips of this board are. Only the simulated board has this."""
    _cable.host, _cable.port, _cable.node = host, port, node


class Pin:
    """A pin by its number. Pulled up it is high, unless its file says that a button is held.

    Else nothing but analogue probes is wired to it.
    """

    IN = 0
    OUT = 1
    PULL_UP = 1
    IRQ_FALLING = 2

    def __init__(self, number: int, mode: int = -1, pull: int = -1) -> None:
        self.number = number
        self._level = 1 if pull == self.PULL_UP and not _is_held(number) else 0

    def value(self, level: int | None = None) -> int | None:
        """Set the level, or return it."""
        if level is None:
            return self._level
        self._level = level
        return None

    def irq(self, handler: object = None, trigger: int = IRQ_FALLING, hard: bool = False) -> None:
        """Nothing ever pulls the pin down."""


def _is_held(number: int) -> bool:
    """Say whether somebody holds the button at a pin: then its file lies in the board's folder."""
    try:
        os.stat(HELD % number)
    except OSError:
        return False
    return True


class I2C:
    """A bus with the chips of this board."""

    def __init__(
        self,
        bus: int = 0,
        *,
        scl: Pin | None = None,
        sda: Pin | None = None,
        freq: int = 400000,
        timeout: int = 50000,
    ) -> None:
        self._bus = bus

    def writeto(self, address: int, buffer: bytes | bytearray, stop: bool = True) -> int:
        """Write to a chip; returns the number of bytes that it took."""
        _cable.ask("w %02x %s" % (address, bytes(buffer).hex() or "-"))
        return len(buffer)

    def readfrom(self, address: int, count: int, stop: bool = True) -> bytes:
        """Read from a chip."""
        return _cable.ask("r %02x %d" % (address, count))

    def readfrom_into(self, address: int, buffer: bytearray, stop: bool = True) -> None:
        """Read from a chip into a buffer."""
        buffer[:] = self.readfrom(address, len(buffer))

    def writeto_mem(
        self, address: int, register: int, buffer: bytes | bytearray, *, addrsize: int = 8
    ) -> None:
        """Write a register number and bytes."""
        self.writeto(address, bytes([register]) + bytes(buffer))

    def readfrom_mem(self, address: int, register: int, count: int, *, addrsize: int = 8) -> bytes:
        """Write a register number, then read."""
        self.writeto(address, bytes([register]), False)
        return self.readfrom(address, count)

    def scan(self) -> list[int]:
        """Addresses at which a chip answers an empty write."""
        found = []
        for address in range(8, 120):
            try:
                self.writeto(address, b"")
                found.append(address)
            except OSError:
                pass
        return found


SoftI2C = I2C


class ADC:
    """An analogue input."""

    ATTN_11DB = 3

    def __init__(self, pin: Pin | int, atten: int = ATTN_11DB) -> None:
        self._pin = pin.number if isinstance(pin, Pin) else pin

    def read_u16(self) -> int:
        """Sample: the 12 bits of the converter spread over 16, as boards do."""
        answer = _cable.ask("a %d" % self._pin)
        counts = answer[0] << 8 | answer[1]
        return counts << 4 | counts >> 8


class WDT:
    """The watchdog: whoever does not feed it in time is killed, however firmly it hangs.

    The killing is done by another process (``nongso.gateway.simulated.switch``). Without one
    (plain ``micropython main.py``) nothing bites.
    """

    _line = None

    def __init__(self, id: int = 0, timeout: int = 5000) -> None:
        handle = os.getenv("NONGSO_WATCHDOG")
        if handle and WDT._line is None:
            WDT._line = open(int(handle), "wb", 0)  # noqa: SIM115 (as long as the board runs)
        self._tell(timeout)
        self._timeout = timeout

    def feed(self) -> None:
        """Feed it."""
        self._tell(self._timeout)

    def _tell(self, timeout: int) -> None:
        if WDT._line is not None:
            WDT._line.write(b"%d\n" % timeout)


def reset() -> None:
    """End the process; whoever runs the simulated board starts it again."""
    sys.exit(RESET_STATUS)


def reset_cause() -> int:
    """Return why the board started: the watchdog, the end of a sleep, or it was switched on."""
    if not _cause:
        for trace, cause in ((BITTEN, WDT_RESET), (ASLEEP, DEEPSLEEP_RESET)):
            try:
                os.remove(trace)
            except OSError:
                continue
            _cause.append(cause)
        if not _cause:
            _cause.append(PWRON_RESET)
            RTC().memory(b"")
    return _cause[0]


_cause: list[int] = []


def deepsleep(ms: int) -> None:
    """Stand still, then end the process; whoever runs the simulated board starts it again."""
    with open(ASLEEP, "w"):
        pass
    time.sleep(ms / 1000)
    reset()


class RTC:
    """The memory that outlives a sleep, in a file; the clock is the machine's."""

    def memory(self, found: bytes | None = None) -> bytes:
        """Keep up to 2 KB, or return what is kept."""
        if found is not None:
            with open(_MEMORY, "wb") as file:
                file.write(found[:2048])
            return found
        try:
            with open(_MEMORY, "rb") as file:
                return file.read()
        except OSError:
            return b""


def unique_id() -> bytes:
    """Return eight bytes that belong to this board: its node's name, squeezed."""
    squeezed = bytearray(8)
    for i, byte in enumerate(_cable.node.encode()):
        squeezed[i % 8] = (squeezed[i % 8] * 31 + byte) & 255
    return bytes(squeezed)


def freq(hz: int | None = None) -> int:
    """Return the clock of an ESP32; setting it changes nothing."""
    return 160000000


def idle() -> None:
    """Give the machine a moment."""
    time.sleep(0.001)
