"""Which store a setting means, what a wrong one is told, and a whole platform on an engine."""

import json
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from office import NODE_1, open_place
from telemetry_engines import Influx

from nongso.platform import settings as settings_of
from nongso.platform.settings import Settings
from nongso.platform.telemetry import (
    DAY,
    HOUR,
    Row,
    Series,
    SqliteTelemetry,
    TelemetryAway,
    TelemetryError,
    engine,
    open_telemetry,
    rollups,
)
from nongso.platform.telemetry import address as address_of
from nongso.platform.telemetry.writer import Writer

T0 = 1790000000 - 1790000000 % 86400
AIR = Series("tan-binh-1", "k1", "0001", "air_temperature")


def test_a_setting_names_a_store() -> None:
    read = address_of.read
    assert read("") == read("sqlite:///telemetry.sqlite")
    assert read("sqlite:////srv/readings.sqlite").file == "/srv/readings.sqlite"
    influx = read("influxdb+https://a%40b:s%2Fcret@db.example:9999/nongso?org=htx&retention=ten")
    assert influx.url == "https://db.example:9999"
    assert (influx.user, influx.token, influx.database) == ("a@b", "s/cret", "nongso")
    assert (influx.org, influx.retention) == ("htx", "ten")
    assert read("influxdb+http://TOKEN@127.0.0.1/nongso").token == "TOKEN"
    assert read("influxdb+http://127.0.0.1/nongso").url == "http://127.0.0.1:8086"
    assert read("victoriametrics+http://[::1]").url == "http://[::1]:8428"
    assert read("victoriametrics+http://h?retention=2y").least_years == 2


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("mysql://127.0.0.1/nongso", "mysql: is no store of readings"),
        ("telemetry.sqlite", "is no store of readings"),
        ("sqlite://telemetry.sqlite", "three slashes"),
        ("influxdb://127.0.0.1/nongso", "is no store of readings"),
        ("influxdb+http://s3cret@127.0.0.1", "one database must be named"),
        ("influxdb+http:///nongso", "no host"),
        ("influxdb+http://s3cret@127.0.0.1:port/nongso", "cannot be read"),
        ("influxdb+http://127.0.0.1/nongso?rp=x", "no option 'rp'"),
        ("victoriametrics+http://127.0.0.1/nongso", "has no databases"),
        ("victoriametrics+http://127.0.0.1?retention=soon", "number of years"),
    ],
)
def test_a_wrong_setting_is_a_sentence_without_secrets(
    tmp_path: Path, setting: str, said: str
) -> None:
    with pytest.raises(TelemetryError, match=said) as error:
        open_telemetry(Settings(folder=tmp_path, secret="x" * 40, telemetry=setting))
    assert "s3cret" not in str(error.value)


def test_the_environment_goes_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "platform.json"
    found = {"folder": str(tmp_path), "secret": "0123456789abcdef" * 4}
    file.write_text(json.dumps(found | {"telemetry": "sqlite:///a.sqlite"}))
    assert settings_of.load(file).telemetry == "sqlite:///a.sqlite"
    monkeypatch.setenv("NONGSO_TELEMETRY", "influxdb+http://s3cret@127.0.0.1/nongso")
    loaded = settings_of.load(file)
    assert loaded.telemetry.startswith("influxdb+")
    assert "s3cret" not in repr(loaded)
    assert "s3cret" not in repr(address_of.read(loaded.telemetry))


def test_without_an_engine_its_library_is_not_loaded() -> None:
    asked = "import sys, nongso.platform.app; print('influxdb_client' in sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True
    )
    assert said.stdout == "False\n"


def test_a_file_of_the_first_version_gets_its_hours_and_days(tmp_path: Path) -> None:
    file = tmp_path / "telemetry.sqlite"
    store = SqliteTelemetry(file)
    rows = [Row(AIR, T0 + 977 * n, 20 + n % 9, 17 if n % 10 == 0 else 16) for n in range(500)]
    store.write(rows)
    (number,) = store.series()
    asked = [(T0, T0 + 6 * DAY, HOUR), (T0 - 7 * HOUR, T0 + 6 * DAY, DAY)]
    before = [store.summaries([number], *ask) for ask in asked]
    store.close()
    old = sqlite3.connect(file)
    for table in (*rollups.TABLES.values(), "carried", "sealed", "sealing"):
        old.execute(f"DROP TABLE {table}")
    old.execute("PRAGMA user_version = 1")
    old.close()
    store = SqliteTelemetry(file)
    assert [store.summaries([number], *ask) for ask in asked] == before
    assert store.origins([number], T0, T0 + DAY) == {16}
    store.close()


