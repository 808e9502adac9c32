"""Shapes of SVG as straight lines and curves: what ``drawing`` draws.

A path's commands become absolute, arcs and quadratic curves become cubic ones; circles and
rounded corners are four curves.
"""

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping

from nongso.labels.errors import BadLogo

NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
MOST = 1e6
_FLAG = re.compile("[01]")
_BETWEEN = frozenset(" ,\t\r\n")
_TAKES = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7, "Z": 0}
_CIRCLE = 4 / 3 * (math.sqrt(2) - 1)  # a quarter of a circle as a curve
_THIN = 1e-6

Step = tuple[str, tuple[float, ...]]  # M, L, C or Z with its points


def checked(number: float) -> float:
    """The same number. Raises ``BadLogo`` where no drawing has such a one."""
    if not abs(number) <= MOST:
        raise BadLogo(f"{number:g} is no length of a drawing", "unreadable")
    return number


def numbers(text: str) -> list[float]:
    """A list of numbers. Raises ``BadLogo``."""
    if NUMBER.sub("", text).strip(" ,\t\r\n"):
        raise BadLogo(f"{text[:30]!r} is no list of numbers", "unreadable")
    return [checked(float(one)) for one in NUMBER.findall(text)]


def length(element: ET.Element, name: str, without: float = 0.0) -> float:
    """A length in the drawing's own unit. Raises ``BadLogo``."""
    text = element.get(name)
    if text is None:
        return without
    found = numbers(text.strip().removesuffix("px"))
    if len(found) != 1:
        raise BadLogo(f"{name} is {text[:30]!r}", "unreadable")
    return found[0]


def _rectangle(element: ET.Element) -> Iterator[Step]:
    x, y, width, height = (length(element, one) for one in ("x", "y", "width", "height"))
    if min(width, height) <= 0:
        return
    rx = length(element, "rx", length(element, "ry"))
    ry = length(element, "ry", rx)
    rx, ry = min(rx, width / 2), min(ry, height / 2)
    if min(rx, ry) <= 0:
        yield from _closed([x, y, x + width, y, x + width, y + height, x, y + height])
        return
    right, below, kx, ky = x + width, y + height, rx * (1 - _CIRCLE), ry * (1 - _CIRCLE)
    yield "M", (x + rx, y)
    yield "L", (right - rx, y)
    yield "C", (right - kx, y, right, y + ky, right, y + ry)
    yield "L", (right, below - ry)
    yield "C", (right, below - ky, right - kx, below, right - rx, below)
    yield "L", (x + rx, below)
    yield "C", (x + kx, below, x, below - ky, x, below - ry)
    yield "L", (x, y + ry)
    yield "C", (x, y + ky, x + kx, y, x + rx, y)
    yield "Z", ()


def _ellipse(element: ET.Element) -> Iterator[Step]:
    x, y, r = (length(element, one) for one in ("cx", "cy", "r"))
    rx, ry = length(element, "rx", r), length(element, "ry", r)
    if min(rx, ry) <= 0:
        return
    kx, ky = rx * _CIRCLE, ry * _CIRCLE
    yield "M", (x + rx, y)
    yield "C", (x + rx, y + ky, x + kx, y + ry, x, y + ry)
    yield "C", (x - kx, y + ry, x - rx, y + ky, x - rx, y)
    yield "C", (x - rx, y - ky, x - kx, y - ry, x, y - ry)
    yield "C", (x + kx, y - ry, x + rx, y - ky, x + rx, y)
    yield "Z", ()


def _straight(element: ET.Element) -> Iterator[Step]:
    x, y, right, below = (length(element, one) for one in ("x1", "y1", "x2", "y2"))
    yield "M", (x, y)
    yield "L", (right, below)


def _open(points: list[float]) -> Iterator[Step]:
    if len(points) % 2:
        raise BadLogo("a polygon has half a point", "unreadable")
    for at in range(0, len(points), 2):
        yield "L" if at else "M", (points[at], points[at + 1])


def _closed(points: list[float]) -> Iterator[Step]:
    yield from _open(points)
    if points:
        yield "Z", ()


