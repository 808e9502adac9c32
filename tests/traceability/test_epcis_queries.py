"""Whoever asks EPCIS finds what there is, in an order that stays, and strangers no more."""

import base64
import copy
import json
import random
import re
from typing import Any
from urllib.parse import quote

import pytest
from cooperative import Farm
from platform_site import Site
from sqlalchemy import event as listening
from sqlalchemy import select
from test_epcis_capture import CONTEXT, LOT, a_document, an_event, found, job_of, put, send

from nongso.platform.events import Event
from nongso.platform.traceability.epcis import finding
from nongso.platform.traceability.epcis.model import check_document
from nongso.platform.traceability.records import Producer

NS = {"my": "https://ns.example/voc/"}
PACK = "urn:epc:id:sgtin:4012345.011111.9876"
PACK_LINK = "https://id.gs1.org/01/04012345111118/21/9876"
PALLET = "urn:epc:id:sscc:4012345.0111111111"
EVENTS: list[dict[str, Any]] = [
    an_event(
        eventID="urn:e:harvest",
        readPoint={"id": "https://htx.example/place/hill", "my:slope": 12},
        ilmd={"my:variety": "dong đỏ", "my:grade": 2, "my:deep": {"my:soil": "red"}},
        **{"my:weather": "mưa", "my:picked": "2026-11-04T08:00:00+07:00", "my:box": {"my:n": 7}},
    ),
    an_event(
        eventID="urn:e:ship",
        eventTime="2026-11-06T06:00:00+07:00",
        action="OBSERVE",
        bizStep="shipping",
        disposition="in_transit",
        readPoint={"id": "https://htx.example/place"},
        bizLocation={"id": "urn:epc:id:sgln:4012345.00005.0"},
        bizTransactionList=[
            {"type": "po", "bizTransaction": "urn:po:1"},
            {"bizTransaction": "urn:bare:1"},
        ],
        sourceList=[{"type": "owning_party", "source": "urn:epc:id:pgln:4012345.00000"}],
        destinationList=[{"type": "https://htx.example/mill", "destination": "urn:mill:1"}],
    ),
    {
        "type": "AggregationEvent",
        "eventID": "urn:e:pack",
        "eventTime": "2026-11-07T06:00:00.250+07:00",
        "eventTimeZoneOffset": "+07:00",
        "action": "ADD",
        "bizStep": "packing",
        "parentID": PALLET,
        "childEPCs": [PACK],
        "childQuantityList": [{"epcClass": "urn:lot:noodles", "quantity": 24}],
    },
    {
        "type": "TransformationEvent",
        "eventID": "urn:e:mill",
        "eventTime": "2026-11-06T17:00:00Z",
        "eventTimeZoneOffset": "+07:00",
        "transformationID": "urn:me:1",
        "inputQuantityList": [{"epcClass": LOT, "quantity": 500.5, "uom": "KGM"}],
        "inputEPCList": ["urn:epc:id:sgtin:4012345.011111.1"],
        "outputEPCList": ["urn:epc:id:sgtin:4012345.022222.1"],
        "outputQuantityList": [{"epcClass": "urn:lot:starch", "quantity": 70, "uom": "KGM"}],
        "persistentDisposition": {"set": ["recalled"], "unset": ["expired"]},
    },
    {
        "type": "ObjectEvent",
        "eventID": "urn:e:sensor",
        "eventTime": "2026-11-08T06:00:00+07:00",
        "eventTimeZoneOffset": "+07:00",
        "action": "OBSERVE",
        "bizStep": "https://htx.example/voc/drying",
        "epcList": [PACK],
        "sensorElementList": [
            {
                "sensorMetadata": {
                    "deviceID": "urn:epc:id:giai:4000001.111",
                    "startTime": "2026-11-08T05:00:00+07:00",
                    "endTime": "2026-11-08T06:00:00+07:00",
                    "my:roof": "tin",
                },
                "sensorReport": [
                    {"type": "Temperature", "value": 26.5, "minValue": 20, "uom": "CEL"},
                    {"type": "RelativeHumidity", "value": 61, "uom": "A93", "my:probe": "b"},
                    {"type": "Dimensionless", "stringValue": "dry", "booleanValue": True},
                ],
            }
        ],
    },
    {
        "type": "TransactionEvent",
        "eventID": "urn:e:sale",
        "eventTime": "2026-11-09T06:00:00+07:00",
        "eventTimeZoneOffset": "+07:00",
        "action": "ADD",
        "bizTransactionList": [{"type": "inv", "bizTransaction": "urn:inv:1"}],
        "epcList": [PACK],
    },
]
DOCUMENT = a_document(*EVENTS, context=[CONTEXT, NS])

