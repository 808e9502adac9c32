"""What the API answers about lots and labels, as types: for the views and for the description."""

from typing import NotRequired, TypedDict


class ProductAnswer(TypedDict):
    """A product. ``gtin`` is null, or the 14 digits that GS1 gave."""

    id: str
    name: str
    kind: str
    gtin: str | None


class LabelCountAnswer(TypedDict):
    """Labels of a lot; ``spoiled`` counts returned ones too, ``left`` may still be issued."""

    issued: int
    spoiled: int
    left: int


class WithdrawnAnswer(TypedDict):
    """When and why a record was withdrawn."""

    at: int
    why: str | None


class LegalAnswer(TypedDict):
    """A list of the law held against a packed lot: how many of its items are there.

    ``missing`` and ``blocking`` hold the items' keys; what blocks keeps labels from printing.
    """

    law: str
    done: int
    total: int
    missing: list[str]
    blocking: list[str]
    text: str


class GoneAnswer(TypedDict):
    """What left a lot without becoming another one: kilograms, or packs of a packed lot."""

    lost: float
    sampled: float
    away: float
    destroyed: float


class LotAnswer(TypedDict):
    """A lot. ``owner`` and ``holder`` are a producer's id or the cooperative's slug.

    ``depth`` is how far it is from the one that was traced.

    ``legal`` comes with one packed lot, not with lists of lots.
    """

    lot: str
    id: str
    kind: str
    name: str
    at: int
    state: str
    product: ProductAnswer | None
    made_kg: float | None
    used_kg: float | None
    left_kg: float | None
    packs: int
    pack_grams: int | None
    pack_ml: int | None
    best_before: str | None
    labels: LabelCountAnswer
    demonstration: bool
    withdrawn: WithdrawnAnswer | None
    owner: str
    holder: str
    bought_in: bool
    recipe: str | None
    in_kg: float | None
    moisture_permille: int | None
    gone: GoneAnswer
    packs_left: int
    tested: str
    recalled_at: int | None
    corrected_at: int | None
    depth: NotRequired[int]
    legal: NotRequired[list[LegalAnswer]]


class LotsAnswer(TypedDict):
    """Newest first; ``next`` is a value for ``before`` if there are more, else null."""

    lots: list[LotAnswer]
    next: int | None


FlowAnswer = TypedDict("FlowAnswer", {"from": str, "to": str, "kg": float | None, "event": int})
FlowAnswer.__doc__ = "What went from one lot into another."


class TraceAnswer(TypedDict):
    """The tree of lots, and what flowed between them."""

    lot: str
    direction: str
    lots: list[LotAnswer]
    flows: list[FlowAnswer]


class WayAnswer(TypedDict):
    """Something went from one thing into another; ``how`` is ``made`` or ``packed``."""

    source: str
    target: str
    quantity: float | None
    unit: str
    how: str


class OverdrawnAnswer(TypedDict):
    """More of a thing was used than was ever recorded of it."""

    name: str
    recorded: float
    used: float
    unit: str


class WideTraceAnswer(TypedDict):
    """The way of goods through our lots, cartons and what others recorded.

    A lot of ours stands by its code, everything else by the identifier that events give it.
    ``events`` is how many records were found about all of it.
    """

    start: str
    direction: str
    things: dict[str, int]
    ways: list[WayAnswer]
    overdrawn: list[OverdrawnAnswer]
    events: int


class RangeAnswer(TypedDict):
    """Running numbers of the labels in their lot."""

    first: int
    last: int


class UsualAnswer(TypedDict):
    """What usually comes out of a step; ``batches`` is 0 where books say so."""

    low_percent: float
    high_percent: float
    batches: int


class KindAnswer(TypedDict):
    """A kind of lot."""

    kind: str
    name: str
    comes_in: bool
    packed: bool


class RecipeStepAnswer(TypedDict):
    """A step of a recipe. ``usual`` is null where nobody knows yet."""

    step: str
    name: str
    takes: list[str]
    gives: str
    usual: UsualAnswer | None
    source: str


class ChainAnswer(TypedDict):
    """A recipe: from what households bring to what is packed."""

    chain: str
    name: str
    kinds: list[KindAnswer]
    steps: list[RecipeStepAnswer]


class RecipesAnswer(TypedDict):
    """All recipes."""

    chains: list[ChainAnswer]


class KindBalanceAnswer(TypedDict):
    """Lots of one kind in a season: ``made_kg`` is the sum of what follows it."""

    kind: str
    bought_in_kg: float
    milled_kg: float
    made_kg: float
    passed_on_kg: float
    lost_kg: float
    sampled_kg: float
    away_kg: float
    destroyed_kg: float
    left_kg: float


class StepSumAnswer(TypedDict):
    """Batches of one step in a season."""

    step: str
    batches: int
    in_kg: float
    out_kg: float
    percent: float
    usual: UsualAnswer | None
    unusual: int


class LandAnswer(TypedDict):
    """A household's land and what it brought; nulls where no land is written down."""

    producer: str
    code: str
    area_m2: int | None
    brought_kg: float
    usual_kg: float | None


class SeasonBalanceAnswer(TypedDict):
    """The mass balance of a recipe in a season."""

    chain: str
    since: str
    until: str
    kinds: list[KindBalanceAnswer]
    steps: list[StepSumAnswer]
    lands: list[LandAnswer]
