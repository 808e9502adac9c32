"""The voltage of a battery behind a divider of two resistors on an analogue pin."""

from micropython import const

from drivers.analogue import Analogue
from nongso.node.sensors import SensorFault

_LEAST_MV = const(1000)  # no board runs from less: then there is no battery, but a USB cable


class Battery:
    """One battery. ``adc.read_uv`` gives microvolts at the pin, at most ``full_mv``.

    The divider's ``upper_ohm`` is on the side of the battery, ``lower_ohm`` on that of ground.
    """

    name = "battery"
    series = ("battery",)

    def __init__(self, adc, upper_ohm, lower_ohm, full_mv):
        self._analogue = Analogue(lambda: adc.read_uv() // 1000)
        self._upper, self._lower = upper_ohm, lower_ohm
        self._full_mv = full_mv

    def start(self):
        """Nothing to start."""
        return 0

    def read(self):
        """Return hundredths of a volt."""
        at_pin = self._analogue.middle()
        if at_pin >= self._full_mv:
            raise SensorFault("out_of_range", "%d mV at the pin is its end" % at_pin)
        millivolts = at_pin * (self._upper + self._lower) // self._lower
        if millivolts < _LEAST_MV:
            raise SensorFault("absent", "no battery at the divider (%d mV)" % millivolts)
        self._analogue.check()
        return ((millivolts + 5) // 10,)
