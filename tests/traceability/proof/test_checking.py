"""What somebody changed past the program is told by ``nongso trace check``, table and row."""

import contextlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cooperative import BASE, COOP, NOW, TODAY, Farm, new_id
from sqlalchemy import JSON, bindparam, select, text
from sqlalchemy.orm import Session

from nongso.platform.diary import entries as diary
from nongso.platform.traceability.amiss import EVIDENCE, Amiss
from nongso.platform.traceability.epcis import capture, indexing, reading
from nongso.platform.traceability.epcis import held as epcis_held
from nongso.platform.traceability.epcis.capture import Captor
from nongso.platform.traceability.epcis.records import CONTEXT_DIGEST
from nongso.platform.traceability.labelling import account, issuing, rolls, scratch, vouching
from nongso.platform.traceability.labelling import held as labels_held
from nongso.platform.traceability.labelling.errors import NotAsIssued
from nongso.platform.traceability.labelling.records import LabelRoll
from nongso.platform.traceability.making.operations import Desk
from nongso.platform.traceability.moving import goods
from nongso.platform.traceability.proof import checking
from nongso.platform.traceability.proof.custody import Custody
from nongso.platform.traceability.proof.signing import Signer
from nongso.platform.traceability.records import SCRATCH, UNIT, LabelIssue

GUARDED = ("event", "event_subject", "log_entry", "log_checkpoint", "epcis_received")
TEXTS = {"text": "Miến dong Bình Lư\n500 g"}


def captured(session: Session) -> None:
    event = {
        "type": "ObjectEvent",
        "eventTime": "2026-11-05T16:30:00+07:00",
        "eventTimeZoneOffset": "+07:00",
        "action": "ADD",
        "quantityList": [{"epcClass": "https://x.example/t/A", "quantity": 6, "uom": "KGM"}],
        "ma:ghiChu": "miến dong",
    }
    standard = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
    document = {
        "@context": [standard, {"ma": "urn:ma:"}],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": "2026-11-25T15:00:00+07:00",
        "epcisBody": {"eventList": [event]},
    }
    checked = capture.check(reading.read(json.dumps(document).encode()))
    capture.keep(Captor(session, COOP, "clerk", NOW * 1000), checked, "rollback")


@pytest.fixture
def lived_in(farm: Farm) -> Iterator[Farm]:
    """A cooperative with labels of every sort, a carton, a diary and events of somebody else."""
    product = farm.product()
    packed = farm.packed(product=product)
    farm.do(issuing.issue, issuing.Wish(packed.code, 4), TEXTS)
    wish = issuing.Wish(packed.code, 2, "a4-2x7-scratch", codes=SCRATCH)
    made = farm.do(issuing.issue, wish, TEXTS)
    farm.do(account.apply, account.Told(packed.code, ("1-3",)))
    farm.do(account.spoil, account.Told(packed.code, ("2",)))
    farm.do(rolls.make_roll, rolls.RollWish(product, 3), TEXTS)
    farm.do(goods.pack_cartons, goods.Cartoning((goods.Amount(packed.code, 6),), 1, TODAY))
    with farm.records.session() as session:
        _pdf, codes = scratch.draw(session, made)
    with farm.records.transaction() as session:
        desk = Desk(session, COOP, "clerk", BASE, NOW)
        scratch.keep(desk, made, codes, scratch.key_of(farm.settings.secret))
        entry = diary.Entry("sprayed", TODAY.isoformat(), product="Dầu neem")
        diary.write(session, new_id(), "tan-binh-1", COOP, "clerk", entry, NOW)
        captured(session)
    custody = Custody(farm.settings.folder)
    assert custody.take()
    assert Signer(farm.records, custody, "127.0.0.1:8080/log").sign_now(NOW) is not None
    yield farm
    custody.let_go()


class TakenBack(Exception):
    """Nothing of it stays."""


@contextmanager
def taken_back(farm: Farm) -> Iterator[Session]:
    """Everything can be changed, and nothing of it stays."""
    with contextlib.suppress(TakenBack), farm.records.transaction() as session:
        if farm.records.is_file:
            for table in GUARDED:
                for deed in ("update", "delete"):
                    session.execute(text(f"DROP TRIGGER IF EXISTS {table}_no_{deed}"))
            session.execute(text("PRAGMA defer_foreign_keys = ON"))
        else:
            session.execute(text("SET LOCAL session_replication_role = replica"))
        yield session
        raise TakenBack


def found_after(farm: Farm, *deeds: str) -> list[Amiss]:
    """What the check finds after somebody who has the machine did this; it is taken back then."""
    found: list[Amiss] = []
    last = Custody(farm.settings.folder).last()
    with taken_back(farm) as session:
        for deed in deeds:
            session.execute(text(deed))
        session.expire_all()
        found += checking.check(session, last)
    return found


