"""A new version of the gateway is tried; one that does not come up is taken back by itself."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from control_box import Box, until

from nongso.commands.errors import CommandError
from nongso.commands.processes import Household, Recipe
from nongso.commands.slots import Patience, Slots, update

DEPLOY = Path(__file__).parents[2] / "deploy"
QUICK = Patience(for_dry=5, for_coming_up=15, of_trial=1.5, step=0.05)
GOOD = f'exec {sys.executable} -m nongso.commands "$@"'
CRASHES = 'echo "a fault of the new version" >&2; exit 3'
HANGS = "exec sleep 600"


def version(slot: Path, script: str) -> None:
    (slot / "bin").mkdir(parents=True)
    program = slot / "bin" / "nongso"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


class Machine:
    """Real processes of what ``current`` leads to, started anew when they fall."""

    def __init__(self, box: Box, slots: Slots, brings: str) -> None:
        self.box, self.slots, self.brings = box, slots, brings
        self.household = Household(lambda _text: None)
        self.restarts = 0
        self.running: list[dict[str, Any]] = []

    def install(self, slot: Path) -> None:
        version(slot, self.brings)

    def restart(self) -> None:
        self.household.end()
        self.restarts += 1
        settings = str(self.box.settings_file)
        for room in ("valves", "run"):
            program = str(self.slots.root / "current" / "bin" / "nongso")
            self.household.start(
                Recipe(
                    room,
                    [program, "gateway", room, "--settings", settings],
                    self.box.folder / f"{room}.log",
                )
            )

    def starts(self) -> int:
        self.household.tend()
        return sum(child.falls for child in self.household.children.values())

    def report(self) -> dict[str, Any] | None:
        self.household.tend()
        if self.running:
            return self.running.pop(0)
        url = f"http://127.0.0.1:{self.box.settings.status_port}/healthz"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            found = json.load(error)
        except OSError:
            return None
        return found


@pytest.fixture
def slots(tmp_path: Path) -> Slots:
    root = tmp_path / "opt"
    version(root / "slots" / "a", GOOD)
    (root / "current").symlink_to("slots/a")
    return Slots(root)


@pytest.fixture
def bringing(box: Box, slots: Slots) -> Iterator[Callable[[str], Machine]]:
    made: list[Machine] = []

    def make(brings: str) -> Machine:
        machine = Machine(box, slots, brings)
        made.append(machine)
        machine.restart()
        return machine

    yield make
    for machine in made:
        machine.household.end()


def is_well(machine: Machine) -> bool:
    return bool((machine.report() or {}).get("ok"))


def wait_until_well(machine: Machine) -> None:
    until(lambda: is_well(machine), "the gateway is well", 30)


def test_a_version_that_comes_up_stays(bringing: Callable[[str], Machine], slots: Slots) -> None:
    machine = bringing(GOOD)
    wait_until_well(machine)
    update(slots, machine, lambda _text: None, QUICK)
    assert slots.current() == "b"
    assert not slots.is_trying
    assert is_well(machine)


@pytest.mark.parametrize("brings", [CRASHES, HANGS])
def test_a_version_that_does_not_come_up_is_taken_back_and_the_old_one_goes_on(
    brings: str, bringing: Callable[[str], Machine], slots: Slots
) -> None:
    machine = bringing(brings)
    wait_until_well(machine)
    patience = Patience(for_dry=5, for_coming_up=5, of_trial=0.5, step=0.05)
    with pytest.raises(CommandError, match="was taken back"):
        update(slots, machine, lambda _text: None, patience)
    assert slots.current() == "a"
    assert not slots.is_trying
    wait_until_well(machine)


def test_nothing_is_touched_while_water_runs(
    bringing: Callable[[str], Machine], slots: Slots
) -> None:
    machine = bringing(GOOD)
    wait_until_well(machine)
    wet = {"ok": True, "zones": {"k1": {"state": "running"}}}
    machine.running = [wet] * 4
    said: list[str] = []
    update(slots, machine, said.append, QUICK)
    assert any("Water runs" in line for line in said)
    assert machine.running == []
    machine.running = [wet] * 1000
    before = machine.restarts
    never = Patience(for_dry=0.2, for_coming_up=1, of_trial=0.1, step=0.05)
    (slots.of(slots.other()) / "bin" / "nongso").unlink()
    (slots.of(slots.other()) / "bin").rmdir()
    with pytest.raises(CommandError, match="nothing was changed"):
        update(slots, machine, lambda _text: None, never)
    assert (machine.restarts, slots.current()) == (before, "b")


def test_a_power_cut_during_the_trial_takes_the_version_back_without_running_it(
    slots: Slots,
) -> None:
    version(slots.of("b"), CRASHES)
    slots.try_("b")
    assert slots.current() == "b"
    for _ in range(2):  # once more changes nothing
        done = subprocess.run(
            ["sh", str(DEPLOY / "settle")],
            env={"NONGSO_ROOT": str(slots.root), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert (slots.current(), slots.is_trying) == ("a", False)
