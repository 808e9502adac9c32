"""A reading as a line of the line protocol, which InfluxDB and VictoriaMetrics both take.

    nongso_reading,id=…,greenhouse=tan-binh-1,zone=…,node=…,series=air_temperature,quality=good,
            origin=measured value=21.5 1790000000

The mark is two tags, so that both engines can add up good readings by themselves; ``id`` stands
for the four tags of the series and makes queries short. A reading without a number has the field
``none`` instead of ``value``. Tags that would be empty are left out, as the protocol demands.

What an engine cannot hold at its own time (a node whose clock was wrong by years) becomes
``nongso_outside``: there the reading's own time is a tag, and the line's time is when it came.
"""

import hashlib
from collections.abc import Mapping

from nongso.platform.telemetry.interface import Row, Series
from nongso.wire import marks

READING, OUTSIDE = "nongso_reading", "nongso_outside"
CONFLICT, PLACED = "nongso_conflict", "nongso_placed"
FIELDS = ("value", "none")

_ORIGINS = {"measured": 0, "simulated": marks.SIMULATED, "imported": marks.IMPORTED}
_QUALITIES = {word: code for code, word in enumerate(marks.QUALITIES)}
_MARKS = {
    mark: f",quality={marks.quality(mark)},origin={marks.origin(mark)}"
    for origin in _ORIGINS.values()
    for mark in range(origin, origin + len(marks.QUALITIES))
}


def id_of(series: Series) -> int:
    """Return the number of a series: the same in every process, made from its four words."""
    found = hashlib.blake2b("\0".join(series).encode(), digest_size=8).digest()
    return int.from_bytes(found) >> 1


def word_of(number: int) -> str:
    """Return the tag ``id`` of a number."""
    return f"{number:016x}"


def head_of(series: Series) -> str:
    """Return the tags of a series, each with a comma before it."""
    tags = {
        "id": word_of(id_of(series)),
        "greenhouse": series.greenhouse,
        "zone": series.zone,
        "node": series.node,
        "series": series.name,
    }
    return "".join(f",{name}={_escaped(value)}" for name, value in tags.items() if value)


def line_of(kind: str, head: str, row: Row) -> str:
    """Return the line of a reading or a conflict."""
    field = "none=1" if row.value is None else f"value={row.value!r}"
    return f"{kind}{head}{_tags_of(row.mark)} {field} {row.at}"


def outside_line(head: str, row: Row, now: int) -> str:
    """Return the line of a reading that the engine cannot hold at its own time."""
    field = "none=1" if row.value is None else f"value={row.value!r}"
    return f"{OUTSIDE}{head}{_tags_of(row.mark)},at={row.at} {field} {now}"


def placed_line(number: int, series: Series, now: int) -> str:
    """Return the line that says where the series ``number``, which had no place, belongs."""
    place = f",greenhouse={_escaped(series.greenhouse)}"
    if series.zone:
        place += f",zone={_escaped(series.zone)}"
    rest = f",node={_escaped(series.node)},series={_escaped(series.name)}"
    return f"{PLACED},id={word_of(number)}{place}{rest} value=1 {now}"


def series_of(tags: Mapping[str, str]) -> Series:
    """Return the series that a line's tags name."""
    return Series(
        tags.get("greenhouse", ""),
        tags.get("zone", ""),
        tags.get("node", ""),
        tags.get("series", ""),
    )


def mark_of(tags: Mapping[str, str]) -> int:
    """Return the mark that a line's tags name."""
    return _QUALITIES.get(tags.get("quality", ""), 0) + _ORIGINS.get(tags.get("origin", ""), 0)


def _tags_of(mark: int) -> str:
    return _MARKS[mark if mark in _MARKS else mark & 15 | marks.SIMULATED]


def _escaped(text: str) -> str:
    """Escape a tag's value. The protocol has no way to say a backslash or a line's end."""
    for letter, instead in (("\\", "/"), ("\n", " "), ("\r", " ")):
        text = text.replace(letter, instead)
    for letter in ", =":
        text = text.replace(letter, "\\" + letter)
    return text
