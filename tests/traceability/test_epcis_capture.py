"""What others send is checked, kept to the letter, each once, and flows into the trace."""

import copy
import hashlib
import json
import random
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest
from cooperative import COOP, Farm
from epcis_vectors import chain, documents, need, read
from platform_site import Site
from sqlalchemy import delete, select, text
from sqlalchemy.exc import DatabaseError
from werkzeug.test import TestResponse

from nongso.platform import people
from nongso.platform.events import Event
from nongso.platform.store import Records
from nongso.platform.traceability import shaping
from nongso.platform.traceability.epcis import capture, indexing, reading
from nongso.platform.traceability.epcis.capture import Captor
from nongso.platform.traceability.epcis.event_hash import event_hash, events_of
from nongso.platform.traceability.epcis.records import Flow, Indexed, Received, Term
from nongso.platform.traceability.epcis.same_name import same_form

CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
LOT = "https://htx.example/t/K7M4PQ"


def an_event(**more: Any) -> dict[str, Any]:
    return {
        "type": "ObjectEvent",
        "eventTime": "2026-11-05T16:30:00+07:00",
        "eventTimeZoneOffset": "+07:00",
        "action": "ADD",
        "bizStep": "commissioning",
        "quantityList": [{"epcClass": LOT, "quantity": 6000, "uom": "KGM"}],
        **more,
    }


def a_document(*events: Any, context: Any = CONTEXT) -> dict[str, Any]:
    return {
        "@context": context,
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": "2026-11-25T15:00:00+07:00",
        "epcisBody": {"eventList": list(events)},
    }


def send(site: Site, sent: Any, **headers: str) -> TestResponse:
    content = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    auth = {"Authorization": "Bearer " + site.tokens["clerk"], **headers}
    kind = "application/ld+json"
    return site.stranger.post("/epcis/capture", data=content, content_type=kind, headers=auth)


def job_of(site: Site, answer: TestResponse) -> Any:
    assert answer.status_code == 202, answer.text
    return site.api(answer.headers["Location"]).json


def found(site: Site, query: str = "") -> list[Any]:
    answer = site.api(f"/epcis/events?perPage=500&{query}")
    assert answer.status_code == 200, answer.text
    return answer.json["epcisBody"]["queryResults"]["resultsBody"]["eventList"]


def put(records: Records, *documents_: Any, behaviour: str = "rollback") -> capture.Outcome:
    """Capture without HTTP."""
    for document in documents_:
        checked = capture.check(reading.read(json.dumps(document).encode()))
        with records.transaction() as session:
            captor = Captor(session, COOP, "clerk", 1_800_000_000_000)
            outcome = capture.keep(captor, checked, behaviour)
    return outcome


def test_the_mark_that_windows_puts_before_a_text_is_no_mistake(site: Site) -> None:
    content = b"\xef\xbb\xbf" + json.dumps(a_document(an_event())).encode()
    job = job_of(site, send(site, content))
    assert (job["success"], job["captured"]) == (True, 1)
    again = job_of(site, send(site, a_document(an_event())))
    assert again["success"], "it is the same event without the mark"


@pytest.mark.parametrize("name", ["gs1", "private-ids"])
def test_the_dong_chain_is_captured_and_comes_back_under_its_own_names(
    site: Site, name: str
) -> None:
    document = chain(name)
    job = job_of(site, send(site, document))
    assert (job["success"], job["events"], job["captured"]) == (True, 14, 14)
    hashes = [event_hash(event, document["@context"]) for event in events_of(document)]
    assert {event["eventID"] for event in found(site)} == set(hashes)


def test_an_event_of_others_is_kept_to_the_letter(site: Site) -> None:
    event = (
        '{ "type":"ObjectEvent",  "eventTime" : "2026-11-05T16:30:00.000+07:00",'
        '"eventTimeZoneOffset":"+07:00","action":"ADD",\n "quantityList":[{"epcClass":'
        f'"{LOT}","quantity":1.50,"uom":"KGM"}}], "ma:ghiChu":"mi\\u1ebfn  dong" }}'
    )
    frame = json.dumps(a_document("HERE", context=[CONTEXT, {"ma": "urn:ma:"}]))
    assert job_of(site, send(site, frame.replace('"HERE"', event).encode()))["success"]
    answer = site.api("/epcis/events").text
    as_sent = event.rstrip("} ")
    assert as_sent in answer
    assert '"recordTime"' in answer
    assert site.api("/epcis/events").json["@context"] == [CONTEXT, {"ma": "urn:ma:"}]
    with site.farm.records.session() as session:
        assert session.scalars(select(Received.text)).all() == [event]