ASKED = {
    "": "harvest ship pack mill sensor sale",
    "eventType=AggregationEvent|TransactionEvent": "pack sale",
    "EQ_action=ADD": "harvest pack sale",
    "EQ_action=ADD|OBSERVE": "harvest ship pack sensor sale",
    "EQ_bizStep=shipping": "ship",
    "EQ_bizStep=cbv:BizStep-shipping": "ship",
    "EQ_bizStep=https://ref.gs1.org/cbv/BizStep-shipping": "ship",
    "EQ_bizStep=urn:epcglobal:cbv:bizstep:shipping": "ship",
    "EQ_bizStep=shipping|https://htx.example/voc/drying": "ship sensor",
    "EQ_disposition=in_transit": "ship",
    "EQ_persistentDisposition_set=recalled": "mill",
    "EQ_persistentDisposition_unset=expired": "mill",
    "EQ_persistentDisposition_set=expired": "",
    "EQ_readPoint=https://htx.example/place": "ship",
    "WD_readPoint=https://htx.example/place": "harvest ship",
    "EQ_bizLocation=https://id.gs1.org/414/4012345000054": "ship",
    "GE_eventTime=2026-11-07T06:00:00.250%2B07:00": "pack sensor sale",
    "LT_eventTime=2026-11-06T06:00:00%2B07:00": "harvest",
    "GE_eventTime=2026-11-05T23:00:00Z&LT_eventTime=2026-11-06T17:00:00Z": "ship",
    "GE_recordTime=2020-01-01T00:00:00Z": "harvest ship pack mill sensor sale",
    "LT_recordTime=2020-01-01T00:00:00Z": "",
    f"MATCH_epc={PACK}": "pack sensor sale",
    f"MATCH_epc={PACK_LINK}": "pack sensor sale",
    "MATCH_epc=urn:epc:idpat:sgtin:4012345.011111.*": "pack sensor sale",
    "MATCH_anyEPC=urn:epc:idpat:sgtin:4012345.011111.*": "pack mill sensor sale",
    f"MATCH_parentID={PALLET}": "pack",
    f"MATCH_anyEPC={PALLET}": "pack",
    "MATCH_inputEPC=urn:epc:id:sgtin:4012345.011111.1": "mill",
    "MATCH_outputEPC=urn:epc:id:sgtin:4012345.022222.1": "mill",
    f"MATCH_epcClass={LOT}": "harvest ship",
    f"MATCH_inputEPCClass={LOT}": "mill",
    f"MATCH_anyEPCClass={LOT}": "harvest ship mill",
    "MATCH_outputEPCClass=urn:lot:starch": "mill",
    "EQ_eventID=urn:e:ship|urn:e:sale": "ship sale",
    "EQ_transformationID=urn:me:1": "mill",
    "EQ_bizTransaction_po=urn:po:1": "ship",
    "EQ_bizTransaction_inv=urn:po:1": "",
    "EQ_source_owning_party=https://id.gs1.org/417/4012345000009": "ship",
    "EQ_destination_https://htx.example/mill=urn:mill:1": "ship",
    "EQ_quantity=70": "mill",
    "GT_quantity=500": "harvest ship mill",
    "GE_quantity_KGM=500.5&LT_quantity_KGM=501": "mill",
    "LE_quantity=24": "pack",
    "EXISTS_errorDeclaration=true": "",
    "EXISTS_errorDeclaration=false": "harvest ship pack mill sensor sale",
    "EXISTS_sensorElementList=true": "sensor",
    "EQ_type=Temperature": "sensor",
    "EQ_type=gs1:Temperature": "sensor",
    "EQ_deviceID=https://id.gs1.org/8004/4000001111": "sensor",
    "EQ_stringValue=dry": "sensor",
    "EQ_booleanValue=true": "sensor",
    "EQ_booleanValue=false": "",
    "GE_value_CEL=26.5": "sensor",
    "GT_value_CEL=26.5": "",
    "LT_minValue_CEL=21": "sensor",
    "GE_startTime=2026-11-07T22:00:00Z": "sensor",
    "LT_endTime=2026-11-07T23:00:00Z": "",
    "EQ_my:weather=mưa": "harvest",
    "EQ_https://ns.example/voc/weather=mưa": "harvest",
    "EXISTS_my:weather=true": "harvest",
    "EQ_my:weather=nắng": "",
    "GE_my:picked=2026-11-04T01:00:00Z": "harvest",
    "LT_my:picked=2026-11-04T01:00:00Z": "",
    "EQ_INNER_my:n=7": "harvest",
    "GT_INNER_my:n=6": "harvest",
    "EQ_ILMD_my:variety=dong đỏ": "harvest",
    "GE_ILMD_my:grade=2": "harvest",
    "GT_ILMD_my:grade=2": "",
    "EQ_INNER_ILMD_my:soil=red": "harvest",
    "EXISTS_ILMD_my:grade=true": "harvest",
    "EQ_readPoint_my:slope=12": "harvest",
    "EQ_SENSORMETADATA_my:roof=tin": "sensor",
    "EQ_SENSORREPORT_my:probe=b": "sensor",
    f"EQ_bizStep=packing&MATCH_anyEPC={PACK}&EQ_action=ADD": "pack",
    f"EQ_bizStep=shipping&MATCH_anyEPC={PACK}": "",
}
WRONG = {
    "GE_eventDate=2026-01-01T00:00:00Z": "GE_eventDate",
    "EQ_bizStep=steaming": "EQ_bizStep",
    "EQ_action=MAYBE": "EQ_action",
    "eventType=Nothing": "eventType",
    "GE_eventTime=yesterday": "GE_eventTime",
    "GE_eventTime=2026-11-05T16:30:00": "GE_eventTime",
    "MATCH_epc=K7M4PQ": "MATCH_epc",
    "MATCH_epc=urn:epc:idpat:sgtin:4012345.*.*": "MATCH_epc",
    "GT_quantity=viel": "GT_quantity",
    "GT_quantity=1|2": "GT_quantity",
    "EXISTS_errorDeclaration=perhaps": "EXISTS_errorDeclaration",
    "orderBy=quantity": "orderBy",
    "orderDirection=UP": "orderDirection",
    "eventCountLimit=1": "eventCountLimit",
    "orderBy=eventTime&eventCountLimit=1&maxEventCount=1": None,
    "perPage=0": "perPage",
    "perPage=x": "perPage",
    "nextPageToken=x": "nextPageToken",
    "EQ_bizTransaction_bill=urn:po:1": "EQ_bizTransaction_bill",
    "HASATTR_epcClass=x:y": "HASATTR_epcClass",
    "HASATTR_bizLocation_x:y=1": "HASATTR_bizLocation_x:y",
    "EQATTR_bizLocation=1": "EQATTR_bizLocation",
    "EQ_bizStep=a%00b": "EQ_bizStep",
    "EQ_quantity_kilogramme=1": "EQ_quantity_kilogramme",
}


