"""What flows from thing to thing in an event: values in, edges out. No database here.

A transformation makes its outputs of its inputs; several events with one ``transformationID`` are
one transformation, whichever of them arrives first. An aggregation or association that is made
(``ADD``) puts its children into the parent.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nongso.platform.traceability.epcis.namespaces import Prefixes, expand
from nongso.platform.traceability.epcis.same_name import same_form

MADE, PACKED = "made", "packed"
MOST_EDGES = 100_000  # of one capture: 300 serials into 300 others


@dataclass(frozen=True)
class Amount:
    """A thing, and how much of it where that is said."""

    name: str
    quantity: float | None = None
    uom: str | None = None
    is_class: bool = False


@dataclass(frozen=True)
class Side:
    """One end of a transformation, as one event tells it."""

    number: int
    things: tuple[Amount, ...]


@dataclass(frozen=True)
class Edge:
    """From source to target; the event of each."""

    source_number: int
    number: int
    source: Amount
    target: str
    kind: str


def amounts(event: Mapping[str, Any], prefixes: Prefixes, *lists: str) -> tuple[Amount, ...]:
    """Return the things that stand in these lists of an event; the same one once, summed up."""
    found: dict[str, Amount] = {}
    for list_ in lists:
        for one in event.get(list_, ()):
            if isinstance(one, str):
                amount = Amount(same_form(expand(one, prefixes)))
            else:
                name = same_form(expand(one["epcClass"], prefixes))
                quantity = one.get("quantity")
                amount = Amount(
                    name, None if quantity is None else float(quantity), one.get("uom"), True
                )
            found[amount.name] = _sum(found.get(amount.name), amount)
    return tuple(found.values())


def _sum(there: Amount | None, more: Amount) -> Amount:
    if there is None:
        return more
    if there.quantity is None or more.quantity is None or there.uom != more.uom:
        return Amount(there.name, is_class=more.is_class)
    return Amount(there.name, there.quantity + more.quantity, there.uom, more.is_class)


def inputs_of(event: Mapping[str, Any], prefixes: Prefixes) -> tuple[Amount, ...]:
    """Return what goes into a transformation."""
    return amounts(event, prefixes, "inputEPCList", "inputQuantityList")


def outputs_of(event: Mapping[str, Any], prefixes: Prefixes) -> tuple[Amount, ...]:
    """Return what comes out of a transformation."""
    return amounts(event, prefixes, "outputEPCList", "outputQuantityList")


def made(sources: Side, targets: Side) -> Iterator[Edge]:
    """Return the edges from one side of a transformation to the other.

    An edge has the source's quantity where there is one target only to which it can have gone;
    single packs that are named beside their lot do not count.
    """
    classes = [target for target in targets.things if target.is_class]
    only = classes[0] if len(classes) == 1 else None
    if not classes and len(targets.things) == 1:
        only = targets.things[0]
    for source in sources.things:
        for target in targets.things:
            if source.name != target.name:
                amount = source if target is only else Amount(source.name)
                yield Edge(sources.number, targets.number, amount, target.name, MADE)


def packed(number: int, event: Mapping[str, Any], prefixes: Prefixes) -> Iterator[Edge]:
    """Return the edges from the children to the parent of an event that puts them there."""
    kinds = ("AggregationEvent", "AssociationEvent")
    if event["type"] not in kinds or event.get("action") != "ADD" or "parentID" not in event:
        return
    parent = same_form(expand(event["parentID"], prefixes))
    for child in amounts(event, prefixes, "childEPCs", "childQuantityList"):
        if child.name != parent:
            yield Edge(number, number, child, parent, PACKED)
