"""What keeps a server from starting, and whom it names for faults."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from nongso.platform import migrations
from nongso.platform import settings as settings_of
from nongso.platform.app import create_app
from nongso.platform.settings import Settings, SettingsError

SECRET = "0123456789abcdef" * 4


def start(file: Path, **environment: str) -> str:
    """Start a server that must refuse, and return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "nongso.commands", "platform", "run", "--settings", str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **environment},
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "platform.json"
    made.write_text(json.dumps({"folder": str(tmp_path / "p"), "secret": SECRET, "port": 0}))
    made.chmod(0o600)
    migrations.upgrade(settings_of.load(made))
    return made


@pytest.mark.parametrize("rights", [0o644, 0o604, 0o666])
def test_a_secret_that_everybody_can_read_is_no_secret(file: Path, rights: int) -> None:
    file.chmod(rights)
    assert "chmod 600" in start(file)


def test_no_debugger_is_served(file: Path) -> None:
    assert "FLASK_DEBUG is set" in start(file, FLASK_DEBUG="1")


@pytest.mark.parametrize("contact", ["me", "javascript:alert(1)", "mailto:a b", "https://x\nX: y"])
def test_a_contact_that_is_none_is_refused(contact: str) -> None:
    with pytest.raises(SettingsError, match="security_contact"):
        settings_of.checked({"folder": "x", "secret": SECRET, "security_contact": contact})


def test_whoever_finds_a_fault_learns_whom_to_tell(settings: Settings) -> None:
    for contact, status in (("", 404), ("mailto:it@example.org", 200)):
        app = create_app(replace(settings, security_contact=contact))
        answer = app.test_client().get("/.well-known/security.txt")
        assert answer.status_code == status
        if status == 200:
            assert "Contact: mailto:it@example.org\nExpires: 20" in answer.text
            assert "Set-Cookie" not in answer.headers
        app.extensions["nongso.records"].close()
        app.extensions["nongso.telemetry"].close()
