"""What is recorded enters the log in the same transaction, whoever records and however many."""

import json
import threading
import uuid
from contextlib import suppress
from typing import Any

import pytest
from cooperative import COOP, NOW, Farm
from sqlalchemy import select, text

from nongso.platform import events
from nongso.platform.events import Event
from nongso.platform.store import Records
from nongso.platform.traceability.proof import entries, keeping, merkle, reading, tiles
from nongso.platform.traceability.proof.records import LogEntry, LogTile


def record(session: Any, body: Any = None, type_: str = "lot.packed") -> Event:
    return events.append(
        session,
        id=str(uuid.uuid4()),
        type=type_,
        at=NOW,
        actor="clerk",
        cooperative=COOP,
        body={"eventTime": "x", "type": "ObjectEvent"} if body is None else body,
    )


def log_of(farm: Farm) -> list[bytes]:
    with farm.records.session() as session:
        return list(session.scalars(select(LogEntry.entry).order_by(LogEntry.number)))


def is_whole(farm: Farm) -> int:
    """See that tiles, entries and the stream say the same; returns the size."""
    found = log_of(farm)
    leaves = [merkle.leaf_hash(one) for one in found]
    with farm.records.session() as session:
        assert keeping.size_of(session) == len(found)
        for tile in session.scalars(select(LogTile)):
            width = tiles.width_at(len(found), tile.level, tile.number)
            assert len(tile.hashes) == width * 32
        nodes = reading.nodes(session)
        root = merkle.root(nodes, len(found))
        numbers = session.scalars(select(Event.number).order_by(Event.number)).all()
        logged = session.scalars(
            select(LogEntry.event_number)
            .where(LogEntry.event_number.is_not(None))
            .order_by(LogEntry.number)
        ).all()
    assert numbers == logged
    level = leaves
    while len(level) > 1:
        pairs = [merkle.node_hash(*level[at : at + 2]) for at in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    assert root == (level[0] if level else merkle.EMPTY_ROOT)
    return len(found)


def test_every_event_of_a_lot_has_its_entry(farm: Farm) -> None:
    packed = farm.packed()
    assert is_whole(farm) >= 5
    assert any(packed.code.encode() in one for one in log_of(farm))


def test_what_is_taken_back_leaves_no_entry(farm: Farm) -> None:
    with suppress(RuntimeError), farm.records.transaction() as session:
        record(session)
        raise RuntimeError
    with farm.records.transaction() as session:
        record(session)
        inner = session.begin_nested()
        record(session)
        inner.rollback()
    assert is_whole(farm) == 1


def test_the_log_grows_over_the_edge_of_its_tiles(farm: Farm) -> None:
    for count in (255, 1, 1, 600, 170, 1):
        with farm.records.transaction() as session:
            for _ in range(count):
                record(session)
    assert is_whole(farm) == 1028


def test_an_event_that_was_put_there_in_another_way_enters_with_the_next(farm: Farm) -> None:
    with farm.records.transaction() as session:
        for _ in range(3):
            session.add(
                Event(
                    id=str(uuid.uuid4()), type="lot.planted", at=NOW, recorded_at=NOW, actor="x",
                    cooperative=COOP, body={},
                )
            )  # fmt: skip
    assert log_of(farm) == []
    assert keeping.catch_up(farm.records) == 3
    assert is_whole(farm) == 3


def test_workers_that_write_at_once_make_one_log(farm: Farm) -> None:
    several = [Records.of(farm.settings) for _ in range(3)]
    failed: list[BaseException] = []

    def work(records: Records) -> None:
        try:
            for _ in range(15):
                with records.transaction() as session:
                    record(session)
                    record(session)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(one,)) for one in several]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for one in several:
        one.close()
    assert failed == []
    assert is_whole(farm) == 90


def test_the_database_refuses_to_change_an_entry(farm: Farm) -> None:
    with farm.records.transaction() as session:
        record(session)
    for deed in ("UPDATE log_entry SET kind = 'x'", "DELETE FROM log_entry"):
        with pytest.raises(Exception, match="append-only"), farm.records.transaction() as session:
            session.execute(text(deed))


