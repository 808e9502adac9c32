"""The README's steps for a new server and a new farm, one after the other."""

import io
import json
from pathlib import Path

import pytest

from nongso.commands.__main__ import main


@pytest.fixture
def server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    settings = tmp_path / "platform.json"
    words = ["platform", "init", "--settings", str(settings), "--url", "https://nongso.example.vn"]
    assert main(words) == 0
    assert "must be an address that you own" in capsys.readouterr().err
    assert main(["platform", "upgrade", "--settings", str(settings)]) == 0
    coop = ["platform", "cooperative", "binh-lu", "Hợp tác xã Bình Lư"]
    assert main([*coop, "--settings", str(settings)]) == 0
    return settings


def test_a_clerk_gets_a_password_of_her_own(
    server: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    words = ["platform", "user", "nhanvien1", "--role", "clerk", "--settings", str(server)]
    assert main(words) == 0
    first = json.loads(capsys.readouterr().out)
    assert main(words) == 0
    second = json.loads(capsys.readouterr().out)
    assert first["user"] == second["user"] == "nhanvien1"
    assert first["password"] != second["password"]


def test_a_farm_is_let_in_with_the_key_that_it_made(
    server: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    farm = tmp_path / "gateway.json"
    words = ["--gateway", "tan-binh", "--name", "Tủ", "--platform", "https://nongso.example.vn"]
    assert main(["gateway", "init", "--settings", str(farm), *words]) == 0
    capsys.readouterr()
    assert main(["gateway", "key", "--settings", str(farm)]) == 0
    key = capsys.readouterr().out
    monkeypatch.setattr("sys.stdin", io.StringIO(key))
    door = ["platform", "gateway", "tan-binh", "--settings", str(server), "--cooperative"]
    assert main([*door, "binh-lu"]) == 0
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    assert main([*door, "binh-lu"]) == 1
    monkeypatch.setattr("sys.stdin", io.StringIO(key))
    assert main([*door, "nowhere"]) == 1
    assert "Add it first with" in capsys.readouterr().err


@pytest.mark.parametrize("room", ["platform", "gateway"])
def test_settings_with_keys_are_never_overwritten(
    room: str, server: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    farm = tmp_path / "gateway.json"
    words = {
        "platform": ["--settings", str(server), "--url", "https://other.example.vn"],
        "gateway": [
            *("--settings", str(farm), "--gateway", "tan-binh"),
            *("--name", "Tủ", "--platform", "https://nongso.example.vn"),
        ],
    }
    main([room, "init", *words[room]])
    file = server if room == "platform" else farm
    before = file.read_bytes()
    assert main([room, "init", *words[room]]) == 1
    assert file.read_bytes() == before
    assert "there already" in capsys.readouterr().err
