"""What a valid EPCIS 2.0.1 document or event is, in JSON-LD: our own model of it.

GS1's schema file is not ours to hand on, so the rules stand here again, and the tests hold them
against that schema: both say yes and no to the same documents. Where the standard's text asks for
more than its schema does, the refusal is marked ``beyond``:

* a URI in the standard's own namespace must be one of its words;
* ``persistentDisposition`` has its shape in every type of event;
* an aggregation that is made or undone names its parent;
* a unit stands only beside a quantity;
* numbers are finite, texts can be written down (no zero byte, no half of a surrogate pair).

Nothing is fetched, and what an extension of somebody's own means is not looked at.
"""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from nongso.platform.traceability.epcis.model_values import (
    Check,
    Refusal,
    Told,
    anything,
    can_be_written,
    each,
    either,
    is_uri,
    like,
    number,
    offset,
    one_of,
    shown,
    text,
    thing,
    time,
    truth,
    uri,
    word,
)

MOST_REFUSALS = 50  # told about one event; more help nobody

EVENT_TYPES = (
    "ObjectEvent",
    "AggregationEvent",
    "AssociationEvent",
    "TransformationEvent",
    "TransactionEvent",
)
ACTIONS = ("OBSERVE", "ADD", "DELETE")

_disposition = word("dispositions", "disposition")
_context = either(
    each(either(uri, thing({}, own_names="any")), unique=True),
    uri,
    thing({}, own_names="any"),
)
_quantity_fields = thing(
    {"epcClass": uri, "quantity": number, "uom": like("[A-Z0-9]{2,3}", "unit code like KGM")},
    needed=("epcClass",),
    own_names="none",
)
_persistent_fields = thing(
    {
        "set": each(_disposition, least=1, unique=True),
        "unset": each(_disposition, least=1, unique=True),
    },
    own_names="none",
)
_place = thing({"id": uri}, needed=("id",), own_names="any")


def _quantity(value: Any, at: str, told: Told) -> None:
    _quantity_fields(value, at, told)
    if isinstance(value, dict) and "uom" in value and "quantity" not in value:
        told.append(Refusal(f"{at}.uom", "a unit stands beside a quantity only", beyond=True))


def _persistent(value: Any, at: str, told: Told) -> None:
    _persistent_fields(value, at, told)
    if isinstance(value, dict) and not {"set", "unset"} & value.keys():
        told.append(Refusal(at, "needs set or unset"))


def _persistent_anyhow(value: Any, at: str, told: Told) -> None:
    """The schema forgot its shape in these types of event."""
    own: Told = []
    _persistent(value, at, own)
    told += [Refusal(refusal.field, refusal.reason, beyond=True) for refusal in own]


def _party(end: str) -> Check:
    return thing(
        {"type": word("party_types", "type of party"), end: uri},
        needed=("type", end),
        own_names="none",
    )


_measured = dict.fromkeys(("deviceID", "deviceMetadata", "rawData", "dataProcessingMethod"), uri)
_metadata = thing({**_measured, "time": time, "startTime": time, "endTime": time, "bizRules": uri})
_report = thing(
    {
        **_measured,
        "type": word("measurements", "type of measurement"),
        "exception": word("alerts", "exception"),
        "bizRules": uri,
        "time": time,
        "microorganism": uri,
        "chemicalSubstance": uri,
        "coordinateReferenceSystem": uri,
        "component": word("components", "component"),
        "stringValue": text,
        "booleanValue": truth,
        "hexBinaryValue": like("[A-Fa-f0-9]+", "hexadecimal number"),
        "uriValue": uri,
        "uom": text,
        **dict.fromkeys(
            (
                "value",
                "minValue",
                "maxValue",
                "meanValue",
                "sDev",
                "percRank",
                "percValue",
            ),
            number,
        ),
    },
    needed=("type",),
)
_sensor = thing(
    {"sensorMetadata": _metadata, "sensorReport": each(_report, least=1)},
    needed=("sensorReport",),
)
_error = thing(
    {
        "declarationTime": time,
        "reason": word("error_reasons", "reason"),
        "correctiveEventIDs": each(uri),
    },
    needed=("declarationTime",),
)

