"""The columns of each file, read once from ``vocabulary/*.toml``, and rows laid out in them."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from nongso.platform.csvtable import Cell

BRIDGES = ("portal", "agriculture", "market")


@dataclass(frozen=True)
class Column:
    """One column: the name of its value, and its heading, which is always Vietnamese."""

    key: str
    heading: str


@dataclass(frozen=True)
class Layout:
    """A file: its name without ending, what it is, from where its columns are known."""

    key: str
    file: str
    title: str
    source: str
    columns: tuple[Column, ...]

    def head(self) -> list[str]:
        """The first line of the table."""
        return [column.heading for column in self.columns]

    def row(self, facts: Mapping[str, Any]) -> list[Cell]:
        """One line: lists are written with semicolons."""
        return [_cell(facts[column.key]) for column in self.columns]

    def record(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The same for a program: lists stay lists."""
        return {column.key: facts[column.key] for column in self.columns}


def _cell(value: Any) -> Cell:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "; ".join(_text(one) for one in value)
    if value is None or isinstance(value, (int, float, str)):
        return value
    return str(value)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return " · ".join(str(part) for part in value.values() if part not in (None, "", []))
    return str(value)


@cache
def layout(key: str) -> Layout:
    """The layout of one of ``BRIDGES``."""
    place = files("nongso.platform.traceability.bridges") / "vocabulary" / f"{key}.toml"
    found = tomllib.loads(place.read_text(encoding="utf-8"))
    columns = tuple(
        Column(
            one["key"],
            f"({one['item']}) {one['heading']}" if "item" in one else one["heading"],
        )
        for one in found["column"]
    )
    return Layout(key, found["file"], found["title"], found["source"], columns)
