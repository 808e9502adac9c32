"""Sensirion SHT30/31/35: air temperature and humidity (datasheet version 7, December 2022).

Single shots of high repeatability without clock stretching: one command, one read; read too
early, the chip does not answer (NACK). Both words come with a CRC-8.
"""

from micropython import const

from drivers.crc8 import crc8
from drivers.frozen import Frozen
from nongso.node.interpreter import ticks_ms
from nongso.node.sensors import SensorFault

_MEASURE = b"\x24\x00"  # table 9
_CONVERSION_MS = const(16)  # 15.5 ms at most at a low supply (table 4)


class SHT3x:
    """One chip on a bus (0x44, or 0x45 with its ADDR pin high)."""

    name = "sht3x"
    series = ("air_temperature", "air_humidity")

    def __init__(self, i2c, address=0x44, ticks=ticks_ms):
        self._i2c = i2c
        self._address = address
        self._answer = bytearray(6)
        self._frozen = Frozen(ticks)

    def start(self):
        """Start a measurement; return the milliseconds it takes."""
        try:
            self._i2c.writeto(self._address, _MEASURE)
        except OSError:
            raise SensorFault("absent", "no answer at 0x%02x" % self._address)
        return _CONVERSION_MS

    def read(self):
        """Return hundredths of a degree and tenths of a percent."""
        answer = self._answer
        try:
            self._i2c.readfrom_into(self._address, answer)
        except OSError:
            raise SensorFault("failed", "took the command but gave no measurement")
        if crc8(answer, 0, 2) != answer[2] or crc8(answer, 3, 5) != answer[5]:
            raise SensorFault("crc_error", "checksum does not fit")
        self._frozen.check(bytes(answer))
        temperature = answer[0] << 8 | answer[1]
        humidity = answer[3] << 8 | answer[4]
        return (  # section 4.13, rounded to the nearest
            (17500 * temperature + 32767) // 65535 - 4500,
            (1000 * humidity + 32767) // 65535,
        )