_COMMON: dict[str, Check] = {
    "@context": _context,
    "type": anything,
    "eventTime": time,
    "recordTime": time,
    "eventTimeZoneOffset": offset,
    "eventID": uri,
    "certificationInfo": either(uri, each(uri)),
    "errorDeclaration": _error,
}
_NEEDED = ("eventTime", "eventTimeZoneOffset")
_WHAT_WHERE_WHY: dict[str, Check] = {
    **_COMMON,
    "bizStep": word("business_steps", "business step"),
    "disposition": _disposition,
    "persistentDisposition": _persistent_anyhow,
    "readPoint": _place,
    "bizLocation": _place,
    "bizTransactionList": each(
        thing(
            {"type": word("transaction_types", "type of transaction"), "bizTransaction": uri},
            needed=("bizTransaction",),
            own_names="none",
        )
    ),
    "sourceList": each(_party("source")),
    "destinationList": each(_party("destination")),
    "sensorElementList": each(_sensor),
}
_action = one_of(*ACTIONS)
_family: dict[str, Check] = {
    **_WHAT_WHERE_WHY,
    "action": _action,
    "parentID": uri,
    "childEPCs": each(uri),
    "childQuantityList": each(_quantity),
}
_ilmd = thing({})

_FIELDS: dict[str, Check] = {
    "ObjectEvent": thing(
        {
            **_WHAT_WHERE_WHY,
            "action": _action,
            "epcList": each(uri, unique=True),
            "quantityList": each(_quantity),
            "persistentDisposition": _persistent,
            "ilmd": _ilmd,
        },
        needed=(*_NEEDED, "action"),
    ),
    "AggregationEvent": thing(_family, needed=(*_NEEDED, "action")),
    "AssociationEvent": thing(_family, needed=(*_NEEDED, "action", "parentID")),
    "TransactionEvent": thing(
        {
            **_WHAT_WHERE_WHY,
            "action": _action,
            "parentID": uri,
            "epcList": each(uri),
            "quantityList": each(_quantity),
        },
        needed=(*_NEEDED, "action", "bizTransactionList"),
    ),
    "TransformationEvent": thing(
        {
            **_WHAT_WHERE_WHY,
            "persistentDisposition": _persistent,
            "inputEPCList": each(uri, unique=True),
            "inputQuantityList": each(_quantity),
            "outputEPCList": each(uri, unique=True),
            "outputQuantityList": each(_quantity),
            "transformationID": uri,
            "ilmd": _ilmd,
        },
        needed=_NEEDED,
    ),
}
_SOMEBODYS_OWN = thing(_COMMON, needed=_NEEDED, own_names="any")


def _some(event: Mapping[str, Any], *names: str) -> bool:
    """Say whether one of these lists has something in it."""
    return any(isinstance(event.get(name), list) and event[name] for name in names)


def _rules(event: Mapping[str, Any], at: str) -> Iterator[Refusal]:
    """What holds between the fields of an event."""
    kind, action = event["type"], event.get("action")
    if kind == "ObjectEvent":
        measured = _some(event, "sensorElementList") and "readPoint" in event
        if "epcList" not in event and not _some(event, "quantityList") and not measured:
            reason = "needs epcList or quantityList, or sensorElementList with a readPoint"
            yield Refusal(at or "event", reason)
        if "ilmd" in event and action in ("OBSERVE", "DELETE"):
            yield Refusal(f"{at}.ilmd", f"may not stand beside action {action}, only beside ADD")
    elif kind in ("AggregationEvent", "AssociationEvent"):
        if not _some(event, "childEPCs", "childQuantityList") and action != "DELETE":
            yield Refusal(at or "event", "needs childEPCs or childQuantityList unless DELETE")
        if kind == "AggregationEvent" and "parentID" not in event and action != "OBSERVE":
            yield Refusal(f"{at}.parentID", f"is missing beside action {action}", beyond=True)
    elif kind == "TransactionEvent":
        if not _some(event, "bizTransactionList"):
            yield Refusal(f"{at}.bizTransactionList", "the list is empty")
        if "epcList" not in event and not _some(event, "quantityList") and action != "DELETE":
            yield Refusal(at or "event", "needs epcList or quantityList unless DELETE")
    elif kind == "TransformationEvent":
        inputs = _some(event, "inputEPCList", "inputQuantityList")
        outputs = _some(event, "outputEPCList", "outputQuantityList")
        if not (inputs and outputs) and not ("transformationID" in event and (inputs or outputs)):
            reason = "needs inputs and outputs, or one of them and a transformationID"
            yield Refusal(at or "event", reason)


def check_event(event: Any, at: str = "", alone: bool = False) -> list[Refusal]:
    """Say what is wrong with an event; nothing, if it is valid.

    ``at`` is where it stands in its document; ``alone``: it is the whole document itself, and
    must bring its own context.
    """
    if not isinstance(event, dict):
        return [Refusal(at or "event", f"{shown(event)} is no object")]
    kind = event.get("type")
    told: Told = []
    if not isinstance(kind, str):
        return [Refusal(f"{at}.type".lstrip("."), "is missing" if kind is None else "is no text")]
    if kind in _FIELDS:
        _FIELDS[kind](event, at, told)
        told += _rules(event, at)
    elif is_uri(kind):
        _SOMEBODYS_OWN(event, at, told)
    else:
        known = ", ".join(EVENT_TYPES)
        reason = f"{shown(kind)} is none of {known}, and no URI of somebody's own type"
        told.append(Refusal(f"{at}.type".lstrip("."), reason))
    if alone and "@context" not in event:
        told.append(Refusal("@context", "is missing"))
    told += _unwritable(event, at)
    return [_tidy(one) for one in itertools.islice(told, MOST_REFUSALS)]


