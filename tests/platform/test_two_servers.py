"""Two server processes on the same records: what one was told the other knows, and none is lost.

One stands for each server behind a proxy, and for the same one before and after a restart. The
records are in SQLite and in PostgreSQL in turn.
"""

import contextlib
import http.client
import itertools
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from office import KEY, configuration
from sqlalchemy import select

from nongso.platform import demo, people
from nongso.platform.alerts.records import Alert, Notice, Way
from nongso.platform.events import Event
from nongso.platform.greenhouse.records import Alarm
from nongso.platform.settings import Settings
from nongso.platform.store import Records

SECRET = "0123456789abcdef" * 4
ZONE = "tan-binh-1-k1"

pytestmark = pytest.mark.walk


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@dataclass
class Answer:
    status: int
    body: bytes
    headers: http.client.HTTPMessage


@dataclass
class Server:
    """One process; the settings of both differ in the port only."""

    file: Path
    port: int
    process: subprocess.Popen[bytes]

    def ask(
        self, path: str, body: bytes | None = None, method: str = "", **headers: str
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method or ("GET" if body is None else "POST"), path, body, named)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read(), answer.headers)
        finally:
            connection.close()

    def form(self, path: str, cookie: str, **fields: str) -> Answer:
        kind = "application/x-www-form-urlencoded"
        return self.ask(path, urlencode(fields).encode(), Cookie=cookie, Content_Type=kind)

    def bring(self, *rows: dict[str, Any]) -> Answer:
        body = {"gateway": "binh-lu", "store": "0" * 16, "rows": list(rows)}
        return self.ask(
            "/api/v1/gateways/binh-lu/batch",
            json.dumps(body).encode(),
            Authorization="Bearer " + KEY,
        )

    def poll(self, wait: float) -> list[dict[str, Any]]:
        answer = self.ask(
            f"/api/v1/gateways/binh-lu/commands?poll={uuid.uuid4().hex}&wait={wait}",
            Authorization="Bearer " + KEY,
        )
        assert answer.status == 200, answer.body
        return [json.loads(c["body"]) for c in json.loads(answer.body)["commands"]]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)


@dataclass
class Pair:
    """Two servers, and what a farm needs."""

    settings: Settings
    one: Server
    two: Server
    accounts: dict[str, Any]

    def wish(self, server: Server, id_: str) -> Answer:
        return server.ask(
            f"/api/v1/zones/{ZONE}/water",
            json.dumps({"id": id_, "seconds": 60}).encode(),
            Authorization="Bearer " + self.accounts["farmer"]["token"],
            Content_Type="application/json",
        )

    def log_in(self, first: Server, second: Server) -> str:
        """Fetch the form from one server and send it to the other."""
        page = first.ask("/login")
        visit = _cookie(page)
        account = self.accounts["farmer"]
        answer = second.form(
            "/login",
            visit,
            user=account["user"],
            password=account["password"],
            form_token=_token(page),
        )
        assert answer.status == 303, answer.body.decode()
        return _cookie(answer)


def _cookie(answer: Answer) -> str:
    found = answer.headers.get_all("Set-Cookie") or []
    return "; ".join(each.split(";")[0] for each in found)


def _token(answer: Answer) -> str:
    found = re.search(r'name="form_token" value="(\w+)"', answer.body.decode())
    assert found is not None, answer.body.decode()
    return found.group(1)


def start(settings: Settings, number: int, port: int = 0) -> Server:
    port = port or free_port()
    file = settings.folder / f"platform-{number}.json"
    found = {"folder": str(settings.folder), "secret": settings.secret, "port": port}
    if settings.records:
        found["records"] = settings.records
    file.write_text(json.dumps(found))
    file.chmod(0o600)
    words = [sys.executable, "-m", "nongso.commands", "platform", "run", "--settings", str(file)]
    with (settings.folder / f"server-{number}.log").open("ab") as log:
        server = Server(file, port, subprocess.Popen(words, stderr=log, stdout=log))
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).close()
            return server
        except OSError:
            said = (settings.folder / f"server-{number}.log").read_text()
            assert server.process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.05)


