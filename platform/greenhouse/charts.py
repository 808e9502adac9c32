"""Curves as SVG, drawn on the server: no script, no library, about 2 kB a curve.

Pure functions. A time without readings stays empty and is shaded; it is never bridged. Colours
and strokes are in the style sheet, because pages allow no inline style.
"""

import datetime
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from nongso.platform.languages import ZONE, number

# As wide as a phone shows it, so that a letter of 13 units is about 13 pixels there; the style
# sheet keeps wide screens from blowing it up.
WIDTH, HEIGHT = 310.0, 150.0
RIGHT, TOP, BOTTOM = 6.0, 9.0, 20.0
LETTER = 7.6  # width of a digit of the axis
LONGEST_STEP = 3600  # readings further apart than about two hours are never joined


@dataclass(frozen=True)
class Curve:
    """Values over time: (Unix seconds, value). ``spread`` has (time, low, high) for days."""

    name: str
    points: Sequence[tuple[int, float]]
    spread: Sequence[tuple[int, float, float]] = ()


@dataclass(frozen=True)
class Frame:
    """What a chart shows from where to where; ``label`` is read out instead of the picture."""

    since: int
    until: int
    step: int
    label: str
    band: tuple[float, float] | None = None
    waterings: Sequence[tuple[int, int]] = ()
    floor: float | None = None  # the axis does not go below, e.g. 0 lx
    now: int | None = None


def draw(frame: Frame, curves: Sequence[Curve]) -> Markup:
    """Draw curves in one frame; empty text when there is not a single point."""
    values = [v for c in curves for _, v in c.points]
    values += [v for c in curves for _, low, high in c.spread for v in (low, high)]
    if not values:
        return Markup("")
    if frame.band:  # with a margin, so that it is seen to end
        margin = (frame.band[1] - frame.band[0]) / 5
        values += [frame.band[0] - margin, frame.band[1] + margin]
    plot = _Plot(frame, _axis(min(values), max(values), frame.floor))
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" '
        f'aria-label="{escape(frame.label)}">'
    ]
    parts += plot.grid()
    if frame.band:
        parts.append(plot.band(frame.band))
    parts += [plot.watering(begin, end) for begin, end in frame.waterings]
    if len(curves) == 1:
        parts += plot.gaps(curves[0])
    for place, curve in enumerate(curves):
        if curve.spread:
            parts.append(plot.spread(curve, place))
        parts.append(plot.curve(curve, place))
    parts.append("</svg>")
    return Markup("".join(parts))


