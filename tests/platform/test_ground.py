"""The ground: settings, records, schema, events, and what every answer carries."""

import gc
import json
import re
import sqlite3
import threading
import weakref
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from office import Place, form_token
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError

from nongso.platform import events, migrations, settings, store
from nongso.platform.listening import FORWARDED
from nongso.platform.people import Cooperative
from nongso.platform.settings import Settings, SettingsError

SECRET = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is not JSON"),
        ("[]", "an object"),
        ('{"folder": "x"}', "secret must be a text"),
        ('{"folder": "x", "secret": "secret"}', "at least 32 random characters"),
        (json.dumps({"folder": "x", "secret": "a" * 64}), "at least 32 random characters"),
        (json.dumps({"folder": "x", "secret": SECRET, "port": "80"}), "port must be a whole"),
        (json.dumps({"folder": "x", "secret": SECRET, "prot": 80}), "unknown field 'prot'"),
        (json.dumps({"folder": "x", "secret": SECRET, "url": "demo"}), "url must be an http"),
        (json.dumps({"folder": "x", "secret": SECRET, "proxy": "*"}), "proxy must be an IP"),
    ],
)
def test_settings_that_cannot_be_used_are_named(tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "platform.json"
    file.write_text(content)
    with pytest.raises(SettingsError, match=says):
        settings.load(file)


def test_settings_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.json: cannot be read"):
        settings.load(tmp_path / "nowhere.json")


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 52, 0), False),
        ((3, 54, 1), True),
    ],
)
def test_the_write_ahead_log_is_used_only_where_it_is_repaired(
    version: tuple[int, int, int], safe: bool
) -> None:
    assert store.wal_is_safe(version) is safe


def test_the_database_is_opened_as_promised(place: Place) -> None:
    with place.records.session() as session:
        assert session.scalar(text("PRAGMA synchronous")) == 3  # EXTRA
        assert session.scalar(text("PRAGMA foreign_keys")) == 1
        assert session.scalar(text("PRAGMA journal_mode")) == store.journal_mode()


def test_a_closed_database_is_not_kept_in_memory(settings: Settings) -> None:
    records = store.Records.of(settings)
    with records.transaction() as session:
        session.add(Cooperative(slug="binh-lu", name="HTX Bình Lư"))
    records.close()
    gone = weakref.ref(records), weakref.ref(records.engine)
    del records, session
    gc.collect()
    assert [one() for one in gone] == [None, None]


def test_writing_outside_a_transaction_is_a_mistake(place: Place) -> None:
    with place.records.session() as session:
        session.add(Cooperative(slug="x", name="x"))
        with pytest.raises(store.WriteOutsideTransaction):
            session.flush()


def test_what_fails_half_way_is_taken_back(place: Place) -> None:
    def fail() -> None:
        with place.records.transaction() as session:
            session.add(Cooperative(slug="x", name="x"))
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with place.records.session() as session:
        assert session.get(Cooperative, "x") is None


def test_many_writers_wait_for_each_other(place: Place) -> None:
    """Each reads before it writes; with deferred transactions some would fail as locked."""

    def write(n: int) -> None:
        for k in range(5):
            with place.records.transaction() as session:
                session.get(Cooperative, "binh-lu")
                session.add(Cooperative(slug=f"c-{n}-{k}", name="x"))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with place.records.session() as session:
        assert session.scalar(text("SELECT count(*) FROM cooperative WHERE slug LIKE 'c-%'")) == 40


def test_the_version_changes_with_every_write_of_anybody(place: Place) -> None:
    before = place.records.version()
    assert place.records.version() == before
    other = store.Records.of(place.settings)  # as another server process has it
    with other.transaction() as session:
        session.add(Cooperative(slug="x", name="x"))
    other.close()
    assert place.records.version() != before


def test_the_migrated_schema_is_what_the_code_expects(place: Place) -> None:
    with place.records.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, store.Base.metadata) == []


def test_migrations_go_down_again(settings: Settings) -> None:
    records = store.Records.of(settings)
    with records.engine.connect().execution_options(writes=True) as connection:
        command.downgrade(migrations._config(connection), "base")
        connection.commit()
        assert inspect(connection).get_table_names() == ["alembic_version"]
    records.close()
    assert migrations.upgrade(settings)


def test_an_empty_or_newer_database_is_refused_with_advice(tmp_path: Path) -> None:
    from nongso.platform.app import create_app

    fresh = Settings(folder=tmp_path, secret=SECRET)
    with pytest.raises(migrations.SchemaError, match="nongso platform upgrade"):
        create_app(fresh)
    migrations.upgrade(fresh)
    other = sqlite3.connect(fresh.records_file)
    with other:
        other.execute("INSERT INTO alembic_version VALUES ('from_the_future')")
    other.close()
    for attempt in (create_app, migrations.upgrade):
        with pytest.raises(migrations.SchemaError, match="newer version of nongso"):
            attempt(fresh)


def an_event(session: object, number: int = 1, **other: object) -> events.Event:
    body: dict[str, object] = {
        "id": f"e-{number}",
        "type": "planted",
        "at": 1790000000,
        "actor": "person",
        "cooperative": "binh-lu",
        "body": {"crop": "cà chua"},
        "subjects": ["greenhouse:tan-binh-1", "lot:K7M4"],
    }
    return events.append(session, **(body | other))  # type: ignore[arg-type]


