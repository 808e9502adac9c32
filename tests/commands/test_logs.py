"""Logs are read by many: no secret is in them, whoever wrote it there."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nongso.commands.logs import ForPeople, ForPrograms, masked

SECRET = "Zq7xK9-mW2vT4.bN8"


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"{{'Authorization': 'Bearer {SECRET}'}}",
        f'{{"broker": {{"user": "gateway", "password": "{SECRET}"}}}}',
        f"Broker(host='127.0.0.1', user='gateway', password='{SECRET}')",
        f"postgresql://nongso:{SECRET}@127.0.0.1:5432/nongso is away",
        f"mailtos://canhbao:{SECRET}@mail.example.vn",
        f"influxdb+http://:{SECRET}@127.0.0.1:8086/x",
        f"otpauth://totp/nongso:x?secret={SECRET}&issuer=nongso",
        f"refresh_token={SECRET}&grant_type=refresh_token",
        f"platform.key: {SECRET}",
        f"nst_{SECRET.replace('.', '_')}",
        f"Cookie: {SECRET}; other=1",
        f"secret = '{SECRET}'",
    ],
)
def test_what_looks_like_a_secret_is_not_written(text: str) -> None:
    found = masked(text)
    assert "***" in found
    for piece in SECRET.replace("-", ".").split("."):
        assert piece not in found


@pytest.mark.parametrize(
    "text",
    [
        "the platform cannot be reached (gaierror: [Errno -2] Name or service not known)",
        "GET http://127.0.0.1:8080/healthz 200",
        "gateway binh-lu: 4 nodes, 4 zones, store /srv/nongso/gateway/store.sqlite",
        "made the log's keys: /srv/nongso/platform/log/keys",
        "The key in /srv/x/keys is not the one of this log",
        "zone k1: moisture 32.5, band 40.0:55.0",
    ],
)
def test_other_words_stay_as_they_are(text: str) -> None:
    assert masked(text) == text


def test_a_traceback_is_masked_too_and_an_object_a_line() -> None:
    try:
        raise ValueError(f"password={SECRET}")
    except ValueError:
        record = logging.LogRecord(
            "x", logging.ERROR, "f.py", 1, "for %s: %s", ("Páo", f"token={SECRET}"), sys.exc_info()
        )
    for formatter in (ForPrograms(), ForPeople("%(message)s")):
        assert SECRET not in formatter.format(record)
    told = json.loads(ForPrograms().format(record))
    assert (told["level"], told["message"]) == ("error", "for Páo: token=***")
    assert "ValueError" in told["error"]
    assert "\n" not in ForPrograms().format(record)


def test_a_process_writes_objects_where_it_is_asked_to(tmp_path: Path) -> None:
    settings = tmp_path / "gateway.json"
    words = [sys.executable, "-m", "nongso.commands", "gateway"]
    made = ["init", "--settings", str(settings), "--gateway", "x", "--name", "X"]
    subprocess.run([*words, *made, "--platform", "http://127.0.0.1:9"], check=True, timeout=60)
    done = subprocess.Popen(
        [*words, "run", "--settings", str(settings)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NONGSO_LOG": "json"},
    )
    assert done.stderr is not None
    try:
        told = json.loads(done.stderr.readline())
    finally:
        done.terminate()
        done.communicate(timeout=20)
    assert set(told) == {"at", "level", "logger", "message"}
