"""Records in PostgreSQL: what its door promises, what a wrong setting is told, its troubles."""

import json
import logging
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import migrated
import pytest
from office import Place, form_token, open_place
from postgresql_server import PASSWORD, Server, running
from sqlalchemy import event, inspect, select, text

from nongso.platform import events, migrations, records_address
from nongso.platform import settings as settings_of
from nongso.platform.greenhouse.records import Alarm
from nongso.platform.people import Cooperative
from nongso.platform.settings import Settings, SettingsError
from nongso.platform.storage import StorageError, Trouble
from nongso.platform.store import Records

SECRET = "0123456789abcdef" * 4


@pytest.fixture
def database() -> str:
    return "postgresql"


def test_a_setting_names_a_database() -> None:
    read = records_address.read
    assert read("") == read("sqlite:///records.sqlite")
    found = read("postgresql://nong%40so:m%2Ft%3A@db.example:6432/htx?sslmode=verify-full")
    assert (found.user, found.password, found.host, found.port) == (
        "nong@so",
        "m/t:",
        "db.example",
        6432,
    )
    assert found.database == "htx"
    assert found.options == (("sslmode", "verify-full"),)
    assert found.name == "htx on PostgreSQL at db.example:6432"
    assert read("postgresql:///htx?host=/run/postgresql").name == (
        "htx on PostgreSQL at /run/postgresql"
    )
    assert read("postgresql://[::1]/htx").name == "htx on PostgreSQL at [::1]"
    assert "m/t" not in repr(found)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("mysql://u:s3cret@h/d", "mysql: is no database for the records"),
        ("postgres://u:s3cret@h/d", "postgres: is no database"),
        ("postgresql+psycopg://u:s3cret@h/d", "is no database"),
        ("records.sqlite", "is no database"),
        ("sqlite:////srv/records.sqlite", "a file of the platform's folder"),
        ("postgresql://u:s3cret@h", "one database must be named"),
        ("postgresql://u:s3/cret@h/d", "cannot be read"),
        ("postgresql://u:s3cret@h/d#x", "one database must be named"),
        ("postgresql://u:s3cret@h:port/d", "cannot be read"),
        ("postgresql://u:s3cret@h/d?password=s3cret", "no option 'password'"),
        ("postgresql://u:s3cret@h/d%00", "cannot be read"),
    ],
)
def test_a_wrong_setting_is_a_sentence_without_the_password(setting: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says) as error:
        settings_of.checked({"folder": "x", "secret": SECRET, "records": setting}, "platform.json")
    assert "platform.json: records: " in str(error.value)
    assert "cret" not in str(error.value)


def test_the_environment_goes_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "platform.json"
    file.write_text(json.dumps({"folder": str(tmp_path), "secret": SECRET}))
    assert settings_of.load(file).records_in_file
    monkeypatch.setenv("NONGSO_RECORDS", "postgresql://u:s3cret@h/d")
    found = settings_of.load(file)
    assert not found.records_in_file
    assert found.records_name == "d on PostgreSQL at h"
    assert "s3cret" not in repr(found)


def test_without_its_driver_the_setting_says_what_to_install(tmp_path: Path) -> None:
    """In a process of its own: who uses SQLite needs no psycopg, and never loads it."""
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.modules['psycopg'] = None\n"
            "from pathlib import Path\n"
            "from nongso.platform import app, migrations, settings\n"
            "plain = settings.Settings(folder=Path(sys.argv[1]), secret='')\n"
            "migrations.upgrade(plain)\n"
            "there = settings.Settings(folder=plain.folder, secret='',"
            " records='postgresql://u:s3cret@h/d')\n"
            "migrations.upgrade(there)",
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        check=False,
    ).stderr
    assert "install nongso[postgres]" in said.splitlines()[-1]
    assert "s3cret" not in said


@pytest.mark.parametrize(
    ("made", "says"),
    [
        ("TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'", "SQL_ASCII"),
        (
            "TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'vi' LOCALE 'C'",
            "locale C",
        ),
    ],
)
def test_a_database_that_sorts_or_writes_otherwise_is_refused_with_the_right_command(
    tmp_path: Path, postgresql: Server, made: str, says: str
) -> None:
    name = postgresql.empty(made)
    fresh = Settings(folder=tmp_path, secret=SECRET, records=postgresql.url(name))
    with pytest.raises(migrations.SchemaError, match=says) as error:
        migrations.upgrade(fresh)
    assert "createdb --template=template0 --encoding=UTF8 --locale=C" in str(error.value)
    postgresql.drop(name)