@pytest.fixture
def pair(settings: Settings) -> Iterator[Pair]:
    accounts = demo.prepare(settings, "binh-lu", KEY)
    with contextlib.ExitStack() as ending:
        servers: list[Server] = []

        def end() -> None:
            for server in servers:
                if server.process.poll() is None:
                    server.process.send_signal(signal.SIGTERM)
            for server in servers:
                server.process.wait(30)

        ending.callback(end)
        for number in (1, 2):
            servers.append(start(settings, number))
        made = Pair(settings, *servers, accounts)
        row = {"id": 1, "kind": "configuration", "configuration": configuration()}
        assert json.loads(made.one.bring(row).body) == {"stored": [1], "refused": []}
        yield made
        servers += [made.one, made.two]  # those that a test has started anew
    for number in (1, 2):
        assert "Traceback" not in (settings.folder / f"server-{number}.log").read_text()


def test_a_log_in_at_one_server_is_known_at_the_other_and_ends_at_both(pair: Pair) -> None:
    cookie = pair.log_in(pair.one, pair.two)  # the form is of one, the log-in at the other
    for server in (pair.one, pair.two):
        answer = server.ask("/greenhouses", Cookie=cookie)
        assert answer.status == 200
        assert "Nhà màng Tân Bình 1" in answer.body.decode()
    page = pair.one.ask("/greenhouses", Cookie=cookie)
    assert pair.two.form("/logout", cookie, form_token=_token(page)).status == 303
    deadline = time.monotonic() + 5
    while pair.one.ask("/greenhouses", Cookie=cookie).status == 200:
        assert time.monotonic() < deadline
    assert pair.two.ask("/greenhouses", Cookie=cookie).status == 303


def test_a_page_of_one_shows_what_the_other_was_told(pair: Pair) -> None:
    cookie = pair.log_in(pair.one, pair.one)
    for server in (pair.one, pair.two):  # both have made and kept the page
        assert server.ask("/greenhouses", Cookie=cookie).status == 200
    renamed = configuration("Nhà màng Bản Mới")
    row = {"id": 2, "kind": "configuration", "configuration": renamed}
    assert pair.one.bring(row).status == 200
    deadline = time.monotonic() + 5
    while "Nhà màng Bản Mới" not in pair.two.ask("/greenhouses", Cookie=cookie).body.decode():
        assert time.monotonic() < deadline


def test_a_wish_at_one_reaches_the_gateway_that_waits_at_the_other(pair: Pair) -> None:
    delivered: list[dict[str, Any]] = []
    asking = threading.Event()

    def gateway() -> None:
        asking.set()
        delivered.extend(pair.two.poll(25))

    waiting = threading.Thread(target=gateway)
    waiting.start()
    assert asking.wait(10)
    id_ = str(uuid.uuid4())
    began = time.monotonic()
    answer = pair.wish(pair.one, id_)  # waits itself for the gateway's word
    waiting.join(30)
    assert answer.status in (200, 202), answer.body
    assert [command["id"] for command in delivered] == [id_]
    assert time.monotonic() - began < 20  # far less than the gateway would have waited
    outcome = {"id": id_, "state": "done", "code": None, "values": {}, "at": int(time.time())}
    assert pair.two.bring({"id": 2, "kind": "command", "command": outcome}).status == 200
    assert pair.wish(pair.one, id_).status in (200, 202)  # again: the same wish, answered
    assert pair.one.poll(0) == pair.two.poll(0) == []


def test_one_wish_at_both_servers_at_once_is_one(pair: Pair) -> None:
    id_ = str(uuid.uuid4())
    answers: list[int] = []

    def press(server: Server) -> None:
        answers.append(pair.wish(server, id_).status)

    presses = [threading.Thread(target=press, args=(s,)) for s in (pair.one, pair.two) * 4]
    for each in presses:
        each.start()
    found = pair.one.poll(10)
    for each in presses:
        each.join()
    assert set(answers) <= {200, 202}
    assert len(answers) == 8
    assert [command["id"] for command in found] == [id_]


