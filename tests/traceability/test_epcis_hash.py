"""An event's name is the same whoever works it out."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from epcis_vectors import FOLDER, chain, need, read
from hypothesis import given
from hypothesis import strategies as st

from nongso.platform.traceability.digital_link.normal import normal
from nongso.platform.traceability.epcis.event_hash import (
    event_hash,
    events_of,
    in_milliseconds,
    pre_hash,
)
from nongso.platform.traceability.epcis.same_name import canonical

DOCUMENTS = sorted(FOLDER.joinpath("event-hash").glob("*.jsonld"))


def lines(path: Path) -> list[str]:
    return [line for line in path.read_text("utf-8").split("\n") if line.strip()]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_published_events_get_the_names_that_everybody_gives_them(path: Path) -> None:
    document = read(path)
    ignored = document.get("repository-x:ignoreFields", ())
    context, events = document["@context"], list(events_of(document))
    written = [pre_hash(event, context, ignored) for event in events]
    assert written == lines(path.with_suffix(".prehashes"))
    named = [event_hash(event, context, ignored) for event in events]
    assert named == lines(path.with_suffix(".hashes"))


@pytest.mark.parametrize("name", ["gs1", "private-ids"])
def test_the_fourteen_events_of_the_dong_chain_have_the_known_names(name: str) -> None:
    document = chain(name)
    known = read(need("epcis", "mien-dong", f"chain-{name}.event-hashes.json"))
    named = [event_hash(event, document["@context"]) for event in events_of(document)]
    assert named == [one["hash"] for one in known]


def test_another_host_of_the_same_digital_link_gives_the_same_name() -> None:
    document = chain("gs1")
    named = [event_hash(event, document["@context"]) for event in events_of(document)]
    other = json.loads(json.dumps(document))
    for event in events_of(other):
        for name, value in event.items():
            text = json.dumps(value)
            for key in ("00", "01", "414", "417"):
                text = text.replace(
                    f"https://truyxuat.example.vn/{key}/", f"http://a.example/b/{key}/"
                )
            event[name] = json.loads(text)  # type: ignore[index]
    assert other != document
    assert [event_hash(event, other["@context"]) for event in events_of(other)] == named


def test_the_private_chain_has_other_names_than_the_one_with_gtins() -> None:
    names = [
        {event_hash(event, document["@context"]) for event in events_of(document)}
        for document in (chain("gs1"), chain("private-ids"))
    ]
    assert not names[0] & names[1]


EVENT = {
    "type": "ObjectEvent",
    "eventTime": "2026-11-05T16:30:00+07:00",
    "eventTimeZoneOffset": "+07:00",
    "action": "ADD",
    "bizStep": "commissioning",
    "quantityList": [
        {"epcClass": "https://htx.example/t/K7M4PQ", "quantity": 6000.5, "uom": "KGM"},
        {"epcClass": "urn:epc:class:lgtin:4054739.099914.20160711", "quantity": 1},
    ],
    "bizTransactionList": [{"type": "po", "bizTransaction": "https://htx.example/hd/1"}],
    "ilmd": {"my:variety": "dong riềng đỏ", "my:list": [3, 1, 2]},
    "my:deep": {"my:b": 1, "my:a": True},
}
CONTEXT = ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld", {"my": "urn:my:"}]


def renamed(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {
            name.replace(old, new, 1): renamed(inner, old, new) for name, inner in value.items()
        }
    return [renamed(one, old, new) for one in value] if isinstance(value, list) else value


SAME = {
    "another prefix": (renamed(EVENT, "my:", "toi:"), [CONTEXT[0], {"toi": "urn:my:"}]),
    "an id, a record time": ({**EVENT, "eventID": "a:b", "recordTime": "2026-11-06T00:00:00Z"}, 0),
    "a declared error": ({**EVENT, "errorDeclaration": {"declarationTime": "…"}}, 0),
    "UTC": ({**EVENT, "eventTime": "2026-11-05T09:30:00.0004Z"}, 0),
    "another order of fields": (dict(reversed(EVENT.items())), 0),
    "another order of lots": ({**EVENT, "quantityList": EVENT["quantityList"][::-1]}, 0),
    "a comment": ({**EVENT, "rdfs:comment": "x"}, 0),
    "the step in full": ({**EVENT, "bizStep": "https://ref.gs1.org/cbv/BizStep-commissioning"}, 0),
}


@pytest.mark.parametrize("what", SAME)
def test_the_name_stays_with_another_way_of_writing(what: str) -> None:
    event, context = SAME[what]
    assert event_hash(event, context or CONTEXT) == event_hash(EVENT, CONTEXT)


OTHER = {
    "a second later": {**EVENT, "eventTime": "2026-11-05T16:30:01+07:00"},
    "a gram": {**EVENT, "quantityList": [{**EVENT["quantityList"][0], "quantity": 6000.501}]},
    "another extension": {**EVENT, "my:deep": {"my:b": 1, "my:a": False}},
    "another step": {**EVENT, "bizStep": "receiving"},
    "one digit of a long number": {**EVENT, "my:n": "123456789012345678901"},
    "the next long number": {**EVENT, "my:n": "123456789012345678902"},
}


def test_the_name_changes_with_whatever_is_told_otherwise() -> None:
    names = [event_hash(event, CONTEXT) for event in (EVENT, *OTHER.values())]
    assert len(set(names)) == len(names)


def test_working_out_the_name_changes_nothing_in_the_event() -> None:
    event = copy.deepcopy(EVENT)
    event_hash(event, CONTEXT)
    assert event == EVENT


@pytest.mark.parametrize(
    ("told", "written"),
    [
        ("2023-02-02T11:04:03.1415Z", "2023-02-02T11:04:03.142Z"),
        ("2023-02-02T11:04:03.1414Z", "2023-02-02T11:04:03.141Z"),
        ("2023-12-31T23:59:59.9996Z", "2024-01-01T00:00:00.000Z"),
        ("2023-02-02T00:04:03+07:00", "2023-02-01T17:04:03.000Z"),
        ("0001-01-01T00:00:00+07:00", "0001-01-01T00:00:00+07:00"),
        ("noon", "noon"),
    ],
)
def test_times_are_written_in_utc_with_milliseconds(told: str, written: str) -> None:
    assert in_milliseconds(told) == written


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=6) | st.sampled_from(["type", "#text"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*EVENT, "my:x", "sensorElementList"]), ANYTHING))
def test_no_event_however_odd_stops_the_reckoning(event: Any) -> None:
    try:
        json.dumps(event, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return  # refused before it gets this far
    assert event_hash(event, CONTEXT).startswith("ni:///sha-256;")


PARTS = st.sampled_from(
    [
        "01/04012345111118",
        "01/4012345111118",
        "01/00000012345670",
        "00/340123453111111115",
        "414/4012345000054",
        "417/4012345000009",
        "8004/4000001111",
        "10/CD-2611-A",
        "10/a.b",
        "10/",
        "21/7K3QX9",
        "21/98%22",
        "22/2A",
        "254/THUA-07",
        "gtin/4012345111118",
        "t/K7M4PQ",
        "id/class/1234",
        "123/40123456",
    ]
)


@given(
    st.sampled_from(["https://id.gs1.org", "http://a.example:8080", "HTTPS://A.B", "https://h/s"]),
    st.lists(PARTS, max_size=4),
    st.sampled_from(["", "/", "?11=221109", "#x"]),
)
def test_the_short_way_to_an_identifiers_form_is_the_long_one(
    host: str, parts: list[str], end: str
) -> None:
    text = "/".join([host, *parts]) + end
    if text.startswith("http"):
        assert canonical(text) == normal(text)
