"""Rows out and commands in, over real HTTP, with an office that misbehaves in every way."""

import gzip
import json
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from control_box import KEY, NODES, Box, until
from hypothesis import given, settings
from hypothesis import strategies as st
from small_office import Office, Row, sign
from test_store import accept, alarms, seqs, told

from nongso.gateway.ledger import as_json
from nongso.gateway.settings import GatewaySettings, load
from nongso.gateway.stops import Given
from nongso.gateway.store import Store
from nongso.gateway.uplink import Uplink, configuration_of


class Valves:
    """Carries out commands: notes them and records an outcome, as watering does."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.done: list[Row] = []

    def order(self, command: Row, given: Given) -> Row:
        outcome = {"id": command["id"], "state": "running", "code": "wished", "values": {}}
        if not self._store.seen_command(command["id"]):
            self.done.append(command)
            self._store.record("command", {**outcome, "at": int(time.time())})
        return outcome


Start = Callable[..., Uplink]


@pytest.fixture
def store(box: Box) -> Store:
    return box.store()


@pytest.fixture
def valves(store: Store) -> Valves:
    return Valves(store)


@pytest.fixture
def start(
    box: Box, store: Store, valves: Valves, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Start]:
    monkeypatch.setattr("nongso.gateway.uplink.LINGER_SECONDS", 0.02)
    made: list[Uplink] = []

    def begin(settings: GatewaySettings = box.settings) -> Uplink:
        made.append(Uplink(settings, store, valves.order))
        made[-1].introduce()
        made[-1].start()
        return made[-1]

    yield begin
    for uplink in made:
        uplink.stop(2.0)


def is_empty(store: Store) -> bool:
    rows = store.report()["rows"]
    return rows["telemetry"] == rows["protected"] == 0


def command(**changes: Any) -> Row:
    return {
        "id": str(uuid.uuid4()),
        "gateway": "binh-lu",
        "ttl": 300,
        "do": "water",
        "zone": "tan-binh-1-k1",
        "seconds": 20,
        "by": "Người trồng",
        **changes,
    }


# rows


def test_rows_arrive_in_order_and_leave_the_outbox(
    store: Store, office: Office, start: Start
) -> None:
    accept(store, *(told(n) for n in range(1200)))
    start()
    until(lambda: is_empty(store), "the outbox is empty")
    assert [row["seq"] for row in office.of_kind("readings")] == list(range(1200))
    assert all(len(batch) <= 500 for batch in office.batches)
    assert all(batch == sorted(batch) for batch in office.batches)


def test_the_gateway_introduces_itself_first_at_each_start(
    box: Box, store: Store, office: Office, start: Start
) -> None:
    accept(store, told(1))
    uplink = start()
    until(lambda: is_empty(store), "the outbox is empty")
    assert [row["kind"] for _, row in office.arrived] == ["configuration", "readings"]
    found = office.of_kind("configuration")[0]["configuration"]
    assert [house["slug"] for house in found["greenhouses"]] == ["tan-binh-1"]
    assert {node["slug"] for node in found["nodes"]} == {"tb-01", "tb-02", "binh-lu-bus"}
    assert KEY not in json.dumps(found)
    uplink.stop(2.0)
    office.name = lambda rows: []
    for _ in range(3):  # a platform that takes nothing is not told three times
        start().stop(2.0)
    assert store.report()["rows"]["protected"] == 1
    office.name = lambda rows: rows
    start()
    until(lambda: len(office.of_kind("configuration")) == 2, "a new start is told")
    changed = json.loads(box.settings_file.read_text()) | {"name": "Tủ mới"}
    box.settings_file.write_text(json.dumps(changed))
    start(load(box.settings_file))
    until(lambda: office.of_kind("configuration")[-1]["configuration"]["name"] == "Tủ mới", "it")


def test_only_what_the_answer_names_leaves(store: Store, office: Office, start: Start) -> None:
    accept(store, *(told(n) for n in range(20)))
    office.name = lambda rows: [row for row in rows if row.get("seq", 0) % 2 == 0]
    start()
    until(lambda: seqs(store) == list(range(1, 20, 2)), "the named ones have left")
    office.name = lambda rows: rows
    until(lambda: is_empty(store), "the others follow", 40)
    assert len(office.messages()) == 20


def test_a_lost_answer_costs_nothing_and_doubles_nothing(
    store: Store, office: Office, start: Start
) -> None:
    """The office has committed, the answer never arrives: the same rows come again."""
    accept(store, *(told(n) for n in range(100)))
    store.record("run", {"id": "r1"})
    office.lose_answers = 3
    start()
    until(lambda: is_empty(store), "the outbox is empty", 30)
    assert office.lose_answers == 0
    assert len(office.of_kind("readings")) == 100
    assert len(office.of_kind("run")) == 1


def test_a_refused_row_is_set_aside_and_alarmed_once(
    store: Store, office: Office, start: Start
) -> None:
    accept(store, *(told(n) for n in range(10)))
    office.refuse = lambda row: "broken_row" if row.get("seq") in (3, 4) else None
    uplink = start()
    until(lambda: is_empty(store) and office.of_kind("alarm"), "the outbox is empty")
    assert {seq for _, _, seq in office.messages()} == set(range(10)) - {3, 4}
    assert store.report()["rows"]["set_aside"] == 2
    assert uplink.report()["rows_refused"] == 2
    assert [row["alarm"]["code"] for row in office.of_kind("alarm")] == ["rows_refused"]


def test_refused_alarms_do_not_raise_alarms(store: Store, office: Office, start: Start) -> None:
    office.refuse = lambda row: "no" if row["kind"] == "alarm" else None
    store.alarm_soon("leak", {"flow": 4.0}, {})
    start()
    until(lambda: store.report()["rows"]["set_aside"] == 1, "it is set aside")
    until(lambda: is_empty(store), "the outbox is empty")
    assert alarms(store) == []


def test_a_row_that_changed_on_the_disk_is_not_sent(
    box: Box, store: Store, office: Office, start: Start
) -> None:
    accept(store, told(1, value=41.0), told(2, value=42.0))
    store.close(2.0)
    raw = box.settings.store_file.read_bytes()
    box.settings.store_file.write_bytes(raw.replace(b"42.0,16", b"92.0,16"))
    again = box.store()
    uplink = Uplink(box.settings, again, lambda command, given: {})
    uplink.start()
    until(lambda: is_empty(again), "the outbox is empty")
    uplink.stop(2.0)
    assert [row["seq"] for row in office.of_kind("readings")] == [1]
    assert again.report()["rows"]["set_aside"] == 1


@pytest.mark.parametrize(
    ("status", "headers", "advice"),
    [
        (401, {}, "key"),
        (403, {}, "another gateway"),
        (404, {}, "platform.url"),
        (500, {}, "500"),
        (503, {"Retry-After": "1"}, "cannot write now"),
        (503, {"Retry-After": "Fri, 31 Dec 2027 23:59:59 GMT"}, "cannot write now"),
        (302, {"Location": "http://127.0.0.1:1/login"}, "redirect is not followed"),
    ],
)
def test_rows_wait_while_the_office_does_not_take_them(
    store: Store,
    office: Office,
    start: Start,
    status: int,
    headers: dict[str, str],
    advice: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    accept(store, told(1))
    office.status, office.headers = status, headers
    start()
    until(lambda: caplog.text.count(advice) >= 2, "couriers and poll have complained")
    assert seqs(store) == [1]
    office.status, office.headers = 200, {}
    until(lambda: is_empty(store), "the outbox is empty", 30)
    assert caplog.text.count(f"with {status}") <= 3  # each thread once


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>Welcome to the hotel",
        b"[]",
        b"{}",
        b'{"stored": 17, "refused": "x"}',
        b"[" * 100_000,
    ],
)
def test_a_portal_that_says_200_takes_nothing(
    store: Store, office: Office, start: Start, answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    accept(store, told(1))
    office.raw_answer = answer
    start()
    until(lambda: "the platform answered" in caplog.text, "it is complained about")
    assert seqs(store) == [1]
    office.raw_answer = None
    until(lambda: is_empty(store), "the outbox is empty", 30)


def test_an_answer_cannot_strike_out_what_was_not_sent(
    store: Store, office: Office, start: Start
) -> None:
    accept(store, *(told(n) for n in range(3)))
    start()
    until(lambda: is_empty(store), "the outbox is empty")
    office.raw_answer = json.dumps({"stored": list(range(10_000)), "commands": []}).encode()
    office.hold_telemetry.clear()
    accept(store, told(3))
    until(lambda: store.rows(False, 10, 9999)[1], "a row waits")
    accept(store, told(4))
    office.hold_telemetry.set()
    until(lambda: is_empty(store), "each was sent before it left")
    sent = {number for batch in office.batches for number in batch}
    assert sent == {number for _, number in office.rows}


def test_a_batch_that_is_too_large_is_made_smaller(
    store: Store, office: Office, start: Start
) -> None:
    accept(store, *(told(n) for n in range(300)))
    office.most_rows = 40
    start()
    until(lambda: is_empty(store), "the outbox is empty")
    assert len(office.messages()) == 300


def test_the_outage_and_its_end_are_each_logged_once(
    store: Store, office: Office, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    uplink = start()
    until(lambda: is_empty(store), "all is sent")
    office.close()
    accept(store, told(1))
    until(lambda: uplink.conversations[0].line.trouble is not None, "the outage is seen")
    assert uplink.report()["reachable_since"] is None
    accept(store, told(2))
    time.sleep(0.3)
    office.open()
    until(lambda: is_empty(store), "what waited has arrived", 40)
    assert len(office.messages()) == 2
    assert caplog.text.count("cannot be reached") == 1
    assert caplog.text.count("answers again") == 1
    assert uplink.report()["reachable_since"] is not None


def test_an_alarm_overtakes_a_backlog_that_is_under_way(
    store: Store, office: Office, start: Start
) -> None:
    accept(store, *(told(n) for n in range(3000)))
    office.hold_telemetry.clear()  # the batch of readings hangs on a slow line
    start()
    until(lambda: office.of_kind("configuration"), "the gateway has introduced itself")
    started = time.monotonic()
    store.record("alarm", {"id": "a"})
    until(lambda: office.of_kind("alarm"), "the alarm has arrived", 5)
    assert not office.of_kind("readings")
    office.hold_telemetry.set()
    until(lambda: is_empty(store), "the backlog drains")
    arrived = next(at for at, row in office.arrived if row["kind"] == "alarm")
    assert arrived - started < 3.0


def test_bodies_are_small_and_plain(box: Box, store: Store, office: Office, start: Start) -> None:
    accept(store, *(told(n) for n in range(500)))
    start()
    until(lambda: is_empty(store), "the outbox is empty")
    row = office.of_kind("readings")[0]
    assert row == {
        "id": row["id"],
        "kind": "readings",
        "node": NODES["tb-01"],
        "boot": 7,
        "seq": 0,
        "readings": [["soil_moisture", told(0).readings[0].at, 42.0, 16]],
    }


def test_the_office_must_show_its_certificate(
    box: Box, tmp_path: Path, office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """Encrypted to the right office; nothing to one whose certificate nobody vouches for."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = subprocess.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
        f" -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout {key}"
        f" -out {certificate}",
        shell=True,
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("openssl is not installed")
    office.encrypt(certificate, key)
    found = json.loads(box.settings_file.read_text())
    for ca_file, arrives in ((None, False), (str(certificate), True)):
        url = f"https://localhost:{office.port}"
        found["platform"] = {"url": url, "key": KEY, "ca_file": ca_file}
        box.settings_file.write_text(json.dumps(found))
        store = box.store()
        store.record("run", {"id": "r"})
        uplink = Uplink(load(box.settings_file), store, lambda command, given: {})
        uplink.start()
        if arrives:
            until(lambda: office.of_kind("run"), "the row has arrived")
        else:
            until(lambda: "CERTIFICATE_VERIFY_FAILED" in caplog.text, "it is refused")
            assert not office.rows
        uplink.stop(2.0)
        store.close(2.0)


