"""What of an event can be asked for: values in, rows of the index out. No database here.

Words of the standard are written in full, identifiers in the form by which they are compared,
extensions with their whole name, so that a question in other words finds the same events.
Field names of the index are short, because there are ten rows for every event.
"""

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nongso.platform.traceability.epcis.model_values import is_time
from nongso.platform.traceability.epcis.namespaces import (
    Prefixes,
    expand,
    prefixes_of,
    with_standard,
)
from nongso.platform.traceability.epcis.same_name import same_form
from nongso.platform.traceability.epcis.vocabulary import words

LONGEST_VALUE = 400  # longer texts and names can be kept, but not be asked for
MOST_TERMS = 20_000  # of one event
DEEPEST = 40

# Field of the index, fields of the event.
EPCS = {
    "epc": ("epcList", "childEPCs"),
    "parent": ("parentID",),
    "inEPC": ("inputEPCList",),
    "outEPC": ("outputEPCList",),
}
CLASSES = {
    "class": ("quantityList", "childQuantityList"),
    "inClass": ("inputQuantityList",),
    "outClass": ("outputQuantityList",),
}
THINGS = (*EPCS, *CLASSES)  # the fields that name a thing, or a class of things
LISTS = {
    "bizTransaction": ("bizTransactionList", "transaction_types"),
    "source": ("sourceList", "party_types"),
    "destination": ("destinationList", "party_types"),
}
SENSOR_TIMES = ("time", "startTime", "endTime")
SENSOR_NUMBERS = ("value", "minValue", "maxValue", "meanValue", "sDev", "percValue")
SENSOR_URIS = (
    "deviceID",
    "dataProcessingMethod",
    "microorganism",
    "chemicalSubstance",
    "bizRules",
    "uriValue",
)
SENSOR_TEXTS = ("stringValue", "hexBinaryValue", "booleanValue")
# Where extensions of somebody's own may stand, and how the index calls them.
TOP, ILMD, ERROR, SENSOR, METADATA, REPORT, READ_POINT, BIZ_LOCATION = (
    "x",
    "ilmd",
    "err",
    "sensor",
    "meta",
    "report",
    "rp",
    "bl",
)

# The years 1 to 9999 of UTC, which the calendar here can reckon with.
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799

Row = tuple[str, str, float | None]


@dataclass(frozen=True)
class Head:
    """What of an event stands in columns of its own."""

    kind: str
    at_ms: int
    action: str | None
    biz_step: str | None
    disposition: str | None
    read_point: str | None
    biz_location: str | None
    error_ms: int | None


def milliseconds(text: str) -> int:
    """Return a date-time as milliseconds since 1970. Raises ``ValueError``."""
    if not is_time(text):
        raise ValueError(text)
    whole = text.upper().replace("Z", "+00:00")
    leap = whole[17:19] == "60"  # the second after which the day is over
    if leap:
        whole = whole[:17] + "59" + whole[19:]
    head, dot, rest = whole.partition(".")
    fraction, zone = (rest[:-6], rest[-6:]) if dot else ("", whole[-6:])
    if not dot:
        head = whole[:-6]
    try:
        at = datetime.datetime.fromisoformat(head + zone)
        seconds = round(at.timestamp()) + leap
    except (OverflowError, ValueError) as error:
        raise ValueError(text) from error
    if not _FIRST_SECOND <= seconds <= _LAST_SECOND:
        raise ValueError(text)
    return seconds * 1000 + int((fraction + "000")[:3])


