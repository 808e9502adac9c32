"""Maxim DS18B20: temperature of the soil on a 1-Wire bus (datasheet Rev. 6, July 2019).

Several share a bus when each is named by its ``rom``; one alone needs none. All of them are fed
by their third wire. The temperature in the ground may stand still for hours, so a value that
does not change is no fault here; 85 °C, which the chip shows when it lost its supply, is.
"""

from micropython import const

from drivers.crc8 import crc8_maxim
from nongso.node.sensors import SensorFault

_SKIP_ROM = const(0xCC)
_CONVERT = const(0x44)
_READ_SCRATCHPAD = const(0xBE)
_CONVERSION_MS = const(750)
_POWER_ON = const(0x0550)
_LOWEST, _HIGHEST = const(-55 * 16), const(125 * 16)


class DS18B20:
    """One chip. ``bus`` is a ``onewire.OneWire``, ``rom`` its eight bytes."""

    name = "ds18b20"

    def __init__(self, bus, rom=None, measures="soil_temperature"):
        self._bus = bus
        self._rom = rom
        self.series = (measures,)
        self._pad = bytearray(9)

    def start(self):
        """Start a measurement; return the milliseconds it takes."""
        self._select()
        self._bus.writebyte(_CONVERT)
        return _CONVERSION_MS

    def read(self):
        """Return hundredths of a degree."""
        self._select()
        self._bus.writebyte(_READ_SCRATCHPAD)
        pad = self._pad
        self._bus.readinto(pad)
        if not any(pad):  # of which the checksum is right
            raise SensorFault("stuck", "the wire is held low")
        if all(byte == 0xFF for byte in pad):
            raise SensorFault("absent", "nobody answers to this rom")
        if crc8_maxim(pad, 0, 8) != pad[8]:
            raise SensorFault("crc_error", "checksum does not fit")
        raw = pad[1] << 8 | pad[0]
        if raw == _POWER_ON:
            raise SensorFault("failed", "85 °C: the chip lost its supply before it measured")
        if raw & 0x8000:
            raw -= 0x10000
        raw &= ~((1 << (3 - (pad[4] >> 5 & 3))) - 1)  # lower resolutions leave bits undefined
        if not _LOWEST <= raw <= _HIGHEST:
            raise SensorFault("out_of_range", "%d sixteenths of a degree" % raw)
        return ((raw * 25 + 2) // 4,)

    def _select(self):
        if not self._bus.reset():
            raise SensorFault("absent", "nobody on the wire")
        if self._rom is None:
            self._bus.writebyte(_SKIP_ROM)
        else:
            self._bus.select_rom(self._rom)
