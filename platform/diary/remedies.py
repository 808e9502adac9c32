"""What the label of a plant protection product says, as somebody here read it from the label.

No list ships with the platform: what is allowed on which crop changes by circular, and we know
of no source that we could keep up to date. Two things are known instead. What growers of the
cooperative wrote of the same product before, and the cooperative's own file ``thuoc.toml`` in
the platform's folder, in which the clerk types labels (and products that the cooperative forbids):

    [[thuoc]]
    name = "Tên in trên nhãn"
    ingredient = "hoạt chất"
    interval_days = 7
    source = "nhãn chai, xem ngày 20/11/2026"

    [[thuoc]]
    name = "Tên khác"
    forbidden = true
    source = "nghị quyết hợp tác xã ngày 01/10/2026"

A line that says less than what is known is asked again, and taken when the writer says that the
label says so. A shorter interval than the cooperative's file, and a forbidden product, are not.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nongso.platform.diary.entries import KG, Entry
from nongso.platform.diary.procedures import LONGEST_DAYS, folded

FILE = "thuoc.toml"
USUAL_MOST_DAYS = 60  # an interval beyond it is asked again: a slipped finger is likelier
USUAL_MOST_KG = 20.0  # of product in one spraying of a film house; litres alike

FORBIDDEN, SHORTER_THAN_FILE, SHORTER_THAN_BEFORE, LONG, MUCH = (
    "forbidden",
    "shorter_than_file",
    "shorter_than_before",
    "long",
    "much",
)
REFUSED = (FORBIDDEN, SHORTER_THAN_FILE)  # whatever the writer says


class RemedyError(Exception):
    """The cooperative's file cannot be used; the text says which product, what is expected."""


@dataclass(frozen=True)
class Remedy:
    """A product by its label. ``source`` says where that was read."""

    name: str
    ingredient: str
    interval_days: int | None
    forbidden: bool
    source: str


@dataclass(frozen=True)
class Doubt:
    """Why a spraying is not simply written down. ``days`` is the interval that is known."""

    code: str
    days: int = 0
    source: str = ""


def doubt(entry: Entry, known: Iterable[Remedy], before: Iterable[Entry]) -> Doubt | None:
    """Return what speaks against a spraying as it is written, the gravest first."""
    remedy = _remedy_of(entry, known)
    interval = entry.interval_days or 0
    if remedy is not None and remedy.forbidden:
        return Doubt(FORBIDDEN, source=remedy.source)
    if remedy is not None and remedy.interval_days is not None and interval < remedy.interval_days:
        return Doubt(SHORTER_THAN_FILE, remedy.interval_days, remedy.source)
    earlier = [
        one.interval_days or 0
        for one in before
        if one.kind == "sprayed" and folded(one.product) == folded(entry.product)
    ]
    if remedy is None and earlier and interval < max(earlier):
        return Doubt(SHORTER_THAN_BEFORE, max(earlier))
    if interval > max([USUAL_MOST_DAYS, *earlier]):
        return Doubt(LONG)
    amount = (entry.amount or 0) * (KG | {"l": 1.0, "ml": 0.001}).get(entry.unit, 0)
    return Doubt(MUCH) if amount > USUAL_MOST_KG else None


def _remedy_of(entry: Entry, known: Iterable[Remedy]) -> Remedy | None:
    """Return the product of that name, or the forbidden one of that active ingredient."""
    name, ingredient = folded(entry.product), folded(entry.ingredient)
    found = [one for one in known if folded(one.name) == name]
    found += [
        one
        for one in known
        if one.forbidden and ingredient and folded(one.ingredient) == ingredient
    ]
    return max(found, key=lambda one: one.forbidden, default=None)


def load(folder: Path) -> tuple[Remedy, ...]:
    """Read the cooperative's file; none means none. Raises ``RemedyError``."""
    file = folder / FILE
    if not file.exists():
        return ()
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RemedyError(f"{file}: cannot be read: {error}") from error
    rows = data.get("thuoc", [])
    if not isinstance(rows, list):
        raise RemedyError(f"{file}: products are expected as [[thuoc]]")
    return tuple(_read(file, number, one) for number, one in enumerate(rows, 1))


def _read(file: Path, number: int, one: object) -> Remedy:
    where = f"{file}: product {number}"
    if not isinstance(one, dict) or not isinstance(one.get("name"), str) or not one["name"]:
        raise RemedyError(f"{where}: name must be what stands on the label")
    if not isinstance(one.get("source"), str) or not one["source"]:
        raise RemedyError(f"{where}: source must say where this was read")
    days = one.get("interval_days")
    if days is not None and (type(days) is not int or not 0 <= days <= LONGEST_DAYS):
        raise RemedyError(f"{where}: interval_days is a whole number of days")
    forbidden = one.get("forbidden", False)
    if not isinstance(forbidden, bool) or (days is None and not forbidden):
        raise RemedyError(f"{where}: interval_days, or forbidden = true, is expected")
    return Remedy(one["name"], str(one.get("ingredient", "")), days, forbidden, one["source"])
