"""Recipes: what is made of what, as TOML files in ``recipes/``, read into frozen values.

One file is one chain from what households bring to what can be packed. Its kinds are kinds of
lots, its steps are what a clerk records as a mẻ. A new product is a new file: no code names its
kinds. Figures in a file come with their source, or the source says ``measure it`` and there is
no figure: then the cooperative's own batches make it
(``nongso.platform.traceability.making.rules``).

Everything is weighed in kilograms, oil and honey too. Moistures are percent in the files and
whole permille in memory; yields are percent of weight.

A figure that contradicts another one, a step of a kind that no file declares or a key used
twice is a ``BadRecipe`` when the files are read.
"""

import functools
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

MEASURE_IT = "measure it"
DRY, WEIGHED = "dry", "weighed"


class BadRecipe(ValueError):
    """A recipe's file that cannot be used: which one, and why."""

    def __init__(self, file: str, why: str) -> None:
        super().__init__(f"recipes/{file}: {why}")


@dataclass(frozen=True)
class Words:
    """A name in the languages of the pages."""

    vi: str
    en: str

    def said(self, language: str) -> str:
        """The name in that language, Vietnamese where there is none."""
        return self.en if language == "en" and self.en else self.vi


@dataclass(frozen=True)
class Moisture:
    """How much water a kind holds. ``standard`` is what yields are reckoned at, if anything."""

    least_permille: int
    most_permille: int
    standard_permille: int | None
    asked: bool


@dataclass(frozen=True)
class ComesIn:
    """How a kind comes in from households, and what land can give in a season.

    ``crop`` is what the plots say; empty where no land bounds it. Without a measured figure the
    two bounds are ``None``.
    """

    crop: str
    gathered: Words
    season_begins: int  # month
    usual_kg_per_ha: int | None
    most_kg_per_ha: int | None
    source: str


@dataclass(frozen=True)
class Kind:
    """A kind of lot. ``named`` is true where the clerk says which one it is (which herb)."""

    key: str
    chain: str
    name: str
    words: Words
    named: bool
    moisture: Moisture | None
    comes_in: ComesIn | None
    packed: Words | None


@dataclass(frozen=True)
class Band:
    """What usually comes out of a step, in percent of what went in."""

    low_percent: float
    high_percent: float


@dataclass(frozen=True)
class Step:
    """One step of a chain. ``basis`` says what physics forbids to grow: dry matter, or weight."""

    key: str
    chain: str
    takes: tuple[str, ...]
    gives: str
    title: Words
    short: Words
    hint: Words
    out: Words
    basis: str
    for_a_fee: bool
    band: Band | None
    source: str


