"""The page of a lot's tree: a drawing and the same as a list, backwards or forwards."""

from collections.abc import Iterator, Sequence

from flask import Response, redirect, request, url_for
from markupsafe import Markup

from nongso.platform.accounts import allow, somebody
from nongso.platform.forms import mass
from nongso.platform.languages import _, date, number
from nongso.platform.store import records
from nongso.platform.traceability import sentences
from nongso.platform.traceability.desk import READERS, blueprint, own_lot, settings
from nongso.platform.traceability.moving.desk import page
from nongso.platform.traceability.records import PACKS, Lot
from nongso.platform.traceability.tracing import wide as trace_wide
from nongso.platform.traceability.tracing.called import called
from nongso.platform.traceability.tracing.picture import Box, Line, draw
from nongso.platform.traceability.tracing.trace import DIRECTIONS, Edge, Node, Reach, reach

Answer = str | tuple[str, int] | Response
MOST_LISTED = 300
MOST_LETTERS = 400  # of an identifier, as in what others may send


@blueprint.get("/lots/<code>/tree")
@allow(*READERS)
def tree(code: str) -> Answer:
    """Where a lot comes from, or where it went."""
    lot = own_lot(code)
    direction = request.args.get("direction", "back")
    direction = direction if direction in DIRECTIONS else "back"
    session = records()
    found = reach(session, [lot.code], direction)
    base = settings().label_url
    wide = trace_wide.follow(session, [lot.code], direction, base, lot.cooperative)
    elsewhere = _elsewhere(wide)[:MOST_LISTED]
    recorded = trace_wide.history(session, wide, base, lot.cooperative) if elsewhere else []
    wrong = trace_wide.overdrawn(recorded)
    return page(
        "tree.html",
        lot=lot,
        direction=direction,
        drawing=Markup(picture(lot, found)),
        nodes=found.nodes[:MOST_LISTED],
        hidden=max(len(found.nodes) - MOST_LISTED, 0),
        edges=_edges(found),
        amount=amount_of,
        elsewhere=elsewhere,
        wrong=wrong,
        called=called(session, _named(elsewhere, wrong), base, lot.cooperative),
    )


@blueprint.get("/trace")
@allow(*READERS)
def goods_of_others() -> Answer:
    """Where goods come from or went that others recorded, by the identifier they gave them."""
    asked = "".join(filter(str.isprintable, request.args.get("of", ""))).strip()[:MOST_LETTERS]
    direction = request.args.get("direction", "back")
    direction = direction if direction in DIRECTIONS else "back"
    session, base = records(), settings().label_url
    home = None if somebody().sees_all else somebody().cooperative
    key = trace_wide.start_of(session, base, asked)
    if asked and ":" not in key:
        return redirect(url_for("records.find", code=key), 303)  # type: ignore[return-value]
    wide = trace_wide.follow(session, [key] if asked else [], direction, base, home)
    recorded = trace_wide.history(session, wide, base, home)
    shown, wrong = wide.links[:MOST_LISTED], trace_wide.overdrawn(recorded)
    return page(
        "elsewhere.html",
        asked=asked,
        direction=direction,
        recorded=len(recorded),
        elsewhere=shown,
        hidden=max(len(wide.links) - MOST_LISTED, 0),
        wrong=wrong,
        called=called(session, _named(shown, wrong), base, home),
    )


def _elsewhere(wide: trace_wide.Wide) -> list[trace_wide.Link]:
    """The ways through cartons and through what others recorded."""
    return [link for link in wide.links if ":" in link.source or ":" in link.target]


def _named(
    links: Sequence[trace_wide.Link], wrong: Sequence[trace_wide.Overdrawn]
) -> Iterator[str]:
    """Everything that the list of steps names."""
    for link in links:
        yield from (link.source, link.target)
    yield from (one.name for one in wrong)


def amount_of(node: Node) -> str:
    """How much a lot is: packs, kilograms, or nothing where nobody weighed."""
    if node.kind == PACKS:
        return _("%(packs)s gói", packs=number(node.packs))
    return "" if node.made_grams is None else mass(node.made_grams)


def _edges(found: Reach) -> dict[str, list[tuple[str, int | None]]]:
    """What went from each lot towards where the question began, or on from it."""
    edges: dict[str, list[tuple[str, int | None]]] = {}
    for edge in found.edges:
        near, far = edge.ends(found.direction)
        edges.setdefault(far, []).append((near, edge.grams))
    return edges


def picture(lot: Lot, found: Reach) -> str:
    """Draw what was found. Sources stand above what was made of them."""
    deepest = max(node.depth for node in found.nodes)
    back = found.direction == "back"
    boxes = [
        Box(
            node.code,
            deepest - node.depth if back else node.depth,
            sentences.kind_of_lot(node.kind),
            amount_of(node) or date(node.at),
            _mark(node, lot),
        )
        for node in found.nodes
    ]
    whole = {node.code: node.made_grams for node in found.nodes}
    lines = [
        Line(edge.source, edge.target, _part(edge, whole.get(edge.source))) for edge in found.edges
    ]
    label = (
        _(
            "Cây nguồn của lô %(lot)s: %(count)s lô. Danh sách ở dưới nói cùng điều đó.",
            lot=lot.code,
            count=number(len(found.nodes)),
        )
        if back
        else _(
            "Cây những gì làm từ lô %(lot)s: %(count)s lô. Danh sách ở dưới nói cùng điều đó.",
            lot=lot.code,
            count=number(len(found.nodes)),
        )
    )
    more = _("và {count} lô khác, xem danh sách")
    return draw(boxes, lines, more, label)


def _part(edge: Edge, whole: int | None) -> str:
    """How much went on, where it was not all of the lot: all of it stands in the box."""
    return mass(edge.grams) if edge.grams and edge.grams != whole else ""


def _mark(node: Node, lot: Lot) -> str:
    if node.withdrawn:
        return "gone"
    if node.held:
        return "held"
    return "start" if node.code == lot.code else ""