NAMES = ("Nguyễn Văn A", "0912 345 678", "clerk-id-77", "ho-01", "Nhà bà Lò Thị B")


@pytest.mark.parametrize("type_", ["lot.packed", "diary", "labels.issued"])
def test_no_name_contact_or_actor_stands_in_the_log(farm: Farm, type_: str) -> None:
    body = {
        "type": "ObjectEvent",
        "eventTime": "2026-11-22T07:00:00+07:00",
        "bizStep": {"who": NAMES[0]},
        "sourceList": [{"source": NAMES[3]}],
        "nongso:who": NAMES[0],
        "nongso:producer": NAMES[3],
        "contact": {"phone": NAMES[1]},
        NAMES[4]: 1,
        "quantityList": [{"epcClass": "urn:x", "quantity": 1, "note": NAMES[0]}],
        "ilmd": {"nongso:variety": "dong", "grower": NAMES[0]},
        "errorDeclaration": {"reason": "incorrect_data", "nongso:why": NAMES[4]},
        "bizLocation": {"id": NAMES[4]},
    }
    with farm.records.transaction() as session:
        event = events.append(
            session, id=NAMES[0], type=type_, at=NOW, actor=NAMES[2], cooperative=COOP, body=body
        )  # fmt: skip
        number = event.number
    (entry,) = log_of(farm)
    text = json.dumps(json.loads(entry), ensure_ascii=False)
    for name in NAMES:
        assert name not in text
    with farm.records.session() as session:
        assert reading.again(session, [number])[number].made.entry == entry


@pytest.mark.parametrize(
    "body",
    [
        {"type": "ObjectEvent", "eventTime": "x", "nongso:labels": 2**60},
        {"type": "ObjectEvent", "eventTime": "x", "nongso:labels": 0.1, "wild": 2**70},
        {"text": "\ud800"},
        {"type": "ObjectEvent", "eventTime": "x", "epcList": ["urn:" + "x" * 100] * 2000},
        {f"field{n}": n for n in range(3000)},
        {},
    ],
)
def test_whatever_an_event_holds_it_has_an_entry_that_can_be_made_again(
    farm: Farm, body: Any
) -> None:
    if farm.settings.records and body == {"text": "\ud800"}:
        pytest.skip("PostgreSQL keeps no half letters")
    with farm.records.transaction() as session:
        number = record(session, body).number
    (entry,) = log_of(farm)
    assert len(entry) <= tiles.LONGEST_ENTRY
    with farm.records.session() as session:
        made = reading.again(session, [number])[number].made
    assert made.entry == entry
    assert (made.beside is not None) == ("epcList" in body)


def test_each_field_of_an_event_counts() -> None:
    fact = entries.Fact(
        1, str(uuid.uuid4()), "lot.packed", 5, 6, "a", "b", {"x": 1, "eventTime": ""}
    )
    made = entries.make(fact)
    assert entries.again(fact, made.salts, {}).entry == made.entry
    for change in (
        {"id": str(uuid.uuid4())},
        {"type": "lot.sold"},
        {"at": 7},
        {"recorded_at": 7},
        {"actor": "c"},
        {"cooperative": None},
        {"body": {"x": 2, "eventTime": ""}},
        {"body": {"x": 1, "eventTime": "", "y": None}},
        {"body": {"eventTime": ""}},
    ):
        other = entries.Fact(**{**vars(fact), **change})
        assert entries.again(other, made.salts, {}).entry != made.entry, change


def test_of_another_system_s_event_only_the_frame_is_public() -> None:
    body = {
        "type": "ObjectEvent", "eventTime": "x", "bizStep": "packing", "nongso:name": NAMES[0],
        "epcList": [NAMES[1]], "ilmd": {"nongso:variety": NAMES[2]}, "quantityList": [],
    }  # fmt: skip
    public, private = entries.split("epcis.captured", body)
    assert public == {"type": "ObjectEvent", "eventTime": "x", "bizStep": "packing"}
    assert sorted(private) == [
        f"/body/{n}" for n in ("epcList", "ilmd", "nongso:name", "quantityList")
    ]
