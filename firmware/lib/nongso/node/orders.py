"""What the gateway may tell a node to do with its sensors: a small JSON object on ``down``.

``{"do": "calibrate", "series": "soil_moisture", "point": "dry", "until": 1790000000}`` takes what
the probe gives now for its dry (``wet``) point; with ``"counts": 2900`` it takes that.
``{"do": "recalibrate", "series": "co2", "ppm": 425, "until": …}`` tells a CO2 sensor what the air
around it holds. Both are meant for the moment: after ``until``, or while the node has no clock,
they are refused, because a broker delivers what it kept for hours. An order with an ``id`` is
answered on ``update``: ``{"do": "calibrated", "id", "series", "point", "counts", "dry", "wet"}``,
or ``{"do": "calibrated", "id", "refused": "why"}``.
"""

import json

from nongso.node.calibration import Calibration
from nongso.node.interpreter import TYPE_CHECKING, const
from nongso.node.log import say
from nongso.node.sensors import SensorFault

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from nongso.node.sampling import Sampler

_LONGEST = const(200)


class Orders:
    """Carries out the orders for one node's sensors, and says what came of each."""

    def __init__(self, sampler: "Sampler", folder: str, unix: "Callable[[], int | None]") -> None:
        self._sampler, self._folder, self._unix = sampler, folder, unix
        self.answer = b""  # to the last order, for ``update``
        self._told: dict[str, Any] = {}

    def take(self, message: bytes) -> bool:
        """Carry out a message if it is an order; say whether it was one."""
        if len(message) > _LONGEST or message[:1] != b"{":
            return False
        try:
            found = json.loads(message)
        except ValueError:
            return False
        act = {"calibrate": self._calibrate, "recalibrate": self._recalibrate}.get(found.get("do"))
        if act is None:
            return False
        try:
            now, until = self._unix(), found.get("until")
            if now is None or type(until) is not int or now > until:
                raise ValueError("it was meant for another time")
            done = act(found)
        except (ValueError, OSError, SensorFault) as e:
            self._told = {"refused": str(e)[:60]}
            say("%s of %s: refused, %s" % (found["do"], str(found.get("series"))[:40], e))
        else:
            say("%s of %s: %s" % (found["do"], found["series"], done))
        number = found.get("id")
        if found["do"] == "calibrate" and isinstance(number, str):
            self._told.update({"do": "calibrated", "id": number})
            self.answer = json.dumps(self._told).encode()
        return True

    def _sensor(self, found: "dict[str, Any]", what: str) -> "Any":
        sensor = self._sampler.sensor(str(found.get("series")))
        if sensor is None or not hasattr(sensor, what):
            raise ValueError("no such sensor can do that")
        return sensor

    def _calibrate(self, found: "dict[str, Any]") -> str:
        probe = self._sensor(found, "counts")
        counts = found.get("counts")
        if counts is None:
            counts = probe.counts()
        if type(counts) is not int or not 0 <= counts <= 4095:
            raise ValueError("counts are from 0 to 4095")
        point, dry, wet = found.get("point"), probe.dry, probe.wet
        if point == "dry":
            dry = counts
        elif point == "wet":
            wet = counts
        else:
            raise ValueError("point is dry or wet")
        probe.calibrate(dry, wet)
        Calibration(self._folder).keep(found["series"], dry, wet)
        self._told = {"series": found["series"], "point": point, "counts": counts}
        self._told.update({"dry": dry, "wet": wet})
        return "dry %s, wet %s" % (dry, wet)

    def _recalibrate(self, found: "dict[str, Any]") -> str:
        ppm = found.get("ppm")
        if type(ppm) is not int:
            raise ValueError("ppm must be a whole number")
        return "changed by %d ppm" % self._sensor(found, "recalibrate").recalibrate(ppm)
