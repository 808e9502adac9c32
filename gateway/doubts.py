"""Which sensors cannot be believed now, and the alarms that say so.

Judging is in ``irrigation/trust.py``; here it gets its readings, and what stands against a sensor
is an alarm in the book, so that it is remembered over a restart of the gateway.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from nongso.gateway.irrigation.facts import OLDEST_MOISTURE_SECONDS as OLDEST_SECONDS
from nongso.gateway.irrigation.facts import Reason, Zone, is_usable
from nongso.gateway.irrigation.trust import (
    DRIFTING,
    FROZEN,
    MOIST_PERCENT,
    Around,
    Trace,
    begun,
    seen,
)
from nongso.gateway.settings import GatewaySettings
from nongso.gateway.teaching import Teaching
from nongso.gateway.waterbook import Body, WaterBook
from nongso.gateway.waterrecords import WaterRecords
from nongso.wire.payload import Reading

CLIMATE = ("air_temperature", "air_humidity", "light")
WETTED_SHARE = 0.4  # where nobody has said: drip (FAO-56, table 20)


class LatestLike(Protocol):
    """The newest readings."""

    def get(self, eui64: str, name: str) -> Reading | None: ...


@dataclass(frozen=True)
class Watched:
    """A sensor, the zone with which its alarm is told, and all zones that go by it."""

    eui64: str
    metric: str
    zone: str
    zones: tuple[str, ...]


class Doubts:
    """Watches the sensors by which zones water. Not for two threads at once."""

    def __init__(
        self,
        settings: GatewaySettings,
        latest: LatestLike,
        book: WaterBook,
        records: WaterRecords,
        clock: Callable[[], float],
        teaching: Teaching,
    ) -> None:
        self._latest, self._book, self._records = latest, book, records
        self._teaching = teaching
        self._clock, self._farm = clock, settings.farm_clock
        self._watched = _watched(settings)
        self._traces: dict[tuple[str, str], Trace] = {}
        self._seen_at: dict[tuple[str, str], int] = {}
        self._alarms = {
            (str(alarm["values"]["node"]), str(alarm["values"]["metric"])): alarm
            for alarm in book.alarms.values()
            if alarm["code"] in (FROZEN, DRIFTING)
        }

    def renew(self, settings: GatewaySettings) -> None:
        """Watch new stations; nothing stands against a board that is gone."""
        before, self._watched = self._watched, _watched(settings)
        kept = {(one.eui64, one.metric) for one in self._watched}
        for one in before:
            if one not in self._watched:  # gone, or in other soil now
                self._traces.pop((one.eui64, one.metric), None)
            if (one.eui64, one.metric) not in kept:
                self._tell(one, None)

    def of(self, eui64: str, metric: str) -> Reason | None:
        """Why a sensor is not believed."""
        taught = self._teaching.of(eui64, metric)
        if taught is not None:
            return taught
        alarm = self._alarms.get((eui64, metric))
        return None if alarm is None else Reason(alarm["code"], alarm["values"])

    def begin_anew(self, zone_id: str) -> None:
        """A person has looked at the zone: nothing stands against its sensors any more."""
        for one in self._watched:
            if zone_id in one.zones:
                self._traces.pop((one.eui64, one.metric), None)
                self._tell(one, None)

    def tick(self) -> None:
        """Look at what is new."""
        now = self._clock()
        for one in self._watched:
            key = (one.eui64, one.metric)
            reading = self._latest.get(*key)
            if reading is None or reading.at == self._seen_at.get(key):
                continue
            self._seen_at[key] = reading.at
            is_good = is_usable(reading, now, OLDEST_SECONDS) and not self._teaching.of(*key)
            if not self._is_asked(one) or not is_good:
                self._traces.pop(key, None)
                continue
            at, value = self._farm.at(reading.at), float(reading.value)
            trace, around = self._traces.get(key), self._around(self._book.zones[one.zone])
            if trace is None:
                trace = begun(one.metric, at, value, around, self.of(*key))
            self._traces[key] = trace = seen(trace, at, value, around)
            self._tell(one, trace.doubt)

    def _is_asked(self, one: Watched) -> bool:
        """Whether anybody waters there, and by this."""
        zones = [self._book.zones[zone] for zone in one.zones]
        return any(z.mode != "off" and (one.metric not in CLIMATE or z.balance) for z in zones)

    def _around(self, zone: Zone) -> Around:
        share = zone.balance.wetted_share if zone.balance else WETTED_SHARE
        return Around(
            self._book.delivered_litres(zone.id),
            zone.area_m2 * share,
            any(run["zone"] == zone.id for run in self._book.runs.values()),
            zone.band.low if zone.band else MOIST_PERCENT,
        )

    def _tell(self, one: Watched, doubt: Reason | None) -> None:
        """Raise the alarm, or clear it, when something has changed."""
        key = (one.eui64, one.metric)
        standing: Body | None = self._alarms.get(key)
        if standing is not None and (doubt is None or doubt.code != standing["code"]):
            self._records.alarm_cleared(standing)
            del self._alarms[key]
            standing = None
        if doubt is not None and standing is None:
            values = {"node": one.eui64, "metric": one.metric} | doubt.values
            self._alarms[key] = self._records.alarm_raised(doubt.code, one.zone, values)


def _watched(settings: GatewaySettings) -> list[Watched]:
    """The soil probes of zones, and air and light of houses."""
    found = [
        Watched(node.eui64, "soil_moisture", node.zone, (node.zone,))
        for node in settings.nodes
        if node.zone
    ]
    zones = {house.slug: tuple(zone.id for zone in house.zones) for house in settings.greenhouses}
    return found + [
        Watched(node.eui64, metric, node.zone or zones[node.greenhouse][0], zones[node.greenhouse])
        for node in settings.nodes
        if zones.get(node.greenhouse)
        for metric in CLIMATE
    ]
