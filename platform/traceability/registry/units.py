"""Communes as they were and are: an old address is found again under its new name.

Two tiers since July 2025: province and commune, no district. The data (``administrative/*.toml``)
hold only the communes that use this program and what a source says about them; whatever is not
there stays as it was typed, because a name that nobody knows here is not wrong.
"""

import datetime
import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nongso.platform.traceability.shopper.shelf import folded

FOLDER = Path(__file__).parent / "administrative"
_BEFORE_ALL = datetime.date.min
_AFTER_ALL = datetime.date.max


class UnitDataError(Exception):
    """A data file of ours cannot be used; the text says which entry and why."""


@dataclass(frozen=True)
class Unit:
    """A commune from one day to another. ``into`` is the key of what it became part of."""

    key: str
    name: str
    district: str  # empty since there are none
    province: str
    since: datetime.date
    until: datetime.date
    into: str
    status: str
    source: str

    def is_there(self, day: datetime.date) -> bool:
        """Say whether it was there on that day."""
        return self.since <= day <= self.until

    @property
    def address(self) -> str:
        """Its name as an address ends: xã Bình Lư, huyện Tam Đường, tỉnh Lai Châu."""
        return ", ".join(filter(None, (self.name, self.district, self.province)))


def find(
    name: str, province: str, day: datetime.date, district: str = "", folder: Path = FOLDER
) -> Unit | None:
    """The commune of that name on that day; ``None`` where it is not known or two could be meant.

    Marks and the word for what it is (xã, thị trấn) may be left out: people write both ways.
    """
    found = [
        unit
        for unit in load(folder).values()
        if unit.is_there(day)
        and _same(unit.name, name)
        and _same(unit.province, province)
        and (not district or _same(unit.district, district))
    ]
    return found[0] if len(found) == 1 else None


def became(unit: Unit, day: datetime.date, folder: Path = FOLDER) -> Unit | None:
    """What a former commune is on a later day; ``None`` where that is not known."""
    units = load(folder)
    while unit.until < day:
        if unit.into not in units:
            return None
        unit = units[unit.into]
    return unit if unit.is_there(day) else None


def now_called(name: str, province: str, day: datetime.date, folder: Path = FOLDER) -> Unit | None:
    """What a commune that is no more is called on that day; ``None`` for one that still is."""
    if find(name, province, day, folder=folder) is not None:
        return None
    former = [
        unit
        for unit in load(folder).values()
        if unit.until < day and _same(unit.name, name) and _same(unit.province, province)
    ]
    return became(former[0], day, folder) if len(former) == 1 else None


_WORDS = ("xa ", "phuong ", "thi tran ", "huyen ", "tinh ", "thanh pho ")


def _same(one: str, other: str) -> bool:
    """Compare two names of units, with or without marks and their word."""
    first, second = folded(one), folded(other)
    if first == second:
        return True
    bare = [_without_word(text) for text in (first, second)]
    return (bare[0] == first or bare[1] == second) and bare[0] == bare[1]


def _without_word(text: str) -> str:
    return next((text[len(word) :] for word in _WORDS if text.startswith(word)), text)


@functools.cache
def load(folder: Path = FOLDER) -> dict[str, Unit]:
    """Read all units, by key. Raises ``UnitDataError``."""
    units: dict[str, Unit] = {}
    for file in sorted(folder.glob("*.toml")):
        try:
            for entry in tomllib.loads(file.read_text("utf-8"))["unit"]:
                made = _unit(entry)
                if made.key in units:
                    raise ValueError(f"{made.key} is there twice")
                units[made.key] = made
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise UnitDataError(f"{file}: {error!r}") from error
    for unit in units.values():
        heir = units.get(unit.into)
        if unit.into and (heir is None or heir.until <= unit.until):
            raise UnitDataError(f"{unit.key}: {unit.into!r} does not come after it")
    return units


def _unit(entry: dict[str, Any]) -> Unit:
    since, until = entry.get("since", _BEFORE_ALL), entry.get("until", _AFTER_ALL)
    if not isinstance(since, datetime.date) or not isinstance(until, datetime.date):
        raise TypeError("a day is written 2025-07-01")
    if until < since:
        raise ValueError(f"{entry['key']} ends before it begins")
    if entry["status"] not in ("P", "S", "U") or not entry["source"]:
        raise ValueError(f"{entry['key']}: say on whose word it stands")
    return Unit(
        key=entry["key"],
        name=entry["name"],
        district=entry.get("district", ""),
        province=entry["province"],
        since=since,
        until=until,
        into=entry.get("into", ""),
        status=entry["status"],
        source=entry["source"],
    )
