"""Contacts: float switches in a tank, and a door.

A contact bounces and a float bobs: a new state counts when it is seen at ``start`` and again
at ``read``; else the old one stays. A cut wire looks like an open contact; only floats that
contradict each other can be told apart from good ones.
"""

from micropython import const

from nongso.node.sensors import SensorFault

_BOUNCE_MS = const(50)


class _Contacts:
    def __init__(self, pins):
        self._pins = pins
        self._seen = [0] * len(pins)
        self._closed = None

    def start(self):
        """Look a first time; return the milliseconds until the second."""
        for i, pin in enumerate(self._pins):
            self._seen[i] = pin.value()
        return _BOUNCE_MS

    def _read(self):
        """Return which contacts are closed (their pins are pulled up: closed is 0)."""
        found = [pin.value() == 0 for pin in self._pins]
        if self._closed is None:
            self._closed = found
        for i, is_closed in enumerate(found):
            if is_closed == (self._seen[i] == 0):
                self._closed[i] = is_closed
        return self._closed


class Level(_Contacts):
    """Float switches in a tank, lowest first; at equal distances, the highest at full."""

    name = "level"
    series = ("tank_level",)

    def __init__(self, pins, closed_is_wet=True):
        super().__init__(pins)
        self._closed_is_wet = closed_is_wet

    def read(self):
        """Return tenths of a percent: what the wet floats say."""
        wet = [is_closed == self._closed_is_wet for is_closed in self._read()]
        count = sum(wet)
        if not all(wet[:count]):
            raise SensorFault("failed", "float %d is dry below a wet one" % (wet.index(False) + 1))
        return ((1000 * count + len(wet) // 2) // len(wet),)


class Door(_Contacts):
    """A reed contact at a door, closed when the door is."""

    name = "door"
    series = ("door_open",)

    def __init__(self, pin):
        super().__init__((pin,))

    def read(self):
        """Return 1 for an open door, 0 for a shut one."""
        return (0 if self._read()[0] else 1,)