# commands


def outcomes(office: Office) -> dict[str, tuple[str, str]]:
    return {
        row["command"]["id"]: (row["command"]["state"], row["command"]["code"])
        for row in office.of_kind("command")
    }


def test_a_command_is_carried_out_and_its_outcome_comes_back_at_once(
    office: Office, valves: Valves, start: Start
) -> None:
    start()
    until(lambda: office.polls, "the gateway asks")
    wish = command()
    asked = time.monotonic()
    office.offer(wish)
    until(lambda: outcomes(office).get(wish["id"]) == ("running", "wished"), "the outcome")
    assert [done["seconds"] for done in valves.done] == [20]
    arrived = next(at for at, row in office.arrived if row["kind"] == "command")
    assert arrived - asked < 2.0


def test_the_next_poll_tells_the_outcome_too_because_the_rows_may_have_to_wait(
    office: Office, start: Start
) -> None:
    start()
    until(lambda: office.polls, "the gateway asks")
    wish = command()
    office.offer(wish)
    until(lambda: office.heard, "the next poll")
    until(lambda: len(office.polls) > 3, "more polls")
    assert office.heard == [f"{wish['id']}.running.wished"], "once"


@pytest.mark.parametrize("fault", ["never opened", "locked"])
def test_an_outcome_that_the_disk_does_not_take_is_told_all_the_same(
    box: Box, office: Office, tmp_path: Path, fault: str
) -> None:
    """Else the phone would say for minutes that water may still come."""
    file = tmp_path / "bad" / "store.sqlite"
    (file if fault == "never opened" else file.parent).mkdir(parents=True)
    store = Store(file)
    other = None
    if fault == "locked":
        other = apsw.Connection(str(file))
        other.execute("BEGIN IMMEDIATE")
        store.record_soon("alarm", {}, {})
        until(lambda: not store.is_writable(), "the disk is missed")
    check_told_from_memory(box, office, store)
    if other is not None:
        other.close()
    named = {store_id for store_id, _ in office.rows}
    assert (named == {"none"}) == (fault == "never opened")


