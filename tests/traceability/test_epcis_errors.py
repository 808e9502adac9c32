"""Who may declare that an event was wrong: its own sender, and of our events our own records."""

import itertools
import json
from typing import Any

from cooperative import BASE, COOP, Farm
from platform_site import Site
from selling import cartons
from sqlalchemy import select
from test_epcis_capture import a_document, a_process, flows, job_of, send
from test_trace import CONTEXT

from nongso.platform import people
from nongso.platform.traceability import withdrawal
from nongso.platform.traceability.epcis import capture, indexing, reading
from nongso.platform.traceability.epcis.records import Indexed
from nongso.platform.traceability.tracing import wide as trace_wide

WRONG = {"errorDeclaration": {"declarationTime": "2026-11-06T08:00:00+07:00"}}
LATER = {"errorDeclaration": {"declarationTime": "2026-11-07T08:00:00+07:00"}}
NAMED = {"eventID": "urn:uuid:1"}


def sent(farm: Farm, sender: str, *events: dict[str, Any]) -> capture.Outcome:
    """What an account captures."""
    checked = capture.check(reading.read(json.dumps(a_document(*events)).encode()))
    with farm.records.transaction() as session:
        captor = capture.Captor(session, COOP, sender, 1_800_000_000_000)
        return capture.keep(captor, checked, "rollback")


def refused(outcome: capture.Outcome) -> str:
    (refusal,) = outcome.refusals
    assert refusal.field == "epcisBody.eventList[0].eventID"
    return refusal.reason


def standing(farm: Farm) -> set[str]:
    """The ways that flow in the trace."""
    return {target for _kind, _source, target, *_ in flows(farm.records)}


def test_only_the_account_that_captured_an_event_can_declare_it_wrong(farm: Farm) -> None:
    event = a_process("a") | NAMED
    sent(farm, "mill", event)
    assert "another account" in refused(sent(farm, "rival", event | WRONG))
    assert standing(farm) == {"a:out/a"}
    assert not sent(farm, "mill", event | WRONG).refusals
    assert standing(farm) == set()


def test_nobody_can_declare_one_of_our_own_events_wrong(farm: Farm) -> None:
    (box,) = cartons(farm, farm.packed(20).code, 20)
    with farm.records.session() as session:
        packing = f"{BASE}/id/carton/{box}"
        before = trace_wide.follow(session, [packing], "back", BASE, COOP)
        rows = session.scalars(select(Indexed).order_by(Indexed.number)).all()
        bodies = [trace_wide.finding.fetch(session, [one.number])[0].body for one in rows]
    for body in bodies:
        frame = {**body, **WRONG, "@context": [CONTEXT, {"nongso": "urn:nongso:"}]}
        assert "our own" in refused(sent(farm, "clerk", frame))
    with farm.records.session() as session:
        assert trace_wide.follow(session, [packing], "back", BASE, COOP) == before
        assert all(session.scalars(select(Indexed.stands)))


def test_our_own_records_take_back_what_was_recorded_wrongly(farm: Farm) -> None:
    lot = farm.packed(20)
    farm.do(withdrawal.withdraw, lot.code, "cân nhầm")
    with farm.records.session() as session:
        fallen = session.scalars(select(Indexed).where(~Indexed.stands)).all()
    assert [one.error_ms is None for one in fallen] == [True, False]
    assert f"{BASE}/t/{lot.code}" not in standing(farm)


def test_a_declaration_waits_for_its_event_and_is_judged_when_it_comes(farm: Farm) -> None:
    event = a_process("a") | NAMED
    assert not sent(farm, "rival", event | WRONG).refusals
    assert not sent(farm, "mill", event | {"bizStep": "commissioning"} | WRONG).refusals
    sent(farm, "mill", event)
    assert standing(farm) == {"a:out/a"}, "neither a rival's word nor one of another event counts"
    assert not sent(farm, "mill", event | LATER).refusals
    assert standing(farm) == set()


def test_in_whatever_order_they_come_the_same_holds(farm: Farm) -> None:
    for n, order in enumerate(itertools.permutations(range(3))):
        event = a_process(f"{n}", name=f"urn:x:{n}") | {"eventID": f"urn:uuid:{n}"}
        told = (("mill", event), ("mill", event | WRONG), ("rival", event | WRONG))
        for at in order:
            sent(farm, *told[at])
        sent(farm, "rival", a_process(f"more{n}", name=f"urn:x:{n}"))
    expected = {f"a:out/more{n}" for n in range(6)}
    assert standing(farm) == expected
    with farm.records.transaction() as session:
        indexing.remake(session)
    assert standing(farm) == expected


def test_the_address_of_an_event_tells_what_holds(site: Site) -> None:
    with site.farm.records.transaction() as session:
        rival = people.add_person(session, "rival", "rival", "clerk", COOP, "mot hai ba bon")
        token = people.new_api_token(session, rival, "test")
    event = a_process("a") | NAMED
    auth = {"Authorization": "Bearer " + token}
    site.stranger.post("/epcis/capture", json=a_document(event | LATER), headers=auth)
    assert job_of(site, send(site, a_document(event)))["success"]
    assert "errorDeclaration" not in site.api("/epcis/events/urn:uuid:1").json
    assert job_of(site, send(site, a_document(event | WRONG)))["success"]
    shown = site.api("/epcis/events/urn:uuid:1").json
    assert shown["errorDeclaration"] == WRONG["errorDeclaration"]
    answer = site.stranger.post("/epcis/capture", json=a_document(event | WRONG), headers=auth)
    job = site.stranger.get(answer.headers["Location"], headers=auth).json
    assert "another account" in job["errors"][0]["detail"]


TWICE = {
    '{"type": "A", "bizStep": "shipping", "bizStep": "receiving"}': "bizStep",
    '[{"type": "A"}, {"quantityList": [{"epcClass": "a:b", "quantity": 1, "quantity": 9}]}]': (
        "[1].quantityList[0].quantity"
    ),
    '{"errorDeclaration": {"a": {}, "\\u0061": 2}}': "errorDeclaration.a",
    '{"epcisBody": {"eventList": [{"a": 1, "a": 2}], "eventList": []}}': "epcisBody.eventList",
    '{"\\ud800": {"\\u0000\\udfff": 1, "\\u0000\\udfff": 2}}': "?.\0?",
}


def test_a_field_that_stands_twice_is_refused_by_name(site: Site) -> None:
    """Two readers of it would take it for two events: one keeps the first, one the last."""
    for text, field in TWICE.items():
        answer = send(site, text.encode())
        assert answer.status_code == 400, text
        assert answer.json["detail"].startswith(f"{field}: stands twice")
        assert [error["field"] for error in answer.json["errors"]] == [field]
