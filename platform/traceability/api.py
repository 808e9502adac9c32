"""Lots for programs: ``/api/v1/lots…``."""

import time
from typing import TypeVar

import msgspec
from flask import Blueprint, Response, jsonify, request
from sqlalchemy import select

from nongso.platform import query
from nongso.platform.accounts import allow, scoped, somebody
from nongso.platform.errors import Problem, unreadable
from nongso.platform.languages import _
from nongso.platform.openapi import one_of, one_of_these, operation, text_of, whole
from nongso.platform.store import records
from nongso.platform.traceability import shaping
from nongso.platform.traceability.desk import READERS, settings
from nongso.platform.traceability.identifiers import lot_id
from nongso.platform.traceability.legal import facts as legal_facts
from nongso.platform.traceability.records import PACKS, Flow, Lot, lot_kinds
from nongso.platform.traceability.shapes import (
    FlowAnswer,
    GoneAnswer,
    LegalAnswer,
    LotAnswer,
    LotsAnswer,
    TraceAnswer,
    WideTraceAnswer,
)
from nongso.platform.traceability.testing import holding
from nongso.platform.traceability.tracing import wide as trace_wide
from nongso.platform.traceability.tracing.trace import DIRECTIONS, trace

blueprint = Blueprint("lots_api", __name__, url_prefix="/api/v1")

MOST_LOTS = 1000
MOST = 400  # letters of an identifier, as in what others may send
_Body = TypeVar("_Body", bound=msgspec.Struct)


@blueprint.get("/lots")
@allow(*READERS, scope="read")
@operation(
    answers={200: "lots, newest first"},
    answer=LotsAnswer,
    query={
        "kind": one_of_these("only lots of this kind", lot_kinds),
        "limit": whole("how many, 200 if left out", 1, MOST_LOTS),
        "before": whole("what next said: only lots that were recorded before"),
    },
)
def lots() -> Response:
    """The newest lots, of one ``kind`` where asked."""
    limit = query.whole("limit", 200, 1, MOST_LOTS)
    before = query.whole("before", (1 << 40) - 1)
    wanted = scoped(select(Lot), Lot.cooperative).order_by(Lot.born_number.desc())
    wanted = wanted.where(Lot.born_number < before)
    if "kind" in request.args:
        if request.args["kind"] not in lot_kinds():
            known = ", ".join(lot_kinds())
            raise Problem(400, "bad_kind", _("kind phải là một trong: %(known)s.", known=known))
        wanted = wanted.where(Lot.kind == request.args["kind"])
    found = records().scalars(wanted.limit(limit + 1)).all()
    following = found[limit - 1].born_number if len(found) > limit else None
    return jsonify({"lots": [lot_answer(lot) for lot in found[:limit]], "next": following})


@blueprint.get("/lots/<code>")
@allow(*READERS, scope="read")
@operation(answers={200: "state and quantities", 404: "no such lot"}, answer=LotAnswer)
def lot(code: str) -> Response:
    """A lot's state and quantities, and what the law asks to be told about it."""
    found = own_lot(code)
    return jsonify({**lot_answer(found), "legal": _legal(found)})


@blueprint.get("/lots/<code>/trace")
@allow(*READERS, scope="read")
@operation(
    answers={200: "lots with their distance, and what flowed between them", 404: "no such lot"},
    answer=TraceAnswer,
    query={"direction": one_of("where to look; back if left out", *DIRECTIONS)},
)
def trace_lot(code: str) -> Response:
    """The tree of lots behind a lot (``back``) or made of it (``forward``)."""
    direction = request.args.get("direction", "back")
    if direction not in DIRECTIONS:
        raise Problem(400, "bad_direction", _("Hướng truy là back hoặc forward."))
    found = own_lot(code)
    tree = trace(records(), found, direction)
    return jsonify(
        {
            "lot": found.code,
            "direction": direction,
            "lots": [{**lot_answer(one.lot), "depth": one.depth} for one in tree.lots],
            "flows": [_flow(flow) for flow in tree.flows],
        }
    )