def test_the_same_events_again_are_the_same_events(site: Site) -> None:
    document = chain("gs1")
    send(site, document)
    other = json.loads(json.dumps(document).replace("+07:00", "+07:00"))
    other["epcisBody"]["eventList"].reverse()
    job = job_of(site, send(site, other))
    assert (job["success"], job["captured"]) == (True, 14)
    assert len(found(site)) == 14


def test_a_name_that_is_taken_is_refused_and_named(site: Site) -> None:
    send(site, a_document(an_event(eventID="urn:uuid:1")))
    job = job_of(site, send(site, a_document(an_event(eventID="urn:uuid:1", action="DELETE"))))
    assert not job["success"]
    assert job["errors"][0]["field"] == "epcisBody.eventList[0].eventID"
    assert len(found(site)) == 1


def test_one_wrong_event_keeps_all_out_unless_the_sender_says_proceed(site: Site) -> None:
    sent = a_document(an_event(eventID="urn:uuid:1"), an_event(bizStep="steaming"))
    job = job_of(site, send(site, sent))
    assert (job["success"], job["captured"], len(found(site))) == (False, 0, 0)
    assert job["errors"][0]["field"] == "epcisBody.eventList[1].bizStep"
    assert "steaming" in job["errors"][0]["detail"]
    job = job_of(site, send(site, sent, **{"GS1-Capture-Error-Behaviour": "proceed"}))
    assert (job["success"], job["captured"], len(found(site))) == (False, 1, 1)


def test_a_list_of_events_and_a_single_one_are_taken_too(site: Site) -> None:
    assert job_of(site, send(site, [an_event(), an_event(action="DELETE")]))["captured"] == 2
    alone = an_event(eventID="urn:uuid:7", **{"@context": CONTEXT})
    auth = {"Authorization": "Bearer " + site.tokens["clerk"]}
    answer = site.stranger.post("/epcis/events", json=alone, headers=auth)
    assert answer.status_code == 201
    assert answer.headers["Location"] == "/epcis/events/urn%3Auuid%3A7"
    one = site.api(answer.headers["Location"]).json
    assert one["eventID"] == "urn:uuid:7"
    assert CONTEXT in one["@context"]
    other = {**alone, "action": "DELETE"}
    answer = site.stranger.post("/epcis/events", json=other, headers=auth)
    assert answer.status_code == 409
    assert answer.json["type"] == "epcisException:ResourceAlreadyExistsException"


BAD = {
    b"": "no JSON",
    b"{": "no JSON",
    b"\xff": "no UTF-8",
    b"7": "expected",
    b'{"type": "EPCISDocument"}': "@context",
    b'{"a": NaN}': "NaN",
    b"[" * 100_000 + b"]" * 100_000: "deep",
    b'{"a":' * 50_000: "deep",
}


def test_what_is_no_document_is_refused_with_a_sentence(site: Site) -> None:
    for content, sentence in BAD.items():
        answer = send(site, content)
        assert answer.status_code == 400, content[:40]
        assert answer.content_type == "application/problem+json"
        assert answer.json["type"] == "epcisException:ValidationException"
        assert sentence in answer.json["detail"]


def test_too_many_events_at_once_are_refused(site: Site) -> None:
    many = [an_event(eventID=f"urn:uuid:{n}") for n in range(reading.MOST_EVENTS + 1)]
    answer = send(site, a_document(*many))
    assert answer.status_code == 413
    assert answer.json["type"] == "epcisException:CaptureLimitExceededException"


ODD = [
    {"my:text": "a\0b"},
    {"my:half": "\ud800"},
    {"eventTime": "0001-01-01T00:00:00+14:00"},
    {"quantityList": [{"epcClass": "a:" + "b" * 5000}]},
    {"eventID": "urn:x:" + "y" * 3000},
    {"nongso:receivedSha256": "0"},
    {"nongso:contextSha256": "0"},
    {"errorDeclaration": {"declarationTime": "9999-12-31T23:59:60Z"}},
]


def test_what_no_database_can_keep_is_refused_before_it_is_asked(site: Site) -> None:
    for more in ODD:
        assert not job_of(site, send(site, a_document(an_event(**more))))["success"], more
    assert found(site) == []


# Letters by which no database finds one as short as another, but as long as it is.
LONG = "".join(hashlib.sha256(bytes([i])).hexdigest() for i in range(60))


