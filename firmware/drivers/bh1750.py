"""ROHM BH1750FVI: light (datasheet 2014.11 Rev. D).

The chip has no checksum, and read too early it gives the old number: the caller must wait.
Its measurement time register is set to the shortest (31 instead of 69), because at the
usual one the scale ends at 54,612 lx, and under a greenhouse roof at noon there is more.
"""

from micropython import const

from nongso.node.sensors import SensorFault

_POWER_ON = const(0x01)
_ONE_TIME_HIGH_RESOLUTION = const(0x20)
_TIME_HIGH_BITS = const(0x40)
_TIME_LOW_BITS = const(0x60)
_TIME = const(31)
_USUAL_TIME = const(69)
_CONVERSION_MS = const(82)  # 180 ms at most at the usual time, here 31/69 of it
_END_OF_SCALE = const(65535)


class BH1750:
    """One chip on a bus (0x23, or 0x5C with its ADDR pin high)."""

    name = "bh1750"
    series = ("light",)

    def __init__(self, i2c, address=0x23):
        self._i2c = i2c
        self._address = address
        self._commands = [
            bytes([command])
            for command in (
                _POWER_ON,
                _TIME_HIGH_BITS | _TIME >> 5,
                _TIME_LOW_BITS | _TIME & 31,
                _ONE_TIME_HIGH_RESOLUTION,
            )
        ]
        self._answer = bytearray(2)

    def start(self):
        """Start a measurement; return the milliseconds it takes.

        The time register is written each time: a chip that lost power has the usual one.
        """
        try:
            for command in self._commands:
                self._i2c.writeto(self._address, command)
        except OSError:
            raise SensorFault("absent", "no answer at 0x%02x" % self._address)
        return _CONVERSION_MS

    def read(self):
        """Return lux."""
        try:
            self._i2c.readfrom_into(self._address, self._answer)
        except OSError:
            raise SensorFault("failed", "took the command but gave no measurement")
        counts = self._answer[0] << 8 | self._answer[1]
        if counts == _END_OF_SCALE:
            raise SensorFault("out_of_range", "brighter than the scale")
        # lux = counts / 1.2 * 69 / time (page 11)
        return ((counts * 10 * _USUAL_TIME + 6 * _TIME) // (12 * _TIME),)
