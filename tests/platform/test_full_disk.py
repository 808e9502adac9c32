"""A server whose disk is full, read-only or locked: it says so, shows pages, stops the water."""

import json
import sqlite3
import subprocess
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import migrated
import pytest
from flask.testing import FlaskClient
from office import KEY, NODE_1, PASSWORD, Place, form_token, open_place
from test_pages import fresh, text_of
from test_server import running, start, write
from test_watering import said
from tight_disk import TightDisk, tight_disk

from nongso.platform import health, migrations, store
from nongso.platform import settings as settings_of
from nongso.platform.greenhouse import commands, operations
from nongso.platform.greenhouse.records import Command
from nongso.platform.greenhouse.unwritten import UnwrittenStops
from nongso.platform.settings import Settings

PAGE = "/greenhouses/tan-binh-1"
LOOKS = ("/greenhouses", PAGE, PAGE + "?days=7", "/api/v1/greenhouses", "/login")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[TightDisk]:
    with tight_disk(tmp_path / "disk") as made:
        yield made


@pytest.fixture
def farm(disk: TightDisk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A platform on the small disk, with its farm and fresh readings."""
    monkeypatch.setattr(commands, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.0)
    settings = Settings(folder=disk.folder / "platform", secret="0123456789abcdef" * 4)
    settings.folder.mkdir()
    migrated.lay_down(settings)
    made = open_place(settings)
    made.configure()
    made.poll()
    fresh(made)
    yield made
    made.close()


@contextmanager
def gateway_that_stops(farm: Place) -> Iterator[list[dict[str, Any]]]:
    """A gateway on its long poll; it closes its valves and tries to tell, over and over."""
    heard: list[dict[str, Any]] = []
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            for offered in farm.poll(wait=0.2):
                body = json.loads(offered["body"])
                heard.append(body)
                outcome = {"id": body["id"], "state": "done", "code": "stopped", "values": {}}
                farm.bring(farm.row("command", command=outcome | {"at": int(time.time())}))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield heard
    finally:
        over.set()
        thread.join()


def press_stop(client: FlaskClient, token: str, path: str = PAGE + "/stop") -> Any:
    return client.post(path, data={"form_token": token, "wish": str(uuid.uuid4())})


def healthz(farm: Place) -> tuple[int, dict[str, Any]]:
    answer = farm.app.test_client().get("/healthz")
    return answer.status_code, answer.json


def commands_of(farm: Place) -> list[str]:
    with farm.records.session() as session:
        return [c.do for c in session.query(Command).order_by(Command.number)]


# --- full --------------------------------------------------------------------------------------


def test_every_page_can_still_be_read(farm: Place, disk: TightDisk) -> None:
    client = farm.client("farmer")
    disk.fill()
    for path in LOOKS:
        assert client.get(path, follow_redirects=True).status_code == 200, path
    assert farm.ask("/api/v1/series?greenhouse=tan-binh-1&metric=light").status_code == 200


def test_whoever_is_logged_in_stays_so_and_sees_what_is_wrong(
    farm: Place, disk: TightDisk
) -> None:
    client = farm.client("farmer")
    token = form_token(client.get(PAGE))
    disk.fill()
    form = {"form_token": token, "wish": str(uuid.uuid4())}
    answer = client.post(PAGE + "/mode", data=form | {"zone": "tan-binh-1-k1", "mode": "off"})
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    words = text_of(answer.text)
    assert "Máy chủ hết chỗ lưu" in words
    assert "Chưa ghi gì cả. Xin báo người phụ trách máy" in words
    assert "Đăng xuất" in words  # still logged in
    for path in ("/greenhouses", PAGE):
        assert "Máy chủ đang không ghi được" in text_of(client.get(path).text), path
    disk.make_room()
    assert healthz(farm)[0] == 200
    for path in ("/greenhouses", PAGE):
        assert "Máy chủ đang không ghi được" not in text_of(client.get(path).text), path


def test_logging_in_and_every_other_press_is_answered_with_a_sentence(
    farm: Place, disk: TightDisk
) -> None:
    stranger = farm.client()
    token = form_token(stranger.get("/login"))
    disk.fill()
    for password in (PASSWORD, "falsches-wort"):
        form = {"user": "farmer", "password": password, "form_token": token}
        answer = stranger.post("/login", data=form)
        assert answer.status_code == 503
        assert "Máy chủ hết chỗ lưu" in answer.text
    wish = {"seconds": 20, "id": str(uuid.uuid4())}
    answer = farm.ask("/api/v1/zones/tan-binh-1-k1/water", wish)
    assert (answer.status_code, answer.json["code"]) == (503, "disk_full")
    assert answer.content_type == "application/problem+json"
    assert answer.json["detail"].startswith("Máy chủ hết chỗ lưu. Chưa ghi gì cả.")
    disk.make_room()
    assert farm.ask("/api/v1/zones/tan-binh-1-k1/water", wish).status_code == 202


def test_the_gateway_keeps_its_rows(farm: Place, disk: TightDisk) -> None:
    disk.fill()
    rows = [
        farm.readings(NODE_1, *[["light", int(time.time()) - n, 1.0, 16] for n in range(3000)]),
        farm.row("node", node={"eui64": NODE_1, "state": "online", "at": int(time.time())}),
    ]
    answer = farm.bring(*rows)
    assert (answer.status_code, answer.json["code"]) == (503, "disk_full")
    assert "stored" not in answer.json
    assert int(answer.headers["Retry-After"]) > 0
    disk.make_room()
    assert farm.bring(*rows).json["stored"] == [row["id"] for row in rows]


def test_healthz_says_what_is_wrong_and_when_it_is_over(farm: Place, disk: TightDisk) -> None:
    assert healthz(farm)[0] == 200
    disk.fill()
    status, found = healthz(farm)
    assert (status, found["status"]) == (503, "disk_full")
    assert "the disk is full" in found["troubles"]["disk"]
    farm.ask("/api/v1/stop", {})
    status, found = healthz(farm)
    assert "the disk is full" in found["troubles"]["records.sqlite"]
    disk.make_room()
    assert healthz(farm) == (200, healthz(farm)[1])
    assert healthz(farm)[1]["troubles"] == {}


def test_the_water_is_stopped_although_nothing_can_be_written(
    farm: Place, disk: TightDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "ANSWER_SECONDS", 5.0)
    client = farm.client("clerk")
    token = form_token(client.get(PAGE))
    disk.fill()
    with gateway_that_stops(farm) as heard:
        answer = press_stop(client, token)
        assert answer.status_code == 303
        assert said(client.get(answer.location).text).startswith("Đã dừng. Bơm và các van đã tắt")
        (order,) = farm.ask("/api/v1/stop", {}).json["commands"]
        assert order["state"] == "done"
    assert [body["do"] for body in heard] == ["stop", "stop"]
    assert heard[0]["by"] == "Clerk"
    assert commands_of(farm) == []


@pytest.mark.parametrize("when", ["before the press", "before the answer"])
@pytest.mark.parametrize("state", ["done", "refused"])
def test_the_page_tells_what_the_gateway_says_with_its_next_poll(
    farm: Place, disk: TightDisk, monkeypatch: pytest.MonkeyPatch, when: str, state: str
) -> None:
    """Its rows wait until the disk takes them again; its valves are closed all the same."""
    monkeypatch.setattr(commands, "ANSWER_SECONDS", 8.0)
    client = farm.client("clerk")
    token = form_token(client.get(PAGE))
    if when == "before the press":
        disk.fill()
    over = threading.Event()

    def serve() -> None:
        heard: list[str] = []
        while not over.is_set():
            offered = farm.poll(wait=0.2, heard=heard)
            heard = [f"{json.loads(one['body'])['id']}.{state}.stopped" for one in offered]
            if offered and when == "before the answer":
                disk.fill()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        answer = press_stop(client, token)
        told = said(client.get(answer.location).text)
    finally:
        over.set()
        thread.join()
    if state == "done":
        assert told.startswith("Đã dừng. Bơm và các van đã tắt")
    else:
        assert "không điều khiển được van. Xin ra đóng van bằng tay." in told


def test_a_word_about_another_gateways_stop_is_not_believed(farm: Place) -> None:
    (order,) = farm.ask("/api/v1/stop", {}).json["commands"]
    stops: UnwrittenStops = farm.app.extensions["nongso.unwritten"]
    stops.hear("bac-ha", order["id"], "done", "stopped", 1)
    with farm.app.test_request_context(), farm.records.session() as session:
        written = session.get_one(Command, order["id"])
        told = stops.as_told(written)
        assert (told.state, written.state) == ("sent", "sent")


@pytest.mark.parametrize(
    "word", ["", "x", "done", "a.b.c", "0" * 36 + ".opened.", "0" * 36 + ".done.<script>"]
)
def test_a_word_that_is_none_is_passed_over(farm: Place, word: str) -> None:
    assert farm.poll(heard=[word]) == []


def test_a_stop_from_memory_is_written_down_when_there_is_room(
    farm: Place, disk: TightDisk
) -> None:
    wish = {"seconds": 20, "id": str(uuid.uuid4())}
    assert farm.ask("/api/v1/zones/tan-binh-1-k1/water", wish).status_code == 202
    disk.fill()
    (order,) = farm.ask("/api/v1/stop", {}).json["commands"]
    assert order["state"] == "sent"
    (offered,) = farm.poll()  # the stop alone; what was wished before it waits behind it
    stop = json.loads(offered["body"])
    assert (stop["id"], stop["do"]) == (order["id"], "stop")
    outcome = {"id": stop["id"], "state": "done", "code": "stopped", "at": int(time.time())}
    row = farm.row("command", command=outcome)
    assert farm.bring(row).status_code == 503
    disk.make_room()
    assert farm.bring(row).json == {"stored": [row["id"]], "refused": []}
    with farm.records.session() as session:
        wished, written = session.query(Command).order_by(Command.number).all()
        assert (written.id, written.state, written.by) == (stop["id"], "done", "Farmer")
        assert (wished.state, wished.code) == ("refused", "stopped_meanwhile")
        assert written.number == stop["number"]
        assert wished.number < stop["number"]
    assert farm.poll() == []


def test_the_same_stop_twice_is_one_stop(farm: Place, disk: TightDisk) -> None:
    disk.fill()
    body = {"id": str(uuid.uuid4())}
    first = farm.ask("/api/v1/stop", body).json["commands"]
    assert farm.ask("/api/v1/stop", body).json["commands"] == first
    disk.make_room()
    assert farm.ask("/api/v1/stop", body).json["commands"][0]["id"] == first[0]["id"]
    assert commands_of(farm) == ["stop"]


def test_nobody_else_is_stopped_by_it(farm: Place, disk: TightDisk) -> None:
    disk.fill()
    assert farm.ask("/api/v1/stop", {}, user="farmer-bac-ha").json["commands"] == []
    assert farm.poll() == []


def test_a_server_starts_although_its_disk_is_full(
    farm: Place, disk: TightDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    farm.close()
    disk.fill()
    again = open_again(farm)
    assert again.ask("/api/v1/greenhouses").status_code == 200
    assert again.ask("/api/v1/stop", {}).status_code == 202
    assert [json.loads(c["body"])["do"] for c in again.poll()] == ["stop"]
    again.close()
    disk.make_room()
    reopened = open_again(farm)
    farm.app = reopened.app


def test_a_server_whose_disk_is_full_starts_and_ends_as_always(disk: TightDisk) -> None:
    file = write(disk.folder / "server")
    settings = settings_of.load(file)
    migrations.upgrade(settings)
    with running(file):
        disk.fill()
    process = start(file)
    try:
        url = f"http://127.0.0.1:{settings.port}/healthz"
        found = wait_for_trouble(url, process)
    finally:
        process.terminate()
        _, words = process.communicate(timeout=30)
    assert found["status"] == "disk_full"
    assert process.returncode == 0, words
    assert "Traceback" not in words


def wait_for_trouble(url: str, process: subprocess.Popen[str]) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError as unwell:
            found: dict[str, Any] = json.load(unwell)
            unwell.close()
            return found
        except OSError:
            time.sleep(0.05)  # not listening yet
    raise AssertionError("the server says that all is well, or says nothing")


def open_again(farm: Place) -> Place:
    from nongso.platform import app as app_of

    return Place(farm.settings, app_of.create_app(farm.settings), farm.rows, farm.tokens)


# --- read-only, locked, unreadable -------------------------------------------------------------


def test_a_read_only_disk_is_told_apart(farm: Place, disk: TightDisk) -> None:
    farm.close()
    disk.allow_writing(False)
    try:
        again = open_again(farm)
        answer = again.ask("/api/v1/zones/tan-binh-1-k1/water", {"seconds": 9, "id": new_id()})
        assert (answer.status_code, answer.json["code"]) == (503, "disk_read_only")
        assert healthz(again)[1]["status"] == "disk_read_only"
        assert again.ask("/api/v1/stop", {}).status_code == 202
        assert [json.loads(c["body"])["do"] for c in again.poll()] == ["stop"]
        assert again.bring(again.readings(NODE_1, ["light", 5, 1.0, 16])).status_code == 503
        for path in LOOKS:
            assert again.ask(path).status_code in (200, 303), path
        again.close()
    finally:
        disk.allow_writing(True)
    farm.app = open_again(farm).app


def new_id() -> str:
    return str(uuid.uuid4())


@pytest.mark.parametrize("lock", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_stop_does_not_wait_for_somebody_who_holds_the_records_locked(
    farm: Place, lock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BUSY_SECONDS", 0.2)
    monkeypatch.setattr(operations, "PATIENCE_SECONDS", 0.1)
    farm.records.engine.dispose()  # the connections that were opened with more patience
    client = farm.client("farmer")
    token = form_token(client.get(PAGE))
    with closing(sqlite3.connect(farm.settings.records_file, isolation_level=None)) as other:
        other.execute("BEGIN " + lock)
        answer = press_stop(client, token)
        assert answer.status_code in (200, 303)
        assert [json.loads(c["body"])["do"] for c in farm.poll()] == ["stop"]
        wish = {"seconds": 20, "id": new_id()}
        refused = farm.ask("/api/v1/zones/tan-binh-1-k1/water", wish)
        assert (refused.status_code, refused.json["code"]) == (503, "database_busy")
        form = {"form_token": token, "wish": new_id(), "zone": "tan-binh-1-k1", "mode": "off"}
        page = client.post(PAGE + "/mode", data=form)
        assert page.status_code == 503
        assert "Máy chủ đang bận ghi số liệu" in page.text
        assert farm.bring(farm.row("node", node={})).status_code in (200, 503)
        assert healthz(farm)[1]["status"] == "database_busy"
        other.execute("ROLLBACK")
    assert healthz(farm)[0] == 200
    farm.bring()
    assert commands_of(farm) == ["stop"]


def test_the_water_is_stopped_although_nothing_can_even_be_read(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every page of the file is rubbish, and the gateway still hears the stop."""
    monkeypatch.setattr(commands, "ANSWER_SECONDS", 5.0)
    client, stranger = farm.client("farmer"), farm.client()
    other = farm.client("farmer-bac-ha")
    token, other_token = form_token(client.get(PAGE)), form_token(other.get("/greenhouses"))
    farm.records.engine.dispose()
    size = farm.settings.records_file.stat().st_size
    farm.settings.records_file.write_bytes(b"\x00" * 100 + b"\xff" * (size - 100))
    with gateway_that_stops(farm) as heard:
        for path in (PAGE + "/stop", "/greenhouses/stop"):
            answer = press_stop(client, token, path)
            assert answer.status_code == 200
            assert (
                "Đã dừng. Bơm và các van đã tắt. Thấy nước còn chảy thì xin ra khóa van bằng tay."
                in text_of(answer.text)
            )
        answer = press_stop(other, other_token, "/greenhouses/stop")
        assert "Xin ra đóng van bằng tay." in text_of(answer.text)
        assert press_stop(stranger, token, "/greenhouses/stop").status_code in (400, 401, 503)
    assert [body["do"] for body in heard] == ["stop", "stop"]
    for path in ("/greenhouses", PAGE):
        page = client.get(path)
        assert page.status_code == 503, path
        assert "Tệp dữ liệu của máy chủ bị hỏng" in text_of(page.text)
        assert 'action="/greenhouses/stop"' in page.text, "the button that still works"
    assert farm.app.test_client().get("/healthz").json["status"] == "database_damaged"
    assert farm.bring(farm.readings(NODE_1, ["light", 5, 1.0, 16])).status_code == 503


def test_a_stranger_s_key_opens_nothing_while_the_records_cannot_be_read(farm: Place) -> None:
    farm.records.engine.dispose()
    farm.settings.records_file.write_bytes(b"rubbish" * 10_000)
    for key in ("another-key-of-forty-characters-12345678", KEY[:-1]):
        answer = farm.bring(key=key)
        assert answer.status_code == 503


@pytest.mark.skipif(store.journal_mode() == "wal", reason="this SQLite may have a write-ahead log")
def test_healthz_says_that_this_sqlite_may_damage_its_records(farm: Place) -> None:
    assert healthz(farm)[0] == 200
    with closing(sqlite3.connect(farm.settings.records_file)) as other:
        other.execute("PRAGMA journal_mode = wal")  # as a newer machine may have left it
        farm.app.extensions["nongso.probe"]._next = 0.0
        status, found = healthz(farm)
        assert (status, found["status"]) == (503, "sqlite_unsafe")
        assert sqlite3.sqlite_version in found["troubles"]["sqlite"]
