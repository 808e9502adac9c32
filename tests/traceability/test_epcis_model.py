"""Our model of EPCIS 2.0.1 says yes and no where GS1's own schema does."""

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from epcis_vectors import chain, documents, need, read
from hypothesis import given, settings
from hypothesis import strategies as st

from nongso.platform.traceability.epcis.model import check_document, check_event
from nongso.platform.traceability.epcis.model_values import is_time, is_uri

VALID = documents("epcis/examples-gs1", "epcis/openepcis-valid", "epcis/mien-dong", "event-hash")
INVALID = documents("epcis/openepcis-invalid")


@cache
def official() -> Any:
    schema = read(need("epcis", "schema", "epcis-json-schema-2.0.1.json"))
    return jsonschema_rs.validator_for(schema, validate_formats=True)


def refused_by_schema(document: Any) -> bool:
    return not official().is_valid(document)


def refused_by_us(document: Any) -> bool:
    return any(not refusal.beyond for refusal in check_document(document))


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_every_published_document_is_accepted(path: Path) -> None:
    assert [str(refusal) for refusal in check_document(read(path))] == []


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_every_wrong_document_is_refused_and_the_field_is_named(path: Path) -> None:
    told = check_document(read(path))
    assert told
    assert all(refusal.field and refusal.reason for refusal in told)


WRONG_FIELDS = {
    "ObjectEvent_with_non_standard_bizStep": "epcisBody.eventList[0].bizStep",
    "ObjectEvent_with_non_standard_disposition": "epcisBody.eventList[0].disposition",
    "ObjectEvent_with_ilmd_field_without_namespace": "epcisBody.eventList[0].ilmd.materialType",
    "ObjectEvent_with_unknown_field_in_quantityList": (
        "epcisBody.eventList[0].quantityList[0].weight"
    ),
    "ObjectEvent_with_invalid_certificationInfo": "epcisBody.eventList[0].certificationInfo[0]",
    "ObjectEvent_without_identifier_list": "epcisBody.eventList[0]",
}


@pytest.mark.parametrize("name", WRONG_FIELDS)
def test_a_refusal_names_the_field_that_is_wrong(name: str) -> None:
    told = check_document(read(need("epcis", "openepcis-invalid", f"Capture__{name}.json")))
    assert WRONG_FIELDS[name] in [refusal.field for refusal in told]


@pytest.mark.parametrize("name", ["gs1", "private-ids"])
def test_both_dong_chains_are_valid(name: str) -> None:
    document = chain(name)
    assert not check_document(document)
    assert len(document["epcisBody"]["eventList"]) == 14


OBJECT = {
    "type": "ObjectEvent",
    "eventTime": "2026-11-05T16:30:00+07:00",
    "eventTimeZoneOffset": "+07:00",
    "action": "ADD",
    "bizStep": "commissioning",
    "quantityList": [{"epcClass": "https://htx.example/t/K7M4PQ", "quantity": 6000, "uom": "KGM"}],
}
MADE = {
    "type": "TransformationEvent",
    "eventTime": "2026-11-08T17:00:00+07:00",
    "eventTimeZoneOffset": "+07:00",
    "inputQuantityList": [{"epcClass": "https://htx.example/t/K7M4PQ", "quantity": 5960}],
    "outputQuantityList": [{"epcClass": "https://htx.example/t/B2B3B4", "quantity": 834}],
}


def without(event: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in names}


RULES = [
    ({**OBJECT}, None),
    (without(OBJECT, "action"), "action"),
    ({**OBJECT, "action": "OBSERVE", "ilmd": {"my:a": 1}}, "ilmd"),
    ({**OBJECT, "ilmd": {"my:a": 1}}, None),
    (without(OBJECT, "quantityList"), "event"),
    ({**without(OBJECT, "quantityList"), "epcList": []}, None),
    ({**OBJECT, "parentID": "https://htx.example/t/X"}, "parentID"),
    ({**OBJECT, "bizStep": "https://htx.example/voc/drying"}, None),
    ({**OBJECT, "bizStep": "https://ref.gs1.org/cbv/BizStep-shipping"}, None),
    ({**OBJECT, "bizStep": "cbv:BizStep-shipping"}, None),
    ({**OBJECT, "bizStep": "https://ref.gs1.org/cbv/BizStep-steaming"}, "bizStep"),
    ({**OBJECT, "bizStep": "urn:epcglobal:cbv:bizstep:shipping"}, "bizStep"),
    ({**OBJECT, "eventTime": "2026-11-05T16:30:00"}, "eventTime"),
    ({**OBJECT, "eventTime": "2026-02-29T16:30:00Z"}, "eventTime"),
    ({**OBJECT, "eventTimeZoneOffset": "+7"}, "eventTimeZoneOffset"),
    ({**OBJECT, "quantityList": [{"quantity": 5}]}, "quantityList[0].epcClass"),
    ({**OBJECT, "quantityList": [{"epcClass": "K7M4PQ"}]}, "quantityList[0].epcClass"),
    ({**OBJECT, "quantityList": [{"epcClass": "a:b", "uom": "KGM"}]}, "quantityList[0].uom"),
    ({**OBJECT, "note": "x"}, "note"),
    ({**OBJECT, "errorDeclaration": {}}, "errorDeclaration.declarationTime"),
    ({**OBJECT, "persistentDisposition": {}}, "persistentDisposition"),
    ({**OBJECT, "my:text": "a\0b"}, "my:text"),
    ({**MADE}, None),
    ({**MADE, "action": "ADD"}, "action"),
    (without(MADE, "outputQuantityList"), "event"),
    ({**without(MADE, "outputQuantityList"), "transformationID": "urn:x:1"}, None),
    ({**MADE, "type": "AggregationEvent", "action": "ADD"}, "inputQuantityList"),
]


