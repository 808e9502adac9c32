"""Where a lot comes from and where it went, through any depth.

One query a level, not one a lot; every lot is visited once, so that a stream with a loop in
it (which our own operations cannot make) still ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.traceability.records import Flow, Lot

DIRECTIONS = ("back", "forward")
_AT_ONCE = 500  # SQLite's limit on parameters, with room


@dataclass(frozen=True)
class Found:
    """A lot of the tree: how many steps away it is, and what flows touch it within the tree."""

    lot: Lot
    depth: int


@dataclass(frozen=True)
class Tree:
    """Lots by distance, the first one being where the question began, and the flows between."""

    lots: tuple[Found, ...]
    flows: tuple[Flow, ...]


def _flows(session: Session, codes: Sequence[str], direction: str) -> list[Flow]:
    column = Flow.target if direction == "back" else Flow.source
    found: list[Flow] = []
    for at in range(0, len(codes), _AT_ONCE):
        wanted = select(Flow).where(column.in_(codes[at : at + _AT_ONCE])).order_by(Flow.number)
        found += session.scalars(wanted)
    return found


def _lots(session: Session, codes: Sequence[str]) -> list[Lot]:
    found: list[Lot] = []
    for at in range(0, len(codes), _AT_ONCE):
        wanted = select(Lot).where(Lot.code.in_(codes[at : at + _AT_ONCE]))
        found += session.scalars(wanted.order_by(Lot.born_number))
    return found


def trace(session: Session, lot: Lot, direction: str) -> Tree:
    """Follow a lot back to its sources or forward to what was made of it."""
    seen = {lot.code}
    found, flows = [Found(lot, 0)], []
    level, depth = [lot.code], 0
    while level:
        depth += 1
        steps = _flows(session, level, direction)
        flows += steps
        ends = dict.fromkeys(flow.source if direction == "back" else flow.target for flow in steps)
        level = [code for code in ends if code not in seen]
        seen.update(level)
        found += [Found(one, depth) for one in _lots(session, level)]
    return Tree(tuple(found), tuple(flows))
