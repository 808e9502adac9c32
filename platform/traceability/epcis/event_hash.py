"""The name of an event that follows from what it says: the event hash of CBV 2.0.

How this works. The event is written as one line, its fields in a fixed order, each as
``name=value``; times in UTC with milliseconds, words of the standard in full, identifiers of GS1
as canonical Digital Links, numbers without idle zeros, lists sorted. SHA-256 of that line, written
``ni:///sha-256;<hex>?ver=CBV2.0``, is the same for everybody who was told the same thing,
whichever prefixes, host or order of fields they use.

Left out: ``eventID`` and ``recordTime``, which are not the event's own; ``errorDeclaration``, so
that a declared error still has the name of what it declares wrong; comments.

The line is held against the generator that most people use (epcis-event-hash-generator 1.9.3),
and follows it where it is stricter or odder than the text of the standard: lists of transactions
and parties come with the extensions and are sorted among them, prefixes count only where the
document itself declares them. Three things are done otherwise, because there it fails or loses
something: prefixes that an event declares of its own are followed, a number of more digits than
a double can hold keeps them, an extension inside a read point or a sensor's report stands beside
its siblings whatever its namespace ends with.

It says nothing about who wrote the event, and changes when anything is blacked out.
"""

import datetime
import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any

from nongso.platform.traceability.epcis.namespaces import Prefixes, expand, prefixes_of
from nongso.platform.traceability.epcis.same_name import canonical
from nongso.platform.traceability.epcis.vocabulary import OF_FIELD, words

_NEVER = frozenset({"eventID", "recordTime", "errorDeclaration", "type", "@context"})
_COMMENTS = frozenset({"rdfs:comment", "comment", "#text"})
_ODD_LISTS = ("bizTransactionList", "sourceList", "destinationList")

_METADATA = (
    "time",
    "startTime",
    "endTime",
    "deviceID",
    "deviceMetadata",
    "rawData",
    "dataProcessingMethod",
    "bizRules",
)
_REPORT = (
    "type",
    "exception",
    "deviceID",
    "deviceMetadata",
    "rawData",
    "dataProcessingMethod",
    "time",
    "microorganism",
    "chemicalSubstance",
    "value",
    "component",
    "stringValue",
    "booleanValue",
    "hexBinaryValue",
    "uriValue",
    "minValue",
    "maxValue",
    "meanValue",
    "sDev",
    "percRank",
    "percValue",
    "uom",
    "coordinateReferenceSystem",
)
_QUANTITY = ["epcClass", "quantity", "uom"]

# The order of the fields; of those that have parts, the order of the parts.
_ORDER: dict[str, Any] = {
    "eventTime": None,
    "eventTimeZoneOffset": None,
    "certificationInfo": None,
    "parentID": None,
    "epcList": {"epc": None},
    "inputEPCList": {"epc": None},
    "childEPCs": {"epc": None},
    "quantityList": {"quantityElement": dict.fromkeys(_QUANTITY)},
    "childQuantityList": {"quantityElement": dict.fromkeys(_QUANTITY)},
    "inputQuantityList": {"quantityElement": dict.fromkeys(_QUANTITY)},
    "outputEPCList": {"epc": None},
    "outputQuantityList": {"quantityElement": dict.fromkeys(_QUANTITY)},
    "action": None,
    "transformationID": None,
    "bizStep": None,
    "disposition": None,
    "persistentDisposition": {"set": None, "unset": None},
    "readPoint": {"id": None},
    "bizLocation": {"id": None},
    "sensorElementList": {
        "sensorElement": {
            "sensorMetadata": dict.fromkeys(_METADATA),
            "sensorReport": dict.fromkeys(_REPORT),
        }
    },
}
_ELEMENT_OF = {
    "epcList": "epc",
    "inputEPCList": "epc",
    "outputEPCList": "epc",
    "childEPCs": "epc",
    "quantityList": "quantityElement",
    "childQuantityList": "quantityElement",
    "inputQuantityList": "quantityElement",
    "outputQuantityList": "quantityElement",
}

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_DOUBLE_DIGITS = 15
_LONGEST_NUMBER = 400
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def event_hash(event: Mapping[str, Any], context: Any = None, ignore: Collection[str] = ()) -> str:
    """Return the event's name. ``context`` is the ``@context`` of its document.

    ``ignore`` names further fields to be left out, as a document's ``ignoreFields`` may.
    """
    line = pre_hash(event, context, ignore)
    return f"ni:///sha-256;{hashlib.sha256(line.encode()).hexdigest()}?ver=CBV2.0"


def pre_hash(event: Mapping[str, Any], context: Any = None, ignore: Collection[str] = ()) -> str:
    """Return the line whose hash is the event's name."""
    prefixes = {**prefixes_of(context), **prefixes_of(event.get("@context"))}
    line = _Line(prefixes, frozenset(ignore) | {expand(name, prefixes) for name in ignore})
    return f"eventType={event.get('type', '')}" + line.event(event)