def _axis(low: float, high: float, floor: float | None) -> list[float]:
    """Choose round limits and about three lines between them."""
    if floor is not None:
        low = min(low, floor)
    if high - low < 1e-9:
        low, high = low - 1, high + 1
    raw = (high - low) / 3
    power = 10.0 ** len(str(int(raw))) / 10 if raw >= 1 else 0.1
    while power > raw:
        power /= 10
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw)
    first = int(low // step)
    last = -int(-high // step)
    return [round(n * step, 6) for n in range(first, last + 1)]


class _Plot:
    """Turns times and values into places on the paper."""

    def __init__(self, frame: Frame, ticks: list[float]) -> None:
        self.frame = frame
        self.low, self.high = ticks[0], ticks[-1]
        decimals = 0 if all(t == int(t) for t in ticks) else 1
        self._ticks = [(t, number(t, decimals)) for t in ticks]
        self.left = 8 + LETTER * max(len(text) for _, text in self._ticks)
        self._wide = (WIDTH - self.left - RIGHT) / (frame.until - frame.since)
        self._tall = (HEIGHT - TOP - BOTTOM) / (self.high - self.low)

    def x(self, at: float) -> float:
        inside = min(max(at, self.frame.since), self.frame.until)
        return self.left + (inside - self.frame.since) * self._wide

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (value - self.low) * self._tall

    def grid(self) -> list[str]:
        lines = "".join(
            f"M{self.left:.0f} {self.y(t):.1f}H{WIDTH - RIGHT:.0f}" for t, _ in self._ticks
        )
        parts = [f'<path class="grid" d="{lines}"/>']
        for t, text in self._ticks:
            parts.append(
                f'<text class="up" x="{self.left - 4:.0f}" y="{self.y(t) + 4:.1f}">{text}</text>'
            )
        for at, text in self._times():
            place, x = "along", self.x(at)
            if x > WIDTH - RIGHT - 12:
                place, x = "along end", WIDTH - RIGHT
            parts.append(f'<text class="{place}" x="{x:.1f}" y="{HEIGHT - 4:.0f}">{text}</text>')
        return parts

    def _times(self) -> list[tuple[int, str]]:
        frame = self.frame
        begin = datetime.datetime.fromtimestamp(frame.since, ZONE)
        days = (frame.until - frame.since) / 86400
        if days <= 1.01:
            return [(frame.since + h * 3600, f"{h}h") for h in (0, 6, 12, 18)] + [
                (frame.until - 1, "24h")
            ]
        every = 2 if days <= 8 else 7
        return [
            (frame.since + n * 86400, f"{begin + datetime.timedelta(days=n):%d/%m}")
            for n in range(0, int(days), every)
        ]

    def band(self, band: tuple[float, float]) -> str:
        top, bottom = self.y(band[1]), self.y(band[0])
        return (
            f'<rect class="band" x="{self.left:.0f}" y="{top:.1f}" '
            f'width="{WIDTH - self.left - RIGHT:.0f}" height="{bottom - top:.1f}"/>'
        )

    def watering(self, begin: int, end: int) -> str:
        left = self.x(begin)
        width = max(1.5, self.x(end) - left)
        return (
            f'<rect class="water" x="{left:.1f}" y="{TOP:.0f}" width="{width:.1f}" '
            f'height="{HEIGHT - TOP - BOTTOM:.1f}"/>'
        )

    def curve(self, curve: Curve, place: int) -> str:
        path = []
        for run in self._runs([p[0] for p in curve.points]):
            spots = [(self.x(at), self.y(v)) for at, v in (curve.points[i] for i in run)]
            if len(spots) == 1:
                x, y = spots[0]
                path.append(f"M{x - 0.7:.1f} {y:.1f}h1.4")
            else:
                path.append("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in spots))
        return f'<path class="curve c{place % 4}" d="{"".join(path)}"/>'

    def spread(self, curve: Curve, place: int) -> str:
        path = []
        for run in self._runs([p[0] for p in curve.spread]):
            some = [curve.spread[i] for i in run]
            over = [f"{self.x(at):.1f} {self.y(high):.1f}" for at, _, high in some]
            under = [f"{self.x(at):.1f} {self.y(low):.1f}" for at, low, _ in reversed(some)]
            path.append("M" + "L".join(over + under) + "Z")
        return f'<path class="spread c{place % 4}" d="{"".join(path)}"/>'

    def _runs(self, times: list[int]) -> list[range]:
        """Cut the points where readings are missing."""
        farthest = _farthest(times, self.frame.step)
        cuts = [i for i in range(1, len(times)) if times[i] - times[i - 1] > farthest]
        edges = [0, *cuts, len(times)]
        return [range(a, b) for a, b in itertools.pairwise(edges) if b > a]

    def gaps(self, curve: Curve) -> list[str]:
        """Shade the times without readings, up to now."""
        times = [p[0] for p in curve.points]
        farthest = _farthest(times, self.frame.step)
        end = min(self.frame.until, self.frame.now or self.frame.until)
        edges = [self.frame.since - self.frame.step, *times, end]
        return [
            f'<rect class="gap" x="{self.x(a + self.frame.step):.1f}" y="{TOP:.0f}" '
            f'width="{self.x(b) - self.x(a + self.frame.step):.1f}" '
            f'height="{HEIGHT - TOP - BOTTOM:.1f}"/>'
            for a, b in itertools.pairwise(edges)
            if b - a > max(farthest, self.frame.step * 2) and b > a + self.frame.step
        ]


def _farthest(times: Sequence[int], step: int) -> float:
    """Return how far two readings may be apart and still be joined.

    A station that measures every hour is not full of gaps: its own usual distance counts, up to
    an hour.
    """
    apart = sorted(b - a for a, b in itertools.pairwise(times))
    usual = apart[len(apart) // 2] if apart else step
    return 2.2 * max(step, min(usual, LONGEST_STEP))
