"""The farm's own box as a second destination: neither platform holds up or costs the other."""

import json
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from control_box import Box, until
from hypothesis import given, settings
from hypothesis import strategies as st
from small_office import Office, Row, sign
from test_store import accept, alarms, told

from nongso.gateway import storeschema
from nongso.gateway.deliveries import NOTHING_NAMED, Cursor, as_text, from_text
from nongso.gateway.settings import GatewaySettings, load
from nongso.gateway.stops import Given
from nongso.gateway.store import Store
from nongso.gateway.storefile import StoreFile
from nongso.gateway.uplink import Uplink

BOTH = ("main", "farm")
FARM_KEY = "f" * 40


@pytest.fixture
def farm_office() -> Iterator[Office]:
    made = Office(FARM_KEY)
    yield made
    made.close()


def with_farm_box(box: Box, farm_office: Office) -> GatewaySettings:
    """Give the control box a second platform, as the installer does by hand."""
    found = json.loads(box.settings_file.read_text())
    main = found.pop("platform")
    farm = {"id": "farm", "name": "Máy ở nông trại", "url": farm_office.url, "key": FARM_KEY}
    found["platforms"] = [{"id": "main", **main}, farm]
    box.settings_file.write_text(json.dumps(found))
    return load(box.settings_file)


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[Callable[..., Store]]:
    made: list[Store] = []

    def open_(destinations: tuple[str, ...] = BOTH, **more: Any) -> Store:
        made.append(Store(tmp_path / "store.sqlite", destinations=destinations, **more))
        return made[-1]

    yield open_
    for store in made:
        store.close(2.0)


def numbers(store: Store, destination: str, protected: bool = False) -> list[int]:
    return [row.id for row in store.rows(protected, 10_000, 1 << 30, destination)[1]]


def name(store: Store, destination: str, ids: list[int], protected: bool = False) -> None:
    store.named(store.rows(protected, 1, 1)[0], protected, ids, [], destination)


def in_file(store: Store) -> int:
    return store.report()["rows"]["telemetry"] + store.report()["rows"]["protected"]


# the store


def test_a_row_stays_until_both_have_named_it(open_store: Callable[..., Store]) -> None:
    store = open_store()
    accept(store, *(told(n) for n in range(10)))
    ids = numbers(store, "main")
    name(store, "farm", ids)
    assert numbers(store, "farm") == []
    assert numbers(store, "main") == ids
    name(store, "main", ids[:4])
    assert in_file(store) == 6
    name(store, "main", ids[4:])
    assert in_file(store) == 0


def test_rows_that_an_answer_left_out_come_again_to_that_platform_only(
    open_store: Callable[..., Store],
) -> None:
    store = open_store()
    accept(store, *(told(n) for n in range(10)))
    ids = numbers(store, "main")
    name(store, "farm", ids)
    name(store, "main", [*ids[:2], *ids[5:]])
    assert numbers(store, "main") == ids[2:5]
    assert store.waiting("main")["telemetry"] == 3
    accept(store, told(11))
    assert numbers(store, "main")[:3] == ids[2:5], "the oldest first"
    name(store, "main", ids[2:5])
    assert len(numbers(store, "main")) == len(numbers(store, "farm")) == 1


def test_how_far_each_is_outlives_the_process(open_store: Callable[..., Store]) -> None:
    store = open_store()
    accept(store, *(told(n) for n in range(10)))
    store.record("run", {"id": "r"})
    ids = numbers(store, "main")
    name(store, "farm", [*ids[:3], ids[4]])
    name(store, "main", ids[:3])
    store.close(2.0)
    again = open_store()
    assert numbers(again, "farm") == [ids[3], *ids[5:]]
    assert numbers(again, "main") == ids[3:]
    assert again.waiting("farm") == {"protected": 1, "telemetry": 6}
    assert again.waiting("main") == {"protected": 1, "telemetry": 7}
    assert again.state("sent:main") is None, "the rooms do not see it"


