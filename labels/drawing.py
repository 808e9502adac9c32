"""Drawings of lines and surfaces, read from SVG: a logo that stays sharp at any size.

How this works. Of SVG only what has a shape is taken: paths, rectangles, circles, ellipses, lines
and polygons, in groups, moved and turned. Everything becomes straight lines and curves in the
drawing's own corner, black or white: labels are printed in one colour. What is darker than the
middle between the darkest and the lightest surface is black, as in a photograph of full contrast.

What could reach out of the file, run, or look different elsewhere is refused with its name:
letters (they need a font), pictures, scripts, styles for the whole file, references to other
parts, colour gradients, masks, half transparency. Entities are refused before anything is read.
"""

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from nongso.labels.errors import BadLogo
from nongso.labels.raster import check_proportions, shade
from nongso.labels.svgshapes import MOST, SHAPES, Step, length, numbers

MOST_BYTES = 256 * 1024
MOST_POINTS = 20_000
_DEPTH = 30
_LEAST = 1e-4  # of a side or a line: what is written down has four places
_SVG = "{http://www.w3.org/2000/svg}"
_UNSEEN = frozenset({"title", "desc", "metadata", "defs"})  # what is never drawn by itself
_REFUSED = (
    *("clip-path", "mask", "filter", "stroke-dasharray"),
    *("marker", "marker-start", "marker-mid", "marker-end"),
)
_LONGEST = 4000  # letters of an attribute that holds no points
_POINTS = frozenset({"d", "points"})
_MOVE = re.compile(r"\s*(matrix|translate|scale|rotate|skewX|skewY)\s*\(([^()]*)\)[\s,]*")
_CAPS = {"butt": 0, "round": 1, "square": 2}
_JOINS = {"miter": 0, "round": 1, "bevel": 2}

Matrix = tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class Shape:
    """A surface or a line: its steps, and how it is painted."""

    steps: tuple[Step, ...]
    black: bool
    even_odd: bool = False
    line: float | None = None  # its width; ``None`` for a surface
    cap: int = 0
    join: int = 0


@dataclass(frozen=True)
class Drawing:
    """Shapes in a rectangle that begins at the upper left corner, painted one over the other."""

    width: float
    height: float
    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class _Paint:
    """What a group hands down to what is in it."""

    fill: str = "black"
    stroke: str = "none"
    width: float = 1.0
    rule: str = "nonzero"
    cap: str = "butt"
    join: str = "miter"


@dataclass(frozen=True)
class _Painted:
    """A shape whose shade is not yet black or white."""

    steps: tuple[Step, ...]
    shade: int
    even_odd: bool = False
    line: float | None = None
    cap: int = 0
    join: int = 0


def read(body: bytes) -> Drawing:
    """Read a drawing. Raises ``BadLogo``, which says what is in the way."""
    if len(body) > MOST_BYTES:
        raise BadLogo(f"the drawing is larger than {MOST_BYTES >> 10} kB", "large")
    try:
        text = body.decode("utf-8-sig")
        if "<!ENTITY" in text:
            raise _held("!ENTITY")
        root = ET.fromstring(text)
    except (ET.ParseError, UnicodeDecodeError, ValueError) as e:
        raise BadLogo("the file is no drawing (SVG in UTF-8)", "unreadable") from e
    if root.tag != f"{_SVG}svg":
        raise BadLogo("the file is no drawing (SVG)", "unreadable")
    left, top, width, height = _window(root)
    painted = list(_painted(root, (1, 0, 0, 1, -left, -top), _Paint(), 0))
    if sum(len(one.steps) for one in painted) > MOST_POINTS:
        raise BadLogo(f"the drawing has more than {MOST_POINTS} points", "intricate")
    shades = [one.shade for one in painted]
    half = (min(shades, default=255) + 255) / 2
    shapes = tuple(
        Shape(one.steps, one.shade < half, one.even_odd, one.line, one.cap, one.join)
        for one in painted
    )
    if not any(one.black for one in shapes):
        raise BadLogo("nothing in the drawing is darker than paper", "empty")
    return Drawing(width, height, shapes)


