"""The shape of events: EPCIS 2.0 (JSON), as far as the records use it today.

Values in, dictionaries out; no database, no clock. Identifiers are our own HTTPS addresses. The
standard has no planting step, so ours is a private URI. Our own fields stand under the prefix
``nongso:``; whoever does not know them may skip them.

``stated`` says on whose word a thing stands: ``stated`` (somebody says so), ``weighed`` or
``measured`` (by sensors). It goes on the page as three different words.
"""

import datetime
from typing import Any

OFFSET = "+07:00"
ZONE = datetime.timezone(datetime.timedelta(hours=7))
PLANTING = "urn:nongso:bizStep:planting"
LABELLING = "urn:nongso:bizStep:labelling"
LABELS_SPOILED = "urn:nongso:bizStep:labels-spoiled"
LABELS_APPLIED = "urn:nongso:bizStep:labels-applied"
LABELS_ROLLED = "urn:nongso:bizStep:labels-rolled"
LABELS_SCRATCHED = "urn:nongso:bizStep:labels-scratch-codes"
LABELS_RETURNED = "urn:nongso:bizStep:labels-returned"
CONTEXT = [
    "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",
    {"nongso": "urn:nongso:"},
]

Body = dict[str, Any]


def _head(kind: str, event_id: str, at: int, step: str, disposition: str) -> Body:
    time = datetime.datetime.fromtimestamp(at, ZONE)
    return {
        "type": kind,
        "eventID": f"urn:uuid:{event_id}",
        "eventTime": time.isoformat(timespec="seconds"),
        "eventTimeZoneOffset": OFFSET,
        "bizStep": step,
        "disposition": disposition,
    }


def kilograms(identifier: str, grams: int | None) -> Body:
    """A quantity of a lot in kg, or the lot without one where nobody weighed."""
    if grams is None:
        return {"epcClass": identifier}
    return {"epcClass": identifier, "quantity": grams / 1000, "uom": "KGM"}


def pieces(identifier: str, count: int) -> Body:
    """A number of packs; EPCIS leaves out the unit of pieces."""
    return {"epcClass": identifier, "quantity": count}


def grams_of(quantity: Body) -> int | None:
    """Grams of a quantity element in kg, ``None`` where it has none."""
    if quantity.get("uom") != "KGM" or "quantity" not in quantity:
        return None
    return round(float(quantity["quantity"]) * 1000)


def planting(event_id: str, at: int, lot: Body, place: str, crop: str, more: Body) -> Body:
    """A crop was planted in a place."""
    return {
        **_head("ObjectEvent", event_id, at, PLANTING, "active"),
        "action": "ADD",
        "quantityList": [lot],
        "readPoint": {"id": place},
        "bizLocation": {"id": place},
        "ilmd": {"nongso:variety": crop},
        "nongso:stated": "stated",
        **more,
    }


def harvest(event_id: str, at: int, lot: Body, place: str, stated: str, more: Body) -> Body:
    """A lot was gathered: commissioning, which EPCIS says covers harvesting and picking."""
    return {
        **_head("ObjectEvent", event_id, at, "commissioning", "active"),
        "action": "ADD",
        "quantityList": [lot],
        "bizLocation": {"id": place},
        "ilmd": {"nongso:harvestDate": day_of(at)},
        "nongso:stated": stated,
        **more,
    }


def receipt(event_id: str, at: int, lot: Body, giver: str, taker: str, more: Body) -> Body:
    """A lot was bought from a household and weighed on the taker's scale."""
    return {
        **_head("ObjectEvent", event_id, at, "receiving", "in_progress"),
        "action": "OBSERVE",
        "quantityList": [lot],
        "sourceList": [{"type": "owning_party", "source": giver}],
        "destinationList": [{"type": "owning_party", "destination": taker}],
        "nongso:stated": "weighed",
        **more,
    }


def transformation(
    event_id: str, at: int, inputs: list[Body], outputs: list[Body], ilmd: Body, more: Body
) -> Body:
    """Lots became other lots: root to starch, starch to noodles, bulk to packs."""
    return {
        **_head("TransformationEvent", event_id, at, "commissioning", "in_progress"),
        "inputQuantityList": inputs,
        "outputQuantityList": outputs,
        **({"ilmd": ilmd} if ilmd else {}),
        "nongso:stated": "weighed",
        **more,
    }


def labelling(event_id: str, at: int, step: str, lot: str, more: Body) -> Body:
    """Labels of a lot were issued, stuck on packs, reported spoiled, or returned."""
    return {
        **_head("ObjectEvent", event_id, at, step, "active"),
        "action": "OBSERVE",
        "quantityList": [{"epcClass": lot}],
        **more,
    }


def error(original: Body, at: int, why: str) -> Body:
    """Declare that an event was recorded wrongly: the same event, its id too, and the reason.

    EPCIS asks for the whole event again, so that whoever holds the first one finds it.
    """
    declared = datetime.datetime.fromtimestamp(at, ZONE).isoformat(timespec="seconds")
    return {
        **original,
        "errorDeclaration": {
            "declarationTime": declared,
            "reason": "incorrect_data",
            "nongso:why": why,
        },
    }


def day_of(at: int) -> str:
    """The farm's day of a moment, as ``2026-11-21``."""
    return datetime.datetime.fromtimestamp(at, ZONE).date().isoformat()
