"""Reads what was sent: bytes in, events with their own text out; bounded in every direction.

The text of each event is cut from what was sent, not written anew: a number keeps its zeros and a
field its place. Brackets are counted before anything is decoded, so that a text of a hundred
thousand of them ends nobody.
"""

import codecs
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from nongso.platform import jsonparts
from nongso.platform.traceability.epcis.errors import EpcisError, invalid
from nongso.platform.traceability.epcis.model import (
    check_event,
    check_frame,
    event_list,
    is_document,
)
from nongso.platform.traceability.epcis.model_values import Refusal
from nongso.platform.traceability.epcis.namespaces import expand, prefixes_of
from nongso.platform.traceability.epcis.records import OWN_NAMES
from nongso.platform.traceability.epcis.terms import (
    CLASSES,
    EPCS,
    LONGEST_VALUE,
    SENSOR_TIMES,
    known_prefixes,
    milliseconds,
)

MOST_EVENTS = 2_000  # of one capture
MOST_BYTES = 8 * 1024 * 1024  # of one capture; the application refuses more by itself
MOST_EVENT_BYTES = 512 * 1024
MOST_CONTEXT_BYTES = 16 * 1024
MOST_THINGS = 10_000  # of one event; all of them are in the index
DEEPEST = 40
MOST_SHOWN = 50
_LONGEST_NAME = 60  # of a field that is repeated in an error
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")


@dataclass(frozen=True)
class Sent:
    """An event as it was sent: where it stood, its text, what it says, its document's context."""

    place: str
    text: str
    event: dict[str, Any]
    context: Any
    alone: bool = False


def read(content: bytes) -> list[Sent]:
    """Return the events of a document, of a list, or the single event. Raises ``EpcisError``.

    What frames the events is checked here, the events themselves are not. The mark that programs
    of Windows put before a text is left out.
    """
    content = content.removeprefix(codecs.BOM_UTF8)
    value = _decoded(content)
    if isinstance(value, list):
        texts = _elements(content, value)
        found = [
            Sent(f"[{i}]", text, event, _context_of(event))
            for i, (text, event) in enumerate(zip(texts, value, strict=True))
        ]
    elif is_document(value):
        refusals = check_frame(value) or _wide_context(value["@context"], "@context")
        if refusals:
            raise _refused(refusals)
        events, place = event_list(value)
        texts = _elements(_inside(content, place.split(".")), events)
        found = [
            Sent(f"{place}[{i}]", text, event, value["@context"])
            for i, (text, event) in enumerate(zip(texts, events, strict=True))
        ]
    elif isinstance(value, dict):
        text = content.decode().strip()
        found = [Sent("", text, value, _context_of(value), alone=True)]
    else:
        raise invalid("expected an EPCISDocument, a list of events, or an event")
    if len(found) > MOST_EVENTS:
        detail = f"{len(found)} events at once; {MOST_EVENTS} are the most"
        raise EpcisError("CaptureLimitExceededException", detail)
    return found


def refusals_of(sent: Sent) -> list[Refusal]:
    """Say what keeps an event from being captured; nothing, if it can be."""
    told = check_event(sent.event, sent.place, alone=sent.alone)
    if told:
        return told
    if len(sent.text) > MOST_EVENT_BYTES:
        told.append(Refusal(sent.place or "event", f"is longer than {MOST_EVENT_BYTES} bytes"))
    for name in OWN_NAMES:
        if name in sent.event:
            told.append(Refusal(f"{sent.place}.{name}".lstrip("."), "is a name of our own", True))
    told += _wide_context(sent.event.get("@context"), f"{sent.place}.@context".lstrip("."))
    told += _too_long(sent)
    told += _untimely(sent)
    return told


def _wide_context(context: Any, place: str) -> list[Refusal]:
    """A context is read with each event, and its prefixes with each name in it: both are short."""
    told = []
    if len(json.dumps(context)) > MOST_CONTEXT_BYTES:
        reason = f"is longer than {MOST_CONTEXT_BYTES} bytes"
        told.append(Refusal(place, reason, beyond=True))
    if any(len(meant) > LONGEST_VALUE for meant in prefixes_of(context).values()):
        reason = f"has a prefix that stands for more than {LONGEST_VALUE} letters"
        told.append(Refusal(place, reason, beyond=True))
    return told


