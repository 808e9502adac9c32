"""The steps of docs/farm-box.md, as they stand there, on a farm that has a gateway already."""

import io
import json
import re
import shlex
import stat
from pathlib import Path

import pytest

from nongso.commands.__main__ import main
from nongso.gateway.settings import load
from nongso.platform import settings as platforms

PAGE = Path(__file__).parents[2] / "docs" / "farm-box.md"


@pytest.fixture
def gateway(tmp_path: Path) -> Path:
    file = tmp_path / "gateway" / "gateway.json"
    words = ["--gateway", "tan-binh", "--name", "Tủ", "--platform", "https://nongso.example.vn"]
    assert main(["gateway", "init", "--settings", str(file), *words]) == 0
    return file


def test_the_steps_of_the_page_make_a_box_that_the_gateway_speaks_with(
    gateway: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    main_key = load(gateway).destinations[0].key
    block = re.search(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert block is not None
    lines = block[1].replace("/srv/nongso", str(tmp_path)).splitlines()
    assert len(lines) == 7
    for line in lines[:-1]:  # the last one serves
        said = ""
        for command in line.split(" | "):
            monkeypatch.setattr("sys.stdin", io.StringIO(said))
            capsys.readouterr()
            assert main(shlex.split(command)[1:]) == 0, command
            said = capsys.readouterr().out
    main_one, box = load(gateway).destinations
    assert (main_one.id, main_one.url) == ("main", "https://nongso.example.vn")
    assert main_one.key == main_key, "the cooperative's server still knows the gateway"
    assert (box.id, box.called, box.url) == ("farm", "Máy ở nông trại", "http://127.0.0.1:8080")
    assert stat.S_IMODE(gateway.stat().st_mode) == 0o600
    settings = platforms.load(tmp_path / "box" / "platform.json")
    assert (settings.local, settings.port) == (True, 8080)
    assert shlex.split(lines[-1])[1:4] == ["platform", "run", "--settings"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["main", "Hai", "--url", "http://127.0.0.1:8080"], "names a platform 'main' already"),
        (["farm", "Hai", "--url", "https://nongso.example.vn"], "stands twice"),
        (["Trại", "Hai", "--url", "http://127.0.0.1:8080"], "platforms[1].id is"),
    ],
)
def test_a_second_platform_that_cannot_be_leaves_the_file_as_it_was(
    gateway: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = gateway.read_bytes()
    assert main(["gateway", "platform", *words, "--settings", str(gateway)]) == 1
    assert says in capsys.readouterr().err
    assert gateway.read_bytes() == before
    assert [file.name for file in gateway.parent.iterdir()] == ["gateway.json"]


def test_there_is_no_third_platform_and_no_unknown_key(
    gateway: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add = ["gateway", "platform", "--settings", str(gateway), "--url"]
    assert main([*add, "http://127.0.0.1:8080", "farm", "Một"]) == 0
    assert main([*add, "http://127.0.0.1:8090", "third", "Hai"]) == 1
    assert "names 2 platforms already" in capsys.readouterr().err
    assert main(["gateway", "key", "--settings", str(gateway), "--platform", "other"]) == 1
    assert "there are: main, farm" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("platforms_", "says"),
    [
        ([], "platform is missing"),
        ([{"url": "http://a", "key": "k" * 40}] * 2, r"platforms\[1\].id is 'main', which stands"),
        ("both", "platforms stands beside platform"),
        ("same key", r"platforms\[1\].key stands twice"),
    ],
)
def test_platforms_that_do_not_fit_together_are_refused(
    gateway: Path, platforms_: object, says: str
) -> None:
    found = json.loads(gateway.read_text())
    one = found["platform"]
    if platforms_ == "both":
        found["platforms"] = [{**one, "id": "farm"}]
    else:
        del found["platform"]
        twins = [{**one, "id": "main"}, {**one, "id": "farm", "url": "http://b"}]
        found["platforms"] = twins if platforms_ == "same key" else platforms_
    gateway.write_text(json.dumps(found))
    with pytest.raises(Exception, match=says):
        load(gateway)
