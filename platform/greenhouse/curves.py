"""Chooses what the curves of a greenhouse show: a day, a week or a month of each metric."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from nongso.platform.greenhouse.charts import Curve, Frame, draw
from nongso.platform.greenhouse.records import Run, Zone
from nongso.platform.greenhouse.sentences import metric_word
from nongso.platform.languages import ZONE, _, quantity
from nongso.platform.telemetry import Series, Telemetry
from nongso.wire.metrics import METRICS, Metric, metric_of

DAY = 86400
STEPS = {1: 600, 7: 3 * 3600, 30: DAY}
# What is drawn, in this order; what else is measured follows.
FIRST = ("air_temperature", "soil_moisture", "air_humidity", "light")
NEVER = ("water_total", "water_flow", "tank_level", "battery")
ONE_A_ZONE = ("soil_moisture", "soil_temperature", "soil_ec", "soil_ph")


@dataclass(frozen=True)
class Chart:
    """A picture with its title, its extremes as a sentence, and what its key names."""

    metric: str
    title: str
    extremes: str
    picture: Markup
    names: tuple[str, ...]
    has_water: bool
    has_band: bool


def day_begins(day: datetime.date) -> int:
    """Return the Unix time of local midnight."""
    return int(datetime.datetime.combine(day, datetime.time(), ZONE).timestamp())


def charts(
    telemetry: Telemetry,
    greenhouse: str,
    zones: Sequence[Zone],
    runs: Sequence[Run],
    last_day: datetime.date,
    days: int,
    now: int,
    only: str | None = None,
) -> list[Chart]:
    """Draw every metric that has readings in these days, or only one."""
    until = day_begins(last_day) + DAY
    since = until - days * DAY
    series = telemetry.series(greenhouse=greenhouse)
    measured = {one.name.partition(".")[0] for one in series.values()}
    order = [m for m in FIRST if m in measured]
    order += [m for m in METRICS if m in measured and m not in (*FIRST, *NEVER)]
    order = [m for m in order if only in (None, m)]
    window = _Window(telemetry, since, until, STEPS[days], now, tuple(zones), tuple(runs))
    made = [window.chart(METRICS[metric], series) for metric in order]
    return [chart for chart in made if chart is not None]


@dataclass(frozen=True)
class _Window:
    """The time that all charts of a page share."""

    telemetry: Telemetry
    since: int
    until: int
    step: int
    now: int
    zones: tuple[Zone, ...]
    runs: tuple[Run, ...]

    def chart(self, metric: Metric, series: dict[int, Series]) -> Chart | None:
        groups: dict[str, list[int]] = {}
        for number, one in series.items():
            if metric_of(one.name) == metric:
                groups.setdefault(self._group(metric, one), []).append(number)
        curves = [c for name, of in sorted(groups.items()) if (c := self._curve(name, of)).points]
        if not curves:
            return None
        lows = [low for c in curves for _, low, _high in c.spread] or [
            v for c in curves for _, v in c.points
        ]
        highs = [high for c in curves for _, _low, high in c.spread] or lows
        title = metric_word(metric.name)
        extremes = _(
            "thấp nhất %(low)s, cao nhất %(high)s",
            low=quantity(min(lows), metric.unit, _decimals(metric)),
            high=quantity(max(highs), metric.unit, _decimals(metric)),
        )
        is_soil = metric.name == "soil_moisture"
        frame = Frame(
            since=self.since,
            until=self.until,
            step=self.step,
            label=f"{title}: {extremes}",
            band=self._band() if is_soil else None,
            waterings=self._waterings() if is_soil and self.step < DAY else (),
            floor=0 if metric.name in ("light", "par", "solar_radiation") else None,
            now=self.now,
        )
        return Chart(
            metric=metric.name,
            title=title,
            extremes=extremes,
            picture=draw(frame, curves),
            names=tuple(c.name for c in curves) if len(curves) > 1 else (),
            has_water=bool(frame.waterings),
            has_band=frame.band is not None,
        )

    def _group(self, metric: Metric, one: Series) -> str:
        """Soil is drawn a curve a zone, air as the mean of all stations."""
        if metric.name not in ONE_A_ZONE:
            return ""
        names = {zone.id: zone.name for zone in self.zones}
        return names.get(one.zone) or one.node

    def _curve(self, name: str, series: list[int]) -> Curve:
        if self.step < 3600:
            points = self.telemetry.steps(series, self.since, self.until, self.step)
            return Curve(name, [(p.at, p.value) for p in points if p.value is not None])
        found = [
            s
            for s in self.telemetry.summaries(series, self.since, self.until, self.step)
            if s.low is not None and s.mean is not None and s.high is not None
        ]
        middle = self.step // 2
        return Curve(
            name,
            [(s.since + middle, s.mean or 0.0) for s in found],
            [(s.since + middle, s.low or 0.0, s.high or 0.0) for s in found],
        )

    def _band(self) -> tuple[float, float] | None:
        """Return the moisture band, if all zones share one."""
        bands = {
            (float(z.band["low"]), float(z.band["high"]))
            for z in self.zones
            if z.band and "low" in z.band and "high" in z.band
        }
        return bands.pop() if len(bands) == 1 else None

    def _waterings(self) -> list[tuple[int, int]]:
        return [
            (run.started_at, run.ended_at or min(self.now, run.started_at + run.ordered_seconds))
            for run in self.runs
            if run.state != "refused"
        ]


def _decimals(metric: Metric) -> int:
    return 1 if metric.unit == "°C" else min(metric.decimals, 1)