def _too_long(sent: Sent) -> Iterator[Refusal]:
    """Identifiers that no index can keep, written in full."""
    event, prefixes = sent.event, known_prefixes(sent.event, sent.context)
    single = [event.get(name, "") for name in ("eventID", "parentID", "transformationID", "type")]
    single += [event[name]["id"] for name in ("readPoint", "bizLocation") if name in event]
    single += [event[name] for name in ("bizStep", "disposition") if name in event]
    listed: list[str] = []
    for names in EPCS.values():
        for name in names:
            value = event.get(name, ())
            listed += value if isinstance(value, list) else ()
    for names in CLASSES.values():
        for name in names:
            listed += [one["epcClass"] for one in event.get(name, ())]
    if len(listed) > MOST_THINGS:
        yield Refusal(sent.place or "event", f"names more than {MOST_THINGS} things", beyond=True)
    if any(len(expand(one, prefixes)) > LONGEST_VALUE for one in (*single, *listed)):
        reason = f"has an identifier of more than {LONGEST_VALUE} letters"
        yield Refusal(sent.place or "event", reason, beyond=True)


def _untimely(sent: Sent) -> Iterator[Refusal]:
    """Times that are well written and outside of what a calendar here can reckon with."""
    times = {"eventTime": sent.event["eventTime"]}
    declared = sent.event.get("errorDeclaration")
    if declared is not None:
        times["errorDeclaration.declarationTime"] = declared["declarationTime"]
    for i, element in enumerate(sent.event.get("sensorElementList", ())):
        for part in (element.get("sensorMetadata", {}), *element["sensorReport"]):
            for name in SENSOR_TIMES:
                if isinstance(part.get(name), str):
                    times[f"sensorElementList[{i}].{name}"] = part[name]
    for name, value in times.items():
        try:
            milliseconds(value)
        except ValueError:
            reason = "is outside of the years that can be kept"
            yield Refusal(f"{sent.place}.{name}".lstrip("."), reason, beyond=True)


def _refused(refusals: list[Refusal]) -> EpcisError:
    listed = [{"field": one.field, "reason": one.reason} for one in refusals[:MOST_SHOWN]]
    return invalid(str(refusals[0]), errors=listed)


def _decoded(content: bytes) -> Any:
    depth = deepest = 0
    for bracket in _BRACKETS.finditer(_STRINGS.sub(b"", content)):
        depth += 1 if bracket.group() in b"[{" else -1
        deepest = max(deepest, depth)
    if deepest > DEEPEST:
        raise invalid(f"brackets lie more than {DEEPEST} deep in each other")
    twice: list[_Twice] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            found = _Twice(pairs)
            twice.append(found)
        return found

    try:
        value = json.loads(content.decode(), parse_constant=_no_number, object_pairs_hook=once)
    except UnicodeDecodeError as error:
        raise invalid("the text is no UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise invalid(f"the text is no JSON: {error}") from error
    if twice:
        reason = "stands twice; JSON-LD has each name once in an object"
        raise _refused([Refusal(_place_of_twice(value) or twice[0].name, reason)])
    return value


class _Twice(dict[str, Any]):
    """An object in which a name stands twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counted = Counter(name for name, _value in pairs)
        name = next(name for name, count in counted.items() if count > 1)
        self.name = _shown(name)


def _shown(name: str) -> str:
    """The name of a field as an error repeats it, whatever somebody wrote."""
    return name[:_LONGEST_NAME].encode("utf-8", "replace").decode()


def _place_of_twice(value: Any, place: str = "") -> str | None:
    """Where a name stands twice in an object, the first of them."""
    if isinstance(value, _Twice):
        return f"{place}.{value.name}".lstrip(".")
    inside: Iterable[tuple[str, Any]] = ()
    if isinstance(value, dict):
        inside = ((f"{place}.{_shown(name)}".lstrip("."), one) for name, one in value.items())
    elif isinstance(value, list):
        inside = ((f"{place}[{i}]", one) for i, one in enumerate(value))
    found = (_place_of_twice(one, where) for where, one in inside)
    return next((where for where in found if where is not None), None)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _context_of(event: Any) -> Any:
    return event.get("@context", []) if isinstance(event, dict) else []


def _inside(content: bytes, names: list[str]) -> bytes | None:
    """Cut the part of a document that lies under these names, as it stands; ``None`` if it is
    written in a way that only a decoder understands (a name with escapes)."""
    for name in names:
        try:
            content = jsonparts.members(content)[f'"{name}"'.encode()]
        except (jsonparts.NotParts, KeyError):
            return None
    return content


def _elements(content: bytes | None, events: list[Any]) -> list[str]:
    """Cut a list into the texts of its elements."""
    if content is not None:
        texts = [one.decode() for one in jsonparts.elements(content)]
        if len(texts) == len(events):
            return texts
    return [json.dumps(event, ensure_ascii=False) for event in events]
