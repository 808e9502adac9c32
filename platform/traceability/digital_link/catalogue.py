"""What is known of each application identifier: read once from ``vocabulary/identifiers.toml``."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from nongso.platform.traceability.digital_link.errors import UnknownIdentifier

# Every identifier that an address can be about; a test holds it against the data file.
KEYS = (
    "00",
    "01",
    "253",
    "255",
    "401",
    "402",
    "414",
    "415",
    "417",
    "8003",
    "8004",
    "8006",
    "8010",
    "8013",
    "8017",
    "8018",
)
_FILES = files("nongso.platform.traceability.digital_link") / "vocabulary"


@dataclass(frozen=True)
class Part:
    """One part of a value: which letters, how many, and the rules that it obeys."""

    letters: str  # digits, text, parts, base64url
    least: int
    most: int
    rules: tuple[str, ...]
    optional: bool


@dataclass(frozen=True)
class Identifier:
    """An application identifier. ``orders`` is ``None`` where it is no key of an address."""

    ai: str
    name: str
    parts: tuple[Part, ...]
    ends_open: bool
    in_query: bool
    orders: tuple[tuple[str, ...], ...] | None
    needs: tuple[str, ...]
    never_with: tuple[str, ...]

    @property
    def qualifiers(self) -> frozenset[str]:
        """Identifiers that may follow this key in the path, in whatever order."""
        return frozenset(ai for order in self.orders or () for ai in order)

    @property
    def longest(self) -> int:
        """The most letters that a value may have."""
        return sum(part.most for part in self.parts)


def _part(text: str) -> Part:
    words = text.split()
    optional = words[0] == "maybe"
    letters, length, *rules = words[optional:]
    least, _, most = length.rpartition("-")
    return Part(letters, int(least or most), int(most), tuple(rules), optional)


def _each(name: str) -> Iterator[str]:
    """The identifiers of a line: one, or a range that differs in its last digits."""
    first, _, last = name.partition("-")
    for number in range(int(first), int(last or first) + 1):
        yield f"{number:0{len(first)}d}"


def _identifier(ai: str, fact: Mapping[str, Any]) -> Identifier:
    orders = fact.get("key")
    return Identifier(
        ai,
        fact["name"],
        tuple(_part(text) for text in fact["holds"]),
        fact.get("ends_open", False),
        fact.get("in_query", True),
        None if orders is None else tuple(tuple(order) for order in orders),
        tuple(fact.get("needs", ())),
        tuple(fact.get("never_with", ())),
    )


@cache
def catalogue() -> Mapping[str, Identifier]:
    """All identifiers by their number."""
    facts = tomllib.loads((_FILES / "identifiers.toml").read_text(encoding="utf-8"))
    return {ai: _identifier(ai, fact) for name, fact in facts.items() for ai in _each(name)}


@cache
def codes(name: str) -> frozenset[str]:
    """A list of codes: countries, country_letters or currencies."""
    found = tomllib.loads((_FILES / "codes.toml").read_text(encoding="utf-8"))
    return frozenset(found[name].split())


def known(ai: str) -> Identifier:
    """The identifier of that number. Raises ``UnknownIdentifier``."""
    found = catalogue().get(ai)
    if found is None:
        raise UnknownIdentifier(ai[:40])
    return found


def is_key(ai: str) -> bool:
    """Say whether an address can be about it."""
    found = catalogue().get(ai)
    return found is not None and found.orders is not None


def sequences(ai: str) -> Iterator[tuple[str, ...]]:
    """Every path that this key may begin: the key, and qualifiers left out or in, in order."""
    seen = set()
    for order in known(ai).orders or ():
        for choice in range(1 << len(order)):
            path = (ai, *(one for bit, one in enumerate(order) if choice >> bit & 1))
            if path not in seen:
                seen.add(path)
                yield path


def fits(ai: str, pattern: str) -> bool:
    """Say whether an identifier is the one, or one of those, that a pattern like 31nn names."""
    return re.fullmatch(pattern.replace("n", "[0-9]"), ai) is not None
