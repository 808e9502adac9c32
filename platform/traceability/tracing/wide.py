"""The way of goods beyond our own lots: through cartons and through what others recorded.

Two sorts of things: our lots, by their code, and everything else by the identifier that events
give it. Our own flows are in ``lot_flow``, those of cartons and of captured events in
``epcis_flow``. A captured event may name a lot of ours by its address, one of its packs, or its
GTIN and lot; all of these lead to the lot (``epcis.lot_names``).

``history`` is what was recorded about all that was reached and was not declared wrong, and
``overdrawn`` says of what more was used than there ever was: others' records need not add up, and
then it must be said.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from nongso.platform.store import portions
from nongso.platform.traceability.epcis import finding, lot_names
from nongso.platform.traceability.epcis import records as epcis
from nongso.platform.traceability.epcis.flows import PACKED, Amount, amounts
from nongso.platform.traceability.epcis.same_name import same_form
from nongso.platform.traceability.epcis.terms import THINGS, known_prefixes
from nongso.platform.traceability.tracing.trace import Edge, flows_at


class Link(NamedTuple):
    """Something went from one thing into another; ``kind`` is ``made`` or ``packed``."""

    source: str
    target: str
    quantity: float | None
    uom: str
    kind: str


@dataclass(frozen=True)
class Wide:
    """What was reached: how far away each thing is, and the ways between."""

    depths: Mapping[str, int]
    links: tuple[Link, ...]

    @property
    def foreign(self) -> list[str]:
        """Things that are no lots of ours, nearest first."""
        return [key for key in self.depths if ":" in key]


@dataclass(frozen=True)
class Overdrawn:
    """More of a thing was used than was ever recorded of it."""

    name: str
    recorded: float
    used: float
    uom: str


def start_of(session: Session, base: str, typed: str) -> str:
    """From what to follow an identifier that somebody typed: the code of a lot of ours, or it."""
    key = same_form(typed)
    called = lot_names.lots_called(session, base, [key])
    return lot_names.lot_meant(session, base, typed) or next(iter(called.get(key, ())), key)


def follow(
    session: Session, starts: Sequence[str], direction: str, base: str, cooperative: str | None
) -> Wide:
    """Follow lots and things back or forward. ``cooperative`` is whose captured events count."""
    back = direction == "back"
    depths = dict.fromkeys(starts, 0)
    links: dict[Link, None] = {}
    level, depth = list(depths), 0
    while level:
        depth += 1
        lots = [key for key in level if ":" not in key]
        steps = [_own(edge) for edge in flows_at(session, lots, direction)]
        named = lot_names.names_of(session, base, lots)
        named |= {key: [key] for key in level if ":" in key}
        steps += _others(session, named, back, base, cooperative)
        links |= dict.fromkeys(steps)
        ends = dict.fromkeys(link.source if back else link.target for link in steps)
        level = [key for key in ends if key not in depths]
        depths.update(dict.fromkeys(level, depth))
    return Wide(depths, tuple(links))


def onward(
    session: Session, codes: Sequence[str], base: str, cooperative: str | None
) -> dict[str, int]:
    """Lots of ours that these lots reach forward only by way of what others recorded.

    Returns how many steps each is away. A buyer may mill our starch and bring the noodles back.
    """
    found: dict[str, int] = {}
    seen = set(codes)
    named = lot_names.names_of(session, base, codes)
    depth = 0
    while named:
        depth += 1
        ends = dict.fromkeys(
            link.target for link in _others(session, named, False, base, cooperative)
        )
        fresh = [key for key in ends if key not in seen]
        seen.update(fresh)
        found |= {key: depth for key in fresh if ":" not in key}
        named = {key: [key] for key in fresh if ":" in key}
    return found


def _own(edge: Edge) -> Link:
    quantity = None if edge.grams is None else edge.grams / 1000
    return Link(edge.source, edge.target, quantity, "KGM", "made")


def _others(
    session: Session,
    named: Mapping[str, Sequence[str]],
    back: bool,
    base: str,
    cooperative: str | None,
) -> list[Link]:
    """The ways on from these things in cartons and in captured events."""
    flow = epcis.Flow
    column = flow.target if back else flow.source
    rows: list[Row[Any]] = []
    for some in portions(list(named)):
        wanted = (
            select(flow.source, flow.target, flow.quantity, flow.uom, flow.kind)
            .where(column.in_(some), flow.is_foreign | (flow.kind == PACKED))
            .order_by(flow.number, flow.source, flow.target)
        )
        if cooperative is not None:
            wanted = wanted.where(flow.cooperative == cooperative)
        rows += session.execute(wanted)
    ends = {end for row in rows for end in (row.source, row.target)}
    ours = lot_names.lots_called(session, base, list(ends - named.keys())) | dict(named)
    found = (
        Link(source, target, row.quantity, row.uom or "", row.kind)
        for row in rows
        for source in ours.get(row.source, (row.source,))
        for target in ours.get(row.target, (row.target,))
    )
    return [link for link in found if link.source != link.target]


def history(
    session: Session, wide: Wide, base: str, cooperative: str | None
) -> list[finding.Found]:
    """What was recorded about all that was reached, in the order of the stream.

    That something was taken out of a package says nothing of where it comes from, so the end of
    an aggregation is left out.
    """
    keys = list(wide.depths)
    names = list(lot_names.names_of(session, base, [key for key in keys if ":" not in key]))
    names += wide.foreign
    numbers: set[int] = set()
    for some in portions(names):
        wanted = (
            select(epcis.Term.number)
            .join(epcis.Indexed, epcis.Indexed.number == epcis.Term.number)
            .where(epcis.Term.field.in_(THINGS), epcis.Term.value.in_(some))
            .where(epcis.Indexed.stands)
            .where(
                ~(
                    epcis.Indexed.kind.in_(("AggregationEvent", "AssociationEvent"))
                    & (epcis.Indexed.action == "DELETE")
                )
            )
        )
        if cooperative is not None:
            wanted = wanted.where(epcis.Indexed.cooperative == cooperative)
        numbers.update(session.scalars(wanted))
    return finding.fetch(session, sorted(numbers))


def overdrawn(found: Iterable[finding.Found]) -> list[Overdrawn]:
    """Things of which more went into others than any record says there was."""
    events = [(one.body, known_prefixes(one.body, one.context)) for one in found]
    there: dict[tuple[str, str], float] = {}
    used: dict[tuple[str, str], float] = {}
    for event, prefixes in events:
        for name in ("quantityList", "outputQuantityList"):
            for key, quantity in _said(amounts(event, prefixes, name)):
                there[key] = max(there.get(key, 0.0), quantity)
        for key, quantity in _said(amounts(event, prefixes, "inputQuantityList")):
            used[key] = used.get(key, 0.0) + quantity
    return [
        Overdrawn(name, there[name, uom], quantity, uom)
        for (name, uom), quantity in sorted(used.items())
        if (name, uom) in there and quantity > there[name, uom] * (1 + 1e-9)
    ]


def _said(found: Iterable[Amount]) -> Iterable[tuple[tuple[str, str], float]]:
    return (((one.name, one.uom or ""), one.quantity) for one in found if one.quantity is not None)
