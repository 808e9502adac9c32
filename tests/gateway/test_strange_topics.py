"""What comes on a topic that nobody expects is counted, named and shown; it stops nothing."""

import json
import time
from typing import Any

import apsw
import pytest
from control_box import NODES, PASSWORDS, Box, message, until
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from nongso.gateway.budget import Budget
from nongso.gateway.floods import FLOOD, HASTE, MOMENT_SECONDS, Floods
from nongso.gateway.inbox import Inbox
from nongso.gateway.settings import load


def refused_rows(box: Box) -> list[Any]:
    """What the platform hears of refusals."""
    db = apsw.Connection(str(box.settings.store_file))
    rows = db.execute("SELECT body FROM outbox WHERE kind = 'refused' ORDER BY id").fetchall()
    db.close()
    return [json.loads(row[0])["refused"] for row in rows]


@pytest.mark.parametrize(
    ("topic", "code", "words"),
    [
        ("nongso/1/noi-khac/tb-01/up", "wrong_farm", "farm noi-khac is not served here (tan-binh"),
        ("nongso/2/tan-binh/tb-01/up", "wrong_version", "another version of the protocol than 1"),
    ],
)
def test_a_node_with_a_wrong_farm_or_version_does_not_vanish(
    box: Box, caplog: pytest.LogCaptureFixture, topic: str, code: str, words: str
) -> None:
    """With its own user, through the rights of the real broker."""
    inbox = box.inbox(box.store())
    node = box.speaker()
    for seq in range(5):
        node.say_on(topic, message(seq))
    node.say(message(9))
    until(lambda: (7, 9) in node.told, "the right one is told")
    assert inbox.refused == {code: 5}
    assert node.told == {(7, 9)}, "nobody acknowledges what was not taken"
    (shown,) = inbox.refused_lately.values()
    assert (shown["topic"], shown["count"]) == (topic, 5)
    assert words in shown["detail"]
    assert caplog.text.count(f"was refused ({code})") == 1
    until(lambda: len(refused_rows(box)) == 5, "the platform hears of it")
    assert {(row["code"], row["node"]) for row in refused_rows(box)} == {(code, NODES["tb-01"])}


def test_no_node_speaks_as_another_on_whatever_farm_or_version(box: Box) -> None:
    inbox = box.inbox(box.store())
    node = box.speaker()
    for topic in (
        "nongso/1/tan-binh/tb-02/up",
        "nongso/1/noi-khac/tb-02/up",
        "nongso/2/tan-binh/tb-02/up",
        "nongso/1/tan-binh/tb-01/ack",
        "nongso/1/tan-binh/tb-01/down",
        "nongso/1/tb-01/up",
        "nongso",
    ):
        node.say_on(topic, message(1, node="tb-02"))
    node.say(message(9))
    until(lambda: (7, 9) in node.told, "the right one is told")
    assert not inbox.refused
    assert inbox.accepted == 1


STRANGE = [
    ("nongso", "wrong_topic"),
    ("nongso/", "wrong_version"),
    ("nongso/1", "wrong_topic"),
    ("nongso/1/tan-binh/tb-01", "wrong_topic"),
    ("nongso/1/tan-binh/tb-01/upp", "wrong_topic"),
    ("nongso/1/tan-binh/tb-01/up/more", "wrong_topic"),
    ("nongso/1/TAN-BINH/tb-01/up", "wrong_topic"),
    ("nongso/1/tan-binh/nobody/down", "wrong_topic"),
    ("nongso/2/tan-binh/tb-01/status", "wrong_version"),
    ("nongso/1/noi-khac/tb-01/status", "wrong_farm"),
    ("nongso/1/tan-binh/nobody/status", "unknown_node"),
    ("nongso/1/" + "x" * 60_000 + "/tb-01/up", "wrong_topic"),
    ("nongso/" + "/" * 150, "wrong_version"),
    ("nongso/1/đất/😀/up", "wrong_topic"),
]


def test_topics_of_any_shape_are_counted_and_stop_nothing(box: Box) -> None:
    store = box.store()
    inbox = box.inbox(store)
    stranger, node = box.speaker("demo"), box.speaker()
    for topic, _ in STRANGE:
        for raw in (b"", b"online", message(1)):
            stranger.say_on(topic, raw)
    node.say(message(9))
    until(lambda: (7, 9) in node.told, "the right one is told")
    until(lambda: inbox.refused.total() >= 3 * len(STRANGE) - 1, "all are counted")
    wanted: dict[str, int] = {}
    for _, code in STRANGE:
        wanted[code] = wanted.get(code, 0) + 3
    wanted["unknown_node"] -= 1  # an empty status takes a retained one away: nothing to say
    assert inbox.refused == wanted
    assert inbox.accepted == 1
    assert max(len(row["topic"]) for row in refused_rows(box)) <= 200
    db = apsw.Connection(str(box.settings.store_file))
    assert db.execute("SELECT max(length(topic)) FROM refused").get <= 200
    db.close()