def test_events_are_told_in_the_order_of_recording(place: Place) -> None:
    with place.records.transaction() as session:
        for n in range(5):
            an_event(session, n, subjects=[f"lot:{n % 2}"])
        found = events.read(session, subject="lot:0")
        assert [e.id for e in found] == ["e-0", "e-2", "e-4"]
        assert events.read(session, subject="lot:0", after=found[0].number, limit=1)[0].id == "e-2"
        assert events.subjects_of(session, found[0].number) == ["lot:0"]


def test_the_same_event_twice_is_one_and_another_under_its_id_is_refused(place: Place) -> None:
    with place.records.transaction() as session:
        first = an_event(session)
        assert an_event(session).number == first.number
        with pytest.raises(events.EventConflict):
            an_event(session, body={"crop": "dưa"})


@pytest.mark.parametrize(
    "deed",
    [
        "UPDATE event SET type = 'x'",
        "DELETE FROM event",
        "DELETE FROM event_subject",
        "UPDATE event_subject SET subject = 'x'",
        "REPLACE INTO event SELECT * FROM event",
    ],
)
def test_an_event_can_be_neither_changed_nor_deleted(place: Place, deed: str) -> None:
    if deed.startswith("REPLACE") and not place.records.is_file:
        pytest.skip("only SQLite has REPLACE")
    with place.records.transaction() as session:
        an_event(session)
    with (
        pytest.raises(IntegrityError, match="append-only"),
        place.records.transaction() as session,
    ):
        session.execute(text(deed))


def test_every_answer_carries_the_security_headers(farm: Place) -> None:
    client = farm.client("farmer")
    for path, status in [
        ("/login", 303),
        ("/greenhouses", 200),
        ("/greenhouses/nowhere", 404),
        ("/no/such/page", 404),
        ("/api/v1/series", 400),
        ("/api/v1/gateways/binh-lu/commands", 403),
        ("/static/nongso.css", 200),
        ("/healthz", 200),
    ]:
        answer = client.get(path)
        answer.close()
        assert answer.status_code == status, path
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"


def test_https_makes_cookies_secure(settings: Settings) -> None:
    from dataclasses import replace

    from nongso.platform.app import create_app

    app = create_app(replace(settings, url="https://nongso.example"))
    answer = app.test_client().get("/login")
    assert "Secure" in answer.headers["Set-Cookie"]
    assert answer.headers["Strict-Transport-Security"]
    app.extensions["nongso.records"].close()
    app.extensions["nongso.telemetry"].close()


def test_errors_say_in_plain_words_what_to_do(farm: Place) -> None:
    page = farm.client("farmer").get("/no/such/page").text
    assert "Không tìm thấy trang này" in page
    assert "Werkzeug" not in page
    huge = farm.client("farmer").post("/login", data={"user": "x" * (9 * 1024 * 1024)})
    assert huge.status_code == 413
    assert "nhỏ hơn 8 MB" in huge.text
    problem = farm.ask("/api/v1/nowhere")
    assert problem.content_type == "application/problem+json"
    assert problem.json["status"] == 404


def test_a_fault_of_ours_is_logged_and_not_shown(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    from nongso.platform.accounts import public

    @public
    def broken() -> str:
        raise RuntimeError("the secret inside")

    place.app.add_url_rule("/broken", "broken", broken, methods=["GET", "POST"])
    answer = place.client().get("/broken")
    assert answer.status_code == 500
    assert "the secret inside" not in answer.text
    assert "Trang này chưa mở được" in answer.text
    assert "vừa bấm" not in answer.text
    client = place.client()
    token = form_token(client.get("/login"))
    assert "Việc vừa bấm" in client.post("/broken", data={"form_token": token}).text
    assert "the secret inside" in caplog.text


def test_health_and_metrics_are_told(farm: Place) -> None:
    health = farm.client().get("/healthz").json
    assert health["status"] == "ok"
    assert health["journal"] in ("wal", "delete")
    metrics = farm.client().get("/metrics").text
    assert "nongso_readings_stored_total 0" in metrics
    assert "nongso_gateways 1" in metrics
    assert "nongso_healthy 1" in metrics
    assert re.search(r'nongso_build_info\{version="[^"]*",sqlite="3\.[0-9.]+"\} 1', metrics)


def test_numbers_of_the_machine_are_for_who_looks_after_it(farm: Place) -> None:
    def status(token: str = "", **asked: object) -> int:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        client = farm.app.test_client()
        return client.get("/metrics", headers=headers, environ_base=asked).status_code

    assert status() == 200
    assert status(REMOTE_ADDR="::1") == 200
    stranger = {"REMOTE_ADDR": "203.0.113.7"}
    behind_a_proxy = {"REMOTE_ADDR": "127.0.0.1", FORWARDED: True}
    for elsewhere in (stranger, behind_a_proxy):
        assert status(**elsewhere) == 403
        for role, wanted in (("officer", 200), ("admin", 200), ("farmer", 403), ("clerk", 403)):
            assert status(farm.tokens[role], **elsewhere) == wanted, role
