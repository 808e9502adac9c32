"""Whoever speaks nonsense to a running house gets a sentence; the house goes on."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nongso.commands import control as control_of
from nongso.commands.control import ControlSocket, ask
from nongso.commands.errors import CommandError
from nongso.commands.processes import Household, Recipe
from nongso.commands.up import say

SLEEPER = ["sleep", "300"]


@pytest.fixture
def control(tmp_path: Path) -> Iterator[ControlSocket]:
    household = Household(lambda text: None)
    household.start(Recipe("broker", SLEEPER, tmp_path / "broker.log"))
    made = ControlSocket(tmp_path / "up.sock", household)
    yield made
    made.close()
    household.end()


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe\x00\n",
        b"[" * 100_000 + b"\n",
        b"[]\n",
        b"7\n",
        b'"do"\n',
        b"{}\n",
        b'{"do": "fly"}\n',
        b'{"do": []}\n',
        b'{"do": "stop", "part": ["broker"]}\n',
        b'{"do": "stop", "part": {}}\n',
        b'{"do": "stop", "part": "broker", "seconds": "soon"}\n',
        b'{"do": "stop", "part": "broker", "seconds": NaN}\n',
        b'{"do": "stop", "part": "broker", "seconds": -1}\n',
        b'{"do": "stop", "part": "broker", "seconds": 1e999}\n',
        b'{"do": "stop", "part": "broker", "seconds": true}\n',
        b"x" * 100_000,
        b"",
    ],
)
def test_nonsense_on_the_socket_stops_nothing(
    line: bytes, control: ControlSocket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_of, "LISTEN_SECONDS", 0.2)
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(str(tmp_path / "up.sock"))
        stranger.settimeout(5.0)
        sender = threading.Thread(target=_send, args=(stranger, line))
        sender.start()
        assert control.wait(5.0) is False
        sender.join()
    assert control._answer(b'{"do": "status"}')["parts"]["broker"]["held"] is False


def _send(stranger: socket.socket, line: bytes) -> None:
    try:
        stranger.sendall(line)
        stranger.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # it is not heard to its end


def answering(folder: Path, answer: bytes) -> threading.Thread:
    """A house that gives one answer, whatever it is asked."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "up.sock"))
    listener.listen(1)

    def serve() -> None:
        with listener:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


@pytest.mark.parametrize(
    "answer", [b"", b"{", b"[]\n", b"null\n", b"{}\n", b'{"parts": 1}\n', b"\xff\n"]
)
def test_an_answer_that_is_none_is_a_sentence(answer: bytes, tmp_path: Path) -> None:
    house = answering(tmp_path, answer)
    with pytest.raises(CommandError, match="it gave no answer"):
        ask(tmp_path, {"do": "status"})
    house.join()


def test_a_house_that_is_busy_is_asked_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_of, "ANSWER_SECONDS", 0.1)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "up.sock"))
        listener.listen(1)
        with pytest.raises(CommandError, match="Ask again in a minute"):
            ask(tmp_path, {"do": "status"})


@pytest.mark.parametrize("where", ["dead", "file", "nowhere", "far" * 60])
def test_a_folder_where_nothing_runs_is_named(where: str, tmp_path: Path) -> None:
    folder = tmp_path / where
    if where == "file":
        folder.write_text("")
    elif where == "dead":  # what a killed house leaves behind
        folder.mkdir()
        (folder / "demo.json").write_text(json.dumps({"processes": {"broker": 1}}))
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(folder / "up.sock"))
    with pytest.raises(CommandError, match=rf"No nongso runs on .*{where}") as refused:
        ask(folder, {"do": "status"})
    assert "None" not in str(refused.value)


def test_a_part_that_waits_for_its_next_start_is_started_when_told(
    control: ControlSocket, tmp_path: Path
) -> None:
    household = control._household
    child = household.children["broker"]
    child.end()
    child.next_start = float("inf")
    assert not household.tend()
    answer = control._answer(b'{"do": "start", "part": "broker"}')
    assert answer["parts"]["broker"]["pid"] is not None


def test_words_to_a_terminal_that_is_gone_stop_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w") as gone:
        monkeypatch.setattr("sys.stdout", gone)
        say("All valves are closed.")
        say("again")
