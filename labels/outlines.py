"""The letters of the label font as curves, for pictures that must not depend on a font.

Reads the ``glyf`` table of the font file as the OpenType specification describes it: simple
letters are contours of quadratic curves, letters with marks (ế is e, circumflex and acute) are
put together from simple ones. Hinting is left out; composites placed by matched points do not
occur in this font and are refused.
"""

import itertools
import struct
from functools import cache

from nongso.labels import font

Point = tuple[float, float, bool]  # x, y, on the curve
Contours = list[list[Point]]

_X_SHORT, _Y_SHORT, _REPEAT, _X_SAME, _Y_SAME = 2, 4, 8, 16, 32
_WORDS, _XY, _SCALE, _MORE, _TWO_SCALES, _MATRIX = 1, 2, 8, 32, 64, 128


def _coordinates(
    glyph: bytes, at: int, flags: list[int], short: int, same: int
) -> tuple[list[int], int]:
    out, now = [], 0
    for flag in flags:
        if flag & short:
            now += glyph[at] if flag & same else -glyph[at]
            at += 1
        elif not flag & same:
            now += struct.unpack_from(">h", glyph, at)[0]
            at += 2
        out.append(now)
    return out, at


def _simple(glyph: bytes, contours: int) -> Contours:
    ends = struct.unpack_from(f">{contours}H", glyph, 10)
    at = 10 + 2 * contours
    at += 2 + struct.unpack_from(">H", glyph, at)[0]  # the hints
    flags: list[int] = []
    while len(flags) <= ends[-1]:
        flag = glyph[at]
        at += 1
        flags.append(flag)
        if flag & _REPEAT:
            flags += [flag] * glyph[at]
            at += 1
    xs, at = _coordinates(glyph, at, flags, _X_SHORT, _X_SAME)
    ys, at = _coordinates(glyph, at, flags, _Y_SHORT, _Y_SAME)
    points = [
        (float(x), float(y), bool(flag & 1)) for x, y, flag in zip(xs, ys, flags, strict=True)
    ]
    starts = [0, *(end + 1 for end in ends)]
    return [points[a:b] for a, b in itertools.pairwise(starts)]


def _composite(name: str, glyph: bytes) -> Contours:
    out: Contours = []
    at, more = 10, True
    while more:
        flags, number = struct.unpack_from(">HH", glyph, at)
        at += 4
        if not flags & _XY:
            raise ValueError("a letter of the font is placed by matched points")
        dx, dy = struct.unpack_from(">hh" if flags & _WORDS else ">bb", glyph, at)
        at += 4 if flags & _WORDS else 2
        a, b, c, d = 1.0, 0.0, 0.0, 1.0
        if flags & _SCALE:
            a = d = struct.unpack_from(">h", glyph, at)[0] / 16384
            at += 2
        elif flags & _TWO_SCALES:
            a, d = (part / 16384 for part in struct.unpack_from(">hh", glyph, at))
            at += 4
        elif flags & _MATRIX:
            a, b, c, d = (part / 16384 for part in struct.unpack_from(">hhhh", glyph, at))
            at += 8
        for contour in _contours(name, number):
            out.append([(a * x + c * y + dx, b * x + d * y + dy, on) for x, y, on in contour])
        more = bool(flags & _MORE)
    return out


@cache
def _contours(name: str, number: int) -> Contours:
    glyph = font.face(name).outline(number)
    if not glyph:
        return []  # a space
    count = struct.unpack_from(">h", glyph)[0]
    return _simple(glyph, count) if count >= 0 else _composite(name, glyph)


def _path(contour: list[Point]) -> str:
    """One closed contour; between two points off the curve lies one on it, halfway."""
    full: list[Point] = []
    for now, then in zip(contour, [*contour[1:], contour[0]], strict=True):
        full.append(now)
        if not now[2] and not then[2]:
            full.append(((now[0] + then[0]) / 2, (now[1] + then[1]) / 2, True))
    first = next(at for at, point in enumerate(full) if point[2])
    full = full[first:] + full[: first + 1]
    out, control = f"M{full[0][0]:g} {full[0][1]:g}", ""
    for x, y, on in full[1:]:
        if not on:
            control = f"Q{x:g} {y:g} "
        else:
            out += f"{control or 'L'}{x:g} {y:g}"
            control = ""
    return out + "Z"


@cache
def path(name: str, letter: str) -> str:
    """SVG path of a letter in units of the font, y upwards; empty for a space."""
    number = font.face(name).glyphs[letter]
    return "".join(_path(contour) for contour in _contours(name, number) if contour)
