"""The server process: starts with a sentence or not at all, ends at once, keeps its accounts."""

import json
import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from nongso.platform import demo, installation, migrations, people
from nongso.platform import settings as settings_of
from nongso.platform.settings import Settings
from nongso.platform.store import Records
from nongso.platform.telemetry import Row, Series, SqliteTelemetry

SECRET = "0123456789abcdef" * 4
KEY = "k" * 20 + "0123456789" * 2


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def write(folder: Path, **other: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "platform.json"
    found = {"folder": str(folder), "secret": SECRET, "port": free_port(), "threads": 4}
    file.write_text(json.dumps(found | other))
    file.chmod(0o600)
    return file


def start(file: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "nongso.commands", "platform", "run", "--settings", str(file)],
        stderr=subprocess.PIPE,
        text=True,
    )


def fails(file: Path) -> str:
    process = start(file)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1, said
    assert "Traceback" not in said
    return said


@contextmanager
def running(file: Path) -> Iterator[str]:
    url = f"http://127.0.0.1:{json.loads(file.read_text())['port']}"
    process = start(file)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(url + "/healthz", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None, process.communicate()[1]
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert "Traceback" not in said


def test_an_unsafe_or_unready_server_does_not_start(tmp_path: Path) -> None:
    assert "at least 32 random characters" in fails(write(tmp_path / "a", secret="changeme"))
    assert "nongso platform upgrade" in fails(write(tmp_path / "b"))
    file = write(tmp_path / "c")
    settings = settings_of.load(file)
    migrations.upgrade(settings)
    settings.telemetry_file.write_bytes(b"no database at all, but something else" * 50)
    with running(file) as url, urllib.request.urlopen(url + "/healthz", timeout=5) as answer:
        assert b"telemetry.sqlite.damaged-" in answer.read()  # it starts, and says so


def test_a_running_server_seals_the_days_that_are_over(tmp_path: Path) -> None:
    file = write(tmp_path)
    settings = settings_of.load(file)
    migrations.upgrade(settings)
    store = SqliteTelemetry(settings.telemetry_file)
    air = Series("tan-binh-1", "k1", "0001", "air_temperature")
    yesterday = int(time.time()) - 86400
    rows = [Row(air, yesterday - 600 * n, n % 90 / 10, 0) for n in range(600)]
    store.write(rows)
    with running(file), closing(sqlite3.connect(settings.telemetry_file)) as connection:
        deadline = time.monotonic() + 30
        while connection.execute("SELECT count(*) FROM sealed").fetchone()[0] < 3:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    (number,) = store.series()
    found = store.points([number], 0, 1 << 40)
    assert [tuple(point) for point in reversed(found)] == [row[1:] for row in rows]
    store.close()


def test_a_corrupt_database_is_named(tmp_path: Path) -> None:
    file = write(tmp_path)
    settings = settings_of.load(file)
    migrations.upgrade(settings)
    settings.records_file.write_bytes(os.urandom(8192))
    assert "records.sqlite" in fails(file)


def test_a_port_in_use_is_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        file = write(tmp_path, port=port)
        migrations.upgrade(settings_of.load(file))
        said = fails(file)
    assert (
        f"Cannot listen on 127.0.0.1 port {taken and json.loads(file.read_text())['port']}" in said
    )


def test_it_ends_at_once_although_a_gateway_waits(tmp_path: Path) -> None:
    file = write(tmp_path)
    settings = settings_of.load(file)
    migrations.upgrade(settings)
    accounts = demo.prepare(settings, "binh-lu", KEY)
    answers: list[object] = []

    def wait(url: str) -> None:
        request = urllib.request.Request(
            f"{url}/api/v1/gateways/binh-lu/commands?poll={'0' * 32}&wait=25",
            headers={"Authorization": "Bearer " + KEY},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                answers.append(answer.status)
        except OSError as error:
            answers.append(error)

    began = time.monotonic()
    with running(file) as url:
        waiter = threading.Thread(target=wait, args=(url,))
        waiter.start()
        request = urllib.request.Request(
            url + "/api/v1/greenhouses",
            headers={"Authorization": "Bearer " + accounts["farmer"]["token"]},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert json.load(answer) == {"greenhouses": []}
    waiter.join()
    assert answers
    assert time.monotonic() - began < 20


def test_it_answers_people_while_many_gateways_wait(tmp_path: Path) -> None:
    file = write(tmp_path)
    settings = settings_of.load(file)
    migrations.upgrade(settings)
    demo.prepare(settings, "binh-lu", KEY)

    def wait(url: str) -> None:
        request = urllib.request.Request(
            f"{url}/api/v1/gateways/binh-lu/commands?poll={'0' * 32}&wait=1",
            headers={"Authorization": "Bearer " + KEY},
        )
        urllib.request.urlopen(request, timeout=30).close()

    with running(file) as url:
        waiters = [threading.Thread(target=wait, args=(url,)) for _ in range(12)]
        for waiter in waiters:
            waiter.start()
        with urllib.request.urlopen(url + "/login", timeout=10) as page:
            assert page.status == 200
        for waiter in waiters:
            waiter.join()


@pytest.mark.parametrize("proxy", ["", "127.0.0.1"])
def test_only_a_named_proxy_is_believed_about_who_asks(tmp_path: Path, proxy: str) -> None:
    """Fifty wrong guesses that claim fifty addresses: a stranger's claim counts for nothing."""
    file = write(tmp_path, proxy=proxy)
    migrations.upgrade(settings_of.load(file))
    statuses = []
    with running(file) as url:
        with urllib.request.urlopen(url + "/login", timeout=10) as page:
            cookie = page.headers["Set-Cookie"].split(";")[0]
            text = page.read().decode()
        found = re.search(r'name="form_token" value="(\w+)"', text)
        assert found is not None
        for n in range(50):
            body = f"user=u{n}&password=wrong-{n}&form_token={found.group(1)}".encode()
            headers = {"Cookie": cookie, "X-Forwarded-For": f"198.51.100.{n}"}
            request = urllib.request.Request(url + "/login", body, headers)
            try:
                urllib.request.urlopen(request, timeout=10).close()
            except urllib.error.HTTPError as refused:
                statuses.append(refused.code)
                refused.close()
    assert len(statuses) == 50
    assert (429 in statuses) == (not proxy)


def test_accounts_are_made_once_and_lost_ones_can_be_had_anew(settings: Settings) -> None:
    first = demo.prepare(settings, "binh-lu", KEY)
    assert set(first) == {"farmer", "clerk", "officer", "admin"}
    assert demo.prepare(settings, "binh-lu", KEY, kept=first) == first
    lost = {role: found for role, found in first.items() if role != "clerk"}
    second = demo.prepare(settings, "binh-lu", KEY, kept=lost)
    assert second["farmer"] == first["farmer"]
    assert second["clerk"]["password"] != first["clerk"]["password"]
    renewed = demo.make_user(settings, "nguoitrong", "farmer", "binh-lu")
    assert renewed["user"] == first["farmer"]["user"]
    assert demo.make_user(settings, "mai", "clerk", "binh-lu")["password"]
    records = Records.of(settings)
    with records.session() as session:
        person = people.find_person(session, "nguoitrong")
        assert not people.password_fits(person, first["farmer"]["password"])
        assert people.password_fits(person, renewed["password"])
    records.close()
    stored = settings.records_file.read_bytes()
    for account in (*first.values(), *second.values(), renewed):
        assert account["password"].encode() not in stored
        assert account["token"].encode() not in stored


@pytest.mark.parametrize(
    ("user", "role", "cooperative", "says"),
    [
        ("x", "farmer", "nowhere", "no cooperative called 'nowhere'; there are: binh-lu"),
        ("Big Name ", "farmer", "binh-lu", "lower-case"),
        ("nguoitrong", "admin", "binh-lu", "is a farmer, not a admin"),
        ("nhanvien", "clerk", "nowhere", "no cooperative called 'nowhere'"),
        ("nhanvien", "clerk", "bac-ha", "nhanvien belongs to binh-lu, not to bac-ha"),
    ],
)
def test_a_user_that_cannot_be_is_explained(
    settings: Settings, user: str, role: str, cooperative: str, says: str
) -> None:
    demo.prepare(settings, "binh-lu", KEY)
    if cooperative == "bac-ha":
        installation.add_cooperative(settings, cooperative, "HTX Bắc Hà")
    with pytest.raises(ValueError, match=says):
        demo.make_user(settings, user, role, cooperative)


def test_a_second_password_for_a_person_is_told_as_such(settings: Settings) -> None:
    demo.prepare(settings, "binh-lu", KEY)
    assert demo.make_user(settings, "mai", "clerk", "binh-lu")["renewed"] is False
    assert demo.make_user(settings, "mai", "clerk", "binh-lu")["renewed"] is True


def test_a_command_on_a_database_of_another_age_gives_advice(tmp_path: Path) -> None:
    fresh = Settings(folder=tmp_path / "platform", secret="0123456789abcdef" * 4)
    commands = (
        lambda: demo.make_user(fresh, "mai", "clerk", "binh-lu"),
        lambda: demo.prepare(fresh, "binh-lu", KEY),
        lambda: installation.add_cooperative(fresh, "binh-lu", "HTX"),
        lambda: installation.add_gateway(fresh, "binh-lu", "binh-lu", KEY),
    )
    for _ in ("no folder", "empty file"):
        for command in commands:
            with pytest.raises(migrations.SchemaError, match="nongso platform upgrade"):
                command()
        fresh.folder.mkdir(exist_ok=True)
        fresh.records_file.touch()


def test_only_its_owner_reads_the_databases(tmp_path: Path) -> None:
    def rights(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    fresh = Settings(folder=tmp_path / "a" / "platform", secret="0123456789abcdef" * 4)
    migrations.upgrade(fresh)
    SqliteTelemetry(fresh.telemetry_file).close()
    assert rights(fresh.folder) == 0o700
    assert rights(fresh.records_file) == rights(fresh.telemetry_file) == 0o600
    fresh.records_file.chmod(0o644)  # as an earlier version made it
    Records(fresh.records_file).close()
    assert rights(fresh.records_file) == 0o600
    file = tmp_path / "b" / "platform.json"
    installation.write_settings(file, "https://nongso.example", None, None)
    assert rights(file.parent) == 0o700


def test_the_api_describes_itself(settings: Settings) -> None:
    from office import open_place

    place = open_place(settings)
    found = place.app.test_client().get("/api/v1/openapi.json").json
    place.close()
    assert found["openapi"].startswith("3.1")
    paths = found["paths"]
    water = paths["/api/v1/zones/{zone_id}/water"]["post"]
    assert water["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/Water")
    assert {"202", "400", "401", "403", "404", "409", "503"} <= set(water["responses"])
    assert water["security"] == [{"token": ["water"]}]
    for path in ("greenhouses", "series", "zones/{zone_id}/runs", "stop", "openapi.json"):
        assert "/api/v1/" + path in paths
    ids = [o["operationId"] for methods in paths.values() for o in methods.values()]
    assert len(ids) == len(set(ids))
