"""Sensirion SHT40/41/45: air temperature and humidity (datasheet version 6.5, March 2024).

Each measurement is started by one command and fetched by one read; read too early, the chip
does not answer (NACK). Both words come with a CRC-8.
"""

from micropython import const

from drivers.crc8 import crc8
from drivers.frozen import Frozen
from nongso.node.interpreter import ticks_ms
from nongso.node.sensors import SensorFault

_MEASURE_HIGH_PRECISION = const(0xFD)
_CONVERSION_MS = const(10)  # 8.3 ms at most (table 5), one tick of margin


class SHT4x:
    """One chip on a bus."""

    name = "sht4x"
    series = ("air_temperature", "air_humidity")

    def __init__(self, i2c, address=0x44, ticks=ticks_ms):
        self._i2c = i2c
        self._address = address
        self._command = bytes([_MEASURE_HIGH_PRECISION])
        self._answer = bytearray(6)
        self._frozen = Frozen(ticks)

    def start(self):
        """Start a measurement; return the milliseconds it takes."""
        try:
            self._i2c.writeto(self._address, self._command)
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
        # Section 4.6, rounded to the nearest; humidity beyond 0..100 % is cut as it advises.
        percent_10 = (1250 * humidity + 32767) // 65535 - 60
        return (
            (17500 * temperature + 32767) // 65535 - 4500,
            max(0, min(1000, percent_10)),
        )
