"""The processes of ``nongso up`` are restarted when they fall and none outlives the parent."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nongso.commands import processes
from nongso.commands.processes import Household, Recipe

SLEEPER = [sys.executable, "-c", "import time; time.sleep(300)"]


def until(is_true: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.fixture
def household(monkeypatch: pytest.MonkeyPatch) -> Iterator[Household]:
    monkeypatch.setattr(processes, "FIRST_PAUSE_SECONDS", 0.05)
    home = Household(say=lambda text: None)
    yield home
    home.end()


def test_a_killed_gateway_runs_again(household: Household, tmp_path: Path) -> None:
    child = household.start(Recipe("gateway", SLEEPER, tmp_path / "gateway.log"))
    first = household.pids()["gateway"]
    os.kill(first, signal.SIGKILL)
    until(lambda: household.tend() and child.pid not in (None, first))


def test_a_part_that_is_held_stays_away_until_it_is_released(
    household: Household, tmp_path: Path
) -> None:
    child = household.start(Recipe("broker", SLEEPER, tmp_path / "broker.log"))
    household.hold("broker", None)
    household.tend()
    assert not child.is_running
    household.release("broker")
    household.tend()
    assert child.is_running


def failing(words: str, status: int = 1) -> list[str]:
    return [sys.executable, "-c", f"import sys; print({words!r}); sys.exit({status})"]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(processes, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(processes, "LONGEST_PAUSE_SECONDS", 0.05)
    return []


def test_why_a_part_falls_is_said_once_in_its_own_words(said: list[str], tmp_path: Path) -> None:
    home = Household(said.append)
    child = home.start(Recipe("gateway", failing("bus.port is missing"), tmp_path / "gateway.log"))
    until(lambda: home.tend() and child.falls >= 4)
    home.end()
    assert len(said) == 1
    assert said[0].startswith("gateway ended with status 1: bus.port is missing (Started again")
    assert str(tmp_path / "gateway.log") in said[0]
    assert child.trouble == "ended with status 1: bus.port is missing"


def test_a_part_that_settles_is_said_to_run_again(
    said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "SETTLED_SECONDS", 0.1)
    home = Household(said.append)
    child = home.start(Recipe("gateway", SLEEPER, tmp_path / "gateway.log"))
    os.kill(home.pids()["gateway"], signal.SIGKILL)

    def both_are_said() -> bool:
        home.tend()
        return len(said) == 2

    until(both_are_said)
    home.end()
    assert [line.split(" (")[0] for line in said] == [
        "gateway ended by signal 9",
        "gateway runs again.",
    ]
    assert child.trouble == ""


def test_a_remedy_is_applied_before_the_next_start(said: list[str], tmp_path: Path) -> None:
    stone = tmp_path / "stone"
    stone.touch()
    trips = f"import os, sys, time; os.path.exists({str(stone)!r}) and sys.exit('a stone')"

    def remedy(status: int, words: str) -> str | None:
        if not stone.exists():
            return None
        assert (status, words) == (1, "a stone")
        stone.unlink()
        return "the stone was put away"

    home = Household(said.append)
    argv = [sys.executable, "-c", f"{trips}; time.sleep(300)"]
    child = home.start(Recipe("broker", argv, tmp_path / "broker.log", remedy=remedy))
    until(lambda: home.tend() and child.is_running)
    home.end()
    assert said == ["the stone was put away"]


@pytest.mark.parametrize("obstacle", ["no such program", "no such folder", "log is a folder"])
def test_what_the_machine_cannot_start_stops_no_other_part(
    obstacle: str, said: list[str], tmp_path: Path
) -> None:
    log, argv, folder = tmp_path / "x.log", SLEEPER, tmp_path
    if obstacle == "no such program":
        argv = [str(tmp_path / "none")]
    elif obstacle == "no such folder":
        folder = tmp_path / "none"
    else:
        log.mkdir()
    home = Household(said.append)
    home.start(Recipe("farm", argv, log, folder))
    home.start(Recipe("valves", SLEEPER, tmp_path / "valves.log"))
    home.tend()
    assert "valves" in home.pids()
    assert ("farm" in home.pids()) == (obstacle == "log is a folder")
    home.end()
    assert all("cannot be started: No such file" in line for line in said)


def test_a_log_does_not_grow_for_ever(
    household: Household, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "LONGEST_LOG", 100)
    log = tmp_path / "farm.log"
    log.write_text("x" * 101)
    household.start(Recipe("farm", SLEEPER, log))
    assert log.read_text() == ""
    assert (tmp_path / "farm.log.1").read_text() == "x" * 101


def test_a_stopped_process_is_ended_too(household: Household, tmp_path: Path) -> None:
    household.start(Recipe("valves", SLEEPER, tmp_path / "valves.log"))
    pid = household.pids()["valves"]
    os.kill(pid, signal.SIGSTOP)
    household.end()
    assert not is_alive(pid)


def test_what_is_started_last_ends_first(household: Household, tmp_path: Path) -> None:
    ends = tmp_path / "ends"
    says = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        "    open(sys.argv[1], 'a').write(sys.argv[2] + ' ')\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "open(sys.argv[1] + sys.argv[2], 'w').close()\n"
        "time.sleep(300)\n"
    )
    for name in ("platform", "gateway", "node"):
        argv = [sys.executable, "-c", says, str(ends), name]
        household.start(Recipe(name, argv, tmp_path / "log"))
        until(lambda name=name: Path(str(ends) + name).exists())  # type: ignore[misc]
    household.end()
    assert ends.read_text().split() == ["node", "gateway", "platform"]


def test_no_process_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time, pathlib\n"
            "from nongso.commands.processes import Household, Recipe\n"
            "home = Household(print)\n"
            f"home.start(Recipe('farm', {SLEEPER!r}, pathlib.Path(sys.argv[1])))\n"
            "print(home.pids()['farm'], flush=True)\n"
            "time.sleep(300)\n",
            str(tmp_path / "log"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    with parent.stdout:
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.kill()
        parent.wait()
    until(lambda: not is_alive(child))
