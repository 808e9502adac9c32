"""How things stand in a greenhouse at this moment: gathered once, for pages and for the API.

Reads records and telemetry and decides nothing; ``condition`` judges what is gathered here.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from nongso.platform.greenhouse.records import (
    Alarm,
    Command,
    Gateway,
    Greenhouse,
    Node,
    Run,
    Zone,
    is_untried,
    was_stopped,
)
from nongso.platform.greenhouse.resting import stop_of
from nongso.platform.telemetry import Series, Telemetry
from nongso.wire import marks
from nongso.wire.metrics import Metric, metric_of

STALE_SECONDS = 900  # three missed readings of a node that measures every five minutes
HEADLINE = ("air_temperature", "soil_moisture", "air_humidity", "light")
SOIL = "soil_moisture"
METER_SECONDS = 60  # a meter's reading so long before a run is where its count begins
AFTERFLOW_SECONDS = 5  # a run whose valve had to lapse gives water so long after its known end


@dataclass(frozen=True)
class Value:
    """The newest reading of a series; ``value`` is ``None`` when the sensor gave no number."""

    name: str
    metric: Metric
    value: float | None
    at: int
    mark: int
    node: str
    zone: str

    @property
    def is_good(self) -> bool:
        """Decisions and summaries may use it."""
        return marks.is_good(self.mark)


@dataclass(frozen=True)
class ZoneNow:
    """A zone with its newest soil moisture and what runs."""

    zone: Zone
    moisture: Value | None
    running: Run | None
    litres: float  # that the running run has let through so far, where the meter can tell
    stop: Command | None = None  # after which it rests, where it does and the stop is known
    is_untried: bool = False  # unlocked after trouble, and no run has ended well since


@dataclass(frozen=True)
class HouseNow:
    """A greenhouse now. ``best`` has one value a metric: the newest good one, if any is fresh."""

    greenhouse: Greenhouse
    gateway: Gateway | None
    at: int
    values: tuple[Value, ...]
    shared: tuple[Value, ...]  # tank and meter of the farm's cabinet
    zones: tuple[ZoneNow, ...]
    alarms: tuple[Alarm, ...]
    names: dict[str, str]
    best: dict[str, Value] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)  # stations that went, and since when

    @property
    def newest_at(self) -> int | None:
        """Time of the newest reading of the greenhouse itself."""
        return max((value.at for value in self.values), default=None)

    @property
    def is_stale(self) -> bool:
        """Nothing was heard for so long that nobody knows how it is."""
        return self.newest_at is None or self.at - self.newest_at > STALE_SECONDS

    @property
    def is_simulated(self) -> bool:
        """Some of the newest readings come from a simulated farm."""
        return any(marks.origin(value.mark) == "simulated" for value in self.values)

    def headline(self) -> list[Value]:
        """Return the values that a card shows; of several soils the driest."""
        shown = dict(self.best)
        soils = [
            z.moisture
            for z in self.zones
            if z.moisture is not None
            and z.moisture.is_good
            and self.at - z.moisture.at <= STALE_SECONDS
        ]
        if soils:
            shown["soil_moisture"] = min(soils, key=lambda v: v.value or 0.0)
        return [shown[name] for name in HEADLINE if name in shown]

    def tank(self) -> Value | None:
        """Return the level of the farm's tank, if it has a good one."""
        return next((v for v in self.shared if v.name == "tank_level" and v.is_good), None)


def gather(
    session: Session, telemetry: Telemetry, houses: Sequence[Greenhouse], now: int
) -> list[HouseNow]:
    """Gather how these greenhouses are, in their order."""
    slugs = [house.slug for house in houses]
    gateways = {g.slug: g for g in session.scalars(select(Gateway))}
    zones = list(
        session.scalars(
            select(Zone)
            .where(Zone.greenhouse.in_(slugs), Zone.gone.is_(False))
            .order_by(Zone.greenhouse, Zone.coil)
        )
    )
    nodes = list(session.scalars(select(Node).order_by(Node.slug, Node.eui64)))
    known = {node.eui64: node for node in nodes}
    alarms = list(
        session.scalars(
            select(Alarm)
            .where(Alarm.cleared_at.is_(None))
            .order_by(Alarm.raised_at.desc(), Alarm.id)
        )
    )
    shared: dict[str, tuple[Value, ...]] = {}
    found = []
    for house in houses:
        gateway = gateways.get(house.gateway or "")
        own = [zone for zone in zones if zone.greenhouse == house.slug]
        if gateway is not None and gateway.slug not in shared:
            shared[gateway.slug] = _shared_values(telemetry, gateway, nodes)
        series = telemetry.series(greenhouse=house.slug)
        own_series = {n: one for n, one in series.items() if _tells_of_now(known, one)}
        values = tuple(values_of(telemetry, own_series, nodes))
        found.append(
            HouseNow(
                greenhouse=house,
                gateway=gateway,
                at=now,
                values=values,
                shared=shared.get(house.gateway or "", ()),
                zones=tuple(_zone_now(session, telemetry, zone, values, now) for zone in own),
                alarms=tuple(a for a in alarms if _concerns(a, house, own)),
                names={z.id: z.name for z in own} | {n.eui64: n.slug for n in nodes},
                best=_best(values, now),
                lost={
                    n.slug: max((v.at for v in values if v.node == n.slug), default=n.state_at)
                    for n in nodes
                    if n.greenhouse == house.slug
                    and n.gateway is not None
                    and n.state == "offline"
                },
            )
        )
    return found