def short(events: list[Any]) -> str:
    order = [event["eventID"] for event in EVENTS]
    ids = sorted((event["eventID"] for event in events), key=order.index)
    return " ".join(event_id.removeprefix("urn:e:") for event_id in ids)


def ask(site: Site, query: str) -> Any:
    headers = {
        "Authorization": "Bearer " + site.tokens["clerk"],
        "GS1-Extensions": "my=https://ns.example/voc/",
    }
    return site.stranger.get(f"/epcis/events?{query}", headers=headers)


def results(answer: Any) -> list[Any]:
    return answer.json["epcisBody"]["queryResults"]["resultsBody"]["eventList"]


def test_each_parameter_finds_what_it_names(site: Site) -> None:
    assert job_of(site, send(site, DOCUMENT))["success"]
    for query, expected in ASKED.items():
        answer = ask(site, f"perPage=100&{query}")
        assert answer.status_code == 200, (query, answer.text)
        assert short(results(answer)) == expected, query
    for query, parameter in WRONG.items():
        answer = ask(site, query)
        assert answer.status_code == 400, (query, answer.text)
        assert answer.json["type"] == "epcisException:QueryParameterException"
        assert answer.json.get("parameter") == parameter, query


def test_a_plus_that_the_address_ate_is_told_of(site: Site) -> None:
    answer = ask(site, "GE_eventTime=2026-11-05T16:30:00+07:00")
    assert answer.status_code == 400
    assert "%2B" in answer.json["detail"]