@dataclass(frozen=True)
class Chain:
    """One file: a product's way from the household to the pack."""

    key: str
    words: Words
    kinds: tuple[Kind, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Book:
    """All recipes."""

    chains: Mapping[str, Chain]
    kinds: Mapping[str, Kind]
    steps: Mapping[str, Step]

    @property
    def raw(self) -> tuple[Kind, ...]:
        """What households bring."""
        return tuple(kind for kind in self.kinds.values() if kind.comes_in is not None)

    @property
    def packable(self) -> tuple[Kind, ...]:
        """What can be packed."""
        return tuple(kind for kind in self.kinds.values() if kind.packed is not None)

    def steps_of(self, kind: str) -> tuple[Step, ...]:
        """What can be made of a kind."""
        return tuple(step for step in self.steps.values() if kind in step.takes)


@functools.cache
def recipes() -> Book:
    """The recipes that are shipped."""
    folder = files("nongso.platform.traceability.making") / "recipes"
    found = sorted((one.name, one.read_text("utf-8")) for one in folder.iterdir())
    return read({name: text for name, text in found if name.endswith(".toml")})


def read(texts: Mapping[str, str]) -> Book:
    """Read recipe files, name to contents. Raises ``BadRecipe``."""
    chains: dict[str, Chain] = {}
    kinds: dict[str, Kind] = {}
    steps: dict[str, Step] = {}
    parsed: list[tuple[int, str, Chain]] = []
    for file, text in texts.items():
        try:
            table = tomllib.loads(text)
            parsed.append((table["order"], file, _chain(table)))
        except (KeyError, TypeError, ValueError) as e:
            raise BadRecipe(file, f"{type(e).__name__}: {e}") from e
    for _order, file, chain in sorted(parsed, key=lambda one: one[:2]):
        _once(file, chains, [(chain.key, chain)])
        _once(file, kinds, ((kind.key, kind) for kind in chain.kinds))
        _once(file, steps, ((step.key, step) for step in chain.steps))
    for step in steps.values():
        for kind in (*step.takes, step.gives):
            if kind not in kinds:
                raise BadRecipe(step.chain, f"step {step.key} speaks of {kind}, declared nowhere")
    return Book(chains, kinds, steps)


def _once(file: str, among: dict[str, Any], found: Iterable[tuple[str, Any]]) -> None:
    for key, value in found:
        if key in among:
            raise BadRecipe(file, f"{key} is declared twice")
        among[key] = value


def _words(table: Mapping[str, Any], prefix: str = "") -> Words:
    return Words(table[f"{prefix}vi"], table[f"{prefix}en"])


def _permille(percent: float) -> int:
    return round(percent * 10)


def _chain(table: Mapping[str, Any]) -> Chain:
    key = table["chain"]
    return Chain(
        key,
        _words(table),
        tuple(_kind(one, key) for one in table["kind"]),
        tuple(_step(one, key) for one in table["step"]),
    )


def _kind(table: Mapping[str, Any], chain: str) -> Kind:
    return Kind(
        key=table["key"],
        chain=chain,
        name=table["name"],
        words=_words(table),
        named=table.get("named", False),
        moisture=_moisture(table["moisture"]) if "moisture" in table else None,
        comes_in=_comes_in(table["comes_in"]) if "comes_in" in table else None,
        packed=_words(table, "packed_") if table.get("packed") else None,
    )


def _moisture(table: Mapping[str, Any]) -> Moisture:
    standard = _permille(table["standard"]) if "standard" in table else None
    found = Moisture(
        _permille(table["least"]), _permille(table["most"]), standard, table.get("asked", False)
    )
    if not 0 <= found.least_permille < found.most_permille < 1000:
        raise ValueError("moisture: least is not below most")
    if standard is not None and not found.least_permille <= standard <= found.most_permille:
        raise ValueError("moisture: the standard is not between least and most")
    return found


def _comes_in(table: Mapping[str, Any]) -> ComesIn:
    usual, most = table.get("usual_kg_per_ha"), table.get("most_kg_per_ha")
    if (usual is None) != (most is None) or (usual is not None and not 0 < usual <= most):
        raise ValueError("comes_in: usual and most kg per hectare do not fit")
    if not 1 <= table["season_begins"] <= 12:
        raise ValueError("comes_in: season_begins is a month")
    return ComesIn(
        table.get("crop", ""),
        _words(table, "gathered_"),
        table["season_begins"],
        usual,
        most,
        table["source"],
    )


def _step(table: Mapping[str, Any], chain: str) -> Step:
    expected = table["yield"]
    band = None
    if "low" in expected:
        band = Band(expected["low"], expected["high"])
        if not 0 < band.low_percent < band.high_percent:
            raise ValueError("yield: low is not below high")
    elif expected["source"] != MEASURE_IT:
        raise ValueError("yield: no figure, and not said to be measured")
    basis = table.get("basis", DRY)
    if basis not in (DRY, WEIGHED):
        raise ValueError(f"basis: {basis}")
    return Step(
        key=table["key"],
        chain=chain,
        takes=tuple(table["from"]),
        gives=table["to"],
        title=_words(table),
        short=_words(table, "short_"),
        hint=_words(table, "hint_"),
        out=_words(table, "out_"),
        basis=basis,
        for_a_fee=table.get("for_a_fee", False),
        band=band,
        source=expected["source"],
    )
