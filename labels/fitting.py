"""How text is brought into a block: whole lines first, then wrapping, then smaller letters.

The rule. From the largest size down in quarter points: break each line at spaces (an address
also after ``/``) where it is wider than the block; the first size at which all lines fit the
height is taken. Words are never cut or hyphenated: a word too wide asks for smaller letters.
If the smallest size does not do either, the label is refused and the error says which text.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from nongso.labels import font
from nongso.labels.errors import TextDoesNotFit
from nongso.labels.layout import MM_PER_INCH, Block

STEP_PT = 0.25
PT_PER_MM = 72 / MM_PER_INCH

_SPACES = re.compile(r"[ \t\r]+")  # a no-break space stays: it holds number and unit together
_BREAKS = re.compile(r"[^ /]*(?:/+|(?: +|$))")


@dataclass(frozen=True)
class Line:
    """One printed line."""

    text: str
    font: str


@dataclass(frozen=True)
class Fitted:
    """Lines and the letter size at which they fit."""

    size_pt: float
    lines: tuple[Line, ...]


def _wrap(line: str, name: str, size_pt: float, width_pt: float) -> list[str] | None:
    """Break a line at the width; ``None`` when one word alone is too wide."""
    if font.width_pt(line, name, size_pt) <= width_pt:
        return [line]
    out = [""]
    for word in filter(None, _BREAKS.findall(line)):
        if font.width_pt(word.rstrip(), name, size_pt) > width_pt:
            return None
        if font.width_pt((out[-1] + word).rstrip(), name, size_pt) <= width_pt:
            out[-1] += word
        else:
            out.append(word)
    return [part.rstrip() for part in out if part.strip()]


def _lines(text: str, block: Block) -> list[Line]:
    found = []
    for number, line in enumerate(text.split("\n")):
        name = font.BOLD if number == 0 and block.first_line_bold else font.REGULAR
        found.append(Line(font.normal(_SPACES.sub(" ", line).strip(), name), name))
    return found


@lru_cache(maxsize=512)  # the labels of a lot say the same beside their codes
def fit(text: str, block: Block) -> Fitted:
    """Find size and lines for a text. Raises ``TextDoesNotFit`` or ``LetterMissing``."""
    wanted = _lines(text, block)
    width_pt = block.box.width_mm * PT_PER_MM
    height_pt = block.box.height_mm * PT_PER_MM
    steps = int((block.largest_pt - block.smallest_pt) / STEP_PT + 1e-9)
    what = ""
    for step in range(steps + 1):
        size_pt = block.largest_pt - step * STEP_PT
        lines: list[Line] = []
        for line in wanted:
            parts = _wrap(line.text, line.font, size_pt, width_pt)
            if parts is None:
                what = f"a word of {line.text!r} is wider than {block.box.width_mm:g} mm"
                break
            lines += [Line(part, line.font) for part in parts]
        else:
            if len(lines) * size_pt * block.leading <= height_pt:
                return Fitted(size_pt, tuple(lines))
            what = f"{len(lines)} lines are higher than {block.box.height_mm:g} mm"
    raise TextDoesNotFit(block.name, text, block.smallest_pt, what)
