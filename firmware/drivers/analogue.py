"""A steady count from an analogue input: the middle one of a burst.

Real counts flutter. An input that gives the same to the last bit, burst after burst, a dozen times
running is stuck (``check``, apart, because a cut wire is better named by its place on the scale).
"""

from micropython import const

from nongso.node.sensors import SensorFault

_READINGS = const(15)
_SAME_BEFORE_STUCK = const(12)  # samples


class Analogue:
    """One input. ``sample`` gives a whole number of some 12 bits."""

    def __init__(self, sample):
        self._sample = sample
        self._counts = [0] * _READINGS
        self._last = -1
        self._same = 0

    def middle(self):
        """Read a burst; return its middle. Raises ``SensorFault`` if nothing can be read."""
        counts = self._counts
        try:
            for i in range(_READINGS):
                counts[i] = self._sample()
        except OSError:
            raise SensorFault("absent", "the analogue pin gives nothing")
        counts.sort()
        middle = counts[_READINGS // 2]
        if counts[0] == counts[-1] == self._last:
            self._same += 1
        else:
            self._same = 0
        self._last = middle
        return middle

    def check(self):
        """Raise ``SensorFault`` if the bursts do not flutter any more."""
        if self._same >= _SAME_BEFORE_STUCK:
            raise SensorFault("stuck", "%d counts again and again" % self._last)