def test_an_empty_older_or_newer_database_is_refused_with_advice(
    tmp_path: Path, postgresql: Server
) -> None:
    name = postgresql.empty()
    fresh = Settings(folder=tmp_path, secret=SECRET, records=postgresql.url(name))
    records = Records.of(fresh)
    with pytest.raises(migrations.SchemaError, match=r"is empty.*nongso platform upgrade"):
        migrations.check(fresh, records)
    fresh.telemetry_file.touch()
    with pytest.raises(migrations.SchemaError, match="a platform has worked here"):
        migrations.upgrade(fresh)
    assert migrations.upgrade(fresh, new_records=True)
    migrations.check(fresh, records)
    assert migrations.upgrade(fresh)  # a second time changes nothing
    postgresql.ask("INSERT INTO alembic_version VALUES ('from_the_future')", database=name)
    with pytest.raises(migrations.SchemaError, match="newer version of nongso"):
        migrations.upgrade(fresh)
    records.close()
    postgresql.drop(name)


def test_every_whole_number_has_eight_bytes(place: Place) -> None:
    """Integer has four there: times end in 2038. Revisions write ``schema.WHOLE``."""
    with place.records.engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT table_name, column_name FROM information_schema.columns "
                "WHERE table_schema = 'public' AND data_type IN ('integer', 'smallint')"
            )
        ).all()
    assert found == []


def test_times_behind_2038_are_kept(farm: Place) -> None:
    late = 7_000_000_000
    row = farm.row("alarm", alarm={"id": "a-1", "code": "leak", "raised_at": late, "values": {}})
    answer = farm.bring(row)
    assert answer.json is not None
    assert answer.json["refused"] == []
    with farm.records.session() as session:
        assert session.get_one(Alarm, "a-1").raised_at == late


