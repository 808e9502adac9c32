"""Sensirion SCD40/SCD41: carbon dioxide (datasheet version 1.4, February 2023).

The chip measures by itself every five seconds; ``single_shot`` (SCD41 only) lets it rest between
samples, for nodes that sleep. Its self-calibration takes the lowest value of a week for fresh
air, which a greenhouse that is closed, or fed with CO2, never has: it is switched off and read
back. Instead a person carries the node into fresh air and asks for ``recalibrate``.

Its temperature and humidity are those of its own warm case, and not read.
"""

from micropython import const

from drivers.crc8 import crc8
from drivers.frozen import Frozen
from nongso.node.interpreter import ticks_diff, ticks_ms
from nongso.node.sensors import SensorFault

# Commands, table 9
_START = b"\x21\xb1"
_STOP = b"\x3f\x86"
_SINGLE_SHOT = b"\x21\x9d"
_IS_READY = b"\xe4\xb8"
_READ = b"\xec\x05"
_NO_SELF_CALIBRATION = b"\x24\x16\x00\x00\x81"
_SELF_CALIBRATION = b"\x23\x13"
_RECALIBRATE = b"\x36\x2f"

_MEASUREMENT_MS = const(5100)  # 5 s, and a little for its clock
_STOP_MS = const(500)
_COMMAND_MS = const(1)
_RECALIBRATE_MS = const(400)
_WARM_MS = const(180000)  # section 3.7.1: three minutes in constant air


class SCD4x:
    """One chip on a bus. ``pause_ms`` waits some milliseconds (``interpreter.pause_ms``)."""

    name = "scd4x"
    series = ("co2",)

    def __init__(self, i2c, pause_ms, single_shot=False, address=0x62, ticks=ticks_ms):
        self._i2c = i2c
        self._pause_ms = pause_ms
        self._single_shot = single_shot
        self._address = address
        self._ticks = ticks
        self._answer = bytearray(9)
        self._frozen = Frozen(ticks)
        self._is_set_up = False
        self._since = 0
        self._is_warm = False

    def start(self):
        """Start a measurement; return the milliseconds it takes, 0 where one is there already."""
        if not self._is_set_up:
            self._set_up()
        elif not self._single_shot:
            self._is_warm = self._is_warm or ticks_diff(self._ticks(), self._since) >= _WARM_MS
            return 0 if self._is_ready() else _MEASUREMENT_MS
        if self._single_shot:
            self._command(_SINGLE_SHOT, 0)
        return _MEASUREMENT_MS

    def read(self):
        """Return parts per million."""
        if not self._is_ready():
            self._is_set_up = False  # it may have lost its supply, and rests
            raise SensorFault("failed", "has no new measurement")
        (ppm,) = self._ask(_READ, 3)[:1]
        self._frozen.check(bytes(self._answer))
        if ppm == 0:
            raise SensorFault("failed", "measured nothing")
        return (ppm,)

    def recalibrate(self, ppm):
        """Tell the chip what is in the air now (400 to 2000 ppm); return the change in ppm.

        Raises ``SensorFault`` with a reason; the old calibration then stays.
        """
        if not 400 <= ppm <= 2000:
            raise SensorFault("failed", "recalibration is from 400 to 2000 ppm")
        if self._single_shot or not self._is_set_up or not self._is_warm:
            raise SensorFault("failed", "must have measured for three minutes in this air")
        self._command(_STOP, _STOP_MS)
        self._is_set_up = self._is_warm = False
        word = bytes([ppm >> 8, ppm & 255])
        message = _RECALIBRATE + word + bytes([crc8(word, 0, 2)])
        (change,) = self._ask(message, 1, _RECALIBRATE_MS)
        if change == 0xFFFF:
            raise SensorFault("failed", "the chip refuses the recalibration")
        return change - 0x8000

    def _set_up(self):
        """Stop what may run since an earlier start, and switch self-calibration off."""
        try:
            self._i2c.writeto(self._address, _STOP)
            self._pause_ms(_STOP_MS)
        except OSError:
            pass  # the next command tells whether anybody is there
        self._command(_NO_SELF_CALIBRATION, _COMMAND_MS)
        if self._ask(_SELF_CALIBRATION, 1)[0] != 0:
            raise SensorFault("failed", "self-calibration cannot be switched off")
        if not self._single_shot:
            self._command(_START, 0)
        self._is_set_up = True
        self._since, self._is_warm = self._ticks(), False

    def _is_ready(self):
        return self._ask(_IS_READY, 1)[0] & 0x07FF != 0

    def _command(self, command, pause_ms):
        try:
            self._i2c.writeto(self._address, command)
        except OSError:
            self._is_set_up = False
            raise SensorFault("absent", "no answer at 0x%02x" % self._address)
        self._pause_ms(pause_ms)

    def _ask(self, command, words, pause_ms=_COMMAND_MS):
        """Send a command and return the words of its answer."""
        self._command(command, pause_ms)
        answer = memoryview(self._answer)[: 3 * words]
        try:
            self._i2c.readfrom_into(self._address, answer)
        except OSError:
            self._is_set_up = False
            raise SensorFault("failed", "took the command but gave no answer")
        found = []
        for i in range(0, 3 * words, 3):
            if crc8(answer, i, i + 2) != answer[i + 2]:
                raise SensorFault("crc_error", "checksum does not fit")
            found.append(answer[i] << 8 | answer[i + 1])
        return found
