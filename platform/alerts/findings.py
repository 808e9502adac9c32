"""Looks at all farms at once and says what every cause is now: one ``Finding`` each.

Reads records and telemetry in a handful of queries, whatever the number of greenhouses, and
decides nothing. What nobody knows is ``None``: a greenhouse whose gateway is away has stations
of unknown state, so that a dead gateway is one alert and not one for each of its stations.
Silent stations of a greenhouse are one cause, strong wind is one cause a gateway.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.greenhouse.now import STALE_SECONDS, stands_there
from nongso.platform.greenhouse.records import (
    AWAY_SECONDS,
    Alarm,
    Gateway,
    Greenhouse,
    Node,
    Zone,
)
from nongso.platform.telemetry import Point, Series, Telemetry
from nongso.wire import marks, reasons

# Without a word of the gateway a station counts as silent after so long: the gateway itself says
# so after a quarter of an hour, and after an outage it may still be sending what lies behind it.
LONG_SILENT_SECONDS = 1800
ONCE_SECONDS = 86400  # the gateway never takes these back; they end after a day without a new one
ONCE = frozenset(
    {"message_conflict", "store_damaged", "taken_up", "telemetry_dropped", "rows_refused"}
)

# Volts below which a battery should be charged, by what it must be: a lithium cell, 12 V, 24 V.
BATTERIES = ((6.0, 3.5), (15.0, 11.8), (30.0, 23.6))
WATCHED = frozenset(
    {"air_temperature", "soil_moisture", "co2", "wind_speed", "tank_level", "battery"}
)


@dataclass(frozen=True)
class Finding:
    """What one cause is now. ``value`` is ``None`` where nobody knows.

    ``code`` is the rule's, ``place`` where it is (``greenhouse:…``, ``zone:…``, ``gateway:…``,
    ``node:…``), ``values`` what its sentence needs, ``parts`` what a joined cause is of.
    """

    code: str
    place: str
    value: float | None
    cooperative: str
    greenhouse: str | None
    gateway: str | None
    values: Mapping[str, Any] = field(default_factory=dict)
    parts: frozenset[str] = frozenset()

    @property
    def cause(self) -> str:
        """What it is remembered by."""
        return f"{self.code}@{self.place}"

    @property
    def plan(self) -> str:
        """The place whose plan (``records.AlertPlan``) it follows."""
        return f"greenhouse:{self.greenhouse}" if self.greenhouse else f"gateway:{self.gateway}"


class _House(NamedTuple):
    slug: str
    name: str
    cooperative: str
    gateway: str | None
    farm_name: str | None


class _Box(NamedTuple):
    slug: str
    name: str
    cooperative: str
    seen_at: int | None


class _Area(NamedTuple):
    id: str
    name: str
    greenhouse: str
    gateway: str
    band: dict[str, Any] | None
    mode: str


class _Station(NamedTuple):
    eui64: str
    slug: str
    gateway: str | None
    greenhouse: str | None
    state: str | None
    state_at: int


class _Bad(NamedTuple):
    id: str
    gateway: str
    code: str
    values: dict[str, Any]
    zone: str | None
    raised_at: int


@dataclass(frozen=True)
class Newest:
    """The newest reading of a series."""

    series: Series
    point: Point


def look(session: Session, telemetry: Telemetry, now: int) -> list[Finding]:
    """Look at everything once."""
    return _Look(session, telemetry, now).findings()


def _is_there(node: Sequence[Any] | None, series: Series) -> bool:
    """Say whether a station still measures this: it was neither taken out nor moved."""
    if node is None:
        return True
    gateway, greenhouse, zone, removed_at = node
    return removed_at is None and stands_there(gateway, greenhouse, zone, series)


def _places(newest: Iterable[Newest]) -> set[tuple[str, str]]:
    """Greenhouses and zones, each with the metrics measured there."""
    found = set()
    for one in newest:
        metric = one.series.name.partition(".")[0]
        found |= {(one.series.greenhouse, metric), (one.series.zone, metric)}
    return found


def newest(telemetry: Telemetry) -> list[Newest]:
    """Return the newest reading of every series that a rule may be about, or that shows life."""
    series = telemetry.series()
    return [Newest(series[n], point) for n, point in telemetry.latest(series).items()]


class _Look:
    """One look at all farms."""

    def __init__(self, session: Session, telemetry: Telemetry, now: int) -> None:
        self.now = now
        self.houses = [
            _House(*row)
            for row in session.execute(
                select(
                    Greenhouse.slug,
                    Greenhouse.name,
                    Greenhouse.cooperative,
                    Greenhouse.gateway,
                    Greenhouse.farm_name,
                )
                .where(Greenhouse.gateway.is_not(None))
                .order_by(Greenhouse.slug)
            )
        ]
        self.boxes = {
            row[0]: _Box(*row)
            for row in session.execute(
                select(Gateway.slug, Gateway.name, Gateway.cooperative, Gateway.seen_at)
            )
        }
        self.areas = [
            _Area(*row)
            for row in session.execute(
                select(Zone.id, Zone.name, Zone.greenhouse, Zone.gateway, Zone.band, Zone.mode)
                .where(Zone.gone.is_(False))
                .order_by(Zone.id)
            )
        ]
        self.stations = [
            _Station(*row)
            for row in session.execute(
                select(
                    Node.eui64, Node.slug, Node.gateway, Node.greenhouse, Node.state, Node.state_at
                )
                .where(Node.gateway.is_not(None))
                .order_by(Node.eui64)
            )
        ]
        self.bad = [
            _Bad(*row)
            for row in session.execute(
                select(
                    Alarm.id, Alarm.gateway, Alarm.code, Alarm.values, Alarm.zone, Alarm.raised_at
                )
                .where(Alarm.cleared_at.is_(None))
                .order_by(Alarm.raised_at, Alarm.id)
            )
        ]
        nodes = {
            row[0]: row[1:]
            for row in session.execute(
                select(Node.eui64, Node.gateway, Node.greenhouse, Node.zone, Node.removed_at)
            )
        }
        every = newest(telemetry)
        self.newest = [one for one in every if _is_there(nodes.get(one.series.node), one.series)]
        # Where the only stations were taken out, or moved, nothing is amiss any more.
        self.unmeasured = _places(every) - _places(self.newest)
        self.house_of = {house.slug: house for house in self.houses}

    def findings(self) -> list[Finding]:
        found: list[Finding] = []
        found += self._gateways()
        found += self._of_houses()
        found += self._of_zones()
        found += self._of_gateways()
        found += self._stations()
        found += self._batteries()
        found += self._alarms()
        return found

    def _away(self, gateway: str | None) -> bool:
        box = self.boxes.get(gateway or "")
        return box is None or box.seen_at is None or self.now - box.seen_at > AWAY_SECONDS

    def _gateways(self) -> list[Finding]:
        found = []
        names: dict[str, list[str]] = defaultdict(list)
        for house in self.houses:
            names[house.gateway or ""].append(house.name)
        for box in self.boxes.values():
            value = None if box.seen_at is None else float(self._away(box.slug))
            values = {"name": box.name, "since": box.seen_at, "houses": sorted(names[box.slug])}
            found.append(self._of_box("gateway_silent", box, value, values))
        return found

    @staticmethod
    def _of_box(
        code: str, box: _Box, value: float | None, values: Mapping[str, Any], place: str = ""
    ) -> Finding:
        return Finding(
            code, place or f"gateway:{box.slug}", value, box.cooperative, None, box.slug, values
        )

    def _good(self, metric: str, by: str) -> dict[str, list[Newest]]:
        """Return the fresh good readings of a metric by greenhouse, zone or node."""
        found: dict[str, list[Newest]] = defaultdict(list)
        for one in self.newest:
            if (
                one.series.name.partition(".")[0] == metric
                and marks.is_good(one.point.mark)
                and one.point.value is not None
                and self.now - one.point.at <= STALE_SECONDS
            ):
                found[getattr(one.series, by)].append(one)
        return found

    def _is_unmeasured(self, place: str, metric: str) -> bool:
        return (place, metric) in self.unmeasured

    def _of_houses(self) -> list[Finding]:
        air, gas = self._good("air_temperature", "greenhouse"), self._good("co2", "greenhouse")
        found = []
        for house in self.houses:
            warm = [v for one in air.get(house.slug, ()) if (v := one.point.value) is not None]
            breath = [v for one in gas.get(house.slug, ()) if (v := one.point.value) is not None]
            low, high = (min(warm), max(warm)) if warm else (None, None)
            codes = (("cold", low), ("frost", low), ("heat", high), ("scorch", high))
            for code, value in () if self._is_unmeasured(house.slug, "air_temperature") else codes:
                found.append(self._of_house(code, house, value, "°C"))
            if breath or house.slug in gas:
                found.append(self._of_house("co2_low", house, min(breath), "ppm"))
                found.append(self._of_house("co2_high", house, max(breath), "ppm"))
        return found

    def _of_house(self, code: str, house: _House, value: float | None, unit: str) -> Finding:
        return Finding(
            code,
            f"greenhouse:{house.slug}",
            value,
            house.cooperative,
            house.slug,
            house.gateway,
            {"house": house.name, "value": value, "unit": unit},
        )

    def _of_zones(self) -> list[Finding]:
        soil = self._good("soil_moisture", "zone")
        found = []
        for area in self.areas:
            house = self.house_of.get(area.greenhouse)
            if house is None or self._is_unmeasured(area.id, "soil_moisture"):
                continue
            moist = max(soil.get(area.id, ()), key=lambda one: one.point.at, default=None)
            value = None if moist is None else moist.point.value
            low = (area.band or {}).get("low")
            values = {"house": house.name, "zone": area.name, "value": value, "low": low}
            values["waters_itself"] = area.mode in ("band", "balance")
            for code in ("soil_dry", "soil_wet"):
                found.append(
                    Finding(
                        code,
                        f"zone:{area.id}",
                        value,
                        house.cooperative,
                        house.slug,
                        house.gateway,
                        values,
                    )
                )
        return found

    def _of_gateways(self) -> list[Finding]:
        """Wind and tank: one cause for all greenhouses on a cabinet."""
        boxes = {station.eui64: station.gateway for station in self.stations}
        found = []
        for metric, codes in (
            ("wind_speed", ("wind", "gale")),
            ("tank_level", ("tank_low", "tank_empty")),
        ):
            measured: dict[str, list[float]] = defaultdict(list)
            for node, ones in self._good(metric, "node").items():
                measured[boxes.get(node) or ""] += [
                    v for one in ones if (v := one.point.value) is not None
                ]
            for slug, values in measured.items():
                box = self.boxes.get(slug)
                if box is None:
                    continue
                value = max(values) if metric == "wind_speed" else min(values)
                for code in codes:
                    found.append(
                        self._of_box(code, box, value, {"name": box.name, "value": value})
                    )
        return found

    def _stations(self) -> list[Finding]:
        """Which stations of each greenhouse are silent: the gateway's word first."""
        told = {str(b.values.get("node")): b for b in self.bad if b.code == "node_silent"}
        heard: dict[str, int] = {}
        for one in self.newest:
            heard[one.series.node] = max(heard.get(one.series.node, 0), one.point.at)
        by_house: dict[str, list[_Station]] = defaultdict(list)
        for station in self.stations:
            if station.greenhouse:
                by_house[station.greenhouse].append(station)
        found = []
        for slug, stations in by_house.items():
            house = self.house_of.get(slug)
            if house is None:
                continue
            silent = [s for s in stations if self._is_silent(s, told, heard)]
            known = not self._away(house.gateway)
            values = {
                "house": house.name,
                "nodes": sorted(s.slug for s in silent),
                "all": len(silent) == len(stations) and len(stations) > 1,
                "since": min((heard.get(s.eui64) or s.state_at for s in silent), default=None),
            }
            found.append(
                Finding(
                    "node_silent",
                    f"greenhouse:{slug}",
                    float(bool(silent)) if known else None,
                    house.cooperative,
                    slug,
                    house.gateway,
                    values,
                    frozenset(s.eui64 for s in silent),
                )
            )
        return found

    def _is_silent(
        self, station: _Station, told: Mapping[str, _Bad], heard: Mapping[str, int]
    ) -> bool:
        if station.eui64 in told or station.state == "offline":
            return True
        at = heard.get(station.eui64)
        return at is not None and self.now - at > LONG_SILENT_SECONDS

    def _batteries(self) -> list[Finding]:
        stations = {station.eui64: station for station in self.stations}
        found = []
        for node, ones in self._good("battery", "node").items():
            station = stations.get(node)
            box = self.boxes.get(station.gateway or "") if station is not None else None
            if station is None or box is None:
                continue
            volts = min(v for one in ones if (v := one.point.value) is not None)
            low = next(low for top, low in BATTERIES if volts <= top)
            house = self.house_of.get(station.greenhouse or "")
            found.append(
                Finding(
                    "battery_low",
                    f"node:{node}",
                    volts - low,
                    box.cooperative,
                    house.slug if house else None,
                    box.slug,
                    {"node": station.slug, "volts": volts, "house": house.name if house else None},
                )
            )
        return found

    def _alarms(self) -> list[Finding]:
        """What the gateways themselves report, but for silent stations (above)."""
        areas = {area.id: area for area in self.areas}
        names = {area.id: area.name for area in self.areas}
        names |= {station.eui64: station.slug for station in self.stations}
        found: dict[str, Finding] = {}
        for bad in sorted(self.bad, key=lambda one: one.raised_at):
            box = self.boxes.get(bad.gateway)
            if bad.code == "node_silent" or box is None:
                continue
            code = bad.code if bad.code in reasons.ALARMS else "gateway_alarm"
            zone = bad.zone or str(bad.values.get("zone") or "")
            area = areas.get(zone)
            place = f"zone:{zone}" if zone else f"gateway:{bad.gateway}"
            for part in ("device", "node"):
                if part in bad.values:
                    place += f":{bad.values[part]}"
            if code == "gateway_alarm":
                place += f":{bad.code}"
            is_over = bad.code in ONCE and self.now - bad.raised_at > ONCE_SECONDS
            values = {
                "name": box.name,
                "house": self.house_of[area.greenhouse].name
                if area and area.greenhouse in self.house_of
                else None,
                "alarm": bad.code,
                "said": {"zone": zone, **bad.values} if zone else bad.values,
                "names": {k: names[k] for k in _ids(bad.values, zone) if k in names},
            }
            one = Finding(
                code,
                place,
                0.0 if is_over else 1.0,
                box.cooperative,
                area.greenhouse if area else None,
                bad.gateway,
                values,
            )
            before = found.get(one.cause)
            series = frozenset({str(bad.values["metric"])} if "metric" in bad.values else ())
            found[one.cause] = replace(one, parts=series | (before.parts if before else series))
        return list(found.values())


def _ids(values: Mapping[str, Any], zone: str) -> Iterable[str]:
    return [zone, *(str(values[k]) for k in ("zone", "node") if k in values)]


def places(found: Sequence[Finding]) -> set[str]:
    """Return the places that exist."""
    return {one.place for one in found}
