"""A lot's proof file convinces a stranger, and stops doing so when anything was changed."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cooperative import BASE, COOP, NOW, TODAY, Farm, new_id
from sqlalchemy import select, text

from nongso.platform.events import Event
from nongso.platform.traceability import lots
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.making import book as making_book
from nongso.platform.traceability.making.operations import Desk
from nongso.platform.traceability.proof import (
    checking,
    lotfile,
    lotproof,
    notes,
    standing,
    verdicts,
)
from nongso.platform.traceability.proof.custody import Custody
from nongso.platform.traceability.proof.lotproof import Refused, judge
from nongso.platform.traceability.proof.notes import PrivateKey
from nongso.platform.traceability.proof.signing import Signer
from nongso.platform.traceability.records import Lot
from nongso.platform.traceability.registry import places
from nongso.platform.traceability.seasons import field_events
from nongso.platform.traceability.testing import laboratory as testing

ORIGIN = "127.0.0.1:8080/log"


@pytest.fixture
def signer(farm: Farm) -> Iterator[Signer]:
    custody = Custody(farm.settings.folder)
    assert custody.take()
    yield Signer(farm.records, custody, ORIGIN)
    custody.let_go()


def file_of(farm: Farm, lot: Lot) -> bytes:
    with farm.records.session() as session:
        return lotfile.text_of(lotfile.make(session, lot, f"{BASE}/t/{lot.code}")).encode()


def standing_of(farm: Farm, lot: Lot) -> standing.Standing:
    with farm.records.session() as session:
        return standing.of_lot(session, lot)


def change(farm: Farm, sql: str, **values: Any) -> None:
    """Change the database as somebody who has the machine could, past every guard."""
    with farm.records.transaction() as session:
        if farm.records.is_file:
            for table in ("event", "event_subject", "log_entry", "log_checkpoint"):
                for deed in ("update", "delete"):
                    session.execute(text(f"DROP TRIGGER IF EXISTS {table}_no_{deed}"))
        else:
            session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text(sql), values)


def test_a_proof_convinces_and_says_what_it_does_not_prove(farm: Farm, signer: Signer) -> None:
    packed = farm.packed()
    with pytest.raises(lotfile.NotYet):
        file_of(farm, packed)
    assert standing_of(farm, packed).state == "waiting"
    signer.sign_now(NOW)
    data = file_of(farm, packed)
    verdict = judge(data)
    assert (verdict.lot, verdict.since, verdict.key_was_kept) == (packed.code, NOW, False)
    assert [one.type for one in verdict.records] == [
        "lot.harvested",
        "lot.received",
        "lot.transformed",
        "lot.transformed",
        "lot.packed",
    ]
    english = "\n".join(verdicts.told(verdict))
    assert "unchanged since 21/11/2026 15:00" in english
    assert "NOT PROVEN" in english
    assert "ATTENTION: this key comes from the file itself" in english
    vietnamese = "\n".join(verdicts.told(verdict, "vi"))
    assert "chưa bị sửa từ 21/11/2026 15:00" in vietnamese
    assert judge(data, kept=[verdict.key]).key_was_kept
    assert standing_of(farm, packed) == standing.Standing("unchanged", NOW, records=5)


def test_the_time_is_when_it_was_first_signed_however_long_ago(farm: Farm, signer: Signer) -> None:
    packed = farm.packed()
    signer.sign_now(NOW)
    for day in range(1, 4):
        farm.roots(10)
        signer.look(NOW + day * 86400)
        signer.look(NOW + day * 86400 + 10)
        signer.look(NOW + day * 86400 + 86000)
    verdict = judge(file_of(farm, packed))
    assert verdict.since == NOW
    assert verdict.newest is not None
    assert verdict.newest > NOW + 3 * 86400


CHANGES = {
    "one digit of a quantity": (
        "UPDATE event SET body = replace(CAST(body AS TEXT), '90.0', '90.1') {cast} "
        "WHERE type = 'lot.packed'"
    ),
    "one letter of a private field": (
        'UPDATE event SET body = replace(CAST(body AS TEXT), \'"nongso:form": "\', '
        "'\"nongso:form\": \"0') {cast} WHERE type = 'lot.received'"
    ),
    "who recorded it": "UPDATE event SET actor = 'clerl' WHERE type = 'lot.packed'",
    "when it happened": "UPDATE event SET at = at - 1 WHERE type = 'lot.harvested'",
    "when it was recorded": "UPDATE event SET recorded_at = recorded_at - 1",
    "a salt": "UPDATE log_salt SET salts = '{{}}'",
    "a hash of the tree": "UPDATE log_tile SET hashes = {zeros}",
}


@pytest.mark.parametrize("what", CHANGES)
def test_one_byte_changed_is_noticed_by_the_file_and_by_the_page(
    farm: Farm, signer: Signer, what: str
) -> None:
    packed = farm.packed()
    signer.sign_now(NOW)
    before = file_of(farm, packed)
    sqlite = farm.records.is_file
    zeros = "zeroblob(length(hashes))" if sqlite else "decode(repeat('00', length(hashes)), 'hex')"
    change(farm, CHANGES[what].format(cast="" if sqlite else "::json", zeros=zeros))
    assert standing_of(farm, packed).state == "changed"
    with pytest.raises(Refused) as error:
        judge(file_of(farm, packed))
    assert error.value.code in ("changed", "proof")
    assert judge(before).lot == packed.code  # what somebody kept still convinces


def damaged(data: Any) -> Iterator[tuple[str, Any]]:
    """Each value of a file changed a little, one after the other."""
    for name, value in list(data.items() if isinstance(data, dict) else enumerate(data)):
        if isinstance(value, (dict, list)) and value:
            for path, other in damaged(value):
                yield f"{name}/{path}", other
            continue
        if isinstance(value, str):
            others: list[Any] = [value + "x", value[:-1], value.replace("1", "2", 1), 5, None]
        elif isinstance(value, int):
            others = [value + 1, value - 1, True, str(value)]
        else:
            others = [None, 1]
        for other in others:
            if other != value or isinstance(other, bool):
                data[name] = other
                yield str(name), other
        data[name] = value
    for name in list(data) if isinstance(data, dict) else range(len(data)):
        kept = data.pop(name)
        yield f"without {name}", None
        if isinstance(data, dict):
            data[name] = kept
        else:
            data.insert(name, kept)


HARMLESS = ("address", "witnesses", "keys/", "without address", "records/0/beside")


def test_whatever_is_changed_in_a_file_it_proves_nothing_else(farm: Farm, signer: Signer) -> None:
    packed = farm.packed()
    signer.sign_now(NOW)
    good = judge(file_of(farm, packed))
    found = json.loads(file_of(farm, packed))
    tried, said = 0, set()
    for path, other in damaged(found):
        tried += 1
        try:
            verdict = judge(json.dumps(found).encode(), kept=[good.key])
        except Refused as error:
            said.add(verdicts.refusal(error))
            said.add(verdicts.refusal(error, "vi"))
            continue
        # Nothing that is still believed may differ: some text is only for people.
        assert (verdict.lot, verdict.origin, verdict.key) == (good.lot, good.origin, good.key)
        same = verdict.records == good.records
        assert same or path.startswith("without records") or "records" in path, (path, other)
        assert set(map(repr, verdict.records)) <= set(map(repr, good.records)), (path, other)
    assert tried > 200
    assert len(said) > 10
    assert all(one.endswith(".") or ": " in one for one in said)


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"\xff", b"null", b'{"format": "nongso-lot-proof/1"}', b"[" * 9999]
)
def test_what_is_no_proof_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(Refused) as error:
        judge(data)
    assert verdicts.refusal(error.value)


def test_a_record_left_out_of_the_way_is_a_gap(farm: Farm, signer: Signer) -> None:
    packed = farm.packed()
    signer.sign_now(NOW)
    found = json.loads(file_of(farm, packed))
    del found["records"][2]
    with pytest.raises(Refused) as error:
        judge(json.dumps(found).encode())
    assert error.value.code == "gap"


def test_command_and_page_know_every_sort_of_record_that_brings_a_lot_about() -> None:
    brings = (lots.PLANTED, lots.HARVESTED, lots.RECEIVED, lots.TRANSFORMED, lots.PACKED)
    assert set(lotproof.BRINGS_ABOUT) == {*brings, *making_book.REGROUPING}
    page = (Path(lots.__file__).parents[1] / "static" / "verify.js").read_text()
    found = re.search(r"const bringsAbout = new Set\((\[.*?\])\)", page)
    assert found is not None
    assert set(json.loads(found[1])) == set(lotproof.BRINGS_ABOUT)


def test_no_record_that_makes_or_weighs_a_lot_can_be_left_out(farm: Farm, signer: Signer) -> None:
    packed = farm.packed()
    with farm.records.transaction() as session:
        desk = Desk(session, COOP, "clerk", BASE, NOW)
        labelling.issue(desk, new_id(), labelling.Wish(packed.code, 3), {"text": "Miến dong"})
    signer.sign_now(NOW)
    found = json.loads(file_of(farm, packed))
    types = [json.loads(one["entry"])["type"] for one in found["records"]]
    assert {"lot.received", "lot.transformed", "lot.packed", "labels.issued"} <= set(types)
    for place, type_ in enumerate(types):
        spoilt = found | {"records": [r for n, r in enumerate(found["records"]) if n != place]}
        if type_ in ("lot.received", "lot.transformed", "lot.packed"):
            with pytest.raises(Refused) as error:
                judge(json.dumps(spoilt).encode())
            assert error.value.code == ("other_lot" if type_ == "lot.packed" else "gap")
        else:  # a household's harvest that the scale then weighs, labels: not what it is made of
            assert judge(json.dumps(spoilt).encode()).lot == packed.code


def test_a_proof_of_another_lot_is_refused(farm: Farm, signer: Signer) -> None:
    packed, other = farm.packed(), farm.packed()
    signer.sign_now(NOW)
    found = json.loads(file_of(farm, packed))
    found["lot"] = other.code
    with pytest.raises(Refused) as error:
        judge(json.dumps(found).encode())
    assert error.value.code == "other_lot"


def test_a_proof_from_the_empty_log_is_refused(farm: Farm, signer: Signer) -> None:
    packed = farm.packed()
    signer.sign_now(NOW)
    found = json.loads(file_of(farm, packed))
    keys = Custody(farm.settings.folder).keys()
    assert keys is not None
    empty = str(lotproof.Checkpoint(ORIGIN, 0, lotproof.merkle.EMPTY_ROOT))
    found["checkpoint"] = empty + "\n" + keys.log.line(empty)
    found["records"] = found["keys"] = found["earlier"] = []
    with pytest.raises(Refused) as error:
        judge(json.dumps(found).encode())
    assert error.value.code == "empty"


def test_a_key_that_was_kept_refuses_another_log_that_looks_the_same(
    farm: Farm, signer: Signer
) -> None:
    packed = farm.packed()
    signer.sign_now(NOW)
    other = PrivateKey.new(ORIGIN, notes.LOG).key
    with pytest.raises(Refused) as error:
        judge(file_of(farm, packed), kept=[other])
    assert error.value.code == "other_key"


def test_a_kept_checkpoint_shows_two_histories(farm: Farm, signer: Signer) -> None:
    packed = farm.packed()
    signer.sign_now(NOW)
    data = file_of(farm, packed)
    note = json.loads(data)["checkpoint"]
    assert judge(data, kept_checkpoint=note).compared
    lines = note.split("\n")
    assert judge(data, kept_checkpoint="\n".join(lines[:3])).compared
    lines[2] = base64.b64encode(bytes(32)).decode()
    with pytest.raises(Refused) as error:
        judge(data, kept_checkpoint="\n".join(lines[:3]))
    assert error.value.code == "two_histories"


def test_events_of_other_goods_from_the_same_roots_are_left_out(
    farm: Farm, signer: Signer
) -> None:
    roots = farm.roots(800)
    one = farm.batch("starch", 112, roots)
    with farm.records.session() as session:
        numbers = lotfile.events_behind(session, farm.lot(one.code))
        before = len(lotfile.events_behind(session, farm.lot(roots.code)))
    assert len(numbers) == 3
    assert before == 3  # the roots' own: lifted, weighed in, used


def test_the_command_and_the_page_have_words_for_every_record() -> None:
    page = Path(__file__).parents[3] / "platform/templates/traceability/verify.html"
    on_page = set(re.findall(r'data-type="([a-z_]+\.[a-z_]+)"', page.read_text("utf-8")))
    assert on_page == set(verdicts._TYPES)
    assert {*field_events.TYPES, places.MEASURED, "epcis.captured"} <= on_page


def found_by_check(farm: Farm) -> list[str]:
    with farm.records.session() as session:
        return [str(one) for one in checking.check(session)]


def test_nothing_is_said_to_be_forgotten_so_that_a_change_is_not_seen(
    farm: Farm, signer: Signer
) -> None:
    packed = farm.packed()
    with farm.records.session() as session:
        number = session.scalars(
            select(Event.number).where(Event.type == "lot.received").order_by(Event.number)
        ).first()
    signer.sign_now(NOW)
    change(
        farm, "INSERT INTO log_erasure VALUES (:number, '/body/nongso:producer', 0)", number=number
    )
    (told,) = found_by_check(farm)
    assert f"no entry says that /body/nongso:producer of event {number} was forgotten" in told
    quoted = "replace(CAST(body AS TEXT), 'nongso:purpose', 'nongso:purpos')"
    if not farm.records.is_file:
        quoted = f"CAST({quoted} AS JSON)"
    change(farm, f"UPDATE event SET body = {quoted} WHERE number = :number", number=number)
    change(farm, "UPDATE log_erasure SET path = '/body/nongso:purpos'")
    assert standing_of(farm, packed).state == "changed"
    with pytest.raises(Refused):
        judge(file_of(farm, packed))


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("UPDATE log_entry SET event_number = NULL WHERE event_number = 3", "3 has no entry"),
        ("UPDATE log_entry SET kind = 'erasure' WHERE event_number = 3", "is not of the kind"),
        ("INSERT INTO label_code (serial, lot, running, issue_id) SELECT 'GIẢ', lot, 9, issue_id "
         "FROM label_code WHERE running = 3", "no event issued label 9"),
        ("UPDATE label_code SET serial = 'GIẢ' WHERE running = 2", "are not those that were"),
        ("DELETE FROM event_subject WHERE number = (SELECT max(number) FROM event_subject)",
         "and is not found there"),
    ],
    ids=["entry without event", "kind", "a label more", "another label", "subject"],
)  # fmt: skip
def test_the_operator_finds_what_no_page_can_see(
    farm: Farm, signer: Signer, sql: str, says: str
) -> None:
    packed = farm.packed()
    with farm.records.transaction() as session:
        desk = Desk(session, COOP, "clerk", BASE, NOW)
        labelling.issue(desk, new_id(), labelling.Wish(packed.code, 3), {"text": "Miến dong"})
    signer.sign_now(NOW)
    assert found_by_check(farm) == []
    change(farm, sql)
    assert any(says in one for one in found_by_check(farm))


def test_a_passed_test_of_one_lot_is_not_put_on_another(farm: Farm, signer: Signer) -> None:
    tested, other = farm.packed(), farm.packed()
    wish = testing.Result(tested.code, "Phòng A", "1", "chì", "0", "mg", "1", True, TODAY)
    farm.do(testing.record, wish)
    signer.sign_now(NOW)
    assert found_by_check(farm) == []
    change(
        farm,
        "INSERT INTO event_subject (subject, number) SELECT :lot, max(number) FROM event",
        lot=f"lot:{other.code}",
    )
    assert any(f"is not about lot {other.code}" in one for one in found_by_check(farm))