def test_what_one_refuses_the_other_still_gets(open_store: Callable[..., Store]) -> None:
    store = open_store()
    accept(store, *(told(n) for n in range(3)))
    store_id, rows = store.rows(False, 10, 1 << 20, "main")
    ids = [row.id for row in rows]
    store.named(store_id, False, ids[:2], [(ids[2], "unknown_metric", "no")], "main")
    assert numbers(store, "main") == []
    assert numbers(store, "farm") == ids
    assert store.report()["rows"]["set_aside"] == 1
    store.named(store_id, False, ids[:2], [(ids[2], "broken_row", "neither")], "farm")
    assert in_file(store) == 0
    assert store.report()["rows"]["set_aside"] == 1
    store.close(2.0)
    file = StoreFile(store.path)
    ((_, kind, code, detail),) = file.set_aside_rows()
    file.close()
    assert (kind, code) == ("readings", "unknown_metric")
    assert detail == "no (main); broken_row: neither (farm)"


def test_the_store_of_one_platform_goes_on_with_two(open_store: Callable[..., Store]) -> None:
    """Nobody knows whether the platform that is listed first is the one of before: all get all."""
    store = open_store(("main",))
    accept(store, *(told(n) for n in range(10)))
    ids = numbers(store, "main")
    name(store, "main", ids[:6])
    store.close(2.0)
    again = open_store(("farm", "main"))
    assert numbers(again, "main") == numbers(again, "farm") == ids[6:]


def test_a_platform_that_is_no_longer_listed_is_waited_for_no_more(
    open_store: Callable[..., Store],
) -> None:
    store = open_store()
    accept(store, *(told(n) for n in range(10)))
    ids = numbers(store, "main")
    name(store, "main", [*ids[:3], *ids[4:8]])
    store.close(2.0)
    alone = open_store(("main",))
    until(lambda: in_file(alone) == 3, "what main has named leaves")
    assert numbers(alone, "main") == [ids[3], *ids[8:]]
    name(alone, "main", [ids[3], *ids[8:]])
    accept(alone, *(told(n) for n in range(20, 25)))
    alone.close(2.0)
    both = open_store()
    assert len(numbers(both, "main")) == len(numbers(both, "farm")) == 5


