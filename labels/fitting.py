"""How text is brought into a block: whole lines first, then wrapping, then smaller letters.

The rule. From the largest size down in quarter points: break each line at spaces (an address
also after ``/``) where it is wider than the block; the first size at which all lines fit the
height is taken. Words are never cut or hyphenated: a word too wide asks for smaller letters.
If the smallest size does not do either, the label is refused and the error says which text.
"""

import re
from collections.abc import Sequence
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


@lru_cache(maxsize=4096)
def _word(word: str, name: str) -> tuple[float, float]:
    """Width of a word as it stands within a line and at its end, of the letter size."""
    return font.width_em(word, name), font.width_em(word.rstrip(), name)


def _wrap(line: Line, words: Sequence[str], width_em: float) -> list[Line] | None:
    """Break a line at the width; ``None`` when one word alone is too wide."""
    widths = [_word(word, line.font) for word in words]
    if sum([within for within, _ in widths[:-1]]) + widths[-1][1] <= width_em:
        return [line]
    parts, so_far = [""], 0.0
    for word, (within, at_end) in zip(words, widths, strict=True):
        if at_end > width_em:
            return None
        if so_far + at_end <= width_em:
            parts[-1] += word
            so_far += within
        else:
            parts.append(word)
            so_far = within
    return [Line(part.rstrip(), line.font) for part in parts]


def _lines(text: str, block: Block) -> list[Line]:
    found = []
    for number, line in enumerate(text.split("\n")):
        name = font.BOLD if number == 0 and block.first_line_bold else font.REGULAR
        found.append(Line(font.normal(_SPACES.sub(" ", line).strip(), name), name))
    return found


def fit(text: str, block: Block) -> Fitted:
    """Find size and lines for a text. Raises ``TextDoesNotFit`` or ``LetterMissing``."""
    wanted = [(line, _BREAKS.findall(line.text)[:-1] or [""]) for line in _lines(text, block)]
    width_pt = block.box.width_mm * PT_PER_MM
    height_pt = block.box.height_mm * PT_PER_MM
    steps = int((block.largest_pt - block.smallest_pt) / STEP_PT + 1e-9)
    what = ""
    for step in range(steps + 1):
        size_pt = block.largest_pt - step * STEP_PT
        lines: list[Line] = []
        for line, words in wanted:
            parts = _wrap(line, words, width_pt / size_pt)
            if parts is None:
                what = f"a word of {line.text!r} is wider than {block.box.width_mm:g} mm"
                break
            lines += parts
        else:
            if len(lines) * size_pt * block.leading <= height_pt:
                return Fitted(size_pt, tuple(lines))
            what = f"{len(lines)} lines are higher than {block.box.height_mm:g} mm"
    raise TextDoesNotFit(block.name, text, block.smallest_pt, what)