CHANGES = [
    ("UPDATE label_code SET spoiled_at = NULL WHERE running = 2", "label_code", "spoiled_at"),
    ("UPDATE label_code SET applied_at = 5 WHERE running = 4", "label_code", "applied_at is 5"),
    ("UPDATE label_code SET issue_id = (SELECT max(id) FROM label_issue WHERE codes = 'scratch') "
     "WHERE running = 1", "label_code", "issue_id"),
    ("UPDATE label_code SET running = 99 WHERE running = 1", "label_code", "no event issued"),
    ("DELETE FROM label_code WHERE running = 4", "label_code", "are not those that were issued"),
    ("UPDATE label_issue SET codes = 'lot' WHERE codes = 'scratch'", "label_issue", "codes is"),
    ("UPDATE label_issue SET count = 5 WHERE count = 4", "label_issue", "count is 5"),
    ("UPDATE label_issue SET base = 'https://x.example'", "label_issue", "what is printed"),
    ("UPDATE label_issue SET layout = 'a4-2x7'", "label_issue", "what is printed"),
    ("UPDATE label_issue SET start_cell = 3", "label_issue", "what is printed"),
    ("UPDATE label_issue SET texts = '{\"text\": \"khác\"}'", "label_issue", "what is printed"),
    ("UPDATE label_issue SET codes = 'lot' WHERE codes = 'unit'", "label_issue", "is printed"),
    ("UPDATE label_roll SET base = 'https://x.example'", "label_roll", "what is printed"),
    ("UPDATE label_roll SET start_cell = 3", "label_roll", "what is printed"),
    ("UPDATE label_roll SET product_id = 'x'", "label_roll", "what is printed"),
    ("UPDATE label_roll SET at = 5", "label_roll", "at is 5"),
    ("UPDATE label_roll SET actor = 'x'", "label_roll", "actor is 'x'"),
    ("UPDATE label_roll SET cooperative = 'x'", "label_roll", "cooperative is 'x'"),
    ("UPDATE roll_code SET serial = 'GIẢ' WHERE place = 2", "roll_code", "that were printed"),
    ("UPDATE scratch_code SET digest = 'x' WHERE serial = (SELECT max(serial) FROM scratch_code)",
     "scratch_code", "that were drawn"),
    ("UPDATE scratch_code SET first_at = 1, last_at = 1, times = 1", "scratch_code", "cannot be"),
    ("DELETE FROM scratch_code WHERE serial = (SELECT max(serial) FROM scratch_code)",
     "scratch_code", "1 codes, its issue has 2"),
    ("UPDATE event_subject SET subject = 'greenhouse:tan-binh-2' WHERE subject = "
     "'greenhouse:tan-binh-1'", "event_subject", "about greenhouse tan-binh-1"),
    ("DELETE FROM event_subject WHERE number = (SELECT number FROM event WHERE type = "
     "'carton.packed')", "event_subject", "is not found there"),
    ("INSERT INTO event_subject (subject, number) SELECT 'lot:K7M4', min(number) FROM event",
     "event_subject", "is not about lot K7M4"),
    ("UPDATE epcis_received SET text = text || ' '", "epcis_received", "is not what was sent"),
    ("UPDATE epcis_received SET context = '[\"https://x.example\"]'", "epcis_received",
     "context is not what was sent"),
    ("DELETE FROM epcis_received", "epcis_received", "is gone"),
    ("UPDATE epcis_flow SET quantity = 1.5", "epcis_flow", "quantity is 1.5"),
    ("DELETE FROM epcis_flow", "epcis_flow", "but not in the index"),
    ("UPDATE epcis_term SET value = 'x' WHERE place = 0", "epcis_term", "value is 'x'"),
    ("UPDATE epcis_event SET at_ms = 5 WHERE number = 1", "epcis_event", "at_ms is 5"),
    ("UPDATE epcis_lot_name SET lot = NULL WHERE lot IS NOT NULL", "epcis_lot_name", "lot is"),
    ("UPDATE log_checkpoint SET signed_at = signed_at - 1", "log_checkpoint", "signed_at is"),
    ("UPDATE log_checkpoint SET note = replace(note, '127', '128')", "log_check", "no signature"),
    ("DELETE FROM log_checkpoint", "log_checkpoint", "and is gone"),
    ("UPDATE log_cosignature SET first_at = 5", "log_cosignature", "its time is 5"),
    ("DELETE FROM log_key", "log_key", "the table has it not"),
    ("UPDATE log_key SET vkey = 'x' WHERE sort = 'clock'", "log_key", "no entry"),
]  # fmt: skip


def without(session: Session, *names: str) -> None:
    """Make events as they were before they had these digests, their names in the same order."""
    wanted = text("SELECT number, cast(body AS text) FROM event ORDER BY number")
    changed = text("UPDATE event SET body = :body WHERE number = :number").bindparams(
        bindparam("body", type_=JSON)
    )
    for number, written in session.execute(wanted).all():
        body = json.loads(written)
        if isinstance(body, dict) and any(name in body for name in names):
            less = {name: value for name, value in body.items() if name not in names}
            session.execute(changed, {"body": less, "number": number})