def write(drawing: Drawing) -> bytes:
    """Write a drawing as SVG with nothing in it but its shapes; ``read`` gives it back."""
    size = f"{drawing.width:.4f} {drawing.height:.4f}"
    drawn = "".join(map(svg, drawing.shapes))
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}">{drawn}</svg>'.encode()


def svg(shape: Shape) -> str:
    """A shape as an element of SVG."""
    way = "".join(
        letter + " ".join(f"{number:.4f}" for number in points) for letter, points in shape.steps
    )
    colour = "#000" if shape.black else "#fff"
    if shape.line is None:
        rule = ' fill-rule="evenodd"' if shape.even_odd else ""
        return f'<path fill="{colour}"{rule} d="{way}"/>'
    cap, join = list(_CAPS)[shape.cap], list(_JOINS)[shape.join]
    return (
        f'<path fill="none" stroke="{colour}" stroke-width="{shape.line:.4f}"'
        f' stroke-linecap="{cap}" stroke-linejoin="{join}" d="{way}"/>'
    )


def pdf(drawing: Drawing) -> str:
    """The shapes as operators of PDF content, which counts from the lower left corner."""
    operators = {"M": "m", "L": "l", "C": "c", "Z": "h"}
    lines = [f"1 0 0 -1 0 {drawing.height:.4f} cm"]
    for shape in drawing.shapes:
        shade_ = 0 if shape.black else 1
        if shape.line is None:
            lines.append(f"{shade_} g")
        else:
            lines.append(f"{shade_} G {shape.line:.4f} w {shape.cap} J {shape.join} j")
        lines += [
            " ".join([*(f"{number:.4f}" for number in points), operators[letter]])
            for letter, points in shape.steps
        ]
        lines.append("S" if shape.line is not None else "f*" if shape.even_odd else "f")
    return "\n".join(lines)


def _window(root: ET.Element) -> tuple[float, float, float, float]:
    """The part of the plane that is seen."""
    if (box := root.get("viewBox")) is not None:
        found = numbers(box)
    else:
        found = [0.0, 0.0, length(root, "width"), length(root, "height")]
    if len(found) != 4 or min(found[2:]) < _LEAST:
        raise BadLogo("the drawing does not say how large it is (viewBox)", "no_size")
    check_proportions(found[2], found[3])
    return found[0], found[1], found[2], found[3]


def _painted(element: ET.Element, matrix: Matrix, paint: _Paint, depth: int) -> Iterator[_Painted]:
    """The shapes of an element and of what is in it."""
    if not isinstance(element.tag, str) or not element.tag.startswith(_SVG):
        return  # a comment, or what a drawing program notes for itself
    name = element.tag.removeprefix(_SVG)
    if name in _UNSEEN:
        return
    if depth > _DEPTH:
        raise BadLogo("the drawing has too many groups in groups", "intricate")
    looks = _looks(element)
    if looks.get("display") == "none" or looks.get("visibility") in ("hidden", "collapse"):
        return
    for which in _REFUSED:
        if looks.get(which, "none") != "none":
            raise _held(which)
    for which in ("opacity", "fill-opacity", "stroke-opacity"):
        if (looks.get(which) or "1").strip() not in ("1", "1.0", "100%"):
            raise _held(which)
    paint = _Paint(
        looks.get("fill", paint.fill),
        looks.get("stroke", paint.stroke),
        _width(looks.get("stroke-width"), paint.width),
        looks.get("fill-rule", paint.rule),
        looks.get("stroke-linecap", paint.cap),
        looks.get("stroke-linejoin", paint.join),
    )
    matrix = _times(matrix, _moved(looks.get("transform", "")))
    if name in ("svg", "g"):
        if name == "svg" and depth:
            raise _held("svg")
        for child in element:
            yield from _painted(child, matrix, paint, depth + 1)
        return
    if name not in SHAPES:
        raise _held(name)
    steps = tuple(islice(_placed(SHAPES[name](element), matrix), MOST_POINTS + 1))
    if not steps:
        return
    if (dark := _shade(paint.fill)) is not None and name != "line":
        yield _Painted(steps, dark, paint.rule == "evenodd")
    if (dark := _shade(paint.stroke)) is not None and paint.width > 0:
        a, b, c, d, _e, _f = matrix
        line = round(paint.width * math.sqrt(abs(a * d - b * c)), 4)
        if not line <= MOST:
            raise BadLogo("a line is wider than any drawing", "unreadable")
        if line >= _LEAST:
            yield _Painted(
                steps, dark, False, line, _CAPS.get(paint.cap, 0), _JOINS.get(paint.join, 0)
            )