@blueprint.get("/trace")
@allow(*READERS, scope="read")
@operation(
    answers={200: "things with their distance, and the ways between them", 404: "no such lot"},
    answer=WideTraceAnswer,
    query={
        "of": text_of("a lot's code, or an identifier that others gave", needed=True, most=MOST),
        "direction": one_of("where to look; back if left out", *DIRECTIONS),
    },
)
def trace_goods() -> Response:
    """The way of goods that others recorded, by their identifier, and of lots of ours."""
    direction = request.args.get("direction", "back")
    if direction not in DIRECTIONS:
        raise Problem(400, "bad_direction", _("Hướng truy là back hoặc forward."))
    asked = "".join(filter(str.isprintable, request.args.get("of", ""))).strip()
    if len(asked) > MOST or not request.args.get("of"):
        raise Problem(400, "bad_of", _("of phải có từ 1 đến %(most)s ký tự.", most=MOST))
    session, base = records(), settings().label_url
    home = None if somebody().sees_all else somebody().cooperative
    key = trace_wide.start_of(session, base, asked)
    if ":" not in key:
        key = own_lot(key).code
    wide = trace_wide.follow(session, [key], direction, base, home)
    recorded = trace_wide.history(session, wide, base, home)
    return jsonify(
        {
            "start": key,
            "direction": direction,
            "things": dict(wide.depths),
            "ways": [
                {
                    "source": link.source,
                    "target": link.target,
                    "quantity": link.quantity,
                    "unit": link.uom,
                    "how": link.kind,
                }
                for link in wide.links
            ],
            "overdrawn": [
                {"name": one.name, "recorded": one.recorded, "used": one.used, "unit": one.uom}
                for one in trace_wide.overdrawn(recorded)
            ],
            "events": len(recorded),
        }
    )


def own_lot(code: str) -> Lot:
    """A lot that the asker may see. Raises ``Problem``."""
    found = records().scalar(scoped(select(Lot), Lot.cooperative).where(Lot.code == code.upper()))
    if found is None:
        raise Problem(404, "lot_unknown", _("Không có lô %(lot)s.", lot=code))
    return found


def body_of(kind: type[_Body]) -> _Body:
    """What the request's body says. Raises ``Problem``."""
    try:
        return msgspec.json.decode(request.get_data(cache=False), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise unreadable(error) from error


def _kg(grams: int | None) -> float | None:
    return None if grams is None else grams / 1000


def lot_answer(lot: Lot) -> LotAnswer:
    """What is told of a lot."""
    product = lot.product
    return {
        "lot": lot.code,
        "id": lot_id(settings().label_url, lot.code),
        "kind": lot.kind,
        "name": lot.name,
        "at": lot.at,
        "state": _state(lot),
        "product": None
        if product is None
        else {
            "id": product.id,
            "name": product.name,
            "kind": product.kind,
            "gtin": product.gtin,
        },
        "made_kg": _kg(lot.made_grams),
        "used_kg": _kg(lot.used_grams),
        "left_kg": _kg(lot.left_grams),
        "packs": lot.packs,
        "pack_grams": lot.pack_grams,
        "pack_ml": lot.pack_ml,
        "best_before": lot.best_before,
        "labels": {
            "issued": lot.labels,
            "spoiled": lot.spoiled,
            "left": lot.labels_left,
        },
        "demonstration": lot.demonstration,
        "withdrawn": None
        if lot.withdrawn_at is None
        else {"at": lot.withdrawn_at, "why": lot.withdrawn_why},
        "owner": lot.owner,
        "holder": lot.holder,
        "bought_in": lot.bought,
        "recipe": lot.recipe,
        "in_kg": _kg(lot.in_grams),
        "moisture_permille": lot.moisture_permille,
        "gone": _gone(lot),
        "packs_left": lot.packs_left,
        "tested": lot.tested,
        "recalled_at": lot.recalled_at,
        "corrected_at": lot.corrected_at,
    }


def _gone(lot: Lot) -> GoneAnswer:
    whole = 1 if lot.kind == PACKS else 1000
    return {
        "lost": lot.lost / whole,
        "sampled": lot.sampled / whole,
        "away": lot.away / whole,
        "destroyed": lot.destroyed / whole,
    }


def _legal(lot: Lot) -> list[LegalAnswer]:
    return [
        {
            "law": one.list.key,
            "done": one.done,
            "total": one.total,
            "missing": [item.key for item in one.missing],
            "blocking": [item.key for item in one.blocking],
            "text": one.said(),
        }
        for one in legal_facts.check_lot(records(), lot)
    ]


def _state(lot: Lot) -> str:
    """growing, in_stock, used_up, packed, expired, failed, recalled or withdrawn."""
    if lot.withdrawn_at is not None:
        return "withdrawn"
    if held := holding.kind_of(lot):
        return held
    if lot.packs:
        today = shaping.day_of(int(time.time()))
        return "expired" if lot.best_before and lot.best_before < today else "packed"
    if lot.made_grams is None:
        return "growing"
    return "in_stock" if lot.left_grams else "used_up"


def _flow(flow: Flow) -> FlowAnswer:
    return {
        "from": flow.source,
        "to": flow.target,
        "kg": _kg(flow.grams),
        "event": flow.number,
    }