def test_a_changed_context_is_never_made_the_truth_by_reading_the_index_anew(
    lived_in: Farm,
) -> None:
    other = r"replace(cast(context AS text), 'urn\:ma', 'urn\:x')"
    if not lived_in.records.is_file:
        other = f"cast({other} AS json)"
    deed = f"UPDATE epcis_received SET context = {other}"
    found = [one for one in found_after(lived_in, deed) if one.table.startswith("epcis")]
    assert len(found) > 1
    assert {one.advice for one in found} == {EVIDENCE}
    old: list[Amiss] = []
    with taken_back(lived_in) as session:
        without(session, CONTEXT_DIGEST)
        assert list(epcis_held.differences(session)) == []
        assert epcis_held.without(session) == 1
        session.execute(text(deed))
        session.expire_all()
        old += epcis_held.differences(session)
    assert any("does not vouch for its context" in one.what for one in old)
    assert {one.advice for one in old} == {EVIDENCE}


def test_labels_are_not_printed_anew_from_a_row_that_was_changed(lived_in: Farm) -> None:
    changed = "UPDATE {} SET base = 'https://x.example'"
    with taken_back(lived_in) as session:
        issue = session.scalars(select(LabelIssue).where(LabelIssue.codes == UNIT)).one()
        roll = session.scalars(select(LabelRoll)).one()
        for table, made, print_again in (
            ("label_issue", issue, issuing.file_of),
            ("label_roll", roll, rolls.file_of_roll),
        ):
            session.execute(text(changed.format(table)))
            session.refresh(made)
            with pytest.raises(NotAsIssued):
                print_again(session, made, lived_in.settings.files_folder)


def test_labels_of_before_the_digest_are_printed_and_counted_as_not_vouched_for(
    lived_in: Farm,
) -> None:
    with taken_back(lived_in) as session:
        assert vouching.without(session) == 0
        without(session, vouching.PRINTED)
        session.expire_all()
        assert vouching.without(session) == 3
        assert list(labels_held.differences(session)) == []
        issue = session.scalars(select(LabelIssue).where(LabelIssue.codes == UNIT)).one()
        assert issuing.file_of(session, issue, lived_in.settings.files_folder).exists()
        session.execute(text("UPDATE label_issue SET base = 'https://x.example'"))
        session.expire_all()
        assert any("base is" in one.what for one in labels_held.differences(session))


def test_a_change_in_any_table_that_follows_is_told_with_its_row_and_what_to_do(
    lived_in: Farm,
) -> None:
    assert found_after(lived_in) == []
    for deed, table, what in CHANGES:
        found = [one for one in found_after(lived_in, deed) if one.table.startswith(table)]
        assert any(what in one.what for one in found), f"{deed}: {found}"
        assert all(one.row and one.advice for one in found)
    assert found_after(lived_in) == [], "nothing of it stayed"


OTHER_KINDS = [
    "UPDATE log_entry SET entry = 'text' WHERE number = 1",
    "UPDATE log_tile SET hashes = 'text'",
    "UPDATE log_key SET since = 'text'",
    "UPDATE label_issue SET first = 'text'",
    "UPDATE event SET body = 'torn' WHERE number = 2",  # last: nothing is written after that
]


def test_a_table_is_not_set_as_an_event_says_that_was_changed(lived_in: Farm) -> None:
    quoted = "replace(CAST(body AS TEXT), '720.0', '721.0')"
    if not lived_in.records.is_file:
        quoted = f"CAST({quoted} AS JSON)"
    found = found_after(lived_in, f"UPDATE event SET body = {quoted} WHERE number <= 2")
    assert any(one.table == "event" for one in found)
    follows = [one for one in found if one.table.startswith(("lot", "epcis"))]
    assert follows
    assert all("right first" in one.advice for one in follows)


def test_what_cannot_even_be_read_is_told_and_stops_nothing_else(lived_in: Farm) -> None:
    if not lived_in.records.is_file:
        pytest.skip("PostgreSQL takes no value of another kind")
    for deed in OTHER_KINDS:
        found = found_after(lived_in, deed, "UPDATE log_cosignature SET first_at = 5")
        table = deed.split()[1]
        assert any(one.table == table and "of another kind" in one.what for one in found)
        assert any("its time is 5" in one.what for one in found), deed


def test_a_diary_line_sent_again_from_before_the_book_was_named_is_the_same_line(
    farm: Farm,
) -> None:
    id_, entry = new_id(), diary.Entry("note", TODAY.isoformat(), note="mưa")
    told: dict[str, Any] = {"book": "tan-binh-1", "cooperative": COOP, "actor": "clerk"}
    with farm.records.transaction() as session:
        diary.events.append(
            session,
            id=id_,
            type=diary.LINE,
            at=NOW,
            actor="clerk",
            cooperative=COOP,
            body=entry.body(),
            subjects=["greenhouse:tan-binh-1"],
        )
        diary.write(session, id_, entry=entry, now=NOW, **told)
        assert len(diary.lines(session, "tan-binh-1")) == 1


def test_the_index_is_read_anew_when_it_was_changed(lived_in: Farm) -> None:
    with lived_in.records.transaction() as session:
        session.execute(text("DELETE FROM epcis_term"))
    assert any(one.table == "epcis_term" for one in found_after(lived_in))
    with lived_in.records.transaction() as session:
        indexing.remake(session)
    assert found_after(lived_in) == []