def test_a_page_leads_to_the_next_until_the_end(site: Site) -> None:
    send(site, DOCUMENT)
    seen, path = [], "/epcis/events?perPage=4&EQ_action=ADD|OBSERVE&orderBy=eventTime"
    path += "&orderDirection=ASC"
    while path:
        answer = site.api(path)
        seen += [event["eventID"] for event in results(answer)]
        link = answer.headers.get("Link", "")
        path = link[1 : link.index(">")].removeprefix("http://localhost") if link else ""
    assert seen == [f"urn:e:{name}" for name in ("harvest", "ship", "pack", "sensor", "sale")]


def test_what_comes_in_between_two_pages_moves_nothing(site: Site) -> None:
    send(site, DOCUMENT)
    first = site.api("/epcis/events?perPage=2&orderBy=eventTime")
    send(site, a_document(an_event(eventID="urn:e:late", eventTime="2027-01-01T00:00:00Z")))
    link = first.headers["Link"]
    second = site.api(link[1 : link.index(">")].removeprefix("http://localhost"))
    ids = [event["eventID"] for event in results(first) + results(second)]
    assert ids == ["urn:e:sale", "urn:e:sensor", "urn:e:pack", "urn:e:mill"]
    other = site.api(link[1 : link.index(">")].removeprefix("http://localhost") + "&EQ_action=ADD")
    assert other.status_code == 400


def test_a_token_that_somebody_wrote_shows_no_more_than_was_asked_for(site: Site) -> None:
    send(site, DOCUMENT)
    asked = "/epcis/events?perPage=1&orderBy=eventTime&eventCountLimit=3"
    token = re.findall("nextPageToken=([^>&]+)", site.api(asked).headers["Link"])[0]
    told = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    for given in (-100, 0, 3, 8, 10**30):
        told[1] = given
        forged = base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")
        assert site.api(f"{asked}&nextPageToken={forged}").status_code == 400, given
    assert len(results(site.api(f"{asked}&nextPageToken={token}"))) == 1


def test_limits_count_events(site: Site) -> None:
    send(site, DOCUMENT)
    assert len(found(site, "orderBy=eventTime&eventCountLimit=2")) == 2
    newest = found(site, "orderBy=eventTime&orderDirection=DESC&eventCountLimit=1")
    assert newest[0]["eventID"] == "urn:e:sale"
    answer = site.api("/epcis/events?maxEventCount=5")
    assert answer.status_code == 413
    assert answer.json["type"] == "epcisException:QueryTooLargeException"
    assert site.api("/epcis/events?maxEventCount=6").status_code == 200


def test_pages_are_the_same_whatever_came_first(farm: Farm, tmp_path: Any) -> None:
    from cooperative import open_farm

    from nongso.platform.traceability.epcis import finding
    from nongso.platform.traceability.epcis.question import Question

    seen = []
    for n in range(3):
        folder = tmp_path / f"farm{n}"
        folder.mkdir()
        other = open_farm(folder)
        events = copy.deepcopy(EVENTS)
        random.Random(n).shuffle(events)
        for event in events:
            put(other.records, a_document(event, context=[CONTEXT, NS]))
        with other.records.session() as session:
            page = finding.find(session, Question(per_page=4), None)
            ids = [one.head.event_id for one in page.events]
            page = finding.find(session, Question(per_page=4, token=page.token), None)
            seen.append(ids + [one.head.event_id for one in page.events])
        other.records.close()
    assert seen[0] == seen[1] == seen[2]
    assert len(set(seen[0])) == len(EVENTS)


