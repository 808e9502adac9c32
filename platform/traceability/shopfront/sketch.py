"""A sketch of where things are, drawn from their points alone. Values in, values out.

North is up, distances are true, and there is nothing on it that is not ours: no tiles, no foreign
host, no border. Points come as fine as their owners agreed to (a plot to a hundred metres). Not
here: words, and who may be shown.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, EDGE = 320.0, 200.0, 26.0
METRES_A_DEGREE = 111_320.0
LEAST_SPAN_METRES = 1_000.0  # one point alone, or two doors next to each other
BAR_METRES = (100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000)


@dataclass(frozen=True)
class Point:
    """Something with a place. ``kind`` chooses its sign: ``grown`` or ``open``."""

    kind: str
    name: str
    latitude: float
    longitude: float
    address: str = ""  # of its page


@dataclass(frozen=True)
class Dot:
    """A point on the paper, with the number by which the list below tells what it is."""

    point: Point
    number: int
    x: float
    y: float


@dataclass(frozen=True)
class Sketch:
    """What is to be drawn: the dots, and the bar of so many metres."""

    dots: tuple[Dot, ...]
    bar_metres: int
    bar_width: float
    width: float = WIDTH
    height: float = HEIGHT


def draw(points: Sequence[Point]) -> Sketch | None:
    """Lay the points out; ``None`` where there is none."""
    if not points:
        return None
    north = (min(p.latitude for p in points) + max(p.latitude for p in points)) / 2
    east = (min(p.longitude for p in points) + max(p.longitude for p in points)) / 2
    across = METRES_A_DEGREE * math.cos(math.radians(north))
    placed = [
        ((p.longitude - east) * across, (p.latitude - north) * METRES_A_DEGREE) for p in points
    ]
    wide = max(2 * max(abs(x) for x, _y in placed), LEAST_SPAN_METRES)
    high = max(2 * max(abs(y) for _x, y in placed), LEAST_SPAN_METRES)
    scale = min((WIDTH - 2 * EDGE) / wide, (HEIGHT - 2 * EDGE) / high)  # of paper a metre
    bar = max((m for m in BAR_METRES if m * scale <= WIDTH / 3), default=BAR_METRES[0])
    dots = tuple(
        Dot(point, number, WIDTH / 2 + x * scale, HEIGHT / 2 - y * scale)
        for number, (point, (x, y)) in enumerate(zip(points, placed, strict=True), 1)
    )
    return Sketch(dots, bar, bar * scale)
