"""A capacitive soil moisture probe on an analogue pin, with its own dry and wet point.

The counts (12 bits) in dry air or soil and in wet soil come from a calibration of this very
probe; between them the percentage is linear. A little beyond them is 0 or 100 %; far beyond is a
broken wire or a probe that lies somewhere else, and no number. Real counts flutter; a probe that
gives the same to the last bit in a dozen samples running is stuck.
"""

from micropython import const

from nongso.node.sensors import SensorFault

_READINGS = const(15)  # of one sample; the middle one counts
_BEYOND_PERCENT = const(15)  # of the span between dry and wet
_SAME_BEFORE_STUCK = const(12)  # samples


class Soil:
    """One probe. ``adc.read_u16`` gives 16 bits, of which boards know 12."""

    name = "soil"
    series = ("soil_moisture",)

    def __init__(self, adc, dry, wet):
        """Raises ``ValueError`` if dry and wet are too close to measure anything."""
        if abs(dry - wet) < 100:
            raise ValueError("dry and wet must be at least 100 counts apart")
        self._adc = adc
        self._dry = dry
        self._wet = wet
        self._counts = [0] * _READINGS
        self._last = -1
        self._same = 0

    def start(self):
        """Nothing to start: the probe always measures."""
        return 0

    def read(self):
        """Return tenths of a percent between dry and wet."""
        counts = self._counts
        try:
            for i in range(_READINGS):
                counts[i] = self._adc.read_u16() >> 4
        except OSError:
            raise SensorFault("absent", "the analogue pin gives nothing")
        counts.sort()
        middle = counts[_READINGS // 2]
        if counts[0] == counts[-1] == self._last:
            self._same += 1
        else:
            self._same = 0
        self._last = middle
        span = self._dry - self._wet
        tenths = ((self._dry - middle) * 1000 + abs(span) // 2) // span
        if not -10 * _BEYOND_PERCENT <= tenths <= 1000 + 10 * _BEYOND_PERCENT:
            raise SensorFault("out_of_range", "%d counts" % middle)
        if self._same >= _SAME_BEFORE_STUCK:
            raise SensorFault("stuck", "%d counts again and again" % middle)
        return (max(0, min(1000, tenths)),)