def check_told_from_memory(box: Box, office: Office, store: Store) -> None:
    def order(wish: Row, given: Given) -> Row:
        outcome = {"id": wish["id"], "state": "refused", "code": "cannot_record", "values": {}}
        store.record("command", {**outcome, "at": 1})
        return {**outcome, "at": 1}

    uplink = Uplink(box.settings, store, order)
    uplink.start()
    try:
        until(lambda: office.polls, "the gateway asks")
        wish = command()
        office.offer(wish)
        until(lambda: wish["id"] in outcomes(office), "the outcome")
        assert outcomes(office)[wish["id"]] == ("refused", "cannot_record")
        assert not store.is_writable()
    finally:
        uplink.stop(2.0)
        store.close(0.1)


def test_each_poll_has_a_number_of_its_own(office: Office, start: Start) -> None:
    start()
    for _ in range(5):
        seen = len(office.polls)
        office.offer(command())
        until(lambda n=seen: len(office.polls) > n, "the next poll")
    assert len(set(office.polls)) == len(office.polls)
    assert all(len(poll) == 32 for poll in office.polls)


def test_a_command_offered_again_waters_once(office: Office, valves: Valves, start: Start) -> None:
    start()
    wish = command()
    for _ in range(3):
        office.offer(wish)
        seen = len(office.polls)
        until(lambda n=seen: len(office.polls) > n, "the next poll")
    until(lambda: outcomes(office), "the outcome")
    assert len(valves.done) == 1


