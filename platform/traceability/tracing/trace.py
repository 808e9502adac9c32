"""Where a lot comes from and where it went, through any depth.

One query a level, not one a lot; every lot is visited once, so that a stream with a loop in it
(which our own operations cannot make, but a captured one can) still ends. ``reach`` is the fast
way: light rows only, for recalls, pictures and sums over very many lots; ``trace`` gives the lots
themselves, for pages and programs.

A record that was withdrawn is told but not followed by ``reach(…).standing``: what went into
it was given back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from nongso.platform.store import portions
from nongso.platform.traceability.records import Flow, Lot
from nongso.platform.traceability.testing.records import FAILED

DIRECTIONS = ("back", "forward")


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


class Edge(NamedTuple):
    """So much went from one lot into another; ``grams`` is ``None`` where nobody weighed."""

    number: int
    source: str
    target: str
    grams: int | None

    def ends(self, direction: str) -> tuple[str, str]:
        """The nearer lot and the farther one, looking that way."""
        back = direction == "back"
        return (self.target, self.source) if back else (self.source, self.target)


class Node(NamedTuple):
    """A lot as the way to it shows it."""

    code: str
    depth: int
    kind: str
    name: str
    at: int
    cooperative: str
    made_grams: int | None
    packs: int
    withdrawn: bool
    held: bool  # recalled, or failed a test


@dataclass(frozen=True)
class Reach:
    """Everything that is reached, nearest first."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    starts: tuple[str, ...] = field(default=())
    direction: str = "back"

    @property
    def standing(self) -> list[Node]:
        """What is reached through records that stand."""
        by_code = {node.code: node for node in self.nodes}
        onward: dict[str, list[str]] = {}
        for edge in self.edges:
            near, far = edge.ends(self.direction)
            onward.setdefault(near, []).append(far)
        seen = {code for code in self.starts if code in by_code}
        level = [code for code in seen if not by_code[code].withdrawn]
        found = set(level)
        while level:
            ahead = dict.fromkeys(far for near in level for far in onward.get(near, ()))
            level = [far for far in ahead if far not in found and not by_code[far].withdrawn]
            found.update(level)
        return [node for node in self.nodes if node.code in found]


# Made once: a walk asks this at each of its steps.
_FLOWS = {
    direction: select(Flow.number, Flow.source, Flow.target, Flow.grams).where(
        column.in_(bindparam("codes", expanding=True))
    )
    for direction, column in (("back", Flow.target), ("forward", Flow.source))
}


def flows_at(session: Session, codes: Sequence[str], direction: str) -> list[Edge]:
    """What flowed into these lots (``back``) or out of them, in the order of the stream."""
    found: list[Edge] = []
    for some in portions(codes):
        rows = session.execute(_FLOWS[direction], {"codes": some})
        found += map(Edge._make, rows)
    found.sort()
    return found


def _nodes(session: Session, depths: dict[str, int]) -> list[Node]:
    columns = (Lot.code, Lot.kind, Lot.name, Lot.at, Lot.cooperative, Lot.made_grams, Lot.packs)
    found = []
    for some in portions(list(depths)):
        standing = (Lot.withdrawn_at, Lot.recalled_at, Lot.tested)
        rows = session.execute(select(*columns, *standing).where(Lot.code.in_(some)))
        found += [
            Node(
                code,
                depths[code],
                kind,
                name,
                at,
                home,
                made,
                packs,
                withdrawn_at is not None,
                recalled_at is not None or tested == FAILED,
            )
            for code, kind, name, at, home, made, packs, withdrawn_at, recalled_at, tested in rows
        ]
    found.sort(key=lambda node: (node.depth, node.at, node.code))
    return found


def _walk(
    session: Session, codes: Sequence[str], direction: str
) -> tuple[dict[str, int], list[Edge]]:
    """How far away each lot is, and every flow on the way."""
    depths = dict.fromkeys(codes, 0)
    edges: list[Edge] = []
    level, depth = list(depths), 0
    while level:
        depth += 1
        steps = flows_at(session, level, direction)
        edges += steps
        ends = dict.fromkeys(edge.ends(direction)[1] for edge in steps)
        level = [code for code in ends if code not in depths]
        depths.update(dict.fromkeys(level, depth))
    return depths, edges


def reach(session: Session, codes: Sequence[str], direction: str) -> Reach:
    """Follow lots back to their sources or forward to what was made of them."""
    depths, edges = _walk(session, codes, direction)
    nodes = _nodes(session, depths)
    return Reach(tuple(nodes), tuple(edges), tuple(dict.fromkeys(codes)), direction)


def trace(session: Session, lot: Lot, direction: str) -> Tree:
    """The lots behind a lot (``back``) or made of it (``forward``), and the flows between."""
    depths, edges = _walk(session, [lot.code], direction)
    lots: list[Lot] = []
    for some in portions([code for code in depths if code != lot.code]):
        lots += session.scalars(select(Lot).where(Lot.code.in_(some)))
    lots.sort(key=lambda one: (depths[one.code], one.born_number))
    flows = [Flow(number=e.number, source=e.source, target=e.target, grams=e.grams) for e in edges]
    found = [Found(lot, 0), *(Found(one, depths[one.code]) for one in lots)]
    return Tree(tuple(found), tuple(flows))