class Messages:
    """An SMS gateway that counts what it is given."""

    def __init__(self) -> None:
        heard: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                heard.append(body["message"])
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_words: object) -> None:
                pass

        self.heard = heard
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def messages(settings: Settings) -> Iterator[Messages]:
    made = Messages()
    file = settings.folder / "alerts.json"
    file.write_text(
        json.dumps({"sms": f"json://127.0.0.1:{made.server.server_address[1]}/{{phone}}"})
    )
    file.chmod(0o600)
    yield made
    made.close()


def test_of_two_servers_one_raises_an_alert_and_sends_each_message(
    messages: Messages, pair: Pair
) -> None:
    now = int(time.time())
    records = Records.of(pair.settings)
    with records.transaction() as session:
        person = people.find_person(session, pair.accounts["farmer"]["user"])
        assert person is not None
        to = {"id": "w", "person_id": person.id, "kind": "sms", "target": "84912345678"}
        more = {"name": "", "language": "vi", "least_level": "warning", "created_at": now}
        session.add(Way(**to, **more))
        session.flush()
        for number in range(30):  # both find them waiting at the same moment
            session.add(
                Notice(
                    id=f"n-{number}",
                    alert=None,
                    person_id=person.id,
                    way="w",
                    what="said",
                    level="alarm",
                    title="Nhà màng",
                    text=f"số {number}.",
                    state="waiting",
                    tries=0,
                    next_at=now,
                    made_at=now,
                )
            )
    alarm = {"id": "a-1", "code": "leak", "raised_at": now, "values": {}, "zone": ZONE}
    assert pair.one.bring({"id": 2, "kind": "alarm", "alarm": alarm}).status == 200
    deadline = time.monotonic() + 90
    while True:
        with records.session() as session:
            alerts = session.scalars(select(Alert.code)).all()
            states = session.scalars(select(Notice.state)).all()
        if "leak" in alerts and len(states) > 30 and set(states) == {"sent"}:
            break
        assert time.monotonic() < deadline, (alerts, states)
        time.sleep(0.1)
    assert alerts.count("leak") == 1
    assert len(messages.heard) == len(states)
    assert len(set(messages.heard)) == len(messages.heard)
    records.close()


def test_what_was_confirmed_is_there_although_a_server_was_killed(pair: Pair) -> None:
    """Both are written to without a pause while one is killed, twice, and started anew."""
    confirmed: list[int] = []
    lock, numbers = threading.Lock(), itertools.count(10)
    over = threading.Event()

    def gateway(which: str) -> None:
        while not over.is_set():
            with lock:
                number = next(numbers)
            alarm = {"id": f"a-{number}", "code": "leak", "raised_at": 5, "values": {}}
            server: Server = getattr(pair, which)
            try:
                answer = server.bring({"id": number, "kind": "alarm", "alarm": alarm})
            except (OSError, http.client.HTTPException):
                over.wait(0.02)  # killed in the middle; the gateway would bring it again
                continue
            if answer.status == 200:
                with lock:
                    confirmed.extend(json.loads(answer.body)["stored"])

    threads = [threading.Thread(target=gateway, args=(w,)) for w in ("one", "two") * 2]
    for thread in threads:
        thread.start()
    try:
        for which, number in (("one", 1), ("two", 2)):
            before = len(confirmed)
            deadline = time.monotonic() + 30
            while len(confirmed) < before + 20:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            old: Server = getattr(pair, which)
            old.kill()
            setattr(pair, which, start(pair.settings, number, old.port))
    finally:
        over.set()
        for thread in threads:
            thread.join()
    records = Records.of(pair.settings)
    with records.session() as session:
        kept = set(session.scalars(select(Alarm.id)))
        numbers_of_events = session.scalars(select(Event.number)).all()
    records.close()
    assert {f"a-{number}" for number in confirmed} <= kept
    assert len(numbers_of_events) == len(set(numbers_of_events))
    cookie = pair.log_in(pair.two, pair.one)
    assert pair.two.ask("/greenhouses", Cookie=cookie).status == 200
