"""The commands for the stations' boards say what to do when something is not as they need it."""

import os
import pty
from pathlib import Path

import pytest

from nongso.commands import node_version
from nongso.commands.__main__ import main
from nongso.commands.errors import CommandError
from nongso.gateway.simulated import boards
from nongso.wire.release import decode_list


def test_a_port_that_is_not_there_is_said_with_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ["node", "deploy", "--port", "/dev/nothing", "--farm", "tan-binh", "--node", "tb-01"]
    assert main(asked) == 1
    assert "there is no port /dev/nothing" in capsys.readouterr().err
    assert main(["node", "list", "--port", "/dev/nothing"]) == 0
    assert "nongso node list shows the ports" in capsys.readouterr().out


def test_a_board_that_does_not_answer_is_said_with_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nongso.commands.node_board.ANSWER_SECONDS", 0.1)
    monkeypatch.setattr("nongso.commands.node_board.READ_SECONDS", 0.1)
    master, slave = pty.openpty()
    try:
        assert main(["node", "calibrate", "--port", os.ttyname(slave)]) == 1
    finally:
        os.close(master)
        os.close(slave)
    error = capsys.readouterr().err
    assert "no answer on /dev/pts/" in error
    assert "Hold BOOT, plug in again" in error


def test_a_rollout_without_gateway_or_node_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["node", "rollout", "--data", str(tmp_path)]) == 1
    assert "gateway.json is not there" in capsys.readouterr().err


def test_the_program_compiles_and_its_list_names_every_file() -> None:
    version = node_version.compiled(boards.firmware_folder())
    assert {f.path for f in decode_list(version.listing)} == set(version.contents)
    assert {"run.mpy", "board.mpy", "lib/nongso/node/station.mpy"} <= set(version.contents)
    assert not {"main.mpy", "boot.mpy", "slots.mpy"} & set(version.contents)
    assert sum(map(len, version.contents.values())) < 200_000, "a board's flash is small"


def test_a_program_that_does_not_compile_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no node's program"):
        node_version.compiled(tmp_path)
    broken = tmp_path / "run.py"
    broken.write_text("def main(:\n")
    with pytest.raises(CommandError, match="SyntaxError"):
        node_version.compile_file(broken, "run.py")
