"""The shape of what happens on the way: cartons, dispatch, receipt, return, sale, destruction.

EPCIS 2.0, as ``shaping`` does it for lots; values in, dictionaries out. ``shipping`` stands
alone: by the standard it excludes ``departing`` for the same movement, as ``receiving`` excludes
``arriving``.
"""

import datetime
from collections.abc import Sequence
from urllib.parse import quote

from nongso.platform.traceability.shaping import OFFSET, ZONE, Body

CARTON_DIGITS = 18


def head(kind: str, event_id: str, at: int, step: str, disposition: str) -> Body:
    """The beginning of an event."""
    time = datetime.datetime.fromtimestamp(at, ZONE)
    return {
        "type": kind,
        "eventID": f"urn:uuid:{event_id}",
        "eventTime": time.isoformat(timespec="seconds"),
        "eventTimeZoneOffset": OFFSET,
        "bizStep": step,
        "disposition": disposition,
    }


def carton_id(base: str, code: str) -> str:
    """A carton's identifier: a Digital Link where it has an SSCC, an address of ours otherwise."""
    kind = "00" if len(code) == CARTON_DIGITS and code.isdigit() else "id/carton"
    return f"{base.rstrip('/')}/{kind}/{code}"


def document_id(base: str, number: str) -> str:
    """The identifier of a paper, by its number."""
    return f"{base.rstrip('/')}/id/document/{quote(number, safe='')}"


def _things(cartons: Sequence[str], lots: Sequence[Body]) -> Body:
    """What an event is about; a list with nothing in it is left out."""
    found: Body = {}
    if cartons:
        found["epcList"] = list(cartons)
    if lots:
        found["quantityList"] = list(lots)
    return found


def _papers(papers: Sequence[tuple[str, str]]) -> Body:
    if not papers:
        return {}
    return {
        "bizTransactionList": [{"type": kind, "bizTransaction": paper} for kind, paper in papers]
    }


def aggregation(
    event_id: str, at: int, parent: str, children: Sequence[Body], packing: bool, more: Body
) -> Body:
    """Packs went into a carton, or the carton was opened."""
    step = "packing" if packing else "unpacking"
    return {
        **head("AggregationEvent", event_id, at, step, "in_progress"),
        "action": "ADD" if packing else "DELETE",
        "parentID": parent,
        "childQuantityList": list(children),
        **more,
    }


def movement(
    event_id: str,
    at: int,
    step: str,
    disposition: str,
    *,
    cartons: Sequence[str] = (),
    lots: Sequence[Body] = (),
    between: Body | None = None,
    papers: Sequence[tuple[str, str]] = (),
    gone: bool = False,
    more: Body,
) -> Body:
    """Goods were sent, arrived, came back, were sold or destroyed (``gone``)."""
    return {
        **head("ObjectEvent", event_id, at, step, disposition),
        "action": "DELETE" if gone else "OBSERVE",
        **_things(cartons, lots),
        **(between or {}),
        **_papers(papers),
        **more,
    }


def counting(event_id: str, at: int, lot: Body, more: Body) -> Body:
    """The packs of a lot were counted again, on paper: nothing moved."""
    return {
        **head("ObjectEvent", event_id, at, "stock_taking", "active"),
        "action": "OBSERVE",
        "quantityList": [lot],
        **more,
    }
