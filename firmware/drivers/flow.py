"""A water meter that gives pulses: litres in all, and litres a minute since the last sample.

How this works. The interrupt only adds one to a number, which needs no memory. The total outlives
the restart of the board: it is kept before it is first told to anybody, so it never goes back and
a message that is lost loses no water. What flows between the last sample and a power cut is not
counted, nor what flows while the board is off.

A cut wire gives no pulses, like water that stands still.
"""

from nongso.node.interpreter import ticks_diff, ticks_ms
from nongso.node.sensors import SensorFault


class Flow:
    """One meter: so many ``pulses`` for so many ``litres``.

    ``kept`` is a ``nongso.node.kept.Kept`` of one number, ``bounce_ms`` the time in which the
    reed contact of a slow meter may give one pulse again and again (0 for Hall sensors).
    """

    name = "flow"
    series = ("water_total", "water_flow")

    def __init__(
        self, pin, pulses, litres, kept, most_l_per_min=1000, bounce_ms=0, ticks=ticks_ms
    ):
        self._pulses, self._litres = pulses, litres
        self._kept = kept
        self._most = most_l_per_min * 100
        self._bounce_ms = bounce_ms
        self._ticks = ticks
        self._before = kept.numbers[0]  # pulses in earlier runs
        self._count = 0
        self._told = 0
        self._told_at = self._pulse_at = ticks()
        handler = self._on_slow_pulse if bounce_ms else self._on_pulse
        try:  # at once, where the board can: others lose pulses while they are busy for long
            pin.irq(handler=handler, trigger=pin.IRQ_FALLING, hard=True)
        except (TypeError, ValueError):
            pin.irq(handler=handler, trigger=pin.IRQ_FALLING)

    def _on_pulse(self, _pin):
        self._count += 1

    def _on_slow_pulse(self, _pin):
        now = self._ticks()
        if ticks_diff(now, self._pulse_at) >= self._bounce_ms:
            self._count += 1
        self._pulse_at = now

    def start(self):
        """Nothing to start: the meter always counts."""
        return 0

    def read(self):
        """Return tenths of a litre in all and hundredths of a litre a minute."""
        count, now = self._count, self._ticks()
        new, ms = count - self._told, max(1, ticks_diff(now, self._told_at))
        self._told, self._told_at = count, now
        rate = (new * self._litres * 6000000 + self._pulses * ms // 2) // (self._pulses * ms)
        if rate > self._most:  # a wire that hums is no water
            self._before -= new
            raise SensorFault("out_of_range", "%d pulses in %d ms" % (new, ms))
        total = self._before + count
        if new:
            try:
                self._kept.keep((total,))
            except OSError as e:
                raise SensorFault("failed", "the total cannot be kept (%s)" % e)
        return total * self._litres * 10 // self._pulses, rate