def test_what_events_have_is_listed_and_leads_to_them(site: Site) -> None:
    send(site, DOCUMENT)
    listed = {
        "eventTypes": "TransformationEvent",
        "bizSteps": "shipping",
        "dispositions": "in_transit",
        "readPoints": "https://htx.example/place",
        "bizLocations": "https://id.gs1.org/414/4012345000054",
        "epcs": PACK_LINK,
    }
    for thing, member in listed.items():
        answer = site.api(f"/epcis/{thing}?perPage=50")
        assert answer.json["type"] == "Collection"
        assert member in answer.json["member"], thing
        one = f"/epcis/{thing}/{quote(member, safe='')}"
        assert site.api(one).json["member"] == ["events"]
        assert results(site.api(one + "/events")), thing
        assert site.api(f"/epcis/{thing}/urn:not:there").status_code == 404
    assert short(results(site.api("/epcis/bizSteps/shipping/events"))) == "ship"
    assert short(results(site.api("/epcis/bizSteps/shipping/events?EQ_action=ADD"))) == ""
    pages, path = [], "/epcis/epcs?perPage=3"
    while path:
        answer = site.api(path)
        pages += answer.json["member"]
        link = answer.headers.get("Link", "")
        path = link[1 : link.index(">")].removeprefix("http://localhost") if link else ""
    assert pages == sorted(set(pages))
    assert pages == site.api("/epcis/epcs?perPage=100").json["member"]


def test_a_named_query_answers_as_often_as_it_is_asked(site: Site) -> None:
    send(site, DOCUMENT)
    auth = {"Authorization": "Bearer " + site.tokens["clerk"]}
    asked = {"EQ_bizStep": ["shipping"], "GE_quantity": 5, "@context": NS}
    body = {"name": "chuyến hàng", "query": asked}
    made = site.stranger.post("/epcis/queries", json=body, headers=auth)
    assert made.status_code == 201
    answer = site.api(made.headers["Location"])
    assert short(results(answer)) == "ship"
    assert answer.json["epcisBody"]["queryResults"]["queryName"] == "chuyến hàng"
    assert [one["name"] for one in site.api("/epcis/queries").json] == ["chuyến hàng"]
    again = site.stranger.post("/epcis/queries", json=body, headers=auth)
    assert (again.status_code, again.json["title"]) == (409, "DuplicateNameException")
    bad = {"name": "x", "query": {"GE_eventDate": "2026-01-01T00:00:00Z"}}
    assert site.stranger.post("/epcis/queries", json=bad, headers=auth).status_code == 400
    refused = site.api("/epcis/queries/chuyến hàng/subscriptions")
    assert refused.status_code == 501
    assert refused.json["type"] == "epcisException:ImplementationException"
    ended = site.stranger.delete("/epcis/queries/chuyến hàng", headers=auth)
    assert ended.status_code == 204
    assert site.api("/epcis/queries/chuyến hàng").status_code == 404


def test_answers_are_valid_documents_in_the_form_that_is_asked_for(site: Site) -> None:
    site.farm.packed()
    send(site, DOCUMENT)
    auth = {"Authorization": "Bearer " + site.tokens["clerk"]}

    def get(**headers: str) -> Any:
        every = "/epcis/events?perPage=100"
        return site.stranger.get(every, headers={**auth, **headers})

    assert [str(one) for one in check_document(get().json)] == []
    assert PACK in get().text
    linked = get(**{"GS1-EPC-Format": "Always_GS1_Digital_Link"})
    assert [str(one) for one in check_document(linked.json)] == []
    assert PACK not in linked.text
    assert PACK_LINK in linked.text
    web = get(**{"GS1-CBV-Format": "Always_Web_URI"})
    assert "https://ref.gs1.org/cbv/BizStep-shipping" in web.text
    for name, value in (
        ("GS1-EPC-Format", "Always_EPC_URN"),
        ("GS1-CBV-Format", "Always_URN"),
        ("GS1-EPCIS-Min", "3.0.0"),
        ("Accept", "application/xml"),
    ):
        answer = get(**{name: value})
        assert answer.status_code == 406, name
        assert answer.json["type"] == "epcisException:NotAcceptableException"


def test_every_address_says_its_version_and_what_it_can(site: Site) -> None:
    answer = site.stranger.options("/epcis/events")
    assert answer.status_code == 204
    assert answer.headers["GS1-EPCIS-Version"] == "2.0.0"
    assert answer.headers["GS1-CBV-Version"] == "2.0.0"
    assert answer.headers["GS1-EPCIS-Max"] == "2.0.0"
    assert "GET" in answer.headers["Allow"]
    home = site.stranger.get("/epcis/").json["member"]
    assert {"events", "capture", "queries", "bizSteps"} <= set(home)