class _Line:
    """Writes one event."""

    def __init__(self, prefixes: Prefixes, ignored: frozenset[str]) -> None:
        self._prefixes = prefixes
        self._ignored = ignored

    def event(self, event: Mapping[str, Any]) -> str:
        known: dict[str, Any] = {}
        others: dict[str, Any] = {}
        for name, value in event.items():
            if name in _NEVER or name in _COMMENTS or self._is_ignored(name):
                continue
            (known if name in _ORDER else others)[name] = value
        rest = [self._odd_list(n, others.pop(n)) for n in _ODD_LISTS if n in others]
        rest += self._free(others)
        return self._ordered(known, _ORDER) + "".join(sorted(rest))

    def _is_ignored(self, name: str) -> bool:
        return name in self._ignored or expand(name, self._prefixes) in self._ignored

    def _ordered(self, fields: Mapping[str, Any], order: Mapping[str, Any]) -> str:
        return "".join(
            "".join(sorted(filter(None, self._known(name, fields[name], order[name]))))
            for name in order
            if name in fields
        )

    def _known(self, name: str, value: Any, parts: Mapping[str, Any] | None) -> list[str]:
        """The texts of one field of the fixed order; one for each value that it has."""
        if name in _ELEMENT_OF:
            element = _ELEMENT_OF[name]
            assert parts is not None
            inner = "".join(sorted(filter(None, self._known(element, value, parts[element]))))
            return [name + inner] if inner else []
        if name == "sensorElementList":
            assert parts is not None
            inner = "".join(
                sorted(filter(None, self._known("sensorElement", value, parts["sensorElement"])))
            )
            return [name + inner] if inner else []
        found = []
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Mapping):
                fields = {k: v for k, v in one.items() if parts is not None and k in parts}
                free = {k: v for k, v in one.items() if k not in fields and k not in _COMMENTS}
                inner = self._ordered(fields, parts or {}) + "".join(sorted(self._free(free)))
                found.append(name + inner if inner else "")
            else:
                text = self._value(name, one)
                found.append(f"{name}={text}" if text else "")
        return found

    def _odd_list(self, name: str, value: Any) -> str:
        """Transactions and parties: sorted, the type before what it types."""
        inner = []
        for one in value if isinstance(value, list) else [value]:
            if not isinstance(one, Mapping):
                continue
            list_ = "transaction_types" if name == "bizTransactionList" else "party_types"
            parts = [k for k in ("type", name.removesuffix("List")) if k in one]
            texts = []
            for part in parts:
                text = _text(one[part])
                if part == "type":
                    text = words(list_).whole(text)
                texts.append(f"{part}={self._canonical(text)}")
            inner.append("".join(texts))
        return name + "".join(sorted(inner))

    def _free(self, fields: Mapping[str, Any]) -> list[str]:
        """Extensions and ``ilmd``, each as one text."""
        found = []
        for name, value in fields.items():
            if name in _COMMENTS or value is None:
                continue
            whole = self._name(name)
            if whole.endswith("List"):
                inner = self._free_values(whole.removesuffix("List"), value)
                found.append(whole + "".join(sorted(inner)))
            else:
                found += self._free_values(whole, value)
        return found

    def _free_values(self, whole: str, value: Any) -> list[str]:
        if isinstance(value, list):
            return [text for one in value for text in self._free_values(whole, one)]
        if isinstance(value, Mapping):
            own = _text(value["#text"]) if "#text" in value else ""
            inner = "".join(sorted(self._free(value)))
            return [whole + (f"={self._canonical(own)}" if own else "") + inner]
        text = "" if value is None else self._canonical(_text(value))
        return [f"{whole}={text}" if text else whole]

    def _name(self, name: str) -> str:
        """The name of an extension, with its namespace in braces."""
        prefix, colon, local = name.partition(":")
        known = self._prefixes.get(prefix) if colon else None
        return name if known is None else f"{{{known}}}{local}"

    def _value(self, name: str, value: Any) -> str:
        if value is None:
            return ""
        text = _text(value)
        if "time" in name.lower() and "offset" not in name.lower():
            return in_milliseconds(text)
        if name in OF_FIELD:
            text = words(OF_FIELD[name]).whole(text)
        elif name == "type":
            text = words("measurements").whole(text)
        return self._canonical(text)

    def _canonical(self, text: str) -> str:
        text = expand(text.strip(), self._prefixes)
        for of in ("business_steps", "dispositions", "transaction_types", "party_types"):
            text = words(of).whole(text) if text.startswith("urn:epcglobal:cbv:") else text
        return canonical(text) or _number(text)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.strip() if isinstance(value, str) else str(value)


def _number(text: str) -> str:
    """Write a number without idle zeros and signs; other texts stay as they are."""
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        return text
    exact = Decimal(text)
    if exact == exact.to_integral_value():
        return str(int(exact))
    if len(exact.normalize().as_tuple().digits) <= _DOUBLE_DIGITS:
        return str(float(exact))
    return format(exact.normalize(), "f")


def in_milliseconds(text: str) -> str:
    """Write a time in UTC with milliseconds, half a one going to the even neighbour.

    A text that is no time stays as it is.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        return text
    day, clock, fraction, zone = found.groups()
    try:
        at = datetime.datetime.fromisoformat(f"{day}T{clock}{zone.upper().replace('Z', '+00:00')}")
        microseconds = int((fraction or "").ljust(6, "0")[:6])
        at += datetime.timedelta(milliseconds=round(microseconds / 1000))
        at = at.astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        return text
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def events_of(document: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Return the events of a document of either sort, or the event that it is itself."""
    body = document.get("epcisBody")
    if not isinstance(body, Mapping):
        return [document]
    if "queryResults" in body:
        found: list[Mapping[str, Any]] = body["queryResults"]["resultsBody"]["eventList"]
        return found
    return body["eventList"] if "eventList" in body else [body["event"]]