def test_a_message_that_the_broker_kept_is_no_news(box: Box) -> None:
    """Its "five seconds ago" would become a new reading at each start of the gateway."""
    store = box.store()
    inbox = box.inbox(store)
    node = box.speaker()
    topic = "nongso/1/tan-binh/tb-01/up"
    node._client.publish(topic, message(1, at=None), 1, retain=True).wait_for_publish(5)
    try:
        until(lambda: (7, 1) in node.told, "it is taken when it comes")
        inbox.stop(2.0)
        back = Inbox(load(box.settings_file), store)
        back.start()
        until(lambda: back.refused["retained"], "it is refused when it comes again")
        assert "mosquitto_pub -r -n" in next(iter(back.refused_lately.values()))["detail"]
        back.stop(2.0)
        assert store.duplicates == 0
    finally:
        node._client.publish(topic, b"", 1, retain=True).wait_for_publish(5)


def test_a_node_cannot_take_the_session_of_the_gateway(box: Box) -> None:
    """Whoever connects under a client id takes its session over; the gateway's is not guessed."""
    inbox = box.inbox(box.store())
    since = inbox.connected_since
    own = load(box.settings_file).gateway
    came: list[Any] = []
    thief = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"gateway-{own}")
    thief.username_pw_set("tb-02", PASSWORDS["tb-02"])
    thief.on_connect = lambda *found: came.append(found)
    thief.connect("127.0.0.1", box.mosquitto.port)
    thief.loop_start()
    try:
        until(lambda: came, "the broker lets it in")
        node = box.speaker()
        node.say(message(1))
        until(lambda: (7, 1) in node.told, "the node is told")
        assert inbox.connected_since == since
    finally:
        thief.disconnect()
        thief.loop_stop()


def test_two_gateways_with_one_settings_file_are_noticed(
    box: Box, caplog: pytest.LogCaptureFixture
) -> None:
    store = box.store()
    box.inbox(store)
    twin = Inbox(load(box.settings_file), store)
    twin.start()
    try:
        until(lambda: "does a second gateway run" in caplog.text, "the log asks", 30)
    finally:
        twin.stop(2.0)


