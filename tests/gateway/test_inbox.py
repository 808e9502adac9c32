"""From the broker to the disk and back to the node, with a real Mosquitto."""

import json
import time
from pathlib import Path
from typing import Any

import apsw
import pytest
from control_box import BUS_NODE, NODES, Box, Mosquitto, message, settings_file, until

from nongso.gateway.inbox import Inbox
from nongso.gateway.settings import load
from nongso.wire.payload import Reading


def stored(box: Box) -> list[tuple[str, int, int]]:
    """Return (node, boot, seq) of the rows on the disk, read apart from the store."""
    db = apsw.Connection(str(box.settings.store_file))
    rows = db.execute("SELECT body FROM outbox WHERE kind = 'readings' ORDER BY id").fetchall()
    db.close()
    found = [json.loads(row[0]) for row in rows]
    return [(row["node"], row["boot"], row["seq"]) for row in found]


def test_a_message_is_acknowledged_when_it_is_on_the_disk(box: Box) -> None:
    box.inbox(box.store())
    node = box.speaker()
    node.say(message(1))
    until(lambda: (7, 1) in node.told, "the node is told")
    assert stored(box) == [(NODES["tb-01"], 7, 1)]


def test_neighbours_in_number_are_acknowledged_together(box: Box) -> None:
    box.inbox(box.store())
    node = box.speaker()
    for seq in [*range(100, 140), *range(200, 210)]:
        node.send(message(seq))
    wanted = {(7, seq) for seq in [*range(100, 140), *range(200, 210)]}
    until(lambda: node.told >= wanted, "all are told")
    assert node.told == wanted  # a range never names what was not sent
    assert len(node.acks) < 50


def test_a_message_sent_again_is_acknowledged_again(box: Box) -> None:
    store = box.store()
    box.inbox(store)
    node = box.speaker()
    for _ in range(2):
        node.told.clear()
        node.say(message(1, at=1_790_000_000))
        until(lambda: (7, 1) in node.told, "the node is told")
    assert stored(box) == [(NODES["tb-01"], 7, 1)]
    assert store.duplicates == 1


def test_relative_then_absolute_times_are_one_message(box: Box) -> None:
    store = box.store()
    box.inbox(store)
    node = box.speaker()
    node.say(message(1, at=None), qos=0)  # so do nodes without a clock
    until(lambda: (7, 1) in node.told, "the node is told")
    node.told.clear()
    node.say(message(1, at=int(time.time()) - 30))
    until(lambda: (7, 1) in node.told, "the node is told again")
    assert (store.duplicates, store.conflicts) == (1, 0)


def test_a_conflict_does_not_block_the_ring(box: Box) -> None:
    store = box.store()
    box.inbox(store)
    node = box.speaker()
    node.say(message(1, at=1_790_000_000))
    until(lambda: (7, 1) in node.told, "the node is told")
    node.told.clear()
    node.say(message(1, at=1_790_000_000, warm=9))
    until(lambda: (7, 1) in node.told, "the node may forget it")
    assert store.conflicts == 1


