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
from nongso.node.ring import Ring

HERE = Path(__file__).parent


def cut(folder: Path, how: str) -> tuple[int, int, int]:
    """Cut the power at each flash operation; return cuts, failures and erased blocks."""
    if not boards.has_micropython():
        pytest.skip("MicroPython has no package for this Python")
    paths = ":".join([*map(str, boards.module_paths()), ".frozen"])
    done = subprocess.run(
        [*boards.micropython_command(), "-X", "heapsize=8M", str(HERE / "power_cuts.py"), how],
        cwd=folder,
        env={**os.environ, "MICROPYPATH": paths},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    last = done.stdout.strip().rpartition("\n")[2]
    found = re.fullmatch(r"(\d+) cuts, (\d+) wrong, (\d+) erases for 24 samples", last)
    assert found, done.stdout + done.stderr
    return int(found[1]), int(found[2]), int(found[3])


def test_no_power_cut_on_littlefs_loses_or_garbles_a_sample(tmp_path: Path) -> None:
    cuts, wrong, erases = cut(tmp_path, "good")
    assert cuts > 100
    assert wrong == 0
    assert erases <= 30  # about one block a sample when each is made sure by itself


def test_the_power_cuts_notice_a_ring_that_does_not_make_sure(tmp_path: Path) -> None:
    _, wrong, _ = cut(tmp_path, "no-sync")
    assert wrong > 0


WRITER = """
import sys
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