def test_a_node_that_floods_costs_the_others_nothing(
    box: Box, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("nongso.gateway.inbox.Budget", lambda: Budget(100, 0.001))
    store = box.store()
    inbox = box.inbox(store)
    flooding, other = box.speaker(), box.speaker("tb-02")
    for seq in range(400):
        flooding.send(message(seq))
    for seq in range(20):
        other.say(message(seq, node="tb-02"))
    until(lambda: len(other.told) == 20, "the other one is told")
    until(lambda: inbox.refused["too_many"] == 300, "the rest is counted")
    assert flooding.told == {(7, seq) for seq in range(100)}, "what is not taken stays on the node"
    assert store.report()["rows"]["telemetry"] == 120
    assert caplog.text.count("sends more than is taken") == 1


def test_a_wild_node_is_not_listened_to_for_a_while_and_then_again(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nongso.gateway.floods.FLOOD", 50)
    monkeypatch.setattr("nongso.gateway.floods.LEFT_OUT_SECONDS", 1e6)
    monkeypatch.setattr("nongso.gateway.inbox.Budget", lambda: Budget(100, 100.0))
    inbox = box.inbox(box.store())
    wild, other = box.speaker(), box.speaker("tb-02")
    for seq in range(400):
        wild.send(message(seq))
    until(lambda: inbox._listens == {"nongso/+/+/tb-02/+"}, "the others are listened to")
    other.say(message(1, node="tb-02"))
    until(lambda: other.told, "the other one is told")
    inbox._floods._until["tb-01"] = 0.0  # its time is over
    until(lambda: inbox._listens == {"nongso/#"}, "all are listened to")
    wild.say(message(1000))
    until(lambda: (7, 1000) in wild.told, "it is heard again")


def test_a_node_that_hurries_is_left_out_before_its_budget_is_used_up(
    box: Box, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("nongso.gateway.floods.CATCHING_UP_SECONDS", 0.0)
    monkeypatch.setattr("nongso.gateway.floods.MOMENT_SECONDS", 1e6)
    inbox = box.inbox(box.store())
    wild, other = box.speaker(), box.speaker("tb-02")
    for seq in range(HASTE + 1):
        wild.send(message(seq))
    until(lambda: inbox._listens == {"nongso/+/+/tb-02/+"}, "the others are listened to")
    other.say(message(1, node="tb-02"))
    until(lambda: other.told, "the other one is told")
    assert len(wild.told) <= HASTE, "what came with the haste stays on the node"
    assert "tb-01 says more than" in caplog.text


def test_what_waited_at_the_broker_is_no_haste() -> None:
    floods = Floods("nongso", ["a", "b"])
    floods.connected(100.0)
    assert not floods.hear(["nongso/1/f/a/up"] * 5000, 101.0)
    assert not floods.hear(["nongso/1/f/a/up"] * HASTE, 120.0)
    assert not floods.hear(["nongso/1/f/a/up"] * HASTE, 121.0)
    assert floods.hear(["nongso/1/f/b/up", "nongso/1/f/a/up"], 121.0 + MOMENT_SECONDS / 2) == ["a"]
    assert floods.is_left_out("a")
    assert not floods.is_left_out("b")


def test_who_stays_wild_is_left_out_for_longer_and_longer() -> None:
    floods, now, waits = Floods("nongso", ["a", "b"]), 0.0, []
    for _ in range(7):
        wild = sum(floods.is_wild("nongso/1/f/a/up", now) for _ in range(3 * FLOOD))
        assert wild == 1, "said once"
        assert floods.filters(now) == {"nongso/+/+/b/+"}
        began = now
        while floods.left_out(now):
            now += 1.0
        waits.append(now - began)
        assert floods.filters(now) == {"nongso/#"}
    assert waits == [30.0, 60.0, 120.0, 240.0, 480.0, 600.0, 600.0]
    now += 3600.0
    assert any(floods.is_wild("nongso/1/f/a/up", now) for _ in range(FLOOD + 1))
    assert not floods.left_out(now + 30.0), "an hour of calm is forgotten"


def test_a_flood_of_megabytes_is_not_kept_in_memory(box: Box) -> None:
    inbox = box.inbox(box.store())
    node = box.speaker()
    most = 0
    take = inbox._take

    def watched(arrived: Any) -> None:
        nonlocal most
        most = max(most, sum(len(one.raw) for one in arrived) // len(arrived))
        take(arrived)

    inbox._take = watched  # type: ignore[method-assign]
    for _ in range(30):
        node.send(b"x" * 1_000_000)
    node.say(message(1))
    until(lambda: (7, 1) in node.told, "the good one is told")
    assert inbox.refused == {"too_long": 30}
    assert most <= 4097
    assert "1000000 bytes, at most 4096" in next(iter(inbox.refused_lately.values()))["detail"]


@given(
    st.lists(st.tuples(st.floats(0, 100), st.integers(0, 30)), max_size=30),
    st.integers(1, 50),
    st.floats(0.01, 10),
)
def test_no_node_gets_more_than_its_budget_and_none_gets_less(
    bursts: list[tuple[float, int]], at_once: int, a_second: float
) -> None:
    budget, now, taken = Budget(at_once, a_second), 1000.0, 0
    for pause, count in bursts:
        now += pause
        assert budget.allows("quiet", now) or a_second * pause < 1
        taken += sum(budget.allows("loud", now) for _ in range(count))
    assert taken <= at_once + a_second * (now - 1000.0) + 1
    assert taken >= min(at_once, sum(count for _, count in bursts))


def test_a_clock_that_goes_back_opens_no_budget() -> None:
    budget = Budget(2, 1.0)
    assert [budget.allows("a", 10.0) for _ in range(3)] == [True, True, False]
    assert not budget.allows("a", 5.0)
    assert budget.allows("a", 7.0)


def test_the_status_page_shows_what_was_refused_lately(box: Box) -> None:
    inbox = box.inbox(box.store())
    stranger = box.speaker("demo")
    for n in range(40):
        stranger.say_on(f"nongso/1/farm-{n}/tb-01/up", b"{}")
    until(lambda: inbox.refused["wrong_farm"] == 40, "all are counted")
    shown = list(inbox.refused_lately.values())
    assert [one["topic"] for one in shown] == [
        f"nongso/1/farm-{n}/tb-01/up" for n in range(10, 40)
    ]
    assert all(abs(one["at"] - time.time()) < 60 for one in shown)