@pytest.mark.parametrize(
    ("raw", "code", "is_told"),
    [
        (message(1).replace(b'"Cel"', b'"K"'), "wrong_unit", True),
        (message(1).replace(b"air_temperature", b"mood"), "unknown_metric", True),
        (message(1, node="tb-02"), "wrong_topic", True),
        (message(1)[:-1], "not_json", False),
        (message(1).replace(b"24.50", b"NaN"), "not_json", False),
        (b"x" * 1_000_000, "too_long", False),
    ],
)
def test_a_bad_message_is_refused_and_stops_nothing(
    box: Box, raw: bytes, code: str, is_told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    inbox = box.inbox(box.store())
    node = box.speaker()
    node.say(raw)
    node.say(raw)
    node.say(message(2))
    until(lambda: (7, 2) in node.told, "the good one is told")
    assert ((7, 1) in node.told) == is_told
    assert inbox.refused == {code: 2}
    assert stored(box) == [(NODES["tb-01"], 7, 2)]
    assert caplog.text.count(f"was refused ({code})") == 1  # then it is counted
    db = apsw.Connection(str(box.settings.store_file))
    assert {c for (c,) in db.execute("SELECT code FROM refused")} == {code}
    db.close()


def test_strangers_are_refused_and_not_answered(box: Box) -> None:
    inbox = box.inbox(box.store())
    stranger = box.speaker("demo")
    stranger.say_on("nongso/1/tan-binh/tb-77/up", message(1))
    raw = message(1).replace(NODES["tb-01"].encode(), b"0200000000000999")
    stranger.say_on("nongso/1/tan-binh/tb-78/up", raw)
    until(lambda: inbox.refused.total() == 2, "both are refused")
    assert inbox.refused == {"wrong_topic": 1, "unknown_node": 1}
    assert stored(box) == []
    assert stranger.acks == []


def test_what_nobody_could_date_stays_on_the_node_until_the_clock_is_set(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("nongso.gateway.inbox.time.time", lambda: clock[0])
    inbox = box.inbox(box.store())
    node = box.speaker()
    node.say(message(1, at=None))
    until(lambda: inbox.refused["no_clock"] == 1, "it is counted")
    assert not node.told
    clock[0] = 1_795_000_000.0
    node.say(message(1, at=None))
    until(lambda: (7, 1) in node.told, "it is kept")
    reading = inbox._store.latest.get(NODES["tb-01"], "air_temperature")
    assert reading is not None
    assert reading.at == 1_795_000_000 - 5


def test_a_flood_of_nonsense_is_counted_and_bounded(box: Box) -> None:
    store = box.store()
    inbox = box.inbox(store)
    stranger, node = box.speaker("demo"), box.speaker()
    for n in range(300):
        stranger.send(b"{%d" % n, slug="tb-77")
    node.say(message(1))
    until(lambda: (7, 1) in node.told, "the good one is told")
    until(lambda: inbox.refused["not_json"] == 300, "all are counted")
    assert store.report()["rows"]["telemetry"] <= 31  # few of them travel


def test_what_came_while_the_gateway_was_away_waits_at_the_broker(box: Box) -> None:
    store = box.store()
    inbox = box.inbox(store)
    inbox.stop(2.0)
    node = box.speaker()
    for seq in range(20):
        node.say(message(seq))
    assert not node.told
    back = Inbox(load(box.settings_file), store)
    back.start()
    until(lambda: len(node.told) == 20, "all are told")
    back.stop(2.0)


def test_what_was_not_committed_stays_with_the_broker(box: Box) -> None:
    """The PUBACK comes after the commit: without one the broker delivers again."""
    file = box.settings.store_file
    file.mkdir()  # the disk takes nothing
    store = box.store()
    inbox = box.inbox(store)
    node = box.speaker()
    for seq in range(5):
        node.say(message(seq))
    until(lambda: store.report()["waiting_messages"] == 5, "they wait")
    inbox.stop(2.0)
    store.close(2.0)
    assert not node.told
    file.rmdir()
    again = box.store()
    back = Inbox(load(box.settings_file), again)
    back.start()
    until(lambda: len(node.told) == 5, "all are told")
    back.stop(2.0)
    assert len(stored(box)) == 5


def test_the_inbox_comes_back_after_the_broker_died(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "own").mkdir()
    broker = Mosquitto(tmp_path / "own")
    broker.start()
    box = Box(tmp_path, broker, "http://127.0.0.1:1")
    try:
        inbox = box.inbox(box.store())
        broker.kill()
        until(lambda: not inbox.is_connected(), "the loss is seen")
        time.sleep(0.6)  # some tries fail meanwhile
        broker.start()
        until(inbox.is_ready, "the inbox listens again", 20)
        node = box.speaker()
        node.say(message(1))
        until(lambda: (7, 1) in node.told, "the node is told")
        assert caplog.text.count("does not let us in") == 1
        assert caplog.text.count("lets us in again") == 1
    finally:
        box.close()
        broker.stop()


def test_a_wrong_password_says_what_to_check(
    tmp_path: Path, mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    broker = {"host": "127.0.0.1", "port": mosquitto.port, "user": "gateway", "password": "wrong"}
    file = settings_file(tmp_path, mosquitto.port, "http://127.0.0.1:1", broker=broker)
    box = Box(tmp_path, mosquitto, "http://127.0.0.1:1")
    inbox = Inbox(load(settings_file(tmp_path, 0, "http://x", broker=broker)), box.store())
    inbox.start()
    try:
        until(lambda: "broker.password" in caplog.text, "the log says what to check")
        assert not inbox.is_connected()
        assert "wrong" not in caplog.text.replace("wrong_", "")
    finally:
        inbox.stop(2.0)
        box.close()
    assert file.exists()


def node_rows(box: Box) -> list[Any]:
    db = apsw.Connection(str(box.settings.store_file))
    rows = db.execute("SELECT body FROM outbox WHERE kind = 'node' ORDER BY id").fetchall()
    db.close()
    return [json.loads(row[0])["node"] for row in rows]


def test_a_node_that_comes_or_goes_is_a_row_and_only_a_change_is(box: Box) -> None:
    store = box.store()
    inbox = box.inbox(store)
    node = box.speaker()
    for state in (b"online", b"online", b"offline", b"asleep", b"online"):
        node.say(state, leaf="status")
    node.say(message(1))
    until(lambda: (7, 1) in node.told, "the node is told")
    until(lambda: len(node_rows(box)) == 3, "three changes")
    assert [row["state"] for row in node_rows(box)] == ["online", "offline", "online"]
    assert {row["eui64"] for row in node_rows(box)} == {NODES["tb-01"]}
    inbox.stop(2.0)
    back = Inbox(load(box.settings_file), store)  # the broker repeats what it retained
    back.start()
    node.say(message(2))
    until(lambda: (7, 2) in node.told, "the node is told")
    back.stop(2.0)
    assert len(node_rows(box)) == 3
    node.say(b"", leaf="status")


def test_meter_and_tank_are_stored_like_any_node(box: Box) -> None:
    store = box.store()
    inbox = box.inbox(store)
    now = int(time.time())
    inbox.accept([Reading("tank_level", now, 88.0, 16), Reading("water_flow", now, None, 19)])
    inbox.accept([Reading("tank_level", now + 10, 87.0, 16)])
    until(lambda: len(stored(box)) == 2, "both are stored")
    (node, boot, first), (_, again, second) = stored(box)
    assert (node, first, second, boot == again) == (BUS_NODE, 1, 2, True)
    tank = store.latest.get(BUS_NODE, "tank_level")
    assert tank is not None
    assert tank.value == 87.0


def test_a_sensor_on_the_fieldbus_is_heard_when_it_gives_a_value(box: Box) -> None:
    """One that only fails is as silent as a trạm đo without power, and its alarm comes."""
    store = box.store()
    inbox = box.inbox(store)
    now = int(time.time())
    probe = NODES["tb-01"]
    inbox.accept([Reading("soil_nitrogen", now, None, 3)], probe)
    assert probe not in inbox.heard_at
    inbox.accept([Reading("soil_nitrogen", now + 30, 32.0, 0)], probe)
    inbox.accept([Reading("tank_level", now, 88.0, 16)])
    until(lambda: len(stored(box)) == 3, "all are stored")
    assert [(node, seq) for node, _, seq in stored(box)] == [(probe, 1), (probe, 2), (BUS_NODE, 1)]
    assert probe in inbox.heard_at
    nitrogen = store.latest.get(probe, "soil_nitrogen")
    assert nitrogen is not None
    assert nitrogen.value == 32.0


def test_readings_that_a_node_gave_up_are_declared(box: Box) -> None:
    store = box.store()
    box.inbox(store)
    node = box.speaker()
    full = message(1).replace(b'{"n":"simulated"', b'{"n":"lost","v":12},{"n":"simulated"')
    node.say(full)
    node.say(full.replace(b'"seq","v":1', b'"seq","v":2'))
    node.say(full.replace(b'"seq","v":1', b'"seq","v":3').replace(b'"v":12', b'"v":15'))
    until(lambda: (7, 3) in node.told, "the node is told")
    until(lambda: store.report()["rows"]["protected"] == 2, "two alarms")
    counts = [json.loads(row.body)["alarm"]["values"] for row in store.rows(True, 9, 9999)[1]]
    assert counts == [{"count": 12}, {"count": 3}]
