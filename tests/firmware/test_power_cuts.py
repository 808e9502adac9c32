"""Power cuts at every flash operation, and a process killed while it writes."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nongso.gateway.simulated import boards
from nongso.node import record
from nongso.node.ring import Ring

HERE = Path(__file__).parent


def on_flash(folder: Path, *arguments: str, name: str = "power_cuts.py") -> str:
    """Run a program of power cuts; return its last line."""
    if not boards.has_micropython():
        pytest.skip("MicroPython has no package for this Python")
    paths = ":".join([*map(str, boards.module_paths()), ".frozen"])
    program = str(HERE / name)
    done = subprocess.run(
        [*boards.micropython_command(), "-X", "heapsize=8M", program, *arguments],
        cwd=folder,
        env={**os.environ, "MICROPYPATH": paths},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip().rpartition("\n")[2]


def cut(folder: Path, workload: str, seed: int, how: str = "good") -> tuple[int, int, int]:
    """Cut the power at each flash operation; return cuts, failures and erased blocks."""
    last = on_flash(folder, workload, str(seed), how)
    found = re.fullmatch(r"(\d+) cuts, (\d+) wrong, (\d+) erases", last)
    assert found, last
    return int(found[1]), int(found[2]), int(found[3])


@pytest.mark.parametrize("workload", ["each", "batches", "outage", "overfull"])
def test_no_power_cut_on_littlefs_loses_or_garbles_a_sample(tmp_path: Path, workload: str) -> None:
    cuts, wrong, _ = cut(tmp_path, workload, 1)
    assert cuts > 15
    assert wrong == 0


@pytest.mark.parametrize("how", ["good", "early"])
def test_an_update_cut_off_at_any_moment_leaves_a_whole_version(tmp_path: Path, how: str) -> None:
    last = on_flash(tmp_path, how, name="update_cuts.py")
    found = re.fullmatch(r"(\d+) cuts, (\d+) wrong", last)
    assert found, last
    assert int(found[1]) > 20
    assert (int(found[2]) == 0) == (how == "good"), last


@pytest.mark.walk
@pytest.mark.parametrize("workload", ["each", "batches", "outage", "overfull"])
def test_no_other_power_cut_does_either(tmp_path: Path, workload: str) -> None:
    assert cut(tmp_path, workload, 2)[1] == 0


@pytest.mark.parametrize("mistake", ["no-sync", "cursor-anew"])
def test_the_power_cuts_notice_a_ring_that_makes_a_mistake(tmp_path: Path, mistake: str) -> None:
    _, wrong, _ = cut(tmp_path, "batches", 1, mistake)
    assert wrong > 0


def test_the_flash_is_spared(tmp_path: Path) -> None:
    """Blocks erased per sample: the budget is 0.12 in an outage, and none else."""
    last = on_flash(tmp_path, "wear", "3")
    found = re.fullmatch(r"([.\d]+) offline, ([.\d]+) online, 0 lost", last)
    assert found, last
    assert 0 < float(found[1]) <= 0.12
    assert float(found[2]) == 0


def test_thirty_days_of_seven_values_fit(tmp_path: Path) -> None:
    """One sample each five minutes in 256 KB, with the oldest segment given up already."""
    columns = ("air_temperature", "air_humidity", "light", "soil_moisture", "soil_moisture.2")
    heading = record.pack_heading((1 << 30) - 1, False, (*columns, "co2", "battery"))
    ring = Ring(str(tmp_path / "ring"), 262144, batch=10)
    days = 35
    for number in range(days * 288):
        values: list[int | str] = [2450 + number % 900, 712, 61000, 444, 512, 815, 372]
        ring.append(heading, record.pack(number, 1790000000 + 300 * number, True, 0, values))
    assert days * 288 - ring.lost >= 30 * 288
    assert sum(file.stat().st_size for file in (tmp_path / "ring").glob("*.seg")) <= 262144


WRITER = """
import sys
from nongso.node import record
from nongso.node.ring import Ring
ring = Ring("ring", 65536, 512)
number = int(sys.argv[1])
while True:
    ring.append(b"heading", b"%08d" % number)
    print(number)
    number += 1
"""


def test_killed_while_writing_the_ring_has_every_sample_it_took(
    tmp_path: Path, interpreter: str
) -> None:
    writer = tmp_path / "writer.py"
    writer.write_text(WRITER)
    paths = ":".join(map(str, boards.module_paths()))
    argv = boards.micropython_command() if interpreter == "micropython" else [sys.executable, "-u"]
    chance = random.Random(7)
    taken = -1
    for _ in range(6):
        process = subprocess.Popen(
            [*argv, str(writer), str(taken + 1)],
            cwd=tmp_path,
            env={**os.environ, "MICROPYPATH": paths + ":.frozen", "PYTHONPATH": paths},
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        said = process.stdout.readline()
        time.sleep(chance.random() / 20)  # somewhere in the middle of a write
        process.send_signal(signal.SIGKILL)
        said += process.stdout.read()
        process.wait()
        process.stdout.close()
        taken = int(said[: said.rindex(b"\n")].split()[-1])
        found = []
        ring = Ring(str(tmp_path / "ring"), 65536, 512)
        while item := ring.read():
            found.append(int(item.body))
        assert found == list(range(found[0], found[0] + len(found)))
        assert taken <= found[-1] <= taken + 1
        taken = found[-1]
