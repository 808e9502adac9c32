"""The tree of lots as a drawing: levels from top to bottom, boxes of a size to be read at 360 px.

Values in, SVG text out. A level with many lots is drawn in several rows; of very many only the
first are drawn and the rest is counted, so that a drawing stays a drawing. The same tree stands
beside it as a list, for those who do not see it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH = 340  # user units; a phone of 360 px shows them one to one
_COLUMNS = 3
_GAP_X, _GAP_Y, _LEVEL_GAP = 8, 10, 34
_BOX_HEIGHT = 46
_MOST_BOXES = 60  # of one drawing
_MOST_ROWS = 3  # of one level


@dataclass(frozen=True)
class Box:
    """A lot in the drawing. ``mark`` is ``start``, ``held``, ``gone`` or empty."""

    code: str
    level: int
    title: str
    detail: str
    mark: str = ""


@dataclass(frozen=True)
class Line:
    """So much goes from one box to another; ``text`` may be empty."""

    source: str
    target: str
    text: str


@dataclass(frozen=True)
class _Placed:
    x: float
    y: float
    width: float


def draw(boxes: Sequence[Box], lines: Sequence[Line], more: str, label: str) -> str:
    """Draw the tree. ``more`` is what stands where boxes are left out, with ``{count}``."""
    levels: dict[int, list[Box]] = {}
    for box in boxes:
        levels.setdefault(box.level, []).append(box)
    placed: dict[str, _Placed] = {}
    out: list[str] = []
    y, drawn = 4.0, 0
    for level in sorted(levels):
        some = levels[level]
        room = max(min(_COLUMNS * _MOST_ROWS, _MOST_BOXES - drawn), 0)
        shown, hidden = some[:room], len(some) - room
        drawn += len(shown)
        y = _rows(shown, y, placed, out)
        if hidden > 0:
            out.append(
                f'<text x="{WIDTH / 2:g}" y="{y + 12:g}" text-anchor="middle" class="more">'
                f"{escape(more.format(count=hidden))}</text>"
            )
            y += 18
        y += _LEVEL_GAP
    height = max(y - _LEVEL_GAP + 4, 10)
    edges = [_edge(line, placed) for line in lines]
    return (
        f'<svg class="lottree" viewBox="0 0 {WIDTH} {height:g}" role="img" '
        f'aria-label="{escape(label, {chr(34): "&quot;"})}" xmlns="http://www.w3.org/2000/svg">'
        f"{''.join(edges)}{''.join(out)}</svg>"
    )


def _rows(shown: Sequence[Box], y: float, placed: dict[str, _Placed], out: list[str]) -> float:
    """Draw a level's boxes from ``y`` on; return where the next thing begins."""
    columns = min(max(len(shown), 1), _COLUMNS)
    width = (WIDTH - 8 - (columns - 1) * _GAP_X) / columns
    width = min(width, 200)
    for at, box in enumerate(shown):
        row, column = divmod(at, columns)
        in_row = min(columns, len(shown) - row * columns)
        span = in_row * width + (in_row - 1) * _GAP_X
        x = (WIDTH - span) / 2 + column * (width + _GAP_X)
        top = y + row * (_BOX_HEIGHT + _GAP_Y)
        placed[box.code] = _Placed(x, top, width)
        out.append(_box(box, placed[box.code]))
    rows = -(-len(shown) // columns) if shown else 0
    return y + rows * (_BOX_HEIGHT + _GAP_Y) - (_GAP_Y if rows else 0)


def _fit(text: str, width: float, letter: float) -> str:
    """Shorten a text to what fits; a letter is about so wide."""
    most = max(int((width - 10) / letter), 4)
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _box(box: Box, at: _Placed) -> str:
    middle = at.x + at.width / 2
    return (
        f'<g class="box {box.mark}"><rect x="{at.x:g}" y="{at.y:g}" width="{at.width:g}" '
        f'height="{_BOX_HEIGHT}" rx="6"/>'
        f'<text x="{middle:g}" y="{at.y + 13:g}" class="code">{escape(box.code[-12:])}</text>'
        f'<text x="{middle:g}" y="{at.y + 27:g}">{escape(_fit(box.title, at.width, 6.2))}</text>'
        f'<text x="{middle:g}" y="{at.y + 40:g}" class="detail">'
        f"{escape(_fit(box.detail, at.width, 5.8))}</text></g>"
    )


def _edge(line: Line, placed: dict[str, _Placed]) -> str:
    one, other = placed.get(line.source), placed.get(line.target)
    if one is None or other is None:
        return ""
    upper, lower = (one, other) if one.y <= other.y else (other, one)
    x1, y1 = upper.x + upper.width / 2, upper.y + _BOX_HEIGHT
    x2, y2 = lower.x + lower.width / 2, lower.y
    bend = (y1 + y2) / 2
    path = f'<path d="M{x1:g} {y1:g} C{x1:g} {bend:g} {x2:g} {bend:g} {x2:g} {y2:g}"/>'
    if not line.text:
        return path
    # Below the upper box, where lines that come together have not met yet.
    return path + f'<text x="{x1:g}" y="{y1 + 11:g}" class="amount">{escape(line.text)}</text>'