def moment(ms: int) -> str:
    """Write milliseconds since 1970 as EPCIS writes a time."""
    at = datetime.datetime.fromtimestamp(ms // 1000, datetime.UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def known_prefixes(event: Mapping[str, Any], context: Any) -> Prefixes:
    """Return the prefixes that hold in an event of a document with this context."""
    return with_standard({**prefixes_of(context), **prefixes_of(event.get("@context"))})


def whole_word(list_: str, text: str, prefixes: Mapping[str, str]) -> str:
    """Write a word of the standard, or anybody's own, in the one form of the index."""
    return words(list_).whole(expand(text, prefixes))


def head_of(event: Mapping[str, Any], prefixes: Prefixes) -> Head:
    """Return what stands in columns. The event must be valid."""

    def word(list_: str, name: str) -> str | None:
        return whole_word(list_, event[name], prefixes) if name in event else None

    def place(name: str) -> str | None:
        return same_form(expand(event[name]["id"], prefixes)) if name in event else None

    declared = event.get("errorDeclaration")
    return Head(
        kind=expand(event["type"], prefixes),
        at_ms=milliseconds(event["eventTime"]),
        action=event.get("action"),
        biz_step=word("business_steps", "bizStep"),
        disposition=word("dispositions", "disposition"),
        read_point=place("readPoint"),
        biz_location=place("bizLocation"),
        error_ms=None if declared is None else milliseconds(declared["declarationTime"]),
    )


def things_of(event: Mapping[str, Any], prefixes: Prefixes) -> Iterator[str]:
    """Return the things and classes of things that an event names, in full, as written."""
    for where in EPCS.values():
        for one in where:
            value = event.get(one, ())
            for epc in [value] if isinstance(value, str) else value:
                yield expand(epc, prefixes)
    for where in CLASSES.values():
        for one in where:
            for element in event.get(one, ()):
                yield expand(element["epcClass"], prefixes)


def rows_of(event: Mapping[str, Any], prefixes: Prefixes) -> list[Row]:
    """Return the rows of the index for an event, each once."""
    found: dict[Row, None] = {}
    for row in _rows(event, prefixes):
        if len(row[0]) <= LONGEST_VALUE and len(row[1]) <= LONGEST_VALUE:
            found[row] = None
        if len(found) >= MOST_TERMS:
            break
    return list(found)


def _rows(event: Mapping[str, Any], prefixes: Prefixes) -> Iterator[Row]:
    def name(text: str) -> str:
        return same_form(expand(text, prefixes))

    for field, where in EPCS.items():
        for one in where:
            value = event.get(one, ())
            for epc in [value] if isinstance(value, str) else value:
                yield field, name(epc), None
    for field, where in CLASSES.items():
        for one in where:
            for element in event.get(one, ()):
                yield field, name(element["epcClass"]), None
                if "quantity" in element:
                    yield "quantity", element.get("uom", ""), float(element["quantity"])
    for field, (list_, of_words) in LISTS.items():
        for element in event.get(list_, ()):
            kind = whole_word(of_words, element.get("type", ""), prefixes)
            yield f"{field}:{kind}", name(element[field]), None
    persistent = event.get("persistentDisposition")
    if isinstance(persistent, Mapping):
        for deed in ("set", "unset"):
            for disposition in persistent.get(deed, ()):
                yield deed, whole_word("dispositions", disposition, prefixes), None
    if "transformationID" in event:
        yield "transformationID", name(event["transformationID"]), None
    yield from _error_rows(event.get("errorDeclaration"), prefixes)
    yield from _sensor_rows(event.get("sensorElementList", ()), prefixes)
    yield from _free_rows(TOP, event, prefixes)
    yield from _free_rows(ILMD, event.get("ilmd"), prefixes)
    yield from _free_rows(READ_POINT, event.get("readPoint"), prefixes)
    yield from _free_rows(BIZ_LOCATION, event.get("bizLocation"), prefixes)


def _error_rows(declared: Any, prefixes: Prefixes) -> Iterator[Row]:
    if not isinstance(declared, Mapping):
        return
    if "reason" in declared:
        yield "errorReason", whole_word("error_reasons", declared["reason"], prefixes), None
    for event_id in declared.get("correctiveEventIDs", ()):
        yield "correctiveEventID", event_id, None
    yield from _free_rows(ERROR, declared, prefixes)


def _sensor_rows(elements: Any, prefixes: Prefixes) -> Iterator[Row]:
    for element in elements:
        yield "sensorElementList", "", None
        yield from _free_rows(SENSOR, element, prefixes)
        metadata = element.get("sensorMetadata", {})
        yield from _free_rows(METADATA, metadata, prefixes)
        for part in (metadata, *element["sensorReport"]):
            yield from _measured(part, prefixes)
        for report in element["sensorReport"]:
            yield "type", whole_word("measurements", report["type"], prefixes), None
            yield from _free_rows(REPORT, report, prefixes)


def _measured(part: Mapping[str, Any], prefixes: Prefixes) -> Iterator[Row]:
    for field in SENSOR_TIMES:
        if field in part:
            yield field, "", float(milliseconds(part[field]))
    for field in SENSOR_URIS:
        if field in part:
            yield field, same_form(expand(part[field], prefixes)), None
    for field in SENSOR_TEXTS:
        if field in part:
            yield field, _plain(part[field]), None
    for field in SENSOR_NUMBERS:
        if field in part:
            yield field, part.get("uom", ""), float(part[field])
    if "percRank" in part:
        yield "percRank", "", float(part["percRank"])


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _free_rows(where: str, fields: Any, prefixes: Prefixes) -> Iterator[Row]:
    """Extensions: those that stand here, and under ``where`` + ``+`` those inside of them."""
    if not isinstance(fields, Mapping):
        return
    for name, value in fields.items():
        if ":" in name:
            yield from _free(where, expand(name, prefixes), value, prefixes, 0)


def _free(where: str, name: str, value: Any, prefixes: Prefixes, depth: int) -> Iterator[Row]:
    if depth > DEEPEST:
        return
    if isinstance(value, list):
        for one in value:
            yield from _free(where, name, one, prefixes, depth + 1)
        return
    field = f"{where}:{name}"
    if isinstance(value, Mapping):
        yield field, "", None
        inside = where if where.endswith("+") else where + "+"
        for inner, one in value.items():
            yield from _free(inside, expand(inner, prefixes), one, prefixes, depth + 1)
    elif isinstance(value, bool):
        yield field, _plain(value), None
    elif isinstance(value, int | float):
        try:
            yield field, _plain(value), float(value)
        except OverflowError:
            yield field, _plain(value), None
    elif isinstance(value, str):
        yield field, same_form(expand(value, prefixes)), None
        if is_time(value):
            try:
                yield f"{field}@", "", float(milliseconds(value))
            except ValueError:
                return
    else:
        yield field, "", None
