"""One sample of all sensors of a node: conversions start together and are then collected.

A sensor that gives no number leaves its status word in the place of the number, and so does
a number that the quantity cannot have (``nongso.wire.metrics``). Each sensor's first failure and
its recovery are said, not each failure between.
"""

from nongso.node.interpreter import TYPE_CHECKING, sleep_ms
from nongso.node.log import Trouble
from nongso.node.sensors import SensorFault
from nongso.wire.metrics import metric_of

if TYPE_CHECKING:
    from nongso.node.hardware import Sensor


class Sampler:
    """The sensors of one node. ``columns`` are their series names in a fixed order."""

    def __init__(self, sensors: "list[tuple[Sensor, str]]") -> None:
        """``sensors`` are pairs of a sensor and the ending of its series names ('' or '.2')."""
        self._fitted = sensors
        self._sensors = [sensor for sensor, _ in sensors]
        self._troubles = [Trouble("sensor " + s.name + ending) for s, ending in sensors]
        self.columns = tuple(m + ending for s, ending in sensors for m in s.series)

    def has_trouble(self) -> bool:
        """Say whether a sensor gave no number the last time."""
        return any(trouble.count for trouble in self._troubles)

    def sensor(self, series: str) -> "Sensor | None":
        """Return the sensor that measures this series."""
        for sensor, ending in self._fitted:
            if series in [name + ending for name in sensor.series]:
                return sensor
        return None

    async def sample(self) -> "list[int | str]":
        """Measure once; return a number or a status word for each column."""
        longest = 0
        faults: list[SensorFault | None] = []
        for sensor in self._sensors:
            fault = None
            try:
                longest = max(longest, sensor.start())
            except SensorFault as e:
                fault = e
            faults.append(fault)
        await sleep_ms(longest)
        values: list[int | str] = []
        for i, sensor in enumerate(self._sensors):
            try:
                fault = faults[i]
                if fault is not None:
                    raise fault
                numbers = sensor.read()
                for series, number in zip(sensor.series, numbers):  # noqa: B905 (boards: no strict)
                    _check(series, number)
                values.extend(numbers)
                self._troubles[i].well("gives numbers again")
            except SensorFault as e:
                values.extend([e.status] * len(sensor.series))
                self._troubles[i].failed("%s (%s), no number is sent" % (e.status, e))
        return values


def _check(series: str, number: int) -> None:
    """Raise ``SensorFault`` for a number that the quantity cannot have."""
    metric = metric_of(series)
    if metric is not None:
        scale = 10**metric.decimals
        if not metric.low * scale <= number <= metric.high * scale:
            raise SensorFault("out_of_range", "%s %d/%d" % (series, number, scale))