def _path(element: ET.Element) -> Iterator[Step]:
    """A path in absolute lines and curves."""
    x = y = begin_x = begin_y = 0.0
    back: tuple[str, float, float] = ("", 0.0, 0.0)  # the last curve's kind and second handle
    for number, (letter, given) in enumerate(_commands(element.get("d", ""))):
        if not number and letter not in "Mm":
            raise BadLogo("a path begins without a place", "unreadable")
        dx, dy = (x, y) if letter.islower() else (0.0, 0.0)
        match letter.upper():
            case "Z":
                x, y, back = begin_x, begin_y, ("", 0, 0)
                yield "Z", ()
                continue
            case "H":
                ends = [given[0] + dx, y]
            case "V":
                ends = [x, given[0] + dy]
            case "A":
                ends = [given[5] + dx, given[6] + dy]
            case _:
                ends = [one + (dy if at % 2 else dx) for at, one in enumerate(given)]
        kind, before, back = letter.upper(), back, ("", 0, 0)
        match kind:
            case "M":
                begin_x, begin_y = ends
                yield "M", (ends[0], ends[1])
            case "L" | "H" | "V":
                yield "L", (ends[0], ends[1])
            case "C" | "S":
                if kind == "S":
                    mirrored = before[0] == "C"
                    hx, hy = (2 * x - before[1], 2 * y - before[2]) if mirrored else (x, y)
                    ends = [hx, hy, *ends]
                back = ("C", ends[2], ends[3])
                yield "C", tuple(ends)
            case "Q" | "T":
                if kind == "T":
                    mirrored = before[0] == "Q"
                    hx, hy = (2 * x - before[1], 2 * y - before[2]) if mirrored else (x, y)
                    ends = [hx, hy, *ends]
                hx, hy, to_x, to_y = ends
                back = ("Q", hx, hy)
                yield (
                    "C",
                    (
                        x + (hx - x) * 2 / 3,
                        y + (hy - y) * 2 / 3,
                        to_x + (hx - to_x) * 2 / 3,
                        to_y + (hy - to_y) * 2 / 3,
                        to_x,
                        to_y,
                    ),
                )
            case _:
                yield from _arc(x, y, given, ends[0], ends[1])
        x, y = ends[-2:]


def _commands(text: str) -> Iterator[tuple[str, list[float]]]:
    """The commands of a path one by one, each with its own numbers."""
    letter, given, at = "", list[float](), 0
    while at < len(text):
        one = text[at]
        if one in _BETWEEN:
            at += 1
        elif one.upper() in _TAKES:
            if given:
                break
            letter, at = one, at + 1
            if letter in "Zz":
                yield letter, []
        elif letter in ("", "Z", "z"):
            raise BadLogo(f"a path holds {one!r} without a command", "unreadable")
        else:
            # The two flags of an arc may stand right before the next number: a1 1 0 01.5 0.
            is_flag = letter in "Aa" and len(given) in (3, 4)
            found = (_FLAG if is_flag else NUMBER).match(text, at)
            if found is None:
                raise BadLogo(f"a path holds {one!r}", "unreadable")
            given.append(checked(float(found[0])))
            at = found.end()
            if len(given) == _TAKES[letter.upper()]:
                yield letter, given
                given, letter = [], {"M": "L", "m": "l"}.get(letter, letter)
    if given:
        raise BadLogo(f"a path breaks off after {letter}", "unreadable")


def _arc(x: float, y: float, given: list[float], to_x: float, to_y: float) -> Iterator[Step]:
    """A part of an ellipse as curves of at most a quarter (SVG 2, appendix B.2.4)."""
    rx, ry, turned, large, sweep = abs(given[0]), abs(given[1]), given[2], given[3], given[4]
    if (x, y) == (to_x, to_y):
        return
    if min(rx, ry) < _THIN:
        yield "L", (to_x, to_y)
        return
    turn = math.radians(turned)
    cos, sin = math.cos(turn), math.sin(turn)
    half_x, half_y = (x - to_x) / 2, (y - to_y) / 2
    px, py = cos * half_x + sin * half_y, cos * half_y - sin * half_x
    stretch = (px / rx) ** 2 + (py / ry) ** 2
    if stretch > 1:
        rx, ry = rx * math.sqrt(stretch), ry * math.sqrt(stretch)
    under = (rx * py) ** 2 + (ry * px) ** 2
    root = math.sqrt(max(0.0, (rx * ry) ** 2 - under) / under) if under else 0.0
    root = -root if bool(large) == bool(sweep) else root
    mx, my = root * rx * py / ry, -root * ry * px / rx
    begin = math.atan2((py - my) / ry, (px - mx) / rx)
    end = math.atan2((-py - my) / ry, (-px - mx) / rx)
    round_ = end - begin
    if sweep and round_ < 0:
        round_ += 2 * math.pi
    if not sweep and round_ > 0:
        round_ -= 2 * math.pi
    centre_x = cos * mx - sin * my + (x + to_x) / 2
    centre_y = sin * mx + cos * my + (y + to_y) / 2
    parts = max(1, math.ceil(abs(round_) / (math.pi / 2) - 1e-9))
    each = round_ / parts
    handle = 4 / 3 * math.tan(each / 4)

    def point(ux: float, uy: float) -> tuple[float, float]:
        return centre_x + cos * rx * ux - sin * ry * uy, centre_y + sin * rx * ux + cos * ry * uy

    for part in range(parts):
        a, b = begin + part * each, begin + (part + 1) * each
        first = point(math.cos(a) - handle * math.sin(a), math.sin(a) + handle * math.cos(a))
        second = point(math.cos(b) + handle * math.sin(b), math.sin(b) - handle * math.cos(b))
        last = (to_x, to_y) if part == parts - 1 else point(math.cos(b), math.sin(b))
        yield "C", (*first, *second, *last)


SHAPES: Mapping[str, Callable[[ET.Element], Iterator[Step]]] = {
    "path": _path,
    "rect": _rectangle,
    "circle": _ellipse,
    "ellipse": _ellipse,
    "line": _straight,
    "polyline": lambda element: _open(numbers(element.get("points", ""))),
    "polygon": lambda element: _closed(numbers(element.get("points", ""))),
}