@pytest.mark.parametrize(("event", "field"), RULES)
def test_a_rule_of_the_standard_holds_between_fields(event: Any, field: str | None) -> None:
    told = check_event(event)
    if field is None:
        assert told == []
    else:
        assert field in [refusal.field for refusal in told]


STRANGE = [
    None,
    True,
    0,
    -1,
    1.5,
    "",
    "a",
    "a:b",
    "https://htx.example/t/K7M4PQ",
    "urn:epcglobal:cbv:bizstep:shipping",
    "https://gs1.org/voc/Temperature",
    "https://ns.gs1.org/cbv/x",
    "shipping",
    "active",
    "ADD",
    "OBSERVE",
    "DELETE",
    "2026-11-05T16:30:00+07:00",
    "2026-11-05",
    "+07:00",
    "+15:00",
    "KGM",
    "kg",
    "f0f0",
    "ObjectEvent",
    "TransformationEvent",
    "AggregationEvent",
    "EPCISDocument",
    "my:Event",
    [],
    ["a:b"],
    ["a:b", "a:b"],
    [1],
    [{}],
    {},
    {"id": "a:b"},
    {"set": ["active"]},
    {"type": "a:b"},
]
NAMES = [
    "type",
    "action",
    "ilmd",
    "epcList",
    "quantityList",
    "parentID",
    "note",
    "my:note",
    "persistentDisposition",
    "transformationID",
    "sensorElementList",
    "errorDeclaration",
    "certificationInfo",
    "bizLocation",
    "uom",
    "@context",
]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a document where something can be put instead."""
    found: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        for name, inner in value.items():
            found += [(value, name), *places(inner)]
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            found += [(value, i), *places(inner)]
    return found


def mutate(document: Any, data: st.DataObject) -> str:
    holder, key = data.draw(st.sampled_from(places(document)), "place")
    deed = data.draw(st.sampled_from(["put", "drop", "twice", "add", "rename"]), "deed")
    if deed == "put":
        holder[key] = copy.deepcopy(data.draw(st.sampled_from(STRANGE), "value"))
    elif deed == "drop":
        del holder[key]
    elif deed == "twice" and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[key]))
    elif deed == "add" and isinstance(holder, dict):
        holder[data.draw(st.sampled_from(NAMES))] = copy.deepcopy(
            data.draw(st.sampled_from(STRANGE), "value")
        )
    elif deed == "rename" and isinstance(holder, dict):
        holder[data.draw(st.sampled_from(NAMES))] = holder.pop(key)
    return deed


@pytest.mark.skipif(not VALID, reason="the published documents are not beside the project")
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_we_and_the_official_schema_agree_on_documents_with_mistakes(data: st.DataObject) -> None:
    document = copy.deepcopy(data.draw(st.sampled_from([loaded(path) for path in VALID])))
    for _ in range(data.draw(st.integers(1, 3))):
        if places(document):
            mutate(document, data)
    assert refused_by_us(document) == refused_by_schema(document), json.dumps(document)


def test_dropping_any_field_is_told_like_the_schema_tells_it() -> None:
    seen = set()
    for path in VALID:
        document = loaded(path)
        text = json.dumps(document)
        for n in range(len(places(document))):
            changed = json.loads(text)
            holder, key = places(changed)[n]
            del holder[key]
            told = json.dumps(changed)
            if told in seen or len(seen) > 1500:
                continue
            seen.add(told)
            assert refused_by_us(changed) == refused_by_schema(changed), told


@pytest.mark.parametrize("name", ["Object", "Aggregation", "Association", "Transaction"])
def test_any_strange_value_anywhere_is_told_like_the_schema_tells_it(name: str) -> None:
    fits = [path for path in VALID if f"{name}Event" in path.stem]
    found = [path for path in fits if "all_possible" not in path.stem]
    document = loaded(found[0]) if found else pytest.skip("no published documents here")
    text = json.dumps(document)
    for n in range(len(places(document))):
        for strange in STRANGE:
            changed = json.loads(text)
            holder, key = places(changed)[n]
            holder[key] = copy.deepcopy(strange)
            assert refused_by_us(changed) == refused_by_schema(changed), json.dumps(changed)


@cache
def loaded(path: Path) -> Any:
    return read(path)


def format_of(name: str) -> Any:
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "format": name}
    return jsonschema_rs.validator_for(schema, validate_formats=True)


@settings(max_examples=1500, deadline=None)
@given(
    st.text(alphabet="ab1:/?#[]@!$&'()*+,;=%-._~ \"<>{}|\\^`éA", max_size=14).map(
        lambda text: "a:" + text if len(text) % 2 else text
    )
)
def test_a_uri_is_what_the_schema_calls_one(text: str) -> None:
    assert is_uri(text) == format_of("uri").is_valid(text)


@settings(max_examples=1500, deadline=None)
@given(
    st.builds(
        "{:04d}-{:02d}-{:02d}{}{:02d}:{:02d}:{:02d}{}{}".format,
        st.sampled_from([0, 1900, 2000, 2024, 2026]),
        st.integers(0, 13),
        st.integers(0, 32),
        st.sampled_from("Tt "),
        st.integers(0, 24),
        st.integers(0, 60),
        st.integers(57, 61) | st.integers(0, 59),
        st.sampled_from(["", ".1", ".", ".123456789"]),
        st.sampled_from(["Z", "z", "+07:00", "-00:00", "+23:59", "+24:00", "+7", "", "+07:60"]),
    )
)
def test_a_time_is_what_the_schema_calls_one(text: str) -> None:
    assert is_time(text) == format_of("date-time").is_valid(text)