@pytest.mark.parametrize(
    ("context", "more"),
    [
        ([CONTEXT, {"p": f"https://x.example/{LONG}/"}], {"bizStep": "p:a"}),
        (
            [CONTEXT, {"p": f"https://x.example/{LONG[:300]}"}],
            {"readPoint": {"id": f"p:{LONG[:200]}"}},
        ),
        ([CONTEXT, *({f"p{i}": f"urn:x:{i:0380d}:"} for i in range(60))], {}),
    ],
    ids=["prefix", "name", "context"],
)
def test_names_that_are_long_in_full_only_are_refused(site: Site, context: Any, more: Any) -> None:
    """A short name in a document may stand for a whole page, once for each time it is written."""
    answer = send(site, a_document(an_event(**more), context=context))
    assert answer.status_code == 400 or not job_of(site, answer)["success"]
    assert found(site) == []


def test_a_field_with_an_endless_name_is_kept_and_not_asked_for(site: Site) -> None:
    event = an_event(**{f"https://x.example/{LONG}": "a", "https://x.example/f": {LONG: "b"}})
    assert job_of(site, send(site, a_document(event)))["success"]
    (kept,) = found(site)
    assert kept[f"https://x.example/{LONG}"] == "a"


def a_process(*things: str, name: str = "", minute: int = 0) -> dict[str, Any]:
    return {
        "type": "TransformationEvent",
        "eventTime": f"2026-11-05T16:{minute:02d}:00+07:00",
        "eventTimeZoneOffset": "+07:00",
        "inputEPCList": [f"a:in/{one}" for one in things],
        "outputEPCList": [f"a:out/{one}" for one in things],
        **({"transformationID": name} if name else {}),
    }


