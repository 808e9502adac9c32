"""Notices a chip whose answer no longer changes: its sensor is dead, its old answer lives on.

Only for chips whose last bits always flutter (Sensirion's do, by several bits). What may truly
stand still, as the temperature a spade deep or the light at night, is not judged here.
"""

from micropython import const

from nongso.node.interpreter import ticks_diff, ticks_ms
from nongso.node.sensors import SensorFault

_SAMPLES = const(12)
_LONG_MS = const(3600000)


class Frozen:
    """The last answer of one chip, and for how long it has been the same."""

    def __init__(self, ticks=ticks_ms):
        self._ticks = ticks
        self._last = None
        self._same = 0
        self._since = 0
        self._is_long = False

    def check(self, answer):
        """Take the bits of an answer. Raises ``SensorFault`` after an hour and a dozen alike."""
        now = self._ticks()
        if answer != self._last:
            self._last, self._same, self._since, self._is_long = answer, 0, now, False
            return
        self._same += 1
        # Kept once true: ticks wrap after some days.
        self._is_long = self._is_long or ticks_diff(now, self._since) >= _LONG_MS
        if self._is_long and self._same >= _SAMPLES:
            raise SensorFault("stuck", "the same to the last bit for more than an hour")