def test_a_forged_command_is_refused_recorded_and_logged(
    office: Office, valves: Valves, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    start()
    wish = command()
    office.offers.append(lambda poll: sign({**wish, "poll": poll}, key="x" * 40))
    until(lambda: outcomes(office) == {wish["id"]: ("refused", "forged")}, "the outcome")
    assert valves.done == []
    assert "refused as forged" in caplog.text


def test_a_replayed_command_does_nothing_and_changes_no_outcome(
    office: Office, valves: Valves, start: Start
) -> None:
    """Signed and true once, offered again on a later poll with its old number."""
    uplink = start()
    kept: list[Row] = []
    wish = command()

    def offer(poll: str) -> Row:
        kept.append(sign({**wish, "poll": poll}))
        return kept[0]

    office.offers.append(offer)
    until(lambda: outcomes(office), "the outcome")
    office.offers.append(lambda poll: kept[0])
    until(lambda: uplink.report()["commands_refused"] == 1, "the replay is refused")
    marker = command()
    office.offer(marker)
    until(lambda: marker["id"] in outcomes(office), "a later command")
    assert outcomes(office)[wish["id"]] == ("running", "wished")
    assert len(valves.done) == 2


def test_an_expired_command_is_refused_with_how_late_it_is(
    office: Office, valves: Valves, start: Start
) -> None:
    start()
    wish = command(ttl=0.01)

    def late(poll: str) -> Row:
        time.sleep(0.05)
        return sign({**wish, "poll": poll})

    office.offers.append(late)
    until(lambda: outcomes(office) == {wish["id"]: ("refused", "expired")}, "the outcome")
    assert office.of_kind("command")[0]["command"]["values"]["late_seconds"] >= 1
    assert valves.done == []


def test_valves_that_fail_do_not_end_the_poll(
    box: Box, store: Store, office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    orders: list[Row] = []

    def order(found: Row, given: Given) -> Row:
        orders.append(found)
        if len(orders) == 1:
            raise RuntimeError("the valves are upside down")
        return {"state": "done"}

    uplink = Uplink(box.settings, store, order)
    uplink.start()
    try:
        office.offer(command())
        until(lambda: "upside down" in caplog.text, "the failure is logged")
        office.offer(command())
        until(lambda: len(orders) == 2, "the next command", 20)
    finally:
        uplink.stop(2.0)


def test_stopping_does_not_wait_for_the_long_poll(office: Office, start: Start) -> None:
    uplink = start()
    until(lambda: office.polls, "the gateway asks")
    started = time.monotonic()
    uplink.stop(5.0)
    assert time.monotonic() - started < 2.0
    assert not [t for t in threading.enumerate() if t.name in ("telemetry", "protected rows")]


# what a batch looks like, whatever is in it


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=200), st.floats(allow_nan=False, allow_infinity=False))
def test_any_text_and_number_travels(tmp_path_factory: Any, text: str, number: float) -> None:
    from nongso.gateway.ledger import as_json

    body = as_json({"kind": "alarm", "alarm": {"values": {text: number}}})
    row = b'{"id":7,' + body[1:]
    assert json.loads(row)["alarm"]["values"] == {text: number}
    assert gzip.decompress(gzip.compress(row)) == row


def test_the_configuration_names_no_secret(box: Box) -> None:
    text = json.dumps(configuration_of(box.settings))
    assert KEY not in text
    assert box.settings.broker.password not in text


def test_a_configuration_that_was_damaged_on_the_disk_is_told_again(
    box: Box, store: Store, start: Start, office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """Without it the platform would take no row of the farm until the next start."""
    store.record("configuration", configuration_of(box.settings))
    store.set_state("configuration", as_json(configuration_of(box.settings)).decode())
    accept(store, told(1))
    db = apsw.Connection(str(box.settings.store_file))
    db.set_busy_timeout(5000)
    db.execute("UPDATE outbox SET kind = CAST(x'636fee' AS TEXT) WHERE kind = 'configuration'")
    db.close()
    uplink = Uplink(box.settings, store, lambda command, given: {})
    uplink.start()  # not introduced: the row seems to be there
    try:
        until(lambda: office.of_kind("configuration"), "the configuration is told")
        until(lambda: is_empty(store), "everything is taken")
        assert len(office.of_kind("readings")) == 1
        assert "damaged_row" in caplog.text
        assert store.report()["rows"]["set_aside"] == 1
    finally:
        uplink.stop(2.0)
