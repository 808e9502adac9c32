"""Writes events as an answer: as they were sent, with the moment of recording added.

An event of another system keeps its text to the letter; ``recordTime`` is added, and ``eventID``
where the sender gave none. The prefixes of all events stand once at the head of the document;
an event whose prefixes mean something else than another's brings its own.

To strangers only what the log of proofs tells everybody (``proof.entries.split``): no party, no
place, no person, nothing of other systems. The event's name stays, its hash then fits no more.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nongso.platform import jsonparts
from nongso.platform.traceability.epcis.finding import Found
from nongso.platform.traceability.epcis.indexing import as_sent
from nongso.platform.traceability.epcis.namespaces import prefixes_of
from nongso.platform.traceability.epcis.records import CAPTURED
from nongso.platform.traceability.epcis.same_name import same_form
from nongso.platform.traceability.epcis.terms import CLASSES, EPCS, LISTS, moment
from nongso.platform.traceability.epcis.vocabulary import STANDARD_PREFIXES, words
from nongso.platform.traceability.proof import entries
from nongso.platform.traceability.shaping import CONTEXT

STANDARD = CONTEXT[0]
AS_IT_IS = "Never_Translates"
LINKS, URNS, ANY = "Always_GS1_Digital_Link", "Always_EPC_URN", "No_Preference"
WEB_WORDS, URN_WORDS = "Always_Web_URI", "Always_URN"
EPC_FORMATS = (ANY, LINKS, AS_IT_IS)
CBV_FORMATS = (ANY, WEB_WORDS, AS_IT_IS)


@dataclass(frozen=True)
class Style:
    """How an answer is to be written."""

    epcs: str = AS_IT_IS
    words: str = AS_IT_IS
    public: bool = False

    @property
    def keeps_text(self) -> bool:
        """Whether events of others may stand as they were sent."""
        return self.epcs != LINKS and self.words != WEB_WORDS


@dataclass
class _Head:
    """The context at the head of an answer, as it grows."""

    prefixes: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, None] = field(default_factory=dict)

    def takes(self, context: Any) -> bool:
        """Take a document's context in; false if a prefix means something else already."""
        own = prefixes_of(context)
        known = {**self.prefixes, **STANDARD_PREFIXES}
        if any(known.get(name, meant) != meant for name, meant in own.items()):
            return False
        self.prefixes |= {n: meant for n, meant in own.items() if n not in STANDARD_PREFIXES}
        for part in context if isinstance(context, list) else [context]:
            if isinstance(part, str):
                self.addresses[part] = None
        return True

    def context(self) -> list[Any]:
        """Return the context as JSON-LD has it."""
        others = [one for one in self.addresses if not _is_standard(one)]
        return [STANDARD, *others, *([self.prefixes] if self.prefixes else [])]


def _is_standard(address: str) -> bool:
    return "epcis-context.jsonld" in address


def document(found: Sequence[Found], style: Style, now_ms: int, query_name: str) -> str:
    """Write a page of events as an ``EPCISQueryDocument``."""
    frame, listed = _framed("EPCISQueryDocument", found, style, now_ms)
    name = json.dumps(query_name, ensure_ascii=False)
    body = f'{{"queryResults":{{"queryName":{name},"resultsBody":{{"eventList":[{listed}]}}}}}}'
    return _with(json.dumps(frame, ensure_ascii=False), {}, {"epcisBody": body})


def told(found: Sequence[Found], style: Style, now_ms: int) -> dict[str, Any]:
    """Write events as an ``EPCISDocument`` that stands in other data."""
    frame, listed = _framed("EPCISDocument", found, style, now_ms)
    return {**frame, "epcisBody": {"eventList": json.loads(f"[{listed}]")}}


def _framed(
    kind: str, found: Sequence[Found], style: Style, now_ms: int
) -> tuple[dict[str, Any], str]:
    head = _Head()
    texts = []
    for one in found:
        context = CONTEXT if one.text is None else one.context
        apart = None if head.takes(context) else context
        texts.append(_written(one, style, apart))
    frame = {
        "@context": head.context(),
        "type": kind,
        "schemaVersion": "2.0",
        "creationDate": moment(now_ms),
    }
    return frame, ",".join(texts)


def event(one: Found, style: Style) -> str:
    """Write one event, with its context."""
    return _written(one, style, CONTEXT if one.text is None else one.context)


def _written(one: Found, style: Style, context: Any) -> str:
    added: dict[str, Any] = {"recordTime": moment(one.head.recorded_ms)}
    if context is not None:
        own = one.body.get("@context", [])
        parts = [*_listed(context), *_listed(own)]
        unique = [part for i, part in enumerate(parts) if part not in parts[:i]]
        if not any(isinstance(part, str) and _is_standard(part) for part in unique):
            unique.insert(0, STANDARD)
        added = {"@context": unique, **added}
    if one.body.get("eventID") is None:
        added = {"eventID": one.head.event_id, **added}
    if one.text is not None and style.keeps_text and not style.public:
        return _with(one.text, added, {})
    body = as_sent(one.body)
    if style.public:
        type_ = CAPTURED if one.head.is_foreign else "lot."
        body = {"eventID": one.head.event_id, **entries.split(type_, body)[0]}
    if style.epcs == LINKS:
        body = _linked(body)
    if style.words == WEB_WORDS:
        body = _in_full(body)
    return json.dumps({**body, **added}, ensure_ascii=False)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _with(text: str, values: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    """Add members to an object's text; what it says of them itself is taken out."""
    added = {name: json.dumps(value, ensure_ascii=False) for name, value in values.items()}
    added |= texts
    parts = jsonparts.members(text.encode())
    if any(f'"{name}"'.encode() in parts for name in added):
        kept = [
            f"{name.decode()}: {value.decode()}"
            for name, value in parts.items()
            if name.decode()[1:-1] not in added
        ]
        text = "{" + ", ".join(kept) + "}"
    stripped = text.rstrip()
    inside = stripped[:-1].rstrip()
    comma = "" if inside.endswith("{") else ","
    return inside + comma + ",".join(f'"{name}":{value}' for name, value in added.items()) + "}"


def _linked(body: dict[str, Any]) -> dict[str, Any]:
    """Write the identifiers of GS1 as canonical Digital Links."""
    made = dict(body)
    for names in EPCS.values():
        for name in names:
            if isinstance(made.get(name), str):
                made[name] = same_form(made[name])
            elif name in made:
                made[name] = [same_form(one) for one in made[name]]
    for names in CLASSES.values():
        for name in names:
            if name in made:
                made[name] = [
                    {**one, "epcClass": same_form(one["epcClass"])} for one in made[name]
                ]
    for name in ("readPoint", "bizLocation"):
        if name in made:
            made[name] = {**made[name], "id": same_form(made[name]["id"])}
    for field_, (name, _list) in LISTS.items():
        if name in made:
            made[name] = [{**one, field_: same_form(one[field_])} for one in made[name]]
    return made


def _in_full(body: dict[str, Any]) -> dict[str, Any]:
    """Write the words of the standard as web addresses."""
    made = dict(body)
    for name, list_ in (("bizStep", "business_steps"), ("disposition", "dispositions")):
        if name in made:
            made[name] = words(list_).whole(made[name])
    return made