def test_the_password_stands_in_no_error_and_no_log(
    tmp_path: Path, postgresql: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    name = postgresql.copy()
    url = postgresql.url(name)
    wrong = [
        url.replace("nongso:", "nobody-here:"),
        url.replace(f":{postgresql.port}/", ":1/"),
        url + "x",
        url + "?sslmode=verify-full",
        url + "?sslmode=nonsense",
    ]
    said = ""
    for records in wrong:
        there = Settings(folder=tmp_path, secret=SECRET, records=records)
        for deed in (migrations.upgrade, _opened):
            with pytest.raises(migrations.SchemaError) as error:
                deed(there)
            said += "".join(str(e) + repr(e) for e in _chain(error.value))
    there = Settings(folder=tmp_path, secret=SECRET, records=url)
    records = Records.of(there)
    with pytest.raises(Exception, match="nowhere") as failed, records.transaction() as session:
        session.execute(text("SELECT nowhere FROM person WHERE id = :id"), {"id": "s3cret-id"})
    said += str(failed.value) + repr(records.engine) + repr(there) + caplog.text
    records.close()
    postgresql.drop(name)
    assert PASSWORD not in said + postgresql.said()
    assert PASSWORD.split(":")[0] not in said
    assert "s3cret-id" not in said


def _opened(settings: Settings) -> None:
    with migrations.current(settings):
        pass


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def test_a_writer_waits_as_long_as_it_has_patience(place: Place) -> None:
    other = Records.of(place.settings)  # as another server process has it
    with other.transaction() as holding:
        holding.add(Cooperative(slug="x", name="x"))
        holding.flush()
        with (
            pytest.raises(StorageError, match="lock timeout") as error,
            place.records.transaction(patience_seconds=0.05),
        ):
            pass
        assert error.value.trouble is Trouble.BUSY
        with place.records.session() as session:  # reading waits for nobody
            assert session.get(Cooperative, "x") is None
    with place.records.transaction(patience_seconds=0.05) as session:
        assert session.get(Cooperative, "x") is not None
    other.close()


def test_a_writer_sees_all_that_was_written_before_its_turn(place: Place) -> None:
    """What it has read before it waited is read anew."""
    other = Records.of(place.settings)
    entered, seen = threading.Event(), []

    def second() -> None:
        with place.records.session() as session:
            name = session.get_one(Cooperative, "binh-lu").name
            entered.set()
            from nongso.platform.store import writing

            with writing(session):
                seen.append((name, session.get_one(Cooperative, "binh-lu").name))

    with other.transaction() as session:
        thread = threading.Thread(target=second)
        thread.start()
        assert entered.wait(10)
        session.get_one(Cooperative, "binh-lu").name = "HTX mới"
    thread.join()
    assert seen == [("HTX binh-lu", "HTX mới")]
    other.close()


def test_a_writer_whose_connection_dies_leaves_nothing_half_done_and_holds_up_nobody(
    place: Place,
) -> None:
    def die_half_way() -> None:
        with place.records.transaction() as session:
            session.add(Cooperative(slug="x", name="x"))
            session.flush()
            me = session.scalar(text("SELECT pg_backend_pid()"))
            killer = Records.of(place.settings)
            with killer.session() as theirs:
                theirs.execute(text("SELECT pg_terminate_backend(:me)"), {"me": me})
            killer.close()
            session.add(Cooperative(slug="y", name="y"))

    with pytest.raises(StorageError) as error:
        die_half_way()
    assert error.value.trouble is Trouble.AWAY
    with place.records.transaction(patience_seconds=5) as session:
        assert session.scalars(select(Cooperative.slug).order_by(Cooperative.slug)).all() == [
            "bac-ha",
            "binh-lu",
        ]


def test_reading_leaves_no_transaction_open(place: Place) -> None:
    with place.records.session() as session:
        session.get(Cooperative, "binh-lu")
        held = session.execute(
            text(
                "SELECT state FROM pg_stat_activity WHERE datname = current_database() "
                "AND state LIKE 'idle in transaction%'"
            )
        ).all()
    assert held == []


def test_names_are_sorted_as_in_sqlite(place: Place) -> None:
    names = ["Đồng Tiến", "Dân Chủ", "an", "Ánh Sáng", "bản", "Zoo", "Ô", "ăn", "A-b", "A b"]
    with place.records.transaction() as session:
        session.execute(text("DELETE FROM gateway"))
        for n, name in enumerate(names):
            session.add(Cooperative(slug=f"c-{n}", name=name))
    with place.records.session() as session:
        found = session.scalars(
            select(Cooperative.name).where(Cooperative.slug.like("c-_")).order_by(Cooperative.name)
        ).all()
        assert found == sorted(names)
        assert session.scalar(select(Cooperative.slug).where(Cooperative.name == "AN")) is None


def test_what_an_event_tells_comes_back_as_it_was(place: Place) -> None:
    body = {"z": 1, "a": [True, None, 1.5, 2**53], "tên": "Nguyễn \u0000 Đ", "": {"b": {}}}
    with place.records.transaction() as session:
        events.append(session, id="e", type="t", at=5, actor="x", cooperative="binh-lu", body=body)
    with place.records.transaction() as session:
        (found,) = events.read(session)
        assert list(found.body) == list(body)
        assert found.body == body
        same = {"id": "e", "type": "t", "at": 5, "actor": "x", "cooperative": "binh-lu"}
        assert events.append(session, **same, body=body).number == found.number  # type: ignore[arg-type]


@pytest.mark.parametrize("table", ["event", "event_subject", "audit", "alert_event"])
@pytest.mark.parametrize("deed", ["TRUNCATE {} CASCADE", "DELETE FROM {}"])
def test_what_only_grows_cannot_be_emptied(place: Place, table: str, deed: str) -> None:
    from sqlalchemy.exc import IntegrityError

    with (
        pytest.raises(IntegrityError, match="is append-only"),
        place.records.transaction() as session,
    ):
        session.execute(text(deed.format(table)))


def test_the_version_stays_while_nobody_writes(place: Place) -> None:
    before = place.records.version()
    with place.records.session() as session:
        session.get(Cooperative, "binh-lu")
    assert place.records.version() == before
    with place.records.transaction() as session:
        session.add(Cooperative(slug="x", name="x"))
        session.flush()
        during = Records.of(place.settings)
        not_yet = during.version()
    assert during.version() != not_yet
    during.close()


def test_a_server_that_is_started_anew_is_found_again(tmp_path: Path, postgresql: Server) -> None:
    with running() as own:
        there = Settings(folder=tmp_path, secret=SECRET, records=own.url(own.copy()))
        place = open_place(there)
        place.configure()
        farmer = place.client("farmer")
        assert farmer.get("/greenhouses").status_code == 200
        place.records.version()
        own.stop()
        answer = place.bring(place.row("nonsense"))
        assert answer.status_code == 503
        assert answer.json is not None
        assert answer.json["code"] == "database_away"
        assert farmer.get("/greenhouses").status_code in (500, 503)
        with pytest.raises(migrations.SchemaError, match="does not answer"):
            migrations.upgrade(there)
        own.start()
        assert place.records.version()
        assert farmer.get("/greenhouses").status_code == 200
        assert place.bring(place.row("nonsense")).status_code == 200
        place.close()


def test_a_database_that_may_only_be_read_has_a_name(place: Place, postgresql: Server) -> None:
    with place.records.session() as session:
        name = session.scalar(text("SELECT current_database()"))
    place.records.engine.dispose()
    postgresql.ask(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    answer = place.bring(place.row("nonsense"))
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["code"] == "disk_read_only"
    place.records.engine.dispose()
    postgresql.ask(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    place.records.try_to_write()
    assert not place.records.watchman.troubles()


def test_the_schema_has_the_same_tables_and_columns_in_both(place: Place, tmp_path: Path) -> None:
    plain = Settings(folder=tmp_path / "plain", secret="0123456789abcdef" * 4)
    migrated.lay_down(plain)
    sqlite = Records.of(plain)
    found = []
    for records in (sqlite, place.records):
        with records.engine.connect() as connection:
            looked = inspect(connection)
            found.append(
                {
                    table: (
                        [(c["name"], c["nullable"]) for c in looked.get_columns(table)],
                        looked.get_pk_constraint(table)["constrained_columns"],
                        sorted(
                            str(i["name"])
                            for i in looked.get_indexes(table)
                            if not i.get("duplicates_constraint")
                        ),
                        sorted(str(k["name"]) for k in looked.get_foreign_keys(table)),
                        sorted(str(c["name"]) for c in looked.get_check_constraints(table)),
                    )
                    for table in looked.get_table_names()
                }
            )
    sqlite.close()
    assert found[0] == found[1]


def test_a_zero_byte_or_half_a_letter_in_an_address_finds_nothing(farm: Place) -> None:
    """PostgreSQL keeps no such text and refuses to look for it."""
    officer, failed = farm.client("officer"), []
    for rule in farm.app.url_map.iter_rules():
        methods = rule.methods or set()
        texts = [a for a in rule.arguments if "int" not in type(rule._converters[a]).__name__]
        if "GET" not in methods or rule.endpoint == "static" or not texts:
            continue
        for odd in ("%00", "a%00b", "%ED%A0%80", "'%20OR%201=1"):
            path = rule.rule
            for name in rule.arguments:
                path = re.sub(rf"<(\w+:)?{name}>", odd if name in texts else "1", path)
            for ask in (officer.get, farm.ask):
                status = ask(path).status_code
                failed += [(status, path)] if status >= 500 else []
    for query in (
        "greenhouse",
        "zone",
        "metric",
        "code",
        "type",
        "since",
        "person",
        "cooperative",
    ):
        for path in ("/greenhouses", "/api/v1/series", "/records", "/alerts", "/people", "/audit"):
            status = officer.get(f"{path}?{query}=a%00b").status_code
            failed += [(status, f"{path}?{query}")] if status >= 500 else []
    for user in ("a\x00b", "\ud800"):
        client = farm.client()
        token = form_token(client.get("/login"))
        body = {
            "user": user.encode("utf-8", "surrogatepass"),
            "password": "x",
            "form_token": token,
        }
        status = client.post("/login", data=body).status_code
        failed += [(status, "login")] if status >= 500 else []
    token = {"Authorization": "Bearer a\\x00b"}
    assert farm.app.test_client().get("/api/v1/greenhouses", headers=token).status_code == 401
    assert failed == []


def test_a_gateway_that_waits_holds_no_connection(farm: Place) -> None:

    pool = farm.records.engine.pool
    taken: list[int] = []  # how many connections are in use whenever one more is
    event.listen(pool, "checkout", lambda *_: taken.append(pool.checkedout()))  # type: ignore[attr-defined]
    found: list[object] = []
    waiting = threading.Thread(target=lambda: found.extend(farm.poll(wait=20)))
    farm.records.version()  # whose connection is kept
    before = pool.checkedout()  # type: ignore[attr-defined]
    waiting.start()
    deadline = time.monotonic() + 10
    while len(taken) < 12 or pool.checkedout() != before:  # type: ignore[attr-defined]
        assert time.monotonic() < deadline, pool.status()
        farm.app.extensions["nongso.bell"].ring()
        time.sleep(0.01)
    wish = {"id": "0f0f0f0f-0000-4000-8000-000000000001", "seconds": 60}
    assert farm.ask("/api/v1/zones/tan-binh-1-k1/water", wish).status_code == 202
    waiting.join()
    assert len(found) == 1