def test_events_under_prefixes_that_mean_different_things_keep_their_meaning(site: Site) -> None:
    one = a_document(
        an_event(eventID="urn:e:1", **{"my:a": 1}), context=[CONTEXT, {"my": "urn:1:"}]
    )
    two = a_document(
        an_event(eventID="urn:e:2", **{"my:a": 1}), context=[CONTEXT, {"my": "urn:2:"}]
    )
    for sent in (one, two):
        assert job_of(site, send(site, sent))["success"]
    answer = site.api("/epcis/events").json
    meant = {
        event["eventID"]: next(
            (part["my"] for part in event.get("@context", []) if isinstance(part, dict)),
            next(part["my"] for part in answer["@context"] if isinstance(part, dict)),
        )
        for event in answer["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    }
    assert meant == {"urn:e:1": "urn:1:", "urn:e:2": "urn:2:"}
    headers = {"Authorization": "Bearer " + site.tokens["clerk"]}
    for n in "12":
        asked = {**headers, "GS1-Extensions": f"x=urn:{n}:"}
        found_ = site.stranger.get("/epcis/events?EQ_x:a=1", headers=asked)
        assert [event["eventID"] for event in results(found_)] == [f"urn:e:{n}"]


# What strangers see.


def test_strangers_see_packed_lots_and_nothing_of_others(site: Site) -> None:
    packed = site.farm.packed()
    send(site, DOCUMENT)
    answer = site.stranger.get("/epcis/events")
    events = results(answer)
    assert len(events) == 1
    assert events[0]["outputQuantityList"][0]["epcClass"].endswith(packed.code)
    assert [str(one) for one in check_document(answer.json)] == []
    ours = site.api("/epcis/events?perPage=100")
    assert len(results(ours)) > len(EVENTS) + 1
    event_id = quote(events[0]["eventID"], safe="")
    assert site.stranger.get(f"/epcis/events/{event_id}").status_code == 200
    assert site.stranger.get("/epcis/events/urn:e:ship").status_code == 404
    assert site.stranger.get("/epcis/bizSteps").json["member"] == ["commissioning"]
    assert site.stranger.get("/epcis/queries").status_code == 401
    bad = site.stranger.get("/epcis/events", headers={"Authorization": "Bearer nst_x"})
    assert bad.status_code == 401


def test_what_few_events_have_is_found_without_walking_all_events(site: Site) -> None:
    """PostgreSQL takes rare for common while a table grows; it is told the events then."""
    code = site.farm.packed().code
    site.farm.packed(90)
    send(site, DOCUMENT)
    thing = quote(f"{site.farm.settings.label_url}/t/{code}", safe="")
    asked: list[str] = []
    engine = site.clerk.application.extensions["nongso.records"].engine
    listening.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    assert len(results(site.stranger.get(f"/epcis/epcs/{thing}/events"))) == 1
    assert len(results(site.api(f"/epcis/epcs/{thing}/events"))) == 1
    pages = [one for one in asked if "ORDER BY epcis_event.at_ms" in one]
    assert pages
    assert [one for one in pages if "epcis_term" in one] == []


def test_a_thing_that_many_events_have_is_found_in_the_order_of_the_page(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(site, DOCUMENT)
    for few in (0, 1, 2, 3):
        monkeypatch.setattr(finding, "_FEW", few)
        assert short(results(ask(site, f"MATCH_epc={PACK}"))) == "pack sensor sale"
        rare = f"MATCH_anyEPCClass={LOT}&EQ_bizStep=shipping"
        assert short(results(ask(site, rare))) == "ship"


def test_strangers_are_led_to_public_things_only(site: Site) -> None:
    code = site.farm.packed().code
    send(site, DOCUMENT)
    ours = quote(f"{site.farm.settings.label_url}/t/{code}", safe="")
    for address, status in (
        (f"epcs/{ours}", 200),
        (f"epcs/{quote(PACK, safe='')}", 404),
        ("bizSteps/commissioning", 200),
        ("bizSteps/shipping", 404),
        ("dispositions/in_transit", 404),
        ("bizLocations/https:%2F%2Fhtx.example%2Fplace", 404),
        ("eventTypes/ObjectEvent", 200),
    ):
        assert site.stranger.get(f"/epcis/{address}").status_code == status, address
        assert site.stranger.get(f"/epcis/{address}/events").status_code == status, address
    assert site.api(f"/epcis/epcs/{quote(PACK, safe='')}").status_code == 200


def test_no_person_and_no_household_is_in_what_strangers_get(site: Site) -> None:
    """Ten thousand answers are too many here; every event there is, in every form, is not."""
    site.farm.packed()
    site.farm.packed(90)
    site.farm.crop("Dưa chuột")
    with site.farm.records.session() as session:
        secrets: set[str] = set()
        for producer in session.scalars(select(Producer)):
            secrets |= {producer.id, producer.village, producer.contact} - {""}
            if producer.kind == "household":
                secrets.add(producer.name)
        for event in session.scalars(select(Event)):
            secrets |= {event.actor} - {"clerk"}
            body = event.body
            secrets |= {body.get("nongso:form", ""), body.get("nongso:place", "")} - {""}
            for party in body.get("sourceList", []):
                secrets.add(party["source"])
    assert len(secrets) > 5
    texts = [site.stranger.get("/epcis/events?perPage=500").text]
    for thing in ("epcs", "bizSteps", "readPoints", "bizLocations", "dispositions", "eventTypes"):
        texts.append(site.stranger.get(f"/epcis/{thing}?perPage=500").text)
    for event in results(site.stranger.get("/epcis/events?perPage=500")):
        texts.append(site.stranger.get("/epcis/events/" + quote(event["eventID"], safe="")).text)
    told = "\n".join(texts)
    assert [secret for secret in secrets if secret in told] == []


def test_strangers_cannot_ask_for_what_they_are_not_told(site: Site) -> None:
    """A question about a hidden field must not find an event by it."""
    site.farm.packed()
    with site.farm.records.session() as session:
        body = session.scalars(select(Event.body).where(Event.type == "lot.packed")).one()
    hidden = body["nongso:producer"]
    assert results(site.api(f"/epcis/events?EQ_nongso:producer={hidden}"))
    place = quote("http://127.0.0.1:8080/", safe="")
    for query in (
        f"EQ_nongso:producer={hidden}",
        f"EXISTS_nongso:producer=true&EQ_nongso:producer={hidden}",
        f"WD_readPoint={place}",
        f"EQ_source_owning_party={place}",
        f"EQ_INNER_nongso:producer={hidden}",
    ):
        answer = site.stranger.get(f"/epcis/events?{query}")
        assert answer.status_code == 403, query
        assert answer.json["type"] == "epcisException:SecurityException"
    assert site.stranger.get(f"/epcis/readPoints/{place}/events").status_code == 404
    assert site.stranger.get("/epcis/readPoints").json["member"] == []
    named = site.stranger.get(f"/epcis/events?EQ_nongso:name={quote(body['nongso:name'])}")
    assert len(results(named)) == 1


def test_events_are_found_by_what_the_registry_says_of_places_and_parties(site: Site) -> None:
    """The clerk's own registry answers; another cooperative's and a stranger's question do not."""
    here = site.farm.producer("H01")
    site.farm.roots(100, producer=here)
    there = site.farm.producer("H02")
    with site.farm.records.transaction() as session:
        session.get_one(Producer, there).commune = "xã Bản Hon"
    site.farm.roots(100, producer=there)

    def steps(query: str) -> list[str]:
        found = ask(site, query).json["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
        return sorted(event["bizStep"] for event in found)

    commune = quote("xã Bản Hon")
    assert steps(f"EQATTR_bizLocation_cbvmda:city={commune}") == ["commissioning"]
    assert steps(f"EQ_ATTR_bizLocation_cbvmda:city={commune}") == ["commissioning"]
    assert steps(f"EQATTR_source_cbvmda:city={commune}") == ["receiving"]
    both = f"{commune}|{quote('xã Bình Lư')}"
    assert len(steps(f"EQATTR_source_cbvmda:city={both}")) == 2
    assert len(steps("HASATTR_source=nongso:village")) == 2
    assert steps("HASATTR_bizLocation=cbvmda:postalCode") == [], "nobody wrote that down"
    assert steps("EQATTR_destination_cbvmda:state=Lai") == [], "no part of a word"
    with site.farm.records.transaction() as session:
        session.get_one(Producer, there).cooperative = "khac"
    assert steps(f"EQATTR_source_cbvmda:city={commune}") == []
    refused = site.stranger.get("/epcis/events?HASATTR_source=cbvmda:name")
    assert refused.status_code == 403