def values_of(telemetry: Telemetry, series: dict[int, Series], nodes: list[Node]) -> list[Value]:
    """Return the newest value of each series, with its station's name where one is listed."""
    slugs = {node.eui64: node.slug for node in nodes}
    latest = telemetry.latest(series)
    found = []
    for number, point in latest.items():
        one = series[number]
        metric = metric_of(one.name)
        if metric is None:
            continue
        found.append(
            Value(
                name=one.name,
                metric=metric,
                value=point.value if math.isfinite(point.value or 0.0) else None,
                at=point.at,
                mark=point.mark,
                node=slugs.get(one.node, one.node),
                zone=one.zone,
            )
        )
    return found


def values_at_place(telemetry: Telemetry, node: Node) -> list[Value]:
    """Return a station's newest values where it stands now, not those of a place before."""
    series = telemetry.series(node=node.eui64)
    at = (node.gateway, node.greenhouse, node.zone)
    here = {n: one for n, one in series.items() if stands_there(*at, one)}
    return values_of(telemetry, here, [node])


def may_have_probe(session: Session, telemetry: Telemetry, zone: Zone) -> bool:
    """Say whether a station may measure this zone's soil; one that was never heard may."""
    nodes = session.scalars(
        select(Node).where(Node.zone == zone.id, Node.gateway == zone.gateway)
    ).all()
    for node in nodes:
        if node.is_out:
            continue
        names = {one.name for one in telemetry.series(node=node.eui64).values()}
        metrics = [metric_of(name) for name in names]
        if not names or any(one is not None and one.name == SOIL for one in metrics):
            return True
    return False


def stands_there(
    gateway: str | None, greenhouse: str | None, zone: str | None, series: Series
) -> bool:
    """Say whether a station that a gateway knows still measures where this was measured."""
    place = (greenhouse or "", zone or "")
    return gateway is None or (series.greenhouse, series.zone) == place


def _tells_of_now(known: Mapping[str, Node], series: Series) -> bool:
    """Say whether the newest of a series says something of now; past readings have no station."""
    node = known.get(series.node)
    if node is None:
        return True
    return not node.is_out and stands_there(node.gateway, node.greenhouse, node.zone, series)


def _shared_values(telemetry: Telemetry, gateway: Gateway, nodes: list[Node]) -> tuple[Value, ...]:
    return tuple(
        value
        for node in nodes
        if node.gateway == gateway.slug and node.greenhouse is None
        for value in values_of(telemetry, telemetry.series(node=node.eui64), nodes)
    )


def _best(values: tuple[Value, ...], now: int) -> dict[str, Value]:
    """Choose one value a metric: good before suspect while fresh, then the newest."""
    best: dict[str, Value] = {}
    for value in values:
        kept = best.get(value.metric.name)
        if kept is None or _rank(value, now) > _rank(kept, now):
            best[value.metric.name] = value
    return best


def _rank(value: Value, now: int) -> tuple[bool, int]:
    return (value.is_good and now - value.at <= STALE_SECONDS, value.at)


def _zone_now(
    session: Session, telemetry: Telemetry, zone: Zone, values: tuple[Value, ...], now: int
) -> ZoneNow:
    moist = [v for v in values if v.zone == zone.id and v.metric.name == "soil_moisture"]
    run = session.scalar(
        select(Run).where(Run.zone == zone.id).order_by(Run.started_at.desc()).limit(1)
    )
    if run is not None and (
        run.ended_at is not None
        or run.is_end_unknown(now)  # it cannot last longer than was ordered
        or was_stopped(session, run)
    ):
        run = None
    return ZoneNow(
        zone=zone,
        moisture=max(moist, key=lambda v: _rank(v, now), default=None),
        running=run,
        litres=0.0 if run is None else _litres(session, telemetry, run, now),
        stop=stop_of(session, zone),
        is_untried=is_untried(session, zone),
    )


def _litres(session: Session, telemetry: Telemetry, run: Run, now: int) -> float:
    """Read the farm's meter since the run began; 0 while it cannot tell.

    Counting begins after the run before it, of any zone on this meter, so that its water is not
    counted again. The meter has no opinion on a run that shares its time with another one.
    """
    others = session.scalar(
        select(Run.id)
        .where(Run.gateway == run.gateway, Run.id != run.id, Run.state != "refused")
        .where(or_(Run.ended_at.is_(None), Run.ended_at > run.started_at))
        .where(Run.started_at > now - 7200)
        .limit(1)
    )
    if others is not None:
        return 0.0
    before = session.scalar(
        select(func.max(Run.ended_at))
        .where(Run.gateway == run.gateway, Run.id != run.id, Run.state != "refused")
        .where(Run.ended_at <= run.started_at)
    )
    since = max(run.started_at - METER_SECONDS, (before or 0) + AFTERFLOW_SECONDS)
    meters = session.scalars(
        select(Node.eui64).where(Node.gateway == run.gateway, Node.greenhouse.is_(None))
    )
    totals = [
        point.value
        for meter in meters
        for number, one in telemetry.series(node=meter).items()
        if one.name == "water_total"
        for point in telemetry.points([number], min(since, run.started_at), now + 1)
        if marks.is_good(point.mark) and point.value is not None
    ]
    return max(0.0, totals[-1] - totals[0]) if len(totals) > 1 else 0.0


def _concerns(alarm: Alarm, house: Greenhouse, zones: list[Zone]) -> bool:
    """An alarm of a zone is that greenhouse's; one of the cabinet is everybody's on it."""
    zone = alarm.zone or str(alarm.values.get("zone") or "")
    if zone:
        return zone in {z.id for z in zones}
    return alarm.gateway == house.gateway