def test_what_leads_to_more_ways_than_are_kept_is_refused_and_none_is_left_out(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trace that ended where a table was full would leave lots out of a recall."""
    monkeypatch.setattr("nongso.platform.traceability.epcis.flows.MOST_EDGES", 20)
    monkeypatch.setattr(indexing, "_WRITTEN_AT_ONCE", 3)
    assert send(site, a_document(a_process(*"abcde"))).status_code == 413
    assert job_of(site, send(site, a_document(a_process(*"abcd"), a_process("e"))))["success"]
    parts = [a_process(one, name="urn:x:one", minute=i) for i, one in enumerate("kmnp")]
    assert send(site, a_document(*parts)).status_code == 202
    later = [a_process(one, name="urn:x:one", minute=9) for one in ("q", "r", "s")]
    assert send(site, a_document(*later)).status_code == 413, "with what is there it is too much"
    assert send(site, a_document(later[0])).status_code == 202
    with site.farm.records.session() as session:
        ways = session.scalars(select(Flow.source + ">" + Flow.target)).all()
    assert len(ways) == 16 + 1 + 25
    assert len(found(site, "EQ_transformationID=urn:x:one")) == 5


def test_every_published_document_can_be_captured_and_comes_back_valid(site: Site) -> None:
    from nongso.platform.traceability.epcis.model import check_document

    for path in documents("epcis/examples-gs1", "epcis/openepcis-valid", "event-hash"):
        sent = read(path)
        job = job_of(site, send(site, sent, **{"GS1-Capture-Error-Behaviour": "proceed"}))
        # the same example stands in several collections under one name, changed in between
        taken = [error for error in job["errors"] if "is the name of an event" in error["detail"]]
        assert job["success"] or len(taken) == len(job["errors"]), (path.name, job["errors"])
    answer = site.api("/epcis/events?perPage=500")
    assert answer.status_code == 200
    assert [str(refusal) for refusal in check_document(answer.json)] == []


def test_every_wrong_document_is_refused(site: Site) -> None:
    for path in documents("epcis/openepcis-invalid"):
        answer = send(site, read(path))
        refused = answer.status_code == 400 or not job_of(site, answer)["success"]
        assert refused, path.name
    assert found(site) == []


def test_a_declared_error_stands_beside_the_event_that_it_is_about(site: Site) -> None:
    event = an_event(eventID="urn:uuid:1")
    declared = {
        **event,
        "errorDeclaration": {
            "declarationTime": "2026-11-06T08:00:00+07:00",
            "reason": "incorrect_data",
            "correctiveEventIDs": ["urn:uuid:2"],
        },
    }
    assert job_of(site, send(site, a_document(event)))["success"]
    assert job_of(site, send(site, a_document(declared)))["success"]
    assert job_of(site, send(site, a_document(declared)))["success"]
    assert len(found(site)) == 2
    assert len(found(site, "EXISTS_errorDeclaration=true")) == 1
    assert len(found(site, "EQ_errorReason=incorrect_data")) == 1
    assert len(found(site, "EQ_correctiveEventID=urn:uuid:2")) == 1
    assert "errorDeclaration" in site.api("/epcis/events/urn:uuid:1").json
    changed = {**declared, "action": "DELETE"}
    changed["errorDeclaration"] = {"declarationTime": "2026-11-07T08:00:00+07:00"}
    job = job_of(site, send(site, a_document(changed)))
    assert "unchanged" in job["errors"][0]["detail"]


def flows(records: Records) -> set[tuple[str, str, str, float | None, str | None]]:
    with records.session() as session:
        return {
            (one.kind, one.source, one.target, one.quantity, one.uom)
            for one in session.scalars(select(Flow))
        }


def lot(name: str) -> str:
    return "https://id.gs1.org/01/089300000001" + name


DONG_FLOWS = {
    ("made", lot("18/10/CD-2611-A"), lot("25/10/TB-2611-01"), 5960, "KGM"),
    ("made", lot("18/10/CD-2611-B"), lot("25/10/TB-2611-01"), 4000, "KGM"),
    (
        "made",
        lot("25/10/TB-2611-01"),
        lot("32/10/MD-2611-07"),
        1300,
        "KGM",
    ),
    (
        "made",
        lot("32/10/MD-2611-07"),
        lot("49/10/MD-2611-07"),
        1170,
        "KGM",
    ),
    ("made", lot("32/10/MD-2611-07"), lot("49/21/7K3QX9"), None, None),
    ("made", lot("32/10/MD-2611-07"), lot("49/21/8M4RZ2"), None, None),
    (
        "packed",
        lot("49/10/MD-2611-07"),
        "https://id.gs1.org/00/089300000000000019",
        24,
        None,
    ),
}


def test_the_dong_chain_flows_from_roots_to_the_carton(farm: Farm) -> None:
    put(farm.records, chain("gs1"))
    assert flows(farm.records) == DONG_FLOWS


def test_from_the_carton_back_stand_both_harvests(farm: Farm) -> None:
    put(farm.records, chain("private-ids"))
    edges = flows(farm.records)
    seen, level = set(), {"https://truyxuat.example.vn/id/obj/kien00019"}
    while level:
        seen |= level
        level = {source for _, source, target, *_ in edges if target in level} - seen
    assert {name.rsplit("/", 1)[-1] for name in seen} == {
        "kien00019",
        "sp149.MD-2611-07",
        "sp132.MD-2611-07",
        "sp125.TB-2611-01",
        "sp118.CD-2611-A",
        "sp118.CD-2611-B",
    }


def index_of(records: Records) -> dict[str, Any]:
    """What the index says, whatever number an event got."""
    with records.session() as session:
        name = {}
        heads = set()
        for one in session.scalars(select(Indexed)):
            name[one.number] = (one.event_id, one.error_name)
            heads.add((one.event_id, one.error_name, one.at_ms, one.biz_step, one.kind))
        terms = {
            (name[one.number], one.field, one.value, one.amount)
            for one in session.scalars(select(Term))
        }
        edges = {
            (name[one.number], name[one.source_number], one.source, one.target, one.quantity)
            for one in session.scalars(select(Flow))
        }
    return {"heads": heads, "terms": terms, "edges": edges}


def parts_of_one_milling() -> list[dict[str, Any]]:
    """A transformation told in three events, and one that is declared wrong."""
    base = {
        "type": "TransformationEvent",
        "eventTime": "2026-11-08T17:00:00+07:00",
        "eventTimeZoneOffset": "+07:00",
        "transformationID": "urn:me:1",
    }
    roots = [{"epcClass": "urn:lot:roots", "quantity": 500, "uom": "KGM"}]
    more = [{"epcClass": "urn:lot:more-roots", "quantity": 100, "uom": "KGM"}]
    starch = [{"epcClass": "urn:lot:starch", "quantity": 80, "uom": "KGM"}]
    wrong = {
        **{name: value for name, value in base.items() if name != "transformationID"},
        "eventID": "urn:uuid:wrong",
        "inputQuantityList": [{"epcClass": "urn:lot:sand"}],
        "outputQuantityList": starch,
    }
    declared = {"errorDeclaration": {"declarationTime": "2026-11-09T17:00:00+07:00"}}
    return [
        {**base, "eventID": "urn:uuid:in", "inputQuantityList": roots},
        {**base, "eventID": "urn:uuid:in2", "inputQuantityList": more},
        {**base, "eventID": "urn:uuid:out", "outputQuantityList": starch},
        wrong,
        {**wrong, **declared},
    ]


def test_the_order_of_arrival_changes_nothing(tmp_path: Any) -> None:
    from cooperative import open_farm

    events = [*parts_of_one_milling(), *chain_or_nothing()]
    seen = []
    for n in range(3):
        folder = tmp_path / str(n)
        folder.mkdir()
        farm = open_farm(folder)
        shuffled = copy.deepcopy(events)
        random.Random(n).shuffle(shuffled)
        step = (n % 3) * 5 + 1
        for at in range(0, len(shuffled), step):
            put(farm.records, a_document(*shuffled[at : at + step], context=[CONTEXT, VN]))
        seen.append(index_of(farm.records))
        farm.records.close()
    assert all(one == seen[0] for one in seen)
    edges = {(source, target) for *_, source, target, _ in seen[0]["edges"]}
    assert ("urn:lot:roots", "urn:lot:starch") in edges
    assert ("urn:lot:more-roots", "urn:lot:starch") in edges
    assert not any(source == "urn:lot:sand" for source, _ in edges)


VN = {"vn": "https://truyxuat.example.vn/voc/"}


def chain_or_nothing() -> list[Any]:
    try:
        return list(events_of(chain("gs1")))
    except pytest.skip.Exception:
        return []


def test_the_index_is_made_again_from_the_stream(farm: Farm) -> None:
    farm.packed()
    put(farm.records, a_document(*parts_of_one_milling()))
    before = index_of(farm.records)
    with farm.records.transaction() as session:
        session.execute(delete(Term))
        indexing.remake(session)
    assert index_of(farm.records) == before
    assert before["edges"]


def test_our_own_events_are_valid_and_found_like_others(farm: Farm) -> None:
    packed = farm.packed()
    with farm.records.session() as session:
        own = session.scalars(select(Event).where(Event.type.like("lot.%"))).all()
        numbers = set(session.scalars(select(Indexed.number)))
    assert {event.number for event in own} == numbers
    target = f"http://127.0.0.1:8080/t/{packed.code}"
    assert target in {edge[2] for edge in flows(farm.records)}


def test_an_own_event_that_cannot_be_read_never_stops_the_clerk(
    farm: Farm, caplog: pytest.LogCaptureFixture
) -> None:
    from nongso.platform import events

    with farm.records.transaction() as session:
        body = {"type": "ObjectEvent", "eventTime": "yesterday"}
        events.append(
            session, id="x", type="lot.odd", at=1, actor="a", cooperative=COOP, body=body
        )
    with farm.records.session() as session:
        assert session.scalars(select(Event.id)).all() == ["x"]
        assert session.scalars(select(Indexed)).all() == []
    assert "no valid EPCIS" in caplog.text


def test_what_was_sent_cannot_be_changed_in_the_database(farm: Farm) -> None:
    put(farm.records, a_document(an_event()))
    for deed in ("UPDATE epcis_received SET text = 'x'", "DELETE FROM epcis_received"):
        with pytest.raises(DatabaseError), farm.records.transaction() as session:
            session.execute(text(deed))


def test_a_captured_event_enters_the_log_with_the_digest_of_its_text(farm: Farm) -> None:
    import hashlib

    from nongso.platform.traceability.proof.records import LogEntry

    put(farm.records, a_document(an_event(), an_event(action="DELETE")))
    with farm.records.session() as session:
        assert len(session.scalars(select(LogEntry)).all()) == 2
        events = session.scalars(select(Event).order_by(Event.number)).all()
        texts = session.scalars(select(Received.text).order_by(Received.number)).all()
    digests = [event.body[capture.DIGEST] for event in events]
    assert digests == [hashlib.sha256(one.encode()).hexdigest() for one in texts]


def test_two_cooperatives_capture_the_same_event_without_seeing_each_other(site: Site) -> None:
    with site.farm.records.transaction() as session:
        person = people.add_person(
            session, "clerk@khac", "clerk", "clerk", "khac", "mot hai ba bon"
        )
        other = people.new_api_token(session, person, "test")
    event = a_document(an_event(eventID="urn:uuid:1", **{"my:note": "bí mật"}))
    assert job_of(site, send(site, event))["success"]
    auth = {"Authorization": "Bearer " + other}
    assert site.stranger.get("/epcis/events/urn:uuid:1", headers=auth).status_code == 404
    assert "bí mật" not in site.stranger.get("/epcis/events", headers=auth).text
    own = a_document(an_event(eventID="urn:uuid:1", action="DELETE"))
    answer = site.stranger.post("/epcis/capture", json=own, headers=auth)
    job = site.stranger.get(answer.headers["Location"], headers=auth).json
    assert job["success"]
    assert site.api(answer.headers["Location"]).status_code == 404
    assert [one["action"] for one in found(site)] == ["ADD"]


def test_an_officer_reads_what_we_recorded_not_what_others_captured_under_its_name(
    site: Site,
) -> None:
    site.farm.packed()
    with site.farm.records.transaction() as session:
        person = people.add_person(
            session, "clerk@khac", "clerk", "clerk", "khac", "mot hai ba bon"
        )
        auth = {"Authorization": "Bearer " + people.new_api_token(session, person, "test")}
        packing = session.scalars(select(Event).where(Event.type == "lot.packed")).one().body
    false = {"@context": CONTEXT, **packing, "eventTime": "2026-11-01T00:00:00Z"}
    false = {name: value for name, value in false.items() if not name.startswith("nongso:")}
    sent = site.stranger.post("/epcis/capture", json=a_document(false), headers=auth)
    assert site.stranger.get(sent.headers["Location"], headers=auth).json["success"]
    name = quote(packing["eventID"], safe="")
    read = site.api(f"/epcis/events/{name}", role="officer").json
    assert read["eventTime"] == packing["eventTime"]


def test_only_a_clerk_with_the_scope_captures(site: Site) -> None:
    event = a_document(an_event())
    for role in ("farmer", "officer"):
        auth = {"Authorization": "Bearer " + site.tokens[role]}
        answer = site.stranger.post("/epcis/capture", json=event, headers=auth)
        assert answer.status_code == 403
        assert answer.json["type"] == "epcisException:SecurityException"
    assert site.stranger.post("/epcis/capture", json=event).status_code == 401
    assert site.stranger.post("/epcis/events", json=event).status_code == 401


def test_the_mixed_forms_of_an_identifier_are_one_lot(farm: Farm) -> None:
    urn = "urn:epc:class:lgtin:4054739.099914.20160711"
    link = "https://shop.example/01/04054739999148/10/20160711"
    assert same_form(urn) == same_form(link)
    first, second = parts_of_one_milling()[0], parts_of_one_milling()[2]
    for event in (first, second):
        del event["transformationID"]
    first["outputQuantityList"] = [{"epcClass": urn}]
    second["inputQuantityList"] = [{"epcClass": link}]
    put(farm.records, a_document(first, second))
    ends = {(source, target) for _, source, target, *_ in flows(farm.records)}
    assert ends == {("urn:lot:roots", same_form(urn)), (same_form(link), "urn:lot:starch")}


def test_the_seafood_chain_of_others_is_captured_whole(farm: Farm) -> None:
    document: Mapping[str, Any] = read(need("epcis", "gdst", "traceback_tests.jsonld"))
    outcome = put(farm.records, document)
    assert len(outcome.kept) == 21
    edges = flows(farm.records)
    assert any("processor.2u.v1-0122-2022" in target for _, _, target, *_ in edges)


def test_an_event_with_a_name_of_its_own_is_found_by_its_hash_too(site: Site) -> None:
    packed = site.farm.packed()
    with site.farm.records.session() as session:
        body = session.scalars(select(Event.body).where(Event.type == "lot.packed")).one()
    hashed = event_hash(body, shaping.CONTEXT)
    assert hashed != body["eventID"]
    one = site.api("/epcis/events/" + quote(hashed, safe="")).json
    assert one["eventID"] == body["eventID"]
    assert one["outputQuantityList"][0]["epcClass"].endswith(packed.code)
    assert len(found(site, "EQ_eventID=" + quote(hashed, safe=""))) == 1


def test_names_with_strokes_and_questions_are_found_by_their_address(site: Site) -> None:
    send(site, a_document(an_event()))
    event_id = found(site)[0]["eventID"]
    assert event_id.startswith("ni:///sha-256;")
    answer = site.api("/epcis/events/" + quote(event_id, safe=""))
    assert answer.status_code == 200
    assert answer.json["eventID"] == event_id
