"""Goods labels by law: which columns a kind of goods must fill, and how dates are written.

The lists are data in ``laws/goods.toml``, with their sources and doubts. Checked here is that
something stands in each column that is due, not that it is true or enough.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from nongso.labels import font
from nongso.labels.errors import BadLayout
from nongso.labels.layout import MM_PER_INCH, Layout

KIND = "kind"  # the column that names the kind of goods
USUAL = "food"

_YEAR_FIRST = re.compile(r"\d{4}[-/.]\d")


@dataclass(frozen=True)
class Rules:
    """What the law asks for."""

    least_letter_mm: float
    dates: tuple[str, ...]
    kinds: Mapping[str, tuple[str, ...]]


@cache
def rules() -> Rules:
    """The rules that come with the room."""
    text = files("nongso.labels").joinpath("laws", "goods.toml").read_text(encoding="utf-8")
    body = tomllib.loads(text)
    return Rules(
        body["least_letter_mm"],
        tuple(body["dates"]),
        {name: tuple(kind["columns"]) for name, kind in body["kinds"].items()},
    )


def check_layout(layout: Layout) -> None:
    """Refuse a layout of goods labels that cannot meet the rules. Raises ``BadLayout``."""
    law = rules()
    missing = [one for one in law.kinds[USUAL] if one not in layout.columns_of_table]
    if missing:
        raise BadLayout(f"{layout.name}: a goods label has no place for {', '.join(missing)}")
    for block in layout.blocks:
        if not {column.name for column in block.columns} & set(law.kinds[USUAL]):
            continue
        high_mm = block.smallest_pt * font.x_height() * MM_PER_INCH / 72
        if high_mm < law.least_letter_mm:
            raise BadLayout(
                f"{layout.name}: letters of {block.name} may shrink to {high_mm:.2f} mm, and a"
                f" goods label needs {law.least_letter_mm:g} mm"
            )


def missing(cells: Mapping[str, str]) -> tuple[str, str] | None:
    """The first column of a row that breaks the rules, and why; ``None`` if all is there."""
    law = rules()
    kind = cells.get(KIND, "").strip().lower() or USUAL
    if kind not in law.kinds:
        return KIND, f"no kind of goods {kind!r}; known: {', '.join(law.kinds)}"
    for column in law.kinds[kind]:
        if not cells.get(column, "").strip():
            return column, f"is empty, and a label for {kind} must say it"
    for column in law.dates:
        if _YEAR_FIRST.match(cells.get(column, "").strip()):
            return column, "dates on labels have the day first, like 21-11-2026"
    return None
