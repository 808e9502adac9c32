"""A capacitive soil moisture probe on an analogue pin, with its own dry and wet point.

The counts (12 bits) in dry air or soil and in wet soil come from a calibration of this very
probe; between them the percentage is linear. A little beyond them is 0 or 100 %; far beyond is a
broken wire or a probe that lies somewhere else, and no number.
"""

from micropython import const

from drivers.analogue import Analogue
from nongso.node.sensors import SensorFault

_BEYOND_PERCENT = const(15)  # of the span between dry and wet
_LEAST_SPAN = const(100)


class Soil:
    """One probe. ``adc.read_u16`` gives 16 bits, of which boards know 12."""

    name = "soil"
    series = ("soil_moisture",)

    def __init__(self, adc, dry, wet):
        """``None`` for a point that nobody has measured yet. Raises ``ValueError``."""
        self._analogue = Analogue(lambda: adc.read_u16() >> 4)
        self.calibrate(dry, wet)

    def calibrate(self, dry, wet):
        """Set both points. Raises ``ValueError`` if nothing can be measured between them."""
        if None not in (dry, wet) and abs(dry - wet) < _LEAST_SPAN:
            raise ValueError("dry and wet must be at least %d counts apart" % _LEAST_SPAN)
        self.dry, self.wet = dry, wet

    def counts(self):
        """Return what the probe gives now, for a calibration. Raises ``SensorFault``."""
        return self._analogue.middle()

    def start(self):
        """Nothing to start: the probe always measures."""
        return 0

    def read(self):
        """Return tenths of a percent between dry and wet."""
        middle = self._analogue.middle()
        if self.dry is None or self.wet is None:
            raise SensorFault("failed", "not calibrated: its dry or wet point is missing")
        span = self.dry - self.wet
        tenths = ((self.dry - middle) * 1000 + abs(span) // 2) // span
        if not -10 * _BEYOND_PERCENT <= tenths <= 1000 + 10 * _BEYOND_PERCENT:
            raise SensorFault("out_of_range", "%d counts" % middle)
        self._analogue.check()
        return (max(0, min(1000, tenths)),)
