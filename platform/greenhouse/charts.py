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
DAY = 86400
WEEKS_DAYS, FORTNIGHTS_DAYS = 45, 100  # longer pictures are divided by months
MOST_TIMES = 7  # for which a phone has room below a picture
MANY_POINTS = 150  # of which a phone shows no half pixel
FOOT = 7.0  # height of the mark of a day with water


@dataclass(frozen=True)
class Curve:
    """Values over time: (Unix seconds, value).

    ``spread`` has (time, low, high) where a point stands for a whole step, as hours and days do.
    """

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
    parts += plot.water()
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
        low, high = low - 1 if low < 0 else max(0.0, low - 1), high + 1
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
        times = self._times()
        if self.frame.until - self.frame.since > WEEKS_DAYS * DAY:
            foot = HEIGHT - BOTTOM
            lines += "".join(f"M{self.x(at):.1f} {foot:.0f}v4" for at, _ in times)
        parts = [f'<path class="grid" d="{lines}"/>']
        for t, text in self._ticks:
            parts.append(
                f'<text class="up" x="{self.left - 4:.0f}" y="{self.y(t) + 4:.1f}">{text}</text>'
            )
        for at, text in times:
            place, x = "along", self.x(at)
            if x > WIDTH - RIGHT - 12:
                place, x = "along end", WIDTH - RIGHT
            parts.append(f'<text class="{place}" x="{x:.1f}" y="{HEIGHT - 4:.0f}">{text}</text>')
        return parts

    def _times(self) -> list[tuple[int, str]]:
        frame = self.frame
        begin = datetime.datetime.fromtimestamp(frame.since, ZONE)
        days = (frame.until - frame.since) / DAY
        if days <= 1.01:
            return [(frame.since + h * 3600, f"{h}h") for h in (0, 6, 12, 18)] + [
                (frame.until - 1, "24h")
            ]
        if days > WEEKS_DAYS:
            return self._months(begin, days)
        every = 2 if days <= 8 else 7
        return [
            (frame.since + n * DAY, f"{begin + datetime.timedelta(days=n):%d/%m}")
            for n in range(0, int(days), every)
        ]

    def _months(self, begin: datetime.datetime, days: float) -> list[tuple[int, str]]:
        """Choose first days of months, and the fifteenth too while there is room."""
        shown = [begin + datetime.timedelta(days=n) for n in range(int(days))]
        firsts = [
            day for day in shown if day.day in ((1, 15) if days <= FORTNIGHTS_DAYS else (1,))
        ]
        every = -(-len(firsts) // MOST_TIMES)
        return [(int(day.timestamp()), f"{day:%d/%m}") for day in firsts[::every]]

    def band(self, band: tuple[float, float]) -> str:
        top, bottom = self.y(band[1]), self.y(band[0])
        return (
            f'<rect class="band" x="{self.left:.0f}" y="{top:.1f}" '
            f'width="{WIDTH - self.left - RIGHT:.0f}" height="{bottom - top:.1f}"/>'
        )

    def water(self) -> list[str]:
        """Mark when water ran; days with water at the foot, because they are many."""
        if not self.frame.waterings:
            return []
        top = TOP if self.frame.step < DAY else HEIGHT - BOTTOM - FOOT
        tall = HEIGHT - BOTTOM - top
        narrowest = 1.5 if self.frame.step < DAY else 0.7
        path, before = [f"M0 {top:.0f}"], 0
        for begin, end in _joined(self.frame.waterings):
            left = round(self.x(begin) * 10)
            wide = _tenths(round(max(narrowest, self.x(end) - left / 10) * 10))
            path.append(f"m{_tenths(left - before)} 0h{wide}v{tall:.0f}h-{wide}z")
            before = left
        return [f'<path class="water" d="{"".join(path)}"/>']

    def curve(self, curve: Curve, place: int) -> str:
        path = []
        for run in self._runs(curve):
            spots = [(self.x(at), self.y(v)) for at, v in (curve.points[i] for i in run)]
            if len(spots) == 1:
                x, y = spots[0]
                path.append(f"M{x - 0.7:.1f} {y:.1f}h1.4")
            else:
                path.append(_line(spots, self._grain(curve)))
        fine = " fine" if self._grain(curve) > 1 else ""
        return f'<path class="curve c{place % 4}{fine}" d="{"".join(path)}"/>'

    def spread(self, curve: Curve, place: int) -> str:
        path = []
        for run in self._runs(curve):
            some = [curve.spread[i] for i in run]
            half = self.frame.step / 2 if len(some) == 1 else 0  # a single day is seen too
            edges = sorted((at + n, low, high) for at, low, high in some for n in {-half, half})
            over = [(self.x(at), self.y(high)) for at, _, high in edges]
            under = [(self.x(at), self.y(low)) for at, low, _ in reversed(edges)]
            path.append(_line(over + under, self._grain(curve)) + "z")
        return f'<path class="spread c{place % 4}" d="{"".join(path)}"/>'

    def _grain(self, curve: Curve) -> int:
        """Return in how fine steps of tenths heights are told: whole ones of many points."""
        return 10 if len(curve.points) > MANY_POINTS else 1

    def _runs(self, curve: Curve) -> list[range]:
        """Cut the points where readings are missing."""
        times = [at for at, _ in curve.points]
        farthest = _farthest(curve, self.frame.step)
        cuts = [i for i in range(1, len(times)) if times[i] - times[i - 1] > farthest]
        edges = [0, *cuts, len(times)]
        return [range(a, b) for a, b in itertools.pairwise(edges) if b > a]

    def gaps(self, curve: Curve) -> list[str]:
        """Shade the times without readings, up to now."""
        frame = self.frame
        farthest = _farthest(curve, frame.step)
        if not curve.spread:
            farthest = max(farthest, frame.step * 2)
        # A point of a step stands in its middle, a reading where it was taken.
        after = frame.step // 2 if curve.spread else frame.step
        before = frame.step - after
        times = [at for at, _ in curve.points]
        end = min(frame.until, frame.now or frame.until)
        edges = [frame.since - after, *times, end + before]
        return [
            f'<rect class="gap" x="{self.x(a + after):.1f}" y="{TOP:.0f}" '
            f'width="{self.x(b - before) - self.x(a + after):.1f}" '
            f'height="{HEIGHT - TOP - BOTTOM:.1f}"/>'
            for a, b in itertools.pairwise(edges)
            if b - a > farthest and b - before > a + after
        ]


def _line(spots: Sequence[tuple[float, float]], grain: int = 1) -> str:
    """Write a line as short as it can be: tenths, each place told from the one before."""
    x, y = round(spots[0][0] * 10), round(spots[0][1] * 10 / grain) * grain
    path = [f"M{_tenths(x)}{_tenths(y, ' ')}l"]
    for n, spot in enumerate(spots[1:]):
        next_x, next_y = round(spot[0] * 10), round(spot[1] * 10 / grain) * grain
        path.append(_tenths(next_x - x, " " if n else "") + _tenths(next_y - y, " "))
        x, y = next_x, next_y
    return "".join(path)


def _tenths(number_: int, apart: str = "") -> str:
    """Write so many tenths, after ``apart`` where no sign keeps it from what stands before."""
    text = f"{number_ / 10:g}".replace("0.", ".", 1) if abs(number_) < 10 else f"{number_ / 10:g}"
    return text if text.startswith("-") else apart + text


def _joined(times: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Make one of times that touch."""
    made: list[tuple[int, int]] = []
    for begin, end in sorted(times):
        if made and begin <= made[-1][1]:
            made[-1] = (made[-1][0], max(end, made[-1][1]))
        else:
            made.append((begin, end))
    return made


def _farthest(curve: Curve, step: int) -> float:
    """Return how far two points may be apart and still be joined.

    Hours and days that are there stand side by side. A station that measures every hour is not
    full of gaps: its own usual distance counts, up to an hour.
    """
    if curve.spread:
        return 1.2 * step
    apart = sorted(b - a for (a, _), (b, _) in itertools.pairwise(curve.points))
    usual = apart[len(apart) // 2] if apart else step
    return 2.2 * max(step, min(usual, LONGEST_STEP))
