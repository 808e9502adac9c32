"""Every command explains itself, and bad input gets a sentence and a status."""

import argparse
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nongso.commands.__main__ import main, parser
from nongso.commands.control import ControlSocket, ask
from nongso.commands.errors import CommandError
from nongso.commands.house import House
from nongso.commands.jsonfile import write_private
from nongso.commands.ports import Ports
from nongso.commands.processes import Household


def all_commands(p: argparse.ArgumentParser, path: tuple[str, ...] = ()) -> Iterator[list[str]]:
    groups = [a for a in p._actions if isinstance(a, argparse._SubParsersAction)]
    for group in groups:
        for name, child in group.choices.items():
            yield from all_commands(child, (*path, name))
    if not groups:
        yield list(path)


@pytest.mark.parametrize("words", list(all_commands(parser())), ids=" ".join)
def test_every_command_has_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([*words, "--help"])
    assert end.value.code == 0
    assert "usage: nongso " + " ".join(words) in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["up", "--port", "0"],
        ["up", "--port", "many"],
        ["up", "--speed", "0.5"],
        ["up", "--speed", "3601"],
        ["demo", "stop", "broker", "--for", "-3"],
        ["fly"],
        [],
    ],
)
def test_words_that_make_no_sense_end_with_status_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2


def test_a_port_in_use_is_said_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status = main(["up", "--data", str(tmp_path / "d"), "--port", str(port)])
    assert status == 1
    assert f"Port {port} cannot be used" in capsys.readouterr().err


@pytest.mark.parametrize("obstacle", ["a file in the way", "no rights"])
def test_a_data_folder_that_cannot_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], obstacle: str
) -> None:
    if obstacle == "no rights":
        folder = Path("/proc/nongso")  # where not even root can make a folder
    else:
        folder = tmp_path / "d"
        folder.write_text("not a folder")
    assert main(["up", "--data", str(folder), "--port", "1"]) == 1
    assert f"{folder} cannot be written" in capsys.readouterr().err


def test_a_full_disk_is_said_with_advice(tmp_path: Path) -> None:
    script = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "from nongso.commands.__main__ import main\n"
        "sys.exit(main(['up', '--data', sys.argv[1]]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "d")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "Free some space" in done.stderr


def test_two_on_one_data_folder_are_one_too_many(tmp_path: Path) -> None:
    with House(tmp_path), pytest.raises(CommandError, match="Another nongso runs"):
        House(tmp_path)


def test_identities_are_made_once_and_are_private(tmp_path: Path) -> None:
    with House(tmp_path) as first:
        kept = first.identity
    assert (tmp_path / "house.json").stat().st_mode & 0o777 == 0o600
    with House(tmp_path) as second:
        assert second.identity == kept


def test_a_damaged_identity_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "house.json").write_text("{half")
    with pytest.raises(CommandError, match=r"house\.json is damaged"):
        House(tmp_path)
    assert (tmp_path / "house.json").read_text() == "{half"


def test_settings_files_are_readable_by_their_rooms_and_by_nobody_else(tmp_path: Path) -> None:
    from nongso.gateway import settings as gateway_settings
    from nongso.platform import settings as platform_settings

    ports = Ports(platform=18080, broker=1, modbus=2, chips=3, status=4)
    with House(tmp_path) as house:
        gateway = house.write_gateway(ports)
        platform = house.write_platform(ports, "127.0.0.1", "http://127.0.0.1:18080")
        farm = house.write_farm(ports, 1.0)
    assert gateway_settings.load(gateway).gateway == "binh-lu"
    assert platform_settings.load(platform).port == 18080
    for file in (gateway, platform, farm):
        assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    file = write_private(tmp_path / "demo.json", {"url": "một"})
    write_private(file, {"url": "hai"})
    assert json.loads(file.read_text()) == {"url": "hai"}
    assert [p.name for p in tmp_path.iterdir()] == ["demo.json"]


def test_asking_where_nothing_runs_says_how_to_start(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="nongso up --data"):
        ask(tmp_path, {"do": "status"})


def test_an_unknown_part_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    control = ControlSocket(tmp_path / "up.sock", Household(print))
    try:
        assert "no part called" in control._answer(b'{"do": "stop", "part": "roof"}')["error"]
        assert control._answer(b"{")["error"] == "not understood"
        assert control._answer(b'{"do": "status"}') == {"parts": {}}
    finally:
        control.close()
