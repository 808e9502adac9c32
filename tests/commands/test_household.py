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
