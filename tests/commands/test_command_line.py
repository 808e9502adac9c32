"""Every command explains itself, and bad input gets a sentence and a status."""

import argparse
import itertools
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nongso.commands import house as house_of
from nongso.commands.__main__ import main, parser
from nongso.commands.control import ControlSocket, ask
from nongso.commands.errors import CommandError
from nongso.commands.house import House
from nongso.commands.jsonfile import write_private
from nongso.commands.ports import Ports, inner_url
from nongso.commands.processes import Household
from nongso.platform import second_factor


def all_parsers(p: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The command itself, its groups, and every command in them."""
    yield p
    for action in p._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from all_parsers(child)


PARSERS = {p.prog: p for p in all_parsers(parser())}


@pytest.mark.parametrize("prog", PARSERS)
def test_every_command_has_whole_help(prog: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([*prog.split()[1:], "--help"])
    assert end.value.code == 0
    shown = capsys.readouterr()
    assert f"usage: {prog}" in shown.out
    assert shown.err == ""
    assert PARSERS[prog].description
    for action in PARSERS[prog]._actions:
        if isinstance(action, argparse._SubParsersAction):
            named = {choice.dest: choice.help for choice in action._choices_actions}
            assert set(named) == set(action.choices)
            assert all(named.values())
        else:
            assert action.help, f"{prog}: {action.dest} is not explained"
            has_default = action.default not in (None, argparse.SUPPRESS, False)
            assert not has_default or "default" in action.help, f"{prog}: {action.dest}"


@pytest.mark.parametrize("prog", PARSERS)
def test_an_unknown_option_ends_with_status_2_and_a_way_to_help(
    prog: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main([*prog.split()[1:], "--colour", "red"])
    assert end.value.code == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert f"Help: {prog} --help" in shown.err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["upp"], "Perhaps: nongso up\n"),
        (["labels", "shet"], "Perhaps: nongso labels sheet\n"),
        (["up", "--sped", "3"], "Perhaps: nongso up --speed\n"),
        (["up", "--prot=80"], "Perhaps: nongso up --port\n"),
        (["demo", "stp"], "Perhaps: nongso demo stop\n"),
        (["xyzzy"], "invalid choice: 'xyzzy' (choose from"),
    ],
)
def test_a_slip_of_the_fingers_gets_a_hint(
    words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["up", "--port", "0"],
        ["up", "--port", "99999"],
        ["up", "--port", "many"],
        ["up", "--port", "-1"],
        ["up", "--port", "\u0663"],
        ["up", "--speed", "0"],
        ["up", "--speed", "0.5"],
        ["up", "--speed", "3601"],
        ["up", "--speed", "nan"],
        ["up", "--speed", "inf"],
        ["up", "--data", ""],
        ["up", "--data", " "],
        ["up", "--data", "a\nlistener 1883"],
        ["up", "--host", ""],
        ["up", "--host", "two words"],
        ["up", "--url", "nongso.example.vn"],
        ["up", "--url", "http://"],
        ["up", "--url", "http://a:99999"],
        ["up", "--url", "ftp://a"],
        ["up", "--url", "http://a/?b"],
        ["demo", "stop"],
        ["demo", "start"],
        ["demo", "status", "broker"],
        ["demo", "code", "clerk", "more"],
        ["demo", "status", "--for", "3"],
        ["demo", "start", "broker", "--for", "3"],
        ["demo", "stop", "broker", "--for", "-3"],
        ["demo", "stop", "broker", "--for", "nan"],
        ["demo", "stop", "broker", "--for", "soon"],
        ["demo", "stop", "broker", "gateway"],
        ["labels", "sheet", "--csv", "", "-o", "a.pdf"],
        ["labels", "sheet", "--csv", "a", "-o", ""],
        ["labels", "sheet", "--csv", "a", "-o", "b", "--start-cell", "0"],
        ["gateway", "run", "--settings", ""],
        ["fly"],
        [],
    ],
)
def test_words_that_make_no_sense_end_with_status_2(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert "Help: nongso" in capsys.readouterr().err


def test_ctrl_c_in_any_command_is_a_word_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from nongso.labels import csvsheet

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(csvsheet, "make", interrupted)
    assert main(["labels", "sheet", "--csv", "a", "-o", "b"]) == 130
    assert capsys.readouterr().err == "nongso: interrupted.\n"


@pytest.mark.parametrize("host", ["999.1.1.1", "192.0.2.7", "2001:db8::7"])
def test_an_address_that_this_machine_has_not_is_said(
    host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["up", "--data", str(tmp_path / "d"), "--host", host]) == 1
    said = capsys.readouterr().err
    assert "is no address of this machine" in said
    assert "--host 0.0.0.0" in said


def test_the_machine_itself_reaches_the_platform_wherever_it_listens() -> None:
    assert inner_url("127.0.0.1", 80) == "http://127.0.0.1:80"
    assert inner_url("0.0.0.0", 80) == "http://127.0.0.1:80"
    assert inner_url("192.168.1.5", 80) == "http://192.168.1.5:80"
    assert inner_url("::", 80) == "http://[::1]:80"
    assert inner_url("::1", 80) == "http://[::1]:80"


def test_a_small_disk_is_said_before_a_first_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house_of, "FIRST_START_BYTES", 1 << 60)
    with pytest.raises(CommandError, match=r"a first start needs .* Free some space"):
        House(tmp_path)


def test_a_path_in_vietnamese_is_measured_as_the_machine_does(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="too long for a Unix socket"):
        House(tmp_path / ("ữ" * 40))


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


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["stop", "broker"],
        ["start", "node-tb-01"],
        ["fault"],
        ["fault", "leak"],
        ["fault", "welded", "pump"],
        ["repair"],
        ["repair", "leak"],
        ["repair", "dead", "meter"],
        ["code", "clerk"],
    ],
)
def test_the_demo_hears_its_words_in_every_order_of_words_and_options(words: list[str]) -> None:
    options = [["--data", "somewhere"], ["--for", "3"]]
    meant = parser().parse_args(["demo", *words, "--data", "somewhere", "--for", "3"])
    assert [meant.do, meant.part, meant.at] == [*words, None, None][:3]
    parts = [*([word] for word in words), *options]
    for order in itertools.permutations(parts):
        said = [part for part in order if part not in options]
        if said != [[word] for word in words]:
            continue  # the words themselves have one order
        heard = parser().parse_args(["demo", *itertools.chain(*order)])
        assert (heard.do, heard.part, heard.at) == (meant.do, meant.part, meant.at), order
        assert (heard.data, heard.seconds) == (Path("somewhere"), 3.0), order


def test_the_demos_clerk_gets_six_digits_that_the_page_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = second_factor.new_secret()
    accounts = {"farmer": {"user": "f"}, "clerk": {"user": "c", "totp_secret": secret}}
    (tmp_path / "demo.json").write_text(json.dumps({"accounts": accounts}))
    assert main(["demo", "code", "clerk", "--data", str(tmp_path)]) == 0
    assert second_factor.step_of(secret, capsys.readouterr().out, int(time.time())) is not None
    for wrong in (["demo", "code", "farmer"], ["demo", "code"]):
        assert main([*wrong, "--data", str(tmp_path)]) == 1
        assert "clerk" in capsys.readouterr().err
