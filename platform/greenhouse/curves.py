"""Chooses what the curves of a greenhouse show of each metric in a period."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from nongso.platform.greenhouse.charts import Curve, Frame, draw
from nongso.platform.greenhouse.period import Period
from nongso.platform.greenhouse.records import RECKONED, Zone
from nongso.platform.greenhouse.sentences import metric_word
from nongso.platform.languages import _, quantity
from nongso.platform.telemetry import DAY, HOUR, Series, Telemetry
from nongso.wire.metrics import METRICS, Metric, metric_of

# What is drawn, in this order; what else is measured follows.
FIRST = ("air_temperature", "soil_moisture", "air_humidity", "light")
# Counters only rise, and what the mains do is for the technician.
NEVER = (
    *("water_total", "water_flow", "tank_level", "battery", "rain_total", "wind_direction"),
    *("door_open", "voltage", "current", "power", "energy_total", "frequency", "power_factor"),
)
ONE_A_ZONE = (
    *("soil_moisture", "soil_temperature", "soil_ec", "soil_ph"),
    *("soil_nitrogen", "soil_phosphorus", "soil_potassium"),
)


@dataclass(frozen=True)
class Chart:
    """A picture with its title, its extremes as a sentence, and what its key names.

    ``water`` says what the marks of water mean; empty where there are none.
    """

    metric: str
    title: str
    extremes: str
    picture: Markup
    names: tuple[str, ...]
    water: str
    has_band: bool


def charts(
    telemetry: Telemetry,
    greenhouse: str,
    zones: Sequence[Zone],
    waterings: Sequence[tuple[int, int]],
    period: Period,
    now: int,
    only: str | None = None,
    names: Mapping[str, str] | None = None,
) -> list[Chart]:
    """Draw every metric that has readings in these days, or only one.

    ``waterings`` are those of the period: from and to. ``names`` are the stations' by their
    boards' numbers: what two boards have measured under one name is one curve.
    """
    series = telemetry.series(greenhouse=greenhouse)
    measured = {one.name.partition(".")[0] for one in series.values()}
    order = [m for m in FIRST if m in measured]
    order += [m for m in METRICS if m in measured and m not in (*FIRST, *NEVER)]
    order = [m for m in order if only in (None, m)]
    window = _Window(telemetry, period, now, tuple(zones), tuple(waterings), names or {})
    made = [window.chart(METRICS[metric], series) for metric in order]
    return [chart for chart in made if chart is not None]


@dataclass(frozen=True)
class _Window:
    """The time that all charts of a page share."""

    telemetry: Telemetry
    period: Period
    now: int
    zones: tuple[Zone, ...]
    waterings: tuple[tuple[int, int], ...]
    names: Mapping[str, str]

    def chart(self, metric: Metric, series: dict[int, Series]) -> Chart | None:
        groups: dict[str, list[int]] = {}
        for number, one in series.items():
            if metric_of(one.name) == metric:
                groups.setdefault(self._group(metric, one), []).append(number)
        curves = [c for name, of in sorted(groups.items()) if (c := self._curve(name, of)).points]
        if not curves:
            return None
        lows = [low for c in curves for _, low, _high in c.spread]
        highs = [high for c in curves for _, _low, high in c.spread]
        if not lows:
            lows, highs = self._of_single_readings([n for of in groups.values() for n in of])
        title = metric_word(metric.name)
        extremes = _(
            "thấp nhất %(low)s, cao nhất %(high)s",
            low=quantity(min(lows), metric.unit, _decimals(metric)),
            high=quantity(max(highs), metric.unit, _decimals(metric)),
        )
        is_soil = metric.name == "soil_moisture"
        frame = Frame(
            since=self.period.since,
            until=self.period.until,
            step=self.period.step,
            label=f"{title}: {extremes}",
            band=self._band() if is_soil else None,
            waterings=self.waterings if is_soil else (),
            floor=0 if metric.name in ("light", "par", "solar_radiation") else None,
            now=self.now,
        )
        return Chart(
            metric=metric.name,
            title=title,
            extremes=extremes,
            picture=draw(frame, curves),
            names=tuple(c.name for c in curves) if len(curves) > 1 else (),
            water=self._water_word() if frame.waterings else "",
            has_band=frame.band is not None,
        )

    def _of_single_readings(self, series: list[int]) -> tuple[list[float], list[float]]:
        """Lowest and highest reading of each hour, where the curve is of means.

        A mean of steps and stations would call lowest what a page shows as undercut right now.
        """
        since, until = self.period.since, self.period.until
        found = self.telemetry.summaries(series, since, until, HOUR)
        lows = [one.low for one in found if one.low is not None]
        return lows, [one.high for one in found if one.high is not None]

    def _water_word(self) -> str:
        return _("lúc tưới") if self.period.step < DAY else _("ngày có tưới")

    def _group(self, metric: Metric, one: Series) -> str:
        """Soil is drawn a curve a zone, air as the mean of all stations."""
        if metric.name not in ONE_A_ZONE:
            return ""
        names = {zone.id: zone.name for zone in self.zones}
        return names.get(one.zone) or self.names.get(one.node, one.node)

    def _curve(self, name: str, series: list[int]) -> Curve:
        since, until, step = self.period.since, self.period.until, self.period.step
        if step < HOUR:
            points = self.telemetry.steps(series, since, until, step)
            return Curve(name, [(p.at, p.value) for p in points if p.value is not None])
        found = [
            s
            for s in self.telemetry.summaries(series, since, until, step)
            if s.low is not None and s.mean is not None and s.high is not None
        ]
        middle = step // 2
        return Curve(
            name,
            [(s.since + middle, s.mean or 0.0) for s in found],
            [(s.since + middle, s.low or 0.0, s.high or 0.0) for s in found],
        )

    def _band(self) -> tuple[float, float] | None:
        """Return the moisture band, if all zones share one and go by it."""
        if any(z.mode in RECKONED for z in self.zones):
            return None
        bands = {
            (float(z.band["low"]), float(z.band["high"]))
            for z in self.zones
            if z.band and "low" in z.band and "high" in z.band
        }
        return bands.pop() if len(bands) == 1 else None


def _decimals(metric: Metric) -> int:
    return 1 if metric.unit == "°C" else min(metric.decimals, 1)