def test_what_is_dropped_is_counted_for_whom_it_is_lost(
    open_store: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nongso.gateway.retention.SIZE_CHECK_SECONDS", 0.0)
    store = open_store(most_bytes=2 << 20)
    number = 0
    while store.report()["telemetry_dropped"] == 0:
        accept(store, *(told(n) for n in range(number, number + 500)))
        number += 500
        name(store, "farm", numbers(store, "farm"))
        assert number < 100_000
    dropped = store.report()["telemetry_dropped"]
    assert store.report()["telemetry_dropped_for"] == {"main": dropped}
    assert [(a["code"], a["values"]) for a in alarms(store)] == [
        ("telemetry_dropped", {"count": dropped, "destination": "main"})
    ]
    assert store.waiting("main")["telemetry"] == number - dropped == len(numbers(store, "main"))


def test_a_store_made_by_the_first_version_opens_with_its_rows_for_both(tmp_path: Path) -> None:
    """A file as that version wrote it, by its own statements; it knew no cursors."""
    path = tmp_path / "store.sqlite"
    db = apsw.Connection(str(path))
    db.pragma("page_size", 4096)
    db.pragma("journal_mode", "wal")
    db.execute(storeschema.SCHEMA)
    db.pragma("application_id", 0x6E6F6E67)
    db.pragma("user_version", 2)
    state = ("store_id", "0123456789abcdef", storeschema.row_sum("store_id", "0123456789abcdef"))
    for table in ("state", "state_again"):
        db.execute(f"INSERT INTO {table} VALUES (?, ?, ?)", state)
    for number in (41, 42, 43):
        body = json.dumps({"kind": "run", "run": {"id": str(number)}}).encode()
        cells = (number, 1, "run", body, storeschema.outbox_sum(number, 1, "run", body))
        db.execute("INSERT INTO outbox VALUES (?, ?, ?, ?, ?)", cells)
    db.close()
    store = Store(path, destinations=BOTH)
    assert numbers(store, "main", True) == numbers(store, "farm", True) == [41, 42, 43]
    assert store.report()["store"] == "0123456789abcdef"
    assert store.report()["damage"] is None
    store.record("run", {"id": "44"})
    name(store, "farm", [41, 42, 43, 44], True)
    assert numbers(store, "main", True) == [41, 42, 43, 44]
    store.close(2.0)


def test_a_new_file_never_numbers_rows_below_a_cursor(tmp_path: Path) -> None:
    """Else new rows would count as named: the small state is taken over, numbers may not be."""
    path = tmp_path / "store.sqlite"
    store = Store(path, destinations=BOTH)
    accept(store, *(told(n) for n in range(20)))
    for who in BOTH:
        name(store, who, numbers(store, who))
    store.close(2.0)
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM sqlite_sequence")
    db.close()
    again = Store(path, destinations=BOTH)
    accept(again, *(told(n) for n in range(50, 53)))
    assert len(numbers(again, "main")) == len(numbers(again, "farm")) == 3
    again.close(2.0)


def test_cursors_of_a_damaged_file_are_taken_over_or_begin_anew(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    store = Store(path, destinations=BOTH)
    accept(store, *(told(n) for n in range(20)))
    ids = numbers(store, "main")
    name(store, "farm", ids[:15])
    store.close(2.0)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE messages SET seq = seq")  # of one table the order is broken
        db.execute("UPDATE state SET value = 'x' WHERE key = 'sent:farm'")
    db.close()
    again = Store(path, destinations=BOTH)  # the other copy of the entry is sound
    assert again.report()["damage"] is not None
    assert numbers(again, "farm") == ids[15:]
    assert numbers(again, "main") == ids
    again.close(2.0)
    with sqlite3.connect(path) as db:
        for table in ("state", "state_again"):
            db.execute(f"UPDATE {table} SET value = 'x' WHERE key = 'sent:farm'")
    db.close()
    third = Store(path, destinations=BOTH)
    assert numbers(third, "farm") == ids, "sent again, which changes nothing there"
    third.close(2.0)


@given(st.lists(st.tuples(st.booleans(), st.sets(st.integers(0, 15)))))
@settings(max_examples=150, deadline=None)
def test_a_cursor_says_of_each_row_whether_it_was_named(
    answers: list[tuple[bool, set[int]]],
) -> None:
    """Against plain sets: batches of the oldest rows, of which an answer names any."""
    rows: list[int] = []
    named: set[int] = set()
    cursor, following = Cursor(), 1
    for grows, picks in answers:
        if grows:
            rows += range(following, following + 8)
            following += 8
        batch = [n for n in rows if n not in named][:16]
        ids = [batch[n] for n in picks if n < len(batch)]
        if ids:
            between = [n for n in rows if cursor.upto < n <= max(ids)]
            cursor = cursor.after(ids, between)
            named |= set(ids)
        cursor = from_text(as_text({"protected": cursor, "telemetry": cursor}))["protected"]
        assert [n for n in rows if cursor.waits(n)] == [n for n in rows if n not in named]


@pytest.mark.parametrize(
    "text", [None, "", "x", "[]", "{}", '{"protected": 3}', '{"protected": [1, 2]}']
)
def test_cursors_that_are_none_mean_that_nothing_was_named(text: str | None) -> None:
    assert from_text(text) == NOTHING_NAMED


# the conversations


class Valves:
    """Carries out commands as watering does, and notes who brought them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.done: list[tuple[str, str]] = []

    def order(self, command: Row, given: Given) -> Row:
        outcome = {"id": command["id"], "state": "running", "code": "wished", "values": {}}
        if not self._store.seen_command(command["id"]):
            self.done.append((given.platform, command["id"]))
            self._store.record("command", {**outcome, "at": int(time.time())})
        return outcome


Start = Callable[[], tuple[Store, Uplink, Valves]]


@pytest.fixture
def start(box: Box, farm_office: Office, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    monkeypatch.setattr("nongso.gateway.uplink.LINGER_SECONDS", 0.02)
    monkeypatch.setattr("nongso.gateway.uplink.LONGEST_WAIT_SECONDS", 0.5)
    both = with_farm_box(box, farm_office)
    made: list[tuple[Store, Uplink]] = []

    def begin() -> tuple[Store, Uplink, Valves]:
        store = Store(both.store_file, destinations=[p.id for p in both.destinations])
        valves = Valves(store)
        uplink = Uplink(both, store, valves.order)
        made.append((store, uplink))
        uplink.introduce()
        uplink.start()
        return store, uplink, valves

    yield begin
    for store, uplink in made:
        uplink.stop(2.0)
        store.close(2.0)


def command(**changes: Any) -> Row:
    return {
        "id": str(uuid.uuid4()),
        "gateway": "binh-lu",
        "ttl": 300,
        "age": 0,
        "do": "water",
        "zone": "tan-binh-1-k1",
        "seconds": 20,
        "by": "Người trồng",
        **changes,
    }


def test_each_platform_is_away_in_turn_and_both_get_everything_once(
    start: Start, office: Office, farm_office: Office
) -> None:
    store, uplink, _ = start()
    number = 0
    for away, here in ((office, farm_office), (farm_office, office)):
        away.close()
        accept(store, *(told(n) for n in range(number, number + 800)))
        store.record("run", {"id": f"r{number}"})
        number += 800
        until(lambda here=here, n=number: len(here.messages()) == n, "the other gets all", 30)
        until(lambda here=here, n=number: len(here.of_kind("run")) == n // 800, "runs too")
        assert len(away.messages()) < number
        trouble = [d["trouble"] for d in uplink.report()["destinations"].values()]
        assert sum(t is not None for t in trouble) == 1
        away.open()
        until(lambda away=away, n=number: len(away.messages()) == n, "it catches up", 30)
    until(lambda: in_file(store) == 0, "the outbox is empty", 30)
    for place in (office, farm_office):
        assert len(place.of_kind("readings")) == number, "each row once"
        assert len(place.of_kind("run")) == 2
    reports = uplink.report()["destinations"]
    assert [d["waiting"] for d in reports.values()] == [{"protected": 0, "telemetry": 0}] * 2
    assert reports["farm"]["name"] == "Máy ở nông trại"


def test_a_platform_that_is_new_is_told_of_the_farm_before_its_runs(
    box: Box, start: Start, office: Office, farm_office: Office
) -> None:
    """Rows that waited for the other platform come first by number; it could not place them."""
    before = Store(box.settings.store_file)
    before.record("run", {"id": "earlier"})
    before.close(2.0)
    store, _, _ = start()
    until(lambda: in_file(store) == 0, "both have all")
    for place in (office, farm_office):
        kinds = [row["kind"] for _, row in place.arrived]
        assert kinds[0] == "configuration"
        assert sorted(kinds) == ["configuration", "configuration", "run"]


def test_commands_of_both_are_taken_each_by_its_own_key(
    start: Start, office: Office, farm_office: Office
) -> None:
    _, uplink, valves = start()
    main, farm = command(), command()
    office.offer(main)
    farm_office.offers.append(lambda poll: sign({"poll": poll, **farm}, FARM_KEY))
    until(lambda: len(valves.done) == 2, "both are done")
    assert sorted(valves.done) == sorted([("main", main["id"]), ("farm", farm["id"])])
    farm_office.offer(command())  # signed with the key of the other platform
    until(lambda: uplink.report()["destinations"]["farm"]["commands_refused"] == 1, "refused")
    assert len(valves.done) == 2
    for place in (office, farm_office):
        until(lambda place=place: len(place.of_kind("command")) == 3, "each hears of all")


def test_one_wish_waters_once_whoever_brings_it(
    start: Start, office: Office, farm_office: Office
) -> None:
    _, uplink, valves = start()
    wish = command()
    office.offer(wish)
    farm_office.offers.append(lambda poll: sign({"poll": poll, **wish}, FARM_KEY))
    until(
        lambda: [d["commands"] for d in uplink.report()["destinations"].values()] == [1, 1],
        "both have brought it",
    )
    assert len(valves.done) == 1