def _tidy(refusal: Refusal) -> Refusal:
    return Refusal(refusal.field.lstrip("."), refusal.reason, refusal.beyond)


def _unwritable(value: Any, at: str) -> Iterator[Refusal]:
    """Find texts that no database can keep."""
    waiting = [(value, at)]
    while waiting:
        one, where = waiting.pop()
        if isinstance(one, str):
            if not can_be_written(one):
                yield Refusal(where, "has a letter that cannot be written down", beyond=True)
        elif isinstance(one, dict):
            waiting += [(name, where) for name in one]
            waiting += [(inner, f"{where}.{name}") for name, inner in one.items()]
        elif isinstance(one, list):
            waiting += [(inner, f"{where}[{i}]") for i, inner in enumerate(one)]


_vocabulary = thing(
    {
        "type": uri,
        "vocabularyElementList": each(
            thing(
                {
                    "id": uri,
                    "attributes": each(
                        thing(
                            {
                                "id": uri,
                                "attribute": either(text, number, thing({}, own_names="any")),
                            },
                            needed=("id",),
                            own_names="any",
                        )
                    ),
                    "children": each(uri),
                },
                needed=("id",),
                own_names="any",
            )
        ),
    },
    needed=("type",),
    own_names="any",
)
_version = like(r"[0-9]+(?:\.[0-9]+)*", "version like 2.0")
_document = thing(
    {
        "@context": _context,
        "id": uri,
        "type": anything,
        "schemaVersion": _version,
        "creationDate": time,
        "instanceIdentifier": text,
        "sender": text,
        "receiver": text,
        "epcisHeader": thing(
            {"epcisMasterData": thing({"vocabularyList": each(_vocabulary)}, own_names="any")}
        ),
        "epcisBody": thing({"eventList": anything}, needed=("eventList",), own_names="any"),
    },
    needed=("@context", "schemaVersion", "creationDate", "epcisBody"),
)
_answer = thing(
    {
        "@context": _context,
        "id": uri,
        "type": anything,
        "schemaVersion": _version,
        "creationDate": time,
        "epcisBody": thing(
            {
                "queryResults": thing(
                    {
                        "queryName": text,
                        "subscriptionID": text,
                        "resultsBody": thing(
                            {"eventList": anything, "vocabularyList": each(_vocabulary)},
                            needed=("eventList",),
                        ),
                    },
                    needed=("queryName", "resultsBody"),
                )
            },
            needed=("queryResults",),
        ),
    },
    needed=("@context", "epcisBody"),
)


def check_frame(document: Any) -> list[Refusal]:
    """Say what is wrong with a document around its list of events."""
    if not isinstance(document, dict):
        return [Refusal("document", f"{shown(document)} is no object")]
    told: Told = []
    kind = document.get("type")
    check = _answer if kind == "EPCISQueryDocument" else _document
    check(document, "", told)
    if not told:
        listed, at = event_list(document)
        if not isinstance(listed, list):
            told.append(Refusal(at, f"{shown(listed)} is no list"))
    return told[:MOST_REFUSALS]


def event_list(document: Mapping[str, Any]) -> tuple[Any, str]:
    """Return a document's events and where they stand."""
    body = document["epcisBody"]
    if document.get("type") == "EPCISQueryDocument":
        inner = "epcisBody.queryResults.resultsBody.eventList"
        return body["queryResults"]["resultsBody"]["eventList"], inner
    return body["eventList"], "epcisBody.eventList"


def is_document(value: Any) -> bool:
    """Say whether it claims to be a document, not a single event."""
    return isinstance(value, dict) and value.get("type") in ("EPCISDocument", "EPCISQueryDocument")


def check_document(document: Any) -> list[Refusal]:
    """Say what is wrong with a document or a single event; nothing, if it is valid."""
    if not is_document(document):
        return check_event(document, alone=True)
    told = check_frame(document)
    if told:
        return told
    listed, at = event_list(document)
    for i, event in enumerate(listed):
        told += check_event(event, f"{at}[{i}]")
        if len(told) >= MOST_REFUSALS:
            break
    return told[:MOST_REFUSALS]
