"""What the API answers about lots and labels, as types: for the views and for the description."""

from typing import NotRequired, TypedDict


class ProductAnswer(TypedDict):
    """A product. ``gtin`` is null, or the 14 digits that GS1 gave."""

    id: str
    name: str
    kind: str
    gtin: str | None


class LabelCountAnswer(TypedDict):
    """Labels of a lot."""

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


class LotAnswer(TypedDict):
    """A lot. ``depth`` is how far it is from the one that was traced.

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
    best_before: str | None
    labels: LabelCountAnswer
    demonstration: bool
    withdrawn: WithdrawnAnswer | None
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


class RangeAnswer(TypedDict):
    """Running numbers of the labels in their lot."""

    first: int
    last: int


class LabelsAnswer(TypedDict):
    """Labels that were issued: where their sheet lies, and the address in each code."""

    id: str
    lot: str
    range: RangeAnswer
    pdf: str
    codes: list[str]
