"""Both brokers keep their doors; the past arrives whole through either, against all loss."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from nongso.gateway import broker
from nongso.gateway.simulated import history
from nongso.gateway.simulated.embedded_broker import covers
from nongso.gateway.simulated.settings import FarmSettings
from nongso.wire import ack, payload, topics

USERS = {name: f"password of {name}" for name in ("gateway", "demo", "tb-01", "hb-01")}
NODES = [
    {"farm": "tan-binh", "slug": "tb-01"},
    {"farm": "hung-binh", "slug": "hb-01"},
    {"farm": "tan-binh", "slug": "binh-lu-bus"},
]


@dataclass
class RunningBroker:
    kind: str
    port: int
    process: subprocess.Popen[str]
    folder: Path

    def access(self, user: str) -> dict[str, Any]:
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "user": user,
            "password": USERS[user],
        }


@pytest.fixture(scope="module", params=["mosquitto", "embedded"])
def running(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    free_port: Callable[[], int],
    wait_for: Callable[..., Any],
) -> Iterator[RunningBroker]:
    folder = tmp_path_factory.mktemp("a broker")  # with a space, as homes have them
    port = free_port()
    broker.write_config(folder, port, USERS, NODES)
    if request.param == "mosquitto":
        if broker.find_mosquitto() is None:
            pytest.skip("Mosquitto is not installed (Debian: apt install mosquitto)")
        argv = broker.command(folder)
    else:
        program = (
            "import sys; from pathlib import Path; from nongso.gateway.broker import run_embedded;"
            "sys.exit(run_embedded(Path(sys.argv[1])))"
        )
        argv = [sys.executable, "-c", program, str(folder)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, text=True)
        try:
            wait_for(lambda: broker.answers(port), "the broker to listen")
            yield RunningBroker(request.param, port, process, folder)
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait(timeout=10)
    assert status == 0
    said = (folder / "log").read_text()
    assert ("Install Mosquitto instead" in said) == (request.param == "embedded")
    assert "Traceback" not in said


class Client:
    """A user at the broker, and what it heard."""

    def __init__(self, running: RunningBroker, user: str, password: str | None = None) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.reason: Any = None
        self.granted: list[Any] = []
        self.came = threading.Event()
        self.subscribed = threading.Event()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        if user:
            self.client.username_pw_set(user, password or USERS[user])
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = self._on_subscribe
        self.client.on_message = self._on_message
        self.client.connect("127.0.0.1", running.port)
        self.client.loop_start()
        assert self.came.wait(10)

    def _on_connect(self, client: Any, data: Any, flags: Any, reason: Any, _: Any) -> None:
        self.reason = reason
        self.came.set()

    def _on_subscribe(self, client: Any, data: Any, mid: Any, reasons: Any, _: Any) -> None:
        self.granted += reasons
        self.subscribed.set()

    def _on_message(self, client: Any, data: Any, message: Any) -> None:
        self.heard.append((message.topic, bytes(message.payload)))

    def hear(self, *filters: str) -> None:
        self.subscribed.clear()
        self.client.subscribe([(filter_, 1) for filter_ in filters])
        assert self.subscribed.wait(10)

    def say(self, topic: str, message: bytes) -> None:
        self.client.publish(topic, message, qos=1).wait_for_publish(10)

    def leave(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def enter(running: RunningBroker) -> Iterator[Callable[..., Client]]:
    inside: list[Client] = []

    def come(user: str, password: str | None = None) -> Client:
        inside.append(Client(running, user, password))
        return inside[-1]

    yield come
    for client in inside:
        client.leave()


def test_a_message_passes_with_credentials(
    enter: Callable[..., Client], wait_for: Callable[..., Any]
) -> None:
    gateway, node = enter("gateway"), enter("tb-01")
    gateway.hear("nongso/1/tan-binh/+/up")
    node.hear("nongso/1/tan-binh/tb-01/ack")
    node.say("nongso/1/tan-binh/tb-01/up", b"[1]")
    wait_for(lambda: gateway.heard, "the reading")
    gateway.say("nongso/1/tan-binh/tb-01/ack", b'{"boot":1,"seq":1}')
    wait_for(lambda: node.heard, "the acknowledgement")
    assert gateway.heard == [("nongso/1/tan-binh/tb-01/up", b"[1]")]


@pytest.mark.parametrize(
    ("user", "password"), [("tb-01", "wrong"), ("", None), ("nobody", "x"), ("tb-01", "é" * 90)]
)
def test_nobody_enters_without_credentials(
    enter: Callable[..., Client], user: str, password: str | None
) -> None:
    assert enter(user, password).reason.is_failure


def test_a_node_cannot_speak_for_another_nor_hear_it(
    enter: Callable[..., Client], wait_for: Callable[..., Any]
) -> None:
    demo, node, other = enter("demo"), enter("tb-01"), enter("hb-01")
    demo.hear("nongso/#")
    node.hear("nongso/1/tan-binh/tb-01/ack")
    for topic in (
        "nongso/1/hung-binh/hb-01/up",
        "nongso/1/tan-binh/tb-01/ack",
        "nongso/1/tan-binh/hb-01/up",
        "elsewhere",
    ):
        node.say(topic, b"forged")
    other.say("nongso/1/hung-binh/hb-01/up", b"true")
    node.say("nongso/1/tan-binh/tb-01/up", b"true")
    wait_for(lambda: len(demo.heard) == 2, "the two true messages")
    assert {message for _, message in demo.heard} == {b"true"}
    assert node.heard == []


def test_a_node_hears_nothing_of_others_by_a_wildcard(
    enter: Callable[..., Client], wait_for: Callable[..., Any]
) -> None:
    demo, node = enter("demo"), enter("tb-01")
    demo.hear("nongso/#")
    node.hear("#")
    node.hear("nongso/1/+/+/up")
    node.hear("nongso/1/tan-binh/tb-01/down")
    demo.say("nongso/1/hung-binh/hb-01/up", b"not for you")
    demo.say("nongso/1/tan-binh/tb-01/down", b"for you")
    wait_for(lambda: node.heard, "its settings")
    assert node.heard == [("nongso/1/tan-binh/tb-01/down", b"for you")]


def test_a_megabyte_reaches_the_gateway_and_disturbs_nobody(
    enter: Callable[..., Client], wait_for: Callable[..., Any]
) -> None:
    gateway, node = enter("gateway"), enter("tb-01")
    gateway.hear("nongso/1/tan-binh/+/up")
    node.say("nongso/1/tan-binh/tb-01/up", b"x" * 1_000_000)
    node.say("nongso/1/tan-binh/tb-01/up", b"[2]")
    wait_for(lambda: len(gateway.heard) == 2, "both messages")
    assert [len(message) for _, message in gateway.heard] == [1_000_000, 3]


def test_mosquitto_cuts_off_what_is_beyond_all_measure(
    running: RunningBroker, enter: Callable[..., Client], wait_for: Callable[..., Any]
) -> None:
    if running.kind != "mosquitto":
        pytest.skip("the embedded broker has no limit of its own")
    node = enter("tb-01")
    gone = threading.Event()
    node.client.on_disconnect = lambda *_: gone.set()
    node.client.publish("nongso/1/tan-binh/tb-01/up", b"x" * (broker.MAX_PACKET_BYTES + 9), qos=0)
    assert gone.wait(10)
    node.leave()
    wait_for(lambda: "oversize packet" in (running.folder / "log").read_text(), "the broker's log")


def test_secrets_are_for_their_owner_only(running: RunningBroker) -> None:
    for name in ("mosquitto.conf", "passwords", "acl"):
        file = running.folder / name
        assert file.stat().st_mode & 0o077 == 0
        assert "password of" not in file.read_text()


def test_a_user_without_rights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(broker.BrokerError, match="stranger"):
        broker.write_config(tmp_path, 1, {"stranger": "x"}, NODES)
    with pytest.raises(topics.TopicError):
        broker.write_config(
            tmp_path, 1, {"a b\nuser c": "x"}, [{"farm": "f", "slug": "a b\nuser c"}]
        )


@pytest.mark.parametrize(
    ("allowed", "asked", "answer"),
    [
        ("a/#", "a/b/c", True),
        ("a/#", "a/#", True),
        ("a/#", "#", False),
        ("a/b", "a/+", False),
        ("a/+", "a/b", True),
        ("a/+", "a/+", True),
        ("a/+", "a/b/c", False),
        ("a/+", "a/#", False),
        ("a/b/c", "a/b", False),
    ],
)
def test_a_right_covers_what_it_says_and_no_more(allowed: str, asked: str, answer: bool) -> None:
    assert covers(allowed, asked) is answer


# --- the past through the brokers ------------------------------------------------------------


@dataclass
class Inbox:
    """A gateway for this test: keeps what comes, acknowledges in groups, loses some at first."""

    client: Client
    lose_first: int = 0
    kept: dict[tuple[str, int, int], bytes] = field(default_factory=dict)
    conflicts: int = 0
    lost: int = 0

    def __post_init__(self) -> None:
        self.client.client.on_message = self.take
        self.client.hear("nongso/1/tan-binh/+/up", "nongso/1/hung-binh/+/up")

    def take(self, client: Any, data: Any, message: Any) -> None:
        if self.lost < self.lose_first:
            self.lost += 1
            return
        farm, node, _ = topics.parse(message.topic)
        found = payload.identify(json.loads(message.payload))
        known = self.kept.setdefault(tuple(found), bytes(message.payload))
        self.conflicts += known != message.payload
        client.publish(
            topics.topic(farm, node, "ack"),
            ack.encode(found.boot, found.seqs[0], found.seqs[-1]),
            qos=1,
        )


def test_the_past_arrives_whole_and_twice_is_once(
    running: RunningBroker,
    enter: Callable[..., Client],
    farm_settings: FarmSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history, "RESEND_SECONDS", 0.3)
    inbox = Inbox(enter("gateway"), lose_first=25)
    settings = replace(farm_settings, days=4)
    progress: list[tuple[int, int]] = []
    sent = history.publish(
        history.live(settings),
        running.access("demo"),
        on_progress=lambda *now: progress.append(now),
    )
    assert sent.messages == len(inbox.kept) > 90
    assert sent.resent >= 25
    assert progress[-1] == (sent.messages, sent.messages)
    assert sent.end <= time.time() < sent.end + 700
    state = json.loads(settings.state.read_text())
    assert state["history"]["sent_at"]
    assert state["model"]["at"] == sent.end

    before = dict(inbox.kept)
    state["model"]["water"]["tank_litres"] = 1234.5  # the live farm has gone on since
    settings.state.write_text(json.dumps(state))
    again = history.publish(history.live(settings, days=30), running.access("demo"))
    assert (again.messages, again.readings) == (sent.messages, sent.readings)
    assert inbox.kept == before
    assert inbox.conflicts == 0
    assert json.loads(settings.state.read_text())["model"]["water"]["tank_litres"] == 1234.5


def test_a_silent_gateway_is_a_clear_error_and_the_next_call_goes_on(
    running: RunningBroker, enter: Callable[..., Client], farm_settings: FarmSettings
) -> None:
    settings = replace(farm_settings, days=1)
    with pytest.raises(history.HistoryError, match=r"acknowledged 0 of \d+ .* Is it running"):
        history.publish(history.live(settings), running.access("demo"), patience_seconds=0.3)
    first = json.loads(settings.state.read_text())["history"]
    assert first["sent_at"] is None
    inbox = Inbox(enter("gateway"))
    sent = history.publish(history.live(settings), running.access("demo"))
    assert (sent.start, sent.end) == (first["start"], first["end"])
    assert len(inbox.kept) == sent.messages


def test_a_closed_door_is_a_clear_error(
    running: RunningBroker, farm_settings: FarmSettings, free_port: Callable[[], int]
) -> None:
    settings = replace(farm_settings, days=1)
    access = running.access("demo")
    with pytest.raises(history.HistoryError, match="does not let user 'demo' in"):
        history.publish(history.live(settings), access | {"password": "wrong"})
    with pytest.raises(history.HistoryError, match="Cannot reach the broker"):
        history.publish(history.live(settings), access | {"port": free_port()})
