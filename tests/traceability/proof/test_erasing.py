"""Somebody leaves: nobody can find out from the log who it was, and every proof stays whole."""

import json
from collections.abc import Iterator

import pytest
from cooperative import BASE, COOP, NOW, Farm, new_id
from sqlalchemy import select, text

from nongso.platform import people
from nongso.platform.members import leaving
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.making.operations import Desk
from nongso.platform.traceability.proof import entries, lotfile, standing
from nongso.platform.traceability.proof.custody import Custody
from nongso.platform.traceability.proof.lotproof import Refused, judge
from nongso.platform.traceability.proof.records import LogEntry, LogSalt
from nongso.platform.traceability.proof.signing import Signer


@pytest.fixture
def signer(farm: Farm) -> Iterator[Signer]:
    custody = Custody(farm.settings.folder)
    assert custody.take()
    yield Signer(farm.records, custody, "127.0.0.1:8080/log")
    custody.let_go()


def test_who_has_left_is_in_no_proof_and_every_proof_still_holds(
    farm: Farm, signer: Signer
) -> None:
    with farm.records.transaction() as session:
        clerk = people.add_person(session, "chi-lan", "Lan", "clerk", COOP, "mien dong 500 g")
    packed = farm.packed()
    texts = {"text": "Miến dong"}
    with farm.records.transaction() as session:
        desk = Desk(session, COOP, clerk.id, BASE, NOW)
        labelling.issue(desk, new_id(), labelling.Wish(packed.code, 3), texts)
    signer.sign_now(NOW)
    with farm.records.session() as session:
        before = lotfile.text_of(lotfile.make(session, packed, "")).encode()
        newest = select(LogEntry).order_by(LogEntry.number.desc())
        issued = session.scalars(newest.where(LogEntry.kind == "event")).first()
        assert issued is not None
        seal = entries.seals_of(issued.entry)["/actor"]
        salt = session.get_one(LogSalt, issued.event_number).salts["/actor"]
    assert entries.seal(salt, "/actor", clerk.id) == seal  # whoever has the salt can check it
    with farm.records.transaction() as session:
        leaving.forget(session, session.get_one(people.Person, clerk.id), NOW + 60)
    signer.sign_now(NOW + 70)
    with farm.records.session() as session:
        assert "/actor" not in session.get_one(LogSalt, issued.event_number).salts
        after = lotfile.text_of(lotfile.make(session, packed, "")).encode()
        last = session.scalars(newest).first()
        assert last is not None
        assert last.kind == "erasure"
        assert standing.of_lot(session, packed).state == "unchanged"
    for data in (before, after):
        assert judge(data).records[-1].type == "labels.issued"
        assert clerk.id.encode() not in data
    assert judge(before).records == judge(after).records
    told = json.loads(last.entry)
    assert (told["paths"], told["entries"]) == (["/actor"], [issued.number])


def test_erasing_hides_no_change_of_anything_else(farm: Farm, signer: Signer) -> None:
    with farm.records.transaction() as session:
        clerk = people.add_person(session, "chi-lan", "Lan", "clerk", COOP, "mien dong 500 g")
    packed = farm.packed()
    with farm.records.transaction() as session:
        desk = Desk(session, COOP, clerk.id, BASE, NOW)
        labelling.issue(desk, new_id(), labelling.Wish(packed.code, 3), {"text": "Miến dong"})
        leaving.forget(session, session.get_one(people.Person, clerk.id), NOW + 60)
    signer.sign_now(NOW + 70)
    with farm.records.transaction() as session:
        if farm.records.is_file:
            session.execute(text("DROP TRIGGER event_no_update"))
        else:
            session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE event SET at = at + 1 WHERE type = 'labels.issued'"))
    with farm.records.session() as session:
        assert standing.of_lot(session, packed).state == "changed"
        data = lotfile.text_of(lotfile.make(session, packed, "")).encode()
    with pytest.raises(Refused):
        judge(data)
