"""What the law asks to be told about goods: which of it is there, what is missing, what blocks.

The lists are dated data (``laws/*.toml``) with their source and how sure we are of them: law
changes, and most of it was read about, not read. This is no legal advice. A list counts from its
first day to its last; one that is still to come is told of, not checked.

An item asks for a fact. Facts about a product are known before any lot is made; the others come
with the lot (``None`` until then). What is asked only "if any" counts as done where there is
none. Little blocks printing: what no label may lack, and, for goods whose trace the law makes
compulsory (``Product.compulsory``), the items that it then asks for.
"""

import datetime
import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nongso.platform.languages import _, language, number

FOLDER = Path(__file__).parent / "laws"
NEVER, COMPULSORY, ALWAYS = "never", "compulsory", "always"
BLOCKS = (NEVER, COMPULSORY, ALWAYS)
THERE, NONE_NEEDED, MISSING, WITH_LOT = "there", "none_needed", "missing", "with_lot"
# True: it is there. False: it is not. None: only a lot can say.
Facts = Mapping[str, bool | None]
FACTS = (
    "product_name",
    "photo",
    "producer_name",
    "producer_address",
    "stages",
    "production_day",
    "trace_code",
    "brand",
    "best_before",
    "standard",
    "origin",
    "quantity",
    "ingredients",
    "warnings",
    "directions",
    "storage",
)


class LegalDataError(Exception):
    """A data file of ours cannot be used; the text says which and what is expected."""


@dataclass(frozen=True)
class Item:
    """One thing that a list asks for."""

    key: str
    fact: str
    names: Mapping[str, str]
    blocks: str
    if_any: bool

    @property
    def name(self) -> str:
        """What it is called in the reader's language."""
        return self.names[language()]


@dataclass(frozen=True)
class LegalList:
    """A list of a law, from when until when it counts, and on whose word we have it."""

    key: str
    titles: Mapping[str, str]
    issued: datetime.date
    in_force: datetime.date
    until: datetime.date | None
    status: str  # P, S, U
    source: str
    doubts: Mapping[str, str]
    items: tuple[Item, ...]

    @property
    def title(self) -> str:
        """What it is called in the reader's language."""
        return self.titles[language()]

    @property
    def doubt(self) -> str:
        """What is not known about it."""
        return self.doubts.get(language(), "")

    def counts(self, day: datetime.date) -> bool:
        """Say whether it is in force on that day."""
        return self.in_force <= day and (self.until is None or day <= self.until)


@dataclass(frozen=True)
class Answer:
    """An item with what was found: ``there``, ``none_needed``, ``missing`` or ``with_lot``."""

    item: Item
    state: str
    blocks: bool


@dataclass(frozen=True)
class Check:
    """A list held against what is written down."""

    list: LegalList
    answers: tuple[Answer, ...]

    @property
    def total(self) -> int:
        """How many items can be answered now."""
        return sum(answer.state != WITH_LOT for answer in self.answers)

    @property
    def done(self) -> int:
        """How many of them are."""
        return sum(answer.state in (THERE, NONE_NEEDED) for answer in self.answers)

    @property
    def missing(self) -> tuple[Item, ...]:
        """What is not there and should be."""
        return tuple(answer.item for answer in self.answers if answer.state == MISSING)

    @property
    def blocking(self) -> tuple[Item, ...]:
        """What is not there and keeps labels from being printed."""
        return tuple(answer.item for answer in self.answers if answer.blocks)

    def said(self) -> str:
        """Say it in one line: 7/10, còn thiếu: hình ảnh sản phẩm, tiêu chuẩn áp dụng."""
        counts = {"done": number(self.done), "total": number(self.total)}
        if not self.missing:
            return _("Đủ %(done)s/%(total)s.", **counts)
        names = ", ".join(item.name for item in self.missing)
        return _("%(done)s/%(total)s, còn thiếu: %(names)s.", names=names, **counts)


def check(asked: LegalList, facts: Facts, compulsory: bool) -> Check:
    """Hold a list against the facts."""
    return Check(asked, tuple(_answer(item, facts, compulsory) for item in asked.items))


def _answer(item: Item, facts: Facts, compulsory: bool) -> Answer:
    found = facts[item.fact]
    if found is None:
        return Answer(item, WITH_LOT, blocks=False)
    if found:
        return Answer(item, THERE, blocks=False)
    if item.if_any:
        return Answer(item, NONE_NEEDED, blocks=False)
    stops = item.blocks == ALWAYS or (item.blocks == COMPULSORY and compulsory)
    return Answer(item, MISSING, blocks=stops)


def in_force(day: datetime.date, folder: Path = FOLDER) -> tuple[LegalList, ...]:
    """The lists that count on that day and ask for something."""
    return tuple(one for one in load(folder) if one.counts(day) and one.items)


def to_come(day: datetime.date, folder: Path = FOLDER) -> tuple[LegalList, ...]:
    """The lists that will count later."""
    return tuple(one for one in load(folder) if one.in_force > day)


@functools.cache
def load(folder: Path = FOLDER) -> tuple[LegalList, ...]:
    """Read all lists, by the day from which they count. Raises ``LegalDataError``."""
    found = [_list(file) for file in sorted(folder.glob("*.toml"))]
    return tuple(sorted(found, key=lambda one: (one.in_force, one.key), reverse=True))


def _list(file: Path) -> LegalList:
    try:
        with file.open("rb") as source:
            found = tomllib.load(source)
        made = LegalList(
            key=found["key"],
            titles=_both(found["title"]),
            issued=_day(found["issued"]),
            in_force=_day(found["in_force"]),
            until=_day(found["until"]) if "until" in found else None,
            status=found["status"],
            source=found["source"],
            doubts=_both(found["doubt"]) if "doubt" in found else {},
            items=tuple(_item(item) for item in found["item"]),
        )
        if made.status not in ("P", "S", "U"):
            raise ValueError("status is P, S or U")
        if len({item.key for item in made.items}) != len(made.items):
            raise ValueError("an item stands there twice")
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise LegalDataError(f"{file}: {error!r}") from error
    return made


def _item(found: dict[str, Any]) -> Item:
    if found["fact"] not in FACTS:
        raise ValueError(f"no fact called {found['fact']!r}; there are {', '.join(FACTS)}")
    if found["blocks"] not in BLOCKS:
        raise ValueError(f"blocks is one of {', '.join(BLOCKS)}")
    return Item(
        found["key"],
        found["fact"],
        _both(found["name"]),
        found["blocks"],
        bool(found.get("if_any", False)),
    )


def _both(found: dict[str, str]) -> dict[str, str]:
    if set(found) != {"vi", "en"}:
        raise ValueError("a text has vi and en")
    return dict(found)


def _day(found: object) -> datetime.date:
    if not isinstance(found, datetime.date):
        raise ValueError("a day is written 2026-11-22")
    return found