def test_a_platform_on_an_engine_keeps_the_gateways_rows_theirs_while_it_is_away(
    tmp_path: Path, settings: Settings
) -> None:
    influx = Influx(tmp_path / "influxdb")
    place = open_place(replace(settings, telemetry=influx.setting))
    try:
        place.configure()
        now = int(time.time())
        rows = [
            place.readings(NODE_1, ["air_temperature", now - 60 * n, 20.0 + n, 16])
            for n in range(3)
        ]
        assert place.bring(rows[0]).json["stored"] == [rows[0]["id"]]  # type: ignore[index]
        influx.kill()
        answer = place.bring(*rows)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        page = place.client("farmer").get("/greenhouses/tan-binh-1")
        assert page.status_code == 503
        assert "Chưa xem được số đo" in page.text
        health = place.app.test_client().get("/healthz")
        assert health.status_code == 503
        assert "cannot be reached" in health.text
        influx.start()
        assert place.bring(*rows).json["stored"] == [row["id"] for row in rows]  # type: ignore[index]
        assert place.app.test_client().get("/healthz").status_code == 200
        assert place.client("farmer").get("/greenhouses/tan-binh-1").status_code == 200
        found = place.ask("/api/v1/series?greenhouse=tan-binh-1&metric=air_temperature").json
        assert [value for _at, value, _mark in found["points"]] == [22.0, 21.0, 20.0]  # type: ignore[index]
    finally:
        place.close()
        influx.close()


def test_what_an_engine_will_never_take_holds_up_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    influx = Influx(tmp_path / "influxdb")
    store = open_telemetry(Settings(folder=tmp_path, secret="x" * 40, telemetry=influx.setting))
    writer = Writer(address_of.read(influx.setting))
    try:
        good = [f"nongso_other value={n}.5 {T0 + n}" for n in range(20)]
        assert writer.write([*good[:7], "nongso_other value=1e 12", *good[7:]]) == 1
        assert "will never take" in caplog.text
    finally:
        writer.close()
        store.close()
        influx.close()


def test_one_who_brings_more_than_the_engine_takes_hears_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "WAIT_SECONDS", 0.05)
    influx = Influx(tmp_path / "influxdb")
    store = open_telemetry(Settings(folder=tmp_path, secret="x" * 40, telemetry=influx.setting))
    try:
        assert isinstance(store, engine.EngineTelemetry)
        with store._write_lock, pytest.raises(TelemetryAway, match="does not keep up"):
            store.write([Row(AIR, T0, 20.0, 16)])
        assert store.write([Row(AIR, T0, 20.0, 16)]).stored == 1
    finally:
        store.close()
        influx.close()


class Stranger:
    """Something at the engine's address that answers everything with the same bytes."""

    def __init__(self, answer: bytes) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST

            def log_message(self, *_words: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.mark.parametrize("kind", ["influxdb", "victoriametrics"])
@pytest.mark.parametrize(
    "answer",
    [
        b"[" * 100_000,
        b"\xff\xfe",
        b"{}",
        b"[]",
        b"null",
        b'{"status": "success", "data": [1], "results": [1]}',
        b'{"status": "success", "data": {"result": [{}]}, "results": [{"series": [{}]}]}',
        b'{"data": [{"x": 1}], "metric": {"id": "?"}, "results": [{"series": 1}]}',
    ],
)
def test_an_engine_that_answers_nonsense_is_told_as_a_sentence(
    tmp_path: Path, kind: str, answer: bytes
) -> None:
    stranger = Stranger(answer)
    setting = f"{kind}+{stranger.address}" + ("/nongso" if kind == "influxdb" else "")
    try:
        store = open_telemetry(Settings(folder=tmp_path, secret="x" * 40, telemetry=setting))
        try:
            assert isinstance(store, engine.EngineTelemetry)
            for ask in (
                lambda: list(store._known()),
                lambda: list(store._streams("reading", [1], T0, T0 + HOUR)),
                lambda: list(store._newest([1], only_good=True)),
                lambda: list(store._sums([1], T0, T0 + DAY, HOUR)),
                lambda: store._edges([1]),
            ):
                with pytest.raises(TelemetryAway, match="answered"):
                    ask()
            store.health()
        finally:
            store.close()
    finally:
        stranger.close()


@pytest.mark.parametrize("content", ["[" * 100_000, '{"a":' * 100_000])
def test_settings_that_are_nested_too_deeply_are_told(tmp_path: Path, content: str) -> None:
    file = tmp_path / "platform.json"
    file.write_text(content)
    with pytest.raises(settings_of.SettingsError, match=r"platform\.json: is nested too deeply"):
        settings_of.load(file)