def _held(what: str) -> BadLogo:
    return BadLogo(
        f"the drawing holds {what}, which labels cannot carry: save it as plain paths in plain"
        " colours, or bring a PNG",
        "holds",
        what,
    )


def _looks(element: ET.Element) -> dict[str, str]:
    """How an element looks: its attributes, and over them what ``style`` says."""
    found = {name: text.strip() for name, text in element.attrib.items()}
    if any(len(text) > _LONGEST for name, text in found.items() if name not in _POINTS):
        raise BadLogo(f"an attribute has more than {_LONGEST} letters", "intricate")
    for part in found.pop("style", "").split(";"):
        name, colon, text = part.partition(":")
        if colon:
            found[name.strip()] = text.strip()
    return {name: text for name, text in found.items() if text != "inherit"}


def _width(text: str | None, without: float) -> float:
    if text is None:
        return without
    found = numbers(text.removesuffix("px"))
    if len(found) != 1:
        raise BadLogo(f"stroke-width is {text[:30]!r}", "unreadable")
    return found[0]


def _shade(colour: str) -> int | None:
    """How light a colour is, 0 to 255; ``None`` where nothing is painted."""
    if colour in ("none", "transparent"):
        return None
    if colour == "currentColor":
        return 0
    try:
        return shade(colour)
    except ValueError as e:
        raise _held("colour") from e


def _times(one: Matrix, other: Matrix) -> Matrix:
    a, b, c, d, e, f = one
    g, h, i, j, k, m = other
    return (
        a * g + c * h,
        b * g + d * h,
        a * i + c * j,
        b * i + d * j,
        a * k + c * m + e,
        b * k + d * m + f,
    )


def _moved(text: str) -> Matrix:
    """What ``transform`` says, as one matrix."""
    found: Matrix = (1, 0, 0, 1, 0, 0)
    at = 0
    while at < len(text):
        move = _MOVE.match(text, at)
        if move is None:
            raise BadLogo(f"transform is {text[:30]!r}", "unreadable")
        at = move.end()
        match move[1], numbers(move[2]):
            case "matrix", [a, b, c, d, e, f]:
                one = (a, b, c, d, e, f)
            case "translate", [x, *more] if len(more) < 2:
                one = (1, 0, 0, 1, x, more[0] if more else 0.0)
            case "scale", [x, *more] if len(more) < 2:
                one = (x, 0, 0, more[0] if more else x, 0, 0)
            case "rotate", [angle, *more] if len(more) in (0, 2):
                turn, (x, y) = math.radians(angle), more or (0.0, 0.0)
                cos, sin = math.cos(turn), math.sin(turn)
                one = (cos, sin, -sin, cos, x - cos * x + sin * y, y - sin * x - cos * y)
            case "skewX", [angle]:
                one = (1, 0, math.tan(math.radians(angle)), 1, 0, 0)
            case "skewY", [angle]:
                one = (1, math.tan(math.radians(angle)), 0, 1, 0, 0)
            case _:
                raise BadLogo(f"transform is {text[:30]!r}", "unreadable")
        found = _times(found, one)
    return found


def _placed(steps: Iterator[Step], matrix: Matrix) -> Iterator[Step]:
    a, b, c, d, e, f = matrix
    for letter, points in steps:
        pairs = zip(points[::2], points[1::2], strict=True)
        moved = [(a * x + c * y + e, b * x + d * y + f) for x, y in pairs]
        flat = tuple(round(number, 4) for pair in moved for number in pair)
        if not all(abs(number) <= 10 * MOST for number in flat):
            raise BadLogo("a point lies far off the drawing", "unreadable")
        yield letter, flat
